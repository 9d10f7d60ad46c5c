//! `format`, which drafts up to 7 check.

use std::net::{Ipv4Addr, Ipv6Addr};

use super::json::Json;
use super::{pattern, url};

/// Says why a text is not of a format.
type Check = fn(&str) -> Result<(), String>;

/// A format that is checked.
#[derive(Clone, Copy, Debug)]
pub struct Format {
    name: &'static str,
    check: Check,
}

impl Format {
    /// The format of this name; unknown ones are not checked.
    pub fn named(name: &str) -> Option<Format> {
        const ALL: &[(&str, Check)] = &[
            ("regex", regex),
            ("json-pointer", json_pointer),
            ("uuid", uuid),
            ("ipv4", ipv4),
            ("ipv6", ipv6),
            ("hostname", hostname),
            ("email", email),
            ("date", date),
            ("time", time),
            ("date-time", date_time),
            ("uri", uri),
            ("iri", uri),
            ("uri-reference", uri_reference),
            ("iri-reference", uri_reference),
        ];
        let (name, check) = ALL.iter().find(|(known, _)| *known == name)?;
        Some(Format { name, check: *check })
    }

    /// Its name.
    pub fn name(self) -> &'static str {
        self.name
    }

    /// Why a value is not of this format. Only strings can fail.
    pub fn check(self, value: &Json) -> Result<(), String> {
        match value {
            Json::String(text) => (self.check)(text),
            _ => Ok(()),
        }
    }
}

fn fail(text: &str) -> Result<(), String> {
    Err(text.to_owned())
}

fn regex(text: &str) -> Result<(), String> {
    pattern::compile(text).map(|_| ())
}

fn json_pointer(text: &str) -> Result<(), String> {
    if !text.is_empty() && !text.starts_with('/') {
        return fail("not starting with /");
    }
    let mut chars = text.chars();
    while let Some(c) = chars.next() {
        if c == '~' && !matches!(chars.next(), Some('0' | '1')) {
            return fail("~ must be followed by 0 or 1");
        }
    }
    Ok(())
}

fn uuid(text: &str) -> Result<(), String> {
    let groups: Vec<&str> = text.split('-').collect();
    if groups.len() != 5 {
        return fail("must have 5 elements");
    }
    for (index, (group, length)) in groups.iter().zip([8, 4, 4, 4, 12]).enumerate() {
        if group.len() != length {
            return Err(format!("element {} must be {length} characters long", index + 1));
        }
        if let Some(c) = group.chars().find(|c| !c.is_ascii_hexdigit()) {
            return Err(format!("non-hex character {c:?}"));
        }
    }
    Ok(())
}

fn ipv4(text: &str) -> Result<(), String> {
    let groups: Vec<&str> = text.split('.').collect();
    if groups.len() != 4 {
        return fail("expected four decimals");
    }
    for group in groups {
        if group.len() > 1 && group.starts_with('0') {
            return fail("leading zeros");
        }
        if !group.bytes().all(|b| b.is_ascii_digit()) || group.is_empty() {
            let problem = format!(
                "strconv.Atoi: parsing {}: invalid syntax",
                crate::helm::go::quote::quoted(group)
            );
            return Err(problem);
        }
        if group.parse::<u8>().is_err() {
            return fail("decimal must be between 0 and 255");
        }
    }
    Ok(())
}

fn ipv6(text: &str) -> Result<(), String> {
    if !text.contains(':') {
        return fail("missing colon");
    }
    if text.contains('%') {
        return fail("zone id is not a part of ipv6 address");
    }
    text.parse::<Ipv6Addr>().map(|_| ()).map_err(|_| {
        format!(
            "ParseAddr({}): unable to parse IP",
            crate::helm::go::quote::quoted(text)
        )
    })
}

fn hostname(text: &str) -> Result<(), String> {
    let name = text.strip_suffix('.').unwrap_or(text);
    if name.len() > 253 {
        return fail("more than 253 characters long");
    }
    for label in name.split('.') {
        if label.is_empty() || label.len() > 63 {
            return fail("label must be 1 to 63 characters long");
        }
        if label.starts_with('-') {
            return fail("label starts with hyphen");
        }
        if label.ends_with('-') {
            return fail("label ends with hyphen");
        }
        if let Some(c) = label.chars().find(|c| !c.is_ascii_alphanumeric() && *c != '-') {
            return Err(format!("invalid character {c:?}"));
        }
    }
    Ok(())
}

fn email(text: &str) -> Result<(), String> {
    if text.len() > 255 {
        return fail("more than 255 characters long");
    }
    let Some((local, domain)) = text.rsplit_once('@') else {
        return fail("missing @");
    };
    if local.len() > 64 {
        return fail("local part more than 64 characters long");
    }
    if let Some(inner) = local.strip_prefix('"').and_then(|l| l.strip_suffix('"')) {
        if inner.contains(['\\', '"']) {
            return fail("backslash and quote are not allowed within quoted local part");
        }
    } else {
        if local.starts_with('.') {
            return fail("starts with dot");
        }
        if local.ends_with('.') {
            return fail("ends with dot");
        }
        if local.contains("..") {
            return fail("consecutive dots");
        }
        let allowed = |c: &char| c.is_ascii_alphanumeric() || ".!#$%&'*+-/=?^_`{|}~".contains(*c);
        if let Some(c) = local.chars().find(|c| !allowed(c)) {
            return Err(format!("invalid character {c:?}"));
        }
    }
    match domain.strip_prefix('[').and_then(|d| d.strip_suffix(']')) {
        Some(address) => match address.strip_prefix("IPv6:") {
            Some(address) => ipv6(address).map_err(|cause| format!("invalid ipv6 address: {cause}")),
            None => ipv4(address).map_err(|cause| format!("invalid ipv4 address: {cause}")),
        },
        None => hostname(domain).map_err(|cause| format!("invalid domain: {cause}")),
    }
}

fn date(text: &str) -> Result<(), String> {
    let quoted = crate::helm::go::quote::quoted(text);
    let bad = |part: &str| {
        let part = crate::helm::go::quote::quoted(part);
        Err(format!(
            "parsing time {quoted} as \"2006-01-02\": cannot parse {part} as \"2006\""
        ))
    };
    let parts: Vec<&str> = text.split('-').collect();
    let [year, month, day] = parts[..] else {
        return bad(text);
    };
    let digits = |part: &str, length: usize| part.len() == length && part.bytes().all(|b| b.is_ascii_digit());
    if !digits(year, 4) || !digits(month, 2) || !digits(day, 2) {
        return bad(text);
    }
    let number = |part: &str| part.parse::<u32>().unwrap_or_default();
    let (year, month, day) = (number(year), number(month), number(day));
    if !(1..=12).contains(&month) {
        return Err(format!("parsing time {quoted}: month out of range"));
    }
    let leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
    let days = match month {
        2 if leap => 29,
        2 => 28,
        4 | 6 | 9 | 11 => 30,
        _ => 31,
    };
    if !(1..=days).contains(&day) {
        return Err(format!("parsing time {quoted}: day out of range"));
    }
    Ok(())
}

fn time(text: &str) -> Result<(), String> {
    // The shortest is `00:00:00Z`.
    if text.len() < 9 || !text.is_ascii() {
        return fail("less than 9 characters long");
    }
    let (clock, rest) = text.split_at(8);
    if clock.as_bytes()[2] != b':' || clock.as_bytes()[5] != b':' {
        return fail("missing colon in correct place");
    }
    let numbers: Option<Vec<u32>> = clock.split(':').map(|part| part.parse().ok()).collect();
    let Some([hour, minute, second]) = numbers.as_deref().and_then(|n| <[u32; 3]>::try_from(n).ok()) else {
        return fail("invalid hour/min/sec");
    };
    if hour > 23 || minute > 59 || second > 60 {
        return fail("hour/min/sec out of range");
    }
    let rest = match rest.strip_prefix('.') {
        Some(fraction) => {
            let after = fraction.trim_start_matches(|c: char| c.is_ascii_digit());
            if after.len() == fraction.len() {
                return fail("no digits in second fraction");
            }
            after
        }
        None => rest,
    };
    let offset = offset_minutes(rest)?;
    if second == 60 {
        let minute_of_day = i64::from(hour * 60 + minute);
        if (minute_of_day - offset).rem_euclid(24 * 60) != 23 * 60 + 59 {
            return fail("invalid leap second");
        }
    }
    Ok(())
}

fn offset_minutes(text: &str) -> Result<i64, String> {
    if text.eq_ignore_ascii_case("z") {
        return Ok(0);
    }
    if text.len() != 6 {
        return Err("offset must be 6 characters long".to_owned());
    }
    let sign = match text.as_bytes()[0] {
        b'+' => 1,
        b'-' => -1,
        _ => return Err("offset must begin with plus/minus".to_owned()),
    };
    let Some((hour, minute)) = text[1..].split_once(':').filter(|(hour, _)| hour.len() == 2) else {
        return Err("missing colon in offset in correct place".to_owned());
    };
    let (Ok(hour), Ok(minute)) = (hour.parse::<i64>(), minute.parse::<i64>()) else {
        return Err("invalid hour/min in offset".to_owned());
    };
    if hour > 23 || minute > 59 {
        return Err("hour/min in offset out of range".to_owned());
    }
    Ok(sign * (hour * 60 + minute))
}

fn date_time(text: &str) -> Result<(), String> {
    if text.len() < 20 || !text.is_ascii() {
        return fail("less than 20 characters long");
    }
    if !text.as_bytes()[10].eq_ignore_ascii_case(&b't') {
        return fail("11th character must be t or T");
    }
    date(&text[..10]).map_err(|cause| format!("invalid date element: {cause}"))?;
    time(&text[11..]).map_err(|cause| format!("invalid time element: {cause}"))
}

fn uri(text: &str) -> Result<(), String> {
    parsed_url(text)?;
    if url::scheme(text).is_none() {
        return fail("relative url");
    }
    Ok(())
}

fn uri_reference(text: &str) -> Result<(), String> {
    parsed_url(text)?;
    if text.contains('\\') {
        return fail("contains \\");
    }
    Ok(())
}

/// What of Go's `net/url` can fail: control characters, blanks in a host, broken escapes and addresses.
fn parsed_url(text: &str) -> Result<(), String> {
    let quoted = crate::helm::go::quote::quoted(text);
    if text.bytes().any(|b| b < b' ' || b == 0x7f) {
        return Err(format!(
            "parse {quoted}: net/url: invalid control character in URL"
        ));
    }
    if text.starts_with(':') {
        return Err(format!("parse {quoted}: missing protocol scheme"));
    }
    let (before, _) = url::split(text);
    if url::decoded(&before.replace("%25", "")).is_none() {
        let at = before.find('%').unwrap_or_default();
        let escape: String = before[at..].chars().take(3).collect();
        let escape = crate::helm::go::quote::quoted(&escape);
        return Err(format!("parse {quoted}: invalid URL escape {escape}"));
    }
    let Some((_, rest)) = before.split_once("://") else {
        return Ok(());
    };
    let authority = rest.split(['/', '?']).next().unwrap_or_default();
    let host = authority.rsplit('@').next().unwrap_or_default();
    if let Some(c) = host
        .chars()
        .find(|c| matches!(c, ' ' | '<' | '>' | '"' | '`' | '{' | '}' | '|' | '\\' | '^'))
    {
        let c = crate::helm::go::quote::quoted(&c.to_string());
        return Err(format!("parse {quoted}: invalid character {c} in host name"));
    }
    if let Some(address) = host.strip_prefix('[').and_then(|h| h.split(']').next()) {
        return ipv6(address).map_err(|cause| format!("invalid ipv6 address: {cause}"));
    }
    if host.matches(':').count() > 1 && host.parse::<Ipv4Addr>().is_err() {
        return fail("ipv6 address not enclosed in brackets");
    }
    Ok(())
}

//! What a scalar without quotes means.

use crate::dialect::Dialect;

/// A resolved scalar.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Resolved {
    Null,
    Bool(bool),
    Int(i64),
    /// Past the range of `i64`.
    UInt(u64),
    Float(f64),
    Timestamp,
    Str,
}

impl Resolved {
    /// The tag that go-yaml gives it.
    pub(crate) fn tag(self) -> &'static str {
        match self {
            Resolved::Null => "!!null",
            Resolved::Bool(_) => "!!bool",
            Resolved::Int(_) | Resolved::UInt(_) => "!!int",
            Resolved::Float(_) => "!!float",
            Resolved::Timestamp => "!!timestamp",
            Resolved::Str => "!!str",
        }
    }
}

/// Resolves the text of a plain scalar.
pub(crate) fn resolve(text: &str, dialect: Dialect) -> Resolved {
    let Some(&first) = text.as_bytes().first() else {
        return Resolved::Null;
    };
    match first {
        b'~' | b'n' | b'N' | b't' | b'T' | b'f' | b'F' | b'y' | b'Y' | b'o' | b'O' if text.len() <= 5 => {
            word(text, dialect)
        }
        b'.' => special_float(text)
            .or_else(|| go_float(text))
            .map_or(Resolved::Str, Resolved::Float),
        b'+' | b'-' | b'0'..=b'9' if dialect == Dialect::Core12 => core_number(text),
        b'+' | b'-' | b'0'..=b'9' => go_number(text, dialect),
        _ => Resolved::Str,
    }
}

fn word(text: &str, dialect: Dialect) -> Resolved {
    match text {
        "~" | "null" | "Null" | "NULL" => Resolved::Null,
        "true" | "True" | "TRUE" => Resolved::Bool(true),
        "false" | "False" | "FALSE" => Resolved::Bool(false),
        _ if dialect != Dialect::GoYaml11 => Resolved::Str,
        _ => old_bool(text).map_or(Resolved::Str, Resolved::Bool),
    }
}

/// The other words for true and false that YAML 1.1 had.
pub(crate) fn old_bool(text: &str) -> Option<bool> {
    match text {
        "y" | "Y" | "yes" | "Yes" | "YES" | "on" | "On" | "ON" => Some(true),
        "n" | "N" | "no" | "No" | "NO" | "off" | "Off" | "OFF" => Some(false),
        _ => None,
    }
}

fn special_float(text: &str) -> Option<f64> {
    match text {
        ".nan" | ".NaN" | ".NAN" => Some(f64::NAN),
        ".inf" | ".Inf" | ".INF" | "+.inf" | "+.Inf" | "+.INF" => Some(f64::INFINITY),
        "-.inf" | "-.Inf" | "-.INF" => Some(f64::NEG_INFINITY),
        _ => None,
    }
}

/// A number that begins with `.`, as Go's strconv reads it: underscores may stand between digits.
fn go_float(text: &str) -> Option<f64> {
    let bytes = text.as_bytes();
    let between_digits =
        |i: usize| i > 0 && bytes[i - 1].is_ascii_digit() && bytes.get(i + 1).is_some_and(u8::is_ascii_digit);
    if (0..bytes.len()).any(|i| bytes[i] == b'_' && !between_digits(i)) {
        return None;
    }
    decimal(&text.replace('_', ""))
}

fn go_number(text: &str, dialect: Dialect) -> Resolved {
    if let Some(float) = special_float(text) {
        return Resolved::Float(float);
    }
    if is_timestamp(text) {
        return Resolved::Timestamp;
    }
    let stripped;
    let plain = match text.contains('_') {
        true => {
            stripped = text.replace('_', "");
            stripped.as_str()
        }
        false => text,
    };
    if let Some(number) = go_integer(plain) {
        return number;
    }
    if let Some(float) = decimal(plain) {
        return Resolved::Float(float);
    }
    // `0b` and, since v3, `0o` may also be followed by a second sign.
    let (sign, rest) = match plain.strip_prefix('-') {
        Some(rest) => ("-", rest),
        None => ("", plain),
    };
    let radix = match rest.get(..2) {
        Some("0b") => 2,
        Some("0o") if dialect == Dialect::GoYaml3 => 8,
        _ => return Resolved::Str,
    };
    let digits = &rest[2..];
    if sign == "-" && digits.starts_with(['+', '-']) {
        return Resolved::Str;
    }
    match i64::from_str_radix(&format!("{sign}{digits}"), radix) {
        Ok(int) => Resolved::Int(int),
        Err(_) => Resolved::Str,
    }
}

/// An integer as Go's strconv reads it with base 0: prefixes, and a leading zero for octal.
fn go_integer(text: &str) -> Option<Resolved> {
    let (negative, signed, digits) = match text.as_bytes()[0] {
        b'-' => (true, true, &text[1..]),
        b'+' => (false, true, &text[1..]),
        _ => (false, false, text),
    };
    let (radix, digits) = match digits.as_bytes() {
        [b'0', b'x' | b'X', _, ..] => (16, &digits[2..]),
        [b'0', b'o' | b'O', _, ..] => (8, &digits[2..]),
        [b'0', b'b' | b'B', _, ..] => (2, &digits[2..]),
        [b'0', _, ..] => (8, &digits[1..]),
        _ => (10, digits),
    };
    if !digits.bytes().all(|b| char::from(b).is_digit(radix)) {
        return None;
    }
    let magnitude = u64::from_str_radix(digits, radix).ok()?;
    match (negative, i64::try_from(magnitude)) {
        (false, Ok(int)) => Some(Resolved::Int(int)),
        (false, Err(_)) if !signed => Some(Resolved::UInt(magnitude)),
        (false, Err(_)) => None,
        (true, _) => 0i64.checked_sub_unsigned(magnitude).map(Resolved::Int),
    }
}

/// `[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?`, within the range of a double.
fn decimal(text: &str) -> Option<f64> {
    let bytes = text.as_bytes();
    let digits = |from: usize| bytes[from..].iter().take_while(|b| b.is_ascii_digit()).count();
    let mut at = usize::from(matches!(bytes.first(), Some(b'+' | b'-')));
    let whole = digits(at);
    at += whole;
    if bytes.get(at) == Some(&b'.') {
        let fraction = digits(at + 1);
        if whole == 0 && fraction == 0 {
            return None;
        }
        at += 1 + fraction;
    } else if whole == 0 {
        return None;
    }
    if matches!(bytes.get(at), Some(b'e' | b'E')) {
        at += 1 + usize::from(matches!(bytes.get(at + 1), Some(b'+' | b'-')));
        let exponent = digits(at);
        if exponent == 0 {
            return None;
        }
        at += exponent;
    }
    if at != bytes.len() {
        return None;
    }
    text.parse::<f64>().ok().filter(|f| f.is_finite())
}

/// A number of the core schema of YAML 1.2.
fn core_number(text: &str) -> Resolved {
    if let Some(float) = special_float(text) {
        return Resolved::Float(float);
    }
    let prefixed = match text.as_bytes() {
        [b'0', b'x', _, ..] => Some(16),
        [b'0', b'o', _, ..] => Some(8),
        _ => None,
    };
    if let Some(radix) = prefixed {
        let digits = &text[2..];
        if !digits.bytes().all(|b| char::from(b).is_digit(radix)) {
            return Resolved::Str;
        }
        return match (
            i64::from_str_radix(digits, radix),
            u64::from_str_radix(digits, radix),
        ) {
            (Ok(int), _) => Resolved::Int(int),
            (_, Ok(int)) => Resolved::UInt(int),
            _ => Resolved::Str,
        };
    }
    if let Ok(int) = text.parse::<i64>() {
        return Resolved::Int(int);
    }
    if let Ok(int) = text.parse::<u64>() {
        return Resolved::UInt(int);
    }
    decimal(text).map_or(Resolved::Str, Resolved::Float)
}

/// Whether a string would be a number in base 60 for a parser of YAML 1.1; go-yaml quotes such strings.
pub(crate) fn is_base60(text: &str) -> bool {
    if !text.starts_with(|c: char| c.is_ascii_digit() || c == '+' || c == '-') {
        return false;
    }
    let unsigned = text.strip_prefix(['+', '-']).unwrap_or(text);
    let mut parts = unsigned.split(':');
    let head = parts.next().unwrap_or_default();
    let digits_from_first = |s: &str, dots: bool| {
        s.bytes()
            .all(|b| b.is_ascii_digit() || b == b'_' || (dots && b == b'.'))
    };
    if !head.starts_with(|c: char| c.is_ascii_digit()) || !digits_from_first(head, false) {
        return false;
    }
    let parts: Vec<&str> = parts.collect();
    let Some((last, middle)) = parts.split_last() else {
        return false;
    };
    let sixtieth = |s: &str| match s.as_bytes() {
        [b] => b.is_ascii_digit(),
        [a, b] => (b'0'..=b'5').contains(a) && b.is_ascii_digit(),
        _ => false,
    };
    let (last_whole, fraction) = last.split_once('.').unwrap_or((last, ""));
    middle.iter().all(|p| sixtieth(p)) && sixtieth(last_whole) && digits_from_first(fraction, false)
}

/// Whether go-yaml takes a scalar for a point in time.
pub(crate) fn is_timestamp(text: &str) -> bool {
    let bytes = text.as_bytes();
    bytes.len() >= 8
        && bytes[..4].iter().all(u8::is_ascii_digit)
        && bytes[4] == b'-'
        && timestamp(text).is_some()
}

/// A point in time as RFC 3339 with as many digits of the second as needed, which is how Go writes it to JSON.
pub(crate) fn timestamp(text: &str) -> Option<String> {
    let year: u32 = text.get(..4)?.parse().ok()?;
    let (month, rest) = short_number(text.get(4..)?.strip_prefix('-')?)?;
    let (day, rest) = short_number(rest.strip_prefix('-')?)?;
    if !(1..=12).contains(&month) || day < 1 || day > days_in(year, month) {
        return None;
    }
    let date = format!("{year:04}-{month:02}-{day:02}T");
    if rest.is_empty() {
        return Some(format!("{date}00:00:00Z"));
    }
    let (rest, zoned) = match rest.strip_prefix(['T', 't']) {
        Some(rest) => (rest, true),
        None => (rest.strip_prefix(' ')?.trim_start_matches(' '), false),
    };
    let (hour, rest) = short_number(rest)?;
    let (minute, rest) = short_number(rest.strip_prefix(':')?)?;
    let (second, rest) = short_number(rest.strip_prefix(':')?)?;
    if hour > 23 || minute > 59 || second > 59 {
        return None;
    }
    let (fraction, rest) = fraction(rest);
    let zone = match (zoned, rest) {
        (true, "Z") | (false, "") => "Z",
        (true, offset) if is_offset(offset) => match &offset[1..] {
            "00:00" => "Z",
            _ => offset,
        },
        _ => return None,
    };
    let dot = if fraction.is_empty() { "" } else { "." };
    Some(format!(
        "{date}{hour:02}:{minute:02}:{second:02}{dot}{fraction}{zone}"
    ))
}

/// One or two digits, and what follows.
fn short_number(text: &str) -> Option<(u32, &str)> {
    let digits = text.bytes().take(2).take_while(u8::is_ascii_digit).count();
    Some((text.get(..digits)?.parse().ok()?, &text[digits..]))
}

/// The digits after `.` or `,` up to nanoseconds, without zeros at the end, and what follows all of them.
fn fraction(text: &str) -> (&str, &str) {
    let Some(digits) = text.strip_prefix(['.', ',']) else {
        return ("", text);
    };
    match digits.bytes().take_while(u8::is_ascii_digit).count() {
        0 => ("", text),
        n => (digits[..n.min(9)].trim_end_matches('0'), &digits[n..]),
    }
}

fn is_offset(text: &str) -> bool {
    match text.as_bytes() {
        [b'+' | b'-', h1, h2, b':', m1, m2] => {
            let digits = [h1, h2, m1, m2].iter().all(|b| b.is_ascii_digit());
            digits && (h1 - b'0') * 10 + (h2 - b'0') <= 24 && (m1 - b'0') * 10 + (m2 - b'0') <= 60
        }
        _ => false,
    }
}

fn days_in(year: u32, month: u32) -> u32 {
    match month {
        4 | 6 | 9 | 11 => 30,
        2 if year.is_multiple_of(4) && (!year.is_multiple_of(100) || year.is_multiple_of(400)) => 29,
        2 => 28,
        _ => 31,
    }
}

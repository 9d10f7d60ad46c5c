//! Formats of texts (`kube-openapi/pkg/validation/strfmt`, `apiextensions-apiserver/pkg/apiserver/validation/formats.go`).

use std::net::{IpAddr, Ipv6Addr};

use base64::Engine as _;

/// The formats that are checked; hyphens do not count.
const KNOWN: &[&str] = &[
    "bsonobjectid",
    "uri",
    "email",
    "hostname",
    "ipv4",
    "ipv6",
    "cidr",
    "mac",
    "uuid",
    "uuid3",
    "uuid4",
    "uuid5",
    "isbn",
    "isbn10",
    "isbn13",
    "creditcard",
    "ssn",
    "hexcolor",
    "rgbcolor",
    "byte",
    "password",
    "date",
    "duration",
    "datetime",
    "k8sshortname",
    "k8slongname",
];

/// The format as it was written, where it is one that is checked.
pub fn known(format: &str) -> Option<&str> {
    let name = format.replace('-', "");
    // The names of Kubernetes have hyphens in the list itself and are therefore not recognised by upstream.
    (KNOWN.contains(&name.as_str()) && !name.starts_with("k8s")).then_some(format)
}

/// Whether a text is of a format.
pub fn matches(format: &str, text: &str) -> bool {
    match format.replace('-', "").as_str() {
        "bsonobjectid" => text.len() == 24 && is_hexadecimal(text),
        "uri" => is_uri(text),
        "email" => is_email(text),
        "hostname" => is_hostname(text),
        "ipv4" => matches!(text.parse(), Ok(IpAddr::V4(_))),
        "ipv6" => text.parse::<Ipv6Addr>().is_ok(),
        "cidr" => is_cidr(text),
        "mac" => is_mac(text),
        "uuid" => is_uuid(text, None),
        "uuid3" => is_uuid(text, Some('3')),
        "uuid4" => is_uuid(text, Some('4')),
        "uuid5" => is_uuid(text, Some('5')),
        "isbn" => is_isbn_10(text) || is_isbn_13(text),
        "isbn10" => is_isbn_10(text),
        "isbn13" => is_isbn_13(text),
        "creditcard" => is_credit_card(text),
        "ssn" => is_social_security_number(text),
        "hexcolor" => {
            let digits = text.strip_prefix('#').unwrap_or(text);
            matches!(digits.len(), 3 | 6) && is_hexadecimal(digits)
        }
        "rgbcolor" => is_rgb_color(text),
        "byte" => !text.is_empty() && base64::engine::general_purpose::STANDARD.decode(text).is_ok(),
        "date" => is_date(text),
        "duration" => is_duration(text),
        "datetime" => is_date_time(text),
        _ => true,
    }
}

fn is_hexadecimal(text: &str) -> bool {
    text.bytes().all(|b| b.is_ascii_hexdigit())
}

fn is_uri(text: &str) -> bool {
    let Some((scheme, rest)) = text.split_once(':') else {
        return text.starts_with('/') && !text.contains(char::is_whitespace);
    };
    let scheme_ok = scheme.starts_with(|c: char| c.is_ascii_alphabetic())
        && scheme
            .chars()
            .all(|c| c.is_ascii_alphanumeric() || "+-.".contains(c));
    scheme_ok && !rest.is_empty() && !text.contains(|c: char| c.is_control() || c == ' ')
}

fn is_email(text: &str) -> bool {
    let address = match (text.rfind('<'), text.strip_suffix('>')) {
        (Some(start), Some(inside)) => &inside[start + 1..],
        _ => text,
    };
    address.rsplit_once('@').is_some_and(|(local, domain)| {
        !local.is_empty()
            && !domain.is_empty()
            && !address.contains(|c: char| c.is_whitespace() || c.is_control())
            && !local.starts_with('.')
            && !local.ends_with('.')
            && !local.contains("..")
            && !local.contains('@')
            && domain.split('.').all(|label| !label.is_empty())
    })
}

fn is_hostname(text: &str) -> bool {
    let label_ok = |label: &str| {
        (1..=63).contains(&label.len())
            && !label.starts_with('-')
            && !label.ends_with('-')
            && label.chars().all(|c| c.is_alphanumeric() || c == '-' || c == '_')
    };
    let trimmed = text.strip_suffix('.').unwrap_or(text);
    let last = trimmed.rsplit('.').next().unwrap_or_default();
    let several = trimmed.contains('.');
    text.len() <= 255
        && trimmed.split('.').all(label_ok)
        && (!several || (last.chars().count() >= 2 && last.chars().any(char::is_alphabetic)))
}

fn is_cidr(text: &str) -> bool {
    let Some((address, bits)) = text.split_once('/') else {
        return false;
    };
    let plain = !bits.is_empty() && bits.len() <= 3 && bits.bytes().all(|b| b.is_ascii_digit());
    let Ok(bits) = bits.parse::<u8>() else {
        return false;
    };
    match address.parse() {
        Ok(IpAddr::V4(_)) => plain && bits <= 32,
        Ok(IpAddr::V6(_)) => plain && bits <= 128,
        Err(_) => false,
    }
}

fn is_mac(text: &str) -> bool {
    let by = |separator: char, width: usize, counts: &[usize]| {
        let parts: Vec<&str> = text.split(separator).collect();
        counts.contains(&parts.len())
            && parts
                .iter()
                .all(|part| part.len() == width && is_hexadecimal(part))
    };
    by(':', 2, &[6, 8, 20]) || by('-', 2, &[6, 8, 20]) || by('.', 4, &[3, 4, 10])
}

/// The hyphens are optional.
fn is_uuid(text: &str, version: Option<char>) -> bool {
    let mut digits = String::new();
    let mut at = 0;
    for (place, width) in [8, 4, 4, 4, 12].into_iter().enumerate() {
        if place > 0 && text[at..].starts_with('-') {
            at += 1;
        }
        let Some(part) = text.get(at..at + width) else {
            return false;
        };
        digits.push_str(part);
        at += width;
    }
    let version_ok = version.is_none_or(|version| digits.chars().nth(12) == Some(version));
    let variant = digits.chars().nth(16).unwrap_or_default().to_ascii_lowercase();
    let variant_ok = !matches!(version, Some('4' | '5')) || "89ab".contains(variant);
    at == text.len() && is_hexadecimal(&digits) && version_ok && variant_ok
}

fn without_separators(text: &str) -> Vec<char> {
    text.chars().filter(|c| *c != '-' && *c != ' ').collect()
}

fn is_isbn_10(text: &str) -> bool {
    let digits = without_separators(text);
    let value = |(place, c): (usize, &char)| match c {
        'X' | 'x' if place == 9 => Some(10),
        c => c.to_digit(10),
    };
    let values: Option<Vec<u32>> = digits.iter().enumerate().map(value).collect();
    values.is_some_and(|values| {
        values.len() == 10
            && values
                .iter()
                .zip((1..=10).rev())
                .map(|(v, weight)| v * weight)
                .sum::<u32>()
                % 11
                == 0
    })
}

fn is_isbn_13(text: &str) -> bool {
    let values: Option<Vec<u32>> = without_separators(text).iter().map(|c| c.to_digit(10)).collect();
    values.is_some_and(|values| {
        let weights = [1, 3].into_iter().cycle();
        values.len() == 13
            && values
                .iter()
                .zip(weights)
                .map(|(v, weight)| v * weight)
                .sum::<u32>()
                % 10
                == 0
    })
}

/// The number of a card has a check digit (Luhn) and one of a few lengths.
fn is_credit_card(text: &str) -> bool {
    let digits: Vec<u32> = text.chars().filter_map(|c| c.to_digit(10)).collect();
    let doubled = |(place, digit): (usize, &u32)| match (place % 2, digit * 2) {
        (0, _) => *digit,
        (_, double) if double > 9 => double - 9,
        (_, double) => double,
    };
    (13..=16).contains(&digits.len())
        && matches!(digits[0], 2..=6)
        && digits.iter().rev().enumerate().map(doubled).sum::<u32>() % 10 == 0
}

fn is_social_security_number(text: &str) -> bool {
    let digits: String = text.chars().filter(|c| c.is_ascii_digit()).collect();
    let separators = text.chars().filter(|c| !c.is_ascii_digit());
    let (digits_ok, separators_ok) = (
        digits.len() == 9,
        separators.clone().all(|c| c == '-' || c == ' '),
    );
    digits_ok && separators_ok && separators.count() <= 2
}

fn is_rgb_color(text: &str) -> bool {
    let inside = text.strip_prefix("rgb(").and_then(|text| text.strip_suffix(')'));
    inside.is_some_and(|inside| {
        let parts: Vec<&str> = inside.split(',').map(str::trim).collect();
        parts.len() == 3 && parts.iter().all(|part| part.parse::<u8>().is_ok())
    })
}

fn is_date(text: &str) -> bool {
    let parts: Vec<&str> = text.split('-').collect();
    let [year, month, day] = parts[..] else {
        return false;
    };
    let digits = |text: &str, width: usize| text.len() == width && text.bytes().all(|b| b.is_ascii_digit());
    digits(year, 4)
        && digits(month, 2)
        && digits(day, 2)
        && crate::decode::time(&format!("{text}T00:00:00Z")).is_ok()
}

/// `2014-12-15T19:30:20.000Z`, in either case.
fn is_date_time(text: &str) -> bool {
    let upper = text.to_uppercase();
    let Some((date, time)) = upper.split_once('T') else {
        return false;
    };
    is_date(date) && !time.is_empty() && crate::decode::time(&upper).is_ok()
}

/// Go's notation, or a number and a word (`2 minutes`).
fn is_duration(text: &str) -> bool {
    const UNITS: &[&str] = &[
        "ns",
        "nano",
        "nanosecond",
        "us",
        "micro",
        "microsecond",
        "ms",
        "milli",
        "millisecond",
        "s",
        "sec",
        "second",
        "m",
        "min",
        "minute",
        "h",
        "hr",
        "hour",
        "d",
        "day",
        "w",
        "wk",
        "week",
    ];
    if crate::decode::duration(text).is_ok() {
        return true;
    }
    let text = text.trim();
    let end = text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
    let unit = text[end..].trim();
    let singular = unit
        .strip_suffix('s')
        .filter(|unit| unit.len() > 1)
        .unwrap_or(unit);
    end > 0 && (UNITS.contains(&unit) || UNITS.contains(&singular))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_are_of_their_format() {
        let cases = [
            ("date-time", "2014-12-15T19:30:20.000Z", "2014-12-15 19:30"),
            ("date", "2024-02-29", "2023-02-29"),
            ("ipv4", "10.0.0.1", "10.0.0.256"),
            ("ipv6", "::1", "10.0.0.1"),
            ("cidr", "10.0.0.0/8", "10.0.0.0/33"),
            ("mac", "01:02:03:04:ab:cd", "01:02:03:04:ab"),
            (
                "uuid",
                "123e4567-e89b-12d3-a456-426614174000",
                "123e4567-e89b-12d3-a456",
            ),
            (
                "uuid4",
                "123e4567-e89b-42d3-a456-426614174000",
                "123e4567-e89b-12d3-a456-426614174000",
            ),
            ("email", "a@example.com", "a.example.com"),
            ("hostname", "example.com", "-example.com"),
            ("uri", "https://example.com/a", "example"),
            ("byte", "YWJj", "a"),
            ("duration", "1h30m", "tomorrow"),
            ("duration", "2 minutes", "2 moons"),
            ("hexcolor", "#ffffff", "#ffff"),
            ("rgbcolor", "rgb(1, 2, 3)", "rgb(1, 2, 300)"),
            ("isbn10", "0-321-75104-3", "0-321-75104-4"),
            ("isbn13", "978-0321751041", "978-0321751042"),
            ("creditcard", "4111 1111 1111 1111", "4111 1111 1111 1112"),
            ("ssn", "123-45-6789", "123-45-678"),
            ("bsonobjectid", "507f1f77bcf86cd799439011", "507f1f77"),
        ];
        for (format, good, bad) in cases {
            let format = known(format).expect("it is a format");
            assert!(matches(format, good), "{format} {good}");
            assert!(!matches(format, bad), "{format} {bad}");
        }
        assert_eq!(known("int32"), None);
        assert!(matches("password", "anything"));
    }
}

//! Go's durations: nanoseconds, written like `1h15m30.918s`.

use super::quote;

/// `time.ParseDuration`. The error is Go's text.
pub(super) fn parse(text: &[u8]) -> Result<i64, String> {
    let invalid = |what: &str| format!("time: {what} {}", quote(text));
    let (negative, mut rest) = match text {
        [b'-', rest @ ..] => (true, rest),
        [b'+', rest @ ..] => (false, rest),
        _ => (false, text),
    };
    if rest == b"0" {
        return Ok(0);
    }
    if rest.is_empty() {
        return Err(invalid("invalid duration"));
    }
    let mut total = 0u64;
    while !rest.is_empty() {
        let (part, after) = parse_part(rest).map_err(|what| invalid(&what))?;
        total = total
            .checked_add(part)
            .filter(|&t| t <= MOST)
            .ok_or_else(|| invalid("invalid duration"))?;
        rest = after;
    }
    if negative {
        return Ok(0i64.wrapping_sub_unsigned(total));
    }
    i64::try_from(total).map_err(|_| invalid("invalid duration"))
}

/// The smallest duration has one nanosecond more than the largest.
const MOST: u64 = 1 << 63;

/// A number with its unit. `Err` is what is wrong.
fn parse_part(text: &[u8]) -> Result<(u64, &[u8]), String> {
    let invalid = || "invalid duration".to_owned();
    let digits = |text: &[u8]| text.iter().take_while(|b| b.is_ascii_digit()).count();
    let whole_length = digits(text);
    let (whole, mut rest) = text.split_at(whole_length);
    let mut fraction: &[u8] = b"";
    if let Some(after) = rest.strip_prefix(b".") {
        (fraction, rest) = after.split_at(digits(after));
    }
    if whole.is_empty() && fraction.is_empty() {
        return Err(invalid());
    }
    let value = digits_value(whole).ok_or_else(invalid)?;
    let unit_length = rest
        .iter()
        .take_while(|&&b| b != b'.' && !b.is_ascii_digit())
        .count();
    let (unit_name, rest) = rest.split_at(unit_length);
    if unit_name.is_empty() {
        return Err("missing unit in duration".to_owned());
    }
    let unit: u64 = match unit_name {
        b"ns" => 1,
        // The Greek letter and the micro sign look the same.
        b"us" | b"\xc2\xb5s" | b"\xce\xbcs" => 1_000,
        b"ms" => 1_000_000,
        b"s" => 1_000_000_000,
        b"m" => 60_000_000_000,
        b"h" => 3_600_000_000_000,
        _ => return Err(format!("unknown unit {} in duration", quote(unit_name))),
    };
    let nanos = value
        .checked_mul(unit)
        .and_then(|n| n.checked_add(fraction_nanos(fraction, unit)))
        .filter(|&n| n <= MOST)
        .ok_or_else(invalid)?;
    Ok((nanos, rest))
}

fn digits_value(digits: &[u8]) -> Option<u64> {
    let add = |n: u64, &b: &u8| n.checked_mul(10)?.checked_add(u64::from(b - b'0'));
    digits.iter().try_fold(0, add).filter(|&n| n <= MOST)
}

/// With Go's float, whose last digit shows.
#[allow(
    clippy::cast_precision_loss,
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "Go computes it in floats; the result is below the unit"
)]
fn fraction_nanos(digits: &[u8], unit: u64) -> u64 {
    let (mut value, mut scale) = (0u64, 1f64);
    for &b in digits {
        if value > (MOST - 1) / 10 {
            break;
        }
        let next = value * 10 + u64::from(b - b'0');
        if next > MOST {
            break;
        }
        value = next;
        scale *= 10.0;
    }
    (value as f64 * (unit as f64 / scale)) as u64
}

/// `Duration.String`.
pub(super) fn show(nanos: i64) -> String {
    let sign = if nanos < 0 { "-" } else { "" };
    let size = nanos.unsigned_abs();
    if size == 0 {
        return "0s".to_owned();
    }
    if size < 1_000_000_000 {
        let (unit, name) = match size {
            0..1_000 => (1, "ns"),
            1_000..1_000_000 => (1_000, "µs"),
            _ => (1_000_000, "ms"),
        };
        return format!("{sign}{}{name}", with_fraction(size / unit, size % unit, unit));
    }
    let seconds = size / 1_000_000_000;
    let (hours, minutes) = (seconds / 3600, seconds / 60 % 60);
    let shown = with_fraction(seconds % 60, size % 1_000_000_000, 1_000_000_000);
    match (hours, minutes) {
        (0, 0) => format!("{sign}{shown}s"),
        (0, _) => format!("{sign}{minutes}m{shown}s"),
        _ => format!("{sign}{hours}h{minutes}m{shown}s"),
    }
}

/// A whole number and the rest of a unit, without zeros at the end.
fn with_fraction(whole: u64, rest: u64, unit: u64) -> String {
    if rest == 0 {
        return whole.to_string();
    }
    let digits = unit.ilog10() as usize;
    let fraction = format!("{rest:0digits$}");
    format!("{whole}.{}", fraction.trim_end_matches('0'))
}

/// `Duration.Round`: to the nearest multiple, halves away from zero.
pub(super) fn round(nanos: i64, unit: i64) -> i64 {
    if unit <= 0 {
        return nanos;
    }
    let rest = nanos % unit;
    let down = nanos - rest;
    if rest.unsigned_abs().saturating_mul(2) < unit.unsigned_abs() {
        return down;
    }
    let up = down.checked_add(if nanos < 0 { -unit } else { unit });
    up.unwrap_or(if nanos < 0 { i64::MIN } else { i64::MAX })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_are_read_and_written() {
        let cases = [
            ("1h15m30.918s", "1h15m30.918s"),
            ("-1.5h", "-1h30m0s"),
            ("1us", "1µs"),
            ("90m", "1h30m0s"),
            (".5ms", "500µs"),
            ("0", "0s"),
            ("9223372036854775807ns", "2562047h47m16.854775807s"),
        ];
        for (text, want) in cases {
            assert_eq!(parse(text.as_bytes()).map(show).as_deref(), Ok(want), "{text}");
        }
        assert_eq!(
            parse(b"5"),
            Err("time: missing unit in duration \"5\"".to_owned())
        );
        assert_eq!(
            parse(b"5x"),
            Err("time: unknown unit \"x\" in duration \"5x\"".to_owned())
        );
        assert_eq!(parse(b""), Err("time: invalid duration \"\"".to_owned()));
    }
}

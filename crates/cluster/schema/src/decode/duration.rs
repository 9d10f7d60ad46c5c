//! Durations in Go's notation (`time/time.go`, `time/format.go ParseDuration`).

use super::strict::quote;

const UNITS: [(&str, u64); 8] = [
    ("ns", 1),
    ("us", 1_000),
    ("\u{b5}s", 1_000),
    ("\u{3bc}s", 1_000),
    ("ms", 1_000_000),
    ("s", 1_000_000_000),
    ("m", 60_000_000_000),
    ("h", 3_600_000_000_000),
];

const SECOND: u64 = 1_000_000_000;

/// The one way in which Go writes a duration (`90m` is `1h30m0s`). The error is in Go's words.
pub fn canonical(text: &str) -> Result<String, String> {
    let (negative, nanoseconds) = parse(text).map_err(|what| format!("time: {what} {}", quote(text)))?;
    let written = write(nanoseconds);
    Ok(if negative && nanoseconds > 0 {
        format!("-{written}")
    } else {
        written
    })
}

/// The sign and the nanoseconds.
fn parse(text: &str) -> Result<(bool, u64), String> {
    let invalid = || "invalid duration".to_owned();
    let negative = text.starts_with('-');
    let mut rest = text.strip_prefix(['-', '+']).unwrap_or(text);
    if rest == "0" {
        return Ok((negative, 0));
    }
    if rest.is_empty() {
        return Err(invalid());
    }
    let mut total: u64 = 0;
    while !rest.is_empty() {
        let digits = |text: &str| text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
        let (whole, after) = rest.split_at(digits(rest));
        let (fraction, after) = match after.strip_prefix('.') {
            Some(after) => after.split_at(digits(after)),
            None => ("", after),
        };
        if whole.is_empty() && fraction.is_empty() {
            return Err(invalid());
        }
        let end = after
            .find(|c: char| c == '.' || c.is_ascii_digit())
            .unwrap_or(after.len());
        let (unit, after) = after.split_at(end);
        if unit.is_empty() {
            return Err("missing unit in duration".to_owned());
        }
        let Some((_, factor)) = UNITS.iter().find(|(name, _)| *name == unit) else {
            return Err(format!("unknown unit {} in duration", quote(unit)));
        };
        let whole: u64 = if whole.is_empty() {
            0
        } else {
            whole.parse().map_err(|_| invalid())?
        };
        let parts = whole
            .checked_mul(*factor)
            .and_then(|v| v.checked_add(part(fraction, *factor)));
        total = parts.and_then(|v| total.checked_add(v)).ok_or_else(invalid)?;
        rest = after;
    }
    if total > i64::MAX as u64 {
        return Err(invalid());
    }
    Ok((negative, total))
}

/// A decimal fraction of a unit, rounded down. Digits beyond the eighteenth are below a nanosecond of any unit.
fn part(fraction: &str, factor: u64) -> u64 {
    let digits = &fraction[..fraction.len().min(18)];
    let value: u128 = digits.parse().unwrap_or(0);
    let scale = 10_u128.pow(u32::try_from(digits.len()).expect("it was bounded"));
    u64::try_from(value * u128::from(factor) / scale).expect("a fraction of a unit is below the unit")
}

fn write(nanoseconds: u64) -> String {
    if nanoseconds == 0 {
        return "0s".to_owned();
    }
    if nanoseconds < SECOND {
        let (unit, name) = match nanoseconds {
            0..1_000 => (1, "ns"),
            1_000..1_000_000 => (1_000, "\u{b5}s"),
            _ => (1_000_000, "ms"),
        };
        return format!("{}{name}", decimal(nanoseconds, unit));
    }
    let (minutes, rest) = (nanoseconds / (60 * SECOND), nanoseconds % (60 * SECOND));
    let seconds = decimal(rest, SECOND);
    match (minutes / 60, minutes % 60) {
        (0, 0) => format!("{seconds}s"),
        (0, minutes) => format!("{minutes}m{seconds}s"),
        (hours, minutes) => format!("{hours}h{minutes}m{seconds}s"),
    }
}

/// `value / unit` as a decimal without needless zeros.
fn decimal(value: u64, unit: u64) -> String {
    let (whole, rest) = (value / unit, value % unit);
    if rest == 0 {
        return whole.to_string();
    }
    let width = unit.ilog10() as usize;
    let fraction = format!("{rest:0width$}");
    format!("{whole}.{}", fraction.trim_end_matches('0'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_are_written_in_one_way() {
        let cases = [
            ("0", "0s"),
            ("5s", "5s"),
            ("90s", "1m30s"),
            ("90m", "1h30m0s"),
            ("1.5h", "1h30m0s"),
            ("1h0.25s", "1h0m0.25s"),
            ("1500us", "1.5ms"),
            ("-2m", "-2m0s"),
            ("+10ns", "10ns"),
            (".5s", "500ms"),
        ];
        for (text, expected) in cases {
            assert_eq!(canonical(text).as_deref(), Ok(expected), "{text}");
        }
    }

    #[test]
    fn faults_are_in_the_words_of_go() {
        let cases = [
            ("", "time: invalid duration \"\""),
            ("x", "time: invalid duration \"x\""),
            ("5", "time: missing unit in duration \"5\""),
            ("5x", "time: unknown unit \"x\" in duration \"5x\""),
            ("9999999999h", "time: invalid duration \"9999999999h\""),
        ];
        for (text, expected) in cases {
            assert_eq!(canonical(text), Err(expected.to_owned()));
        }
    }
}

//! Numbers: from text as GitHub reads it, to text as its runner prints it.

/// The number that a text is; blanks around it are ignored, nothing at all is 0, what is no number is NaN.
pub fn parse_number(text: &str) -> f64 {
    let text = text.trim();
    if text.is_empty() {
        return 0.0;
    }
    literal(text).unwrap_or(f64::NAN)
}

/// The number that is written: decimal with an optional exponent, `0x` and `0o` without a sign, `Infinity`.
pub(super) fn literal(text: &str) -> Option<f64> {
    let unsigned = text.strip_prefix(['+', '-']).unwrap_or(text);
    if unsigned == "Infinity" {
        return Some(if text.starts_with('-') {
            f64::NEG_INFINITY
        } else {
            f64::INFINITY
        });
    }
    for (prefix, radix) in [("0x", 16), ("0o", 8)] {
        if let Some(digits) = text.strip_prefix(prefix) {
            return whole(digits, radix);
        }
    }
    is_decimal(unsigned).then(|| text.parse().ok()).flatten()
}

/// Digits of a radix, as the 32 bit number with sign that GitHub makes of them.
fn whole(digits: &str, radix: u32) -> Option<f64> {
    if !digits.bytes().all(|b| char::from(b).is_digit(radix)) {
        return None;
    }
    let bits = u32::from_str_radix(digits, radix).ok()?;
    Some(f64::from(bits.cast_signed()))
}

/// `1`, `1.`, `.5`, `1.5e-3`
fn is_decimal(text: &str) -> bool {
    let (mantissa, exponent) = match text.split_once(['e', 'E']) {
        Some((mantissa, exponent)) => (mantissa, Some(exponent)),
        None => (text, None),
    };
    let digits = |s: &str| s.bytes().all(|b| b.is_ascii_digit());
    let (before, after) = mantissa.split_once('.').unwrap_or((mantissa, ""));
    let exponent_fits = exponent.is_none_or(|e| {
        let e = e.strip_prefix(['+', '-']).unwrap_or(e);
        !e.is_empty() && digits(e)
    });
    digits(before) && digits(after) && !(before.is_empty() && after.is_empty()) && exponent_fits
}

/// The number as text, as GitHub's runner prints it: 15 digits at most, with an exponent from 10^15 on and below 10^-4
/// (actions/runner, ExpressionConstants.NumberFormat, which is .NET's `G15`).
pub fn print_number(number: f64) -> String {
    if number.is_nan() {
        return "NaN".to_owned();
    }
    if number.is_infinite() {
        return if number > 0.0 { "Infinity" } else { "-Infinity" }.to_owned();
    }
    if number == 0.0 {
        return "0".to_owned();
    }
    // `{:.14e}` is one digit, a point and 14 more.
    let written = format!("{:.14e}", number.abs());
    let (mantissa, exponent) = written.split_once('e').unwrap_or((&written, "0"));
    let exponent: i32 = exponent.parse().unwrap_or(0);
    let digits = mantissa.replace('.', "");
    let digits = digits.trim_end_matches('0');
    let sign = if number < 0.0 { "-" } else { "" };
    format!("{sign}{}", place(digits, exponent))
}

/// Puts the point into digits whose first one counts 10^exponent.
fn place(digits: &str, exponent: i32) -> String {
    let zeros = |n: usize| "0".repeat(n);
    let (first, rest) = digits.split_at(1);
    if !(-4..15).contains(&exponent) {
        let point = if rest.is_empty() { "" } else { "." };
        let sign = if exponent < 0 { '-' } else { '+' };
        return format!("{first}{point}{rest}E{sign}{:02}", exponent.unsigned_abs());
    }
    let shift = usize::try_from(exponent.unsigned_abs()).unwrap_or(0);
    if exponent < 0 {
        return format!("0.{}{digits}", zeros(shift - 1));
    }
    if digits.len() <= shift + 1 {
        return format!("{digits}{}", zeros(shift + 1 - digits.len()));
    }
    let (before, after) = digits.split_at(shift + 1);
    format!("{before}.{after}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn printed_as_the_runner_does() {
        let cases = [
            (0.1 + 0.2, "0.3"),
            (-0.0, "0"),
            (1e21, "1E+21"),
            (1_587_106_672_383_762_434.0, "1.58710667238376E+18"),
            (123_456_789_012_345.0, "123456789012345"),
            (1.5e-7, "1.5E-07"),
            (0.000_12, "0.00012"),
            (-12.25, "-12.25"),
        ];
        for (number, text) in cases {
            assert_eq!(print_number(number), text);
        }
    }

    #[test]
    fn what_is_no_number_is_nan() {
        for text in ["-0xFF", "1a", "Inf", ".", "e1", "1e", "0b1", "1_0"] {
            assert!(parse_number(text).is_nan(), "{text}");
        }
        assert_eq!(parse_number(" 0x10 "), 16.0);
        assert_eq!(parse_number("1."), 1.0);
        assert_eq!(parse_number(""), 0.0);
    }
}

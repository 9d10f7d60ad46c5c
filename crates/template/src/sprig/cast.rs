//! Conversions of anything to numbers, as `github.com/spf13/cast` and `strconv` do them: what cannot be converted is 0.

use crate::sprig::dates;
use crate::value::Value;

/// `cast.ToInt64`.
pub(super) fn to_int64(value: &Value) -> i64 {
    match value {
        Value::Int(n, _) => *n,
        Value::Uint(n, _) => n.cast_signed(),
        Value::Float(f) => float_to_int(*f),
        Value::Bool(b) => i64::from(*b),
        Value::Str(s) => parse_int(trim_zero_decimal(s.as_bytes()), 0).unwrap_or(0),
        Value::Object(object) => dates::calendar_number(object.as_ref()).unwrap_or(0),
        _ => 0,
    }
}

/// `cast.ToFloat64`.
pub(super) fn to_float64(value: &Value) -> f64 {
    match value {
        #[allow(
            clippy::cast_precision_loss,
            reason = "Go's float64(int64) rounds the same way"
        )]
        Value::Int(n, _) => *n as f64,
        #[allow(
            clippy::cast_precision_loss,
            reason = "Go's float64(uint64) rounds the same way"
        )]
        Value::Uint(n, _) => *n as f64,
        Value::Float(f) => *f,
        Value::Bool(b) => f64::from(u8::from(*b)),
        Value::Str(s) => parse_float(s.as_bytes()).unwrap_or(0.0),
        #[allow(clippy::cast_precision_loss, reason = "months and weekdays are small")]
        Value::Object(object) => dates::calendar_number(object.as_ref()).unwrap_or(0) as f64,
        _ => 0.0,
    }
}

/// Go's `int64(float64)` on amd64: what does not fit is the smallest integer.
#[allow(clippy::cast_possible_truncation, reason = "the range is checked first")]
fn float_to_int(f: f64) -> i64 {
    if (-9_223_372_036_854_775_808.0..9_223_372_036_854_775_808.0).contains(&f) {
        f as i64
    } else {
        i64::MIN
    }
}

/// `10.00` is the integer 10 to cast, `10.01` is not.
fn trim_zero_decimal(s: &[u8]) -> &[u8] {
    let digits = s.len() - s.iter().rev().take_while(|&&b| b == b'0').count();
    if digits < s.len() && digits > 0 && s[digits - 1] == b'.' {
        &s[..digits - 1]
    } else {
        s
    }
}

/// Why a text is not an integer of 64 bits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum NotAnInt {
    Syntax,
    /// It is out of range; Go returns this limit beside its error.
    Range(i64),
}

/// `strconv.ParseInt(text, base, 64)`; base 0 looks at the prefix and allows underscores.
pub(super) fn parse_int_strict(text: &[u8], base: u32) -> Result<i64, NotAnInt> {
    let (negative, digits) = match text {
        [b'-', rest @ ..] => (true, rest),
        [b'+', rest @ ..] => (false, rest),
        _ => (false, text),
    };
    let magnitude = parse_magnitude(digits, base)?;
    let limit = if negative { i64::MIN } else { i64::MAX };
    match magnitude {
        Some(n) if negative => 0i64.checked_sub_unsigned(n),
        Some(n) => i64::try_from(n).ok(),
        None => None,
    }
    .ok_or(NotAnInt::Range(limit))
}

/// `strconv.ParseInt` where only success matters.
pub(super) fn parse_int(text: &[u8], base: u32) -> Option<i64> {
    parse_int_strict(text, base).ok()
}

/// `strconv.ParseInt` with its error ignored: what is out of range is the nearest limit.
pub(super) fn parse_int_clamped(text: &[u8]) -> i64 {
    match parse_int_strict(text, 10) {
        Ok(n) | Err(NotAnInt::Range(n)) => n,
        Err(NotAnInt::Syntax) => 0,
    }
}

/// The digits without a sign; `None` is a number above 64 bits.
fn parse_magnitude(digits: &[u8], base: u32) -> Result<Option<u64>, NotAnInt> {
    let (radix, body, prefixed) = match (base, digits) {
        (0, [b'0', b'x' | b'X', rest @ ..]) if !rest.is_empty() => (16, rest, true),
        (0, [b'0', b'b' | b'B', rest @ ..]) if !rest.is_empty() => (2, rest, true),
        (0, [b'0', b'o' | b'O', rest @ ..]) if !rest.is_empty() => (8, rest, true),
        (0, [b'0', rest @ ..]) if !rest.is_empty() => (8, rest, true),
        (0, _) => (10, digits, false),
        (fixed, _) => (fixed, digits, false),
    };
    // Underscores are part of Go's literals, which only base 0 reads.
    let underscores = base == 0 && underscores_separate(body, prefixed);
    if body.is_empty() || body.contains(&b'_') && !underscores {
        return Err(NotAnInt::Syntax);
    }
    let mut value = Some(0u64);
    for &b in body.iter().filter(|&&b| b != b'_') {
        let digit = char::from(b).to_digit(radix).ok_or(NotAnInt::Syntax)?;
        value = value.and_then(|v| v.checked_mul(u64::from(radix))?.checked_add(u64::from(digit)));
    }
    Ok(value)
}

/// Underscores may stand between digits, and between a prefix and the first digit.
fn underscores_separate(body: &[u8], prefixed: bool) -> bool {
    let doubled = body.windows(2).any(|pair| pair == b"__");
    !doubled && !body.ends_with(b"_") && (prefixed || !body.starts_with(b"_"))
}

/// `strconv.ParseFloat(text, 64)` where only success matters.
pub(super) fn parse_float(text: &[u8]) -> Option<f64> {
    let text = std::str::from_utf8(text).ok()?;
    let unsigned = text.trim_start_matches(['+', '-']);
    if unsigned.len() + 1 < text.len() {
        return None;
    }
    match unsigned.to_ascii_lowercase().as_str() {
        "nan" => return (unsigned.len() == text.len()).then_some(f64::NAN),
        "inf" | "infinity" => {
            let infinity = if text.starts_with('-') {
                f64::NEG_INFINITY
            } else {
                f64::INFINITY
            };
            return Some(infinity);
        }
        lower if lower.starts_with("0x") => {
            let value = parse_hex_float(&lower[2..])?;
            return Some(if text.starts_with('-') { -value } else { value });
        }
        _ => {}
    }
    if !unsigned.starts_with(|c: char| c.is_ascii_digit() || c == '.') {
        return None;
    }
    let value: f64 = text.parse().ok()?;
    value.is_finite().then_some(value)
}

/// The part of a hexadecimal float after `0x`: a mantissa and a binary exponent, which Go demands.
fn parse_hex_float(text: &str) -> Option<f64> {
    let (mantissa, exponent) = text.split_once('p')?;
    if !underscores_separate(mantissa.as_bytes(), true) {
        return None;
    }
    let mantissa = mantissa.replace('_', "");
    let (whole, fraction) = mantissa.split_once('.').unwrap_or((&mantissa, ""));
    if whole.is_empty() && fraction.is_empty() {
        return None;
    }
    let mut value = 0.0f64;
    for c in whole.chars().chain(fraction.chars()) {
        value = value * 16.0 + f64::from(c.to_digit(16)?);
    }
    let exponent = exponent.strip_prefix('+').unwrap_or(exponent);
    let shift: i32 = exponent.parse().ok()?;
    let places = i32::try_from(fraction.len()).ok()?.checked_mul(4)?;
    let value = value * 2f64.powi(shift.checked_sub(places)?);
    value.is_finite().then_some(value)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn int_of(s: &str) -> i64 {
        to_int64(&Value::str(s))
    }

    #[test]
    fn integers_of_texts() {
        let cases = [
            ("12", 12),
            ("0x10", 16),
            ("010", 8),
            ("08", 0),
            ("0b11", 3),
            ("1_000", 1000),
            ("1__0", 0),
            ("5.00", 5),
            ("5.01", 0),
            (" 5", 0),
            ("-0x8", -8),
            ("9223372036854775808", 0),
            ("", 0),
            (".0", 0),
        ];
        for (text, want) in cases {
            assert_eq!(int_of(text), want, "{text}");
        }
    }

    #[test]
    fn floats_of_texts() {
        let cases = [
            ("1.5", Some(1.5)),
            ("1e400", None),
            ("+nan", None),
            ("-Inf", Some(f64::NEG_INFINITY)),
            ("0x1p-2", Some(0.25)),
            ("0x10", None),
            ("1_0", None),
            ("--1", None),
            (".", None),
        ];
        for (text, want) in cases {
            assert_eq!(parse_float(text.as_bytes()), want, "{text}");
        }
    }

    #[test]
    fn floats_that_do_not_fit_become_the_smallest_integer() {
        assert_eq!(to_int64(&Value::Float(1e300)), i64::MIN);
        assert_eq!(to_int64(&Value::Float(f64::NAN)), i64::MIN);
        assert_eq!(to_int64(&Value::Float(-1.9)), -1);
    }
}

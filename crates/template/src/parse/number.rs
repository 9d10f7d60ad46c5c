//! Number literals: one text, and every kind of number that it can stand for.

use crate::quote::{quote, unquote_char};

/// A numeric constant under every type that can hold its value, as Go's untyped constants.
#[derive(Clone, Debug, PartialEq)]
pub struct Number {
    /// The text in the template.
    pub text: Box<str>,
    /// The value as a signed integer, if it is one.
    pub int: Option<i64>,
    /// The value as an unsigned integer, if it is one.
    pub uint: Option<u64>,
    /// The value as a float, if it has no imaginary part.
    pub float: Option<f64>,
    /// The value as a complex number, if it is written with an imaginary part.
    pub complex: Option<(f64, f64)>,
}

impl Number {
    /// Reads a number, a complex number or a character constant. `Err` is Go's message.
    pub fn parse(text: &str) -> Result<Number, String> {
        if text.starts_with('\'') {
            let code = unquote_char(text.as_bytes())?;
            return Ok(Number {
                text: text.into(),
                int: Some(i64::from(code)),
                uint: Some(u64::from(code)),
                float: Some(f64::from(code)),
                complex: None,
            });
        }
        if let Some(imaginary) = text.strip_suffix('i') {
            if let Some(value) = parse_float(imaginary) {
                return Ok(Number::from_complex(text, (0.0, value)));
            }
            if let Some((real, imaginary)) = split_complex(imaginary) {
                return complex_parts(real, imaginary).map(|value| Number::from_complex(text, value));
            }
        }
        Number::parse_real(text)
    }

    fn parse_real(text: &str) -> Result<Number, String> {
        let illegal = || format!("illegal number syntax: {}", quote(text.as_bytes()));
        let mut number = Number {
            text: text.into(),
            int: parse_int(text),
            uint: parse_uint(text),
            float: None,
            complex: None,
        };
        if let Some(int) = number.int {
            if int == 0 {
                number.uint = Some(0);
            }
            number.float = Some(int as f64);
        } else if let Some(uint) = number.uint {
            number.float = Some(uint as f64);
        } else {
            let float = parse_float(text).ok_or_else(illegal)?;
            if !text.contains(['.', 'e', 'E', 'p', 'P']) {
                return Err(format!("integer overflow: {}", quote(text.as_bytes())));
            }
            number.float = Some(float);
            number.int = exact_int(float);
            number.uint = exact_uint(float);
        }
        Ok(number)
    }

    fn from_complex(text: &str, (real, imaginary): (f64, f64)) -> Number {
        let float = (imaginary == 0.0).then_some(real);
        Number {
            text: text.into(),
            int: float.and_then(exact_int),
            uint: float.and_then(exact_uint),
            float,
            complex: Some((real, imaginary)),
        }
    }
}

/// Two to the 63rd and 64th: the first floats that no integer type holds.
const INT_END: f64 = 9_223_372_036_854_775_808.0;
const UINT_END: f64 = 18_446_744_073_709_551_616.0;

fn exact_int(float: f64) -> Option<i64> {
    (float.trunc() == float && (-INT_END..INT_END).contains(&float)).then_some(float as i64)
}

fn exact_uint(float: f64) -> Option<u64> {
    (float.trunc() == float && (0.0..UINT_END).contains(&float)).then_some(float as u64)
}

/// The two parts of a complex number whose `i` is gone; the second has its sign.
fn split_complex(text: &str) -> Option<(&str, &str)> {
    let digits = text.trim_start_matches(['+', '-']);
    let exponent: &[char] = match digits.get(..2) {
        Some("0x" | "0X") => &['p', 'P'],
        _ => &['e', 'E', 'p', 'P'],
    };
    let is_split = |&(at, c): &(usize, char)| (c == '+' || c == '-') && !text[..at].ends_with(exponent);
    let (at, _) = text.char_indices().skip(1).find(is_split)?;
    Some(text.split_at(at))
}

/// Go scans a complex number and then parses its parts; a part that the scan stops in is another error than one that
/// is no number.
fn complex_parts(real: &str, imaginary: &str) -> Result<(f64, f64), String> {
    if !scans(real) || !scans(imaginary) || imaginary.len() == 1 {
        return Err("syntax error scanning complex number".to_owned());
    }
    let part = |text: &str| {
        let quoted = || quote(text.as_bytes());
        parse_float(text).ok_or_else(|| format!("strconv.ParseFloat: parsing {}: invalid syntax", quoted()))
    };
    Ok((part(real)?, part(imaginary)?))
}

fn scans(part: &str) -> bool {
    let digits = part.trim_start_matches(['+', '-']);
    match digits.get(..2) {
        Some("0x" | "0X") => digits[2..]
            .bytes()
            .all(|b| b.is_ascii_hexdigit() || b"_.pP+-".contains(&b)),
        _ => digits
            .bytes()
            .all(|b| b.is_ascii_digit() || b"_.eEpP+-".contains(&b)),
    }
}

/// `strconv.ParseUint` with base 0: prefixes 0x, 0o, 0b and 0, underscores between digits.
pub fn parse_uint(text: &str) -> Option<u64> {
    let (digits, radix, prefixed) = match text.as_bytes() {
        [b'0', b'x' | b'X', _, ..] => (&text[2..], 16, true),
        [b'0', b'o' | b'O', _, ..] => (&text[2..], 8, true),
        [b'0', b'b' | b'B', _, ..] => (&text[2..], 2, true),
        [b'0', _, ..] => (&text[1..], 8, true),
        _ => (text, 10, false),
    };
    let plain = without_underscores(digits, prefixed)?;
    if plain.is_empty() || !plain.chars().all(|c| c.is_digit(radix)) {
        return None;
    }
    u64::from_str_radix(&plain, radix).ok()
}

/// `strconv.ParseInt` with base 0.
pub fn parse_int(text: &str) -> Option<i64> {
    let (negative, digits) = match text.as_bytes().first()? {
        b'-' => (true, &text[1..]),
        b'+' => (false, &text[1..]),
        _ => (false, text),
    };
    let magnitude = parse_uint(digits)?;
    if negative {
        0i64.checked_sub_unsigned(magnitude)
    } else {
        i64::try_from(magnitude).ok()
    }
}

/// Drops underscores; `None` where one is not between digits (a prefix counts as a digit).
fn without_underscores(digits: &str, after_prefix: bool) -> Option<String> {
    if !digits.contains('_') {
        return Some(digits.to_owned());
    }
    let mut digit_before = after_prefix;
    for (at, c) in digits.char_indices() {
        if c == '_' {
            let digit_after = digits[at + 1..].starts_with(|c: char| c.is_ascii_hexdigit());
            if !(digit_before && digit_after && after_prefix_or_decimal(digits)) {
                return None;
            }
        }
        digit_before = c.is_ascii_hexdigit();
    }
    Some(digits.replace('_', ""))
}

fn after_prefix_or_decimal(digits: &str) -> bool {
    digits.bytes().all(|b| b == b'_' || b.is_ascii_hexdigit())
}

/// `strconv.ParseFloat` for what the lexer takes for a number: decimal, or hexadecimal with a `p` exponent. Infinity
/// for a number out of range is `None`, as it is an error in Go.
pub fn parse_float(text: &str) -> Option<f64> {
    let (negative, magnitude) = match text.as_bytes().first()? {
        b'-' => (true, &text[1..]),
        b'+' => (false, &text[1..]),
        _ => (false, text),
    };
    let value = match magnitude.get(..2) {
        Some("0x" | "0X") => hexadecimal_float(&float_underscores(magnitude, true)?[2..])?,
        _ => decimal_float(&float_underscores(magnitude, false)?)?,
    };
    Some(if negative { -value } else { value })
}

/// Go allows underscores in floats only together with a base prefix, that is in hexadecimal ones, but its lexer's users
/// see `1e1_9` accepted as well: between digits they are dropped.
fn float_underscores(text: &str, hexadecimal: bool) -> Option<String> {
    if !text.contains('_') {
        return Some(text.to_owned());
    }
    let bytes = text.as_bytes();
    let is_digit = |at: Option<usize>| {
        at.and_then(|at| bytes.get(at)).is_some_and(|b| {
            if hexadecimal {
                b.is_ascii_hexdigit() || matches!(b, b'x' | b'X')
            } else {
                b.is_ascii_digit()
            }
        })
    };
    let fine = bytes
        .iter()
        .enumerate()
        .all(|(at, &b)| b != b'_' || (is_digit(at.checked_sub(1)) && is_digit(Some(at + 1))));
    fine.then(|| text.replace('_', ""))
}

fn decimal_float(text: &str) -> Option<f64> {
    if !text.starts_with(|c: char| c.is_ascii_digit() || c == '.') {
        return None;
    }
    let value: f64 = text.parse().ok()?;
    value.is_finite().then_some(value)
}

/// Digits, a point, digits, and a binary exponent, which is not optional.
fn hexadecimal_float(text: &str) -> Option<f64> {
    let (mantissa, exponent) = text.split_once(['p', 'P'])?;
    let exponent: i64 = match exponent.strip_prefix('+') {
        Some(positive) => unsigned(positive)?,
        None => match exponent.strip_prefix('-') {
            Some(negative) => -unsigned(negative)?,
            None => unsigned(exponent)?,
        },
    };
    let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
    if whole.is_empty() && fraction.is_empty() {
        return None;
    }
    let mut bits: u128 = 0;
    let mut shift = exponent - 4 * i64::try_from(fraction.len()).ok()?;
    for digit in whole.chars().chain(fraction.chars()) {
        let digit = digit.to_digit(16)?;
        if bits >> 120 == 0 {
            bits = bits << 4 | u128::from(digit);
        } else {
            // Beyond the precision of a float all that matters is whether anything follows.
            bits |= u128::from(digit != 0);
            shift += 4;
        }
    }
    scale(bits, shift)
}

fn unsigned(digits: &str) -> Option<i64> {
    // Anything above is out of range whichever way, and must not overflow.
    const LIMIT: i64 = 100_000;
    if digits.is_empty() || !digits.bytes().all(|b| b.is_ascii_digit()) {
        return None;
    }
    Some(digits.parse::<i64>().map_or(LIMIT, |n| n.min(LIMIT)))
}

/// `bits * 2^shift`, rounded to nearest even; `None` where it is too large for a float.
fn scale(bits: u128, shift: i64) -> Option<f64> {
    if bits == 0 {
        return Some(0.0);
    }
    let length = i64::from(128 - bits.leading_zeros());
    let exponent = (length - 1 + shift).max(-1022);
    let lowest = exponent - 52;
    let drop = lowest - shift;
    let mantissa = if drop <= 0 {
        bits << (-drop).min(127)
    } else if drop > 127 {
        0
    } else {
        let kept = bits >> drop;
        let lost = bits & ((1 << drop) - 1);
        let half = 1u128 << (drop - 1);
        let up = lost > half || (lost == half && kept & 1 == 1);
        kept + u128::from(up)
    };
    // The mantissa has at most 53 bits and both factors are exact, so nothing is rounded twice.
    let lowest = i32::try_from(lowest).ok()?;
    let value = if lowest > 0 {
        mantissa as f64 * 2f64.powi(lowest)
    } else {
        mantissa as f64 * 2f64.powi(lowest / 2) * 2f64.powi(lowest - lowest / 2)
    };
    value.is_finite().then_some(value)
}

//! Quantities: amounts of cpu, memory and the like (`apimachinery/pkg/api/resource`).
//!
//! A quantity remembers the family of its suffix and is written in canonical form: no fraction, the largest suffix that
//! loses nothing. Amounts are exact: a whole number times a power of ten. Upstream's are unbounded; ours hold 38 digits,
//! far above what any field accepts, and saturate beyond.

use std::cmp::Ordering;
use std::fmt;

use crate::limits::QUANTITY_MAX_EXPONENT;

/// An amount with the family of suffixes it is written in.
#[derive(Clone, Debug)]
pub struct Quantity {
    mantissa: i128,
    /// Power of ten; never below [`NANO`] after parsing.
    scale: i32,
    format: Format,
    /// The text it was parsed from, where that counts as canonical.
    text: Option<Box<str>>,
}

/// The families of suffixes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    /// `12e6`
    DecimalExponent,
    /// `12Mi`
    BinarySi,
    /// `12M`
    DecimalSi,
}

/// Why a text is no quantity; the texts are upstream's.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum QuantityError {
    /// It does not look like a number with a suffix.
    #[error("quantities must match the regular expression '^([+-]?[0-9.]+)([eEinumkKMGTP]*[-+]?[0-9]*)$'")]
    Form,
    /// The number is none.
    #[error("unable to parse numeric part of quantity")]
    Numeric,
    /// The suffix is none.
    #[error("unable to parse quantity's suffix")]
    Suffix,
}

/// Nothing is finer than this; finer amounts are rounded up.
const NANO: i32 = -9;

const DECIMAL_SUFFIXES: [(&str, i32); 10] = [
    ("n", -9),
    ("u", -6),
    ("m", -3),
    ("", 0),
    ("k", 3),
    ("M", 6),
    ("G", 9),
    ("T", 12),
    ("P", 15),
    ("E", 18),
];

const BINARY_SUFFIXES: [(&str, u32); 6] = [
    ("Ki", 10),
    ("Mi", 20),
    ("Gi", 30),
    ("Ti", 40),
    ("Pi", 50),
    ("Ei", 60),
];

impl Quantity {
    /// Nothing, in decimal form.
    pub const ZERO: Self = Self {
        mantissa: 0,
        scale: 0,
        format: Format::DecimalSi,
        text: None,
    };

    /// A whole number.
    pub fn new(value: i64, format: Format) -> Self {
        Self {
            mantissa: value.into(),
            scale: 0,
            format,
            text: None,
        }
    }

    /// Thousandths.
    pub fn milli(value: i64) -> Self {
        Self {
            mantissa: value.into(),
            scale: -3,
            format: Format::DecimalSi,
            text: None,
        }
    }

    /// Reads a text.
    pub fn parse(text: &str) -> Result<Self, QuantityError> {
        let parts = Parts::split(text)?;
        let (format, scale, factor) = suffix(parts.suffix).ok_or(QuantityError::Suffix)?;
        if parts.number_is_empty {
            return Err(QuantityError::Numeric);
        }
        let digits = format!("{}{}", parts.whole, parts.fraction);
        let mut mantissa: i128 = 0;
        for digit in digits.bytes() {
            mantissa = mantissa
                .saturating_mul(10)
                .saturating_add(i128::from(digit - b'0'));
        }
        let places = i32::try_from(parts.fraction.len()).unwrap_or(i32::MAX);
        let mut quantity = Self {
            mantissa: mantissa.saturating_mul(factor),
            scale: scale.saturating_sub(places),
            format,
            text: None,
        };
        if quantity.scale < NANO {
            quantity.round_up(NANO);
        }
        if format == Format::BinarySi {
            let most = Self::new(i64::MAX, format);
            if quantity > most {
                quantity = most;
            }
            if quantity < Self::new(1, format) && quantity.mantissa > 0 {
                quantity.format = Format::DecimalSi;
            }
        }
        if parts.negative {
            quantity.mantissa = -quantity.mantissa;
        }
        if parts.is_canonical(&digits, format, scale, factor) {
            quantity.text = Some(text.into());
        }
        Ok(quantity)
    }

    /// The family of suffixes it is written in.
    pub fn format(&self) -> Format {
        self.format
    }

    /// -1, 0 or 1.
    pub fn sign(&self) -> i32 {
        match self.mantissa.cmp(&0) {
            Ordering::Less => -1,
            Ordering::Equal => 0,
            Ordering::Greater => 1,
        }
    }

    /// Whether it is nothing.
    pub fn is_zero(&self) -> bool {
        self.mantissa == 0
    }

    /// Whether it is a whole number.
    pub fn is_whole(&self) -> bool {
        self.scaled(0).1
    }

    /// As a whole number, rounded away from zero, held within i64.
    pub fn value(&self) -> i64 {
        clamp(self.scaled(0).0)
    }

    /// In thousandths, rounded away from zero, held within i64.
    pub fn milli_value(&self) -> i64 {
        clamp(self.scaled(-3).0)
    }

    /// Rounds away from zero to a power of ten; tells whether nothing was lost.
    pub fn round_up(&mut self, scale: i32) -> bool {
        if self.scale >= scale {
            return true;
        }
        let (mantissa, exact) = self.scaled(scale);
        (self.mantissa, self.scale, self.text) = (mantissa, scale, None);
        exact
    }

    /// Adds another amount; nothing takes over the other's family.
    pub fn add(&mut self, other: &Self) {
        self.combine(other, i128::saturating_add);
    }

    /// Takes another amount away.
    pub fn sub(&mut self, other: &Self) {
        self.combine(other, i128::saturating_sub);
    }

    fn combine(&mut self, other: &Self, operation: fn(i128, i128) -> i128) {
        if self.is_zero() {
            self.format = other.format;
        }
        let scale = self.scale.min(other.scale);
        self.mantissa = operation(self.scaled(scale).0, other.scaled(scale).0);
        (self.scale, self.text) = (scale, None);
    }

    /// The mantissa at another scale, rounded away from zero, and whether that is exact.
    fn scaled(&self, scale: i32) -> (i128, bool) {
        if self.mantissa == 0 {
            return (0, true);
        }
        let shift = i64::from(self.scale) - i64::from(scale);
        let power = u32::try_from(shift.unsigned_abs())
            .ok()
            .and_then(|digits| 10_i128.checked_pow(digits));
        match (shift >= 0, power) {
            (true, Some(power)) => (self.mantissa.saturating_mul(power), true),
            (true, None) => (if self.mantissa > 0 { i128::MAX } else { i128::MIN }, false),
            (false, Some(power)) => {
                let (whole, rest) = (self.mantissa / power, self.mantissa % power);
                (whole + rest.signum(), rest == 0)
            }
            (false, None) => (self.mantissa.signum(), false),
        }
    }
}

impl fmt::Display for Quantity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(text) = &self.text {
            return f.write_str(text);
        }
        if self.is_zero() {
            return f.write_str("0");
        }
        let (whole, exact) = self.scaled(0);
        if self.format == Format::BinarySi && exact && !(-1023..=1023).contains(&whole) {
            let mut times = 0;
            let mut mantissa = whole;
            while mantissa % 1024 == 0 && times < BINARY_SUFFIXES.len() {
                mantissa /= 1024;
                times += 1;
            }
            let suffix = times.checked_sub(1).map_or("", |index| BINARY_SUFFIXES[index].0);
            return write!(f, "{mantissa}{suffix}");
        }
        let (mut mantissa, mut exponent) = (self.mantissa, i64::from(self.scale));
        while mantissa % 10 == 0 {
            mantissa /= 10;
            exponent += 1;
        }
        while exponent.rem_euclid(3) != 0 || (self.format != Format::DecimalExponent && exponent > 18) {
            mantissa = mantissa.saturating_mul(10);
            exponent -= 1;
        }
        match DECIMAL_SUFFIXES.iter().find(|(_, e)| i64::from(*e) == exponent) {
            Some((suffix, _)) if self.format != Format::DecimalExponent => write!(f, "{mantissa}{suffix}"),
            _ if exponent == 0 => write!(f, "{mantissa}"),
            _ => write!(f, "{mantissa}e{exponent}"),
        }
    }
}

impl Ord for Quantity {
    fn cmp(&self, other: &Self) -> Ordering {
        if self.sign() != other.sign() {
            return self.sign().cmp(&other.sign());
        }
        let scale = self.scale.min(other.scale);
        self.scaled(scale).0.cmp(&other.scaled(scale).0)
    }
}

impl PartialOrd for Quantity {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl PartialEq for Quantity {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other).is_eq()
    }
}

impl Eq for Quantity {}

/// A text cut into what it is made of.
struct Parts<'a> {
    negative: bool,
    /// Digits before the dot, without leading zeros, at least one.
    whole: &'a str,
    fraction: &'a str,
    suffix: &'a str,
    number_is_empty: bool,
}

impl<'a> Parts<'a> {
    fn split(text: &'a str) -> Result<Self, QuantityError> {
        if text.is_empty() {
            return Err(QuantityError::Form);
        }
        let unsigned = text.strip_prefix(['-', '+']).unwrap_or(text);
        let (digits, rest) = take(unsigned, |b| b.is_ascii_digit());
        let (fraction, suffix) = match rest.strip_prefix('.') {
            Some(rest) => take(rest, |b| b.is_ascii_digit()),
            None => ("", rest),
        };
        let (_, tail) = take(suffix, |b| b"eEinumkKMGTP".contains(&b));
        let (_, tail) = take(tail.strip_prefix(['-', '+']).unwrap_or(tail), |b| {
            b.is_ascii_digit()
        });
        if !tail.is_empty() {
            return Err(QuantityError::Form);
        }
        let whole = digits.trim_start_matches('0');
        Ok(Self {
            negative: text.starts_with('-'),
            whole: if whole.is_empty() { "0" } else { whole },
            fraction,
            suffix,
            // A sign alone is 0 upstream; a suffix or a dot alone is not.
            number_is_empty: digits.is_empty() && fraction.is_empty() && !rest.is_empty(),
        })
    }

    /// Upstream keeps the text where a quick look says that it is canonical, which is a little generous: `01Ki`, `1.500`.
    fn is_canonical(&self, digits: &str, format: Format, scale: i32, factor: i128) -> bool {
        let room = match format {
            Format::BinarySi => {
                let lost = f64::from(factor.ilog2()) * 3.0 / 10.0;
                self.fraction.is_empty() && 15.0 - digits.len() as f64 - lost.trunc() - 1.0 >= 0.0
            }
            _ => digits.len() <= 18 && i64::from(scale) - self.fraction.len() as i64 >= i64::from(NANO),
        };
        let odd = || digits.parse::<u64>().is_ok_and(|value| value & 7 != 0);
        let places = i32::try_from(self.fraction.len()).unwrap_or(i32::MAX);
        room && match format {
            Format::BinarySi => odd(),
            _ => {
                scale.saturating_sub(places) % 3 == 0 && !digits.ends_with("000") && !digits.starts_with('0')
            }
        }
    }
}

/// The longest start of a text whose bytes are all accepted, and the rest.
fn take(text: &str, accept: impl Fn(u8) -> bool) -> (&str, &str) {
    text.split_at(text.bytes().take_while(|b| accept(*b)).count())
}

/// The family of a suffix, its power of ten, and its factor.
fn suffix(text: &str) -> Option<(Format, i32, i128)> {
    if let Some((_, exponent)) = DECIMAL_SUFFIXES.iter().find(|(suffix, _)| *suffix == text) {
        return Some((Format::DecimalSi, *exponent, 1));
    }
    if let Some((_, power)) = BINARY_SUFFIXES.iter().find(|(suffix, _)| *suffix == text) {
        return Some((Format::BinarySi, 0, 1 << power));
    }
    let exponent: i64 = text.strip_prefix(['e', 'E'])?.parse().ok()?;
    let exponent = exponent.clamp(-QUANTITY_MAX_EXPONENT, QUANTITY_MAX_EXPONENT);
    Some((Format::DecimalExponent, i32::try_from(exponent).ok()?, 1))
}

fn clamp(value: i128) -> i64 {
    i64::try_from(value).unwrap_or(if value > 0 { i64::MAX } else { i64::MIN })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn texts_become_canonical() {
        for (text, canonical) in [
            ("0", "0"),
            ("1000m", "1"),
            ("1.5", "1500m"),
            ("0.1", "100m"),
            ("1.5Gi", "1536Mi"),
            ("1024Mi", "1Gi"),
            ("1000Mi", "1000Mi"),
            ("512", "512"),
            ("1000", "1k"),
            ("12e6", "12e6"),
            ("12000000e0", "12M"),
            ("1e3", "1e3"),
            ("100e3", "100e3"),
            ("0.5Ki", "512"),
            ("0.1Ki", "102400m"),
            ("0.0001n", "1n"),
            ("-1.5", "-1500m"),
            ("+1", "+1"),
            ("1E", "1E"),
            ("100Ei", "9223372036854775807"),
            (".5", "500m"),
            ("5.", "5."),
            ("1.500", "1.500"),
            ("123456789123456789123456789", "123456789123456789123456789"),
        ] {
            let parsed = Quantity::parse(text).map(|quantity| quantity.to_string());
            let expected = if text == "12000000e0" { "12e6" } else { canonical };
            assert_eq!(parsed.as_deref(), Ok(expected), "{text}");
        }
    }

    #[test]
    fn what_is_none_is_refused_in_upstreams_words() {
        for (text, error) in [
            ("", QuantityError::Form),
            ("1 ", QuantityError::Form),
            ("1.1.1", QuantityError::Form),
            ("1Kx", QuantityError::Form),
            ("1KiB", QuantityError::Form),
            ("1K", QuantityError::Suffix),
            ("1mm", QuantityError::Suffix),
            ("1e", QuantityError::Suffix),
            ("abc", QuantityError::Form),
            ("Mi", QuantityError::Numeric),
        ] {
            assert_eq!(
                Quantity::parse(text).map(|q| q.to_string()),
                Err(error),
                "{text:?}"
            );
        }
    }

    #[test]
    fn amounts_are_compared_and_added_across_families() {
        let parse = |text| Quantity::parse(text).expect("a quantity");
        assert!(parse("1Gi") > parse("1G"));
        assert_eq!(parse("1000m"), parse("1"));
        let mut sum = Quantity::ZERO;
        for text in ["1Gi", "512Mi"] {
            sum.add(&parse(text));
        }
        assert_eq!(sum.to_string(), "1536Mi");
        sum.sub(&parse("2Gi"));
        assert_eq!(sum.to_string(), "-512Mi");
        assert_eq!(parse("100m").value(), 1);
        assert_eq!(parse("1.5").milli_value(), 1500);
        assert_eq!(parse("1e500").value(), i64::MAX);
    }

    proptest! {
        #[test]
        fn no_text_is_too_strange(text in "[-+0-9.eEinumkKMGTP]{0,12}|.*") {
            if let Ok(quantity) = Quantity::parse(&text) {
                let written = quantity.to_string();
                let again = Quantity::parse(&written).expect("what is written can be read");
                prop_assert!(quantity.scale > 19 || again == quantity, "{} {}", text, written);
            }
        }
    }
}

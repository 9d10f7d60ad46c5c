//! Amounts of resources: how they are read, and the one way in which they are written
//! (`apimachinery/pkg/api/resource/quantity.go`).

/// An amount with the notation that it was written in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Quantity {
    /// The digits; the amount is `mantissa * 10 ^ exponent`.
    mantissa: i128,
    exponent: i32,
    notation: Notation,
    /// The text, where Go keeps it because it takes it for canonical.
    text: Option<String>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Notation {
    /// `1500m`, `2k`
    Decimal,
    /// `12e6`
    Exponent,
    /// `1Gi`
    Binary,
}

/// Why a text is no quantity.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum QuantityError {
    /// It does not look like one.
    #[error("quantities must match the regular expression '^([+-]?[0-9.]+)([eEinumkKMGTP]*[-+]?[0-9]*)$'")]
    Format,
    /// What follows the number is unknown.
    #[error("unable to parse quantity's suffix")]
    Suffix,
    /// The number is none.
    #[error("unable to parse numeric part of quantity")]
    Number,
}

/// The smallest part that is kept: nano.
const NANO: i32 = -9;

/// More digits than this are beyond the arithmetic here; no resource has as much.
const MAX_DIGITS: usize = 36;

/// Go's fast path holds this many digits (`maxInt64Factors`).
const FAST_DIGITS: i32 = 18;

/// A text in its parts.
struct Parts<'t> {
    negative: bool,
    whole: &'t str,
    fraction: &'t str,
    suffix: &'t str,
}

impl Quantity {
    /// Zero, as Go writes an amount that nobody set.
    pub fn zero() -> Quantity {
        Quantity {
            mantissa: 0,
            exponent: 0,
            notation: Notation::Decimal,
            text: None,
        }
    }

    /// Reads an amount: `100m`, `1.5Gi`, `12e6`.
    pub fn parse(text: &str) -> Result<Quantity, QuantityError> {
        if text.is_empty() {
            return Err(QuantityError::Format);
        }
        let parts = Parts::split(text)?;
        let (base, power, notation) = suffix(parts.suffix).ok_or(QuantityError::Suffix)?;
        let digits = format!("{}{}", parts.whole, parts.fraction);
        if digits.len() > MAX_DIGITS {
            return Ok(Quantity {
                text: Some(text.to_owned()),
                ..Quantity::zero()
            });
        }
        let places = i32::try_from(parts.fraction.len()).map_err(|_| QuantityError::Number)?;
        let magnitude: i128 = digits.parse().map_err(|_| QuantityError::Number)?;
        let mut quantity = Quantity {
            mantissa: if parts.negative { -magnitude } else { magnitude },
            exponent: -places,
            notation,
            text: None,
        };
        if base == 10 {
            quantity.exponent = quantity.exponent.saturating_add(power);
        } else {
            quantity.mantissa = quantity
                .mantissa
                .checked_mul(1 << power)
                .unwrap_or(if parts.negative {
                    -i128::from(i64::MAX)
                } else {
                    i128::from(i64::MAX)
                });
        }
        if is_kept(&parts, &quantity, magnitude, power) {
            quantity.text = Some(text.to_owned());
            return Ok(quantity);
        }
        quantity.bound();
        Ok(quantity)
    }

    /// Rounds up to nano, caps binary amounts, and writes small binary amounts in decimal.
    fn bound(&mut self) {
        while self.exponent < NANO && self.mantissa != 0 {
            let away = if self.mantissa % 10 == 0 {
                0
            } else {
                self.mantissa.signum()
            };
            self.mantissa = self.mantissa / 10 + away;
            self.exponent += 1;
        }
        if self.notation != Notation::Binary {
            return;
        }
        let Some(whole) = self.whole() else {
            if self.mantissa.abs()
                < 10_i128
                    .checked_pow(self.exponent.unsigned_abs())
                    .unwrap_or(i128::MAX)
            {
                self.notation = Notation::Decimal;
            }
            return;
        };
        let bounded = whole.clamp(-i128::from(i64::MAX), i128::from(i64::MAX));
        if bounded != whole {
            self.mantissa = bounded;
            self.exponent = 0;
        }
    }

    /// The amount, where it is whole.
    fn whole(&self) -> Option<i128> {
        let factor = 10_i128.checked_pow(self.exponent.unsigned_abs())?;
        if self.exponent >= 0 {
            return self.mantissa.checked_mul(factor);
        }
        (self.mantissa % factor == 0).then(|| self.mantissa / factor)
    }

    /// The one way to write it.
    pub fn canonical(&self) -> String {
        if let Some(text) = &self.text {
            return text.clone();
        }
        if self.mantissa == 0 {
            return "0".to_owned();
        }
        if self.notation == Notation::Binary
            && let Some(whole) = self.whole().filter(|whole| whole.abs() >= 1024)
        {
            return binary(whole);
        }
        let (mut mantissa, mut exponent) = (self.mantissa, self.exponent);
        while mantissa % 10 == 0 {
            mantissa /= 10;
            exponent += 1;
        }
        while exponent.rem_euclid(3) != 0 {
            mantissa *= 10;
            exponent -= 1;
        }
        match self.notation {
            Notation::Exponent if exponent != 0 => format!("{mantissa}e{exponent}"),
            Notation::Exponent => mantissa.to_string(),
            Notation::Decimal | Notation::Binary => format!("{mantissa}{}", decimal_suffix(exponent)),
        }
    }
}

/// Whether Go takes the text for canonical and keeps it, in the fast path of `ParseQuantity`. It is not always right:
/// `+5` and `1.500` are kept as well.
fn is_kept(parts: &Parts<'_>, quantity: &Quantity, magnitude: i128, power: i32) -> bool {
    let length = |text: &str| i32::try_from(text.len()).unwrap_or(i32::MAX);
    let digits = length(parts.whole) + length(parts.fraction);
    match quantity.notation {
        Notation::Decimal | Notation::Exponent => {
            let shifted = format!("{}{}", parts.whole, parts.fraction);
            digits <= FAST_DIGITS
                && quantity.exponent >= NANO
                && quantity.exponent % 3 == 0
                && !shifted.ends_with("000")
                && !shifted.starts_with('0')
        }
        Notation::Binary => {
            let precision = 15 - length(parts.whole) - power * 3 / 10 - 1;
            precision >= 0 && parts.fraction.is_empty() && magnitude & 7 != 0
        }
    }
}

fn binary(mut whole: i128) -> String {
    const SUFFIXES: [&str; 7] = ["", "Ki", "Mi", "Gi", "Ti", "Pi", "Ei"];
    let mut place = 0;
    while whole % 1024 == 0 && place + 1 < SUFFIXES.len() {
        whole /= 1024;
        place += 1;
    }
    format!("{whole}{}", SUFFIXES[place])
}

const DECIMAL: [(&str, i32); 10] = [
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

const BINARY: [(&str, i32); 6] = [
    ("Ki", 10),
    ("Mi", 20),
    ("Gi", 30),
    ("Ti", 40),
    ("Pi", 50),
    ("Ei", 60),
];

fn decimal_suffix(exponent: i32) -> &'static str {
    DECIMAL
        .iter()
        .find(|(_, power)| *power == exponent)
        .map_or("", |(suffix, _)| suffix)
}

/// Base, power, notation.
fn suffix(text: &str) -> Option<(i32, i32, Notation)> {
    let find = |list: &[(&str, i32)]| {
        list.iter()
            .find(|(suffix, _)| *suffix == text)
            .map(|(_, power)| *power)
    };
    if let Some(power) = find(&DECIMAL) {
        return Some((10, power, Notation::Decimal));
    }
    if let Some(power) = find(&BINARY) {
        return Some((2, power, Notation::Binary));
    }
    let power = text.strip_prefix(['e', 'E'])?;
    let power: i64 = power.parse().ok()?;
    let bounded = i32::try_from(power.clamp(-1000, 1000)).expect("it was bounded");
    Some((10, bounded, Notation::Exponent))
}

impl<'t> Parts<'t> {
    fn split(text: &'t str) -> Result<Parts<'t>, QuantityError> {
        let unsigned = text.strip_prefix(['+', '-']).unwrap_or(text);
        let stripped = unsigned.trim_start_matches('0');
        let (whole, rest) = digits(stripped);
        let (fraction, rest) = match rest.strip_prefix('.') {
            Some(rest) => digits(rest),
            None => ("", rest),
        };
        let letters = rest.trim_start_matches(|c| "eEinumkKMGTP".contains(c));
        let exponent = letters.strip_prefix(['+', '-']).unwrap_or(letters);
        if !exponent.bytes().all(|b| b.is_ascii_digit()) {
            return Err(QuantityError::Format);
        }
        Ok(Parts {
            negative: text.starts_with('-'),
            whole: if whole.is_empty() { "0" } else { whole },
            fraction,
            suffix: rest,
        })
    }
}

fn digits(text: &str) -> (&str, &str) {
    let end = text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
    text.split_at(end)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn amounts_are_written_in_one_way() {
        let cases = [
            ("0", "0"),
            ("000", "0"),
            ("1", "1"),
            ("100m", "100m"),
            ("1000m", "1"),
            ("1500m", "1500m"),
            ("0.5", "500m"),
            (".5", "500m"),
            ("1.5", "1500m"),
            ("1.500", "1.500"),
            ("+5", "+5"),
            ("-1", "-1"),
            ("1024Mi", "1Gi"),
            ("1000Mi", "1000Mi"),
            ("1.5Gi", "1536Mi"),
            ("0.5Mi", "512Ki"),
            ("0.5Ki", "512"),
            ("0.1Ki", "102400m"),
            ("512", "512"),
            ("1000", "1k"),
            ("1000000", "1M"),
            ("1500", "1500"),
            ("1e3", "1e3"),
            ("1000e3", "1e6"),
            ("1E", "1E"),
            ("1E3", "1E3"),
            ("0.1n", "1n"),
            ("10Ei", "9223372036854775807"),
            ("2000000k", "2G"),
            ("8Ki", "8Ki"),
            ("2048Ki", "2Mi"),
        ];
        for (text, expected) in cases {
            let quantity = Quantity::parse(text).expect("it is a quantity");
            assert_eq!(quantity.canonical(), expected, "{text}");
        }
    }

    #[test]
    fn what_is_no_quantity_is_refused() {
        let cases = [
            ("", QuantityError::Format),
            ("abc", QuantityError::Format),
            ("1.2.3", QuantityError::Format),
            ("1 Gi", QuantityError::Format),
            ("1x", QuantityError::Format),
            ("1mm", QuantityError::Suffix),
            ("1e", QuantityError::Suffix),
            ("1KI", QuantityError::Format),
            ("1Kii", QuantityError::Suffix),
        ];
        for (text, expected) in cases {
            assert_eq!(Quantity::parse(text), Err(expected), "{text}");
        }
    }
}

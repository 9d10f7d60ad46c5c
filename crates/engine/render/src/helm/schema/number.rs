//! Decimal numbers of any size, compared exactly: schemas say `multipleOf: 0.01`.

use std::cmp::Ordering;

/// A decimal number: `digits` x 10^`exponent`.
#[derive(Clone, Debug)]
pub struct Decimal {
    negative: bool,
    /// Without zeros at either end; empty for zero.
    digits: String,
    exponent: i64,
    value: f64,
}

impl Decimal {
    /// Reads a JSON number. `None` for what is none.
    pub fn parse(text: &str) -> Option<Decimal> {
        let value: f64 = text.parse().ok()?;
        let (negative, rest) = match text.strip_prefix('-') {
            Some(rest) => (true, rest),
            None => (false, text.strip_prefix('+').unwrap_or(text)),
        };
        let (mantissa, exponent) = rest.split_once(['e', 'E']).unwrap_or((rest, "0"));
        let mut exponent: i64 = exponent
            .parse()
            .unwrap_or(if exponent.starts_with('-') {
                i64::MIN / 4
            } else {
                i64::MAX / 4
            })
            .clamp(i64::MIN / 4, i64::MAX / 4);
        let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
        let all = format!("{whole}{fraction}");
        if all.is_empty() || !all.bytes().all(|b| b.is_ascii_digit()) {
            return None;
        }
        exponent -= i64::try_from(fraction.len()).ok()?;
        let kept = all.trim_end_matches('0');
        exponent += i64::try_from(all.len() - kept.len()).ok()?;
        let digits = kept.trim_start_matches('0').to_owned();
        Some(Decimal {
            negative: negative && !digits.is_empty(),
            exponent: if digits.is_empty() { 0 } else { exponent },
            digits,
            value,
        })
    }

    /// Whether there is no fraction.
    pub fn is_integer(&self) -> bool {
        self.exponent >= 0
    }

    /// The number as a count, as far as it is one.
    pub fn to_usize(&self) -> Option<usize> {
        if !self.is_integer() {
            return None;
        }
        #[allow(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "`as` saturates, which is meant"
        )]
        let count = self.value as usize;
        Some(count)
    }

    /// Which is larger.
    pub fn compare(&self, other: &Decimal) -> Ordering {
        match (self.negative, other.negative) {
            (false, true) => Ordering::Greater,
            (true, false) => Ordering::Less,
            (false, false) => self.compare_size(other),
            (true, true) => other.compare_size(self),
        }
    }

    fn compare_size(&self, other: &Decimal) -> Ordering {
        match (self.digits.is_empty(), other.digits.is_empty()) {
            (true, true) => return Ordering::Equal,
            (true, false) => return Ordering::Less,
            (false, true) => return Ordering::Greater,
            (false, false) => {}
        }
        let magnitude = |d: &Decimal| d.exponent + i64::try_from(d.digits.len()).unwrap_or(i64::MAX / 4);
        // Of equal magnitude, digits compare as text: neither has zeros at its ends.
        magnitude(self)
            .cmp(&magnitude(other))
            .then_with(|| self.digits.cmp(&other.digits))
    }

    /// Whether this is a whole multiple of the other; exact up to 38 digits, then by floats.
    pub fn is_multiple_of(&self, other: &Decimal) -> bool {
        if self.digits.is_empty() {
            return true;
        }
        let common = self.exponent.min(other.exponent);
        let scaled = |d: &Decimal| -> Option<u128> {
            let zeros = u32::try_from(d.exponent - common).ok()?;
            d.digits
                .parse::<u128>()
                .ok()?
                .checked_mul(10_u128.checked_pow(zeros)?)
        };
        match (scaled(self), scaled(other)) {
            (Some(a), Some(b)) if b > 0 => a % b == 0,
            _ => self.value % other.value == 0.0,
        }
    }

    /// As golang.org/x/text prints a float in English: `1,234.5`, from a million on `1.5×10⁰⁶`.
    pub fn localized(&self) -> String {
        let scientific = format!("{:e}", self.value);
        let (digits, exponent) = scientific.split_once('e').unwrap_or((&scientific, "0"));
        let exponent: i32 = exponent.parse().unwrap_or(0);
        if !(-4..6).contains(&exponent) {
            let sign = if exponent < 0 { "⁻" } else { "" };
            let superscript: String = format!("{:02}", exponent.abs()).chars().map(raised).collect();
            return format!("{digits}×10{sign}{superscript}");
        }
        let plain = format!("{}", self.value);
        let (whole, fraction) = match plain.split_once('.') {
            Some((whole, fraction)) => (whole, format!(".{fraction}")),
            None => (plain.as_str(), String::new()),
        };
        let (sign, whole) = match whole.strip_prefix('-') {
            Some(whole) => ("-", whole),
            None => ("", whole),
        };
        format!("{sign}{}{fraction}", grouped(whole))
    }
}

/// A count with commas between its thousands, as golang.org/x/text prints integers in English.
pub fn count(number: usize) -> String {
    grouped(&number.to_string())
}

fn grouped(digits: &str) -> String {
    let mut out = String::new();
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            out.push(',');
        }
        out.push(digit);
    }
    out
}

fn raised(digit: char) -> char {
    match digit {
        '1' => '¹',
        '2' => '²',
        '3' => '³',
        '4' => '⁴',
        '5' => '⁵',
        '6' => '⁶',
        '7' => '⁷',
        '8' => '⁸',
        '9' => '⁹',
        _ => '⁰',
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn decimal(text: &str) -> Decimal {
        Decimal::parse(text).expect(text)
    }

    #[test]
    fn compares_exactly() {
        for (a, b, order) in [
            ("1", "1.0", Ordering::Equal),
            ("1e3", "1000", Ordering::Equal),
            ("-0", "0", Ordering::Equal),
            ("9007199254740993", "9007199254740992", Ordering::Greater),
            ("-5", "0", Ordering::Less),
            ("1E1111111", "1e1111110", Ordering::Greater),
            ("0.1", "0.09", Ordering::Greater),
            ("-10", "-9", Ordering::Less),
        ] {
            assert_eq!(decimal(a).compare(&decimal(b)), order, "{a} {b}");
        }
        assert!(decimal("0.07").is_multiple_of(&decimal("0.01")));
        assert!(!decimal("1234.567").is_multiple_of(&decimal("0.01")));
        assert!(decimal("1.0").is_integer() && !decimal("1.5").is_integer() && decimal("1e3").is_integer());
    }

    #[test]
    fn prints_as_x_text_does() {
        for (number, text) in [
            ("123456", "123,456"),
            ("999999.5", "999,999.5"),
            ("0.0001", "0.0001"),
            ("0.00001", "1×10⁻⁰⁵"),
            ("-1234567", "-1.234567×10⁰⁶"),
            ("1e21", "1×10²¹"),
            ("-5", "-5"),
        ] {
            assert_eq!(decimal(number).localized(), text);
        }
    }
}

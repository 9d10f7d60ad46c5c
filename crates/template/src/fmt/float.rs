//! `strconv.FormatFloat`.

/// The shape of a number.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Layout {
    /// `%e`: `-d.dddde±dd`
    Exponent,
    /// `%f`: `-ddd.ddd`
    Fixed,
    /// `%g`: whichever of both is apt.
    General,
    /// `%b`: `-ddddp±ddd`, an integer and a power of two.
    Binary,
    /// `%x`: `-0x1.yyyyp±dd`
    Hexadecimal,
}

/// More digits than a float has; beyond, all are zero.
const MAX_DIGITS: usize = 1100;

/// The number with `precision` digits, or as few as tell it from every other float.
pub fn format_float(value: f64, layout: Layout, precision: Option<usize>) -> String {
    if value.is_nan() {
        return "NaN".to_owned();
    }
    if value.is_infinite() {
        return if value > 0.0 { "+Inf" } else { "-Inf" }.to_owned();
    }
    let mut out = String::new();
    if value.is_sign_negative() {
        out.push('-');
    }
    let value = value.abs();
    match layout {
        Layout::Binary => binary(&mut out, value),
        Layout::Hexadecimal => hexadecimal(&mut out, value, precision),
        Layout::Exponent => {
            let digits = Digits::of(value, precision.map(|p| p + 1));
            let precision = precision.unwrap_or(digits.digits.len().max(1) - 1);
            digits.exponent(&mut out, precision);
        }
        Layout::Fixed => {
            let digits = match precision {
                Some(precision) => Digits::fixed(value, precision),
                None => Digits::of(value, None),
            };
            let precision = precision.unwrap_or_else(|| digits.after_point());
            digits.fixed_point(&mut out, precision);
        }
        Layout::General => general(&mut out, value, precision),
    }
    out
}

/// The number as `%v` prints it.
pub fn float_g(value: f64) -> String {
    format_float(value, Layout::General, None)
}

fn general(out: &mut String, value: f64, precision: Option<usize>) {
    let precision = precision.map(|p| p.max(1));
    let digits = Digits::of(value, precision);
    let count = digits.digits.len();
    let length = i32::try_from(count).unwrap_or(i32::MAX);
    let threshold = match precision {
        None => 6,
        Some(p) if p > count && length >= digits.point => length,
        Some(p) => i32::try_from(p).unwrap_or(i32::MAX),
    };
    let exponent = digits.point - 1;
    if exponent < -4 || exponent >= threshold {
        let shown = precision.map_or(count, |p| p.min(count)).max(1);
        digits.exponent(out, shown - 1);
    } else {
        digits.fixed_point(out, digits.after_point());
    }
}

/// Decimal digits without trailing zeros, and where the point is: 0.d1d2d3 times ten to that power. Zero has no digit.
struct Digits {
    digits: Vec<u8>,
    point: i32,
}

impl Digits {
    /// That many significant digits, or the shortest.
    fn of(value: f64, count: Option<usize>) -> Digits {
        let text = match count {
            Some(count) => format!("{value:.*e}", count.clamp(1, MAX_DIGITS) - 1),
            None => shortest(value),
        };
        let (mantissa, exponent) = text
            .split_once('e')
            .expect("Rust's exponent notation has an exponent");
        let exponent: i32 = exponent.parse().expect("Rust's exponent is a small integer");
        Digits::trimmed(mantissa.bytes().filter(|&b| b != b'.').collect(), exponent + 1)
    }

    /// That many digits after the point.
    fn fixed(value: f64, precision: usize) -> Digits {
        let text = format!("{value:.*}", precision.min(MAX_DIGITS));
        let whole = text.find('.').unwrap_or(text.len());
        let point = i32::try_from(whole).expect("a float has a few hundred digits");
        Digits::trimmed(text.bytes().filter(|&b| b != b'.').collect(), point)
    }

    fn trimmed(mut digits: Vec<u8>, mut point: i32) -> Digits {
        let zeros = digits.iter().take_while(|&&b| b == b'0').count();
        digits.drain(..zeros);
        point -= i32::try_from(zeros).expect("a float has a few hundred digits");
        while digits.last() == Some(&b'0') {
            digits.pop();
        }
        if digits.is_empty() {
            point = 0;
        }
        Digits { digits, point }
    }

    /// How many digits stand after the point if none is dropped.
    fn after_point(&self) -> usize {
        let length = i32::try_from(self.digits.len()).unwrap_or(i32::MAX);
        usize::try_from(length - self.point).unwrap_or(0)
    }

    fn digit(&self, at: i32) -> char {
        let digit = usize::try_from(at).ok().and_then(|at| self.digits.get(at));
        char::from(digit.copied().unwrap_or(b'0'))
    }

    fn exponent(&self, out: &mut String, precision: usize) {
        out.push(self.digit(0));
        if precision > 0 {
            out.push('.');
            let shown = precision.min(MAX_DIGITS + 1);
            out.extend((1..=shown).map(|at| self.digit(i32::try_from(at).unwrap_or(i32::MAX))));
            out.extend(std::iter::repeat_n('0', precision - shown));
        }
        let exponent = if self.digits.is_empty() { 0 } else { self.point - 1 };
        out.push('e');
        push_exponent(out, exponent);
    }

    fn fixed_point(&self, out: &mut String, precision: usize) {
        if self.point > 0 {
            out.extend((0..self.point).map(|at| self.digit(at)));
        } else {
            out.push('0');
        }
        if precision > 0 {
            out.push('.');
            let shown = precision.min(MAX_DIGITS + 1);
            let shown_digits = i32::try_from(shown).unwrap_or(i32::MAX);
            out.extend((0..shown_digits).map(|at| self.digit(self.point + at)));
            out.extend(std::iter::repeat_n('0', precision - shown));
        }
    }
}

/// The fewest digits that make the number again. Where the number lies halfway between two such texts, Go takes the
/// even one and Rust the higher one. That needs at least 15 digits: with fewer, numbers lie closer than half a digit.
fn shortest(value: f64) -> String {
    const LEAST_DIGITS_OF_A_TIE: usize = 15;
    let text = format!("{value:e}");
    let digits = text
        .bytes()
        .take_while(|&b| b != b'e')
        .filter(|&b| b != b'.')
        .count();
    if digits < LEAST_DIGITS_OF_A_TIE {
        return text;
    }
    let even = format!("{value:.*e}", digits - 1);
    match even.parse::<f64>() {
        Ok(again) if again == value => even,
        _ => text,
    }
}

/// A sign and at least two digits.
fn push_exponent(out: &mut String, exponent: i32) {
    out.push(if exponent < 0 { '-' } else { '+' });
    out.push_str(&format!("{:02}", exponent.unsigned_abs()));
}

/// The integer mantissa and the power of two of a finite, positive float.
fn parts(value: f64) -> (u64, i32) {
    const MANTISSA: u64 = (1 << 52) - 1;
    let bits = value.to_bits();
    let exponent = i32::try_from(bits >> 52 & 0x7ff).expect("eleven bits");
    if exponent == 0 {
        (bits & MANTISSA, 1 - 1023)
    } else {
        (bits & MANTISSA | 1 << 52, exponent - 1023)
    }
}

fn binary(out: &mut String, value: f64) {
    let (mantissa, exponent) = parts(value);
    let exponent = exponent - 52;
    let sign = if exponent < 0 { '-' } else { '+' };
    out.push_str(&format!("{mantissa}p{sign}{}", exponent.unsigned_abs()));
}

fn hexadecimal(out: &mut String, value: f64, precision: Option<usize>) {
    let (mut mantissa, mut exponent) = parts(value);
    if mantissa == 0 {
        exponent = 0;
    } else {
        // One bit before the point, at bit 60.
        let shift = mantissa.leading_zeros() - 3;
        mantissa <<= shift;
        exponent -= i32::try_from(shift).expect("a shift is below 64") - 8;
    }
    if let Some(precision) = precision.filter(|&p| p < 15) {
        let kept = u32::try_from(precision).expect("below 15") * 4;
        let extra = (mantissa << kept) & ((1 << 60) - 1);
        mantissa >>= 60 - kept;
        if extra | (mantissa & 1) > 1 << 59 {
            mantissa += 1;
        }
        mantissa <<= 60 - kept;
        if mantissa & (1 << 61) != 0 {
            mantissa >>= 1;
            exponent += 1;
        }
    }
    out.push_str("0x");
    out.push(if mantissa >> 60 & 1 == 1 { '1' } else { '0' });
    let mut rest = mantissa << 4;
    let digits = match precision {
        Some(precision) => precision,
        None => 16 - usize::try_from(rest.trailing_zeros().min(64)).expect("small") / 4,
    };
    if digits > 0 {
        out.push('.');
    }
    for _ in 0..digits {
        let digit = u32::try_from(rest >> 60).expect("four bits");
        out.push(char::from_digit(digit, 16).expect("four bits are one hexadecimal digit"));
        rest <<= 4;
    }
    out.push('p');
    push_exponent(out, exponent);
}

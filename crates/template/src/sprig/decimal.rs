//! Exact decimals, as github.com/shopspring/decimal computes `addf`, `subf`, `mulf` and `divf`: the shortest decimal
//! of each float, big integers in between, and the nearest float of the result.

use num_bigint::{BigInt, Sign};

use crate::func::FuncError;
use crate::sprig::args::fail;
use crate::sprig::limits::MAX_DECIMAL_DIGITS;

/// `digits` times ten to the power of `exponent`.
pub(super) struct Decimal {
    digits: BigInt,
    exponent: i64,
}

/// Digits after the point of a quotient that has no end (`decimal.DivisionPrecision`).
const DIVISION_PLACES: i64 = 16;

impl Decimal {
    /// The shortest decimal that reads as this float.
    pub(super) fn new(value: f64) -> Result<Decimal, FuncError> {
        if !value.is_finite() {
            let name = if value.is_nan() {
                "NaN"
            } else if value > 0.0 {
                "+Inf"
            } else {
                "-Inf"
            };
            return fail(format!("Cannot create a Decimal from {name}"));
        }
        let shown = format!("{value:e}");
        let (mantissa, exponent) = shown.split_once('e').unwrap_or((&shown, "0"));
        let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
        let digits = format!("{whole}{fraction}");
        Ok(Decimal {
            digits: digits.parse().unwrap_or_default(),
            exponent: exponent.parse().unwrap_or(0) - i64::try_from(fraction.len()).unwrap_or(0),
        })
    }

    pub(super) fn add(self, other: Decimal) -> Result<Decimal, FuncError> {
        let (a, b, exponent) = same_exponent(self, other)?;
        Ok(Decimal {
            digits: a + b,
            exponent,
        })
    }

    pub(super) fn sub(self, other: Decimal) -> Result<Decimal, FuncError> {
        let (a, b, exponent) = same_exponent(self, other)?;
        Ok(Decimal {
            digits: a - b,
            exponent,
        })
    }

    pub(super) fn mul(self, other: Decimal) -> Result<Decimal, FuncError> {
        check_size(&self.digits)?;
        Ok(Decimal {
            digits: self.digits * other.digits,
            exponent: self.exponent + other.exponent,
        })
    }

    /// Rounds half away from zero at the 16th place.
    pub(super) fn div(self, other: Decimal) -> Result<Decimal, FuncError> {
        if other.digits.sign() == Sign::NoSign {
            return fail("decimal division by 0");
        }
        let shift = self.exponent - other.exponent + DIVISION_PLACES;
        let (numerator, denominator) = if shift < 0 {
            (self.digits, other.digits * power_of_ten(-shift)?)
        } else {
            (self.digits * power_of_ten(shift)?, other.digits)
        };
        let quotient = &numerator / &denominator;
        let twice_the_rest: BigInt = (&numerator % &denominator) * 2;
        let up = twice_the_rest.magnitude() >= denominator.magnitude();
        let negative = (numerator.sign() == Sign::Minus) != (denominator.sign() == Sign::Minus);
        let digits = match (up, negative) {
            (false, _) => quotient,
            (true, false) => quotient + 1,
            (true, true) => quotient - 1,
        };
        Ok(Decimal {
            digits,
            exponent: -DIVISION_PLACES,
        })
    }

    /// The nearest float; beyond the largest it is infinite.
    pub(super) fn to_f64(&self) -> f64 {
        let text = format!("{}e{}", self.digits, self.exponent);
        // Rust rounds a decimal text of any length correctly. Zero has no sign here.
        text.parse().unwrap_or(0.0)
    }
}

fn same_exponent(a: Decimal, b: Decimal) -> Result<(BigInt, BigInt, i64), FuncError> {
    let exponent = a.exponent.min(b.exponent);
    let scaled =
        |d: Decimal| -> Result<BigInt, FuncError> { Ok(d.digits * power_of_ten(d.exponent - exponent)?) };
    Ok((scaled(a)?, scaled(b)?, exponent))
}

fn power_of_ten(exponent: i64) -> Result<BigInt, FuncError> {
    match u32::try_from(exponent) {
        Ok(n) if u64::from(n) <= MAX_DECIMAL_DIGITS => Ok(BigInt::from(10).pow(n)),
        _ => too_long(),
    }
}

fn check_size(digits: &BigInt) -> Result<(), FuncError> {
    // A decimal digit is about 3.3 bits.
    if digits.bits() > MAX_DECIMAL_DIGITS * 10 / 3 {
        return too_long();
    }
    Ok(())
}

fn too_long<T>() -> Result<T, FuncError> {
    fail(format!(
        "a decimal would have more than {MAX_DECIMAL_DIGITS} digits"
    ))
}

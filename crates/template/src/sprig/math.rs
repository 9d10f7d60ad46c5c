//! Arithmetic on anything that casts to a number.

use crate::func::{FuncError, FuncResult, Host};
use crate::sprig::args::text;
use crate::sprig::args::{any, fail, int, rest, string};
use crate::sprig::cast::{parse_int, parse_int_clamped, to_float64, to_int64};
use crate::sprig::decimal::Decimal;
use crate::sprig::limits::MAX_LIST_ITEMS;
use crate::sprig::random;
use crate::sprig::show::display;
use crate::value::{ElemType, List, Value};

pub(super) fn atoi(_: &mut dyn Host, args: &[Value]) -> FuncResult {
    Ok(Value::int(parse_int_clamped(text(args, 0))))
}

pub(super) fn to_int(_: &mut dyn Host, args: &[Value]) -> FuncResult {
    Ok(Value::int(to_int64(any(args, 0))))
}

pub(super) fn int64(_: &mut dyn Host, args: &[Value]) -> FuncResult {
    Ok(Value::int64(to_int64(any(args, 0))))
}

pub(super) fn float64(_: &mut dyn Host, args: &[Value]) -> FuncResult {
    Ok(Value::Float(to_float64(any(args, 0))))
}

/// Reads what the value shows as an octal number; 0 if it is none.
pub(super) fn to_decimal(_: &mut dyn Host, args: &[Value]) -> FuncResult {
    Ok(Value::int64(parse_int(&display(any(args, 0)), 8).unwrap_or(0)))
}

pub(super) fn add1(_: &mut dyn Host, args: &[Value]) -> FuncResult {
    Ok(Value::int64(to_int64(any(args, 0)).wrapping_add(1)))
}

pub(super) fn add(_: &mut dyn Host, args: &[Value]) -> FuncResult {
    let sum = args.iter().map(to_int64).fold(0, i64::wrapping_add);
    Ok(Value::int64(sum))
}

pub(super) fn sub(_: &mut dyn Host, args: &[Value]) -> FuncResult {
    Ok(Value::int64(
        to_int64(any(args, 0)).wrapping_sub(to_int64(any(args, 1))),
    ))
}

pub(super) fn mul(_: &mut dyn Host, args: &[Value]) -> FuncResult {
    let product = args.iter().map(to_int64).fold(1, i64::wrapping_mul);
    Ok(Value::int64(product))
}

pub(super) fn div(_: &mut dyn Host, args: &[Value]) -> FuncResult {
    let (a, b) = (to_int64(any(args, 0)), to_int64(any(args, 1)));
    if b == 0 {
        return fail("runtime error: integer divide by zero");
    }
    Ok(Value::int64(a.wrapping_div(b)))
}

pub(super) fn modulo(_: &mut dyn Host, args: &[Value]) -> FuncResult {
    let (a, b) = (to_int64(any(args, 0)), to_int64(any(args, 1)));
    if b == 0 {
        return fail("runtime error: integer divide by zero");
    }
    Ok(Value::int64(a.wrapping_rem(b)))
}

pub(super) fn max(_: &mut dyn Host, args: &[Value]) -> FuncResult {
    Ok(Value::int64(args.iter().map(to_int64).max().unwrap_or(0)))
}

pub(super) fn min(_: &mut dyn Host, args: &[Value]) -> FuncResult {
    Ok(Value::int64(args.iter().map(to_int64).min().unwrap_or(0)))
}

pub(super) fn maxf(_: &mut dyn Host, args: &[Value]) -> FuncResult {
    Ok(Value::Float(reduce(args, |a, b| match (a, b) {
        _ if a == f64::INFINITY || b == f64::INFINITY => f64::INFINITY,
        _ if a.is_nan() || b.is_nan() => f64::NAN,
        _ if a == 0.0 && a == b => {
            if a.is_sign_negative() {
                b
            } else {
                a
            }
        }
        _ => {
            if a > b {
                a
            } else {
                b
            }
        }
    })))
}

pub(super) fn minf(_: &mut dyn Host, args: &[Value]) -> FuncResult {
    Ok(Value::Float(reduce(args, |a, b| match (a, b) {
        _ if a == f64::NEG_INFINITY || b == f64::NEG_INFINITY => f64::NEG_INFINITY,
        _ if a.is_nan() || b.is_nan() => f64::NAN,
        _ if a == 0.0 && a == b => {
            if a.is_sign_negative() {
                a
            } else {
                b
            }
        }
        _ => {
            if a < b {
                a
            } else {
                b
            }
        }
    })))
}

fn reduce(args: &[Value], pick: impl Fn(f64, f64) -> f64) -> f64 {
    args.iter().map(to_float64).reduce(pick).unwrap_or(0.0)
}

pub(super) fn ceil(_: &mut dyn Host, args: &[Value]) -> FuncResult {
    Ok(Value::Float(to_float64(any(args, 0)).ceil()))
}

pub(super) fn floor(_: &mut dyn Host, args: &[Value]) -> FuncResult {
    Ok(Value::Float(to_float64(any(args, 0)).floor()))
}

/// `round VALUE PLACES [FROM]`: up where the rest is at least `FROM`, which is 0.5 by default.
pub(super) fn round(_: &mut dyn Host, args: &[Value]) -> FuncResult {
    let value = to_float64(any(args, 0));
    let round_on = match args.get(2) {
        Some(Value::Float(f)) => *f,
        _ => 0.5,
    };
    let power = power_of_ten(int(args, 1));
    let scaled = power * value;
    // For an infinite number Go's Modf gives the fraction NaN, which rounds down.
    let fraction = if scaled.is_finite() {
        scaled.fract()
    } else {
        f64::NAN
    };
    let rounded = if fraction >= round_on {
        scaled.ceil()
    } else {
        scaled.floor()
    };
    Ok(Value::Float(rounded / power))
}

/// `math.Pow(10, n)` with its error: squares of the mantissa, so that the last bit is Go's.
fn power_of_ten(n: i64) -> f64 {
    if n.unsigned_abs() > 400 {
        return if n > 0 { f64::INFINITY } else { 0.0 };
    }
    let (mut mantissa, mut exponent) = (1.0f64, 0i32);
    let (mut square, mut square_exponent) = (10.0f64 / 16.0, 4i32);
    let mut bits = n.unsigned_abs();
    while bits != 0 {
        if bits & 1 == 1 {
            mantissa *= square;
            exponent += square_exponent;
        }
        square *= square;
        square_exponent <<= 1;
        if square < 0.5 {
            square += square;
            square_exponent -= 1;
        }
        bits >>= 1;
    }
    if n < 0 {
        mantissa = 1.0 / mantissa;
        exponent = -exponent;
    }
    // In two steps, so that neither factor overflows or becomes a subnormal number before the other.
    mantissa * 2f64.powi(exponent / 2) * 2f64.powi(exponent - exponent / 2)
}

pub(super) fn add1f(_: &mut dyn Host, args: &[Value]) -> FuncResult {
    let one = Decimal::new(to_float64(any(args, 0)))?.add(Decimal::new(1.0)?)?;
    Ok(Value::Float(one.to_f64()))
}

pub(super) fn addf(_: &mut dyn Host, args: &[Value]) -> FuncResult {
    fold(&Value::Float(0.0), args, Decimal::add)
}

pub(super) fn subf(_: &mut dyn Host, args: &[Value]) -> FuncResult {
    fold(any(args, 0), rest(args, 1), Decimal::sub)
}

pub(super) fn mulf(_: &mut dyn Host, args: &[Value]) -> FuncResult {
    fold(any(args, 0), rest(args, 1), Decimal::mul)
}

pub(super) fn divf(_: &mut dyn Host, args: &[Value]) -> FuncResult {
    fold(any(args, 0), rest(args, 1), Decimal::div)
}

fn fold(
    first: &Value,
    others: &[Value],
    step: fn(Decimal, Decimal) -> Result<Decimal, FuncError>,
) -> FuncResult {
    let mut result = Decimal::new(to_float64(first))?;
    for other in others {
        result = step(result, Decimal::new(to_float64(other))?)?;
    }
    Ok(Value::Float(result.to_f64()))
}

pub(super) fn rand_int(host: &mut dyn Host, args: &[Value]) -> FuncResult {
    let (min, max) = (int(args, 0), int(args, 1));
    match u64::try_from(max.wrapping_sub(min)) {
        Ok(span) if span > 0 => Ok(Value::int(min.wrapping_add_unsigned(random::below(host, span)))),
        _ => fail("invalid argument to Intn"),
    }
}

pub(super) fn until(_: &mut dyn Host, args: &[Value]) -> FuncResult {
    let count = int(args, 0);
    int_list(&steps(0, count, if count < 0 { -1 } else { 1 })?)
}

pub(super) fn until_step(_: &mut dyn Host, args: &[Value]) -> FuncResult {
    int_list(&steps(int(args, 0), int(args, 1), int(args, 2))?)
}

fn int_list(numbers: &[i64]) -> FuncResult {
    let items = numbers.iter().map(|&n| Value::int(n)).collect();
    Ok(Value::List(List::typed(ElemType::Int, items)))
}

/// `start`, `start + step` ... up to `stop`, without it; nothing where the step leads away from it.
fn steps(start: i64, stop: i64, step: i64) -> Result<Vec<i64>, FuncError> {
    let towards = if stop < start { step < 0 } else { step > 0 };
    if !towards {
        return Ok(Vec::new());
    }
    let distance = i128::from(stop).abs_diff(i128::from(start));
    let count = distance.div_ceil(u128::from(step.unsigned_abs()));
    match usize::try_from(count) {
        Ok(count) if count <= MAX_LIST_ITEMS => Ok((0..count as i64)
            .map(|i| start.wrapping_add(i.wrapping_mul(step)))
            .collect()),
        _ => fail(format!("the list would have more than {MAX_LIST_ITEMS} items")),
    }
}

/// Like the `seq` command: numbers with spaces between them.
pub(super) fn seq(_: &mut dyn Host, args: &[Value]) -> FuncResult {
    let away = |start: i64, end: i64| if end < start { -1 } else { 1 };
    let numbers = match args.len() {
        1 => {
            let (end, toward) = (int(args, 0), away(1, int(args, 0)));
            steps(1, end.wrapping_add(toward), toward)?
        }
        2 => {
            let (start, end) = (int(args, 0), int(args, 1));
            let toward = away(start, end);
            steps(start, end.wrapping_add(toward), toward)?
        }
        3 => {
            let (start, step, end) = (int(args, 0), int(args, 1), int(args, 2));
            let toward = away(start, end);
            if toward < 0 && step > 0 {
                return string("");
            }
            steps(start, end.wrapping_add(toward), step)?
        }
        _ => Vec::new(),
    };
    let shown: Vec<String> = numbers.iter().map(i64::to_string).collect();
    string(shown.join(" "))
}

//! How Go writes floating point numbers.

/// As `strconv.FormatFloat(f, 'g', -1, 64)` writes it (`1e+06`, `0.5`, `1e-07`), infinity and NaN as YAML does.
pub(crate) fn shortest(float: f64) -> String {
    layout(&format!("{float:e}"))
}

/// The same with 32 bits of precision.
pub(crate) fn shortest_32(float: f64) -> String {
    #[allow(
        clippy::cast_possible_truncation,
        reason = "the lower precision is what is asked for"
    )]
    let single = float as f32;
    layout(&format!("{single:e}"))
}

/// From Rust's scientific notation, which has the same digits.
fn layout(scientific: &str) -> String {
    let Some((mantissa, exponent)) = scientific.split_once('e') else {
        return match scientific {
            "inf" => ".inf",
            "-inf" => "-.inf",
            _ => ".nan",
        }
        .to_owned();
    };
    let exponent: i32 = exponent.parse().expect("Rust wrote it");
    if !(-4..6).contains(&exponent) {
        let sign = if exponent < 0 { '-' } else { '+' };
        return format!("{mantissa}e{sign}{:02}", exponent.abs());
    }
    let (sign, mantissa) = match mantissa.strip_prefix('-') {
        Some(rest) => ("-", rest),
        None => ("", mantissa),
    };
    let digits = mantissa.replace('.', "");
    let Ok(point) = usize::try_from(exponent + 1) else {
        return format!(
            "{sign}0.{}{digits}",
            "0".repeat(exponent.unsigned_abs() as usize - 1)
        );
    };
    match (point, digits.len()) {
        (0, _) => format!("{sign}0.{digits}"),
        (point, len) if point >= len => format!("{sign}{digits}{}", "0".repeat(point - len)),
        _ => format!("{sign}{}.{}", &digits[..point], &digits[point..]),
    }
}

/// A double as `encoding/json` and then go-yaml see it: integers in the range of 64 bits lose their point.
pub(crate) fn json_float(float: f64) -> String {
    const I64_END: f64 = 9_223_372_036_854_775_808.0;
    const U64_END: f64 = 18_446_744_073_709_551_616.0;
    #[allow(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "the range was checked"
    )]
    if float.fract() != 0.0 {
        shortest(float)
    } else if (-I64_END..I64_END).contains(&float) {
        (float as i64).to_string()
    } else if (0.0..U64_END).contains(&float) {
        (float as u64).to_string()
    } else {
        shortest(float)
    }
}

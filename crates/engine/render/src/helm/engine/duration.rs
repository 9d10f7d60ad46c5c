//! Helm's functions over lengths of time: numbers are seconds, texts are Go durations (`1h30m`) or seconds.

use std::any::Any;
use std::rc::Rc;

use deploy_template::func::{FuncDef, FuncError, FuncResult, Host, Param};
use deploy_template::value::{Object, Value};
use serde_json::Value as Json;

use crate::helm::go::quote::quoted;

/// `mustToDuration`, `durationSeconds` and their kin; new in helm 4.
pub const FUNCTIONS: &[FuncDef] = &[
    one("mustToDuration", |_, args| {
        Ok(object(nanoseconds(&args[0]).map_err(FuncError::new)?))
    }),
    one("durationSeconds", |_, args| {
        Ok(Value::Float(parts(&args[0], SECOND)))
    }),
    one("durationMilliseconds", |_, args| Ok(whole(&args[0], MILLISECOND))),
    one("durationMicroseconds", |_, args| Ok(whole(&args[0], MICROSECOND))),
    one("durationNanoseconds", |_, args| Ok(whole(&args[0], 1))),
    one("durationMinutes", |_, args| {
        Ok(Value::Float(parts(&args[0], MINUTE)))
    }),
    one("durationHours", |_, args| Ok(Value::Float(parts(&args[0], HOUR)))),
    one("durationDays", |_, args| {
        Ok(Value::Float(parts(&args[0], HOUR) / 24.0))
    }),
    one("durationWeeks", |_, args| {
        Ok(Value::Float(parts(&args[0], HOUR) / 24.0 / 7.0))
    }),
    two("durationRoundTo", |_, args| Ok(multiple(args, round))),
    two("durationTruncateTo", |_, args| Ok(multiple(args, truncate))),
];

const MICROSECOND: i64 = 1_000;
const MILLISECOND: i64 = 1_000 * MICROSECOND;
const SECOND: i64 = 1_000 * MILLISECOND;
const MINUTE: i64 = 60 * SECOND;
const HOUR: i64 = 60 * MINUTE;

type Body = fn(&mut dyn Host, &[Value]) -> FuncResult;

const fn one(name: &'static str, body: Body) -> FuncDef {
    FuncDef {
        name,
        params: &[Param::Any],
        variadic: None,
        body,
    }
}

const fn two(name: &'static str, body: Body) -> FuncDef {
    FuncDef {
        name,
        params: &[Param::Any, Param::Any],
        variadic: None,
        body,
    }
}

/// Go's `time.Duration` as a value of templates.
struct Duration(i64);

fn object(nanoseconds: i64) -> Value {
    Value::Object(Rc::new(Duration(nanoseconds)))
}

impl Object for Duration {
    fn type_name(&self) -> &str {
        "time.Duration"
    }

    fn display(&self) -> String {
        shown(self.0)
    }

    fn call(&self, name: &str, args: &[Value], _: &mut dyn Host) -> Option<Result<Value, FuncError>> {
        let nanoseconds = self.0;
        let result = match (name, args) {
            ("String", []) => Value::str(shown(nanoseconds)),
            ("Seconds", []) => Value::Float(split(nanoseconds, SECOND)),
            ("Minutes", []) => Value::Float(split(nanoseconds, MINUTE)),
            ("Hours", []) => Value::Float(split(nanoseconds, HOUR)),
            ("Milliseconds", []) => Value::int64(nanoseconds / MILLISECOND),
            ("Microseconds", []) => Value::int64(nanoseconds / MICROSECOND),
            ("Nanoseconds", []) => Value::int64(nanoseconds),
            ("Abs", []) => object(nanoseconds.saturating_abs()),
            ("Round", [by]) => object(round(nanoseconds, nanoseconds_of(by)?)),
            ("Truncate", [by]) => object(truncate(nanoseconds, nanoseconds_of(by)?)),
            _ => return None,
        };
        Some(Ok(result))
    }

    fn truth(&self) -> bool {
        self.0 != 0
    }

    fn to_json(&self) -> Json {
        Json::from(self.0)
    }

    fn as_any(&self) -> &dyn Any {
        self
    }
}

fn nanoseconds_of(value: &Value) -> Option<i64> {
    match value {
        Value::Object(object) => object.as_any().downcast_ref::<Duration>().map(|d| d.0),
        Value::Int(number, _) => Some(*number),
        _ => None,
    }
}

/// Whole units as Go counts them, so that the float has Go's rounding.
fn split(nanoseconds: i64, unit: i64) -> f64 {
    (nanoseconds / unit) as f64 + (nanoseconds % unit) as f64 / unit as f64
}

fn parts(value: &Value, unit: i64) -> f64 {
    nanoseconds(value).map_or(0.0, |n| split(n, unit))
}

fn whole(value: &Value, unit: i64) -> Value {
    Value::int64(nanoseconds(value).map_or(0, |n| n / unit))
}

/// A value that is no duration counts as zero; a multiple that is none changes nothing.
fn multiple(args: &[Value], to: fn(i64, i64) -> i64) -> Value {
    let Ok(duration) = nanoseconds(&args[0]) else {
        return object(0);
    };
    object(nanoseconds(&args[1]).map_or(duration, |by| to(duration, by)))
}

fn truncate(duration: i64, by: i64) -> i64 {
    if by <= 0 {
        duration
    } else {
        duration - duration % by
    }
}

/// To the nearest multiple, halves away from zero; what does not fit stays at the end of the range.
fn round(duration: i64, by: i64) -> i64 {
    if by <= 0 {
        return duration;
    }
    let rest = (duration % by).abs();
    let toward_zero = duration - duration % by;
    if i128::from(rest) * 2 < i128::from(by) {
        return toward_zero;
    }
    toward_zero.saturating_add(if duration < 0 { -by } else { by })
}

fn nanoseconds(value: &Value) -> Result<i64, String> {
    match value {
        Value::Nil => Err("invalid duration".to_owned()),
        Value::Object(_) if nanoseconds_of(value).is_some() => Ok(nanoseconds_of(value).unwrap_or_default()),
        Value::Str(text) => {
            let text = text.to_str();
            let trimmed = text.trim();
            if trimmed.is_empty() {
                return Err("empty duration".to_owned());
            }
            if let Some(nanoseconds) = parse(trimmed) {
                return Ok(nanoseconds);
            }
            match trimmed.parse::<f64>() {
                Ok(seconds) => from_float(seconds),
                Err(_) => Err(format!("could not parse duration {}", quoted(&text))),
            }
        }
        Value::Int(seconds, _) => seconds
            .checked_mul(SECOND)
            .ok_or_else(|| format!("duration seconds overflow: {seconds}")),
        Value::Uint(seconds, _) => i64::try_from(*seconds)
            .ok()
            .and_then(|seconds| seconds.checked_mul(SECOND))
            .ok_or_else(|| format!("duration seconds overflow: {seconds}")),
        Value::Float(seconds) => from_float(*seconds),
        other => Err(format!("unsupported duration type {}", other.type_name())),
    }
}

fn from_float(seconds: f64) -> Result<i64, String> {
    if seconds.is_nan() || seconds.is_infinite() {
        return Err(format!(
            "invalid duration seconds: {}",
            deploy_template::fmt::float_g(seconds)
        ));
    }
    let nanoseconds = seconds * SECOND as f64;
    if nanoseconds.abs() > i64::MAX as f64 {
        return Err(format!(
            "duration seconds overflow: {}",
            deploy_template::fmt::float_g(seconds)
        ));
    }
    Ok(nanoseconds as i64)
}

/// Go's `time.ParseDuration`: signed numbers with units, added up.
fn parse(text: &str) -> Option<i64> {
    let (negative, mut rest) = match text.as_bytes().first()? {
        b'-' => (true, &text[1..]),
        b'+' => (false, &text[1..]),
        _ => (false, text),
    };
    if rest == "0" {
        return Some(0);
    }
    let mut total: i128 = 0;
    if rest.is_empty() {
        return None;
    }
    while !rest.is_empty() {
        let digits = |s: &str| s.len() - s.trim_start_matches(|c: char| c.is_ascii_digit()).len();
        let (whole, after) = rest.split_at(digits(rest));
        let (fraction, after) = match after.strip_prefix('.') {
            Some(after) => after.split_at(digits(after)),
            None => ("", after),
        };
        if whole.is_empty() && fraction.is_empty() {
            return None;
        }
        let length = after
            .find(|c: char| c == '.' || c.is_ascii_digit())
            .unwrap_or(after.len());
        let (unit, after) = after.split_at(length);
        let unit = match unit {
            "ns" => 1,
            "us" | "µs" | "μs" => MICROSECOND,
            "ms" => MILLISECOND,
            "s" => SECOND,
            "m" => MINUTE,
            "h" => HOUR,
            _ => return None,
        };
        let whole: i128 = if whole.is_empty() { 0 } else { whole.parse().ok()? };
        let mut part = whole.checked_mul(i128::from(unit))?;
        let mut scale = i128::from(unit);
        let mut numerator: i128 = 0;
        let mut denominator: i128 = 1;
        for digit in fraction.bytes().take(18) {
            numerator = numerator * 10 + i128::from(digit - b'0');
            denominator *= 10;
        }
        scale = scale * numerator / denominator;
        part += scale;
        total = total.checked_add(part)?;
        if total > i128::from(i64::MAX) + 1 {
            return None;
        }
        rest = after;
    }
    i64::try_from(if negative { -total } else { total }).ok()
}

/// Go's `Duration.String`: `1h30m0s`, `1.5s`, `2ms`, `0s`.
fn shown(nanoseconds: i64) -> String {
    let sign = if nanoseconds < 0 { "-" } else { "" };
    let magnitude = nanoseconds.unsigned_abs();
    let fraction = |value: u64, unit: u64| -> String {
        let rest = value % unit;
        if rest == 0 {
            return (value / unit).to_string();
        }
        let width = unit.ilog10() as usize;
        let digits = format!("{rest:0width$}");
        format!("{}.{}", value / unit, digits.trim_end_matches('0'))
    };
    let text = match magnitude {
        0 => "0s".to_owned(),
        n if n < 1_000 => format!("{n}ns"),
        n if n < 1_000_000 => format!("{}µs", fraction(n, 1_000)),
        n if n < 1_000_000_000 => format!("{}ms", fraction(n, 1_000_000)),
        n => {
            let minutes = n / 60_000_000_000;
            let seconds = fraction(n % 60_000_000_000, 1_000_000_000);
            match (minutes / 60, minutes % 60) {
                (0, 0) => format!("{seconds}s"),
                (0, minutes) => format!("{minutes}m{seconds}s"),
                (hours, minutes) => format!("{hours}h{minutes}m{seconds}s"),
            }
        }
    };
    format!("{sign}{text}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_and_shows_as_go_does() {
        for (text, expected) in [
            ("1h30m", Some("1h30m0s")),
            ("1.5s", Some("1.5s")),
            ("-2ms", Some("-2ms")),
            ("100us", Some("100µs")),
            ("0", Some("0s")),
            (".5h", Some("30m0s")),
            ("1", None),
            ("", None),
            ("1d", None),
            ("9999999h", None),
        ] {
            assert_eq!(parse(text).map(shown).as_deref(), expected, "{text}");
        }
    }

    #[test]
    fn rounds_halves_away_from_zero() {
        assert_eq!(round(5, 10), 10);
        assert_eq!(round(-5, 10), -10);
        assert_eq!(round(4, 10), 0);
        assert_eq!(round(7, 0), 7);
        assert_eq!(round(i64::MAX, i64::MAX - 1), i64::MAX - 1);
        assert_eq!(truncate(-19, 10), -10);
    }
}

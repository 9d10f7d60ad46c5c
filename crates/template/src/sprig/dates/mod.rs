//! Dates and durations. Times are Go's `time.Time`: an instant and a zone to show it in. Now and the local zone come
//! from the host; the zone database is built in.

mod duration;
mod format;
mod layout;
mod object;
mod parse;
mod time;
mod zone;

pub use time::Time;

use std::rc::Rc;

use crate::func::{FuncError, FuncResult, Host};
use crate::sprig::args::{any, string, text};
use crate::sprig::cast::parse_int_clamped;
use crate::value::{IntType, Object, Value};
use zone::Zone;

pub(super) use object::calendar_number;

const SECOND: i64 = 1_000_000_000;

fn local(host: &dyn Host) -> Zone {
    Zone::load(host.time_zone().as_bytes()).unwrap_or(Zone::Utc)
}

fn time_now(host: &dyn Host) -> Time {
    Time::from_unix_nanos(host.now_unix_nanos(), local(host))
}

fn time_value(time: Time) -> FuncResult {
    Ok(Value::Object(Rc::new(time)))
}

/// The time that an object holds.
fn as_time(object: &dyn Object) -> Option<&Time> {
    object.as_any().downcast_ref::<Time>()
}

/// A time, or seconds since 1970; anything else is now.
fn moment(host: &dyn Host, value: &Value) -> Time {
    let given = match value {
        Value::Object(object) => as_time(object.as_ref()).cloned(),
        Value::Int(n, IntType::Int | IntType::Int32 | IntType::Int64) => {
            Some(Time::from_unix(*n, 0, local(host)))
        }
        _ => None,
    };
    given.unwrap_or_else(|| time_now(host))
}

pub(super) fn now(host: &mut dyn Host, _: &[Value]) -> FuncResult {
    time_value(time_now(host))
}

pub(super) fn date(host: &mut dyn Host, args: &[Value]) -> FuncResult {
    formatted(host, text(args, 0), any(args, 1), None)
}

pub(super) fn date_in_zone(host: &mut dyn Host, args: &[Value]) -> FuncResult {
    formatted(host, text(args, 0), any(args, 1), Some(text(args, 2)))
}

pub(super) fn html_date(host: &mut dyn Host, args: &[Value]) -> FuncResult {
    formatted(host, b"2006-01-02", any(args, 0), None)
}

pub(super) fn html_date_in_zone(host: &mut dyn Host, args: &[Value]) -> FuncResult {
    formatted(host, b"2006-01-02", any(args, 0), Some(text(args, 1)))
}

fn formatted(host: &mut dyn Host, layout: &[u8], date: &Value, zone: Option<&[u8]>) -> FuncResult {
    let zone = match zone {
        None | Some(b"Local") => local(host),
        Some(name) => Zone::load(name).unwrap_or(Zone::Utc),
    };
    string(format::format(&moment(host, date).in_zone(zone), layout))
}

pub(super) fn date_modify(_: &mut dyn Host, args: &[Value]) -> FuncResult {
    let time = time_argument(args, 1);
    match duration::parse(text(args, 0)) {
        Ok(nanos) => time_value(time.add(nanos)),
        Err(_) => time_value(time),
    }
}

pub(super) fn must_date_modify(_: &mut dyn Host, args: &[Value]) -> FuncResult {
    let nanos = duration::parse(text(args, 0)).map_err(FuncError::new)?;
    time_value(time_argument(args, 1).add(nanos))
}

fn time_argument(args: &[Value], position: usize) -> Time {
    match any(args, position) {
        Value::Object(object) => as_time(object.as_ref()).cloned().unwrap_or_default(),
        _ => Time::default(),
    }
}

pub(super) fn ago(host: &mut dyn Host, args: &[Value]) -> FuncResult {
    let then = match any(args, 0) {
        // Go's switch has no case for this type here.
        Value::Int(_, IntType::Int32) => time_now(host),
        other => moment(host, other),
    };
    let passed = duration::round(time_now(host).since(&then), SECOND);
    string(duration::show(passed))
}

/// `duration SECONDS`; an `int64` or a text.
pub(super) fn duration(_: &mut dyn Host, args: &[Value]) -> FuncResult {
    let seconds = match any(args, 0) {
        Value::Int(n, IntType::Int64) => *n,
        Value::Str(s) => parse_int_clamped(s.as_bytes()),
        _ => 0,
    };
    string(duration::show(seconds.wrapping_mul(SECOND)))
}

/// The largest unit of a duration, in whole numbers: `2h` for `2h10m5s`.
pub(super) fn duration_round(host: &mut dyn Host, args: &[Value]) -> FuncResult {
    let nanos = match any(args, 0) {
        Value::Int(n, IntType::Int64) => *n,
        Value::Str(s) => duration::parse(s.as_bytes()).unwrap_or(0),
        Value::Object(object) => match as_time(object.as_ref()) {
            Some(then) => time_now(host).since(then),
            None => 0,
        },
        _ => 0,
    };
    const HOUR: u64 = 3600 * SECOND.unsigned_abs();
    const UNITS: [(u64, &str); 6] = [
        (365 * 24 * HOUR, "y"),
        (30 * 24 * HOUR, "mo"),
        (24 * HOUR, "d"),
        (HOUR, "h"),
        (HOUR / 60, "m"),
        (HOUR / 3600, "s"),
    ];
    let size = nanos.unsigned_abs();
    let unit = UNITS.iter().find(|(unit, _)| size > *unit);
    string(unit.map_or("0s".to_owned(), |(unit, name)| format!("{}{name}", size / unit)))
}

pub(super) fn to_date(host: &mut dyn Host, args: &[Value]) -> FuncResult {
    time_value(parse::parse(text(args, 0), text(args, 1), &local(host)).unwrap_or_default())
}

pub(super) fn must_to_date(host: &mut dyn Host, args: &[Value]) -> FuncResult {
    time_value(parse::parse(text(args, 0), text(args, 1), &local(host)).map_err(FuncError::new)?)
}

pub(super) fn unix_epoch(_: &mut dyn Host, args: &[Value]) -> FuncResult {
    string(time_argument(args, 0).unix().to_string())
}

/// A text in quotes as the time package writes it: other alphabets as their bytes.
fn quote(text: &[u8]) -> String {
    let mut out = String::from("\"");
    for &b in text {
        match b {
            b'"' | b'\\' => {
                out.push('\\');
                out.push(char::from(b));
            }
            b' '..=b'\x7f' => out.push(char::from(b)),
            _ => out.push_str(&format!("\\x{b:02x}")),
        }
    }
    out.push('"');
    out
}

/// A time in UTC as certificates write it: the year, and `YYYYMMDDhhmmss`.
pub(super) fn utc_digits(unix_nanos: i128) -> (i64, String) {
    let time = Time::from_unix_nanos(unix_nanos, Zone::Utc);
    let digits = format::format(&time, b"20060102150405");
    (time.shown().0.year, String::from_utf8_lossy(&digits).into_owned())
}

//! What templates see of times, durations, months and weekdays.

use std::any::Any;
use std::rc::Rc;

use super::format::{MONTHS, WEEKDAYS, format};
use super::time::{Time, wall_clock};
use super::zone::Zone;
use super::{SECOND, as_time, duration, local};
use crate::func::{FuncError, FuncResult, Host};
use crate::sprig::args::{fail, int, text};
use crate::value::{Object, Value};

/// The layout of `Time.String`.
const DEFAULT_LAYOUT: &[u8] = b"2006-01-02 15:04:05.999999999 -0700 MST";

impl Object for Time {
    fn type_name(&self) -> &str {
        "time.Time"
    }

    fn display(&self) -> String {
        String::from_utf8_lossy(&format(self, DEFAULT_LAYOUT)).into_owned()
    }

    fn call(&self, name: &str, args: &[Value], host: &mut dyn Host) -> Option<FuncResult> {
        let (civil, _, _) = self.shown();
        // What does not fit 64 bits is cut off, as Go's multiplication cuts it.
        #[allow(clippy::cast_possible_truncation, reason = "Go's methods wrap around")]
        let unix = |unit: i64| Ok(Value::int64(self.unix_nanos().div_euclid(i128::from(unit)) as i64));
        Some(match name {
            "String" => Ok(Value::str(self.display())),
            "Format" => Ok(Value::str(format(self, text(args, 0)))),
            "Unix" => Ok(Value::int64(self.unix())),
            "UnixMilli" => unix(1_000_000),
            "UnixMicro" => unix(1_000),
            "UnixNano" => unix(1),
            "Year" => Ok(Value::int(civil.year)),
            "Month" => object(Month(civil.month)),
            "Day" => Ok(Value::int(i64::from(civil.day))),
            "Hour" => Ok(Value::int(i64::from(civil.hour))),
            "Minute" => Ok(Value::int(i64::from(civil.minute))),
            "Second" => Ok(Value::int(i64::from(civil.second))),
            "Nanosecond" => Ok(Value::int(i64::from(self.nanos()))),
            "YearDay" => Ok(Value::int(i64::from(civil.day_of_year))),
            "Weekday" => object(Weekday(civil.weekday)),
            "IsZero" => Ok(Value::Bool(self.is_zero())),
            "UTC" => object(self.in_zone(Zone::Utc)),
            "Local" => object(self.in_zone(local(host))),
            "Add" => object(self.add(nanos_of(args))),
            "AddDate" => object(self.add_date(int(args, 0), int(args, 1), int(args, 2))),
            "Round" => object(self.to_multiple(nanos_of(args), duration::round)),
            "Truncate" => object(self.to_multiple(nanos_of(args), |n, unit| n - n % unit)),
            "Sub" => other(args).and_then(|o| object(Duration(self.since(&o)))),
            "Before" => other(args).map(|o| Value::Bool(self.unix_nanos() < o.unix_nanos())),
            "After" => other(args).map(|o| Value::Bool(self.unix_nanos() > o.unix_nanos())),
            "Equal" => other(args).map(|o| Value::Bool(self.unix_nanos() == o.unix_nanos())),
            "Compare" => other(args).map(|o| Value::int(self.unix_nanos().cmp(&o.unix_nanos()) as i64)),
            _ => return None,
        })
    }

    fn to_json(&self) -> serde_json::Value {
        let shown = format(self, b"2006-01-02T15:04:05.999999999Z07:00");
        serde_json::Value::String(String::from_utf8_lossy(&shown).into_owned())
    }

    fn as_any(&self) -> &dyn Any {
        self
    }
}

impl Time {
    fn add_date(&self, years: i64, months: i64, days: i64) -> Time {
        let (civil, ..) = self.shown();
        let second_of_day =
            (i64::from(civil.hour) * 60 + i64::from(civil.minute)) * 60 + i64::from(civil.second);
        let bounded = |n: i64| n.clamp(-MAX_DATE_STEP, MAX_DATE_STEP);
        let wall = wall_clock(
            civil.year + bounded(years),
            i64::from(civil.month) + bounded(months),
            i64::from(civil.day) + bounded(days),
            second_of_day,
        );
        Time::from_wall_clock(wall, self.nanos(), self.zone().clone())
    }

    /// Go rounds the time since year 1.
    fn to_multiple(&self, unit: i64, change: fn(i64, i64) -> i64) -> Time {
        if unit <= 0 {
            return self.clone();
        }
        let zero = Time::default().unix_nanos();
        let rest = (self.unix_nanos() - zero).rem_euclid(i128::from(unit));
        let rest = i64::try_from(rest).unwrap_or(0);
        self.add(change(rest, unit) - rest)
    }
}

/// No one adds more years, months or days, and the sums stay within 64 bits.
const MAX_DATE_STEP: i64 = 1 << 40;

fn object(value: impl Object + 'static) -> FuncResult {
    Ok(Value::Object(Rc::new(value)))
}

fn other(args: &[Value]) -> Result<Time, FuncError> {
    match args.first() {
        Some(Value::Object(object)) => match as_time(object.as_ref()) {
            Some(time) => Ok(time.clone()),
            None => fail("a time.Time is needed"),
        },
        _ => fail("a time.Time is needed"),
    }
}

/// A duration argument: an object or a constant of nanoseconds.
fn nanos_of(args: &[Value]) -> i64 {
    match args.first() {
        Some(Value::Object(object)) => object.as_any().downcast_ref::<Duration>().map_or(0, |d| d.0),
        _ => int(args, 0),
    }
}

/// `time.Duration`, in nanoseconds.
pub(super) struct Duration(pub i64);

impl Object for Duration {
    fn type_name(&self) -> &str {
        "time.Duration"
    }

    fn display(&self) -> String {
        duration::show(self.0)
    }

    fn call(&self, name: &str, args: &[Value], _: &mut dyn Host) -> Option<FuncResult> {
        #[allow(clippy::cast_precision_loss, reason = "Go's methods give floats")]
        let float = |unit: i64| {
            let (whole, rest) = (self.0 / unit, self.0 % unit);
            Ok(Value::Float(whole as f64 + rest as f64 / unit as f64))
        };
        Some(match name {
            "String" => Ok(Value::str(self.display())),
            "Hours" => float(3600 * SECOND),
            "Minutes" => float(60 * SECOND),
            "Seconds" => float(SECOND),
            "Milliseconds" => Ok(Value::int64(self.0 / 1_000_000)),
            "Microseconds" => Ok(Value::int64(self.0 / 1_000)),
            "Nanoseconds" => Ok(Value::int64(self.0)),
            "Abs" => object(Duration(self.0.saturating_abs())),
            "Round" => object(Duration(duration::round(self.0, nanos_of(args)))),
            "Truncate" => {
                let unit = nanos_of(args);
                object(Duration(if unit > 0 { self.0 - self.0 % unit } else { self.0 }))
            }
            _ => return None,
        })
    }

    fn truth(&self) -> bool {
        self.0 != 0
    }

    fn to_json(&self) -> serde_json::Value {
        self.0.into()
    }

    fn as_any(&self) -> &dyn Any {
        self
    }
}

/// `time.Month`, 1 to 12.
struct Month(u8);

impl Object for Month {
    fn type_name(&self) -> &str {
        "time.Month"
    }

    fn display(&self) -> String {
        MONTHS[usize::from(self.0.saturating_sub(1)) % 12].to_owned()
    }

    fn call(&self, name: &str, _: &[Value], _: &mut dyn Host) -> Option<FuncResult> {
        (name == "String").then(|| Ok(Value::str(self.display())))
    }

    fn to_json(&self) -> serde_json::Value {
        self.0.into()
    }

    fn as_any(&self) -> &dyn Any {
        self
    }
}

/// `time.Weekday`, days since Sunday.
struct Weekday(u8);

impl Object for Weekday {
    fn type_name(&self) -> &str {
        "time.Weekday"
    }

    fn display(&self) -> String {
        WEEKDAYS[usize::from(self.0) % 7].to_owned()
    }

    fn call(&self, name: &str, _: &[Value], _: &mut dyn Host) -> Option<FuncResult> {
        (name == "String").then(|| Ok(Value::str(self.display())))
    }

    fn truth(&self) -> bool {
        self.0 != 0
    }

    fn to_json(&self) -> serde_json::Value {
        self.0.into()
    }

    fn as_any(&self) -> &dyn Any {
        self
    }
}

/// The number of a month or a weekday, which cast takes for integers.
pub(in crate::sprig) fn calendar_number(object: &dyn Object) -> Option<i64> {
    let any = object.as_any();
    let month = any.downcast_ref::<Month>().map(|m| m.0);
    let weekday = || any.downcast_ref::<Weekday>().map(|w| w.0);
    month.or_else(weekday).map(i64::from)
}

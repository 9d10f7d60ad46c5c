//! Schedules in crontab form as CronJobs have them (`github.com/robfig/cron/v3 ParseStandard`), and when they are due.

use jiff::{Span, ToSpan, Zoned, civil::Weekday};

use crate::field::go_quote;
use crate::limits::SCHEDULE_YEARS_MAX;

/// When something is due.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Schedule {
    /// At the minutes that all five fields allow.
    At(Fields),
    /// Every so many seconds after the last time.
    Every(i64),
}

/// What is allowed, a bit each.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fields {
    minute: u64,
    hour: u64,
    day: u64,
    month: u64,
    weekday: u64,
    /// A star in either of the day fields: both must allow a day. Without one, either is enough.
    both_days: bool,
}

/// A text that is no schedule; the text of the error is upstream's.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct ScheduleError(String);

type Parsed<T> = Result<T, ScheduleError>;

/// The bounds of a field, and names for its values.
struct Bounds {
    min: u32,
    max: u32,
    names: &'static [&'static str],
}

const MINUTES: Bounds = Bounds {
    min: 0,
    max: 59,
    names: &[],
};
const HOURS: Bounds = Bounds {
    min: 0,
    max: 23,
    names: &[],
};
const DAYS: Bounds = Bounds {
    min: 1,
    max: 31,
    names: &[],
};
const MONTHS: Bounds = Bounds {
    min: 1,
    max: 12,
    names: &[
        "jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec",
    ],
};
const WEEKDAYS: Bounds = Bounds {
    min: 0,
    max: 6,
    names: &["sun", "mon", "tue", "wed", "thu", "fri", "sat"],
};

impl Schedule {
    /// Reads a schedule. A time zone before it (`TZ=...`) is read over: CronJobs refuse it elsewhere.
    pub fn parse(text: &str) -> Parsed<Self> {
        if text.is_empty() {
            return fail("empty spec string");
        }
        let mut text = text;
        if text.starts_with("TZ=") || text.starts_with("CRON_TZ=") {
            let Some((_, rest)) = text.split_once(' ') else {
                return fail("empty spec string");
            };
            text = rest.trim();
        }
        if text.starts_with('@') {
            return Self::parse_descriptor(text);
        }
        let fields: Vec<&str> = text.split_whitespace().collect();
        let [minute, hour, day, month, weekday] = fields[..] else {
            let shown = fields.join(" ");
            return fail(format!(
                "expected exactly 5 fields, found {}: [{shown}]",
                fields.len()
            ));
        };
        let (minute, _) = field(minute, &MINUTES)?;
        let (hour, _) = field(hour, &HOURS)?;
        let (day, day_star) = field(day, &DAYS)?;
        let (month, _) = field(month, &MONTHS)?;
        let (weekday, weekday_star) = field(weekday, &WEEKDAYS)?;
        Ok(Self::At(Fields {
            minute,
            hour,
            day,
            month,
            weekday,
            both_days: day_star || weekday_star,
        }))
    }

    fn parse_descriptor(text: &str) -> Parsed<Self> {
        let fields = match text {
            "@yearly" | "@annually" => "0 0 1 1 *",
            "@monthly" => "0 0 1 * *",
            "@weekly" => "0 0 * * 0",
            "@daily" | "@midnight" => "0 0 * * *",
            "@hourly" => "0 * * * *",
            _ => {
                let Some(duration) = text.strip_prefix("@every ") else {
                    return fail(format!("unrecognized descriptor: {text}"));
                };
                return match go_duration(duration) {
                    Ok(seconds) => Ok(Self::Every(seconds.max(1))),
                    Err(error) => fail(format!("failed to parse duration {text}: {error}")),
                };
            }
        };
        Self::parse(fields)
    }

    /// The first time after `after` at which it is due, in the same time zone; `None` if there is none within five
    /// years.
    pub fn next(&self, after: &Zoned) -> Option<Zoned> {
        match self {
            Self::Every(seconds) => {
                let whole = after.round(jiff::Unit::Second).ok()?;
                let start = if whole > *after {
                    whole.checked_sub(1.second()).ok()?
                } else {
                    whole
                };
                start.checked_add(Span::new().try_seconds(*seconds).ok()?).ok()
            }
            Self::At(fields) => fields.next(after),
        }
    }
}

impl Fields {
    fn next(&self, after: &Zoned) -> Option<Zoned> {
        let last_year = after.year().saturating_add(SCHEDULE_YEARS_MAX);
        let mut time = minute_start(after)?.checked_add(1.minute()).ok()?;
        while time.year() <= last_year {
            if self.month & bit(time.month()) == 0 {
                time = time
                    .first_of_month()
                    .ok()?
                    .checked_add(1.month())
                    .ok()?
                    .start_of_day()
                    .ok()?;
            } else if !self.allows_day(&time) {
                time = time
                    .start_of_day()
                    .ok()?
                    .checked_add(1.day())
                    .ok()?
                    .start_of_day()
                    .ok()?;
            } else if self.hour & bit(time.hour()) == 0 {
                let past: i64 = time.minute().into();
                time = time.checked_add((60 - past).minutes()).ok()?;
            } else if self.minute & bit(time.minute()) == 0 {
                time = time.checked_add(1.minute()).ok()?;
            } else {
                return Some(time);
            }
        }
        None
    }

    fn allows_day(&self, time: &Zoned) -> bool {
        let day = self.day & bit(time.day()) != 0;
        let weekday = match time.weekday() {
            Weekday::Sunday => 0,
            other => other.to_monday_one_offset(),
        };
        let weekday = self.weekday & bit(weekday) != 0;
        if self.both_days {
            day && weekday
        } else {
            day || weekday
        }
    }
}

fn minute_start(time: &Zoned) -> Option<Zoned> {
    let second: i64 = time.second().into();
    let nanosecond: i64 = time.subsec_nanosecond().into();
    time.checked_sub(second.seconds().nanoseconds(nanosecond)).ok()
}

fn bit(value: i8) -> u64 {
    1 << u32::from(value.unsigned_abs())
}

fn fail<T>(text: impl Into<String>) -> Parsed<T> {
    Err(ScheduleError(text.into()))
}

/// The bits of a field, and whether a star without a step is among its parts.
fn field(text: &str, bounds: &Bounds) -> Parsed<(u64, bool)> {
    let mut all = (0, false);
    for part in text.split(',').filter(|part| !part.is_empty()) {
        let (bits, star) = range(part, bounds)?;
        all = (all.0 | bits, all.1 || star);
    }
    Ok(all)
}

/// `3`, `1-5`, `*`, each with `/step`.
fn range(text: &str, bounds: &Bounds) -> Parsed<(u64, bool)> {
    let parts: Vec<&str> = text.split('/').collect();
    let ends: Vec<&str> = parts[0].split('-').collect();
    let mut star = matches!(ends[0], "*" | "?");
    let (start, mut end) = if star {
        (bounds.min, bounds.max)
    } else {
        let start = value(ends[0], bounds)?;
        match ends[..] {
            [_] => (start, start),
            [_, end] => (start, value(end, bounds)?),
            _ => return fail(format!("too many hyphens: {text}")),
        }
    };
    let step = match parts[..] {
        [_] => 1,
        [_, step] => {
            let step = number(step)?;
            if ends.len() == 1 {
                end = bounds.max;
            }
            star &= step <= 1;
            step
        }
        _ => return fail(format!("too many slashes: {text}")),
    };
    if start < bounds.min {
        return fail(format!(
            "beginning of range ({start}) below minimum ({}): {text}",
            bounds.min
        ));
    }
    if end > bounds.max {
        return fail(format!(
            "end of range ({end}) above maximum ({}): {text}",
            bounds.max
        ));
    }
    if start > end {
        return fail(format!(
            "beginning of range ({start}) beyond end of range ({end}): {text}"
        ));
    }
    if step == 0 {
        return fail(format!("step of range should be a positive number: {text}"));
    }
    let step = usize::try_from(step).unwrap_or(usize::MAX);
    let bits = (start..=end)
        .step_by(step)
        .fold(0, |bits, value| bits | 1 << value);
    Ok((bits, star))
}

fn value(text: &str, bounds: &Bounds) -> Parsed<u32> {
    let lower = text.to_lowercase();
    match bounds
        .names
        .iter()
        .zip(bounds.min..)
        .find(|(name, _)| **name == lower)
    {
        Some((_, value)) => Ok(value),
        None => number(text),
    }
}

fn number(text: &str) -> Parsed<u32> {
    let failed = |why: &str| {
        fail(format!(
            "failed to parse int from {text}: strconv.Atoi: parsing {}: {why}",
            go_quote(text)
        ))
    };
    let digits = text.strip_prefix(['-', '+']).unwrap_or(text);
    if digits.is_empty() || !digits.bytes().all(|b| b.is_ascii_digit()) {
        return failed("invalid syntax");
    }
    match text.parse::<i64>() {
        Ok(number) if number < 0 => fail(format!("negative number ({number}) not allowed: {text}")),
        Ok(number) => Ok(u32::try_from(number).unwrap_or(u32::MAX)),
        Err(_) => failed("value out of range"),
    }
}

/// Go's `time.ParseDuration` in whole seconds: `1h30m`.
fn go_duration(text: &str) -> Result<i64, String> {
    let invalid = || format!("time: invalid duration {}", go_quote(text));
    let (negative, mut rest) = match text.strip_prefix(['-', '+']) {
        Some(rest) => (text.starts_with('-'), rest),
        None => (false, text),
    };
    if rest == "0" {
        return Ok(0);
    }
    if rest.is_empty() {
        return Err(invalid());
    }
    let mut seconds = 0.0;
    while !rest.is_empty() {
        let len = rest
            .find(|c: char| !c.is_ascii_digit() && c != '.')
            .unwrap_or(rest.len());
        let (number, tail) = rest.split_at(len);
        let number: f64 = number.parse().map_err(|_| invalid())?;
        let len = tail
            .find(|c: char| c.is_ascii_digit() || c == '.')
            .unwrap_or(tail.len());
        let (unit, tail) = tail.split_at(len);
        let factor = match unit {
            "" => return Err(format!("time: missing unit in duration {}", go_quote(text))),
            "ns" => 1e-9,
            "us" | "µs" | "μs" => 1e-6,
            "ms" => 1e-3,
            "s" => 1.0,
            "m" => 60.0,
            "h" => 3600.0,
            _ => {
                return Err(format!(
                    "time: unknown unit {} in duration {}",
                    go_quote(unit),
                    go_quote(text)
                ));
            }
        };
        seconds += number * factor;
        rest = tail;
    }
    #[expect(
        clippy::cast_possible_truncation,
        reason = "Rust's cast saturates, and part of a second does not count"
    )]
    let whole = seconds as i64;
    Ok(if negative { whole.saturating_neg() } else { whole })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn next(schedule: &str, after: &str) -> String {
        let after: Zoned = after.parse().expect("a time");
        let next = Schedule::parse(schedule).expect("a schedule").next(&after);
        next.map_or("never".to_owned(), |time| time.to_string())
    }

    #[test]
    fn the_next_time_is_found() {
        let utc = "2024-02-28T12:34:56+00:00[UTC]";
        for (schedule, time) in [
            ("* * * * *", "2024-02-28T12:35:00+00:00[UTC]"),
            ("*/15 * * * *", "2024-02-28T12:45:00+00:00[UTC]"),
            ("0 0 29 2 *", "2024-02-29T00:00:00+00:00[UTC]"),
            ("0 0 31 2 *", "never"),
            ("30 9 * * mon-fri", "2024-02-29T09:30:00+00:00[UTC]"),
            ("0 0 1 * 0", "2024-03-01T00:00:00+00:00[UTC]"),
            ("@weekly", "2024-03-03T00:00:00+00:00[UTC]"),
            ("@every 1h30m", "2024-02-28T14:04:56+00:00[UTC]"),
        ] {
            assert_eq!(next(schedule, utc), time, "{schedule}");
        }
        // Half past two does not exist on that day.
        let berlin = "2024-03-31T01:00:00+01:00[Europe/Berlin]";
        assert_eq!(
            next("30 2 * * *", berlin),
            "2024-04-01T02:30:00+02:00[Europe/Berlin]"
        );
    }

    #[test]
    fn what_is_none_is_named_in_upstreams_words() {
        for (schedule, error) in [
            ("* * * *", "expected exactly 5 fields, found 4: [* * * *]"),
            ("60 * * * *", "end of range (60) above maximum (59): 60"),
            ("* * 0 * *", "beginning of range (0) below minimum (1): 0"),
            (
                "5-1 * * * *",
                "beginning of range (5) beyond end of range (1): 5-1",
            ),
            (
                "a * * * *",
                "failed to parse int from a: strconv.Atoi: parsing \"a\": invalid syntax",
            ),
            ("*/0 * * * *", "step of range should be a positive number: */0"),
            ("1-2-3 * * * *", "too many hyphens: 1-2-3"),
            ("1/2/3 * * * *", "too many slashes: 1/2/3"),
            ("@never", "unrecognized descriptor: @never"),
            (
                "@every 1x",
                "failed to parse duration @every 1x: time: unknown unit \"x\" in duration \"1x\"",
            ),
        ] {
            assert_eq!(
                Schedule::parse(schedule),
                Err(ScheduleError(error.to_owned())),
                "{schedule}"
            );
        }
    }
}

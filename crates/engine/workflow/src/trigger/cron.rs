//! `schedule.cron`: five fields as POSIX has them, with names, lists, ranges and steps.

use crate::limits::MAX_SCHEDULE_DAYS;
use jiff::civil::{Date, Time};
use jiff::{Timestamp, ToSpan, tz::TimeZone};

/// When something is due: the minutes, hours, days, months and weekdays that fit, as bits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Cron {
    minutes: u64,
    hours: u64,
    days: u64,
    months: u64,
    /// Sunday is 0.
    weekdays: u64,
    /// A day fits by either of both where neither is `*` (POSIX, crontab).
    days_given: bool,
    weekdays_given: bool,
}

const MONTHS: &[&str] = &[
    "jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec",
];
const WEEKDAYS: &[&str] = &["sun", "mon", "tue", "wed", "thu", "fri", "sat"];

impl Cron {
    /// Parses `minute hour day month weekday`. None where it is no such thing, or never due.
    pub fn parse(text: &str) -> Option<Cron> {
        let fields: Vec<&str> = text.split_ascii_whitespace().collect();
        let [minute, hour, day, month, weekday] = fields.as_slice() else {
            return None;
        };
        let weekdays = field(weekday, 0, 7, WEEKDAYS, 0)?;
        let cron = Cron {
            minutes: field(minute, 0, 59, &[], 0)?,
            hours: field(hour, 0, 23, &[], 0)?,
            days: field(day, 1, 31, &[], 0)?,
            months: field(month, 1, 12, MONTHS, 1)?,
            // 7 is Sunday too.
            weekdays: (weekdays | weekdays >> 7) & 0x7f,
            days_given: !day.starts_with('*'),
            weekdays_given: !weekday.starts_with('*'),
        };
        Some(cron)
    }

    /// The first time after `now` when it is due; none where there is no such day, as the 31st of February.
    pub fn next(&self, now: Timestamp, zone: &TimeZone) -> Option<Timestamp> {
        let local = now.to_zoned(zone.clone());
        let mut date = local.date();
        for _ in 0..MAX_SCHEDULE_DAYS {
            if self.fits(date) {
                let due = self
                    .times()
                    .filter_map(|time| date.to_datetime(time).to_zoned(zone.clone()).ok());
                if let Some(due) = due.map(|zoned| zoned.timestamp()).find(|due| *due > now) {
                    return Some(due);
                }
            }
            date = date.checked_add(1.day()).ok()?;
        }
        None
    }

    /// Whether it is due in the minute of `now`.
    pub fn is_due(&self, now: Timestamp, zone: &TimeZone) -> bool {
        let local = now.to_zoned(zone.clone());
        let has = |bits: u64, at: i8| bits >> at & 1 == 1;
        self.fits(local.date()) && has(self.minutes, local.minute()) && has(self.hours, local.hour())
    }

    fn fits(&self, date: Date) -> bool {
        let has = |bits: u64, at: i8| bits >> at & 1 == 1;
        let day = has(self.days, date.day());
        let weekday = has(self.weekdays, date.weekday().to_sunday_zero_offset());
        let fits = match (self.days_given, self.weekdays_given) {
            (true, true) => day || weekday,
            _ => day && weekday,
        };
        fits && has(self.months, date.month())
    }

    fn times(&self) -> impl Iterator<Item = Time> {
        let set = |bits: u64, count: i8| (0..count).filter(move |at| bits >> at & 1 == 1);
        let minutes = self.minutes;
        set(self.hours, 24)
            .flat_map(move |hour| set(minutes, 60).map(move |minute| Time::constant(hour, minute, 0, 0)))
    }
}

/// A list of numbers, names, ranges and steps, as bits.
fn field(text: &str, least: u32, most: u32, names: &[&str], first: u32) -> Option<u64> {
    let number = |word: &str| -> Option<u32> {
        let by_name = names.iter().position(|name| name.eq_ignore_ascii_case(word));
        let number = match by_name {
            Some(at) => u32::try_from(at).ok()? + first,
            None if !word.is_empty() && word.bytes().all(|b| b.is_ascii_digit()) => word.parse().ok()?,
            None => return None,
        };
        (least..=most).contains(&number).then_some(number)
    };
    let mut bits = 0u64;
    for part in text.split(',') {
        let (range, step) = match part.split_once('/') {
            Some((range, step)) => (
                range,
                Some(step.parse::<u32>().ok().filter(|s| *s > 0 && *s <= most)?),
            ),
            None => (part, None),
        };
        let (from, to) = match (range, range.split_once('-')) {
            ("*", _) => (least, most),
            (_, Some((from, to))) => (number(from)?, number(to)?),
            (one, None) if step.is_some() => (number(one)?, most),
            (one, None) => (number(one)?, number(one)?),
        };
        if from > to {
            return None;
        }
        let step = usize::try_from(step.unwrap_or(1)).ok()?;
        bits |= (from..=to).step_by(step).fold(0, |bits, at| bits | 1 << at);
    }
    Some(bits)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn next(cron: &str, now: &str) -> String {
        let cron = Cron::parse(cron).unwrap();
        let next = cron.next(now.parse().unwrap(), &TimeZone::UTC);
        next.map_or("never".to_owned(), |due| due.to_string())
    }

    #[test]
    fn the_next_time() {
        let now = "2026-11-22T16:08:30Z";
        for (cron, due) in [
            ("* * * * *", "2026-11-22T16:09:00Z"),
            ("0 */12 * * *", "2026-11-23T00:00:00Z"),
            ("30 5 * * 1-5", "2026-11-23T05:30:00Z"),
            ("0 0 29 2 *", "2028-02-29T00:00:00Z"),
            ("0 0 13 * FRI", "2026-11-27T00:00:00Z"),
            ("15,45 4/8 * JAN-mar *", "2027-01-01T04:15:00Z"),
            ("0 0 * * 7", "2026-11-29T00:00:00Z"),
            ("0 0 31 2 *", "never"),
        ] {
            assert_eq!(next(cron, now), due, "{cron}");
        }
    }

    #[test]
    fn what_is_no_cron_is_refused() {
        for text in [
            "",
            "* * * *",
            "60 * * * *",
            "* 24 * * *",
            "* * 0 * *",
            "* * * 13 *",
            "5-1 * * * *",
            "*/0 * * * *",
            "@daily",
            "* * * * * *",
            "+1 * * * *",
        ] {
            assert_eq!(Cron::parse(text), None, "{text}");
        }
    }
}

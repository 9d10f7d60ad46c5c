//! An instant in a zone, and the calendar.

use super::SECOND;
use super::zone::Zone;

/// Go's `time.Time`: seconds and nanoseconds since 1970, and the zone to show it in.
#[derive(Clone, Debug)]
pub struct Time {
    seconds: i64,
    nanos: u32,
    zone: Zone,
}

/// A date and time of day on some clock.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Civil {
    pub year: i64,
    /// 1 to 12.
    pub month: u8,
    pub day: u8,
    pub hour: u8,
    pub minute: u8,
    pub second: u8,
    /// 1 to 366.
    pub day_of_year: u16,
    /// Days since Sunday.
    pub weekday: u8,
}

/// The zero time: 0001-01-01 UTC.
impl Default for Time {
    fn default() -> Time {
        Time {
            seconds: ZERO_SECONDS,
            nanos: 0,
            zone: Zone::Utc,
        }
    }
}

const ZERO_SECONDS: i64 = -62_135_596_800;
const DAY_SECONDS: i64 = 86_400;

impl Time {
    pub(super) fn from_unix(seconds: i64, nanos: u32, zone: Zone) -> Time {
        Time { seconds, nanos, zone }
    }

    pub(super) fn from_unix_nanos(nanos: i128, zone: Zone) -> Time {
        let second = i128::from(SECOND);
        let seconds = i64::try_from(nanos.div_euclid(second)).unwrap_or(0);
        let nanos = u32::try_from(nanos.rem_euclid(second)).unwrap_or(0);
        Time { seconds, nanos, zone }
    }

    /// The instant at which a clock in the zone shows this.
    pub(super) fn from_wall_clock(wall_seconds: i64, nanos: u32, zone: Zone) -> Time {
        let offset_at = |seconds| i64::from(zone.at(seconds).1);
        // Around a change of the clocks the first guess may be on the wrong side of it.
        let guess = offset_at(wall_seconds);
        let offset = if guess == 0 {
            0
        } else {
            offset_at(wall_seconds - guess)
        };
        Time {
            seconds: wall_seconds - offset,
            nanos,
            zone,
        }
    }

    /// Seconds since 1970.
    pub fn unix(&self) -> i64 {
        self.seconds
    }

    /// Nanoseconds since 1970.
    pub fn unix_nanos(&self) -> i128 {
        i128::from(self.seconds) * i128::from(SECOND) + i128::from(self.nanos)
    }

    pub(super) fn nanos(&self) -> u32 {
        self.nanos
    }

    pub(super) fn is_zero(&self) -> bool {
        self.seconds == ZERO_SECONDS && self.nanos == 0
    }

    pub(super) fn zone(&self) -> &Zone {
        &self.zone
    }

    pub(super) fn in_zone(&self, zone: Zone) -> Time {
        Time { zone, ..*self }
    }

    /// So many nanoseconds later.
    pub(super) fn add(&self, nanos: i64) -> Time {
        Time::from_unix_nanos(self.unix_nanos() + i128::from(nanos), self.zone.clone())
    }

    /// The nanoseconds from another time to this one; the largest duration where it is longer.
    pub(super) fn since(&self, earlier: &Time) -> i64 {
        let passed = self.unix_nanos() - earlier.unix_nanos();
        let limit = if passed < 0 { i64::MIN } else { i64::MAX };
        i64::try_from(passed).unwrap_or(limit)
    }

    /// What a calendar and a clock in the zone show, with the abbreviation and the offset of the zone.
    pub(super) fn shown(&self) -> (Civil, String, i32) {
        let (name, offset) = self.zone.at(self.seconds);
        (
            civil(self.seconds.saturating_add(i64::from(offset))),
            name,
            offset,
        )
    }
}

fn civil(wall_seconds: i64) -> Civil {
    let days = wall_seconds.div_euclid(DAY_SECONDS);
    let of_day = wall_seconds.rem_euclid(DAY_SECONDS);
    let (year, month, day) = date_of(days);
    let small = |n: i64| u8::try_from(n).unwrap_or(0);
    Civil {
        year,
        month,
        day,
        hour: small(of_day / 3600),
        minute: small(of_day / 60 % 60),
        second: small(of_day % 60),
        day_of_year: u16::try_from(days - days_before(year, 1, 1) + 1).unwrap_or(1),
        weekday: small((days + 4).rem_euclid(7)),
    }
}

/// The seconds that a clock shows for a date and time, counted from 1970; months and days may be out of their range.
pub(super) fn wall_clock(year: i64, month: i64, day: i64, second_of_day: i64) -> i64 {
    let months = month - 1;
    let year = year
        .saturating_add(months.div_euclid(12))
        .clamp(-MAX_YEAR, MAX_YEAR);
    let first = days_before(year, months.rem_euclid(12) + 1, 1);
    first
        .saturating_add(day - 1)
        .saturating_mul(DAY_SECONDS)
        .saturating_add(second_of_day)
}

/// Years that seconds of 64 bits can count.
const MAX_YEAR: i64 = 290_000_000_000;

/// Days of a cycle of 400 years, after which the calendar repeats.
const CYCLE_DAYS: i64 = 146_097;

/// Days from 1970 to a date. Years are counted from March here, so that the odd day of a leap year is the last.
fn days_before(year: i64, month: i64, day: i64) -> i64 {
    let year = if month <= 2 { year - 1 } else { year };
    let cycle = year.div_euclid(400);
    let of_cycle = year.rem_euclid(400);
    let of_year = (153 * ((month + 9) % 12) + 2) / 5 + day - 1;
    let days = of_cycle * 365 + of_cycle / 4 - of_cycle / 100 + of_year;
    // 719,468 days lie between 0000-03-01 and 1970-01-01.
    cycle * CYCLE_DAYS + days - 719_468
}

fn date_of(days: i64) -> (i64, u8, u8) {
    let days = days.saturating_add(719_468);
    let cycle = days.div_euclid(CYCLE_DAYS);
    let of_cycle = days.rem_euclid(CYCLE_DAYS);
    let year = (of_cycle - of_cycle / 1460 + of_cycle / 36_524 - of_cycle / 146_096) / 365;
    let of_year = of_cycle - (365 * year + year / 4 - year / 100);
    let from_march = (5 * of_year + 2) / 153;
    let day = of_year - (153 * from_march + 2) / 5 + 1;
    let month = if from_march < 10 {
        from_march + 3
    } else {
        from_march - 9
    };
    let year = cycle * 400 + year + i64::from(month <= 2);
    (
        year,
        u8::try_from(month).unwrap_or(1),
        u8::try_from(day).unwrap_or(1),
    )
}

pub(super) fn is_leap(year: i64) -> bool {
    year % 4 == 0 && (year % 100 != 0 || year % 400 == 0)
}

/// The days of a month of a year.
pub(super) fn days_in(month: i64, year: i64) -> i64 {
    match month {
        2 if is_leap(year) => 29,
        2 => 28,
        4 | 6 | 9 | 11 => 30,
        _ => 31,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_calendar_goes_both_ways() {
        for days in [
            -1_000_000, -719_469, -719_468, -1, 0, 59, 60, 11_016, 11_017, 1_000_000,
        ] {
            let (year, month, day) = date_of(days);
            assert_eq!(days_before(year, i64::from(month), i64::from(day)), days);
        }
        assert_eq!(date_of(11_016), (2000, 2, 29));
        assert_eq!(civil(ZERO_SECONDS).year, 1);
        assert_eq!(civil(ZERO_SECONDS).weekday, 1);
        assert_eq!(civil(0).day_of_year, 1);
    }
}

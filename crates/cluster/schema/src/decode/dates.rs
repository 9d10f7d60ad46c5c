//! Times as the API reads and writes them: RFC 3339, always UTC on the way out. The errors are those of Go's `time.Parse`
//! (`time/format.go`).

use super::strict::quote;

const TIME: &str = "2006-01-02T15:04:05Z07:00";
const MICRO_TIME: &str = "2006-01-02T15:04:05.000000Z07:00";

/// A time in whole seconds (`metav1.Time`).
pub fn time(text: &str) -> Result<String, String> {
    let moment = parse(text, TIME, false)?;
    Ok(format!("{}Z", moment.date_and_time()))
}

/// A time with six digits of a second (`metav1.MicroTime`).
pub fn micro_time(text: &str) -> Result<String, String> {
    let moment = parse(text, MICRO_TIME, true)?;
    Ok(format!("{}.{:06}Z", moment.date_and_time(), moment.microseconds))
}

struct Moment {
    /// Since 1970-01-01T00:00:00Z.
    seconds: i64,
    microseconds: u32,
}

struct Reader<'t> {
    text: &'t str,
    rest: &'t str,
    layout: &'static str,
}

fn parse(text: &str, layout: &'static str, micro: bool) -> Result<Moment, String> {
    let mut reader = Reader {
        text,
        rest: text,
        layout,
    };
    let year = reader.digits(4, "2006")?;
    reader.literal("-")?;
    let month = reader.digits(2, "01")?;
    if !(1..=12).contains(&month) {
        return Err(reader.out_of_range("month"));
    }
    reader.literal("-")?;
    let day = reader.digits(2, "02")?;
    reader.literal("T")?;
    let hour = reader.one_or_two_digits("15")?;
    if hour > 23 {
        return Err(reader.out_of_range("hour"));
    }
    reader.literal(":")?;
    let minute = reader.digits(2, "04")?;
    if minute > 59 {
        return Err(reader.out_of_range("minute"));
    }
    reader.literal(":")?;
    let second = reader.digits(2, "05")?;
    if second > 59 {
        return Err(reader.out_of_range("second"));
    }
    let microseconds = if micro {
        reader.six_digits()?
    } else {
        reader.skip_fraction()
    };
    let offset = reader.zone()?;
    if !reader.rest.is_empty() {
        return Err(format!(
            "parsing time {}: extra text: {}",
            quote(text),
            quote(reader.rest)
        ));
    }
    if day < 1 || day > days_in(year, month) {
        return Err(reader.out_of_range("day"));
    }
    Ok(Moment {
        seconds: days_since_1970(year, month, day) * 86_400 + hour * 3600 + minute * 60 + second - offset,
        microseconds,
    })
}

impl Reader<'_> {
    fn cannot(&self, rest: &str, element: &str) -> String {
        format!(
            "parsing time {} as {}: cannot parse {} as {}",
            quote(self.text),
            quote(self.layout),
            quote(rest),
            quote(element)
        )
    }

    fn out_of_range(&self, what: &str) -> String {
        format!("parsing time {}: {what} out of range", quote(self.text))
    }

    fn digits(&mut self, count: usize, element: &str) -> Result<i64, String> {
        let digits = self
            .rest
            .get(..count)
            .filter(|d| d.bytes().all(|b| b.is_ascii_digit()));
        let Some(digits) = digits else {
            return Err(self.cannot(self.rest, element));
        };
        self.rest = &self.rest[count..];
        Ok(digits.parse().expect("a few digits are a number"))
    }

    fn one_or_two_digits(&mut self, element: &str) -> Result<i64, String> {
        let second = self.rest.as_bytes().get(1).is_some_and(u8::is_ascii_digit);
        self.digits(if second { 2 } else { 1 }, element)
    }

    fn literal(&mut self, literal: &str) -> Result<(), String> {
        match self.rest.strip_prefix(literal) {
            Some(rest) => {
                self.rest = rest;
                Ok(())
            }
            None => Err(self.cannot(self.rest, literal)),
        }
    }

    /// A fraction that the layout does not have is read and forgotten.
    fn skip_fraction(&mut self) -> u32 {
        if let Some(rest) = self.rest.strip_prefix(['.', ','])
            && rest.starts_with(|c: char| c.is_ascii_digit())
        {
            self.rest = rest.trim_start_matches(|c: char| c.is_ascii_digit());
        }
        0
    }

    fn six_digits(&mut self) -> Result<u32, String> {
        let before = self.rest;
        let fail = |reader: &Self| reader.cannot(before, ".000000");
        let fraction = self.rest.get(..7).ok_or_else(|| fail(self))?;
        let digits = fraction.strip_prefix(['.', ',']).ok_or_else(|| fail(self))?;
        if !digits.bytes().all(|b| b.is_ascii_digit()) {
            return Err(fail(self));
        }
        self.rest = &self.rest[7..];
        Ok(digits.parse().expect("six digits are a number"))
    }

    /// The offset from UTC in seconds.
    fn zone(&mut self) -> Result<i64, String> {
        if let Some(rest) = self.rest.strip_prefix('Z') {
            self.rest = rest;
            return Ok(0);
        }
        let before = self.rest;
        let parts = before
            .get(..6)
            .filter(|zone| zone.as_bytes()[3] == b':')
            .and_then(|zone| {
                let number = |range: std::ops::Range<usize>| {
                    let digits = zone.get(range)?;
                    digits
                        .bytes()
                        .all(|b| b.is_ascii_digit())
                        .then(|| digits.parse::<i64>().ok())?
                };
                Some((zone.as_bytes()[0], number(1..3)?, number(4..6)?))
            });
        let Some((sign, hours, minutes)) = parts else {
            return Err(self.cannot(before, "Z07:00"));
        };
        if hours > 24 {
            return Err(self.out_of_range("time zone offset hour"));
        }
        if minutes > 60 {
            return Err(self.out_of_range("time zone offset minute"));
        }
        self.rest = &before[6..];
        let offset = hours * 3600 + minutes * 60;
        match sign {
            b'+' => Ok(offset),
            b'-' => Ok(-offset),
            _ => Err(self.cannot(before, "Z07:00")),
        }
    }
}

impl Moment {
    fn date_and_time(&self) -> String {
        let (days, seconds) = (self.seconds.div_euclid(86_400), self.seconds.rem_euclid(86_400));
        let (year, month, day) = date(days);
        format!(
            "{year:04}-{month:02}-{day:02}T{:02}:{:02}:{:02}",
            seconds / 3600,
            seconds / 60 % 60,
            seconds % 60
        )
    }
}

fn days_in(year: i64, month: i64) -> i64 {
    match month {
        2 if year % 4 == 0 && (year % 100 != 0 || year % 400 == 0) => 29,
        2 => 28,
        4 | 6 | 9 | 11 => 30,
        _ => 31,
    }
}

/// Days of the proleptic Gregorian calendar; years begin in March, so that the odd day is the last.
fn days_since_1970(year: i64, month: i64, day: i64) -> i64 {
    let year = if month <= 2 { year - 1 } else { year };
    let (era, year_of_era) = (year.div_euclid(400), year.rem_euclid(400));
    let day_of_year = (153 * ((month + 9) % 12) + 2) / 5 + day - 1;
    era * 146_097 + year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year - 719_468
}

fn date(days: i64) -> (i64, i64, i64) {
    let days = days + 719_468;
    let (era, day_of_era) = (days.div_euclid(146_097), days.rem_euclid(146_097));
    let year_of_era = (day_of_era - day_of_era / 1_460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let shifted = (5 * day_of_year + 2) / 153;
    let month = if shifted < 10 { shifted + 3 } else { shifted - 9 };
    let year = era * 400 + year_of_era + i64::from(month <= 2);
    (year, month, day_of_year - (153 * shifted + 2) / 5 + 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_written_in_utc() {
        let cases = [
            ("2024-02-29T23:30:00Z", "2024-02-29T23:30:00Z"),
            ("2024-02-29T23:30:00+02:00", "2024-02-29T21:30:00Z"),
            ("2024-12-31T23:30:00-01:30", "2025-01-01T01:00:00Z"),
            ("2024-02-29T23:30:00.999Z", "2024-02-29T23:30:00Z"),
            ("0001-01-01T00:00:00Z", "0001-01-01T00:00:00Z"),
            ("1970-01-01T3:00:00Z", "1970-01-01T03:00:00Z"),
        ];
        for (text, expected) in cases {
            assert_eq!(time(text).as_deref(), Ok(expected), "{text}");
        }
        let micro = micro_time("2024-02-29T23:30:00.000012+01:00");
        assert_eq!(micro.as_deref(), Ok("2024-02-29T22:30:00.000012Z"));
    }

    #[test]
    fn faults_are_in_the_words_of_go() {
        let as_layout = |text: &str, rest: &str, element: &str| {
            format!("parsing time \"{text}\" as \"{TIME}\": cannot parse \"{rest}\" as \"{element}\"")
        };
        let cases = [
            ("x", as_layout("x", "x", "2006")),
            ("", as_layout("", "", "2006")),
            (
                "2024-02-30T00:00:00Z",
                "parsing time \"2024-02-30T00:00:00Z\": day out of range".to_owned(),
            ),
            (
                "2024-13-01T00:00:00Z",
                "parsing time \"2024-13-01T00:00:00Z\": month out of range".to_owned(),
            ),
            (
                "2024-01-01T25:00:00Z",
                "parsing time \"2024-01-01T25:00:00Z\": hour out of range".to_owned(),
            ),
            (
                "2024-01-01 00:00:00Z",
                as_layout("2024-01-01 00:00:00Z", " 00:00:00Z", "T"),
            ),
            (
                "2024-01-01T00:00:00",
                as_layout("2024-01-01T00:00:00", "", "Z07:00"),
            ),
            ("2024-01-01", as_layout("2024-01-01", "", "T")),
            (
                "2024-01-01T00:00:00Zx",
                "parsing time \"2024-01-01T00:00:00Zx\": extra text: \"x\"".to_owned(),
            ),
        ];
        for (text, expected) in cases {
            assert_eq!(time(text), Err(expected));
        }
        let layout = "2006-01-02T15:04:05.000000Z07:00";
        let text = "2024-01-01T00:00:00Z";
        let expected = format!("parsing time \"{text}\" as \"{layout}\": cannot parse \"Z\" as \".000000\"");
        assert_eq!(micro_time(text), Err(expected));
    }
}

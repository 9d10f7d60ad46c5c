//! Times read by a layout, with Go's errors and its ideas of abbreviated zones.

use super::format::{MONTHS, WEEKDAYS};
use super::layout::{Element, Offset, next_chunk};
use super::quote;
use super::time::{Time, days_in, is_leap, wall_clock};
use super::zone::Zone;

/// `time.ParseInLocation`. The error is Go's text.
pub(super) fn parse(layout: &[u8], value: &[u8], zone: &Zone) -> Result<Time, String> {
    let mut reader = Reader {
        value,
        fields: Fields::default(),
    };
    let mut rest = layout;
    loop {
        let chunk = next_chunk(rest);
        if !reader.skip(chunk.prefix) {
            return Err(cannot_parse(layout, value, chunk.prefix, reader.value));
        }
        let Some(element) = chunk.element else {
            if !reader.value.is_empty() {
                let text = quote(reader.value);
                return Err(format!("parsing time {}: extra text: {text}", quote(value)));
            }
            break;
        };
        rest = chunk.suffix;
        let before = reader.value;
        match reader.element(element, rest) {
            Ok(()) => {}
            Err(Wrong::Syntax) => return Err(cannot_parse(layout, value, chunk.shown, before)),
            Err(Wrong::Range(what)) => {
                return Err(format!("parsing time {}: {what} out of range", quote(value)));
            }
        }
    }
    let fields = reader.fields;
    fields
        .time(zone)
        .map_err(|what| format!("parsing time {}: {what}", quote(value)))
}

fn cannot_parse(layout: &[u8], value: &[u8], element: &[u8], rest: &[u8]) -> String {
    format!(
        "parsing time {} as {}: cannot parse {} as {}",
        quote(value),
        quote(layout),
        quote(rest),
        quote(element)
    )
}

enum Wrong {
    Syntax,
    /// What is out of its range.
    Range(&'static str),
}

type Step<T = ()> = Result<T, Wrong>;

#[derive(Default)]
struct Fields {
    year: i64,
    month: Option<i64>,
    day: Option<i64>,
    day_of_year: Option<i64>,
    hour: i64,
    minute: i64,
    second: i64,
    nanos: u32,
    afternoon: Option<bool>,
    utc: bool,
    offset: Option<i32>,
    zone_name: Option<String>,
}

struct Reader<'a> {
    value: &'a [u8],
    fields: Fields,
}

impl<'a> Reader<'a> {
    /// Passes literal text; any number of spaces is as good as one.
    fn skip(&mut self, prefix: &[u8]) -> bool {
        let mut prefix = prefix;
        while let Some((&first, tail)) = prefix.split_first() {
            if first == b' ' {
                if self.value.first().is_some_and(|&b| b != b' ') {
                    return false;
                }
                prefix = prefix.trim_prefix_spaces();
                self.value = self.value.trim_prefix_spaces();
                continue;
            }
            if self.value.first() != Some(&first) {
                return false;
            }
            prefix = tail;
            self.value = &self.value[1..];
        }
        true
    }

    /// Reads one element; `after` is the layout that follows it.
    fn element(&mut self, element: Element, after: &[u8]) -> Step {
        match element {
            Element::Year => {
                let digits = self.take(2)?;
                let year = number(digits)?;
                self.fields.year = if year >= 69 { year + 1900 } else { year + 2000 };
            }
            Element::LongYear => {
                if !self.value.first().is_some_and(u8::is_ascii_digit) {
                    return Err(Wrong::Syntax);
                }
                let digits = self.take(4)?;
                self.fields.year = number(digits)?;
            }
            Element::Month => self.fields.month = Some(self.name(&MONTHS, 3)? + 1),
            Element::LongMonth => self.fields.month = Some(self.name(&MONTHS, usize::MAX)? + 1),
            Element::NumMonth | Element::ZeroMonth => {
                let month = self.digits(2, element == Element::ZeroMonth)?;
                self.fields.month = Some(in_range(month, 1, 12, "month")?);
            }
            // Weekdays are read and believed of no one.
            Element::Weekday => drop(self.name(&WEEKDAYS, 3)?),
            Element::LongWeekday => drop(self.name(&WEEKDAYS, usize::MAX)?),
            Element::Day | Element::UnderDay | Element::ZeroDay => {
                self.skip_padding(usize::from(element == Element::UnderDay));
                self.fields.day = Some(self.digits(2, element == Element::ZeroDay)?);
            }
            Element::UnderYearDay | Element::ZeroYearDay => {
                self.skip_padding(if element == Element::UnderYearDay { 2 } else { 0 });
                self.fields.day_of_year = Some(self.digits(3, element == Element::ZeroYearDay)?);
            }
            Element::Hour => {
                let hour = self.digits(2, false)?;
                self.fields.hour = in_range(hour, 0, 23, "hour")?;
            }
            Element::Hour12 | Element::ZeroHour12 => {
                let hour = self.digits(2, element == Element::ZeroHour12)?;
                self.fields.hour = in_range(hour, 0, 12, "hour")?;
            }
            Element::Minute | Element::ZeroMinute => {
                let minute = self.digits(2, element == Element::ZeroMinute)?;
                self.fields.minute = in_range(minute, 0, 59, "minute")?;
            }
            Element::Second | Element::ZeroSecond => {
                let second = self.digits(2, element == Element::ZeroSecond)?;
                self.fields.second = in_range(second, 0, 59, "second")?;
                self.undeclared_fraction(after)?;
            }
            Element::UpperPm => self.half(b"AM", b"PM")?,
            Element::LowerPm => self.half(b"am", b"pm")?,
            Element::Offset(form) => self.offset(form)?,
            Element::Zone => self.zone_name()?,
            Element::FractionExact(digits, _) => self.fraction(digits)?,
            Element::FractionShort(..) => {
                if self.at_fraction() {
                    let digits = self.value[1..].iter().take_while(|b| b.is_ascii_digit()).count();
                    self.fraction(digits)?;
                }
            }
        }
        Ok(())
    }

    fn take(&mut self, count: usize) -> Step<&'a [u8]> {
        if self.value.len() < count {
            return Err(Wrong::Syntax);
        }
        let (taken, rest) = self.value.split_at(count);
        self.value = rest;
        Ok(taken)
    }

    /// One to `most` digits, or exactly so many.
    fn digits(&mut self, most: usize, exact: bool) -> Step<i64> {
        let count = self
            .value
            .iter()
            .take(most)
            .take_while(|b| b.is_ascii_digit())
            .count();
        if count == 0 || exact && count != most {
            return Err(Wrong::Syntax);
        }
        number(self.take(count)?)
    }

    fn skip_padding(&mut self, most: usize) {
        for _ in 0..most {
            if let Some(rest) = self.value.strip_prefix(b" ") {
                self.value = rest;
            }
        }
    }

    /// The number of a name, without regard to case; abbreviations are the first letters.
    fn name(&mut self, names: &[&str], letters: usize) -> Step<i64> {
        for (i, name) in names.iter().enumerate() {
            let name = &name.as_bytes()[..name.len().min(letters)];
            if self
                .value
                .get(..name.len())
                .is_some_and(|v| v.eq_ignore_ascii_case(name))
            {
                self.value = &self.value[name.len()..];
                return i64::try_from(i).map_err(|_| Wrong::Syntax);
            }
        }
        Err(Wrong::Syntax)
    }

    fn half(&mut self, before_noon: &[u8], after_noon: &[u8]) -> Step {
        let half = self.take(2)?;
        self.fields.afternoon = match half {
            _ if half == after_noon => Some(true),
            _ if half == before_noon => Some(false),
            _ => return Err(Wrong::Syntax),
        };
        Ok(())
    }

    fn at_fraction(&self) -> bool {
        matches!(self.value, [b'.' | b',', digit, ..] if digit.is_ascii_digit())
    }

    /// Seconds may have a fraction even if the layout does not say so.
    fn undeclared_fraction(&mut self, after: &[u8]) -> Step {
        let declared = matches!(
            next_chunk(after).element,
            Some(Element::FractionExact(..) | Element::FractionShort(..))
        );
        if declared || !self.at_fraction() {
            return Ok(());
        }
        let digits = self.value[1..].iter().take_while(|b| b.is_ascii_digit()).count();
        self.fraction(digits)
    }

    /// A point and so many digits; those beyond the ninth do not count.
    fn fraction(&mut self, digits: usize) -> Step {
        let text = self.take(1 + digits)?;
        if !matches!(text[0], b'.' | b',') {
            return Err(Wrong::Syntax);
        }
        let counted = &text[1..text.len().min(10)];
        let mut nanos = number(counted)?;
        for _ in counted.len()..9 {
            nanos *= 10;
        }
        self.fields.nanos = u32::try_from(nanos).map_err(|_| Wrong::Range("fractional second"))?;
        Ok(())
    }

    fn offset(&mut self, form: Offset) -> Step {
        if form.iso && self.value.first() == Some(&b'Z') {
            self.value = &self.value[1..];
            self.fields.utc = true;
            return Ok(());
        }
        let pair = 2 + usize::from(form.colons);
        let length = 3 + pair * (usize::from(form.minutes) + usize::from(form.seconds));
        let text = self.take(length)?;
        let mut parts = [0; 3];
        for (i, part) in parts.iter_mut().enumerate() {
            let at = 1 + i * pair;
            if at >= length {
                break;
            }
            if form.colons && i > 0 && text[at - 1] != b':' {
                return Err(Wrong::Syntax);
            }
            *part = number(&text[at..at + 2])?;
        }
        let [hours, minutes, seconds] = parts;
        in_range(hours, 0, 24, "time zone offset hour")?;
        in_range(minutes, 0, 60, "time zone offset minute")?;
        in_range(seconds, 0, 60, "time zone offset second")?;
        let offset = i32::try_from((hours * 60 + minutes) * 60 + seconds).map_err(|_| Wrong::Syntax)?;
        self.fields.offset = match text[0] {
            b'+' => Some(offset),
            b'-' => Some(-offset),
            _ => return Err(Wrong::Syntax),
        };
        Ok(())
    }

    fn zone_name(&mut self) -> Step {
        if let Some(rest) = self.value.strip_prefix(b"UTC") {
            self.value = rest;
            self.fields.utc = true;
            return Ok(());
        }
        let length = zone_name_length(self.value).ok_or(Wrong::Syntax)?;
        let name = self.take(length)?;
        self.fields.zone_name = Some(String::from_utf8_lossy(name).into_owned());
        Ok(())
    }
}

/// What looks like the abbreviation of a zone: three letters, four or five with a T at the end, and special ones.
fn zone_name_length(value: &[u8]) -> Option<usize> {
    if value.len() < 3 {
        return None;
    }
    if value.starts_with(b"ChST") || value.starts_with(b"MeST") {
        return Some(4);
    }
    if let Some(rest) = value.strip_prefix(b"GMT") {
        return Some(3 + signed_offset_length(rest).unwrap_or(0));
    }
    if matches!(value[0], b'+' | b'-') {
        return signed_offset_length(value);
    }
    match value
        .iter()
        .take(6)
        .take_while(|b| b.is_ascii_uppercase())
        .count()
    {
        5 if value[4] == b'T' => Some(5),
        4 if value[3] == b'T' || value.starts_with(b"WITA") => Some(4),
        3 => Some(3),
        _ => None,
    }
}

/// `+3` or `-04`: up to 23 hours.
fn signed_offset_length(value: &[u8]) -> Option<usize> {
    if !matches!(value.first(), Some(b'+' | b'-')) {
        return None;
    }
    let digits = value[1..].iter().take_while(|b| b.is_ascii_digit()).count();
    let hours: u64 = std::str::from_utf8(&value[1..=digits]).ok()?.parse().ok()?;
    (hours <= 23).then_some(1 + digits)
}

fn number(digits: &[u8]) -> Step<i64> {
    // Go's own atoi takes a sign, too.
    let text = std::str::from_utf8(digits).map_err(|_| Wrong::Syntax)?;
    text.parse().map_err(|_| Wrong::Syntax)
}

fn in_range(n: i64, low: i64, high: i64, what: &'static str) -> Step<i64> {
    if (low..=high).contains(&n) {
        Ok(n)
    } else {
        Err(Wrong::Range(what))
    }
}

trait TrimSpaces {
    fn trim_prefix_spaces(&self) -> &Self;
}

impl TrimSpaces for [u8] {
    fn trim_prefix_spaces(&self) -> &[u8] {
        let spaces = self.iter().take_while(|&&b| b == b' ').count();
        &self[spaces..]
    }
}

impl Fields {
    fn time(self, zone: &Zone) -> Result<Time, &'static str> {
        let hour = match self.afternoon {
            Some(true) if self.hour < 12 => self.hour + 12,
            Some(false) if self.hour == 12 => 0,
            _ => self.hour,
        };
        let (month, day) = self.date()?;
        let second_of_day = (hour * 60 + self.minute) * 60 + self.second;
        let wall = wall_clock(self.year, month, day, second_of_day);
        if self.utc {
            return Ok(Time::from_unix(wall, self.nanos, Zone::Utc));
        }
        if let Some(offset) = self.offset {
            return Ok(with_offset(
                wall - i64::from(offset),
                self.nanos,
                zone,
                offset,
                self.zone_name,
            ));
        }
        let Some(name) = self.zone_name else {
            return Ok(Time::from_wall_clock(wall, self.nanos, zone.clone()));
        };
        if let Some(offset) = zone.offset_of(&name, wall) {
            return Ok(Time::from_unix(
                wall - i64::from(offset),
                self.nanos,
                zone.clone(),
            ));
        }
        // An unknown abbreviation is shown again as it is, but says nothing about the instant; GMT+3 only moves
        // the clock.
        let hours: i32 = name.strip_prefix("GMT").and_then(|n| n.parse().ok()).unwrap_or(0);
        let offset = hours * 3600;
        Ok(Time::from_unix(wall, self.nanos, Zone::Fixed { name, offset }))
    }

    /// The month and the day, which may be given as the day of the year.
    fn date(&self) -> Result<(i64, i64), &'static str> {
        let (month, day) = match self.day_of_year {
            None => (self.month.unwrap_or(1), self.day.unwrap_or(1)),
            Some(day_of_year) => {
                let (month, day) = self.date_of_year(day_of_year)?;
                if self.month.is_some_and(|m| m != month) {
                    return Err("day-of-year does not match month");
                }
                if self.day.is_some_and(|d| d != day) {
                    return Err("day-of-year does not match day");
                }
                (month, day)
            }
        };
        if day < 1 || day > days_in(month, self.year) {
            return Err("day out of range");
        }
        Ok((month, day))
    }

    fn date_of_year(&self, day_of_year: i64) -> Result<(i64, i64), &'static str> {
        let days = if is_leap(self.year) { 366 } else { 365 };
        if !(1..=days).contains(&day_of_year) {
            return Err("day-of-year out of range");
        }
        let mut left = day_of_year;
        for month in 1..=12 {
            let length = days_in(month, self.year);
            if left <= length {
                return Ok((month, left));
            }
            left -= length;
        }
        Err("day-of-year out of range")
    }
}

/// The zone itself where it has that offset at the time, else a zone made of the offset.
fn with_offset(seconds: i64, nanos: u32, zone: &Zone, offset: i32, name: Option<String>) -> Time {
    let (own_name, own_offset) = zone.at(seconds);
    let same_name = name.as_ref().is_none_or(|n| *n == own_name);
    let zone = if own_offset == offset && same_name {
        zone.clone()
    } else {
        Zone::Fixed {
            name: name.unwrap_or_default(),
            offset,
        }
    };
    Time::from_unix(seconds, nanos, zone)
}

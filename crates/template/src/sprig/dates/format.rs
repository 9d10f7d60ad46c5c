//! Times as a layout writes them.

use std::fmt::Write as _;

use super::layout::{Element, Offset, next_chunk};
use super::time::{Civil, Time};

pub(super) const WEEKDAYS: [&str; 7] = [
    "Sunday",
    "Monday",
    "Tuesday",
    "Wednesday",
    "Thursday",
    "Friday",
    "Saturday",
];
pub(super) const MONTHS: [&str; 12] = [
    "January",
    "February",
    "March",
    "April",
    "May",
    "June",
    "July",
    "August",
    "September",
    "October",
    "November",
    "December",
];

/// `Time.Format`.
pub(super) fn format(time: &Time, layout: &[u8]) -> Vec<u8> {
    let (civil, zone_name, offset) = time.shown();
    let mut out = Vec::with_capacity(layout.len() + 8);
    let mut rest = layout;
    loop {
        let chunk = next_chunk(rest);
        out.extend_from_slice(chunk.prefix);
        let Some(element) = chunk.element else {
            return out;
        };
        rest = chunk.suffix;
        let mut text = String::new();
        match element {
            Element::Zone if zone_name.is_empty() => write_offset(&mut text, offset, PLAIN),
            Element::Zone => text.push_str(&zone_name),
            Element::Offset(form) => write_offset(&mut text, offset, form),
            Element::FractionExact(digits, point) => fraction(&mut text, time.nanos(), digits, point, false),
            Element::FractionShort(digits, point) => fraction(&mut text, time.nanos(), digits, point, true),
            element => calendar(&mut text, &civil, element),
        }
        out.extend_from_slice(text.as_bytes());
    }
}

const PLAIN: Offset = Offset {
    iso: false,
    colons: false,
    minutes: true,
    seconds: false,
};

fn calendar(out: &mut String, civil: &Civil, element: Element) {
    let hour12 = match civil.hour % 12 {
        0 => 12,
        hour => hour,
    };
    let month = MONTHS[usize::from(civil.month - 1) % 12];
    let weekday = WEEKDAYS[usize::from(civil.weekday) % 7];
    let half = if civil.hour >= 12 { "PM" } else { "AM" };
    let written = match element {
        Element::LongMonth => write!(out, "{month}"),
        Element::Month => write!(out, "{}", &month[..3]),
        Element::NumMonth => write!(out, "{}", civil.month),
        Element::ZeroMonth => write!(out, "{:02}", civil.month),
        Element::LongWeekday => write!(out, "{weekday}"),
        Element::Weekday => write!(out, "{}", &weekday[..3]),
        Element::Day => write!(out, "{}", civil.day),
        Element::UnderDay => write!(out, "{:2}", civil.day),
        Element::ZeroDay => write!(out, "{:02}", civil.day),
        Element::UnderYearDay => write!(out, "{:3}", civil.day_of_year),
        Element::ZeroYearDay => write!(out, "{:03}", civil.day_of_year),
        Element::Hour => write!(out, "{:02}", civil.hour),
        Element::Hour12 => write!(out, "{hour12}"),
        Element::ZeroHour12 => write!(out, "{hour12:02}"),
        Element::Minute => write!(out, "{}", civil.minute),
        Element::ZeroMinute => write!(out, "{:02}", civil.minute),
        Element::Second => write!(out, "{}", civil.second),
        Element::ZeroSecond => write!(out, "{:02}", civil.second),
        Element::LongYear if civil.year < 0 => write!(out, "-{:04}", civil.year.unsigned_abs()),
        Element::LongYear => write!(out, "{:04}", civil.year),
        Element::Year => write!(out, "{:02}", civil.year.unsigned_abs() % 100),
        Element::UpperPm => write!(out, "{half}"),
        Element::LowerPm => write!(out, "{}", half.to_ascii_lowercase()),
        Element::Zone | Element::Offset(_) | Element::FractionExact(..) | Element::FractionShort(..) => {
            Ok(())
        }
    };
    written.expect("writing to a string cannot fail");
}

fn write_offset(out: &mut String, offset: i32, form: Offset) {
    if form.iso && offset == 0 {
        out.push('Z');
        return;
    }
    // Go looks for the sign at whole minutes, so that half a minute west of UTC has a plus.
    let minutes = offset / 60;
    out.push(if minutes < 0 { '-' } else { '+' });
    let seconds = (if minutes < 0 { -offset } else { offset }) % 60;
    let minutes = minutes.abs();
    let colon = if form.colons { ":" } else { "" };
    let mut written = write!(out, "{:02}", minutes / 60);
    if form.minutes {
        written = written.and_then(|()| write!(out, "{colon}{:02}", minutes % 60));
    }
    if form.seconds {
        written = written.and_then(|()| write!(out, "{colon}{seconds:02}"));
    }
    written.expect("writing to a string cannot fail");
}

fn fraction(out: &mut String, nanos: u32, digits: usize, point: u8, short: bool) {
    let all = format!("{nanos:09}");
    let mut shown = all
        .get(..digits)
        .map_or_else(|| format!("{all:0<digits$}"), str::to_owned);
    if short {
        shown.truncate(shown.trim_end_matches('0').len());
        if shown.is_empty() {
            return;
        }
    }
    out.push(char::from(point));
    out.push_str(&shown);
}

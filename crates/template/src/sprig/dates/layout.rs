//! Go's reference-time layouts: `Mon Jan 2 15:04:05 MST 2006`, cut into its elements.

/// What an element of a layout stands for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Element {
    LongMonth,
    Month,
    NumMonth,
    ZeroMonth,
    LongWeekday,
    Weekday,
    Day,
    UnderDay,
    ZeroDay,
    UnderYearDay,
    ZeroYearDay,
    Hour,
    Hour12,
    ZeroHour12,
    Minute,
    ZeroMinute,
    Second,
    ZeroSecond,
    LongYear,
    Year,
    UpperPm,
    LowerPm,
    /// The abbreviation of the zone.
    Zone,
    /// The offset of the zone.
    Offset(Offset),
    /// `.000`: exactly so many digits.
    FractionExact(usize, u8),
    /// `.999`: up to so many digits, without zeros at the end.
    FractionShort(usize, u8),
}

/// How an offset is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Offset {
    /// `Z` for UTC.
    pub iso: bool,
    pub colons: bool,
    pub minutes: bool,
    pub seconds: bool,
}

/// A layout up to its next element, the element as it is written, and what follows.
pub(super) struct Chunk<'a> {
    pub prefix: &'a [u8],
    pub element: Option<Element>,
    pub shown: &'a [u8],
    pub suffix: &'a [u8],
}

/// In the order in which they are tried; the longer ones of a kind first.
const ELEMENTS: [(&[u8], Element); 25] = [
    (b"January", Element::LongMonth),
    (b"Jan", Element::Month),
    (b"Monday", Element::LongWeekday),
    (b"Mon", Element::Weekday),
    (b"MST", Element::Zone),
    (b"01", Element::ZeroMonth),
    (b"02", Element::ZeroDay),
    (b"03", Element::ZeroHour12),
    (b"04", Element::ZeroMinute),
    (b"05", Element::ZeroSecond),
    (b"06", Element::Year),
    (b"002", Element::ZeroYearDay),
    (b"15", Element::Hour),
    (b"1", Element::NumMonth),
    (b"2006", Element::LongYear),
    (b"2", Element::Day),
    (b"_2", Element::UnderDay),
    (b"__2", Element::UnderYearDay),
    (b"3", Element::Hour12),
    (b"4", Element::Minute),
    (b"5", Element::Second),
    (b"PM", Element::UpperPm),
    (b"pm", Element::LowerPm),
    // Offsets are tried by their own rules; these two rows only say where they stand.
    (
        b"-07",
        Element::Offset(Offset {
            iso: false,
            colons: false,
            minutes: false,
            seconds: false,
        }),
    ),
    (
        b"Z07",
        Element::Offset(Offset {
            iso: true,
            colons: false,
            minutes: false,
            seconds: false,
        }),
    ),
];

/// The next element of a layout.
pub(super) fn next_chunk(layout: &[u8]) -> Chunk<'_> {
    for at in 0..layout.len() {
        let rest = &layout[at..];
        // `_2006` is an underscore before a year.
        if rest.starts_with(b"_2006") {
            return chunk(layout, at + 1, Element::LongYear, 4);
        }
        if let Some((element, length)) = element_at(rest) {
            return chunk(layout, at, element, length);
        }
    }
    Chunk {
        prefix: layout,
        element: None,
        shown: b"",
        suffix: b"",
    }
}

fn chunk(layout: &[u8], at: usize, element: Element, length: usize) -> Chunk<'_> {
    Chunk {
        prefix: &layout[..at],
        element: Some(element),
        shown: &layout[at..at + length],
        suffix: &layout[at + length..],
    }
}

fn element_at(rest: &[u8]) -> Option<(Element, usize)> {
    if matches!(rest[0], b'.' | b',') {
        return fraction(rest);
    }
    let (name, element) = ELEMENTS.iter().find(|(name, element)| {
        let abbreviation = matches!(element, Element::Month | Element::Weekday);
        // "Mone" or "Janet" are words.
        let in_word = abbreviation && rest.get(3).is_some_and(u8::is_ascii_lowercase);
        rest.starts_with(name) && !in_word
    })?;
    if let Element::Offset(offset) = element {
        return Some(longest_offset(rest, offset.iso));
    }
    Some((*element, name.len()))
}

/// The longest of `-070000`, `-07:00:00`, `-0700`, `-07:00` and `-07` that stands here.
fn longest_offset(rest: &[u8], iso: bool) -> (Element, usize) {
    let forms: [(&[u8], bool, bool, bool); 4] = [
        (b"070000", false, true, true),
        (b"07:00:00", true, true, true),
        (b"0700", false, true, false),
        (b"07:00", true, true, false),
    ];
    let found = forms.into_iter().find(|(form, ..)| rest[1..].starts_with(form));
    let (form, colons, minutes, seconds) = found.unwrap_or((b"07", false, false, false));
    let offset = Offset {
        iso,
        colons,
        minutes,
        seconds,
    };
    (Element::Offset(offset), 1 + form.len())
}

/// `.000` or `,999`, unless another digit follows.
fn fraction(rest: &[u8]) -> Option<(Element, usize)> {
    let digit = *rest.get(1).filter(|b| matches!(b, b'0' | b'9'))?;
    let digits = rest[1..].iter().take_while(|&&b| b == digit).count();
    if rest.get(1 + digits).is_some_and(u8::is_ascii_digit) {
        return None;
    }
    let element = if digit == b'0' {
        Element::FractionExact(digits, rest[0])
    } else {
        Element::FractionShort(digits, rest[0])
    };
    Some((element, 1 + digits))
}

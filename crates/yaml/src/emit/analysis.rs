//! In which styles a text can be written.

/// What a text allows. `flow` is inside of `[]` and `{}`, `block` outside.
#[derive(Clone, Copy, Debug)]
pub(super) struct Analysis {
    pub(super) multiline: bool,
    pub(super) plain_in_flow: bool,
    pub(super) plain_in_block: bool,
    pub(super) single_quoted: bool,
    pub(super) literal: bool,
}

const ANYTHING: Analysis = Analysis {
    multiline: false,
    plain_in_flow: true,
    plain_in_block: true,
    single_quoted: true,
    literal: true,
};

/// Bytes that mean nothing anywhere in a plain scalar.
const HARMLESS: [bool; 256] = {
    let mut table = [false; 256];
    let mut b = 0;
    while b < 128 {
        let c = b as u8;
        table[b] = c.is_ascii_alphanumeric();
        b += 1;
    }
    let list = b"_./=+$();<^~";
    let mut i = 0;
    while i < list.len() {
        table[list[i] as usize] = true;
        i += 1;
    }
    table
};

/// Whether a text is made of bytes that need no thought at all.
pub(super) fn is_harmless(text: &str) -> bool {
    let bytes = text.as_bytes();
    matches!(bytes.first(), Some(b) if *b != b'.') && bytes.iter().all(|&b| HARMLESS[usize::from(b)])
}

/// Analyses a text. `tabs_are_printable` is go-yaml v3's opinion.
pub(super) fn analyse(text: &str, tabs_are_printable: bool) -> Analysis {
    if is_harmless(text) {
        return ANYTHING;
    }
    let bytes = text.as_bytes();
    if bytes.is_empty() {
        return Analysis {
            plain_in_flow: false,
            literal: false,
            ..ANYTHING
        };
    }
    let marker = text.starts_with("---") || text.starts_with("...");
    let (mut block_indicators, mut flow_indicators) = (marker, marker);
    let (mut line_breaks, mut special, mut tabs) = (false, false, false);
    let (mut break_space, mut space_break) = (false, false);
    let (mut after_space, mut after_break, mut after_blank) = (false, false, true);
    let (mut leading, mut trailing_space, mut trailing_break) = (false, false, false);

    for (i, c) in text.char_indices() {
        if c.is_ascii() && HARMLESS[c as usize] {
            (after_space, after_break, after_blank) = (false, false, false);
            continue;
        }
        let end = i + c.len_utf8();
        let before_blank = bytes.get(end).is_none_or(|b| matches!(b, b' ' | b'\t'));
        match (c, i) {
            (
                '#' | ',' | '[' | ']' | '{' | '}' | '&' | '*' | '!' | '|' | '>' | '\'' | '"' | '%' | '@'
                | '`',
                0,
            ) => {
                flow_indicators = true;
                block_indicators = true;
            }
            ('-', 0) if before_blank => {
                flow_indicators = true;
                block_indicators = true;
            }
            (',' | '?' | '[' | ']' | '{' | '}', _) if i > 0 => flow_indicators = true,
            ('?' | ':', _) => {
                flow_indicators = true;
                block_indicators |= before_blank && (c == ':' || i == 0);
            }
            ('#', _) if after_blank => {
                flow_indicators = true;
                block_indicators = true;
            }
            _ => {}
        }
        match c {
            '\t' if tabs_are_printable => tabs = true,
            _ => special |= !is_printable(c),
        }
        if c == ' ' {
            leading |= i == 0;
            trailing_space = end == bytes.len();
            break_space |= after_break;
            (after_space, after_break) = (true, false);
        } else if is_break(c) {
            line_breaks = true;
            leading |= i == 0;
            trailing_break = end == bytes.len();
            space_break |= after_space;
            (after_space, after_break) = (false, true);
        } else {
            (after_space, after_break) = (false, false);
        }
        after_blank = matches!(c, ' ' | '\t' | '\0') || is_break(c);
    }
    let unprintable = space_break || special;
    let plain =
        !(leading || trailing_space || trailing_break || break_space || tabs || unprintable || line_breaks);
    Analysis {
        multiline: line_breaks,
        plain_in_flow: plain && !flow_indicators,
        plain_in_block: plain && !block_indicators,
        single_quoted: !(break_space || tabs || unprintable),
        literal: !(trailing_space || unprintable),
    }
}

/// What go-yaml prints without an escape; not, for instance, what lies beyond 16 bits.
pub(super) fn is_printable(c: char) -> bool {
    matches!(c, '\n' | ' '..='~' | '\u{A0}'..='\u{D7FF}' | '\u{E000}'..='\u{FFFD}') && c != '\u{FEFF}'
}

/// A line break of YAML 1.1.
pub(super) fn is_break(c: char) -> bool {
    matches!(c, '\n' | '\r' | '\u{85}' | '\u{2028}' | '\u{2029}')
}

/// Whether a text has a line break.
pub(super) fn has_break(text: &str) -> bool {
    let suspect = |b: u8| matches!(b, b'\n' | b'\r' | 0xC2 | 0xE2);
    text.bytes().any(suspect) && text.contains(is_break)
}

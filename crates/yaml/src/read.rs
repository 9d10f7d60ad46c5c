//! Bytes to text: byte order marks, UTF-16, and the characters that YAML 1.1 allows.

use crate::error::{Error, ErrorKind};
use crate::limits::MAX_SOURCE_BYTES;
use crate::node::Position;
use std::borrow::Cow;

/// go-yaml reads its source in pieces of this many bytes, and finds what is wrong with a piece when it gets there.
/// An earlier mistake in the syntax is therefore reported first, if it is in an earlier piece.
const PIECE_BYTES: usize = 512;

/// How much of a text is looked at at once for characters that are not allowed.
const BLOCK_BYTES: usize = 64;

const INCOMPLETE: &str = "incomplete UTF-8 octet sequence";

/// The text of a source, up to the first piece that cannot be read.
pub(crate) struct Text<'a> {
    pub(crate) text: Cow<'a, str>,
    /// What is wrong right after `text`, if anything.
    pub(crate) broken: Option<Error>,
}

/// Decodes a source.
pub(crate) fn read(source: &[u8]) -> Result<Text<'_>, Error> {
    if source.len() > MAX_SOURCE_BYTES {
        return Err(Error::at(
            ErrorKind::Limit,
            Position::default(),
            "the document is too large",
        ));
    }
    match source {
        [0xFF, 0xFE, rest @ ..] => Ok(read_utf16(rest, u16::from_le_bytes)),
        [0xFE, 0xFF, rest @ ..] => Ok(read_utf16(rest, u16::from_be_bytes)),
        [0xEF, 0xBB, 0xBF, rest @ ..] => Ok(read_utf8(rest)),
        _ => Ok(read_utf8(source)),
    }
}

fn read_utf8(source: &[u8]) -> Text<'_> {
    let (valid, encoding_problem) = match std::str::from_utf8(source) {
        Ok(text) => (text, None),
        Err(e) => {
            let valid = std::str::from_utf8(&source[..e.valid_up_to()]).expect("the decoder said so");
            (valid, Some(utf8_problem(&source[e.valid_up_to()..])))
        }
    };
    let control = first_forbidden(valid);
    let (end, message) = match (control, encoding_problem) {
        (Some(at), _) => (at, "control characters are not allowed"),
        (None, Some(message)) => (valid.len(), message),
        (None, None) => {
            return Text {
                text: Cow::Borrowed(valid),
                broken: None,
            };
        }
    };
    let mut piece = match message {
        // The rest of the character may still come, so this is found only when all before it is used up.
        INCOMPLETE => end,
        _ => end - end % PIECE_BYTES,
    };
    while !valid.is_char_boundary(piece) {
        piece -= 1;
    }
    Text {
        text: Cow::Borrowed(&valid[..piece]),
        broken: Some(Error::at(ErrorKind::Encoding, position_of(valid, end), message)),
    }
}

/// What go-yaml says of bytes that are not UTF-8 at their start.
fn utf8_problem(bytes: &[u8]) -> &'static str {
    let width = match bytes[0] {
        0x00..=0x7F => 1,
        0xC0..=0xDF => 2,
        0xE0..=0xEF => 3,
        0xF0..=0xF7 => 4,
        _ => return "invalid leading UTF-8 octet",
    };
    if bytes.len() < width {
        return INCOMPLETE;
    }
    if bytes[1..width].iter().any(|b| b & 0xC0 != 0x80) {
        return "invalid trailing UTF-8 octet";
    }
    match (bytes[0], bytes[1]) {
        (0xC0 | 0xC1, _) | (0xE0, 0x80..=0x9F) | (0xF0, 0x80..=0x8F) => "invalid length of a UTF-8 sequence",
        _ => "invalid Unicode character",
    }
}

/// The first byte of a character outside of YAML 1.1's printable set and the byte order mark.
fn first_forbidden(text: &str) -> Option<usize> {
    let bytes = text.as_bytes();
    let suspect =
        |b: u8| (b < 0x20 && b != b'\t' && b != b'\n' && b != b'\r') || b == 0x7F || b == 0xC2 || b == 0xEF;
    // Blocks without a suspect are passed over without a branch for each byte.
    let clean = |block: &&[u8]| !block.iter().fold(false, |any, &b| any | suspect(b));
    let mut from = bytes.chunks(BLOCK_BYTES).take_while(clean).count() * BLOCK_BYTES;
    while let Some(step) = bytes.get(from..)?.iter().position(|&b| suspect(b)) {
        let at = from + step;
        match bytes[at] {
            0xC2 if !(0x80..0xA0).contains(&bytes[at + 1]) || bytes[at + 1] == 0x85 => {}
            0xEF if bytes[at + 1] != 0xBF || bytes[at + 2] < 0xBE => {}
            _ => return Some(at),
        }
        from = at + 1;
        let skipped = bytes[from..].chunks(BLOCK_BYTES).take_while(clean).count() * BLOCK_BYTES;
        from = (from + skipped).min(bytes.len());
    }
    None
}

fn read_utf16(source: &[u8], decode: fn([u8; 2]) -> u16) -> Text<'static> {
    let units = source.chunks_exact(2).map(|pair| decode([pair[0], pair[1]]));
    let mut text = String::with_capacity(source.len());
    let mut problem = None;
    for unit in char::decode_utf16(units) {
        match unit {
            Ok(c) => text.push(c),
            Err(e) if (0xDC00..0xE000).contains(&e.unpaired_surrogate()) => {
                problem = Some("unexpected low surrogate area");
                break;
            }
            Err(_) => {
                problem = Some("expected low surrogate area");
                break;
            }
        }
    }
    if problem.is_none() && source.len() % 2 == 1 {
        problem = Some("incomplete UTF-16 character");
    }
    if let Some(at) = first_forbidden(&text) {
        text.truncate(at);
        problem = Some("control characters are not allowed");
    }
    let broken =
        problem.map(|message| Error::at(ErrorKind::Encoding, position_of(&text, text.len()), message));
    Text {
        text: Cow::Owned(text),
        broken,
    }
}

fn position_of(text: &str, at: usize) -> Position {
    let before = &text[..at];
    let line = before.bytes().filter(|&b| b == b'\n').count() + 1;
    let start = before.rfind('\n').map_or(0, |i| i + 1);
    Position {
        line: u32::try_from(line).unwrap_or(u32::MAX),
        column: u32::try_from(before[start..].chars().count() + 1).unwrap_or(u32::MAX),
    }
}

//! A place in the text, and the character classes that YAML 1.1 knows there.

use crate::node::Position;

/// A place: all three count from 0, in characters, as go-yaml's marks do.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Mark {
    pub(crate) index: u32,
    pub(crate) line: u32,
    pub(crate) column: u32,
}

impl Mark {
    pub(crate) fn position(self) -> Position {
        Position {
            line: self.line + 1,
            column: self.column + 1,
        }
    }
}

/// The text and how far it has been read.
pub(super) struct Cursor<'a> {
    pub(super) text: &'a str,
    pub(super) pos: usize,
    pub(super) mark: Mark,
    /// Line breaks passed since the last character that is not blank.
    pub(super) newlines: u32,
}

impl<'a> Cursor<'a> {
    pub(super) fn new(text: &'a str) -> Cursor<'a> {
        let mut cursor = Cursor {
            text,
            pos: 0,
            mark: Mark::default(),
            newlines: 0,
        };
        // A second byte order mark. Anywhere else it is a character like others.
        if text.starts_with('\u{FEFF}') {
            cursor.skip();
        }
        cursor
    }

    /// The byte `ahead` of here; 0, which the reader lets nobody write, at and past the end.
    #[inline]
    pub(super) fn at(&self, ahead: usize) -> u8 {
        self.text.as_bytes().get(self.pos + ahead).copied().unwrap_or(0)
    }

    #[inline]
    pub(super) fn rest(&self) -> &'a [u8] {
        &self.text.as_bytes()[self.pos.min(self.text.len())..]
    }

    #[inline]
    pub(super) fn is_blank(&self, ahead: usize) -> bool {
        matches!(self.at(ahead), b' ' | b'\t')
    }

    /// Bytes of the line break `ahead` of here, CR LF counting as its CR; 0 where there is none.
    #[inline]
    pub(super) fn break_width(&self, ahead: usize) -> usize {
        match self.at(ahead) {
            b'\n' | b'\r' => 1,
            0xC2 if self.at(ahead + 1) == 0x85 => 2,
            0xE2 if self.at(ahead + 1) == 0x80 && matches!(self.at(ahead + 2), 0xA8 | 0xA9) => 3,
            _ => 0,
        }
    }

    #[inline]
    pub(super) fn is_break(&self, ahead: usize) -> bool {
        self.break_width(ahead) > 0
    }

    #[inline]
    pub(super) fn is_end(&self, ahead: usize) -> bool {
        self.at(ahead) == 0
    }

    #[inline]
    pub(super) fn is_breakz(&self, ahead: usize) -> bool {
        self.is_end(ahead) || self.is_break(ahead)
    }

    #[inline]
    pub(super) fn is_blankz(&self, ahead: usize) -> bool {
        self.is_blank(ahead) || self.is_breakz(ahead)
    }

    /// Passes one character that is not a line break.
    #[inline]
    pub(super) fn skip(&mut self) {
        let byte = self.at(0);
        if byte != b' ' && byte != b'\t' {
            self.newlines = 0;
        }
        self.pos += width(byte);
        self.mark.index += 1;
        self.mark.column += 1;
    }

    /// Passes `bytes` bytes, whole characters without a line break, the last of them not blank, and returns them.
    #[inline]
    pub(super) fn take(&mut self, bytes: usize) -> &'a str {
        let text = &self.text[self.pos..self.pos + bytes];
        self.pass(text);
        text
    }

    fn pass(&mut self, text: &str) {
        if text.is_empty() {
            return;
        }
        let continuations = text.as_bytes().iter().filter(|&&b| b & 0xC0 == 0x80).count();
        let chars = (text.len() - continuations) as u32;
        self.pos += text.len();
        self.mark.index += chars;
        self.mark.column += chars;
        self.newlines = 0;
    }

    /// Passes blanks.
    pub(super) fn skip_blanks(&mut self) {
        while self.is_blank(0) {
            self.skip();
        }
    }

    /// How many bytes are left on this line.
    pub(super) fn line_len(&self) -> usize {
        let rest = self.rest();
        let mut from = 0;
        while let Some(step) = rest[from..]
            .iter()
            .position(|b| matches!(b, b'\n' | b'\r' | 0xC2 | 0xE2))
        {
            if self.is_break(from + step) {
                return from + step;
            }
            from += step + 1;
        }
        rest.len()
    }

    /// Passes the rest of the line, which is not all blank, and returns it.
    pub(super) fn take_line(&mut self) -> &'a str {
        self.take(self.line_len())
    }

    /// Passes a line break, if one is here, and returns what it means in a scalar: all but LS and PS are a newline.
    pub(super) fn take_break(&mut self) -> &'static str {
        let (bytes, chars, meaning) = match (self.at(0), self.at(1), self.at(2)) {
            (b'\r', b'\n', _) => (2, 2, "\n"),
            (b'\r' | b'\n', ..) => (1, 1, "\n"),
            (0xC2, 0x85, _) => (2, 1, "\n"),
            (0xE2, 0x80, 0xA8) => (3, 1, "\u{2028}"),
            (0xE2, 0x80, 0xA9) => (3, 1, "\u{2029}"),
            _ => return "",
        };
        self.pos += bytes;
        self.mark.index += chars;
        self.mark.column = 0;
        self.mark.line += 1;
        self.newlines += 1;
        meaning
    }

    /// Whether `---` or `...` stands here, at the start of a line.
    #[inline]
    pub(super) fn at_document_indicator(&self) -> bool {
        self.mark.column == 0
            && (matches!(
                (self.at(0), self.at(1), self.at(2)),
                (b'-', b'-', b'-') | (b'.', b'.', b'.')
            ))
            && self.is_blankz(3)
    }

    /// Bytes of letters, digits, `_` and `-` from here.
    pub(super) fn word_len(&self) -> usize {
        let rest = self.rest();
        let is_word = |b: &u8| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'-');
        rest.iter().position(|b| !is_word(b)).unwrap_or(rest.len())
    }
}

/// Bytes of the character that starts with this byte.
#[inline]
fn width(first: u8) -> usize {
    match first {
        0x00..=0x7F => 1,
        0x80..=0xDF => 2,
        0xE0..=0xEF => 3,
        _ => 4,
    }
}

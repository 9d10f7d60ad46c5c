//! Scalars in quotes.

use super::plain::Joined;
use super::{Mark, Scanner, TokenKind};
use crate::error::Error;
use crate::node::Style;

impl<'a> Scanner<'a> {
    pub(super) fn fetch_quoted(&mut self) -> Result<(), Error> {
        self.save_key()?;
        self.key_allowed = false;
        let start = self.cursor.mark;
        let quote = self.cursor.at(0);
        self.cursor.skip();
        let mut value = Joined::new(self.cursor.pos);
        loop {
            if self.cursor.at_document_indicator() {
                return Err(self.mistake(start, "found unexpected document indicator"));
            }
            if self.cursor.is_end(0) {
                return Err(self.mistake(start, "found unexpected end of stream"));
            }
            let joined_lines = self.quoted_word(quote, start, &mut value)?;
            if self.cursor.at(0) == quote {
                break;
            }
            let space = self.cursor.pos;
            if joined_lines {
                self.breaks_after_escape(&mut value);
            } else if self.skip_space(&mut value, false, |_| Ok(()))? {
                value.fold(self.cursor.text);
            } else if self.cursor.pos > space {
                value.join_to(self.cursor.text, space, self.cursor.pos - space);
            }
            value.resume_at(self.cursor.pos);
        }
        self.cursor.skip();
        let style = match quote {
            b'"' => Style::DoubleQuoted,
            _ => Style::SingleQuoted,
        };
        let value = value.finish(self.cursor.text);
        self.push(TokenKind::Scalar(value, style), start);
        Ok(())
    }

    /// After an escaped line break nothing is folded: each further break is one.
    fn breaks_after_escape(&mut self, value: &mut Joined) {
        while self.cursor.is_blank(0) || self.cursor.is_break(0) {
            if self.cursor.is_blank(0) {
                self.cursor.skip();
            } else {
                let meaning = self.cursor.take_break();
                value.owned(self.cursor.text).push_str(meaning);
            }
        }
    }

    /// Reads up to the next blank, break or closing quote. True where it ended with an escaped line break.
    fn quoted_word(&mut self, quote: u8, start: Mark, value: &mut Joined) -> Result<bool, Error> {
        loop {
            let run = self.quoted_run(quote);
            if run > 0 {
                value.join_to(self.cursor.text, self.cursor.pos, run);
                self.cursor.take(run);
            }
            match self.cursor.at(0) {
                b'\'' if quote == b'\'' && self.cursor.at(1) == b'\'' => {
                    value.owned(self.cursor.text).push('\'');
                    self.cursor.take(2);
                }
                b'\\' if quote == b'"' && self.cursor.is_break(1) => {
                    value.owned(self.cursor.text);
                    self.cursor.skip();
                    self.cursor.take_break();
                    value.resume_at(self.cursor.pos);
                    return Ok(true);
                }
                b'\\' if quote == b'"' => {
                    let meaning = self.escape(start)?;
                    value.owned(self.cursor.text).push(meaning);
                }
                _ => return Ok(false),
            }
            value.resume_at(self.cursor.pos);
        }
    }

    fn quoted_run(&self, quote: u8) -> usize {
        let rest = self.cursor.rest();
        let stops = |b: &u8| matches!(*b, b' ' | b'\t' | b'\r' | b'\n' | b'\\' | 0xC2 | 0xE2) || *b == quote;
        let mut run = 0;
        loop {
            match rest[run..].iter().position(stops) {
                None => return rest.len(),
                Some(step) => run += step,
            }
            let goes_on = match rest[run] {
                0xC2 | 0xE2 => !self.cursor.is_break(run),
                b'\\' => quote == b'\'',
                _ => false,
            };
            if !goes_on {
                return run;
            }
            run += 1;
        }
    }

    /// Passes an escape sequence.
    fn escape(&mut self, start: Mark) -> Result<char, Error> {
        let (meaning, digits) = match self.cursor.at(1) {
            b'0' => ('\0', 0),
            b'a' => ('\x07', 0),
            b'b' => ('\x08', 0),
            b't' | b'\t' => ('\t', 0),
            b'n' => ('\n', 0),
            b'v' => ('\x0B', 0),
            b'f' => ('\x0C', 0),
            b'r' => ('\r', 0),
            b'e' => ('\x1B', 0),
            b' ' => (' ', 0),
            b'"' => ('"', 0),
            b'\'' => ('\'', 0),
            b'\\' => ('\\', 0),
            b'N' => ('\u{85}', 0),
            b'_' => ('\u{A0}', 0),
            b'L' => ('\u{2028}', 0),
            b'P' => ('\u{2029}', 0),
            b'x' => ('\0', 2),
            b'u' => ('\0', 4),
            b'U' => ('\0', 8),
            _ => return Err(self.mistake(start, "found unknown escape character")),
        };
        self.cursor.take(2);
        if digits == 0 {
            return Ok(meaning);
        }
        let mut code = 0u32;
        for i in 0..digits {
            let Some(digit) = char::from(self.cursor.at(i)).to_digit(16) else {
                return Err(self.mistake(start, "did not find expected hexdecimal number"));
            };
            code = code << 4 | digit;
        }
        let Some(meaning) = char::from_u32(code) else {
            return Err(self.mistake(start, "found invalid Unicode character escape code"));
        };
        self.cursor.take(digits);
        Ok(meaning)
    }
}

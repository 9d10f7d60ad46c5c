//! Anchors, aliases, tags and directives.

use super::token::TagName;
use super::{Mark, Scanner, TokenKind};
use crate::error::Error;

impl<'a> Scanner<'a> {
    pub(super) fn fetch_anchor(&mut self) -> Result<(), Error> {
        self.save_key()?;
        self.key_allowed = false;
        let start = self.cursor.mark;
        let is_alias = self.cursor.at(0) == b'*';
        self.cursor.skip();
        let name = self.cursor.take(self.cursor.word_len());
        let ended = self.cursor.is_blankz(0)
            || matches!(
                self.cursor.at(0),
                b'?' | b':' | b',' | b']' | b'}' | b'%' | b'@' | b'`'
            );
        if name.is_empty() || !ended {
            return Err(self.mistake(start, "did not find expected alphabetic or numeric character"));
        }
        let kind = match is_alias {
            true => TokenKind::Alias(name),
            false => TokenKind::Anchor(name),
        };
        self.push(kind, start);
        Ok(())
    }

    pub(super) fn fetch_tag(&mut self) -> Result<(), Error> {
        self.save_key()?;
        self.key_allowed = false;
        let start = self.cursor.mark;
        let (handle, suffix) = if self.cursor.at(1) == b'<' {
            self.cursor.take(2);
            let uri = self.tag_uri(start, None)?;
            if self.cursor.at(0) != b'>' {
                return Err(self.mistake(start, "did not find the expected '>'"));
            }
            self.cursor.skip();
            (String::new(), uri)
        } else {
            let handle = self.tag_handle(start, false)?;
            if handle.len() > 1 && handle.ends_with('!') {
                let suffix = self.tag_uri(start, None)?;
                (handle, suffix)
            } else {
                match self.tag_uri(start, Some(&handle))? {
                    empty if empty.is_empty() => (String::new(), "!".to_owned()),
                    suffix => ("!".to_owned(), suffix),
                }
            }
        };
        if !self.cursor.is_blankz(0) {
            return Err(self.mistake(start, "did not find expected whitespace or line break"));
        }
        let name = TagName { handle, rest: suffix };
        self.push(TokenKind::Tag(Box::new(name)), start);
        Ok(())
    }

    /// `!`, `!!` or `!word!`; without the last `!` it is the beginning of a local tag.
    fn tag_handle(&mut self, start: Mark, in_directive: bool) -> Result<String, Error> {
        if self.cursor.at(0) != b'!' {
            return Err(self.mistake(start, "did not find expected '!'"));
        }
        let mut len = 1;
        while matches!(self.cursor.at(len), b'_' | b'-') || self.cursor.at(len).is_ascii_alphanumeric() {
            len += 1;
        }
        let closed = self.cursor.at(len) == b'!';
        let handle = self.cursor.take(len + usize::from(closed)).to_owned();
        if !closed && in_directive && handle != "!" {
            return Err(self.mistake(start, "did not find expected '!'"));
        }
        Ok(handle)
    }

    /// The characters of a URI, escapes resolved; `head` is a handle that turned out to be the beginning of the tag.
    fn tag_uri(&mut self, start: Mark, head: Option<&str>) -> Result<String, Error> {
        let mut uri = head.map(|h| h[1..].to_owned()).unwrap_or_default();
        let mut any = head.is_some();
        loop {
            match self.cursor.at(0) {
                b'%' => uri.push(self.uri_escape(start)?),
                b if b.is_ascii_alphanumeric() || b"_-;/?:@&=+$,.!~*'()[]".contains(&b) => {
                    uri.push_str(self.cursor.take(1));
                }
                _ if any => return Ok(uri),
                _ => return Err(self.mistake(start, "did not find expected tag URI")),
            }
            any = true;
        }
    }

    /// One character, written as `%XX` for each of its octets.
    fn uri_escape(&mut self, start: Mark) -> Result<char, Error> {
        let mut octets = Vec::with_capacity(4);
        let mut width = 1;
        while octets.len() < width {
            let digit = |at: u8| char::from(at).to_digit(16);
            let (high, low) = (digit(self.cursor.at(1)), digit(self.cursor.at(2)));
            let (b'%', Some(high), Some(low)) = (self.cursor.at(0), high, low) else {
                return Err(self.mistake(start, "did not find URI escaped octet"));
            };
            let octet = (high << 4 | low) as u8;
            if octets.is_empty() {
                width = match octet {
                    0x00..=0x7F => 1,
                    0xC0..=0xDF => 2,
                    0xE0..=0xEF => 3,
                    0xF0..=0xF7 => 4,
                    _ => return Err(self.mistake(start, "found an incorrect leading UTF-8 octet")),
                };
            } else if octet & 0xC0 != 0x80 {
                return Err(self.mistake(start, "found an incorrect trailing UTF-8 octet"));
            }
            octets.push(octet);
            self.cursor.take(3);
        }
        let text = std::str::from_utf8(&octets).ok();
        text.and_then(|t| t.chars().next())
            .ok_or_else(|| self.mistake(start, "found an incorrect leading UTF-8 octet"))
    }

    pub(super) fn fetch_directive(&mut self) -> Result<(), Error> {
        self.end_of_blocks()?;
        let start = self.cursor.mark;
        self.cursor.skip();
        let name = self.cursor.take(self.cursor.word_len());
        if name.is_empty() {
            return Err(self.mistake(start, "could not find expected directive name"));
        }
        if !self.cursor.is_blankz(0) {
            return Err(self.mistake(start, "found unexpected non-alphabetical character"));
        }
        let kind = match name {
            "YAML" => self.version(start)?,
            "TAG" => self.tag_prefix(start)?,
            _ => return Err(self.mistake(start, "found unknown directive name")),
        };
        self.push(kind, start);
        self.cursor.skip_blanks();
        if self.cursor.at(0) == b'#' {
            self.cursor.take_line();
        }
        if !self.cursor.is_breakz(0) {
            return Err(self.mistake(start, "did not find expected comment or line break"));
        }
        self.cursor.take_break();
        Ok(())
    }

    fn version(&mut self, start: Mark) -> Result<TokenKind<'a>, Error> {
        self.cursor.skip_blanks();
        let major = self.version_number(start)?;
        if self.cursor.at(0) != b'.' {
            return Err(self.mistake(start, "did not find expected digit or '.' character"));
        }
        self.cursor.skip();
        let minor = self.version_number(start)?;
        Ok(TokenKind::Version(major, minor))
    }

    fn version_number(&mut self, start: Mark) -> Result<u8, Error> {
        let mut number = None;
        for _ in 0..2 {
            if self.cursor.at(0).is_ascii_digit() {
                number = Some(number.unwrap_or(0) * 10 + (self.cursor.at(0) - b'0'));
                self.cursor.skip();
            }
        }
        if self.cursor.at(0).is_ascii_digit() {
            return Err(self.mistake(start, "found extremely long version number"));
        }
        number.ok_or_else(|| self.mistake(start, "did not find expected version number"))
    }

    fn tag_prefix(&mut self, start: Mark) -> Result<TokenKind<'a>, Error> {
        self.cursor.skip_blanks();
        let handle = self.tag_handle(start, true)?;
        if !self.cursor.is_blank(0) {
            return Err(self.mistake(start, "did not find expected whitespace"));
        }
        self.cursor.skip_blanks();
        let prefix = self.tag_uri(start, None)?;
        if !self.cursor.is_blankz(0) {
            return Err(self.mistake(start, "did not find expected whitespace or line break"));
        }
        Ok(TokenKind::TagPrefix(Box::new(TagName { handle, rest: prefix })))
    }
}

//! Literal and folded scalars.

use super::{Flavour, Mark, Scanner, TokenKind};
use crate::error::Error;
use crate::node::Style;
use std::borrow::Cow;

/// What happens to the line breaks at the end.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Chomping {
    Strip,
    Clip,
    Keep,
}

impl<'a> Scanner<'a> {
    pub(super) fn fetch_block_scalar(&mut self) -> Result<(), Error> {
        self.remove_key()?;
        self.key_allowed = true;
        let start = self.cursor.mark;
        let style = match self.cursor.at(0) {
            b'|' => Style::Literal,
            _ => Style::Folded,
        };
        self.cursor.skip();
        let (chomping, increment) = self.block_header(start)?;
        let mut indent = match increment {
            0 => 0,
            n => self.indent.max(0) + i64::from(n),
        };
        let mut breaks = String::new();
        let mut end = self.block_breaks(&mut indent, &mut breaks, start)?;

        let mut value = String::new();
        let mut line_break = "";
        let mut after_blank = false;
        while i64::from(self.cursor.mark.column) == indent && !self.cursor.is_end(0) {
            let blank = self.cursor.is_blank(0);
            let folds = style == Style::Folded && !after_blank && !blank && line_break == "\n";
            match (folds, breaks.is_empty()) {
                (true, true) => value.push(' '),
                (true, false) => {}
                (false, _) => value.push_str(line_break),
            }
            value.push_str(&breaks);
            breaks.clear();
            after_blank = blank;
            value.push_str(self.cursor.take_line());
            line_break = self.cursor.take_break();
            end = self.block_breaks(&mut indent, &mut breaks, start)?;
        }
        if chomping != Chomping::Strip {
            value.push_str(line_break);
        }
        if chomping == Chomping::Keep {
            value.push_str(&breaks);
        }
        self.push(TokenKind::Scalar(Cow::Owned(value), style), start);
        self.queue.back_mut().expect("just pushed").end = end;
        Ok(())
    }

    /// Reads `+`, `-` and the indentation in either order, and the rest of the line.
    fn block_header(&mut self, start: Mark) -> Result<(Chomping, u8), Error> {
        let mut chomping = Chomping::Clip;
        let mut increment = 0;
        for step in 0..2 {
            match self.cursor.at(0) {
                b'+' | b'-' if chomping == Chomping::Clip => {
                    chomping = match self.cursor.at(0) {
                        b'+' => Chomping::Keep,
                        _ => Chomping::Strip,
                    };
                    self.cursor.skip();
                }
                b'0' if increment == 0 => {
                    return Err(self.mistake(start, "found an indentation indicator equal to 0"));
                }
                digit @ b'1'..=b'9' if increment == 0 => {
                    increment = digit - b'0';
                    self.cursor.skip();
                }
                _ if step == 0 => break,
                _ => {}
            }
        }
        self.cursor.skip_blanks();
        if self.cursor.at(0) == b'#' {
            if self.flavour == Flavour::V3 {
                self.scan_line_comment(start);
            }
            self.cursor.take_line();
        }
        if !self.cursor.is_breakz(0) {
            return Err(self.mistake(start, "did not find expected comment or line break"));
        }
        self.cursor.take_break();
        Ok((chomping, increment))
    }

    /// Passes indentation and empty lines; finds the indentation if it is still 0. The place where they ended.
    fn block_breaks(&mut self, indent: &mut i64, breaks: &mut String, start: Mark) -> Result<Mark, Error> {
        let mut end = self.cursor.mark;
        let mut deepest = 0;
        loop {
            let indenting = |s: &Self| *indent == 0 || i64::from(s.cursor.mark.column) < *indent;
            while indenting(self) && self.cursor.at(0) == b' ' {
                self.cursor.skip();
            }
            deepest = deepest.max(i64::from(self.cursor.mark.column));
            if indenting(self) && self.cursor.at(0) == b'\t' {
                let message = "found a tab character where an indentation space is expected";
                return Err(self.mistake(start, message));
            }
            if !self.cursor.is_break(0) {
                break;
            }
            breaks.push_str(self.cursor.take_break());
            end = self.cursor.mark;
        }
        if *indent == 0 {
            *indent = deepest.max(self.indent + 1).max(1);
        }
        Ok(end)
    }
}

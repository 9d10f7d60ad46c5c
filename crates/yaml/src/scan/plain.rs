//! Scalars without quotes.

use super::{Scanner, TokenKind};
use crate::error::Error;
use crate::node::Style;
use std::borrow::Cow;

/// Bytes at which a run of ordinary characters must look closer: blanks, breaks, `:` and flow indicators.
const STOPS: [bool; 256] = {
    let mut stops = [false; 256];
    let mut i = 0;
    let list = b" \t\r\n:,?[]{}\xC2\xE2\0";
    while i < list.len() {
        stops[list[i] as usize] = true;
        i += 1;
    }
    stops
};

impl<'a> Scanner<'a> {
    pub(super) fn fetch_plain(&mut self) -> Result<(), Error> {
        self.save_key()?;
        self.key_allowed = false;
        let start = self.cursor.mark;
        let mut end = start;
        let least_column = self.indent + 1;
        let mut value = Joined::new(self.cursor.pos);
        let mut broken_line = false;
        loop {
            if self.cursor.at_document_indicator() || self.cursor.at(0) == b'#' {
                break;
            }
            let run = self.plain_run();
            if run > 0 {
                value.join_to(self.cursor.text, self.cursor.pos, run);
                broken_line = false;
                self.cursor.take(run);
                end = self.cursor.mark;
            }
            if !self.cursor.is_blank(0) && !self.cursor.is_break(0) {
                break;
            }
            broken_line |= self.skip_space(&mut value, broken_line, |s| {
                let violates = i64::from(s.cursor.mark.column) < least_column;
                match violates && s.cursor.at(0) == b'\t' {
                    true => Err(s.mistake(start, "found a tab character that violates indentation")),
                    false => Ok(()),
                }
            })?;
            if !self.in_flow() && i64::from(self.cursor.mark.column) < least_column {
                break;
            }
        }
        let value = value.finish(self.cursor.text);
        self.push(TokenKind::Scalar(value, Style::Plain), start);
        self.queue.back_mut().expect("just pushed").end = end;
        if broken_line {
            self.key_allowed = true;
        }
        Ok(())
    }

    /// Bytes from here to the next blank, break or indicator that ends a plain scalar.
    fn plain_run(&self) -> usize {
        let rest = self.cursor.rest();
        let in_flow = self.in_flow();
        let mut run = 0;
        loop {
            match rest[run..].iter().position(|&b| STOPS[usize::from(b)]) {
                None => return rest.len(),
                Some(step) => run += step,
            }
            let ends = match rest[run] {
                b':' => self.cursor.is_blankz(run + 1),
                b',' | b'?' | b'[' | b']' | b'{' | b'}' => in_flow,
                0xC2 | 0xE2 => self.cursor.is_break(run),
                _ => true,
            };
            if ends {
                return run;
            }
            run += 1;
        }
    }

    /// Passes blanks and line breaks inside of a scalar that folds them, and remembers what they fold to. `check` is
    /// asked before each blank that stands at the start of a line.
    pub(super) fn skip_space(
        &mut self,
        value: &mut Joined,
        mut broken_line: bool,
        check: impl Fn(&Self) -> Result<(), Error>,
    ) -> Result<bool, Error> {
        loop {
            if self.cursor.is_blank(0) {
                if broken_line {
                    check(self)?;
                }
                self.cursor.skip();
            } else if self.cursor.is_break(0) {
                value.line_break(self.cursor.take_break());
                broken_line = true;
            } else {
                return Ok(broken_line);
            }
        }
    }
}

/// The text of a scalar that may run over lines: a slice of the source as long as it does not.
pub(super) struct Joined {
    start: usize,
    end: usize,
    owned: Option<String>,
    first_break: &'static str,
    more_breaks: String,
}

impl Joined {
    pub(super) fn new(pos: usize) -> Joined {
        Joined {
            start: pos,
            end: pos,
            owned: None,
            first_break: "",
            more_breaks: String::new(),
        }
    }

    fn line_break(&mut self, meaning: &'static str) {
        if self.first_break.is_empty() {
            self.first_break = meaning;
        } else {
            self.more_breaks.push_str(meaning);
        }
    }

    /// Whether line breaks wait to be folded.
    pub(super) fn is_broken(&self) -> bool {
        !self.first_break.is_empty()
    }

    /// What is written so far, as text that can be added to.
    pub(super) fn owned(&mut self, text: &str) -> &mut String {
        let (start, end) = (self.start, self.end);
        self.owned.get_or_insert_with(|| text[start..end].to_owned())
    }

    /// Folds the line breaks that wait: one is a space, each further one is a newline.
    pub(super) fn fold(&mut self, text: &str) {
        if !self.is_broken() {
            return;
        }
        let (first, more) = (self.first_break, std::mem::take(&mut self.more_breaks));
        self.first_break = "";
        let out = self.owned(text);
        match (first, more.as_str()) {
            ("\n", "") => out.push(' '),
            ("\n", _) => {}
            _ => out.push_str(first),
        }
        out.push_str(&more);
    }

    /// Adds `run` bytes of the text at `pos`, and what stands between them and what was added before.
    pub(super) fn join_to(&mut self, text: &str, pos: usize, run: usize) {
        if self.is_broken() {
            self.fold(text);
            self.owned(text).push_str(&text[pos..pos + run]);
        } else if let Some(out) = &mut self.owned {
            out.push_str(&text[self.end..pos + run]);
        }
        self.end = pos + run;
    }

    /// Leaves out the source up to `pos`: what it means was added by hand.
    pub(super) fn resume_at(&mut self, pos: usize) {
        self.end = pos;
    }

    pub(super) fn finish(self, text: &str) -> Cow<'_, str> {
        match self.owned {
            Some(text) => Cow::Owned(text),
            None => Cow::Borrowed(&text[self.start..self.end]),
        }
    }
}

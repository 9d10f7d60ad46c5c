//! Text to tokens. The grammar is libyaml's reading of YAML 1.1, because that is what Helm and kustomize read with:
//! where a mapping begins is known only when its first `:` is met, so tokens wait in a queue until that is decided.

mod block;
mod comments;
mod cursor;
mod plain;
mod properties;
mod quoted;
mod token;

pub(crate) use comments::Pending;
pub(crate) use cursor::Mark;
pub(crate) use token::{Look, TagName, Token, TokenKind};

use crate::error::{Error, ErrorKind};
use crate::limits::{MAX_DEPTH, MAX_SIMPLE_KEY_CHARS};
use comments::Comments;
use cursor::Cursor;
use std::collections::VecDeque;

/// Whose habits to follow where go-yaml's versions differ.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Flavour {
    /// go-yaml v2: no comments, one token at a time.
    V2,
    /// go-yaml v3: comments are kept, which needs two tokens of foresight.
    V3,
}

/// A mistake, before it is known how its line is counted.
pub(crate) struct Mistake {
    pub(crate) message: &'static str,
    /// Where the construct began that is wrong; the start of the text if there is none.
    pub(crate) context: Mark,
    pub(crate) place: Mark,
    /// Found by the scanner, rather than by the parser: go-yaml counts their lines differently.
    pub(crate) scanning: bool,
}

impl Mistake {
    /// The error, with the line that go-yaml prints, which is one too low for mistakes that the parser finds.
    pub(crate) fn into_error(self, flavour: Flavour) -> Error {
        let counted = |mark: Mark| mark.line + u32::from(self.scanning);
        let line = match flavour {
            Flavour::V2 if self.place.line != 0 => counted(self.place),
            Flavour::V2 => self.context.line,
            Flavour::V3 if self.context.line != 0 => counted(self.context),
            Flavour::V3 if self.place.line != 0 => counted(self.place),
            Flavour::V3 => 0,
        };
        let position = self.place.position();
        match line {
            0 => Error::at(ErrorKind::Syntax, position, self.message),
            _ => Error::at(
                ErrorKind::Syntax,
                position,
                format!("line {line}: {}", self.message),
            ),
        }
    }
}

/// A place where a key may have begun whose `:` has not been met yet.
#[derive(Clone, Copy)]
struct SimpleKey {
    possible: bool,
    /// Whether the head of the queue waits for it; go-yaml forgets that after an empty `[]` or `{}`.
    awaited: bool,
    required: bool,
    token_number: usize,
    mark: Mark,
}

const NO_KEY: SimpleKey = SimpleKey {
    possible: false,
    awaited: false,
    required: false,
    token_number: 0,
    mark: Mark {
        index: 0,
        line: 0,
        column: 0,
    },
};

/// Finds tokens, on demand.
pub(crate) struct Scanner<'a> {
    cursor: Cursor<'a>,
    flavour: Flavour,
    /// What is wrong right after the text, if anything.
    broken: Option<Error>,
    queue: VecDeque<Token<'a>>,
    /// Tokens taken out of the queue so far.
    taken: usize,
    /// Whether the head of the queue is known not to change any more.
    ready: bool,
    /// The column of the innermost block collection; -1 outside of all.
    indent: i64,
    indents: Vec<i64>,
    /// One for each open flow collection, and one for the block level.
    keys: Vec<SimpleKey>,
    key_allowed: bool,
    comments: Comments,
}

impl<'a> Scanner<'a> {
    /// A scanner for a text; `broken` is what the reader found behind it.
    pub(crate) fn new(text: &'a str, broken: Option<Error>, flavour: Flavour) -> Scanner<'a> {
        let mark = Mark::default();
        let start = Token {
            kind: TokenKind::StreamStart,
            start: mark,
            end: mark,
        };
        Scanner {
            cursor: Cursor::new(text),
            flavour,
            broken,
            queue: VecDeque::from([start]),
            taken: 0,
            ready: false,
            indent: -1,
            indents: Vec::new(),
            keys: vec![NO_KEY],
            key_allowed: true,
            comments: Comments::default(),
        }
    }

    pub(crate) fn flavour(&self) -> Flavour {
        self.flavour
    }

    /// The next token, and the comments that belong to it or stand before it.
    #[inline]
    pub(crate) fn peek(&mut self, pending: &mut Pending) -> Result<&Token<'a>, Error> {
        if !self.ready {
            self.fill()?;
        }
        let head = self.queue.front().expect("filled above");
        if self.comments.waiting() {
            self.comments.hand_over(head, pending);
        }
        Ok(head)
    }

    /// Takes the token that [`Scanner::peek`] showed.
    #[inline]
    pub(crate) fn take(&mut self) -> Token<'a> {
        self.ready = false;
        self.taken += 1;
        self.queue.pop_front().expect("a token was peeked at before")
    }

    fn fill(&mut self) -> Result<(), Error> {
        let foresight = match self.flavour {
            Flavour::V2 => 0,
            Flavour::V3 => 2,
        };
        loop {
            if self.queue.len() > foresight && !self.head_may_be_key()? {
                break;
            }
            self.fetch().map_err(|e| self.reader_error_or(e))?;
        }
        self.ready = true;
        Ok(())
    }

    /// go-yaml meets what cannot be read when its buffer is filled up to there, before it looks at the text.
    fn reader_error_or(&mut self, error: Error) -> Error {
        let near_the_end = self.cursor.pos + 4 > self.cursor.text.len();
        match self.broken.take() {
            Some(broken) if near_the_end => broken,
            broken => {
                self.broken = broken;
                error
            }
        }
    }

    fn mistake(&self, context: Mark, message: &'static str) -> Error {
        Mistake {
            message,
            context,
            place: self.cursor.mark,
            scanning: true,
        }
        .into_error(self.flavour)
    }

    fn push(&mut self, kind: TokenKind<'a>, start: Mark) {
        let end = self.cursor.mark;
        self.queue.push_back(Token { kind, start, end });
    }

    /// Passes an indicator of `chars` ASCII characters and makes it a token.
    fn push_indicator(&mut self, kind: TokenKind<'a>, chars: usize) {
        let start = self.cursor.mark;
        self.cursor.take(chars);
        self.push(kind, start);
    }

    /// Finds one more token, or several where block collections begin or end.
    fn fetch(&mut self) -> Result<(), Error> {
        let scan_start = self.cursor.mark;
        self.skip_to_next_token();
        self.unroll(i64::from(self.cursor.mark.column), scan_start);
        if self.cursor.is_end(0) {
            return self.fetch_stream_end();
        }
        if self.cursor.mark.column == 0 {
            if self.cursor.at(0) == b'%' {
                return self.fetch_directive();
            }
            if self.cursor.at_document_indicator() {
                let kind = match self.cursor.at(0) {
                    b'-' => TokenKind::DocumentStart,
                    _ => TokenKind::DocumentEnd,
                };
                self.end_of_blocks()?;
                self.push_indicator(kind, 3);
                return Ok(());
            }
        }
        if self.flavour == Flavour::V2 {
            return self.fetch_content();
        }
        let in_flow = self.in_flow();
        let belongs_to_prior = matches!((in_flow, self.cursor.at(0)), (false, b':') | (true, b','));
        let comment_mark = match self.queue.back() {
            Some(prior) if belongs_to_prior => prior.start,
            _ => self.cursor.mark,
        };
        self.fetch_content()?;
        // A comment behind a lone `-` is about what follows, not about the dash.
        if !matches!(self.queue.back(), Some(t) if t.kind == TokenKind::BlockEntry) {
            self.scan_line_comment(comment_mark);
        }
        Ok(())
    }

    fn fetch_content(&mut self) -> Result<(), Error> {
        let in_flow = self.in_flow();
        match self.cursor.at(0) {
            b'[' => self.fetch_flow_start(TokenKind::FlowSequenceStart),
            b'{' => self.fetch_flow_start(TokenKind::FlowMappingStart),
            b']' => self.fetch_flow_end(TokenKind::FlowSequenceEnd),
            b'}' => self.fetch_flow_end(TokenKind::FlowMappingEnd),
            b',' => {
                self.remove_key()?;
                self.key_allowed = true;
                self.push_indicator(TokenKind::FlowEntry, 1);
                Ok(())
            }
            b'-' if self.cursor.is_blankz(1) => self.fetch_block_entry(),
            b'?' if in_flow || self.cursor.is_blankz(1) => self.fetch_key(),
            b':' if in_flow || self.cursor.is_blankz(1) => self.fetch_value(),
            b'*' | b'&' => self.fetch_anchor(),
            b'!' => self.fetch_tag(),
            b'|' | b'>' if !in_flow => self.fetch_block_scalar(),
            b'\'' | b'"' => self.fetch_quoted(),
            b'|' | b'>' | b'%' | b'@' | b'`' | b'#' | b'\t' => {
                Err(self.mistake(self.cursor.mark, "found character that cannot start any token"))
            }
            _ => self.fetch_plain(),
        }
    }

    fn in_flow(&self) -> bool {
        self.keys.len() > 1
    }

    /// Passes blanks, line breaks and comments.
    fn skip_to_next_token(&mut self) {
        let scan_start = self.cursor.mark;
        loop {
            // Tabs may separate, but not indent.
            let tabs = self.in_flow() || !self.key_allowed;
            while self.cursor.at(0) == b' ' || (tabs && self.cursor.at(0) == b'\t') {
                self.cursor.skip();
            }
            if self.flavour == Flavour::V3 {
                self.line_comment_to_head();
            }
            if self.cursor.at(0) == b'#' {
                match self.flavour {
                    Flavour::V2 => {
                        self.cursor.take_line();
                    }
                    Flavour::V3 => self.scan_comments(scan_start),
                }
            }
            if self.cursor.take_break().is_empty() {
                return;
            }
            if !self.in_flow() {
                self.key_allowed = true;
            }
        }
    }

    // Simple keys.

    /// Whether a key may begin at the head of the queue, so that more must be read before the head is known.
    fn head_may_be_key(&mut self) -> Result<bool, Error> {
        let taken = self.taken;
        let waits = |k: &SimpleKey| k.possible && k.awaited && k.token_number >= taken;
        match self.keys.iter().position(waits) {
            Some(i) if self.keys[i].token_number == taken => self.key_is_valid(i),
            _ => Ok(false),
        }
    }

    fn key_is_valid(&mut self, i: usize) -> Result<bool, Error> {
        let key = self.keys[i];
        let here = self.cursor.mark;
        if !key.possible {
            return Ok(false);
        }
        if key.mark.line < here.line || key.mark.index + MAX_SIMPLE_KEY_CHARS < here.index {
            if key.required {
                return Err(self.mistake(key.mark, "could not find expected ':'"));
            }
            self.keys[i].possible = false;
            return Ok(false);
        }
        Ok(true)
    }

    fn save_key(&mut self) -> Result<(), Error> {
        if self.key_allowed {
            let required = !self.in_flow() && self.indent == i64::from(self.cursor.mark.column);
            self.remove_key()?;
            *self.keys.last_mut().expect("the block level is never popped") = SimpleKey {
                possible: true,
                awaited: true,
                required,
                token_number: self.taken + self.queue.len(),
                mark: self.cursor.mark,
            };
        }
        Ok(())
    }

    fn remove_key(&mut self) -> Result<(), Error> {
        let key = self.keys.last_mut().expect("the block level is never popped");
        if key.possible {
            if key.required {
                let mark = key.mark;
                return Err(self.mistake(mark, "could not find expected ':'"));
            }
            key.possible = false;
        }
        Ok(())
    }

    // Block structure.

    /// Opens a block collection at `column` if that is deeper than the one we are in.
    fn roll(&mut self, mark: Mark, kind: TokenKind<'a>, at: Option<usize>) -> Result<(), Error> {
        let column = i64::from(mark.column);
        if self.in_flow() || self.indent >= column {
            return Ok(());
        }
        self.indents.push(self.indent);
        self.indent = column;
        self.check_depth()?;
        let token = Token {
            kind,
            start: mark,
            end: mark,
        };
        match at {
            Some(number) => self.insert(number, token),
            None => self.queue.push_back(token),
        }
        Ok(())
    }

    /// Inserts a token before the one with a number; at the end if that one is gone, which go-yaml lets happen.
    fn insert(&mut self, number: usize, token: Token<'a>) {
        match number.checked_sub(self.taken) {
            Some(at) if at <= self.queue.len() => self.queue.insert(at, token),
            _ => self.queue.push_back(token),
        }
    }

    fn check_depth(&self) -> Result<(), Error> {
        if self.indents.len() + self.keys.len() > MAX_DEPTH {
            let place = self.cursor.mark;
            let message = format!("line {}: exceeded max depth of {MAX_DEPTH}", place.line + 1);
            return Err(Error::at(ErrorKind::Limit, place.position(), message));
        }
        Ok(())
    }

    /// Closes the block collections that are deeper than `column`.
    fn unroll(&mut self, column: i64, scan_start: Mark) {
        if self.in_flow() {
            return;
        }
        let mut end = match self.flavour {
            Flavour::V2 => self.cursor.mark,
            // Right before the blank space, so that comments in it come after the end of the block.
            Flavour::V3 => Mark {
                index: scan_start.index.saturating_sub(1),
                ..scan_start
            },
        };
        let mut reach = i64::from(scan_start.index) - 1;
        while self.indent > column {
            // Without comments, as in v2, there is nothing to find.
            if let Some(comment) = self.comments.foot_of_block(self.indent, reach) {
                end = comment;
                reach = i64::from(comment.index);
            }
            self.queue.push_back(Token {
                kind: TokenKind::BlockEnd,
                start: end,
                end,
            });
            self.indent = self
                .indents
                .pop()
                .expect("each block collection pushed the one outside of it");
        }
    }

    fn end_of_blocks(&mut self) -> Result<(), Error> {
        self.unroll(-1, self.cursor.mark);
        self.remove_key()?;
        self.key_allowed = false;
        Ok(())
    }

    fn fetch_stream_end(&mut self) -> Result<(), Error> {
        if let Some(broken) = self.broken.take() {
            return Err(broken);
        }
        if self.cursor.mark.column != 0 {
            self.cursor.mark.column = 0;
            self.cursor.mark.line += 1;
        }
        self.end_of_blocks()?;
        self.push(TokenKind::StreamEnd, self.cursor.mark);
        Ok(())
    }

    fn fetch_flow_start(&mut self, kind: TokenKind<'a>) -> Result<(), Error> {
        self.save_key()?;
        self.keys.push(SimpleKey {
            token_number: self.taken + self.queue.len(),
            ..NO_KEY
        });
        self.check_depth()?;
        self.key_allowed = true;
        self.push_indicator(kind, 1);
        Ok(())
    }

    fn fetch_flow_end(&mut self, kind: TokenKind<'a>) -> Result<(), Error> {
        self.remove_key()?;
        if self.in_flow() {
            let closed = self.keys.pop();
            if let (Some(closed), Some(outer)) = (closed, self.keys.last_mut()) {
                outer.awaited &= closed.token_number != outer.token_number;
            }
        }
        self.key_allowed = false;
        self.push_indicator(kind, 1);
        Ok(())
    }

    fn fetch_block_entry(&mut self) -> Result<(), Error> {
        // In a flow collection the parser complains: it can point to the collection.
        if !self.in_flow() {
            let here = self.cursor.mark;
            if !self.key_allowed {
                return Err(self.mistake(here, "block sequence entries are not allowed in this context"));
            }
            self.roll(here, TokenKind::BlockSequenceStart, None)?;
        }
        self.remove_key()?;
        self.key_allowed = true;
        self.push_indicator(TokenKind::BlockEntry, 1);
        Ok(())
    }

    fn fetch_key(&mut self) -> Result<(), Error> {
        if !self.in_flow() {
            let here = self.cursor.mark;
            if !self.key_allowed {
                return Err(self.mistake(here, "mapping keys are not allowed in this context"));
            }
            self.roll(here, TokenKind::BlockMappingStart, None)?;
        }
        self.remove_key()?;
        self.key_allowed = !self.in_flow();
        self.push_indicator(TokenKind::Key, 1);
        Ok(())
    }

    fn fetch_value(&mut self) -> Result<(), Error> {
        let last = self.keys.len() - 1;
        if self.key_is_valid(last)? {
            let key = self.keys[last];
            self.insert(
                key.token_number,
                Token {
                    kind: TokenKind::Key,
                    start: key.mark,
                    end: key.mark,
                },
            );
            self.roll(key.mark, TokenKind::BlockMappingStart, Some(key.token_number))?;
            self.keys[last].possible = false;
            // A simple key cannot follow another on its line.
            self.key_allowed = false;
        } else {
            if !self.in_flow() {
                let here = self.cursor.mark;
                if !self.key_allowed {
                    return Err(self.mistake(here, "mapping values are not allowed in this context"));
                }
                self.roll(here, TokenKind::BlockMappingStart, None)?;
            }
            self.key_allowed = !self.in_flow();
        }
        self.push_indicator(TokenKind::Value, 1);
        Ok(())
    }
}

//! From the text of a template to lexical items, with Go's kinds and texts (`text/template/parse/lex.go` is the
//! reference for behaviour).

use std::borrow::Cow;

use crate::quote::{quote, unicode_name};
use crate::unicode;

/// The kind of an item.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(missing_docs)]
pub enum Kind {
    /// The scan ended here; the item's text says why.
    Error,
    Bool,
    /// A printable ASCII character that means nothing by itself, such as a comma.
    Char,
    CharConstant,
    Comment,
    Complex,
    Assign,
    Declare,
    Eof,
    /// `.name`
    Field,
    Identifier,
    LeftDelim,
    LeftParen,
    Number,
    Pipe,
    RawString,
    RightDelim,
    RightParen,
    Space,
    String,
    Text,
    /// `$name`
    Variable,
    Block,
    Break,
    Continue,
    Dot,
    Define,
    Else,
    End,
    If,
    Nil,
    Range,
    Template,
    With,
}

impl Kind {
    /// The kind's name in small letters, for example `leftdelim`.
    pub fn name(self) -> String {
        format!("{self:?}").to_lowercase()
    }

    fn is_keyword(self) -> bool {
        matches!(
            self,
            Kind::Block
                | Kind::Break
                | Kind::Continue
                | Kind::Dot
                | Kind::Define
                | Kind::Else
                | Kind::End
                | Kind::If
                | Kind::Nil
                | Kind::Range
                | Kind::Template
                | Kind::With
        )
    }
}

/// One lexical item.
#[derive(Clone, Debug)]
pub struct Item<'a> {
    /// What it is.
    pub kind: Kind,
    /// Where it starts, in bytes from the start of the text.
    pub pos: usize,
    /// Its text, quotes and all; of an error, the message.
    pub text: Cow<'a, [u8]>,
}

impl Item<'_> {
    /// The item as error messages name it: `<if>`, `"abc"`, `EOF`.
    pub fn describe(&self) -> String {
        let text = String::from_utf8_lossy(&self.text);
        if self.kind == Kind::Eof {
            "EOF".to_owned()
        } else if self.kind == Kind::Error {
            text.into_owned()
        } else if self.kind.is_keyword() {
            format!("<{text}>")
        } else if self.text.len() > 10 {
            let start = unicode::chars(&self.text)
                .nth(10)
                .map_or(self.text.len(), |(at, _, _)| at);
            format!("{}...", quote(&self.text[..start]))
        } else {
            quote(&self.text)
        }
    }
}

/// Which items a scan gives.
#[derive(Clone, Copy, Debug, Default)]
pub struct LexOptions {
    /// Give comments, too.
    pub comments: bool,
    /// `break` is a function's name, not a keyword.
    pub break_is_function: bool,
    /// `continue` is a function's name, not a keyword.
    pub continue_is_function: bool,
}

/// The delimiters of actions: `{{` and `}}` unless told otherwise.
#[derive(Clone, Debug)]
pub struct Delims {
    left: Box<[u8]>,
    right: Box<[u8]>,
}

impl Delims {
    /// Other delimiters; an empty one is the usual one.
    pub fn new(left: &str, right: &str) -> Delims {
        let or =
            |given: &str, usual: &str| Box::from(if given.is_empty() { usual } else { given }.as_bytes());
        Delims {
            left: or(left, "{{"),
            right: or(right, "}}"),
        }
    }
}

impl Default for Delims {
    fn default() -> Delims {
        Delims::new("", "")
    }
}

/// A scan of one text. After an error or the end, every further item is the end.
pub struct Lexer<'a> {
    text: &'a [u8],
    delims: &'a Delims,
    options: LexOptions,
    pos: usize,
    start: usize,
    inside_action: bool,
    parens: usize,
}

/// A space between items. Not a search in a list: that would be a call for each byte.
#[inline]
fn is_space(byte: u8) -> bool {
    matches!(byte, b' ' | b'\t' | b'\r' | b'\n')
}

impl<'a> Lexer<'a> {
    /// Starts a scan.
    pub fn new(text: &'a [u8], delims: &'a Delims, options: LexOptions) -> Lexer<'a> {
        Lexer {
            text,
            delims,
            options,
            pos: 0,
            start: 0,
            inside_action: false,
            parens: 0,
        }
    }

    /// The next item.
    pub fn next_item(&mut self) -> Item<'a> {
        loop {
            let item = if self.inside_action {
                Some(self.action())
            } else {
                self.text_or_delim()
            };
            if let Some(item) = item {
                return item;
            }
        }
    }

    fn rest(&self) -> &'a [u8] {
        &self.text[self.pos..]
    }

    /// The next character without consuming it; `None` at the end.
    fn peek(&self) -> Option<char> {
        let rest = self.rest();
        (!rest.is_empty()).then(|| unicode::decode(rest).0)
    }

    fn next(&mut self) -> Option<char> {
        let rest = self.rest();
        if rest.is_empty() {
            return None;
        }
        let (c, length) = unicode::decode(rest);
        self.pos += length;
        Some(c)
    }

    /// The item from the start to here; the next one starts here.
    fn item(&mut self, kind: Kind) -> Item<'a> {
        let item = Item {
            kind,
            pos: self.start,
            text: Cow::Borrowed(&self.text[self.start..self.pos]),
        };
        self.ignore();
        item
    }

    /// Drops what was consumed since the last item.
    fn ignore(&mut self) {
        self.start = self.pos;
    }

    fn error(&mut self, message: impl Into<String>) -> Item<'a> {
        let item = Item {
            kind: Kind::Error,
            pos: self.start,
            text: Cow::Owned(message.into().into_bytes()),
        };
        self.text = &[];
        self.pos = 0;
        self.start = 0;
        self.inside_action = false;
        item
    }

    /// Text up to the next action, the end, or the action's delimiter; nothing where a comment was skipped.
    fn text_or_delim(&mut self) -> Option<Item<'a>> {
        let Some(length) = find(self.rest(), &self.delims.left) else {
            self.pos = self.text.len();
            return Some(if self.pos > self.start {
                self.item(Kind::Text)
            } else {
                self.item(Kind::Eof)
            });
        };
        if length > 0 {
            let delim = self.pos + length;
            let mut end = delim;
            if has_left_trim(&self.text[delim + self.delims.left.len()..]) {
                end = self.start + self.text[self.start..delim].trim_end_spaces().len();
            }
            self.pos = end;
            let item = self.item(Kind::Text);
            self.pos = delim;
            self.ignore();
            if !item.text.is_empty() {
                return Some(item);
            }
        }
        self.left_delim()
    }

    fn left_delim(&mut self) -> Option<Item<'a>> {
        self.pos += self.delims.left.len();
        let marker = if has_left_trim(self.rest()) { 2 } else { 0 };
        if self.text[self.pos + marker..].starts_with(b"/*") {
            self.pos += marker;
            self.ignore();
            return self.comment();
        }
        let item = self.item(Kind::LeftDelim);
        self.inside_action = true;
        self.parens = 0;
        self.pos += marker;
        self.ignore();
        Some(item)
    }

    fn comment(&mut self) -> Option<Item<'a>> {
        let Some(length) = find(&self.rest()[2..], b"*/") else {
            return Some(self.error("unclosed comment"));
        };
        self.pos += 2 + length + 2;
        let Some(trim) = self.at_right_delim() else {
            return Some(self.error("comment ends before closing delimiter"));
        };
        let item = self.item(Kind::Comment);
        self.skip_right_delim(trim);
        self.options.comments.then_some(item)
    }

    /// Whether a right delimiter comes next, and if so whether it trims the text after it.
    #[inline]
    fn at_right_delim(&self) -> Option<bool> {
        let rest = self.rest();
        let first = *rest.first()?;
        // Most items start with neither.
        if first != self.delims.right[0] && !is_space(first) {
            return None;
        }
        if has_right_trim(rest) && rest[2..].starts_with(&self.delims.right) {
            Some(true)
        } else {
            rest.starts_with(&self.delims.right).then_some(false)
        }
    }

    fn skip_right_delim(&mut self, trim: bool) {
        if trim {
            self.pos += 2;
        }
        self.pos += self.delims.right.len();
        if trim {
            self.pos += leading_spaces(self.rest());
        }
        self.ignore();
    }

    fn right_delim(&mut self, trim: bool) -> Item<'a> {
        if trim {
            self.pos += 2;
            self.ignore();
        }
        self.pos += self.delims.right.len();
        let item = self.item(Kind::RightDelim);
        if trim {
            self.pos += leading_spaces(self.rest());
            self.ignore();
        }
        self.inside_action = false;
        item
    }

    /// One item inside an action.
    fn action(&mut self) -> Item<'a> {
        if let Some(trim) = self.at_right_delim() {
            if self.parens > 0 {
                return self.error("unclosed left paren");
            }
            return self.right_delim(trim);
        }
        let Some(c) = self.peek() else {
            return self.error("unclosed action");
        };
        match c {
            ' ' | '\t' | '\r' | '\n' => self.space(),
            '+' | '-' | '0'..='9' => self.number(),
            '.' if self.rest().get(1).is_some_and(u8::is_ascii_digit) => self.number(),
            '.' if self.rest().len() == 1 => self.number(),
            c if is_alphanumeric(c) => self.identifier(),
            c => {
                self.next();
                self.punctuation(c)
            }
        }
    }

    fn punctuation(&mut self, c: char) -> Item<'a> {
        match c {
            '=' => self.item(Kind::Assign),
            ':' if self.next() == Some('=') => self.item(Kind::Declare),
            ':' => self.error("expected :="),
            '|' => self.item(Kind::Pipe),
            '"' => self.quoted('"', Kind::String, "unterminated quoted string"),
            '\'' => self.quoted('\'', Kind::CharConstant, "unterminated character constant"),
            '`' => self.raw_string(),
            '$' => self.field_or_variable(Kind::Variable, Kind::Variable),
            '.' => self.field_or_variable(Kind::Field, Kind::Dot),
            '(' => {
                self.parens += 1;
                self.item(Kind::LeftParen)
            }
            ')' if self.parens == 0 => self.error("unexpected right paren"),
            ')' => {
                self.parens -= 1;
                self.item(Kind::RightParen)
            }
            c if c.is_ascii() && unicode::is_print(c) => self.item(Kind::Char),
            c => self.error(format!("unrecognized character in action: {}", unicode_name(c))),
        }
    }

    /// A run of spaces, less the last one where it belongs to a trimming delimiter.
    fn space(&mut self) -> Item<'a> {
        let run = leading_spaces(self.rest());
        self.pos += run;
        let last = &self.text[self.pos - 1..];
        if has_right_trim(last) && last[2..].starts_with(&self.delims.right) {
            self.pos -= 1;
            if run == 1 {
                return self.right_delim(true);
            }
        }
        self.item(Kind::Space)
    }

    fn identifier(&mut self) -> Item<'a> {
        self.skip_alphanumeric();
        if let Some(error) = self.bad_terminator() {
            return error;
        }
        let kind = match &self.text[self.start..self.pos] {
            b"block" => Kind::Block,
            b"break" if !self.options.break_is_function => Kind::Break,
            b"continue" if !self.options.continue_is_function => Kind::Continue,
            b"define" => Kind::Define,
            b"else" => Kind::Else,
            b"end" => Kind::End,
            b"if" => Kind::If,
            b"range" => Kind::Range,
            b"nil" => Kind::Nil,
            b"template" => Kind::Template,
            b"with" => Kind::With,
            b"true" | b"false" => Kind::Bool,
            _ => Kind::Identifier,
        };
        self.item(kind)
    }

    /// `.name` or `$name`, whose first character is consumed; `alone` is the kind of that character by itself.
    fn field_or_variable(&mut self, named: Kind, alone: Kind) -> Item<'a> {
        if self.at_terminator() {
            return self.item(alone);
        }
        self.skip_alphanumeric();
        match self.bad_terminator() {
            Some(error) => error,
            None => self.item(named),
        }
    }

    fn skip_alphanumeric(&mut self) {
        loop {
            let ascii = |b: &u8| !b.is_ascii_alphanumeric() && *b != b'_';
            self.pos += self.rest().iter().position(ascii).unwrap_or(self.rest().len());
            match self.peek() {
                Some(c) if !c.is_ascii() && is_alphanumeric(c) => self.next(),
                _ => return,
            };
        }
    }

    fn bad_terminator(&mut self) -> Option<Item<'a>> {
        if self.at_terminator() {
            return None;
        }
        let c = self.peek().unwrap_or(unicode::REPLACEMENT);
        Some(self.error(format!("bad character {}", unicode_name(c))))
    }

    /// Whether a name may end here; `$x+2` is not a name, a plus and a number.
    fn at_terminator(&self) -> bool {
        match self.rest().first() {
            None | Some(b' ' | b'\t' | b'\r' | b'\n' | b'.' | b',' | b'|' | b':' | b')' | b'(') => true,
            Some(_) => self.rest().starts_with(&self.delims.right),
        }
    }

    /// A string or character constant whose first quote is consumed; the parser checks its contents.
    fn quoted(&mut self, end: char, kind: Kind, unterminated: &str) -> Item<'a> {
        let ordinary = |b: u8| b.is_ascii() && !matches!(b, b'"' | b'\'' | b'\\' | b'\n');
        loop {
            self.pos += self.rest().iter().take_while(|b| ordinary(**b)).count();
            match self.next() {
                None | Some('\n') => return self.error(unterminated),
                Some('\\') if matches!(self.next(), None | Some('\n')) => {
                    return self.error(unterminated);
                }
                Some(c) if c == end => return self.item(kind),
                Some(_) => {}
            }
        }
    }

    fn raw_string(&mut self) -> Item<'a> {
        match memchr::memchr(b'`', self.rest()) {
            Some(length) => {
                self.pos += length + 1;
                self.item(Kind::RawString)
            }
            None => self.error("unterminated raw quoted string"),
        }
    }

    fn number(&mut self) -> Item<'a> {
        if !self.scan_number() {
            return self.bad_number();
        }
        if !matches!(self.peek(), Some('+' | '-')) {
            return self.item(Kind::Number);
        }
        if !self.scan_number() || self.text[self.pos - 1] != b'i' {
            return self.bad_number();
        }
        self.item(Kind::Complex)
    }

    fn bad_number(&mut self) -> Item<'a> {
        let message = format!("bad number syntax: {}", quote(&self.text[self.start..self.pos]));
        self.error(message)
    }

    /// Something that looks like a number; the parser finds out whether it is one.
    fn scan_number(&mut self) -> bool {
        const DECIMAL: &[u8] = b"0123456789_";
        const HEXADECIMAL: &[u8] = b"0123456789abcdefABCDEF_";
        self.accept(b"+-");
        let mut digits = DECIMAL;
        if self.accept(b"0") {
            if self.accept(b"xX") {
                digits = HEXADECIMAL;
            } else if self.accept(b"oO") {
                digits = b"01234567_";
            } else if self.accept(b"bB") {
                digits = b"01_";
            }
        }
        self.accept_run(digits);
        if self.accept(b".") {
            self.accept_run(digits);
        }
        let exponent: &[u8] = match digits {
            DECIMAL => b"eE",
            HEXADECIMAL => b"pP",
            _ => b"",
        };
        if self.accept(exponent) {
            self.accept(b"+-");
            self.accept_run(DECIMAL);
        }
        self.accept(b"i");
        if self.peek().is_some_and(is_alphanumeric) {
            self.next();
            return false;
        }
        true
    }

    fn accept(&mut self, valid: &[u8]) -> bool {
        let found = self.rest().first().is_some_and(|b| valid.contains(b));
        if found {
            self.pos += 1;
        }
        found
    }

    fn accept_run(&mut self, valid: &[u8]) {
        while self.accept(valid) {}
    }
}

/// The characters that names are made of.
#[inline]
fn is_alphanumeric(c: char) -> bool {
    if c.is_ascii() {
        return c == '_' || c.is_ascii_alphanumeric();
    }
    unicode::is_letter(c) || unicode::is_digit(c)
}

fn has_left_trim(rest: &[u8]) -> bool {
    matches!(rest, [b'-', space, ..] if is_space(*space))
}

fn has_right_trim(rest: &[u8]) -> bool {
    matches!(rest, [space, b'-', ..] if is_space(*space))
}

fn leading_spaces(rest: &[u8]) -> usize {
    rest.iter().position(|b| !is_space(*b)).unwrap_or(rest.len())
}

trait TrimEndSpaces {
    fn trim_end_spaces(&self) -> &[u8];
}

impl TrimEndSpaces for [u8] {
    fn trim_end_spaces(&self) -> &[u8] {
        let end = self
            .iter()
            .rposition(|b| !is_space(*b))
            .map_or(0, |last| last + 1);
        &self[..end]
    }
}

fn find(text: &[u8], what: &[u8]) -> Option<usize> {
    let first = *what.first()?;
    memchr::memchr_iter(first, text).find(|&at| text[at..].starts_with(what))
}

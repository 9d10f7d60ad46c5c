//! `snakecase`, `kebabcase` and `camelcase`, with the ideas of github.com/huandu/xstrings about where words begin.

use crate::func::{FuncResult, Host};
use crate::sprig::args::{string, text};
use crate::sprig::text::{is_number, is_punct, is_space, is_upper, runes, to_lower, to_upper};
use crate::unicode;
use crate::value::Value;

pub(super) fn snakecase(_: &mut dyn Host, args: &[Value]) -> FuncResult {
    string(joined_words(text(args, 0), '_'))
}

pub(super) fn kebabcase(_: &mut dyn Host, args: &[Value]) -> FuncResult {
    string(joined_words(text(args, 0), '-'))
}

pub(super) fn camelcase(_: &mut dyn Host, args: &[Value]) -> FuncResult {
    string(pascal_case(text(args, 0)))
}

fn is_connector(c: char) -> bool {
    c == '-' || c == '_' || is_space(c)
}

fn pascal_case(s: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(s.len());
    let mut letters = runes(s).map(|(c, _)| c).peekable();
    while let Some(c) = letters.next_if(|&c| is_connector(c)) {
        unicode::push(&mut out, c);
        if letters.peek().is_none() {
            // xstrings writes the last character of every text once more, even if it is a leading connector.
            unicode::push(&mut out, c);
        }
    }
    let Some(first) = letters.next() else {
        return out;
    };
    // `pending` is written when the character after it is known: a connector between two words vanishes.
    let mut in_capitals = is_upper(first);
    let mut pending = to_upper(first);
    for c in letters {
        let mut current = c;
        match (is_connector(pending), is_connector(current)) {
            (true, true) => unicode::push(&mut out, pending),
            (true, false) => {
                in_capitals = is_upper(current);
                current = to_upper(current);
            }
            (false, _) => {
                if in_capitals {
                    if is_upper(current) {
                        current = to_lower(current);
                    } else {
                        in_capitals = false;
                    }
                }
                unicode::push(&mut out, pending);
            }
        }
        pending = current;
    }
    unicode::push(&mut out, pending);
    out
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Word {
    /// The end of the text, or nothing but bytes that are not UTF-8.
    Invalid,
    Number,
    /// Starts with a capital.
    Capital,
    Letters,
    Connector,
    Punctuation,
    Other,
}

impl Word {
    /// Whether a word of this kind must be kept apart from the one before it.
    fn separable(self) -> bool {
        !matches!(self, Word::Connector | Word::Punctuation)
    }

    /// Whether it goes on a number, as in `2xx`.
    fn continues_number(self) -> bool {
        matches!(self, Word::Letters | Word::Number)
    }
}

/// Takes one word after the other off a text and writes them in lower case.
struct Joiner<'a> {
    out: Vec<u8>,
    connector: char,
    kind: Word,
    word: &'a [u8],
    rest: &'a [u8],
}

fn joined_words(s: &[u8], connector: char) -> Vec<u8> {
    let mut joiner = Joiner {
        out: Vec::with_capacity(s.len() + 8),
        connector,
        kind: Word::Invalid,
        word: b"",
        rest: s,
    };
    joiner.advance();
    while !joiner.rest.is_empty() {
        joiner.step();
    }
    joiner.write(joiner.kind, joiner.word);
    joiner.out
}

impl<'a> Joiner<'a> {
    fn advance(&mut self) {
        let (kind, length) = next_word(self.rest);
        self.kind = kind;
        (self.word, self.rest) = self.rest.split_at(length);
    }

    fn step(&mut self) {
        let (before, word) = (self.kind, self.word);
        if before != Word::Connector {
            self.write(before, word);
        }
        self.advance();
        match before {
            Word::Number => self.finish_number(),
            Word::Connector => self.write(before, word),
            Word::Punctuation => {}
            _ if self.kind != Word::Number => {
                if self.kind.separable() {
                    self.separate();
                }
            }
            _ if self.rest.is_empty() => {}
            _ => self.number_after_word(),
        }
    }

    /// A number belongs to the word before it (`bld4_floor`), unless small letters follow (`http_2xx`).
    fn number_after_word(&mut self) {
        let number = self.word;
        self.advance();
        if self.kind == Word::Letters {
            self.separate();
            self.write(Word::Number, number);
            self.finish_number();
        } else {
            self.write(Word::Number, number);
            if self.kind.separable() {
                self.separate();
            }
        }
    }

    fn finish_number(&mut self) {
        while self.kind.continues_number() {
            self.write(self.kind, self.word);
            self.advance();
        }
        if self.kind != Word::Invalid && self.kind.separable() {
            self.separate();
        }
    }

    fn separate(&mut self) {
        unicode::push(&mut self.out, self.connector);
    }

    fn write(&mut self, kind: Word, word: &'a [u8]) {
        if !matches!(kind, Word::Capital | Word::Connector) {
            self.out.extend_from_slice(word);
            return;
        }
        for (c, _) in runes(word) {
            let c = if is_connector(c) {
                self.connector
            } else if is_upper(c) {
                to_lower(c)
            } else {
                c
            };
            unicode::push(&mut self.out, c);
        }
    }
}

/// The kind of the first word and its length in bytes.
fn next_word(s: &[u8]) -> (Word, usize) {
    let (first, size) = next_valid(s, unicode::REPLACEMENT);
    if first == unicode::REPLACEMENT {
        return (Word::Invalid, size);
    }
    if is_connector(first) {
        (Word::Connector, run(s, size, first, is_connector))
    } else if is_punct(first) {
        (Word::Punctuation, run(s, size, first, is_punct))
    } else if is_upper(first) {
        (Word::Capital, capital_word(s, size, first))
    } else if is_alphabet(first) {
        (Word::Letters, run(s, size, first, is_small))
    } else if is_number(first) {
        (Word::Number, run(s, size, first, is_number))
    } else {
        let other = |c| !(is_connector(c) || is_alphabet(c) || is_number(c) || is_punct(c));
        (Word::Other, run(s, size, first, other))
    }
}

/// `Status`, or `HTTP` of `HTTPStatus`.
fn capital_word(s: &[u8], size: usize, first: char) -> usize {
    let (second, second_size) = next_valid(&s[size..], first);
    if second_size == 0 {
        return size;
    }
    if is_upper(second) {
        let mut end = size + second_size;
        let mut last_size = second_size;
        let mut previous = second;
        while end < s.len() {
            let (c, c_size) = next_valid(&s[end..], previous);
            if !is_upper(c) {
                return if is_alphabet(c) { end - last_size } else { end };
            }
            previous = c;
            last_size = c_size;
            end += c_size;
        }
        return end;
    }
    if is_alphabet(second) {
        return run(s, size + second_size, second, is_small);
    }
    size
}

/// Letters of scripts that write words; ideographs stand for themselves.
fn is_alphabet(c: char) -> bool {
    unicode::is_letter(c)
        && !matches!(c, '\u{4E00}'..='\u{9FCC}' | '\u{3400}'..='\u{4D85}' | '\u{20000}'..='\u{2B81D}')
}

fn is_small(c: char) -> bool {
    is_alphabet(c) && !is_upper(c)
}

/// Where the run that starts before `from` ends.
fn run(s: &[u8], from: usize, first: char, goes_on: impl Fn(char) -> bool) -> usize {
    let mut end = from;
    let mut previous = first;
    while end < s.len() {
        let (c, size) = next_valid(&s[end..], previous);
        if !goes_on(c) {
            break;
        }
        previous = c;
        end += size;
    }
    end
}

/// The next character that is valid, with the length of it and of the bad bytes before it; at the end, `previous`.
fn next_valid(s: &[u8], previous: char) -> (char, usize) {
    let mut length = 0;
    for (c, size) in runes(s) {
        length += size;
        if c != unicode::REPLACEMENT {
            return (c, length);
        }
    }
    (previous, length)
}

//! The shape that nearly all documents have, read in one pass: block mappings and sequences, scalars on one line, literal
//! blocks, short lists in brackets. No tokens and no tree are made on the way.
//!
//! Whatever else is met (anchors, tags, folded text, several documents, tabs, every mistake), the answer is `None`, and
//! the whole parser reads the document from its start. So nothing here needs to know an error, and a doubt costs time only.

use crate::dialect::Dialect;
use crate::resolve::{Resolved, resolve};
use serde_json::{Map, Number, Value};

/// Deeper documents are left to the parser, which bounds them.
const MAX_NESTING: usize = 60;

/// Longer keys are left to the parser, which knows how long a key may be.
const MAX_KEY_BYTES: usize = 500;

/// How much of a text is looked at at once for bytes that the parser must see.
const BLOCK_BYTES: usize = 64;

/// The document as [`crate::to_json`] gives it in [`Dialect::GoYaml11`], if it is a simple one. With `keep`, a mapping at
/// the top has only the entries whose keys are in that list, in letters of any case.
pub(crate) fn read(source: &[u8], keep: Option<&[&str]>) -> Option<Value> {
    if !source.chunks(BLOCK_BYTES).all(is_plain_text) {
        return None;
    }
    let text = std::str::from_utf8(source).ok()?;
    let mut reader = Reader {
        text,
        pos: 0,
        column: 0,
        depth: 0,
    };
    reader.next_line();
    if reader.at_end() || reader.column != 0 {
        return None;
    }
    let value = match reader.at_entry() {
        true => reader.sequence(true)?,
        false => reader.mapping(true, keep)?,
    };
    reader.at_end().then_some(value)
}

/// No control characters but line feeds, and no byte that could be the first of a line break or of a forbidden character
/// outside of ASCII.
fn is_plain_text(block: &[u8]) -> bool {
    let suspect = |b: u8| (b < 0x20 && b != b'\n') || matches!(b, 0x7F | 0xC2 | 0xE2 | 0xEF);
    !block.iter().fold(false, |any, &b| any | suspect(b))
}

/// Always at the first character of a line's content, but within `key` and `value`.
struct Reader<'a> {
    text: &'a str,
    pos: usize,
    /// Of the content of this line.
    column: usize,
    depth: usize,
}

impl<'a> Reader<'a> {
    fn byte(&self, at: usize) -> u8 {
        self.text.as_bytes().get(at).copied().unwrap_or(b'\n')
    }

    fn at_end(&self) -> bool {
        self.pos >= self.text.len()
    }

    /// Whether `-` and a blank stand here.
    fn at_entry(&self) -> bool {
        self.byte(self.pos) == b'-' && matches!(self.byte(self.pos + 1), b' ' | b'\n')
    }

    fn line_end(&self) -> usize {
        let rest = &self.text.as_bytes()[self.pos..];
        self.pos + memchr::memchr(b'\n', rest).unwrap_or(rest.len())
    }

    /// From the start of a line to the content of the first one that has some.
    fn next_line(&mut self) {
        loop {
            let start = self.pos;
            while self.pos < self.text.len() && self.byte(self.pos) == b' ' {
                self.pos += 1;
            }
            if self.at_end() {
                return;
            }
            match self.byte(self.pos) {
                b'\n' => self.pos += 1,
                b'#' => self.pos = self.line_end() + 1,
                _ => {
                    self.column = self.pos - start;
                    return;
                }
            }
        }
    }

    /// Ends the line, of which `rest` is left: blanks and a comment at most. What precedes it was no blank.
    fn end_of_line(&mut self, rest: &str) -> Option<()> {
        let behind = rest.trim_start_matches(' ');
        let commented = behind.starts_with('#') && behind.len() < rest.len();
        if !behind.is_empty() && !commented {
            return None;
        }
        self.pos = self.line_end() + 1;
        self.next_line();
        Some(())
    }

    fn mapping(&mut self, build: bool, keep: Option<&[&str]>) -> Option<Value> {
        let column = self.column;
        let mut map = Map::new();
        loop {
            let key = self.key()?;
            let wanted = |names: &[&str]| names.iter().any(|name| name.eq_ignore_ascii_case(key));
            let build = build && keep.is_none_or(wanted);
            let value = self.value(column, build, true)?;
            if build {
                map.insert(key.to_owned(), value);
            }
            if self.at_end() || self.column < column {
                return Some(Value::Object(map));
            }
            if self.column > column {
                return None;
            }
        }
    }

    fn sequence(&mut self, build: bool) -> Option<Value> {
        let column = self.column;
        let mut items = Vec::new();
        while !self.at_end() && self.column == column && self.at_entry() {
            let item = self.item(column, build)?;
            if build {
                items.push(item);
            }
        }
        if !self.at_end() && self.column > column {
            return None;
        }
        Some(Value::Array(items))
    }

    fn item(&mut self, column: usize, build: bool) -> Option<Value> {
        let start = self.pos;
        self.pos += 1;
        while self.pos < self.text.len() && self.byte(self.pos) == b' ' {
            self.pos += 1;
        }
        if self.at_entry() {
            return None;
        }
        let content = self.pos;
        if self.key().is_none() {
            self.pos = content;
            return self.value(column, build, false);
        }
        // A mapping that begins on the line of the dash.
        self.pos = content;
        self.column = column + (content - start);
        self.nested(|reader| reader.mapping(build, None))
    }

    fn nested(&mut self, read: impl FnOnce(&mut Self) -> Option<Value>) -> Option<Value> {
        self.depth += 1;
        if self.depth > MAX_NESTING {
            return None;
        }
        let value = read(self);
        self.depth -= 1;
        value
    }

    /// Passes a key that means its own text, its colon and the blanks behind it.
    fn key(&mut self) -> Option<&'a str> {
        let start = self.pos;
        let first = self.byte(start);
        let (key, end) = if matches!(first, b'"' | b'\'') {
            let key = self.quoted(first)?;
            (key, start + key.len() + 2)
        } else {
            let ordinary = |b: &u8| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'.' | b'/' | b'-');
            if !ordinary(&first) || first == b'-' {
                return None;
            }
            let rest = &self.text.as_bytes()[start..];
            let key = &self.text[start..start + rest.iter().take_while(|b| ordinary(b)).count()];
            if !matches!(
                resolve(key, Dialect::GoYaml11),
                Resolved::Str | Resolved::Timestamp
            ) {
                return None;
            }
            (key, start + key.len())
        };
        if self.byte(end) != b':' || !matches!(self.byte(end + 1), b' ' | b'\n') || key.len() > MAX_KEY_BYTES
        {
            return None;
        }
        self.pos = end + 1;
        while self.pos < self.text.len() && self.byte(self.pos) == b' ' {
            self.pos += 1;
        }
        Some(key)
    }

    /// What stands between quotes on this line, where nothing is escaped in it.
    fn quoted(&self, quote: u8) -> Option<&'a str> {
        let line = &self.text[self.pos..self.line_end()];
        let inner = &line[1..];
        let end = memchr::memchr(quote, inner.as_bytes())?;
        let text = &inner[..end];
        let escaped = match quote {
            b'"' => text.contains('\\'),
            _ => inner[end + 1..].starts_with('\''),
        };
        (!escaped).then_some(text)
    }

    /// The value behind a key or a dash of a collection at `parent`, to the content of the next line.
    fn value(&mut self, parent: usize, build: bool, of_key: bool) -> Option<Value> {
        let line = &self.text[self.pos..self.line_end()];
        let first = line.bytes().next().unwrap_or(b'#');
        match first {
            b'#' => {
                self.pos = self.line_end() + 1;
                self.next_line();
                self.below(parent, build, of_key)
            }
            b'"' | b'\'' => {
                let text = self.quoted(first)?;
                self.end_of_line(&line[text.len() + 2..])?;
                Some(string(text, build))
            }
            b'|' => self.literal(line, parent, build),
            b'{' if of_key && line.starts_with("{}") => {
                self.end_of_line(&line[2..])?;
                Some(Value::Object(Map::new()))
            }
            b'[' if of_key && line.starts_with("[]") => {
                self.end_of_line(&line[2..])?;
                Some(Value::Array(Vec::new()))
            }
            b'[' if of_key => self.list(line, build),
            b'-' if line.len() > 1 && !line.starts_with("- ") => self.plain(line, build),
            b'-' | b'?' | b':' | b',' | b'[' | b']' | b'{' | b'}' | b'&' | b'*' | b'!' | b'>' | b'%'
            | b'@' | b'`' | b'<' => None,
            _ => self.plain(line, build),
        }
    }

    /// What stands on the lines below a key or a dash, or nothing.
    fn below(&mut self, parent: usize, build: bool, of_key: bool) -> Option<Value> {
        if self.at_end() || self.column < parent {
            return Some(Value::Null);
        }
        let entry = self.at_entry();
        match (self.column > parent, entry) {
            (true, true) => self.nested(|reader| reader.sequence(build)),
            (true, false) => self.nested(|reader| reader.mapping(build, None)),
            (false, true) if of_key => self.nested(|reader| reader.sequence(build)),
            (false, _) => Some(Value::Null),
        }
    }

    fn plain(&mut self, line: &str, build: bool) -> Option<Value> {
        let mut from = 0;
        let mut end = line.len();
        while let Some(step) = memchr::memchr2(b':', b'#', &line.as_bytes()[from..]) {
            let at = from + step;
            let is_comment = line.as_bytes()[at] == b'#' && line.as_bytes()[..at].last() == Some(&b' ');
            if is_comment {
                end = at;
                break;
            }
            if line.as_bytes()[at] == b':' && matches!(line.as_bytes().get(at + 1), None | Some(b' ')) {
                return None;
            }
            from = at + 1;
        }
        let text = line[..end].trim_end_matches(' ');
        self.end_of_line("")?;
        scalar(text, build)
    }

    /// `[a, "b"]`, with something in it.
    fn list(&mut self, line: &str, build: bool) -> Option<Value> {
        let mut items = Vec::new();
        let mut rest = line[1..].trim_start_matches(' ');
        loop {
            let item;
            (item, rest) = list_item(rest, build)?;
            items.push(item);
            rest = rest.trim_start_matches(' ');
            if let Some(behind) = rest.strip_prefix(',') {
                rest = behind.trim_start_matches(' ');
                continue;
            }
            self.end_of_line(rest.strip_prefix(']')?)?;
            return Some(Value::Array(items));
        }
    }

    /// `|` or `|-`, and the lines that are indented deeper than `parent`.
    fn literal(&mut self, line: &str, parent: usize, build: bool) -> Option<Value> {
        let stripped = match line {
            "|" => false,
            "|-" => true,
            _ => return None,
        };
        self.pos = self.line_end() + 1;
        let mut text = String::new();
        let mut indent = None;
        // Line breaks that count if another line of content follows.
        let mut breaks = 0;
        while !self.at_end() {
            let end = self.line_end();
            let line = &self.text[self.pos..end];
            let blanks = line.len() - line.trim_start_matches(' ').len();
            let indent = match indent {
                Some(indent) => indent,
                None if line.is_empty() => 0,
                // Blanks alone, before it is known how deep the text is, are for the parser; so is no text at all.
                None if blanks == line.len() || blanks <= parent => return None,
                None => *indent.insert(blanks),
            };
            if indent == 0 || (blanks == line.len() && blanks <= indent) {
                breaks += 1;
            } else if blanks < indent {
                break;
            } else {
                if build {
                    text.extend(std::iter::repeat_n('\n', breaks));
                    text.push_str(&line[indent..]);
                }
                breaks = usize::from(end < self.text.len());
            }
            self.pos = end + 1;
        }
        indent?;
        if !stripped && breaks > 0 {
            text.push('\n');
        }
        self.next_line();
        Some(string_of(text, build))
    }
}

fn list_item(text: &str, build: bool) -> Option<(Value, &str)> {
    let first = text.bytes().next()?;
    if matches!(first, b'"' | b'\'') {
        let inner = &text[1..];
        let end = memchr::memchr(first, inner.as_bytes())?;
        let behind = &inner[end + 1..];
        let escaped = match first {
            b'"' => inner[..end].contains('\\'),
            _ => behind.starts_with('\''),
        };
        return (!escaped).then(|| (string(&inner[..end], build), behind));
    }
    let ordinary = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'.' | b'/' | b'-');
    let end = text.bytes().take_while(|b| ordinary(*b)).count();
    if end == 0 || first == b'-' {
        return None;
    }
    Some((scalar(&text[..end], build)?, &text[end..]))
}

fn string(text: &str, build: bool) -> Value {
    if build {
        Value::String(text.to_owned())
    } else {
        Value::Null
    }
}

fn string_of(text: String, build: bool) -> Value {
    if build { Value::String(text) } else { Value::Null }
}

/// A scalar without quotes; one that JSON does not know is for the parser, which names it.
fn scalar(text: &str, build: bool) -> Option<Value> {
    if !build && !text.bytes().take(2).any(|b| b == b'.') {
        return Some(Value::Null);
    }
    Some(match resolve(text, Dialect::GoYaml11) {
        Resolved::Null => Value::Null,
        Resolved::Bool(b) => Value::Bool(b),
        Resolved::Int(int) => Value::Number(int.into()),
        Resolved::UInt(int) => Value::Number(int.into()),
        Resolved::Float(float) => Value::Number(Number::from_f64(float)?),
        Resolved::Timestamp | Resolved::Str => string(text, build),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::decode::to_json_by_parser;
    use proptest::prelude::*;

    fn is_as_the_parser_has_it(source: &str) {
        if let Some(value) = read(source.as_bytes(), None) {
            let parsed = to_json_by_parser(source.as_bytes(), Dialect::GoYaml11, false);
            assert_eq!(Ok(value), parsed, "{source:?}");
        }
        if let Some(Value::Object(map)) = read(source.as_bytes(), Some(&["a", "key"])) {
            let parsed = to_json_by_parser(source.as_bytes(), Dialect::GoYaml11, false);
            let mut parsed = parsed.expect("what is skipped is YAML, too");
            let wanted = |key: &String| key.eq_ignore_ascii_case("a") || key.eq_ignore_ascii_case("key");
            parsed
                .as_object_mut()
                .expect("it is a mapping by both")
                .retain(|key, _| wanted(key));
            assert_eq!(Value::Object(map), parsed, "{source:?}");
        }
    }

    #[test]
    fn what_charts_are_made_of_is_simple() {
        for source in [
            "a: 1\n",
            "a:\n  b: c d # e\n  f:\n  - g: 1\n    h: [i, \"j\"]\n  - k\n",
            "# note\na: {}\nb: []\nc: ''\nd: \"x: y\"\n\n'e': -1.5\n",
            "a: |\n  x\n\n   y\nb: |-\n  #!/bin/sh\n",
            "- a\n- b: c\n  d:\n    e: https://example.com:80/#x\n-\n  f: null\n",
            "a:\nb: 日本\nc: yes\nd: 2020-01-01\ne: 0o7",
        ] {
            assert!(read(source.as_bytes(), None).is_some(), "{source:?}");
            is_as_the_parser_has_it(source);
        }
    }

    #[test]
    fn what_is_not_is_left_to_the_parser() {
        for source in [
            "",
            "# a\n",
            "a",
            " a: 1",
            "a: &b c",
            "a: *b",
            "a: !!str 1",
            "a: b: c",
            "a: b\n  c",
            "a: \"b\n  c\"",
            "a:\n\tb: c",
            "---\na: 1",
            "a: 1\n---\nb: 2",
            "a: 1\n...\n",
            "<<: {}",
            "1: a",
            "yes: a",
            "? a",
            "a: >\n  b",
            "a: |2\n   b",
            "a: .nan",
            "a: \"\\n\"",
            "a: 'b''c'",
            "- - a",
            "a: b\n c: d",
            "a:b",
            "a: [b, [c]]",
            "a: |\n",
            "a: 1\r\n",
            "a: {b: c}",
        ] {
            assert_eq!(read(source.as_bytes(), None), None, "{source:?}");
        }
    }

    fn source() -> impl Strategy<Value = String> {
        let indent = prop::sample::select(vec!["", "", "  ", "  ", "    ", " ", "   "]);
        let start = prop::sample::select(vec![
            "a: ", "b: ", "key: ", "a:", "- ", "- a: ", "- b:", "-", "\"a\": ", "'b':", "1: ", "-  a: ", "",
            "#", "yes: ", "a : ",
        ]);
        let rest = prop::sample::select(vec![
            "",
            "",
            "b",
            "b c",
            "1",
            "-1",
            "1.5",
            "\"x\"",
            "'y'",
            "''",
            "{}",
            "[]",
            "[a, 'b']",
            "|",
            "|-",
            "|+",
            ">",
            "b # c",
            "b #c",
            " ",
            "b ",
            "a:b",
            "a: b",
            "b:",
            "~",
            "null",
            "#c",
            "\"x\" y",
            "\"\\n\"",
            "'a''b'",
            "&a b",
            "*a",
            "---",
            "-",
            "- x",
            "日本",
            "x\n\n",
            "|\n    x\n   y",
            "|-\n  x\n\n  y\n      ",
            "[a,]",
            "[1, 2]",
            "é",
            ".nan",
            ".5",
            "0x1F",
            "2020-01-01",
            "{a: b}",
            "! a",
            "%",
            "@",
            "=",
        ]);
        let end = prop::sample::select(vec!["\n", "\n", "\n", "\n\n", "\n  \n", ""]);
        prop::collection::vec((indent, start, rest, end), 1..7).prop_map(|lines| {
            let line = |(indent, start, rest, end)| [indent, start, rest, end].concat();
            lines.into_iter().map(line).collect()
        })
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(3_000))]

        #[test]
        fn it_is_always_as_the_parser_has_it(source in source()) {
            is_as_the_parser_has_it(&source);
        }
    }
}

//! The JSON functions, and JSON as Go's `encoding/json` reads it.

use std::collections::BTreeMap;

use crate::func::{FuncError, FuncResult, Host};
use crate::sprig::args::{any, fail, string, text};
use crate::stack;
use crate::unicode;
use crate::value::{ElemType, JsonStyle, List, Map, Str, Value};

pub(super) fn from_json(_: &mut dyn Host, args: &[Value]) -> FuncResult {
    Ok(decode(text(args, 0)).unwrap_or(Value::Nil))
}

pub(super) fn must_from_json(_: &mut dyn Host, args: &[Value]) -> FuncResult {
    decode(text(args, 0))
}

pub(super) fn to_json(_: &mut dyn Host, args: &[Value]) -> FuncResult {
    // The plain functions give an empty string where the twins fail.
    string(encode(any(args, 0), COMPACT).unwrap_or_default())
}

pub(super) fn must_to_json(_: &mut dyn Host, args: &[Value]) -> FuncResult {
    string(encode(any(args, 0), COMPACT)?)
}

pub(super) fn to_pretty_json(_: &mut dyn Host, args: &[Value]) -> FuncResult {
    string(encode(any(args, 0), PRETTY).unwrap_or_default())
}

pub(super) fn must_to_pretty_json(_: &mut dyn Host, args: &[Value]) -> FuncResult {
    string(encode(any(args, 0), PRETTY)?)
}

/// Fails like its twin: sprig panics here, which the executor reports as an error.
pub(super) fn to_raw_json(_: &mut dyn Host, args: &[Value]) -> FuncResult {
    string(encode(any(args, 0), RAW)?)
}

/// `json.Marshal`.
const COMPACT: JsonStyle = JsonStyle {
    escape_html: true,
    pretty: false,
};
/// `json.MarshalIndent(v, "", "  ")`.
const PRETTY: JsonStyle = JsonStyle {
    escape_html: true,
    pretty: true,
};
/// An encoder with `SetEscapeHTML(false)`.
const RAW: JsonStyle = JsonStyle {
    escape_html: false,
    pretty: false,
};

fn encode(value: &Value, style: JsonStyle) -> Result<String, FuncError> {
    value
        .to_json_text(style)
        .map_err(|e| FuncError::new(e.to_string()))
}

/// Decodes JSON as `json.Unmarshal` does into `interface {}`: every number is a `float64`.
pub fn decode(source: &[u8]) -> Result<Value, FuncError> {
    let mut decoder = Decoder {
        source,
        at: 0,
        depth: 0,
    };
    let value = decoder.value("looking for beginning of value")?;
    decoder.skip_space();
    match decoder.peek() {
        None => Ok(value),
        Some(_) => decoder.invalid("after top-level value"),
    }
}

struct Decoder<'a> {
    source: &'a [u8],
    at: usize,
    depth: usize,
}

/// As deep as Go's scanner goes.
const MAX_DECODED_DEPTH: usize = 10_000;

impl Decoder<'_> {
    fn peek(&self) -> Option<u8> {
        self.source.get(self.at).copied()
    }

    fn skip_space(&mut self) {
        while matches!(self.peek(), Some(b' ' | b'\t' | b'\r' | b'\n')) {
            self.at += 1;
        }
    }

    /// Go's error about the byte at the position.
    fn invalid<T>(&self, context: &str) -> Result<T, FuncError> {
        let Some(byte) = self.peek() else {
            return fail("unexpected end of JSON input");
        };
        let shown = match byte {
            b'\'' => r"'\''".to_owned(),
            b'"' => "'\"'".to_owned(),
            byte => {
                // Go prints the byte as if it were a character of Latin-1, quoted.
                let mut latin = Vec::new();
                unicode::push(&mut latin, char::from(byte));
                let quoted = crate::quote::quote(&latin);
                format!("'{}'", &quoted[1..quoted.len() - 1])
            }
        };
        fail(format!("invalid character {shown} {context}"))
    }

    fn value(&mut self, context: &str) -> Result<Value, FuncError> {
        self.skip_space();
        match self.peek() {
            Some(b'{') => self.deeper(Self::object),
            Some(b'[') => self.deeper(Self::array),
            Some(b'"') => Ok(Value::Str(self.string()?)),
            Some(b't') => self.literal("true", Value::Bool(true)),
            Some(b'f') => self.literal("false", Value::Bool(false)),
            Some(b'n') => self.literal("null", Value::Nil),
            Some(b'-' | b'0'..=b'9') => self.number(),
            _ => self.invalid(context),
        }
    }

    fn deeper(&mut self, part: fn(&mut Self) -> FuncResult) -> FuncResult {
        self.depth += 1;
        if self.depth > MAX_DECODED_DEPTH {
            return fail("exceeded max depth");
        }
        let value = stack::deeper(|| part(self));
        self.depth -= 1;
        value
    }

    fn literal(&mut self, name: &str, value: Value) -> FuncResult {
        for (i, expected) in name.bytes().enumerate() {
            if self.peek() != Some(expected) {
                let expected = char::from(expected);
                debug_assert!(i > 0, "the first letter was seen");
                return self.invalid(&format!("in literal {name} (expecting '{expected}')"));
            }
            self.at += 1;
        }
        Ok(value)
    }

    fn number(&mut self) -> FuncResult {
        let start = self.at;
        if self.peek() == Some(b'-') {
            self.at += 1;
        }
        match self.peek() {
            Some(b'0') => self.at += 1,
            Some(b'1'..=b'9') => self.digits(),
            _ => return self.invalid("in numeric literal"),
        }
        if self.peek() == Some(b'.') {
            self.at += 1;
            self.some_digits("after decimal point in numeric literal")?;
        }
        if matches!(self.peek(), Some(b'e' | b'E')) {
            self.at += 1;
            if matches!(self.peek(), Some(b'+' | b'-')) {
                self.at += 1;
            }
            self.some_digits("in exponent of numeric literal")?;
        }
        let shown = String::from_utf8_lossy(&self.source[start..self.at]);
        match shown.parse::<f64>() {
            Ok(f) if f.is_finite() => Ok(Value::Float(f)),
            _ => fail(format!(
                "json: cannot unmarshal number {shown} into Go value of type float64"
            )),
        }
    }

    fn digits(&mut self) {
        while matches!(self.peek(), Some(b'0'..=b'9')) {
            self.at += 1;
        }
    }

    fn some_digits(&mut self, context: &str) -> Result<(), FuncError> {
        if !matches!(self.peek(), Some(b'0'..=b'9')) {
            return self.invalid(context);
        }
        self.digits();
        Ok(())
    }

    fn array(&mut self) -> FuncResult {
        self.at += 1;
        let mut items = Vec::new();
        self.skip_space();
        if self.peek() == Some(b']') {
            self.at += 1;
            return Ok(Value::list(items));
        }
        loop {
            items.push(self.value("looking for beginning of value")?);
            self.skip_space();
            match self.peek() {
                Some(b',') => self.at += 1,
                Some(b']') => break,
                _ => return self.invalid("after array element"),
            }
        }
        self.at += 1;
        Ok(Value::List(List::typed(ElemType::Any, items)))
    }

    fn object(&mut self) -> FuncResult {
        self.at += 1;
        let mut entries = BTreeMap::new();
        self.skip_space();
        if self.peek() == Some(b'}') {
            self.at += 1;
            return Ok(Value::Map(Map::new(entries)));
        }
        loop {
            self.skip_space();
            if self.peek() != Some(b'"') {
                return self.invalid("looking for beginning of object key string");
            }
            let key = self.string()?;
            self.skip_space();
            if self.peek() != Some(b':') {
                return self.invalid("after object key");
            }
            self.at += 1;
            let value = self.value("looking for beginning of value")?;
            entries.insert(key, value);
            self.skip_space();
            match self.peek() {
                Some(b',') => self.at += 1,
                Some(b'}') => break,
                _ => return self.invalid("after object key:value pair"),
            }
        }
        self.at += 1;
        Ok(Value::Map(Map::new(entries)))
    }

    fn string(&mut self) -> Result<Str, FuncError> {
        self.at += 1;
        let mut out = Vec::new();
        loop {
            let run = self.source[self.at..]
                .iter()
                .take_while(|&&b| b != b'"' && b != b'\\' && (0x20..0x80).contains(&b))
                .count();
            out.extend_from_slice(&self.source[self.at..self.at + run]);
            self.at += run;
            match self.peek() {
                Some(b'"') => break,
                Some(b'\\') => self.escape(&mut out)?,
                Some(byte) if byte >= 0x80 => {
                    let (c, size) = unicode::decode(&self.source[self.at..]);
                    unicode::push(&mut out, c);
                    self.at += size;
                }
                _ => return self.invalid("in string literal"),
            }
        }
        self.at += 1;
        Ok(Str::from(out))
    }

    fn escape(&mut self, out: &mut Vec<u8>) -> Result<(), FuncError> {
        self.at += 1;
        let simple = match self.peek() {
            Some(b @ (b'"' | b'\\' | b'/')) => b,
            Some(b'b') => 0x08,
            Some(b'f') => 0x0c,
            Some(b'n') => b'\n',
            Some(b'r') => b'\r',
            Some(b't') => b'\t',
            Some(b'u') => {
                self.at += 1;
                let c = self.unicode_escape()?;
                unicode::push(out, c);
                return Ok(());
            }
            _ => return self.invalid("in string escape code"),
        };
        out.push(simple);
        self.at += 1;
        Ok(())
    }

    /// The character of `\uXXXX` or of a surrogate pair; half a pair is U+FFFD.
    fn unicode_escape(&mut self) -> Result<char, FuncError> {
        let first = self.hex4()?;
        if !(0xD800..0xE000).contains(&first) {
            return Ok(char::from_u32(first).unwrap_or(unicode::REPLACEMENT));
        }
        let before = self.at;
        if first < 0xDC00 && self.source[self.at..].starts_with(b"\\u") {
            self.at += 2;
            let second = self.hex4()?;
            if (0xDC00..0xE000).contains(&second) {
                let code = 0x10000 + ((first - 0xD800) << 10) + (second - 0xDC00);
                return Ok(char::from_u32(code).unwrap_or(unicode::REPLACEMENT));
            }
            self.at = before;
        }
        Ok(unicode::REPLACEMENT)
    }

    fn hex4(&mut self) -> Result<u32, FuncError> {
        let mut code = 0;
        for _ in 0..4 {
            let digit = self.peek().and_then(|b| char::from(b).to_digit(16));
            let Some(digit) = digit else {
                return self.invalid("in \\u hexadecimal character escape");
            };
            code = code << 4 | digit;
            self.at += 1;
        }
        Ok(code)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn again(source: &str) -> Result<String, String> {
        let value = decode(source.as_bytes()).map_err(|e| e.message)?;
        encode(&value, COMPACT).map_err(|e| e.message)
    }

    #[test]
    fn numbers_and_escapes_are_gos() {
        let cases = [
            ("1e21", "1e+21"),
            ("100000000000000000000", "100000000000000000000"),
            ("0.0000001", "1e-7"),
            ("-0", "-0"),
            (
                r#""<a>\u2028\ud83d\ude00\ud800""#,
                "\"\\u003ca\\u003e\\u2028😀\u{FFFD}\"",
            ),
            (r#"{"b":[],"a":{}}"#, r#"{"a":{},"b":[]}"#),
        ];
        for (source, want) in cases {
            assert_eq!(again(source).as_deref(), Ok(want), "{source}");
        }
    }

    #[test]
    fn errors_are_gos() {
        let cases = [
            ("", "unexpected end of JSON input"),
            (
                "{a",
                "invalid character 'a' looking for beginning of object key string",
            ),
            ("[1 2]", "invalid character '2' after array element"),
            ("nul", "unexpected end of JSON input"),
            ("nux", "invalid character 'x' in literal null (expecting 'l')"),
            ("1 2", "invalid character '2' after top-level value"),
            ("\"a\nb\"", "invalid character '\\n' in string literal"),
        ];
        for (source, want) in cases {
            assert_eq!(again(source), Err(want.to_owned()), "{source}");
        }
    }
}

//! JSON text as Go's `encoding/json` reads it, with its errors, which users see in many places.
//!
//! The reader knows the grammar; what becomes of a value is said by whoever reads, through [`Part`].

use crate::stack;
use crate::unicode;

/// Where and why a text is not JSON.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct SyntaxError {
    /// Bytes read up to and with the wrong one.
    pub offset: usize,
    /// Go's text.
    pub message: String,
}

impl SyntaxError {
    /// Whether the text ended too early.
    pub fn is_end(&self) -> bool {
        self.message == END
    }
}

const END: &str = "unexpected end of JSON input";

/// A value whose own parts, if it has some, are already turned into `V`.
#[derive(Debug)]
pub enum Part<'t, V> {
    /// `null`
    Null,
    /// `true`, `false`
    Bool(bool),
    /// A number as it is written.
    Number(&'t str),
    /// A string. Bytes that are not UTF-8 and halves of surrogate pairs are U+FFFD.
    String(String),
    /// A list.
    Array(Vec<V>),
    /// A map as it is written: where a key comes again, the last one counts.
    Object(Vec<(String, V)>),
}

/// Turns parts into values. `Err` is the message of a [`SyntaxError`].
pub type Build<'b, V> = &'b mut dyn FnMut(Part<'_, V>) -> Result<V, String>;

/// Reads one value and nothing behind it. Lists and maps nest at most `levels` deep.
pub fn read<V>(text: &[u8], levels: usize, build: Build<'_, V>) -> Result<V, SyntaxError> {
    let mut reader = Reader::new(text, levels, build);
    let value = reader.value()?;
    reader.skip_blanks();
    match reader.peek() {
        None => Ok(value),
        Some(_) => Err(reader.unexpected("after top-level value")),
    }
}

/// Reads the value at the start of a text; with it, how many bytes it takes. `None` if there is nothing but blanks.
pub fn read_first<V>(
    text: &[u8],
    levels: usize,
    build: Build<'_, V>,
) -> Result<Option<(V, usize)>, SyntaxError> {
    let mut reader = Reader::new(text, levels, build);
    reader.skip_blanks();
    if reader.peek().is_none() {
        return Ok(None);
    }
    let value = reader.value()?;
    Ok(Some((value, reader.at)))
}

/// A [`Part::Number`] as a `float64`. `Err` is Go's message about numbers that are too large.
pub fn float64(number: &str) -> Result<f64, String> {
    match number.parse::<f64>() {
        Ok(float) if float.is_finite() => Ok(float),
        _ => Err(format!(
            "json: cannot unmarshal number {number} into Go value of type float64"
        )),
    }
}

struct Reader<'t, 'b, V> {
    text: &'t [u8],
    at: usize,
    levels_left: usize,
    build: Build<'b, V>,
}

impl<'t, 'b, V> Reader<'t, 'b, V> {
    fn new(text: &'t [u8], levels: usize, build: Build<'b, V>) -> Reader<'t, 'b, V> {
        Reader {
            text,
            at: 0,
            levels_left: levels,
            build,
        }
    }

    fn peek(&self) -> Option<u8> {
        self.text.get(self.at).copied()
    }

    fn skip_blanks(&mut self) {
        while matches!(self.peek(), Some(b' ' | b'\t' | b'\r' | b'\n')) {
            self.at += 1;
        }
    }

    /// The error at the byte that is next, shown as if it were a character of Latin-1.
    fn unexpected(&self, context: &str) -> SyntaxError {
        let Some(byte) = self.peek() else {
            return SyntaxError {
                offset: self.text.len(),
                message: END.to_owned(),
            };
        };
        let shown = match byte {
            b'"' => "'\"'".to_owned(),
            byte => {
                let mut shown = Vec::new();
                crate::quote::push_quoted_char(&mut shown, char::from(byte), false);
                String::from_utf8(shown).expect("a quoted character is UTF-8")
            }
        };
        SyntaxError {
            offset: self.at + 1,
            message: format!("invalid character {shown} {context}"),
        }
    }

    fn built(&mut self, part: Part<'_, V>) -> Result<V, SyntaxError> {
        (self.build)(part).map_err(|message| SyntaxError {
            offset: self.at,
            message,
        })
    }

    fn value(&mut self) -> Result<V, SyntaxError> {
        self.skip_blanks();
        let part = match self.peek() {
            Some(b'{') => Part::Object(self.deeper(Self::object)?),
            Some(b'[') => Part::Array(self.deeper(Self::array)?),
            Some(b'"') => Part::String(self.string()?),
            Some(b't') => self.literal("true", Part::Bool(true))?,
            Some(b'f') => self.literal("false", Part::Bool(false))?,
            Some(b'n') => self.literal("null", Part::Null)?,
            Some(b'-' | b'0'..=b'9') => Part::Number(self.number()?),
            _ => return Err(self.unexpected("looking for beginning of value")),
        };
        self.built(part)
    }

    fn deeper<T>(
        &mut self,
        members: fn(&mut Self) -> Result<Vec<T>, SyntaxError>,
    ) -> Result<Vec<T>, SyntaxError> {
        if self.levels_left == 0 {
            return Err(self.unexpected("exceeded max depth"));
        }
        self.levels_left -= 1;
        let members = stack::deeper(|| members(self));
        self.levels_left += 1;
        members
    }

    fn literal(&mut self, word: &str, part: Part<'t, V>) -> Result<Part<'t, V>, SyntaxError> {
        for expected in word.bytes() {
            if self.peek() != Some(expected) {
                let expected = char::from(expected);
                return Err(self.unexpected(&format!("in literal {word} (expecting '{expected}')")));
            }
            self.at += 1;
        }
        Ok(part)
    }

    fn object(&mut self) -> Result<Vec<(String, V)>, SyntaxError> {
        let mut entries = Vec::new();
        self.at += 1;
        self.skip_blanks();
        if self.peek() == Some(b'}') {
            self.at += 1;
            return Ok(entries);
        }
        loop {
            self.skip_blanks();
            if self.peek() != Some(b'"') {
                return Err(self.unexpected("looking for beginning of object key string"));
            }
            let key = self.string()?;
            self.skip_blanks();
            if self.peek() != Some(b':') {
                return Err(self.unexpected("after object key"));
            }
            self.at += 1;
            let value = self.value()?;
            entries.push((key, value));
            if self.is_last(b'}', "after object key:value pair")? {
                return Ok(entries);
            }
        }
    }

    fn array(&mut self) -> Result<Vec<V>, SyntaxError> {
        let mut items = Vec::new();
        self.at += 1;
        self.skip_blanks();
        if self.peek() == Some(b']') {
            self.at += 1;
            return Ok(items);
        }
        loop {
            items.push(self.value()?);
            if self.is_last(b']', "after array element")? {
                return Ok(items);
            }
        }
    }

    /// Passes what comes behind a member: the end, or a comma.
    fn is_last(&mut self, end: u8, context: &str) -> Result<bool, SyntaxError> {
        self.skip_blanks();
        let last = match self.peek() {
            Some(b',') => false,
            Some(byte) if byte == end => true,
            _ => return Err(self.unexpected(context)),
        };
        self.at += 1;
        Ok(last)
    }

    fn string(&mut self) -> Result<String, SyntaxError> {
        self.at += 1;
        let mut out = String::new();
        loop {
            let rest = &self.text[self.at..];
            let run = rest
                .iter()
                .position(|&byte| byte == b'"' || byte == b'\\' || byte < b' ')
                .unwrap_or(rest.len());
            unicode::push_lossy(&mut out, &rest[..run]);
            self.at += run;
            match self.peek() {
                Some(b'"') => {
                    self.at += 1;
                    return Ok(out);
                }
                Some(b'\\') => out.push(self.escape()?),
                _ => return Err(self.unexpected("in string literal")),
            }
        }
    }

    fn escape(&mut self) -> Result<char, SyntaxError> {
        self.at += 1;
        let c = match self.peek() {
            Some(b'b') => '\x08',
            Some(b'f') => '\x0c',
            Some(b'n') => '\n',
            Some(b'r') => '\r',
            Some(b't') => '\t',
            Some(byte @ (b'"' | b'\\' | b'/')) => char::from(byte),
            Some(b'u') => {
                self.at += 1;
                return self.unicode_escape();
            }
            _ => return Err(self.unexpected("in string escape code")),
        };
        self.at += 1;
        Ok(c)
    }

    /// The character of `\uXXXX` or of a surrogate pair; half a pair is U+FFFD.
    fn unicode_escape(&mut self) -> Result<char, SyntaxError> {
        let first = self.four_digits()?;
        if (0xD800..0xDC00).contains(&first) && self.text[self.at..].starts_with(b"\\u") {
            let before = self.at;
            self.at += 2;
            let second = self.four_digits()?;
            if (0xDC00..0xE000).contains(&second) {
                let code = 0x1_0000 + ((first - 0xD800) << 10) + (second - 0xDC00);
                return Ok(char::from_u32(code).unwrap_or(unicode::REPLACEMENT));
            }
            self.at = before;
        }
        Ok(char::from_u32(first).unwrap_or(unicode::REPLACEMENT))
    }

    fn four_digits(&mut self) -> Result<u32, SyntaxError> {
        let mut code = 0;
        for _ in 0..4 {
            let digit = self.peek().and_then(|byte| char::from(byte).to_digit(16));
            let Some(digit) = digit else {
                return Err(self.unexpected("in \\u hexadecimal character escape"));
            };
            code = code << 4 | digit;
            self.at += 1;
        }
        Ok(code)
    }

    fn number(&mut self) -> Result<&'t str, SyntaxError> {
        let start = self.at;
        if self.peek() == Some(b'-') {
            self.at += 1;
        }
        match self.peek() {
            Some(b'0') => self.at += 1,
            _ => self.digits("in numeric literal")?,
        }
        if self.peek() == Some(b'.') {
            self.at += 1;
            self.digits("after decimal point in numeric literal")?;
        }
        if matches!(self.peek(), Some(b'e' | b'E')) {
            self.at += 1;
            if matches!(self.peek(), Some(b'+' | b'-')) {
                self.at += 1;
            }
            self.digits("in exponent of numeric literal")?;
        }
        Ok(std::str::from_utf8(&self.text[start..self.at]).expect("digits and signs are ASCII"))
    }

    /// At least one digit.
    fn digits(&mut self, context: &str) -> Result<(), SyntaxError> {
        if !matches!(self.peek(), Some(b'0'..=b'9')) {
            return Err(self.unexpected(context));
        }
        while matches!(self.peek(), Some(b'0'..=b'9')) {
            self.at += 1;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Writes what was read, with a blank behind each comma and colon.
    fn written(text: &[u8]) -> Result<String, SyntaxError> {
        read(text, 100, &mut show)
    }

    fn show(part: Part<'_, String>) -> Result<String, String> {
        Ok(match part {
            Part::Null => "null".to_owned(),
            Part::Bool(b) => b.to_string(),
            Part::Number(number) => number.to_owned(),
            Part::String(text) => format!("<{text}>"),
            Part::Array(items) => format!("[{}]", items.join(", ")),
            Part::Object(entries) => {
                let entries: Vec<_> = entries.iter().map(|(k, v)| format!("{k}: {v}")).collect();
                format!("{{{}}}", entries.join(", "))
            }
        })
    }

    #[test]
    fn reads_values() {
        for (text, want) in [
            (b"null".as_slice(), "null"),
            (
                b" [1, -2.50,1E3 , true,false,\n[ ]] ",
                "[1, -2.50, 1E3, true, false, []]",
            ),
            (
                b"{\"b\":{\"c\": {}}, \"a\" :1,\"b\": 2}",
                "{b: {c: {}}, a: 1, b: 2}",
            ),
            (
                br#""a\u00e9\n\/\ud83d\ude00\ud800x\udc00""#,
                "<aé\n/😀\u{FFFD}x\u{FFFD}>",
            ),
            (b"\"\xe4\xb8\xad \xe4\xb8\"", "<中 \u{FFFD}\u{FFFD}>"),
        ] {
            assert_eq!(written(text).as_deref(), Ok(want), "{text:?}");
        }
        assert_eq!(read_first(b"{} x", 9, &mut show), Ok(Some(("{}".to_owned(), 2))));
        assert_eq!(read_first(b" \n", 9, &mut show), Ok(None));
    }

    #[test]
    fn errors_are_those_of_go() {
        for (text, offset, message) in [
            ("", 0, END),
            ("{", 1, END),
            ("nul", 3, END),
            ("a", 1, "invalid character 'a' looking for beginning of value"),
            ("é", 1, "invalid character 'Ã' looking for beginning of value"),
            ("'a'", 1, "invalid character '\\'' looking for beginning of value"),
            (
                "{{",
                2,
                "invalid character '{' looking for beginning of object key string",
            ),
            ("{\"a\" 1}", 6, "invalid character '1' after object key"),
            (
                "{\"a\": 1 \"b\"}",
                9,
                "invalid character '\"' after object key:value pair",
            ),
            ("[1 2]", 4, "invalid character '2' after array element"),
            ("[1] 2", 5, "invalid character '2' after top-level value"),
            ("01", 2, "invalid character '1' after top-level value"),
            ("trux", 4, "invalid character 'x' in literal true (expecting 'e')"),
            ("\"a\nb\"", 3, "invalid character '\\n' in string literal"),
            ("\"\\x\"", 3, "invalid character 'x' in string escape code"),
            (
                "\"\\u00g0\"",
                6,
                "invalid character 'g' in \\u hexadecimal character escape",
            ),
            ("-x", 2, "invalid character 'x' in numeric literal"),
            (
                "1.x",
                3,
                "invalid character 'x' after decimal point in numeric literal",
            ),
            ("1ex", 3, "invalid character 'x' in exponent of numeric literal"),
        ] {
            let error = written(text.as_bytes()).expect_err(text);
            assert_eq!(
                (error.offset, error.message.as_str()),
                (offset, message),
                "{text}"
            );
        }
    }

    #[test]
    fn depth_has_a_bound() {
        assert!(read(b"[[1]]", 2, &mut show).is_ok());
        let error = read(b"[[{}]]", 2, &mut show).expect_err("too deep");
        assert_eq!(error.message, "invalid character '{' exceeded max depth");
    }
}

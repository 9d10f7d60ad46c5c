//! Go's quoted strings: `strconv.Quote` and its kin, and `strconv.Unquote`.

use std::borrow::Cow;

use crate::unicode::{self, REPLACEMENT, is_print};

/// `strconv.Quote`.
pub fn quote(text: &[u8]) -> String {
    let mut out = Vec::with_capacity(text.len() + 2);
    push_quoted(&mut out, text, false);
    String::from_utf8(out).expect("a quoted string escapes every byte that is not UTF-8")
}

/// Appends the text in double quotes; with `ascii`, every other character as an escape (`%+q`).
pub fn push_quoted(out: &mut Vec<u8>, text: &[u8], ascii: bool) {
    // Most of nearly every text stands for itself.
    let plain = |b: u8| matches!(b, b' '..=b'~') && b != b'"' && b != b'\\';
    out.reserve(text.len() + 2);
    out.push(b'"');
    let mut rest = text;
    while !rest.is_empty() {
        let run = rest.iter().take_while(|&&b| plain(b)).count();
        out.extend_from_slice(&rest[..run]);
        rest = &rest[run..];
        let (c, length) = unicode::decode(rest);
        match length {
            0 => {}
            1 if c == REPLACEMENT => push_hex(out, b'x', u32::from(rest[0]), 2),
            _ => push_escaped(out, c, '"', ascii),
        }
        rest = &rest[length..];
    }
    out.push(b'"');
}

/// Appends a character in single quotes.
pub fn push_quoted_char(out: &mut Vec<u8>, c: char, ascii: bool) {
    out.push(b'\'');
    push_escaped(out, c, '\'', ascii);
    out.push(b'\'');
}

/// Whether a string can stand between backquotes: `strconv.CanBackquote`.
pub fn can_backquote(text: &[u8]) -> bool {
    unicode::chars(text).all(|(_, c, length)| match c {
        '\u{FEFF}' | '`' | '\x7f' => false,
        REPLACEMENT => length != 1,
        '\t' => true,
        c => c >= ' ',
    })
}

/// The character as `%#U` prints it: `U+0041 'A'`.
pub fn unicode_name(c: char) -> String {
    let code = u32::from(c);
    if is_print(c) {
        format!("U+{code:04X} '{c}'")
    } else {
        format!("U+{code:04X}")
    }
}

/// `strconv.Unquote` of a string in double quotes or backquotes; `None` is Go's "invalid syntax".
pub fn unquote(quoted: &[u8]) -> Option<Cow<'_, [u8]>> {
    let (&quote, rest) = quoted.split_first()?;
    let (&last, inner) = rest.split_last()?;
    if last != quote {
        return None;
    }
    if quote == b'`' {
        return Some(match memchr::memchr(b'\r', inner) {
            None => Cow::Borrowed(inner),
            Some(_) => Cow::Owned(inner.iter().copied().filter(|&b| b != b'\r').collect()),
        });
    }
    let plain = |b: u8| b.is_ascii() && !matches!(b, b'"' | b'\\' | b'\n');
    if inner.iter().all(|&b| plain(b)) {
        return Some(Cow::Borrowed(inner));
    }
    let mut out = Vec::with_capacity(inner.len());
    let mut at = 0;
    while at < inner.len() {
        if matches!(inner[at], b'"' | b'\n') {
            return None;
        }
        if inner[at] != b'\\' {
            let (c, length) = unicode::decode(&inner[at..]);
            unicode::push(&mut out, c);
            at += length;
            continue;
        }
        let (escape, length) = unescape(&inner[at..], b'"')?;
        match escape {
            Escape::Byte(byte) => out.push(byte),
            Escape::Char(c) => unicode::push(&mut out, c),
        }
        at += length;
    }
    Some(Cow::Owned(out))
}

/// The value of a character constant in single quotes. `Err` is Go's message.
pub fn unquote_char(quoted: &[u8]) -> Result<u32, String> {
    let inner = quoted.get(1..).unwrap_or_default();
    let invalid = || "invalid syntax".to_owned();
    let (value, length) = match inner.first() {
        None | Some(b'\'') => return Err(invalid()),
        Some(b'\\') => match unescape(inner, b'\'').ok_or_else(invalid)? {
            (Escape::Byte(byte), length) => (u32::from(byte), length),
            (Escape::Char(c), length) => (u32::from(c), length),
        },
        Some(_) => {
            let (c, length) = unicode::decode(inner);
            (u32::from(c), length)
        }
    };
    if &inner[length..] != b"'" {
        return Err(format!(
            "malformed character constant: {}",
            String::from_utf8_lossy(quoted)
        ));
    }
    Ok(value)
}

enum Escape {
    Byte(u8),
    Char(char),
}

/// The escape that starts the text, with its length. Only the own quote may be escaped.
fn unescape(text: &[u8], quote: u8) -> Option<(Escape, usize)> {
    let kind = *text.get(1)?;
    let simple = |byte| Some((Escape::Byte(byte), 2));
    let digits = |length: usize| -> Option<u32> {
        let digits = std::str::from_utf8(text.get(2..2 + length)?).ok()?;
        let all = digits.bytes().all(|b| b.is_ascii_hexdigit());
        if all {
            u32::from_str_radix(digits, 16).ok()
        } else {
            None
        }
    };
    match kind {
        b'a' => simple(0x07),
        b'b' => simple(0x08),
        b'f' => simple(0x0c),
        b'n' => simple(b'\n'),
        b'r' => simple(b'\r'),
        b't' => simple(b'\t'),
        b'v' => simple(0x0b),
        b'\\' => simple(b'\\'),
        b'\'' | b'"' if kind == quote => simple(kind),
        b'x' => Some((Escape::Byte(u8::try_from(digits(2)?).ok()?), 4)),
        b'u' => Some((Escape::Char(char::from_u32(digits(4)?)?), 6)),
        b'U' => Some((Escape::Char(char::from_u32(digits(8)?)?), 10)),
        b'0'..=b'7' => {
            let octal = std::str::from_utf8(text.get(1..4)?).ok()?;
            let all = octal.bytes().all(|b| (b'0'..=b'7').contains(&b));
            let value = if all {
                u32::from_str_radix(octal, 8).ok()?
            } else {
                return None;
            };
            Some((Escape::Byte(u8::try_from(value).ok()?), 4))
        }
        _ => None,
    }
}

fn push_escaped(out: &mut Vec<u8>, c: char, quote: char, ascii: bool) {
    if c == quote || c == '\\' {
        out.push(b'\\');
        unicode::push(out, c);
        return;
    }
    if is_print(c) && (c.is_ascii() || !ascii) {
        unicode::push(out, c);
        return;
    }
    match c {
        '\x07' => out.extend_from_slice(b"\\a"),
        '\x08' => out.extend_from_slice(b"\\b"),
        '\x0c' => out.extend_from_slice(b"\\f"),
        '\n' => out.extend_from_slice(b"\\n"),
        '\r' => out.extend_from_slice(b"\\r"),
        '\t' => out.extend_from_slice(b"\\t"),
        '\x0b' => out.extend_from_slice(b"\\v"),
        '\0'..' ' | '\x7f' => push_hex(out, b'x', u32::from(c), 2),
        '\0'..'\u{10000}' => push_hex(out, b'u', u32::from(c), 4),
        c => push_hex(out, b'U', u32::from(c), 8),
    }
}

fn push_hex(out: &mut Vec<u8>, kind: u8, value: u32, digits: usize) {
    out.push(b'\\');
    out.push(kind);
    out.extend_from_slice(format!("{value:0digits$x}").as_bytes());
}

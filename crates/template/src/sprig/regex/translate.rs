//! Reads an expression as Go does, with Go's errors, and writes it so that the `regex` crate means the same.
//!
//! The differences that matter: `\d`, `\s`, `\w` and `\b` are ASCII in Go; `[a&&b]` and nested classes are not set
//! operations there; `\Q..\E`, octal escapes and `(?P<1x>..)` exist only there; repetitions are bounded at 1,000.

use std::fmt;
use std::fmt::Write as _;

/// How deep groups may nest, as in Go (`maxHeight`).
pub(super) const MAX_NESTING: u32 = 1000;
/// How often a repetition may repeat, those within it counted, as in Go.
const MAX_REPEAT: u32 = 1000;

/// The expression for the `regex` crate, without group names.
pub(super) struct Translated {
    pub pattern: String,
    /// The names of the groups from 1 on.
    pub names: Vec<Option<String>>,
}

/// What is wrong with an expression, and where.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct SyntaxError {
    code: &'static str,
    part: String,
}

impl fmt::Display for SyntaxError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: `{}`", self.code, self.part)
    }
}

type Result<T> = std::result::Result<T, SyntaxError>;

fn error<T>(code: &'static str, part: &str) -> Result<T> {
    Err(SyntaxError {
        code,
        part: part.to_owned(),
    })
}

const INVALID_ESCAPE: &str = "invalid escape sequence";
const INVALID_RANGE: &str = "invalid character class range";
const MISSING_ARGUMENT: &str = "missing argument to repetition operator";
const INVALID_PERL: &str = "invalid or unsupported Perl syntax";
const INVALID_NAME: &str = "invalid named capture";
const INVALID_COUNT: &str = "invalid repeat count";

/// Translates an expression.
pub(super) fn translate(pattern: &[u8]) -> Result<Translated> {
    let text = match std::str::from_utf8(pattern) {
        Ok(text) => text,
        Err(e) => {
            let bad = String::from_utf8_lossy(&pattern[e.valid_up_to()..]);
            return error("invalid UTF-8", &bad);
        }
    };
    let mut translator = Translator {
        whole: text,
        rest: text,
        out: String::with_capacity(text.len() + 16),
        names: Vec::new(),
        groups: vec![Group::default()],
        last_repeat: None,
    };
    translator.run()?;
    Ok(Translated {
        pattern: translator.out,
        names: translator.names,
    })
}

/// What is known of a group that is open.
#[derive(Default)]
struct Group {
    /// How often the last thing in it repeats what is inside of it; `None` if there is nothing to repeat yet.
    last: Option<u32>,
    /// The largest of all of them.
    most: u32,
}

struct Translator<'a> {
    whole: &'a str,
    rest: &'a str,
    out: String,
    names: Vec<Option<String>>,
    groups: Vec<Group>,
    /// Where the repetition just read started, for the error about stacking them.
    last_repeat: Option<&'a str>,
}

impl<'a> Translator<'a> {
    fn run(&mut self) -> Result<()> {
        while let Some(c) = self.rest.chars().next() {
            let last_repeat = self.last_repeat.take();
            match c {
                '(' => self.open_group()?,
                ')' => self.close_group()?,
                '|' => {
                    self.out.push('|');
                    self.group().last = None;
                    self.skip(1);
                }
                '^' | '$' | '.' => {
                    self.out.push(c);
                    self.skip(1);
                    self.atom(1);
                }
                '[' => self.class()?,
                '*' | '+' | '?' => self.repetition(&self.rest[..1], None, last_repeat)?,
                '{' => match parse_repeat(self.rest) {
                    Some(repeat) => self.counted(repeat, last_repeat)?,
                    None => self.literal(c),
                },
                '\\' => self.escape()?,
                c => self.literal(c),
            }
        }
        if self.groups.len() > 1 {
            return error("missing closing )", self.whole);
        }
        Ok(())
    }

    fn group(&mut self) -> &mut Group {
        self.groups
            .last_mut()
            .expect("the outermost group is never closed")
    }

    fn atom(&mut self, weight: u32) {
        let group = self.group();
        group.last = Some(weight);
        group.most = group.most.max(weight);
    }

    fn skip(&mut self, bytes: usize) {
        self.rest = &self.rest[bytes..];
    }

    /// Takes a literal character off the text.
    fn literal(&mut self, c: char) {
        self.skip(c.len_utf8());
        self.push_literal(c);
    }

    fn push_literal(&mut self, c: char) {
        push_char(&mut self.out, c);
        self.atom(1);
    }

    fn open_group(&mut self) -> Result<()> {
        if self.groups.len() > MAX_NESTING as usize {
            return error("expression nests too deeply", self.whole);
        }
        if self.rest.starts_with("(?") {
            return self.perl_group();
        }
        self.skip(1);
        self.open_capture(None);
        Ok(())
    }

    fn open_capture(&mut self, name: Option<&str>) {
        self.names.push(name.map(str::to_owned));
        self.out.push('(');
        self.groups.push(Group::default());
    }

    fn close_group(&mut self) -> Result<()> {
        if self.groups.len() == 1 {
            return error("unexpected )", self.whole);
        }
        let most = self.groups.pop().map_or(1, |group| group.most.max(1));
        self.out.push(')');
        self.skip(1);
        self.atom(most);
        Ok(())
    }

    /// `(?flags)`, `(?flags:`, `(?P<name>` and `(?<name>`.
    fn perl_group(&mut self) -> Result<()> {
        let start = self.rest;
        let named = start.strip_prefix("(?P<").filter(|name| !name.is_empty());
        if let Some(name) = named.or_else(|| start.strip_prefix("(?<")) {
            let Some(end) = name.find('>') else {
                return error(INVALID_NAME, start);
            };
            let length = start.len() - name.len() + end + 1;
            let name = &name[..end];
            if name.is_empty() || !name.bytes().all(|b| b == b'_' || b.is_ascii_alphanumeric()) {
                return error(INVALID_NAME, &start[..length]);
            }
            self.skip(length);
            self.open_capture(Some(name));
            return Ok(());
        }
        self.flags()
    }

    fn flags(&mut self) -> Result<()> {
        let start = self.rest;
        let (mut on, mut off) = (String::new(), String::new());
        let (mut negative, mut saw_flag) = (false, false);
        for (at, c) in start.char_indices().skip(2) {
            match c {
                'i' | 'm' | 's' | 'U' => {
                    let (set, other) = if negative {
                        (&mut off, &mut on)
                    } else {
                        (&mut on, &mut off)
                    };
                    other.retain(|flag| flag != c);
                    if !set.contains(c) {
                        set.push(c);
                    }
                    saw_flag = true;
                }
                '-' if !negative => (negative, saw_flag) = (true, false),
                ':' | ')' if !negative || saw_flag => {
                    self.skip(at + 1);
                    let minus = if off.is_empty() { "" } else { "-" };
                    let flags = format!("{on}{minus}{off}");
                    if c == ':' {
                        write!(self.out, "(?{flags}:").expect("writing to a string cannot fail");
                        self.groups.push(Group::default());
                    } else if !flags.is_empty() {
                        write!(self.out, "(?{flags})").expect("writing to a string cannot fail");
                    }
                    return Ok(());
                }
                c => return error(INVALID_PERL, &start[..at + c.len_utf8()]),
            }
        }
        error(INVALID_PERL, start)
    }

    fn counted(&mut self, repeat: Repeat<'a>, last_repeat: Option<&'a str>) -> Result<()> {
        let shown = &self.rest[..self.rest.len() - repeat.rest.len()];
        let too_many = |n: Option<u32>| n.is_none_or(|n| n > MAX_REPEAT);
        let bounds_cross = matches!((repeat.min, repeat.max), (Some(min), Max::Of(Some(max))) if min > max);
        let max_too_large = matches!(repeat.max, Max::Of(max) if too_many(max));
        if too_many(repeat.min) || max_too_large || bounds_cross {
            return error(INVALID_COUNT, shown);
        }
        let times = match repeat.max {
            Max::Of(max) => max,
            Max::Unbounded => repeat.min,
        };
        self.repetition(shown, times, last_repeat)
    }

    /// A repetition operator; `times` is how often a counted one repeats at most.
    fn repetition(
        &mut self,
        operator: &'a str,
        times: Option<u32>,
        last_repeat: Option<&'a str>,
    ) -> Result<()> {
        let before = self.rest;
        self.skip(operator.len());
        let lazy = self.rest.starts_with('?');
        if lazy {
            self.skip(1);
        }
        if let Some(last) = last_repeat {
            let shown = &last[..last.len() - self.rest.len()];
            return error("invalid nested repetition operator", shown);
        }
        let shown = &before[..before.len() - self.rest.len()];
        let Some(inner) = self.group().last else {
            return error(MISSING_ARGUMENT, shown);
        };
        let weight = match times {
            Some(0) => 1,
            Some(times) => times.saturating_mul(inner),
            None => inner,
        };
        if weight > MAX_REPEAT && times.is_some_and(|n| n >= 2) {
            return error(INVALID_COUNT, shown);
        }
        self.out.push_str(operator);
        if lazy {
            self.out.push('?');
        }
        self.atom(weight);
        self.last_repeat = Some(before);
        Ok(())
    }

    /// What a backslash starts outside of a class.
    fn escape(&mut self) -> Result<()> {
        let fixed = match self.rest.as_bytes().get(1) {
            Some(b'A') => r"\A",
            Some(b'z') => r"\z",
            Some(b'b') => r"(?-u:\b)",
            Some(b'B') => r"(?-u:\B)",
            Some(b'd') => "[0-9]",
            Some(b'D') => "[^0-9]",
            Some(b's') => r"[\t\n\x0C\r\x20]",
            Some(b'S') => r"[^\t\n\x0C\r\x20]",
            Some(b'w') => "[0-9A-Za-z_]",
            Some(b'W') => "[^0-9A-Za-z_]",
            Some(b'C') => return error(INVALID_ESCAPE, &self.rest[..2]),
            Some(b'Q') => {
                self.quoted();
                return Ok(());
            }
            Some(b'p' | b'P') => {
                let (class, rest) = unicode_class(self.rest)?;
                self.out.push_str(&class);
                self.rest = rest;
                self.atom(1);
                return Ok(());
            }
            _ => {
                let (code, rest) = escaped_char(self.rest)?;
                self.rest = rest;
                match char::from_u32(code) {
                    Some(c) => self.push_literal(c),
                    None => {
                        // Half of a surrogate pair is in no text.
                        self.out.push_str(r"[^\x00-\x{10FFFF}]");
                        self.atom(1);
                    }
                }
                return Ok(());
            }
        };
        self.out.push_str(fixed);
        self.skip(2);
        self.atom(1);
        Ok(())
    }

    /// `\Q...\E`, or to the end.
    fn quoted(&mut self) {
        let body = &self.rest[2..];
        let (literal, rest) = body.split_once(r"\E").unwrap_or((body, ""));
        for c in literal.chars() {
            self.push_literal(c);
        }
        self.rest = rest;
    }

    fn class(&mut self) -> Result<()> {
        let whole = self.rest;
        let mut rest = &whole[1..];
        let mut class = String::from("[");
        if let Some(after) = rest.strip_prefix('^') {
            class.push('^');
            rest = after;
        }
        let mut first = true;
        while first || !rest.starts_with(']') {
            first = false;
            if let Some((group, after)) = group_in_class(rest)? {
                class.push_str(&group);
                rest = after;
                continue;
            }
            let range = rest;
            let (low, after) = class_char(rest, whole)?;
            rest = after;
            let mut high = low;
            if rest.len() >= 2 && rest.starts_with('-') && !rest[1..].starts_with(']') {
                (high, rest) = class_char(&rest[1..], whole)?;
                if high < low {
                    return error(INVALID_RANGE, &range[..range.len() - rest.len()]);
                }
            }
            push_range(&mut class, low, high);
        }
        class.push(']');
        if class == "[]" || class == "[^]" {
            // Nothing but halves of surrogate pairs.
            class = if class == "[]" {
                r"[^\x00-\x{10FFFF}]"
            } else {
                r"[\x00-\x{10FFFF}]"
            }
            .to_owned();
        }
        self.out.push_str(&class);
        self.rest = &rest[1..];
        self.atom(1);
        Ok(())
    }
}

/// A class within a class: `[:alpha:]`, `\pL`, `\d`.
fn group_in_class(text: &str) -> Result<Option<(String, &str)>> {
    if let Some(named) = text.strip_prefix("[:")
        && let Some(end) = named.find(":]")
    {
        let name = &named[..end];
        let after = &named[end + 2..];
        const NAMES: [&str; 14] = [
            "alnum", "alpha", "ascii", "blank", "cntrl", "digit", "graph", "lower", "print", "punct",
            "space", "upper", "word", "xdigit",
        ];
        if !NAMES.contains(&name.strip_prefix('^').unwrap_or(name)) {
            return error(INVALID_RANGE, &text[..end + 4]);
        }
        return Ok(Some((format!("[:{name}:]"), after)));
    }
    let class = match text.as_bytes() {
        [b'\\', b'p' | b'P', ..] => return unicode_class(text).map(Some),
        [b'\\', b'd', ..] => "0-9",
        [b'\\', b'D', ..] => "[^0-9]",
        [b'\\', b's', ..] => r"\t\n\x0C\r\x20",
        [b'\\', b'S', ..] => r"[^\t\n\x0C\r\x20]",
        [b'\\', b'w', ..] => "0-9A-Za-z_",
        [b'\\', b'W', ..] => "[^0-9A-Za-z_]",
        _ => return Ok(None),
    };
    Ok(Some((class.to_owned(), &text[2..])))
}

/// `\pL`, `\p{Greek}`, `\P{^Greek}` as the crate writes it.
fn unicode_class(text: &str) -> Result<(String, &str)> {
    let Some(c) = text[2..].chars().next() else {
        return error(INVALID_ESCAPE, text);
    };
    let (name, shown, rest) = if c == '{' {
        let Some(end) = text.find('}') else {
            return error(INVALID_RANGE, text);
        };
        (&text[3..end], &text[..=end], &text[end + 1..])
    } else {
        let end = 2 + c.len_utf8();
        (&text[2..end], &text[..end], &text[end..])
    };
    let mut negative = text.starts_with("\\P");
    let name = match name.strip_prefix('^') {
        Some(name) => {
            negative = !negative;
            name
        }
        None => name,
    };
    let letter = if negative { 'P' } else { 'p' };
    let class = format!("\\{letter}{{{name}}}");
    let plain = name
        .bytes()
        .all(|b| b.is_ascii_alphanumeric() || b"_- ".contains(&b));
    if !plain || regex_syntax::parse(&class).is_err() {
        return error(INVALID_RANGE, shown);
    }
    Ok((class, rest))
}

/// One character of a class, plain or escaped.
fn class_char<'a>(text: &'a str, whole: &str) -> Result<(u32, &'a str)> {
    match text.chars().next() {
        None => error("missing closing ]", whole),
        Some('\\') => escaped_char(text),
        Some(c) => Ok((u32::from(c), &text[c.len_utf8()..])),
    }
}

/// The code point of an escape, which may be one that no character has.
fn escaped_char(text: &str) -> Result<(u32, &str)> {
    let after = &text[1..];
    let Some(c) = after.chars().next() else {
        return error("trailing backslash at end of expression", "");
    };
    let rest = &after[c.len_utf8()..];
    let invalid = |rest: &str| error(INVALID_ESCAPE, &text[..text.len() - rest.len()]);
    let code = match c {
        // One to seven alone would be a reference to a group, which RE2 has not.
        '1'..='7' if !rest.starts_with(|c: char| ('0'..='7').contains(&c)) => return invalid(rest),
        '0'..='7' => return Ok(octal(after)),
        'x' => return hexadecimal(text, rest),
        'a' => 0x07,
        'f' => 0x0c,
        'n' => 0x0a,
        'r' => 0x0d,
        't' => 0x09,
        'v' => 0x0b,
        c if c.is_ascii() && !c.is_ascii_alphanumeric() => u32::from(c),
        _ => return invalid(rest),
    };
    Ok((code, rest))
}

/// Up to three octal digits.
fn octal(digits: &str) -> (u32, &str) {
    let length = digits
        .bytes()
        .take(3)
        .take_while(|b| (b'0'..=b'7').contains(b))
        .count();
    let code = u32::from_str_radix(&digits[..length], 8).unwrap_or(0);
    (code, &digits[length..])
}

/// `\xFF` or `\x{10FFFF}`; `rest` is what follows the x.
fn hexadecimal<'a>(text: &'a str, rest: &'a str) -> Result<(u32, &'a str)> {
    let mut code = 0;
    let mut chars = rest.char_indices();
    let braced = rest.starts_with('{');
    if braced {
        chars.next();
    }
    let mut digits = 0;
    for (at, c) in chars {
        let after = &rest[at + c.len_utf8()..];
        let invalid = || error(INVALID_ESCAPE, &text[..text.len() - after.len()]);
        if braced && c == '}' {
            return if digits > 0 { Ok((code, after)) } else { invalid() };
        }
        let Some(digit) = c.to_digit(16) else {
            // Without braces Go takes two characters before it looks at them.
            let missing = !braced && digits == 0;
            let end = if missing {
                after.chars().next().map_or(0, char::len_utf8)
            } else {
                0
            };
            return error(INVALID_ESCAPE, &text[..text.len() - after.len() + end]);
        };
        code = code * 16 + digit;
        digits += 1;
        if code > u32::from(char::MAX) {
            return invalid();
        }
        if !braced && digits == 2 {
            return Ok((code, after));
        }
    }
    error(INVALID_ESCAPE, text)
}

/// A counted repetition: `None` in a number is one that is too large to read.
struct Repeat<'a> {
    min: Option<u32>,
    max: Max,
    rest: &'a str,
}

#[derive(Clone, Copy)]
enum Max {
    Of(Option<u32>),
    Unbounded,
}

/// `{2}`, `{2,}` or `{2,3}`; anything else means its characters.
fn parse_repeat(text: &str) -> Option<Repeat<'_>> {
    let (min, rest) = parse_count(text.strip_prefix('{')?)?;
    let (max, rest) = match rest.strip_prefix(',') {
        None => (Max::Of(min), rest),
        Some(after) if after.starts_with('}') => (Max::Unbounded, after),
        Some(after) => {
            let (max, rest) = parse_count(after)?;
            (Max::Of(max), rest)
        }
    };
    Some(Repeat {
        min,
        max,
        rest: rest.strip_prefix('}')?,
    })
}

fn parse_count(text: &str) -> Option<(Option<u32>, &str)> {
    let length = text.bytes().take_while(u8::is_ascii_digit).count();
    let digits = &text[..length];
    if length == 0 || length > 1 && digits.starts_with('0') {
        return None;
    }
    Some((digits.parse().ok(), &text[length..]))
}

/// Appends a range of a class without the code points that are no characters.
fn push_range(class: &mut String, low: u32, high: u32) {
    let low = if (0xD800..0xE000).contains(&low) {
        0xE000
    } else {
        low
    };
    let high = if (0xD800..0xE000).contains(&high) {
        0xD7FF
    } else {
        high
    };
    if let (Some(low), Some(high)) = (char::from_u32(low), char::from_u32(high))
        && low <= high
    {
        push_char(class, low);
        if low < high {
            class.push('-');
            push_char(class, high);
        }
    }
}

/// Appends a character so that it means nothing but itself, in a class and outside.
fn push_char(out: &mut String, c: char) {
    if c.is_alphanumeric() {
        out.push(c);
    } else {
        write!(out, "\\x{{{:X}}}", u32::from(c)).expect("writing to a string cannot fail");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fails(pattern: &str) -> String {
        match translate(pattern.as_bytes()) {
            Ok(translated) => panic!("{pattern} became {}", translated.pattern),
            Err(e) => e.to_string(),
        }
    }

    #[test]
    fn errors_are_gos() {
        let cases = [
            ("(a", "missing closing ): `(a`"),
            ("a)", "unexpected ): `a)`"),
            ("[a", "missing closing ]: `[a`"),
            ("a**", "invalid nested repetition operator: `**`"),
            ("*", "missing argument to repetition operator: `*`"),
            ("a{1001}", "invalid repeat count: `{1001}`"),
            ("(a{100}){100}", "invalid repeat count: `{100}`"),
            (r"\1", r"invalid escape sequence: `\1`"),
            (r"\pX", r"invalid character class range: `\pX`"),
            ("[b-a]", "invalid character class range: `b-a`"),
            ("(?x)", "invalid or unsupported Perl syntax: `(?x`"),
            ("(?P<a b>x)", "invalid named capture: `(?P<a b>`"),
            ("a\\", "trailing backslash at end of expression: ``"),
        ];
        for (pattern, want) in cases {
            assert_eq!(fails(pattern), want, "{pattern}");
        }
    }

    #[test]
    fn what_is_translated_compiles() {
        for pattern in [
            "",
            "a{,2}",
            "[[a&&b]",
            "(?P<1x>a)",
            r"\Q*\E+",
            r"[\D\pL]",
            "(?i-s:a)",
            "(?)",
            r"[^\x{D800}]",
            "a{2,}?",
            "[]a]",
            "x{2",
            r"\x{7f}\07",
        ] {
            let translated = translate(pattern.as_bytes()).unwrap_or_else(|e| panic!("{pattern}: {e}"));
            assert!(
                regex::bytes::Regex::new(&translated.pattern).is_ok(),
                "{pattern} became {}",
                translated.pattern
            );
        }
    }
}

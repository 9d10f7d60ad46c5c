//! Characters as Go classifies and decodes them.

mod tables;

/// What Go puts in the place of a byte that is not UTF-8.
pub const REPLACEMENT: char = '\u{FFFD}';

/// Whether `strconv.IsPrint` holds: letters, marks, numbers, punctuation, symbols and the ASCII space.
pub fn is_print(c: char) -> bool {
    match c {
        ' '..='~' => true,
        '\0'..='\x7f' => false,
        _ => member(&tables::PRINT, c),
    }
}

/// Whether `unicode.IsLetter` holds.
pub fn is_letter(c: char) -> bool {
    if c.is_ascii() {
        c.is_ascii_alphabetic()
    } else {
        member(&tables::LETTER, c)
    }
}

/// Whether `unicode.IsDigit` holds.
pub fn is_digit(c: char) -> bool {
    if c.is_ascii() {
        c.is_ascii_digit()
    } else {
        member(&tables::DIGIT, c)
    }
}

/// The first character of non-empty bytes and its length; a wrong byte is U+FFFD of length 1, and so is the end.
#[inline]
pub fn decode(bytes: &[u8]) -> (char, usize) {
    match bytes.first() {
        None => (REPLACEMENT, 0),
        Some(&first) if first.is_ascii() => (char::from(first), 1),
        Some(&first) => decode_sequence(bytes, first),
    }
}

fn decode_sequence(bytes: &[u8], first: u8) -> (char, usize) {
    let length = match first {
        0xC2..0xE0 => 2,
        0xE0..0xF0 => 3,
        0xF0..0xF5 => 4,
        _ => return (REPLACEMENT, 1),
    };
    match bytes.get(..length).map(std::str::from_utf8) {
        Some(Ok(text)) => (text.chars().next().unwrap_or(REPLACEMENT), length),
        _ => (REPLACEMENT, 1),
    }
}

/// The characters of bytes with the offset and length of each.
pub fn chars(bytes: &[u8]) -> impl Iterator<Item = (usize, char, usize)> + '_ {
    let mut at = 0;
    std::iter::from_fn(move || {
        if at >= bytes.len() {
            return None;
        }
        let (c, length) = decode(&bytes[at..]);
        let item = (at, c, length);
        at += length;
        Some(item)
    })
}

/// The number of characters, as `utf8.RuneCount` counts them.
pub fn count(bytes: &[u8]) -> usize {
    if bytes.is_ascii() {
        bytes.len()
    } else {
        chars(bytes).count()
    }
}

/// Appends a character as UTF-8.
pub fn push(out: &mut Vec<u8>, c: char) {
    out.extend_from_slice(c.encode_utf8(&mut [0; 4]).as_bytes());
}

/// Appends text with each byte that is not UTF-8 replaced by U+FFFD, one by one as Go does it.
pub fn push_lossy(out: &mut String, bytes: &[u8]) {
    match std::str::from_utf8(bytes) {
        Ok(text) => out.push_str(text),
        Err(_) => out.extend(chars(bytes).map(|(_, c, _)| c)),
    }
}

/// Whether the code point lies in one of the runs: an odd number of bounds is passed, or it is the last of a run.
fn member(bounds: &[u32], c: char) -> bool {
    let code = u32::from(c);
    let passed = bounds.partition_point(|&bound| bound <= code);
    passed % 2 == 1 || (passed > 0 && bounds[passed - 1] == code)
}

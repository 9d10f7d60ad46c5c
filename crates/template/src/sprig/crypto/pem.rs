//! PEM (RFC 7468), as Go's `encoding/pem` reads and writes it.

use crate::encoding::{decode_base64, encode_base64};
use crate::sprig::text::find;

const LINE: usize = 64;

/// A block with its label.
pub(super) fn encode(label: &str, data: &[u8]) -> String {
    let encoded = encode_base64(data);
    let mut out = format!("-----BEGIN {label}-----\n");
    let mut rest = encoded.as_str();
    while !rest.is_empty() {
        let (line, after) = rest.split_at(rest.len().min(LINE));
        out.push_str(line);
        out.push('\n');
        rest = after;
    }
    out.push_str(&format!("-----END {label}-----\n"));
    out
}

/// The first block of a text: its label and its data. What stands around it does not matter.
pub(super) fn decode(text: &[u8]) -> Option<(String, Vec<u8>)> {
    let mut rest = text;
    loop {
        let begin = find(rest, b"-----BEGIN ")?;
        let starts_line = begin == 0 || rest[begin - 1] == b'\n';
        let after = &rest[begin + b"-----BEGIN ".len()..];
        if starts_line && let Some(found) = block(after) {
            return Some(found);
        }
        rest = after;
    }
}

/// A block from its label on.
fn block(text: &[u8]) -> Option<(String, Vec<u8>)> {
    let line_end = find(text, b"\n")?;
    let label = text[..line_end].trim_ascii_end().strip_suffix(b"-----")?;
    let label = std::str::from_utf8(label).ok()?;
    let mut body = &text[line_end + 1..];
    let end_line = format!("-----END {label}-----");
    let end = find(body, end_line.as_bytes())?;
    if end > 0 && body[end - 1] != b'\n' {
        return None;
    }
    body = &body[..end];
    // Headers end at an empty line.
    while let Some(line_end) = find(body, b"\n")
        && body[..line_end].contains(&b':')
    {
        body = &body[line_end + 1..];
    }
    let digits: Vec<u8> = body
        .iter()
        .copied()
        .filter(|b| !b.is_ascii_whitespace())
        .collect();
    Some((label.to_owned(), decode_base64(&digits).ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_block_comes_back() {
        let data: Vec<u8> = (0..100).collect();
        let text = format!("note\n{}tail", encode("TEST KEY", &data));
        assert_eq!(decode(text.as_bytes()), Some(("TEST KEY".to_owned(), data)));
        assert_eq!(decode(b"-----BEGIN X-----\n"), None);
    }
}

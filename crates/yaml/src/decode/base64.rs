//! The contents of `!!binary`.

/// Decodes standard base64 with padding; line breaks are ignored. Bytes that are not UTF-8 become U+FFFD, one each,
/// which is what Go's JSON makes of them.
pub(super) fn decode(text: &str) -> Option<String> {
    let digits: Vec<u8> = text.bytes().filter(|b| !matches!(b, b'\r' | b'\n')).collect();
    if !digits.len().is_multiple_of(4) {
        return None;
    }
    let unpadded = digits.iter().rposition(|b| *b != b'=').map_or(0, |i| i + 1);
    if digits.len() - unpadded > 2 {
        return None;
    }
    let mut bytes = Vec::with_capacity(digits.len() / 4 * 3);
    for quad in digits[..unpadded].chunks(4) {
        let mut bits = 0u32;
        for digit in quad {
            bits = bits << 6 | value(*digit)?;
        }
        bits <<= 6 * (4 - quad.len());
        bytes.extend_from_slice(&bits.to_be_bytes()[1..quad.len()]);
    }
    Some(lossy(&bytes))
}

fn value(digit: u8) -> Option<u32> {
    let value = match digit {
        b'A'..=b'Z' => digit - b'A',
        b'a'..=b'z' => digit - b'a' + 26,
        b'0'..=b'9' => digit - b'0' + 52,
        b'+' => 62,
        b'/' => 63,
        _ => return None,
    };
    Some(u32::from(value))
}

fn lossy(bytes: &[u8]) -> String {
    let mut text = String::with_capacity(bytes.len());
    for chunk in bytes.utf8_chunks() {
        text.push_str(chunk.valid());
        text.extend(chunk.invalid().iter().map(|_| '\u{FFFD}'));
    }
    text
}

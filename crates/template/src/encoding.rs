//! Base64 and base32 (RFC 4648) with Go's error positions, which templates see.

const BASE64: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
const BCRYPT: &[u8; 64] = b"./ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789";
const BASE32: &[u8; 32] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";

/// Data is not base64 or base32 from this byte on.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error("illegal {name} data at input byte {at}")]
pub struct Corrupt {
    name: &'static str,
    at: usize,
}

/// Standard base64 with padding.
pub fn encode_base64(data: &[u8]) -> String {
    encode(data, BASE64, 6)
}

/// The base64 of bcrypt: an alphabet of its own, no padding.
pub(crate) fn encode_bcrypt(data: &[u8]) -> String {
    let mut encoded = encode(data, BCRYPT, 6);
    encoded.truncate(encoded.trim_end_matches('=').len());
    encoded
}

/// Standard base32 with padding.
pub(crate) fn encode_base32(data: &[u8]) -> String {
    encode(data, BASE32, 5)
}

fn encode(data: &[u8], alphabet: &[u8], bits: usize) -> String {
    // A group of whole bytes that is a whole number of digits: 3 bytes of base64, 5 of base32.
    let (group, digits) = if bits == 6 { (3, 4) } else { (5, 8) };
    let mut out = String::with_capacity(data.len().div_ceil(group) * digits);
    for chunk in data.chunks(group) {
        let mut value = 0u64;
        for i in 0..group {
            value = value << 8 | u64::from(chunk.get(i).copied().unwrap_or(0));
        }
        let used = (chunk.len() * 8).div_ceil(bits);
        for i in 0..digits {
            let shift = bits * (digits - 1 - i);
            let digit = (value >> shift) as usize & (alphabet.len() - 1);
            out.push(if i < used {
                char::from(alphabet[digit])
            } else {
                '='
            });
        }
    }
    out
}

/// `base64.StdEncoding.DecodeString`: line ends are skipped, padding is demanded.
pub fn decode_base64(data: &[u8]) -> Result<Vec<u8>, Corrupt> {
    let corrupt = |at| Corrupt { name: "base64", at };
    let mut out = Vec::with_capacity(data.len() / 4 * 3);
    let mut at = 0;
    loop {
        let mut value = 0u32;
        let mut digits = 0;
        while digits < 4 {
            let Some(&byte) = data.get(at) else {
                return if digits == 0 {
                    Ok(out)
                } else {
                    Err(corrupt(at - digits))
                };
            };
            at += 1;
            match digit_64(byte) {
                Some(digit) => {
                    value |= digit << (18 - 6 * digits);
                    digits += 1;
                }
                None if byte == b'\r' || byte == b'\n' => {}
                None if byte == b'=' && digits >= 2 => {
                    at = skip_padding_64(data, at, digits).map_err(corrupt)?;
                    let bytes = value.to_be_bytes();
                    out.extend_from_slice(&bytes[1..digits]);
                    return if at < data.len() {
                        Err(corrupt(at))
                    } else {
                        Ok(out)
                    };
                }
                None => return Err(corrupt(at - 1)),
            }
        }
        out.extend_from_slice(&value.to_be_bytes()[1..]);
    }
}

/// Passes the second padding character, if it must come, and line ends. `Err` is the position of the error.
fn skip_padding_64(data: &[u8], mut at: usize, digits: usize) -> Result<usize, usize> {
    let skip_line_ends = |mut at: usize| {
        while matches!(data.get(at), Some(b'\r' | b'\n')) {
            at += 1;
        }
        at
    };
    if digits == 2 {
        at = skip_line_ends(at);
        match data.get(at) {
            None => return Err(data.len()),
            Some(b'=') => at += 1,
            Some(_) => return Err(at - 1),
        }
    }
    Ok(skip_line_ends(at))
}

fn digit_64(byte: u8) -> Option<u32> {
    let digit = match byte {
        b'A'..=b'Z' => byte - b'A',
        b'a'..=b'z' => byte - b'a' + 26,
        b'0'..=b'9' => byte - b'0' + 52,
        b'+' => 62,
        b'/' => 63,
        _ => return None,
    };
    Some(u32::from(digit))
}

/// `base32.StdEncoding.DecodeString`.
pub(crate) fn decode_base32(data: &[u8]) -> Result<Vec<u8>, Corrupt> {
    let corrupt = |at| Corrupt { name: "base32", at };
    let data: Vec<u8> = data
        .iter()
        .copied()
        .filter(|b| !matches!(b, b'\r' | b'\n'))
        .collect();
    let mut out = Vec::with_capacity(data.len() / 8 * 5);
    let mut at = 0;
    while at < data.len() {
        let mut value = 0u64;
        let mut digits = 0;
        let mut last = false;
        while digits < 8 && !last {
            let Some(&byte) = data.get(at) else {
                return Err(corrupt(at - digits));
            };
            at += 1;
            let left = data.len() - at;
            if byte == b'=' && digits >= 2 && left < 8 {
                check_padding_32(&data, at, digits).map_err(corrupt)?;
                last = true;
                continue;
            }
            let digit = digit_32(byte).ok_or(corrupt(at - 1))?;
            value |= digit << (35 - 5 * digits);
            digits += 1;
        }
        let bytes = value.to_be_bytes();
        out.extend_from_slice(&bytes[3..3 + digits * 5 / 8]);
        if last {
            break;
        }
    }
    Ok(out)
}

/// Whether as much padding follows as the digits need. `Err` is the position of the error.
fn check_padding_32(data: &[u8], at: usize, digits: usize) -> Result<(), usize> {
    let rest = &data[at..];
    if rest.len() + digits < 7 {
        return Err(data.len());
    }
    if let Some(wrong) = rest.iter().take(7 - digits).position(|&b| b != b'=') {
        return Err(at + wrong - 1);
    }
    if matches!(digits, 1 | 3 | 6) {
        return Err(at - 1);
    }
    Ok(())
}

fn digit_32(byte: u8) -> Option<u64> {
    let digit = match byte {
        b'A'..=b'Z' => byte - b'A',
        b'2'..=b'7' => byte - b'2' + 26,
        _ => return None,
    };
    Some(u64::from(digit))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn base64_round_trip_and_positions() {
        for data in [b"".as_slice(), b"f", b"fo", b"foo", b"\xff\x00\xfe\x01"] {
            assert_eq!(decode_base64(encode_base64(data).as_bytes()).as_deref(), Ok(data));
        }
        assert_eq!(encode_base64(b"fo"), "Zm8=");
        let at = |s: &str| decode_base64(s.as_bytes()).map_err(|e| e.at);
        assert_eq!(at("Zg="), Err(3));
        assert_eq!(at("Zg==x"), Err(4));
        assert_eq!(at("Z"), Err(0));
        assert_eq!(at("Zm9\nv"), Ok(b"foo".to_vec()));
        assert_eq!(at("!"), Err(0));
    }

    #[test]
    fn base32_round_trip() {
        for data in [b"".as_slice(), b"f", b"fo", b"foo", b"foob", b"fooba", b"foobar"] {
            assert_eq!(decode_base32(encode_base32(data).as_bytes()).as_deref(), Ok(data));
        }
    }
}

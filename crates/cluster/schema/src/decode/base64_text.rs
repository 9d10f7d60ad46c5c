//! Bytes in JSON, as Go reads and writes them (`encoding/base64`).

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

/// The bytes of a text; line ends in it do not matter. The error is Go's: `illegal base64 data at input byte 4`.
pub fn decode(text: &str) -> Result<Vec<u8>, String> {
    if let Ok(bytes) = STANDARD.decode(text) {
        return Ok(bytes);
    }
    let stripped: String = text.chars().filter(|c| !matches!(c, '\r' | '\n')).collect();
    match STANDARD.decode(&stripped) {
        Ok(bytes) => Ok(bytes),
        Err(_) => match first_illegal(text.as_bytes()) {
            // Go does not mind bits that are left over in the last character.
            None => Ok(lenient(&stripped)),
            Some(place) => Err(format!("illegal base64 data at input byte {place}")),
        },
    }
}

/// The text of bytes.
pub fn encode(bytes: &[u8]) -> String {
    STANDARD.encode(bytes)
}

fn lenient(text: &str) -> Vec<u8> {
    let config = base64::engine::GeneralPurposeConfig::new().with_decode_allow_trailing_bits(true);
    let engine = base64::engine::GeneralPurpose::new(&base64::alphabet::STANDARD, config);
    engine.decode(text).unwrap_or_default()
}

/// Where Go's decoder stops (`base64.go decodeQuantum`); none if it does not.
fn first_illegal(text: &[u8]) -> Option<usize> {
    let mut at = 0;
    let next = |at: &mut usize| {
        while matches!(text.get(*at), Some(b'\r' | b'\n')) {
            *at += 1;
        }
        let byte = text.get(*at).copied();
        *at += 1;
        byte
    };
    loop {
        for place in 0..4 {
            let Some(byte) = next(&mut at) else {
                // The text ends before the four are full: the fault is where they began.
                return (place != 0).then(|| at - 1 - place);
            };
            if byte.is_ascii_alphanumeric() || byte == b'+' || byte == b'/' {
                continue;
            }
            let here = at - 1;
            if byte != b'=' || place < 2 {
                return Some(here);
            }
            if place == 2 {
                match next(&mut at) {
                    None => return Some(text.len()),
                    Some(b'=') => {}
                    // Go names the byte before the wrong one.
                    Some(_) => return Some(at - 2),
                }
            }
            return next(&mut at).map(|_| at - 1);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_are_read_as_go_does() {
        assert_eq!(decode("YQ==").as_deref(), Ok(&b"a"[..]));
        assert_eq!(decode("YW\nJj").as_deref(), Ok(&b"abc"[..]));
        assert_eq!(decode("YR==").as_deref(), Ok(&b"a"[..]));
        assert_eq!(decode("").as_deref(), Ok(&b""[..]));
    }

    #[test]
    fn faults_are_where_go_says() {
        let cases = [
            ("a", 0),
            ("abc", 0),
            ("abcde", 4),
            ("!", 0),
            ("ab!d", 2),
            ("YQ=", 3),
            ("YQ==x", 4),
            ("a===", 1),
            ("YQ=x", 2),
        ];
        for (text, place) in cases {
            assert_eq!(
                decode(text),
                Err(format!("illegal base64 data at input byte {place}")),
                "{text}"
            );
        }
    }
}

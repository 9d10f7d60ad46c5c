//! Percent-encoding with Go's choice of what each part of a URL may hold as it is.

use crate::quote;

/// A part of a URL.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Part {
    Path,
    User,
    Host,
    Zone,
    Fragment,
}

impl Part {
    /// Whether the byte stands for itself in this part.
    fn allows(self, b: u8) -> bool {
        if b.is_ascii_alphanumeric() || b"-_.~".contains(&b) {
            return true;
        }
        match self {
            Part::Path => b"$&+,/:;=@".contains(&b),
            Part::User => b"$&+,;=".contains(&b),
            Part::Host | Part::Zone => b"!$&'()*+,;=:[]<>\"".contains(&b),
            Part::Fragment => b"$&+,/:;=?@!()*".contains(&b),
        }
    }
}

pub(super) fn escape(text: &[u8], part: Part) -> Vec<u8> {
    let mut out = Vec::with_capacity(text.len());
    for &b in text {
        if part.allows(b) {
            out.push(b);
        } else {
            out.extend_from_slice(format!("%{b:02X}").as_bytes());
        }
    }
    out
}

/// The error is Go's text.
pub(super) fn unescape(text: &[u8], part: Part) -> Result<Vec<u8>, String> {
    let invalid_escape = |escape: &[u8]| format!("invalid URL escape {}", quote::quote(escape));
    let mut out = Vec::with_capacity(text.len());
    let mut at = 0;
    while at < text.len() {
        let rest = &text[at..];
        if rest[0] != b'%' {
            if matches!(part, Part::Host | Part::Zone) && rest[0].is_ascii() && !part.allows(rest[0]) {
                let shown = quote::quote(&rest[..1]);
                return Err(format!("invalid character {shown} in host name"));
            }
            out.push(rest[0]);
            at += 1;
            continue;
        }
        let escape = &rest[..rest.len().min(3)];
        let digits = escape
            .get(1..3)
            .and_then(|digits| std::str::from_utf8(digits).ok());
        let digits = digits.filter(|d| d.bytes().all(|b| b.is_ascii_hexdigit()));
        let Some(byte) = digits.and_then(|d| u8::from_str_radix(d, 16).ok()) else {
            return Err(invalid_escape(escape));
        };
        let percent = escape == b"%25";
        let forbidden = match part {
            // Only bytes of other alphabets may be escaped in a host.
            Part::Host => byte < 0x80 && !percent,
            Part::Zone => !percent && byte != b' ' && !Part::Host.allows(byte),
            Part::Path | Part::User | Part::Fragment => false,
        };
        if forbidden {
            return Err(invalid_escape(escape));
        }
        out.push(byte);
        at += 3;
    }
    Ok(out)
}

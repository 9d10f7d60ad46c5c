//! The distinguished encoding of ASN.1 (X.690), as much as keys and certificates need.

pub(super) const BOOLEAN: u8 = 0x01;
pub(super) const INTEGER: u8 = 0x02;
pub(super) const BIT_STRING: u8 = 0x03;
pub(super) const OCTET_STRING: u8 = 0x04;
pub(super) const NULL: u8 = 0x05;
pub(super) const OID: u8 = 0x06;
pub(super) const UTF8_STRING: u8 = 0x0c;
pub(super) const PRINTABLE_STRING: u8 = 0x13;
pub(super) const UTC_TIME: u8 = 0x17;
pub(super) const GENERALIZED_TIME: u8 = 0x18;
pub(super) const SEQUENCE: u8 = 0x30;
pub(super) const SET: u8 = 0x31;

/// The tag `[number]` around other values.
pub(super) const fn context(number: u8) -> u8 {
    0xa0 | number
}

/// The tag `[number]` in the place of a primitive one.
pub(super) const fn context_primitive(number: u8) -> u8 {
    0x80 | number
}

/// A value with its tag and length.
pub(super) fn tagged(tag: u8, content: &[u8]) -> Vec<u8> {
    let mut out = vec![tag];
    if content.len() < 0x80 {
        out.push(u8::try_from(content.len()).unwrap_or(0));
    } else {
        let bytes = content.len().to_be_bytes();
        let length: Vec<u8> = bytes.into_iter().skip_while(|&b| b == 0).collect();
        out.push(0x80 | u8::try_from(length.len()).unwrap_or(0));
        out.extend(length);
    }
    out.extend_from_slice(content);
    out
}

/// A constructed value of the parts.
pub(super) fn constructed(tag: u8, parts: &[Vec<u8>]) -> Vec<u8> {
    tagged(tag, &parts.concat())
}

pub(super) fn sequence(parts: &[Vec<u8>]) -> Vec<u8> {
    constructed(SEQUENCE, parts)
}

/// A number without sign, big end first.
pub(super) fn integer(magnitude: &[u8]) -> Vec<u8> {
    let significant: Vec<u8> = magnitude.iter().copied().skip_while(|&b| b == 0).collect();
    let mut content = Vec::with_capacity(significant.len() + 1);
    // The first bit is the sign.
    if significant.first().is_none_or(|b| b & 0x80 != 0) {
        content.push(0);
    }
    content.extend(significant);
    tagged(INTEGER, &content)
}

/// Whole bytes as a bit string.
pub(super) fn bit_string(bytes: &[u8]) -> Vec<u8> {
    tagged(BIT_STRING, &[&[0], bytes].concat())
}

/// One value that was read.
#[derive(Clone, Copy)]
pub(super) struct Element<'a> {
    pub tag: u8,
    pub content: &'a [u8],
    /// With tag and length.
    pub whole: &'a [u8],
}

/// Reads values one after the other.
#[derive(Clone, Copy)]
pub(super) struct Reader<'a> {
    rest: &'a [u8],
}

impl<'a> Reader<'a> {
    pub fn new(bytes: &'a [u8]) -> Reader<'a> {
        Reader { rest: bytes }
    }

    pub fn is_empty(&self) -> bool {
        self.rest.is_empty()
    }

    /// The next value, if it is well formed; tags above 30 do not occur here.
    pub fn next(&mut self) -> Option<Element<'a>> {
        let (&tag, after) = self.rest.split_first()?;
        let (&first, mut body) = after.split_first()?;
        let length = match first {
            0..=0x7f => usize::from(first),
            0x81..=0x84 => {
                let (digits, after) = body.split_at_checked(usize::from(first & 0x7f))?;
                body = after;
                let length = digits.iter().fold(0usize, |n, &b| n << 8 | usize::from(b));
                // The shortest form is the only one.
                if digits[0] == 0 || length < 0x80 {
                    return None;
                }
                length
            }
            _ => return None,
        };
        if tag & 0x1f == 0x1f || body.len() < length {
            return None;
        }
        let (content, rest) = body.split_at(length);
        let whole = &self.rest[..self.rest.len() - rest.len()];
        self.rest = rest;
        Some(Element { tag, content, whole })
    }

    /// The next value, if it has this tag; otherwise nothing is read.
    pub fn next_if(&mut self, tag: u8) -> Option<Element<'a>> {
        let mut ahead = *self;
        let element = ahead.next().filter(|e| e.tag == tag)?;
        *self = ahead;
        Some(element)
    }

    /// Enters a constructed value with this tag.
    pub fn enter(&mut self, tag: u8) -> Option<Reader<'a>> {
        self.next_if(tag).map(|e| Reader::new(e.content))
    }

    /// The magnitude of a number that is not negative.
    pub fn unsigned(&mut self) -> Option<&'a [u8]> {
        let content = self.next_if(INTEGER)?.content;
        match content {
            [] => None,
            [0, rest @ ..] if !rest.is_empty() => Some(rest),
            [first, ..] if first & 0x80 != 0 => None,
            all => Some(all),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_read() {
        let long = vec![7; 300];
        let encoded = sequence(&[integer(&[0, 0x80]), tagged(OCTET_STRING, &long)]);
        let mut reader = Reader::new(&encoded).enter(SEQUENCE).expect("it is a sequence");
        assert_eq!(reader.unsigned(), Some([0x80].as_slice()));
        assert_eq!(
            reader.next_if(OCTET_STRING).map(|e| e.content),
            Some(long.as_slice())
        );
        assert!(reader.is_empty());
        assert!(
            Reader::new(&[0x30, 0x81, 0x01, 0x00]).next().is_none(),
            "not the shortest length"
        );
    }
}

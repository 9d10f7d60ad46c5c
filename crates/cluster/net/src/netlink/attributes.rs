use std::ffi::CStr;

use super::KIND;

/// The attributes of a message, read one after the other. Whatever the bytes say, nothing beyond them is read.
#[derive(Clone, Copy, Debug)]
pub struct Attributes<'a> {
    rest: &'a [u8],
}

/// One of them.
#[derive(Clone, Copy, Debug)]
pub struct Attribute<'a> {
    /// Its type, without flags.
    pub kind: u16,
    /// What it holds.
    pub value: &'a [u8],
}

impl<'a> Attributes<'a> {
    /// Those in `bytes`.
    pub fn new(bytes: &'a [u8]) -> Attributes<'a> {
        Attributes { rest: bytes }
    }

    /// The first of a type.
    pub fn get(self, kind: u16) -> Option<Attribute<'a>> {
        let mut all = self;
        all.find(|attribute| attribute.kind == kind)
    }
}

impl<'a> Iterator for Attributes<'a> {
    type Item = Attribute<'a>;

    fn next(&mut self) -> Option<Attribute<'a>> {
        let header = self.rest.get(..4)?;
        let length = usize::from(u16::from_ne_bytes([header[0], header[1]]));
        let kind = u16::from_ne_bytes([header[2], header[3]]) & KIND;
        let value = self.rest.get(4..length)?;
        self.rest = self.rest.get(length.next_multiple_of(4)..).unwrap_or_default();
        Some(Attribute { kind, value })
    }
}

impl<'a> Attribute<'a> {
    /// The attributes inside.
    pub fn nested(self) -> Attributes<'a> {
        Attributes::new(self.value)
    }

    /// Text up to its zero byte.
    pub fn text(self) -> Option<&'a str> {
        match CStr::from_bytes_until_nul(self.value) {
            Ok(text) => text.to_str().ok(),
            Err(_) => std::str::from_utf8(self.value).ok(),
        }
    }

    /// A number in the machine's order of bytes.
    pub fn u32(self) -> Option<u32> {
        Some(u32::from_ne_bytes(self.value.try_into().ok()?))
    }

    /// A number in the network's order of bytes.
    pub fn be32(self) -> Option<u32> {
        Some(u32::from_be_bytes(self.value.try_into().ok()?))
    }

    /// A number in the network's order of bytes.
    pub fn be64(self) -> Option<u64> {
        Some(u64::from_be_bytes(self.value.try_into().ok()?))
    }

    /// An IPv4 address.
    pub fn ipv4(self) -> Option<std::net::Ipv4Addr> {
        Some(<[u8; 4]>::try_from(self.value).ok()?.into())
    }
}

#[cfg(test)]
mod tests {
    use super::super::Messages;
    use super::*;

    #[test]
    fn what_is_written_is_read() {
        let mut messages = Messages::new();
        messages.push(7, 0, &[1, 2], |m| {
            m.text(1, "eth0");
            m.nested(2, |m| {
                m.u32(1, 5);
                m.be64(2, 6);
            });
            m.u8(3, 9);
        });
        let mut read = Attributes::new(&messages.bytes()[20..]);
        assert_eq!(read.next().and_then(Attribute::text), Some("eth0"));
        let nested = read.next().unwrap();
        assert_eq!(nested.kind, 2);
        assert_eq!(nested.nested().get(1).and_then(Attribute::u32), Some(5));
        assert_eq!(nested.nested().get(2).and_then(Attribute::be64), Some(6));
        assert_eq!(read.next().unwrap().value, [9]);
        assert!(read.next().is_none());
    }

    proptest::proptest! {
        #[test]
        fn any_bytes_are_read_to_an_end(bytes in proptest::collection::vec(proptest::num::u8::ANY, 0..200)) {
            proptest::prop_assert!(Attributes::new(&bytes).count() <= bytes.len() / 4 + 1);
        }
    }
}

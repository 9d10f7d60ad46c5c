use super::NESTED;

/// Messages that are sent together, one after the other in one buffer.
#[derive(Clone, Debug, Default)]
pub struct Messages {
    bytes: Vec<u8>,
    starts: Vec<usize>,
}

impl Messages {
    /// None.
    pub fn new() -> Messages {
        Messages::default()
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.starts.len()
    }

    /// True without any.
    pub fn is_empty(&self) -> bool {
        self.starts.is_empty()
    }

    /// Their size on the wire.
    pub fn size_bytes(&self) -> usize {
        self.bytes.len()
    }

    /// A message: its type, its flags (`NLM_F_REQUEST` is added), the fixed part of its family, and what `attributes`
    /// writes. Its sequence number is its place, from 1.
    pub fn push(&mut self, kind: u16, flags: u16, fixed: &[u8], attributes: impl FnOnce(&mut Messages)) {
        let start = self.bytes.len();
        self.starts.push(start);
        self.bytes.extend_from_slice(&[0; 4]);
        self.bytes.extend_from_slice(&kind.to_ne_bytes());
        self.bytes
            .extend_from_slice(&(flags | super::REQUEST).to_ne_bytes());
        let sequence =
            u32::try_from(self.starts.len()).expect("messages are bounded by memory far below 2^32");
        self.bytes.extend_from_slice(&sequence.to_ne_bytes());
        self.bytes.extend_from_slice(&[0; 4]);
        self.bytes.extend_from_slice(fixed);
        self.pad();
        attributes(self);
        let length =
            u32::try_from(self.bytes.len() - start).expect("a message is bounded by memory below 4 GB");
        self.bytes[start..start + 4].copy_from_slice(&length.to_ne_bytes());
    }

    /// An attribute of bytes.
    pub fn attribute(&mut self, kind: u16, value: &[u8]) {
        let length = u16::try_from(value.len() + 4).expect("attributes of ours are far below 64 KB");
        self.bytes.extend_from_slice(&length.to_ne_bytes());
        self.bytes.extend_from_slice(&kind.to_ne_bytes());
        self.bytes.extend_from_slice(value);
        self.pad();
    }

    /// An attribute of text that ends with a zero byte.
    pub fn text(&mut self, kind: u16, value: &str) {
        let mut bytes = value.as_bytes().to_vec();
        bytes.push(0);
        self.attribute(kind, &bytes);
    }

    /// An attribute of one byte.
    pub fn u8(&mut self, kind: u16, value: u8) {
        self.attribute(kind, &[value]);
    }

    /// A number in the machine's order of bytes, as rtnetlink wants it.
    pub fn u32(&mut self, kind: u16, value: u32) {
        self.attribute(kind, &value.to_ne_bytes());
    }

    /// A number in the network's order of bytes, as nf_tables wants it.
    pub fn be32(&mut self, kind: u16, value: u32) {
        self.attribute(kind, &value.to_be_bytes());
    }

    /// A number in the network's order of bytes.
    pub fn be64(&mut self, kind: u16, value: u64) {
        self.attribute(kind, &value.to_be_bytes());
    }

    /// An attribute that holds attributes.
    pub fn nested(&mut self, kind: u16, inside: impl FnOnce(&mut Messages)) {
        let start = self.bytes.len();
        self.bytes.extend_from_slice(&[0; 2]);
        self.bytes.extend_from_slice(&(kind | NESTED).to_ne_bytes());
        inside(self);
        let length = u16::try_from(self.bytes.len() - start).expect("attributes of ours are far below 64 KB");
        self.bytes[start..start + 2].copy_from_slice(&length.to_ne_bytes());
    }

    /// Bytes inside an attribute that is being written: the fixed part of a peer's link, for example.
    pub fn raw(&mut self, bytes: &[u8]) {
        self.bytes.extend_from_slice(bytes);
        self.pad();
    }

    pub(crate) fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// The nth message by itself, from 0.
    pub(crate) fn nth(&self, n: usize) -> Option<&[u8]> {
        let start = *self.starts.get(n)?;
        let end = self.starts.get(n + 1).copied().unwrap_or(self.bytes.len());
        self.bytes.get(start..end)
    }

    /// Asks for an answer to the last message.
    pub(crate) fn acknowledge_last(&mut self) {
        if let Some(start) = self.starts.last() {
            let start = *start;
            let flags = self.flags(start) | super::ACK;
            self.bytes[start + 6..start + 8].copy_from_slice(&flags.to_ne_bytes());
        }
    }

    /// How many messages ask for an answer.
    pub(crate) fn asking(&self) -> usize {
        self.starts
            .iter()
            .filter(|start| self.flags(**start) & super::ACK != 0)
            .count()
    }

    fn flags(&self, start: usize) -> u16 {
        u16::from_ne_bytes([self.bytes[start + 6], self.bytes[start + 7]])
    }

    fn pad(&mut self) {
        while !self.bytes.len().is_multiple_of(4) {
            self.bytes.push(0);
        }
    }
}

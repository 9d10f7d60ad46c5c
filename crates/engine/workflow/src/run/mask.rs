//! Masking of a stream: whatever the writes are, the result is that of masking the whole at once.
//!
//! The search is an Aho-Corasick automaton. Its state is the longest end of the stream that could still become a
//! secret; only those bytes are held back. Where secrets overlap or touch, one `***` stands for all of them.

use crate::limits::MAX_MASK_BYTES;
use std::collections::{BTreeSet, VecDeque};

/// What stands where a secret was.
pub const MASK: &[u8] = b"***";

/// Masks one stream.
#[derive(Clone, Debug, Default)]
pub struct Masker {
    patterns: BTreeSet<Vec<u8>>,
    pattern_bytes: usize,
    automaton: Automaton,
    /// Whether values came since the automaton was built.
    stale: bool,
    state: u32,
    /// Bytes that may be the beginning of a secret, and whether each is part of one already.
    held: VecDeque<(u8, bool)>,
    /// Whether the byte before those held was part of a secret.
    within: bool,
}

impl Masker {
    /// A masker that knows these values.
    pub fn new<'a>(secrets: impl IntoIterator<Item = &'a str>) -> Masker {
        let mut masker = Masker::default();
        for secret in secrets {
            masker.insert(secret);
        }
        masker.refresh();
        masker
    }

    /// Masks one more value from here on, in the forms that it commonly takes: its lines each, within JSON, within a
    /// URL, and in base64. Blank values are left alone.
    pub fn add(&mut self, secret: &str) {
        self.insert(secret);
    }

    /// Masks what comes next and appends what is certain to `out`.
    pub fn write(&mut self, bytes: &[u8], out: &mut Vec<u8>) {
        self.refresh();
        if self.patterns.is_empty() {
            out.extend_from_slice(bytes);
            return;
        }
        let mut rest = bytes;
        while !rest.is_empty() {
            if self.held.is_empty() && self.state == ROOT {
                let clear = rest
                    .iter()
                    .position(|b| self.automaton.root[usize::from(*b)] != ROOT);
                let clear = clear.unwrap_or(rest.len());
                if clear > 0 {
                    out.extend_from_slice(&rest[..clear]);
                    self.within = false;
                    rest = &rest[clear..];
                    continue;
                }
            }
            self.push(rest[0], false);
            rest = &rest[1..];
            let keep = self.automaton.depth(self.state);
            self.release(self.held.len() - keep, out);
        }
    }

    /// Appends what is held back: the stream ended.
    pub fn finish(&mut self, out: &mut Vec<u8>) {
        self.release(self.held.len(), out);
        self.state = ROOT;
        self.within = false;
    }

    /// Masks a whole text.
    pub fn mask(&self, text: &str) -> String {
        let mut fresh = Masker {
            state: ROOT,
            held: VecDeque::new(),
            within: false,
            ..self.clone()
        };
        let mut out = Vec::with_capacity(text.len());
        fresh.write(text.as_bytes(), &mut out);
        fresh.finish(&mut out);
        String::from_utf8_lossy(&out).into_owned()
    }

    fn push(&mut self, byte: u8, masked: bool) {
        self.held.push_back((byte, masked));
        self.state = self.automaton.next(self.state, byte);
        let matched = self.automaton.longest(self.state);
        let from = self.held.len() - matched;
        for (_, masked) in self.held.range_mut(from..) {
            *masked = true;
        }
    }

    fn release(&mut self, count: usize, out: &mut Vec<u8>) {
        for (byte, masked) in self.held.drain(..count) {
            match (masked, self.within) {
                (false, _) => out.push(byte),
                (true, false) => out.extend_from_slice(MASK),
                (true, true) => {}
            }
            self.within = masked;
        }
    }

    fn insert(&mut self, secret: &str) {
        for mut form in forms(secret) {
            if self.pattern_bytes + form.len() > MAX_MASK_BYTES {
                // Better a part of it hidden than nothing; twice the bound is the end of it.
                form.truncate(CUT_BYTES);
            }
            if self.pattern_bytes + form.len() > 2 * MAX_MASK_BYTES {
                return;
            }
            let length = form.len();
            if self.patterns.insert(form) {
                self.pattern_bytes += length;
                self.stale = true;
            }
        }
    }

    /// Builds the automaton anew where values came, and takes the held bytes through it.
    fn refresh(&mut self) {
        if !std::mem::take(&mut self.stale) {
            return;
        }
        self.automaton = Automaton::new(&self.patterns);
        self.state = ROOT;
        for (byte, masked) in std::mem::take(&mut self.held) {
            self.push(byte, masked);
        }
    }
}

/// How much of a value is looked for when there are too many.
const CUT_BYTES: usize = 32;

/// The shortest value whose encoded forms are masked too: shorter ones would mask half of any text.
const MIN_ENCODED_BYTES: usize = 6;

fn forms(secret: &str) -> Vec<Vec<u8>> {
    let mut forms = Vec::new();
    let whole = secret.trim_end_matches(['\r', '\n']);
    if whole.trim().is_empty() {
        return forms;
    }
    forms.push(whole.as_bytes().to_vec());
    for line in whole.split(['\r', '\n']).filter(|line| !line.trim().is_empty()) {
        forms.push(line.as_bytes().to_vec());
    }
    if whole.len() >= MIN_ENCODED_BYTES {
        let json = serde_json::Value::from(whole).to_string();
        forms.push(json.trim_matches('"').as_bytes().to_vec());
        forms.push(in_url(whole).into_bytes());
        forms.extend((0..3).map(|skip| in_base64(whole.as_bytes(), skip)));
    }
    forms.retain(|form| !form.is_empty());
    forms
}

fn in_url(text: &str) -> String {
    let mut encoded = String::with_capacity(text.len());
    for byte in text.bytes() {
        match byte {
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'_' | b'.' | b'~' => {
                encoded.push(char::from(byte))
            }
            _ => encoded.push_str(&format!("%{byte:02X}")),
        }
    }
    encoded
}

/// The part of base64 that is the same whatever stands around the value, when `skip` bytes of the value belong to the
/// group of three before.
fn in_base64(bytes: &[u8], skip: usize) -> Vec<u8> {
    const DIGITS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let groups = bytes[skip.min(bytes.len())..].chunks_exact(3);
    groups
        .flat_map(|group| {
            let bits = u32::from(group[0]) << 16 | u32::from(group[1]) << 8 | u32::from(group[2]);
            [18, 12, 6, 0].map(|shift| DIGITS[(bits >> shift & 63) as usize])
        })
        .collect()
}

const ROOT: u32 = 0;

#[derive(Clone, Debug)]
struct Automaton {
    root: Vec<u32>,
    nodes: Vec<TrieNode>,
}

#[derive(Clone, Debug, Default)]
struct TrieNode {
    /// Sorted by byte.
    children: Vec<(u8, u32)>,
    fail: u32,
    depth: u32,
    /// The length of the longest pattern that ends here.
    longest: u32,
}

impl Default for Automaton {
    fn default() -> Automaton {
        Automaton::new(&BTreeSet::new())
    }
}

impl Automaton {
    fn new(patterns: &BTreeSet<Vec<u8>>) -> Automaton {
        let mut nodes = vec![TrieNode::default()];
        for pattern in patterns {
            let mut at = 0usize;
            for byte in pattern {
                at = match nodes[at].children.binary_search_by_key(byte, |(b, _)| *b) {
                    Ok(found) => nodes[at].children[found].1 as usize,
                    Err(place) => {
                        let new = nodes.len();
                        let depth = nodes[at].depth + 1;
                        nodes.push(TrieNode {
                            depth,
                            ..TrieNode::default()
                        });
                        let id = u32::try_from(new).expect("MAX_MASK_BYTES fits 32 bits");
                        nodes[at].children.insert(place, (*byte, id));
                        new
                    }
                };
            }
            nodes[at].longest = nodes[at].depth;
        }
        let mut root = vec![ROOT; 256];
        for (byte, child) in &nodes[0].children {
            root[usize::from(*byte)] = *child;
        }
        let mut automaton = Automaton { root, nodes };
        automaton.link();
        automaton
    }

    /// Sets the failure links, level by level.
    fn link(&mut self) {
        let mut queue: VecDeque<u32> = self.nodes[0].children.iter().map(|(_, child)| *child).collect();
        while let Some(at) = queue.pop_front() {
            let children = self.nodes[at as usize].children.clone();
            for (byte, child) in children {
                let fail = self.next(self.nodes[at as usize].fail, byte);
                let longest = self.nodes[fail as usize].longest;
                let node = &mut self.nodes[child as usize];
                node.fail = fail;
                node.longest = node.longest.max(longest);
                queue.push_back(child);
            }
        }
    }

    fn next(&self, mut state: u32, byte: u8) -> u32 {
        loop {
            if state == ROOT {
                return self.root[usize::from(byte)];
            }
            let node = &self.nodes[state as usize];
            if let Ok(found) = node.children.binary_search_by_key(&byte, |(b, _)| *b) {
                return node.children[found].1;
            }
            state = node.fail;
        }
    }

    fn depth(&self, state: u32) -> usize {
        self.nodes[state as usize].depth as usize
    }

    fn longest(&self, state: u32) -> usize {
        self.nodes[state as usize].longest as usize
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn in_pieces(masker: &Masker, pieces: &[&str]) -> String {
        let mut masker = masker.clone();
        let mut out = Vec::new();
        for piece in pieces {
            masker.write(piece.as_bytes(), &mut out);
        }
        masker.finish(&mut out);
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn a_secret_across_writes_is_masked() {
        let masker = Masker::new(["hunter2"]);
        assert_eq!(in_pieces(&masker, &["pass hun", "ter", "2!"]), "pass ***!");
        assert_eq!(in_pieces(&masker, &["pass hun", "t"]), "pass hunt");
    }

    #[test]
    fn overlapping_secrets_are_one_mask() {
        let masker = Masker::new(["abc", "cde"]);
        assert_eq!(masker.mask("xabcdey abcabc"), "x***y ***");
    }

    #[test]
    fn lines_of_a_secret_are_masked_each() {
        let masker = Masker::new(["-----BEGIN\nsecretline\n"]);
        assert_eq!(
            masker.mask("12:00 -----BEGIN\n12:01 secretline\n"),
            "12:00 ***\n12:01 ***\n"
        );
        assert_eq!(masker.mask("a -----BEGIN\nsecretline b"), "a *** b");
    }

    #[test]
    fn encoded_secrets_are_masked() {
        let masker = Masker::new(["p@ss word\"1"]);
        // printf 'user:p@ss word"1' | base64
        assert_eq!(masker.mask("dXNlcjpwQHNzIHdvcmQiMQ=="), "dXNlcjpw***MQ==");
        assert_eq!(masker.mask("https://u:p%40ss%20word%221@h"), "https://u:***@h");
        assert_eq!(masker.mask(r#"{"a":"p@ss word\"1"}"#), r#"{"a":"***"}"#);
    }

    #[test]
    fn a_value_added_late_is_masked_from_there() {
        let mut masker = Masker::new(["abcd"]);
        let mut out = Vec::new();
        masker.write(b"xyz abc", &mut out);
        masker.add("bcx");
        masker.write(b"x xyz", &mut out);
        masker.finish(&mut out);
        assert_eq!(String::from_utf8(out).unwrap(), "xyz a*** xyz");
    }
}

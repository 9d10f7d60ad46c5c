use std::collections::BTreeMap;

use super::expression::{Anonymous, DATA_KIND_VERDICT, Data, SET_MAP, named, write_data, write_key};
use super::model::{Chain, ChainKind, Key, Rule, Ruleset, Set, SetKind, Verdict};
use super::{
    BATCH_BEGIN, BATCH_END, DELCHAIN, DELRULE, DELSET, DELSETELEM, DELTABLE, LIST_ELEM, NEWCHAIN, NEWRULE,
    NEWSET, NEWSETELEM, NEWTABLE, OURS, SUBSYSTEM, header,
};
use crate::limits;
use crate::netlink::{APPEND, CREATE, Messages};

/// The messages that make a table hold this, whatever it held before. They take effect together or not at all.
pub fn replace(wanted: &Ruleset) -> Messages {
    let mut batch = Batch::new(&wanted.table);
    // Creating what exists is no error, deleting what does not is one.
    batch.table(NEWTABLE, CREATE);
    batch.table(DELTABLE, 0);
    batch.table(NEWTABLE, CREATE);
    let nothing = Ruleset::default();
    batch.change(&nothing, wanted);
    batch.end()
}

/// The messages that take a table away.
pub(super) fn removal(table: &str) -> Messages {
    let mut batch = Batch::new(table);
    batch.table(NEWTABLE, CREATE);
    batch.table(DELTABLE, 0);
    batch.end()
}

/// The messages that turn what a table holds into what it shall hold: empty where nothing differs, none where only
/// [`replace`] does it. Chains and elements that stay are not touched, so their counters go on.
pub fn change(now: &Ruleset, wanted: &Ruleset) -> Option<Messages> {
    let same_shape = |(name, set): (&String, &Set)| {
        let other = wanted.sets.get(name);
        other.is_none_or(|other| other.kind == set.kind && other.key == set.key)
    };
    let same_place = |(name, chain): (&String, &Chain)| {
        let other = wanted.chains.get(name);
        other.is_none_or(|other| other.hooked == chain.hooked)
    };
    if now.table != wanted.table || !now.sets.iter().all(same_shape) || !now.chains.iter().all(same_place) {
        return None;
    }
    if now == wanted {
        return Some(Messages::new());
    }
    let mut batch = Batch::new(&wanted.table);
    batch.change(now, wanted);
    Some(batch.end())
}

struct Batch<'a> {
    messages: Messages,
    table: &'a str,
    last_set: u32,
}

impl<'a> Batch<'a> {
    fn new(table: &'a str) -> Batch<'a> {
        let mut messages = Messages::new();
        messages.push(BATCH_BEGIN, 0, &header(0, SUBSYSTEM >> 8), |_| ());
        Batch {
            messages,
            table,
            last_set: 0,
        }
    }

    fn end(mut self) -> Messages {
        // The kernel tells of each message that it refuses; that all is well, only where it is asked.
        self.messages.acknowledge_last();
        self.messages
            .push(BATCH_END, 0, &header(0, SUBSYSTEM >> 8), |_| ());
        self.messages
    }

    fn table(&mut self, kind: u16, flags: u16) {
        let table = self.table;
        self.messages.push(kind, flags, &OURS, |m| {
            m.text(1, table);
            if kind == NEWTABLE {
                m.be32(2, 0);
            }
        });
    }

    /// What is pointed to comes before what points, and goes after it.
    fn change(&mut self, now: &Ruleset, wanted: &Ruleset) {
        for (name, set) in missing(&wanted.sets, &now.sets) {
            self.new_set(name, set);
        }
        for (name, chain) in missing(&wanted.chains, &now.chains) {
            self.new_chain(name, chain);
        }
        for (name, chain) in &wanted.chains {
            let before = now.chains.get(name).map_or(&[][..], |before| &before.rules);
            self.rules(name, before, &chain.rules);
        }
        for (name, set) in &wanted.sets {
            let nothing = BTreeMap::new();
            let before = now.sets.get(name).map_or(&nothing, |before| &before.elements);
            self.elements(name, before, &set.elements);
        }
        // Those that go may point at each other.
        for (name, chain) in missing(&now.chains, &wanted.chains) {
            if !chain.rules.is_empty() {
                self.flush(name);
            }
        }
        for (name, _) in missing(&now.chains, &wanted.chains) {
            let table = self.table;
            self.messages.push(DELCHAIN, 0, &OURS, |m| {
                m.text(1, table);
                m.text(3, name);
            });
        }
        for (name, _) in missing(&now.sets, &wanted.sets) {
            let table = self.table;
            self.messages.push(DELSET, 0, &OURS, |m| {
                m.text(1, table);
                m.text(2, name);
            });
        }
    }

    fn new_set(&mut self, name: &str, set: &Set) {
        let id = self.next_set();
        let table = self.table;
        let shapes: Vec<_> = set.key.iter().map(|field| field.shape()).collect();
        let (key_kind, key_size) = match &shapes[..] {
            [one] => (one.kind, one.size_bytes),
            many => (
                many.iter().fold(0, |kind, shape| kind << 6 | shape.kind),
                many.iter()
                    .map(|shape| shape.size_bytes.next_multiple_of(4))
                    .sum(),
            ),
        };
        let network_order = shapes.iter().all(|shape| shape.network_order);
        let flags = match set.kind {
            SetKind::Plain => 0,
            SetKind::Verdicts => SET_MAP,
            SetKind::Remembers => SET_TIMEOUT | SET_EVAL,
        };
        self.messages.push(NEWSET, CREATE, &OURS, |m| {
            m.text(1, table);
            m.text(2, name);
            m.be32(3, flags);
            m.be32(4, key_kind);
            m.be32(5, key_size);
            if set.kind == SetKind::Verdicts {
                m.be32(6, DATA_KIND_VERDICT);
                m.be32(7, 0);
            }
            if set.kind == SetKind::Remembers {
                m.nested(9, |m| m.be32(1, limits::AFFINITY_CLIENTS));
            }
            m.be32(10, id);
            m.attribute(13, &byte_order(network_order, false));
            if set.kind == SetKind::Verdicts {
                m.nested(17, |m| {
                    named(m, "counter", |m| {
                        m.be64(1, 0);
                        m.be64(2, 0);
                    });
                });
            }
        });
    }

    fn new_anonymous_set(&mut self, set: &Anonymous) -> u32 {
        let id = self.next_set();
        let table = self.table;
        let name = anonymous_name(set);
        self.messages.push(NEWSET, CREATE, &OURS, |m| {
            m.text(1, table);
            m.text(2, name);
            m.be32(3, set.flags);
            m.be32(4, set.key_kind);
            m.be32(5, set.key_size);
            if let Some(kind) = set.data_kind {
                m.be32(6, kind);
                m.be32(7, set.data_size);
            }
            m.nested(9, |m| {
                m.be32(1, u32::try_from(set.elements.len()).unwrap_or(u32::MAX))
            });
            m.be32(10, id);
            m.attribute(13, &byte_order(set.network_order, set.data_size > 0));
        });
        for some in set.elements.chunks(limits::ELEMENTS_PER_MESSAGE) {
            self.messages.push(NEWSETELEM, CREATE, &OURS, |m| {
                m.text(1, table);
                m.text(2, name);
                m.be32(4, id);
                m.nested(3, |m| {
                    for element in some {
                        write_element(m, &element.key, element.data.as_ref(), element.ends);
                    }
                });
            });
        }
        id
    }

    fn next_set(&mut self) -> u32 {
        self.last_set += 1;
        self.last_set
    }

    fn new_chain(&mut self, name: &str, chain: &Chain) {
        let table = self.table;
        self.messages.push(NEWCHAIN, CREATE, &OURS, |m| {
            m.text(1, table);
            m.text(3, name);
            if let Some(hooked) = chain.hooked {
                m.nested(4, |m| {
                    m.be32(1, hooked.hook as u32);
                    m.attribute(2, &hooked.priority.to_be_bytes());
                });
                m.be32(5, 1);
                m.text(
                    7,
                    match hooked.kind {
                        ChainKind::Filter => "filter",
                        ChainKind::Nat => "nat",
                    },
                );
            }
        });
    }

    fn rules(&mut self, chain: &str, before: &[Rule], wanted: &[Rule]) {
        if before == wanted {
            return;
        }
        // Rules that are only added leave the others alone.
        let kept = if wanted.starts_with(before) {
            before.len()
        } else {
            0
        };
        if kept == 0 && !before.is_empty() {
            self.flush(chain);
        }
        for rule in &wanted[kept..] {
            self.rule(chain, rule);
        }
    }

    fn rule(&mut self, chain: &str, rule: &Rule) {
        let sets: Vec<Option<(&str, u32)>> = rule
            .statements
            .iter()
            .map(|statement| {
                let set = statement.anonymous()?;
                Some((anonymous_name(&set), self.new_anonymous_set(&set)))
            })
            .collect();
        let table = self.table;
        self.messages.push(NEWRULE, CREATE | APPEND, &OURS, |m| {
            m.text(1, table);
            m.text(2, chain);
            m.nested(4, |m| {
                for (statement, set) in rule.statements.iter().zip(sets) {
                    statement.write(m, set);
                }
            });
            if !rule.comment.is_empty() {
                m.attribute(7, &comment(&rule.comment));
            }
        });
    }

    fn flush(&mut self, chain: &str) {
        let table = self.table;
        self.messages.push(DELRULE, 0, &OURS, |m| {
            m.text(1, table);
            m.text(2, chain);
        });
    }

    fn elements(
        &mut self,
        set: &str,
        before: &BTreeMap<Key, Option<Verdict>>,
        wanted: &BTreeMap<Key, Option<Verdict>>,
    ) {
        let gone = |(key, verdict): &(&Key, &Option<Verdict>)| wanted.get(key) != Some(verdict);
        let new = |(key, verdict): &(&Key, &Option<Verdict>)| before.get(key) != Some(verdict);
        let gone: Vec<_> = before.iter().filter(gone).collect();
        let new: Vec<_> = wanted.iter().filter(new).collect();
        for (kind, flags, all) in [(DELSETELEM, 0, gone), (NEWSETELEM, CREATE, new)] {
            for some in all.chunks(limits::ELEMENTS_PER_MESSAGE) {
                let table = self.table;
                self.messages.push(kind, flags, &OURS, |m| {
                    m.text(1, table);
                    m.text(2, set);
                    m.nested(3, |m| {
                        for &(key, verdict) in some {
                            let verdict = verdict.as_ref().filter(|_| kind == NEWSETELEM);
                            let data = verdict.cloned().map(Data::Verdict);
                            write_element(m, &key.0, data.as_ref(), false);
                        }
                    });
                });
            }
        }
    }
}

const SET_TIMEOUT: u32 = 0x10;
const SET_EVAL: u32 = 0x20;

fn missing<'a, T>(
    all: &'a BTreeMap<String, T>,
    other: &'a BTreeMap<String, T>,
) -> impl Iterator<Item = (&'a String, &'a T)> {
    all.iter().filter(|(name, _)| !other.contains_key(*name))
}

/// The kernel numbers the sets of rules.
fn anonymous_name(set: &Anonymous) -> &'static str {
    if set.data_kind.is_some() {
        "__map%d"
    } else {
        "__set%d"
    }
}

fn write_element(m: &mut Messages, key: &[u8], data: Option<&Data>, ends: bool) {
    m.nested(LIST_ELEM, |m| {
        if ends {
            m.be32(3, 1);
        }
        m.nested(1, |m| write_key(m, key));
        if let Some(data) = data {
            m.nested(2, |m| write_data(m, data));
        }
    });
}

/// What `nft` notes on a set for itself: in which order of bytes keys and data are to be shown
/// (`libnftnl/udata.h`: kinds 0 and 1; 1 is the machine's order, 2 the network's).
fn byte_order(network: bool, data: bool) -> Vec<u8> {
    let mut noted = vec![0, 4];
    noted.extend_from_slice(&(1 + u32::from(network)).to_ne_bytes());
    if data {
        noted.extend_from_slice(&[1, 4]);
        noted.extend_from_slice(&2u32.to_ne_bytes());
    }
    noted
}

/// A comment, as `nft` notes it on a rule.
fn comment(text: &str) -> Vec<u8> {
    let mut length = text.len().min(limits::COMMENT_BYTES);
    while !text.is_char_boundary(length) {
        length -= 1;
    }
    let size = u8::try_from(length + 1).expect("a comment is bounded below 255 bytes");
    [&[0, size], &text.as_bytes()[..length], &[0]].concat()
}

//! nf_tables over netlink: what a table holds ([`Ruleset`]), and the atomic batch that makes it so ([`Table`]).
//!
//! Only what the services and the firewall need, in the form in which `nft` itself writes it, so that
//! `nft list ruleset` shows people what was meant.

mod batch;
mod expression;
mod model;
mod read;
mod table;

pub use batch::{change, replace};
pub use model::{
    Chain, ChainKind, Field, Hook, Hooked, Key, Rule, Ruleset, Set, SetKind, Statement, Verdict,
};
pub use read::{ForeignChain, NEWS, News, foreign_chains, news};
pub use table::{Applied, Table, TableError};

// include/uapi/linux/netfilter/nfnetlink.h and nf_tables.h
const SUBSYSTEM: u16 = 10 << 8;
const NEWTABLE: u16 = SUBSYSTEM;
const GETTABLE: u16 = SUBSYSTEM | 1;
const DELTABLE: u16 = SUBSYSTEM | 2;
const NEWCHAIN: u16 = SUBSYSTEM | 3;
const GETCHAIN: u16 = SUBSYSTEM | 4;
const DELCHAIN: u16 = SUBSYSTEM | 5;
const NEWRULE: u16 = SUBSYSTEM | 6;
const GETRULE: u16 = SUBSYSTEM | 7;
const DELRULE: u16 = SUBSYSTEM | 8;
const NEWSET: u16 = SUBSYSTEM | 9;
const DELSET: u16 = SUBSYSTEM | 11;
const NEWSETELEM: u16 = SUBSYSTEM | 12;
const DELSETELEM: u16 = SUBSYSTEM | 14;
const BATCH_BEGIN: u16 = 0x10;
const BATCH_END: u16 = 0x11;

/// `NFPROTO_IPV4`, and so the family of all our tables.
const IPV4: u8 = 2;
/// `struct nfgenmsg`
const fn header(family: u8, resource: u16) -> [u8; 4] {
    let [high, low] = resource.to_be_bytes();
    [family, 0, high, low]
}
/// The fixed part of each message about our tables.
const OURS: [u8; 4] = header(IPV4, 0);
const LIST_ELEM: u16 = 1;

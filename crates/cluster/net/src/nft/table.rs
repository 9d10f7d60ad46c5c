use std::time::{Duration, Instant};

use rustix::io::Errno;

use super::batch::{change, removal, replace};
use super::model::Ruleset;
use super::{
    DELCHAIN, DELRULE, DELSET, DELSETELEM, DELTABLE, GETTABLE, NEWCHAIN, NEWRULE, NEWSET, NEWSETELEM,
    NEWTABLE, OURS,
};
use crate::limits;
use crate::netlink::{Attribute, Attributes, Family, Messages, NetlinkError, Socket};

/// A table of the kernel that is ours. It belongs to the network namespace of the thread that opened it.
pub struct Table {
    socket: Socket,
    /// What it holds, as far as we know.
    now: Option<Ruleset>,
}

/// What was sent.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Applied {
    /// How many messages.
    pub messages: usize,
    /// Their size.
    pub bytes: usize,
    /// How long the kernel took.
    pub took: Duration,
    /// True where the whole table was written, not a difference.
    pub whole: bool,
}

/// The kernel does not take a ruleset. What the table held before, it holds still.
#[derive(Debug, thiserror::Error)]
#[error("nf_tables: cannot write {what}")]
pub struct TableError {
    /// The part that it refuses.
    pub what: String,
    /// Its answer.
    #[source]
    pub source: NetlinkError,
}

impl Table {
    /// Nothing is written yet.
    ///
    /// # Errors
    /// Without a socket.
    pub fn open() -> Result<Table, NetlinkError> {
        Ok(Table {
            socket: Socket::open(Family::Netfilter)?,
            now: None,
        })
    }

    /// Makes the table hold this, all at once: packets meet what was before or what is wanted, nothing between. What
    /// stays is not touched. The batch names no generation (`NFNL_BATCH_GENID`): it is not made from what was read, and
    /// what others do to their tables meanwhile is no reason to start again. What they do to ours, news tell.
    ///
    /// # Errors
    /// Where the kernel refuses.
    pub fn apply(&mut self, wanted: &Ruleset) -> Result<Applied, TableError> {
        if let Some(messages) = self.now.as_ref().and_then(|now| change(now, wanted)) {
            if messages.is_empty() {
                return Ok(Applied::default());
            }
            // Somebody may have emptied the table behind our back: then all of it is written.
            match self.send(&messages) {
                Ok(took) => return Ok(self.noted(wanted, &messages, took, false)),
                Err(_) => self.now = None,
            }
        }
        let messages = replace(wanted);
        let took = self.send(&messages)?;
        Ok(self.noted(wanted, &messages, took, true))
    }

    /// By which news of the kernel name our own changes ([`crate::netlink::Answer::port`]).
    ///
    /// # Errors
    /// Of netlink.
    pub fn port(&self) -> Result<u32, NetlinkError> {
        self.socket.port()
    }

    /// True where there is a table of this name, whoever made it.
    ///
    /// # Errors
    /// Of netlink; where the kernel has no nf_tables, too.
    pub fn exists(&mut self, name: &str) -> Result<bool, NetlinkError> {
        match self.socket.get(GETTABLE, &OURS, |m| m.text(1, name)) {
            Ok(found) => Ok(found.is_some()),
            Err(error) if error.is(Errno::NOENT) => Ok(false),
            Err(error) => Err(error),
        }
    }

    /// Takes a table away. Nothing happens where there is none.
    ///
    /// # Errors
    /// Where the kernel refuses.
    pub fn remove(&mut self, name: &str) -> Result<(), TableError> {
        self.now = None;
        self.send(&removal(name)).map(drop)
    }

    /// What the table holds is not known any more: the next ruleset is written whole.
    pub fn forget(&mut self) {
        self.now = None;
    }

    fn noted(&mut self, wanted: &Ruleset, messages: &Messages, took: Duration, whole: bool) -> Applied {
        self.now = Some(wanted.clone());
        Applied {
            messages: messages.len(),
            bytes: messages.size_bytes(),
            took,
            whole,
        }
    }

    fn send(&mut self, messages: &Messages) -> Result<Duration, TableError> {
        send(&mut self.socket, messages)
    }
}

fn send(socket: &mut Socket, messages: &Messages) -> Result<Duration, TableError> {
    let started = Instant::now();
    let mut tries = 0;
    loop {
        match socket.request(messages) {
            Ok(()) => return Ok(started.elapsed()),
            // Somebody else's change came in between (`nfnetlink_rcv_batch`).
            Err(error) if tries < limits::BATCH_TRIES && again(&error) => tries += 1,
            Err(source) => {
                let what = described(messages, &source);
                return Err(TableError { what, source });
            }
        }
    }
}

fn again(error: &NetlinkError) -> bool {
    error.is(Errno::AGAIN) || error.is(Errno::INTR) || error.is(Errno::from_raw_os_error(RESTART))
}

/// `ERESTART`
const RESTART: i32 = 85;

/// Which part of a ruleset a message is about.
fn described(messages: &Messages, error: &NetlinkError) -> String {
    let NetlinkError::Refused { place, kind, .. } = error else {
        return "a batch".to_owned();
    };
    let bytes = (*place as usize)
        .checked_sub(1)
        .and_then(|place| messages.nth(place));
    let Some(bytes) = bytes.and_then(|bytes| bytes.get(20..)) else {
        return "a batch".to_owned();
    };
    let text = |number| {
        let found = Attributes::new(bytes).get(number).and_then(Attribute::text);
        found.unwrap_or_default().to_owned()
    };
    match *kind {
        NEWTABLE | DELTABLE => format!("table {}", text(1)),
        NEWCHAIN | DELCHAIN => format!("chain {}", text(3)),
        NEWRULE | DELRULE => format!("a rule of chain {}", text(2)),
        NEWSET | DELSET => format!("set {}", text(2)),
        NEWSETELEM | DELSETELEM => format!("elements of set {}", text(2)),
        _ => "a batch".to_owned(),
    }
}

//! What a run writes down for good. The ledger itself is the caller's.

use serde_json::Value;

use crate::Later;

/// One line.
#[derive(Clone, Debug, PartialEq)]
pub struct Entry {
    /// `run.started`, `run.input`, `run.ended`.
    pub kind: &'static str,
    /// Which run.
    pub run: String,
    /// What: never a secret.
    pub data: Value,
}

/// Takes lines. One is durable when its future ends; the order is that of the calls.
pub trait Ledger: Send + Sync + 'static {
    /// Adds a line. The error is for people.
    fn append(&self, entry: Entry) -> Later<'_, Result<(), String>>;
}

/// For who keeps nothing.
#[derive(Clone, Copy, Debug, Default)]
pub struct NoLedger;

impl Ledger for NoLedger {
    fn append(&self, _: Entry) -> Later<'_, Result<(), String>> {
        Box::pin(std::future::ready(Ok(())))
    }
}

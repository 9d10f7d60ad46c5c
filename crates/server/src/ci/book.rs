//! The runner's lines in the ledger.

use deploy_jobs::{Entry, Later};
use deploy_model::with_causes;
use deploy_store::{Actor, ActorKind, Ledger, Line, Subject};
use jiff::Timestamp;

use super::runs::RUN;

/// Who carries runs out.
pub(super) fn runner() -> Actor {
    Actor::new(ActorKind::Reconciler, "ci")
}

/// Writes what runs write down.
pub(crate) struct Book(pub Ledger);

impl deploy_jobs::Ledger for Book {
    fn append(&self, entry: Entry) -> Later<'_, Result<(), String>> {
        let line = Line::new(
            Timestamp::now(),
            runner(),
            entry.kind,
            Subject::new(RUN, entry.run),
        );
        Box::pin(async move {
            let appended = self.0.append(vec![line.with(entry.data)]).await;
            appended.map(drop).map_err(|error| with_causes(&error))
        })
    }
}

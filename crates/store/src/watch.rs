//! Waiting for lines.

use std::sync::Arc;

use tokio::sync::watch;

use crate::error::ReadError;
use crate::line::{Seq, Stored};
use crate::query::{self, Query};
use crate::reader::Readers;

/// Tells that lines came: as often as one asks, however many they are.
#[derive(Clone)]
pub struct Watch {
    pub(crate) last: watch::Receiver<Option<Seq>>,
}

impl Watch {
    /// Waits until there are lines that the last call, or [`crate::Ledger::watch`], did not know; the number of the last one.
    /// Nothing, once the ledger is closed.
    pub async fn changed(&mut self) -> Option<Seq> {
        self.last.changed().await.ok()?;
        *self.last.borrow_and_update()
    }

    /// Waits until there are lines after this one. False when the ledger was closed before.
    pub async fn beyond(&mut self, seq: Seq) -> bool {
        let reached = self
            .last
            .wait_for(|last| last.is_none_or(|last| last > seq))
            .await;
        reached.is_ok_and(|last| last.is_some())
    }
}

/// All lines after a number, those that are there and those that will come, each once and in order.
pub struct Follow {
    pub(crate) readers: Arc<Readers>,
    pub(crate) watch: Watch,
    pub(crate) seen: Seq,
}

impl Follow {
    /// The next lines: at least one, at most a page. Nothing, once the ledger is closed. Dropping the future loses none.
    ///
    /// # Errors
    /// Those of reading; the next call tries again.
    pub async fn next(&mut self) -> Result<Option<Vec<Stored>>, ReadError> {
        if !self.watch.beyond(self.seen).await {
            return Ok(None);
        }
        let after = Query {
            after: Some(self.seen),
            ..Query::default()
        };
        let page = match self
            .readers
            .ask(move |connection| query::run(connection, &after))
            .await
        {
            Err(ReadError::Closed) => return Ok(None),
            page => page?,
        };
        if let Some(last) = page.lines.last() {
            self.seen = last.seq;
        }
        Ok(Some(page.lines))
    }
}

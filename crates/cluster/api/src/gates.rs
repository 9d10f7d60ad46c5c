//! The last step before the store: addresses and ports of Services, and the write itself.

use std::sync::Arc;

use deploy_cluster_storage::{Entry, Write, WriteError};
use serde_json::Value;

use crate::api::Inner;
use crate::scope::Scope;
use crate::status::StatusError;
use crate::verbs::Call;

/// Addresses and ports that a write has taken; they are given back unless the write is kept.
pub(crate) struct Reservation;

impl Reservation {
    /// The write is on disk.
    pub fn keep(self) {}
}

impl Inner {
    /// Writes, and waits until the parts of the server that follow the resource have seen it.
    pub async fn write(&self, write: Write) -> Result<Arc<Entry>, WriteError> {
        let entry = self.store.write(write).await?;
        self.followers.seen(&entry.key.resource, entry.revision).await;
        Ok(entry)
    }

    /// Takes the addresses and ports that an object needs.
    pub fn reserve(
        &self,
        _call: &Call<'_>,
        _new: &mut Value,
        _old: Option<&Value>,
    ) -> Result<Reservation, StatusError> {
        Ok(Reservation)
    }

    /// Gives back what an object that is gone has held.
    pub fn released(&self, _scope: &Scope, _last: &Value) {}
}

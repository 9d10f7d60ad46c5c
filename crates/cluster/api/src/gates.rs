//! The last step before the store: addresses and ports of Services, and the write itself.

use std::sync::Arc;

use deploy_cluster_storage::{Entry, Write, WriteError};
use serde_json::Value;

use crate::allocators::Reservation;
use crate::api::Inner;
use crate::scope::Scope;
use crate::status::StatusError;
use crate::verbs::Call;

const SERVICES: &str = "/services";

impl Inner {
    /// Writes, and waits until the parts of the server that follow the resource have seen it.
    pub async fn write(&self, write: Write) -> Result<Arc<Entry>, WriteError> {
        let entry = self.store.write(write).await?;
        self.followers.seen(&entry.key.resource, entry.revision).await;
        Ok(entry)
    }

    /// Takes the addresses and ports that an object needs, and fills them in.
    pub fn reserve(
        &self,
        call: &Call<'_>,
        new: &mut Value,
        old: Option<&Value>,
    ) -> Result<Reservation, StatusError> {
        if &*call.scope.storage != SERVICES || call.scope.subresource.is_some() {
            return Ok(Reservation::nothing());
        }
        self.allocators.reserve(new, old, call.options.dry_run)
    }

    /// Gives back what an object that is gone has held.
    pub fn released(&self, scope: &Scope, last: &Value) {
        if &*scope.storage == SERVICES {
            self.allocators.release(last);
        }
    }
}

//! What admission needs of the storage: to look, to wait, and to charge a quota.

use std::future::Future;
use std::pin::Pin;
use std::time::Duration;

use serde_json::Value;

use super::objects::Objects;

/// A future of [`World`].
pub type Waiting<'a, T> = Pin<Box<dyn Future<Output = T> + Send + 'a>>;

/// Why a quota was not charged.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum NotCharged {
    /// Somebody else has changed it: look again.
    Changed,
    /// The storage does not take it.
    Failed(String),
}

/// The objects that there are, and what can be done with them.
pub trait World: Send + Sync {
    /// Looks objects up.
    fn objects(&self) -> &dyn Objects;

    /// Waits until an object is there, at most so long. It may be there already.
    fn appears<'a>(
        &'a self,
        resource: &'a str,
        namespace: &'a str,
        name: &'a str,
        patience: Duration,
    ) -> Waiting<'a, Option<Value>>;

    /// Writes a quota whose status has changed, if it is still at its `metadata.resourceVersion`.
    fn charge(&self, quota: Value) -> Waiting<'_, Result<(), NotCharged>>;
}

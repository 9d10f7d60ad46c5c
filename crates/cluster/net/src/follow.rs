//! Follows the objects of one resource: all that there are, then what changes, and all anew when changes were missed.

use std::sync::Arc;

use deploy_cluster_api::client::{Change, ChangesEnd, Client, ResourceId};
use serde_json::Value;
use tokio::sync::mpsc;

/// What is told of a resource.
#[derive(Clone, Debug)]
pub(crate) enum News {
    /// These are all; what else was known is gone.
    All(Vec<Arc<Value>>),
    /// An object is new, or has changed.
    Is(Arc<Value>),
    /// An object is gone; its last state.
    Gone(Arc<Value>),
}

/// Tells of a resource under a mark, until the server ends or nobody listens. The first news is always [`News::All`].
pub(crate) async fn follow<M: Copy>(
    client: Client,
    resource: ResourceId,
    mark: M,
    news: mpsc::Sender<(M, News)>,
) {
    loop {
        let (objects, revision) = client.list_at(&resource, None);
        if news.send((mark, News::All(objects))).await.is_err() {
            return;
        }
        let Ok(mut changes) = client.watch(&resource, revision) else {
            // The state of the list is too old only when the log was cut meanwhile: let that go on.
            tokio::task::yield_now().await;
            continue;
        };
        loop {
            let told = match changes.next().await {
                Ok(Change::Added(object) | Change::Modified(object, _)) => News::Is(object),
                Ok(Change::Deleted(object)) => News::Gone(object),
                Err(ChangesEnd::Missed) => break,
                Err(ChangesEnd::Closed) => return,
            };
            if news.send((mark, told)).await.is_err() {
                return;
            }
        }
    }
}

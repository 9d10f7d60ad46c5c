//! Parts of the server that are made of stored objects: the index of roles, the registry of custom resources. They
//! follow the store's events, and a write is answered only when they have seen it.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use deploy_cluster_storage::{Entry, Event, Store, WatchError};
use tokio::sync::watch;
use tokio::time::timeout;
use tokio_util::task::TaskTracker;

/// What a follower is told.
pub(crate) enum News<'a> {
    /// An object is there, or has changed.
    Is(&'a Entry),
    /// An object is gone; its last state.
    Gone(&'a Entry),
}

/// Takes note of the objects of one resource.
pub(crate) type Follow = Arc<dyn Fn(&str, News<'_>) + Send + Sync>;

/// How far each followed resource has been seen.
#[derive(Default)]
pub(crate) struct Followers {
    seen: HashMap<&'static str, watch::Receiver<u64>>,
}

/// A follower works in memory and takes microseconds; a writer does not wait longer for one that is stuck.
const PATIENCE: Duration = Duration::from_secs(5);

impl Followers {
    /// Tells `follow` of all objects of these resources, now and, in a task for each, from now on.
    pub fn start(&mut self, store: &Store, tasks: &TaskTracker, resources: &[&'static str], follow: &Follow) {
        for resource in resources {
            let from = catch_up(store, resource, follow);
            let (sender, receiver) = watch::channel(from);
            self.seen.insert(resource, receiver);
            tasks.spawn(run(store.clone(), resource, follow.clone(), from, sender));
        }
    }

    /// Waits until a write of a followed resource has been seen; returns at once for all others.
    pub async fn seen(&self, resource: &str, revision: u64) {
        if let Some(receiver) = self.seen.get(resource) {
            let mut receiver = receiver.clone();
            let _ = timeout(PATIENCE, receiver.wait_for(|seen| *seen >= revision)).await;
        }
    }
}

fn catch_up(store: &Store, resource: &'static str, follow: &Follow) -> u64 {
    match store.list(resource, None, None, None, None) {
        Ok(listing) => {
            listing
                .entries
                .iter()
                .for_each(|entry| follow(resource, News::Is(entry)));
            listing.revision
        }
        Err(_) => store.revision(),
    }
}

async fn run(store: Store, resource: &'static str, follow: Follow, mut from: u64, seen: watch::Sender<u64>) {
    loop {
        let Ok(mut watch) = store.watch(resource, None, from) else {
            from = catch_up(&store, resource, &follow);
            continue;
        };
        loop {
            match watch.next().await {
                Ok(Event {
                    kind: deploy_cluster_storage::EventKind::Delete { .. },
                    entry,
                }) => {
                    follow(resource, News::Gone(&entry));
                    seen.send_replace(entry.revision);
                }
                Ok(Event { entry, .. }) => {
                    follow(resource, News::Is(&entry));
                    seen.send_replace(entry.revision);
                }
                Err(WatchError::Closed) => return,
                // Only after minutes of standing still: what was deleted meanwhile stays known until the next start.
                Err(WatchError::Lagged { .. } | WatchError::Io { .. }) => break,
            }
        }
        from = catch_up(&store, resource, &follow);
        seen.send_replace(from);
    }
}

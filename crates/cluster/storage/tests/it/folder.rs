//! Folders for tests, and words to fill them with.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use deploy_cluster_storage::{
    Change, Encoded, Entry, Event, EventKind, Expected, Key, Options, Store, Watch, Write, WriteError,
};

/// A folder that goes with its test.
pub struct Folder(PathBuf);

impl Folder {
    pub fn new() -> Folder {
        static NUMBER: AtomicU32 = AtomicU32::new(0);
        let number = NUMBER.fetch_add(1, Ordering::Relaxed);
        let name = format!("storage-{}-{number}", std::process::id());
        Folder(Path::new(env!("CARGO_TARGET_TMPDIR")).join(name))
    }

    pub fn path(&self) -> &Path {
        &self.0
    }

    pub fn database(&self) -> PathBuf {
        self.0.join("revisions.db")
    }

    pub fn open(&self) -> Store {
        Store::open(&Options::new(&self.0)).expect("it opens")
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        drop(std::fs::remove_dir_all(&self.0));
    }
}

/// Runs a test's future; one that waits for what never comes fails.
pub fn run<T>(future: impl Future<Output = T>) -> T {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .expect("a runtime");
    let limited = async { tokio::time::timeout(Duration::from_secs(60), future).await };
    runtime.block_on(limited).expect("within a minute")
}

/// `namespace/name` or `name`.
pub fn key(resource: &str, path: &str) -> Key {
    let (namespace, name) = path.split_once('/').unwrap_or(("", path));
    Key::new(resource, namespace, name)
}

pub fn text(value: &str) -> Encoded {
    Encoded::new(format!("{{\"v\":\"{value}\",\"rv\":\"").into_bytes(), &b"\"}"[..])
}

pub async fn put(store: &Store, key: Key, expected: Expected, value: &str) -> Result<Arc<Entry>, WriteError> {
    store
        .write(Write {
            key,
            expected,
            change: Change::Put(text(value)),
        })
        .await
}

pub async fn delete(store: &Store, key: Key, expected: Expected) -> Result<Arc<Entry>, WriteError> {
    store
        .write(Write {
            key,
            expected,
            change: Change::Delete(text("gone")),
        })
        .await
}

/// `/pods` with these paths, each written once, from revision 2 on.
pub async fn fill(store: &Store, paths: &[&str]) {
    for path in paths {
        put(store, key("/pods", path), Expected::Absent, path)
            .await
            .expect("nothing is in the way");
    }
}

/// `namespace/name@revision`.
pub fn shown(entry: &Entry) -> String {
    let Key { namespace, name, .. } = &entry.key;
    let slash = if namespace.is_empty() { "" } else { "/" };
    format!("{namespace}{slash}{name}@{}", entry.revision)
}

/// `+a/b@2` created, `~a/b@3<2` replaced, `-a/b@4<3` deleted.
pub fn told(event: &Event) -> String {
    let entry = shown(&event.entry);
    match &event.kind {
        EventKind::Put { previous: None } => format!("+{entry}"),
        EventKind::Put {
            previous: Some(previous),
        } => format!("~{entry}<{}", previous.revision),
        EventKind::Delete { previous } => format!("-{entry}<{}", previous.revision),
    }
}

/// The next events of a watch.
pub async fn next(watch: &mut Watch, count: usize) -> String {
    let mut events = Vec::new();
    for _ in 0..count {
        events.push(told(&watch.next().await.expect("an event")));
    }
    events.join(" ")
}

//! What goes in and what comes out: keys, entries, writes, events.

use std::any::Any;
use std::fmt;
use std::sync::{Arc, Mutex, OnceLock, PoisonError, Weak};

use bytes::{Bytes, BytesMut};

use crate::limits;

/// The name of one object: its resource, its namespace and its name.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Key {
    /// Group and plural, `apps/deployments`; the core group is empty: `/pods`.
    pub resource: Arc<str>,
    /// Empty for an object of the whole cluster.
    pub namespace: Arc<str>,
    /// `metadata.name`.
    pub name: Arc<str>,
}

impl Key {
    /// A key of its three parts.
    pub fn new(
        resource: impl Into<Arc<str>>,
        namespace: impl Into<Arc<str>>,
        name: impl Into<Arc<str>>,
    ) -> Key {
        Key {
            resource: resource.into(),
            namespace: namespace.into(),
            name: name.into(),
        }
    }

    /// The place among the objects of its resource: `namespace/name`, or `name` without a namespace. Lists follow the
    /// order of its bytes, as upstream's follow the order of etcd's keys (`a-b/x` comes before `a/x`).
    pub(crate) fn path(&self) -> Box<str> {
        path(&self.namespace, &self.name)
    }
}

pub(crate) fn path(namespace: &str, name: &str) -> Box<str> {
    if namespace.is_empty() {
        return name.into();
    }
    let mut path = String::with_capacity(namespace.len() + name.len() + 1);
    path.push_str(namespace);
    path.push('/');
    path.push_str(name);
    path.into_boxed_str()
}

/// One revision of one object.
pub struct Entry {
    /// Which object.
    pub key: Key,
    /// The revision of this write: `metadata.resourceVersion`.
    pub revision: u64,
    /// The revision of the object's creation.
    pub created: u64,
    /// The object as JSON text, `resourceVersion` inside.
    pub body: Bytes,
    derived: OnceLock<Derived>,
}

/// What somebody has made of a body.
type Made = dyn Any + Send + Sync;

/// How long that is kept.
enum Derived {
    /// As long as the entry.
    Always(Arc<Made>),
    /// As long as somebody has it: bodies beyond [`limits::DERIVED_BYTES`].
    WhileUsed(Mutex<Weak<Made>>),
}

impl Entry {
    pub(crate) fn new(key: Key, revision: u64, created: u64, body: Bytes) -> Entry {
        Entry {
            key,
            revision,
            created,
            body,
            derived: OnceLock::new(),
        }
    }

    /// What the caller makes of the body, made once and kept as long as the entry: labels for selectors, or the parsed
    /// object. What is made of a large body is kept as long as somebody has it. Every caller must ask for the same type;
    /// another one is made anew each time.
    pub fn derived<T: Any + Send + Sync>(&self, make: impl FnOnce(&Bytes) -> T) -> Arc<T> {
        let kept = self.derived.get();
        let kept = kept.and_then(Derived::get).map(|kept| kept.downcast::<T>());
        if let Some(Ok(kept)) = kept {
            return kept;
        }
        let made = Arc::new(make(&self.body));
        if self.body.len() <= limits::DERIVED_BYTES {
            // Who is slower than another has made the same.
            let _ = self.derived.set(Derived::Always(made.clone()));
            return made;
        }
        let weak: Weak<T> = Arc::downgrade(&made);
        let shared = self
            .derived
            .get_or_init(|| Derived::WhileUsed(Mutex::new(weak.clone())));
        if let Derived::WhileUsed(place) = shared {
            *place.lock().unwrap_or_else(PoisonError::into_inner) = weak;
        }
        made
    }
}

impl Derived {
    fn get(&self) -> Option<Arc<Made>> {
        match self {
            Self::Always(kept) => Some(kept.clone()),
            Self::WhileUsed(place) => place.lock().unwrap_or_else(PoisonError::into_inner).upgrade(),
        }
    }
}

impl fmt::Debug for Entry {
    /// Without the body: it may be a Secret.
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Key {
            resource,
            namespace,
            name,
        } = &self.key;
        write!(
            formatter,
            "{resource} {namespace}/{name}@{} ({} bytes)",
            self.revision,
            self.body.len()
        )
    }
}

/// The JSON text of an object around the digits of `metadata.resourceVersion`, which only the writer knows.
///
/// ```
/// # use deploy_cluster_storage::Encoded;
/// let text = Encoded::new(&br#"{"metadata":{"resourceVersion":""#[..], &br#""}}"#[..]);
/// assert_eq!(&text.at(7)[..], br#"{"metadata":{"resourceVersion":"7"}}"#);
/// ```
#[derive(Clone)]
pub struct Encoded {
    /// Up to the first digit.
    pub before: Bytes,
    /// From the quote after the last digit.
    pub after: Bytes,
}

impl Encoded {
    /// The two halves.
    pub fn new(before: impl Into<Bytes>, after: impl Into<Bytes>) -> Encoded {
        Encoded {
            before: before.into(),
            after: after.into(),
        }
    }

    /// The text with a revision in its place.
    pub fn at(&self, revision: u64) -> Bytes {
        let digits = revision.to_string();
        let mut text = BytesMut::with_capacity(self.len() + digits.len());
        text.extend_from_slice(&self.before);
        text.extend_from_slice(digits.as_bytes());
        text.extend_from_slice(&self.after);
        text.freeze()
    }

    pub(crate) fn len(&self) -> usize {
        self.before.len() + self.after.len()
    }
}

impl fmt::Debug for Encoded {
    /// Without the text: it may be a Secret.
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "Encoded({} bytes)", self.len())
    }
}

/// One change of one object.
#[derive(Clone, Debug)]
pub struct Write {
    /// Which object.
    pub key: Key,
    /// What must hold for the change to happen.
    pub expected: Expected,
    /// The change.
    pub change: Change,
}

/// What must hold when a write's turn comes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Expected {
    /// There is no such object.
    Absent,
    /// The object is at this revision.
    Revision(u64),
    /// Nothing. A delete still needs an object to delete.
    Any,
}

/// What a write does.
#[derive(Clone, Debug)]
pub enum Change {
    /// Creates or replaces.
    Put(Encoded),
    /// Removes; the text is the object's last state, which watches are shown with the revision of the delete.
    Delete(Encoded),
}

/// What a watch yields.
#[derive(Clone, Debug)]
pub struct Event {
    /// What happened.
    pub kind: EventKind,
    /// The object afterwards; for a delete, its last state at the revision of the delete.
    pub entry: Arc<Entry>,
}

/// What happened to an object, with its state before.
#[derive(Clone, Debug)]
pub enum EventKind {
    /// Created (no previous state) or replaced.
    Put {
        /// The state before.
        previous: Option<Arc<Entry>>,
    },
    /// Removed.
    Delete {
        /// The state before.
        previous: Arc<Entry>,
    },
}

impl Event {
    /// The state before, if there was one.
    pub fn previous(&self) -> Option<&Arc<Entry>> {
        match &self.kind {
            EventKind::Put { previous } => previous.as_ref(),
            EventKind::Delete { previous } => Some(previous),
        }
    }
}

/// One page of a list.
#[derive(Clone, Debug)]
pub struct Listing {
    /// In the order of [`Key`] paths, `namespace/name`.
    pub entries: Vec<Arc<Entry>>,
    /// The revision of the state that the entries are of.
    pub revision: u64,
    /// How many more there are after the last entry.
    pub remaining: usize,
}

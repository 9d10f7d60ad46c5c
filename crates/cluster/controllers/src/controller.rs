//! What a controller is.

use std::sync::Arc;

use jiff::Timestamp;
use serde_json::Value;

use crate::effect::{Failure, Outcome};
use crate::kind::Kind;
use crate::object;
use crate::view::View;

/// What a controller looks at: mostly the namespace and name of one object of its kind.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Key {
    /// Empty for objects of the whole cluster.
    pub namespace: Arc<str>,
    /// The object's name.
    pub name: Arc<str>,
}

impl Key {
    /// The key of an object.
    pub fn of(object: &Value) -> Key {
        Key {
            namespace: object::namespace(object).into(),
            name: object::name(object).into(),
        }
    }
}

/// One controller: a row of `controllers::ALL`.
#[derive(Clone)]
pub struct Controller {
    /// `deployment-controller`: it acts as `system:serviceaccount:kube-system:<name>`.
    pub name: &'static str,
    /// What wakes it.
    pub watches: &'static [Watch],
    /// From the current state to what is to be done for one key. Pure: the same state and time give the same outcome.
    pub reconcile: fn(&Look<'_>) -> Outcome,
    /// How many keys are looked at side by side. A key is never looked at twice at a time.
    pub workers: usize,
}

/// What `reconcile` decides from.
pub struct Look<'a> {
    /// The current state.
    pub view: &'a dyn View,
    /// What to look at.
    pub key: &'a Key,
    /// The current time.
    pub now: Timestamp,
    /// What failed just now; the effects of this look should only say so.
    pub failure: Option<&'a Failure>,
}

/// A resource whose changes wake a controller.
#[derive(Clone)]
pub struct Watch {
    /// Which resource.
    pub kind: Kind,
    /// Which keys a change concerns.
    pub keys: fn(&dyn View, &Change<'_>) -> Vec<Key>,
}

/// A change of one object.
pub struct Change<'a> {
    /// Its last state.
    pub object: &'a Value,
    /// The state before; `None` for a new object, and for all objects at the start.
    pub previous: Option<&'a Value>,
    /// It is gone.
    pub deleted: bool,
}

/// The changed object itself.
pub fn itself(_: &dyn View, change: &Change<'_>) -> Vec<Key> {
    vec![Key::of(change.object)]
}

/// The object's controller of this kind, before and after the change.
pub fn owner_of_kind(change: &Change<'_>, kind: &Kind) -> Vec<Key> {
    let mut keys: Vec<Key> = [Some(change.object), change.previous]
        .into_iter()
        .flatten()
        .filter_map(|object| {
            let owner = object::controller(object)?;
            (owner["kind"] == *kind.kind).then(|| Key {
                namespace: object::namespace(object).into(),
                name: owner["name"].as_str().unwrap_or_default().into(),
            })
        })
        .collect();
    keys.dedup();
    keys
}

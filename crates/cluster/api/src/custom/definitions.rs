//! The definitions that are stored, and the registry that is made of them.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, PoisonError};

use arc_swap::ArcSwap;
use deploy_cluster_schema::registry::{CustomResource, Registry, Resource};
use deploy_cluster_storage::Entry;
use serde_json::Value;

use super::status;
use crate::followers::News;

/// The definitions by name, and the registry that they are in.
pub(crate) struct Definitions {
    registry: Arc<ArcSwap<Registry>>,
    known: Mutex<BTreeMap<String, Known>>,
    /// What is served besides, from no definition.
    added: Mutex<Vec<Arc<Resource>>>,
}

/// What is remembered of a definition.
struct Known {
    group: String,
    /// Plural, singular and short names that it holds.
    resources: Vec<String>,
    /// Kinds that it holds.
    kinds: Vec<String>,
    /// What its resources are made of.
    source: Vec<u8>,
    /// None until it is established.
    served: Vec<Arc<CustomResource>>,
}

/// The names that the definitions of a group hold.
#[derive(Default)]
pub(crate) struct Taken {
    pub resources: BTreeSet<String>,
    pub kinds: BTreeSet<String>,
}

impl Definitions {
    /// None yet; they will be put into `registry`.
    pub fn new(registry: Arc<ArcSwap<Registry>>) -> Definitions {
        Definitions {
            registry,
            known: Mutex::default(),
            added: Mutex::default(),
        }
    }

    /// Takes note of a definition. The registry is made anew only where what is served has changed.
    pub fn follow(&self, news: &News<'_>) {
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        let changed = match news {
            News::Is(entry) => put(&mut known, entry),
            News::Gone(entry) => {
                let gone = known.remove(&*entry.key.name);
                gone.is_some_and(|gone| !gone.served.is_empty())
            }
        };
        if changed {
            self.make(&known);
        }
    }

    /// Serves these resources, too, in the place of those that were added before.
    pub fn add(&self, added: Vec<Arc<Resource>>) {
        let known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        *self.added.lock().unwrap_or_else(PoisonError::into_inner) = added;
        self.make(&known);
    }

    fn make(&self, known: &BTreeMap<String, Known>) {
        let all = known.values().flat_map(|known| known.served.iter().cloned());
        let added = self.added.lock().unwrap_or_else(PoisonError::into_inner);
        let registry = Registry::builtin().with_custom(all.collect()).with_added(&added);
        self.registry.store(Arc::new(registry));
    }

    /// The names that the definitions of a group hold.
    pub fn taken(&self, group: &str) -> Taken {
        let known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        let mut taken = Taken::default();
        for known in known.values().filter(|known| known.group == group) {
            taken.resources.extend(known.resources.iter().cloned());
            taken.kinds.extend(known.kinds.iter().cloned());
        }
        taken
    }

    /// The definitions of a group.
    pub fn of_group(&self, group: &str) -> Vec<String> {
        let known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        let of_group = known.iter().filter(|(_, known)| known.group == group);
        of_group.map(|(name, _)| name.clone()).collect()
    }
}

fn put(known: &mut BTreeMap<String, Known>, entry: &Entry) -> bool {
    // Not by way of `parsed`, which would keep the tree: definitions are large, and read seldom.
    let definition: Value = serde_json::from_slice(&entry.body).unwrap_or_default();
    let accepted = &definition["status"]["acceptedNames"];
    let source = serde_json::json!([
        definition["spec"],
        accepted,
        status::is_true(&definition, "Established"),
        status::is_true(&definition, "Terminating"),
    ]);
    let source = digest(&source);
    let old = known.get(&*entry.key.name);
    let served = match old {
        Some(old) if old.source == source => old.served.clone(),
        _ if status::is_true(&definition, "Established") => CustomResource::of_definition(&definition),
        _ => Vec::new(),
    };
    let changed = match old {
        Some(old) => old.source != source && !(old.served.is_empty() && served.is_empty()),
        None => !served.is_empty(),
    };
    let text = |value: &Value| value.as_str().filter(|text| !text.is_empty()).map(str::to_owned);
    let mut resources: Vec<String> = [&accepted["plural"], &accepted["singular"]]
        .into_iter()
        .filter_map(text)
        .collect();
    resources.extend(
        accepted["shortNames"]
            .as_array()
            .into_iter()
            .flatten()
            .filter_map(text),
    );
    let kinds = [&accepted["kind"], &accepted["listKind"]];
    known.insert(
        entry.key.name.to_string(),
        Known {
            group: text(&definition["spec"]["group"]).unwrap_or_default(),
            resources,
            kinds: kinds.into_iter().filter_map(text).collect(),
            source,
            served,
        },
    );
    changed
}

/// A definition can have megabytes; equality is all that is asked of it.
fn digest(source: &Value) -> Vec<u8> {
    let digest = ring::digest::digest(&ring::digest::SHA256, source.to_string().as_bytes());
    digest.as_ref().to_vec()
}

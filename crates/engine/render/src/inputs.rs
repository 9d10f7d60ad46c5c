//! The exact set of what a render read, with hashes: two renders with equal inputs give equal objects, so a commit that
//! changes none of an app's inputs needs no render.

use std::collections::BTreeMap;

use sha2::{Digest, Sha256};

/// What kind of thing was read.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum InputKind {
    /// A file of the source tree; the name is its path.
    File,
    /// A folder whose list of entries mattered; the name is its path.
    Folder,
    /// Values given beside the files (`--set`); the name is the option.
    Values,
    /// A fact of the target: Kubernetes version, API versions, release name, namespace.
    Fact,
    /// A look-up of a live object; the name is `apiVersion/kind/namespace/name`.
    Lookup,
    /// The clock or randomness: such a render is not repeatable.
    Host,
}

/// Inputs with the SHA-256 of what was read, sorted.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Inputs {
    entries: BTreeMap<(InputKind, String), [u8; 32]>,
}

impl Inputs {
    /// Notes that this content was read.
    pub fn record(&mut self, kind: InputKind, name: impl Into<String>, sha256: [u8; 32]) {
        self.entries.insert((kind, name.into()), sha256);
    }

    /// Notes that these bytes were read.
    pub fn record_content(&mut self, kind: InputKind, name: impl Into<String>, content: &[u8]) {
        self.record(kind, name, Sha256::digest(content).into());
    }

    /// All inputs in order, with their hashes.
    pub fn iter(&self) -> impl Iterator<Item = (&InputKind, &str, &[u8; 32])> {
        self.entries
            .iter()
            .map(|((kind, name), hash)| (kind, name.as_str(), hash))
    }

    /// Adds what another render read.
    pub fn extend(&mut self, other: Inputs) {
        self.entries.extend(other.entries);
    }
}

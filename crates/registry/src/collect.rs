//! Garbage collection, while everything goes on.
//!
//! What is marked: all that manifests name, and the manifests. What is swept: a blob of a repository that no manifest
//! of it names and that is old enough, then the file that no repository holds. Of a file that somebody was told about
//! lately (HEAD, mount, the end of an upload) nothing goes, because a manifest may be on its way.
//!
//! The order makes it safe: first the journal says that the file is forgotten, then it goes; and while both happen no
//! upload can end, so that nobody is promised a file that is going.

use std::collections::HashSet;
use std::sync::PoisonError;

use deploy_model::image::Digest;

use crate::change::{Age, Change};
use crate::error::RegistryError;
use crate::limits;
use crate::registry::Registry;
use crate::state::{Record, State, Sum};

/// What a collection took away.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Collected {
    /// Uploads that were abandoned.
    pub uploads: usize,
    /// Blobs of repositories that no manifest named.
    pub blobs: usize,
    /// Files that nobody held, those of unfinished changes included.
    pub files: usize,
}

impl Registry {
    /// Ends abandoned uploads and takes away what nobody needs.
    ///
    /// # Errors
    /// The disk's. What is left then, the next one takes.
    pub fn collect(&self) -> Result<Collected, RegistryError> {
        let mut collected = Collected {
            uploads: self.sweep_uploads()?,
            ..Collected::default()
        };
        let (links, files) = candidates(&self.state(), &self.age());
        for chunk in links.chunks(limits::SWEEP_BATCH) {
            self.sweep(chunk.to_vec(), Vec::new(), &mut collected)?;
        }
        for chunk in files.chunks(limits::SWEEP_BATCH) {
            self.sweep(Vec::new(), chunk.to_vec(), &mut collected)?;
        }
        self.remove_orphans(&mut collected)?;
        Ok(collected)
    }

    fn sweep(
        &self,
        links: Vec<(String, Sum)>,
        files: Vec<Sum>,
        collected: &mut Collected,
    ) -> Result<(), RegistryError> {
        let _names = self.names.write().unwrap_or_else(PoisonError::into_inner);
        if !self.journal_is_sound() {
            return Err(RegistryError::Full);
        }
        for record in self.change(Change::Sweep { links, files })? {
            match record {
                Record::DropBlob { .. } => collected.blobs += 1,
                Record::Forget { digests } => {
                    for digest in digests {
                        self.disk.remove(&self.blob_path(&digest))?;
                        collected.files += 1;
                    }
                }
                _ => {}
            }
        }
        Ok(())
    }

    /// Files that the state does not know: of changes that did not come to their end.
    fn remove_orphans(&self, collected: &mut Collected) -> Result<(), RegistryError> {
        for algorithm in ["sha256", "sha512"] {
            let folder = self.folder.join("blobs").join(algorithm);
            for start in self.disk.list(&folder)? {
                let folder = folder.join(start);
                let _names = self.names.write().unwrap_or_else(PoisonError::into_inner);
                if !self.journal_is_sound() {
                    return Err(RegistryError::Full);
                }
                for name in self.disk.list(&folder)? {
                    let digest: Result<Digest, _> = format!("{algorithm}:{name}").parse();
                    let known = digest.is_ok_and(|digest| self.state().blobs.contains_key(&digest));
                    if !known {
                        self.disk.remove(&folder.join(name))?;
                        collected.files += 1;
                    }
                }
            }
        }
        Ok(())
    }
}

/// What looks as if it may go: it is judged again when it does.
fn candidates(state: &State, age: &Age) -> (Vec<(String, Sum)>, Vec<Sum>) {
    let mut links = Vec::new();
    let leased: HashSet<&Sum> = state
        .blobs
        .iter()
        .filter(|(_, blob)| !age.is_over(0, blob.touched()))
        .map(|(sum, _)| sum)
        .collect();
    for (name, repository) in &state.repositories {
        let named = State::named(repository);
        let going = repository
            .blobs
            .iter()
            .filter(|(sum, since)| {
                age.is_over(**since, 0) && !leased.contains(sum) && !named.contains(&***sum)
            })
            .map(|(sum, _)| (name.clone(), sum.clone()));
        links.extend(going);
    }
    let files = state
        .blobs
        .iter()
        .filter(|(sum, blob)| blob.holders == 0 && !leased.contains(sum));
    (links, files.map(|(sum, _)| sum.clone()).collect())
}

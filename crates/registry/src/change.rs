//! Changes: what is asked for, judged against the state, turned into records. Pure.

use deploy_model::image::Digest;

use crate::error::RegistryError;
use crate::policy::TagPolicy;
use crate::state::{Manifest, Record, State, Sum};

/// Something that is to become true.
#[derive(Clone, Debug)]
pub enum Change {
    /// The file is there: the repository has the blob.
    Link {
        repository: String,
        digest: Sum,
        size: u64,
        upload: Option<String>,
    },
    /// The repository has the blob that another one has.
    Mount {
        repository: String,
        from: String,
        digest: Sum,
    },
    /// The file is there: the repository has the manifest, and the tags lead to it.
    Put {
        repository: String,
        digest: Sum,
        tags: Vec<String>,
        manifest: Manifest,
        /// What must be there before it.
        required: Vec<Sum>,
    },
    /// A tag is gone.
    Untag { repository: String, tag: String },
    /// A manifest and its tags are gone.
    DropManifest { repository: String, digest: Sum },
    /// A blob is gone from a repository.
    DropBlob { repository: String, digest: Sum },
    /// An upload has so many safe bytes.
    Upload {
        id: String,
        repository: String,
        offset: u64,
    },
    /// An upload is over.
    EndUpload { id: String },
    /// Blobs of repositories that no manifest names go, and files that then nobody holds.
    Sweep {
        links: Vec<(String, Sum)>,
        files: Vec<Sum>,
    },
}

/// What a change has to do with others that are made with the same sync.
#[derive(Debug, PartialEq, Eq)]
pub enum Scope<'a> {
    /// Nothing.
    Free,
    /// It must be the only one of its repository.
    Repository(&'a str),
    /// It must be the only one.
    Alone,
}

/// How old something must be to be swept, and what is leased.
#[derive(Clone, Copy, Debug)]
pub struct Age {
    pub now: u64,
    /// Seconds that a blob without a manifest stays.
    pub unreferenced: u64,
    /// Seconds that a blob stays of which somebody was told.
    pub lease: u64,
    /// When this process began: whom the one before told what, it does not know.
    pub started: u64,
}

impl Change {
    pub fn scope(&self) -> Scope<'_> {
        match self {
            Self::Link { .. } | Self::Mount { .. } | Self::Upload { .. } | Self::EndUpload { .. } => {
                Scope::Free
            }
            Self::Put { repository, .. }
            | Self::Untag { repository, .. }
            | Self::DropManifest { repository, .. }
            | Self::DropBlob { repository, .. } => Scope::Repository(repository),
            Self::Sweep { .. } => Scope::Alone,
        }
    }

    /// Whether somebody counts on it after a power cut. An upload that has no bytes is none.
    pub fn lasts(&self) -> bool {
        !matches!(self, Self::Upload { offset: 0, .. } | Self::EndUpload { .. })
    }

    /// The records that make it true; none where it is.
    pub fn plan(&self, state: &State, policy: &TagPolicy, age: &Age) -> Result<Vec<Record>, RegistryError> {
        match self {
            Self::Link {
                repository,
                digest,
                size,
                upload,
            } => Ok(link(state, repository, digest, *size, upload.as_ref(), age.now)),
            Self::Mount {
                repository,
                from,
                digest,
            } => {
                let unknown = || RegistryError::BlobUnknown {
                    digest: Digest::clone(digest),
                };
                let (_, blob) = state.blob(from, digest).ok_or_else(unknown)?;
                Ok(link(state, repository, digest, blob.size, None, age.now))
            }
            Self::Put {
                repository,
                digest,
                tags,
                manifest,
                required,
            } => {
                check_required(state, repository, required)?;
                put(state, policy, repository, digest, tags, manifest)
            }
            Self::Untag { repository, tag } => {
                let tags = state.repositories.get(repository).map(|found| &found.tags);
                if !tags.is_some_and(|tags| tags.contains_key(tag)) {
                    return Err(RegistryError::ManifestUnknown {
                        reference: tag.clone(),
                    });
                }
                Ok(vec![Record::Untag {
                    repository: repository.clone(),
                    tag: tag.clone(),
                }])
            }
            Self::DropManifest { repository, digest } => {
                let found = state.repositories.get(repository);
                if !found.is_some_and(|found| found.manifests.contains_key(digest)) {
                    return Err(RegistryError::ManifestUnknown {
                        reference: digest.to_string(),
                    });
                }
                Ok(vec![Record::DropManifest {
                    repository: repository.clone(),
                    digest: digest.clone(),
                }])
            }
            Self::DropBlob { repository, digest } => drop_blob(state, repository, digest),
            Self::Upload {
                id,
                repository,
                offset,
            } => Ok(vec![Record::Upload {
                id: id.clone(),
                repository: repository.clone(),
                offset: *offset,
                at: age.now,
            }]),
            Self::EndUpload { id } => {
                let known = state.uploads.contains_key(id);
                Ok(known
                    .then(|| Record::EndUpload { id: id.clone() })
                    .into_iter()
                    .collect())
            }
            Self::Sweep { links, files } => Ok(sweep(state, links, files, age)),
        }
    }
}

impl Age {
    /// Whether a blob that is in use by no manifest since then may go.
    pub fn is_over(&self, since: u64, touched: u64) -> bool {
        let past = |from: u64, life: u64| self.now >= from.saturating_add(life);
        past(since, self.unreferenced) && past(touched.max(self.started), self.lease)
    }
}

fn link(
    state: &State,
    repository: &str,
    digest: &Sum,
    size: u64,
    upload: Option<&String>,
    now: u64,
) -> Vec<Record> {
    let found = state.repositories.get(repository);
    let linked = found.is_some_and(|found| found.blobs.contains_key(digest));
    let upload = upload.filter(|id| state.uploads.contains_key(*id));
    match (linked, upload) {
        (true, None) => Vec::new(),
        (true, Some(id)) => vec![Record::EndUpload { id: id.clone() }],
        (false, upload) => vec![Record::Blob {
            repository: repository.to_owned(),
            digest: digest.clone(),
            size,
            at: now,
            upload: upload.cloned(),
        }],
    }
}

fn check_required(state: &State, repository: &str, required: &[Sum]) -> Result<(), RegistryError> {
    let missing = required.iter().find(|sum| state.blob(repository, sum).is_none());
    missing.map_or(Ok(()), |sum| {
        Err(RegistryError::ManifestBlobUnknown {
            digest: Digest::clone(sum),
        })
    })
}

fn put(
    state: &State,
    policy: &TagPolicy,
    repository: &str,
    digest: &Sum,
    tags: &[String],
    manifest: &Manifest,
) -> Result<Vec<Record>, RegistryError> {
    let found = state.repositories.get(repository);
    let mut records = Vec::new();
    let old = found.and_then(|found| found.manifests.get(digest));
    if old.is_none_or(|old| old.media_type != manifest.media_type) {
        records.push(Record::Manifest {
            repository: repository.to_owned(),
            digest: digest.clone(),
            manifest: manifest.clone(),
        });
    }
    for tag in tags {
        let target = found.and_then(|found| found.tags.get(tag));
        let moves = target.is_some_and(|target| target != digest);
        if let Some(reason) = policy.refusal(repository, tag, moves) {
            return Err(RegistryError::Refused { reason });
        }
        if target != Some(digest) {
            records.push(Record::Tag {
                repository: repository.to_owned(),
                tag: tag.clone(),
                digest: digest.clone(),
            });
        }
    }
    Ok(records)
}

fn drop_blob(state: &State, repository: &str, digest: &Sum) -> Result<Vec<Record>, RegistryError> {
    let found = state.repositories.get(repository);
    let Some(found) = found.filter(|found| found.blobs.contains_key(digest)) else {
        return Err(RegistryError::BlobUnknown {
            digest: Digest::clone(digest),
        });
    };
    let user = found
        .manifests
        .iter()
        .find(|(_, manifest)| manifest.references.contains(digest));
    if let Some((manifest, _)) = user {
        return Err(RegistryError::BlobInUse {
            digest: Digest::clone(digest),
            manifest: Digest::clone(manifest),
        });
    }
    Ok(vec![Record::DropBlob {
        repository: repository.to_owned(),
        digest: digest.clone(),
    }])
}

/// What was chosen a moment ago, as far as it is still to go.
fn sweep(state: &State, links: &[(String, Sum)], files: &[Sum], age: &Age) -> Vec<Record> {
    let mut records = Vec::new();
    let mut going = Vec::new();
    let leased = |sum: &Sum| {
        let blob = state.blobs.get(sum);
        blob.is_none_or(|blob| !age.is_over(0, blob.touched()))
    };
    for (name, sum) in links {
        let Some(repository) = state.repositories.get(name) else {
            continue;
        };
        let named = repository
            .manifests
            .values()
            .any(|manifest| manifest.references.contains(sum));
        let since = repository.blobs.get(sum).copied();
        if named || leased(sum) || since.is_none_or(|since| !age.is_over(since, 0)) {
            continue;
        }
        going.push(sum);
        records.push(Record::DropBlob {
            repository: name.clone(),
            digest: sum.clone(),
        });
    }
    let mut digests: Vec<Sum> = files.to_vec();
    digests.extend(links.iter().map(|(_, sum)| sum.clone()));
    digests.sort();
    digests.dedup();
    digests.retain(|sum| {
        let gone = going.iter().filter(|gone| **gone == sum).count();
        let holders = state.blobs.get(sum).map(|blob| blob.holders as usize);
        holders == Some(gone) && !leased(sum)
    });
    if !digests.is_empty() {
        records.push(Record::Forget { digests });
    }
    records
}

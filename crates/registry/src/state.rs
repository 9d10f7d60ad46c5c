//! What the registry knows: repositories, blobs, uploads; and the records that it is made of.
//!
//! Pure: changes are planned against the state, the journal makes the planned records last, then they are applied.

use std::borrow::Borrow;
use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::fmt;
use std::ops::Deref;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use deploy_model::image::Digest;
use serde::de::Error as _;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// A digest that many hold.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Sum(Arc<Digest>);

impl From<Digest> for Sum {
    fn from(digest: Digest) -> Self {
        Self(Arc::new(digest))
    }
}

impl Deref for Sum {
    type Target = Digest;

    fn deref(&self) -> &Digest {
        &self.0
    }
}

impl Borrow<Digest> for Sum {
    fn borrow(&self) -> &Digest {
        &self.0
    }
}

impl fmt::Debug for Sum {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl Serialize for Sum {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.as_str())
    }
}

impl<'de> Deserialize<'de> for Sum {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        let digest: Digest = text.parse().map_err(D::Error::custom)?;
        Ok(digest.into())
    }
}

/// One fact of the journal. Times are seconds since 1970.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "op", rename_all = "kebab-case")]
pub enum Record {
    /// The first record of a journal.
    Format { version: u32 },
    /// A repository has a blob; an upload ended with it.
    Blob {
        repository: String,
        digest: Sum,
        size: u64,
        at: u64,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        upload: Option<String>,
    },
    /// A repository has a manifest.
    Manifest {
        repository: String,
        digest: Sum,
        #[serde(flatten)]
        manifest: Manifest,
    },
    /// A tag leads to a manifest.
    Tag {
        repository: String,
        tag: String,
        digest: Sum,
    },
    /// A tag is gone.
    Untag { repository: String, tag: String },
    /// A manifest is gone, and its tags with it.
    DropManifest { repository: String, digest: Sum },
    /// A blob is gone from a repository.
    DropBlob { repository: String, digest: Sum },
    /// Files that nobody holds are gone, or will be.
    Forget { digests: Vec<Sum> },
    /// An upload has so many bytes.
    Upload {
        id: String,
        repository: String,
        offset: u64,
        at: u64,
    },
    /// An upload is over without a blob.
    EndUpload { id: String },
}

/// What is known of a manifest without reading it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Manifest {
    pub media_type: String,
    pub size: u64,
    pub at: u64,
    /// Configuration, layers, or the manifests of an index.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub references: Vec<Sum>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub subject: Option<Sum>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub artifact_type: Option<String>,
}

/// One repository.
#[derive(Debug, Default)]
pub struct Repository {
    pub tags: BTreeMap<String, Sum>,
    pub manifests: BTreeMap<Sum, Manifest>,
    /// Since when.
    pub blobs: HashMap<Sum, u64>,
    pub referrers: HashMap<Sum, BTreeSet<Sum>>,
}

/// One file.
#[derive(Debug)]
pub struct Blob {
    pub size: u64,
    /// Repositories that have it, as a blob or as a manifest, both counted.
    pub holders: u32,
    /// When somebody was told about it, in this process.
    pub touched: AtomicU64,
}

/// An upload as the journal knows it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Upload {
    pub repository: String,
    /// Bytes that are safe.
    pub offset: u64,
    pub at: u64,
}

/// Everything.
#[derive(Debug, Default)]
pub struct State {
    pub repositories: BTreeMap<String, Repository>,
    pub blobs: HashMap<Sum, Blob>,
    pub uploads: HashMap<String, Upload>,
}

impl State {
    /// Takes a record in. Each record can be taken twice.
    pub fn apply(&mut self, record: &Record) {
        match record {
            Record::Format { .. } => {}
            Record::Blob {
                repository,
                digest,
                size,
                at,
                upload,
            } => {
                if let Some(id) = upload {
                    self.uploads.remove(id);
                }
                let digest = self.known(digest, *size);
                let old = self.repository_mut(repository).blobs.insert(digest.clone(), *at);
                self.hold(&digest, old.is_none());
            }
            Record::Manifest {
                repository,
                digest,
                manifest,
            } => self.put_manifest(repository, digest, manifest),
            Record::Tag {
                repository,
                tag,
                digest,
            } => {
                let digest = self.shared(digest);
                self.repository_mut(repository).tags.insert(tag.clone(), digest);
            }
            Record::Untag { repository, tag } => {
                self.repository_mut(repository).tags.remove(tag);
                self.prune(repository);
            }
            Record::DropManifest { repository, digest } => self.drop_manifest(repository, digest),
            Record::DropBlob { repository, digest } => {
                let old = self.repository_mut(repository).blobs.remove(digest);
                self.release(digest, old.is_some());
                self.prune(repository);
            }
            Record::Forget { digests } => {
                for digest in digests {
                    if self.blobs.get(digest).is_some_and(|blob| blob.holders == 0) {
                        self.blobs.remove(digest);
                    }
                }
            }
            Record::Upload {
                id,
                repository,
                offset,
                at,
            } => {
                let upload = Upload {
                    repository: repository.clone(),
                    offset: *offset,
                    at: *at,
                };
                self.uploads.insert(id.clone(), upload);
            }
            Record::EndUpload { id } => {
                self.uploads.remove(id);
            }
        }
    }

    /// The records that make this state, in an order in which they can be applied.
    pub fn records(&self) -> impl Iterator<Item = Record> + '_ {
        let of = |name: &str| name.to_owned();
        let blobs = self.repositories.iter().flat_map(move |(name, repository)| {
            repository.blobs.iter().map(move |(digest, at)| Record::Blob {
                repository: of(name),
                digest: digest.clone(),
                size: self.blobs.get(digest).map_or(0, |blob| blob.size),
                at: *at,
                upload: None,
            })
        });
        let manifests = self.repositories.iter().flat_map(move |(name, repository)| {
            let record = move |(digest, manifest): (&Sum, &Manifest)| Record::Manifest {
                repository: of(name),
                digest: digest.clone(),
                manifest: manifest.clone(),
            };
            repository.manifests.iter().map(record)
        });
        let tags = self.repositories.iter().flat_map(move |(name, repository)| {
            repository.tags.iter().map(move |(tag, digest)| Record::Tag {
                repository: of(name),
                tag: tag.clone(),
                digest: digest.clone(),
            })
        });
        let uploads = self.uploads.iter().map(|(id, upload)| Record::Upload {
            id: id.clone(),
            repository: upload.repository.clone(),
            offset: upload.offset,
            at: upload.at,
        });
        blobs.chain(manifests).chain(tags).chain(uploads)
    }

    /// The size of a blob, or of a manifest, of a repository.
    pub fn blob(&self, repository: &str, digest: &Digest) -> Option<(&Sum, &Blob)> {
        let repository = self.repositories.get(repository)?;
        if !repository.blobs.contains_key(digest) && !repository.manifests.contains_key(digest) {
            return None;
        }
        self.blobs.get_key_value(digest)
    }

    /// All that manifests of a repository name, and they themselves.
    pub fn named(repository: &Repository) -> HashSet<&Digest> {
        let mut named = HashSet::new();
        for (digest, manifest) in &repository.manifests {
            named.insert(&**digest);
            named.extend(manifest.references.iter().map(|sum| &**sum));
        }
        named
    }

    fn repository_mut(&mut self, name: &str) -> &mut Repository {
        if !self.repositories.contains_key(name) {
            self.repositories.insert(name.to_owned(), Repository::default());
        }
        self.repositories.get_mut(name).expect("it was just put there")
    }

    /// The one copy of a digest.
    fn shared(&self, digest: &Sum) -> Sum {
        let known = self.blobs.get_key_value(&**digest);
        known.map_or_else(|| digest.clone(), |(known, _)| known.clone())
    }

    /// The one copy of the digest of a file that is there.
    fn known(&mut self, digest: &Sum, size: u64) -> Sum {
        let blob = Blob {
            size,
            holders: 0,
            touched: AtomicU64::new(0),
        };
        self.blobs.entry(digest.clone()).or_insert(blob);
        self.shared(digest)
    }

    fn hold(&mut self, digest: &Digest, new: bool) {
        if let Some(blob) = self.blobs.get_mut(digest).filter(|_| new) {
            blob.holders += 1;
        }
    }

    fn release(&mut self, digest: &Digest, old: bool) {
        if let Some(blob) = self.blobs.get_mut(digest).filter(|_| old) {
            blob.holders = blob.holders.saturating_sub(1);
        }
    }

    fn put_manifest(&mut self, name: &str, digest: &Sum, manifest: &Manifest) {
        let digest = self.known(digest, manifest.size);
        let mut manifest = manifest.clone();
        manifest.references = manifest.references.iter().map(|sum| self.shared(sum)).collect();
        manifest.subject = manifest.subject.map(|sum| self.shared(&sum));
        let repository = self.repository_mut(name);
        if let Some(subject) = &manifest.subject {
            let referrers = repository.referrers.entry(subject.clone()).or_default();
            referrers.insert(digest.clone());
        }
        let old = repository.manifests.insert(digest.clone(), manifest);
        self.hold(&digest, old.is_none());
    }

    fn drop_manifest(&mut self, name: &str, digest: &Sum) {
        let repository = self.repository_mut(name);
        let old = repository.manifests.remove(digest);
        repository.tags.retain(|_, target| target != digest);
        if let Some(subject) = old.as_ref().and_then(|manifest| manifest.subject.as_ref())
            && let Some(referrers) = repository.referrers.get_mut(subject)
        {
            referrers.remove(digest);
            if referrers.is_empty() {
                repository.referrers.remove(subject);
            }
        }
        self.release(digest, old.is_some());
        self.prune(name);
    }

    /// A repository without anything is none.
    fn prune(&mut self, name: &str) {
        let empty = self.repositories.get(name).is_some_and(|repository| {
            repository.tags.is_empty() && repository.manifests.is_empty() && repository.blobs.is_empty()
        });
        if empty {
            self.repositories.remove(name);
        }
    }
}

impl Blob {
    /// Somebody was told that it is there.
    pub fn touch(&self, now: u64) {
        self.touched.store(now, Ordering::Relaxed);
    }

    /// When somebody was last told.
    pub fn touched(&self) -> u64 {
        self.touched.load(Ordering::Relaxed)
    }
}

//! Manifests, tags, referrers: what a repository is made of.

use std::ops::Bound;
use std::sync::PoisonError;

use bytes::Bytes;
use deploy_model::image::{Algorithm, Digest};
use serde_json::{Value, json};

use crate::change::Change;
use crate::error::RegistryError;
use crate::manifest::Document;
use crate::registry::{Registry, lock};
use crate::state::{Manifest, Record, State, Sum};
use crate::{hash, limits, name};

/// What is said of a manifest without its bytes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Head {
    /// Its address.
    pub digest: Digest,
    /// As it was pushed.
    pub media_type: String,
    /// Its bytes.
    pub size: u64,
}

/// What a push of a manifest led to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pushed {
    /// Its address.
    pub digest: Digest,
    /// The manifest that it refers to.
    pub subject: Option<Digest>,
}

/// A part of a list.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Page<T> {
    /// In order.
    pub entries: Vec<T>,
    /// Whether there are more behind them.
    pub more: bool,
}

/// How a manifest is asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Reference {
    /// By a name that may move.
    Tag(String),
    /// By its content.
    Digest(Digest),
}

impl Reference {
    /// Reads a tag or a digest.
    ///
    /// # Errors
    /// [`RegistryError::TagInvalid`], [`RegistryError::DigestInvalid`].
    pub fn parse(text: &str) -> Result<Self, RegistryError> {
        if text.contains(':') {
            let digest = text.parse().map_err(|error| RegistryError::DigestInvalid {
                reason: format!("{error}"),
            })?;
            return Ok(Self::Digest(digest));
        }
        match name::is_tag(text) {
            true => Ok(Self::Tag(text.to_owned())),
            false => Err(RegistryError::TagInvalid),
        }
    }

    fn text(&self) -> String {
        match self {
            Self::Tag(tag) => tag.clone(),
            Self::Digest(digest) => digest.to_string(),
        }
    }
}

impl Registry {
    /// Takes a manifest in, by tag or by digest, and sets further tags. What it names must be there; its subject need
    /// not.
    ///
    /// # Errors
    /// [`RegistryError::ManifestInvalid`], [`RegistryError::ManifestBlobUnknown`], [`RegistryError::DigestInvalid`],
    /// [`RegistryError::Refused`] by the rules for tags, or the disk's.
    pub fn put_manifest(
        &self,
        repository: &str,
        reference: &Reference,
        further_tags: &[String],
        media_type: Option<&str>,
        bytes: &Bytes,
    ) -> Result<Pushed, RegistryError> {
        name::repository(repository)?;
        if bytes.len() > limits::MANIFEST_BYTES {
            return Err(RegistryError::SizeInvalid {
                reason: format!("a manifest has at most {} bytes", limits::MANIFEST_BYTES),
            });
        }
        let (digest, mut tags) = match reference {
            Reference::Tag(tag) => (hash::of(Algorithm::Sha256, bytes), vec![tag.clone()]),
            Reference::Digest(expected) => {
                let found = hash::of(expected.algorithm(), bytes);
                if found != *expected {
                    return Err(RegistryError::DigestInvalid {
                        reason: format!("{expected} was named, the manifest has {found}"),
                    });
                }
                (found, Vec::new())
            }
        };
        for tag in further_tags {
            if !name::is_tag(tag) {
                return Err(RegistryError::TagInvalid);
            }
            if !tags.contains(tag) {
                tags.push(tag.clone());
            }
        }
        let document = Document::parse(bytes, media_type)?;
        let sparse = self.options.sparse_indexes && document.is_index;
        let change = Change::Put {
            repository: repository.to_owned(),
            digest: digest.clone().into(),
            tags,
            required: if sparse { Vec::new() } else { document.required },
            manifest: Manifest {
                media_type: document.media_type,
                size: bytes.len() as u64,
                at: self.now(),
                references: document.references,
                subject: document.subject.clone(),
                artifact_type: document.artifact_type,
            },
        };
        // What is refused must not cost a write.
        change.plan(&self.state(), &self.options.tags, &self.age())?;
        self.keep_manifest(&digest, bytes, change)?;
        Ok(Pushed {
            digest,
            subject: document.subject.as_deref().cloned(),
        })
    }

    fn keep_manifest(&self, digest: &Digest, bytes: &Bytes, change: Change) -> Result<(), RegistryError> {
        let _names = self.names.read().unwrap_or_else(PoisonError::into_inner);
        let known = {
            let state = self.state();
            let blob = state.blobs.get(digest);
            blob.inspect(|blob| blob.touch(self.now())).is_some()
        };
        if !known {
            let id = crate::upload::random_id()?;
            let path = self.upload_path(&id);
            let written = (|| {
                let file = self.disk.create(&path)?;
                file.write_at(bytes, 0)?;
                file.sync()
            })();
            let kept = written.map_err(RegistryError::from);
            if let Err(error) = kept.and_then(|()| self.name_blob(&path, digest)) {
                // What remains of it, the next start removes.
                let _ = self.disk.remove(&path);
                return Err(error);
            }
        }
        self.change(change)?;
        lock(&self.cache).put(&digest.clone().into(), bytes);
        Ok(())
    }

    /// What a tag or a digest leads to. Does not wait.
    ///
    /// # Errors
    /// [`RegistryError::NameUnknown`], [`RegistryError::ManifestUnknown`].
    pub fn manifest_head(&self, repository: &str, reference: &Reference) -> Result<Head, RegistryError> {
        let state = self.state();
        let (digest, manifest) = find(&state, repository, reference)?;
        Ok(Head {
            digest: Digest::clone(digest),
            media_type: manifest.media_type.clone(),
            size: manifest.size,
        })
    }

    /// A manifest, if it was read lately. Does not wait.
    pub fn recent_manifest(&self, digest: &Digest) -> Option<Bytes> {
        lock(&self.cache).get(digest)
    }

    /// A manifest and its bytes, as they came.
    ///
    /// # Errors
    /// [`RegistryError::NameUnknown`], [`RegistryError::ManifestUnknown`], or the disk's: also where the bytes are not
    /// what was written.
    pub fn manifest(&self, repository: &str, reference: &Reference) -> Result<(Head, Bytes), RegistryError> {
        let head = self.manifest_head(repository, reference)?;
        let bytes = self.manifest_bytes(&head.digest)?;
        Ok((head, bytes))
    }

    fn manifest_bytes(&self, digest: &Digest) -> Result<Bytes, RegistryError> {
        if let Some(bytes) = self.recent_manifest(digest) {
            return Ok(bytes);
        }
        let bytes = self.open_file(digest)?.read_all(limits::MANIFEST_BYTES as u64)?;
        if hash::of(digest.algorithm(), &bytes) != *digest {
            return Err(RegistryError::Disk {
                reason: format!("the file of {digest} has another content"),
            });
        }
        let bytes = Bytes::from(bytes);
        lock(&self.cache).put(&digest.clone().into(), &bytes);
        Ok(bytes)
    }

    /// Takes a tag away; or a manifest, and its tags with it.
    ///
    /// # Errors
    /// [`RegistryError::ManifestUnknown`], or the disk's.
    pub fn delete(&self, repository: &str, reference: &Reference) -> Result<(), RegistryError> {
        let repository = repository.to_owned();
        let change = match reference {
            Reference::Tag(tag) => Change::Untag {
                repository,
                tag: tag.clone(),
            },
            Reference::Digest(digest) => Change::DropManifest {
                repository,
                digest: digest.clone().into(),
            },
        };
        let _: Vec<Record> = self.change(change)?;
        Ok(())
    }

    /// The tags of a repository behind `after`, in the order of their bytes. Does not wait.
    ///
    /// # Errors
    /// [`RegistryError::NameUnknown`].
    pub fn tags(
        &self,
        repository: &str,
        after: Option<&str>,
        most: usize,
    ) -> Result<Page<String>, RegistryError> {
        let state = self.state();
        let found = repository_of(&state, repository)?;
        let range = found.tags.range::<str, _>((behind(after), Bound::Unbounded));
        Ok(page(range.map(|(tag, _)| tag.clone()), most))
    }

    /// The repositories behind `after`. Does not wait.
    pub fn repositories(&self, after: Option<&str>, most: usize) -> Page<String> {
        let state = self.state();
        let range = state
            .repositories
            .range::<str, _>((behind(after), Bound::Unbounded));
        page(range.map(|(name, _)| name.clone()), most)
    }

    /// Descriptors of the manifests that name this one as their subject, behind `after`, of one type if one is asked
    /// for.
    ///
    /// # Errors
    /// The disk's.
    pub fn referrers(
        &self,
        repository: &str,
        subject: &Digest,
        artifact_type: Option<&str>,
        after: Option<&Digest>,
    ) -> Result<Page<Value>, RegistryError> {
        let found: Vec<(Sum, Manifest)> = {
            let state = self.state();
            let repository = state.repositories.get(repository);
            let sums = repository.and_then(|found| Some((found, found.referrers.get(subject)?)));
            let wanted = |manifest: &Manifest| {
                artifact_type.is_none_or(|wanted| manifest.artifact_type.as_deref() == Some(wanted))
            };
            sums.map_or(Vec::new(), |(found, sums)| {
                sums.iter()
                    .filter(|sum| after.is_none_or(|after| ***sum > *after))
                    .filter_map(|sum| Some((sum.clone(), found.manifests.get(sum)?.clone())))
                    .filter(|(_, manifest)| wanted(manifest))
                    .take(limits::REFERRERS + 1)
                    .collect()
            })
        };
        let mut entries = Vec::new();
        let mut bytes = 0;
        let count = found.len();
        for (sum, manifest) in found {
            let entry = self.descriptor(&sum, &manifest)?;
            bytes += entry.to_string().len();
            let full = bytes > limits::REFERRERS_BYTES && !entries.is_empty();
            if entries.len() == limits::REFERRERS || full {
                break;
            }
            entries.push(entry);
        }
        let more = entries.len() < count;
        Ok(Page { entries, more })
    }

    fn descriptor(&self, sum: &Sum, manifest: &Manifest) -> Result<Value, RegistryError> {
        let bytes = self.manifest_bytes(sum)?;
        let document: Value = serde_json::from_slice(&bytes).unwrap_or_default();
        let mut entry = json!({
            "mediaType": manifest.media_type,
            "digest": sum.as_str(),
            "size": manifest.size,
        });
        if let Some(artifact_type) = &manifest.artifact_type {
            entry["artifactType"] = json!(artifact_type);
        }
        if let Some(annotations) = document.get("annotations").filter(|notes| notes.is_object()) {
            entry["annotations"] = annotations.clone();
        }
        Ok(entry)
    }
}

fn repository_of<'a>(state: &'a State, name: &str) -> Result<&'a crate::state::Repository, RegistryError> {
    let found = state.repositories.get(name);
    found.ok_or_else(|| RegistryError::NameUnknown {
        name: name.to_owned(),
    })
}

fn find<'a>(
    state: &'a State,
    repository: &str,
    reference: &Reference,
) -> Result<(&'a Sum, &'a Manifest), RegistryError> {
    let repository = repository_of(state, repository)?;
    let digest = match reference {
        Reference::Digest(digest) => Some(digest),
        Reference::Tag(tag) => repository.tags.get(tag).map(|sum| &**sum),
    };
    let found = digest.and_then(|digest| repository.manifests.get_key_value(digest));
    found.ok_or_else(|| RegistryError::ManifestUnknown {
        reference: reference.text(),
    })
}

fn behind(after: Option<&str>) -> Bound<&str> {
    after.map_or(Bound::Unbounded, Bound::Excluded)
}

fn page<T>(entries: impl Iterator<Item = T>, most: usize) -> Page<T> {
    let mut entries: Vec<T> = entries.take(most.saturating_add(1)).collect();
    let more = entries.len() > most;
    entries.truncate(most);
    Page { entries, more }
}

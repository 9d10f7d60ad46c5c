//! Which images there are: one file that is replaced as a whole.

use std::fs;
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::Path;

use serde::{Deserialize, Serialize};

use super::{StoreError, disk};

/// The file's name in the store.
pub const FILE: &str = "index.json";

/// How the file looked when it was read: a replacement is another inode or another time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Stamp {
    inode: u64,
    changed: (i64, i64),
    size: u64,
}

impl Stamp {
    /// That of the file now; none if there is none.
    pub fn of(root: &Path) -> Result<Option<Self>, StoreError> {
        let path = root.join(FILE);
        match fs::metadata(&path) {
            Ok(data) => Ok(Some(Self {
                inode: data.ino(),
                changed: (data.ctime(), data.ctime_nsec()),
                size: data.len(),
            })),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(StoreError::disk(&path, error)),
        }
    }
}

/// All images.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Index {
    pub images: Vec<Record>,
}

/// One image; digests and references as text.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Record {
    pub id: String,
    pub tags: Vec<String>,
    pub digests: Vec<String>,
    /// Empty for images of docker's archives, which have none.
    pub manifest: String,
    /// Digests of the plain tars, lowest first.
    pub layers: Vec<String>,
}

impl Index {
    /// The index on the disk; an empty one if there is none.
    pub fn read(root: &Path) -> Result<Self, StoreError> {
        let path = root.join(FILE);
        let bytes = match fs::read(&path) {
            Ok(bytes) => bytes,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Self::default()),
            Err(error) => return Err(StoreError::disk(&path, error)),
        };
        serde_json::from_slice(&bytes).map_err(|error| StoreError::Damaged {
            path,
            reason: error.to_string(),
        })
    }

    /// Puts it on the disk.
    pub fn write(&self, root: &Path) -> Result<(), StoreError> {
        let bytes = serde_json::to_vec(self).expect("an index of strings is JSON");
        disk::replace(root, FILE, &bytes)
    }

    /// Adds an image, or names to it. A tag has one image: others lose it, and what has no name left stays by its id.
    pub fn add(&mut self, new: Record) {
        for record in self.images.iter_mut().filter(|record| record.id != new.id) {
            record.tags.retain(|tag| !new.tags.contains(tag));
            record.digests.retain(|digest| !new.digests.contains(digest));
        }
        match self.images.iter_mut().find(|record| record.id == new.id) {
            Some(record) => {
                for (mine, others) in [(&mut record.tags, new.tags), (&mut record.digests, new.digests)] {
                    for name in others {
                        if !mine.contains(&name) {
                            mine.push(name);
                        }
                    }
                }
                if !new.manifest.is_empty() {
                    record.manifest = new.manifest;
                }
                record.layers = new.layers;
            }
            None => self.images.push(new),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn record(id: &str, tags: &[&str]) -> Record {
        Record {
            id: id.to_owned(),
            tags: tags.iter().map(|&tag| tag.to_owned()).collect(),
            digests: Vec::new(),
            manifest: String::new(),
            layers: Vec::new(),
        }
    }

    #[test]
    fn a_tag_moves_and_names_gather() {
        let mut index = Index::default();
        index.add(record("1", &["a:1"]));
        index.add(record("1", &["b:1", "a:1"]));
        index.add(record("2", &["a:1"]));
        assert_eq!(index.images, [record("1", &["b:1"]), record("2", &["a:1"])]);
    }
}

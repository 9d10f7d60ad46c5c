//! Archives in: OCI layouts as a tar, and what `docker save` writes.

use std::collections::HashMap;
use std::fs::File;
use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use deploy_model::image::manifest::{Descriptor, Document, Platform, choose};
use deploy_model::image::{Digest, Reference};
use serde_json::Value;

use super::disk::Scratch;
use super::{Image, Store, StoreError};
use crate::config::Config;
use crate::decode::decoded;
use crate::limits;
use crate::tar::{Kind, Reader};

/// What came out of an archive.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Loaded {
    /// The names that the archive, or whoever loaded it, gave the image; empty if nobody did.
    pub names: Vec<Reference>,
    /// The image.
    pub image: Arc<Image>,
}

/// Notes of an OCI layout that name an image: containerd's with the full name, the specification's, which is often
/// a tag alone.
const FULL_NAME: &str = "io.containerd.image.name";
const REF_NAME: &str = "org.opencontainers.image.ref.name";

impl Store {
    /// Takes all images of an archive that run on this machine. `name` is for an archive with one image, and wins over
    /// what the archive says. The archive may be packed with gzip or zstd.
    pub fn load_archive(
        &self,
        archive: &mut dyn Read,
        name: Option<&Reference>,
    ) -> Result<Vec<Loaded>, StoreError> {
        let _hold = self.hold()?;
        let scratch = Scratch::new(&self.root.join("tmp"))?;
        let files = spool(archive, &scratch.path)?;
        let images = if files.has("index.json") {
            layout(&files)?
        } else if files.has("manifest.json") {
            docker(&files)?
        } else {
            return Err(StoreError::archive("it has neither index.json nor manifest.json"));
        };
        match (images.len(), name) {
            (0, _) => return Err(StoreError::archive("it holds no image")),
            (2.., Some(_)) => {
                return Err(StoreError::archive(
                    "it holds several images, and one name was given",
                ));
            }
            (count, _) if count > limits::ARCHIVE_IMAGES_MAX => {
                return Err(StoreError::archive("it holds too many images"));
            }
            _ => {}
        }
        let mut loaded = Vec::new();
        for found in images {
            let names = name.map_or(found.names.clone(), |name| vec![name.clone()]);
            let image = self.take(&files, &found, &names)?;
            loaded.push(Loaded { names, image });
        }
        Ok(loaded)
    }

    fn take(&self, files: &Files, found: &Found, names: &[Reference]) -> Result<Arc<Image>, StoreError> {
        let (config, diff_ids) = Config::parse(&found.config)?;
        let own = Platform::own();
        let platform = config.platform();
        // Images of old tools say nothing.
        if !platform.os.is_empty() && !own.runs(&platform) {
            return Err(StoreError::Platform { platform: own });
        }
        if found.layers.len() != diff_ids.len() {
            return Err(StoreError::LayerCount {
                manifest: found.layers.len(),
                config: diff_ids.len(),
            });
        }
        for ((path, packed), diff_id) in found.layers.iter().zip(&diff_ids) {
            if self.has_layer(diff_id) {
                continue;
            }
            let mut file = files.open(path)?;
            self.ingest(packed.as_ref(), diff_id, &mut file)?;
        }
        self.record(names, found.manifest.as_deref(), &found.config)
    }
}

/// An image in an archive.
struct Found {
    names: Vec<Reference>,
    manifest: Option<Vec<u8>>,
    config: Vec<u8>,
    /// Where its layers are, lowest first, and what the archive says of their bytes.
    layers: Vec<(String, Option<Digest>)>,
}

/// The files of an archive, beside each other under numbers: their names are only keys.
struct Files(HashMap<String, PathBuf>);

impl Files {
    fn has(&self, name: &str) -> bool {
        self.0.contains_key(name)
    }

    fn open(&self, name: &str) -> Result<File, StoreError> {
        let path = self
            .0
            .get(name)
            .ok_or_else(|| StoreError::archive(format!("it lacks {}", shortened(name))))?;
        File::open(path).map_err(|error| StoreError::disk(path, error))
    }

    /// A document: small, and kept in memory.
    fn document(&self, name: &str) -> Result<Vec<u8>, StoreError> {
        let mut bytes = Vec::new();
        let file = self.open(name)?;
        file.take(limits::DOCUMENT_BYTES_MAX + 1)
            .read_to_end(&mut bytes)
            .map_err(|error| StoreError::disk(&self.0[name], error))?;
        if bytes.len() as u64 > limits::DOCUMENT_BYTES_MAX {
            return Err(StoreError::archive(format!("{} is too large", shortened(name))));
        }
        Ok(bytes)
    }

    /// A document by its digest, which is checked.
    fn blob(&self, digest: &Digest) -> Result<Vec<u8>, StoreError> {
        let bytes = self.document(&blob_name(digest))?;
        let found = Digest::of(digest.algorithm(), &bytes);
        if found != *digest {
            return Err(StoreError::Digest {
                what: "document",
                expected: digest.clone(),
                found,
            });
        }
        Ok(bytes)
    }

    fn json(&self, name: &str) -> Result<Value, StoreError> {
        serde_json::from_slice(&self.document(name)?)
            .map_err(|error| StoreError::archive(format!("{} is no JSON: {error}", shortened(name))))
    }
}

/// The path of a blob in an OCI layout.
fn blob_name(digest: &Digest) -> String {
    format!("blobs/{}", digest.as_str().replacen(':', "/", 1))
}

fn shortened(name: &str) -> String {
    name.chars().take(200).collect()
}

/// Puts every file of the tar into the folder, under a number.
fn spool(archive: &mut dyn Read, folder: &Path) -> Result<Files, StoreError> {
    let no_archive = |error: &dyn std::fmt::Display| StoreError::archive(error.to_string());
    let plain = decoded(archive).map_err(|error| no_archive(&error))?;
    let mut reader = Reader::new(plain);
    let mut files = HashMap::new();
    let mut links: Vec<(String, String)> = Vec::new();
    let mut count = 0;
    let mut bytes = 0_u64;
    while let Some(entry) = reader.next_entry().map_err(|error| no_archive(&error))? {
        count += 1;
        bytes = bytes.saturating_add(entry.size);
        if count > limits::ARCHIVE_ENTRIES_MAX || bytes > limits::ARCHIVE_BYTES_MAX {
            return Err(StoreError::archive(
                "it is larger than an archive of images may be",
            ));
        }
        let name = key(&entry.path, "");
        match entry.kind {
            Kind::File => {
                let path = folder.join(count.to_string());
                let mut file = File::create(&path).map_err(|error| StoreError::disk(&path, error))?;
                copy(&mut reader, &mut file, &path)?;
                files.insert(name, path);
            }
            // `docker save` of old wrote a layer once and linked it from other folders.
            Kind::Symlink => {
                let parent = name.rsplit_once('/').map_or("", |(parent, _)| parent);
                let target = key(&entry.target, parent);
                links.push((name, target));
            }
            Kind::Link => links.push((name, key(&entry.target, ""))),
            Kind::Directory => {}
            Kind::Character | Kind::Block | Kind::Fifo => {
                return Err(StoreError::archive("it has devices"));
            }
        }
    }
    for (name, target) in links {
        if let Some(path) = files.get(&target).cloned() {
            files.insert(name, path);
        }
    }
    Ok(Files(files))
}

fn copy(reader: &mut dyn Read, file: &mut File, path: &Path) -> Result<(), StoreError> {
    let mut buffer = vec![0; limits::COPY_BYTES];
    loop {
        let count = match reader.read(&mut buffer) {
            Ok(0) => return Ok(()),
            Ok(count) => count,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            Err(error) => return Err(StoreError::archive(format!("it is cut short: {error}"))),
        };
        io::Write::write_all(file, &buffer[..count]).map_err(|error| StoreError::disk(path, error))?;
    }
}

/// A name in the archive without `.` and `..`: only a key, never a path on the disk.
fn key(name: &[u8], parent: &str) -> String {
    let name = String::from_utf8_lossy(name);
    let parent = if name.starts_with('/') { "" } else { parent };
    let mut parts: Vec<&str> = Vec::new();
    for part in parent.split('/').chain(name.split('/')) {
        match part {
            "" | "." => {}
            ".." => drop(parts.pop()),
            part => parts.push(part),
        }
    }
    parts.join("/")
}

/// The images of an OCI layout.
fn layout(files: &Files) -> Result<Vec<Found>, StoreError> {
    let Document::Index(entries) = Document::parse(&files.document("index.json")?)? else {
        return Err(StoreError::archive("index.json is no index"));
    };
    let own = Platform::own();
    let runs = |entry: &&Descriptor| entry.platform.as_ref().is_none_or(|platform| own.runs(platform));
    let mut images = Vec::new();
    for entry in entries.iter().filter(runs) {
        images.push(image(files, entry, &own)?);
    }
    if images.is_empty() && !entries.is_empty() {
        return Err(StoreError::Platform { platform: own });
    }
    Ok(images)
}

fn image(files: &Files, entry: &Descriptor, own: &Platform) -> Result<Found, StoreError> {
    let mut digest = entry.digest.clone();
    for _ in 0..limits::INDEX_DEPTH_MAX {
        let bytes = files.blob(&digest)?;
        match Document::parse(&bytes)? {
            Document::Manifest(manifest) => {
                return Ok(Found {
                    names: named(entry),
                    config: files.blob(&manifest.config.digest)?,
                    manifest: Some(bytes),
                    layers: manifest
                        .layers
                        .into_iter()
                        .map(|layer| (blob_name(&layer.digest), Some(layer.digest)))
                        .collect(),
                });
            }
            Document::Index(inner) => {
                let chosen = choose(&inner, own).ok_or_else(|| StoreError::Platform {
                    platform: own.clone(),
                })?;
                digest = chosen.digest.clone();
            }
        }
    }
    Err(StoreError::archive("its indexes lead nowhere"))
}

/// A full name, if the entry has one: a tag alone names nothing.
fn named(entry: &Descriptor) -> Vec<Reference> {
    let full = entry.annotations.get(FULL_NAME);
    let short = entry
        .annotations
        .get(REF_NAME)
        .filter(|name| name.contains([':', '/']));
    full.or(short)
        .and_then(|name| name.parse().ok())
        .into_iter()
        .collect()
}

/// The images of `docker save`.
fn docker(files: &Files) -> Result<Vec<Found>, StoreError> {
    let wrong = || StoreError::archive("manifest.json has another shape");
    let root = files.json("manifest.json")?;
    let texts = |value: Option<&Value>| -> Option<Vec<String>> {
        match value {
            None | Some(Value::Null) => Some(Vec::new()),
            Some(Value::Array(values)) => values.iter().map(|v| v.as_str().map(str::to_owned)).collect(),
            Some(_) => None,
        }
    };
    root.as_array()
        .ok_or_else(wrong)?
        .iter()
        .map(|entry| {
            let config = entry["Config"].as_str().ok_or_else(wrong)?;
            let layers = texts(entry.get("Layers")).ok_or_else(wrong)?;
            let tags = texts(entry.get("RepoTags")).ok_or_else(wrong)?;
            Ok(Found {
                names: tags.iter().filter_map(|tag| tag.parse().ok()).collect(),
                manifest: None,
                config: files.document(&key(config.as_bytes(), ""))?,
                layers: layers
                    .iter()
                    .map(|layer| (key(layer.as_bytes(), ""), None))
                    .collect(),
            })
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_keys() {
        for (name, parent, key_text) in [
            ("./blobs/sha256/ab", "", "blobs/sha256/ab"),
            ("../def/layer.tar", "abc", "def/layer.tar"),
            ("../../../etc/passwd", "abc", "etc/passwd"),
            ("/index.json", "abc", "index.json"),
        ] {
            assert_eq!(key(name.as_bytes(), parent), key_text);
        }
    }
}

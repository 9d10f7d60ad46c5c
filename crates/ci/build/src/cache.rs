//! Which layer a step has made: a record for each key.

use std::fs;
use std::path::PathBuf;

use deploy_dockerfile::Key;
use deploy_model::image::Digest;
use serde::{Deserialize, Serialize};

use crate::blobs::replace;
use crate::error::BuildError;
use crate::limits;

/// A layer that a step has made, packed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Made {
    /// Its layer; none if it changed nothing.
    pub layer: Option<Layer>,
    /// When, in seconds of Unix.
    pub at_s: i64,
}

/// A packed layer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Layer {
    /// Of its plain tar.
    pub diff_id: Digest,
    /// Of its packed bytes.
    pub digest: Digest,
    /// Bytes as it is packed.
    pub size: u64,
    /// Its media type.
    pub media_type: String,
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Record {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    layer: Option<LayerRecord>,
    at_s: i64,
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct LayerRecord {
    diff_id: String,
    digest: String,
    size: u64,
    media_type: String,
}

/// The records.
#[derive(Debug)]
pub struct Cache {
    folder: PathBuf,
}

impl Cache {
    pub fn open(folder: PathBuf) -> Result<Self, BuildError> {
        fs::create_dir_all(&folder).map_err(|error| BuildError::disk(&folder, error))?;
        Ok(Self { folder })
    }

    /// What the step with this key has made. A record that cannot be read is none.
    pub fn get(&self, key: &Key) -> Option<Made> {
        let bytes = fs::read(self.folder.join(key.hex())).ok()?;
        let record: Record = serde_json::from_slice(&bytes).ok()?;
        let layer = match record.layer {
            None => None,
            Some(layer) => Some(Layer {
                diff_id: layer.diff_id.parse().ok()?,
                digest: layer.digest.parse().ok()?,
                size: layer.size,
                media_type: layer.media_type,
            }),
        };
        Some(Made {
            layer,
            at_s: record.at_s,
        })
    }

    pub fn put(&self, key: &Key, made: &Made) -> Result<(), BuildError> {
        let record = Record {
            layer: made.layer.as_ref().map(|layer| LayerRecord {
                diff_id: layer.diff_id.to_string(),
                digest: layer.digest.to_string(),
                size: layer.size,
                media_type: layer.media_type.clone(),
            }),
            at_s: made.at_s,
        };
        let bytes = serde_json::to_vec(&record).expect("plain fields are JSON");
        replace(&self.folder.join(key.hex()), &bytes)
    }

    /// Removes the oldest records beyond the bound.
    pub fn clean(&self) -> std::io::Result<()> {
        let entries: Vec<_> = fs::read_dir(&self.folder)?.flatten().collect();
        if entries.len() <= limits::RECORDS_MAX {
            return Ok(());
        }
        let mut dated: Vec<_> = entries
            .iter()
            .filter_map(|entry| Some((entry.metadata().ok()?.modified().ok()?, entry.path())))
            .collect();
        dated.sort();
        for (_, path) in dated.iter().take(entries.len() - limits::RECORDS_MAX) {
            fs::remove_file(path)?;
        }
        Ok(())
    }
}

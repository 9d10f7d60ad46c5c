//! What can go wrong with the store.

use std::io;
use std::path::{Path, PathBuf};

use deploy_model::image::Digest;
use deploy_model::image::manifest::{ManifestError, Platform};

use crate::config::ConfigError;
use crate::tar::TarError;
use crate::unpack::UnpackError;

/// Why the store could not do what it was asked.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// The folder was written by another version of this program.
    #[error("{} names a layout of the image store that this version does not know", path.display())]
    Format {
        /// The file that names it.
        path: PathBuf,
    },
    /// A file of the store is damaged.
    #[error("{} is damaged: {reason}", path.display())]
    Damaged {
        /// Which one.
        path: PathBuf,
        /// How.
        reason: String,
    },
    /// The disk is full.
    #[error("no space left on the disk of the image store")]
    DiskFull,
    /// The operating system refused.
    #[error("cannot use {}", path.display())]
    Disk {
        /// What.
        path: PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// Bytes are not those that were named.
    #[error("the {what} has the digest {found}, not {expected}")]
    Digest {
        /// `layer`, `unpacked layer`, `manifest` ...
        what: &'static str,
        /// What was named.
        expected: Digest,
        /// What came.
        found: Digest,
    },
    /// The stream of a layer failed, or could not be unpacked from gzip or zstd.
    #[error("cannot read the layer: {0}")]
    Stream(String),
    /// A layer that cannot be unpacked.
    #[error(transparent)]
    Unpack(UnpackError),
    /// The document is no manifest.
    #[error(transparent)]
    Manifest(#[from] ManifestError),
    /// The document is no configuration.
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// The manifest names another number of layers than the configuration.
    #[error("the manifest has {manifest} layers, the configuration {config}")]
    LayerCount {
        /// In the manifest.
        manifest: usize,
        /// In the configuration.
        config: usize,
    },
    /// An image is to be made of a layer that is not there.
    #[error("the layer {diff_id} is not in the store")]
    LayerMissing {
        /// Which one.
        diff_id: Digest,
    },
    /// Nothing for this machine.
    #[error("no match for platform {platform}")]
    Platform {
        /// This machine's.
        platform: Platform,
    },
    /// An archive that holds no images, or names what it lacks.
    #[error("this is no archive of images: {reason}")]
    Archive {
        /// What is wrong.
        reason: String,
    },
    /// No image has this name or id.
    #[error("no image {name}")]
    NoImage {
        /// As it was asked for.
        name: String,
    },
}

impl StoreError {
    pub(crate) fn disk(path: &Path, source: io::Error) -> Self {
        match source.kind() {
            io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => Self::DiskFull,
            _ => Self::Disk {
                path: path.to_owned(),
                source,
            },
        }
    }

    pub(crate) fn archive(reason: impl Into<String>) -> Self {
        Self::Archive {
            reason: reason.into(),
        }
    }
}

impl From<UnpackError> for StoreError {
    fn from(error: UnpackError) -> Self {
        match error {
            UnpackError::DiskFull => Self::DiskFull,
            UnpackError::Tar(TarError::Read(error)) => Self::Stream(error.to_string()),
            error => Self::Unpack(error),
        }
    }
}

//! What can go wrong, one variant for each answer that a client gets.

use std::io;

use deploy_model::image::Digest;

/// Why the registry does not do what it was asked for.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RegistryError {
    /// No repository can have that name.
    #[error("the repository's name is not valid: lower-case words, digits, separators and slashes")]
    NameInvalid,
    /// There is no such repository.
    #[error("the registry has no repository {name}")]
    NameUnknown {
        /// As it was asked for.
        name: String,
    },
    /// Neither a tag nor a digest.
    #[error("the tag is not valid: at most 128 letters, digits, underscores, dots and hyphens")]
    TagInvalid,
    /// No digest, or not the digest of the content.
    #[error("the digest is not valid: {reason}")]
    DigestInvalid {
        /// What is wrong with it.
        reason: String,
    },
    /// The repository has no such blob.
    #[error("the repository has no blob {digest}")]
    BlobUnknown {
        /// Which.
        digest: Digest,
    },
    /// A blob that a manifest of its repository names is not deleted.
    #[error("blob {digest} belongs to manifest {manifest}: delete that first")]
    BlobInUse {
        /// Which.
        digest: Digest,
        /// By whom.
        manifest: Digest,
    },
    /// There is no such upload: ended, abandoned or of another repository.
    #[error("the registry has no such upload; begin again")]
    UploadUnknown,
    /// The upload cannot go on like this.
    #[error("the upload cannot go on: {reason}")]
    UploadInvalid {
        /// Why.
        reason: String,
    },
    /// A chunk that does not begin where the last one ended.
    #[error("the upload goes on at byte {offset}")]
    OutOfOrder {
        /// Bytes that are there.
        offset: u64,
    },
    /// More bytes than something may have, or another number of them than was said.
    #[error("the size is not valid: {reason}")]
    SizeInvalid {
        /// Why.
        reason: String,
    },
    /// The repository has no such manifest.
    #[error("the repository has no manifest {reference}")]
    ManifestUnknown {
        /// Tag or digest.
        reference: String,
    },
    /// The bytes are no manifest.
    #[error("the manifest is not valid: {reason}")]
    ManifestInvalid {
        /// Why.
        reason: String,
    },
    /// The manifest names what the repository does not have.
    #[error("the manifest names what the repository does not have: {digest}")]
    ManifestBlobUnknown {
        /// The first one that is missing.
        digest: Digest,
    },
    /// The rules for tags do not allow it.
    #[error("{reason}")]
    Refused {
        /// Why, and what to do.
        reason: String,
    },
    /// More at once than the registry takes.
    #[error("too many {what} at once; try again later")]
    TooMany {
        /// Of what.
        what: &'static str,
    },
    /// The disk is full.
    #[error("the registry's disk is full; what was stored before is safe")]
    Full,
    /// The disk failed.
    #[error("the registry's disk failed: {reason}")]
    Disk {
        /// In the disk's words.
        reason: String,
    },
}

impl From<io::Error> for RegistryError {
    fn from(error: io::Error) -> Self {
        match error.kind() {
            io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => Self::Full,
            _ => Self::Disk {
                reason: error.to_string(),
            },
        }
    }
}

/// Why a registry cannot be opened.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// Another process has it open.
    #[error("another process serves this registry")]
    Locked,
    /// A newer version of Deploy wrote it.
    #[error("a newer version of Deploy wrote this registry (format {found})")]
    Newer {
        /// Its format.
        found: u32,
    },
    /// What is written there makes no sense.
    #[error("the journal is damaged at byte {offset}: {reason}")]
    Damaged {
        /// Where.
        offset: u64,
        /// How.
        reason: String,
    },
    /// The folder cannot be read or written.
    #[error("the folder cannot be used")]
    Disk(#[from] io::Error),
}

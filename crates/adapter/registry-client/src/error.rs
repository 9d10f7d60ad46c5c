//! What can go wrong between us and a registry.

use deploy_model::image::Digest;
use deploy_model::image::manifest::{ManifestError, Platform};

/// Why a registry did not give what it was asked for.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RegistryError {
    /// The repository has no such tag or digest, or there is no such repository.
    #[error("{name}: not found")]
    NotFound {
        /// What was asked for.
        name: String,
    },
    /// The credentials, or their lack, are refused.
    #[error("pull access denied, repository does not exist or may require authorization: {reason}")]
    Denied {
        /// The registry's own words.
        reason: String,
    },
    /// The credentials, or their lack, do not allow a push, or a rule of the registry does not.
    #[error("push access denied: {reason}")]
    PushDenied {
        /// The registry's own words.
        reason: String,
    },
    /// Too many requests; the registry says so.
    #[error("the registry refuses more requests for now (429 Too Many Requests): {reason}")]
    TooMany {
        /// The registry's own words.
        reason: String,
    },
    /// The registry could not be reached, or the connection broke.
    #[error("failed to do request: {method} \"{url}\": {reason}")]
    Unreachable {
        /// `Get` ...
        method: &'static str,
        /// Without its query, which may carry signatures.
        url: String,
        /// Why.
        reason: String,
    },
    /// An answer that is none of the ones that were to be expected.
    #[error("unexpected status from {method} request to {url}: {status}")]
    Status {
        /// `GET` ...
        method: &'static str,
        /// Without its query.
        url: String,
        /// Number, name and what the registry says.
        status: String,
    },
    /// The registry sent something else than what was named.
    #[error("unexpected digest of {what}: got {found}, expected {expected}")]
    Digest {
        /// `manifest`, `config`, `layer`.
        what: &'static str,
        /// What was named.
        expected: Digest,
        /// What came.
        found: Digest,
    },
    /// More or fewer bytes than were named.
    #[error("unexpected size of {what}: got {found} bytes, expected {expected}")]
    Size {
        /// `manifest`, `config`, `layer`.
        what: &'static str,
        /// What was named, or the bound.
        expected: u64,
        /// What came so far.
        found: u64,
    },
    /// A document that is no manifest.
    #[error(transparent)]
    Manifest(#[from] ManifestError),
    /// The image is for other machines.
    #[error("no match for platform in manifest: {platform}: not found")]
    Platform {
        /// This machine's.
        platform: Platform,
    },
    /// The registry breaks the protocol.
    #[error("the registry does not keep to the protocol: {reason}")]
    Protocol {
        /// How.
        reason: String,
    },
    /// This machine trusts no certificate authority.
    #[error(
        "this machine has no certificate authorities to check {host} with: install ca-certificates, or name a file in SSL_CERT_FILE"
    )]
    NoAuthorities {
        /// Whom it would have been for.
        host: String,
    },
}

impl RegistryError {
    /// Whether the same request may be answered a moment later.
    pub(crate) fn may_pass(&self) -> bool {
        match self {
            Self::Unreachable { .. } | Self::TooMany { .. } => true,
            Self::Status { status, .. } => status.starts_with('5') || status.starts_with("408"),
            _ => false,
        }
    }
}

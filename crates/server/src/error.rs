//! Why the server does not start, one variant for each decision that a caller takes.

use std::io;
use std::net::SocketAddr;
use std::path::PathBuf;

use deploy_git::GitError;
use deploy_jobs::JobsError;

use crate::tokens::TokensError;

/// Why the server does not start.
#[derive(Debug, thiserror::Error)]
pub enum ServerError {
    /// Somebody else listens there.
    #[error("cannot listen on {address}")]
    Address {
        /// Where.
        address: SocketAddr,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// The ledger cannot be opened.
    #[error(transparent)]
    Ledger(#[from] deploy_store::OpenError),
    /// The ledger cannot be read or written.
    #[error("the ledger does not answer: {0}")]
    LedgerUse(String),
    /// There is no `git`, or its folder cannot be used.
    #[error(transparent)]
    Git(#[from] GitError),
    /// Jobs cannot be run on this machine.
    #[error(transparent)]
    Jobs(#[from] JobsError),
    /// The registry's folder cannot be used.
    #[error(transparent)]
    Registry(#[from] deploy_registry::OpenError),
    /// The store of images cannot be used.
    #[error(transparent)]
    Images(#[from] deploy_image::StoreError),
    /// The file of tokens cannot be used.
    #[error(transparent)]
    Tokens(#[from] TokensError),
    /// A folder cannot be used, or the system refuses something that always works.
    #[error("cannot use {}", path.display())]
    Files {
        /// What.
        path: PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
}

//! Who may do what: tokens, of which only the hash is kept.
//!
//! A token is 32 random bytes, so one SHA-256 is enough to keep it safe, and asking costs microseconds. The file is read
//! again when it has changed, as when it was restored.

use std::fs::{self, File};
use std::io::{self, Read, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};
use std::time::SystemTime;

use deploy_git::{Access, Identity, RepositoryName};
use deploy_registry::access::Rights;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use crate::limits;

/// What a token begins with, so that scanners for secrets find it.
const PREFIX: &str = "dpl_";

/// What a token lets one do.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Right {
    /// Look: clone, pull, list.
    Read,
    /// Change: push, start and stop runs.
    Write,
}

/// A token, without what makes it one.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Token {
    /// Whose it is, for the ledger.
    pub name: String,
    /// What it allows.
    pub right: Right,
    /// When it was made.
    pub created: Timestamp,
    /// SHA-256 of its text, in hexadecimal digits.
    sha256: String,
}

/// What is wrong with the file.
#[derive(Debug, thiserror::Error)]
pub enum TokensError {
    /// It cannot be read or written.
    #[error("cannot use {}", path.display())]
    Io {
        /// Which.
        path: PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// It is not what we write.
    #[error("{} is no list of tokens: {reason}", path.display())]
    Malformed {
        /// Which.
        path: PathBuf,
        /// Why.
        reason: String,
    },
    /// A name that no token can have, or that one has already.
    #[error(
        "no token can be named {0:?}: names have letters, digits, '.', '-' and '_', and each is there once"
    )]
    Name(String),
    /// There is none of that name.
    #[error("there is no token {0:?}")]
    Unknown(String),
    /// There are too many.
    #[error("there are {} tokens already", limits::TOKENS)]
    TooMany,
}

/// All tokens of a data folder.
pub struct Tokens {
    path: PathBuf,
    known: Mutex<Known>,
    /// Changes come one after the other: two at once would undo each other, and a revoked token could come back.
    changing: Mutex<()>,
}

#[derive(Default)]
struct Known {
    /// Length, time and inode of the file that was read.
    seen: Option<(u64, SystemTime, u64)>,
    list: Vec<Token>,
}

impl Tokens {
    /// The tokens of a data folder; none where there is no file yet.
    ///
    /// # Errors
    /// See [`TokensError`].
    pub fn open(data: &Path) -> Result<Tokens, TokensError> {
        let tokens = Tokens {
            path: data.join("config/tokens.json"),
            known: Mutex::default(),
            changing: Mutex::default(),
        };
        tokens.list()?;
        Ok(tokens)
    }

    /// All of them, in the order of their making.
    ///
    /// # Errors
    /// Where the file cannot be read.
    pub fn list(&self) -> Result<Vec<Token>, TokensError> {
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        let failed = |source| TokensError::Io {
            path: self.path.clone(),
            source,
        };
        let metadata = match fs::metadata(&self.path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                *known = Known::default();
                return Ok(Vec::new());
            }
            other => other.map_err(failed)?,
        };
        let modified = metadata.modified().map_err(failed)?;
        let seen = (
            metadata.len(),
            modified,
            std::os::unix::fs::MetadataExt::ino(&metadata),
        );
        if known.seen != Some(seen) {
            let mut text = String::new();
            let file = File::open(&self.path).map_err(failed)?;
            file.take(limits::TOKENS_BYTES)
                .read_to_string(&mut text)
                .map_err(failed)?;
            let list = serde_json::from_str(&text).map_err(|error| TokensError::Malformed {
                path: self.path.clone(),
                reason: error.to_string(),
            })?;
            *known = Known {
                seen: Some(seen),
                list,
            };
        }
        Ok(known.list.clone())
    }

    /// Makes a token. Its text is only told here.
    ///
    /// # Errors
    /// See [`TokensError`].
    pub fn create(&self, name: &str, right: Right, now: Timestamp) -> Result<String, TokensError> {
        let _changing = self.changing.lock().unwrap_or_else(PoisonError::into_inner);
        let mut list = self.list()?;
        let is_name = !name.is_empty()
            && name.len() <= 64
            && name
                .bytes()
                .all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'-' | b'_'));
        if !is_name || list.iter().any(|token| token.name == name) {
            return Err(TokensError::Name(name.to_owned()));
        }
        if list.len() >= limits::TOKENS {
            return Err(TokensError::TooMany);
        }
        let mut bytes = [0; 32];
        getrandom::fill(&mut bytes).map_err(|error| TokensError::Io {
            path: self.path.clone(),
            source: io::Error::other(error.to_string()),
        })?;
        let text = format!("{PREFIX}{}", hex(&bytes));
        list.push(Token {
            name: name.to_owned(),
            right,
            created: now,
            sha256: hash(&text),
        });
        self.write(&list)?;
        Ok(text)
    }

    /// Takes a token away: it is refused from the next request on.
    ///
    /// # Errors
    /// See [`TokensError`].
    pub fn revoke(&self, name: &str) -> Result<(), TokensError> {
        let _changing = self.changing.lock().unwrap_or_else(PoisonError::into_inner);
        let mut list = self.list()?;
        let before = list.len();
        list.retain(|token| token.name != name);
        if list.len() == before {
            return Err(TokensError::Unknown(name.to_owned()));
        }
        self.write(&list)
    }

    /// Whose token this is. A file that cannot be read lets nobody in.
    pub fn find(&self, text: &str) -> Option<Token> {
        let wanted = hash(text);
        let list = self.list().ok()?;
        // Hashes are compared, not tokens: how long it takes says nothing about a token.
        list.into_iter().find(|token| token.sha256 == wanted)
    }

    fn write(&self, list: &[Token]) -> Result<(), TokensError> {
        let failed = |source| TokensError::Io {
            path: self.path.clone(),
            source,
        };
        let text = serde_json::to_vec_pretty(list).expect("texts and times are always JSON");
        private(&self.path, &text).map_err(failed)
    }
}

/// Replaces a file that only its owner reads: whole, and on disk when this returns.
pub(crate) fn private(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let folder = path.parent().unwrap_or(Path::new("."));
    fs::DirBuilder::new().recursive(true).create(folder)?;
    let partial = path.with_extension("partial");
    let mut file = fs::OpenOptions::new()
        .write(true)
        .create(true)
        .truncate(true)
        .mode(0o600)
        .open(&partial)?;
    file.write_all(bytes)?;
    file.sync_all()?;
    fs::rename(&partial, path)?;
    File::open(folder)?.sync_all()
}

fn hash(text: &str) -> String {
    hex(&Sha256::digest(text.as_bytes()))
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

impl deploy_git::Authenticator for Tokens {
    fn identify(&self, token: Option<&str>) -> Option<Identity> {
        let name = self.find(token?)?.name;
        Some(Identity { name })
    }

    fn may(&self, who: &Identity, access: Access, _: &RepositoryName) -> bool {
        let list = self.list().unwrap_or_default();
        let needed = match access {
            Access::Read => Right::Read,
            Access::Write | Access::Create => Right::Write,
        };
        list.iter()
            .any(|token| token.name == who.name && token.right >= needed)
    }
}

impl deploy_registry::access::Authenticator for Tokens {
    /// Pods pull from this machine without a word, as from any registry of a cluster's own.
    fn anonymous(&self, from: std::net::IpAddr) -> Rights {
        match from.is_loopback() {
            true => Rights::read(),
            false => Rights::none(),
        }
    }

    fn sign_in(&self, _: &str, password: &str) -> Option<Rights> {
        Some(match self.find(password)?.right {
            Right::Read => Rights::read(),
            Right::Write => Rights::all(),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tokens_that_are_made_at_once_are_all_kept() {
        let folder = std::env::temp_dir().join(format!("deploy-tokens-at-once-{}", std::process::id()));
        let tokens = Tokens::open(&folder).expect("an empty folder");
        std::thread::scope(|scope| {
            for number in 0..8 {
                let tokens = &tokens;
                scope.spawn(move || {
                    let name = format!("t{number}");
                    tokens
                        .create(&name, Right::Read, Timestamp::UNIX_EPOCH)
                        .expect("a new name")
                });
            }
        });
        assert_eq!(tokens.list().expect("it was written").len(), 8);
        fs::remove_dir_all(folder).expect("it is ours");
    }

    #[test]
    fn a_token_is_known_until_it_is_revoked() {
        let folder = std::env::temp_dir().join(format!("deploy-tokens-{}", std::process::id()));
        let tokens = Tokens::open(&folder).expect("an empty folder");
        let other = Tokens::open(&folder).expect("an empty folder");
        let text = tokens
            .create("ann", Right::Write, Timestamp::UNIX_EPOCH)
            .expect("a new name");
        assert_eq!(other.find(&text).map(|token| token.name).as_deref(), Some("ann"));
        assert!(other.find("dpl_").is_none());
        assert!(matches!(
            tokens.create("ann", Right::Read, Timestamp::UNIX_EPOCH),
            Err(TokensError::Name(_))
        ));
        assert!(matches!(
            tokens.create("a/b", Right::Read, Timestamp::UNIX_EPOCH),
            Err(TokensError::Name(_))
        ));
        let kept = fs::read_to_string(folder.join("config/tokens.json")).expect("it was written");
        assert!(!kept.contains(&text));
        other.revoke("ann").expect("it is there");
        assert!(tokens.find(&text).is_none());
        fs::remove_dir_all(folder).expect("it is ours");
    }
}

//! What a backup holds.

use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;
use std::path::{Component, Path, PathBuf};

use serde::{Deserialize, Serialize};

use crate::limits;

/// The format of the archive. Raise it when an older version could not restore it.
pub(crate) const FORMAT: u32 = 1;

/// The manifest's name in the archive; it is the last member.
pub(crate) const MEMBER: &str = "deploy-backup.json";

/// What a backup holds.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Manifest {
    /// Of the archive.
    pub format: u32,
    /// When it was made: RFC 3339 in UTC.
    pub created: String,
    /// Which version of Deploy made it.
    pub version: String,
    /// The ledger, where the folder had one.
    pub ledger: Option<LedgerState>,
    /// What was left out, as in [`super::LEFT_OUT`], and special files.
    pub left_out: Vec<String>,
    /// Every member before the manifest, in their order.
    pub entries: Vec<Entry>,
}

impl Manifest {
    /// How many files it holds, and their bytes.
    pub fn files(&self) -> (usize, u64) {
        self.entries
            .iter()
            .fold((0, 0), |(files, bytes), entry| match &entry.kind {
                Kind::File { bytes: more, .. } => (files + 1, bytes + more),
                Kind::Folder | Kind::Link { .. } => (files, bytes),
            })
    }
}

/// The ledger of a backup.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LedgerState {
    /// The format of its database.
    pub format: i64,
    /// The number of its last line.
    pub last: u64,
}

/// A member.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Entry {
    /// Relative to the data folder.
    pub path: Name,
    /// What it is.
    #[serde(flatten)]
    pub kind: Kind,
    /// Its permissions.
    pub mode: u32,
    /// Its owner.
    pub uid: u32,
    /// Its group.
    pub gid: u32,
    /// When it was changed, in seconds since 1970.
    pub mtime: u64,
}

/// What a member is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "lowercase")]
pub enum Kind {
    /// A folder.
    Folder,
    /// A file.
    File {
        /// Its size.
        bytes: u64,
        /// Of its content, in hexadecimal digits.
        sha256: String,
    },
    /// A symbolic link.
    Link {
        /// Where it points, as it is.
        target: Name,
    },
}

/// A path, which need not be UTF-8.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(untagged)]
pub enum Name {
    /// As almost always.
    Text(String),
    /// In hexadecimal digits.
    Bytes {
        /// The bytes.
        hex: String,
    },
}

impl Name {
    pub(crate) fn of(path: &Path) -> Name {
        match path.to_str() {
            Some(text) => Name::Text(text.to_owned()),
            None => Name::Bytes {
                hex: hex(path.as_os_str().as_bytes()),
            },
        }
    }

    /// The path; nothing when the digits are none.
    pub fn path(&self) -> Option<PathBuf> {
        match self {
            Name::Text(text) => Some(PathBuf::from(text)),
            Name::Bytes { hex } => {
                let bytes: Option<Vec<u8>> = hex
                    .as_bytes()
                    .chunks(2)
                    .map(|pair| u8::from_str_radix(std::str::from_utf8(pair).ok()?, 16).ok())
                    .collect();
                Some(PathBuf::from(OsStr::from_bytes(&bytes?)))
            }
        }
    }
}

pub(crate) fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// Whether a path leads to a place below the folder that it starts from, whatever is there.
pub(crate) fn is_below(path: &Path) -> bool {
    let bytes = path.as_os_str().as_bytes();
    !bytes.is_empty()
        && bytes.len() <= limits::PATH_BYTES
        && !bytes.contains(&0)
        && path.components().all(|part| matches!(part, Component::Normal(_)))
        // `components` forgets `a/./b`, `a//b` and `a/`.
        && path.components().collect::<PathBuf>().as_os_str() == path.as_os_str()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_that_lead_away_are_known() {
        for good in ["a", "a/b.c", "a b/ü", "..a", "a/..b"] {
            assert!(is_below(Path::new(good)), "{good}");
        }
        for bad in [
            "", ".", "..", "a/..", "../a", "/a", "a/../b", "a//b", "a/./b", "a/", "a\0",
        ] {
            assert!(!is_below(Path::new(bad)), "{bad}");
        }
    }

    #[test]
    fn names_are_kept() {
        for bytes in [&b"a/b"[..], b"\xff\x00a", "ü".as_bytes()] {
            let path = Path::new(OsStr::from_bytes(bytes));
            let text = serde_json::to_string(&Name::of(path)).expect("JSON");
            let name: Name = serde_json::from_str(&text).expect("a name");
            assert_eq!(name.path().as_deref(), Some(path));
        }
        assert_eq!(Name::Bytes { hex: "0g".to_owned() }.path(), None);
    }
}

//! Names of repositories.

use std::fmt;
use std::path::{Path, PathBuf};
use std::str::FromStr;

use crate::limits;

/// The name of a repository, as in `shop` or `team/shop`: parts of small letters, digits, `.`, `-` and `_`, which begin with a
/// letter or digit. It leads to a folder below ours, whatever it is.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RepositoryName(String);

/// A text that is no name of a repository.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "a repository cannot be named {0:?}: names have up to {max} parts of small letters, digits, '.', '-' and '_', and begin with a letter or digit",
    max = limits::NAME_PARTS
)]
pub struct InvalidName(pub String);

impl RepositoryName {
    /// The name.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The folder below `root`.
    pub(crate) fn folder(&self, root: &Path) -> PathBuf {
        root.join(format!("{}.git", self.0))
    }
}

impl FromStr for RepositoryName {
    type Err = InvalidName;

    fn from_str(text: &str) -> Result<RepositoryName, InvalidName> {
        let is_name = text.split('/').count() <= limits::NAME_PARTS && text.split('/').all(is_part);
        if is_name {
            Ok(RepositoryName(text.to_owned()))
        } else {
            Err(InvalidName(text.chars().take(200).collect()))
        }
    }
}

/// No part ends as folders of repositories and Git's own temporary files do, so none lies within another.
fn is_part(part: &str) -> bool {
    part.len() <= limits::NAME_PART_BYTES
        && part
            .bytes()
            .next()
            .is_some_and(|b| b.is_ascii_lowercase() || b.is_ascii_digit())
        && part
            .bytes()
            .all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || matches!(b, b'.' | b'-' | b'_'))
        && !part.contains("..")
        && !part.ends_with('.')
        && !part.ends_with(".git")
        && !part.ends_with(".lock")
}

impl fmt::Display for RepositoryName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names() {
        for good in ["shop", "team/shop", "a/b/c/d", "0", "a.b-c_d", "x.gitx"] {
            let name: RepositoryName = good.parse().expect(good);
            assert_eq!(name.folder(Path::new("/r")), Path::new(&format!("/r/{good}.git")));
        }
        for bad in [
            "",
            "/",
            "a/",
            "/a",
            "a//b",
            ".",
            "..",
            "../a",
            "a/..",
            "a/../b",
            ".a",
            "-a",
            "a..b",
            "A",
            "ä",
            "a b",
            "a\0",
            "a.git",
            "a.git/b",
            "a.lock",
            "a.",
            "a/b/c/d/e",
            "a\\b",
            "a%2e",
            "--upload-pack=x",
            &"x".repeat(65),
        ] {
            assert!(bad.parse::<RepositoryName>().is_err(), "{bad:?}");
        }
    }
}

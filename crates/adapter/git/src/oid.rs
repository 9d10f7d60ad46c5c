//! Names of objects.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::error::GitError;

/// The name of an object: 40 or 64 hexadecimal digits, never all zero.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Oid(String);

impl Oid {
    /// The digits.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// An object, or nothing where Git writes zeros.
    pub(crate) fn or_none(text: &str) -> Result<Option<Oid>, GitError> {
        if matches!(text.len(), 40 | 64) && text.bytes().all(|b| b == b'0') {
            return Ok(None);
        }
        text.parse().map(Some)
    }
}

impl FromStr for Oid {
    type Err = GitError;

    fn from_str(text: &str) -> Result<Oid, GitError> {
        let is_oid = matches!(text.len(), 40 | 64)
            && text.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'))
            && text.bytes().any(|b| b != b'0');
        if is_oid {
            return Ok(Oid(text.to_owned()));
        }
        Err(GitError::Invalid {
            what: "an object's name",
            given: text.chars().take(80).collect(),
        })
    }
}

impl TryFrom<String> for Oid {
    type Error = GitError;

    fn try_from(text: String) -> Result<Oid, GitError> {
        text.parse()
    }
}

impl From<Oid> for String {
    fn from(oid: Oid) -> String {
        oid.0
    }
}

impl fmt::Display for Oid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

//! Why a document was refused, in go-yaml's words, because those are what users of Helm and kustomize search for.

use crate::node::Position;
use std::borrow::Cow;
use std::fmt;

/// What kind of refusal it is: callers decide by this, people read the message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ErrorKind {
    /// The bytes are not text that YAML allows.
    Encoding,
    /// The text is not YAML.
    Syntax,
    /// An alias names no anchor, or its anchor's value contains itself.
    Alias,
    /// A scalar contradicts its tag, or a key cannot be a key, or a merge has no mapping to merge.
    Value,
    /// A key is written twice, and the decoder is strict about it.
    Duplicate,
    /// JSON has no such value: infinity, NaN, a key that is null.
    Json,
    /// A bound of this crate or of go-yaml: depth, size, alias expansion.
    Limit,
}

/// A refusal. `Display` is go-yaml's text, with the line numbers that go-yaml prints, which are not always the true
/// ones; the true position is in [`Error::position`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Error {
    /// What kind of refusal it is.
    pub kind: ErrorKind,
    /// Where it is; line 0 where no place can be named.
    pub position: Position,
    /// go-yaml's text, without its prefix `yaml: `.
    pub message: Cow<'static, str>,
}

impl Error {
    /// An error at a place.
    pub(crate) fn at(kind: ErrorKind, position: Position, message: impl Into<Cow<'static, str>>) -> Error {
        Error {
            kind,
            position,
            message: message.into(),
        }
    }

    /// Whether a bound was reached, rather than a mistake found.
    pub fn is_limit(&self) -> bool {
        self.kind == ErrorKind::Limit
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Errors of the second step, YAML values to JSON, come from encoding/json and from sigs.k8s.io/yaml.
        if self.kind != ErrorKind::Json {
            f.write_str("yaml: ")?;
        }
        f.write_str(&self.message)
    }
}

impl std::error::Error for Error {}

//! Why a transformation fails.

use crate::kustomize::merge;

/// Why a transformation fails. Displays kustomize's own text.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// A node is not of the kind that its place asks for.
    #[error(transparent)]
    Kind(#[from] merge::Error),
    /// A field spec leads through a scalar.
    #[error("expected sequence or mapping node")]
    NotACollection,
    /// A field spec has an empty part.
    #[error("cannot set or create an empty field name")]
    EmptyFieldName,
    /// A path or an option of the user's is wrong.
    #[error("{0}")]
    Invalid(String),
    /// What happened, said where it happened.
    #[error("{context}: {source}")]
    At {
        /// Where.
        context: String,
        /// What happened.
        source: Box<Error>,
    },
}

impl Error {
    /// Says where an error happened.
    pub(crate) fn at(self, context: impl Into<String>) -> Error {
        Error::At {
            context: context.into(),
            source: Box::new(self),
        }
    }

    /// The node kind that was refused, if that is what it comes down to.
    pub(crate) fn refused_kind(&self) -> Option<merge::tree::Kind> {
        match self {
            Error::Kind(merge::Error::WrongKind { got, .. }) => Some(*got),
            Error::At { source, .. } => source.refused_kind(),
            _ => None,
        }
    }
}

//! What is wrong, in upstream's words (`apimachinery/pkg/util/validation/field/errors.go`).

use std::fmt;

use serde_json::Value;

/// What is wrong with one field.
#[derive(Clone, Debug, PartialEq)]
pub struct Finding {
    /// Which kind of mistake.
    pub kind: FindingKind,
    /// Where: `spec.size`, or `<nil>` where upstream has no path.
    pub path: String,
    /// The value that is shown, if one is.
    pub value: Option<Value>,
    /// What is wrong.
    pub detail: String,
}

/// The kinds of mistakes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum FindingKind {
    /// Something must be there and is not.
    Required,
    /// A value that must be unique is there twice.
    Duplicate,
    /// A value is malformed.
    Invalid,
    /// A value is of the wrong type.
    TypeInvalid,
    /// A value is none of those that are known.
    NotSupported,
    /// A value is well formed, and not allowed here.
    Forbidden,
    /// A text that is longer than allowed.
    TooLong,
    /// A list with more items than allowed.
    TooMany,
}

impl Finding {
    pub(super) fn required(path: impl Into<String>, detail: impl Into<String>) -> Finding {
        Finding::new(FindingKind::Required, path, None, detail)
    }

    pub(super) fn forbidden(path: impl Into<String>, detail: impl Into<String>) -> Finding {
        Finding::new(FindingKind::Forbidden, path, None, detail)
    }

    pub(super) fn invalid(
        path: impl Into<String>,
        value: impl Into<Value>,
        detail: impl Into<String>,
    ) -> Finding {
        Finding::new(FindingKind::Invalid, path, Some(value.into()), detail)
    }

    pub(super) fn not_supported(path: impl Into<String>, value: Value, known: &[String]) -> Finding {
        let known: Vec<String> = known.iter().map(|text| format!("{text:?}")).collect();
        let detail = format!("supported values: {}", known.join(", "));
        Finding::new(FindingKind::NotSupported, path, Some(value), detail)
    }

    pub(super) fn new(
        kind: FindingKind,
        path: impl Into<String>,
        value: Option<Value>,
        detail: impl Into<String>,
    ) -> Finding {
        Finding {
            kind,
            path: path.into(),
            value,
            detail: detail.into(),
        }
    }
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let title = match self.kind {
            FindingKind::Required => "Required value",
            FindingKind::Duplicate => "Duplicate value",
            FindingKind::Invalid | FindingKind::TypeInvalid => "Invalid value",
            FindingKind::NotSupported => "Unsupported value",
            FindingKind::Forbidden => "Forbidden",
            FindingKind::TooLong => "Too long",
            FindingKind::TooMany => "Too many",
        };
        write!(f, "{}: {title}", self.path)?;
        if let Some(value) = &self.value {
            write!(f, ": {value}")?;
        }
        if !self.detail.is_empty() {
            write!(f, ": {}", self.detail)?;
        }
        Ok(())
    }
}

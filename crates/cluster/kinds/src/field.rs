//! Findings of validation, in upstream's words (`k8s.io/apimachinery/pkg/util/validation/field`).

use std::fmt;

use serde_json::Value;

/// What is wrong with one field.
#[derive(Clone, Debug, PartialEq)]
pub struct Finding {
    /// Which kind of mistake.
    pub kind: FindingKind,
    /// Where: `spec.containers[0].name`.
    pub path: String,
    /// The value that was found; `None` where the text shows none.
    pub value: Option<Value>,
    /// What is wrong, in upstream's words.
    pub detail: String,
}

/// The kinds of mistakes; each has a reason (for `details.causes`) and a title (for the message).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum FindingKind {
    /// A reference leads nowhere.
    NotFound,
    /// Something must be there and is not.
    Required,
    /// A value that must be unique is there twice.
    Duplicate,
    /// A value is malformed.
    Invalid,
    /// A value is none of those that are known.
    NotSupported,
    /// A value is well formed, and not allowed here.
    Forbidden,
    /// Text that is longer than allowed.
    TooLong,
    /// A list with more items than allowed.
    TooMany,
    /// The check itself failed.
    Internal,
    /// A value of the wrong JSON type.
    TypeInvalid,
}

impl FindingKind {
    /// The `reason` of a cause in a Status.
    pub fn reason(self) -> &'static str {
        match self {
            Self::NotFound => "FieldValueNotFound",
            Self::Required => "FieldValueRequired",
            Self::Duplicate => "FieldValueDuplicate",
            Self::Invalid => "FieldValueInvalid",
            Self::NotSupported => "FieldValueNotSupported",
            Self::Forbidden => "FieldValueForbidden",
            Self::TooLong => "FieldValueTooLong",
            Self::TooMany => "FieldValueTooMany",
            Self::Internal => "InternalError",
            Self::TypeInvalid => "FieldValueTypeInvalid",
        }
    }

    fn title(self) -> &'static str {
        match self {
            Self::NotFound => "Not found",
            Self::Required => "Required value",
            Self::Duplicate => "Duplicate value",
            Self::Invalid | Self::TypeInvalid => "Invalid value",
            Self::NotSupported => "Unsupported value",
            Self::Forbidden => "Forbidden",
            Self::TooLong => "Too long",
            Self::TooMany => "Too many",
            Self::Internal => "Internal error",
        }
    }
}

impl Finding {
    /// The text without the path, as a cause of a Status carries it.
    pub fn body(&self) -> String {
        let title = self.kind.title();
        let mut text = match (&self.value, self.kind) {
            (
                _,
                FindingKind::Required
                | FindingKind::Forbidden
                | FindingKind::TooLong
                | FindingKind::TooMany
                | FindingKind::Internal,
            )
            | (None, _) => title.to_owned(),
            (Some(value), _) => format!("{title}: {value}"),
        };
        if !self.detail.is_empty() {
            text.push_str(": ");
            text.push_str(&self.detail);
        }
        text
    }
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.path, self.body())
    }
}

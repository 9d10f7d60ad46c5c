//! Refusals: status and code of the specification ("Error Codes").

use hyper::StatusCode;
use hyper::header::{ALLOW, RANGE, WWW_AUTHENTICATE};
use serde_json::{Value, json};

use super::answer::{self, Answer};
use crate::error::RegistryError;

/// Why a request gets nothing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Refusal {
    /// The registry says so.
    Registry(RegistryError),
    /// Who asks has to say who he is; the challenge.
    Unauthorized(String),
    /// Who asks may not.
    Denied(String),
    /// There is nothing at this path.
    NoRoute,
    /// The path has no such method; those that it has.
    NoMethod(&'static str),
    /// A value of the query makes no sense.
    Query(String),
    /// The body broke off or never came.
    Body(String),
    /// The body is longer than what is taken.
    TooLarge(usize),
}

impl From<RegistryError> for Refusal {
    fn from(error: RegistryError) -> Self {
        Self::Registry(error)
    }
}

impl Refusal {
    /// As it is answered.
    pub fn answer(&self) -> Answer {
        let (status, code) = self.kind();
        let message = match self {
            Self::Registry(error) => error.to_string(),
            Self::Unauthorized(_) => "sign in first, or with other rights".to_owned(),
            Self::Denied(what) => format!("you may not {what}"),
            Self::NoRoute => "the registry has nothing at this path".to_owned(),
            Self::NoMethod(methods) => format!("this path has {methods}"),
            Self::Query(reason) | Self::Body(reason) => reason.clone(),
            Self::TooLarge(most) => format!("the body has more than {most} bytes"),
        };
        let mut error = json!({"code": code, "message": message});
        if let Some(detail) = self.detail() {
            error["detail"] = detail;
        }
        let mut answer = answer::json(status, &json!({"errors": [error]}));
        match self {
            Self::Unauthorized(challenge) => answer::put(&mut answer, WWW_AUTHENTICATE, challenge),
            Self::NoMethod(methods) => answer::put(&mut answer, ALLOW, methods),
            Self::Registry(RegistryError::OutOfOrder { offset }) => {
                answer::put(&mut answer, RANGE, &received(*offset));
            }
            _ => {}
        }
        answer
    }

    fn kind(&self) -> (StatusCode, &'static str) {
        match self {
            Self::Registry(error) => of(error),
            Self::Unauthorized(_) => (StatusCode::UNAUTHORIZED, "UNAUTHORIZED"),
            Self::Denied(_) => (StatusCode::FORBIDDEN, "DENIED"),
            Self::NoRoute => (StatusCode::NOT_FOUND, "UNSUPPORTED"),
            Self::NoMethod(_) => (StatusCode::METHOD_NOT_ALLOWED, "UNSUPPORTED"),
            Self::Query(_) => (StatusCode::BAD_REQUEST, "UNSUPPORTED"),
            Self::Body(_) => (StatusCode::BAD_REQUEST, "BLOB_UPLOAD_INVALID"),
            Self::TooLarge(_) => (StatusCode::PAYLOAD_TOO_LARGE, "SIZE_INVALID"),
        }
    }

    fn detail(&self) -> Option<Value> {
        match self {
            Self::Registry(
                RegistryError::ManifestBlobUnknown { digest } | RegistryError::BlobUnknown { digest },
            ) => Some(json!({"digest": digest.as_str()})),
            Self::Registry(RegistryError::NameUnknown { name }) => Some(json!({"name": name})),
            _ => None,
        }
    }
}

fn of(error: &RegistryError) -> (StatusCode, &'static str) {
    match error {
        RegistryError::NameInvalid => (StatusCode::BAD_REQUEST, "NAME_INVALID"),
        RegistryError::NameUnknown { .. } => (StatusCode::NOT_FOUND, "NAME_UNKNOWN"),
        RegistryError::TagInvalid => (StatusCode::BAD_REQUEST, "MANIFEST_INVALID"),
        RegistryError::DigestInvalid { .. } => (StatusCode::BAD_REQUEST, "DIGEST_INVALID"),
        RegistryError::BlobUnknown { .. } => (StatusCode::NOT_FOUND, "BLOB_UNKNOWN"),
        RegistryError::BlobInUse { .. } => (StatusCode::METHOD_NOT_ALLOWED, "UNSUPPORTED"),
        RegistryError::UploadUnknown => (StatusCode::NOT_FOUND, "BLOB_UPLOAD_UNKNOWN"),
        RegistryError::UploadInvalid { .. } => (StatusCode::CONFLICT, "BLOB_UPLOAD_INVALID"),
        RegistryError::OutOfOrder { .. } => (StatusCode::RANGE_NOT_SATISFIABLE, "BLOB_UPLOAD_INVALID"),
        RegistryError::SizeInvalid { .. } => (StatusCode::PAYLOAD_TOO_LARGE, "SIZE_INVALID"),
        RegistryError::ManifestUnknown { .. } => (StatusCode::NOT_FOUND, "MANIFEST_UNKNOWN"),
        RegistryError::ManifestInvalid { .. } => (StatusCode::BAD_REQUEST, "MANIFEST_INVALID"),
        RegistryError::ManifestBlobUnknown { .. } => (StatusCode::BAD_REQUEST, "MANIFEST_BLOB_UNKNOWN"),
        RegistryError::Refused { .. } => (StatusCode::FORBIDDEN, "DENIED"),
        RegistryError::TooMany { .. } => (StatusCode::TOO_MANY_REQUESTS, "TOOMANYREQUESTS"),
        RegistryError::Full => (StatusCode::INSUFFICIENT_STORAGE, "STORAGE_FULL"),
        RegistryError::Disk { .. } => (StatusCode::INTERNAL_SERVER_ERROR, "UNKNOWN"),
    }
}

/// The bytes of an upload that are there, as `Range` says it.
pub fn received(offset: u64) -> String {
    // Of nothing there is no last byte; docker and the specification write 0-0.
    format!("0-{}", offset.saturating_sub(1))
}

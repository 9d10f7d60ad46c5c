//! What the API says when it does not do what was asked.

use axum::Json;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use serde_json::json;

use crate::ci::CiError;

/// A refusal: a status, a word for programs, a sentence for people.
#[derive(Debug)]
pub(crate) struct Refusal {
    status: StatusCode,
    reason: &'static str,
    message: String,
}

impl Refusal {
    pub fn new(status: StatusCode, reason: &'static str, message: impl Into<String>) -> Refusal {
        Refusal {
            status,
            reason,
            message: message.into(),
        }
    }
}

impl IntoResponse for Refusal {
    fn into_response(self) -> Response {
        let body = json!({"error": {"reason": self.reason, "message": self.message}});
        (self.status, Json(body)).into_response()
    }
}

impl From<CiError> for Refusal {
    fn from(error: CiError) -> Refusal {
        let (status, reason) = match &error {
            CiError::Missing(_) => (StatusCode::NOT_FOUND, "not-found"),
            CiError::Invalid(_) => (StatusCode::UNPROCESSABLE_ENTITY, "invalid"),
            CiError::Conflict(_) => (StatusCode::CONFLICT, "conflict"),
            CiError::Git(_) | CiError::Ledger(_) => (StatusCode::INTERNAL_SERVER_ERROR, "failed"),
        };
        Refusal::new(status, reason, error.to_string())
    }
}

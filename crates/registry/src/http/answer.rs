//! Answers, built from their parts.

use bytes::Bytes;
use hyper::header::{CONTENT_LENGTH, CONTENT_TYPE, HeaderName, HeaderValue};
use hyper::{Response, StatusCode};
use serde_json::Value;

use super::body::Outgoing;

pub type Answer = Response<Outgoing>;

pub const API_VERSION: HeaderName = HeaderName::from_static("docker-distribution-api-version");
pub const CONTENT_DIGEST: HeaderName = HeaderName::from_static("docker-content-digest");
pub const UPLOAD_ID: HeaderName = HeaderName::from_static("docker-upload-uuid");
pub const FILTERS: HeaderName = HeaderName::from_static("oci-filters-applied");
pub const SUBJECT: HeaderName = HeaderName::from_static("oci-subject");
pub const TAG: HeaderName = HeaderName::from_static("oci-tag");

/// An answer without a body.
pub fn empty(status: StatusCode) -> Answer {
    with_body(status, Outgoing::Empty)
}

/// An answer that is a document.
pub fn json(status: StatusCode, document: &Value) -> Answer {
    let mut answer = with_body(status, Outgoing::Whole(Bytes::from(document.to_string())));
    put(&mut answer, CONTENT_TYPE, "application/json");
    answer
}

pub fn with_body(status: StatusCode, body: Outgoing) -> Answer {
    let mut answer = Response::new(body);
    *answer.status_mut() = status;
    answer
}

/// Sets a header. A value that cannot be one (nothing that was stored is) is left out.
pub fn put(answer: &mut Answer, name: HeaderName, value: &str) {
    if let Ok(value) = HeaderValue::from_str(value) {
        answer.headers_mut().append(name, value);
    }
}

/// Says how long the body would be that HEAD does not get.
pub fn put_length(answer: &mut Answer, bytes: u64) {
    answer
        .headers_mut()
        .insert(CONTENT_LENGTH, HeaderValue::from(bytes));
}

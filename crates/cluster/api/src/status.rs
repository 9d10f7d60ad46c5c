//! Status objects: what a request that failed is told, in upstream's words
//! (`apimachinery/pkg/api/errors/errors.go`).

use deploy_cluster_kinds::field::Finding;
use serde_json::{Map, Value, json};

/// A failure that a client sees as a `Status` object.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
#[error("{message}")]
pub struct StatusError {
    /// The HTTP status code.
    pub code: u16,
    /// What clients branch on: `NotFound`, `AlreadyExists` ... Empty for none.
    pub reason: &'static str,
    /// What people read.
    pub message: String,
    /// Null for none.
    pub details: Value,
    /// Seconds for the `Retry-After` header; 0 for none.
    pub retry_after_seconds: u32,
    /// The token with which a list whose state is gone can go on all the same; empty for none.
    pub continue_token: String,
}

/// Group and plural (or kind) of the object that an error is about.
#[derive(Clone, Copy, Debug)]
pub struct About<'a> {
    /// API group, empty for core.
    pub group: &'a str,
    /// The plural of the resource, or the kind, as upstream has it at that place.
    pub resource: &'a str,
}

impl<'a> About<'a> {
    /// The object's resource or kind.
    pub fn new(group: &'a str, resource: &'a str) -> About<'a> {
        About { group, resource }
    }

    /// `deployments.apps`, `pods`
    pub fn qualified(&self) -> String {
        if self.group.is_empty() {
            self.resource.to_owned()
        } else {
            format!("{}.{}", self.resource, self.group)
        }
    }

    fn details(&self, name: &str) -> Map<String, Value> {
        let mut details = Map::new();
        for (key, value) in [("name", name), ("group", self.group), ("kind", self.resource)] {
            if !value.is_empty() {
                details.insert(key.to_owned(), Value::from(value));
            }
        }
        details
    }
}

impl StatusError {
    /// An error with all that it says; the constructors below are those of upstream.
    pub fn new(code: u16, reason: &'static str, message: impl Into<String>) -> StatusError {
        StatusError {
            code,
            reason,
            message: message.into(),
            details: Value::Null,
            retry_after_seconds: 0,
            continue_token: String::new(),
        }
    }

    fn about(mut self, about: About<'_>, name: &str) -> StatusError {
        let details = about.details(name);
        self.details = if details.is_empty() {
            Value::Null
        } else {
            details.into()
        };
        self
    }

    /// 404: the object is not there.
    pub fn not_found(about: About<'_>, name: &str) -> StatusError {
        let message = format!("{} \"{name}\" not found", about.qualified());
        StatusError::new(404, "NotFound", message).about(about, name)
    }

    /// 409: the object is there already.
    pub fn already_exists(about: About<'_>, name: &str) -> StatusError {
        let message = format!("{} \"{name}\" already exists", about.qualified());
        StatusError::new(409, "AlreadyExists", message).about(about, name)
    }

    /// 409: the object has changed, or may not be changed now.
    pub fn conflict(about: About<'_>, name: &str, why: &str) -> StatusError {
        let message = format!(
            "Operation cannot be fulfilled on {} \"{name}\": {why}",
            about.qualified()
        );
        StatusError::new(409, "Conflict", message).about(about, name)
    }

    /// 403: he may not. `why` may be empty.
    pub fn forbidden(about: About<'_>, name: &str, why: &str) -> StatusError {
        let message = if about.resource.is_empty() {
            format!("forbidden: {why}")
        } else if name.is_empty() {
            format!("{} is forbidden: {why}", about.qualified())
        } else {
            format!("{} \"{name}\" is forbidden: {why}", about.qualified())
        };
        StatusError::new(403, "Forbidden", message).about(about, name)
    }

    /// 401
    pub fn unauthorized() -> StatusError {
        StatusError::new(401, "Unauthorized", "Unauthorized")
    }

    /// 400
    pub fn bad_request(message: impl Into<String>) -> StatusError {
        StatusError::new(400, "BadRequest", message)
    }

    /// 422: the object breaks rules. `kind` is the kind, not the plural.
    pub fn invalid(kind: About<'_>, name: &str, findings: &[Finding]) -> StatusError {
        let mut message = format!("{} \"{name}\" is invalid", kind.qualified());
        let texts = aggregate(findings.iter().map(Finding::to_string));
        if !texts.is_empty() {
            message.push_str(": ");
            message.push_str(&texts);
        }
        let mut error = StatusError::new(422, "Invalid", message).about(kind, name);
        let causes: Vec<Value> = findings
            .iter()
            .map(|f| json!({"reason": f.kind.reason(), "message": f.body(), "field": f.path}))
            .collect();
        if !causes.is_empty() && error.details.is_null() {
            error.details = json!({});
        }
        if !causes.is_empty() {
            error.details["causes"] = causes.into();
        }
        error
    }

    /// 405
    pub fn method_not_supported(about: About<'_>, verb: &str) -> StatusError {
        let message = format!(
            "{verb} is not supported on resources of kind \"{}\"",
            about.qualified()
        );
        StatusError::new(405, "MethodNotAllowed", message).about(about, "")
    }

    /// 413: a body or a patch beyond its bound.
    pub fn too_large(why: &str) -> StatusError {
        StatusError::new(
            413,
            "RequestEntityTooLarge",
            format!("Request entity too large: {why}"),
        )
    }

    /// 410: the revision has been compacted.
    pub fn expired(message: impl Into<String>) -> StatusError {
        StatusError::new(410, "Expired", message)
    }

    /// 500
    pub fn internal(why: &str) -> StatusError {
        let mut error = StatusError::new(500, "InternalError", format!("Internal error occurred: {why}"));
        error.details = json!({"causes": [{"message": why}]});
        error
    }

    /// 429: later, please.
    pub fn too_many_requests(message: impl Into<String>, retry_after_seconds: u32) -> StatusError {
        let mut error = StatusError::new(429, "TooManyRequests", message);
        if retry_after_seconds > 0 {
            error.details = json!({"retryAfterSeconds": retry_after_seconds});
        }
        error.retry_after_seconds = retry_after_seconds;
        error
    }

    /// 504: a revision that is not there yet.
    pub fn too_large_revision(wanted: u64, current: u64) -> StatusError {
        let message = format!("Timeout: Too large resource version: {wanted}, current: {current}");
        let mut error = StatusError::new(504, "Timeout", message);
        error.retry_after_seconds = 1;
        error.details = json!({
            "causes": [{"reason": "ResourceVersionTooLarge", "message": "Too large resource version"}],
            "retryAfterSeconds": 1,
        });
        error
    }

    /// 404 for a path below a version that is served.
    pub fn no_such_resource() -> StatusError {
        let message = "the server could not find the requested resource";
        let mut error = StatusError::new(404, "NotFound", message);
        error.details = json!({});
        error
    }

    /// 405 for a method that the path does not have.
    pub fn no_such_method() -> StatusError {
        let message = "the server does not allow this method on the requested resource";
        let mut error = StatusError::new(405, "MethodNotAllowed", message);
        error.details = json!({});
        error
    }

    /// The `Status` object.
    pub fn to_value(&self) -> Value {
        let mut status = json!({
            "kind": "Status",
            "apiVersion": "v1",
            "metadata": {},
            "status": "Failure",
            "message": self.message,
            "code": self.code,
        });
        if !self.continue_token.is_empty() {
            status["metadata"]["continue"] = self.continue_token.as_str().into();
        }
        if !self.reason.is_empty() {
            status["reason"] = self.reason.into();
        }
        if !self.details.is_null() {
            status["details"] = self.details.clone();
        }
        status
    }
}

/// The text of several errors: one alone, or `[a, b]` without repetitions (`util/errors.Aggregate`).
pub fn aggregate(texts: impl Iterator<Item = String>) -> String {
    let mut seen: Vec<String> = Vec::new();
    for text in texts {
        if !seen.contains(&text) {
            seen.push(text);
        }
    }
    match seen.len() {
        0 => String::new(),
        1 => seen.swap_remove(0),
        _ => format!("[{}]", seen.join(", ")),
    }
}

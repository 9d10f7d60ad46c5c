//! Why a cluster did not do what was asked.

use deploy_sync::machine::Failure;
use deploy_sync::plan::Dry;
use serde_json::Value;

/// Why there is no connection.
#[derive(Debug, thiserror::Error)]
pub enum ConnectError {
    /// The kubeconfig cannot be read, or names no cluster that can be used.
    #[error("{0}")]
    Kubeconfig(String),
    /// Nobody answers at its address.
    #[error("{server} does not answer: {cause}")]
    Unreachable {
        /// The address.
        server: String,
        /// Why.
        cause: String,
    },
    /// It answers, and does not let us in, or says something that no Kubernetes says.
    #[error("{server}: {message}")]
    Refused {
        /// The address.
        server: String,
        /// In its words.
        message: String,
    },
}

/// Why a request was not answered with what was asked for.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum RequestError {
    /// Nobody answered, or not in time, or in part.
    #[error("the cluster does not answer: {0}")]
    Unreachable(String),
    /// The server answered with a Status.
    #[error("{message}")]
    Status {
        /// Of HTTP.
        code: u16,
        /// One word, as `Conflict`.
        reason: String,
        /// A sentence.
        message: String,
        /// The whole of it.
        status: Value,
    },
    /// The kind of an object is not served.
    #[error("the cluster serves no kind {kind} of {version}")]
    KindMissing {
        /// The kind.
        kind: String,
        /// Its `apiVersion`.
        version: String,
    },
    /// The answer is no JSON, or larger than the bound.
    #[error("the answer cannot be used: {0}")]
    Answer(String),
}

impl RequestError {
    /// Whether the same request may succeed later.
    pub fn is_passing(&self) -> bool {
        match self {
            RequestError::Unreachable(_) | RequestError::KindMissing { .. } => true,
            RequestError::Answer(_) => false,
            RequestError::Status {
                code,
                reason,
                message,
                ..
            } => match code {
                // A conflict of field managers stays until somebody decides; one of revisions passes.
                409 => self.managers().is_empty(),
                // A namespace that goes, or is not there yet.
                403 => message.contains("because it is being terminated"),
                404 => reason == "NotFound",
                // An apply with a field that no schema has (upstream leaves the reason out); not an internal error.
                500 => !reason.is_empty(),
                408 | 429 | 500..=599 => true,
                _ => false,
            },
        }
    }

    /// Whether it says that something is not there.
    pub fn is_missing(&self) -> bool {
        matches!(
            self,
            RequestError::Status { code: 404, .. } | RequestError::KindMissing { .. }
        )
    }

    /// The managers that own fields which an apply would set, each once.
    pub fn managers(&self) -> Vec<String> {
        let RequestError::Status { status, .. } = self else {
            return Vec::new();
        };
        let causes = status["details"]["causes"].as_array().into_iter().flatten();
        let mut managers: Vec<String> = causes
            .filter(|cause| cause["reason"] == "FieldManagerConflict")
            // `conflict with "kubectl-edit" using apps/v1: .spec.replicas` (structured-merge-diff, Conflict.Error)
            .filter_map(|cause| cause["message"].as_str()?.split('"').nth(1).map(str::to_owned))
            .collect();
        managers.sort();
        managers.dedup();
        managers
    }

    /// As the sync machine takes it.
    pub fn failure(&self) -> Failure {
        Failure {
            message: self.to_string(),
            is_passing: self.is_passing(),
        }
    }

    /// What it means for a plan, where a dry run ends so; `None` where it says nothing about the object.
    pub fn dry(&self) -> Option<Dry> {
        let managers = self.managers();
        if !managers.is_empty() {
            return Some(Dry::Conflict(managers));
        }
        match self {
            _ if self.is_missing() => Some(Dry::Early),
            _ if self.is_passing() => None,
            refusal => Some(Dry::Refused(refusal.to_string())),
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn status(code: u16, reason: &str, status: Value) -> RequestError {
        let (reason, message) = (reason.to_owned(), "no".to_owned());
        RequestError::Status {
            code,
            reason,
            message,
            status,
        }
    }

    #[test]
    fn a_conflict_names_its_managers() {
        let causes = json!({"details": {"causes": [
            {"reason": "FieldManagerConflict", "message": "conflict with \"kubectl-edit\" using apps/v1", "field": ".spec.replicas"},
            {"reason": "FieldManagerConflict", "message": "conflict with \"helm\" using apps/v1: .spec.paused"},
            {"reason": "FieldManagerConflict", "message": "conflict with \"helm\" using apps/v1: .spec.other"},
        ]}});
        let conflict = status(409, "Conflict", causes);
        assert_eq!(conflict.managers(), ["helm", "kubectl-edit"]);
        assert!(!conflict.is_passing());
        assert!(matches!(conflict.dry(), Some(Dry::Conflict(_))));
        let revisions = status(409, "Conflict", json!({}));
        assert!(revisions.is_passing());
        assert_eq!(revisions.dry(), None);
    }

    #[test]
    fn what_may_come_back_is_waited_for() {
        assert!(status(500, "InternalError", json!({})).is_passing());
        assert!(status(429, "TooManyRequests", json!({})).is_passing());
        assert!(!status(500, "", json!({})).is_passing());
        assert!(!status(422, "Invalid", json!({})).is_passing());
        assert!(!status(403, "Forbidden", json!({})).is_passing());
        assert_eq!(
            status(422, "Invalid", json!({})).dry(),
            Some(Dry::Refused("no".to_owned()))
        );
        assert_eq!(status(404, "NotFound", json!({})).dry(), Some(Dry::Early));
    }
}

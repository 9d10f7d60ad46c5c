//! Questions that are posted and answered, and kept nowhere: tokens, who somebody is, what he may.

use serde_json::Value;

use super::{Call, Outcome};
use crate::scope::Scope;
use crate::status::StatusError;

/// Whether the resource only answers questions.
pub(crate) fn is_review(scope: &Scope) -> bool {
    matches!(
        &*scope.resource.group,
        "authentication.k8s.io" | "authorization.k8s.io"
    )
}

/// Answers a review.
pub(crate) fn review(_call: &mut Call<'_>, _review: Value) -> Result<Outcome, StatusError> {
    Err(StatusError::internal("reviews are not wired yet"))
}

/// Grants a token for the service account of the scope.
pub(crate) fn token(_call: &mut Call<'_>, _request: Value) -> Result<Outcome, StatusError> {
    Err(StatusError::internal("tokens are not wired yet"))
}

/// What is asked of pods that nobody runs.
pub(crate) fn no_node(call: &Call<'_>) -> StatusError {
    let scope = &call.scope;
    if call
        .api
        .store
        .get(&scope.key(&scope.namespace, &scope.name))
        .is_none()
    {
        return scope.not_found();
    }
    StatusError::bad_request(format!("pod {} does not have a host assigned", scope.name))
}

//! Questions that are posted and answered, and kept nowhere: tokens, who somebody is, what he may.

use serde_json::Value;

use super::{Call, Outcome, ownership};
use crate::authorization::reviews;
use crate::scope::Scope;
use crate::status::StatusError;
use crate::{identifiers, identity};

/// Whether the resource only answers questions.
pub(crate) fn is_review(scope: &Scope) -> bool {
    matches!(
        &*scope.resource.group,
        "authentication.k8s.io" | "authorization.k8s.io"
    )
}

/// Answers a review. The dry run of a question is the question.
pub(crate) fn review(call: &mut Call<'_>, review: Value) -> Result<Outcome, StatusError> {
    let review = ownership::of_posted(call, review);
    let (api, user, now) = (call.api, call.user, identifiers::now_seconds());
    let object = match &*call.scope.resource.plural {
        "tokenreviews" => identity::reviews::token_review(&api.authenticator, review, now)?,
        "selfsubjectreviews" => identity::reviews::self_subject_review(user, now),
        "subjectaccessreviews" => reviews::subject_access_review(&*api.rbac, review)?,
        "localsubjectaccessreviews" => {
            reviews::local_subject_access_review(&*api.rbac, review, &call.scope.namespace)?
        }
        "selfsubjectaccessreviews" => reviews::self_subject_access_review(&*api.rbac, user, review)?,
        "selfsubjectrulesreviews" => reviews::self_subject_rules_review(&api.rbac, user, &review)?,
        _ => return Err(StatusError::no_such_method()),
    };
    Ok(Outcome::Other { status: 201, object })
}

/// Grants a token for the service account of the scope.
pub(crate) fn token(call: &mut Call<'_>, mut request: Value) -> Result<Outcome, StatusError> {
    identity::reviews::default_token_request(&mut request);
    let request = ownership::of_posted(call, request);
    let (scope, tokens) = (&call.scope, call.api.authenticator.tokens());
    let now = identifiers::now_seconds();
    let owners = request["metadata"]["managedFields"].clone();
    let mut object = identity::reviews::token_request(tokens, &scope.namespace, &scope.name, request, now)?;
    crate::object::set(&mut object, "managedFields", owners);
    Ok(Outcome::Other { status: 201, object })
}

//! One object.

use crate::options::{Query, parse_revision};
use crate::status::StatusError;
use crate::verbs::list::wait_for;
use crate::verbs::{Call, Object, Outcome};

pub(crate) async fn get(call: &Call<'_>, query: &Query) -> Result<Outcome, StatusError> {
    if let Some(revision) = query.first("resourceVersion") {
        wait_for(
            &call.api.store,
            parse_revision(revision).map_err(|why| StatusError::new(500, "", why))?,
        )
        .await?;
    }
    let scope = &call.scope;
    match call.api.store.get(&scope.key(&scope.namespace, &scope.name)) {
        Some(entry) => Ok(Outcome::Object {
            status: 200,
            object: Object::Stored(entry),
        }),
        None => Err(scope.not_found()),
    }
}

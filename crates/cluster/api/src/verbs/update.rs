//! PUT: a whole object in the place of another.

use serde_json::Value;

use super::change::{Changed, change};
use super::create::match_namespace;
use super::ownership::{self, deduplicate_owners};
use super::{Call, Change, Strategy};
use crate::object;
use crate::status::StatusError;

/// The object of a PUT, in the stored version.
struct Replacement {
    object: Value,
}

impl Change for Replacement {
    fn apply(&self, call: &mut Call<'_>, live: Option<&Value>) -> Result<Value, StatusError> {
        let mut new = self.object.clone();
        ownership::update(call, live, &mut new);
        Ok(new)
    }

    fn uid(&self) -> Option<&str> {
        Some(object::uid(&self.object)).filter(|uid| !uid.is_empty())
    }
}

/// Replaces the object of the scope by `new`, which is in the stored version, decoded and defaulted.
pub(crate) async fn update(
    call: &mut Call<'_>,
    mut new: Value,
    strategy: Strategy,
) -> Result<Changed, StatusError> {
    match_namespace(&call.scope.namespace, &mut new)?;
    check_name(call, &new)?;
    deduplicate_owners(call, &mut new, false);
    change(call, &Replacement { object: new }, strategy).await
}

/// The name in the object is that of the path (`endpoints/handlers/rest.go checkName`).
pub(crate) fn check_name(call: &Call<'_>, new: &Value) -> Result<(), StatusError> {
    let (found, wanted) = (object::name(new), call.scope.name.as_str());
    if found.is_empty() {
        return Err(StatusError::bad_request(format!(
            "the name of the object ({wanted} based on URL) was undeterminable: name must be provided"
        )));
    }
    if found != wanted {
        return Err(StatusError::bad_request(format!(
            "the name of the object ({found}) does not match the name on the URL ({wanted})"
        )));
    }
    Ok(())
}

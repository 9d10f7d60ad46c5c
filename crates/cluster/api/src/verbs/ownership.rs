//! Who owns which fields after a write, and owners that are named twice.

use std::collections::{BTreeMap, BTreeSet};

use deploy_cluster_schema::apply::{
    ApplyError, FieldManager, Filter, Updater, Versions, empty_object, reset_fields,
};
use deploy_cluster_schema::merge::Shape;
use deploy_cluster_schema::registry::GroupVersionKind;
use serde_json::{Value, json};

use super::Call;
use crate::scope::Scope;
use crate::{identifiers, object};

/// Books the fields that a create, an update or a patch has set. Both objects are in the stored version; `live` is
/// the one before.
pub(crate) fn update(call: &Call<'_>, live: Option<&Value>, new: &mut Value) {
    let scope = &call.scope;
    if scope.is_custom()
        && (new["kind"] != *scope.served.kind || new["apiVersion"] != scope.served.api_version())
    {
        // An object of another type is refused soon, but for the status of it, which is cut out of it.
        object::set(new, "managedFields", Value::Null);
        return;
    }
    let taken = std::mem::take(new);
    let (live, object) = served_pair(scope, live, taken);
    let live = live.as_deref();
    let tracked = with_manager(scope, |manager| match manager {
        Some(manager) => manager.update(live, object, &call.manager, &identifiers::now()),
        None => object,
    });
    *new = scope.to_stored(tracked);
}

/// Books the fields of an object that is posted and not kept, or kept as something else.
pub(crate) fn of_posted(call: &Call<'_>, object: Value) -> Value {
    let mut scope = call.scope.clone();
    if let Some(subresource) = &scope.subresource {
        scope.served = subresource.kind.clone();
    }
    with_manager(&scope, |manager| match manager {
        Some(manager) => manager.update(None, object, &call.manager, &identifiers::now()),
        None => object,
    })
}

/// Applies `config`, which is in the version of the request. `live` and the answer are in the stored version.
pub(crate) fn apply(
    call: &Call<'_>,
    live: Option<&Value>,
    config: &Value,
    force: bool,
) -> Result<Value, ApplyError> {
    let scope = &call.scope;
    let live = live.map(|live| scope.to_served(live.clone()));
    let applied = with_manager(scope, |manager| match manager {
        Some(manager) => manager.apply(live.as_ref(), config, &call.manager, force, &identifiers::now()),
        None => Ok(config.clone()),
    })?;
    Ok(applied)
}

fn served_pair<'a>(
    scope: &Scope,
    live: Option<&'a Value>,
    new: Value,
) -> (Option<std::borrow::Cow<'a, Value>>, Value) {
    use std::borrow::Cow;
    if scope.is_stored_form() {
        return (live.map(Cow::Borrowed), new);
    }
    let live = live.map(|live| Cow::Owned(scope.to_served(live.clone())));
    (live, scope.to_served(new))
}

/// The versions of one kind, as far as they are served.
struct KindVersions<'a> {
    scope: &'a Scope,
}

impl KindVersions<'_> {
    fn kind(&self, api_version: &str) -> Option<GroupVersionKind> {
        GroupVersionKind::parse(api_version, &self.scope.served.kind)
    }
}

impl Versions for KindVersions<'_> {
    fn shape(&self, api_version: &str) -> Option<Shape<'_>> {
        let kind = self.kind(api_version)?;
        let registry = &self.scope.registry;
        let same_home = registry
            .kind(&kind)
            .is_some_and(|r| r.stored_as == self.scope.resource.stored_as);
        if !same_home && kind != self.scope.served {
            return None;
        }
        let (schema, id) = registry.types(&kind)?;
        Some(Shape::new(schema, id))
    }

    fn convert(&self, object: &Value, from: &str, to: &str) -> Result<Value, String> {
        match (self.kind(from), self.kind(to)) {
            (Some(from), Some(to)) => Ok(crate::convert::convert(
                &self.scope.registry,
                object.clone(),
                &from,
                &to,
            )),
            _ => Err(format!("cannot convert from {from} to {to}")),
        }
    }
}

/// Calls `with` with the field manager of the scope; none for kinds without types.
fn with_manager<T>(scope: &Scope, with: impl FnOnce(Option<FieldManager<'_>>) -> T) -> T {
    let api_version = scope.served.api_version();
    let Some((schema, id)) = scope.registry.types(&scope.served) else {
        return with(None);
    };
    let resource = &scope.resource;
    let subresource = scope.subresource_name();
    let has_status = resource.subresource("status").is_some();
    let mut filters: BTreeMap<String, Filter> = BTreeMap::new();
    if let Some(filter) = reset_fields(&resource.group, &resource.plural, subresource, has_status) {
        filters.insert(api_version.clone(), filter);
    }
    let empty = if scope.is_custom() {
        json!({"apiVersion": api_version, "kind": &*scope.served.kind})
    } else {
        empty_object(Shape::new(schema, id))
    };
    let versions = KindVersions { scope };
    with(Some(FieldManager {
        updater: Updater {
            versions: &versions,
            filters: &filters,
        },
        api_version: &api_version,
        kind: &scope.served.kind,
        subresource,
        empty: &empty,
    }))
}

/// Drops owner references that are there twice, and says so (`endpoints/handlers/rest.go`).
pub(crate) fn deduplicate_owners(call: &mut Call<'_>, new: &mut Value, after_admission: bool) {
    let Some(owners) = new["metadata"]["ownerReferences"].as_array() else {
        return;
    };
    let mut kept: Vec<Value> = Vec::with_capacity(owners.len());
    let mut duplicates = BTreeSet::new();
    for owner in owners {
        if kept.contains(owner) {
            duplicates.insert(owner["uid"].as_str().unwrap_or_default().to_owned());
        } else {
            kept.push(owner.clone());
        }
    }
    if duplicates.is_empty() {
        return;
    }
    object::set(new, "ownerReferences", kept);
    let uids: Vec<String> = duplicates.into_iter().collect();
    let when = if after_admission {
        " after mutating admission happens"
    } else {
        ""
    };
    call.warnings.push(format!(
        ".metadata.ownerReferences contains duplicate entries{when}; API server dedups owner references in 1.20+, and \
         may reject such requests as early as 1.24; please fix your requests; duplicate UID(s) observed: {}",
        uids.join(", ")
    ));
}

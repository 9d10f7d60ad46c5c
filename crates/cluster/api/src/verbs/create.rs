//! New objects.

use deploy_cluster_storage::{Change as StoreChange, Expected, Write, WriteError};
use serde_json::Value;

use super::ownership::{self, deduplicate_owners};
use super::{Call, Object, parsed, requester};
use crate::admission::{AdmissionRequest, Operation};
use crate::status::StatusError;
use crate::{custom, identifiers, limits, object};

/// Creates an object, given in the stored version, decoded and defaulted. The answer is the object that is there now.
pub(crate) async fn create(call: &mut Call<'_>, mut new: Value) -> Result<Object, StatusError> {
    for field in [
        "creationTimestamp",
        "uid",
        "deletionTimestamp",
        "deletionGracePeriodSeconds",
        "selfLink",
    ] {
        object::set(&mut new, field, Value::Null);
    }
    match_namespace(&call.scope.namespace, &mut new)?;
    deduplicate_owners(call, &mut new, false);
    ownership::update(call, None, &mut new);
    if let Some(named) =
        Some(object::name(&new)).filter(|name| !name.is_empty() && call.scope.name.is_empty())
    {
        call.scope.name = named.to_owned();
    }
    admit(call, &mut new, None).await?;
    deduplicate_owners(call, &mut new, true);
    insert(call, new).await
}

/// The part of a creation that a PUT or an apply to a free name shares: names, identity, rules, storage.
pub(crate) async fn insert(call: &mut Call<'_>, new: Value) -> Result<Object, StatusError> {
    let generate = object::text(&new, "generateName").to_owned();
    if generate.is_empty() || !object::name(&new).is_empty() {
        return store(call, new).await;
    }
    for _ in 1..limits::GENERATED_NAMES {
        let mut attempt = new.clone();
        object::set(&mut attempt, "name", identifiers::generated_name(&generate));
        match store(call, attempt).await {
            Err(error) if error.reason == "AlreadyExists" => {}
            other => return other,
        }
    }
    let mut attempt = new;
    object::set(&mut attempt, "name", identifiers::generated_name(&generate));
    store(call, attempt).await
}

async fn store(call: &mut Call<'_>, mut new: Value) -> Result<Object, StatusError> {
    object::set(&mut new, "creationTimestamp", identifiers::now());
    object::set(&mut new, "uid", identifiers::uuid());
    let reservation = call.api.reserve(call, &mut new, None)?;
    let scope = &call.scope;
    match_namespace(&scope.namespace, &mut new)?;
    match &scope.resource.custom {
        Some(custom) => custom::prepare_create(custom, &mut new),
        None => (scope.rules.prepare_create)(&mut new),
    }
    requester::sign(call, &mut new);
    let scope = &call.scope;
    if scope.is_custom() {
        custom::check_type(scope, &new)?;
    }
    let findings = call.check_create(&new);
    if !findings.is_empty() {
        return Err(StatusError::invalid(
            scope.about_kind(),
            object::name(&new),
            &findings,
        ));
    }
    call.warnings.extend((call.scope.rules.warnings)(&new));
    call.scope.tidy(&mut new);
    validate(call, &mut new, None).await?;
    // A dry run does not get as far as the store, which is who refuses it upstream.
    if !call.options.dry_run && !matches!(object::resource_version(&new), "" | "0") {
        return Err(StatusError::new(
            500,
            "",
            "resourceVersion should not be set on objects to be created",
        ));
    }
    if !call.options.dry_run {
        object::set(&mut new, "resourceVersion", Value::Null);
    }
    let key = call.scope.key(&call.scope.namespace, object::name(&new));
    let object = if call.options.dry_run {
        match call.api.store.get(&key) {
            Some(current) => return Err(exists(call, &key.name, Some(&parsed(&current)))),
            None => Object::Made(new),
        }
    } else {
        let change = StoreChange::Put(call.scope.encode(&new));
        let name = key.name.clone();
        match call
            .api
            .write(Write {
                key,
                expected: Expected::Absent,
                change,
            })
            .await
        {
            Ok(entry) => Object::Stored(entry),
            Err(WriteError::Conflict { current }) => {
                return Err(exists(
                    call,
                    &name,
                    current.map(|entry| parsed(&entry)).as_deref(),
                ));
            }
            Err(error) => return Err(storage_failed(&error)),
        }
    };
    reservation.keep();
    Ok(object)
}

fn exists(call: &Call<'_>, name: &str, current: Option<&Value>) -> StatusError {
    let mut error = StatusError::already_exists(call.scope.about(), name);
    if current.is_some_and(object::is_deleting) {
        error.message = format!("object is being deleted: {}", error.message);
    }
    error
}

/// What the client is told when the disk does not take a write.
pub(crate) fn storage_failed(error: &WriteError) -> StatusError {
    match error {
        WriteError::Closed => StatusError::new(503, "ServiceUnavailable", "the server is shutting down"),
        _ => StatusError::internal(&error.to_string()),
    }
}

/// The namespace of the path, in the object too (`rest.EnsureObjectNamespaceMatchesRequestNamespace`).
pub(crate) fn match_namespace(requested: &str, new: &mut Value) -> Result<(), StatusError> {
    match object::namespace(new) {
        found if found == requested => Ok(()),
        "" => {
            object::set(new, "namespace", requested);
            Ok(())
        }
        _ if requested.is_empty() => {
            object::set(new, "namespace", Value::Null);
            Ok(())
        }
        _ => Err(StatusError::bad_request(
            "the namespace of the provided object does not match the namespace sent on the request",
        )),
    }
}

/// Admission that may change the object.
pub(crate) async fn admit(
    call: &mut Call<'_>,
    new: &mut Value,
    old: Option<&Value>,
) -> Result<(), StatusError> {
    ask(call, new, old, Stage::Change).await
}

/// Admission that only says yes or no.
pub(crate) async fn validate(
    call: &mut Call<'_>,
    new: &mut Value,
    old: Option<&Value>,
) -> Result<(), StatusError> {
    ask(call, new, old, Stage::Judge).await
}

/// The two rounds of admission.
#[derive(Clone, Copy)]
enum Stage {
    Change,
    Judge,
}

async fn ask(
    call: &mut Call<'_>,
    new: &mut Value,
    old: Option<&Value>,
    stage: Stage,
) -> Result<(), StatusError> {
    let options = call.options.to_value(old.is_none());
    let mut request = admission(call, new, old, &options);
    let result = match stage {
        Stage::Change => call.api.admission.admit(&mut request).await,
        Stage::Judge => call.api.admission.validate(&mut request).await,
    };
    let warnings = std::mem::take(&mut request.warnings);
    call.warnings.extend(warnings);
    result
}

fn admission<'a>(
    call: &'a Call<'_>,
    new: &'a mut Value,
    old: Option<&'a Value>,
    options: &'a Value,
) -> AdmissionRequest<'a> {
    let scope = &call.scope;
    AdmissionRequest {
        operation: if old.is_some() {
            Operation::Update
        } else {
            Operation::Create
        },
        group: &scope.resource.group,
        version: &scope.resource.version,
        resource: &scope.resource.plural,
        subresource: scope.subresource_name(),
        kind: &scope.served.kind,
        namespace: &scope.namespace,
        name: &scope.name,
        object: new,
        old_object: old,
        user: call.user,
        dry_run: call.options.dry_run,
        options,
        warnings: Vec::new(),
    }
}

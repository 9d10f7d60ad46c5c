//! Deletion: grace, finalizers, propagation (`registry/generic/registry/store.go Delete`, `registry/rest/delete.go`).

use std::sync::Arc;

use deploy_cluster_storage::{Change, Entry, Expected, Write, WriteError};
use serde_json::{Value, json};

use super::create::storage_failed;
use super::list::list;
use super::{Call, Object, Outcome, parsed};
use crate::admission::{AdmissionRequest, Operation};
use crate::options::{DeleteOptions, ListOptions, Propagation};
use crate::status::{About, StatusError};
use crate::{custom, encode, identifiers, limits, object};

const ORPHAN: &str = "orphan";
const FOREGROUND: &str = "foregroundDeletion";

/// Kinds whose deletion answers with the object instead of a Status (`ReturnDeletedObject` in `pkg/registry`).
const RETURNS_OBJECT: [&str; 17] = [
    "/namespaces",
    "/persistentvolumeclaims",
    "/persistentvolumes",
    "/pods",
    "/podtemplates",
    "/resourcequotas",
    "/serviceaccounts",
    "/services",
    "resource.k8s.io/deviceclasses",
    "resource.k8s.io/resourceclaims",
    "resource.k8s.io/resourceclaimtemplates",
    "resource.k8s.io/resourceslices",
    "storage.k8s.io/csidrivers",
    "storage.k8s.io/csinodes",
    "storage.k8s.io/storageclasses",
    "storage.k8s.io/volumeattachments",
    "storage.k8s.io/volumeattributesclasses",
];

/// Kinds whose dependents stay unless the client says otherwise (`DefaultGarbageCollectionPolicy`).
const ORPHANS_BY_DEFAULT: [&str; 2] = ["/replicationcontrollers", "batch/jobs"];

/// Kinds that the garbage collector does not handle.
const NOT_COLLECTED: [&str; 1] = ["/events"];

/// What a deletion came to.
enum Deleted {
    /// The object is gone; its last state.
    Gone(Object),
    /// It stays until its grace period or its finalizers end.
    Pending(Object),
    /// It was being deleted already; nothing changed.
    Already(Object),
}

/// Deletes the object of the scope.
pub(crate) async fn delete(call: &mut Call<'_>, options: &DeleteOptions) -> Result<Outcome, StatusError> {
    warn_about_orphans(call, options);
    let deleted = remove(call, options).await?;
    let (object, gone) = match deleted {
        Deleted::Gone(object) => (object, true),
        Deleted::Pending(object) => {
            return Ok(Outcome::Object {
                status: accepted(options),
                object,
            });
        }
        Deleted::Already(object) => (object, false),
    };
    let status = if gone { 200 } else { accepted(options) };
    if RETURNS_OBJECT.contains(&&*call.scope.storage) {
        return Ok(Outcome::Object { status, object });
    }
    let object = object.into_value();
    let mut details = json!({
        "name": object::name(&object),
        "kind": &*call.scope.resource.plural,
        "uid": object::uid(&object),
    });
    if !call.scope.resource.group.is_empty() {
        details["group"] = (*call.scope.resource.group).into();
    }
    let answer = json!({"kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Success", "details": details});
    Ok(Outcome::Other {
        status,
        object: answer,
    })
}

fn accepted(options: &DeleteOptions) -> u16 {
    if options.orphan_dependents == Some(false) {
        202
    } else {
        200
    }
}

/// `pkg/registry/batch/job/storage/storage.go Delete`
fn warn_about_orphans(call: &mut Call<'_>, options: &DeleteOptions) {
    if &*call.scope.storage == "batch/jobs"
        && options.propagation.is_none()
        && options.orphan_dependents.is_none()
    {
        call.warnings.push(
            "child pods are preserved by default when jobs are deleted; set propagationPolicy=Background to remove \
             them or set propagationPolicy=Orphan to suppress this warning"
                .to_owned(),
        );
    }
}

/// Deletes all objects that a list with these options would show; the answer is that list.
pub(crate) async fn delete_collection(
    call: &mut Call<'_>,
    options: &DeleteOptions,
    selection: &ListOptions,
) -> Result<Outcome, StatusError> {
    warn_about_orphans(call, options);
    let Outcome::List { entries, mut meta } = list(call, selection).await? else {
        return Err(StatusError::internal("a list was expected"));
    };
    let (name, namespace) = (call.scope.name.clone(), call.scope.namespace.clone());
    for entry in &entries {
        call.scope.name = entry.key.name.to_string();
        call.scope.namespace = entry.key.namespace.to_string();
        match remove(call, options).await {
            Err(error) if error.code != 404 => return Err(error),
            _ => {}
        }
    }
    (call.scope.name, call.scope.namespace) = (name, namespace);
    meta.remaining = meta.remaining.filter(|_| !meta.continue_token.is_empty());
    Ok(Outcome::List { entries, meta })
}

async fn remove(call: &mut Call<'_>, options: &DeleteOptions) -> Result<Deleted, StatusError> {
    // A grace period of zero is written before the object goes; a second writer in between is fine.
    for _ in 0..limits::WRITE_RETRIES {
        let key = call.scope.key(&call.scope.namespace, &call.scope.name);
        let live = call.api.store.get(&key).ok_or_else(|| call.scope.not_found())?;
        let attempt = if &*call.scope.storage == "/namespaces" {
            remove_namespace(call, options, &live).await?
        } else if &*call.scope.storage == custom::DEFINITIONS {
            remove_definition(call, options, &live).await?
        } else {
            attempt(call, options, &live).await?
        };
        if let Some(deleted) = attempt {
            return Ok(deleted);
        }
    }
    Err(StatusError::new(
        500,
        "InternalError",
        "too many writers for one object",
    ))
}

/// How an object goes.
enum Step {
    Now,
    /// Marked, and gone after the grace period, which may be zero seconds.
    Grace(i64),
    Already,
}

/// One attempt; none where another writer was faster.
async fn attempt(
    call: &mut Call<'_>,
    options: &DeleteOptions,
    live: &Arc<Entry>,
) -> Result<Option<Deleted>, StatusError> {
    let old = parsed(live);
    let mut new = (*old).clone();
    check_preconditions(call, options, &old)?;
    let step = begin(call, options, &mut new);
    if matches!(step, Step::Already) {
        return Ok(Some(Deleted::Already(Object::Stored(live.clone()))));
    }
    let finalizers = collector_finalizers(call, options, &old);
    let (before, after) = (object::finalizers(&old), finalizers.as_deref());
    let pending = after.map_or(!before.is_empty(), |list| !list.is_empty());
    admit(call, options, &old).await?;
    if let Some(list) = after {
        object::set(
            &mut new,
            "finalizers",
            if list.is_empty() { Value::Null } else { json!(list) },
        );
    }
    let marked = match step {
        Step::Grace(_) => true,
        Step::Now if pending => {
            mark(&mut new);
            true
        }
        _ => false,
    };
    let mut entry = live.clone();
    if marked {
        let object = match put(call, live, new).await? {
            Some(object) => object,
            None => return Ok(None),
        };
        if pending || matches!(step, Step::Grace(seconds) if seconds > 0) {
            return Ok(Some(Deleted::Pending(object)));
        }
        match object {
            Object::Stored(stored) => entry = stored,
            Object::Made(_) => return Ok(Some(Deleted::Gone(object))),
        }
    }
    let erased = erase(call, &entry).await?;
    if erased.is_none() && marked && call.api.store.get(&entry.key).is_none() {
        // Its kubelet saw the mark and was faster: what was wanted has happened (`updateForGracefulDeletionAndFinalizers`).
        return Ok(Some(Deleted::Gone(Object::Stored(entry))));
    }
    Ok(erased)
}

/// Writes an object that is on its way out; none where another writer was faster.
async fn put(call: &Call<'_>, live: &Arc<Entry>, new: Value) -> Result<Option<Object>, StatusError> {
    if new == *parsed(live) {
        return Ok(Some(Object::Stored(live.clone())));
    }
    if call.options.dry_run {
        return Ok(Some(Object::Made(new)));
    }
    let write = Write {
        key: live.key.clone(),
        expected: Expected::Revision(live.revision),
        change: Change::Put(encode::object(&new)),
    };
    match call.api.write(write).await {
        Ok(entry) => Ok(Some(Object::Stored(entry))),
        Err(WriteError::Conflict { .. }) => Ok(None),
        Err(error) => Err(storage_failed(&error)),
    }
}

async fn erase(call: &Call<'_>, live: &Arc<Entry>) -> Result<Option<Deleted>, StatusError> {
    let last = parsed(live);
    if call.options.dry_run {
        return Ok(Some(Deleted::Gone(Object::Stored(live.clone()))));
    }
    let write = Write {
        key: live.key.clone(),
        expected: Expected::Revision(live.revision),
        change: Change::Delete(encode::object(&last)),
    };
    match call.api.write(write).await {
        Ok(entry) => {
            call.api.released(&call.scope, &last);
            Ok(Some(Deleted::Gone(Object::Stored(entry))))
        }
        Err(WriteError::Conflict { .. }) => Ok(None),
        Err(error) => Err(storage_failed(&error)),
    }
}

fn check_preconditions(call: &Call<'_>, options: &DeleteOptions, old: &Value) -> Result<(), StatusError> {
    let about = About::new(&call.scope.stored.group, &call.scope.stored.kind);
    let conflict = |why: String| Err(StatusError::conflict(about, &call.scope.name, &why));
    if let Some(uid) = options.uid.as_ref().filter(|uid| *uid != object::uid(old)) {
        return conflict(format!(
            "the UID in the precondition ({uid}) does not match the UID in record ({}). The object might have been \
             deleted and then recreated",
            object::uid(old)
        ));
    }
    let revision = object::resource_version(old);
    if let Some(stated) = options
        .resource_version
        .as_ref()
        .filter(|stated| *stated != revision)
    {
        return conflict(format!(
            "the ResourceVersion in the precondition ({stated}) does not match the ResourceVersion in record \
             ({revision}). The object might have been modified"
        ));
    }
    Ok(())
}

/// Decides on grace and sets the marks of a graceful deletion (`rest.BeforeDelete`).
fn begin(call: &Call<'_>, options: &DeleteOptions, new: &mut Value) -> Step {
    let Some(default_seconds) = call.scope.rules.graceful_deletion else {
        return Step::Now;
    };
    let wanted = options
        .grace_period_seconds
        .map(|seconds| if seconds < 0 { 1 } else { seconds });
    if object::is_deleting(new) {
        return shorten(new, wanted);
    }
    let own = i64::try_from(default_seconds(new)).unwrap_or(i64::MAX);
    let at_once = own == 0 && is_nowhere(new);
    let seconds = wanted.filter(|_| !at_once).unwrap_or(own);
    let ends = identifiers::now_seconds().saturating_add(seconds);
    object::set(new, "deletionTimestamp", identifiers::time_text(ends));
    object::set(new, "deletionGracePeriodSeconds", seconds);
    if object::generation(new) > 0 {
        let generation = object::generation(new) + 1;
        object::set(new, "generation", generation);
    }
    Step::Grace(seconds)
}

/// No kubelet holds it: not scheduled, or over. Whatever grace is asked for, there is nobody to wait for.
fn is_nowhere(object: &Value) -> bool {
    object["spec"]["nodeName"].as_str().unwrap_or_default().is_empty()
        || matches!(object["status"]["phase"].as_str(), Some("Succeeded" | "Failed"))
}

/// A deletion under way may only be made shorter.
fn shorten(new: &mut Value, wanted: Option<i64>) -> Step {
    let current = new["metadata"]["deletionGracePeriodSeconds"]
        .as_i64()
        .unwrap_or(0);
    if current == 0 {
        return Step::Now;
    }
    let Some(mut seconds) = wanted.filter(|seconds| *seconds < current) else {
        return Step::Already;
    };
    let now = identifiers::now_seconds();
    let started = identifiers::parse_time(object::text(new, "deletionTimestamp")).unwrap_or(now) - current;
    let mut ends = started.saturating_add(seconds);
    if ends < now {
        ends = now;
        seconds = seconds.min(1);
    }
    object::set(new, "deletionTimestamp", identifiers::time_text(ends));
    object::set(new, "deletionGracePeriodSeconds", seconds);
    Step::Grace(seconds)
}

/// `markAsDeleting`: finalizers see it and do their part.
fn mark(new: &mut Value) {
    let now = identifiers::now_seconds();
    let since = identifiers::parse_time(object::text(new, "deletionTimestamp"));
    if since.is_none() && object::generation(new) > 0 {
        let generation = object::generation(new) + 1;
        object::set(new, "generation", generation);
    }
    if since.is_none_or(|since| since > now) {
        object::set(new, "deletionTimestamp", identifiers::time_text(now));
    }
    object::set(new, "deletionGracePeriodSeconds", 0);
}

/// The finalizers that the options ask for; none where they stay as they are
/// (`deletionFinalizersForGarbageCollection`).
fn collector_finalizers(call: &Call<'_>, options: &DeleteOptions, old: &Value) -> Option<Vec<String>> {
    let storage = &*call.scope.storage;
    let current = object::finalizers(old);
    let (orphan, foreground) = if NOT_COLLECTED.contains(&storage) {
        (false, false)
    } else {
        match (options.orphan_dependents, options.propagation) {
            (Some(orphan), _) => (orphan, false),
            (None, Some(Propagation::Orphan)) => (true, false),
            (None, Some(Propagation::Foreground)) => (false, true),
            (None, Some(Propagation::Background)) => (false, false),
            (None, None) => match current.iter().find(|name| matches!(**name, ORPHAN | FOREGROUND)) {
                Some(name) => (*name == ORPHAN, *name == FOREGROUND),
                None => (ORPHANS_BY_DEFAULT.contains(&storage), false),
            },
        }
    };
    let others = current
        .iter()
        .filter(|name| !matches!(**name, ORPHAN | FOREGROUND));
    let mut wanted: Vec<String> = others.map(|name| (*name).to_owned()).collect();
    wanted.extend(orphan.then(|| ORPHAN.to_owned()));
    wanted.extend(foreground.then(|| FOREGROUND.to_owned()));
    let same = wanted.len() == current.len() && wanted.iter().all(|name| current.contains(&name.as_str()));
    (!same).then_some(wanted)
}

async fn admit(call: &mut Call<'_>, options: &DeleteOptions, old: &Value) -> Result<(), StatusError> {
    let (mut nothing, options) = (Value::Null, options.to_value());
    let scope = &call.scope;
    let mut request = AdmissionRequest {
        operation: Operation::Delete,
        group: &scope.resource.group,
        version: &scope.resource.version,
        resource: &scope.resource.plural,
        subresource: scope.subresource_name(),
        kind: &scope.served.kind,
        namespace: &scope.namespace,
        name: &scope.name,
        object: &mut nothing,
        old_object: Some(old),
        user: call.user,
        dry_run: call.options.dry_run,
        options: &options,
        warnings: Vec::new(),
    };
    let mut result = call.api.admission.admit(&mut request).await;
    if result.is_ok() {
        result = call.api.admission.validate(&mut request).await;
    }
    let warnings = std::mem::take(&mut request.warnings);
    call.warnings.extend(warnings);
    result
}

/// A namespace is marked, and goes once its controller has emptied it (`registry/core/namespace/storage Delete`).
async fn remove_namespace(
    call: &mut Call<'_>,
    options: &DeleteOptions,
    live: &Arc<Entry>,
) -> Result<Option<Deleted>, StatusError> {
    let old = parsed(live);
    for (name, stated, found) in [
        ("UID", &options.uid, object::uid(&old)),
        (
            "ResourceVersion",
            &options.resource_version,
            object::resource_version(&old),
        ),
    ] {
        if let Some(stated) = stated.as_ref().filter(|stated| *stated != found) {
            let why = format!(
                "Precondition failed: {name} in precondition: {stated}, {name} in object meta: {found}"
            );
            return Err(StatusError::conflict(call.scope.about(), &call.scope.name, &why));
        }
    }
    if object::is_deleting(&old) {
        let held = old["spec"]["finalizers"]
            .as_array()
            .is_some_and(|list| !list.is_empty());
        if held {
            return Ok(Some(Deleted::Already(Object::Stored(live.clone()))));
        }
        return attempt(call, options, live).await;
    }
    admit(call, options, &old).await?;
    let mut new = (*old).clone();
    object::set(&mut new, "deletionTimestamp", identifiers::now());
    new["status"]["phase"] = "Terminating".into();
    if options.orphan_dependents.is_some() || options.propagation.is_some() {
        let orphan =
            options.orphan_dependents == Some(true) || options.propagation == Some(Propagation::Orphan);
        let foreground =
            options.orphan_dependents == Some(false) || options.propagation == Some(Propagation::Foreground);
        let others = object::finalizers(&old);
        let mut wanted: Vec<&str> = others
            .into_iter()
            .filter(|f| !matches!(*f, ORPHAN | FOREGROUND))
            .collect();
        wanted.extend(orphan.then_some(ORPHAN));
        wanted.extend(foreground.then_some(FOREGROUND));
        let wanted = if wanted.is_empty() {
            Value::Null
        } else {
            json!(wanted)
        };
        object::set(&mut new, "finalizers", wanted);
    }
    Ok(put(call, live, new).await?.map(Deleted::Pending))
}

/// A definition is marked, and goes once its objects are gone.
async fn remove_definition(
    call: &mut Call<'_>,
    options: &DeleteOptions,
    live: &Arc<Entry>,
) -> Result<Option<Deleted>, StatusError> {
    let old = parsed(live);
    if object::is_deleting(&old) {
        return attempt(call, options, live).await;
    }
    check_preconditions(call, options, &old)?;
    admit(call, options, &old).await?;
    let mut new = (*old).clone();
    custom::mark_deleted(&mut new, &identifiers::now());
    Ok(put(call, live, new).await?.map(Deleted::Pending))
}

//! Changes of objects that exist: what PUT, PATCH and the subresources have in common
//! (`apiserver/pkg/registry/generic/registry/store.go Update`).

use std::sync::Arc;

use deploy_cluster_kinds::field::{Finding, FindingKind};
use deploy_cluster_kinds::rules::{Rules, SubresourceRules};
use deploy_cluster_schema::apply::keep_times_of_no_change;
use deploy_cluster_storage::{Change as StoreChange, Entry, Expected, Write, WriteError};
use serde_json::{Value, json};

use super::create::{admit, insert, match_namespace, storage_failed, validate};
use super::ownership::deduplicate_owners;
use super::{Call, Object, parsed, requester};
use crate::status::{About, StatusError};
use crate::{custom, encode, limits, object};

/// What is done to an object. It is asked again when another writer was faster.
pub(crate) trait Change: Send + Sync {
    /// The new object, in the stored version, from the one that exists.
    fn apply(&self, call: &mut Call<'_>, live: Option<&Value>) -> Result<Value, StatusError>;

    /// The change is for the object with this uid only.
    fn uid(&self) -> Option<&str> {
        None
    }
}

/// Which parts of an object a way of writing may change, and what it checks.
#[derive(Clone, Copy)]
pub(crate) struct Strategy {
    /// Before validation: `(rules, new, old)`.
    pub prepare: fn(&Rules, &mut Value, &Value),
    /// What is wrong: `(rules, new, old, namespaced)`.
    pub check: fn(&Rules, &Value, &Value, bool) -> Vec<Finding>,
    /// The kind's own rules of a subresource, in place of both.
    pub part: Option<&'static SubresourceRules>,
    /// Where there is no object, one is created.
    pub create: bool,
    /// Without resourceVersion the object is overwritten.
    pub unconditional: bool,
}

impl Strategy {
    /// The resource itself.
    pub fn main(rules: &Rules, create: bool) -> Strategy {
        Strategy {
            prepare: |rules, new, old| (rules.prepare_update)(new, old),
            check: Rules::check_update,
            part: None,
            create: create || rules.create_on_update,
            unconditional: rules.unconditional_update,
        }
    }

    /// Its status.
    pub fn status(rules: &Rules) -> Strategy {
        Strategy {
            prepare: |rules, new, old| (rules.prepare_status)(new, old),
            check: Rules::check_status,
            part: None,
            create: false,
            unconditional: rules.unconditional_update,
        }
    }
}

/// What became of a change.
pub(crate) struct Changed {
    pub object: Object,
    pub created: bool,
}

enum Attempt {
    Done(Changed),
    /// Another writer was faster.
    Lost,
}

/// Changes the object of the call.
pub(crate) async fn change(
    call: &mut Call<'_>,
    change: &dyn Change,
    strategy: Strategy,
) -> Result<Changed, StatusError> {
    let warnings = call.warnings.len();
    for _ in 0..limits::WRITE_RETRIES {
        call.warnings.truncate(warnings);
        let live = call
            .api
            .store
            .get(&call.scope.key(&call.scope.namespace, &call.scope.name));
        let attempt = match live {
            Some(live) => replace(call, change, strategy, live).await?,
            None if strategy.create => fresh(call, change).await?,
            None => return Err(call.scope.not_found()),
        };
        if let Attempt::Done(changed) = attempt {
            return Ok(changed);
        }
    }
    Err(StatusError::new(
        500,
        "InternalError",
        "too many writers for one object",
    ))
}

async fn fresh(call: &mut Call<'_>, change: &dyn Change) -> Result<Attempt, StatusError> {
    let mut new = change.apply(call, None)?;
    if let Some(uid) = Some(object::uid(&new)).filter(|uid| !uid.is_empty()) {
        let why = format!(
            "uid mismatch: the provided object specified uid {uid}, and no existing object was found"
        );
        return Err(StatusError::conflict(call.scope.about(), &call.scope.name, &why));
    }
    // A revision says nothing about an object that is not there; only a POST with one is refused.
    object::set(&mut new, "resourceVersion", Value::Null);
    admit(call, &mut new, None).await?;
    deduplicate_owners(call, &mut new, true);
    call.authorize_create()?;
    match insert(call, new).await {
        Ok(object) => Ok(Attempt::Done(Changed {
            object,
            created: true,
        })),
        Err(error) if error.reason == "AlreadyExists" && !call.options.dry_run => Ok(Attempt::Lost),
        Err(error) => Err(error),
    }
}

async fn replace(
    call: &mut Call<'_>,
    change: &dyn Change,
    strategy: Strategy,
    live: Arc<Entry>,
) -> Result<Attempt, StatusError> {
    let old = call.scope.object(&live);
    check_uid(call, change, &old)?;
    let mut new = change.apply(call, Some(&old))?;
    admit(call, &mut new, Some(&old)).await?;
    deduplicate_owners(call, &mut new, true);
    check_revision(call, strategy, &mut new, live.revision)?;
    let reservation = call.api.reserve(call, &mut new, Some(&old))?;
    prepare(call, strategy, &mut new, &old)?;
    requester::stamp(call, &mut new);
    if call.scope.is_custom() {
        custom::check_type(&call.scope, &new)?;
    }
    let findings = call.check_change(strategy, &new, &old);
    if !findings.is_empty() {
        return Err(StatusError::invalid(
            call.scope.about_kind(),
            object::name(&new),
            &findings,
        ));
    }
    call.warnings
        .extend((call.scope.rules.update_warnings)(&new, &old));
    call.scope.tidy(&mut new);
    keep_times_of_no_change(&old, &mut new);
    validate(call, &mut new, Some(&old)).await?;
    if is_finalized(call, &new, &old) {
        return finish(call, new, live).await;
    }
    if new == *old {
        reservation.keep();
        return Ok(Attempt::Done(Changed {
            object: Object::Stored(live),
            created: false,
        }));
    }
    if call.options.dry_run {
        reservation.keep();
        return Ok(Attempt::Done(Changed {
            object: Object::Made(new),
            created: false,
        }));
    }
    let write = Write {
        key: live.key.clone(),
        expected: Expected::Revision(live.revision),
        change: StoreChange::Put(call.scope.encode(&new)),
    };
    match call.api.write(write).await {
        Ok(entry) => {
            reservation.keep();
            Ok(Attempt::Done(Changed {
                object: Object::Stored(entry),
                created: false,
            }))
        }
        Err(WriteError::Conflict { .. }) => Ok(Attempt::Lost),
        Err(error) => Err(storage_failed(&error)),
    }
}

fn check_uid(call: &Call<'_>, change: &dyn Change, old: &Value) -> Result<(), StatusError> {
    let Some(uid) = change.uid().filter(|uid| *uid != object::uid(old)) else {
        return Ok(());
    };
    let scope = &call.scope;
    let place = [etcd_folder(&scope.storage), &scope.namespace, &scope.name];
    let place: Vec<&str> = place.into_iter().filter(|part| !part.is_empty()).collect();
    let why = format!(
        "StorageError: invalid object, Code: 4, Key: /registry/{}, ResourceVersion: 0, AdditionalErrorMsg: \
         Precondition failed: UID in precondition: {uid}, UID in object meta: {}",
        place.join("/"),
        object::uid(old)
    );
    Err(StatusError::conflict(scope.about(), &scope.name, &why))
}

/// Where upstream keeps the objects of a resource below `/registry`, which some of its texts show
/// (`pkg/kubeapiserver/default_storage_factory_builder.go SpecialDefaultResourcePrefixes`).
pub(crate) fn etcd_folder(storage: &str) -> &str {
    match storage {
        "/replicationcontrollers" => "controllers",
        "/endpoints" => "services/endpoints",
        "/nodes" => "minions",
        "/services" => "services/specs",
        "networking.k8s.io/ingresses" => "ingress",
        "apiextensions.k8s.io/customresourcedefinitions" | "apiregistration.k8s.io/apiservices" => storage,
        _ => storage.rsplit('/').next().unwrap_or_default(),
    }
}

/// What upstream says of a stale resourceVersion (`registry.OptimisticLockErrorMsg`).
pub(crate) const STALE: &str =
    "the object has been modified; please apply your changes to the latest version and try again";

fn check_revision(
    call: &Call<'_>,
    strategy: Strategy,
    new: &mut Value,
    live: u64,
) -> Result<(), StatusError> {
    let scope = &call.scope;
    match object::resource_version(new) {
        "" | "0" if strategy.unconditional => {
            object::set(new, "resourceVersion", live.to_string());
            Ok(())
        }
        "" | "0" => {
            let finding = Finding {
                kind: FindingKind::Invalid,
                path: "metadata.resourceVersion".to_owned(),
                value: Some(json!(0)),
                shown: None,
                detail: "must be specified for an update".to_owned(),
            };
            let about = About::new(&scope.resource.group, &scope.resource.plural);
            Err(StatusError::invalid(about, &scope.name, &[finding]))
        }
        text => match text.parse::<u64>() {
            Ok(stated) if stated == live => Ok(()),
            Ok(_) => Err(StatusError::conflict(scope.about(), &scope.name, STALE)),
            Err(_) => {
                // Upstream's conversion error has no status of its own, hence 500.
                let shown = deploy_cluster_kinds::field::go_quote(text);
                let message = format!("strconv.ParseUint: parsing {shown}: invalid syntax");
                Err(StatusError::new(500, "", message))
            }
        },
    }
}

/// What clients may not change is set back, then the kind does its part (`registry/rest/update.go BeforeUpdate`).
fn prepare(call: &Call<'_>, strategy: Strategy, new: &mut Value, old: &Value) -> Result<(), StatusError> {
    match_namespace(&call.scope.namespace, new)?;
    object::set(new, "generation", old["metadata"]["generation"].clone());
    match (&call.scope.resource.custom, strategy.part) {
        (Some(custom), _) => custom::prepare_update(custom, call.scope.subresource_name(), new, old),
        (None, Some(part)) => (part.prepare)(new, old),
        (None, None) => (strategy.prepare)(call.scope.rules, new, old),
    }
    let metadata = &old["metadata"];
    if object::uid(new).is_empty() {
        object::set(new, "uid", metadata["uid"].clone());
    }
    object::set(new, "creationTimestamp", metadata["creationTimestamp"].clone());
    if !metadata["deletionTimestamp"].is_null() {
        object::set(new, "deletionTimestamp", metadata["deletionTimestamp"].clone());
    }
    let grace = "deletionGracePeriodSeconds";
    if !metadata[grace].is_null() && new["metadata"][grace].is_null() {
        object::set(new, grace, metadata[grace].clone());
    }
    Ok(())
}

/// The last finalizer of an object that is being deleted is gone (`ShouldDeleteDuringUpdate`).
fn is_finalized(call: &Call<'_>, new: &Value, old: &Value) -> bool {
    let grace = &old["metadata"]["deletionGracePeriodSeconds"];
    let is_namespace = &*call.scope.storage == "/namespaces";
    object::finalizers(new).is_empty()
        && object::is_deleting(old)
        && (grace.is_null() || grace == 0)
        && (!is_namespace || new["spec"]["finalizers"].as_array().is_none_or(Vec::is_empty))
}

/// The answer is the object of the request, which is nowhere any more.
async fn finish(call: &mut Call<'_>, new: Value, live: Arc<Entry>) -> Result<Attempt, StatusError> {
    if !call.options.dry_run {
        let write = Write {
            key: live.key.clone(),
            expected: Expected::Revision(live.revision),
            change: StoreChange::Delete(encode::object(&parsed(&live))),
        };
        match call.api.write(write).await {
            Ok(_) => call.api.released(&call.scope, &parsed(&live)),
            Err(WriteError::Conflict { .. }) => return Ok(Attempt::Lost),
            Err(error) => return Err(storage_failed(&error)),
        }
    }
    Ok(Attempt::Done(Changed {
        object: Object::Made(new),
        created: false,
    }))
}

//! From a request to its verb, and from its outcome to an answer.

use deploy_cluster_kinds::field::go_quote;
use deploy_cluster_kinds::names;
use deploy_cluster_schema::registry::GroupVersionKind;
use serde_json::Value;

use super::change::Changed;
use super::list::list;
use super::scale::Written;
use super::watch::{WatchRequest, watch};
use super::{
    Call, Outcome, connect, create, delete, delete_collection, get, parts, patch, pods, reviews, scale,
    update,
};
use crate::answer::Printer;
use crate::api::Inner;
use crate::custom;
use crate::decode::{self, Expected};
use crate::identity::UserInfo;
use crate::info::RequestInfo;
use crate::limits;
use crate::negotiate::{self, Output, PatchKind, body_format, patch_kind};
use crate::options::{DeleteOptions, ListOptions, Query, WriteOptions, manager_of};
use crate::patching::Patch;
use crate::request::{Body, Request, Response};
use crate::scope::Scope;
use crate::status::StatusError;
use crate::usage;

/// Resources that every use of is told to leave (`APILifecycleDeprecated` in `staging/src/k8s.io/api`).
const DEPRECATED: [(&str, &str, &str); 2] = [
    (
        "",
        "componentstatuses",
        "v1 ComponentStatus is deprecated in v1.19+",
    ),
    (
        "",
        "endpoints",
        "v1 Endpoints is deprecated in v1.33+; use discovery.k8s.io/v1 EndpointSlice",
    ),
];

/// Carries out a request for a resource.
pub(crate) async fn dispatch(
    api: &Inner,
    request: &Request,
    info: &RequestInfo,
    query: &Query,
    scope: Scope,
    user: &UserInfo,
    warnings: &mut Vec<String>,
) -> Result<Response, StatusError> {
    if !is_served(&scope, info) {
        return Err(if has_path(&scope, info) {
            StatusError::no_such_method()
        } else {
            StatusError::no_such_resource()
        });
    }
    let options = WriteOptions::default();
    let mut call = Call {
        api,
        scope,
        user,
        options,
        manager: String::new(),
        warnings: Vec::new(),
    };
    let (group, plural) = (&*call.scope.resource.group, &*call.scope.resource.plural);
    let deprecated = DEPRECATED.iter().find(|(g, p, _)| *g == group && *p == plural);
    call.warnings
        .extend(deprecated.map(|(.., warning)| (*warning).to_owned()));
    if let Some(custom) = &call.scope.resource.custom {
        call.warnings.extend(custom::deprecation(custom));
        if info.verb == "create" && custom::is_true(&custom.definition, "Terminating") {
            let mut error = StatusError::method_not_supported(call.scope.about(), &info.verb);
            error.message = "create not allowed while custom resource definition is terminating".to_owned();
            return Err(error);
        }
    }
    let result = carry_out(&mut call, request, info, query).await;
    warnings.append(&mut call.warnings);
    result
}

/// Whether the path has the method: collections are not put, objects are not posted, and what lives in namespaces is
/// neither created nor deleted across all of them.
fn is_served(scope: &Scope, info: &RequestInfo) -> bool {
    let verb = info.verb.as_str();
    if let Some(subresource) = &scope.subresource {
        return subresource.has_verb(verb);
    }
    let across = scope.resource.namespaced && scope.namespace.is_empty();
    let fits = match verb {
        "create" => info.name.is_empty() && !across,
        "deletecollection" => !across,
        "update" | "patch" | "delete" | "get" => !info.name.is_empty() && !across,
        _ => true,
    };
    fits && scope.resource.has_verb(verb)
}

/// What no name can be (`registry/generic/registry/store.go NamespaceKeyFunc`).
fn check_name(call: &Call<'_>, info: &RequestInfo) -> Result<(), StatusError> {
    if matches!(info.verb.as_str(), "list" | "watch" | "deletecollection") || info.name.is_empty() {
        return Ok(());
    }
    let wrong = names::path_segment_name(&call.scope.name, false);
    if wrong.is_empty() {
        return Ok(());
    }
    let shown = go_quote(&call.scope.name);
    Err(StatusError::bad_request(format!(
        "Name parameter invalid: {shown}: {}",
        wrong.join(";")
    )))
}

/// `endpoints/handlers/rest.go limitedReadBody`
fn check_size(request: &Request) -> Result<(), StatusError> {
    if request.body.len() > limits::BODY_BYTES {
        return Err(StatusError::too_large(&format!(
            "limit is {}",
            limits::BODY_BYTES
        )));
    }
    Ok(())
}

/// Whether there is any method for the path: reviews have no objects.
fn has_path(scope: &Scope, info: &RequestInfo) -> bool {
    let of_objects = ["get", "update", "patch", "delete"];
    info.name.is_empty()
        || scope.subresource.is_some()
        || of_objects.iter().any(|verb| scope.resource.has_verb(verb))
}

async fn carry_out(
    call: &mut Call<'_>,
    request: &Request,
    info: &RequestInfo,
    query: &Query,
) -> Result<Response, StatusError> {
    if connect::is_asked(&call.scope) {
        check_name(call, info)?;
        return connect::connect(call, request, query).await;
    }
    if !call.scope.is_custom() {
        negotiate::route(
            request.header("accept"),
            matches!(info.verb.as_str(), "list" | "watch"),
        )?;
    }
    check_name(call, info)?;
    if usage::is_asked(&call.scope) {
        return usage::answer(call, request, info, query);
    }
    let is_patch = info.verb == "patch";
    let kind = is_patch
        .then(|| patch_kind(request.header("content-type"), call.scope.is_custom()))
        .transpose()?;
    let output = Output::negotiate(request, query, true)?;
    check_size(request)?;
    let outcome = match (info.verb.as_str(), call.scope.subresource_name()) {
        ("list" | "watch", _) => {
            let options = ListOptions::parse(query, info.watch_prefix)?;
            if options.watch || info.watch_prefix {
                return stream(call, options, Printer::new(output, query)?).await;
            }
            list(call, &options).await?
        }
        ("get", "scale") => scale::get(call)?,
        ("get", "") => get(call, query).await?,
        ("get", _) if parts::strategy(&call.scope).is_some() => get(call, query).await?,
        ("create", "") if reviews::is_review(&call.scope) => {
            write_options(call, request, query, "CreateOptions", false)?;
            let object = decoded(call, request)?;
            reviews::review(call, object)?
        }
        ("create", "") if &*call.scope.storage == "/bindings" => {
            write_options(call, request, query, "CreateOptions", false)?;
            let binding = decoded(call, request)?;
            call.scope = call
                .scope
                .sibling("", "v1", "pods", crate::object::name(&binding))?;
            pods::bind(call, &binding).await?
        }
        ("create", "") => post(call, request, query).await?,
        ("create", "binding" | "eviction" | "token") => act(call, request, query).await?,
        ("update", _) => put(call, request, query).await?,
        ("patch", _) => {
            let kind = kind.unwrap_or(PatchKind::Merge);
            changed_by_patch(call, request, query, kind).await?
        }
        ("delete", "") => {
            let options = delete_options(call, request, query)?;
            delete(call, &options).await?
        }
        ("deletecollection", "") => {
            let selection = ListOptions::parse(query, false)?;
            let options = delete_options(call, request, query)?;
            delete_collection(call, &options, &selection).await?
        }
        _ => return Err(StatusError::no_such_method()),
    };
    let printer = Printer::new(output, query)?;
    let (status, body) = printer.answer(&call.scope, outcome)?;
    let headers = vec![("content-type", printer.media_type().to_owned())];
    Ok(Response {
        status,
        headers,
        body: Body::Whole(body),
    })
}

async fn stream(call: &Call<'_>, options: ListOptions, printer: Printer) -> Result<Response, StatusError> {
    let media_type = match printer.media_type() {
        "application/json" => "application/json".to_owned(),
        other => format!("{other};stream=watch"),
    };
    let body = watch(call, WatchRequest { options, printer }).await?;
    Ok(Response {
        status: 200,
        headers: vec![("content-type", media_type)],
        body,
    })
}

fn write_options(
    call: &mut Call<'_>,
    request: &Request,
    query: &Query,
    kind: &'static str,
    apply: bool,
) -> Result<(), StatusError> {
    call.options = WriteOptions::parse(query, kind, apply)?;
    call.manager = match call.options.field_manager.as_str() {
        "" => manager_of(request.header("user-agent")),
        named => named.to_owned(),
    };
    Ok(())
}

/// The body as an object of the scope's kind.
fn decoded(call: &mut Call<'_>, request: &Request) -> Result<Value, StatusError> {
    let kind = match &call.scope.subresource {
        Some(subresource) => subresource.kind.clone(),
        None => call.scope.served.clone(),
    };
    decoded_as(call, request, &kind)
}

fn decoded_as(call: &mut Call<'_>, request: &Request, kind: &GroupVersionKind) -> Result<Value, StatusError> {
    let format = body_format(request.header("content-type"))?;
    let validation = call.options.field_validation;
    let expected = Expected {
        scope: &call.scope,
        kind,
        format,
        validation,
    };
    decode::object(&expected, &request.body, &mut call.warnings)
}

async fn post(call: &mut Call<'_>, request: &Request, query: &Query) -> Result<Outcome, StatusError> {
    body_format(request.header("content-type"))?;
    write_options(call, request, query, "CreateOptions", false)?;
    let object = decoded(call, request)?;
    let object = call.scope.to_stored(object);
    let object = create(call, object).await?;
    Ok(Outcome::Object { status: 201, object })
}

/// Subresources that are posted to.
async fn act(call: &mut Call<'_>, request: &Request, query: &Query) -> Result<Outcome, StatusError> {
    body_format(request.header("content-type"))?;
    write_options(call, request, query, "CreateOptions", false)?;
    let mut object = decoded(call, request)?;
    super::create::match_namespace(&call.scope.namespace, &mut object)?;
    match call.scope.subresource_name() {
        "binding" => pods::bind(call, &object).await,
        "eviction" => pods::evict(call, &object).await,
        _ => reviews::token(call, object),
    }
}

async fn put(call: &mut Call<'_>, request: &Request, query: &Query) -> Result<Outcome, StatusError> {
    write_options(call, request, query, "UpdateOptions", false)?;
    body_format(request.header("content-type"))?;
    let object = decoded(call, request)?;
    if call.scope.subresource_name() == "scale" {
        return scale::write(call, Written::Whole(object)).await;
    }
    let strategy = parts::strategy(&call.scope).ok_or_else(StatusError::no_such_method)?;
    let object = call.scope.to_stored(object);
    let Changed { object, created } = update(call, object, strategy).await?;
    Ok(Outcome::Object {
        status: if created { 201 } else { 200 },
        object,
    })
}

async fn changed_by_patch(
    call: &mut Call<'_>,
    request: &Request,
    query: &Query,
    kind: PatchKind,
) -> Result<Outcome, StatusError> {
    write_options(call, request, query, "PatchOptions", kind == PatchKind::Apply)?;
    let written = Patch {
        kind,
        body: request.body.clone(),
        validation: call.options.field_validation,
    };
    if call.scope.subresource_name() == "scale" {
        return scale::write(call, Written::Patch(written)).await;
    }
    let strategy = parts::strategy(&call.scope).ok_or_else(StatusError::no_such_method)?;
    let Changed { object, created } = patch(call, written, strategy).await?;
    Ok(Outcome::Object {
        status: if created { 201 } else { 200 },
        object,
    })
}

/// The options of a deletion: the body, or the query where there is none.
fn delete_options(
    call: &mut Call<'_>,
    request: &Request,
    query: &Query,
) -> Result<DeleteOptions, StatusError> {
    let options = if request.body.is_empty() {
        DeleteOptions::from_query(query)?
    } else {
        let format = body_format(request.header("content-type"))?;
        let kind = GroupVersionKind::new("meta.k8s.io", "v1", "DeleteOptions");
        let object = decode::options(&call.scope.registry, &kind, format, &request.body)?;
        DeleteOptions::from_value(&object)?
    };
    call.options.dry_run = options.dry_run;
    Ok(options)
}

//! From a request to its verb, and from its outcome to an answer.

use serde_json::Value;

use super::change::{Changed, Strategy};
use super::list::list;
use super::watch::{WatchRequest, watch};
use super::{Call, Outcome, create, delete, delete_collection, get, update};
use crate::answer::Printer;
use crate::api::Inner;
use crate::decode::{self, Expected};
use crate::identity::UserInfo;
use crate::info::RequestInfo;
use crate::negotiate::{Format, Output, body_format};
use crate::options::{DeleteOptions, ListOptions, Query, WriteOptions, manager_of};
use crate::request::{Body, Request, Response};
use crate::scope::Scope;
use crate::status::StatusError;

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
    if !is_served(&scope, &info.verb) {
        return Err(StatusError::no_such_method());
    }
    let mut call = Call {
        api,
        scope,
        user,
        options: WriteOptions::default(),
        manager: String::new(),
        warnings: Vec::new(),
    };
    let result = carry_out(&mut call, request, info, query).await;
    warnings.append(&mut call.warnings);
    result
}

fn is_served(scope: &Scope, verb: &str) -> bool {
    let verb = if verb == "watch" && scope.subresource.is_none() {
        "watch"
    } else {
        verb
    };
    match &scope.subresource {
        Some(subresource) => subresource.has_verb(verb),
        None => scope.resource.has_verb(verb),
    }
}

async fn carry_out(
    call: &mut Call<'_>,
    request: &Request,
    info: &RequestInfo,
    query: &Query,
) -> Result<Response, StatusError> {
    let outcome = match info.verb.as_str() {
        "list" | "watch" => {
            let options = ListOptions::parse(query, info.watch_prefix)?;
            let printer = Printer::new(Output::negotiate(request, query, true)?, query)?;
            if options.watch {
                return stream(call, options, printer).await;
            }
            list(call, &options).await?
        }
        "get" => {
            Output::negotiate(request, query, true)?;
            get(call, query).await?
        }
        "create" => post(call, request, query).await?,
        "update" => put(call, request, query).await?,
        "delete" => {
            Output::negotiate(request, query, true)?;
            let options = delete_options(request, query)?;
            call.options.dry_run = options.dry_run;
            delete(call, &options).await?
        }
        "deletecollection" => {
            Output::negotiate(request, query, true)?;
            let selection = ListOptions::parse(query, false)?;
            let options = delete_options(request, query)?;
            call.options.dry_run = options.dry_run;
            delete_collection(call, &options, &selection).await?
        }
        _ => return Err(StatusError::no_such_method()),
    };
    let printer = Printer::new(Output::negotiate(request, query, true)?, query)?;
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

fn decoded(call: &mut Call<'_>, request: &Request, format: Format) -> Result<Value, StatusError> {
    let kind = call.scope.served.clone();
    let expected = Expected {
        scope: &call.scope,
        kind: &kind,
        format,
        validation: call.options.field_validation,
    };
    decode::object(&expected, &request.body, &mut call.warnings)
}

async fn post(call: &mut Call<'_>, request: &Request, query: &Query) -> Result<Outcome, StatusError> {
    Output::negotiate(request, query, true)?;
    let format = body_format(request.header("content-type"))?;
    write_options(call, request, query, "CreateOptions", false)?;
    let object = decoded(call, request, format)?;
    let object = call.scope.to_stored(object);
    let object = create(call, object).await?;
    Ok(Outcome::Object { status: 201, object })
}

async fn put(call: &mut Call<'_>, request: &Request, query: &Query) -> Result<Outcome, StatusError> {
    Output::negotiate(request, query, true)?;
    write_options(call, request, query, "UpdateOptions", false)?;
    let format = body_format(request.header("content-type"))?;
    let object = decoded(call, request, format)?;
    let object = call.scope.to_stored(object);
    let strategy = Strategy::main(call.scope.rules, false);
    let Changed { object, created } = update(call, object, strategy).await?;
    Ok(Outcome::Object {
        status: if created { 201 } else { 200 },
        object,
    })
}

/// The options of a deletion: the body, or the query where there is none.
fn delete_options(request: &Request, query: &Query) -> Result<DeleteOptions, StatusError> {
    if request.body.is_empty() {
        return DeleteOptions::from_query(query);
    }
    let format = body_format(request.header("content-type"))?;
    let object: Value = match format {
        Format::Json => serde_json::from_slice(&request.body)
            .map_err(|error| StatusError::new(500, "", error.to_string()))?,
        Format::Yaml => deploy_yaml::to_json(&request.body, deploy_yaml::Dialect::GoYaml11)
            .map_err(|error| StatusError::new(500, "", error.to_string()))?,
    };
    DeleteOptions::from_value(&object)
}

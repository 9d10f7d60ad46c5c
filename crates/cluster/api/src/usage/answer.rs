//! Requests for the group: the nodes or pods that the selectors choose, those of them that have been measured.

use std::sync::Arc;

use jiff::Timestamp;
use serde_json::{Value, json};

use super::objects::{Usage, cells, columns, object};
use super::{GROUP, Measures};
use crate::answer::{Printer, partial};
use crate::info::RequestInfo;
use crate::negotiate::{Output, Shape, not_acceptable};
use crate::options::{ListOptions, Query};
use crate::request::{Body, Request, Response};
use crate::scope::Scope;
use crate::status::{About, StatusError};
use crate::verbs::{Call, Selection, parsed};

/// Whether a request is for the group.
pub(crate) fn is_asked(scope: &Scope) -> bool {
    &*scope.resource.group == GROUP
}

/// Answers a request whose verb is served.
pub(crate) fn answer(
    call: &Call<'_>,
    request: &Request,
    info: &RequestInfo,
    query: &Query,
) -> Result<Response, StatusError> {
    let Some(measures) = call.api.measurer.find() else {
        return Err(StatusError::no_such_resource());
    };
    let output = Output::negotiate(request, query, true)?;
    let printer = Printer::new(output, query)?;
    let now = Timestamp::now();
    let rows = match info.verb.as_str() {
        "list" => listed(call, &*measures, &ListOptions::parse(query, false)?)?,
        _ => vec![one(call, &*measures)?],
    };
    let shown = Shown {
        scope: &call.scope,
        rows: &rows,
        is_list: info.verb == "list",
        now,
    };
    let value = shown.value(output.shape, query)?;
    Ok(Response {
        status: 200,
        headers: vec![("content-type", printer.media_type().to_owned())],
        body: Body::Whole(printer.value(&value)),
    })
}

/// A node or pod, and what it uses.
type Row = (Arc<Value>, Usage);

/// The scope of the objects that are measured.
fn measured(call: &Call<'_>) -> Result<Scope, StatusError> {
    call.scope
        .sibling("", "v1", &call.scope.resource.plural, &call.scope.name)
}

fn listed(call: &Call<'_>, measures: &dyn Measures, options: &ListOptions) -> Result<Vec<Row>, StatusError> {
    // The selectors are judged as those of the group, which knows names and namespaces only.
    let selection = Selection::new(&call.scope, options)?;
    let scope = measured(call)?;
    let listing = call
        .api
        .store
        .list(&scope.storage, selection.namespace(), None, None, None)
        .map_err(|error| StatusError::internal(&error.to_string()))?;
    let wanted = listing.entries.iter().filter(|entry| selection.matches(entry));
    let rows = wanted.filter_map(|entry| {
        let object = parsed(entry);
        let usage = usage(&call.scope, measures, &object)?;
        Some((object, usage))
    });
    Ok(rows.collect())
}

fn one(call: &Call<'_>, measures: &dyn Measures) -> Result<Row, StatusError> {
    let scope = measured(call)?;
    let (namespace, name) = (&call.scope.namespace, &call.scope.name);
    let entry = call.api.store.get(&scope.key(namespace, name));
    let object = entry
        .map(|entry| parsed(&entry))
        .ok_or_else(|| StatusError::not_found(About::new("", &call.scope.resource.plural), name))?;
    match usage(&call.scope, measures, &object) {
        Some(usage) => Ok((object, usage)),
        None => {
            let kind = call.scope.resource.kind.to_lowercase();
            let shown = if namespace.is_empty() {
                name.clone()
            } else {
                format!("{namespace}/{name}")
            };
            Err(StatusError::not_found(About::new(GROUP, &kind), &shown))
        }
    }
}

fn usage(scope: &Scope, measures: &dyn Measures, object: &Value) -> Option<Usage> {
    let name = crate::object::name(object);
    if scope.resource.namespaced {
        measures
            .pod(crate::object::namespace(object), name)
            .map(Usage::Pod)
    } else {
        measures.node(name).map(Usage::Node)
    }
}

/// The rows, and what they are to become.
struct Shown<'a> {
    scope: &'a Scope,
    rows: &'a [Row],
    is_list: bool,
    now: Timestamp,
}

impl Shown<'_> {
    fn value(&self, shape: Option<(Shape, &'static str)>, query: &Query) -> Result<Value, StatusError> {
        match shape {
            None if self.is_list => Ok(json!({
                "kind": *self.scope.resource.list_kind,
                "apiVersion": self.scope.resource.api_version(),
                "metadata": {},
                "items": self.objects(false),
            })),
            None => Ok(self.objects(true).into_iter().next().unwrap_or_default()),
            Some((Shape::Table, version)) => Ok(self.table(version, query)),
            Some((Shape::PartialList, version)) if self.is_list => Ok(json!({
                "kind": "PartialObjectMetadataList",
                "apiVersion": format!("meta.k8s.io/{version}"),
                "metadata": {},
                "items": self.objects(true).iter().map(|object| partial(object, version)).collect::<Vec<_>>(),
            })),
            Some((Shape::PartialObject, version)) if !self.is_list => {
                let object = self.objects(true).into_iter().next().unwrap_or_default();
                Ok(partial(&object, version))
            }
            Some(_) => Err(not_acceptable(
                "the requested metadata does not fit the answer".to_owned(),
            )),
        }
    }

    fn objects(&self, with_type: bool) -> Vec<Value> {
        let kind = &*self.scope.resource.kind;
        let objects = self
            .rows
            .iter()
            .map(|(of, usage)| object(of, kind, usage, self.now, with_type));
        objects.collect()
    }

    fn table(&self, version: &str, query: &Query) -> Value {
        let include = query.text("includeObject");
        let rows = self.rows.iter().zip(self.objects(true));
        let rows: Vec<Value> = rows
            .map(|((of, usage), object)| {
                let carried = match include.as_str() {
                    "None" => Value::Null,
                    "Object" => object,
                    _ => partial(&object, version),
                };
                json!({"cells": cells(of, usage), "object": carried})
            })
            .collect();
        json!({
            "kind": "Table",
            "apiVersion": format!("meta.k8s.io/{version}"),
            "metadata": {},
            "columnDefinitions": columns(rows.len()),
            "rows": rows,
        })
    }
}

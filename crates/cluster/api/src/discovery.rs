//! What is served, told to clients: `/api`, `/apis` and what is below.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use bytes::Bytes;
use deploy_cluster_schema::registry::Registry;
use deploy_cluster_schema::{discovery, openapi};
use serde_json::Value;

use crate::answer::Printer;
use crate::encode;
use crate::negotiate::{self, Output};
use crate::options::Query;
use crate::request::{Body, Request, Response};
use crate::status::StatusError;

const AGGREGATED: &str = "application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList";

/// Aggregated documents, made once for each registry: clients ask for them all the time.
#[derive(Default)]
pub(crate) struct Documents {
    made: Mutex<Made>,
}

#[derive(Default)]
struct Made {
    registry: Option<Arc<Registry>>,
    texts: HashMap<bool, (Bytes, String)>,
}

impl Documents {
    /// The text and its entity tag.
    fn aggregated(&self, registry: &Arc<Registry>, core: bool) -> (Bytes, String) {
        let mut made = self.made.lock().unwrap_or_else(PoisonError::into_inner);
        if !made
            .registry
            .as_ref()
            .is_some_and(|known| Arc::ptr_eq(known, registry))
        {
            *made = Made {
                registry: Some(registry.clone()),
                texts: HashMap::new(),
            };
        }
        let make = || {
            let document = discovery::aggregated(registry, core, "v2");
            (encode::plain(&document), discovery::etag(&document))
        };
        made.texts.entry(core).or_insert_with(make).clone()
    }
}

/// Answers a path below `/api` or `/apis`; none where it is none of discovery's.
pub(crate) fn answer(
    documents: &Documents,
    registry: &Arc<Registry>,
    request: &Request,
    path: &str,
    query: &Query,
) -> Option<Result<Response, StatusError>> {
    let parts: Vec<&str> = path.trim_matches('/').split('/').collect();
    let document = match parts.as_slice() {
        ["api"] if wants_aggregated(request) => {
            return Some(Ok(aggregated(documents, registry, request, true)));
        }
        ["apis"] if wants_aggregated(request) => {
            return Some(Ok(aggregated(documents, registry, request, false)));
        }
        ["api"] => Some(discovery::api_versions(request.header("host"))),
        ["apis"] => Some(discovery::api_group_list(registry)),
        ["api", version] => discovery::api_resource_list(registry, "", version),
        ["apis", group] => discovery::api_group(registry, group),
        ["apis", group, version] => discovery::api_resource_list(registry, group, version),
        _ => None,
    }?;
    Some(printed(request, query, &document))
}

fn printed(request: &Request, query: &Query, document: &Value) -> Result<Response, StatusError> {
    let output = Output::negotiate(request, query, false)?;
    let printer = Printer::new(output, query)?;
    let headers = vec![("content-type", printer.media_type().to_owned())];
    Ok(Response {
        status: 200,
        headers,
        body: Body::Whole(printer.value(document)),
    })
}

/// Whether the most wanted form that we have is the aggregated one.
fn wants_aggregated(request: &Request) -> bool {
    let known = negotiate::first_known(request.header("accept"), |media, parameters| {
        if media != "application/json" && media != "*/*" {
            return None;
        }
        let value = |key: &str| parameters.iter().find(|(k, _)| k == key).map(|(_, v)| v.as_str());
        match (value("g"), value("v"), value("as")) {
            (Some("apidiscovery.k8s.io"), Some("v2"), Some("APIGroupDiscoveryList")) => Some(true),
            (None, None, None) => Some(false),
            _ => None,
        }
    });
    known == Some(true)
}

fn aggregated(documents: &Documents, registry: &Arc<Registry>, request: &Request, core: bool) -> Response {
    let (text, tag) = documents.aggregated(registry, core);
    let quoted = format!("\"{tag}\"");
    let known = request
        .header("if-none-match")
        .split(',')
        .any(|known| known.trim() == quoted);
    let headers = vec![
        ("content-type", AGGREGATED.to_owned()),
        ("etag", quoted),
        ("vary", "Accept".to_owned()),
        ("cache-control", "public".to_owned()),
    ];
    if known {
        return Response {
            status: 304,
            headers,
            body: Body::Whole(Bytes::new()),
        };
    }
    Response {
        status: 200,
        headers,
        body: Body::Whole(text),
    }
}

/// Answers a path below `/openapi`; none where it is none of these.
pub(crate) fn open_api(
    registry: &Arc<Registry>,
    request: &Request,
    path: &str,
    query: &Query,
) -> Option<Response> {
    let accept = request.header("accept");
    match path {
        "/openapi/v2" => Some(version_2(registry, accept, request)),
        "/openapi/v3" => {
            let mut text = openapi::v3_index(registry).to_string();
            text.push('\n');
            Some(document("application/json", text.into(), None))
        }
        _ => Some(version_3(
            registry,
            path.strip_prefix("/openapi/v3/")?,
            accept,
            request,
            query,
        )),
    }
}

fn version_2(registry: &Arc<Registry>, accept: &str, request: &Request) -> Response {
    let made = openapi::v2(registry);
    let tag = format!("\"{}\"", made.hash);
    if is_known(request, &tag) {
        return not_modified(tag);
    }
    if accept.contains("proto-openapi.spec.v2") {
        let bytes = openapi::v2_protobuf(registry);
        return document(
            "application/com.github.proto-openapi.spec.v2.v1.0+protobuf",
            bytes.into(),
            Some(tag),
        );
    }
    document("application/json", made.json.into(), Some(tag))
}

/// A document that is asked for by its hash never changes; one with another hash has moved.
fn version_3(
    registry: &Arc<Registry>,
    name: &str,
    accept: &str,
    request: &Request,
    query: &Query,
) -> Response {
    let Some(made) = openapi::v3_document(registry, name) else {
        return Response {
            status: 404,
            headers: Vec::new(),
            body: Body::Whole(Bytes::new()),
        };
    };
    let tag = format!("\"{}\"", made.hash);
    let asked = query.first("hash");
    if asked.is_some_and(|asked| asked != made.hash) {
        let location = format!("/openapi/v3/{name}?hash={}", made.hash);
        let headers = vec![
            ("location", location),
            ("etag", tag),
            ("vary", "Accept".to_owned()),
        ];
        return Response {
            status: 301,
            headers,
            body: Body::Whole(Bytes::new()),
        };
    }
    if is_known(request, &tag) {
        return not_modified(tag);
    }
    let mut response = if accept.contains("proto-openapi.spec.v3") {
        let bytes = openapi::v3_protobuf(&made);
        document(
            "application/com.github.proto-openapi.spec.v3.v1.0+protobuf",
            bytes.into(),
            Some(tag),
        )
    } else {
        document("application/json", made.json.into(), Some(tag))
    };
    if asked.is_some() {
        response
            .headers
            .push(("cache-control", "public, immutable".to_owned()));
    }
    response
}

fn document(media_type: &str, text: Bytes, tag: Option<String>) -> Response {
    let mut headers = vec![
        ("content-type", media_type.to_owned()),
        ("vary", "Accept".to_owned()),
    ];
    headers.extend(tag.map(|tag| ("etag", tag)));
    Response {
        status: 200,
        headers,
        body: Body::Whole(text),
    }
}

fn is_known(request: &Request, tag: &str) -> bool {
    request
        .header("if-none-match")
        .split(',')
        .any(|known| known.trim() == tag)
}

fn not_modified(tag: String) -> Response {
    Response {
        status: 304,
        headers: vec![("etag", tag)],
        body: Body::Whole(Bytes::new()),
    }
}

//! What is served, told to clients: `/api`, `/apis` and what is below.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use bytes::Bytes;
use deploy_cluster_schema::discovery;
use deploy_cluster_schema::registry::Registry;
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

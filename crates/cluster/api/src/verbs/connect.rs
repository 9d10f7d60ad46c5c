//! Subresources that a node answers: logs, exec, attach, port-forward, proxies.

use std::sync::Arc;

use deploy_cluster_kinds::field::go_quote;
use serde_json::Value;

use super::{Call, parsed};
use crate::api::text;
use crate::node::{
    Ask, LogOptions, Place, StreamOptions, Target, What, address_of, container_of, is_pod_address, ports_of,
    rest_of,
};
use crate::object;
use crate::options::Query;
use crate::request::{Body, Request, Response};
use crate::scope::Scope;
use crate::status::StatusError;

/// Whether a subresource of the core group is answered by a node.
pub(crate) fn is_connect(resource: &str, subresource: &str) -> bool {
    matches!(
        (resource, subresource),
        ("pods", "attach" | "exec" | "log" | "portforward" | "proxy") | ("services" | "nodes", "proxy")
    )
}

/// Whether the scope is such a subresource.
pub(super) fn is_asked(scope: &Scope) -> bool {
    scope.resource.group.is_empty() && is_connect(&scope.resource.plural, scope.subresource_name())
}

/// What is asked, and which node answers it: the object is the pod or the node.
struct Question {
    node: String,
    object: Arc<Value>,
    what: What,
}

/// Answers a request for such a subresource.
pub(crate) async fn connect(
    call: &Call<'_>,
    request: &Request,
    query: &Query,
) -> Result<Response, StatusError> {
    let question = match &*call.scope.resource.plural {
        "services" => service_proxy(call, request)?,
        "nodes" => node_proxy(call, request)?,
        _ if call.scope.subresource_name() == "proxy" => pod_proxy(call, request)?,
        _ => stream(call, query)?,
    };
    if let What::Proxy(Target { path, .. }) | What::Node(path) = &question.what
        && path.is_empty()
    {
        return with_slash(request, question, call).await;
    }
    // Its logs are empty, as upstream's (`LogLocation`); all else has been refused.
    if question.node.is_empty() {
        return Ok(Response {
            status: 204,
            headers: Vec::new(),
            body: Body::Whole(Default::default()),
        });
    }
    ask(call, request, question).await
}

async fn ask(call: &Call<'_>, request: &Request, question: Question) -> Result<Response, StatusError> {
    let Some(node) = call.api.nodes.find(&question.node) else {
        return Err(unconnected(call, &question.node));
    };
    let asked = node.handle(Ask {
        user: call.user.clone(),
        object: question.object,
        what: question.what,
        request: request.clone(),
    });
    asked.await
}

/// A path without an end: browsers are sent to the one with a slash, so that relative links lead somewhere
/// (`proxyRedirectsforRootPath`); other methods get the root.
async fn with_slash(
    request: &Request,
    mut question: Question,
    call: &Call<'_>,
) -> Result<Response, StatusError> {
    if matches!(request.method.as_str(), "GET" | "HEAD") {
        let query = Some(&request.query).filter(|query| !query.is_empty());
        let query = query.map_or_else(String::new, |query| format!("?{query}"));
        let mut answer = text(301, "");
        answer
            .headers
            .push(("location", format!("{}/{query}", request.path)));
        return Ok(answer);
    }
    if let What::Proxy(Target { path, .. }) | What::Node(path) = &mut question.what {
        "/".clone_into(path);
    }
    ask(call, request, question).await
}

/// `pkg/kubelet/client/kubelet_client.go GetConnectionInfo`: a node that is none, or one that nobody plays here.
fn unconnected(call: &Call<'_>, node: &str) -> StatusError {
    match stored(call, "nodes", "", node) {
        Err(error) => error,
        Ok(_) => StatusError::new(
            500,
            "",
            format!(
                "the kubelet of node {} is not connected to this server",
                go_quote(node)
            ),
        ),
    }
}

/// An object of the core group.
fn stored(call: &Call<'_>, plural: &str, namespace: &str, name: &str) -> Result<Arc<Value>, StatusError> {
    let mut scope = call.scope.sibling("", "v1", plural, name)?;
    namespace.clone_into(&mut scope.namespace);
    let entry = call.api.store.get(&scope.key(namespace, name));
    entry.map(|entry| parsed(&entry)).ok_or_else(|| scope.not_found())
}

fn node_of(pod: &Value) -> String {
    pod["spec"]["nodeName"].as_str().unwrap_or_default().to_owned()
}

/// `pkg/registry/core/pod/strategy.go LogLocation, streamLocation, PortForwardLocation`
fn stream(call: &Call<'_>, query: &Query) -> Result<Question, StatusError> {
    let (scope, subresource) = (&call.scope, call.scope.subresource_name());
    let mut what = match subresource {
        "log" => What::Log(LogOptions::parse(query, &scope.name)?),
        "exec" => What::Exec(StreamOptions::parse(query)),
        "attach" => What::Attach(StreamOptions {
            command: Vec::new(),
            ..StreamOptions::parse(query)
        }),
        _ => What::PortForward(ports_of(query)?),
    };
    let object = stored(call, "pods", &scope.namespace, &scope.name)?;
    match &mut what {
        What::Log(LogOptions { container, .. })
        | What::Exec(StreamOptions { container, .. })
        | What::Attach(StreamOptions { container, .. }) => *container = container_of(&object, container)?,
        _ => {}
    }
    let node = node_of(&object);
    if node.is_empty() && subresource != "log" {
        return Err(StatusError::bad_request(format!(
            "pod {} does not have a host assigned",
            scope.name
        )));
    }
    Ok(Question { node, object, what })
}

fn place<'a>(call: &'a Call<'_>, kind: &str) -> Result<Place<'a>, StatusError> {
    let text = &call.scope.name;
    Place::parse(text)
        .ok_or_else(|| StatusError::bad_request(format!("invalid {kind} request {}", go_quote(text))))
}

/// A port's number as the URL library would have it.
fn number(port: &str) -> Result<Option<u16>, StatusError> {
    if port.is_empty() {
        return Ok(None);
    }
    port.parse()
        .map(Some)
        .map_err(|_| StatusError::bad_request(format!("invalid port {}", go_quote(port))))
}

/// `pkg/registry/core/pod/strategy.go ResourceLocation`
fn pod_proxy(call: &Call<'_>, request: &Request) -> Result<Question, StatusError> {
    let place = place(call, "pod")?;
    let object = stored(call, "pods", &call.scope.namespace, place.name)?;
    let containers = object["spec"]["containers"].as_array().into_iter().flatten();
    let first = containers
        .filter_map(|container| container["ports"][0]["containerPort"].as_u64())
        .next();
    let port = match number(place.port)? {
        None => first.and_then(|port| u16::try_from(port).ok()),
        named => named,
    };
    let host = address_of(&object).filter(|address| is_pod_address(*address));
    let host = host.ok_or_else(|| StatusError::bad_request("address not allowed"))?;
    let target = Target {
        scheme: place.scheme().to_owned(),
        host,
        port,
        path: rest_of(&request.path, true).to_owned(),
    };
    Ok(Question {
        node: node_of(&object),
        object,
        what: What::Proxy(target),
    })
}

/// `pkg/registry/core/service/storage/storage.go ResourceLocation`: the first address that is a pod's.
fn service_proxy(call: &Call<'_>, request: &Request) -> Result<Question, StatusError> {
    let place = place(call, "service")?;
    let namespace = &call.scope.namespace;
    let unavailable = |why: String| StatusError::new(503, "ServiceUnavailable", why);
    let mut port_name = place.port.to_owned();
    if let Ok(wanted) = place.port.parse::<u64>() {
        let service = stored(call, "services", namespace, place.name)?;
        let mut ports = service["spec"]["ports"].as_array().into_iter().flatten();
        let found = ports.find(|port| port["port"] == wanted).ok_or_else(|| {
            unavailable(format!(
                "no service port {wanted} found for service {}",
                go_quote(place.name)
            ))
        })?;
        port_name = found["name"].as_str().unwrap_or_default().to_owned();
    }
    let endpoints = stored(call, "endpoints", namespace, place.name)?;
    let subsets = endpoints["subsets"]
        .as_array()
        .map(Vec::as_slice)
        .unwrap_or_default();
    if subsets.is_empty() {
        return Err(unavailable(format!(
            "no endpoints available for service {}",
            go_quote(place.name)
        )));
    }
    for subset in subsets {
        let mut ports = subset["ports"].as_array().into_iter().flatten();
        let Some(port) = ports.find(|port| port["name"].as_str().unwrap_or_default() == port_name) else {
            continue;
        };
        for address in subset["addresses"].as_array().into_iter().flatten() {
            let Some((object, host)) = pod_behind(call, namespace, address) else {
                continue;
            };
            let target = Target {
                scheme: place.scheme().to_owned(),
                host,
                port: port["port"].as_u64().and_then(|port| port.try_into().ok()),
                path: rest_of(&request.path, true).to_owned(),
            };
            return Ok(Question {
                node: node_of(&object),
                object,
                what: What::Proxy(target),
            });
        }
    }
    Err(unavailable(format!(
        "no endpoints available for service {}",
        go_quote(&call.scope.name)
    )))
}

/// The pod that an address is of: endpoints that somebody has written by hand lead nowhere (`isValidAddress`).
fn pod_behind(call: &Call<'_>, namespace: &str, address: &Value) -> Option<(Arc<Value>, std::net::IpAddr)> {
    let reference = &address["targetRef"];
    if reference["kind"] != "Pod" || reference["namespace"] != *namespace {
        return None;
    }
    let pod = stored(call, "pods", namespace, reference["name"].as_str()?).ok()?;
    let host = address_of(&pod).filter(|host| is_pod_address(*host))?;
    (host.to_string() == address["ip"].as_str()?).then_some((pod, host))
}

/// `pkg/registry/core/node/strategy.go ResourceLocation`
fn node_proxy(call: &Call<'_>, request: &Request) -> Result<Question, StatusError> {
    let place = place(call, "node")?;
    let object = stored(call, "nodes", "", place.name)?;
    let kubelet = object["status"]["daemonEndpoints"]["kubeletEndpoint"]["Port"].as_u64();
    let kubelet = kubelet.filter(|port| *port > 0).unwrap_or(KUBELET_PORT);
    let path = rest_of(&request.path, false).to_owned();
    let port = number(place.port)?;
    let what = if port.is_none_or(|port| u64::from(port) == kubelet) {
        What::Node(path)
    } else {
        let addresses = object["status"]["addresses"].as_array().into_iter().flatten();
        let mut internal = addresses.filter(|address| address["type"] == "InternalIP");
        let host = internal.find_map(|address| address["address"].as_str()?.parse().ok());
        let host = host.filter(|address| is_pod_address(*address));
        let host = host.ok_or_else(|| StatusError::bad_request("address not allowed"))?;
        What::Proxy(Target {
            scheme: place.scheme().to_owned(),
            host,
            port,
            path,
        })
    };
    Ok(Question {
        node: object::name(&object).to_owned(),
        object,
        what,
    })
}

/// Where a kubelet listens that does not say so.
const KUBELET_PORT: u64 = 10250;

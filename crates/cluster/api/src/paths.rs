//! Paths that name no resource: health, version, discovery, OpenAPI.

use std::sync::atomic::Ordering;

use deploy_cluster_schema::registry::Registry;
use serde_json::{Value, json};

use crate::api::{Inner, page_not_found, text};
use crate::identity::oidc;
use crate::info::RequestInfo;
use crate::options::Query;
use crate::request::{Body, Request, Response};
use crate::status::StatusError;
use crate::{discovery, encode, metrics};

/// The Kubernetes whose API this is.
pub const KUBERNETES: &str = "v1.34.2";

/// Answers a path.
pub(crate) fn answer(
    api: &Inner,
    request: &Request,
    info: &RequestInfo,
    query: &Query,
) -> Result<Response, StatusError> {
    let path = info.path.trim_end_matches('/');
    let registry = api.registry.load_full();
    if let Some(answered) = discovery::answer(&api.documents, &registry, request, path, query) {
        return answered;
    }
    if let Some(answered) = discovery::open_api(&registry, request, path, query) {
        return Ok(answered);
    }
    match path {
        oidc::CONFIGURATION_PATH => {
            let tokens = api.authenticator.tokens();
            let text = oidc::configuration(tokens.issuer(), request.header("host"));
            Ok(public("application/json", text))
        }
        oidc::JWKS_PATH => Ok(public(
            "application/jwk-set+json",
            oidc::keys(api.authenticator.tokens().key()),
        )),
        "" => Ok(json_text(&root(&registry))),
        "/version" if !matches!(info.verb.as_str(), "get" | "head") => Err(StatusError::no_such_method()),
        "/healthz" | "/livez" | "/readyz" => Ok(health(api, path, query)),
        "/metrics" => Ok(metrics::answer(&api.metrics)),
        "/version" => Ok(json_text(&version())),
        _ => match path
            .strip_prefix("/healthz/")
            .or_else(|| path.strip_prefix("/livez/"))
        {
            Some("ping" | "log" | "etcd") => Ok(text(200, "ok")),
            _ => Ok(page_not_found()),
        },
    }
}

/// What other systems read to check our tokens.
fn public(media_type: &str, text: String) -> Response {
    let headers = vec![
        ("content-type", media_type.to_owned()),
        ("cache-control", "public, max-age=3600".to_owned()),
    ];
    Response {
        status: 200,
        headers,
        body: Body::Whole(text.into()),
    }
}

fn json_text(value: &Value) -> Response {
    Response {
        status: 200,
        headers: vec![("content-type", "application/json".to_owned())],
        body: Body::Whole(encode::indented(&encode::plain(value))),
    }
}

/// All paths, for people.
fn root(registry: &Registry) -> Value {
    let mut paths: Vec<String> = [
        "/api", "/api/v1", "/apis", "/healthz", "/livez", "/metrics", "/readyz", "/version",
    ]
    .map(str::to_owned)
    .to_vec();
    paths.extend(
        [
            "/openapi/v2",
            "/openapi/v3",
            "/.well-known/openid-configuration",
            "/openid/v1/jwks",
        ]
        .map(str::to_owned),
    );
    for group in registry.groups().iter().filter(|group| !group.name.is_empty()) {
        paths.push(format!("/apis/{}", group.name));
        paths.extend(
            group
                .versions
                .iter()
                .map(|version| format!("/apis/{}/{version}", group.name)),
        );
    }
    paths.sort_unstable();
    json!({ "paths": paths })
}

fn version() -> Value {
    json!({
        "major": "1",
        "minor": "34",
        "emulationMajor": "1",
        "emulationMinor": "34",
        "minCompatibilityMajor": "1",
        "minCompatibilityMinor": "33",
        "gitVersion": format!("{KUBERNETES}+deploy"),
        "gitCommit": "",
        "gitTreeState": "clean",
        "buildDate": "1970-01-01T00:00:00Z",
        "goVersion": "none",
        "compiler": "rustc",
        "platform": format!("{}/{}", std::env::consts::OS, go_architecture()),
    })
}

/// What Go calls this machine.
fn go_architecture() -> &'static str {
    match std::env::consts::ARCH {
        "x86_64" => "amd64",
        "aarch64" => "arm64",
        other => other,
    }
}

fn health(api: &Inner, path: &str, query: &Query) -> Response {
    let shutting_down = api.shutdown.is_cancelled();
    let mut checks = vec![("ping", true), ("log", true), ("etcd", true)];
    if path == "/readyz" {
        checks.push((
            "poststarthook/rbac/bootstrap-roles",
            api.ready.load(Ordering::Acquire),
        ));
        checks.push(("shutdown", !shutting_down));
    }
    let excluded = query.all("exclude");
    checks.retain(|(name, _)| !excluded.iter().any(|excluded| excluded == name));
    let healthy = checks.iter().all(|(_, ok)| *ok);
    if healthy && query.first("verbose").is_none() {
        return text(200, "ok");
    }
    let mut body = String::new();
    for (name, ok) in &checks {
        body.push_str(&if *ok {
            format!("[+]{name} ok\n")
        } else {
            format!("[-]{name} failed: reason withheld\n")
        });
    }
    let word = path.trim_start_matches('/');
    body.push_str(&format!(
        "{word} check {}\n",
        if healthy { "passed" } else { "failed" }
    ));
    text(if healthy { 200 } else { 500 }, body)
}

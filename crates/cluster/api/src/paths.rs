//! Paths that name no resource: health, version, discovery, OpenAPI.

use std::sync::atomic::Ordering;

use serde_json::{Value, json};

use crate::api::{Inner, page_not_found, text};
use crate::encode;
use crate::info::RequestInfo;
use crate::options::Query;
use crate::request::{Body, Request, Response};
use crate::status::StatusError;

/// The Kubernetes whose API this is.
pub const KUBERNETES: &str = "v1.34.2";

/// Answers a path.
pub(crate) fn answer(
    api: &Inner,
    _request: &Request,
    info: &RequestInfo,
    query: &Query,
) -> Result<Response, StatusError> {
    let path = info.path.trim_end_matches('/');
    match path {
        "/healthz" | "/livez" | "/readyz" => Ok(health(api, path, query)),
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

fn json_text(value: &Value) -> Response {
    Response {
        status: 200,
        headers: vec![("content-type", "application/json".to_owned())],
        body: Body::Whole(encode::indented(&encode::plain(value))),
    }
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

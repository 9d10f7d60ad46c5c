//! What monitoring systems ask: how many requests, how long they took, what the process uses, in the text format of
//! Prometheus. Names and labels are upstream's (`apiserver/pkg/endpoints/metrics/metrics.go`).

mod process;

use std::collections::HashMap;
use std::fmt::Write as _;
use std::sync::Mutex;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::{Duration, Instant};

use deploy_cluster_schema::registry::Registry;

use crate::info::RequestInfo;
use crate::limits;
use crate::paths::KUBERNETES;
use crate::request::{Body, Request};

/// Upstream's buckets, in seconds.
const BUCKETS: [f64; 23] = [
    0.005, 0.025, 0.05, 0.1, 0.2, 0.4, 0.6, 0.8, 1.0, 1.25, 1.5, 2.0, 3.0, 4.0, 5.0, 6.0, 8.0, 10.0, 15.0,
    20.0, 30.0, 45.0, 60.0,
];

/// Counts requests. Its size is bounded: labels name only what is served, and see [`limits::METRIC_SERIES`].
#[derive(Debug, Default)]
pub(crate) struct Metrics {
    /// By all labels but the code.
    series: Mutex<HashMap<String, Series>>,
    reading: AtomicI64,
    changing: AtomicI64,
}

/// Requests of one kind.
#[derive(Debug, Default)]
struct Series {
    /// By the status of the answer.
    codes: HashMap<u16, u64>,
    /// How many were as fast as each bucket, and not as the one before; the last are those slower than all.
    buckets: [u64; BUCKETS.len() + 1],
    seconds: f64,
}

/// A request that is under way.
pub(crate) struct Running<'a> {
    metrics: &'a Metrics,
    labels: String,
    mutating: bool,
    since: Instant,
}

impl Metrics {
    /// A request begins.
    pub fn begin(&self, registry: &Registry, request: &Request, info: &RequestInfo) -> Running<'_> {
        let mutating = !matches!(request.method.as_str(), "GET" | "HEAD");
        let running = Running {
            metrics: self,
            labels: labels(registry, request, info),
            mutating,
            since: Instant::now(),
        };
        running.gauge().fetch_add(1, Ordering::Relaxed);
        running
    }

    /// The whole document.
    pub fn text(&self) -> String {
        let mut text = String::new();
        let gauges = [("mutating", &self.changing), ("readOnly", &self.reading)];
        head(
            &mut text,
            "apiserver_current_inflight_requests",
            "gauge",
            "Requests that are being answered.",
        );
        for (kind, gauge) in gauges {
            let count = gauge.load(Ordering::Relaxed);
            put(
                &mut text,
                &format!("apiserver_current_inflight_requests{{request_kind=\"{kind}\"}} {count}"),
            );
        }
        self.requests(&mut text);
        head(
            &mut text,
            "kubernetes_build_info",
            "gauge",
            "Which Kubernetes this is; always 1.",
        );
        put(
            &mut text,
            &format!(
                "kubernetes_build_info{{compiler=\"rustc\",git_version=\"{KUBERNETES}+deploy\",major=\"1\",minor=\"34\"}} 1"
            ),
        );
        process::put(&mut text);
        text
    }

    fn requests(&self, text: &mut String) {
        let series = self
            .series
            .lock()
            .unwrap_or_else(std::sync::PoisonError::into_inner);
        let mut sorted: Vec<(&String, &Series)> = series.iter().collect();
        sorted.sort_unstable_by_key(|(labels, _)| *labels);
        let name = "apiserver_request_duration_seconds";
        head(
            text,
            name,
            "histogram",
            "How long answers took; a watch until it began.",
        );
        for (labels, series) in &sorted {
            let mut total = 0;
            for (place, count) in series.buckets.iter().enumerate() {
                total += count;
                let bound = BUCKETS
                    .get(place)
                    .map_or_else(|| "+Inf".to_owned(), f64::to_string);
                put(text, &format!("{name}_bucket{{{labels},le=\"{bound}\"}} {total}"));
            }
            put(text, &format!("{name}_sum{{{labels}}} {}", series.seconds));
            put(text, &format!("{name}_count{{{labels}}} {total}"));
        }
        let name = "apiserver_request_total";
        head(text, name, "counter", "How many requests were answered.");
        for (labels, series) in &sorted {
            let mut codes: Vec<_> = series.codes.iter().collect();
            codes.sort_unstable();
            for (code, count) in codes {
                put(text, &format!("{name}{{code=\"{code}\",{labels}}} {count}"));
            }
        }
    }
}

impl Running<'_> {
    fn gauge(&self) -> &AtomicI64 {
        if self.mutating {
            &self.metrics.changing
        } else {
            &self.metrics.reading
        }
    }

    /// The request has been answered.
    pub fn end(self, code: u16) {
        let took = self.since.elapsed();
        let mut series = self
            .metrics
            .series
            .lock()
            .unwrap_or_else(std::sync::PoisonError::into_inner);
        if series.len() >= limits::METRIC_SERIES && !series.contains_key(&self.labels) {
            return;
        }
        if let Some(series) = series.get_mut(&self.labels) {
            series.add(code, took);
        } else {
            series.entry(self.labels.clone()).or_default().add(code, took);
        }
    }
}

/// Also where the client has gone away.
impl Drop for Running<'_> {
    fn drop(&mut self) {
        self.gauge().fetch_sub(1, Ordering::Relaxed);
    }
}

impl Series {
    fn add(&mut self, code: u16, took: Duration) {
        let seconds = took.as_secs_f64();
        *self.codes.entry(code).or_default() += 1;
        self.seconds += seconds;
        self.buckets[BUCKETS.partition_point(|bound| *bound < seconds)] += 1;
    }
}

/// What is counted together. Names that clients make up are left out, so that they cannot fill the memory.
fn labels(registry: &Registry, request: &Request, info: &RequestInfo) -> String {
    let served = info
        .resource_request
        .then(|| registry.resource(&info.group, &info.version, &info.resource))
        .flatten();
    let Some(resource) = served else {
        let verb = known_method(&request.method);
        return format!(
            "component=\"apiserver\",dry_run=\"\",group=\"\",resource=\"\",scope=\"\",subresource=\"\",verb=\"{verb}\",version=\"\""
        );
    };
    let subresource = resource
        .subresource(&info.subresource)
        .map_or("", |subresource| &*subresource.name);
    let verb = match info.verb.as_str() {
        "create" => "POST",
        "update" => "PUT",
        "patch"
            if request
                .header("content-type")
                .starts_with("application/apply-patch") =>
        {
            "APPLY"
        }
        "patch" => "PATCH",
        "delete" => "DELETE",
        "deletecollection" => "DELETECOLLECTION",
        "list" if request.query.contains("watch=") && !request.query.contains("watch=false") => "WATCH",
        "list" => "LIST",
        "watch" => "WATCH",
        "get" => "GET",
        _ => "other",
    };
    let scope = if !info.name.is_empty() || info.verb == "create" {
        "resource"
    } else if info.namespace.is_empty() {
        "cluster"
    } else {
        "namespace"
    };
    let dry_run = if request.query.contains("dryRun=All") {
        "All"
    } else {
        ""
    };
    format!(
        "component=\"apiserver\",dry_run=\"{dry_run}\",group=\"{}\",resource=\"{}\",scope=\"{scope}\",subresource=\"{subresource}\",\
         verb=\"{verb}\",version=\"{}\"",
        resource.group, resource.plural, resource.version
    )
}

fn known_method(method: &str) -> &'static str {
    let known = ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"];
    known
        .into_iter()
        .find(|known| *known == method)
        .unwrap_or("other")
}

fn head(text: &mut String, name: &str, kind: &str, help: &str) {
    let written = write!(text, "# HELP {name} {help}\n# TYPE {name} {kind}\n");
    written.expect("a string takes all that is written");
}

fn put(text: &mut String, line: &str) {
    text.push_str(line);
    text.push('\n');
}

/// The answer of `/metrics`.
pub(crate) fn answer(metrics: &Metrics) -> crate::request::Response {
    let media_type = "text/plain; version=0.0.4; charset=utf-8; escaping=underscores";
    crate::request::Response {
        status: 200,
        headers: vec![("content-type", media_type.to_owned())],
        body: Body::Whole(metrics.text().into()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::options::Query;

    fn counted(metrics: &Metrics, method: &str, path: &str, code: u16) {
        let (path, query) = path.split_once('?').unwrap_or((path, ""));
        let request = Request {
            method: method.to_owned(),
            path: path.to_owned(),
            query: query.to_owned(),
            ..Request::default()
        };
        let info = RequestInfo::parse(method, path, &Query::parse(query)).expect("a path");
        metrics.begin(&Registry::builtin(), &request, &info).end(code);
    }

    #[test]
    fn requests_are_counted_by_what_they_do() {
        let metrics = Metrics::default();
        counted(&metrics, "GET", "/api/v1/namespaces/x/pods", 200);
        counted(&metrics, "GET", "/api/v1/namespaces/y/pods", 200);
        counted(
            &metrics,
            "PUT",
            "/api/v1/namespaces/x/pods/a/status?dryRun=All",
            409,
        );
        counted(&metrics, "GET", "/apis/made.up/v1/things", 404);
        let text = metrics.text();
        let line = |labels: &str| {
            text.lines()
                .find(|line| line.contains(labels))
                .unwrap_or_default()
        };
        let lists =
            line("total{code=\"200\",component=\"apiserver\",dry_run=\"\",group=\"\",resource=\"pods\"");
        assert!(
            lists.ends_with("scope=\"namespace\",subresource=\"\",verb=\"LIST\",version=\"v1\"} 2"),
            "{text}"
        );
        assert!(line("code=\"409\"").contains("dry_run=\"All\""), "{text}");
        assert!(line("code=\"409\"").contains("subresource=\"status\""), "{text}");
        assert!(!text.contains("made.up"), "{text}");
        assert!(line("le=\"+Inf\"").ends_with(" 1"), "{text}");
        assert!(
            text.contains("inflight_requests{request_kind=\"mutating\"} 0\n"),
            "{text}"
        );
    }
}

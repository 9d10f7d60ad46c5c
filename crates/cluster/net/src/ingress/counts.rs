//! What the ingress counts: requests, answers by code, and how long they took, for each route and version. A canary is
//! judged by these.

use std::collections::HashMap;
use std::fmt::Write as _;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use super::limits;

/// What is counted apart. All come from objects of the cluster, none from clients.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Labels {
    /// The namespace of the Ingress.
    pub namespace: Arc<str>,
    /// Its name.
    pub ingress: Arc<str>,
    /// The host of the rule, `*` for any.
    pub host: Arc<str>,
    /// The path of the rule.
    pub path: Arc<str>,
    /// The service.
    pub service: Arc<str>,
    /// The pod's `pod-template-hash`.
    pub version: Arc<str>,
}

/// All that is counted.
#[derive(Debug)]
pub struct Counts {
    series: Mutex<HashMap<Labels, Arc<Series>>>,
    /// Requests that no route has taken.
    pub unrouted: Arc<Series>,
    /// Beyond the bound.
    others: Arc<Series>,
    /// Connections of clients that are open.
    pub connections: AtomicU64,
    /// Handshakes that have failed.
    pub handshakes_failed: AtomicU64,
    /// Lines of the access log that were dropped.
    pub lines_dropped: AtomicU64,
    /// Requests that were sent again to another endpoint.
    pub retries: AtomicU64,
}

/// The requests of one route and version.
#[derive(Debug)]
pub struct Series {
    labels: Labels,
    codes: [AtomicU64; CODES.len() + 1],
    /// How many were as fast as each bucket, and not as the one before; the last are those slower than all.
    buckets: [AtomicU64; BUCKETS.len() + 1],
    nanoseconds: AtomicU64,
    received: AtomicU64,
    sent: AtomicU64,
}

/// One of the counts of a series.
type Count = fn(&Series) -> &AtomicU64;

/// Prometheus' own default buckets, in seconds.
const BUCKETS: [f64; 11] = [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0];

/// The codes that are counted apart; the others of a hundred are not of interest one by one.
const CODES: [u16; 24] = [
    101, 200, 201, 202, 204, 206, 301, 302, 303, 304, 307, 308, 400, 401, 403, 404, 405, 413, 429, 499, 500,
    502, 503, 504,
];

impl Default for Counts {
    fn default() -> Counts {
        let empty = || Labels {
            namespace: "".into(),
            ingress: "".into(),
            host: "".into(),
            path: "".into(),
            service: "".into(),
            version: "".into(),
        };
        let others = Labels {
            ingress: "(others)".into(),
            ..empty()
        };
        Counts {
            series: Mutex::default(),
            unrouted: Arc::new(Series::new(empty())),
            others: Arc::new(Series::new(others)),
            connections: AtomicU64::new(0),
            handshakes_failed: AtomicU64::new(0),
            lines_dropped: AtomicU64::new(0),
            retries: AtomicU64::new(0),
        }
    }
}

impl Counts {
    /// What counts requests with these labels.
    pub fn series(&self, labels: Labels) -> Arc<Series> {
        let mut series = self.lock();
        if let Some(known) = series.get(&labels) {
            return known.clone();
        }
        if series.len() >= limits::SERIES_MAX {
            // Versions that no route has any more make room; their counts end, as those of a process that ends.
            series.retain(|_, known| Arc::strong_count(known) > 1);
        }
        if series.len() >= limits::SERIES_MAX {
            return self.others.clone();
        }
        let new = Arc::new(Series::new(labels.clone()));
        series.insert(labels, new.clone());
        new
    }

    /// All of it, in the text format of Prometheus.
    pub fn text(&self) -> String {
        let mut all: Vec<Arc<Series>> = self.lock().values().cloned().collect();
        all.push(self.unrouted.clone());
        all.push(self.others.clone());
        all.retain(|series| series.total() > 0);
        all.sort_unstable_by(|a, b| a.labels.cmp(&b.labels));
        let mut text = String::new();
        put_requests(&mut text, &all);
        put_durations(&mut text, &all);
        let bytes: [(&str, &str, Count); 2] = [
            (
                "deploy_ingress_received_bytes_total",
                "Bytes of the bodies of requests.",
                |series| &series.received,
            ),
            (
                "deploy_ingress_sent_bytes_total",
                "Bytes of the bodies of answers.",
                |series| &series.sent,
            ),
        ];
        for (name, help, count) in bytes {
            head(&mut text, name, "counter", help);
            for series in &all {
                let value = count(series).load(Ordering::Relaxed);
                put(
                    &mut text,
                    format_args!("{name}{{{}}} {value}", Shown(&series.labels)),
                );
            }
        }
        let plain = [
            (
                "deploy_ingress_connections",
                "gauge",
                "Connections of clients.",
                &self.connections,
            ),
            (
                "deploy_ingress_tls_handshake_failures_total",
                "counter",
                "Handshakes that have failed.",
                &self.handshakes_failed,
            ),
            (
                "deploy_ingress_retries_total",
                "counter",
                "Requests that were sent again, to another endpoint or over another connection.",
                &self.retries,
            ),
            (
                "deploy_ingress_access_log_dropped_lines_total",
                "counter",
                "Lines of the access log that were dropped because the disk did not keep up.",
                &self.lines_dropped,
            ),
        ];
        for (name, kind, help, count) in plain {
            head(&mut text, name, kind, help);
            put(
                &mut text,
                format_args!("{name} {}", count.load(Ordering::Relaxed)),
            );
        }
        text
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<Labels, Arc<Series>>> {
        // Every insertion is whole: a panicked holder left it sound.
        self.series.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Series {
    fn new(labels: Labels) -> Series {
        Series {
            labels,
            codes: Default::default(),
            buckets: Default::default(),
            nanoseconds: AtomicU64::new(0),
            received: AtomicU64::new(0),
            sent: AtomicU64::new(0),
        }
    }

    /// The `pod-template-hash` whose requests these are.
    pub fn version(&self) -> &str {
        &self.labels.version
    }

    /// A request has been answered.
    pub fn add(&self, code: u16, took: Duration, received: u64, sent: u64) {
        let place = CODES.binary_search(&code).unwrap_or(CODES.len());
        self.codes[place].fetch_add(1, Ordering::Relaxed);
        let seconds = took.as_secs_f64();
        let bucket = BUCKETS.partition_point(|bound| *bound < seconds);
        self.buckets[bucket].fetch_add(1, Ordering::Relaxed);
        let nanoseconds = u64::try_from(took.as_nanos()).unwrap_or(u64::MAX);
        self.nanoseconds.fetch_add(nanoseconds, Ordering::Relaxed);
        if received > 0 {
            self.received.fetch_add(received, Ordering::Relaxed);
        }
        self.sent.fetch_add(sent, Ordering::Relaxed);
    }

    fn total(&self) -> u64 {
        self.codes.iter().map(|count| count.load(Ordering::Relaxed)).sum()
    }
}

fn put_requests(text: &mut String, all: &[Arc<Series>]) {
    let name = "deploy_ingress_requests_total";
    head(text, name, "counter", "How many requests were answered, by code.");
    for series in all {
        let names = CODES.iter().map(u16::to_string).chain(["other".to_owned()]);
        for (code, count) in names.zip(&series.codes) {
            let count = count.load(Ordering::Relaxed);
            if count > 0 {
                let labels = Shown(&series.labels);
                put(text, format_args!("{name}{{{labels},code=\"{code}\"}} {count}"));
            }
        }
    }
}

fn put_durations(text: &mut String, all: &[Arc<Series>]) {
    let name = "deploy_ingress_request_duration_seconds";
    head(
        text,
        name,
        "histogram",
        "How long requests took, from their head to the end of the answer.",
    );
    for series in all {
        let labels = Shown(&series.labels);
        let mut total = 0;
        for (place, count) in series.buckets.iter().enumerate() {
            total += count.load(Ordering::Relaxed);
            let bound = BUCKETS
                .get(place)
                .map_or_else(|| "+Inf".to_owned(), f64::to_string);
            put(
                text,
                format_args!("{name}_bucket{{{labels},le=\"{bound}\"}} {total}"),
            );
        }
        let seconds = Duration::from_nanos(series.nanoseconds.load(Ordering::Relaxed)).as_secs_f64();
        put(text, format_args!("{name}_sum{{{labels}}} {seconds}"));
        put(text, format_args!("{name}_count{{{labels}}} {total}"));
    }
}

/// Labels as the text format has them.
struct Shown<'a>(&'a Labels);

impl std::fmt::Display for Shown<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let labels = self.0;
        let all = [
            ("namespace", &labels.namespace),
            ("ingress", &labels.ingress),
            ("host", &labels.host),
            ("path", &labels.path),
            ("service", &labels.service),
            ("pod_template_hash", &labels.version),
        ];
        for (place, (name, value)) in all.into_iter().enumerate() {
            let comma = if place == 0 { "" } else { "," };
            let value = value
                .replace('\\', "\\\\")
                .replace('"', "\\\"")
                .replace('\n', "\\n");
            write!(f, "{comma}{name}=\"{value}\"")?;
        }
        Ok(())
    }
}

fn head(text: &mut String, name: &str, kind: &str, help: &str) {
    let written = write!(text, "# HELP {name} {help}\n# TYPE {name} {kind}\n");
    written.expect("a string takes all that is written");
}

fn put(text: &mut String, line: std::fmt::Arguments<'_>) {
    let written = writeln!(text, "{line}");
    written.expect("a string takes all that is written");
}

#[cfg(test)]
mod tests {
    use super::*;

    fn labels(path: &str) -> Labels {
        Labels {
            namespace: "shop".into(),
            ingress: "web".into(),
            host: "shop.example".into(),
            path: path.into(),
            service: "web".into(),
            version: "abc".into(),
        }
    }

    #[test]
    fn requests_are_counted_by_route_and_code() {
        let counts = Counts::default();
        let series = counts.series(labels("/a\"b"));
        series.add(200, Duration::from_millis(3), 0, 10);
        series.add(200, Duration::from_millis(7), 5, 10);
        series.add(418, Duration::from_secs(60), 0, 0);
        assert!(Arc::ptr_eq(&series, &counts.series(labels("/a\"b"))));
        let text = counts.text();
        let all = "namespace=\"shop\",ingress=\"web\",host=\"shop.example\",path=\"/a\\\"b\",service=\"web\",pod_template_hash=\"abc\"";
        for line in [
            format!("deploy_ingress_requests_total{{{all},code=\"200\"}} 2\n"),
            format!("deploy_ingress_requests_total{{{all},code=\"other\"}} 1\n"),
            format!("deploy_ingress_request_duration_seconds_bucket{{{all},le=\"0.005\"}} 1\n"),
            format!("deploy_ingress_request_duration_seconds_bucket{{{all},le=\"0.01\"}} 2\n"),
            format!("deploy_ingress_request_duration_seconds_bucket{{{all},le=\"+Inf\"}} 3\n"),
            format!("deploy_ingress_request_duration_seconds_sum{{{all}}} 60.01\n"),
            format!("deploy_ingress_received_bytes_total{{{all}}} 5\n"),
            format!("deploy_ingress_sent_bytes_total{{{all}}} 20\n"),
        ] {
            assert!(text.contains(&line), "{line}{text}");
        }
    }

    #[test]
    fn series_are_bounded() {
        let counts = Counts::default();
        let held: Vec<_> = (0..limits::SERIES_MAX)
            .map(|n| counts.series(labels(&n.to_string())))
            .collect();
        let beyond = counts.series(labels("beyond"));
        assert!(Arc::ptr_eq(&beyond, &counts.others));
        drop(held);
        assert!(!Arc::ptr_eq(&counts.series(labels("beyond")), &counts.others));
        assert_eq!(counts.lock().len(), 1);
    }

    #[test]
    fn codes_are_sorted() {
        assert!(CODES.is_sorted());
    }
}

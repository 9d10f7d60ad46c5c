//! Counters and histograms in the Prometheus text format.

use std::collections::BTreeMap;
use std::fmt::Write;
use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

/// Upper bounds in seconds, from an answer out of memory to the deadline of a call.
const BUCKETS: [f64; 12] = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0];

/// Everything that is counted. Labels come from fixed sets (routes, statuses, currencies of the configuration), so the
/// number of series is bounded.
#[derive(Default)]
pub struct Metrics {
    series: Mutex<Series>,
    in_flight: AtomicI64,
}

#[derive(Default)]
struct Series {
    /// By name, then by labels as they are printed.
    counters: BTreeMap<&'static str, BTreeMap<String, u64>>,
    /// Of request durations, by labels.
    histograms: BTreeMap<String, Histogram>,
}

#[derive(Default)]
struct Histogram {
    counts: [u64; BUCKETS.len()],
    count: u64,
    sum_seconds: f64,
}

/// Each counter's help.
const COUNTERS: [(&str, &str); 4] = [
    ("http_requests_total", "Requests by route, method and status."),
    ("orders_total", "Orders by currency and outcome."),
    ("payments_total", "Payments by currency and outcome."),
    ("shop_config_reloads_total", "Changes of the configuration by outcome."),
];

impl Metrics {
    /// Adds one.
    pub fn count(&self, name: &'static str, labels: &[(&str, &str)]) {
        debug_assert!(COUNTERS.iter().any(|(known, _)| *known == name), "{name} has no help");
        let mut series = self.lock();
        *series.counters.entry(name).or_default().entry(printed(labels)).or_default() += 1;
    }

    /// Notes a request that was answered.
    pub fn request(&self, route: &str, method: &str, status: u16, duration: Duration) {
        let status = status.to_string();
        self.count("http_requests_total", &[("route", route), ("method", method), ("status", &status)]);
        let seconds = duration.as_secs_f64();
        let mut series = self.lock();
        let histogram = series.histograms.entry(printed(&[("route", route)])).or_default();
        histogram.count += 1;
        histogram.sum_seconds += seconds;
        for (bound, count) in BUCKETS.iter().zip(&mut histogram.counts) {
            *count += u64::from(seconds <= *bound);
        }
    }

    /// A request began (1) or ended (-1).
    pub fn in_flight(&self, change: i64) {
        self.in_flight.fetch_add(change, Ordering::Relaxed);
    }

    /// The text format 0.0.4.
    pub fn print(&self, build: &[(&str, &str)]) -> String {
        let series = self.lock();
        let mut text = String::new();
        let mut line = |arguments: std::fmt::Arguments| {
            text.write_fmt(arguments).expect("writing to a string cannot fail");
            text.push('\n');
        };
        line(format_args!("# HELP shop_build_info What runs here.\n# TYPE shop_build_info gauge"));
        line(format_args!("shop_build_info{{{}}} 1", printed(build)));
        line(format_args!("# HELP http_requests_in_flight Requests that are being answered."));
        line(format_args!("# TYPE http_requests_in_flight gauge"));
        line(format_args!("http_requests_in_flight {}", self.in_flight.load(Ordering::Relaxed)));
        for (name, help) in COUNTERS {
            line(format_args!("# HELP {name} {help}\n# TYPE {name} counter"));
            for (labels, value) in series.counters.get(name).into_iter().flatten() {
                line(format_args!("{name}{{{labels}}} {value}"));
            }
        }
        let name = "http_request_duration_seconds";
        line(format_args!("# HELP {name} Time to answer by route.\n# TYPE {name} histogram"));
        for (labels, histogram) in &series.histograms {
            for (bound, count) in BUCKETS.iter().zip(histogram.counts) {
                line(format_args!("{name}_bucket{{{labels},le=\"{bound}\"}} {count}"));
            }
            line(format_args!("{name}_bucket{{{labels},le=\"+Inf\"}} {}", histogram.count));
            line(format_args!("{name}_sum{{{labels}}} {}", histogram.sum_seconds));
            line(format_args!("{name}_count{{{labels}}} {}", histogram.count));
        }
        text
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Series> {
        self.series.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn printed(labels: &[(&str, &str)]) -> String {
    let mut text = String::new();
    for (at, (name, value)) in labels.iter().enumerate() {
        if at > 0 {
            text.push(',');
        }
        let value = value.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n");
        write!(text, "{name}=\"{value}\"").expect("writing to a string cannot fail");
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn buckets_are_cumulative() {
        let metrics = Metrics::default();
        metrics.request("/checkout", "POST", 200, Duration::from_millis(3));
        metrics.request("/checkout", "POST", 502, Duration::from_secs(9));
        metrics.count("payments_total", &[("currency", "EUR"), ("outcome", "a\"b")]);
        let text = metrics.print(&[("version", "1")]);
        for line in [
            "shop_build_info{version=\"1\"} 1",
            "http_requests_total{route=\"/checkout\",method=\"POST\",status=\"502\"} 1",
            "http_request_duration_seconds_bucket{route=\"/checkout\",le=\"0.0025\"} 0",
            "http_request_duration_seconds_bucket{route=\"/checkout\",le=\"0.005\"} 1",
            "http_request_duration_seconds_bucket{route=\"/checkout\",le=\"5\"} 1",
            "http_request_duration_seconds_bucket{route=\"/checkout\",le=\"+Inf\"} 2",
            "http_request_duration_seconds_count{route=\"/checkout\"} 2",
            "payments_total{currency=\"EUR\",outcome=\"a\\\"b\"} 1",
        ] {
            assert!(text.lines().any(|found| found == line), "{line} is not in\n{text}");
        }
    }
}

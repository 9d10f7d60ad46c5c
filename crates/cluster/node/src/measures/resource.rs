//! `/metrics/resource`: what the scheduler's and the autoscalers' metrics are made of
//! (`pkg/kubelet/metrics/collectors/resource_metrics.go`).

use deploy_sandbox::Usage;
use jiff::Timestamp;

use super::exposition::{Exposition, Kind};
use super::sample::{Container, Machine, Pod, Sample, stamp};

/// The text of a sample.
pub fn text(sample: &Sample) -> String {
    let mut out = Exposition::default();
    node(&mut out, &sample.machine, sample.at);
    for one in &sample.pods {
        for of in &one.containers {
            container(&mut out, one, of);
        }
        if let Some(used) = &one.used {
            pod(&mut out, one, used);
        }
    }
    let help = "[STABLE] 1 if there was an error while getting container metrics, 0 otherwise";
    out.family("resource_scrape_error", help, Kind::Gauge)
        .add(&[], 0.0, None);
    let help = "[ALPHA] (Deprecated since 1.29.0) 1 if there was an error while getting container metrics, 0 otherwise";
    out.family("scrape_error", help, Kind::Gauge).add(&[], 0.0, None);
    out.text()
}

/// Nanoseconds as seconds, as upstream divides them.
pub(super) fn seconds(ns: u64) -> f64 {
    ns as f64 / 1e9
}

fn node(out: &mut Exposition, machine: &Machine, at: Timestamp) {
    out.family(
        "node_cpu_usage_seconds_total",
        "[STABLE] Cumulative cpu time consumed by the node in core-seconds",
        Kind::Counter,
    )
    .add(&[], seconds(machine.cpu_ns), Some(at));
    out.family(
        "node_memory_working_set_bytes",
        "[STABLE] Current working set of the node in bytes",
        Kind::Gauge,
    )
    .add(&[], machine.working_set_bytes as f64, Some(at));
    out.family(
        "node_swap_usage_bytes",
        "[ALPHA] Current swap usage of the node in bytes. Reported only on non-windows systems",
        Kind::Gauge,
    )
    .add(&[], machine.swap_bytes as f64, Some(at));
}

fn container(out: &mut Exposition, pod: &Pod, of: &Container) {
    let labels = [
        ("container", of.name.as_str()),
        ("namespace", pod.namespace.as_str()),
        ("pod", pod.name.as_str()),
    ];
    let (used, at) = (&of.used, Some(stamp(of.used.at)));
    out.family(
        "container_cpu_usage_seconds_total",
        "[STABLE] Cumulative cpu time consumed by the container in core-seconds",
        Kind::Counter,
    )
    .add(&labels, seconds(used.cpu_ns), at);
    out.family(
        "container_memory_working_set_bytes",
        "[STABLE] Current working set of the container in bytes",
        Kind::Gauge,
    )
    .add(&labels, used.working_set_bytes as f64, at);
    out.family(
        "container_start_time_seconds",
        "[STABLE] Start time of the container since unix epoch in seconds",
        Kind::Gauge,
    )
    .add(&labels, of.started.as_millisecond() as f64 / 1e3, None);
    out.family(
        "container_swap_usage_bytes",
        "[ALPHA] Current amount of the container swap usage in bytes. Reported only on non-windows systems",
        Kind::Gauge,
    )
    .add(&labels, used.swap_bytes as f64, at);
}

fn pod(out: &mut Exposition, pod: &Pod, used: &Usage) {
    let labels = [("namespace", pod.namespace.as_str()), ("pod", pod.name.as_str())];
    let at = Some(stamp(used.at));
    out.family(
        "pod_cpu_usage_seconds_total",
        "[STABLE] Cumulative cpu time consumed by the pod in core-seconds",
        Kind::Counter,
    )
    .add(&labels, seconds(used.cpu_ns), at);
    out.family(
        "pod_memory_working_set_bytes",
        "[STABLE] Current working set of the pod in bytes",
        Kind::Gauge,
    )
    .add(&labels, used.working_set_bytes as f64, at);
    out.family(
        "pod_swap_usage_bytes",
        "[ALPHA] Current amount of the pod swap usage in bytes. Reported only on non-windows systems",
        Kind::Gauge,
    )
    .add(&labels, used.swap_bytes as f64, at);
}

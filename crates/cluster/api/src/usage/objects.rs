//! NodeMetrics, PodMetrics and their tables.

use std::time::Duration;

use jiff::Timestamp;
use serde_json::{Map, Value, json};

use super::Used;
use crate::object;

/// What one object uses.
pub(super) enum Usage {
    Node(Used),
    Pod(Vec<(String, Used)>),
}

/// The object of a node or pod. `with_type` is false in lists.
pub(super) fn object(of: &Value, kind: &str, usage: &Usage, now: Timestamp, with_type: bool) -> Value {
    let mut object = Map::new();
    if with_type {
        object.insert("kind".into(), kind.into());
        object.insert(
            "apiVersion".into(),
            format!("{}/{}", super::GROUP, super::VERSION).into(),
        );
    }
    let mut metadata = Map::new();
    metadata.insert("name".into(), object::name(of).into());
    let namespace = object::namespace(of);
    if !namespace.is_empty() {
        metadata.insert("namespace".into(), namespace.into());
    }
    // Upstream, too: when this was asked.
    metadata.insert("creationTimestamp".into(), seconds(now).into());
    let labels = &of["metadata"]["labels"];
    if labels.as_object().is_some_and(|labels| !labels.is_empty()) {
        metadata.insert("labels".into(), labels.clone());
    }
    object.insert("metadata".into(), metadata.into());
    let (at, window) = span(usage);
    object.insert(
        "timestamp".into(),
        at.map_or(Value::Null, |at| seconds(at).into()),
    );
    object.insert("window".into(), go_duration(window).into());
    match usage {
        Usage::Node(used) => {
            object.insert("usage".into(), amounts(used.cpu_nanocores, used.memory_bytes));
        }
        Usage::Pod(containers) => {
            let containers = containers.iter().map(
                |(name, used)| json!({"name": name, "usage": amounts(used.cpu_nanocores, used.memory_bytes)}),
            );
            object.insert("containers".into(), containers.collect());
        }
    }
    object.into()
}

/// The columns; without rows there are none, as upstream takes them from the first row.
pub(super) fn columns(rows: usize) -> Value {
    if rows == 0 {
        return Value::Null;
    }
    let column = |name: &str, format: &str, description: &str| {
        json!({
            "name": name, "type": "string", "format": format, "description": description, "priority": 0,
        })
    };
    json!([
        column("Name", "name", "Name of the resource"),
        column("cpu", "quantity", ""),
        column("memory", "quantity", ""),
        column("Window", "duration", ""),
    ])
}

/// The cells of a row.
pub(super) fn cells(of: &Value, usage: &Usage) -> Value {
    let (cpu, memory) = match usage {
        Usage::Node(used) => (used.cpu_nanocores, used.memory_bytes),
        Usage::Pod(containers) => containers
            .iter()
            .fold((0_u64, 0_u64), |(cpu, memory), (_, used)| {
                (
                    cpu.saturating_add(used.cpu_nanocores),
                    memory.saturating_add(used.memory_bytes),
                )
            }),
    };
    let (_, window) = span(usage);
    json!([
        object::name(of),
        cpu_text(cpu),
        memory_text(memory),
        go_duration(window)
    ])
}

/// The window of a pod is that of the container that was measured first.
fn span(usage: &Usage) -> (Option<Timestamp>, Duration) {
    match usage {
        Usage::Node(used) => (Some(used.at), used.window),
        Usage::Pod(containers) => {
            let first = containers.iter().map(|(_, used)| used).min_by_key(|used| used.at);
            first.map_or((None, Duration::ZERO), |used| (Some(used.at), used.window))
        }
    }
}

fn amounts(cpu_nanocores: u64, memory_bytes: u64) -> Value {
    json!({"cpu": cpu_text(cpu_nanocores), "memory": memory_text(memory_bytes)})
}

fn seconds(at: Timestamp) -> String {
    at.strftime("%Y-%m-%dT%H:%M:%SZ").to_string()
}

/// The canonical quantity of 10^-9 cores (`apimachinery/pkg/api/resource`, DecimalSI): no fraction, the largest suffix.
fn cpu_text(nanocores: u64) -> String {
    if nanocores == 0 {
        return "0".to_owned();
    }
    let (mut amount, mut place) = (nanocores, 0);
    let suffixes = ["n", "u", "m", "", "k", "M", "G"];
    while amount % 1000 == 0 && place + 1 < suffixes.len() {
        amount /= 1000;
        place += 1;
    }
    format!("{amount}{}", suffixes[place])
}

/// The canonical quantity of bytes (BinarySI).
fn memory_text(bytes: u64) -> String {
    if bytes < 1024 {
        return bytes.to_string();
    }
    let (mut amount, mut place) = (bytes, 0);
    let suffixes = ["", "Ki", "Mi", "Gi", "Ti", "Pi"];
    while amount % 1024 == 0 && place + 1 < suffixes.len() {
        amount /= 1024;
        place += 1;
    }
    format!("{amount}{}", suffixes[place])
}

/// As Go writes a duration; measurements are milliseconds apart.
fn go_duration(window: Duration) -> String {
    let millis = window.as_millis();
    if millis == 0 {
        return "0s".to_owned();
    }
    if millis < 1000 {
        return format!("{millis}ms");
    }
    let (minutes, rest) = (millis / 60_000, millis % 60_000);
    let mut seconds = (rest / 1000).to_string();
    if rest % 1000 != 0 {
        let fraction = format!("{:03}", rest % 1000);
        seconds = format!("{seconds}.{}", fraction.trim_end_matches('0'));
    }
    match (minutes / 60, minutes % 60) {
        (0, 0) => format!("{seconds}s"),
        (0, minutes) => format!("{minutes}m{seconds}s"),
        (hours, minutes) => format!("{hours}h{minutes}m{seconds}s"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn amounts_are_canonical() {
        let cpu = [
            (0, "0"),
            (1, "1n"),
            (123_456_789, "123456789n"),
            (1_500_000, "1500u"),
            (250_000_000, "250m"),
            (2_000_000_000, "2"),
            (12_000_000_000_000, "12k"),
        ];
        for (amount, text) in cpu {
            assert_eq!(cpu_text(amount), text);
        }
        let memory = [
            (0, "0"),
            (1000, "1000"),
            (1024, "1Ki"),
            (1025, "1025"),
            (5_242_880, "5Mi"),
            (4_096_000, "4000Ki"),
        ];
        for (amount, text) in memory {
            assert_eq!(memory_text(amount), text);
        }
    }

    #[test]
    fn windows_are_written_as_go_writes_them() {
        let cases = [
            (0, "0s"),
            (15, "15ms"),
            (15_000, "15s"),
            (15_050, "15.05s"),
            (75_003, "1m15.003s"),
            (3_600_000, "1h0m0s"),
        ];
        for (millis, text) in cases {
            assert_eq!(go_duration(Duration::from_millis(millis)), text);
        }
    }

    #[test]
    fn a_pod_has_the_window_of_the_container_that_was_measured_first() {
        let used = |second: i64, window: u64, cpu: u64| Used {
            at: Timestamp::from_second(second).unwrap(),
            window: Duration::from_secs(window),
            cpu_nanocores: cpu,
            memory_bytes: 1024,
        };
        let pod = json!({"metadata": {"name": "p", "namespace": "n", "labels": {"a": "b"}}});
        let usage = Usage::Pod(vec![
            ("late".to_owned(), used(20, 15, 1_000_000)),
            ("early".to_owned(), used(10, 14, 2_000_000)),
        ]);
        let object = object(&pod, "PodMetrics", &usage, Timestamp::UNIX_EPOCH, true);
        let expected = json!({
            "kind": "PodMetrics",
            "apiVersion": "metrics.k8s.io/v1beta1",
            "metadata": {
                "name": "p", "namespace": "n", "creationTimestamp": "1970-01-01T00:00:00Z", "labels": {"a": "b"},
            },
            "timestamp": "1970-01-01T00:00:10Z",
            "window": "14s",
            "containers": [
                {"name": "late", "usage": {"cpu": "1m", "memory": "1Ki"}},
                {"name": "early", "usage": {"cpu": "2m", "memory": "1Ki"}},
            ],
        });
        assert_eq!(object, expected);
        assert_eq!(cells(&pod, &usage), json!(["p", "3m", "2Ki", "14s"]));
    }
}

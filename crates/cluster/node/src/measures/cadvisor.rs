//! `/metrics/cadvisor`: names, labels and types of cadvisor in the kubelet (`google/cadvisor metrics/prometheus.go`,
//! `metrics/prometheus_machine.go`, `pkg/kubelet/server/server.go containerPrometheusLabelsFunc`).
//!
//! As there, the machine is the row with the id `/`, a pod has a row with its own cgroup and no container, and carries the
//! network, which its containers share. What the kernel was not asked for is left out, not reported as zero.

use deploy_sandbox::Usage;
use jiff::Timestamp;

use super::exposition::Kind::{self, Counter, Gauge};
use super::exposition::{Exposition, Rows};
use super::resource::seconds;
use super::sample::{Container, Interface, Machine, Pod, Sample, Traffic, stamp};
use crate::node_object::Facts;

/// The text of a sample, of the machine with these facts.
pub fn text(sample: &Sample, facts: &Facts) -> String {
    let mut out = Exposition::default();
    about_machine(&mut out, &sample.machine, facts);
    let root = Writer {
        out: &mut out,
        base: [("id", "/"), ("image", ""), ("name", "")],
        pod: ["", "", ""],
        at: sample.at,
    };
    root.machine(&sample.machine);
    for pod in &sample.pods {
        if let Some(used) = &pod.used {
            let writer = Writer {
                out: &mut out,
                base: [("id", &pod.cgroup), ("image", ""), ("name", "")],
                pod: ["", &pod.namespace, &pod.name],
                at: stamp(used.at),
            };
            writer.pod(pod, used);
        }
        for container in &pod.containers {
            let id = format!("{}/{}", pod.cgroup, container.id);
            let writer = Writer {
                out: &mut out,
                base: [("id", &id), ("image", &container.image), ("name", &container.id)],
                pod: [&container.name, &pod.namespace, &pod.name],
                at: stamp(container.used.at),
            };
            writer.container(container);
        }
    }
    let help = "1 if there was an error while getting container metrics, 0 otherwise";
    out.family("container_scrape_error", help, Gauge)
        .add(&[], 0.0, None);
    out.text()
}

fn about_machine(out: &mut Exposition, machine: &Machine, facts: &Facts) {
    let version = [
        ("cadvisorRevision", ""),
        ("cadvisorVersion", ""),
        ("dockerVersion", ""),
        ("kernelVersion", facts.kernel.as_str()),
        ("osVersion", facts.os_image.as_str()),
    ];
    let help = "A metric with a constant '1' value labeled by kernel version, OS version, docker version, cadvisor \
                version & cadvisor revision.";
    out.family("cadvisor_version_info", help, Gauge)
        .add(&version, 1.0, None);
    let labels = [
        ("boot_id", facts.boot_id.as_str()),
        ("machine_id", facts.machine_id.as_str()),
        ("system_uuid", facts.system_uuid.as_str()),
    ];
    let mut add = |name: &'static str, help: &'static str, value: u64| {
        out.family(name, help, Gauge).add(&labels, value as f64, None);
    };
    add(
        "machine_cpu_cores",
        "Number of logical CPU cores.",
        facts.cpus as u64,
    );
    if machine.physical_cores > 0 {
        add(
            "machine_cpu_physical_cores",
            "Number of physical CPU cores.",
            machine.physical_cores,
        );
        add("machine_cpu_sockets", "Number of CPU sockets.", machine.sockets);
    }
    add(
        "machine_memory_bytes",
        "Amount of memory installed on the machine.",
        facts.memory_bytes,
    );
    add(
        "machine_swap_bytes",
        "Amount of swap memory available on the machine.",
        machine.swap_total_bytes,
    );
}

/// Writes the rows of one cgroup.
struct Writer<'a> {
    out: &'a mut Exposition,
    base: [(&'a str, &'a str); 3],
    /// Container, namespace, pod.
    pod: [&'a str; 3],
    at: Timestamp,
}

/// Counters that the machine, pods and containers have.
struct Common {
    cpu_ns: u64,
    cpu_user_ns: u64,
    cpu_system_ns: u64,
    memory_bytes: u64,
    working_set_bytes: u64,
    rss_bytes: u64,
    cache_bytes: u64,
    mapped_file_bytes: u64,
    swap_bytes: u64,
    page_faults: u64,
    major_page_faults: u64,
    threads: u64,
    threads_max: u64,
}

impl Writer<'_> {
    fn machine(mut self, machine: &Machine) {
        self.common(&Common {
            cpu_ns: machine.cpu_ns,
            cpu_user_ns: machine.cpu_user_ns,
            cpu_system_ns: machine.cpu_system_ns,
            memory_bytes: machine.memory_bytes,
            working_set_bytes: machine.working_set_bytes,
            rss_bytes: machine.rss_bytes,
            cache_bytes: machine.cache_bytes,
            mapped_file_bytes: machine.mapped_file_bytes,
            swap_bytes: machine.swap_bytes,
            page_faults: machine.page_faults,
            major_page_faults: machine.major_page_faults,
            threads: machine.tasks,
            threads_max: machine.tasks_max,
        });
        self.network(&machine.interfaces);
        self.started(machine.booted);
    }

    fn pod(mut self, pod: &Pod, used: &Usage) {
        self.common(&common(used));
        self.counters(used);
        self.network(&pod.interfaces);
        if let Some(started) = pod.started {
            self.started(started);
        }
    }

    fn container(mut self, container: &Container) {
        self.common(&common(&container.used));
        self.counters(&container.used);
        self.started(container.started);
        self.spec(
            "container_spec_cpu_period",
            "CPU period of the container.",
            100_000.0,
        );
        if let Some(quota) = container.cpu_quota {
            self.spec(
                "container_spec_cpu_quota",
                "CPU quota of the container.",
                quota as f64,
            );
        }
        let shares = container.cpu_shares as f64;
        self.spec("container_spec_cpu_shares", "CPU share of the container.", shares);
        let limit = container.used.memory_limit_bytes.unwrap_or(0) as f64;
        self.spec(
            "container_spec_memory_limit_bytes",
            "Memory limit for the container.",
            limit,
        );
    }

    fn common(&mut self, common: &Common) {
        let mut gauge = |name, help, value: u64| self.row(name, help, Gauge, value as f64, &[]);
        gauge(
            "container_memory_usage_bytes",
            "Current memory usage in bytes, including all memory regardless of when it was accessed",
            common.memory_bytes,
        );
        gauge(
            "container_memory_working_set_bytes",
            "Current working set in bytes.",
            common.working_set_bytes,
        );
        gauge(
            "container_memory_total_inactive_file_bytes",
            "Current total inactive file in bytes.",
            common.memory_bytes.saturating_sub(common.working_set_bytes),
        );
        gauge("container_memory_rss", "Size of RSS in bytes.", common.rss_bytes);
        gauge(
            "container_memory_cache",
            "Number of bytes of page cache memory.",
            common.cache_bytes,
        );
        gauge(
            "container_memory_mapped_file",
            "Size of memory mapped files in bytes.",
            common.mapped_file_bytes,
        );
        gauge(
            "container_memory_swap",
            "Container swap usage in bytes.",
            common.swap_bytes,
        );
        gauge(
            "container_threads",
            "Number of threads running inside the container",
            common.threads,
        );
        gauge(
            "container_threads_max",
            "Maximum number of threads allowed inside the container, infinity if value is zero",
            common.threads_max,
        );
        let seen = self.at.as_second() as f64;
        self.row(
            "container_last_seen",
            "Last time a container was seen by the exporter",
            Gauge,
            seen,
            &[],
        );
        self.row(
            "container_cpu_usage_seconds_total",
            "Cumulative cpu time consumed in seconds.",
            Counter,
            seconds(common.cpu_ns),
            &[("cpu", "total")],
        );
        self.row(
            "container_cpu_user_seconds_total",
            "Cumulative user cpu time consumed in seconds.",
            Counter,
            seconds(common.cpu_user_ns),
            &[],
        );
        self.row(
            "container_cpu_system_seconds_total",
            "Cumulative system cpu time consumed in seconds.",
            Counter,
            seconds(common.cpu_system_ns),
            &[],
        );
        for (failure, value) in [
            ("pgfault", common.page_faults),
            ("pgmajfault", common.major_page_faults),
        ] {
            self.row(
                "container_memory_failures_total",
                "Cumulative count of memory allocation failures.",
                Counter,
                value as f64,
                &[("failure_type", failure), ("scope", "hierarchy")],
            );
        }
    }

    /// What only groups below the root have.
    fn counters(&mut self, used: &Usage) {
        let mut counter = |name, help, value: f64| self.row(name, help, Counter, value, &[]);
        counter(
            "container_memory_failcnt",
            "Number of memory usage hits limits",
            used.memory_failures as f64,
        );
        counter(
            "container_oom_events_total",
            "Count of out of memory events observed for the container",
            used.oom_kills as f64,
        );
        if used.cpu_periods > 0 {
            counter(
                "container_cpu_cfs_periods_total",
                "Number of elapsed enforcement period intervals.",
                used.cpu_periods as f64,
            );
            counter(
                "container_cpu_cfs_throttled_periods_total",
                "Number of throttled period intervals.",
                used.cpu_throttled_periods as f64,
            );
            counter(
                "container_cpu_cfs_throttled_seconds_total",
                "Total time duration the container has been throttled.",
                seconds(used.cpu_throttled_ns),
            );
        }
        let peak = used.memory_peak_bytes as f64;
        let help = "Maximum memory usage recorded in bytes";
        self.row("container_memory_max_usage_bytes", help, Gauge, peak, &[]);
        for device in &used.io {
            let name = super::disk::device(device.major, device.minor);
            let mut count = |family, help, value: u64| {
                self.row(family, help, Counter, value as f64, &[("device", &name)]);
            };
            count(
                "container_fs_reads_bytes_total",
                "Cumulative count of bytes read",
                device.read_bytes,
            );
            count(
                "container_fs_reads_total",
                "Cumulative count of reads completed",
                device.reads,
            );
            count(
                "container_fs_writes_bytes_total",
                "Cumulative count of bytes written",
                device.write_bytes,
            );
            count(
                "container_fs_writes_total",
                "Cumulative count of writes completed",
                device.writes,
            );
        }
    }

    fn network(&mut self, interfaces: &[Interface]) {
        type Column = (&'static str, &'static str, fn(&Traffic) -> u64);
        const RECEIVED: [Column; 4] = [
            (
                "container_network_receive_bytes_total",
                "Cumulative count of bytes received",
                |of| of.bytes,
            ),
            (
                "container_network_receive_packets_total",
                "Cumulative count of packets received",
                |of| of.packets,
            ),
            (
                "container_network_receive_packets_dropped_total",
                "Cumulative count of packets dropped while receiving",
                |of| of.dropped,
            ),
            (
                "container_network_receive_errors_total",
                "Cumulative count of errors encountered while receiving",
                |of| of.errors,
            ),
        ];
        const SENT: [Column; 4] = [
            (
                "container_network_transmit_bytes_total",
                "Cumulative count of bytes transmitted",
                |of| of.bytes,
            ),
            (
                "container_network_transmit_packets_total",
                "Cumulative count of packets transmitted",
                |of| of.packets,
            ),
            (
                "container_network_transmit_packets_dropped_total",
                "Cumulative count of packets dropped while transmitting",
                |of| of.dropped,
            ),
            (
                "container_network_transmit_errors_total",
                "Cumulative count of errors encountered while transmitting",
                |of| of.errors,
            ),
        ];
        for interface in interfaces {
            for (columns, traffic) in [(RECEIVED, interface.received), (SENT, interface.sent)] {
                for (name, help, value) in columns {
                    let value = value(&traffic) as f64;
                    self.row(name, help, Counter, value, &[("interface", &interface.name)]);
                }
            }
        }
    }

    fn started(&mut self, at: Timestamp) {
        let help = "Start time of the container since unix epoch in seconds.";
        self.spec("container_start_time_seconds", help, at.as_second() as f64);
    }

    /// What does not change carries no time.
    fn spec(&mut self, name: &'static str, help: &'static str, value: f64) {
        self.write(name, help, Gauge, &[], |rows, labels| {
            rows.add(labels, value, None);
        });
    }

    fn row(
        &mut self,
        name: &'static str,
        help: &'static str,
        kind: Kind,
        value: f64,
        extra: &[(&str, &str)],
    ) {
        let at = self.at;
        self.write(name, help, kind, extra, |rows, labels| {
            rows.add(labels, value, Some(at));
        });
    }

    /// Labels stand in their order, as Go's registry has them.
    fn write(
        &mut self,
        name: &'static str,
        help: &'static str,
        kind: Kind,
        extra: &[(&str, &str)],
        add: impl FnOnce(&mut Rows<'_>, &[(&str, &str)]),
    ) {
        let [container, namespace, pod] = self.pod;
        let pod = [("container", container), ("namespace", namespace), ("pod", pod)];
        let mut labels: Vec<(&str, &str)> = self.base.iter().chain(&pod).chain(extra).copied().collect();
        labels.sort_unstable();
        add(&mut self.out.family(name, help, kind), &labels);
    }
}

fn common(used: &Usage) -> Common {
    Common {
        cpu_ns: used.cpu_ns,
        cpu_user_ns: used.cpu_user_ns,
        cpu_system_ns: used.cpu_system_ns,
        memory_bytes: used.memory_bytes,
        working_set_bytes: used.working_set_bytes,
        rss_bytes: used.rss_bytes,
        cache_bytes: used.cache_bytes,
        mapped_file_bytes: used.mapped_file_bytes,
        swap_bytes: used.swap_bytes,
        page_faults: used.page_faults,
        major_page_faults: used.major_page_faults,
        threads: used.pids,
        threads_max: used.pids_limit.unwrap_or(0),
    }
}

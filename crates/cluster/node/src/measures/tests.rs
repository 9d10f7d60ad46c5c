//! One sample, as each of its readers sees it.

use std::time::{Duration, SystemTime};

use deploy_sandbox::{IoUsage, Usage};
use jiff::Timestamp;
use serde_json::json;

use super::rates::{Points, Rates};
use super::sample::{Container, Interface, Machine, Pod, Sample, Space, Traffic};
use super::summary::{Disks, PodDisk};
use super::{cadvisor, resource, summary};
use crate::node_object::Facts;

const START: u64 = 1_790_000_000;

fn usage(second: u64, cpu_ms: u64) -> Usage {
    Usage {
        at: SystemTime::UNIX_EPOCH + Duration::from_millis(second * 1000 + 250),
        cpu_ns: cpu_ms * 1_000_000,
        cpu_user_ns: cpu_ms * 600_000,
        cpu_system_ns: cpu_ms * 400_000,
        cpu_periods: 10,
        cpu_throttled_periods: 2,
        cpu_throttled_ns: 500_000_000,
        memory_bytes: 3_000_000,
        working_set_bytes: 2_000_000,
        rss_bytes: 1_500_000,
        cache_bytes: 1_200_000,
        mapped_file_bytes: 4096,
        swap_bytes: 0,
        memory_peak_bytes: 4_000_000,
        memory_limit_bytes: Some(64 << 20),
        memory_failures: 1,
        page_faults: 100,
        major_page_faults: 3,
        oom_kills: 0,
        pids: 4,
        pids_limit: None,
        io: vec![IoUsage {
            major: 4095,
            minor: 1,
            read_bytes: 4096,
            write_bytes: 8192,
            reads: 1,
            writes: 2,
        }],
    }
}

fn facts() -> Facts {
    Facts {
        name: "host".to_owned(),
        hostname: "host".to_owned(),
        address: [10, 0, 0, 1].into(),
        cpus: 2,
        memory_bytes: 4 << 30,
        disk_bytes: 100 << 30,
        architecture: "amd64",
        kernel: "6.1".to_owned(),
        os_image: "Debian".to_owned(),
        machine_id: "m".to_owned(),
        boot_id: "b".to_owned(),
        system_uuid: "s".to_owned(),
        kubernetes: "v1.34.2".to_owned(),
    }
}

/// So many seconds after the start.
fn sample(second: u64, cpu_ms: u64) -> Sample {
    let at = |second: u64| {
        Timestamp::from_second(i64::try_from(START + second).expect("it fits")).expect("a time")
    };
    let traffic = |bytes| Traffic {
        bytes,
        packets: 7,
        errors: 0,
        dropped: 1,
    };
    let container = Container {
        name: "main".to_owned(),
        id: "main.0".to_owned(),
        image: "docker.io/library/web:1".to_owned(),
        started: at(0),
        used: usage(START + second, cpu_ms),
        cpu_shares: 102,
        cpu_quota: Some(30_000),
        upper: None,
    };
    let pod = Pod {
        namespace: "default".to_owned(),
        name: "web".to_owned(),
        uid: "u-1".to_owned(),
        started: Some(at(0)),
        cgroup: "/kubepods/burstable/podu-1".to_owned(),
        used: Some(usage(START + second, cpu_ms + 5)),
        interfaces: vec![Interface {
            name: "eth0".to_owned(),
            received: traffic(1000),
            sent: traffic(2000),
        }],
        containers: vec![container],
    };
    Sample {
        at: at(second),
        machine: Machine {
            booted: at(0),
            cpu_ns: cpu_ms * 2_000_000,
            working_set_bytes: 1 << 30,
            ..Machine::default()
        },
        pods: vec![pod],
    }
}

#[test]
fn cadvisor_has_upstreams_names_labels_and_types() {
    let text = cadvisor::text(&sample(30, 1500), &facts());
    let base = "id=\"/kubepods/burstable/podu-1/main.0\",image=\"docker.io/library/web:1\"";
    let own = format!("container=\"main\",{base},name=\"main.0\",namespace=\"default\",pod=\"web\"");
    let whole = "container=\"\",id=\"/kubepods/burstable/podu-1\",image=\"\"";
    let stamp = (START + 30) * 1000 + 250;
    let rows = [
        format!(
            "# TYPE container_cpu_usage_seconds_total counter\ncontainer_cpu_usage_seconds_total{{container=\"\",cpu=\"total\",id=\"/\",image=\"\",name=\"\",namespace=\"\",pod=\"\"}} 3 {}\n",
            (START + 30) * 1000
        ),
        format!("container_cpu_usage_seconds_total{{container=\"main\",cpu=\"total\",{base},name=\"main.0\",namespace=\"default\",pod=\"web\"}} 1.5 {stamp}\n"),
        format!("container_memory_working_set_bytes{{{own}}} 2000000 {stamp}\n"),
        format!("container_memory_total_inactive_file_bytes{{{own}}} 1000000 {stamp}\n"),
        format!("container_cpu_cfs_throttled_seconds_total{{{own}}} 0.5 {stamp}\n"),
        format!("container_spec_cpu_quota{{{own}}} 30000\n"),
        format!("container_spec_memory_limit_bytes{{{own}}} 67108864\n"),
        format!("container_start_time_seconds{{{own}}} {START}\n"),
        format!("container_network_transmit_bytes_total{{{whole},interface=\"eth0\",name=\"\",namespace=\"default\",pod=\"web\"}} 2000 {stamp}\n"),
        format!("container_fs_writes_bytes_total{{container=\"main\",device=\"4095:1\",{base},name=\"main.0\",namespace=\"default\",pod=\"web\"}} 8192 {stamp}\n"),
        format!("container_memory_failures_total{{container=\"main\",failure_type=\"pgmajfault\",{base},name=\"main.0\",namespace=\"default\",pod=\"web\",scope=\"hierarchy\"}} 3 {stamp}\n"),
        "# TYPE machine_memory_bytes gauge\nmachine_memory_bytes{boot_id=\"b\",machine_id=\"m\",system_uuid=\"s\"} 4294967296\n".to_owned(),
    ];
    for row in rows {
        assert!(text.contains(&row), "{row}\nis not in\n{text}");
    }
    assert!(
        !text.contains("machine_cpu_sockets"),
        "what the kernel does not say is not reported"
    );
}

#[test]
fn resources_have_upstreams_names_labels_and_types() {
    let text = resource::text(&sample(30, 1500));
    let (stamp, node) = ((START + 30) * 1000 + 250, (START + 30) * 1000);
    let expected = format!(
        "# HELP container_cpu_usage_seconds_total [STABLE] Cumulative cpu time consumed by the container in core-seconds\n\
         # TYPE container_cpu_usage_seconds_total counter\n\
         container_cpu_usage_seconds_total{{container=\"main\",namespace=\"default\",pod=\"web\"}} 1.5 {stamp}\n"
    );
    assert!(text.starts_with(&expected), "{text}");
    for row in [
        format!("node_cpu_usage_seconds_total 3 {node}\n"),
        format!("node_memory_working_set_bytes 1073741824 {node}\n"),
        format!("pod_cpu_usage_seconds_total{{namespace=\"default\",pod=\"web\"}} 1.505 {stamp}\n"),
        "# TYPE scrape_error gauge\nscrape_error 0\n".to_owned(),
    ] {
        assert!(text.contains(&row), "{row}\nis not in\n{text}");
    }
}

#[test]
fn the_summary_has_rates_and_what_is_on_the_disk() {
    let mut rates = Rates::default();
    rates.store(Points::of(&sample(30, 1000)));
    rates.store(Points::of(&sample(45, 2500)));
    let space = |used| Space {
        capacity_bytes: 1 << 30,
        used_bytes: Some(used),
        inodes_used: Some(1),
        ..Space::default()
    };
    let disk = PodDisk {
        containers: [("main".to_owned(), (space(100), space(10)))].into(),
        volumes: vec![
            ("scratch".to_owned(), None, space(1)),
            ("data".to_owned(), Some("claim".to_owned()), space(1_000_000)),
        ],
    };
    let disks = Disks {
        pods: [("u-1".to_owned(), disk)].into(),
        ..Disks::default()
    };
    let sample = sample(45, 2500);
    let document = summary::document(&sample, &facts(), &rates, Some(&disks));
    let pod = &document["pods"][0];
    assert_eq!(
        pod["podRef"],
        json!({"name": "web", "namespace": "default", "uid": "u-1"})
    );
    assert_eq!(pod["containers"][0]["cpu"]["usageNanoCores"], 100_000_000);
    assert_eq!(document["node"]["cpu"]["usageNanoCores"], 200_000_000);
    assert_eq!(
        pod["containers"][0]["memory"]["availableBytes"],
        (64 << 20) - 2_000_000
    );
    assert_eq!(pod["network"]["txBytes"], 2000);
    assert_eq!(
        pod["ephemeral-storage"]["usedBytes"], 111,
        "a claim outlives the pod"
    );
    assert_eq!(
        pod["volume"][1]["pvcRef"],
        json!({"name": "claim", "namespace": "default"})
    );
    let short = summary::document(&sample, &facts(), &rates, None);
    assert!(short["pods"][0]["network"].is_null() && short["node"]["fs"].is_null());
    assert_eq!(short["pods"][0]["cpu"]["usageCoreNanoSeconds"], 2_505_000_000_u64);
}

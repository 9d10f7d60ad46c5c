//! `/stats/summary` (`k8s.io/kubelet/pkg/apis/stats/v1alpha1`, `pkg/kubelet/stats`).

use std::collections::HashMap;

use deploy_cluster_api::usage::Used;
use deploy_sandbox::Usage;
use jiff::Timestamp;
use serde_json::{Map, Value, json};

use super::rates::Rates;
use super::sample::{Container, Interface, Machine, Pod, Sample, Space, stamp};
use crate::node_object::Facts;

/// What the disks hold.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Disks {
    /// The file system of the data folder.
    pub node: Space,
    /// The images.
    pub images: Space,
    /// By uid.
    pub pods: HashMap<String, PodDisk>,
}

/// What a pod has on disk.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct PodDisk {
    /// What containers have written beside their images, and their logs, by name.
    pub containers: HashMap<String, (Space, Space)>,
    /// Name, claim, and what is in it.
    pub volumes: Vec<(String, Option<String>, Space)>,
}

/// The document. Without disks it is the short form (`?only_cpu_and_memory=true`).
pub fn document(sample: &Sample, facts: &Facts, rates: &Rates, disks: Option<&Disks>) -> Value {
    let pods = sample.pods.iter().map(|of| {
        let disk = disks.map(|disks| disks.pods.get(&of.uid).cloned().unwrap_or_default());
        pod(of, rates, sample.at, disk.as_ref())
    });
    let pods: Vec<Value> = pods.collect();
    json!({"node": node(sample, facts, rates.node(), disks), "pods": pods})
}

fn node(sample: &Sample, facts: &Facts, rate: Option<Used>, disks: Option<&Disks>) -> Value {
    let (machine, at) = (&sample.machine, sample.at);
    let mut node = Map::new();
    node.insert("nodeName".into(), facts.name.as_str().into());
    node.insert("startTime".into(), time(machine.booted));
    node.insert("cpu".into(), cpu(at, machine.cpu_ns, rate));
    node.insert(
        "memory".into(),
        json!({
            "time": time(at),
            "availableBytes": machine.available_bytes,
            "usageBytes": machine.memory_bytes,
            "workingSetBytes": machine.working_set_bytes,
            "rssBytes": machine.rss_bytes,
            "pageFaults": machine.page_faults,
            "majorPageFaults": machine.major_page_faults,
        }),
    );
    node.insert("swap".into(), machine_swap(machine, at));
    if let Some(disks) = disks {
        if let Some(network) = network(&machine.interfaces, at) {
            node.insert("network".into(), network);
        }
        node.insert("fs".into(), space(&disks.node, at));
        let images = space(&disks.images, at);
        node.insert(
            "runtime".into(),
            json!({"imageFs": images, "containerFs": images}),
        );
        let rlimit = json!({"time": time(at), "maxpid": machine.tasks_max, "curproc": machine.tasks});
        node.insert("rlimit".into(), rlimit);
    }
    node.into()
}

fn machine_swap(machine: &Machine, at: Timestamp) -> Value {
    json!({
        "time": time(at),
        "swapAvailableBytes": machine.swap_total_bytes.saturating_sub(machine.swap_bytes),
        "swapUsageBytes": machine.swap_bytes,
    })
}

fn pod(of: &Pod, rates: &Rates, at: Timestamp, disk: Option<&PodDisk>) -> Value {
    let mut pod = Map::new();
    let reference = json!({"name": of.name, "namespace": of.namespace, "uid": of.uid});
    pod.insert("podRef".into(), reference);
    pod.insert("startTime".into(), of.started.map_or(Value::Null, time));
    let known = rates.pod(&of.namespace, &of.name).unwrap_or_default();
    let containers = of.containers.iter().map(|container| {
        let rate = known.iter().find(|(name, _)| *name == container.name);
        let written = disk.map(|disk| disk.containers.get(&container.name).copied().unwrap_or_default());
        self::container(container, rate.map(|(_, used)| *used), at, written)
    });
    pod.insert("containers".into(), containers.collect());
    if let Some(used) = &of.used {
        let all = known.iter().map(|(_, used)| *used).reduce(|a, b| Used {
            cpu_nanocores: a.cpu_nanocores.saturating_add(b.cpu_nanocores),
            ..a
        });
        pod.insert("cpu".into(), cpu(stamp(used.at), used.cpu_ns, all));
        pod.insert("memory".into(), memory(used));
        pod.insert("swap".into(), swap(used));
    }
    if let Some(disk) = disk {
        if let Some(network) = network(&of.interfaces, at) {
            pod.insert("network".into(), network);
        }
        let volumes = disk.volumes.iter().map(|(name, claim, inside)| {
            let mut volume = space(inside, at);
            volume["name"] = name.as_str().into();
            if let Some(claim) = claim {
                volume["pvcRef"] = json!({"name": claim, "namespace": of.namespace});
            }
            volume
        });
        let volumes: Vec<Value> = volumes.collect();
        if !volumes.is_empty() {
            pod.insert("volume".into(), volumes.into());
        }
        pod.insert("ephemeral-storage".into(), space(&ephemeral(disk), at));
    }
    pod.into()
}

/// What goes with the pod: what its containers have written, their logs, and volumes that are nobody's claim.
fn ephemeral(disk: &PodDisk) -> Space {
    let written = disk.containers.values().flat_map(|(root, logs)| [*root, *logs]);
    let volumes = disk.volumes.iter().filter(|(_, claim, _)| claim.is_none());
    let parts: Vec<Space> = written.chain(volumes.map(|(.., inside)| *inside)).collect();
    let sum = |field: fn(&Space) -> Option<u64>| {
        let mut known = parts.iter().map(field);
        known.try_fold(0_u64, |sum, part| Some(sum.saturating_add(part?)))
    };
    Space {
        used_bytes: sum(|space| space.used_bytes),
        inodes_used: sum(|space| space.inodes_used),
        ..parts.first().copied().unwrap_or_default()
    }
}

fn container(of: &Container, rate: Option<Used>, at: Timestamp, written: Option<(Space, Space)>) -> Value {
    let mut container = json!({
        "name": of.name,
        "startTime": time(of.started),
        "cpu": cpu(stamp(of.used.at), of.used.cpu_ns, rate),
        "memory": memory(&of.used),
        "swap": swap(&of.used),
    });
    if let Some((root, logs)) = written {
        container["rootfs"] = space(&root, at);
        container["logs"] = space(&logs, at);
    }
    container
}

fn cpu(at: Timestamp, cpu_ns: u64, rate: Option<Used>) -> Value {
    let mut cpu = json!({"time": time(at), "usageCoreNanoSeconds": cpu_ns});
    if let Some(rate) = rate {
        cpu["usageNanoCores"] = rate.cpu_nanocores.into();
    }
    cpu
}

fn memory(used: &Usage) -> Value {
    let mut memory = json!({
        "time": time(stamp(used.at)),
        "usageBytes": used.memory_bytes,
        "workingSetBytes": used.working_set_bytes,
        "rssBytes": used.rss_bytes,
        "pageFaults": used.page_faults,
        "majorPageFaults": used.major_page_faults,
    });
    // Without a limit there is no such number.
    if let Some(limit) = used.memory_limit_bytes {
        memory["availableBytes"] = limit.saturating_sub(used.working_set_bytes).into();
    }
    memory
}

fn swap(used: &Usage) -> Value {
    json!({"time": time(stamp(used.at)), "swapUsageBytes": used.swap_bytes})
}

/// The link that is meant where only one is told (`pkg/kubelet/stats/helper.go defaultNetworkInterfaceName`).
const DEFAULT_LINK: &str = "eth0";

fn network(interfaces: &[Interface], at: Timestamp) -> Option<Value> {
    if interfaces.is_empty() {
        return None;
    }
    let one = |of: &Interface| {
        json!({
            "name": of.name,
            "rxBytes": of.received.bytes,
            "rxErrors": of.received.errors,
            "txBytes": of.sent.bytes,
            "txErrors": of.sent.errors,
        })
    };
    let default = interfaces.iter().find(|of| of.name == DEFAULT_LINK);
    let mut network = default.map_or_else(|| json!({"name": ""}), one);
    network["time"] = time(at);
    network["interfaces"] = interfaces.iter().map(one).collect();
    Some(network)
}

fn space(of: &Space, at: Timestamp) -> Value {
    let mut space = json!({
        "time": time(at),
        "availableBytes": of.available_bytes,
        "capacityBytes": of.capacity_bytes,
        "inodesFree": of.inodes_free,
        "inodes": of.inodes,
    });
    if let Some(bytes) = of.used_bytes {
        space["usedBytes"] = bytes.into();
    }
    if let Some(files) = of.inodes_used {
        space["inodesUsed"] = files.into();
    }
    space
}

fn time(at: Timestamp) -> Value {
    at.strftime("%Y-%m-%dT%H:%M:%SZ").to_string().into()
}

//! Node and Lease as objects (`pkg/kubelet/nodestatus/setters.go`, `pkg/kubelet/kubelet_node_status.go`).

use std::net::Ipv4Addr;

use jiff::Timestamp;
use serde_json::{Value, json};

use crate::limits;
use crate::pod::shown;

/// What a machine is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Facts {
    /// Of the Node: the host name in lower case.
    pub name: String,
    /// What the machine calls itself.
    pub hostname: String,
    /// Where pods and services reach it.
    pub address: Ipv4Addr,
    /// Cores that this process may use.
    pub cpus: usize,
    /// Bytes.
    pub memory_bytes: u64,
    /// Bytes of the file system that holds the data folder.
    pub disk_bytes: u64,
    /// As Go names it: `amd64`.
    pub architecture: &'static str,
    /// `6.1.0-1-amd64`
    pub kernel: String,
    /// `Debian GNU/Linux 12 (bookworm)`
    pub os_image: String,
    /// Of /etc/machine-id.
    pub machine_id: String,
    /// Of this boot.
    pub boot_id: String,
    /// Of the firmware, else the machine id.
    pub system_uuid: String,
    /// Of the Kubernetes that is served: `v1.34.2`.
    pub kubernetes: String,
}

/// What a machine may be short of.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Pressure {
    /// Less than [`limits::MEMORY_AVAILABLE_MIN`] is available.
    pub memory: bool,
    /// The file system of the data folder is nearly full.
    pub disk: bool,
    /// Hardly any process can be started.
    pub pids: bool,
}

/// The Node to be registered.
pub fn node(facts: &Facts, pressure: Pressure, now: Timestamp) -> Value {
    json!({
        "apiVersion": "v1",
        "kind": "Node",
        "metadata": {
            "name": facts.name,
            "labels": labels(facts),
            "annotations": {"volumes.kubernetes.io/controller-managed-attach-detach": "true"},
        },
        "spec": {},
        "status": status(facts, pressure, &Value::Null, &[], now),
    })
}

/// The labels that the node itself gives.
pub(super) fn labels(facts: &Facts) -> Value {
    json!({
        "beta.kubernetes.io/arch": facts.architecture,
        "beta.kubernetes.io/os": "linux",
        "kubernetes.io/arch": facts.architecture,
        "kubernetes.io/hostname": facts.name,
        "kubernetes.io/os": "linux",
    })
}

/// Its status, given the one that the API server has; `images` as names and bytes, the largest first.
pub fn status(
    facts: &Facts,
    pressure: Pressure,
    known: &Value,
    images: &[(Vec<String>, u64)],
    now: Timestamp,
) -> Value {
    let kibibytes = |bytes: u64| format!("{}Ki", bytes / 1024);
    let amounts = |memory: u64, disk: String| {
        json!({
            "cpu": facts.cpus.to_string(),
            "ephemeral-storage": disk,
            "hugepages-1Gi": "0",
            "hugepages-2Mi": "0",
            "memory": kibibytes(memory),
            "pods": limits::PODS_MAX.to_string(),
        })
    };
    let free_disk = facts.disk_bytes / 10 * 9;
    let free_memory = facts.memory_bytes.saturating_sub(limits::MEMORY_AVAILABLE_MIN);
    let images = images.iter().take(limits::NODE_IMAGES_MAX);
    let images: Vec<Value> = images
        .map(|(names, bytes)| json!({"names": names, "sizeBytes": bytes}))
        .collect();
    json!({
        "addresses": [
            {"type": "InternalIP", "address": facts.address.to_string()},
            {"type": "Hostname", "address": facts.hostname},
        ],
        "allocatable": amounts(free_memory, free_disk.to_string()),
        "capacity": amounts(facts.memory_bytes, kibibytes(facts.disk_bytes)),
        "conditions": conditions(pressure, &known["conditions"], now),
        "daemonEndpoints": {"kubeletEndpoint": {"Port": 0}},
        "images": images,
        "nodeInfo": {
            "architecture": facts.architecture,
            "bootID": facts.boot_id,
            "containerRuntimeVersion": format!("deploy://{}", env!("CARGO_PKG_VERSION")),
            "kernelVersion": facts.kernel,
            "kubeProxyVersion": "",
            "kubeletVersion": facts.kubernetes,
            "machineID": facts.machine_id,
            "operatingSystem": "linux",
            "osImage": facts.os_image,
            "systemUUID": facts.system_uuid,
        },
    })
}

/// Type, whether it holds, reason and message; the last one is whether pods may come.
fn held(pressure: Pressure) -> [(&'static str, bool, &'static str, &'static str); 4] {
    [
        match pressure.memory {
            false => (
                "MemoryPressure",
                false,
                "KubeletHasSufficientMemory",
                "kubelet has sufficient memory available",
            ),
            true => (
                "MemoryPressure",
                true,
                "KubeletHasInsufficientMemory",
                "kubelet has insufficient memory available",
            ),
        },
        match pressure.disk {
            false => (
                "DiskPressure",
                false,
                "KubeletHasNoDiskPressure",
                "kubelet has no disk pressure",
            ),
            true => (
                "DiskPressure",
                true,
                "KubeletHasDiskPressure",
                "kubelet has disk pressure",
            ),
        },
        match pressure.pids {
            false => (
                "PIDPressure",
                false,
                "KubeletHasSufficientPID",
                "kubelet has sufficient PID available",
            ),
            true => (
                "PIDPressure",
                true,
                "KubeletHasInsufficientPID",
                "kubelet has insufficient PID available",
            ),
        },
        ("Ready", true, "KubeletReady", "kubelet is posting ready status"),
    ]
}

fn conditions(pressure: Pressure, known: &Value, now: Timestamp) -> Value {
    let known: Vec<&Value> = known.as_array().into_iter().flatten().collect();
    let own = held(pressure);
    let is_own = |condition: &Value| own.iter().any(|(name, ..)| condition["type"] == *name);
    let others = known
        .iter()
        .filter(|condition| !is_own(condition))
        .map(|condition| Value::clone(condition));
    let mut all: Vec<Value> = others.collect();
    for (name, holds, reason, message) in own {
        let status = if holds { "True" } else { "False" };
        let same = known
            .iter()
            .find(|condition| condition["type"] == name && condition["status"] == status);
        let since = same.map(|condition| condition["lastTransitionTime"].clone());
        all.push(json!({
            "type": name,
            "status": status,
            "lastHeartbeatTime": shown(now),
            "lastTransitionTime": since.filter(Value::is_string).unwrap_or_else(|| shown(now)),
            "reason": reason,
            "message": message,
        }));
    }
    Value::Array(all)
}

/// The lease that says that the node lives, renewed at `now`.
pub fn lease(name: &str, node_uid: &str, now: Timestamp) -> Value {
    json!({
        "apiVersion": "coordination.k8s.io/v1",
        "kind": "Lease",
        "metadata": {
            "name": name,
            "namespace": "kube-node-lease",
            "ownerReferences": [{"apiVersion": "v1", "kind": "Node", "name": name, "uid": node_uid}],
        },
        "spec": {
            "holderIdentity": name,
            "leaseDurationSeconds": limits::LEASE.as_secs(),
            "renewTime": now.strftime("%Y-%m-%dT%H:%M:%S.%6fZ").to_string(),
        },
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn facts() -> Facts {
        Facts {
            name: "host".to_owned(),
            hostname: "Host".to_owned(),
            address: Ipv4Addr::new(10, 0, 0, 1),
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

    #[test]
    fn amounts_leave_room_for_the_machine() {
        let status = status(
            &facts(),
            Pressure::default(),
            &Value::Null,
            &[],
            Timestamp::UNIX_EPOCH,
        );
        assert_eq!(status["capacity"]["memory"], "4194304Ki");
        assert_eq!(status["allocatable"]["memory"], "4091904Ki");
        assert_eq!(status["allocatable"]["ephemeral-storage"], "96636764160");
        assert_eq!(status["allocatable"]["pods"], "110");
    }

    #[test]
    fn conditions_remember_since_when_they_hold() {
        let at = |second| Timestamp::from_second(second).expect("a time");
        let first = status(&facts(), Pressure::default(), &Value::Null, &[], at(0));
        let full = Pressure {
            disk: true,
            ..Pressure::default()
        };
        let second = status(&facts(), full, &first, &[], at(60));
        let told: Vec<(&str, &str, &str)> = second["conditions"]
            .as_array()
            .expect("a list")
            .iter()
            .map(|condition| {
                let text = |key: &str| condition[key].as_str().expect("a text");
                (text("type"), text("status"), text("lastTransitionTime"))
            })
            .collect();
        let (then, now) = ("1970-01-01T00:00:00Z", "1970-01-01T00:01:00Z");
        let expected = [
            ("MemoryPressure", "False", then),
            ("DiskPressure", "True", now),
            ("PIDPressure", "False", then),
            ("Ready", "True", then),
        ];
        assert_eq!(told, expected);
    }

    #[test]
    fn a_lease_is_renewed_to_the_microsecond() {
        let lease = lease("host", "u", Timestamp::UNIX_EPOCH);
        assert_eq!(lease["spec"]["renewTime"], "1970-01-01T00:00:00.000000Z");
        assert_eq!(lease["spec"]["leaseDurationSeconds"], 40);
    }
}

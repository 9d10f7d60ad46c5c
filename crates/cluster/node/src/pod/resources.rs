//! What the cgroups and the out-of-memory scores of a pod are (`pkg/kubelet/cm/helpers_linux.go`,
//! `pkg/kubelet/qos/policy.go`).

use std::path::PathBuf;

use deploy_cluster_kinds::core::pod::qos_class;
use deploy_cluster_kinds::cursor::Field;
use deploy_cluster_kinds::resources::{self, Amounts};
use serde_json::Value;

use crate::limits;

/// Microseconds.
const CPU_PERIOD: u64 = 100_000;
/// The kernel takes no less (`MinQuotaPeriod`).
const CPU_QUOTA_MIN: i64 = 1_000;
const CPU_SHARES_MIN: u64 = 2;
const CPU_SHARES_MAX: u64 = 262_144;

/// Limits of a pod or a container; `None` where there is none.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Limits {
    /// Relative weight.
    pub cpu_shares: u64,
    /// Microseconds per [`Limits::cpu_period`].
    pub cpu_quota: Option<i64>,
    /// Microseconds.
    pub cpu_period: Option<u64>,
    /// Bytes.
    pub memory: Option<i64>,
    /// Processes.
    pub pids: Option<i64>,
}

/// `Guaranteed`, `Burstable` or `BestEffort`.
pub fn class(pod: &Value) -> &'static str {
    qos_class(&Field::root(&pod["spec"]))
}

/// The cgroup of a pod, below that of the cluster.
pub fn cgroup(pod: &Value, uid: &str) -> PathBuf {
    let mut path = PathBuf::from("kubepods");
    match class(pod) {
        "Guaranteed" => {}
        "Burstable" => path.push("burstable"),
        _ => path.push("besteffort"),
    }
    path.push(format!("pod{uid}"));
    path
}

/// Limits of all containers of a pod together.
pub fn of_pod(pod: &Value) -> Limits {
    let spec = Field::root(&pod["spec"]);
    let requests = resources::of_pod(&spec, "requests");
    let limits = resources::of_pod(&spec, "limits");
    // A limit of the whole only holds where each container has one.
    let all = |name: &str| {
        let lists = [&pod["spec"]["initContainers"], &pod["spec"]["containers"]];
        let mut containers = lists.into_iter().filter_map(Value::as_array).flatten();
        containers.all(|container| !container["resources"]["limits"][name].is_null())
            || !pod["spec"]["resources"]["limits"][name].is_null()
    };
    let milli = |amounts: &Amounts, name: &str| amounts.get(name).map_or(0, |amount| amount.milli_value());
    let quota = Some(milli(&limits, "cpu")).filter(|milli| *milli > 0 && all("cpu"));
    let memory = limits.get("memory").map(|amount| amount.value());
    Limits {
        cpu_shares: match class(pod) {
            "BestEffort" => CPU_SHARES_MIN,
            _ => shares(milli(&requests, "cpu")),
        },
        cpu_quota: quota.map(quota_of),
        cpu_period: quota.map(|_| CPU_PERIOD),
        memory: memory.filter(|memory| *memory > 0 && all("memory")),
        pids: Some(limits::POD_PROCESSES_MAX),
    }
}

/// Limits of one container.
pub fn of_container(container: &Value) -> Limits {
    let amount = |which: &str, name: &str| resources::from_json(&container["resources"][which][name]);
    let milli = |which: &str| amount(which, "cpu").map(|amount| amount.milli_value());
    let quota = milli("limits").filter(|milli| *milli > 0);
    Limits {
        cpu_shares: shares(milli("requests").or(quota).unwrap_or_default()),
        cpu_quota: quota.map(quota_of),
        cpu_period: quota.map(|_| CPU_PERIOD),
        memory: amount("limits", "memory")
            .map(|amount| amount.value())
            .filter(|memory| *memory > 0),
        pids: None,
    }
}

/// Who is killed first when the machine, of so many bytes, has no memory left.
pub fn oom_score_adj(pod: &Value, container: &Value, machine_bytes: u64) -> i32 {
    let critical = pod["spec"]["priority"].as_i64().unwrap_or_default() >= 2_000_000_000;
    match class(pod) {
        _ if critical => return -997,
        "Guaranteed" => return -997,
        "BestEffort" => return 1000,
        _ => {}
    }
    let request = |container: &Value| {
        let amount = resources::from_json(&container["resources"]["requests"]["memory"]);
        amount.map_or(0, |amount| amount.value()).max(0)
    };
    let score = |bytes: i64| 1000 - i128::from(bytes) * 1000 / i128::from(machine_bytes.max(1));
    let mut found = score(request(container));
    if container["restartPolicy"] == "Always" {
        let mains = pod["spec"]["containers"].as_array().into_iter().flatten();
        let least = mains.map(request).min().unwrap_or_default();
        found = found.min(score(least));
    }
    // Never better than what is guaranteed, never as bad as what asks for nothing.
    i32::try_from(found.clamp(3, 999)).unwrap_or(999)
}

fn shares(milli: i64) -> u64 {
    let shares = u64::try_from(milli).unwrap_or_default().saturating_mul(1024) / 1000;
    shares.clamp(CPU_SHARES_MIN, CPU_SHARES_MAX)
}

fn quota_of(milli: i64) -> i64 {
    let period = i64::try_from(CPU_PERIOD).unwrap_or(i64::MAX);
    (milli.saturating_mul(period) / 1000).max(CPU_QUOTA_MIN)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn pod(resources: Value) -> Value {
        json!({"spec": {"containers": [{"name": "a", "resources": resources}]}})
    }

    #[test]
    fn classes_have_their_cgroups_and_scores() {
        let burstable = json!({"requests": {"memory": "256Mi", "cpu": "100m"}});
        let guaranteed =
            json!({"requests": {"memory": "1Gi", "cpu": "1"}, "limits": {"memory": "1Gi", "cpu": "1"}});
        for (resources, path, score) in [
            (json!({}), "kubepods/besteffort/podu", 1000),
            (burstable, "kubepods/burstable/podu", 750),
            (guaranteed, "kubepods/podu", -997),
        ] {
            let pod = pod(resources);
            assert_eq!(cgroup(&pod, "u"), PathBuf::from(path));
            assert_eq!(
                oom_score_adj(&pod, &pod["spec"]["containers"][0], 1 << 30),
                score,
                "{path}"
            );
        }
    }

    #[test]
    fn limits_are_what_the_kernel_wants() {
        let one = pod(json!({"requests": {"cpu": "250m"}, "limits": {"cpu": "500m", "memory": "64Mi"}}));
        let expected = Limits {
            cpu_shares: 256,
            cpu_quota: Some(50_000),
            cpu_period: Some(100_000),
            memory: Some(64 << 20),
            pids: None,
        };
        assert_eq!(of_container(&one["spec"]["containers"][0]), expected);
        assert_eq!(
            of_pod(&one),
            Limits {
                pids: Some(limits::POD_PROCESSES_MAX),
                ..expected
            }
        );
        let mut two = one;
        two["spec"]["containers"]
            .as_array_mut()
            .expect("a list")
            .push(json!({"name": "b"}));
        let whole = of_pod(&two);
        assert_eq!(
            (whole.cpu_quota, whole.memory),
            (None, None),
            "one of them has no limit"
        );
        assert_eq!(of_container(&json!({})).cpu_shares, 2);
        let tiny = json!({"resources": {"limits": {"cpu": "1m"}}});
        assert_eq!(of_container(&tiny).cpu_quota, Some(1_000));
    }
}

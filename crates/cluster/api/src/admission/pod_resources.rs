//! What a pod asks for in all (`component-helpers/resource/helpers.go`).

use std::collections::BTreeMap;

use deploy_cluster_kinds::quantity::Quantity;
use serde_json::Value;

use super::{items, text};

/// Amounts by the name of the resource.
pub type Amounts = BTreeMap<String, Quantity>;

/// `requests` or `limits` of a container.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Side {
    /// What it is sure to get.
    Requests,
    /// What it gets at most.
    Limits,
}

impl Side {
    fn field(self) -> &'static str {
        match self {
            Self::Requests => "requests",
            Self::Limits => "limits",
        }
    }
}

/// What a pod asks for: all containers and sidecars together, or what the largest init container needs beside the
/// sidecars that were started before it; what the pod itself states wins.
pub fn of_pod(pod: &Value, side: Side) -> Amounts {
    let spec = &pod["spec"];
    let mut total = Amounts::new();
    for container in items(&spec["containers"]) {
        add(&mut total, &of_container(container, side));
    }
    let (mut sidecars, mut largest) = (Amounts::new(), Amounts::new());
    for container in items(&spec["initContainers"]) {
        let mut own = of_container(container, side);
        if text(&container["restartPolicy"]) == "Always" {
            add(&mut total, &own);
            add(&mut sidecars, &own);
            own = sidecars.clone();
        } else {
            add(&mut own, &sidecars);
        }
        raise(&mut largest, own);
    }
    raise(&mut total, largest);
    for (name, amount) in amounts(&spec["resources"][side.field()]) {
        if matches!(name.as_str(), "cpu" | "memory") || name.starts_with("hugepages-") {
            total.insert(name, amount);
        }
    }
    total
}

/// [`of_pod`] with the overhead of its runtime class.
pub fn of_pod_with_overhead(pod: &Value, side: Side) -> Amounts {
    let mut total = of_pod(pod, side);
    let mut overhead = amounts(&pod["spec"]["overhead"]);
    if side == Side::Limits {
        overhead.retain(|name, _| total.contains_key(name));
    }
    add(&mut total, &overhead);
    total
}

/// What one container asks for.
pub fn of_container(container: &Value, side: Side) -> Amounts {
    amounts(&container["resources"][side.field()])
}

/// Reads a list of amounts; those that are malformed are left out, validation refuses them.
pub fn amounts(list: &Value) -> Amounts {
    let list = list.as_object().into_iter().flatten();
    list.filter_map(|(name, value)| Some((name.clone(), quantity(value)?)))
        .collect()
}

/// Reads an amount, which may be a number.
pub fn quantity(value: &Value) -> Option<Quantity> {
    match value {
        Value::String(text) => Quantity::parse(text).ok(),
        Value::Number(number) => Quantity::parse(&number.to_string()).ok(),
        _ => None,
    }
}

/// Adds amounts.
pub fn add(total: &mut Amounts, more: &Amounts) {
    for (name, amount) in more {
        match total.get_mut(name) {
            Some(sum) => sum.add(amount),
            None => {
                total.insert(name.clone(), amount.clone());
            }
        }
    }
}

fn raise(total: &mut Amounts, other: Amounts) {
    for (name, amount) in other {
        if total.get(&name).is_none_or(|own| *own < amount) {
            total.insert(name, amount);
        }
    }
}

/// Whether two lists say the same, however they are written.
pub(super) fn same_amounts(a: &Value, b: &Value) -> bool {
    amounts(a) == amounts(b)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_pod_asks_for_its_largest_moment() {
        let container = |cpu: &str| json!({"resources": {"requests": {"cpu": cpu}}});
        let mut sidecar = container("100m");
        sidecar["restartPolicy"] = "Always".into();
        let mut pod = json!({"spec": {
            "containers": [container("200m"), container("300m")],
            "initContainers": [container("50m"), sidecar, container("1")],
            "overhead": {"cpu": "10m", "memory": "1Mi"},
        }});
        let cpu = |amounts: Amounts| amounts["cpu"].to_string();
        assert_eq!(cpu(of_pod(&pod, Side::Requests)), "1100m");
        assert_eq!(cpu(of_pod_with_overhead(&pod, Side::Requests)), "1110m");
        assert!(of_pod_with_overhead(&pod, Side::Limits).is_empty());
        pod["spec"]["resources"] = json!({"requests": {"cpu": 2, "example.com/gpu": "1"}});
        assert_eq!(cpu(of_pod(&pod, Side::Requests)), "2");
        assert_eq!(of_pod(&pod, Side::Requests).len(), 1);
    }
}

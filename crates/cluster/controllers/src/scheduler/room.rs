//! What a node has, and what its pods have taken (`noderesources/fit.go`, `component-helpers/resource`).

use std::collections::BTreeMap;

use deploy_cluster_kinds::quantity::Quantity;
use serde_json::Value;

/// A node and what is taken of it. Amounts are thousandths of cpu, and units of everything else.
pub struct Room<'a> {
    /// The node.
    pub node: &'a Value,
    /// Pods on it that still run.
    pub pods: Vec<&'a Value>,
    allocatable: BTreeMap<String, i64>,
    taken: BTreeMap<String, i64>,
}

impl<'a> Room<'a> {
    /// An empty node.
    pub fn of(node: &'a Value) -> Room<'a> {
        let allocatable = amounts(&node["status"]["allocatable"]);
        Room {
            node,
            pods: Vec::new(),
            allocatable,
            taken: BTreeMap::new(),
        }
    }

    /// A pod goes onto the node.
    pub fn take(&mut self, pod: &'a Value) {
        for (name, amount) in requests(pod) {
            let taken = self.taken.entry(name).or_default();
            *taken = taken.saturating_add(amount);
        }
        self.pods.push(pod);
    }

    /// What a pod would need and the node lacks, and whether an empty node of this size would do.
    pub fn lacks(&self, pod: &Value) -> (Vec<String>, bool) {
        let mut missing = Vec::new();
        let mut would_fit = true;
        let places = self.allocatable.get("pods").copied().unwrap_or_default();
        if i64::try_from(self.pods.len())
            .unwrap_or(i64::MAX)
            .saturating_add(1)
            > places
        {
            missing.push("Too many pods".to_owned());
            would_fit &= places > 0;
        }
        for (name, amount) in requests(pod).into_iter().filter(|(_, amount)| *amount > 0) {
            let whole = self.allocatable.get(&name).copied().unwrap_or_default();
            let taken = self.taken.get(&name).copied().unwrap_or_default();
            if amount > whole.saturating_sub(taken) {
                missing.push(format!("Insufficient {name}"));
                would_fit &= amount <= whole;
            }
        }
        (missing, would_fit)
    }

    /// Cpu and memory that stay free with the pod on the node, each in millionths of what there is (`LeastAllocated`).
    pub fn free_with(&self, pod: &Value) -> i128 {
        let wanted = requests(pod);
        ["cpu", "memory"]
            .iter()
            .map(|name| {
                let amount =
                    |of: &BTreeMap<String, i64>| i128::from(of.get(*name).copied().unwrap_or_default());
                let whole = amount(&self.allocatable);
                let taken = amount(&self.taken) + amount(&wanted);
                if whole == 0 {
                    0
                } else {
                    (whole - taken) * 1_000_000 / whole
                }
            })
            .sum()
    }
}

/// What a pod needs: its containers together, or the largest moment of its start, whichever is more. Sidecars (init
/// containers that restart always) count with the containers, and beside every init container that follows them.
pub fn requests(pod: &Value) -> BTreeMap<String, i64> {
    let spec = &pod["spec"];
    let mut running = BTreeMap::new();
    for container in spec["containers"].as_array().into_iter().flatten() {
        add(&mut running, &amounts(&container["resources"]["requests"]));
    }
    let (mut sidecars, mut start) = (BTreeMap::new(), BTreeMap::new());
    for container in spec["initContainers"].as_array().into_iter().flatten() {
        let mut moment = amounts(&container["resources"]["requests"]);
        if container["restartPolicy"] == "Always" {
            add(&mut running, &moment);
            add(&mut sidecars, &moment);
            moment.clone_from(&sidecars);
        } else {
            add(&mut moment, &sidecars);
        }
        raise(&mut start, &moment);
    }
    raise(&mut running, &start);
    for (name, amount) in amounts(&spec["resources"]["requests"]) {
        running.insert(name, amount);
    }
    add(&mut running, &amounts(&spec["overhead"]));
    running
}

fn amounts(list: &Value) -> BTreeMap<String, i64> {
    let entries = list.as_object().into_iter().flatten();
    entries
        .filter_map(|(name, value)| {
            let text = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
            let quantity = Quantity::parse(&text).ok()?;
            let amount = if name == "cpu" {
                quantity.milli_value()
            } else {
                quantity.value()
            };
            Some((name.clone(), amount))
        })
        .collect()
}

fn add(to: &mut BTreeMap<String, i64>, more: &BTreeMap<String, i64>) {
    for (name, amount) in more {
        let sum = to.entry(name.clone()).or_default();
        *sum = sum.saturating_add(*amount);
    }
}

fn raise(to: &mut BTreeMap<String, i64>, other: &BTreeMap<String, i64>) {
    for (name, amount) in other {
        let known = to.entry(name.clone()).or_default();
        *known = (*known).max(*amount);
    }
}

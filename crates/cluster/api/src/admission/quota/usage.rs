//! How much of a quota an object uses (`pkg/quota/v1/evaluator/core`, `apiserver/pkg/quota/v1/generic`).

use std::collections::{BTreeMap, BTreeSet};

use deploy_cluster_kinds::quantity::{Format, Quantity};
use serde_json::Value;

use super::super::pod_resources::{Amounts, Side, add, of_container, of_pod_with_overhead, quantity};
use super::super::storage::class_of;
use super::super::{AdmissionRequest, Operation, items, text};
use super::scopes;

const STORAGE_CLASS: &str = ".storageclass.storage.k8s.io/";
const POD_RESOURCES: [&str; 10] = [
    "count/pods",
    "cpu",
    "memory",
    "ephemeral-storage",
    "requests.cpu",
    "requests.memory",
    "requests.ephemeral-storage",
    "limits.cpu",
    "limits.memory",
    "limits.ephemeral-storage",
];
/// A quota of these asks every container to say how much it wants.
const REQUIRED: [&str; 6] = [
    "cpu",
    "memory",
    "requests.cpu",
    "requests.memory",
    "limits.cpu",
    "limits.memory",
];

/// Knows how the objects of one resource are counted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Evaluator {
    /// Pods: how many, and what they ask for.
    Pods,
    /// Services: how many, of which types.
    Services,
    /// PersistentVolumeClaims: how many, how large, of which class.
    Claims,
    /// All others: how many, under these names.
    Count(Vec<String>),
}

impl Evaluator {
    /// For the objects of a resource.
    pub fn new(group: &str, resource: &str) -> Evaluator {
        match (group, resource) {
            ("", "pods") => Self::Pods,
            ("", "services") => Self::Services,
            ("", "persistentvolumeclaims") => Self::Claims,
            ("", "configmaps" | "resourcequotas" | "replicationcontrollers" | "secrets") => {
                Self::Count(vec![format!("count/{resource}"), resource.to_owned()])
            }
            ("", _) => Self::Count(vec![format!("count/{resource}")]),
            _ => Self::Count(vec![format!("count/{resource}.{group}")]),
        }
    }

    /// For a request that may change what is used; `None` for all others.
    pub(super) fn of(request: &AdmissionRequest<'_>) -> Option<Evaluator> {
        // Upstream's configuration leaves events out.
        let ignored = request.resource == "events" && matches!(request.group, "" | "events.k8s.io");
        if request.namespace.is_empty() || ignored {
            return None;
        }
        let evaluator = Self::new(request.group, request.resource);
        let (create, update) = (
            request.operation == Operation::Create,
            request.operation == Operation::Update,
        );
        let handles = match (&evaluator, request.subresource) {
            (Self::Pods, "") => {
                let ends = |pod: &Value| scopes::is_terminating(pod);
                create
                    || update
                        && request
                            .old_object
                            .is_some_and(|old| ends(old) != ends(request.object))
            }
            (Self::Pods, "resize") => update,
            (Self::Services | Self::Claims, "") => create || update,
            (Self::Claims, "status") => update,
            (Self::Count(_), "") => create,
            _ => false,
        };
        handles.then_some(evaluator)
    }

    /// Whether a name in a quota is one that these objects use.
    pub fn counts(&self, name: &str) -> bool {
        match self {
            Self::Pods => {
                name == "pods"
                    || POD_RESOURCES.contains(&name)
                    || name.starts_with("hugepages-")
                    || name.starts_with("requests.hugepages-")
                    || (name.starts_with("requests.") && !is_native(name))
            }
            Self::Services => [
                "count/services",
                "services",
                "services.nodeports",
                "services.loadbalancers",
            ]
            .contains(&name),
            Self::Claims => {
                name == "count/persistentvolumeclaims"
                    || name == "persistentvolumeclaims"
                    || name == "requests.storage"
                    || name.ends_with(&format!("{STORAGE_CLASS}persistentvolumeclaims"))
                    || name.ends_with(&format!("{STORAGE_CLASS}requests.storage"))
            }
            Self::Count(names) => names.iter().any(|own| own == name),
        }
    }

    /// Whether a quota, by the `hard` of its status and its scopes, counts an object.
    pub fn matches(&self, quota: &Value, object: &Value) -> bool {
        let hard = quota["status"]["hard"].as_object();
        hard.into_iter().flatten().any(|(name, _)| self.counts(name)) && self.within_scopes(quota, object)
    }

    /// Whether an object is within the scopes of a quota.
    pub fn within_scopes(&self, quota: &Value, object: &Value) -> bool {
        let resource = match self {
            Self::Pods => "pods",
            Self::Claims => "persistentvolumeclaims",
            _ => "",
        };
        scopes::within(quota, resource, object)
    }

    /// What an object uses.
    pub fn usage(&self, object: &Value) -> Amounts {
        match self {
            Self::Pods => pod_usage(object),
            Self::Services => service_usage(object),
            Self::Claims => claim_usage(object),
            Self::Count(names) => names.iter().map(|name| (name.clone(), number(1))).collect(),
        }
    }

    /// What the containers of a pod fail to say, where a quota counts it.
    pub(super) fn missing(&self, counted: &[&String], object: &Value) -> Option<String> {
        let spec = &object["spec"];
        let states_itself = ["requests", "limits"].iter().any(|side| {
            let own = spec["resources"][side].as_object();
            own.is_some_and(|own| {
                own.keys()
                    .any(|name| matches!(name.as_str(), "cpu" | "memory") || name.starts_with("hugepages-"))
            })
        });
        if *self != Self::Pods || states_itself {
            return None;
        }
        let mut missing: BTreeMap<&str, BTreeSet<&str>> = BTreeMap::new();
        for container in items(&spec["containers"]).chain(items(&spec["initContainers"])) {
            let said = compute(
                &of_container(container, Side::Requests),
                &of_container(container, Side::Limits),
            );
            let required = counted.iter().filter(|name| REQUIRED.contains(&name.as_str()));
            for name in required.filter(|name| !said.contains_key(**name)) {
                missing.entry(name).or_default().insert(text(&container["name"]));
            }
        }
        let missing: Vec<String> = missing
            .into_iter()
            .map(|(name, containers)| {
                let containers: Vec<&str> = containers.into_iter().collect();
                format!("{name} for: {}", containers.join(","))
            })
            .collect();
        (!missing.is_empty()).then(|| format!("must specify {}", missing.join("; ")))
    }
}

/// A pod that has ended counts as an object, and uses nothing.
fn pod_usage(pod: &Value) -> Amounts {
    let mut usage = Amounts::from([("count/pods".to_owned(), number(1))]);
    if !matches!(text(&pod["status"]["phase"]), "Failed" | "Succeeded") {
        let sides = [Side::Requests, Side::Limits].map(|side| of_pod_with_overhead(pod, side));
        add(&mut usage, &compute(&sides[0], &sides[1]));
    }
    usage
}

/// The names under which requests and limits are counted.
fn compute(requests: &Amounts, limits: &Amounts) -> Amounts {
    let mut usage = Amounts::from([("pods".to_owned(), number(1))]);
    for (name, amount) in requests {
        if ["cpu", "memory", "ephemeral-storage"].contains(&name.as_str()) || name.starts_with("hugepages-") {
            usage.insert(name.clone(), amount.clone());
            usage.insert(format!("requests.{name}"), amount.clone());
        } else if !is_native(name) {
            usage.insert(format!("requests.{name}"), amount.clone());
        }
    }
    for name in ["cpu", "memory", "ephemeral-storage"] {
        if let Some(amount) = limits.get(name) {
            usage.insert(format!("limits.{name}"), amount.clone());
        }
    }
    usage
}

/// Whether a resource is Kubernetes' own: without a domain, or of `kubernetes.io`.
fn is_native(name: &str) -> bool {
    !name.contains('/') || name.contains("kubernetes.io/")
}

fn service_usage(service: &Value) -> Amounts {
    let spec = &service["spec"];
    let ports = items(&spec["ports"]).count();
    let asked = || {
        items(&spec["ports"])
            .filter(|port| port["nodePort"].as_i64().unwrap_or_default() != 0)
            .count()
    };
    let (node_ports, balancers) = match text(&spec["type"]) {
        "NodePort" => (ports, 0),
        "LoadBalancer" if spec["allocateLoadBalancerNodePorts"] == false => (asked(), 1),
        "LoadBalancer" => (ports, 1),
        _ => (0, 0),
    };
    let amounts = [
        ("count/services", 1),
        ("services", 1),
        ("services.nodeports", node_ports),
        ("services.loadbalancers", balancers),
    ];
    amounts
        .map(|(name, count)| (name.to_owned(), number(count)))
        .into()
}

fn claim_usage(claim: &Value) -> Amounts {
    let mut usage = Amounts::new();
    let class = class_of(claim);
    for name in ["persistentvolumeclaims", "count/persistentvolumeclaims"] {
        usage.insert(name.to_owned(), number(1));
    }
    if !class.is_empty() {
        usage.insert(format!("{class}{STORAGE_CLASS}persistentvolumeclaims"), number(1));
    }
    let whole = |value: &Value| {
        let mut size = quantity(value)?;
        size.round_up(0);
        Some(size)
    };
    let Some(mut size) = whole(&claim["spec"]["resources"]["requests"]["storage"]) else {
        return usage;
    };
    if let Some(allocated) = whole(&claim["status"]["allocatedResources"]["storage"]).filter(|a| *a > size) {
        size = allocated;
    }
    if !class.is_empty() {
        usage.insert(format!("{class}{STORAGE_CLASS}requests.storage"), size.clone());
    }
    usage.insert("requests.storage".to_owned(), size);
    usage
}

fn number(count: usize) -> Quantity {
    Quantity::new(i64::try_from(count).unwrap_or(i64::MAX), Format::DecimalSi)
}

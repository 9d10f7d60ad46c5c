//! Names of resources and lists of amounts: `{"cpu": "100m", "memory": "1Gi"}`
//! (`pkg/apis/core/helper/helpers.go`, `component-helpers/resource/helpers.go`).

use std::collections::BTreeMap;

use serde_json::Value;

use crate::cursor::Field;
use crate::names;
use crate::quantity::Quantity;

/// Amounts by the name of the resource.
pub type Amounts = BTreeMap<String, Quantity>;

const STANDARD: [&str; 20] = [
    "configmaps",
    "cpu",
    "ephemeral-storage",
    "limits.cpu",
    "limits.ephemeral-storage",
    "limits.memory",
    "memory",
    "persistentvolumeclaims",
    "pods",
    "replicationcontrollers",
    "requests.cpu",
    "requests.ephemeral-storage",
    "requests.memory",
    "requests.storage",
    "resourcequotas",
    "secrets",
    "services",
    "services.loadbalancers",
    "services.nodeports",
    "storage",
];

const WHOLE: [&str; 9] = [
    "configmaps",
    "persistentvolumeclaims",
    "pods",
    "replicationcontrollers",
    "resourcequotas",
    "secrets",
    "services",
    "services.loadbalancers",
    "services.nodeports",
];

/// Huge pages of some size.
pub fn is_huge_page(name: &str) -> bool {
    name.starts_with("hugepages-")
}

/// A resource that Kubernetes itself defines somewhere.
pub fn is_standard(name: &str) -> bool {
    STANDARD.contains(&name) || is_huge_page(name) || name.starts_with("requests.hugepages-")
}

/// A resource that a container may ask for by a plain name.
pub fn is_standard_for_container(name: &str) -> bool {
    matches!(name, "cpu" | "memory" | "ephemeral-storage") || is_huge_page(name)
}

/// A resource of Kubernetes' own, by its form.
pub fn is_native(name: &str) -> bool {
    !name.contains('/') || name.contains("kubernetes.io/")
}

/// A resource that a device plugin brings.
pub fn is_extended(name: &str) -> bool {
    !is_native(name)
        && !name.starts_with("requests.")
        && names::qualified_name(&format!("requests.{name}")).is_empty()
}

/// A resource that is counted, not measured.
pub fn is_whole(name: &str) -> bool {
    WHOLE.contains(&name) || is_extended(name)
}

/// Whether more may be asked for than there is.
pub fn may_overcommit(name: &str) -> bool {
    is_native(name) && !is_huge_page(name)
}

/// A resource that a pod may ask for as a whole.
pub fn is_for_pod(name: &str) -> bool {
    matches!(name, "cpu" | "memory") || is_huge_page(name)
}

/// The amounts of a list; what is no quantity is left out.
pub fn amounts(list: &Field<'_>) -> Amounts {
    let pairs = list
        .entries()
        .filter_map(|(name, value)| Some((name.to_owned(), quantity(&value)?)));
    pairs.collect()
}

/// The quantity at a place: a text, or a bare number as JSON allows.
pub fn quantity(value: &Field<'_>) -> Option<Quantity> {
    from_json(value.value()?)
}

/// A quantity as JSON has it.
pub fn from_json(value: &Value) -> Option<Quantity> {
    match value {
        Value::String(text) => Quantity::parse(text.trim()).ok(),
        Value::Number(number) => Quantity::parse(&number.to_string()).ok(),
        _ => None,
    }
}

/// Adds the amounts of `more` to those of `sum`.
pub fn add(sum: &mut Amounts, more: &Amounts) {
    for (name, amount) in more {
        match sum.get_mut(name) {
            Some(sum) => sum.add(amount),
            None => {
                sum.insert(name.clone(), amount.clone());
            }
        }
    }
}

/// Raises the amounts of `most` to those of `other`.
pub fn raise(most: &mut Amounts, other: &Amounts) {
    for (name, amount) in other {
        if most.get(name).is_none_or(|most| amount > most) {
            most.insert(name.clone(), amount.clone());
        }
    }
}

/// What the containers of a pod need together: those that run side by side are added; the others run one after the
/// other before them, each beside the sidecars that stand before it. `which` is `requests` or `limits`.
pub fn of_containers(pod_spec: &Field<'_>, which: &'static str) -> Amounts {
    let of = |container: &Field<'_>| amounts(&container.get("resources").get(which));
    let mut sum = Amounts::new();
    for container in pod_spec.items("containers") {
        add(&mut sum, &of(&container));
    }
    let (mut sidecars, mut most) = (Amounts::new(), Amounts::new());
    for container in pod_spec.items("initContainers") {
        let own = of(&container);
        if container.get("restartPolicy").str() == "Always" {
            add(&mut sum, &own);
            add(&mut sidecars, &own);
            raise(&mut most, &sidecars);
        } else {
            let mut beside = own;
            add(&mut beside, &sidecars);
            raise(&mut most, &beside);
        }
    }
    raise(&mut sum, &most);
    sum
}

/// What a pod asks for, as the scheduler counts it: its own requests where it has any, else its containers', and its
/// overhead (`component-helpers/resource PodRequests`).
pub fn of_pod(pod_spec: &Field<'_>, which: &'static str) -> Amounts {
    let mut sum = of_containers(pod_spec, which);
    for (name, amount) in amounts(&pod_spec.get("resources").get(which)) {
        if is_for_pod(&name) {
            sum.insert(name, amount);
        }
    }
    let overhead = amounts(&pod_spec.get("overhead"));
    match which {
        "requests" => add(&mut sum, &overhead),
        // Overhead only widens limits that are there.
        _ => {
            for (name, amount) in overhead {
                if let Some(limit) = sum.get_mut(&name)
                    && !limit.is_zero()
                {
                    limit.add(&amount);
                }
            }
        }
    }
    sum
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn init_containers_are_weighed_against_the_others() {
        let spec = json!({
            "containers": [{"resources": {"requests": {"cpu": "1", "memory": "1Gi"}}},
                           {"resources": {"requests": {"cpu": "500m"}}}],
            "initContainers": [
                {"restartPolicy": "Always", "resources": {"requests": {"cpu": "200m"}}},
                {"resources": {"requests": {"cpu": "100m", "memory": "4Gi"}}}],
            "overhead": {"cpu": "1m"},
        });
        let sum = of_pod(&Field::root(&spec), "requests");
        let shown: Vec<String> = sum
            .iter()
            .map(|(name, amount)| format!("{name}={amount}"))
            .collect();
        assert_eq!(shown, ["cpu=1701m", "memory=4Gi"]);
    }

    #[test]
    fn names_are_sorted_into_their_classes() {
        for (name, native, extended, overcommit) in [
            ("cpu", true, false, true),
            ("hugepages-2Mi", true, false, false),
            ("a.b/c", false, true, false),
            ("kubernetes.io/x", true, false, true),
            ("requests.a/b", false, false, false),
        ] {
            let got = (is_native(name), is_extended(name), may_overcommit(name));
            assert_eq!(got, (native, extended, overcommit), "{name}");
        }
    }
}

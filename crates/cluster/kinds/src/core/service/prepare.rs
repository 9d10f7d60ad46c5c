//! What an update of a Service takes out (`pkg/registry/core/service/strategy.go dropTypeDependentFields`): what the old
//! type had been given and the new type has no use for, unless the client changed it too.

use serde_json::{Value, json};

use crate::cursor::Field;
use crate::edit::Edit;

use super::{is_externally_accessible, needs_health_check};

/// Before an update.
pub fn update(new: &mut Value, old: &Value) {
    new.keep("status", old);
    let empty = Value::Null;
    let old_spec = old.get("spec").unwrap_or(&empty);
    let r#type = Field::root(new).get("spec").get("type").str().to_owned();
    let spec = new.ensure("spec");
    for name in no_longer_needed(spec, old_spec) {
        spec.unset(name);
    }
    if has_node_ports(old_spec) && !has_node_ports(spec) && no_new_node_ports(spec, old_spec) {
        for port in spec.each("ports") {
            port.unset("nodePort");
        }
    }
    if r#type != "LoadBalancer" {
        new.ensure("status").set("loadBalancer", json!({}));
    }
}

fn no_longer_needed(new: &Value, old: &Value) -> Vec<&'static str> {
    let (new, old) = (Field::root(new), Field::root(old));
    let was_now = |test: &dyn Fn(&Field<'_>) -> bool| test(&old) && !test(&new);
    let same = |name: &'static str| new.get(name).same(&old.get(name));
    let is_balanced = |spec: &Field<'_>| spec.get("type").str() == "LoadBalancer";
    let mut out = Vec::new();
    if was_now(&|spec| spec.get("type").str() != "ExternalName") {
        if same("clusterIP") && same("clusterIPs") {
            out.extend(["clusterIP", "clusterIPs"]);
        }
        out.extend(
            ["ipFamilies", "ipFamilyPolicy"]
                .into_iter()
                .filter(|name| same(name)),
        );
    }
    if was_now(&needs_health_check)
        && new.get("healthCheckNodePort").int() == old.get("healthCheckNodePort").int()
    {
        out.push("healthCheckNodePort");
    }
    if was_now(&is_balanced) {
        let names = ["allocateLoadBalancerNodePorts", "loadBalancerClass"];
        out.extend(names.into_iter().filter(|name| same(name)));
    }
    if was_now(&is_externally_accessible) && same("externalTrafficPolicy") {
        out.push("externalTrafficPolicy");
    }
    out
}

fn has_node_ports(spec: &Value) -> bool {
    matches!(Field::root(spec).get("type").str(), "NodePort" | "LoadBalancer")
}

fn no_new_node_ports(new: &Value, old: &Value) -> bool {
    let ports = |spec: &Value| -> Vec<i64> {
        let ports = Field::root(spec)
            .items("ports")
            .map(|port| port.get("nodePort").int());
        ports.filter(|port| *port != 0).collect()
    };
    let old = ports(old);
    ports(new).iter().all(|port| old.contains(port))
}

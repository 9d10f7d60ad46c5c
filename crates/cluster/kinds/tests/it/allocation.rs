//! What is done to a Service before the rules of its kind are asked: addresses and node ports are allocated, here taken
//! from the recorded answer (`pkg/registry/core/service/storage/storage.go`).

use serde_json::{Value, json};

/// Causes that the allocators say, not the rules.
const OF_ALLOCATORS: [&str; 4] = [
    "failed to allocate",
    "already allocated",
    "not configured",
    "not in the valid range",
];

/// Whether a cause is one of an allocator.
pub fn is_cause(cause: &Value) -> bool {
    let message = cause["message"].as_str().unwrap_or_default();
    OF_ALLOCATORS.iter().any(|text| message.contains(text))
}

/// Gives a Service its addresses and ports.
pub fn allocate(new: &mut Value, old: Option<&Value>, answer: &Value) {
    let empty = json!({});
    let old = old.map_or(&empty, |old| &old["spec"]);
    let spec = &mut new["spec"];
    let has_address = |spec: &Value| spec["type"] != "ExternalName";
    let both = old["type"].is_string() && has_address(old) && has_address(spec);
    let is_empty =
        |value: &Value| value.is_null() || *value == "" || value.as_array().is_some_and(Vec::is_empty);
    if both {
        if is_empty(&spec["clusterIP"]) {
            set(spec, "clusterIP", &old["clusterIP"]);
        }
        if is_empty(&spec["clusterIPs"]) && spec["clusterIP"] == old["clusterIP"] {
            set(spec, "clusterIPs", &old["clusterIPs"]);
        }
    }
    let changed = !is_empty(&spec["clusterIP"]) && spec["clusterIP"] != old["clusterIP"];
    let follows = is_empty(&spec["clusterIPs"]) || both && spec["clusterIPs"] == old["clusterIPs"];
    if changed && follows {
        let addresses = json!([spec["clusterIP"]]);
        set(spec, "clusterIPs", &addresses);
    }
    let given = if answer["spec"].is_object() {
        &answer["spec"]
    } else {
        old
    };
    if has_address(spec) {
        for name in ["clusterIP", "clusterIPs", "ipFamilies", "ipFamilyPolicy"] {
            if is_empty(&spec[name]) {
                set(spec, name, &given[name]);
            }
        }
    }
    if is_empty(&spec["healthCheckNodePort"]) && given["type"] == spec["type"] {
        set(spec, "healthCheckNodePort", &given["healthCheckNodePort"]);
    }
    let ports = spec["ports"]
        .as_array_mut()
        .map(Vec::as_mut_slice)
        .unwrap_or_default();
    for (index, port) in ports.iter_mut().enumerate() {
        if is_empty(&port["nodePort"]) {
            set(port, "nodePort", &given["ports"][index]["nodePort"]);
        }
    }
}

fn set(holder: &mut Value, name: &str, value: &Value) {
    if let Some(holder) = holder.as_object_mut() {
        if value.is_null() {
            holder.remove(name);
        } else {
            holder.insert(name.to_owned(), value.clone());
        }
    }
}

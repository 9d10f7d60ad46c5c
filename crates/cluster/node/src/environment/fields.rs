//! The downward API: fields of a pod and resources of its containers as text (`pkg/fieldpath`,
//! `pkg/api/v1/resource/helpers.go`).

use std::net::IpAddr;

use deploy_cluster_kinds::quantity::Quantity;
use serde_json::Value;

use super::{Addresses, ConfigError};

/// The value of a `fieldRef` in an environment, where addresses can be had.
///
/// # Errors
/// A path that is not supported.
pub fn in_environment(path: &str, pod: &Value, addresses: &Addresses) -> Result<String, ConfigError> {
    let listed = |addresses: &[IpAddr]| {
        let all: Vec<String> = addresses.iter().map(IpAddr::to_string).collect();
        all.join(",")
    };
    let first = |addresses: &[IpAddr]| addresses.first().map(IpAddr::to_string).unwrap_or_default();
    let text = |field: &str| pod["spec"][field].as_str().unwrap_or_default().to_owned();
    Ok(match path {
        "spec.nodeName" | "spec.host" => text("nodeName"),
        "spec.serviceAccountName" => text("serviceAccountName"),
        "status.hostIP" => first(&addresses.host),
        "status.hostIPs" => listed(&addresses.host),
        "status.podIP" => first(&addresses.pod),
        "status.podIPs" => listed(&addresses.pod),
        _ => return in_volume(path, pod),
    })
}

/// The value of a `fieldRef` in a volume: names, labels, annotations.
///
/// # Errors
/// A path that is not supported.
pub fn in_volume(path: &str, pod: &Value) -> Result<String, ConfigError> {
    let metadata = &pod["metadata"];
    if let Some((map, key)) = path.strip_suffix("']").and_then(|path| path.split_once("['")) {
        let key = match map {
            "metadata.annotations" => return Ok(entry(&metadata["annotations"], key)),
            "metadata.labels" => key,
            _ => {
                return Err(ConfigError(format!(
                    "fieldPath {path:?} does not support subscript"
                )));
            }
        };
        return Ok(entry(&metadata["labels"], key));
    }
    Ok(match path {
        "metadata.annotations" => listing(&metadata["annotations"]),
        "metadata.labels" => listing(&metadata["labels"]),
        "metadata.name" => entry(metadata, "name"),
        "metadata.namespace" => entry(metadata, "namespace"),
        "metadata.uid" => entry(metadata, "uid"),
        _ => return Err(ConfigError(format!("unsupported fieldPath: {path}"))),
    })
}

fn entry(map: &Value, key: &str) -> String {
    map[key].as_str().unwrap_or_default().to_owned()
}

/// `key="value"`, a line each, by key.
fn listing(map: &Value) -> String {
    let entries = map.as_object().into_iter().flatten();
    let mut lines: Vec<(&String, String)> = entries
        .map(|(key, value)| (key, quoted(value.as_str().unwrap_or_default())))
        .collect();
    lines.sort();
    let lines: Vec<String> = lines
        .iter()
        .map(|(key, value)| format!("{key}={value}"))
        .collect();
    lines.join("\n")
}

/// A text as Go's `strconv.Quote` writes it.
fn quoted(text: &str) -> String {
    let mut quoted = String::with_capacity(text.len() + 2);
    quoted.push('"');
    for character in text.chars() {
        match character {
            '"' => quoted.push_str("\\\""),
            '\\' => quoted.push_str("\\\\"),
            '\x07' => quoted.push_str("\\a"),
            '\x08' => quoted.push_str("\\b"),
            '\x0c' => quoted.push_str("\\f"),
            '\n' => quoted.push_str("\\n"),
            '\r' => quoted.push_str("\\r"),
            '\t' => quoted.push_str("\\t"),
            '\x0b' => quoted.push_str("\\v"),
            shown if is_printable(shown) => quoted.push(shown),
            hidden if hidden < ' ' || hidden == '\x7f' => {
                quoted.push_str(&format!("\\x{:02x}", u32::from(hidden)));
            }
            hidden if u32::from(hidden) < 0x1_0000 => {
                quoted.push_str(&format!("\\u{:04x}", u32::from(hidden)))
            }
            hidden => quoted.push_str(&format!("\\U{:08x}", u32::from(hidden))),
        }
    }
    quoted.push('"');
    quoted
}

/// Unicode letters, marks, numbers, punctuation, symbols and the ASCII space, by the standard library's tables: behind
/// another character it escapes only what cannot be shown.
fn is_printable(character: char) -> bool {
    let behind: String = ['a', character].iter().collect();
    matches!(character, '\'' | ' ') || behind.escape_debug().count() == 2
}

/// The resources that containers may use up to the node's, where they name no limit.
const BOUNDED: [&str; 3] = ["cpu", "memory", "ephemeral-storage"];

/// The value of a `resourceFieldRef` of `container` in an environment. `allocatable` is the node's, or null.
///
/// # Errors
/// A container or a resource that there is not.
pub fn resource_in_environment(
    reference: &Value,
    pod: &Value,
    container: &Value,
    allocatable: &Value,
) -> Result<String, ConfigError> {
    let container = match reference["containerName"]
        .as_str()
        .filter(|name| !name.is_empty())
    {
        Some(name) => find(pod, name)?,
        None => container,
    };
    resource(
        reference,
        container,
        &pod["spec"]["resources"]["limits"],
        allocatable,
    )
}

/// The value of a `resourceFieldRef` in a volume.
///
/// # Errors
/// A container or a resource that there is not.
pub fn resource_in_volume(
    reference: &Value,
    pod: &Value,
    allocatable: &Value,
) -> Result<String, ConfigError> {
    let name = reference["containerName"].as_str().unwrap_or_default();
    resource(reference, find(pod, name)?, &Value::Null, allocatable)
}

fn find<'a>(pod: &'a Value, name: &str) -> Result<&'a Value, ConfigError> {
    ["containers", "initContainers"]
        .iter()
        .flat_map(|list| pod["spec"][*list].as_array().into_iter().flatten())
        .find(|container| container["name"] == name)
        .ok_or_else(|| ConfigError(format!("container {name} not found")))
}

/// A resource in units of the divisor, rounded up. A limit that the container does not have is the pod's, then the node's.
fn resource(
    reference: &Value,
    container: &Value,
    pod_limits: &Value,
    allocatable: &Value,
) -> Result<String, ConfigError> {
    let resource = reference["resource"].as_str().unwrap_or_default();
    let unsupported = || ConfigError(format!("unsupported container resource : {resource}"));
    let (list, name) = resource.split_once('.').ok_or_else(unsupported)?;
    if !matches!(list, "limits" | "requests") || !(BOUNDED.contains(&name) || name.starts_with("hugepages-"))
    {
        return Err(unsupported());
    }
    let own = quantity(&container["resources"][list][name]);
    let amount = if list == "limits" && BOUNDED.contains(&name) {
        let of_pod = quantity(&pod_limits[name]).filter(|_| name != "ephemeral-storage");
        own.or(of_pod).or_else(|| quantity(&allocatable[name]))
    } else {
        own
    };
    let amount = amount.unwrap_or(Quantity::ZERO);
    let divisor = quantity(&reference["divisor"]).unwrap_or_else(|| Quantity::milli(1000));
    let in_unit = |quantity: &Quantity| {
        i128::from(if name == "cpu" {
            quantity.milli_value()
        } else {
            quantity.value()
        })
    };
    let (amount, divisor) = (in_unit(&amount), in_unit(&divisor).max(1));
    Ok((amount.saturating_add(divisor - 1) / divisor).to_string())
}

/// A quantity that is not nothing.
fn quantity(value: &Value) -> Option<Quantity> {
    let quantity = match value {
        Value::String(text) => Quantity::parse(text).ok()?,
        Value::Number(number) => Quantity::parse(&number.to_string()).ok()?,
        _ => return None,
    };
    Some(quantity).filter(|quantity| !quantity.is_zero())
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn pod() -> Value {
        json!({
            "metadata": {
                "name": "web-0", "namespace": "shop", "uid": "u-1",
                "labels": {"tier": "front", "app": "web"},
                "annotations": {"note": "line one\nline \"two\"\t\u{1}é\u{a0}\u{301}", "a/b": "c"},
            },
            "spec": {
                "nodeName": "n1", "serviceAccountName": "default",
                "containers": [{"name": "main", "resources": {
                    "limits": {"cpu": "1500m", "memory": "64Mi"}, "requests": {"cpu": "100m", "hugepages-2Mi": "4Mi"}}}],
                "initContainers": [{"name": "first"}],
            },
        })
    }

    #[test]
    fn fields_of_a_pod() {
        let addresses = Addresses {
            pod: vec![[10, 1, 0, 5].into(), "fd00::5".parse().expect("an address")],
            host: vec![[192, 0, 2, 1].into()],
        };
        let cases = [
            ("metadata.name", "web-0"),
            ("metadata.namespace", "shop"),
            ("metadata.uid", "u-1"),
            ("metadata.labels", "app=\"web\"\ntier=\"front\""),
            ("metadata.labels['app']", "web"),
            ("metadata.labels['none']", ""),
            ("metadata.annotations['a/b']", "c"),
            (
                "metadata.annotations",
                "a/b=\"c\"\nnote=\"line one\\nline \\\"two\\\"\\t\\x01é\\u00a0\u{301}\"",
            ),
            ("spec.nodeName", "n1"),
            ("spec.serviceAccountName", "default"),
            ("status.podIP", "10.1.0.5"),
            ("status.podIPs", "10.1.0.5,fd00::5"),
            ("status.hostIP", "192.0.2.1"),
            ("status.hostIPs", "192.0.2.1"),
        ];
        for (path, expected) in cases {
            assert_eq!(
                in_environment(path, &pod(), &addresses).as_deref(),
                Ok(expected),
                "{path}"
            );
        }
        let errors = [
            ("spec.containers", "unsupported fieldPath: spec.containers"),
            (
                "spec.x['y']",
                "fieldPath \"spec.x['y']\" does not support subscript",
            ),
        ];
        for (path, expected) in errors {
            let error = in_environment(path, &pod(), &addresses).expect_err("there is no such field");
            assert_eq!(error.to_string(), expected);
        }
    }

    #[test]
    fn resources_are_divided_and_rounded_up() {
        let allocatable = json!({"cpu": "2", "memory": "4Gi", "ephemeral-storage": "10Gi"});
        let cases = [
            ("main", "limits.cpu", "", "2"),
            ("main", "limits.cpu", "1m", "1500"),
            ("main", "limits.memory", "1Mi", "64"),
            ("main", "limits.memory", "1Gi", "1"),
            ("main", "limits.memory", "0", "67108864"),
            ("main", "limits.ephemeral-storage", "1Gi", "10"),
            ("main", "requests.cpu", "1m", "100"),
            ("main", "requests.memory", "1", "0"),
            ("main", "requests.hugepages-2Mi", "1Mi", "4"),
            ("first", "limits.cpu", "1", "2"),
            ("first", "limits.memory", "1Gi", "4"),
        ];
        for (container, resource, divisor, expected) in cases {
            let reference = json!({"containerName": container, "resource": resource, "divisor": divisor});
            let found = resource_in_volume(&reference, &pod(), &allocatable);
            assert_eq!(found.as_deref(), Ok(expected), "{container} {resource} {divisor}");
        }
        let own = json!({"resource": "limits.memory", "divisor": "1Ki"});
        let found = resource_in_environment(&own, &pod(), &pod()["spec"]["containers"][0], &allocatable);
        assert_eq!(found.as_deref(), Ok("65536"));
        let mut bounded = pod();
        bounded["spec"]["resources"] = json!({"limits": {"memory": "1Gi"}});
        let found = resource_in_environment(&own, &bounded, &json!({"name": "x"}), &allocatable);
        assert_eq!(
            found.as_deref(),
            Ok("1048576"),
            "the pod's own limit comes before the node's"
        );
        let errors = [
            (
                json!({"containerName": "none", "resource": "limits.cpu"}),
                "container none not found",
            ),
            (
                json!({"containerName": "main", "resource": "limits.gpu"}),
                "unsupported container resource : limits.gpu",
            ),
        ];
        for (reference, expected) in errors {
            let error =
                resource_in_volume(&reference, &pod(), &allocatable).expect_err("there is no such thing");
            assert_eq!(error.to_string(), expected);
        }
    }
}

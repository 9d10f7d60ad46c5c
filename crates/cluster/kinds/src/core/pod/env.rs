//! Environment variables of containers (`pkg/apis/core/validation ValidateEnv, ValidateEnvFrom`).

use super::{Options, paths};
use crate::cursor::{Field, Findings};
use crate::field::Finding;
use crate::{names, resources};

const FIELDS: &[&str] = &[
    "metadata.name",
    "metadata.namespace",
    "metadata.uid",
    "spec.nodeName",
    "spec.serviceAccountName",
    "status.hostIP",
    "status.hostIPs",
    "status.podIP",
    "status.podIPs",
];

/// Fields that a downward API volume can show.
pub const VOLUME_FIELDS: &[&str] = &[
    "metadata.annotations",
    "metadata.labels",
    "metadata.name",
    "metadata.namespace",
    "metadata.uid",
];

const RESOURCES: &[&str] = &[
    "limits.cpu",
    "limits.ephemeral-storage",
    "limits.memory",
    "requests.cpu",
    "requests.ephemeral-storage",
    "requests.memory",
];

const BYTE_DIVISORS: [&str; 13] = [
    "1", "1k", "1M", "1G", "1T", "1P", "1E", "1Ki", "1Mi", "1Gi", "1Ti", "1Pi", "1Ei",
];

/// Checks `env`.
pub fn validate(variables: &Field<'_>, options: &Options, out: &mut Findings) {
    for variable in variables.list() {
        let name = variable.get("name");
        if name.is_empty() {
            out.push(name.required(""));
        } else {
            out.extend(
                names::env_var_name(name.str())
                    .into_iter()
                    .map(|text| name.invalid(text)),
            );
        }
        let source = variable.get("valueFrom");
        if source.exists() {
            value_from(&source, !variable.get("value").is_empty(), options, out);
        }
    }
}

fn value_from(source: &Field<'_>, has_value: bool, options: &Options, out: &mut Findings) {
    let kinds = [
        "fieldRef",
        "resourceFieldRef",
        "configMapKeyRef",
        "secretKeyRef",
        "fileKeyRef",
    ];
    let found: Vec<Field<'_>> = kinds
        .iter()
        .map(|kind| source.get(kind))
        .filter(Field::exists)
        .collect();
    for (kind, selector) in kinds
        .iter()
        .map(|kind| (*kind, source.get(kind)))
        .filter(|(_, s)| s.exists())
    {
        match kind {
            "fieldRef" => field_ref(&selector, FIELDS, out),
            "resourceFieldRef" => resource_field_ref(&selector, false, out),
            "fileKeyRef" => file_key_ref(&selector, out),
            _ => key_ref(&selector, out),
        }
    }
    let detail = match found.len() {
        0 if options.env_files => {
            "must specify one of: `fieldRef`, `resourceFieldRef`, `configMapKeyRef`, `secretKeyRef` or `fileKeyRef`"
        }
        0 => "must specify one of: `fieldRef`, `resourceFieldRef`, `configMapKeyRef` or `secretKeyRef`",
        _ if has_value => "may not be specified when `value` is not empty",
        1 => return,
        _ => "may not have more than one field specified at a time",
    };
    out.push(source.invalid_value("", detail));
}

/// A field of the pod itself, one of `known`.
pub fn field_ref(selector: &Field<'_>, known: &[&str], out: &mut Findings) {
    let (version, path) = (selector.get("apiVersion"), selector.get("fieldPath"));
    for part in [&version, &path] {
        if part.is_empty() {
            out.push(part.required(""));
            return;
        }
    }
    if version.str() != "v1" {
        let detail = format!(
            "error converting fieldPath: unsupported pod version: {}",
            version.str()
        );
        out.push(path.invalid(detail));
        return;
    }
    if let Some((label, subscript)) = subscripted(path.str()) {
        let texts = match label {
            "metadata.annotations" => names::qualified_name(&subscript.to_lowercase()),
            "metadata.labels" => names::qualified_name(subscript),
            _ => {
                let text = format!(
                    "error converting fieldPath: field label does not support subscript: {}",
                    path.str()
                );
                out.push(path.invalid(text));
                return;
            }
        };
        let shown = if label == "metadata.labels" {
            subscript.to_owned()
        } else {
            subscript.to_lowercase()
        };
        out.extend(
            texts
                .into_iter()
                .map(|text| selector.invalid_value(shown.as_str(), text)),
        );
        return;
    }
    let name = match path.str() {
        "spec.host" => "spec.nodeName",
        name => name,
    };
    let convertible = FIELDS.contains(&name)
        || VOLUME_FIELDS.contains(&name)
        || matches!(name, "spec.restartPolicy" | "spec.schedulerName" | "status.phase");
    if !convertible {
        out.push(path.invalid(format!(
            "error converting fieldPath: field label not supported: {name}"
        )));
    } else if !known.contains(&name) {
        out.push(path.not_supported_value(name, known));
    }
}

/// `metadata.labels['key']` in its parts.
fn subscripted(path: &str) -> Option<(&str, &str)> {
    let (label, subscript) = path.strip_suffix("']")?.split_once("['")?;
    (!label.is_empty()).then_some((label, subscript))
}

/// A resource of a container; in a volume the container must be named.
pub fn resource_field_ref(selector: &Field<'_>, in_volume: bool, out: &mut Findings) {
    let (container, resource) = (selector.get("containerName"), selector.get("resource"));
    let huge_page = ["limits.hugepages-", "requests.hugepages-"]
        .iter()
        .any(|prefix| resource.str().starts_with(prefix));
    if in_volume && container.is_empty() {
        out.push(container.required(""));
    } else if resource.is_empty() {
        out.push(resource.required(""));
    } else if !RESOURCES.contains(&resource.str()) && !huge_page {
        out.push(resource.not_supported(RESOURCES));
    }
    out.extend(divisor(&selector.get("divisor"), resource.str(), huge_page));
}

fn divisor(divisor: &Field<'_>, resource: &str, huge_page: bool) -> Option<Finding> {
    let quantity = resources::quantity(divisor)
        .filter(|quantity| !quantity.is_zero())?
        .to_string();
    let (fits, values, of) = match resource.split_once('.').map(|(_, name)| name) {
        Some("cpu") => (
            matches!(quantity.as_str(), "1m" | "1"),
            "1m and 1".to_owned(),
            "cpu",
        ),
        Some(name @ ("memory" | "ephemeral-storage")) => {
            let of = if name == "memory" {
                "memory"
            } else {
                "local ephemeral storage"
            };
            (
                BYTE_DIVISORS.contains(&quantity.as_str()),
                BYTE_DIVISORS.join(", "),
                of,
            )
        }
        _ if huge_page => (
            BYTE_DIVISORS.contains(&quantity.as_str()),
            BYTE_DIVISORS.join(", "),
            "hugepages",
        ),
        _ => return None,
    };
    let detail = format!("only divisor's values {values} are supported with the {of} resource");
    (!fits).then(|| divisor.invalid_value(resource, detail))
}

/// A key of a ConfigMap or Secret.
fn key_ref(selector: &Field<'_>, out: &mut Findings) {
    let (name, key) = (selector.get("name"), selector.get("key"));
    let texts = names::dns_subdomain_name(name.str(), false);
    out.extend(texts.into_iter().map(|text| name.invalid(text)));
    if key.is_empty() {
        out.push(key.required(""));
    } else {
        out.extend(
            names::config_map_key(key.str())
                .into_iter()
                .map(|text| key.invalid(text)),
        );
    }
}

fn file_key_ref(selector: &Field<'_>, out: &mut Findings) {
    let (key, volume, path) = (
        selector.get("key"),
        selector.get("volumeName"),
        selector.get("path"),
    );
    if key.is_empty() {
        out.push(key.required(""));
    } else {
        out.extend(
            names::env_var_name(key.str())
                .into_iter()
                .map(|text| key.invalid(text)),
        );
    }
    if volume.is_empty() {
        out.push(volume.required(""));
    } else {
        out.extend(
            names::dns_label(volume.str())
                .into_iter()
                .map(|text| volume.invalid(text)),
        );
    }
    if path.is_empty() {
        out.push(path.required(""));
    } else {
        paths::no_backsteps(&path, path.str(), out);
    }
}

/// Checks `envFrom`. Upstream reports a missing source at the list.
pub fn validate_from(sources: &Field<'_>, out: &mut Findings) {
    for source in sources.list() {
        let prefix = source.get("prefix");
        if !prefix.is_empty() {
            out.extend(
                names::env_var_name(prefix.str())
                    .into_iter()
                    .map(|text| prefix.invalid(text)),
            );
        }
        let mut found = 0;
        for reference in ["configMapRef", "secretRef"].map(|kind| source.get(kind)) {
            if !reference.exists() {
                continue;
            }
            found += 1;
            let name = reference.get("name");
            if name.is_empty() {
                out.push(name.required(""));
            } else {
                let texts = names::dns_subdomain_name(name.str(), true);
                out.extend(texts.into_iter().map(|text| name.invalid(text)));
            }
        }
        match found {
            0 => out.push(sources.invalid_value("", "must specify one of: `configMapRef` or `secretRef`")),
            1 => {}
            _ => out.push(sources.invalid_value("", "may not have more than one field specified at a time")),
        }
    }
}

/// Files that variables come from lie in volumes of the pod that are empty at first.
pub fn file_volumes(spec: &Field<'_>, out: &mut Findings) {
    for container in super::containers(spec) {
        for variable in container.items("env") {
            let reference = variable.get("valueFrom").get("fileKeyRef");
            if !reference.exists() {
                continue;
            }
            let name = reference.get("volumeName");
            // The last of several volumes of the same name counts, as in upstream's map.
            match spec
                .items("volumes")
                .filter(|volume| volume.get("name").str() == name.str())
                .last()
            {
                None => out.push(name.not_found()),
                Some(volume) if !volume.get("emptyDir").exists() => {
                    out.push(name.invalid("referenced volume must be of type emptyDir"));
                }
                Some(_) => {}
            }
        }
    }
}

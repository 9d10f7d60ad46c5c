//! The names that Kubernetes accepts, kind by kind, with its words for the others (k8s.io/apimachinery, `validation`).

use crate::helm::go::quote::quoted;

const SUBDOMAIN_MAX_BYTES: usize = 253;
const LABEL_MAX_BYTES: usize = 63;

/// Why an object of this kind must not have this name.
pub(super) fn refused(kind: &str, name: &str) -> Option<String> {
    let reasons = match kind.to_lowercase().as_str() {
        "service" => rfc1035_label(name),
        "namespace" => rfc1123_label(name),
        "certificatesigningrequest" => Vec::new(),
        "role" | "clusterrole" | "rolebinding" | "clusterrolebinding" => path_segment(name),
        _ => subdomain(name),
    };
    let mut errors: Vec<String> = Vec::new();
    for reason in reasons {
        let error = format!("metadata.name: Invalid value: {}: {reason}", quoted(name));
        if !errors.contains(&error) {
            errors.push(error);
        }
    }
    match errors.len() {
        0 => None,
        1 => errors.pop(),
        _ => Some(format!("[{}]", errors.join(", "))),
    }
}

fn subdomain(name: &str) -> Vec<String> {
    let mut reasons = too_long(name, SUBDOMAIN_MAX_BYTES, "bytes");
    if !is_subdomain(name) {
        reasons.push(
            "a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '-' or '.', and must \
             start and end with an alphanumeric character (e.g. 'example.com', regex used for validation is \
             '[a-z0-9]([-a-z0-9]*[a-z0-9])?(\\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*')"
                .to_owned(),
        );
    }
    reasons
}

fn rfc1123_label(name: &str) -> Vec<String> {
    let mut reasons = too_long(name, LABEL_MAX_BYTES, "bytes");
    if is_label(name) {
        return reasons;
    }
    reasons.push(if is_subdomain(name) {
        "must not contain dots".to_owned()
    } else {
        "a lowercase RFC 1123 label must consist of lower case alphanumeric characters or '-', and must start and end \
         with an alphanumeric character (e.g. 'my-name',  or '123-abc', regex used for validation is \
         '[a-z0-9]([-a-z0-9]*[a-z0-9])?')"
            .to_owned()
    });
    reasons
}

fn rfc1035_label(name: &str) -> Vec<String> {
    let mut reasons = too_long(name, LABEL_MAX_BYTES, "characters");
    if !is_label(name) || name.starts_with(|c: char| c.is_ascii_digit()) {
        reasons.push(
            "a DNS-1035 label must consist of lower case alphanumeric characters or '-', start with an alphabetic \
             character, and end with an alphanumeric character (e.g. 'my-name',  or 'abc-123', regex used for \
             validation is '[a-z]([-a-z0-9]*[a-z0-9])?')"
                .to_owned(),
        );
    }
    reasons
}

fn path_segment(name: &str) -> Vec<String> {
    if name == "." || name == ".." {
        return vec![format!("may not be '{name}'")];
    }
    ["/", "%"]
        .into_iter()
        .filter(|illegal| name.contains(illegal))
        .map(|illegal| format!("may not contain '{illegal}'"))
        .collect()
}

fn too_long(name: &str, max: usize, unit: &str) -> Vec<String> {
    if name.len() > max {
        vec![format!("must be no more than {max} {unit}")]
    } else {
        Vec::new()
    }
}

fn is_subdomain(name: &str) -> bool {
    name.split('.').all(is_label)
}

fn is_label(name: &str) -> bool {
    let inner = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-';
    !name.is_empty() && name.bytes().all(inner) && !name.starts_with('-') && !name.ends_with('-')
}

#[cfg(test)]
mod tests {
    use super::refused;

    #[test]
    fn each_kind_has_its_rule() {
        for (kind, name) in [
            ("Pod", "a.b-c.0"),
            ("Service", "a-1"),
            ("Namespace", "1a"),
            ("Role", "system:Any Thing"),
            ("CertificateSigningRequest", "/%"),
        ] {
            assert_eq!(refused(kind, name), None, "{kind} {name}");
        }
        for (kind, name, reason) in [
            ("Pod", "A", "a lowercase RFC 1123 subdomain"),
            ("Service", "1a", "a DNS-1035 label"),
            ("Namespace", "a.b", "\"a.b\": must not contain dots"),
            ("ClusterRole", "..", "may not be '..'"),
            (
                "Role",
                "a/%",
                "[metadata.name: Invalid value: \"a/%\": may not contain '/', metadata.name: Invalid",
            ),
            ("Pod", &"a".repeat(254), "must be no more than 253 bytes"),
        ] {
            let text = refused(kind, name).unwrap_or_else(|| panic!("{kind} {name} is refused"));
            assert!(text.contains(reason), "{kind} {name}: {text}");
        }
    }
}

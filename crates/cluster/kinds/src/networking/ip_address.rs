//! IPAddress (`pkg/registry/networking/ipaddress/strategy.go`, `pkg/apis/networking/validation`).

use serde_json::Value;

use crate::cursor::{Field, Findings};
use crate::field::{go_json, go_quote};
use crate::ip;
use crate::metadata::IMMUTABLE;
use crate::rules::{GENERIC_RULES, Rules};
use crate::{check, columns, names, table};

/// The row of IPAddress.
pub const RULES: Rules = Rules {
    group: "networking.k8s.io",
    version: "v1",
    kind: "IPAddress",
    name: address_name,
    validate_create: |object| {
        let mut out = Vec::new();
        validate(&Field::root(object).get("spec").get("parentRef"), &mut out);
        out
    },
    validate_update: |new, old| {
        let parent = |object| Field::root(object).get("spec").get("parentRef");
        let (new, old) = (parent(new), parent(old));
        if new.same(&old) {
            return Vec::new();
        }
        vec![new.invalid_shown(shown(&new), IMMUTABLE)]
    },
    columns: columns::IP_ADDRESS,
    cells,
    ..GENERIC_RULES
};

/// The name is an address in its canonical form.
fn address_name(name: &str, _prefix: bool) -> Vec<String> {
    let detail = match ip::parse(name) {
        None => "must be a valid IP address, (e.g. 10.9.8.7 or 2001:db8::ffff)".to_owned(),
        Some(_) if name.parse::<std::net::IpAddr>().is_err() => "must not have leading 0s".to_owned(),
        Some(address) if ip::is_mapped(address) => "must not be an IPv4-mapped IPv6 address".to_owned(),
        Some(address) if address.to_string() != name => {
            format!("must be in canonical form ({})", go_quote(&address.to_string()))
        }
        Some(_) => return Vec::new(),
    };
    vec![detail]
}

fn validate(parent: &Field<'_>, out: &mut Findings) {
    if !parent.exists() {
        out.push(parent.required(""));
        return;
    }
    let (group, namespace) = (parent.get("group"), parent.get("namespace"));
    let segment = |text: &str| names::path_segment_name(text, false);
    if !group.is_empty() {
        check::invalid(&group, names::dns_subdomain(group.str()), out);
    }
    check::required_name(&parent.get("resource"), segment, out);
    check::required_name(&parent.get("name"), segment, out);
    if !namespace.is_empty() {
        check::invalid(&namespace, segment(namespace.str()), out);
    }
}

/// The reference as upstream's internal struct.
fn shown(parent: &Field<'_>) -> String {
    if !parent.exists() {
        return "null".to_owned();
    }
    let text = |name: &'static str| go_json(&parent.get(name).str().into());
    format!(
        "{{\"Group\":{},\"Resource\":{},\"Namespace\":{},\"Name\":{}}}",
        text("group"),
        text("resource"),
        text("namespace"),
        text("name")
    )
}

fn cells(object: &Value, now: i64) -> Vec<Value> {
    let parent = Field::root(object).get("spec").get("parentRef");
    let shown = if parent.exists() {
        let mut shown = parent.get("resource").str().to_lowercase();
        let group = parent.get("group").str().to_lowercase();
        if !group.is_empty() {
            shown = format!("{shown}.{group}");
        }
        for name in ["namespace", "name"] {
            let part = parent.get(name).str();
            if !part.is_empty() || name == "name" {
                shown = format!("{shown}/{part}");
            }
        }
        shown
    } else {
        "<none>".to_owned()
    };
    vec![table::name(object), shown.into(), table::age(object, now)]
}

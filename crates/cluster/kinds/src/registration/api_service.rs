//! APIService (`kube-aggregator/pkg/registry/apiservice/strategy.go`, `.../apis/apiregistration/validation`).

use serde_json::{Value, json};

use crate::cursor::{Field, Findings};
use crate::edit::Edit;
use crate::field::go_quote;
use crate::rules::{GENERIC_RULES, Rules};
use crate::{check, columns, names, table};

/// The row of APIService.
pub const RULES: Rules = Rules {
    group: "apiregistration.k8s.io",
    version: "v1",
    kind: "APIService",
    name: names::path_segment_name,
    default: |object| {
        if let Some(service) = object.ensure("spec").child("service") {
            service.default_to("port", 443);
        }
    },
    prepare_create,
    prepare_update: |new, old| new.keep("status", old),
    prepare_status: |new, old| {
        new.keep("spec", old);
        let empty = Value::Null;
        let old = old.get("metadata").unwrap_or(&empty);
        for name in ["labels", "annotations", "finalizers", "ownerReferences"] {
            new.ensure("metadata").keep(name, old);
        }
    },
    validate_create: |object| validate(&Field::root(object)),
    validate_update: |new, _| validate(&Field::root(new)),
    validate_status: |new, _| {
        let mut out = Vec::new();
        for condition in Field::root(new).get("status").items("conditions") {
            let status = condition.get("status");
            if !STATUSES.contains(&status.str()) {
                out.push(status.not_supported_value(status.str(), &STATUSES));
            }
        }
        out
    },
    columns: columns::API_SERVICE,
    cells,
    unconditional_update: false,
    ..GENERIC_RULES
};

const STATUSES: [&str; 3] = ["True", "False", "Unknown"];
const GROUP_PRIORITY_MAX: i64 = 20_000;
const VERSION_PRIORITY_MAX: i64 = 1000;

/// What this server serves itself is available from the start.
fn prepare_create(object: &mut Value) {
    let root = Field::root(object);
    let local = !root.get("spec").get("service").exists();
    let created = root.get("metadata").get("creationTimestamp").value().cloned();
    let status = if local {
        json!({"conditions": [{
            "type": "Available",
            "status": "True",
            "lastTransitionTime": created,
            "reason": "Local",
            "message": "Local APIServices are always available",
        }]})
    } else {
        json!({})
    };
    object.set("status", status);
}

fn validate(object: &Field<'_>) -> Findings {
    let spec = object.get("spec");
    let (group, version, name) = (
        spec.get("group"),
        spec.get("version"),
        object.get("metadata").get("name"),
    );
    let mut out = Vec::new();
    let required = format!("{}.{}", version.str(), group.str());
    if name.str() != required && names::path_segment_name(name.str(), false).is_empty() {
        let required = go_quote(&required);
        out.push(name.invalid(format!("must be `spec.version+\".\"+spec.group`: {required}")));
    }
    if !group.is_empty() {
        check::invalid(&group, names::dns_subdomain(group.str()), &mut out);
    } else if version.str() != "v1" {
        out.push(group.required("only v1 may have an empty group and it better be legacy kube"));
    }
    check::invalid(
        &version.with(Some(&version.str().into())),
        names::dns_1035_label(version.str()),
        &mut out,
    );
    for (field, max) in [
        ("groupPriorityMinimum", GROUP_PRIORITY_MAX),
        ("versionPriority", VERSION_PRIORITY_MAX),
    ] {
        let priority = spec.get(field);
        if !(1..=max).contains(&priority.int()) {
            out.push(priority.invalid_value(priority.int(), format!("must be positive and less than {max}")));
        }
    }
    validate_service(&spec, &mut out);
    out
}

fn validate_service(spec: &Field<'_>, out: &mut Findings) {
    let (service, bundle, insecure) = (
        spec.get("service"),
        spec.get("caBundle"),
        spec.get("insecureSkipTLSVerify"),
    );
    if !service.exists() {
        if !bundle.is_empty() {
            let bytes = bundle.str().trim_end_matches('=').len() * 3 / 4;
            out.push(bundle.invalid_value(
                format!("{bytes} bytes"),
                "local APIServices may not have a caBundle",
            ));
        }
        if insecure.bool() {
            out.push(insecure.invalid("local APIServices may not have insecureSkipTLSVerify"));
        }
        return;
    }
    check::required(&service.get("namespace"), out);
    check::required(&service.get("name"), out);
    let port = service.get("port");
    let errors = names::port_number(port.int());
    if !errors.is_empty() {
        out.push(port.invalid_value(port.int(), format!("port is not valid: {}", errors.join(", "))));
    }
    if insecure.bool() && !bundle.is_empty() {
        out.push(insecure.invalid("may not be true if caBundle is present"));
    }
}

fn cells(object: &Value, now: i64) -> Vec<Value> {
    let root = Field::root(object);
    let service = root.get("spec").get("service");
    let shown = if service.exists() {
        format!("{}/{}", service.get("namespace").str(), service.get("name").str())
    } else {
        "Local".to_owned()
    };
    let available = root
        .get("status")
        .items("conditions")
        .find(|condition| condition.get("type").str() == "Available")
        .map_or_else(
            || "Unknown".to_owned(),
            |condition| match (condition.get("status").str(), condition.get("reason").str()) {
                ("True", _) => "True".to_owned(),
                (status, "") => status.to_owned(),
                (status, reason) => format!("{status} ({reason})"),
            },
        );
    vec![
        table::name(object),
        shown.into(),
        available.into(),
        table::age(object, now),
    ]
}

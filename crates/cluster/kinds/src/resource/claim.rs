//! ResourceClaim and ResourceClaimTemplate (`pkg/registry/resource/resourceclaim*/strategy.go`,
//! `pkg/apis/resource/v1/defaults.go`).

use serde_json::{Value, json};

use crate::cursor::{Field, Findings};
use crate::edit::Edit;
use crate::rules::{GENERIC_RULES, Rules};
use crate::{columns, metadata, names, table};

/// The row of ResourceClaim.
pub const CLAIM: Rules = Rules {
    kind: "ResourceClaim",
    default: |object| default_spec(object.ensure("spec")),
    prepare_create: |object| {
        object.set("status", json!({}));
    },
    prepare_update: |new, old| new.keep("status", old),
    prepare_status: |new, old| {
        new.keep("spec", old);
        metadata::keep_for_status(new, old);
    },
    columns: columns::RESOURCE_CLAIM,
    cells: |object, now| vec![table::name(object), state(object).into(), table::age(object, now)],
    ..TEMPLATE
};

/// The row of ResourceClaimTemplate.
pub const TEMPLATE: Rules = Rules {
    group: "resource.k8s.io",
    version: "v1",
    kind: "ResourceClaimTemplate",
    name: names::dns_subdomain_name,
    default: |object| default_spec(object.ensure("spec").ensure("spec")),
    validate_update: |new, old| {
        let (new, old) = (Field::root(new).get("spec"), Field::root(old).get("spec"));
        let mut out = Findings::new();
        metadata::immutable(&new, &old, &mut out);
        out
    },
    columns: columns::RESOURCE_CLAIM_TEMPLATE,
    cells: |object, now| vec![table::name(object), table::age(object, now)],
    ..GENERIC_RULES
};

fn default_spec(spec: &mut Value) {
    let Some(devices) = spec.child("devices") else {
        return;
    };
    for request in devices.each("requests") {
        if let Some(exactly) = request.child("exactly") {
            default_request(exactly);
        }
        request.each("firstAvailable").for_each(default_request);
    }
}

fn default_request(request: &mut Value) {
    request.default_zero("allocationMode", "ExactCount");
    if request
        .get("allocationMode")
        .is_some_and(|mode| mode == "ExactCount")
    {
        request.default_zero("count", 1);
    }
}

fn state(object: &Value) -> String {
    let root = Field::root(object);
    let (status, deleted) = (
        root.get("status"),
        root.get("metadata").get("deletionTimestamp").exists(),
    );
    let mut states = Vec::new();
    if deleted {
        states.push("deleted");
    }
    if status.get("allocation").exists() {
        states.push("allocated");
        if !status.get("reservedFor").is_empty() {
            states.push("reserved");
        }
    } else if !deleted {
        states.push("pending");
    }
    states.join(",")
}

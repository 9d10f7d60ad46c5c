//! PriorityLevelConfiguration (`pkg/registry/flowcontrol/prioritylevelconfiguration/strategy.go`,
//! `pkg/apis/flowcontrol/v1/defaults.go`).

use serde_json::{Value, json};

use crate::cursor::Field;
use crate::edit::Edit;
use crate::rules::{GENERIC_RULES, Rules};
use crate::{columns, metadata, names, table};

/// The row of PriorityLevelConfiguration.
pub const RULES: Rules = Rules {
    group: "flowcontrol.apiserver.k8s.io",
    version: "v1",
    kind: "PriorityLevelConfiguration",
    name: names::dns_subdomain_name,
    default,
    prepare_create: |object| {
        object.set("status", json!({}));
        metadata::first_generation(object);
    },
    prepare_update: |new, old| {
        new.keep("status", old);
        metadata::bump_generation(new, old);
    },
    prepare_status: super::prepare_status,
    columns: columns::PRIORITY_LEVEL_CONFIGURATION,
    cells: |object, now| {
        let spec = Field::root(object).get("spec");
        let limited = spec.get("limited");
        let queuing = limited.get("limitResponse").get("queuing");
        let number = |holder: &Field<'_>, name: &'static str| match holder.exists() {
            true => holder.get(name).int().into(),
            false => Value::from("<none>"),
        };
        vec![
            table::name(object),
            spec.get("type").str().into(),
            number(&limited, "nominalConcurrencyShares"),
            number(&queuing, "queues"),
            number(&queuing, "handSize"),
            number(&queuing, "queueLengthLimit"),
            table::age(object, now),
        ]
    },
    ..GENERIC_RULES
};

fn default(object: &mut Value) {
    let spec = object.ensure("spec");
    if let Some(exempt) = spec.child("exempt") {
        exempt.default_to("nominalConcurrencyShares", 0);
        exempt.default_to("lendablePercent", 0);
    }
    let Some(limited) = spec.child("limited") else {
        return;
    };
    limited.default_to("nominalConcurrencyShares", 30);
    limited.default_to("lendablePercent", 0);
    if let Some(queuing) = limited.descend(&["limitResponse", "queuing"]) {
        queuing.default_zero("handSize", 8);
        queuing.default_zero("queues", 64);
        queuing.default_zero("queueLengthLimit", 50);
    }
}

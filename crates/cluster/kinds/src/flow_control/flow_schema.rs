//! FlowSchema (`pkg/registry/flowcontrol/flowschema/strategy.go`, `pkg/apis/flowcontrol/v1/defaults.go`).

use serde_json::json;

use crate::cursor::Field;
use crate::edit::Edit;
use crate::rules::{GENERIC_RULES, Rules};
use crate::{cell, columns, metadata, names, table};

/// The row of FlowSchema.
pub const RULES: Rules = Rules {
    group: "flowcontrol.apiserver.k8s.io",
    version: "v1",
    kind: "FlowSchema",
    name: names::dns_subdomain_name,
    default: |object| {
        object
            .ensure("spec")
            .default_zero("matchingPrecedence", DEFAULT_PRECEDENCE)
    },
    prepare_create: |object| {
        object.set("status", json!({}));
        metadata::first_generation(object);
    },
    prepare_update: |new, old| {
        new.keep("status", old);
        metadata::bump_generation(new, old);
    },
    prepare_status: super::prepare_status,
    columns: columns::FLOW_SCHEMA,
    cells: |object, now| {
        let root = Field::root(object);
        let spec = root.get("spec");
        let dangling = root
            .get("status")
            .items("conditions")
            .find(|condition| condition.get("type").str() == "Dangling");
        vec![
            table::name(object),
            spec.get("priorityLevelConfiguration").get("name").str().into(),
            spec.get("matchingPrecedence").int().into(),
            cell::text_or(&spec.get("distinguisherMethod").get("type"), "<none>"),
            table::age(object, now),
            dangling
                .map_or_else(
                    || "?".to_owned(),
                    |condition| condition.get("status").str().to_owned(),
                )
                .into(),
        ]
    },
    ..GENERIC_RULES
};

const DEFAULT_PRECEDENCE: i64 = 1000;

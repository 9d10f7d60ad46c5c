//! ResourceSlice (`pkg/registry/resource/resourceslice/strategy.go`).

use crate::cursor::Field;
use crate::rules::{GENERIC_RULES, Rules, Selectable};
use crate::{columns, metadata, names, table};

/// The row of ResourceSlice.
pub const RULES: Rules = Rules {
    group: "resource.k8s.io",
    version: "v1",
    kind: "ResourceSlice",
    name: names::dns_subdomain_name,
    prepare_create: metadata::first_generation,
    prepare_update: metadata::bump_generation,
    columns: columns::RESOURCE_SLICE,
    cells: |object, now| {
        let spec = Field::root(object).get("spec");
        vec![
            table::name(object),
            spec.get("nodeName").str().into(),
            spec.get("driver").str().into(),
            spec.get("pool").get("name").str().into(),
            table::age(object, now),
        ]
    },
    selectable: &[
        Selectable {
            name: "spec.driver",
            value: |object| Field::root(object).get("spec").get("driver").str().to_owned(),
        },
        Selectable {
            name: "spec.nodeName",
            value: |object| Field::root(object).get("spec").get("nodeName").str().to_owned(),
        },
    ],
    ..GENERIC_RULES
};

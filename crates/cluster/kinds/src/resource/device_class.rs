//! DeviceClass (`pkg/registry/resource/deviceclass/strategy.go`).

use crate::edit::Edit;
use crate::rules::{GENERIC_RULES, Rules};
use crate::{columns, metadata, names, table};

/// The row of DeviceClass.
pub const RULES: Rules = Rules {
    group: "resource.k8s.io",
    version: "v1",
    kind: "DeviceClass",
    name: names::dns_subdomain_name,
    prepare_create: |object| {
        metadata::first_generation(object);
        // The gate DRAExtendedResource is off.
        object.ensure("spec").unset("extendedResourceName");
    },
    prepare_update: |new, old| {
        let (spec, old_spec) = (
            new.ensure("spec"),
            old.get("spec").unwrap_or(&serde_json::Value::Null),
        );
        if old_spec.get("extendedResourceName").is_none() {
            spec.unset("extendedResourceName");
        }
        metadata::bump_generation(new, old);
    },
    columns: columns::DEVICE_CLASS,
    cells: |object, now| vec![table::name(object), table::age(object, now)],
    ..GENERIC_RULES
};

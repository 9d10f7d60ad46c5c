//! VolumeAttachment (`pkg/registry/storage/volumeattachment/strategy.go`, `pkg/apis/storage/validation
//! ValidateVolumeAttachment`).

use serde_json::{Value, json};

use crate::core::volume_source::driver_name;
use crate::cursor::{Field, Findings};
use crate::edit::Edit;
use crate::rules::{GENERIC_RULES, Rules};
use crate::{check, columns, names, table};

/// The row of VolumeAttachment.
pub const RULES: Rules = Rules {
    group: "storage.k8s.io",
    version: "v1",
    kind: "VolumeAttachment",
    name: names::dns_subdomain_name,
    default: |object| {
        object.ensure("spec").ensure("source");
        object.ensure("status").default_to("attached", false);
    },
    prepare_create: |object| object.set("status", json!({"attached": false})),
    prepare_update: |new, old| new.keep("status", old),
    validate_create: |object| {
        let mut out = Vec::new();
        let spec = Field::root(object).get("spec");
        validate(&spec, &mut out);
        driver_name(&spec.get("attacher"), &mut out);
        let volume = spec.get("source").get("persistentVolumeName");
        if volume.exists() {
            check::invalid(&volume, names::dns_subdomain(volume.str()), &mut out);
        }
        out
    },
    validate_update,
    columns: columns::VOLUME_ATTACHMENT,
    cells: |object, now| {
        let root = Field::root(object);
        let spec = root.get("spec");
        vec![
            table::name(object),
            spec.get("attacher").str().into(),
            spec.get("source").get("persistentVolumeName").str().into(),
            spec.get("nodeName").str().into(),
            root.get("status").get("attached").bool().into(),
            table::age(object, now),
        ]
    },
    unconditional_update: false,
    ..GENERIC_RULES
};

fn validate(spec: &Field<'_>, out: &mut Findings) {
    check::required(&spec.get("attacher"), out);
    let source = spec.get("source");
    let (inline, volume) = (source.get("inlineVolumeSpec"), source.get("persistentVolumeName"));
    match (inline.exists(), volume.exists()) {
        (false, false) => {
            out.push(
                source.required("must specify exactly one of inlineVolumeSpec and persistentVolumeName"),
            );
        }
        (true, true) => {
            out.push(
                source.forbidden("must specify exactly one of inlineVolumeSpec and persistentVolumeName"),
            );
        }
        (false, true) if volume.is_empty() => {
            out.push(volume.required("must specify non empty persistentVolumeName"));
        }
        _ => {}
    }
    let node = spec.get("nodeName");
    check::invalid(&node, names::dns_subdomain(node.str()), out);
}

fn validate_update(new: &Value, old: &Value) -> Findings {
    let (spec, old) = (Field::root(new).get("spec"), Field::root(old).get("spec"));
    let mut out = Vec::new();
    validate(&spec, &mut out);
    if !spec.same(&old) {
        let shown = crate::field::go_json(spec.value().unwrap_or(&Value::Null));
        out.push(spec.invalid_shown(shown, "field is immutable"));
    }
    out
}

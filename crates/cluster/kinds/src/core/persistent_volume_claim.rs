//! PersistentVolumeClaim (`pkg/registry/core/persistentvolumeclaim/strategy.go`, `pkg/apis/core/validation
//! ValidatePersistentVolumeClaim`).

use serde_json::{Map, Value, json};

use crate::core::claim_spec::{self, Options};
use crate::core::persistent_volume::{shown_class, shown_modes};
use crate::core::pod::defaults;
use crate::core::pod::resource_requirements::amount;
use crate::cursor::{Field, Findings, same};
use crate::edit::Edit;
use crate::labels::validate_selector;
use crate::rules::{GENERIC_RULES, Rules, Selectable};
use crate::unified_diff::unified_diff;
use crate::{columns, internal, metadata, names, resources, table};

/// The row of PersistentVolumeClaim.
pub const RULES: Rules = Rules {
    version: "v1",
    kind: "PersistentVolumeClaim",
    name: names::dns_subdomain_name,
    default: |object| {
        defaults::claim_spec(object.ensure("spec"));
        let status = object.ensure("status");
        status.default_zero("phase", "Pending");
        defaults::round(status.child("capacity"));
        defaults::round(status.child("allocatedResources"));
    },
    prepare_create: |object| {
        object.set("status", json!({"phase": "Pending"}));
        data_sources(object.ensure("spec"), &Value::Null);
    },
    prepare_update: |new, old| {
        new.keep("status", old);
        data_sources(new.ensure("spec"), old.get("spec").unwrap_or(&Value::Null));
    },
    validate_create: |object| {
        let mut out = Vec::new();
        claim_spec::validate(&Field::root(object).get("spec"), Options::default(), &mut out);
        out
    },
    validate_update,
    validate_status,
    warnings,
    update_warnings: |new, _| warnings(new),
    columns: columns::PERSISTENT_VOLUME_CLAIM,
    cells,
    selectable: &[Selectable {
        name: "name",
        value: |object| Field::root(object).get("metadata").get("name").str().to_owned(),
    }],
    ..GENERIC_RULES
};

const CLASS: &str = "volume.beta.kubernetes.io/storage-class";
const RESIZE: [&str; 5] = [
    "ControllerResizeInProgress",
    "ControllerResizeInfeasible",
    "NodeResizeInProgress",
    "NodeResizeInfeasible",
    "NodeResizePending",
];

/// `dataSource` and `dataSourceRef` say the same where only one is given; what the older of the two never took is
/// dropped (`pkg/api/persistentvolumeclaim/util.go`).
fn data_sources(spec: &mut Value, old: &Value) {
    let old = Field::root(old);
    let view = Field::root(spec);
    let (source, reference) = (view.get("dataSource"), view.get("dataSourceRef"));
    let crosses = !reference.get("namespace").is_empty();
    let drop_reference = crosses && !old.get("dataSourceRef").exists();
    let has_reference = reference.exists() && !drop_reference;
    let in_use = old.get("dataSource").exists() || old.get("dataSourceRef").exists();
    let known = matches!(
        (source.get("kind").str(), source.get("apiGroup").str()),
        ("PersistentVolumeClaim", "") | ("VolumeSnapshot", "snapshot.storage.k8s.io")
    );
    let drop_source = !in_use && !has_reference && !known;
    let copy = |from: &Field<'_>| {
        let fields = ["apiGroup", "kind", "name"].iter().filter_map(|name| {
            let value = from.get(name).value()?;
            Some(((*name).to_owned(), value.clone()))
        });
        Value::Object(fields.collect::<Map<_, _>>())
    };
    let (as_source, as_reference) = (copy(&reference), copy(&source));
    let has_source = source.exists() && !drop_source;
    if drop_reference {
        spec.unset("dataSourceRef");
    }
    if drop_source {
        spec.unset("dataSource");
    }
    match (has_source, has_reference) {
        (true, false) => spec.set("dataSourceRef", as_reference),
        (false, true) if !crosses => spec.set("dataSource", as_source),
        _ => {}
    }
}

fn options(old: &Field<'_>) -> Options {
    let mut found = Vec::new();
    validate_selector(&old.get("selector"), false, &mut found);
    let has_group = |name: &'static str| old.get(name).get("apiGroup").exists();
    Options {
        allow_invalid_selector_values: !found.is_empty(),
        allow_invalid_api_group: has_group("dataSource") || has_group("dataSourceRef"),
    }
}

/// Upstream checks the whole claim twice.
fn validate_update(new: &Value, old: &Value) -> Findings {
    let (root, old_root) = (Field::root(new), Field::root(old));
    let (spec, old_spec) = (root.get("spec"), old_root.get("spec"));
    let mut whole = metadata::create_of_kubernetes(&root.get("metadata"), true, names::dns_subdomain_name);
    claim_spec::validate(&spec, options(&old_spec), &mut whole);
    let mut out = whole.clone();
    out.extend(whole);
    let annotation = |root: &Field<'_>| {
        root.get("metadata")
            .get("annotations")
            .key(CLASS)
            .opt_str()
            .map(str::to_owned)
    };
    let (class, old_class) = (annotation(&root), annotation(&old_root));
    let (named, old_named) = (spec.get("storageClassName"), old_spec.get("storageClassName"));
    let (upgraded, named_now) = (
        !old_named.exists() && named.exists(),
        Some(named.str().to_owned()),
    );
    let from_annotation =
        upgraded && old_class.is_some() && named_now == old_class && (class.is_none() || class == old_class);
    if !from_annotation && class != old_class {
        let place = root.get("metadata").get("annotations").named(CLASS);
        out.push(place.invalid_value(class.unwrap_or_default(), metadata::IMMUTABLE));
    }
    let keep_class = upgraded && (old_class.is_none() || named_now == old_class);
    spec_is_immutable(new, old, from_annotation || keep_class, &mut out);
    shrinks_not(&spec, &old_root, &mut out);
    metadata::immutable(
        &root.get("volumeMode").with(spec.get("volumeMode").value()),
        &old_spec.get("volumeMode"),
        &mut out,
    );
    let attributes = spec.get("volumeAttributesClassName");
    if old_root
        .get("status")
        .get("currentVolumeAttributesClassName")
        .exists()
        && attributes.is_empty()
    {
        let to = if attributes.exists() {
            "empty string"
        } else {
            "nil"
        };
        out.push(attributes.forbidden(format!(
            "update to {to} is forbidden when status.currentVolumeAttributesClassName is not nil"
        )));
    }
    out
}

/// Only what a bound claim asks for, and once the volume, may change.
fn spec_is_immutable(new: &Value, old: &Value, keep_class: bool, out: &mut Findings) {
    let empty = json!({});
    let (mut spec, mut old_spec) = (
        new.get("spec").unwrap_or(&empty).clone(),
        old.get("spec").unwrap_or(&empty).clone(),
    );
    data_sources(&mut old_spec, &old.get("spec").cloned().unwrap_or_default());
    if Field::root(&old_spec).get("volumeName").is_empty() {
        old_spec.keep("volumeName", &spec);
    }
    if keep_class {
        spec.keep("storageClassName", &old_spec);
    }
    if Field::root(new).get("status").get("phase").str() == "Bound" {
        if let (Some(requests), Some(old)) = (
            spec.descend(&["resources", "requests"]),
            old_spec.descend(&["resources", "requests"]),
        ) {
            requests.keep("storage", old);
        }
        spec.keep("volumeAttributesClassName", &old_spec);
    }
    if !same(Some(&spec), Some(&old_spec)) {
        let pretty = |spec: &Value| internal::pretty("PersistentVolumeClaimSpec", spec);
        let diff = unified_diff(&pretty(&old_spec), &pretty(&spec));
        out.push(Field::root(new).get("spec").forbidden(format!(
            "spec is immutable after creation except resources.requests and volumeAttributesClassName for bound \
             claims\n{diff}"
        )));
    }
}

fn shrinks_not(spec: &Field<'_>, old: &Field<'_>, out: &mut Findings) {
    let storage = |holder: &Field<'_>| resources::quantity(&holder.key("storage"));
    let requests = spec.get("resources").get("requests");
    let old_requests = old.get("spec").get("resources").get("requests");
    let (Some(new), Some(before)) = (storage(&requests), storage(&old_requests)) else {
        return;
    };
    let there_is = storage(&old.get("status").get("capacity"));
    let enough = match there_is {
        Some(there_is) => new > there_is,
        None => new.sign() > 0,
    };
    if new < before && !enough {
        out.push(
            requests
                .get("storage")
                .forbidden("field can not be less than status.capacity"),
        );
    }
}

fn validate_status(new: &Value, _: &Value) -> Findings {
    let root = Field::root(new);
    let status = root.get("status");
    let mut out = Vec::new();
    if root.get("spec").get("accessModes").is_empty() {
        out.push(root.get("Spec").get("accessModes").required(""));
    }
    let basic = |value: &Field<'_>, out: &mut Findings| {
        let negative = resources::quantity(value).filter(|amount| amount.value() < 0);
        if let Some(amount) = &negative {
            out.push(value.invalid_value(amount.value(), "must be a valid resource quantity"));
        }
        negative.is_none()
    };
    for (_, value) in status.get("capacity").entries() {
        basic(&value, &mut out);
    }
    let statuses = status.get("allocatedResourceStatuses");
    for (name, value) in statuses.entries() {
        resource_key(&statuses, name, &mut out);
        if !RESIZE.contains(&value.str()) {
            out.push(statuses.not_supported_value(name, &RESIZE));
        }
    }
    let allocated = status.get("allocatedResources");
    for (name, value) in allocated.entries() {
        if resource_key(&allocated, name, &mut out) && basic(&value, &mut out) {
            amount(&value, "storage", &mut out);
        }
    }
    out
}

/// Of Kubernetes' own resources a claim has only storage.
fn resource_key(place: &Field<'_>, name: &str, out: &mut Findings) -> bool {
    let before = out.len();
    let texts = names::qualified_name(name);
    if texts.is_empty() && resources::is_native(name) && name != "storage" {
        out.push(place.not_supported_value(name, &["storage"]));
    }
    out.extend(texts.into_iter().map(|text| place.invalid_value(name, text)));
    out.len() == before
}

fn warnings(object: &Value) -> Vec<String> {
    let root = Field::root(object);
    let mut out = Vec::new();
    if root.get("metadata").get("annotations").key(CLASS).exists() {
        out.push(format!(
            "metadata.annotations[{CLASS}]: deprecated since v1.8; use \"storageClassName\" attribute instead"
        ));
    }
    for which in ["requests", "limits"] {
        let place = root.get("spec").get("resources").get(which).key("storage");
        if let Some(amount) = resources::quantity(&place).filter(|amount| amount.milli_value() % 1000 != 0) {
            let (path, text) = (place.path(), amount.to_string());
            out.push(format!(
                "{path}: fractional byte value {text:?} is invalid, must be an integer"
            ));
        }
    }
    out
}

fn cells(object: &Value, now: i64) -> Vec<Value> {
    let root = Field::root(object);
    let (spec, status) = (root.get("spec"), root.get("status"));
    let deleted = root.get("metadata").get("deletionTimestamp").exists();
    let volume = spec.get("volumeName");
    let (mut capacity, mut modes) = (String::new(), String::new());
    if !volume.is_empty() {
        let size = resources::quantity(&status.get("capacity").key("storage"));
        capacity = size.map_or("0".to_owned(), |size| size.to_string());
        modes = shown_modes(&status.get("accessModes"));
    }
    let or_unset = |name: &'static str| Value::from(spec.get(name).opt_str().unwrap_or("<unset>"));
    vec![
        table::name(object),
        if deleted {
            "Terminating"
        } else {
            status.get("phase").str()
        }
        .into(),
        volume.str().into(),
        capacity.into(),
        modes.into(),
        shown_class(&root).into(),
        or_unset("volumeAttributesClassName"),
        table::age(object, now),
        or_unset("volumeMode"),
    ]
}

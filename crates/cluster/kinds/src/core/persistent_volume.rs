//! PersistentVolume (`pkg/registry/core/persistentvolume/strategy.go`, `pkg/apis/core/validation
//! ValidatePersistentVolume`).

use serde_json::{Map, Value, json};

use crate::core::pod::defaults::round;
use crate::core::pod::scheduling::node_selector;
use crate::core::volume_source;
use crate::cursor::{Field, Findings, same};
use crate::edit::Edit;
use crate::rules::{GENERIC_RULES, Rules, Selectable};
use crate::unified_diff::unified_diff;
use crate::{check, columns, internal, metadata, names, resources, table};

/// The row of PersistentVolume.
pub const RULES: Rules = Rules {
    version: "v1",
    kind: "PersistentVolume",
    name: names::dns_subdomain_name,
    default,
    prepare_create,
    prepare_update: |new, old| new.keep("status", old),
    prepare_status,
    validate_create: |object| {
        let mut out = Vec::new();
        validate(&Field::root(object), false, &mut out);
        out
    },
    validate_update,
    warnings,
    update_warnings: |new, _| warnings(new),
    columns: columns::PERSISTENT_VOLUME,
    cells,
    selectable: &[Selectable {
        name: "name",
        value: |object| Field::root(object).get("metadata").get("name").str().to_owned(),
    }],
    ..GENERIC_RULES
};

const MODES: [&str; 4] = [
    "ReadOnlyMany",
    "ReadWriteMany",
    "ReadWriteOnce",
    "ReadWriteOncePod",
];
const CLASS: &str = "volume.beta.kubernetes.io/storage-class";
const MOUNT_OPTIONS: &str = "volume.beta.kubernetes.io/mount-options";

/// Sources whose mount options may stand in an annotation.
const MOUNTED: [&str; 13] = [
    "gcePersistentDisk",
    "awsElasticBlockStore",
    "glusterfs",
    "nfs",
    "rbd",
    "quobyte",
    "iscsi",
    "cinder",
    "cephfs",
    "azureFile",
    "vsphereVolume",
    "azureDisk",
    "photonPersistentDisk",
];

fn default(object: &mut Value) {
    object.ensure("status").default_zero("phase", "Pending");
    let spec = object.ensure("spec");
    spec.default_zero("persistentVolumeReclaimPolicy", "Retain");
    spec.default_to("volumeMode", "Filesystem");
    round(spec.child("capacity"));
    if let Some(source) = spec.child("hostPath") {
        source.default_to("type", "");
    }
    if let Some(source) = spec.child("rbd") {
        source.default_zero("pool", "rbd");
        source.default_zero("user", "admin");
        source.default_zero("keyring", "/etc/ceph/keyring");
    }
    if let Some(source) = spec.child("iscsi") {
        source.default_zero("iscsiInterface", "default");
    }
    if let Some(source) = spec.child("azureDisk") {
        source.default_to("cachingMode", "ReadWrite");
        source.default_to("kind", "Shared");
        source.default_to("fsType", "ext4");
        source.default_to("readOnly", false);
    }
    if let Some(source) = spec.child("scaleIO") {
        source.default_zero("storageMode", "ThinProvisioned");
        source.default_zero("fsType", "xfs");
    }
}

/// A new volume is pending since it was made.
fn prepare_create(object: &mut Value) {
    let created = Field::root(object)
        .get("metadata")
        .get("creationTimestamp")
        .value()
        .cloned();
    let mut status = json!({"phase": "Pending"});
    if let Some(created) = created {
        status.set("lastPhaseTransitionTime", created);
    }
    object.set("status", status);
}

/// The time of the last change of the phase stays while the phase does.
fn prepare_status(new: &mut Value, old: &Value) {
    new.keep("spec", old);
    let empty = Value::Null;
    let old_status = old.get("status").unwrap_or(&empty);
    let status = new.ensure("status");
    let same_phase = Field::root(status).get("phase").str() == Field::root(old_status).get("phase").str();
    if same_phase && !Field::root(status).get("lastPhaseTransitionTime").exists() {
        status.keep("lastPhaseTransitionTime", old_status);
    }
}

fn validate(object: &Field<'_>, allow_invalid_values: bool, out: &mut Findings) {
    let spec = object.get("spec");
    access_modes(&spec.get("accessModes"), out);
    capacity(&spec.get("capacity"), out);
    let policy = spec.get("persistentVolumeReclaimPolicy");
    if !policy.is_empty() {
        check::one_of(&policy, &["Delete", "Recycle", "Retain"], out);
    }
    let affinity = spec.get("nodeAffinity");
    if affinity.exists() {
        let required = affinity.get("required");
        if required.exists() {
            node_selector(&required, allow_invalid_values, out);
        } else {
            out.push(required.required("must specify required node constraints"));
        }
    }
    volume_source::validate(&spec, out);
    let path = spec.get("hostPath").get("path").str();
    let is_root = path.split('/').all(|part| matches!(part, "" | ".")) && path.starts_with('/');
    if is_root && policy.str() == "Recycle" {
        out.push(policy.forbidden("may not be 'recycle' for a hostPath mount of '/'"));
    }
    let class = spec.get("storageClassName");
    if !class.is_empty() {
        check::invalid(&class, names::dns_subdomain(class.str()), out);
    }
    check::one_of(&spec.get("volumeMode"), &["Block", "Filesystem"], out);
    let attributes = spec.get("volumeAttributesClassName");
    if attributes.exists() {
        if attributes.is_empty() {
            out.push(attributes.required("an empty string is disallowed"));
        } else {
            check::invalid(&attributes, names::dns_subdomain(attributes.str()), out);
        }
        if !spec.get("csi").exists() {
            let detail = "has to be specified when using volumeAttributesClassName";
            out.push(spec.get("csi").required(detail));
        }
    }
    mount_options(object, &spec, out);
}

fn mount_options(object: &Field<'_>, spec: &Field<'_>, out: &mut Findings) {
    let meta = object.get("metadata").get("annotations");
    let takes_options = MOUNTED.iter().any(|name| spec.get(name).exists());
    if !takes_options && meta.key(MOUNT_OPTIONS).exists() {
        let detail = "may not specify mount options for this volume type";
        out.push(meta.named(MOUNT_OPTIONS).forbidden(detail));
    }
}

fn access_modes(modes: &Field<'_>, out: &mut Findings) {
    check::required(modes, out);
    for mode in modes.strings().filter(|mode| !MODES.contains(mode)) {
        out.push(modes.not_supported_value(mode, &MODES));
    }
    let single = modes.strings().any(|mode| mode == "ReadWriteOncePod");
    let others = modes
        .strings()
        .any(|mode| mode != "ReadWriteOncePod" && MODES.contains(&mode));
    if single && others {
        out.push(modes.forbidden("may not use ReadWriteOncePod with other access modes"));
    }
}

fn capacity(capacity: &Field<'_>, out: &mut Findings) {
    check::required(capacity, out);
    if !capacity.key("storage").exists() || capacity.len() > 1 {
        let mut finding = capacity.not_supported(&["storage"]);
        if !capacity.exists() {
            finding.shown = Some("null".to_owned());
        }
        out.push(finding);
    }
    for (_, amount) in capacity.entries() {
        let Some(quantity) = resources::quantity(&amount) else {
            continue;
        };
        if quantity.value() < 0 {
            out.push(amount.invalid_value(quantity.value(), "must be a valid resource quantity"));
        }
        if quantity.sign() <= 0 {
            out.push(amount.invalid_value(quantity.to_string(), "must be greater than zero"));
        }
    }
}

/// Upstream checks the whole volume twice.
fn validate_update(new: &Value, old: &Value) -> Findings {
    let (root, old_root) = (Field::root(new), Field::root(old));
    let (spec, old_spec) = (root.get("spec"), old_root.get("spec"));
    let mut found = Vec::new();
    let required = old_spec.get("nodeAffinity").get("required");
    if required.exists() {
        node_selector(&required, false, &mut found);
    }
    let allow_invalid_values = !found.is_empty();
    let mut whole = metadata::create_of_kubernetes(&root.get("metadata"), false, names::dns_subdomain_name);
    validate(&root, allow_invalid_values, &mut whole);
    let mut out = whole.clone();
    out.extend(whole);
    let (source, old_source) = (source(&spec), source(&old_spec));
    let mut compared = source.clone();
    let secret = "controllerExpandSecretRef";
    if old_source["csi"].is_object()
        && old_source["csi"].get(secret).is_none()
        && let Some(csi) = compared.child("csi")
    {
        csi.unset(secret);
    }
    if !same(Some(&compared), Some(&old_source)) {
        let pretty = |source: &Value| internal::pretty("PersistentVolumeSource", source);
        let diff = unified_diff(&pretty(&old_source), &pretty(&compared));
        out.push(spec.get("persistentvolumesource").forbidden(format!(
            "spec.persistentvolumesource is immutable after creation\n{diff}"
        )));
    }
    let (mode, affinity) = (spec.get("volumeMode"), spec.get("nodeAffinity"));
    metadata::immutable(
        &root.get("volumeMode").with(mode.value()),
        &old_spec.get("volumeMode"),
        &mut out,
    );
    let old_affinity = old_spec.get("nodeAffinity");
    if old_affinity.exists() && !affinity.same(&old_affinity) {
        let shown = internal::shown("VolumeNodeAffinity", affinity.value());
        let detail = "field is immutable, except for updating from beta label to GA";
        out.push(root.get("nodeAffinity").invalid_shown(shown, detail));
    }
    let class = spec.get("volumeAttributesClassName");
    if old_spec.get("volumeAttributesClassName").exists() && !class.exists() {
        out.push(class.forbidden("update from non-nil value to nil is forbidden"));
    }
    out
}

fn source(spec: &Field<'_>) -> Value {
    let fields = volume_source::fields().filter_map(|name| {
        let source = spec.get(name).value()?;
        Some((name.to_owned(), source.clone()))
    });
    Value::Object(fields.collect::<Map<_, _>>())
}

const DEPRECATED: [(&str, &str); 6] = [
    ("cephfs", "cephfs: deprecated in v1.28, non-functional in v1.31+"),
    (
        "photonPersistentDisk",
        "photonPersistentDisk: deprecated in v1.11, non-functional in v1.16+",
    ),
    (
        "scaleIO",
        "scaleIO: deprecated in v1.16, non-functional in v1.22+",
    ),
    (
        "storageos",
        "storageOS: deprecated in v1.22, non-functional in v1.25+",
    ),
    (
        "glusterfs",
        "glusterfs: deprecated in v1.25, non-functional in v1.26+",
    ),
    ("rbd", "rbd: deprecated in v1.28, non-functional in v1.31+"),
];

fn warnings(object: &Value) -> Vec<String> {
    let root = Field::root(object);
    let (spec, annotations) = (root.get("spec"), root.get("metadata").get("annotations"));
    let mut out = Vec::new();
    for (key, text) in [
        (
            CLASS,
            "deprecated since v1.8; use \"storageClassName\" attribute instead",
        ),
        (
            MOUNT_OPTIONS,
            "deprecated since v1.31; use \"mountOptions\" attribute instead",
        ),
    ] {
        if annotations.key(key).exists() {
            out.push(format!("metadata.annotations[{key}]: {text}"));
        }
    }
    if spec.get("persistentVolumeReclaimPolicy").str() == "Recycle" {
        out.push(
            "spec.persistentVolumeReclaimPolicy: The Recycle reclaim policy is deprecated. Instead, the recommended \
             approach is to use dynamic provisioning."
                .to_owned(),
        );
    }
    let deprecated = DEPRECATED.iter().filter(|(name, _)| spec.get(name).exists());
    out.extend(deprecated.map(|(_, text)| format!("spec.{text}")));
    out
}

/// Access modes as tables show them: `RWO,ROX`.
pub fn shown_modes(modes: &Field<'_>) -> String {
    let known = [
        ("ReadWriteOnce", "RWO"),
        ("ReadOnlyMany", "ROX"),
        ("ReadWriteMany", "RWX"),
        ("ReadWriteOncePod", "RWOP"),
    ];
    let shown = known
        .iter()
        .filter(|(mode, _)| modes.strings().any(|other| other == *mode));
    shown.map(|(_, short)| *short).collect::<Vec<_>>().join(",")
}

/// The storage class, which an old annotation may name.
pub fn shown_class<'a>(object: &Field<'a>) -> &'a str {
    let annotation = object.get("metadata").get("annotations").key(CLASS);
    annotation
        .opt_str()
        .unwrap_or(object.get("spec").get("storageClassName").str())
}

fn cells(object: &Value, now: i64) -> Vec<Value> {
    let root = Field::root(object);
    let (spec, status) = (root.get("spec"), root.get("status"));
    let claim = spec.get("claimRef");
    let claimed = if claim.exists() {
        format!("{}/{}", claim.get("namespace").str(), claim.get("name").str())
    } else {
        String::new()
    };
    let deleted = root.get("metadata").get("deletionTimestamp").exists();
    let size = resources::quantity(&spec.get("capacity").key("storage"));
    let or_unset = |name: &'static str| Value::from(spec.get(name).opt_str().unwrap_or("<unset>"));
    vec![
        table::name(object),
        size.map_or("0".to_owned(), |size| size.to_string()).into(),
        shown_modes(&spec.get("accessModes")).into(),
        spec.get("persistentVolumeReclaimPolicy").str().into(),
        if deleted {
            "Terminating"
        } else {
            status.get("phase").str()
        }
        .into(),
        claimed.into(),
        shown_class(&root).into(),
        or_unset("volumeAttributesClassName"),
        status.get("reason").str().into(),
        table::age(object, now),
        or_unset("volumeMode"),
    ]
}

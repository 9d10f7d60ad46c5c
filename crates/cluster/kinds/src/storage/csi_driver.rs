//! CSIDriver (`pkg/registry/storage/csidriver/strategy.go`, `pkg/apis/storage/validation ValidateCSIDriver`).

use serde_json::{Value, json};

use crate::core::volume_source::driver_name;
use crate::cursor::{Field, Findings};
use crate::edit::Edit;
use crate::rules::{GENERIC_RULES, Rules};
use crate::{check, columns, metadata, names, table};

/// The row of CSIDriver.
pub const RULES: Rules = Rules {
    group: "storage.k8s.io",
    version: "v1",
    kind: "CSIDriver",
    name: names::dns_subdomain_name,
    default: |object| {
        let spec = object.ensure("spec");
        spec.default_to("attachRequired", true);
        for name in [
            "podInfoOnMount",
            "storageCapacity",
            "requiresRepublish",
            "seLinuxMount",
        ] {
            spec.default_to(name, false);
        }
        spec.default_to("fsGroupPolicy", "ReadWriteOnceWithFSType");
        spec.default_zero("volumeLifecycleModes", json!(["Persistent"]));
    },
    validate_create: |object| {
        let mut out = Vec::new();
        validate(&Field::root(object), &mut out);
        out
    },
    validate_update,
    columns: columns::CSI_DRIVER,
    cells,
    unconditional_update: false,
    ..GENERIC_RULES
};

const POLICIES: [&str; 3] = ["File", "None", "ReadWriteOnceWithFSType"];
const REQUIRED: [&str; 3] = ["attachRequired", "podInfoOnMount", "storageCapacity"];

fn validate(driver: &Field<'_>, out: &mut Findings) {
    driver_name(
        &driver
            .get("name")
            .with(driver.get("metadata").get("name").value()),
        out,
    );
    validate_spec(&driver.get("spec"), out);
}

fn validate_spec(spec: &Field<'_>, out: &mut Findings) {
    for name in REQUIRED {
        if !spec.get(name).exists() {
            out.push(spec.get(name).required(""));
        }
    }
    check::one_of(&spec.get("fsGroupPolicy"), &POLICIES, out);
    let mut audiences = Vec::new();
    for request in spec.items("tokenRequests") {
        let (audience, seconds) = (request.get("audience"), request.get("expirationSeconds"));
        if audiences.contains(&audience.str()) {
            out.push(audience.duplicate());
            continue;
        }
        audiences.push(audience.str());
        if let Some(number) = seconds.opt_int() {
            if number < 600 {
                out.push(seconds.invalid("may not specify a duration less than 10 minutes"));
            }
            if number > 1 << 32 {
                out.push(seconds.invalid("may not specify a duration larger than 2^32 seconds"));
            }
        }
    }
    let (modes, known) = (spec.get("volumeLifecycleModes"), ["Persistent", "Ephemeral"]);
    for mode in modes.strings().filter(|mode| !known.contains(mode)) {
        out.push(modes.not_supported_value(mode, &known));
    }
}

fn validate_update(new: &Value, old: &Value) -> Findings {
    let (new, old) = (Field::root(new), Field::root(old).get("spec"));
    let spec = new.get("spec");
    let mut out = Vec::new();
    validate_spec(&spec, &mut out);
    // Upstream's path for the first.
    let attach = spec.get("attachRequired");
    metadata::immutable(
        &spec.get("attachedRequired").with(attach.value()),
        &old.get("attachRequired"),
        &mut out,
    );
    let modes = "volumeLifecycleModes";
    metadata::immutable(&spec.get(modes), &old.get(modes), &mut out);
    out
}

fn cells(object: &Value, now: i64) -> Vec<Value> {
    let spec = Field::root(object).get("spec");
    let truth = |name: &'static str, none: bool| Value::from(spec.get(name).opt_bool().unwrap_or(none));
    let requests = spec.get("tokenRequests");
    let audiences: Vec<&str> = requests
        .list()
        .map(|request| request.get("audience").str())
        .collect();
    let modes: Vec<&str> = spec.get("volumeLifecycleModes").strings().collect();
    vec![
        table::name(object),
        truth("attachRequired", true),
        truth("podInfoOnMount", false),
        truth("storageCapacity", false),
        if requests.exists() {
            audiences.join(",")
        } else {
            "<unset>".to_owned()
        }
        .into(),
        truth("requiresRepublish", false),
        if modes.is_empty() {
            "<none>".to_owned()
        } else {
            modes.join(",")
        }
        .into(),
        table::age(object, now),
    ]
}

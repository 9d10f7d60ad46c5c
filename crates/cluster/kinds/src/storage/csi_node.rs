//! CSINode (`pkg/apis/storage/validation ValidateCSINode`).

use crate::core::volume_source::driver_name;
use crate::cursor::{Field, Findings};
use crate::edit::Edit;
use crate::rules::{GENERIC_RULES, Rules};
use crate::{columns, names, table};

/// The row of CSINode.
pub const RULES: Rules = Rules {
    group: "storage.k8s.io",
    version: "v1",
    kind: "CSINode",
    name: names::dns_subdomain_name,
    default: |object| {
        object
            .ensure("spec")
            .default_to("drivers", serde_json::Value::Array(Vec::new()));
    },
    validate_create: |object| {
        let mut out = Vec::new();
        validate(&Field::root(object).get("spec"), &mut out);
        out
    },
    validate_update: |new, _| {
        let mut out = Vec::new();
        validate(&Field::root(new).get("spec"), &mut out);
        out
    },
    columns: columns::CSI_NODE,
    cells: |object, now| {
        let drivers = Field::root(object).get("spec").get("drivers").len();
        vec![table::name(object), drivers.into(), table::age(object, now)]
    },
    unconditional_update: false,
    ..GENERIC_RULES
};

const NODE_ID_MAX: usize = 192;

fn validate(spec: &Field<'_>, out: &mut Findings) {
    let mut seen = Vec::new();
    for driver in spec.items("drivers") {
        let (name, id) = (driver.get("name"), driver.get("nodeID"));
        driver_name(&name, out);
        if id.is_empty() {
            out.push(id.required(""));
        } else if id.len() > NODE_ID_MAX {
            out.push(id.invalid(format!("must be {NODE_ID_MAX} characters or less")));
        }
        let count = driver.get("allocatable").get("count");
        if count.int() < 0 {
            out.push(count.invalid("must be greater than or equal to 0"));
        }
        if seen.contains(&name.str()) {
            out.push(name.duplicate());
        } else {
            seen.push(name.str());
        }
        let mut keys = Vec::new();
        // Upstream reports at the driver.
        for key in driver.items("topologyKeys").map(|key| key.str()) {
            if key.is_empty() {
                out.push(driver.required(""));
            }
            if keys.contains(&key) {
                out.push(driver.duplicate_value(key));
            } else {
                keys.push(key);
            }
            let texts = names::qualified_name(key);
            out.extend(texts.into_iter().map(|text| driver.invalid_value(key, text)));
        }
    }
}

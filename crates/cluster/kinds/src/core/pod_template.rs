//! PodTemplate (`pkg/registry/core/podtemplate/strategy.go`).

use serde_json::Value;

use crate::core::pod::{self, Options, defaults, spec, warnings};
use crate::cursor::Field;
use crate::edit::Edit;
use crate::metadata;
use crate::rules::{GENERIC_RULES, Rules};
use crate::{columns, names, table, workload};

/// The row of PodTemplate.
pub const RULES: Rules = Rules {
    version: "v1",
    kind: "PodTemplate",
    name: names::dns_subdomain_name,
    default: |object| defaults::template(object.ensure("template")),
    prepare_create: |object| {
        metadata::first_generation(object);
        if let Some(spec) = object.descend(&["template", "spec"]) {
            pod::drop_disabled(spec, None);
        }
    },
    prepare_update: |new, old| {
        workload::drop_disabled(new, old, &["template"]);
        if workload::changed(new, old, &["template"]) {
            metadata::next_generation(new, old);
        }
    },
    validate_create: |object| {
        let mut out = Vec::new();
        spec::validate_template(
            &Field::root(object).get("template"),
            &Options::NEW_TEMPLATE,
            &mut out,
        );
        out
    },
    validate_update: |new, old| {
        let mut out = Vec::new();
        let options = workload::options(&Field::root(old).get("template"));
        spec::validate_template(&Field::root(new).get("template"), &options, &mut out);
        out
    },
    warnings: |object| warnings::of_template(&Field::root(object).get("template")),
    columns: columns::POD_TEMPLATE,
    cells,
    ..GENERIC_RULES
};

fn cells(object: &Value, _now: i64) -> Vec<Value> {
    let template = Field::root(object).get("template");
    let [names, images] = workload::container_cells(&template);
    let labels = workload::label_cell(&template.get("metadata").get("labels"));
    vec![table::name(object), names, images, labels.into()]
}

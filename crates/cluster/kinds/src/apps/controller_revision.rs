//! ControllerRevision (`pkg/apis/apps/validation`, `pkg/registry/apps/controllerrevision/strategy.go`).

use serde_json::Value;

use crate::cursor::{Field, Findings};
use crate::metadata::{self, immutable, non_negative};
use crate::rules::{GENERIC_RULES, Rules};
use crate::{columns, names, table};

/// The row of ControllerRevision.
pub const RULES: Rules = Rules {
    group: "apps",
    version: "v1",
    kind: "ControllerRevision",
    name: names::dns_subdomain_name,
    validate_create: |object| {
        let root = Field::root(object);
        let mut out = Vec::new();
        non_negative(&root.get("revision"), &mut out);
        let data = root.get("data");
        match data.value() {
            None => out.push(data.required("data is mandatory")),
            Some(Value::Object(_)) => {}
            Some(_) => out.push(data.required("data must be a valid JSON object")),
        }
        out
    },
    validate_update: |new, old| validate_update(&Field::root(new), &Field::root(old)),
    columns: columns::CONTROLLER_REVISION,
    cells,
    ..GENERIC_RULES
};

fn validate_update(new: &Field<'_>, old: &Field<'_>) -> Findings {
    let mut out = metadata::create_of_kubernetes(&new.get("metadata"), true, names::dns_subdomain_name);
    non_negative(&new.get("revision"), &mut out);
    immutable(&new.get("data"), &old.get("data"), &mut out);
    out
}

fn cells(object: &Value, now: i64) -> Vec<Value> {
    let root = Field::root(object);
    let owner = root
        .get("metadata")
        .items("ownerReferences")
        .find(|owner| owner.get("controller").bool());
    let controller = owner.map_or("<none>".to_owned(), |owner| {
        let group = owner
            .get("apiVersion")
            .str()
            .split_once('/')
            .map_or("", |(group, _)| group);
        let kind = owner.get("kind").str().to_lowercase();
        let dot = if group.is_empty() { "" } else { "." };
        format!("{kind}{dot}{group}/{}", owner.get("name").str())
    });
    vec![
        table::name(object),
        controller.into(),
        root.get("revision").int().into(),
        table::age(object, now),
    ]
}

//! The rules about `values.yaml`.

use deploy_yaml::Dialect;
use serde_json::{Map, Value};

use super::{LintRequest, Report, Severity, kind_of};
use crate::helm::compat::Compat;
use crate::helm::go::json;
use crate::helm::schema;
use crate::helm::values::coalesce::{self, Nulls};
use crate::helm::values::table;
use crate::source::Source;

const FILE: &str = "values.yaml";
const SCHEMA: &str = "values.schema.json";

pub(super) fn check(source: &dyn Source, folder: &str, request: &LintRequest, report: &mut Report) {
    if kind_of(source, folder, FILE).is_none() {
        report.add(Severity::Info, FILE, "file does not exist");
        return;
    }
    let result = valid(source, folder, request);
    report.check(Severity::Error, FILE, result);
}

/// Only the chart's own values are looked at, against its own schema; those of subcharts come with the templates.
fn valid(source: &dyn Source, folder: &str, request: &LintRequest) -> Result<(), String> {
    let text = source
        .read(&format!("{folder}/{FILE}"))
        .map_err(|error| format!("unable to parse YAML: open {error}"))?;
    let own =
        first_document(&text, request.compat).map_err(|error| format!("unable to parse YAML: {error}"))?;
    let mut warnings = Vec::new();
    let values = coalesce::tables(
        &request.values,
        &own,
        Nulls::Coalesce,
        request.compat,
        &mut warnings,
    );
    let schema = source.read(&format!("{folder}/{SCHEMA}")).unwrap_or_default();
    if schema.is_empty() || request.skip_schema_validation {
        return Ok(());
    }
    schema::validate(&values, &schema, &mut warnings).map_err(|error| error.to_string())
}

fn first_document(text: &[u8], compat: Compat) -> Result<Map<String, Value>, String> {
    let target = match compat {
        Compat::V4 => "common.Values",
        Compat::V3 => "chartutil.Values",
    };
    match deploy_yaml::to_json(text, Dialect::GoYaml11) {
        Ok(Value::Object(mut map)) => {
            map.values_mut().for_each(table::make_floats);
            Ok(map)
        }
        Ok(Value::Null) => Ok(Map::new()),
        Ok(other) => Err(format!(
            "error unmarshaling JSON: while decoding JSON: json: cannot unmarshal {} into Go value of type {target}",
            json::type_name(&other)
        )),
        Err(error) => Err(format!("error converting YAML to JSON: {error}")),
    }
}

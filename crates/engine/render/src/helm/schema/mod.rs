//! `values.schema.json`: values held against JSON Schema, drafts 4 to 2020-12, with the texts that helm 4.3 prints.
//!
//! The texts are those of the library that helm uses (santhosh-tekuri/jsonschema v6), whose tree of errors follows from
//! how it walks a schema; so the walk is written here rather than taken from a library with another one. Where that
//! library goes through a map in random order, names go in order here.

mod check;
mod compare;
mod compile;
mod document;
mod failure;
mod format;
mod json;
mod number;
mod obvious;
mod pattern;
mod url;

use serde_json::{Map, Value};

use self::json::Json;
use crate::helm::chart::Chart;
use crate::helm::go::verbs;

/// Values that do not fit the schemas of their charts; the text is helm's, without its first line.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct SchemaError {
    /// For each chart its name, a colon, and what does not fit.
    pub message: String,
}

/// Where helm says that a chart's schema stands.
const LOCATION: &str = "file:///values.schema.json";

/// Checks the coalesced values of a chart and of all below it. `warnings` gets what helm logs.
pub fn validate_chart(
    chart: &Chart,
    values: &Map<String, Value>,
    warnings: &mut Vec<String>,
) -> Result<(), SchemaError> {
    let mut message = String::new();
    collect(chart, values, warnings, &mut message);
    if message.is_empty() {
        Ok(())
    } else {
        Err(SchemaError { message })
    }
}

/// Checks values against one schema.
pub fn validate(
    values: &Map<String, Value>,
    schema: &[u8],
    warnings: &mut Vec<String>,
) -> Result<(), SchemaError> {
    let failed = |message| SchemaError { message };
    let schema = Json::parse(schema).map_err(failed)?;
    let compiled = compile::compile(LOCATION, schema, warnings).map_err(failed)?;
    check::check(&compiled, &Json::from_map(values)).map_err(|failure| {
        let location = format!("{LOCATION}#");
        let text = failure::text(&failure, &location);
        let heading = format!("jsonschema validation failed with '{location}'\n");
        failed(format!("{}\n", text.strip_prefix(&heading).unwrap_or(&text)))
    })
}

fn collect(chart: &Chart, values: &Map<String, Value>, warnings: &mut Vec<String>, message: &mut String) {
    if let Some(schema) = &chart.schema
        && let Err(error) = validate(values, schema, warnings)
    {
        message.push_str(&format!("{}:\n{}", chart.name(), error.message));
    }
    for below in &chart.dependencies {
        match values.get(below.name()) {
            None | Some(Value::Null) => {}
            Some(Value::Object(section)) => collect(below, section, warnings, message),
            Some(other) => message.push_str(&format!(
                "{}:\ninvalid type for values: expected object (map), got {}\n",
                below.name(),
                verbs::type_name(other)
            )),
        }
    }
}

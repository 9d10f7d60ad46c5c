//! The metadata of objects and of objects inside them, which every schema has without saying so
//! (`schema/objectmeta/{algorithm,coerce}.go`).

use serde_json::Value;

use super::{Finding, Structural};
use crate::decode::{self, Node};
use crate::registry::Registry;

const OBJECT_META: &str = "io.k8s.apimachinery.pkg.apis.meta.v1.ObjectMeta";

impl Structural {
    /// Removes what metadata does not know, here and in embedded objects, and makes it look as Go writes it. It tells the
    /// paths that were removed (`spec.template.metadata.foo`), those of the object itself last.
    ///
    /// The error is the text of what cannot be decoded: that of Go's decoder for the object's own metadata, a finding for an
    /// embedded object (`spec.template.kind: Invalid value: 5: must be a string`).
    pub fn coerce(&self, object: &mut Value) -> Result<Vec<String>, String> {
        let mut unknown = Vec::new();
        embedded(self, object, "", false, &mut unknown).map_err(|finding| finding.to_string())?;
        unknown.sort();
        if let Some(metadata) = object.get_mut("metadata") {
            let own = metadata_fields(metadata)?;
            unknown.extend(own.into_iter().map(|name| format!("metadata.{name}")));
        }
        Ok(unknown)
    }
}

fn embedded(
    schema: &Structural,
    value: &mut Value,
    path: &str,
    is_embedded: bool,
    unknown: &mut Vec<String>,
) -> Result<(), Finding> {
    match value {
        Value::Object(fields) => {
            for (name, value) in fields.iter_mut() {
                let below = if path.is_empty() {
                    name.clone()
                } else {
                    format!("{path}.{name}")
                };
                match name.as_str() {
                    "apiVersion" | "kind" if is_embedded && !value.is_string() => {
                        return Err(Finding::invalid(below, value.clone(), "must be a string"));
                    }
                    "metadata" if is_embedded => {
                        let shown = value.clone();
                        let own =
                            metadata_fields(value).map_err(|text| Finding::invalid(&below, shown, text))?;
                        unknown.extend(own.into_iter().map(|name| format!("{below}.{name}")));
                    }
                    _ => {}
                }
                if let Some(property) = schema.field(name) {
                    embedded(property, value, &below, property.embedded, unknown)?;
                }
            }
        }
        Value::Array(items) => {
            let Some(below) = schema.items.as_deref() else {
                return Ok(());
            };
            for (place, item) in items.iter_mut().enumerate() {
                embedded(below, item, &format!("{path}[{place}]"), below.embedded, unknown)?;
            }
        }
        _ => {}
    }
    Ok(())
}

/// Makes metadata what Go would write, and tells which fields it does not have.
fn metadata_fields(metadata: &mut Value) -> Result<Vec<String>, String> {
    let registry = Registry::builtin();
    let schema = registry.schema();
    let id = schema.find(OBJECT_META).expect("every registry has the metadata");
    let decoded = decode::typed(schema, id, Node::from(metadata.take()))?;
    *metadata = decoded.value;
    let name = |text: String| {
        let quoted = text.strip_prefix("unknown field ")?;
        Some(quoted.trim_matches('"').to_owned())
    };
    Ok(decoded.strict.into_iter().filter_map(name).collect())
}

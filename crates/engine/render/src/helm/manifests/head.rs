//! The few fields that helm itself reads of an object, with the conversions and error texts of sigs.k8s.io/yaml.

use std::collections::BTreeMap;

use deploy_yaml::Dialect;
use serde_json::{Map, Value};

use crate::helm::compat::Compat;

/// `apiVersion`, `kind`, and of `metadata` the name and the annotations.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[allow(missing_docs)]
pub struct Head {
    pub api_version: String,
    pub kind: String,
    pub name: String,
    annotations: BTreeMap<String, String>,
}

/// Why a document has no head.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum HeadError {
    /// It is not YAML.
    #[error("error converting YAML to JSON: {message}")]
    Syntax {
        /// go-yaml's text.
        message: String,
        /// The line within the document, or 0.
        line: u32,
        /// Whether a bound of our reader was hit, not a rule of YAML.
        limit: bool,
    },
    /// It is YAML, but a field has another type than an object's.
    #[error("error unmarshaling JSON: while decoding JSON: json: cannot unmarshal {found} into {target}")]
    Type {
        /// The JSON type that was found.
        found: &'static str,
        /// The Go type that was wanted, with the field's path.
        target: String,
    },
}

/// The fields that a head is read from.
const FIELDS: [&str; 3] = ["apiVersion", "kind", "metadata"];

impl Head {
    /// Reads the first document of a text.
    pub fn read(document: &[u8], compat: Compat) -> Result<Head, HeadError> {
        let json = deploy_yaml::some_to_json(document, Dialect::GoYaml11, &FIELDS).map_err(|e| {
            HeadError::Syntax {
                message: e.to_string(),
                line: e.position.line,
                limit: e.is_limit(),
            }
        })?;
        Head::from_json(json, compat)
    }

    /// The value of an annotation.
    pub fn annotation(&self, name: &str) -> Option<&str> {
        self.annotations.get(name).map(String::as_str)
    }

    fn from_json(json: Value, compat: Compat) -> Result<Head, HeadError> {
        let mut head = Head::default();
        let fields = match json {
            Value::Null => return Ok(head),
            Value::Object(fields) => fields,
            other => {
                let target = match compat {
                    Compat::V4 => "Go value of type util.SimpleHead",
                    Compat::V3 => "Go value of type releaseutil.SimpleHead",
                };
                return Err(wrong(&other, target));
            }
        };
        for (key, value) in fields {
            if key.eq_ignore_ascii_case("apiVersion") {
                head.api_version = string(value, "Go struct field SimpleHead.apiVersion of type string")?;
            } else if key.eq_ignore_ascii_case("kind") {
                head.kind = string(value, "Go struct field SimpleHead.kind of type string")?;
            } else if key.eq_ignore_ascii_case("metadata") {
                head.read_metadata(value)?;
            }
        }
        Ok(head)
    }

    fn read_metadata(&mut self, metadata: Value) -> Result<(), HeadError> {
        // Go names an anonymous struct by its definition.
        const TYPE: &str = "Go struct field SimpleHead.metadata of type struct \
            { Name string \"json:\\\"name\\\"\"; Annotations map[string]string \"json:\\\"annotations\\\"\" }";
        let fields = match metadata {
            Value::Null => return Ok(()),
            Value::Object(fields) => fields,
            other => return Err(wrong(&other, TYPE)),
        };
        for (key, value) in fields {
            if key.eq_ignore_ascii_case("name") {
                self.name = string(value, "Go struct field .metadata.name of type string")?;
            } else if key.eq_ignore_ascii_case("annotations") {
                self.annotations = annotations(value)?;
            }
        }
        Ok(())
    }
}

fn annotations(value: Value) -> Result<BTreeMap<String, String>, HeadError> {
    let fields: Map<String, Value> = match value {
        Value::Null => return Ok(BTreeMap::new()),
        Value::Object(fields) => fields,
        other => {
            return Err(wrong(
                &other,
                "Go struct field .metadata.annotations of type map[string]string",
            ));
        }
    };
    fields
        .into_iter()
        .map(|(key, value)| {
            Ok((
                key,
                string(value, "Go struct field .metadata.annotations of type string")?,
            ))
        })
        .collect()
}

/// sigs.k8s.io/yaml writes a number or a boolean as text where the Go field is a string.
fn string(value: Value, target: &str) -> Result<String, HeadError> {
    Ok(match value {
        Value::Null => String::new(),
        Value::String(text) => text,
        Value::Bool(flag) => flag.to_string(),
        Value::Number(number) => match number.as_f64() {
            Some(float) if number.is_f64() => deploy_template::fmt::float_g(float),
            _ => number.to_string(),
        },
        other => return Err(wrong(&other, target)),
    })
}

fn wrong(value: &Value, target: &str) -> HeadError {
    HeadError::Type {
        found: match value {
            Value::Null => "null",
            Value::Bool(_) => "bool",
            Value::Number(_) => "number",
            Value::String(_) => "string",
            Value::Array(_) => "array",
            Value::Object(_) => "object",
        },
        target: target.to_owned(),
    }
}

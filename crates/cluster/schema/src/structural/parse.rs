//! From the JSON of a definition to a schema. What is wrong in it is for [`super::check`] to say: here it is left out.

use serde_json::Value;

use super::patterns::Pattern;
use super::{Additional, Limits, Structural};

impl Structural {
    /// Reads a schema (`openAPIV3Schema`).
    pub fn parse(schema: &Value) -> Structural {
        let is = |word: &str| schema[word] == true;
        let texts = |word: &str| -> Vec<String> {
            let items = schema[word].as_array().into_iter().flatten();
            items.filter_map(Value::as_str).map(str::to_owned).collect()
        };
        let text = |word: &str| {
            schema[word]
                .as_str()
                .filter(|text| !text.is_empty())
                .map(str::to_owned)
        };
        let properties = schema["properties"].as_object().into_iter().flatten();
        Structural {
            r#type: text("type").unwrap_or_default(),
            items: schema["items"]
                .as_object()
                .map(|_| Box::new(Structural::parse(&schema["items"]))),
            properties: properties
                .map(|(name, schema)| (name.clone(), Structural::parse(schema)))
                .collect(),
            additional: match &schema["additionalProperties"] {
                Value::Bool(any) => Some(Additional::Any(*any)),
                schema @ Value::Object(_) => Some(Additional::Schema(Box::new(Structural::parse(schema)))),
                _ => None,
            },
            default: schema.get("default").filter(|value| !value.is_null()).cloned(),
            nullable: is("nullable"),
            preserves_unknown: is("x-kubernetes-preserve-unknown-fields"),
            embedded: is("x-kubernetes-embedded-resource"),
            int_or_string: is("x-kubernetes-int-or-string"),
            list_type: text("x-kubernetes-list-type"),
            list_map_keys: texts("x-kubernetes-list-map-keys"),
            map_type: text("x-kubernetes-map-type"),
            has_rules: schema["x-kubernetes-validations"]
                .as_array()
                .is_some_and(|rules| !rules.is_empty()),
            limits: limits(schema),
        }
    }
}

fn limits(schema: &Value) -> Limits {
    let is = |word: &str| schema[word] == true;
    let number = |word: &str| schema[word].as_f64();
    let integer = |word: &str| schema[word].as_i64();
    let schemas = |word: &str| -> Vec<Structural> {
        let items = schema[word].as_array().into_iter().flatten();
        items.map(Structural::parse).collect()
    };
    let required = schema["required"].as_array().into_iter().flatten();
    Limits {
        format: schema["format"].as_str().unwrap_or_default().to_owned(),
        maximum: number("maximum"),
        exclusive_maximum: is("exclusiveMaximum"),
        minimum: number("minimum"),
        exclusive_minimum: is("exclusiveMinimum"),
        multiple_of: number("multipleOf"),
        max_length: integer("maxLength"),
        min_length: integer("minLength"),
        pattern: schema["pattern"]
            .as_str()
            .filter(|p| !p.is_empty())
            .map(Pattern::new),
        max_items: integer("maxItems"),
        min_items: integer("minItems"),
        max_properties: integer("maxProperties"),
        min_properties: integer("minProperties"),
        required: required.filter_map(Value::as_str).map(str::to_owned).collect(),
        values: schema["enum"].as_array().cloned().unwrap_or_default(),
        all_of: schemas("allOf"),
        any_of: schemas("anyOf"),
        one_of: schemas("oneOf"),
        not: schema["not"]
            .as_object()
            .map(|_| Box::new(Structural::parse(&schema["not"]))),
    }
}

//! Schemas that fit their metaschema at a glance. Reading, compiling and walking a metaschema takes longer than rendering
//! a chart, and nearly all schemas are made of a few keywords whose rules are the same in every draft.
//!
//! `false` means only that the metaschema has to be asked, which also knows what to say of a mistake.

use super::document::Draft;
use super::json::Json;

/// Whether a schema is certainly one of its draft. `compiles` says whether a text is a regular expression.
pub fn is_valid(schema: &Json, draft: Draft, compiles: &mut dyn FnMut(&str) -> bool) -> bool {
    let Json::Object(entries) = schema else {
        return false;
    };
    let named = |url: &str| Draft::from_url(url) == Some(draft);
    entries.iter().all(|(key, value)| match key.as_str() {
        "$schema" => value.as_str().is_some_and(named),
        key => keyword(key, value, draft, compiles),
    })
}

fn subschema(schema: &Json, draft: Draft, compiles: &mut dyn FnMut(&str) -> bool) -> bool {
    match schema {
        Json::Bool(_) => draft > Draft::Draft4,
        Json::Object(entries) => entries
            .iter()
            .all(|(key, value)| keyword(key, value, draft, compiles)),
        _ => false,
    }
}

fn keyword(key: &str, value: &Json, draft: Draft, compiles: &mut dyn FnMut(&str) -> bool) -> bool {
    match key {
        "title" | "description" | "$comment" | "format" => value.as_str().is_some(),
        "type" => match value {
            Json::String(name) => is_type(name),
            value => distinct(value).is_some_and(|names| names.iter().all(|name| is_type(name))),
        },
        "enum" | "required" => distinct(value).is_some(),
        "pattern" => value.as_str().is_some_and(compiles),
        "$ref" => value.as_str().is_some_and(is_local),
        "minimum" | "maximum" => matches!(value, Json::Number(_)),
        "minLength" | "maxLength" | "minItems" | "maxItems" | "minProperties" | "maxProperties" => {
            matches!(value, Json::Number(digits) if digits.bytes().all(|b| b.is_ascii_digit()))
        }
        "uniqueItems" | "deprecated" | "readOnly" | "writeOnly" => matches!(value, Json::Bool(_)),
        "examples" => matches!(value, Json::Array(_)),
        "default" | "const" => true,
        "items" | "not" | "contains" | "propertyNames" | "if" | "then" | "else" => {
            subschema(value, draft, compiles)
        }
        "additionalProperties" => matches!(value, Json::Bool(_)) || subschema(value, draft, compiles),
        "properties" | "definitions" | "$defs" => match value {
            Json::Object(schemas) => schemas.values().all(|one| subschema(one, draft, compiles)),
            _ => false,
        },
        "allOf" | "anyOf" | "oneOf" => match value {
            Json::Array(schemas) => {
                !schemas.is_empty() && schemas.iter().all(|one| subschema(one, draft, compiles))
            }
            _ => false,
        },
        _ => false,
    }
}

/// The texts of a list that has some, each once.
fn distinct(value: &Json) -> Option<Vec<&str>> {
    let Json::Array(items) = value else { return None };
    let texts: Vec<&str> = items.iter().map(Json::as_str).collect::<Option<_>>()?;
    let mut sorted = texts.clone();
    sorted.sort_unstable();
    sorted.dedup();
    (!texts.is_empty() && sorted.len() == texts.len()).then_some(texts)
}

fn is_type(name: &str) -> bool {
    matches!(
        name,
        "array" | "boolean" | "integer" | "null" | "number" | "object" | "string"
    )
}

/// `#/definitions/name`, of characters that stand for themselves in a URL.
fn is_local(reference: &str) -> bool {
    let ordinary = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'/' | b'$' | b'_' | b'-' | b'.');
    reference
        .strip_prefix("#/")
        .is_some_and(|path| path.bytes().all(ordinary))
}

#[cfg(test)]
mod tests {
    use super::super::{compile, pattern};
    use super::*;

    /// What is valid at a glance is valid for the metaschema.
    #[test]
    fn a_glance_never_sees_more_than_the_metaschema() {
        let mut glimpsed = 0;
        let keywords = [
            ("title", r#""a""#),
            ("type", r#""object""#),
            ("type", r#"["string","null"]"#),
            ("type", r#"["string","string"]"#),
            ("type", r#""text""#),
            ("enum", r#"["a","b"]"#),
            ("enum", "[]"),
            ("enum", r#"["a","a"]"#),
            ("enum", "[1]"),
            ("required", r#"["a"]"#),
            ("required", "[]"),
            ("required", "true"),
            ("pattern", r#""^a{1,3}$""#),
            ("pattern", r#""(""#),
            ("$ref", r##""#/definitions/a""##),
            ("$ref", "1"),
            ("minimum", "-1.5"),
            ("minimum", r#""1""#),
            ("minLength", "3"),
            ("minLength", "-3"),
            ("maxItems", "1.5"),
            ("uniqueItems", "true"),
            ("uniqueItems", "1"),
            ("examples", "[1]"),
            ("examples", "1"),
            ("default", "null"),
            ("const", "1"),
            ("items", "{}"),
            ("items", "true"),
            ("items", "[{}]"),
            ("items", r#"{"type":"x"}"#),
            ("not", "{}"),
            ("if", "true"),
            ("propertyNames", r#"{"enum":["a"]}"#),
            ("additionalProperties", "false"),
            ("additionalProperties", r#"{"type":"string"}"#),
            ("additionalProperties", "1"),
            ("properties", r#"{"a":{"type":"string"},"b":{}}"#),
            ("properties", r#"{"a":true}"#),
            ("properties", "[]"),
            ("$defs", r#"{"a":{"minimum":1}}"#),
            ("definitions", r#"{"a":{"minimum":"1"}}"#),
            ("allOf", "[{}]"),
            ("anyOf", "[]"),
            ("format", r#""date""#),
            ("readOnly", "true"),
            ("description", "1"),
            ("nullable", "true"),
        ];
        let drafts = [
            Draft::Draft4,
            Draft::Draft6,
            Draft::Draft7,
            Draft::Draft2019,
            Draft::Draft2020,
        ];
        for draft in drafts {
            for (key, value) in keywords {
                let text = format!(r#"{{"$schema":"{}","{key}":{value}}}"#, draft.url());
                let json = Json::parse(text.as_bytes()).expect("it is JSON");
                if is_valid(&json, draft, &mut |text| pattern::compile(text).is_ok()) {
                    glimpsed += 1;
                    assert_eq!(compile::metaschema_refuses(&json, draft), None, "{text}");
                }
            }
        }
        assert!(glimpsed > 100, "{glimpsed}");
    }
}

//! Whether a schema is structural: its types can be read without its logic (`schema/validation.go`, `schema/complete.go`).

use serde_json::{Map, Value, json};

use super::Finding;
use super::patterns::Pattern;

/// Where a schema stands.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Level {
    Root,
    Item,
    Field,
}

/// What keeps a schema from being structural, in the order of its texts.
pub fn structural_findings(schema: &Value, path: &str) -> Vec<Finding> {
    let mut findings = Vec::new();
    invariants(schema, Level::Root, path, &mut findings);
    complete_branches(schema, Some(schema), path, path, &mut findings);
    findings.sort_by_cached_key(ToString::to_string);
    findings
}

/// The members of an object of schemas.
pub(super) fn members<'v>(schema: &'v Value, word: &str) -> impl Iterator<Item = (&'v String, &'v Value)> {
    schema[word].as_object().into_iter().flat_map(Map::iter)
}

/// The items of a list of schemas.
pub(super) fn branches<'v>(schema: &'v Value, word: &str) -> impl Iterator<Item = (usize, &'v Value)> {
    schema[word].as_array().into_iter().flatten().enumerate()
}

fn invariants(schema: &Value, level: Level, path: &str, findings: &mut Vec<Finding>) {
    let r#type = schema["type"].as_str().unwrap_or_default();
    let embedded = schema["x-kubernetes-embedded-resource"] == true;
    let open = schema["x-kubernetes-preserve-unknown-fields"] == true;
    let int_or_string = schema["x-kubernetes-int-or-string"] == true;
    if r#type == "array" && !schema["items"].is_object() {
        findings.push(Finding::required(format!("{path}.items"), "must be specified"));
    }
    if schema["items"].is_object() {
        invariants(&schema["items"], Level::Item, &format!("{path}.items"), findings);
    }
    for (name, property) in members(schema, "properties") {
        invariants(
            property,
            Level::Field,
            &format!("{path}.properties[{name}]"),
            findings,
        );
    }
    additional(schema, level, embedded, path, findings);
    if int_or_string {
        for (word, set) in [
            ("x-kubernetes-preserve-unknown-fields", open),
            ("x-kubernetes-embedded-resource", embedded),
        ] {
            if set {
                let detail = "must be false if x-kubernetes-int-or-string is true";
                findings.push(Finding::invalid(format!("{path}.{word}"), true, detail));
            }
        }
    }
    let skip_any = schema["anyOf"] == json!([{"type": "integer"}, {"type": "string"}]);
    let skip_first_all = schema["allOf"][0]["anyOf"] == json!([{"type": "integer"}, {"type": "string"}]);
    restrictions(schema, skip_any, skip_first_all, path, findings);
    types(r#type, level, embedded, open || int_or_string, path, findings);
    meta_fields(schema, level, embedded, path, findings);
    let bare = schema["properties"].as_object().is_none_or(Map::is_empty);
    if embedded && !open && bare {
        findings.push(Finding::required(
            format!("{path}.properties"),
            "must not be empty if x-kubernetes-embedded-resource is true without x-kubernetes-preserve-unknown-fields",
        ));
    }
}

fn additional(schema: &Value, level: Level, embedded: bool, path: &str, findings: &mut Vec<Finding>) {
    let additional = &schema["additionalProperties"];
    if additional.is_null() {
        return;
    }
    let path = format!("{path}.additionalProperties");
    if level == Level::Root {
        findings.push(Finding::forbidden(&path, "must not be used at the root"));
    }
    if additional.is_object() {
        invariants(additional, Level::Field, &path, findings);
    }
    if embedded {
        let detail = "must not be used if x-kubernetes-embedded-resource is set";
        findings.push(Finding::forbidden(path, detail));
    }
}

fn types(
    r#type: &str,
    level: Level,
    embedded: bool,
    may_be_empty: bool,
    path: &str,
    findings: &mut Vec<Finding>,
) {
    let path = format!("{path}.type");
    if embedded && r#type != "object" {
        let detail = "must be object if x-kubernetes-embedded-resource is true";
        findings.push(if r#type.is_empty() {
            Finding::required(&path, detail)
        } else {
            Finding::invalid(&path, r#type, detail)
        });
    } else if r#type.is_empty() && !may_be_empty {
        let detail = match level {
            Level::Root => "must not be empty at the root",
            Level::Item => "must not be empty for specified array items",
            Level::Field => "must not be empty for specified object fields",
        };
        findings.push(Finding::required(&path, detail));
    }
    if level == Level::Root && !r#type.is_empty() && r#type != "object" {
        findings.push(Finding::invalid(path, r#type, "must be object at the root"));
    }
}

/// `kind`, `apiVersion` and `metadata` are what they are everywhere.
fn meta_fields(schema: &Value, level: Level, embedded: bool, path: &str, findings: &mut Vec<Finding>) {
    let checked = level == Level::Root || embedded;
    let properties = &schema["properties"];
    for name in ["kind", "apiVersion"] {
        let Some(property) = properties.get(name).filter(|_| checked) else {
            continue;
        };
        let r#type = property["type"].as_str().unwrap_or_default();
        if r#type != "string" {
            let path = format!("{path}.properties[{name}].type");
            findings.push(Finding::invalid(path, r#type, "must be string"));
        }
    }
    let Some(metadata) = properties.get("metadata") else {
        return;
    };
    let path = format!("{path}.properties[metadata]");
    let r#type = metadata["type"].as_str().unwrap_or_default();
    if checked && r#type != "object" {
        findings.push(Finding::invalid(format!("{path}.type"), r#type, "must be object"));
    }
    if level == Level::Root && !only_names(metadata) {
        let detail = "must not specify anything other than name and generateName, but metadata is implicitly specified";
        findings.push(Finding::forbidden(path, detail));
    }
}

fn only_names(metadata: &Value) -> bool {
    let words = metadata.as_object().into_iter().flatten();
    let properties = metadata["properties"].as_object();
    let names_only = properties.is_none_or(|properties| {
        properties
            .keys()
            .all(|name| name == "name" || name == "generateName")
    });
    names_only
        && words
            .filter(|(_, value)| !value.is_null() && **value != false && **value != "")
            .all(|(word, _)| matches!(word.as_str(), "type" | "properties" | "default"))
}

/// What restricts values here: its branches, and its pattern.
fn restrictions(
    schema: &Value,
    skip_any: bool,
    skip_first_all: bool,
    path: &str,
    findings: &mut Vec<Finding>,
) {
    for word in ["anyOf", "allOf", "oneOf"] {
        if word == "anyOf" && skip_any {
            continue;
        }
        for (place, branch) in branches(schema, word) {
            let skip = word == "allOf" && skip_first_all && place == 0;
            branch_invariants(branch, skip, &format!("{path}.{word}[{place}]"), findings);
        }
    }
    if schema["not"].is_object() {
        branch_invariants(&schema["not"], false, &format!("{path}.not"), findings);
    }
    let pattern = schema["pattern"].as_str().filter(|pattern| !pattern.is_empty());
    if let Some(pattern) = pattern
        && let Some(error) = Pattern::new(pattern).error()
    {
        let detail = format!("must be a valid regular expression, but isn't: error parsing regexp: {error}");
        findings.push(Finding::invalid(format!("{path}.pattern"), pattern, detail));
    }
}

/// Words that a branch must not have, and how upstream says so.
const FORBIDDEN_IN_BRANCHES: &[(&str, &str)] = &[
    ("type", "must be empty to be structural"),
    ("additionalProperties", "must be undefined to be structural"),
    ("default", "must be undefined to be structural"),
    ("title", "must be empty to be structural"),
    ("description", "must be empty to be structural"),
    ("nullable", "must be false to be structural"),
    (
        "x-kubernetes-preserve-unknown-fields",
        "must be false to be structural",
    ),
    ("x-kubernetes-embedded-resource", "must be false to be structural"),
    ("x-kubernetes-int-or-string", "must be false to be structural"),
    ("x-kubernetes-list-map-keys", "must be empty to be structural"),
    ("x-kubernetes-list-type", "must be undefined to be structural"),
    ("x-kubernetes-map-type", "must be undefined to be structural"),
    ("x-kubernetes-validations", "must be empty to be structural"),
];

fn branch_invariants(schema: &Value, skip_any: bool, path: &str, findings: &mut Vec<Finding>) {
    restrictions(schema, skip_any, false, path, findings);
    if schema["items"].is_object() {
        branch_invariants(&schema["items"], false, &format!("{path}.items"), findings);
    }
    for (name, property) in members(schema, "properties") {
        branch_invariants(property, false, &format!("{path}.properties[{name}]"), findings);
    }
    for (word, detail) in FORBIDDEN_IN_BRANCHES {
        let empty = match &schema[*word] {
            Value::Null => true,
            Value::Bool(bool) => !bool,
            Value::String(text) => text.is_empty() && *word != "default",
            Value::Array(items) => items.is_empty() && *word != "default",
            _ => false,
        };
        if !empty {
            findings.push(Finding::forbidden(format!("{path}.{word}"), *detail));
        }
    }
    if schema["properties"].get("metadata").is_some() {
        let path = format!("{path}.properties[metadata]");
        findings.push(Finding::forbidden(
            path,
            "must not be specified in a nested context",
        ));
    }
}

/// Everything that branches speak of is also said outside of them.
fn complete_branches(
    branch: &Value,
    outside: Option<&Value>,
    path: &str,
    here: &str,
    findings: &mut Vec<Finding>,
) {
    if branch["not"].is_object() {
        complete(&branch["not"], outside, path, &format!("{here}.not"), findings);
    }
    for word in ["allOf", "anyOf", "oneOf"] {
        for (place, below) in branches(branch, word) {
            complete(below, outside, path, &format!("{here}.{word}[{place}]"), findings);
        }
    }
}

fn complete(branch: &Value, outside: Option<&Value>, path: &str, here: &str, findings: &mut Vec<Finding>) {
    let Some(outside) = outside else {
        findings.push(Finding::required(
            path,
            format!("because it is defined in {here}"),
        ));
        return;
    };
    complete_branches(branch, Some(outside), path, here, findings);
    if branch["items"].is_object() {
        let items = Some(&outside["items"]).filter(|items| items.is_object());
        let (path, here) = (format!("{path}.items"), format!("{here}.items"));
        complete(&branch["items"], items, &path, &here, findings);
    }
    for (name, property) in members(branch, "properties") {
        let below = outside["properties"].get(name);
        let (path, here) = (
            format!("{path}.properties[{name}]"),
            format!("{here}.properties[{name}]"),
        );
        complete(property, below, &path, &here, findings);
    }
}

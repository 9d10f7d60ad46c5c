//! Whether the schema of a definition may be used (`pkg/apis/apiextensions/validation/validation.go`).

use serde_json::{Map, Value};

use super::invariants::{branches, members, structural_findings};
use super::prune::META_FIELDS;
use super::{Finding, Structural, formats};

/// Where a schema stands in its definition.
#[derive(Clone, Debug)]
pub struct Place<'p> {
    /// Its path: `spec.validation.openAPIV3Schema` where all versions have the same, else
    /// `spec.versions[0].schema.openAPIV3Schema`.
    pub path: &'p str,
    /// The version has the subresource `status`.
    pub has_status: bool,
}

/// What is wrong with a schema: it is not structural, says what is not supported, or has a default that it forbids itself.
/// Rules in CEL are not compiled.
pub fn check(schema: &Value, place: &Place<'_>) -> Vec<Finding> {
    let mut findings = Vec::new();
    if place.has_status {
        check_root(schema, place.path, &mut findings);
    }
    if schema["nullable"] == true {
        findings.push(Finding::forbidden(
            format!("{}.nullable", place.path),
            "nullable cannot be true at the root",
        ));
    }
    if !has_unsupported(schema) {
        let structural = structural_findings(schema, place.path);
        if structural.is_empty() {
            defaults(schema, place.path, true, false, &mut findings);
        }
        findings.extend(structural);
    }
    let standing = Standing {
        root: true,
        ..Standing::default()
    };
    words(schema, place.path, &standing, &mut findings);
    findings
}

/// Formats of texts that nobody checks, each once: a client is warned of them (`unrecognized format "binary"`,
/// `pkg/registry/customresourcedefinition/strategy.go getUnrecognizedFormatsInSchema`).
pub fn unrecognized_formats(schema: &Value) -> Vec<String> {
    let mut found = Vec::new();
    add_formats(schema, &mut found);
    found
}

fn add_formats(schema: &Value, found: &mut Vec<String>) {
    if let Some(format) = schema["format"].as_str().filter(|format| !format.is_empty())
        && schema["type"] == "string"
        && formats::known(format).is_none()
        && !found.iter().any(|other| other == format)
    {
        found.push(format.to_owned());
    }
    for word in ["items", "additionalProperties", "not"] {
        if schema[word].is_object() {
            add_formats(&schema[word], found);
        }
    }
    for (_, property) in members(schema, "properties") {
        add_formats(property, found);
    }
    for word in ["allOf", "anyOf", "oneOf"] {
        for (_, branch) in branches(schema, word) {
            add_formats(branch, found);
        }
    }
}

/// What stands at the root where `status` is cut out of the schema.
const ALLOWED_AT_ROOT: &[(&str, &str)] = &[
    ("description", "Description"),
    ("type", "Type"),
    ("format", "Format"),
    ("title", "Title"),
    ("maximum", "Maximum"),
    ("exclusiveMaximum", "ExclusiveMaximum"),
    ("minimum", "Minimum"),
    ("exclusiveMinimum", "ExclusiveMinimum"),
    ("maxLength", "MaxLength"),
    ("minLength", "MinLength"),
    ("pattern", "Pattern"),
    ("maxItems", "MaxItems"),
    ("minItems", "MinItems"),
    ("uniqueItems", "UniqueItems"),
    ("multipleOf", "MultipleOf"),
    ("required", "Required"),
    ("items", "Items"),
    ("properties", "Properties"),
    ("externalDocs", "ExternalDocs"),
    ("example", "Example"),
    ("x-kubernetes-preserve-unknown-fields", "XPreserveUnknownFields"),
    ("x-kubernetes-validations", "XValidations"),
];

fn check_root(schema: &Value, path: &str, findings: &mut Vec<Finding>) {
    let r#type = schema["type"].as_str().unwrap_or_default();
    if !r#type.is_empty() && r#type != "object" {
        let detail = "only \"object\" is allowed as the type at the root of the schema if the status subresource is enabled";
        findings.push(Finding::invalid(format!("{path}.type"), r#type, detail));
        return;
    }
    let written = schema.as_object().into_iter().flat_map(Map::keys);
    let mut foreign = written.filter(|word| !ALLOWED_AT_ROOT.iter().any(|(allowed, _)| allowed == word));
    if foreign.next().is_some() {
        let names: Vec<&str> = ALLOWED_AT_ROOT.iter().map(|(_, name)| *name).collect();
        let detail = format!(
            "only [{}] fields are allowed at the root of the schema if the status subresource is enabled",
            names.join(" ")
        );
        findings.push(Finding::invalid(path, schema.clone(), detail));
    }
}

/// Words for which a schema is not even asked whether it is structural.
fn has_unsupported(schema: &Value) -> bool {
    let here = [
        "id",
        "$schema",
        "$ref",
        "patternProperties",
        "dependencies",
        "additionalItems",
        "definitions",
    ]
    .iter()
    .any(|word| !schema[*word].is_null());
    here || schema["items"].is_array()
        || schema["x-kubernetes-preserve-unknown-fields"] == false
        || [&schema["items"], &schema["additionalProperties"], &schema["not"]]
            .into_iter()
            .any(|below| below.is_object() && has_unsupported(below))
        || members(schema, "properties").any(|(_, below)| has_unsupported(below))
        || ["allOf", "anyOf", "oneOf"]
            .iter()
            .any(|word| branches(schema, word).any(|(_, below)| has_unsupported(below)))
}

/// Defaults must be what the schema allows (`schema/defaulting/validation.go`).
fn defaults(schema: &Value, path: &str, root: bool, in_meta: bool, findings: &mut Vec<Finding>) {
    let embedded = root || schema["x-kubernetes-embedded-resource"] == true;
    let in_meta = in_meta && !embedded;
    let default = &schema["default"];
    if !default.is_null() {
        let path = format!("{path}.default");
        let structural = Structural::parse(schema);
        if !in_meta {
            let mut pruned = default.clone();
            prune_default(&structural, &mut pruned);
            if pruned != *default {
                findings.push(Finding::invalid(
                    &path,
                    default.clone(),
                    "must not have unknown fields",
                ));
            }
        }
        for mut finding in structural.validate_below(default, "") {
            finding.path = match finding.path.as_str() {
                "<nil>" => path.clone(),
                below => format!("{path}.{below}"),
            };
            findings.push(finding);
        }
    }
    if schema["items"].is_object() {
        defaults(
            &schema["items"],
            &format!("{path}.items"),
            false,
            in_meta,
            findings,
        );
    }
    for (name, property) in members(schema, "properties") {
        let in_meta = in_meta || (embedded && META_FIELDS.contains(&name.as_str()));
        defaults(
            property,
            &format!("{path}.properties[{name}]"),
            false,
            in_meta,
            findings,
        );
    }
}

fn prune_default(structural: &Structural, value: &mut Value) {
    // Pruning starts at objects; what holds a default is a field like any other, unless it is an object of its own.
    let wrapper = Structural {
        properties: [("default".to_owned(), structural.clone())].into(),
        ..Structural::default()
    };
    let mut object = serde_json::json!({"default": value.take()});
    wrapper.prune(&mut object);
    *value = object["default"].take();
}

/// What is known of the way to a schema.
#[derive(Clone, Default)]
struct Standing {
    root: bool,
    in_meta: bool,
    /// Why defaults are forbidden.
    no_defaults: Option<String>,
}

/// Types that a schema can have.
const TYPES: [&str; 6] = ["array", "boolean", "integer", "number", "object", "string"];

const NOT_SUPPORTED: &[(&str, &str)] = &[
    ("id", "id is not supported"),
    ("additionalItems", "additionalItems is not supported"),
    ("patternProperties", "patternProperties is not supported"),
    ("definitions", "definitions is not supported"),
    ("dependencies", "dependencies is not supported"),
    ("$ref", "$ref is not supported"),
];

/// Each schema on its own: words that are not supported, and words that contradict each other.
fn words(schema: &Value, path: &str, standing: &Standing, findings: &mut Vec<Finding>) {
    if !schema.is_object() {
        return;
    }
    standard(schema, path, standing, findings);
    if schema["uniqueItems"] == true {
        findings.push(Finding::forbidden(
            format!("{path}.uniqueItems"),
            "uniqueItems cannot be set to true since the runtime complexity becomes quadratic",
        ));
    }
    let below = Standing {
        root: false,
        ..standing.clone()
    };
    additional_properties(schema, path, &below, findings);
    for (name, property) in members(schema, "properties") {
        let mut below = below.clone();
        let embedded = standing.root || schema["x-kubernetes-embedded-resource"] == true;
        if embedded && META_FIELDS.contains(&name.as_str()) {
            below.in_meta = true;
            if standing.root {
                below.no_defaults = Some(format!("in top-level {name}"));
            }
        }
        words(property, &format!("{path}.properties[{name}]"), &below, findings);
    }
    words(&schema["not"], &format!("{path}.not"), &below, findings);
    for word in ["allOf", "oneOf", "anyOf"] {
        for (place, branch) in branches(schema, word) {
            words(branch, &format!("{path}.{word}[{place}]"), &below, findings);
        }
    }
    words(&schema["items"], &format!("{path}.items"), &below, findings);
    extensions(schema, path, findings);
    rules(schema, path, findings);
}

fn standard(schema: &Value, path: &str, standing: &Standing, findings: &mut Vec<Finding>) {
    let r#type = schema["type"].as_str().unwrap_or_default();
    if !r#type.is_empty() && !TYPES.contains(&r#type) {
        let known = TYPES.map(str::to_owned);
        findings.push(Finding::not_supported(
            format!("{path}.type"),
            Value::from(r#type),
            &known,
        ));
    }
    if !schema["default"].is_null()
        && let Some(why) = &standing.no_defaults
    {
        findings.push(Finding::forbidden(
            format!("{path}.default"),
            format!("must not be set {why}"),
        ));
    }
    for (word, detail) in NOT_SUPPORTED {
        if !schema[*word].is_null() {
            findings.push(Finding::forbidden(format!("{path}.{word}"), *detail));
        }
    }
    if r#type == "null" {
        let detail = "type cannot be set to null, use nullable as an alternative";
        findings.push(Finding::forbidden(format!("{path}.type"), detail));
    }
    if schema["items"].as_array().is_some_and(|items| !items.is_empty()) {
        let detail = "items must be a schema object and not an array";
        findings.push(Finding::forbidden(format!("{path}.items"), detail));
    }
    if standing.in_meta && schema["x-kubernetes-embedded-resource"] == true {
        findings.push(Finding::forbidden(
            format!("{path}.x-kubernetes-embedded-resource"),
            "must not be used inside of resource meta",
        ));
    }
}

fn additional_properties(schema: &Value, path: &str, standing: &Standing, findings: &mut Vec<Finding>) {
    let additional = &schema["additionalProperties"];
    if additional.is_null() {
        return;
    }
    let path = format!("{path}.additionalProperties");
    let has_properties = schema["properties"].as_object().is_some_and(|p| !p.is_empty());
    if has_properties && *additional != true {
        let detail = "additionalProperties and properties are mutual exclusive";
        findings.push(Finding::forbidden(&path, detail));
    }
    let mut below = standing.clone();
    if standing.in_meta {
        below.no_defaults = Some("inside additionalProperties applying to object metadata".to_owned());
    }
    words(additional, &path, &below, findings);
}

fn extensions(schema: &Value, path: &str, findings: &mut Vec<Finding>) {
    let r#type = schema["type"].as_str().unwrap_or_default();
    if schema["x-kubernetes-preserve-unknown-fields"] == false {
        let path = format!("{path}.x-kubernetes-preserve-unknown-fields");
        findings.push(Finding::invalid(path, false, "must be true or undefined"));
    }
    if let Some(map_type) = schema["x-kubernetes-map-type"].as_str() {
        if r#type != "object" {
            let detail = "must be object if x-kubernetes-map-type is specified";
            findings.push(wrong_type(path, r#type, detail));
        }
        if !matches!(map_type, "atomic" | "granular") {
            let known = ["atomic", "granular"].map(str::to_owned);
            let path = format!("{path}.x-kubernetes-map-type");
            findings.push(Finding::not_supported(path, Value::from(map_type), &known));
        }
    }
    let list_type = schema["x-kubernetes-list-type"].as_str();
    if let Some(list_type) = list_type {
        if r#type != "array" {
            let detail = "must be array if x-kubernetes-list-type is specified";
            findings.push(wrong_type(path, r#type, detail));
        } else if list_type == "set" {
            set_items(&schema["items"], path, findings);
        }
        if !matches!(list_type, "atomic" | "set" | "map") {
            let known = ["atomic", "set", "map"].map(str::to_owned);
            let path = format!("{path}.x-kubernetes-list-type");
            findings.push(Finding::not_supported(path, Value::from(list_type), &known));
        }
    }
    let keys: Vec<&str> = schema["x-kubernetes-list-map-keys"]
        .as_array()
        .into_iter()
        .flatten()
        .filter_map(Value::as_str)
        .collect();
    if !keys.is_empty() && list_type != Some("map") {
        let detail = "must be map if x-kubernetes-list-map-keys is non-empty";
        let path = format!("{path}.x-kubernetes-list-type");
        findings.push(match list_type {
            None => Finding::required(path, detail),
            Some(list_type) => Finding::invalid(path, list_type, detail),
        });
    }
    if list_type == Some("map") {
        map_items(schema, &keys, path, findings);
    }
    if matches!(list_type, Some("set" | "map")) {
        null_items(schema, &keys, path, findings);
    }
}

fn wrong_type(path: &str, r#type: &str, detail: &str) -> Finding {
    let path = format!("{path}.type");
    if r#type.is_empty() {
        Finding::required(path, detail)
    } else {
        Finding::invalid(path, r#type, detail)
    }
}

/// Items of a set are compared as a whole.
fn set_items(items: &Value, path: &str, findings: &mut Vec<Finding>) {
    let detail = "must be atomic as item of a list with x-kubernetes-list-type=set";
    let list_type = &items["x-kubernetes-list-type"];
    match items["type"].as_str() {
        Some("array") if !list_type.is_null() && list_type != "atomic" => {
            let path = format!("{path}.items.x-kubernetes-list-type");
            findings.push(Finding::invalid(path, list_type.clone(), detail));
        }
        Some("object") if items["x-kubernetes-map-type"] != "atomic" => {
            let path = format!("{path}.items.x-kubernetes-map-type");
            findings.push(Finding::invalid(path, list_type.clone(), detail));
        }
        _ => {}
    }
}

/// Items of a list of type `map` are objects that have its keys.
fn map_items(schema: &Value, keys: &[&str], path: &str, findings: &mut Vec<Finding>) {
    let path_of_keys = format!("{path}.x-kubernetes-list-map-keys");
    if keys.is_empty() {
        let detail = "must not be empty if x-kubernetes-list-type is map";
        findings.push(Finding::required(&path_of_keys, detail));
    }
    let items = &schema["items"];
    if !items.is_object() {
        let detail = "must have a schema if x-kubernetes-list-type is map";
        findings.push(Finding::required(format!("{path}.items"), detail));
        return;
    }
    let r#type = items["type"].as_str().unwrap_or_default();
    if r#type != "object" {
        let detail = "must be object if parent array's x-kubernetes-list-type is map";
        findings.push(Finding::invalid(format!("{path}.items.type"), r#type, detail));
        return;
    }
    for (place, key) in keys.iter().enumerate() {
        let all = || Value::from(keys.to_vec());
        match items["properties"].get(*key).map(|property| &property["type"]) {
            None => {
                let detail = "entries must all be names of item properties";
                findings.push(Finding::invalid(&path_of_keys, all(), detail));
            }
            Some(of) if of == "array" || of == "object" => {
                let path = format!("{path}.items.properties[{key}].type");
                let detail = "must be a scalar type if parent array's x-kubernetes-list-type is map";
                findings.push(Finding::invalid(path, r#type, detail));
            }
            Some(_) => {}
        }
        if keys[..place].contains(key) {
            let detail = "must not contain duplicate entries";
            findings.push(Finding::invalid(&path_of_keys, all(), detail));
        }
    }
}

/// Keys are always there, and neither they nor the items are null.
fn null_items(schema: &Value, keys: &[&str], path: &str, findings: &mut Vec<Finding>) {
    let items = &schema["items"];
    let list_type = schema["x-kubernetes-list-type"].as_str().unwrap_or_default();
    if items["nullable"] == true {
        let detail = format!("cannot be nullable when x-kubernetes-list-type is {list_type}");
        findings.push(Finding::forbidden(format!("{path}.items.nullable"), detail));
    }
    if list_type != "map" {
        return;
    }
    for key in keys {
        let Some(property) = items["properties"].get(*key) else {
            continue;
        };
        let required = items["required"]
            .as_array()
            .into_iter()
            .flatten()
            .any(|name| name == key);
        let path = format!("{path}.items.properties[{key}]");
        if !required && property["default"].is_null() {
            let detail = "this property is in x-kubernetes-list-map-keys, so it must have a default or be a required property";
            findings.push(Finding::required(format!("{path}.default"), detail));
        }
        if property["nullable"] == true {
            let detail = "this property is in x-kubernetes-list-map-keys, so it cannot be nullable";
            findings.push(Finding::forbidden(format!("{path}.nullable"), detail));
        }
    }
}

/// The form of rules in CEL.
fn rules(schema: &Value, path: &str, findings: &mut Vec<Finding>) {
    for (place, rule) in branches(schema, "x-kubernetes-validations") {
        let path = format!("{path}.x-kubernetes-validations[{place}]");
        let text = |word: &str| rule[word].as_str().unwrap_or_default();
        let (expression, message) = (text("rule").trim(), text("message").trim());
        if expression.is_empty() {
            findings.push(Finding::required(format!("{path}.rule"), "rule is not specified"));
        } else if !text("message").is_empty() && message.is_empty() {
            let detail = "must be non-empty if specified";
            findings.push(Finding::invalid(
                format!("{path}.message"),
                text("message"),
                detail,
            ));
        } else if message.contains(['\n', '\r']) {
            let detail = "must not contain line breaks";
            findings.push(Finding::invalid(
                format!("{path}.message"),
                text("message"),
                detail,
            ));
        } else if expression.contains(['\n', '\r']) && message.is_empty() {
            let detail = "message must be specified if rule contains line breaks";
            findings.push(Finding::required(format!("{path}.message"), detail));
        }
        if !text("messageExpression").is_empty() && text("messageExpression").trim().is_empty() {
            let detail = "messageExpression must be non-empty if specified";
            findings.push(Finding::required(format!("{path}.messageExpression"), detail));
        }
    }
}

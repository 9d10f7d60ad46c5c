//! Schemas of custom resources are judged, and objects are pruned, filled and validated, as a real API server (1.34.2)
//! does it. `structural.jsonl` has schemas with its answers, `gizmos.json` one schema and objects with its answers.

use deploy_cluster_schema::decode::{self, Node};
use deploy_cluster_schema::structural::{
    Finding, FindingKind, Place, Structural, check, types, unrecognized_formats,
};
use deploy_cluster_schema::types::{Relationship, Scalar};
use deploy_conformance::{Suite, repository, rows};
use serde_json::{Value, json};

use super::golden::first_difference;

#[test]
fn schemas_are_judged_as_upstream_does() {
    let mut suite = Suite::new("cluster/crd-schemas");
    let rows = rows(&repository(), "fixtures/cluster/schema/structural.jsonl");
    for (place, row) in rows.iter().enumerate() {
        suite.case(&format!("{:03} {}", place + 1, row["schema"]), || {
            let place = Place {
                path: "spec.validation.openAPIV3Schema",
                has_status: row["status"] == true,
            };
            let findings = check(&row["schema"], &place);
            let mut found: Vec<Value> = findings.iter().map(cause).collect();
            let mut expected = row["causes"].as_array().cloned().unwrap_or_default();
            // Upstream visits fields in no order.
            found.sort_by_key(ToString::to_string);
            expected.sort_by_key(ToString::to_string);
            if found == expected {
                return Ok(());
            }
            Err(format!("expected {}\nfound    {}", json!(expected), json!(found)))
        });
    }
    suite.finish();
}

/// A finding as a Status carries it.
fn cause(finding: &Finding) -> Value {
    let reason = match finding.kind {
        FindingKind::Required => "FieldValueRequired",
        FindingKind::Duplicate => "FieldValueDuplicate",
        FindingKind::Invalid => "FieldValueInvalid",
        FindingKind::TypeInvalid => "FieldValueTypeInvalid",
        FindingKind::NotSupported => "FieldValueNotSupported",
        FindingKind::Forbidden => "FieldValueForbidden",
        FindingKind::TooLong => "FieldValueTooLong",
        FindingKind::TooMany => "FieldValueTooMany",
    };
    let text = finding.to_string();
    let message = text
        .strip_prefix(&format!("{}: ", finding.path))
        .expect("a text begins with its path");
    json!({"field": finding.path, "reason": reason, "message": message})
}

#[test]
fn objects_are_read_as_upstream_does() {
    let mut suite = Suite::new("cluster/crd-objects");
    let path = repository().join("fixtures/cluster/schema/gizmos.json");
    let fixture: Value =
        serde_json::from_slice(&std::fs::read(path).expect("the fixture is there")).expect("JSON");
    let schema = Structural::parse(&fixture["schema"]);
    for (place, row) in fixture["rows"].as_array().into_iter().flatten().enumerate() {
        let mut object =
            json!({"apiVersion": "sch.example.com/v1", "kind": "Gizmo", "metadata": {"name": "t"}});
        if let Some(spec) = row.get("spec") {
            object["spec"] = spec.clone();
        }
        for (name, value) in row["object"].as_object().into_iter().flatten() {
            object[name] = value.clone();
        }
        suite.case(&format!("{:03} {object}", place + 1), || {
            read(&schema, object, row)
        });
    }
    suite.finish();
}

fn read(schema: &Structural, object: Value, row: &Value) -> Result<(), String> {
    let mut object = decode::untyped(Node::from(object)).value;
    let mut unknown = schema.prune(&mut object);
    unknown.extend(
        schema
            .coerce(&mut object)
            .map_err(|finding| finding.to_string())?,
    );
    schema.fill_defaults(&mut object);
    let invalid = "Gizmo.sch.example.com \"t\" is invalid: ";
    let mut texts: Vec<String> = schema
        .validate(&object, None)
        .iter()
        .map(ToString::to_string)
        .collect();
    texts.sort();
    let mut expected = Vec::new();
    let text = row["ignored"]
        .as_str()
        .or(row["message"].as_str().filter(|_| row["code"] == 422));
    if let Some(text) = text {
        let list = text
            .strip_prefix(invalid)
            .ok_or_else(|| format!("upstream says {text}"))?;
        let list = list
            .strip_prefix('[')
            .and_then(|l| l.strip_suffix(']'))
            .unwrap_or(list);
        expected.push(list.to_owned());
    }
    // Upstream visits fields in no order: the same texts, whatever theirs.
    let joined = texts.join(", ");
    let sorted = |text: &str| {
        let mut parts: Vec<String> = text.split(", ").map(str::to_owned).collect();
        parts.sort();
        parts
    };
    if sorted(&expected.join(", ")) != sorted(&joined) {
        return Err(format!("expected {}\nfound    {joined}", expected.join(", ")));
    }
    if row["code"] == 400 {
        let quoted: Vec<String> = unknown
            .iter()
            .map(|path| format!("unknown field {path:?}"))
            .collect();
        let wanted = format!("strict decoding error: {}", quoted.join(", "));
        let message = row["message"].as_str().unwrap_or_default();
        if !message.ends_with(&wanted) {
            return Err(format!("expected {message}\nfound    {wanted}"));
        }
    } else if !unknown.is_empty() {
        return Err(format!("nothing is unknown, but {unknown:?}"));
    }
    let found = json!({"spec": object["spec"], "status": object["status"]});
    let result = json!({"spec": row["result"]["spec"], "status": row["result"]["status"]});
    if row["result"].is_object() && found != result {
        return Err(first_difference("", &result, &found));
    }
    Ok(())
}

#[test]
fn metadata_is_decoded_wherever_it_is() {
    let schema = Structural::parse(
        &json!({"type": "object", "properties": {"spec": {"type": "object", "properties": {
            "tpl": {"type": "object", "x-kubernetes-embedded-resource": true, "x-kubernetes-preserve-unknown-fields": true},
        }}}}),
    );
    let read = |metadata: Value, tpl: Value| {
        let mut object = json!({"metadata": metadata, "spec": {"tpl": tpl}});
        schema.coerce(&mut object).map(|unknown| (unknown, object))
    };
    let fail = |metadata: Value, tpl: Value| read(metadata, tpl).expect_err("it cannot be decoded");
    // The texts are those of a real API server.
    assert_eq!(
        fail(json!({"labels": 5}), json!({})),
        "json: cannot unmarshal number into Go struct field ObjectMeta.labels of type map[string]string"
    );
    assert_eq!(
        fail(json!(5), json!({})),
        "json: cannot unmarshal number into Go value of type v1.ObjectMeta"
    );
    assert_eq!(
        fail(json!({}), json!({"apiVersion": 5})),
        "spec.tpl.apiVersion: Invalid value: 5: must be a string"
    );
    assert_eq!(
        fail(json!({}), json!({"metadata": {"labels": 5}})),
        "spec.tpl.metadata: Invalid value: {\"labels\":5}: json: cannot unmarshal number into Go struct field \
         ObjectMeta.labels of type map[string]string"
    );
    let (unknown, object) = read(
        json!({"name": "t", "foo": 1, "labels": {}}),
        json!({"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "x", "bar": 1, "creationTimestamp": null}, "z": 1}),
    )
    .expect("it can be decoded");
    assert_eq!(unknown, ["spec.tpl.metadata.bar", "metadata.foo"]);
    assert_eq!(
        object,
        json!({"metadata": {"name": "t"}, "spec": {"tpl": {
            "apiVersion": "v1", "kind": "Pod", "metadata": {"name": "x"}, "z": 1,
        }}})
    );
}

#[test]
fn what_did_not_change_is_not_judged_again() {
    let schema = Structural::parse(&json!({
        "type": "object",
        "properties": {"spec": {"type": "object", "properties": {
            "size": {"type": "integer", "maximum": 3},
            "list": {"type": "array", "x-kubernetes-list-type": "map", "x-kubernetes-list-map-keys": ["name"],
                "items": {"type": "object", "properties": {"name": {"type": "string"}, "v": {"type": "integer", "maximum": 3}}}},
        }}},
    }));
    let object = |size: i64, v: i64, other: &str| json!({"spec": {"size": size, "list": [{"name": "a", "v": v}], "other": other}});
    let count = |new: Value, old: Option<Value>| schema.validate(&new, old.as_ref()).len();
    assert_eq!(count(object(5, 5, "x"), None), 2);
    assert_eq!(count(object(5, 5, "x"), Some(object(5, 5, "y"))), 0);
    assert_eq!(count(object(6, 5, "x"), Some(object(5, 5, "y"))), 1);
    assert_eq!(count(object(5, 6, "x"), Some(object(5, 5, "y"))), 1);
}

#[test]
fn types_for_apply_follow_the_schema() {
    let structural = Structural::parse(&json!({
        "type": "object",
        "properties": {"spec": {"type": "object", "properties": {
            "list": {"type": "array", "x-kubernetes-list-type": "map", "x-kubernetes-list-map-keys": ["name"],
                "items": {"type": "object", "properties": {"name": {"type": "string"}}}},
            "port": {"x-kubernetes-int-or-string": true},
            "open": {"type": "object", "x-kubernetes-preserve-unknown-fields": true},
            "whole": {"type": "object", "x-kubernetes-map-type": "atomic", "properties": {"a": {"type": "string"}}},
        }}},
    }));
    let (schema, object, list) = types(Some(&structural));
    let field = |id, name: &str| {
        let map = schema.get(id).map.as_ref().expect("a map");
        schema.get(map.field(name).expect("a field").r#type.id)
    };
    let spec = schema
        .get(object)
        .map
        .as_ref()
        .and_then(|map| map.field("spec"))
        .expect("spec")
        .r#type
        .id;
    let items = field(spec, "list").list.as_ref().expect("a list");
    assert_eq!(
        (items.relationship, &*items.keys[0]),
        (Relationship::Associative, "name")
    );
    assert_eq!(field(spec, "port").scalar, Some(Scalar::Untyped));
    assert!(field(spec, "open").map.as_ref().expect("a map").element.is_some());
    assert_eq!(
        field(spec, "whole").map.as_ref().expect("a map").relationship,
        Relationship::Atomic
    );
    assert!(
        field(object, "metadata")
            .map
            .as_ref()
            .expect("a map")
            .field("labels")
            .is_some()
    );
    assert!(field(list, "items").list.is_some());
}

#[test]
fn rules_in_cel_are_seen_wherever_they_are() {
    let schema = |inner: Value| Structural::parse(&json!({"type": "object", "properties": {"a": inner}}));
    let rule = json!([{"rule": "self > 1"}]);
    assert!(!schema(json!({"type": "integer"})).has_rules_anywhere());
    assert!(schema(json!({"type": "integer", "x-kubernetes-validations": rule})).has_rules_anywhere());
    let items = json!({"type": "array", "items": {"type": "integer", "x-kubernetes-validations": rule}});
    assert!(schema(items).has_rules_anywhere());
}

#[test]
fn formats_that_nobody_checks_are_told_once() {
    let schema = json!({"type": "object", "properties": {
        "a": {"type": "string", "format": "binary"},
        "b": {"type": "array", "items": {"type": "string", "format": "binary"}},
        "c": {"type": "string", "format": "date-time"},
        "d": {"type": "integer", "format": "int32"},
        "e": {"type": "object", "additionalProperties": {"type": "string", "format": "jwt"}},
    }});
    assert_eq!(unrecognized_formats(&schema), ["binary", "jwt"]);
}

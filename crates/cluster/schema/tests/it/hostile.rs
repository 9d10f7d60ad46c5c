//! No text and no object can end the server: whatever comes in, there is an answer, and what was read once reads the same
//! again.

use deploy_cluster_schema::decode::{self, Node};
use deploy_cluster_schema::openapi;
use deploy_cluster_schema::registry::{CustomResource, GroupVersionKind, Registry};
use deploy_cluster_schema::structural::{Place, Structural, check, types};
use proptest::prelude::*;
use serde_json::{Value, json};

/// Names that mean something somewhere, so that random objects reach deep.
const WORDS: &[&str] = &[
    "metadata",
    "spec",
    "status",
    "labels",
    "name",
    "containers",
    "template",
    "replicas",
    "resources",
    "limits",
    "cpu",
    "ports",
    "type",
    "properties",
    "items",
    "additionalProperties",
    "required",
    "allOf",
    "oneOf",
    "not",
    "default",
    "enum",
    "pattern",
    "format",
    "nullable",
    "x-kubernetes-list-type",
    "x-kubernetes-list-map-keys",
    "versions",
    "schema",
    "openAPIV3Schema",
    "x-kubernetes-embedded-resource",
    "x-kubernetes-preserve-unknown-fields",
    "minimum",
    "data",
    "x-kubernetes-int-or-string",
    "creationTimestamp",
    "rules",
    "strategy",
    "object",
    "array",
    "string",
    "integer",
    "map",
    "set",
    "1Gi",
    "2024-01-01T00:00:00Z",
    "v1",
    "(",
    "^a",
    "date-time",
    "uuid",
    "served",
    "storage",
    "names",
    "plural",
];

fn word() -> impl Strategy<Value = String> {
    prop_oneof![4 => proptest::sample::select(WORDS).prop_map(str::to_owned), 1 => ".{0,6}"]
}

fn value() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        (-5_i64..100).prop_map(Value::from),
        any::<f64>().prop_map(Value::from),
        word().prop_map(Value::from),
    ];
    leaf.prop_recursive(6, 64, 6, |inner| {
        prop_oneof![
            proptest::collection::vec(inner.clone(), 0..4).prop_map(Value::Array),
            proptest::collection::vec((word(), inner), 0..6)
                .prop_map(|fields| Value::Object(fields.into_iter().collect())),
        ]
    })
}

fn kind() -> impl Strategy<Value = GroupVersionKind> {
    let registry = Registry::builtin();
    let mut kinds: Vec<GroupVersionKind> = registry.kinds().cloned().collect();
    kinds.sort();
    proptest::sample::select(kinds)
}

proptest! {
    #[test]
    fn any_bytes_are_parsed_or_refused(bytes in proptest::collection::vec(any::<u8>(), 0..64)) {
        let _ = decode::parse_json(&bytes);
    }

    #[test]
    fn our_parser_reads_what_others_write(value in value()) {
        let text = value.to_string();
        let (read, strict) = decode::parse_json(text.as_bytes()).expect("it is JSON");
        prop_assert!(strict.is_empty());
        let again = decode::parse_json(read.to_string().as_bytes()).expect("it is JSON");
        prop_assert_eq!(read, again.0);
    }

    #[test]
    fn any_object_is_decoded_or_refused(kind in kind(), value in value()) {
        let registry = Registry::builtin();
        let (schema, id) = registry.types(&kind).expect("the kind has a type");
        let mut pruned = value.clone();
        decode::prune(schema, id, &mut pruned);
        if let Ok(decoded) = decode::typed(schema, id, Node::from(value)) {
            let again = decode::typed(schema, id, Node::from(decoded.value.clone())).expect("it was decoded before");
            prop_assert!(again.strict.is_empty());
            prop_assert_eq!(decoded.value, again.value);
        }
    }

    #[test]
    fn any_schema_is_judged_and_used(schema in value(), object in value()) {
        let place = Place { path: "spec", has_status: true };
        let _ = check(&schema, &place);
        let structural = Structural::parse(&schema);
        let _ = types(Some(&structural));
        let mut object = object;
        structural.prune(&mut object);
        let _ = structural.coerce(&mut object);
        structural.fill_defaults(&mut object);
        let _ = structural.validate(&object, Some(&object));
        let _ = structural.validate(&object, None);
    }

    #[test]
    fn any_definition_is_published(schema in value(), names in value()) {
        let definition = json!({"spec": {"group": "a.b", "names": names, "versions": [
            {"name": "v1", "served": true, "storage": true, "schema": {"openAPIV3Schema": schema}},
        ]}});
        let registry = Registry::builtin().with_custom(CustomResource::of_definition(&definition));
        if let Some(document) = openapi::v3_document(&registry, "apis/a.b/v1") {
            let _: Value = serde_json::from_str(&document.json).expect("it is JSON");
            let _ = openapi::v3_protobuf(&document);
        }
    }
}

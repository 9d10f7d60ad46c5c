//! The OpenAPI documents are those of a real API server (1.34.2), descriptions aside: `fixtures/cluster/schema/openapi.jsonl`
//! has the sum of each, `widgets.json` what it makes of a definition.

use deploy_cluster_schema::openapi;
use deploy_cluster_schema::registry::{CustomResource, Registry};
use deploy_conformance::{Suite, repository, rows};
use serde_json::{Map, Value, json};
use sha2::{Digest, Sha256};

use super::golden::first_difference;

#[test]
fn the_documents_are_upstreams() {
    let mut suite = Suite::new("cluster/openapi");
    let registry = Registry::builtin();
    let rows = rows(&repository(), "fixtures/cluster/schema/openapi.jsonl");
    let index = openapi::v3_index(&registry);
    let names: Vec<&str> = rows
        .iter()
        .filter_map(|row| row["name"].as_str())
        .filter(|name| *name != "v2")
        .collect();
    suite.case("index", || {
        let paths = index["paths"].as_object().expect("the index has paths");
        equal(&json!(names), &json!(paths.keys().collect::<Vec<_>>()))
    });
    for row in &rows {
        let name = row["name"].as_str().expect("a row has a name");
        suite.case(name, || {
            let document = match name {
                "v2" => openapi::v2(&registry),
                name => openapi::v3_document(&registry, name).ok_or("there is no such document")?,
            };
            let value: Value = serde_json::from_str(&document.json).map_err(|e| e.to_string())?;
            let text = without_descriptions(&value).to_string();
            let sum: String = Sha256::digest(&text).iter().map(|b| format!("{b:02x}")).collect();
            if name != "v2" {
                let url = format!("/openapi/v3/{name}?hash={}", document.hash);
                equal(&json!(url), &index["paths"][name]["serverRelativeURL"])?;
            }
            if row["sha256"] == sum {
                Ok(())
            } else {
                Err("another content".to_owned())
            }
        });
    }
    suite.finish();
}

#[test]
fn custom_resources_are_published_as_upstream_does() {
    let path = repository().join("fixtures/cluster/schema/widgets.json");
    let text = std::fs::read(path).expect("the fixture is there");
    let fixture: Value = serde_json::from_slice(&text).expect("the fixture is JSON");
    let registry = Registry::builtin().with_custom(CustomResource::of_definition(&fixture["definition"]));
    for version in ["v1", "v1beta1"] {
        let name = format!("apis/sch.example.com/{version}");
        let document = openapi::v3_document(&registry, &name).expect("it is served");
        let mut value: Value = serde_json::from_str(&document.json).expect("it is JSON");
        let schemas = value["components"]["schemas"].take();
        let (builtin, own): (Map<String, Value>, Map<String, Value>) = schemas
            .as_object()
            .expect("schemas")
            .clone()
            .into_iter()
            .partition(|(name, _)| name.starts_with("io.k8s."));
        value["components"] = json!({"schemas": own, "names": builtin.keys().collect::<Vec<_>>()});
        equal(&fixture[format!("v3 {version}")], &without_descriptions(&value))
            .expect("the document is upstream's");
        assert!(openapi::v3_index(&registry)["paths"].get(&name).is_some());
    }
    let document = openapi::v2(&registry);
    let value: Value = serde_json::from_str(&document.json).expect("it is JSON");
    let only = |member: &str, start: &str| -> Value {
        let all = value[member].as_object().expect("an object");
        let own = all.iter().filter(|(name, _)| name.starts_with(start));
        own.map(|(name, value)| (name.clone(), value.clone()))
            .collect::<Map<_, _>>()
            .into()
    };
    let own = json!({
        "definitions": only("definitions", "com.example.sch"),
        "paths": only("paths", "/apis/sch.example.com"),
    });
    equal(&fixture["v2"], &without_descriptions(&own)).expect("the document is upstream's");
}

fn equal(expected: &Value, found: &Value) -> Result<(), String> {
    if expected == found {
        return Ok(());
    }
    Err(first_difference("", expected, found))
}

fn without_descriptions(value: &Value) -> Value {
    match value {
        Value::Object(map) => map
            .iter()
            .filter(|(name, value)| *name != "description" || !value.is_string())
            .map(|(name, value)| (name.clone(), without_descriptions(value)))
            .collect(),
        Value::Array(items) => items.iter().map(without_descriptions).collect(),
        other => other.clone(),
    }
}
#[test]
fn protobuf_forms_are_gnostics() {
    let registry = Registry::builtin();
    // Read once by gnostic-models v0.7.0 and kube-openapi: every model was there and equal to the JSON.
    let v2 = openapi::v2_protobuf(&registry);
    assert_eq!(&v2[..5], b"\x0a\x032.0", "field 1 is the version of OpenAPI");
    let document = openapi::v3_document(&registry, "apis/apps/v1").expect("it is served");
    let v3 = openapi::v3_protobuf(&document);
    assert_eq!(&v3[..7], b"\x0a\x053.0.0", "field 1 is the version of OpenAPI");
    for (bytes, path) in [
        (&v2, "/api/v1/namespaces/{namespace}/pods/{name}"),
        (&v3, "/apis/apps/v1/deployments"),
    ] {
        let named = [
            &[0x0a, u8::try_from(path.len()).expect("it is short")],
            path.as_bytes(),
        ]
        .concat();
        assert!(
            bytes.windows(named.len()).any(|part| part == named),
            "{path} is a named path"
        );
    }
}

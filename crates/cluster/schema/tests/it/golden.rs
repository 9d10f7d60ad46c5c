//! Every type of Kubernetes, fully populated: reading it and writing it back changes nothing.

use std::path::Path;

use deploy_cluster_schema::decode::{self, Node};
use deploy_cluster_schema::registry::{GroupVersionKind, Registry};
use deploy_conformance::{Suite, repository, root, rows, skipped};
use serde_json::Value;

#[test]
fn golden_types_round_trip() {
    const SUITE: &str = "k8s-api/golden";
    let Some(root) = root() else {
        skipped(SUITE);
        return;
    };
    let folder = root.join("k8s-api/golden");
    let mut suite = Suite::new(SUITE);
    let entries = std::fs::read_dir(&folder).expect("the folder is there");
    let mut names: Vec<String> = entries
        .map(|entry| {
            entry
                .expect("it can be listed")
                .file_name()
                .into_string()
                .expect("UTF-8")
        })
        .filter_map(|name| name.strip_suffix(".json").map(str::to_owned))
        .collect();
    names.sort();
    for name in names {
        suite.case(&name, || round_trips(&folder, &name));
    }
    suite.finish();
}

fn round_trips(folder: &Path, name: &str) -> Result<(), String> {
    let kind = kind_of(name);
    let registry = Registry::builtin();
    let (schema, r#type) = registry
        .types(&kind)
        .ok_or_else(|| format!("no type of {kind}"))?;
    let json = std::fs::read(folder.join(format!("{name}.json"))).expect("the file is there");
    let yaml = std::fs::read(folder.join(format!("{name}.yaml"))).expect("the file is there");
    let expected: Value = serde_json::from_slice(&json).expect("it is JSON");
    let yaml = deploy_yaml::to_json(&yaml, deploy_yaml::Dialect::GoYaml11).map_err(|e| e.to_string())?;
    let node = decode::parse(&json).map_err(|e| e.text)?;
    let meta = decode::type_meta(&node)?;
    let meta = GroupVersionKind::parse(&meta.0, &meta.1);
    // An event of a watch does not say what it is.
    if expected["kind"].is_string() && meta.as_ref() != Some(&kind) {
        return Err(format!("it says that it is {meta:?}"));
    }
    for (form, node) in [("json", node), ("yaml", Node::from(yaml))] {
        let decoded = decode::typed(schema, r#type, node)?;
        if !decoded.strict.is_empty() {
            return Err(format!("{form}: {}", decoded.strict.join(", ")));
        }
        if decoded.value != expected {
            return Err(format!(
                "{form}: {}",
                first_difference("", &expected, &decoded.value)
            ));
        }
    }
    Ok(())
}

/// `storage.k8s.io.v1.StorageClass`
fn kind_of(name: &str) -> GroupVersionKind {
    let (rest, kind) = name.rsplit_once('.').expect("a name has a kind");
    let (group, version) = rest.rsplit_once('.').expect("a name has a version");
    GroupVersionKind::new(if group == "core" { "" } else { group }, version, kind)
}

/// Where two values differ first.
pub fn first_difference(path: &str, expected: &Value, found: &Value) -> String {
    match (expected, found) {
        (Value::Object(a), Value::Object(b)) => {
            let names: std::collections::BTreeSet<&String> = a.keys().chain(b.keys()).collect();
            let differing = names.into_iter().find(|name| a.get(*name) != b.get(*name));
            let name = differing.expect("they differ");
            match (a.get(name), b.get(name)) {
                (Some(a), Some(b)) => first_difference(&format!("{path}.{name}"), a, b),
                (a, b) => format!("{path}.{name}: expected {a:?}, found {b:?}"),
            }
        }
        (Value::Array(a), Value::Array(b)) if a.len() == b.len() => {
            let place = a.iter().zip(b).position(|(a, b)| a != b).expect("they differ");
            first_difference(&format!("{path}[{place}]"), &a[place], &b[place])
        }
        (a, b) => format!("{path}: expected {a}, found {b}"),
    }
}
/// Objects as a real API server (1.34.2) returns them are already as our decoder writes them: `fixtures/cluster/schema/
/// objects.jsonl` has one of nearly every kind.
#[test]
fn objects_of_a_real_server_stay_as_they_are() {
    let mut suite = Suite::new("cluster/objects");
    let registry = Registry::builtin();
    let rows = rows(&repository(), "fixtures/cluster/schema/objects.jsonl");
    for (place, object) in rows.iter().enumerate() {
        let text = |name: &str| object[name].as_str().unwrap_or_default();
        let kind = GroupVersionKind::parse(text("apiVersion"), text("kind")).expect("an object has a kind");
        suite.case(&format!("{:03} {kind}", place + 1), || {
            let (schema, r#type) = registry.types(&kind).ok_or("no type")?;
            let decoded = decode::typed(schema, r#type, Node::from(object.clone()))?;
            let mut again = decoded.value.clone();
            decode::normalise(schema, r#type, &mut again)?;
            if decoded.strict.is_empty() && decoded.value == *object && again == *object {
                return Ok(());
            }
            let difference = first_difference("", object, &decoded.value);
            Err(format!("{difference} {}", decoded.strict.join(", ")))
        });
    }
    suite.finish();
}

//! Discovery says what a real API server (1.34.2) says: its documents are in `fixtures/cluster/schema/discovery.jsonl`, and
//! those of the stable versions are also in the external cases.

use deploy_cluster_schema::discovery;
use deploy_cluster_schema::registry::{CustomResource, Registry};
use deploy_conformance::{Suite, repository, root, rows, skipped};
use serde_json::Value;

use super::golden::first_difference;

#[test]
fn the_recorded_documents_are_ours() {
    let mut suite = Suite::new("cluster/discovery");
    let registry = Registry::builtin();
    for row in rows(&repository(), "fixtures/cluster/schema/discovery.jsonl") {
        let path = row["path"].as_str().expect("a row has a path");
        if !path.contains("sch.example.com") {
            suite.case(path, || equal(&row["document"], document(&registry, path)));
        }
    }
    suite.finish();
}

#[test]
fn custom_resources_are_listed_as_upstream_does() {
    let path = repository().join("fixtures/cluster/schema/widgets.json");
    let fixture: Value =
        serde_json::from_slice(&std::fs::read(path).expect("the fixture is there")).expect("JSON");
    let registry = Registry::builtin().with_custom(CustomResource::of_definition(&fixture["definition"]));
    let mut seen = 0;
    for row in rows(&repository(), "fixtures/cluster/schema/discovery.jsonl") {
        let path = row["path"].as_str().expect("a row has a path");
        if !path.contains("sch.example.com") {
            continue;
        }
        let found = if path.starts_with("aggregated") {
            let mut all = discovery::aggregated(&registry, false, "v2");
            let groups = all["items"].as_array_mut().expect("the document has groups");
            groups.pop()
        } else {
            document(&registry, path)
        };
        equal(&row["document"], found).expect(path);
        seen += 1;
    }
    assert_eq!(seen, 4);
    let without = registry.with_custom(Vec::new());
    assert!(discovery::api_group(&without, "sch.example.com").is_none());
    assert_eq!(without.groups(), Registry::builtin().groups());
}

#[test]
fn published_documents_of_stable_versions_are_ours() {
    const SUITE: &str = "k8s-api/discovery";
    let Some(root) = root() else {
        skipped(SUITE);
        return;
    };
    let mut suite = Suite::new(SUITE);
    let registry = Registry::builtin();
    let entries = std::fs::read_dir(root.join("k8s-api/discovery")).expect("the folder is there");
    let mut names: Vec<String> = entries
        .map(|entry| {
            entry
                .expect("it can be listed")
                .file_name()
                .into_string()
                .expect("UTF-8")
        })
        .filter(|name| name.starts_with("api") && !name.contains("alpha") && !name.contains("beta"))
        .collect();
    names.sort();
    for name in names {
        let text = std::fs::read(root.join("k8s-api/discovery").join(&name)).expect("the file is there");
        let mut published: Value = serde_json::from_slice(&text).expect("it is JSON");
        leave_stable(&mut published);
        let path = format!("/{}", name.trim_end_matches(".json").replace("__", "/"));
        if published.get("versions") == Some(&Value::Array(Vec::new())) {
            continue;
        }
        suite.case(&name, || equal(&published, document(&registry, &path)));
    }
    suite.finish();
}

/// The published documents are of a server that serves everything.
fn leave_stable(document: &mut Value) {
    if let Some(address) = document.pointer_mut("/serverAddressByClientCIDRs/0/serverAddress") {
        *address = Value::from("127.0.0.1:6443");
    }
    if let Some(Value::Array(groups)) = document.get_mut("groups") {
        groups.iter_mut().for_each(leave_stable);
        groups.retain(|group| group["versions"] != Value::Array(Vec::new()));
    } else if document.get("preferredVersion").is_some()
        && let Some(Value::Array(versions)) = document.get_mut("versions")
    {
        versions.retain(|version| {
            let version = version["version"].as_str().unwrap_or_default();
            !version.contains("alpha") && !version.contains("beta")
        });
    }
}

/// The document at a path, `aggregated PATH` for the aggregated one.
fn document(registry: &Registry, path: &str) -> Option<Value> {
    let parts: Vec<&str> = path.trim_start_matches('/').split('/').collect();
    match parts[..] {
        ["api"] => Some(discovery::api_versions("127.0.0.1:6443")),
        ["apis"] => Some(discovery::api_group_list(registry)),
        ["api", version] => discovery::api_resource_list(registry, "", version),
        ["apis", group] => discovery::api_group(registry, group),
        ["apis", group, version] => discovery::api_resource_list(registry, group, version),
        ["aggregated ", "api"] => Some(discovery::aggregated(registry, true, "v2")),
        ["aggregated ", "apis"] => Some(discovery::aggregated(registry, false, "v2")),
        _ => None,
    }
}

fn equal(expected: &Value, found: Option<Value>) -> Result<(), String> {
    let found = found.ok_or("there is no such document")?;
    if *expected == found {
        return Ok(());
    }
    Err(first_difference("", expected, &found))
}

#[test]
fn tags_follow_the_content() {
    let registry = Registry::builtin();
    let core = discovery::etag(&discovery::aggregated(&registry, true, "v2"));
    let groups = discovery::etag(&discovery::aggregated(&registry, false, "v2"));
    assert_eq!(
        core,
        discovery::etag(&discovery::aggregated(&registry, true, "v2"))
    );
    assert_ne!(core, groups);
    assert!(
        core.len() == 128
            && core
                .bytes()
                .all(|b| b.is_ascii_hexdigit() && !b.is_ascii_lowercase())
    );
}

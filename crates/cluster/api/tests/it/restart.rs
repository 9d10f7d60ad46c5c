//! Custom resources over restarts: objects, the version in which they are stored, names that somebody else takes over.

use std::path::Path;

use deploy_cluster_api::allocators::Range;
use deploy_cluster_api::client::{Client, ResourceId};
use deploy_cluster_api::identity::UserInfo;
use deploy_cluster_api::server::{Options, Server};
use serde_json::{Value, json};
use tokio::time::timeout;

use crate::server::PATIENCE;
use crate::world::temporary;

const DEFINITIONS: ResourceId = ResourceId::new("apiextensions.k8s.io", "v1", "customresourcedefinitions");

/// One life of a server.
struct Life {
    server: Server,
    client: Client,
}

impl Life {
    async fn begin(folder: &Path) -> Life {
        let options = Options {
            data_dir: folder.to_owned(),
            listen: ([127, 0, 0, 1], 0).into(),
            controllers: false,
            service_range: Range::default(),
        };
        let server = Server::start(options).await.expect("the folder is ours");
        let client = Client::new(server.api(), UserInfo::api_server(), "test");
        Life { server, client }
    }

    async fn end(self) {
        self.server.shutdown().await;
    }

    /// Waits until an object is as asked, woken by each change of its resource.
    async fn until(&self, resource: &ResourceId, name: &str, holds: impl Fn(&Value) -> bool) -> Value {
        let waiting = async {
            let (_, revision) = self.client.list_at(resource, None);
            let mut changes = self.client.watch(resource, revision).expect("it is served");
            loop {
                let found = self.client.get(resource, "default", name);
                let found = found.or_else(|| self.client.get(resource, "", name));
                if let Some(found) = found.filter(|object| holds(object)) {
                    return (*found).clone();
                }
                changes.next().await.expect("the server goes on");
            }
        };
        timeout(PATIENCE, waiting).await.expect("it happens soon")
    }

    /// Waits until a kind is served: the registry follows the definitions.
    async fn until_served(&self, plural: &str) {
        let waiting = async {
            let served = || self.client.resource_of("example.com/v1", "Crate");
            while served().is_none_or(|resource| resource.plural != plural) {
                tokio::task::yield_now().await;
            }
        };
        timeout(PATIENCE, waiting).await.expect("it happens soon");
    }

    async fn define(&self, definition: Value) -> Value {
        let name = definition["metadata"]["name"]
            .as_str()
            .expect("it has one")
            .to_owned();
        self.client
            .create(&DEFINITIONS, definition)
            .await
            .expect("it is valid");
        self.until(&DEFINITIONS, &name, |definition| {
            is(definition, "NamesAccepted").is_some()
        })
        .await
    }
}

/// The status of a condition.
fn is<'a>(definition: &'a Value, kind: &str) -> Option<&'a str> {
    let conditions = definition["status"]["conditions"].as_array()?;
    conditions.iter().find(|condition| condition["type"] == kind)?["status"].as_str()
}

fn version(name: &str, storage: bool) -> Value {
    json!({
        "name": name, "served": true, "storage": storage,
        "schema": {"openAPIV3Schema": {"type": "object", "properties": {"spec": {"type": "object", "properties": {
            "size": {"type": "integer", "default": 1}, (format!("only-{name}")): {"type": "string"},
        }}}}},
    })
}

fn definition(plural: &str, kind: &str, versions: &[Value]) -> Value {
    json!({
        "metadata": {"name": format!("{plural}.example.com")},
        "spec": {
            "group": "example.com", "scope": "Namespaced",
            "names": {"plural": plural, "singular": kind.to_lowercase(), "kind": kind},
            "versions": versions,
        },
    })
}

fn resource(version: &str, plural: &str) -> ResourceId {
    ResourceId::of("example.com", version, plural)
}

#[tokio::test(flavor = "multi_thread")]
async fn objects_and_their_stored_version_outlive_the_server() {
    let folder = temporary();
    let first = Life::begin(&folder).await;
    let made = first
        .define(definition(
            "crates",
            "Crate",
            &[version("v1", true), version("v2", false)],
        ))
        .await;
    assert_eq!(made["status"]["storedVersions"], json!(["v1"]));
    let old =
        json!({"metadata": {"name": "a", "namespace": "default"}, "spec": {"only-v1": "x", "only-v2": "y"}});
    first.until_served("crates").await;
    let old = first
        .client
        .create(&resource("v1", "crates"), old)
        .await
        .expect("it is valid");
    first.end().await;

    let second = Life::begin(&folder).await;
    assert_eq!(
        second.client.get(&resource("v1", "crates"), "default", "a"),
        Some(old.clone())
    );
    let shown = second
        .client
        .get(&resource("v2", "crates"), "default", "a")
        .expect("both versions are served");
    assert_eq!(
        (&shown["apiVersion"], &shown["spec"]["size"]),
        (&json!("example.com/v2"), &json!(1))
    );
    // What is written from now on is stored as v2; what was stored as v1 stays so until it is written.
    let mut switched = (*second
        .client
        .get(&DEFINITIONS, "", "crates.example.com")
        .expect("it is there"))
    .clone();
    switched["spec"]["versions"] = json!([version("v1", false), version("v2", true)]);
    second
        .client
        .update(&DEFINITIONS, switched)
        .await
        .expect("versions may be switched");
    let both = |definition: &Value| definition["status"]["storedVersions"] == json!(["v1", "v2"]);
    second.until(&DEFINITIONS, "crates.example.com", both).await;
    let new = json!({"metadata": {"name": "b", "namespace": "default"}, "spec": {"only-v2": "y", "size": 2}});
    second
        .client
        .create(&resource("v2", "crates"), new)
        .await
        .expect("it is valid");
    second.end().await;

    let third = Life::begin(&folder).await;
    for version in ["v1", "v2"] {
        let found = third.client.list(&resource(version, "crates"), None);
        let names: Vec<&Value> = found.iter().map(|object| &object["metadata"]["name"]).collect();
        assert_eq!(names, ["a", "b"], "{version}");
        let api_version = format!("example.com/{version}");
        assert!(
            found.iter().all(|object| object["apiVersion"] == *api_version),
            "{found:?}"
        );
    }
    assert_eq!(
        third
            .client
            .get(&resource("v1", "crates"), "default", "a")
            .expect("it is there")["spec"]["only-v1"],
        "x"
    );
    // A version that objects are stored in can be dropped only once nobody says that they are.
    let mut dropped = (*third
        .client
        .get(&DEFINITIONS, "", "crates.example.com")
        .expect("it is there"))
    .clone();
    dropped["spec"]["versions"] = json!([version("v2", true)]);
    let refused = third
        .client
        .update(&DEFINITIONS, dropped.clone())
        .await
        .expect_err("v1 is still stored");
    assert!(
        refused.message.contains("status.storedVersions[0]"),
        "{}",
        refused.message
    );
    third.end().await;
    std::fs::remove_dir_all(folder).expect("it is ours");
}

#[tokio::test(flavor = "multi_thread")]
async fn names_are_taken_over_when_their_owner_goes_also_after_a_restart() {
    let folder = temporary();
    let first = Life::begin(&folder).await;
    first
        .define(definition("crates", "Crate", &[version("v1", true)]))
        .await;
    let second = first
        .define(definition("boxes", "Crate", &[version("v1", true)]))
        .await;
    assert_eq!(is(&second, "NamesAccepted"), Some("False"), "{second}");
    first.end().await;

    let life = Life::begin(&folder).await;
    let waits = life
        .client
        .get(&DEFINITIONS, "", "boxes.example.com")
        .expect("it is there");
    assert_eq!(
        is(&waits, "NamesAccepted"),
        Some("False"),
        "a restart changes nothing"
    );
    assert!(life.client.list(&resource("v1", "boxes"), None).is_empty());
    let options = deploy_cluster_api::options::DeleteOptions::default();
    life.client
        .delete(&DEFINITIONS, "", "crates.example.com", &options)
        .await
        .expect("it is there");
    life.until_served("boxes").await;
    let object = json!({"metadata": {"name": "a", "namespace": "default"}, "spec": {}});
    let made = life
        .client
        .create(&resource("v1", "boxes"), object)
        .await
        .expect("the kind is its own now");
    assert_eq!(made["kind"], "Crate");
    life.end().await;
    std::fs::remove_dir_all(folder).expect("it is ours");
}

//! The adapter against the embedded API server, over TLS.

use std::path::PathBuf;
use std::time::Duration;

use deploy_cluster_api::allocators::Range;
use deploy_cluster_api::server::{Options, Server};
use deploy_cluster_controllers::controllers;
use deploy_cluster_controllers::shell::Controllers;
use deploy_kube::{Cluster, ConnectError, Manner, News, RequestError, Watch};
use deploy_sync::Key;
use deploy_sync::plan::Dry;
use serde_json::{Value, json};

const PATIENCE: Duration = Duration::from_secs(60);

struct World {
    cluster: Cluster,
    folder: PathBuf,
    /// They end what is held by its parts.
    _controllers: Controllers,
    _server: Server,
}

impl World {
    async fn start(name: &str) -> World {
        let folder = std::env::temp_dir().join(format!("deploy-kube-{name}-{}", std::process::id()));
        let options = Options {
            data_dir: folder.clone(),
            listen: ([127, 0, 0, 1], 0).into(),
            controllers: true,
            service_range: Range::default(),
        };
        let server = Server::start(options)
            .await
            .expect("the folder and the port are free");
        let controllers = Controllers::start(server.api(), controllers::ALL);
        let path = folder.join("test.kubeconfig");
        std::fs::write(&path, server.kubeconfig("test").expect("the authority signs"))
            .expect("it can be written");
        let cluster = Cluster::connect(&path, None).await.expect("it answers");
        World {
            cluster,
            folder,
            _controllers: controllers,
            _server: server,
        }
    }
}

impl Drop for World {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.folder);
    }
}

fn config(name: &str, value: &str) -> Value {
    json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name, "namespace": "default"}, "data": {"key": value}})
}

async fn next(watch: &mut Watch) -> News {
    let news = tokio::time::timeout(PATIENCE, watch.next()).await;
    news.expect("there is news").expect("the watch holds")
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_object_is_tried_applied_seen_and_deleted() {
    let world = World::start("object").await;
    let cluster = &world.cluster;
    let object = config("one", "a");
    let key = Key::of(&object);
    assert!(matches!(cluster.dry_run(&object).await, Ok(Dry::Would(would)) if would["data"]["key"] == "a"));
    assert_eq!(cluster.get(&key).await.expect("it answers"), None);
    let live = cluster.apply(&object, Manner::Write).await.expect("it is valid");
    let uid = live["metadata"]["uid"].as_str().expect("it has one");
    assert_eq!(live["metadata"]["managedFields"][0]["manager"], "deploy");
    let again = cluster.dry_run(&object).await.expect("it answers");
    let Dry::Would(again) = again else {
        panic!("{again:?}")
    };
    assert!(deploy_sync::difference::difference(&live, &again).is_empty());

    let invalid = cluster
        .dry_run(&config("No_Name", "a"))
        .await
        .expect("it answers");
    assert!(
        matches!(&invalid, Dry::Refused(message) if message.contains("No_Name")),
        "{invalid:?}"
    );
    let mut unknown = object.clone();
    unknown["date"] = json!({});
    let refused = cluster.dry_run(&unknown).await.expect("it answers");
    assert!(
        matches!(&refused, Dry::Refused(message) if message.contains("date")),
        "{refused:?}"
    );
    let mut elsewhere = object.clone();
    elsewhere["metadata"]["namespace"] = json!("none");
    assert_eq!(cluster.dry_run(&elsewhere).await, Ok(Dry::Early));

    assert_eq!(cluster.delete(&key, Some("another")).await, Ok(true));
    assert!(
        cluster.get(&key).await.expect("it answers").is_some(),
        "another uid is another object"
    );
    // What it owns goes first, which somebody else sees to.
    assert_eq!(cluster.delete(&key, Some(uid)).await, Ok(false));
    let going = async { while cluster.get(&key).await.expect("it answers").is_some() {} };
    tokio::time::timeout(PATIENCE, going).await.expect("it goes");
    assert_eq!(cluster.delete(&key, None).await, Ok(true));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_kind_is_served_once_its_definition_is_there() {
    let world = World::start("kinds").await;
    let widget = json!({"apiVersion": "example.com/v1", "kind": "Widget", "metadata": {"name": "w"}});
    let missing = world
        .cluster
        .apply(&widget, Manner::Write)
        .await
        .expect_err("there is no such kind");
    assert!(
        matches!(missing, RequestError::KindMissing { .. }) && missing.is_passing(),
        "{missing}"
    );
    assert_eq!(world.cluster.dry_run(&widget).await, Ok(Dry::Early));
    let definition = json!({
        "apiVersion": "apiextensions.k8s.io/v1", "kind": "CustomResourceDefinition", "metadata": {"name": "widgets.example.com"},
        "spec": {"group": "example.com", "scope": "Cluster", "names": {"plural": "widgets", "kind": "Widget"}, "versions": [
            {"name": "v1", "served": true, "storage": true, "schema": {"openAPIV3Schema": {"type": "object"}}}]},
    });
    world
        .cluster
        .apply(&definition, Manner::Write)
        .await
        .expect("it is valid");
    let applying = async {
        loop {
            match world.cluster.apply(&widget, Manner::Write).await {
                Ok(made) => return made,
                Err(error) => assert!(error.is_passing(), "{error}"),
            }
        }
    };
    let made = tokio::time::timeout(PATIENCE, applying)
        .await
        .expect("it is served soon");
    assert_eq!(made["kind"], "Widget");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_watch_tells_all_and_then_what_changes() {
    let world = World::start("watch").await;
    let cluster = &world.cluster;
    let mut labelled = config("seen", "a");
    labelled["metadata"]["labels"] = json!({"app": "shop"});
    cluster
        .apply(&labelled, Manner::Write)
        .await
        .expect("it is valid");
    cluster
        .apply(&config("unseen", "a"), Manner::Write)
        .await
        .expect("it is valid");
    let mut watch = cluster
        .watch("", "ConfigMap", "default", "app in (shop)")
        .await
        .expect("it is served");
    let News::All(all) = next(&mut watch).await else {
        panic!("a list comes first")
    };
    assert_eq!(all.iter().map(Key::of).collect::<Vec<_>>(), [Key::of(&labelled)]);
    labelled["data"]["key"] = json!("b");
    cluster
        .apply(&labelled, Manner::Write)
        .await
        .expect("it is valid");
    assert!(matches!(next(&mut watch).await, News::Is(object) if object["data"]["key"] == "b"));
    cluster
        .delete(&Key::of(&labelled), None)
        .await
        .expect("it is there");
    assert!(
        matches!(next(&mut watch).await, News::Is(object) if !object["metadata"]["deletionTimestamp"].is_null())
    );
    let gone = next(&mut watch).await;
    assert!(
        matches!(&gone, News::Gone(object) if Key::of(object) == Key::of(&labelled)),
        "{gone:?}"
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_cannot_be_reached_is_named() {
    let world = World::start("connect").await;
    let good = std::fs::read_to_string(world.folder.join("test.kubeconfig")).expect("it is there");
    let path = world.folder.join("other.kubeconfig");
    let connect = async |text: &str| {
        std::fs::write(&path, text).expect("it can be written");
        Cluster::connect(&path, None).await.err().expect("it cannot")
    };
    let address = world.cluster.server().trim_end_matches('/').to_owned();
    // Port 1 of loopback: nobody listens there.
    let unreachable = connect(&good.replace(&address, "https://127.0.0.1:1")).await;
    assert!(
        matches!(&unreachable, ConnectError::Unreachable { server, .. } if server.contains("127.0.0.1:1")),
        "{unreachable}"
    );
    assert!(matches!(connect("{").await, ConnectError::Kubeconfig(_)));
    let nobody = good
        .lines()
        .filter(|line| !line.contains("client-"))
        .collect::<Vec<_>>()
        .join("\n");
    let refused = connect(&nobody).await;
    assert!(matches!(refused, ConnectError::Refused { .. }), "{refused}");
}

//! From start to stop: what `deploy cluster` says, who may have a folder, and what a crash leaves.

use std::fs;
use std::net::TcpListener;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use serde_json::{Value, json};

use super::server::{Server, deploy};
use super::wire::Client;

/// Deployments that are acknowledged before the power goes.
const ACKNOWLEDGED: usize = 60;
const WRITERS: usize = 4;
const PATIENCE: Duration = Duration::from_secs(30);

/// A server that serves nobody ends in milliseconds; a loaded machine may take its time.
const IDLE_STOP: Duration = Duration::from_secs(2);

const CONFIG_MAPS: &str = "/api/v1/namespaces/default/configmaps";
const DEPLOYMENTS: &str = "/apis/apps/v1/namespaces/default/deployments";

/// Runs a command in a language; how it ends and what it says.
fn say(folder: &Path, lang: &str, arguments: &[&str]) -> (Option<i32>, String) {
    let output = deploy(folder)
        .env("LANG", lang)
        .args(arguments)
        .output()
        .expect("the binary runs");
    let mut text = String::from_utf8_lossy(&output.stdout).into_owned();
    text.push_str(&String::from_utf8_lossy(&output.stderr));
    (output.status.code(), text)
}

/// Both languages end alike, and say the code.
fn refused(folder: &Path, arguments: &[&str], exit: i32, code: &str) {
    let english = say(folder, "C", arguments);
    let chinese = say(folder, "zh_CN.UTF-8", arguments);
    for (status, text) in [&english, &chinese] {
        assert_eq!(*status, Some(exit), "{arguments:?}: {text}");
        assert!(text.contains(code), "{arguments:?}: {text}");
    }
    assert!(
        english.1.is_ascii() && !chinese.1.is_ascii(),
        "{english:?} {chinese:?}"
    );
}

const RUN: [&str; 5] = ["run", "cluster", "--api-only", "--listen", "127.0.0.1:0"];

#[test]
fn a_cluster_is_looked_at_and_stopped() {
    let server = Server::start("status");
    let folder = server.folder.clone();
    let (code, text) = say(&folder, "C", &["cluster", "status", "-o", "json"]);
    assert_eq!(code, Some(0), "{text}");
    let status: Value = serde_json::from_str(&text).expect("it is JSON");
    assert_eq!(status["status"], "running");
    assert!(
        status["version"]
            .as_str()
            .is_some_and(|version| version.starts_with("v1.34.")),
        "{status}"
    );
    let (code, table) = say(&folder, "C", &["cluster", "status"]);
    assert!(
        code == Some(0) && table.contains(&status["pid"].to_string()),
        "{table}"
    );
    let (code, path) = say(&folder, "C", &["cluster", "kubeconfig", "--path"]);
    assert_eq!(
        (code, path.trim_end()),
        (Some(0), status["kubeconfig"].as_str().unwrap_or_default())
    );
    let (code, text) = say(&folder, "C", &["cluster", "kubeconfig"]);
    assert_eq!(code, Some(0));
    assert_eq!(
        text,
        fs::read_to_string(server.kubeconfig()).expect("it was written")
    );

    refused(&folder, &RUN, 6, "DEP-CLUSTER-001");
    let (code, text) = say(&folder, "C", &["cluster", "down"]);
    assert_eq!(code, Some(0), "{text}");
    server.ended();
    refused(&folder, &["cluster", "status"], 3, "DEP-CLUSTER-005");
    refused(&folder, &["cluster", "kubeconfig"], 3, "DEP-CLUSTER-005");
    refused(&folder, &["cluster", "down"], 3, "DEP-CLUSTER-005");
}

#[test]
fn an_idle_server_ends_at_once_and_keeps_its_data() {
    let server = Server::start("idle");
    let folder = server.folder.clone();
    // A client that never says a word is no reason to wait.
    let (_, status) = say(&folder, "C", &["cluster", "status", "-o", "json"]);
    let status: Value = serde_json::from_str(&status).expect("it is JSON");
    let address = status["address"]
        .as_str()
        .expect("it has one")
        .trim_start_matches("https://")
        .to_owned();
    let silent = std::net::TcpStream::connect(address).expect("it listens");
    let authority = authority_of(&server);
    let (talk, took) = server.stop();
    assert!(took < IDLE_STOP, "{took:?}: {talk}");
    drop(silent);
    let again = Server::start_in(&folder, &[]);
    assert_eq!(authority_of(&again), authority, "kubeconfigs stay valid");
    again.stop();
}

fn authority_of(server: &Server) -> String {
    let text = fs::read_to_string(server.kubeconfig()).expect("it was written");
    let line = text
        .lines()
        .find(|line| line.contains("certificate-authority-data"));
    line.expect("it names its authority").to_owned()
}

#[test]
fn what_stands_in_the_way_is_told() {
    let folder = crate::fresh_folder("cluster-refused");
    let taken = TcpListener::bind("127.0.0.1:0").expect("a port is free");
    let address = taken.local_addr().expect("it has one").to_string();
    refused(
        &folder,
        &["run", "cluster", "--api-only", "--listen", &address],
        6,
        "DEP-CLUSTER-004",
    );

    let server = Server::start_in(&folder, &[]);
    server.stop();
    let database = database(&folder);
    let whole = fs::read(&database).expect("it is there");
    let mut changed = whole.clone();
    // SQLite's user version, big-endian, at byte 60 of the file: the format that a newer Deploy would write.
    changed[60..64].copy_from_slice(&[0x7f, 0xff, 0, 0]);
    fs::write(&database, &changed).expect("it is ours");
    refused(&folder, &RUN, 1, "DEP-CLUSTER-002");
    fs::write(&database, vec![b'x'; whole.len()]).expect("it is ours");
    refused(&folder, &RUN, 1, "DEP-CLUSTER-003");
    assert_eq!(
        fs::read(&database).expect("it is there"),
        vec![b'x'; whole.len()],
        "nobody touches it"
    );
    fs::write(&database, &whole).expect("it is ours");
    Server::start_in(&folder, &[]).stop();
}

/// The one SQLite database of the cluster's folder.
fn database(folder: &Path) -> std::path::PathBuf {
    let files = fs::read_dir(folder.join("data/cluster")).expect("the server made it");
    let mut files = files.map(|entry| entry.expect("an entry").path());
    let is_one =
        |path: &std::path::PathBuf| fs::read(path).is_ok_and(|bytes| bytes.starts_with(b"SQLite format 3\0"));
    files.find(is_one).expect("there is a database")
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_was_acknowledged_survives_a_kill() {
    let server = Server::start("kill");
    let folder = server.folder.clone();
    let acknowledged = Arc::new(AtomicUsize::new(0));
    let mut writers = tokio::task::JoinSet::new();
    for writer in 0..WRITERS {
        let client = Client::connect(&server.kubeconfig()).await;
        writers.spawn(write_until_it_breaks(client, writer, acknowledged.clone()));
    }
    let enough = async {
        while acknowledged.load(Ordering::Relaxed) < ACKNOWLEDGED {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(PATIENCE, enough)
        .await
        .expect("writes are acknowledged");
    server.kill();
    let written: Vec<(String, u64)> = writers.join_all().await.into_iter().flatten().collect();
    let highest = written
        .iter()
        .map(|(_, revision)| *revision)
        .max()
        .expect("there are some");

    let server = Server::start_in(&folder, &[]);
    let client = Client::connect(&server.kubeconfig()).await;
    for (path, revision) in &written {
        let (status, object) = client.send("GET", path, &Value::Null).await.expect("it answers");
        assert_eq!(status, 200, "{path} was acknowledged");
        assert!(revision_of(&object) >= *revision, "{path}: {object}");
    }
    let (status, after) = client
        .send("POST", CONFIG_MAPS, &config_map("after"))
        .await
        .expect("it answers");
    assert!(status == 201 && revision_of(&after) > highest, "{after}");
    // Controllers go on: every deployment gets its replica set and its pod, and one that is deleted loses them.
    let owned = |resource: &str| format!("{resource}?watch=1&labelSelector=app%3Dweb-0-0");
    let mut pods = client
        .watch(&owned("/api/v1/namespaces/default/pods"))
        .await
        .expect("a watch");
    tokio::time::timeout(PATIENCE, seen(&mut pods, "ADDED"))
        .await
        .expect("its pod is made");
    let (status, _) = client
        .send("DELETE", &format!("{DEPLOYMENTS}/web-0-0"), &Value::Null)
        .await
        .expect("it answers");
    assert_eq!(status, 200);
    tokio::time::timeout(PATIENCE, seen(&mut pods, "DELETED"))
        .await
        .expect("its pod is collected");
    drop((pods, client));
    server.stop();
}

/// Makes config maps and deployments; those that were acknowledged, with their revisions.
async fn write_until_it_breaks(client: Client, writer: usize, count: Arc<AtomicUsize>) -> Vec<(String, u64)> {
    let mut written = Vec::new();
    for number in 0.. {
        let (path, object) = match number % 10 {
            0 => (DEPLOYMENTS, deployment(&format!("web-{writer}-{number}"))),
            _ => (CONFIG_MAPS, config_map(&format!("map-{writer}-{number}"))),
        };
        let name = object["metadata"]["name"].as_str().unwrap_or_default().to_owned();
        let Ok((status, answer)) = client.send("POST", path, &object).await else {
            break;
        };
        if status != 201 {
            // Half an answer, cut off by the kill, is no acknowledgement.
            assert!(answer.is_null(), "{answer}");
            break;
        }
        written.push((format!("{path}/{name}"), revision_of(&answer)));
        count.fetch_add(1, Ordering::Relaxed);
    }
    written
}

async fn seen(watch: &mut super::wire::Watch, kind: &str) {
    while let Some(event) = watch.next().await {
        if event["type"] == kind {
            return;
        }
    }
    panic!("the watch ended before {kind}");
}

fn revision_of(object: &Value) -> u64 {
    let revision = object["metadata"]["resourceVersion"].as_str().unwrap_or_default();
    revision.parse().expect("it has a revision")
}

fn config_map(name: &str) -> Value {
    json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name}, "data": {"k": name}})
}

fn deployment(name: &str) -> Value {
    json!({"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": name},
           "spec": {"selector": {"matchLabels": {"app": name}},
                    "template": {"metadata": {"labels": {"app": name}},
                                 "spec": {"containers": [{"name": "main", "image": "nginx"}]}}}})
}

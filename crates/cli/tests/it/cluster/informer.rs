//! What an informer does: list, watch from there, list again when the watch cannot go on. While objects come and go it
//! must end in the state that a list shows.

use std::collections::BTreeMap;
use std::time::Duration;

use serde_json::{Value, json};

use super::server::Server;
use super::wire::{Client, Watch};

const PODS: usize = 1000;

/// Clients that write at the same time, each over its own connection.
const WRITERS: usize = 8;

/// The first informer loses its watch after so many events, and goes on from where it was.
const EVENTS_PER_WATCH: usize = 97;

/// A loaded machine with a debug build needs seconds.
const PATIENCE: Duration = Duration::from_secs(60);

const PATH: &str = "/api/v1/namespaces/default/pods";

/// The last object that a writer makes: whoever has seen it of every writer has seen everything.
const LAST: &str = "last";

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn informers_end_where_a_list_is() {
    let server = Server::start_in(&crate::fresh_folder("cluster-informer"), &["--no-controllers"]);
    let kubeconfig = server.kubeconfig();
    let client = Client::connect(&kubeconfig).await;
    let account = json!({"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": "default"}});
    let (status, _) = send(
        &client,
        "POST",
        "/api/v1/namespaces/default/serviceaccounts",
        &account,
    )
    .await;
    assert_eq!(status, 201);
    let mut writers = tokio::task::JoinSet::new();
    let informers = [Start::List, Start::Watch].map(|start| {
        let kubeconfig = kubeconfig.clone();
        tokio::spawn(async move { inform(Client::connect(&kubeconfig).await, start).await })
    });
    for writer in 0..WRITERS {
        let kubeconfig = kubeconfig.clone();
        writers.spawn(async move { churn(Client::connect(&kubeconfig).await, writer).await });
    }
    writers.join_all().await;
    let (_, list) = send(&client, "GET", PATH, &Value::Null).await;
    let listed = state(&list["items"]);
    assert!(listed.len() > WRITERS && listed.len() < PODS, "{}", listed.len());
    for informer in informers {
        let seen = tokio::time::timeout(PATIENCE, informer).await;
        let seen = seen.expect("it sees the last object").expect("it does not panic");
        assert!(
            seen == listed,
            "the informer has {} objects, the list {}",
            seen.len(),
            listed.len()
        );
    }
    drop(client);
    server.stop();
}

/// How an informer learns what is there.
#[derive(Clone, Copy)]
enum Start {
    /// client-go until 1.34 and kube-rs: pages of a list, then a watch.
    List,
    /// client-go since 1.35, kube-rs on request: a watch that begins with what is there.
    Watch,
}

/// Names with their revisions.
type State = BTreeMap<String, String>;

async fn inform(client: Client, start: Start) -> State {
    let (mut seen, mut revision) = (State::new(), String::new());
    let mut lost = true;
    while !is_complete(&seen) {
        let mut watch = match (lost, start) {
            (true, Start::List) => {
                (seen, revision) = pages(&client).await;
                follow(&client, &revision).await
            }
            (true, Start::Watch) => {
                seen.clear();
                let options = "sendInitialEvents=true&resourceVersionMatch=NotOlderThan&resourceVersion=";
                open(&client, options).await
            }
            (false, _) => follow(&client, &revision).await,
        };
        // Initial events are in the order of names: in the middle of them, there is nothing to go on from.
        let mut is_whole = !lost || matches!(start, Start::List);
        lost = false;
        let mut events = 0;
        while (!is_whole || events < EVENTS_PER_WATCH) && !is_complete(&seen) {
            let Some(event) = watch.next().await else { break };
            events += 1;
            let meta = &event["object"]["metadata"];
            let (name, at) = (text(&meta["name"]), text(&meta["resourceVersion"]));
            match event["type"].as_str() {
                Some("ADDED" | "MODIFIED") => drop(seen.insert(name, at.clone())),
                Some("DELETED") => drop(seen.remove(&name)),
                Some("BOOKMARK") => is_whole |= meta["annotations"]["k8s.io/initial-events-end"] == "true",
                // 410: too old.
                _ => {
                    lost = true;
                    break;
                }
            }
            revision = at;
        }
        lost |= !is_whole;
    }
    seen
}

/// The last object of every writer is there.
fn is_complete(seen: &State) -> bool {
    seen.range(LAST.to_owned()..)
        .take_while(|(name, _)| name.starts_with(LAST))
        .count()
        == WRITERS
}

async fn follow(client: &Client, revision: &str) -> Watch {
    open(client, &format!("resourceVersion={revision}")).await
}

async fn open(client: &Client, options: &str) -> Watch {
    let path = format!("{PATH}?watch=1&allowWatchBookmarks=true&{options}");
    client.watch(&path).await.expect("the server is there")
}

/// A list in pages of 100.
async fn pages(client: &Client) -> (State, String) {
    let (mut seen, mut next) = (State::new(), String::new());
    loop {
        let path = format!("{PATH}?limit=100&continue={next}");
        let (status, list) = send(client, "GET", &path, &Value::Null).await;
        assert_eq!(status, 200, "{list}");
        seen.extend(state(&list["items"]));
        next = text(&list["metadata"]["continue"]);
        if next.is_empty() {
            return (seen, text(&list["metadata"]["resourceVersion"]));
        }
    }
}

/// Makes pods, changes each second one, deletes each third; and one at last.
async fn churn(client: Client, writer: usize) {
    for number in 0..PODS / WRITERS {
        let name = format!("pod-{writer}-{number}");
        let path = format!("{PATH}/{name}");
        let (status, answer) = send(&client, "POST", PATH, &pod(&name)).await;
        assert_eq!(status, 201, "{answer}");
        if number % 2 == 0 {
            let labels = json!({"metadata": {"labels": {"seen": "yes"}}});
            let (status, answer) = send(&client, "PATCH", &path, &labels).await;
            assert_eq!(status, 200, "{answer}");
        }
        if number % 3 == 0 {
            let (status, answer) = send(&client, "DELETE", &path, &Value::Null).await;
            assert_eq!(status, 200, "{answer}");
        }
    }
    let (status, answer) = send(&client, "POST", PATH, &pod(&format!("{LAST}-{writer}"))).await;
    assert_eq!(status, 201, "{answer}");
}

fn pod(name: &str) -> Value {
    json!({"apiVersion": "v1", "kind": "Pod", "metadata": {"name": name},
           "spec": {"containers": [{"name": "main", "image": "nginx"}]}})
}

async fn send(client: &Client, method: &str, path: &str, body: &Value) -> (u16, Value) {
    client
        .send(method, path, body)
        .await
        .expect("the server is there")
}

fn state(items: &Value) -> State {
    let items = items.as_array().into_iter().flatten();
    items
        .map(|item| {
            (
                text(&item["metadata"]["name"]),
                text(&item["metadata"]["resourceVersion"]),
            )
        })
        .collect()
}

fn text(value: &Value) -> String {
    value.as_str().unwrap_or_default().to_owned()
}

//! Events: told to people once, and counted when they happen again (`client-go/tools/record`). One task writes them, so
//! that no pod waits for its news.

use std::collections::HashMap;
use std::sync::Arc;

use deploy_cluster_api::client::{Client, ResourceId};
use deploy_cluster_api::object::{name, namespace, text, uid};
use jiff::Timestamp;
use serde_json::{Value, json};
use tokio::sync::mpsc;

use crate::limits;
use crate::pod::shown;

static EVENTS: ResourceId = ResourceId::new("", "v1", "events");

/// Tells events; clones tell as one.
#[derive(Clone)]
pub struct Recorder {
    news: mpsc::Sender<News>,
}

/// Something to tell.
#[derive(Clone, Debug)]
pub struct News {
    /// The object that it is about.
    pub about: Arc<Value>,
    /// The container that it is about, as a path into the object; empty for none.
    pub field: String,
    /// Whether something is wrong.
    pub warning: bool,
    /// One word.
    pub reason: String,
    /// A sentence.
    pub message: String,
    /// When.
    pub at: Timestamp,
}

impl Recorder {
    /// A recorder, and what it has to say, for [`write`].
    pub fn new() -> (Recorder, mpsc::Receiver<News>) {
        let (news, told) = mpsc::channel(limits::EVENTS_WAITING_MAX);
        (Recorder { news }, told)
    }

    /// Tells an event. One that finds too many before it is lost: events are news, not records.
    pub fn tell(&self, about: &Arc<Value>, field: &str, warning: bool, reason: &str, message: &str) {
        let news = News {
            about: about.clone(),
            field: field.to_owned(),
            warning,
            reason: reason.to_owned(),
            message: cut(message).to_owned(),
            at: Timestamp::now(),
        };
        self.news.try_send(news).ok();
    }
}

/// The path of a container in its pod (`pkg/kubelet/container/ref.go`).
pub fn field(pod: &Value, container: &str) -> String {
    let inits = pod["spec"]["initContainers"].as_array().into_iter().flatten();
    let list = match inits
        .into_iter()
        .any(|init| init["name"].as_str() == Some(container))
    {
        true => "initContainers",
        false => "containers",
    };
    format!("spec.{list}{{{container}}}")
}

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
struct Told {
    uid: String,
    field: String,
    warning: bool,
    reason: String,
    message: String,
}

struct Known {
    name: String,
    count: u64,
    first: Value,
}

/// Writes what is told, as the kubelet of `node`, until nobody can tell anything any more.
pub async fn write(client: Client, node: String, mut news: mpsc::Receiver<News>) {
    let mut told: HashMap<Told, Known> = HashMap::new();
    while let Some(news) = news.recv().await {
        let key = Told {
            uid: uid(&news.about).to_owned(),
            field: news.field.clone(),
            warning: news.warning,
            reason: news.reason.clone(),
            message: news.message.clone(),
        };
        if let Some(known) = told.get_mut(&key) {
            known.count += 1;
            if again(&client, &news, known).await {
                continue;
            }
        }
        let known = Known {
            name: format!("{}.{:x}", name(&news.about), news.at.as_nanosecond()),
            count: 1,
            first: shown(news.at),
        };
        if client.create(&EVENTS, event(&news, &known, &node)).await.is_ok() {
            if told.len() >= limits::EVENTS_KNOWN_MAX {
                // Whatever is forgotten is told as new.
                told.clear();
            }
            told.insert(key, known);
        }
    }
}

/// Counts an event that was told before. False where it is gone.
async fn again(client: &Client, news: &News, known: &Known) -> bool {
    let space = place(&news.about);
    let Some(current) = client.get(&EVENTS, space, &known.name) else {
        return false;
    };
    let mut event = Value::clone(&current);
    event["count"] = known.count.into();
    event["firstTimestamp"] = known.first.clone();
    event["lastTimestamp"] = shown(news.at);
    client.update(&EVENTS, event).await.is_ok()
}

fn event(news: &News, known: &Known, node: &str) -> Value {
    let about = &news.about;
    let mut event = json!({
        "apiVersion": "v1",
        "kind": "Event",
        "metadata": {"name": known.name, "namespace": place(about)},
        "involvedObject": {
            "apiVersion": "v1",
            "kind": about["kind"],
            "name": name(about),
            "namespace": namespace(about),
            "uid": uid(about),
            "resourceVersion": text(about, "resourceVersion"),
        },
        "type": if news.warning { "Warning" } else { "Normal" },
        "reason": news.reason,
        "message": news.message,
        "source": {"component": "kubelet", "host": node},
        "firstTimestamp": known.first,
        "lastTimestamp": shown(news.at),
        "count": known.count,
        "reportingComponent": "kubelet",
        "reportingInstance": node,
    });
    if !news.field.is_empty() {
        event["involvedObject"]["fieldPath"] = Value::from(news.field.as_str());
    }
    if about["kind"] == "Node" {
        event["involvedObject"]["uid"] = Value::from(node);
    }
    event
}

/// Events about objects of the whole cluster are in `default`.
fn place(about: &Value) -> &str {
    Some(namespace(about))
        .filter(|namespace| !namespace.is_empty())
        .unwrap_or("default")
}

/// Longer messages are cut (`maxNoteLength`).
fn cut(message: &str) -> &str {
    let mut end = limits::EVENT_MESSAGE_BYTES_MAX.min(message.len());
    while !message.is_char_boundary(end) {
        end -= 1;
    }
    &message[..end]
}

//! Events: told to people once, and counted when they happen again (`client-go/tools/record`).

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

use deploy_cluster_api::client::{Client, ResourceId};
use jiff::Timestamp;
use serde_json::{Value, json};

use crate::object;

const EVENTS: ResourceId = ResourceId::new("", "v1", "events");

/// So many different events are remembered for counting; the oldest half is forgotten when there are more
/// (`maxLruCacheEntries` is 4096).
const REMEMBERED_MAX: usize = 4096;

/// Longer messages are cut (`maxNoteLength`).
const MESSAGE_BYTES_MAX: usize = 1024;

/// Tells events as one component.
pub struct Recorder {
    client: Client,
    component: &'static str,
    /// What was told, and the name of its Event.
    told: Mutex<HashMap<Told, Known>>,
}

/// What makes events equal.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
struct Told {
    uid: String,
    r#type: &'static str,
    reason: String,
    message: String,
}

struct Known {
    name: String,
    count: u64,
    first: Value,
}

impl Recorder {
    pub fn new(client: Client, component: &'static str) -> Recorder {
        Recorder {
            client,
            component,
            told: Mutex::default(),
        }
    }

    /// Tells an event. One that cannot be written is lost: events are news, not records.
    pub async fn tell(&self, about: &Value, r#type: &'static str, reason: &str, message: &str) {
        let message = cut(message);
        let told = Told {
            uid: object::uid(about).to_owned(),
            r#type,
            reason: reason.to_owned(),
            message: message.to_owned(),
        };
        let now = Timestamp::now();
        let known = self.lock().get_mut(&told).map(|known| {
            known.count += 1;
            (known.name.clone(), known.count, known.first.clone())
        });
        let (name, count, first) = known.unwrap_or_else(|| {
            (
                format!("{}.{:x}", object::name(about), now.as_nanosecond()),
                1,
                object::shown(now),
            )
        });
        let mut event = self.event(about, &told, &name, now);
        event["count"] = json!(count);
        event["firstTimestamp"] = first.clone();
        if let Some(action) = action(self.component, reason) {
            event["action"] = json!(action);
        }
        let written = match self.client.get(&EVENTS, namespace(about), &name) {
            Some(current) => {
                event["metadata"] = current["metadata"].clone();
                self.client.update(&EVENTS, event).await
            }
            None => self.client.create(&EVENTS, event).await,
        };
        if written.is_ok() {
            self.remember(told, Known { name, count, first });
        }
    }

    fn event(&self, about: &Value, told: &Told, name: &str, now: Timestamp) -> Value {
        json!({
            "apiVersion": "v1",
            "kind": "Event",
            "metadata": {"name": name, "namespace": namespace(about)},
            "involvedObject": {
                "apiVersion": about["apiVersion"],
                "kind": about["kind"],
                "name": object::name(about),
                "namespace": object::namespace(about),
                "uid": told.uid,
                "resourceVersion": object::text(about, "resourceVersion"),
            },
            "type": told.r#type,
            "reason": told.reason,
            "message": told.message,
            "source": {"component": self.component},
            "lastTimestamp": object::shown(now),
            "reportingComponent": self.component,
            "reportingInstance": "",
        })
    }

    fn remember(&self, told: Told, known: Known) {
        let mut all = self.lock();
        if all.len() >= REMEMBERED_MAX {
            let mut keep = 0;
            all.retain(|_, _| {
                keep += 1;
                keep % 2 == 0
            });
        }
        all.insert(told, known);
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, HashMap<Told, Known>> {
        self.told.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What the scheduler was about; only its events say so.
fn action(component: &str, reason: &str) -> Option<&'static str> {
    match (component, reason) {
        ("default-scheduler", "Scheduled") => Some("Binding"),
        ("default-scheduler", "FailedScheduling") => Some("Scheduling"),
        _ => None,
    }
}

/// Events about objects of the whole cluster are in `default`.
fn namespace(about: &Value) -> &str {
    Some(object::namespace(about))
        .filter(|namespace| !namespace.is_empty())
        .unwrap_or("default")
}

fn cut(message: &str) -> &str {
    let end = (0..=MESSAGE_BYTES_MAX.min(message.len()))
        .rev()
        .find(|end| message.is_char_boundary(*end));
    &message[..end.unwrap_or_default()]
}

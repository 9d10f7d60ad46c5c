//! What has survived a restart of the server, or of the machine.

use jiff::Timestamp;
use serde_json::{Value, json};

use super::engine::AskedState;
use super::state::{Attempt, State};
use super::{Engine, Exit, ImageFacts};
use crate::probe::{Kind, Probes};

/// A sandbox that lives on.
#[derive(Clone, Debug)]
pub struct Survivor {
    /// The pod's; empty in the network of the host.
    pub address: String,
    /// The containers that its record knows.
    pub containers: Vec<Found>,
}

/// A container of it.
#[derive(Clone, Debug)]
pub struct Found {
    /// Its name and the number of the attempt: `web.0`.
    pub id: String,
    /// Since when it runs; `None` where it was only made.
    pub since: Option<Timestamp>,
    /// How it has ended, where it has.
    pub exit: Option<Exit>,
    /// What it was made of.
    pub image: ImageFacts,
}

impl Engine {
    /// Takes over what was there before this process: the containers that run on, and what the API server knows of those
    /// that do not.
    pub fn restore(&mut self, survivor: Option<Survivor>, now: Timestamp) {
        let status = self.known.clone();
        for list in ["initContainerStatuses", "containerStatuses"] {
            for known in status[list].as_array().into_iter().flatten() {
                self.recall(known, now);
            }
        }
        let Some(survivor) = survivor else {
            return;
        };
        self.sandboxes = 1;
        self.sandbox.state = AskedState::Ready;
        // Where it was made, its volumes had been made before.
        self.volumes.state = AskedState::Ready;
        self.address = if survivor.address.is_empty() {
            self.node.clone()
        } else {
            survivor.address
        };
        let mut containers = survivor.containers;
        containers.sort_by_key(|found| number_of(&found.id).map(|(_, number)| number));
        for found in containers {
            self.adopt(found, &status, now);
        }
    }

    /// From the status that the API server has.
    fn recall(&mut self, known: &Value, now: Timestamp) {
        let name = known["name"].as_str().unwrap_or_default();
        let text = |name: &str| known[name].as_str().unwrap_or_default().to_owned();
        let uid = self.pod.uid.clone();
        let Some(record) = self.records.get_mut(name) else {
            return;
        };
        record.last = known["lastState"].clone();
        let id = text("containerID");
        let prefix = format!("deploy://{uid}.");
        let Some(id) = id.strip_prefix(&prefix) else {
            return;
        };
        let time = |value: &Value| value.as_str().and_then(|time| time.parse().ok());
        let number = known["restartCount"]
            .as_u64()
            .and_then(|count| u32::try_from(count).ok())
            .unwrap_or_default();
        let (state, waiting) = (&known["state"], &known["lastState"]["terminated"]);
        let ended = if state["terminated"].is_object() {
            &state["terminated"]
        } else {
            waiting
        };
        let exit = if state["running"].is_object() {
            // It ran when the machine went down. That is all that anybody knows.
            Exit {
                code: 255,
                reason: "Unknown".to_owned(),
                message: String::new(),
                at: now,
            }
        } else {
            Exit {
                code: ended["exitCode"]
                    .as_i64()
                    .and_then(|code| i32::try_from(code).ok())
                    .unwrap_or(255),
                reason: ended["reason"].as_str().unwrap_or_default().to_owned(),
                message: ended["message"].as_str().unwrap_or_default().to_owned(),
                at: time(&ended["finishedAt"]).unwrap_or(now),
            }
        };
        let since = time(&state["running"]["startedAt"]).or_else(|| time(&ended["startedAt"]));
        record.next = number.saturating_add(1);
        record.now = Some(Attempt {
            id: id.to_owned(),
            number,
            sandbox: 0,
            image: ImageFacts {
                name: text("image"),
                id: text("imageID"),
                stop_signal: String::new(),
            },
            user: known["user"].clone(),
            state: State::Exited { since, exit },
            probes: Probes::default(),
            stop: None,
        });
    }

    fn adopt(&mut self, found: Found, status: &Value, now: Timestamp) {
        let Some((name, number)) = number_of(&found.id) else {
            return;
        };
        let Some(container) = self.pod.container(name) else {
            return;
        };
        let lists = [&status["initContainerStatuses"], &status["containerStatuses"]];
        let mut known = lists.into_iter().filter_map(Value::as_array).flatten();
        let known = known
            .find(|known| known["name"].as_str() == Some(name))
            .unwrap_or(&Value::Null);
        let state = match (found.since, found.exit) {
            (since, Some(exit)) => State::Exited { since, exit },
            (Some(since), None) => State::Running { since },
            // It was made, and nobody knows any more what for: it is made anew.
            (None, None) => State::Exited {
                since: None,
                exit: Exit {
                    code: 128,
                    reason: "StartError".to_owned(),
                    message: String::new(),
                    at: now,
                },
            },
        };
        let probes = [
            (Kind::Startup, &container.startup),
            (Kind::Readiness, &container.readiness),
            (Kind::Liveness, &container.liveness),
        ];
        let probes = probes
            .into_iter()
            .filter_map(|(kind, probe)| Some((kind, probe.clone()?)));
        let mut probes = Probes::new(probes, found.since.unwrap_or(now));
        let uid = self.pod.uid.clone();
        let Some(record) = self.records.get_mut(name) else {
            return;
        };
        if let Some(before) = record.now.take().filter(|before| before.id != found.id) {
            record.last = before
                .terminated(&uid)
                .map_or(json!({}), |last| json!({"terminated": last}));
        } else if known["restartCount"].as_u64() == Some(number.into()) {
            probes.restore(known["started"] == true, known["ready"] == true);
        }
        record.next = number.saturating_add(1);
        record.now = Some(Attempt {
            id: found.id.clone(),
            number,
            sandbox: self.sandboxes,
            image: found.image,
            user: known["user"].clone(),
            state,
            probes,
            stop: None,
        });
    }
}

/// Name and number of `web.0`.
fn number_of(id: &str) -> Option<(&str, u32)> {
    let (name, number) = id.rsplit_once('.')?;
    Some((name, number.parse().ok()?))
}

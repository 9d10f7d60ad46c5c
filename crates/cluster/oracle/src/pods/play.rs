//! Carries out the acts of a scenario and takes down what there is to see.

use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, Instant};

use serde_json::{Map, Value, json};

use super::marks::marked;
use super::scenario::{Act, Scenario};
use crate::{Answer, Identity, Request, Server};

/// What a condition may take: the longest is a second back-off (20 s) on a machine that is busy with other tests.
const PATIENCE: Duration = Duration::from_secs(150);

/// What was observed: `status POD`, `log POD/CONTAINER`, `refused NAME`, `events OBJECT`.
pub type Observed = BTreeMap<String, Value>;

/// Plays one scenario in a namespace of its name.
///
/// # Errors
///
/// What did not happen.
pub fn play(server: &mut dyn Server, scenario: &Scenario) -> Result<Observed, String> {
    let mut stage = Stage {
        server,
        namespace: &scenario.name,
        observed: Observed::new(),
    };
    let path = format!("/api/v1/namespaces/{}", scenario.name);
    let played = stage.play(scenario);
    stage.send("DELETE", &path, "application/json", None)?;
    played.map(|()| stage.observed)
}

struct Stage<'a> {
    server: &'a mut dyn Server,
    namespace: &'a str,
    observed: Observed,
}

impl Stage<'_> {
    fn play(&mut self, scenario: &Scenario) -> Result<(), String> {
        self.swept()?;
        let namespace = json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": scenario.name}});
        self.create("/api/v1/namespaces", &namespace)?;
        let account = Map::from_iter([("/metadata/name".to_owned(), json!("*"))]);
        self.wait("ServiceAccount", "default", &account)?;
        self.wait("ConfigMap", "kube-root-ca.crt", &account)?;
        for (at, act) in scenario.acts.iter().enumerate() {
            self.act(act)
                .map_err(|error| format!("act {}: {error}", at + 1))?;
        }
        self.events()
    }

    /// Until nothing is left of the time before, when the scenario is played again.
    fn swept(&mut self) -> Result<(), String> {
        let path = format!("/api/v1/namespaces/{}", self.namespace);
        let deadline = Instant::now() + PATIENCE;
        while self.send("GET", &path, "", None)?.status != 404 {
            if Instant::now() > deadline {
                return Err(format!("namespace {} does not go", self.namespace));
            }
            std::thread::sleep(LOOK);
        }
        Ok(())
    }

    fn act(&mut self, act: &Act) -> Result<(), String> {
        match act {
            Act::Create(object) => {
                let path = self.list_of(object);
                self.create(&path, object)
            }
            Act::Refused(name, object) => {
                let path = self.list_of(object);
                let answer = self.send("POST", &path, "application/json", Some(object))?;
                let told =
                    json!({"code": answer.status, "message": answer.json().unwrap_or_default()["message"]});
                self.observe(&format!("refused {name}"), told)
            }
            Act::Patch(kind, name, with) => {
                let path = self.path(kind, name);
                let answer = self.send("PATCH", &path, "application/merge-patch+json", Some(with))?;
                succeeded(&path, &answer)
            }
            Act::Delete(kind, name) => {
                let path = self.path(kind, name);
                let answer = self.send("DELETE", &path, "application/json", None)?;
                succeeded(&path, &answer)
            }
            Act::Wait(kind, name, until) => self.wait(kind, name, until).map(drop),
            Act::Gone(kind, name) => self.gone(kind, name),
            Act::Event(of, reason) => self.told(of, reason),
            Act::Log(pod, container, previous, line) => self.log(pod, container, *previous, line),
            Act::Status(pod, name) => {
                let settled = |event: &Value| {
                    let object = &event["object"];
                    is_settled(&object["status"]).then(|| object["status"].clone())
                };
                let status = self.follow("Pod", Some(pod), &mut |event| settled(event));
                let status =
                    status.map_err(|last| format!("{pod} has ended and keeps its sandbox: {last}"))?;
                self.observe(&format!("status {name}"), status)
            }
        }
    }

    fn observe(&mut self, what: &str, value: Value) -> Result<(), String> {
        match self.observed.insert(what.to_owned(), marked(value)) {
            None => Ok(()),
            Some(_) => Err(format!("{what} is observed twice")),
        }
    }

    fn send(&mut self, method: &str, path: &str, kind: &str, body: Option<&Value>) -> Result<Answer, String> {
        self.server.send(&Request {
            method: method.to_owned(),
            path: path.to_owned(),
            headers: vec![("content-type".to_owned(), kind.to_owned())],
            body: body.map(|body| body.to_string().into_bytes()).unwrap_or_default(),
            identity: Identity::Admin,
            lines: path.contains("watch=1").then_some(1),
        })
    }

    fn create(&mut self, path: &str, object: &Value) -> Result<(), String> {
        let answer = self.send("POST", path, "application/json", Some(object))?;
        succeeded(path, &answer)
    }

    fn list_of(&self, object: &Value) -> String {
        let group = match object["apiVersion"].as_str().unwrap_or_default() {
            "v1" => "/api/v1".to_owned(),
            other => format!("/apis/{other}"),
        };
        let plural = plural(object["kind"].as_str().unwrap_or_default());
        format!("{group}/namespaces/{}/{plural}", self.namespace)
    }

    /// Kinds of the core group alone.
    fn path(&self, kind: &str, name: &str) -> String {
        format!("/api/v1/namespaces/{}/{}/{name}", self.namespace, plural(kind))
    }

    fn wait(&mut self, kind: &str, name: &str, until: &Map<String, Value>) -> Result<Value, String> {
        let is_so = |object: &Value| {
            until.iter().all(|(place, expected)| {
                let found = object.pointer(place).unwrap_or(&Value::Null);
                found == expected || (expected == "*" && !found.is_null())
            })
        };
        self.follow(kind, Some(name), &mut |event| {
            (event["type"] != "DELETED" && is_so(&event["object"])).then(|| event["object"].clone())
        })
        .map_err(|last| format!("{kind} {name} did not come to be {}: {last}", json!(until)))
    }

    fn gone(&mut self, kind: &str, name: &str) -> Result<(), String> {
        if self.send("GET", &self.path(kind, name), "", None)?.status == 404 {
            return Ok(());
        }
        let going = self.follow(kind, Some(name), &mut |event| {
            (event["type"] == "DELETED").then_some(Value::Null)
        });
        match going {
            Ok(_) => Ok(()),
            // It may have gone between the two requests.
            Err(_) if self.send("GET", &self.path(kind, name), "", None)?.status == 404 => Ok(()),
            Err(last) => Err(format!("{kind} {name} is still there: {last}")),
        }
    }

    fn told(&mut self, of: &str, reason: &str) -> Result<(), String> {
        self.follow("Event", None, &mut |event| {
            let event = &event["object"];
            (event["involvedObject"]["name"] == of && event["reason"] == reason).then_some(Value::Null)
        })
        .map(drop)
        .map_err(|_| format!("no event {reason} about {of}"))
    }

    /// Looks at objects as they are, then at what becomes of them, until `found`; else the last one.
    fn follow(
        &mut self,
        kind: &str,
        name: Option<&str>,
        found: &mut dyn FnMut(&Value) -> Option<Value>,
    ) -> Result<Value, String> {
        let deadline = Instant::now() + PATIENCE;
        let selector = name.map(|name| format!("fieldSelector=metadata.name={name}&"));
        let selector = selector.unwrap_or_default();
        let list = format!(
            "/api/v1/namespaces/{}/{}?{selector}",
            self.namespace,
            plural(kind)
        );
        let now = self.send("GET", &list, "", None)?.json().unwrap_or_default();
        let mut last = Value::Null;
        for object in now["items"].as_array().into_iter().flatten() {
            last = object["status"].clone();
            if let Some(found) = found(&json!({"type": "ADDED", "object": object})) {
                return Ok(found);
            }
        }
        let mut revision = now["metadata"]["resourceVersion"].clone();
        while Instant::now() < deadline {
            let from = revision.as_str().unwrap_or_default();
            let path = format!("{list}watch=1&resourceVersion={from}");
            let answer = self.send("GET", &path, "", None)?;
            for line in answer.body.split(|byte| *byte == b'\n') {
                let Ok(event) = serde_json::from_slice::<Value>(line) else {
                    continue;
                };
                revision = event["object"]["metadata"]["resourceVersion"].clone();
                last = event["object"]["status"].clone();
                if let Some(found) = found(&event) {
                    return Ok(found);
                }
            }
        }
        Err(last.to_string())
    }

    fn log(&mut self, pod: &str, container: &str, previous: bool, line: &str) -> Result<(), String> {
        // Followed until the line: a log that nobody has written yet is no answer.
        let path = format!(
            "{}/log?container={container}&previous={previous}",
            self.path("Pod", pod)
        );
        let deadline = Instant::now() + PATIENCE;
        loop {
            let answer = self.send("GET", &path, "", None)?;
            let text = String::from_utf8_lossy(&answer.body).into_owned();
            if answer.status == 200 && text.lines().any(|written| written == line) {
                let lines: Vec<&str> = text.lines().collect();
                let before = if previous { " before" } else { "" };
                return self.observe(&format!("log {pod}/{container}{before}"), json!(lines));
            }
            if Instant::now() > deadline {
                return Err(format!("{pod} does not say {line:?}: {} {text}", answer.status));
            }
            std::thread::sleep(LOOK);
        }
    }

    /// Events are counted and come late or more than once; which there are at all is compared, object by object.
    fn events(&mut self) -> Result<(), String> {
        let path = format!("/api/v1/namespaces/{}/events", self.namespace);
        let deadline = Instant::now() + PATIENCE;
        let list = loop {
            let list = self.send("GET", &path, "", None)?.json().unwrap_or_default();
            if all_told(&list) || Instant::now() > deadline {
                break list;
            }
            std::thread::sleep(LOOK);
        };
        let mut told: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
        for event in list["items"].as_array().into_iter().flatten() {
            // How soon a node takes pods, or a volume is bound, is a matter of time.
            if event["reason"] == "FailedScheduling" {
                continue;
            }
            let about = &event["involvedObject"];
            let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
            let line = format!(
                "{} {} {}: {}",
                text(&event["type"]),
                text(&event["reason"]),
                text(&about["fieldPath"]),
                text(&event["message"])
            );
            let of = format!("events {} {}", text(&about["kind"]), text(&about["name"]));
            told.entry(of).or_default().insert(line);
        }
        for (of, lines) in told {
            let mut lines: Vec<Value> = lines.into_iter().map(|line| marked(json!(line))).collect();
            lines.sort_by_key(Value::to_string);
            lines.dedup();
            self.observe(&of, Value::Array(lines))?;
        }
        Ok(())
    }
}

/// Events are written by the way: whether each container that was made is told to have started, or to have failed.
fn all_told(list: &Value) -> bool {
    let events = || list["items"].as_array().into_iter().flatten();
    let about = |event: &Value| {
        let object = &event["involvedObject"];
        (object["name"].clone(), object["fieldPath"].clone())
    };
    let mut made = events().filter(|event| event["reason"] == "Created");
    made.all(|made| {
        events().any(|event| {
            (event["reason"] == "Started" || event["reason"] == "Failed") && about(event) == about(made)
        })
    })
}

/// A pod that has ended loses its sandbox a moment later; before that its status says this or that.
fn is_settled(status: &Value) -> bool {
    let conditions = status["conditions"].as_array().into_iter().flatten();
    let mut sandbox = conditions.filter(|condition| condition["type"] == "PodReadyToStartContainers");
    let is_over = status["phase"] == "Succeeded" || status["phase"] == "Failed";
    !is_over || sandbox.any(|condition| condition["status"] == "False")
}

/// Between two looks at what tells nobody when it changes.
const LOOK: Duration = Duration::from_millis(100);

fn plural(kind: &str) -> String {
    format!("{}s", kind.to_ascii_lowercase())
}

fn succeeded(path: &str, answer: &Answer) -> Result<(), String> {
    match answer.status {
        200..300 => Ok(()),
        status => Err(format!(
            "{path}: {status} {}",
            String::from_utf8_lossy(&answer.body)
        )),
    }
}

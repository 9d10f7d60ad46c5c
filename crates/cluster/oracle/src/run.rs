//! Sends the steps of a scenario to a server, in a namespace of their own, and cleans up.

use std::thread;
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::kubelet::Kubelet;
use crate::normalise::Normaliser;
use crate::recorded::{RecordedRequest, RecordedScenario};
use crate::request::{Answer, Identity, Request, Scenario, Step};

/// How long a step with `until` is repeated. The longest that the real API server needs is for a token that it has
/// remembered for 10 s.
const UNTIL: Duration = Duration::from_secs(12);
/// The same where controllers work and some wait on purpose.
const UNTIL_CONTROLLED: Duration = Duration::from_secs(40);
/// The same when an earlier step of the scenario has already waited in vain: most that follows will, too.
const UNTIL_AFTER_A_MISS: Duration = Duration::from_millis(500);
/// How often a request that changes nothing is sent again when it is recorded.
const PROBES: usize = 4;
const PAUSE: Duration = Duration::from_millis(25);

/// The name of each request, and where its answer differs from the recorded one.
pub type Outcomes = Vec<(String, Result<(), String>)>;

/// Takes requests to a server, on whatever way. An `Err` is a failure of the way, not an answer.
pub trait Server {
    /// Sends one request and waits for its answer; see [`Request::lines`] for watches.
    fn send(&mut self, request: &Request) -> Result<Answer, String>;
}

/// Runs a scenario against the real server and returns what is to be written down. It runs twice: answers that differ
/// between the two runs are marked as unstable and are not compared later.
///
/// # Errors
///
/// What the transport says, or that an `until` never held.
pub fn record(server: &mut dyn Server, scenario: &Scenario, tag: &str) -> Result<RecordedScenario, String> {
    let mut varied = Vec::new();
    let mut once = |tag: String| {
        let (answers, notes) = answers(server, scenario, &tag, PROBES)?;
        varied.extend(notes.varied);
        match notes.missed.first() {
            Some(name) => Err(format!(
                "{}/{}/{name}: until never held",
                scenario.area, scenario.name
            )),
            None => Ok(answers),
        }
    };
    let first = once(format!("{tag}a"))?;
    let second = once(format!("{tag}b"))?;
    let requests = scenario
        .steps
        .iter()
        .zip(first.into_iter().zip(second))
        .map(|(step, (first, second))| RecordedRequest {
            step: step.clone(),
            unstable: match varied.contains(&step.name) {
                true => Some("the order of causes or warnings varies".to_owned()),
                false => crate::first_difference(&first, &second),
            },
            answer: first,
        })
        .collect();
    Ok(RecordedScenario {
        area: scenario.area.clone(),
        file: scenario.file.clone(),
        name: scenario.name.clone(),
        namespace: scenario.namespace,
        node: scenario.node,
        requests,
    })
}

/// Runs a recorded scenario and returns, for each request, its name and where its answer differs from the recorded one.
/// The tag becomes a part of names: two runs against one server need two tags, lower case and short.
///
/// # Errors
///
/// What the transport says.
pub fn replay(server: &mut dyn Server, recorded: &RecordedScenario, tag: &str) -> Result<Outcomes, String> {
    let (got, _) = answers(server, &recorded.scenario(), tag, 0)?;
    let outcome = |request: &RecordedRequest, got: &Value| match crate::first_difference(&request.answer, got)
    {
        Some(difference) if request.unstable.is_none() => Err(difference),
        _ => Ok(()),
    };
    Ok(recorded
        .requests
        .iter()
        .zip(&got)
        .map(|(request, got)| (request.step.name.clone(), outcome(request, got)))
        .collect())
}

/// Names of steps, apart from their answers.
#[derive(Default)]
struct Notes {
    /// Those whose `until` never held.
    missed: Vec<String>,
    /// Those whose causes or warnings came in another order when they were sent again.
    varied: Vec<String>,
}

/// The normalised answers of all steps. Requests that change nothing are sent so many times more, to see whether their
/// answers vary.
fn answers(
    server: &mut dyn Server,
    scenario: &Scenario,
    tag: &str,
    probes: usize,
) -> Result<(Vec<Value>, Notes), String> {
    let mut run = Run {
        server,
        variables: variables(scenario, tag),
        made: Vec::new(),
        kubelet: None,
        notes: Notes::default(),
        probes,
    };
    if scenario.namespace {
        run.make_namespace()?;
    }
    if scenario.node {
        let kubelet = Kubelet::new(&run.filled("{id}-node"), &run.filled("{ns}"));
        kubelet.register(run.server)?;
        run.made.push(kubelet.path());
        run.kubelet = Some(kubelet);
    }
    let sent_all: Result<Vec<Answer>, String> = scenario
        .steps
        .iter()
        .map(|step| {
            let fail = |e| format!("{}/{}/{}: {e}", scenario.area, scenario.name, step.name);
            run.step(step).map_err(fail)
        })
        .collect();
    run.clean_up()?;
    let answers = sent_all?;
    let sent: String = scenario
        .steps
        .iter()
        .flat_map(|step| [step.path.as_str(), " ", &step.body, "\n"])
        .collect();
    // Only these two are names; saved values are found by their shape.
    let names = run
        .variables
        .iter()
        .take(2)
        .map(|(name, value)| (value.clone(), format!("{{{name}}}")));
    let dry = scenario.steps.iter().map(|step| step.path.contains("dryRun"));
    let with_dry: Vec<(bool, &Answer)> = dry.zip(&answers).collect();
    let normaliser = Normaliser::new(sent, names.collect(), &with_dry);
    let shown = |(step, answer): (&Step, &Answer)| {
        let whole = normaliser.answer(answer, step.lines);
        match (step.only.is_empty(), step.items.is_empty()) {
            (true, true) => whole,
            (false, _) => narrowed(&whole, &step.only),
            (true, false) => narrowed_items(&whole, &step.items),
        }
    };
    let shown = scenario.steps.iter().zip(&answers).map(shown).collect();
    Ok((shown, run.notes))
}

/// The status code and those parts of the body that the pointers name.
fn narrowed(answer: &Value, pointers: &[String]) -> Value {
    json!({"status": answer["status"], "body": parts(&answer["body"], pointers)})
}

/// The status code and those parts of each item, sorted: names are partly chance, and so is the order of items.
fn narrowed_items(answer: &Value, pointers: &[String]) -> Value {
    let items = answer["body"]["items"].as_array().map_or(&[][..], Vec::as_slice);
    let mut items: Vec<Value> = items.iter().map(|item| parts(item, pointers)).collect();
    items.sort_by_cached_key(Value::to_string);
    items.dedup();
    json!({"status": answer["status"], "body": items})
}

fn parts(value: &Value, pointers: &[String]) -> Value {
    pointers
        .iter()
        .map(|pointer| {
            (
                pointer.clone(),
                value.pointer(pointer).cloned().unwrap_or(Value::Null),
            )
        })
        .collect()
}

/// `{ns}` and `{id}` first. Both depend on the scenario, so that leftovers of one cannot disturb another.
fn variables(scenario: &Scenario, tag: &str) -> Vec<(String, String)> {
    let hash = format!("{}/{}", scenario.area, scenario.name)
        .bytes()
        .fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| {
            (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
        });
    let hash = format!("{hash:016x}");
    let value = |kind: &str| format!("{kind}{tag}-{}", &hash[..8]);
    vec![("ns".to_owned(), value("ons")), ("id".to_owned(), value("oid"))]
}

struct Run<'a> {
    server: &'a mut dyn Server,
    variables: Vec<(String, String)>,
    /// Paths of cluster-scoped objects to be removed.
    made: Vec<String>,
    kubelet: Option<Kubelet>,
    notes: Notes,
    probes: usize,
}

impl Run<'_> {
    fn filled(&self, text: &str) -> String {
        let mut text = text.to_owned();
        for (name, value) in &self.variables {
            text = text.replace(&format!("{{{name}}}"), value);
        }
        text
    }

    fn step(&mut self, step: &Step) -> Result<Answer, String> {
        let mut body = self.filled(&step.body);
        if let Some((count, text)) = &step.repeat {
            body = body.replace("{*}", &text.repeat(*count));
        }
        let request = Request {
            method: step.method.clone(),
            path: self.filled(&step.path),
            headers: step
                .headers
                .iter()
                .map(|(name, value)| (name.clone(), self.filled(value)))
                .collect(),
            body: body.into_bytes(),
            identity: step.identity,
            lines: step.lines,
        };
        let started = Instant::now();
        let within = match (&self.kubelet, self.notes.missed.is_empty()) {
            (_, false) => UNTIL_AFTER_A_MISS,
            (Some(_), true) => UNTIL_CONTROLLED,
            (None, true) => UNTIL,
        };
        let mut answer = self.server.send(&request)?;
        while !holds(step, &answer, |text| self.filled(text)) {
            if started.elapsed() > within {
                self.notes.missed.push(step.name.clone());
                break;
            }
            if let Some(kubelet) = &mut self.kubelet {
                kubelet.work(self.server)?;
            }
            thread::sleep(PAUSE);
            answer = self.server.send(&request)?;
        }
        if answer.status == 422 || request.path.contains("dryRun") {
            for _ in 0..self.probes {
                if ordered_parts(&self.server.send(&request)?) != ordered_parts(&answer) {
                    self.notes.varied.push(step.name.clone());
                    break;
                }
            }
        }
        self.remember(&request, &answer);
        for (name, pointer) in &step.save {
            let body = answer.json().unwrap_or_default();
            let value = body
                .pointer(pointer.as_str().unwrap_or_default())
                .cloned()
                .unwrap_or_default();
            let text = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
            self.variables.push((name.clone(), text));
        }
        Ok(answer)
    }

    /// Notes a cluster-scoped object that was made.
    fn remember(&mut self, request: &Request, answer: &Answer) {
        let path = request.path.split('?').next().unwrap_or_default();
        let inside = path
            .strip_prefix("/api/v1/namespaces/")
            .is_some_and(|rest| rest.contains('/'))
            || path.contains("/namespaces/");
        if answer.status != 201
            || (inside && !path.ends_with("/namespaces"))
            || request.path.contains("dryRun")
        {
            return;
        }
        let name = answer
            .json()
            .and_then(|body| Some(body["metadata"]["name"].as_str()?.to_owned()));
        let Some(name) = name.filter(|name| !name.is_empty()) else {
            return;
        };
        let path = if request.method == "POST" {
            format!("{path}/{name}")
        } else {
            path.to_owned()
        };
        self.made.push(path);
    }

    fn plain(&mut self, method: &str, path: &str, body: &Value) -> Result<Answer, String> {
        self.server.send(&Request {
            method: method.to_owned(),
            path: path.to_owned(),
            headers: vec![("content-type".to_owned(), "application/json".to_owned())],
            body: if body.is_null() {
                Vec::new()
            } else {
                body.to_string().into_bytes()
            },
            identity: Identity::Admin,
            lines: None,
        })
    }

    /// A namespace with the service account that pods need; a server with controllers makes that itself.
    fn make_namespace(&mut self) -> Result<(), String> {
        let name = self.filled("{ns}");
        let namespace = json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}});
        let answer = self.plain("POST", "/api/v1/namespaces", &namespace)?;
        if answer.status != 201 {
            return Err(format!(
                "namespace {name}: {}",
                String::from_utf8_lossy(&answer.body)
            ));
        }
        self.made.push(format!("/api/v1/namespaces/{name}"));
        let account = json!({"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": "default"}});
        self.plain(
            "POST",
            &format!("/api/v1/namespaces/{name}/serviceaccounts"),
            &account,
        )
        .map(drop)
    }

    fn clean_up(&mut self) -> Result<(), String> {
        while let Some(path) = self.made.pop() {
            self.plain("DELETE", &path, &Value::Null)?;
        }
        Ok(())
    }
}

/// What the real server sometimes takes from a map, whose order is chance.
fn ordered_parts(answer: &Answer) -> (Option<Value>, Vec<String>) {
    let causes = answer
        .json()
        .and_then(|body| body.pointer("/details/causes").cloned());
    let warnings = answer.headers.iter().filter(|(name, _)| name == "warning");
    (causes, warnings.map(|(_, value)| value.clone()).collect())
}

fn holds(step: &Step, answer: &Answer, filled: impl Fn(&str) -> String) -> bool {
    step.until.iter().all(|(pointer, wanted)| {
        if pointer == "status" {
            return *wanted == json!(answer.status);
        }
        let body = answer.json().unwrap_or_default();
        let found = body.pointer(pointer).unwrap_or(&Value::Null);
        match wanted.as_str() {
            Some(text) => *found == json!(filled(text)),
            None => found == wanted,
        }
    })
}

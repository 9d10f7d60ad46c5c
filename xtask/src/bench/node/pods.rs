//! Pods: how long until they run, one by one and many at once; what they cost; a command in one of them.

use std::collections::HashMap;
use std::io::{BufRead, BufReader, Read};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::thread::JoinHandle;
use std::time::Instant;

use serde_json::{Value, json};

use super::machine::{Machine, PATIENCE};
use super::median;
use crate::Outcome;

pub const PODS: &str = "/api/v1/namespaces/default/pods";
const IMAGE: &str = "deploy.test/probe:1";

/// What a watch has said about a pod, and when.
struct News {
    name: String,
    running: bool,
    gone: bool,
    at: Instant,
}

/// kubectl, which passes on what a watch says as it comes.
pub struct Watch {
    child: Child,
    reader: Option<JoinHandle<()>>,
    news: Receiver<News>,
}

impl Watch {
    /// Watches the pods of the namespace `default` from now on.
    pub fn start(machine: &Machine) -> Result<Watch, String> {
        let mut child = machine
            .kubectl()
            .args(["get", "--raw", &format!("{PODS}?watch=1&sendInitialEvents=true&resourceVersionMatch=NotOlderThan&allowWatchBookmarks=true")])
            .stdout(Stdio::piped())
            .stderr(Stdio::inherit())
            .spawn()
            .map_err(|e| format!("kubectl: {e}"))?;
        let mut lines = BufReader::new(child.stdout.take().ok_or("it is piped")?);
        // The bookmark at the end of what was there: from now on everything is heard.
        let mut first = String::new();
        while !first.contains("\"BOOKMARK\"") {
            first.clear();
            if lines.read_line(&mut first).map_err(|e| e.to_string())? == 0 {
                return Err("the watch has ended".to_owned());
            }
        }
        let (sender, news) = channel();
        let reader = std::thread::spawn(move || {
            for line in lines.lines().map_while(Result::ok) {
                let at = Instant::now();
                let event: Value = serde_json::from_str(&line).unwrap_or_default();
                let pod = &event["object"];
                let running = pod["status"]["phase"] == "Running"
                    && !pod["status"]["containerStatuses"][0]["state"]["running"].is_null();
                let heard = News {
                    name: pod["metadata"]["name"].as_str().unwrap_or_default().to_owned(),
                    running,
                    gone: event["type"] == "DELETED",
                    at,
                };
                if sender.send(heard).is_err() {
                    return;
                }
            }
        });
        Ok(Watch {
            child,
            reader: Some(reader),
            news,
        })
    }

    fn next(&self) -> Result<News, String> {
        self.news
            .recv_timeout(PATIENCE)
            .map_err(|_| "nothing more is said about the pods".to_owned())
    }

    /// Waits until a pod runs.
    pub fn running(&self, name: &str) -> Result<Instant, String> {
        loop {
            let news = self.next()?;
            if news.name == name && news.running {
                return Ok(news.at);
            }
        }
    }

    /// Waits until so many pods are gone.
    fn gone(&self, mut count: usize) -> Outcome {
        while count > 0 {
            count -= usize::from(self.next()?.gone);
        }
        Ok(())
    }
}

impl Drop for Watch {
    fn drop(&mut self) {
        self.child.kill().ok();
        self.child.wait().ok();
        if let Some(reader) = self.reader.take() {
            reader.join().ok();
        }
    }
}

fn pod(name: &str) -> Value {
    json!({
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": name},
        "spec": {
            "terminationGracePeriodSeconds": 5,
            "containers": [{"name": "main", "image": IMAGE, "args": ["trap-term", "0"]}],
        },
    })
}

/// One after the other, each in quiet.
pub fn one_by_one(machine: &mut Machine, count: usize) -> Result<Value, String> {
    let watch = Watch::start(machine)?;
    let mut taken = Vec::new();
    for number in 0..=count {
        let name = format!("one-{number}");
        let begun = Instant::now();
        machine.ask("POST", PODS, &pod(&name), 201)?;
        let running = watch.running(&name)?;
        // The first one warms up what is read from the disk.
        if number > 0 {
            taken.push(running.duration_since(begun).as_secs_f64() * 1e3);
        }
        machine.ask("DELETE", &format!("{PODS}/{name}"), &Value::Null, 200)?;
        watch.gone(1)?;
    }
    taken.sort_unstable_by(f64::total_cmp);
    let at = |percent: usize| taken.get(taken.len() * percent / 100).or(taken.last()).copied();
    Ok(json!({"p50_ms": at(50), "p99_ms": at(99), "all_ms": taken}))
}

/// All at once, and what they cost.
pub fn crowd(machine: &mut Machine, count: usize) -> Result<Value, String> {
    let watch = Watch::start(machine)?;
    machine.settle();
    let before = machine.resident_bytes();
    let begun = Instant::now();
    for number in 0..count {
        machine.ask("POST", PODS, &pod(&format!("many-{number}")), 201)?;
    }
    let mut running: HashMap<String, Instant> = HashMap::new();
    while running.len() < count {
        let news = watch.next()?;
        if news.running {
            running.entry(news.name).or_insert(news.at);
        }
    }
    let last = running.values().max().ok_or("there are no pods")?;
    let took = last.duration_since(begun);
    machine.settle();
    let (shims, after) = (machine.private_bytes_of_pods(), machine.resident_bytes());
    for number in 0..count {
        machine.ask("DELETE", &format!("{PODS}/many-{number}"), &Value::Null, 200)?;
    }
    watch.gone(count)?;
    Ok(json!({
        "running_ms": took.as_secs_f64() * 1e3,
        "shim_bytes": shims as f64 / count as f64,
        "server_bytes": after.saturating_sub(before) as f64 / count as f64,
    }))
}

/// The first byte of a command in a pod, beside the same command for a pod that is not there, in turn: kubectl does all
/// that comes before the command there, and says so.
pub fn exec(machine: &mut Machine, rounds: usize) -> Result<Value, String> {
    let watch = Watch::start(machine)?;
    machine.ask("POST", PODS, &pod("target"), 201)?;
    watch.running("target")?;
    drop(watch);
    let (mut with, mut plain, mut beyond) = (Vec::new(), Vec::new(), Vec::new());
    for round in 0..=rounds {
        let looked = first_byte(&mut run(machine, "absent"), false)?;
        let ran = first_byte(&mut run(machine, "target"), true)?;
        // The first round reads kubectl from the disk, and asks what the server knows.
        if round > 0 {
            plain.push(looked);
            with.push(ran);
            beyond.push(ran - looked);
        }
    }
    machine.ask("DELETE", &format!("{PODS}/target"), &Value::Null, 200)?;
    Ok(json!({
        "exec_ms": median(&mut with),
        "plain_ms": median(&mut plain),
        "beyond_ms": median(&mut beyond),
    }))
}

fn run(machine: &Machine, pod: &str) -> Command {
    let mut command = machine.kubectl();
    command.args(["exec", pod, "--", "/probe", "echo", "x"]);
    command
}

/// Milliseconds until a program says what it has found, or that it has not.
fn first_byte(command: &mut Command, is_found: bool) -> Result<f64, String> {
    let (out, err) = match is_found {
        true => (Stdio::piped(), Stdio::inherit()),
        false => (Stdio::null(), Stdio::piped()),
    };
    let begun = Instant::now();
    let child = command.stdout(out).stderr(err).spawn();
    let mut child = child.map_err(|e| format!("kubectl: {e}"))?;
    let mut ends: [Option<Box<dyn Read>>; 2] = [
        child.stdout.take().map(|end| Box::new(end) as Box<dyn Read>),
        child.stderr.take().map(|end| Box::new(end) as Box<dyn Read>),
    ];
    let end = ends.iter_mut().flatten().next().ok_or("one is piped")?;
    let read = end.read_exact(&mut [0]);
    let took = begun.elapsed().as_secs_f64() * 1e3;
    // What it has to say beyond that is not measured.
    let rest = end.read_to_end(&mut Vec::new());
    let status = child.wait().map_err(|e| e.to_string())?;
    match (read, rest, status.success() == is_found) {
        (Ok(()), Ok(_), true) => Ok(took),
        _ => Err(format!("kubectl: {status}")),
    }
}

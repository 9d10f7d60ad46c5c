//! Sessions of real clients: `fixtures/cluster/clients/<program>-<topic>.txt` holds commands with what they print.
//!
//! The expected texts were recorded from the real Kubernetes, so that a difference is a difference from it:
//!
//! ```text
//! DEPLOY_CLIENTS_PEER=its.kubeconfig [DEPLOY_CLIENTS=kubectl-apply] cargo test -p deploy-cli clients
//! ```
//!
//! Commands go through `sh` in the folder `in/`; each session has a namespace of its own, `<ns>`, and a node whose
//! kubelet is played. Names by chance, times, revisions and the widths of columns are not compared; see [`plain`].
//! `#` and empty lines are for readers. `fixtures/conformance/cluster/clients_*.txt` says where and why we differ.

use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

use deploy_conformance::{Suite, repository, skipped};
use regex::bytes::Regex;

use super::kubelet::Kubelet;
use super::server::Server;

/// Sessions wait more than they work.
const AT_ONCE: usize = 4;

/// No command of a session takes longer, on a loaded machine either.
const SECONDS: &str = "60";

const NODE: &str = "clients-node";

#[test]
fn clients_kubectl() {
    clients("kubectl", "cluster/clients_kubectl");
}

#[test]
fn clients_helm3() {
    clients("helm3", "cluster/clients_helm3");
}

#[test]
fn clients_helm4() {
    clients("helm4", "cluster/clients_helm4");
}

/// `kubectl` and charts with definitions of custom resources that others publish.
#[test]
fn clients_definitions() {
    let name = "cluster/clients_definitions";
    if !definitions().is_dir() {
        return skipped(&format!("{name} (cargo xtask peers install definitions)"));
    }
    match ["kubectl", "helm3", "helm4"]
        .into_iter()
        .find(|program| !is_there(program))
    {
        Some(program) => skipped(&format!("{name} (and there is no {program} on this machine)")),
        None => sessions("definitions", name),
    }
}

/// The sessions of a program.
fn clients(program: &str, name: &'static str) {
    if !is_there(program) {
        return skipped(&format!("{name} (and there is no {program} on this machine)"));
    }
    sessions(program, name);
}

/// The sessions whose names begin with `start`. `DEPLOY_CLIENTS_PEER` records them, `DEPLOY_CLIENTS` picks some.
fn sessions(start: &str, name: &'static str) {
    let wanted = std::env::var("DEPLOY_CLIENTS").unwrap_or_default();
    let mut paths: Vec<PathBuf> = fs::read_dir(folder())
        .expect("fixtures/cluster/clients")
        .map(|entry| entry.expect("an entry").path())
        .filter(|path| path.extension().is_some_and(|end| end == "txt"))
        .filter(|path| title(path).starts_with(start) && title(path).contains(&wanted))
        .collect();
    paths.sort();
    if let Some(peer) = std::env::var_os("DEPLOY_CLIENTS_PEER") {
        // The peer is one server: its sessions would see each other's node.
        return paths.iter().for_each(|path| record(path, Path::new(&peer)));
    }
    let (next, outcomes) = (AtomicUsize::new(0), Mutex::new(Vec::new()));
    std::thread::scope(|scope| {
        for _ in 0..AT_ONCE {
            scope.spawn(|| {
                while let Some(path) = paths.get(next.fetch_add(1, Ordering::Relaxed)) {
                    let outcome = check(path);
                    outcomes.lock().expect("nobody panics with it").extend(outcome);
                }
            });
        }
    });
    let outcomes = outcomes.into_inner().expect("nobody panicked with it");
    if !wanted.is_empty() {
        let failures: Vec<String> = outcomes
            .into_iter()
            .filter_map(|(_, outcome)| outcome.err())
            .collect();
        assert!(
            failures.is_empty(),
            "{} differ:\n{}",
            failures.len(),
            failures.join("\n")
        );
        return;
    }
    let mut suite = Suite::new(name);
    for (case, outcome) in outcomes {
        suite.case(&case, || outcome);
    }
    suite.finish();
}

fn folder() -> PathBuf {
    repository().join("fixtures/cluster/clients")
}

/// Definitions of third parties, which are no part of the repository.
fn definitions() -> PathBuf {
    repository().join("target/peers/definitions")
}

/// `kubectl-apply`.
fn title(path: &Path) -> String {
    path.file_stem()
        .unwrap_or_default()
        .to_string_lossy()
        .into_owned()
}

/// Writes down what the peer answers.
fn record(path: &Path, peer: &Path) {
    let title = title(path);
    let folder = crate::fresh_folder(&format!("cluster-peer-{title}"));
    let place = Place::new(&folder, peer, &title);
    let session = place.replay(&fs::read_to_string(path).expect("it was listed"));
    place.run(&format!(
        "kubectl delete ns $NS --wait=false; kubectl delete node {NODE}"
    ));
    fs::write(path, session).expect("it can be written");
}

/// A number for each command, and whether it went as it did with the peer.
fn check(path: &Path) -> Vec<(String, Result<(), String>)> {
    let title = title(path);
    let expected = fs::read_to_string(path).expect("it was listed");
    let server = Server::start(&title);
    let actual = Place::new(&server.folder, &server.kubeconfig(), &title).replay(&expected);
    server.stop();
    let (expected, actual) = (commands(&expected), commands(&actual));
    assert_eq!(
        expected.len(),
        actual.len(),
        "{title}: a replay has the same commands"
    );
    let pairs = expected.iter().zip(&actual).enumerate();
    pairs
        .map(|(number, (expected, actual))| {
            let outcome = match expected == actual {
                true => Ok(()),
                false => Err(difference(&title, expected, actual)),
            };
            (format!("{title}/{:02}", number + 1), outcome)
        })
        .collect()
}

/// Each command with what it says.
fn commands(session: &str) -> Vec<Vec<&str>> {
    let mut commands: Vec<Vec<&str>> = Vec::new();
    for line in session.lines() {
        if line.starts_with("$ ") {
            commands.push(Vec::new());
        }
        if let Some(command) = commands.last_mut()
            && !line.is_empty()
            && !line.starts_with('#')
        {
            command.push(line);
        }
    }
    commands
}

fn is_there(program: &str) -> bool {
    let mut found = Command::new("sh");
    found
        .args(["-c", &format!("command -v {program}")])
        .env("PATH", programs());
    found.output().is_ok_and(|output| output.status.success())
}

/// The peers that `cargo xtask peers install` made, and the machine's.
fn programs() -> String {
    let ours = repository().join("target/peers/bin");
    let machine = std::env::var("PATH").unwrap_or_default();
    format!("{}:{machine}", ours.display())
}

fn difference(title: &str, expected: &[&str], actual: &[&str]) -> String {
    let mut text = format!("{title}: {}\n", expected.first().unwrap_or(&""));
    for line in expected.iter().filter(|line| !actual.contains(line)) {
        writeln!(text, "  - {line}").expect("a string");
    }
    for line in actual.iter().filter(|line| !expected.contains(line)) {
        writeln!(text, "  + {line}").expect("a string");
    }
    text
}

/// Where a session's commands run.
struct Place {
    namespace: String,
    folder: PathBuf,
    /// Names a namespace, other than the one it was made of.
    kubeconfig: PathBuf,
    _kubelet: Kubelet,
}

impl Place {
    fn new(folder: &Path, kubeconfig: &Path, title: &str) -> Place {
        let namespace = format!("clients-{title}");
        let ours = folder.join("session.kubeconfig");
        fs::copy(kubeconfig, &ours).expect("both can be read and written");
        // The kubelet watches the namespace, which may come later.
        let place = Place {
            _kubelet: Kubelet::start(kubeconfig, NODE, &namespace),
            namespace,
            folder: folder.to_owned(),
            kubeconfig: ours,
        };
        let (is_made, text) = place.run(&format!(
            "kubectl config set-context --current --namespace={0} && kubectl create ns {0} && \
             until kubectl get sa default 2>/dev/null; do :; done",
            place.namespace
        ));
        assert!(is_made == Some(0), "{text}");
        place
    }

    /// The session as it goes now.
    fn replay(&self, session: &str) -> String {
        let mut text = String::new();
        for line in session.lines() {
            if let Some(command) = line.strip_prefix("$ ") {
                let (code, output) = self.run(command);
                writeln!(text, "{line}").expect("a string");
                if code != Some(0) {
                    writeln!(text, "= {}", code.unwrap_or(-1)).expect("a string");
                }
                for line in plain(&output, &self.namespace).lines() {
                    writeln!(text, "| {line}").expect("a string");
                }
            } else if line.is_empty() || line.starts_with('#') {
                writeln!(text, "{line}").expect("a string");
            }
        }
        text
    }

    /// How a command ends, and what it says on either stream.
    fn run(&self, command: &str) -> (Option<i32>, String) {
        let output = Command::new("timeout")
            .args([SECONDS, "sh", "-c", &format!("exec 2>&1; {command}")])
            .current_dir(folder().join("in"))
            .env_clear()
            .env("PATH", programs())
            .env("HOME", &self.folder)
            .env("KUBECONFIG", &self.kubeconfig)
            .env("NS", &self.namespace)
            .env("SHOP", repository().join("examples/shop"))
            .env("DEFINITIONS", definitions())
            .env("LANG", "C")
            .stdin(Stdio::null())
            .output()
            .expect("a shell runs");
        let text = String::from_utf8_lossy(&output.stdout).into_owned();
        (output.status.code(), text)
    }
}

/// The text without what differs from run to run.
fn plain(text: &str, namespace: &str) -> String {
    let mut text = text.replace(namespace, "<ns>").into_bytes();
    for (pattern, marker) in [
        // What a client logs about itself: that it waited, that it gave up a watch of its own.
        (r"(?m)^[IWE]\d{4} \d\d:\d\d:\d\d\.[^\n]*\n", ""),
        (r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", "<uid>"),
        (r"https://[0-9a-z.\[\]:]+:\d+", "https://<server>"),
        (r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z", "<time>"),
        (
            r"(Mon|Tue|Wed|Thu|Fri|Sat|Sun),? [^\n]*\d\d:\d\d:\d\d [^\n]*\d+",
            "<time>",
        ),
        (r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d[. 0-9]* [+-]0000 UTC", "<time>"),
        (r"ey[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+", "<token>"),
        (r#"(resourceVersion"?: ?"?)\d+"#, "$1<revision>"),
        (r"\bresource version \d+", "resource version <revision>"),
        (r"\b10\.96\.\d+\.\d+|\b10\.0\.\d+\.\d+", "<cluster-ip>"),
        (r"\b192\.0\.2\.\d+", "<address>"),
        (r"\b3[0-2]\d{3}\b", "<node-port>"),
        // Names of pods: first what a replica set adds to its own, then what a deployment does.
        (
            r"-[bcdf-hj-np-tv-xz2456789]{6,10}-[bcdf-hj-np-tv-xz2456789]{5}\b",
            "-<hash>-<chance>",
        ),
        (
            r"(pod-template-hash[=:]\s?)[bcdf-hj-np-tv-xz2456789]+",
            "$1<hash>",
        ),
        (r"kube-api-access-[a-z0-9]{5}", "kube-api-access-<chance>"),
        (r"(-)[bcdf-hj-np-tv-xz2456789]{8,10}\b", "$1<hash>"),
        (r"\b(\d+(d|h|m|ms|s))+\b|<invalid>", "<age>"),
        // The width of a column follows from what is replaced; indentation stays.
        (r"(\S)  +", "$1  "),
        (r"(?m)\s+$", ""),
        (r"-{6,}", "------"),
    ] {
        let pattern = Regex::new(&format!("(?-u){pattern}")).expect("it is one of ours");
        text = pattern.replace_all(&text, marker.as_bytes()).into_owned();
    }
    String::from_utf8_lossy(&text).into_owned()
}

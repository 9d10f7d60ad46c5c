//! A push becomes runs and images: the real binary, the real git, jobs in sandboxes without a network.

#![allow(clippy::print_stdout, reason = "a test that is skipped says so")]

use std::fs;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStderr, Command, Output, Stdio};
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;

use crate::cluster::server::deploy;

/// What a push may take until its run is known, and a run until it begins, on a machine that is busy.
const PATIENCE: Duration = Duration::from_secs(60);

/// A `deploy run ci` with a data folder and a working copy of its own.
struct Place {
    folder: PathBuf,
    child: Option<Child>,
    talk: Option<BufReader<ChildStderr>>,
    url: String,
    registry: String,
}

/// None, with a word about it, where this user or machine cannot have jobs.
fn place(name: &str) -> Option<Place> {
    if !rustix::process::geteuid().is_root() {
        println!("skipped: ci::{name} needs root");
        return None;
    }
    let folder = crate::fresh_folder(&format!("ci-{name}"));
    let copy = folder.join("copy");
    fs::create_dir_all(&copy).expect("target/ can be written");
    let mut place = Place {
        folder,
        child: None,
        talk: None,
        url: String::new(),
        registry: String::new(),
    };
    place.start();
    let helper = format!(
        "!{} --data-dir {} token helper",
        env!("CARGO_BIN_EXE_deploy"),
        place.folder.join("data").display()
    );
    place.git(&["init", "--quiet", "--initial-branch", "main"]);
    place.git(&["config", "credential.helper", &helper]);
    Some(place)
}

impl Place {
    fn start(&mut self) {
        let mut child = deploy(&self.folder)
            .args([
                "run",
                "ci",
                "--listen",
                "127.0.0.1:0",
                "--registry",
                "127.0.0.1:0",
            ])
            .args(["--network", "none"])
            .env("PATH", std::env::var_os("PATH").unwrap_or_default())
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .expect("the binary runs");
        let mut talk = BufReader::new(child.stderr.take().expect("it is piped"));
        let mut first = String::new();
        talk.read_line(&mut first).expect("a pipe can be read");
        if !first.starts_with("Git: ") {
            drop(talk.read_to_string(&mut first));
            panic!("the server did not start: {first}");
        }
        let client = fs::read(self.folder.join("data/config/client.json")).expect("it is written by then");
        let client: Value = serde_json::from_slice(&client).expect("it is JSON");
        self.url = client["url"].as_str().expect("a text").to_owned();
        self.registry = client["registry"].as_str().expect("a text").to_owned();
        (self.child, self.talk) = (Some(child), Some(talk));
    }

    /// Ends it, and gives what it said.
    fn stop(&mut self, signal: Signal) -> String {
        let mut child = self.child.take().expect("it runs");
        kill_process(Pid::from_child(&child), signal).expect("it is ours");
        let mut talk = String::new();
        drop(self.talk.take().expect("it runs").read_to_string(&mut talk));
        let status = child.wait().expect("it is ours");
        assert!(signal == Signal::KILL || status.success(), "{status}: {talk}");
        talk
    }

    fn deploy(&self, arguments: &[&str]) -> Output {
        deploy(&self.folder)
            .args(arguments)
            .output()
            .expect("the binary runs")
    }

    /// What a command prints that must succeed.
    fn told(&self, arguments: &[&str]) -> String {
        let output = self.deploy(arguments);
        let talk = String::from_utf8_lossy(&output.stderr);
        let text = String::from_utf8_lossy(&output.stdout).into_owned();
        assert!(output.status.success(), "{arguments:?}: {text}\n{talk}");
        text
    }

    fn git_in(&self, folder: &Path, arguments: &[&str]) -> Output {
        Command::new("git")
            .args(arguments)
            .current_dir(folder)
            .env("HOME", &self.folder)
            .env("GIT_TERMINAL_PROMPT", "0")
            .env("GIT_CONFIG_NOSYSTEM", "1")
            .envs([("GIT_AUTHOR_NAME", "Ann"), ("GIT_COMMITTER_NAME", "Ann")])
            .envs([("GIT_AUTHOR_EMAIL", "a@x"), ("GIT_COMMITTER_EMAIL", "a@x")])
            .output()
            .expect("git runs")
    }

    fn git(&self, arguments: &[&str]) -> String {
        let output = self.git_in(&self.folder.join("copy"), arguments);
        let talk = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "git {arguments:?}: {talk}");
        String::from_utf8_lossy(&output.stdout).trim().to_owned()
    }

    fn write(&self, path: &str, text: &str) {
        let path = self.folder.join("copy").join(path);
        fs::create_dir_all(path.parent().expect("it has one")).expect("target/ can be written");
        fs::write(path, text).expect("target/ can be written");
    }

    /// Commits all, and pushes it; when this returns, its runs are known. The commit.
    fn push(&self, message: &str) -> String {
        self.git(&["add", "--all"]);
        self.git(&["commit", "--quiet", "--allow-empty", "--message", message]);
        self.git(&[
            "push",
            "--quiet",
            &format!("{}/git/team/shop.git", self.url),
            "main",
        ]);
        let commit = self.git(&["rev-parse", "HEAD"]);
        let deadline = Instant::now() + PATIENCE;
        while !self
            .told(&["audit", "list", "--kind", "repository.pushed", "-o", "json"])
            .contains(&commit)
        {
            assert!(Instant::now() < deadline, "nobody knows of the push");
        }
        commit
    }

    /// A run, when it has ended.
    fn run(&self, id: &str) -> Value {
        let output = self.deploy(&["ci", "show", id, "--wait", "-o", "json"]);
        serde_json::from_slice(&output.stdout)
            .unwrap_or_else(|_| panic!("run {id}: {}", String::from_utf8_lossy(&output.stderr)))
    }

    fn runs(&self) -> Vec<Value> {
        serde_json::from_str(&self.told(&["ci", "runs", "-o", "json"])).expect("it is a list")
    }

    /// The status and body of a question to the registry, of somebody who says nothing.
    fn ask_registry(&self, path: &str) -> String {
        let mut stream = TcpStream::connect(&self.registry).expect("it listens");
        let accept = "application/vnd.oci.image.manifest.v1+json";
        let (host, end) = (&self.registry, "Connection: close\r\n\r\n");
        write!(
            stream,
            "GET {path} HTTP/1.1\r\nHost: {host}\r\nAccept: {accept}\r\n{end}"
        )
        .expect("it reads");
        let mut answer = String::new();
        stream.read_to_string(&mut answer).expect("it answers");
        answer
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        if let Some(child) = &mut self.child {
            // A test that failed leaves no server behind.
            let _ = kill_process(Pid::from_child(child), Signal::TERM);
            let _ = child.wait();
        }
    }
}

const WORKFLOW: &str = "\
name: ship
on:
  push:
    branches: [main]
  workflow_dispatch:
    inputs:
      word: {default: none}
jobs:
  test:
    runs-on: ubuntu-latest
    outputs:
      greeting: ${{ steps.greet.outputs.greeting }}
    steps:
      - uses: actions/checkout@v4
      - id: greet
        run: echo \"greeting=$(cat word.txt) by ${{ github.actor }}\" >> \"$GITHUB_OUTPUT\"
      - run: echo \"${{ github.repository }} ${{ github.event_name }} ${{ inputs.word }} ${{ secrets.KEY }}\"
  image:
    needs: test
    runs-on: ubuntu-latest
    steps:
      - uses: actions/checkout@v4
      - id: push
        uses: docker/build-push-action@v6
        with:
          context: .
          push: true
          labels: greeting=${{ needs.test.outputs.greeting }}
          tags: ${{ vars.REGISTRY || env.REGISTRY }}/shop:${{ github.sha }}
      - run: test -n \"${{ steps.push.outputs.digest }}\"
";

/// A place whose workflow builds an image of one file.
fn shop(name: &str) -> Option<Place> {
    let place = place(name)?;
    let workflow = WORKFLOW.replace("${{ vars.REGISTRY || env.REGISTRY }}", &place.registry);
    place.write(".deploy/workflows/ship.yml", &workflow);
    place.write("Dockerfile", "FROM scratch\nCOPY word.txt /word.txt\n");
    place.write("word.txt", "hello\n");
    let secrets = place.folder.join("data/config/secrets/team/shop");
    fs::create_dir_all(&secrets).expect("target/ can be written");
    fs::write(secrets.join("KEY"), "open-sesame\n").expect("target/ can be written");
    Some(place)
}

#[test]
fn a_push_becomes_an_image() {
    let Some(mut place) = shop("pushed") else {
        return;
    };
    let commit = place.push("first");
    let run = place.run("1");
    let log = place.told(&["ci", "show", "1", "--log"]);
    assert_eq!(run["conclusion"], "success", "{log}");
    assert_eq!(
        (&run["cause"]["commit"], &run["cause"]["actor"]),
        (&Value::from(commit.clone()), &"owner".into())
    );
    assert!(log.contains("team/shop push  ***"), "{log}");
    assert!(!log.contains("open-sesame"));
    let manifest = place.ask_registry(&format!("/v2/shop/manifests/{commit}"));
    assert!(manifest.starts_with("HTTP/1.1 200"), "{manifest}");
    let digest = manifest
        .lines()
        .find_map(|line| line.strip_prefix("docker-content-digest: "))
        .expect("it is told")
        .to_owned();
    assert!(
        place
            .ask_registry(&format!("/v2/shop/manifests/{digest}"))
            .starts_with("HTTP/1.1 200")
    );
    // What was built, by which run, and who pushed it, is in the ledger.
    let lines = place.told(&["audit", "list", "-o", "json"]);
    let lines: Vec<Value> = serde_json::from_str(&lines).expect("it is a list");
    let of = |kind: &str| {
        lines
            .iter()
            .find(|line| line["kind"] == kind)
            .unwrap_or(&Value::Null)
    };
    assert_eq!(of("image.built")["data"]["digest"], digest.as_str());
    assert_eq!(of("image.built")["data"]["run"], "1");
    assert_eq!(of("repository.pushed")["data"]["after"], commit.as_str());
    // Nothing has changed but the message: the image is the same, and comes from the cache.
    let second = place.push("second");
    place.run("2");
    let log = place.told(&["ci", "show", "2", "--log"]);
    assert!(log.contains("1 of 1 steps from the cache"), "{log}");
    let again = place.ask_registry(&format!("/v2/shop/manifests/{second}"));
    assert!(again.starts_with("HTTP/1.1 200"), "{again}");
    let talk = place.stop(Signal::TERM);
    assert!(
        talk.contains("Run 2 of team/shop has ended: ship: success"),
        "{talk}"
    );
}

#[test]
fn runs_are_started_stopped_and_repeated_by_hand() {
    let Some(place) = shop("by-hand") else {
        return;
    };
    place.write(".deploy/workflows/long.yml", "on: workflow_dispatch\njobs:\n  a:\n    runs-on: ubuntu-latest\n    steps:\n      - run: sleep 600\n");
    place.push("first [skip ci]");
    assert_eq!(place.runs(), Vec::<Value>::new());
    place.told(&[
        "ci",
        "start",
        "ship",
        "--repository",
        "team/shop",
        "--input",
        "word=yes",
    ]);
    let log = place.told(&["ci", "show", "1", "--wait", "--log"]);
    assert!(log.contains("team/shop workflow_dispatch yes ***"), "{log}");
    place.told(&["ci", "rerun", "1"]);
    let again = place.run("2");
    assert_eq!(
        (&again["conclusion"], &again["number"]),
        (&"success".into(), &2.into())
    );
    place.told(&[
        "ci",
        "start",
        "long.yml",
        "--repository",
        "team/shop",
        "--ref",
        "main",
    ]);
    place.told(&["ci", "cancel", "3"]);
    let cancelled = place.run("3");
    assert_eq!(cancelled["conclusion"], "cancelled", "{cancelled:#}");
    for (arguments, code) in [
        (&["ci", "cancel", "3"][..], 6),
        (&["ci", "show", "77"], 3),
        (&["ci", "start", "none.yml", "--repository", "team/shop"], 3),
        (&["ci", "start", "ship.yml", "--repository", "team/none"], 3),
        (
            &[
                "ci",
                "start",
                "ship.yml",
                "--repository",
                "team/shop",
                "--input",
                "x=1",
            ],
            1,
        ),
    ] {
        let output = place.deploy(arguments);
        let talk = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(code), "{arguments:?}: {talk}");
        assert!(talk.contains("DEP-SERVER-004"), "{talk}");
    }
}

#[test]
fn a_workflow_that_cannot_be_read_fails_with_its_place() {
    let Some(place) = place("unreadable") else {
        return;
    };
    place.write(
        ".github/workflows/broken.yml",
        "on: push\njobs:\n  a:\n    runs-on: ubuntu-latest\n    needs: b\n    steps:\n      - run: true\n",
    );
    place.push("first");
    let run = place.run("1");
    let reason = run["reason"].as_str().expect("it says why");
    assert_eq!(run["conclusion"], "failure");
    assert!(
        reason.contains(".github/workflows/broken.yml") && reason.contains("(Line: 3, Col: 3)"),
        "{reason}"
    );
}

#[test]
fn a_server_that_was_killed_ends_what_it_had_begun() {
    let Some(mut place) = shop("killed") else {
        return;
    };
    place.write(
        ".deploy/workflows/ship.yml",
        "on: push\njobs:\n  a:\n    runs-on: ubuntu-latest\n    steps:\n      - run: sleep 600\n",
    );
    place.push("first");
    // It is under way when its first line is in the ledger.
    let deadline = Instant::now() + PATIENCE;
    while place.runs().first().is_none_or(|run| run["state"] != "running") {
        assert!(Instant::now() < deadline, "the run does not begin");
    }
    place.stop(Signal::KILL);
    place.start();
    let run = place.run("1");
    assert_eq!(run["conclusion"], "failure");
    assert!(
        run["reason"]
            .as_str()
            .is_some_and(|reason| reason.contains("deploy ci rerun")),
        "{run:#}"
    );
    assert_eq!(place.runs().len(), 1, "a push is told once");
}

#[test]
fn nobody_comes_in_without_a_token() {
    let Some(place) = shop("tokens") else {
        return;
    };
    place.push("first [skip ci]");
    let url = format!("{}/git/team/shop.git", place.url);
    let stranger = place.folder.join("stranger");
    fs::create_dir_all(&stranger).expect("target/ can be written");
    let clone = |token: &str| {
        let header = format!("http.extraHeader=Authorization: Bearer {token}");
        let arguments = [
            "-c",
            &header,
            "clone",
            "--quiet",
            &url,
            &format!("copy-{}", token.len()),
        ];
        place.git_in(&stranger, &arguments)
    };
    assert!(!clone("wrong").status.success());
    let token = place.told(&["token", "create", "bob", "--read"]);
    let token = token.trim();
    let cloned = clone(token);
    assert!(
        cloned.status.success(),
        "{}",
        String::from_utf8_lossy(&cloned.stderr)
    );
    let header = format!("http.extraHeader=Authorization: Bearer {token}");
    let copy = stranger.join(format!("copy-{}", token.len()));
    place.git_in(&copy, &["commit", "--quiet", "--allow-empty", "--message", "x"]);
    let pushed = place.git_in(&copy, &["-c", &header, "push", "--quiet", "origin", "main"]);
    assert!(!pushed.status.success(), "a token that only reads cannot push");
    place.told(&["token", "revoke", "bob"]);
    assert!(!place.told(&["token", "list"]).contains("bob"));
    let again = place.git_in(&copy, &["-c", &header, "fetch", "--quiet"]);
    assert!(!again.status.success(), "a revoked token lets nobody in");
}

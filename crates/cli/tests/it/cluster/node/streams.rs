//! Logs, exec, attach, port-forward and cp, with kubectl as the client.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::path::Path;
use std::process::{Child, Command, Output, Stdio};
use std::time::Instant;

use serde_json::json;

use super::machine::{Machine, in_a_network_of_its_own, is_ready, state};

const KUBECTL: &str = "/usr/bin/kubectl";

/// Whether the test can be run here.
fn possible(test: &str) -> bool {
    if !Path::new(KUBECTL).exists() {
        println!("skipped: {test} needs {KUBECTL}");
        return false;
    }
    in_a_network_of_its_own(test)
}

fn kubectl(machine: &Machine, arguments: &[&str]) -> Command {
    let mut command = Command::new(KUBECTL);
    command
        .args(arguments)
        .env("KUBECONFIG", machine.folder.join("kubeconfig"))
        .env("HOME", &machine.folder)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    command
}

/// Runs it with this input to its end.
fn run(mut command: Command, input: &[u8]) -> Output {
    let mut child = command.stdin(Stdio::piped()).spawn().expect("it was found");
    let mut stdin = child.stdin.take().expect("it is piped");
    std::thread::scope(|scope| {
        scope.spawn(move || {
            // One that does not read on needs no more.
            let _ = stdin.write_all(input);
        });
        child.wait_with_output().expect("it ends")
    })
}

/// What it says, if it ends well.
fn said(machine: &Machine, arguments: &[&str]) -> String {
    let output = run(kubectl(machine, arguments), b"");
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{arguments:?}: {errors}");
    String::from_utf8_lossy(&output.stdout).into_owned()
}

/// What it complains of.
fn refused(machine: &Machine, arguments: &[&str]) -> String {
    let output = run(kubectl(machine, arguments), b"");
    assert!(!output.status.success(), "{arguments:?}");
    String::from_utf8_lossy(&output.stderr).into_owned()
}

/// One that runs until it is dropped.
struct Running(Child);

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn logs_are_read_and_followed() {
    if !possible("cluster::node::streams::logs_are_read_and_followed") {
        return;
    }
    let machine = Machine::start("logs").await;
    let script = "echo one; echo two >&2; until test -e /tmp/go; do sleep 0.1; done; echo three; exit 3";
    let path = machine
        .pod("says", script, |pod| {
            pod["spec"]["restartPolicy"] = json!("OnFailure")
        })
        .await;
    let broken = machine
        .pod("broken", "true", |pod| {
            pod["spec"]["containers"][0]["image"] = json!("deploy.test/no:1")
        })
        .await;
    machine.wait(&path, is_ready).await;
    let first = said(&machine, &["logs", "says", "--limit-bytes=3"]);
    assert_eq!(first, "one");
    let none = refused(&machine, &["logs", "says", "--previous"]);
    assert!(
        none.contains("previous terminated container \"main\" in pod \"says\" not found"),
        "{none}"
    );
    machine
        .wait(&broken, |pod| {
            state(pod, "waiting")["reason"] == "ErrImageNeverPull"
                || state(pod, "waiting")["reason"] == "ErrImagePull"
                || state(pod, "waiting")["reason"] == "ImagePullBackOff"
        })
        .await;
    let waits = refused(&machine, &["logs", "broken"]);
    assert!(
        waits.starts_with(
            "Error from server (BadRequest): container \"main\" in pod \"broken\" is waiting to start: "
        ),
        "{waits}"
    );

    let mut following = Running(
        kubectl(&machine, &["logs", "-f", "says"])
            .spawn()
            .expect("it was found"),
    );
    let mut lines = BufReader::new(following.0.stdout.take().expect("it is piped"));
    let mut heard = String::new();
    while heard.lines().count() < 2 {
        assert!(lines.read_line(&mut heard).expect("a pipe") > 0, "{heard}");
    }
    said(&machine, &["exec", "says", "--", "touch", "/tmp/go"]);
    lines
        .read_to_string(&mut heard)
        .expect("it ends with the container");
    let mut sorted: Vec<&str> = heard.lines().collect();
    sorted[..2].sort_unstable();
    assert_eq!(sorted, ["one", "two", "three"]);
    assert!(following.0.wait().expect("it ends").success());

    machine
        .wait(&path, |pod| {
            pod["status"]["containerStatuses"][0]["restartCount"] == 1 && is_ready(pod)
        })
        .await;
    assert_eq!(said(&machine, &["logs", "says", "-p", "--tail=1"]), "three\n");
    assert_eq!(said(&machine, &["logs", "says", "--tail=0"]), "");
    assert_eq!(
        said(&machine, &["logs", "says", "--since-time=2100-01-01T00:00:00Z"]),
        ""
    );
    assert_eq!(said(&machine, &["logs", "says", "--since=1h"]).lines().count(), 2);
    let stamped = said(&machine, &["logs", "says", "-c", "main", "--timestamps"]);
    assert!(
        stamped
            .lines()
            .all(|line| line.starts_with("20") && line.contains("Z ")),
        "{stamped}"
    );
    machine.down();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn commands_run_in_containers() {
    if !possible("cluster::node::streams::commands_run_in_containers") {
        return;
    }
    let machine = Machine::start("exec").await;
    let path = machine.pod("box", "exec sleep 1000", |_| {}).await;
    machine.wait(&path, is_ready).await;
    let begun = Instant::now();
    assert_eq!(said(&machine, &["exec", "box", "--", "echo", "hello"]), "hello\n");
    let took = begun.elapsed();
    let begun = Instant::now();
    said(&machine, &["get", "--raw", "/healthz"]);
    println!(
        "exec took {} ms; a plain question {} ms",
        took.as_millis(),
        begun.elapsed().as_millis()
    );

    let output = run(
        kubectl(
            &machine,
            &["exec", "box", "--", "sh", "-c", "echo no >&2; exit 7"],
        ),
        b"",
    );
    assert_eq!(output.status.code(), Some(7));
    let errors = String::from_utf8_lossy(&output.stderr);
    assert_eq!(errors, "no\ncommand terminated with exit code 7\n");
    // Larger than all that is held on the way, and the end of the input is heard.
    let long: Vec<u8> = (0..3_000_000_u32)
        .map(|number| ((number * 7) >> 3) as u8)
        .collect();
    let output = run(kubectl(&machine, &["exec", "-i", "box", "--", "cat"]), &long);
    assert!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
    assert!(output.stdout == long, "{} of {}", output.stdout.len(), long.len());
    // One that does not read its input to the end.
    let output = run(
        kubectl(&machine, &["exec", "-i", "box", "--", "head", "-c", "1"]),
        &long,
    );
    assert!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
    assert_eq!(output.stdout, long[..1]);

    let missing = refused(&machine, &["exec", "box", "--", "/no/such"]);
    assert!(
        missing.contains("Internal error occurred: error executing command in container: "),
        "{missing}"
    );
    if Path::new("/usr/bin/script").exists() {
        let typed = "exec kubectl exec -it box -- sh -c 'test -t 0 && echo a terminal; exit 4'";
        let mut command = Command::new("/usr/bin/script");
        command
            .args(["-qec", typed, "/dev/null"])
            .env("KUBECONFIG", machine.folder.join("kubeconfig"))
            .env("HOME", &machine.folder)
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        let output = run(command, b"");
        let text = String::from_utf8_lossy(&output.stdout);
        assert!(text.contains("a terminal\r\n"), "{text}");
        assert_eq!(output.status.code(), Some(4), "{text}");
    }
    machine.delete(&path).await;
    machine.gone(&path).await;

    let cat = machine
        .pod("cat", "exec cat", |pod| {
            pod["spec"]["restartPolicy"] = json!("Never");
            pod["spec"]["containers"][0]["stdin"] = json!(true);
            pod["spec"]["containers"][0]["stdinOnce"] = json!(true);
        })
        .await;
    machine.wait(&cat, is_ready).await;
    let output = run(kubectl(&machine, &["attach", "-i", "-q", "cat"]), b"back\n");
    assert_eq!(
        String::from_utf8_lossy(&output.stdout),
        "back\n",
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
    machine
        .wait(&cat, |pod| pod["status"]["phase"] == "Succeeded")
        .await;
    let gone = refused(&machine, &["exec", "cat", "--", "true"]);
    assert!(
        gone.contains("cannot exec into a container in a completed pod")
            || gone.contains("container not found (\"main\")"),
        "{gone}"
    );
    machine.down();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn ports_are_forwarded_and_files_copied() {
    if !possible("cluster::node::streams::ports_are_forwarded_and_files_copied") {
        return;
    }
    let machine = Machine::start("forward").await;
    let script = "/bin/busybox ln -s busybox /bin/tar; echo found > /www/page; httpd -p 127.0.0.1:8080 -h /www; exec httpd -f -p 8081 -h /www";
    let path = machine.pod("web", script, |_| {}).await;
    machine.wait(&path, is_ready).await;
    let proxied = "/api/v1/namespaces/default/pods/web:8081/proxy/page";
    assert_eq!(said(&machine, &["get", "--raw", proxied]), "found\n");
    let (_, nodes) = machine.get("/api/v1/nodes").await;
    let node = nodes["items"][0]["metadata"]["name"]
        .as_str()
        .expect("it has one");
    let healthy = format!("/api/v1/nodes/{node}/proxy/healthz");
    assert_eq!(said(&machine, &["get", "--raw", &healthy]), "ok");
    let forward = kubectl(&machine, &["port-forward", "web", ":8080", ":9"]).spawn();
    let mut forward = Running(forward.expect("it was found"));
    let mut lines = BufReader::new(forward.0.stdout.take().expect("it is piped"));
    let mut port = |to: &str| {
        let mut line = String::new();
        while !(line.starts_with("Forwarding from 127.0.0.1:") && line.ends_with(&format!("-> {to}\n"))) {
            line.clear();
            assert!(lines.read_line(&mut line).expect("a pipe") > 0, "it has ended");
        }
        let port = line
            .split([':', ' '])
            .nth(3)
            .and_then(|port| port.parse::<u16>().ok());
        port.expect("a port")
    };
    let (web, nobody) = (port("8080"), port("9"));
    for _ in 0..20 {
        let mut stream = TcpStream::connect(("127.0.0.1", web)).expect("kubectl listens");
        stream.write_all(b"GET /page HTTP/1.0\r\n\r\n").expect("it reads");
        let mut answer = String::new();
        stream.read_to_string(&mut answer).expect("it answers");
        assert!(
            answer.starts_with("HTTP/1.")
                && answer.contains(" 200 OK\r\n")
                && answer.ends_with("\r\n\r\nfound\n"),
            "{answer}"
        );
    }
    let mut stream = TcpStream::connect(("127.0.0.1", nobody)).expect("kubectl listens");
    let mut nothing = Vec::new();
    // Kubectl closes it, or resets it.
    let _ = stream.read_to_end(&mut nothing);
    assert!(nothing.is_empty());
    let mut errors = BufReader::new(forward.0.stderr.take().expect("it is piped"));
    let mut line = String::new();
    while !line.contains("failed to connect to localhost:9") {
        line.clear();
        assert!(errors.read_line(&mut line).expect("a pipe") > 0, "it has ended");
    }
    drop(forward);

    let (there, back) = (machine.folder.join("there"), machine.folder.join("back"));
    let long: Vec<u8> = (0..2_000_000_u32)
        .map(|number| ((number * 13) >> 2) as u8)
        .collect();
    std::fs::write(&there, &long).expect("a file");
    said(&machine, &["cp", &there.display().to_string(), "web:/tmp/copied"]);
    said(&machine, &["cp", "web:/tmp/copied", &back.display().to_string()]);
    assert!(std::fs::read(&back).expect("it was copied") == long);
    machine.down();
}

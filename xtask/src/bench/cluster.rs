//! The embedded cluster beside the real control plane: both on loopback, one after the other, the same requests.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use deploy_cluster_oracle::{Request, Server};
use serde_json::{Value, json};

use super::Line;
use crate::peers::oracle::http::HttpServer;
use crate::peers::{compare, control_plane};
use crate::{Outcome, repository};

/// Connections that write at once.
const WRITERS: usize = 64;

/// Objects of the list that is timed.
const LISTED: usize = 500;

const PODS: usize = 250;

/// How long anything may take before the bench gives up.
const PATIENCE: Duration = Duration::from_secs(180);

/// Between two looks at a condition. It bounds the precision of what is waited for.
const PAUSE: Duration = Duration::from_millis(5);

/// What one side came to.
struct Figures {
    start: Duration,
    memory_bytes: u64,
    /// Of one core.
    cpu_percent: f64,
    create: Latency,
    creates_per_second: f64,
    get: Latency,
    list: Latency,
    bound: Duration,
}

struct Latency {
    p50: Duration,
    p99: Duration,
}

/// How much is done.
struct Size {
    requests: usize,
    lists: usize,
    idle: Duration,
}

/// The table of the embedded cluster.
pub fn run(short: bool) -> Result<Vec<Line>, String> {
    let size = if short {
        Size {
            requests: 500,
            lists: 50,
            idle: Duration::from_secs(5),
        }
    } else {
        Size {
            requests: 3000,
            lists: 200,
            idle: Duration::from_secs(20),
        }
    };
    let program = compare::build()?;
    let folder = repository::root().join("target/bench/cluster");
    let ours = Ours::measure(&program, &folder, &size)?;
    let installed = repository::root()
        .join("target/peers/bin/kube-apiserver")
        .exists();
    let theirs = if installed {
        Some(measure_real(&folder, &size)?)
    } else {
        println!(
            "the real control plane is not installed (cargo xtask peers install kubernetes): ours alone"
        );
        None
    };
    Ok(table(&ours, theirs.as_ref()))
}

fn table(ours: &Figures, theirs: Option<&Figures>) -> Vec<Line> {
    let line =
        |what: &str, figure: &dyn Fn(&Figures) -> f64, unit: &str, target: &'static str, met: bool| Line {
            what: what.to_owned(),
            ours: format!("{:.1} {unit}", figure(ours)),
            peer: theirs.map_or_else(
                || "-".to_owned(),
                |theirs| format!("{:.1} {unit}", figure(theirs)),
            ),
            // What takes nothing has no ratio.
            figure: theirs.filter(|_| figure(ours) > 0.0).map_or_else(
                || "-".to_owned(),
                |theirs| format!("{:.1}x", figure(theirs) / figure(ours)),
            ),
            target,
            met: Some(met),
        };
    let ms = |duration: Duration| duration.as_secs_f64() * 1e3;
    let mb = |bytes: u64| bytes as f64 / 1e6;
    let mut rate = line(
        "create, 64 connections",
        &|f| f.creates_per_second,
        "per s",
        "3,000 per s",
        ours.creates_per_second >= 3000.0,
    );
    if let Some(theirs) = theirs {
        rate.figure = format!("{:.1}x", ours.creates_per_second / theirs.creates_per_second);
    }
    vec![
        line(
            "start until default takes objects",
            &|f| ms(f.start),
            "ms",
            "300 ms",
            ms(ours.start) <= 300.0,
        ),
        line(
            "memory, idle",
            &|f| mb(f.memory_bytes),
            "MB",
            "45 MB",
            mb(ours.memory_bytes) <= 45.0,
        ),
        line(
            "CPU, idle",
            &|f| f.cpu_percent,
            "% of a core",
            "0.3 %",
            ours.cpu_percent <= 0.3,
        ),
        line("create a ConfigMap, p50", &|f| ms(f.create.p50), "ms", "-", true),
        line(
            "create a ConfigMap, p99",
            &|f| ms(f.create.p99),
            "ms",
            "8 ms",
            ms(ours.create.p99) <= 8.0,
        ),
        rate,
        line(
            "get, p99",
            &|f| ms(f.get.p99),
            "ms",
            "0.6 ms",
            ms(ours.get.p99) <= 0.6,
        ),
        line(
            "list of 500 as JSON, p50",
            &|f| ms(f.list.p50),
            "ms",
            "3 ms",
            ms(ours.list.p50) <= 3.0,
        ),
        line("list of 500 as JSON, p99", &|f| ms(f.list.p99), "ms", "-", true),
        line(
            "250 pods created and bound",
            &|f| ms(f.bound),
            "ms",
            "1,500 ms",
            ms(ours.bound) <= 1500.0,
        ),
    ]
}

/// Our server, ended with the value.
struct Ours {
    child: Child,
    kubeconfig: PathBuf,
}

impl Ours {
    fn measure(program: &Path, folder: &Path, size: &Size) -> Result<Figures, String> {
        let data = folder.join("ours");
        fs::remove_dir_all(&data).ok();
        fs::create_dir_all(&data).map_err(|e| format!("{}: {e}", data.display()))?;
        let begun = Instant::now();
        let kubeconfig = data.join("kubeconfig");
        let child = Command::new(program)
            .args([
                "run",
                "cluster",
                "--api-only",
                "--listen",
                "127.0.0.1:0",
                "--data-dir",
            ])
            .arg(&data)
            .arg("--kubeconfig-out")
            .arg(&kubeconfig)
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .map_err(|e| format!("{}: {e}", program.display()))?;
        let ours = Ours { child, kubeconfig };
        wait(|| Ok(ours.kubeconfig.exists()))?;
        let start = usable(&ours.kubeconfig, begun)?;
        let figures = load(&ours.kubeconfig, &[ours.child.id()], start, size)?;
        drop(ours);
        fs::remove_dir_all(&data).map_err(|e| format!("{}: {e}", data.display()))?;
        Ok(figures)
    }
}

impl Drop for Ours {
    fn drop(&mut self) {
        // It is asked, not killed: a bench leaves a clean end behind.
        let asked = Command::new("kill").arg(self.child.id().to_string()).status();
        if asked.is_ok() {
            self.child.wait().ok();
        }
    }
}

fn measure_real(folder: &Path, size: &Size) -> Result<Figures, String> {
    let options = control_plane::Options {
        folder: folder.join("real"),
        port: None,
        api_only: false,
    };
    let begun = Instant::now();
    control_plane::start(&options)?;
    let figures = (|| {
        let kubeconfig = options.folder.join("admin.kubeconfig");
        let start = usable(&kubeconfig, begun)?;
        let pids = fs::read_to_string(options.folder.join("pids")).map_err(|e| e.to_string())?;
        let pids: Vec<u32> = pids.lines().filter_map(|line| line.trim().parse().ok()).collect();
        load(&kubeconfig, &pids, start, size)
    })();
    control_plane::stop(&options.folder)?;
    figures
}

/// The time until the namespace `default` takes an object.
fn usable(kubeconfig: &Path, begun: Instant) -> Result<Duration, String> {
    let mut taken = Duration::ZERO;
    wait(|| {
        let Ok(mut server) = HttpServer::from_kubeconfig(kubeconfig, None) else {
            return Ok(false);
        };
        let answer = server.send(&post(CONFIG_MAPS, &config_map("first")));
        taken = begun.elapsed();
        Ok(answer.is_ok_and(|answer| answer.status == 201))
    })?;
    Ok(taken)
}

fn load(kubeconfig: &Path, pids: &[u32], start: Duration, size: &Size) -> Result<Figures, String> {
    let mut server = HttpServer::from_kubeconfig(kubeconfig, None)?;
    // What a start leaves to be done is no idle time.
    thread::sleep(size.idle / 2);
    let (before, at) = (cpu_ticks(pids), Instant::now());
    thread::sleep(size.idle);
    let cpu_percent = (cpu_ticks(pids) - before) as f64 / at.elapsed().as_secs_f64();
    let memory_bytes = pids.iter().map(|pid| resident_bytes(*pid)).sum();
    let create = latency(size.requests, |round| {
        expect(
            &mut server,
            &post(CONFIG_MAPS, &config_map(&format!("one-{round}"))),
            201,
        )
    })?;
    let gets = latency(size.requests, |_| {
        expect(&mut server, &get(&format!("{CONFIG_MAPS}/one-0")), 200)
    })?;
    let creates_per_second = flood(kubeconfig, size.requests)?;
    fill(&mut server)?;
    let lists = format!("/api/v1/namespaces/{FULL}/configmaps");
    let list = latency(size.lists, |_| expect(&mut server, &get(&lists), 200))?;
    let bound = bind_pods(&mut server)?;
    Ok(Figures {
        start,
        memory_bytes,
        cpu_percent,
        create,
        creates_per_second,
        get: gets,
        list,
        bound,
    })
}

const CONFIG_MAPS: &str = "/api/v1/namespaces/default/configmaps";

/// The namespace of the objects that are listed.
const FULL: &str = "full";

/// Creates by many connections at once, each with a thread of its own.
fn flood(kubeconfig: &Path, requests: usize) -> Result<f64, String> {
    let mut servers = Vec::new();
    for _ in 0..WRITERS {
        let mut server = HttpServer::from_kubeconfig(kubeconfig, None)?;
        // The handshake is no part of what is measured.
        expect(&mut server, &get(&format!("{CONFIG_MAPS}/first")), 200)?;
        servers.push(server);
    }
    let each = (requests * 4 / WRITERS).max(10);
    let begun = Instant::now();
    let outcome: Outcome = thread::scope(|scope| {
        let threads: Vec<_> = servers
            .into_iter()
            .enumerate()
            .map(|(writer, mut server)| {
                scope.spawn(move || {
                    (0..each).try_for_each(|round| {
                        let name = format!("many-{writer}-{round}");
                        expect(&mut server, &post(CONFIG_MAPS, &config_map(&name)), 201)
                    })
                })
            })
            .collect();
        threads
            .into_iter()
            .try_for_each(|thread| thread.join().map_err(|_| "a writer panicked".to_owned())?)
    });
    outcome?;
    Ok((WRITERS * each) as f64 / begun.elapsed().as_secs_f64())
}

fn fill(server: &mut HttpServer) -> Outcome {
    let namespace = json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": FULL}});
    expect(server, &post("/api/v1/namespaces", &namespace), 201)?;
    let path = format!("/api/v1/namespaces/{FULL}/configmaps");
    (0..LISTED).try_for_each(|number| expect(server, &post(&path, &config_map(&format!("m-{number}"))), 201))
}

/// A Deployment of many pods on a node that nobody runs, until the last one is bound.
fn bind_pods(server: &mut HttpServer) -> Result<Duration, String> {
    let node = json!({"apiVersion": "v1", "kind": "Node", "metadata": {"name": "bench"}});
    expect(server, &post("/api/v1/nodes", &node), 201)?;
    let amounts = json!({"cpu": "64", "memory": "256Gi", "pods": "1000"});
    let status = json!({"status": {
        "capacity": amounts, "allocatable": amounts,
        "conditions": [{"type": "Ready", "status": "True", "reason": "Bench", "lastTransitionTime": "2026-01-01T00:00:00Z",
                        "lastHeartbeatTime": "2026-01-01T00:00:00Z"}],
    }});
    expect(server, &merge("/api/v1/nodes/bench/status", &status), 200)?;
    let taints = json!({"spec": {"taints": null}});
    expect(server, &merge("/api/v1/nodes/bench", &taints), 200)?;
    let deployment = json!({
        "apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "many"},
        "spec": {
            "replicas": PODS,
            "selector": {"matchLabels": {"app": "many"}},
            "template": {
                "metadata": {"labels": {"app": "many"}},
                "spec": {"containers": [{"name": "c", "image": "none", "resources": {"requests": {"cpu": "10m"}}}]},
            },
        },
    });
    let begun = Instant::now();
    expect(
        server,
        &post("/apis/apps/v1/namespaces/default/deployments", &deployment),
        201,
    )?;
    let pods = "/api/v1/namespaces/default/pods?fieldSelector=spec.nodeName%3Dbench";
    let mut taken = Duration::ZERO;
    wait(|| {
        let answer = server.send(&get(pods))?;
        taken = begun.elapsed();
        let items = answer
            .json()
            .and_then(|list| list["items"].as_array().map(Vec::len));
        Ok(items == Some(PODS))
    })?;
    Ok(taken)
}

fn wait(mut holds: impl FnMut() -> Result<bool, String>) -> Outcome {
    let begun = Instant::now();
    while !holds()? {
        if begun.elapsed() > PATIENCE {
            return Err(format!("nothing came of it within {} s", PATIENCE.as_secs()));
        }
        thread::sleep(PAUSE);
    }
    Ok(())
}

fn latency(rounds: usize, mut once: impl FnMut(usize) -> Outcome) -> Result<Latency, String> {
    let mut taken = Vec::with_capacity(rounds);
    for round in 0..rounds {
        let begun = Instant::now();
        once(round)?;
        taken.push(begun.elapsed());
    }
    taken.sort_unstable();
    let at = |percent: usize| {
        taken
            .get(taken.len() * percent / 100)
            .or(taken.last())
            .copied()
            .unwrap_or_default()
    };
    Ok(Latency {
        p50: at(50),
        p99: at(99),
    })
}

fn expect(server: &mut HttpServer, request: &Request, status: u16) -> Outcome {
    let answer = server.send(request)?;
    if answer.status == status {
        return Ok(());
    }
    let body = String::from_utf8_lossy(&answer.body).into_owned();
    Err(format!(
        "{} {}: {} {body}",
        request.method, request.path, answer.status
    ))
}

fn config_map(name: &str) -> Value {
    json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name}, "data": {"key": "value", "other": "x".repeat(200)}})
}

fn get(path: &str) -> Request {
    request("GET", path, "application/json", &Value::Null)
}

fn post(path: &str, body: &Value) -> Request {
    request("POST", path, "application/json", body)
}

fn merge(path: &str, body: &Value) -> Request {
    request("PATCH", path, "application/merge-patch+json", body)
}

fn request(method: &str, path: &str, content_type: &str, body: &Value) -> Request {
    let body = if body.is_null() {
        Vec::new()
    } else {
        body.to_string().into_bytes()
    };
    let headers = [("accept", "application/json"), ("content-type", content_type)];
    Request {
        method: method.to_owned(),
        path: path.to_owned(),
        headers: headers
            .map(|(name, value)| (name.to_owned(), value.to_owned()))
            .to_vec(),
        body,
        identity: deploy_cluster_oracle::Identity::Admin,
        lines: None,
    }
}

/// Hundredths of a second of CPU that processes have taken: fields 14 and 15 of `/proc/PID/stat` (proc(5)).
fn cpu_ticks(pids: &[u32]) -> u64 {
    let of = |pid: &u32| {
        let text = fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
        let after = text.rsplit_once(')').map_or("", |(_, after)| after);
        // The first one is the state: field 3.
        let field = |number: usize| {
            after
                .split_whitespace()
                .nth(number - 3)
                .and_then(|text| text.parse().ok())
        };
        field(14).unwrap_or(0_u64) + field(15).unwrap_or(0_u64)
    };
    pids.iter().map(of).sum()
}

fn resident_bytes(pid: u32) -> u64 {
    let text = fs::read_to_string(format!("/proc/{pid}/status")).unwrap_or_default();
    let line = text.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    let kib: Option<u64> = line.and_then(|line| line.trim().trim_end_matches(" kB").trim().parse().ok());
    kib.unwrap_or_default() * 1024
}

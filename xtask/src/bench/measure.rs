//! Whole processes, timed from outside, in turn with their peer, so that a drift of the machine hits both.

use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use wait4::Wait4;

/// A program with its arguments and folder.
#[derive(Clone)]
pub struct Run {
    /// The program.
    pub program: PathBuf,
    /// Its arguments.
    pub args: Vec<String>,
    /// Where it runs.
    pub folder: PathBuf,
}

/// What one command took: medians.
#[derive(Clone, Copy, Debug)]
pub struct Figures {
    /// Wall clock.
    pub wall: Duration,
    /// The largest resident set, in bytes.
    pub memory_bytes: u64,
}

impl Figures {
    /// `12.3 ms, 9 MB`
    pub fn show(&self) -> String {
        let ms = self.wall.as_secs_f64() * 1e3;
        let time = if ms >= 1e3 {
            format!("{:.1} s", ms / 1e3)
        } else {
            format!("{ms:.1} ms")
        };
        format!("{time}, {} MB", self.memory_bytes / 1_000_000)
    }
}

/// Whether the command succeeds; its output is thrown away.
pub fn succeeds(run: &Run) -> Result<bool, String> {
    Ok(once(run)?.0)
}

/// Both commands in turn, `rounds` times each after one round that does not count.
pub fn paired(ours: &Run, peer: &Run, rounds: usize) -> Result<(Figures, Figures), String> {
    let (mut mine, mut theirs) = (Vec::new(), Vec::new());
    for round in 0..=rounds {
        for (run, results) in [(ours, &mut mine), (peer, &mut theirs)] {
            let figures = first(run)?;
            if round > 0 {
                results.push(figures);
            }
        }
    }
    Ok((median(&mine), median(&theirs)))
}

/// One command, once, without a round to warm up: for what takes minutes.
pub fn first(run: &Run) -> Result<Figures, String> {
    match once(run)? {
        (true, figures) => Ok(figures),
        (false, _) => Err(format!(
            "{} {} failed in {}",
            run.program.display(),
            run.args.join(" "),
            run.folder.display()
        )),
    }
}

/// One command alone, the median of `rounds` after one that does not count.
pub fn alone(run: &Run, rounds: usize) -> Result<Figures, String> {
    first(run)?;
    let results: Result<Vec<Figures>, String> = (0..rounds).map(|_| first(run)).collect();
    Ok(median(&results?))
}

fn once(run: &Run) -> Result<(bool, Figures), String> {
    let start = Instant::now();
    let child = Command::new(&run.program)
        .args(&run.args)
        .current_dir(&run.folder)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .map_err(|e| format!("{}: {e}", run.program.display()))?;
    let end = child
        .wait4()
        .map_err(|e| format!("{}: {e}", run.program.display()))?;
    Ok((
        end.status.success(),
        Figures {
            wall: start.elapsed(),
            memory_bytes: end.rusage.maxrss,
        },
    ))
}

fn median(results: &[Figures]) -> Figures {
    let middle = |mut sorted: Vec<u128>| {
        sorted.sort_unstable();
        sorted[sorted.len() / 2]
    };
    let wall = middle(results.iter().map(|r| r.wall.as_nanos()).collect());
    let memory = middle(results.iter().map(|r| u128::from(r.memory_bytes)).collect());
    Figures {
        wall: Duration::from_nanos(u64::try_from(wall).unwrap_or(u64::MAX)),
        memory_bytes: u64::try_from(memory).unwrap_or(u64::MAX),
    }
}

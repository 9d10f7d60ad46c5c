//! Pods that really run: scenarios as data, what a real kubelet with containerd made of them, and another node held to it.
//!
//! A scenario is `fixtures/cluster/node/NAME.yaml`, written by hand; `NAME.json` beside it is what [`play`] observed on the
//! real one (`cargo xtask peers kubelet`). The formats are in the README of that folder.

pub mod image;
mod marks;
mod play;
mod scenario;

pub use play::{Observed, play};
pub use scenario::{Act, IMAGE, Scenario};

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::thread;

use deploy_conformance::Suite;
use serde_json::Value;

use crate::{Server, first_difference};

/// Scenarios that run at the same time: most of their time they wait for a back-off or a probe.
const AT_ONCE: usize = 8;

/// A scenario that differs is played again, with fewer beside it: on a machine that is busy with other tests a probe comes
/// late, and that is no difference between nodes. What a node does wrong it does each time.
const ROUNDS: usize = 3;

/// Where scenarios and recordings are.
pub fn folder() -> PathBuf {
    deploy_conformance::repository().join("fixtures/cluster/node")
}

/// All scenarios whose name contains `filter`, by name.
///
/// # Errors
///
/// The file that is wrong, and why.
pub fn scenarios(filter: &str) -> Result<Vec<Scenario>, String> {
    let folder = folder();
    let entries = fs::read_dir(&folder).map_err(|error| format!("{}: {error}", folder.display()))?;
    let mut found = Vec::new();
    for entry in entries.flatten() {
        let file = entry.file_name().to_string_lossy().into_owned();
        let Some(name) = file.strip_suffix(".yaml").filter(|name| name.contains(filter)) else {
            continue;
        };
        let text = fs::read(entry.path()).map_err(|error| format!("{file}: {error}"))?;
        found.push(Scenario::read(name, &text).map_err(|error| format!("{file}: {error}"))?);
    }
    found.sort_by(|one, other| one.name.cmp(&other.name));
    Ok(found)
}

/// Plays scenarios, several at a time, each over a connection of its own.
///
/// # Errors
///
/// In the place of a scenario: why it did not come to its end.
pub fn play_all(
    scenarios: &[Scenario],
    connect: &(dyn Fn() -> Result<Box<dyn Server>, String> + Sync),
) -> BTreeMap<String, Result<Observed, String>> {
    let next = std::sync::atomic::AtomicUsize::new(0);
    let all = std::sync::Mutex::new(BTreeMap::new());
    thread::scope(|scope| {
        for _ in 0..AT_ONCE.min(scenarios.len()) {
            scope.spawn(|| {
                loop {
                    let at = next.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
                    let Some(scenario) = scenarios.get(at) else {
                        return;
                    };
                    let observed = connect().and_then(|mut server| play(server.as_mut(), scenario));
                    let mut all = all.lock().expect("nobody panics with it");
                    all.insert(scenario.name.clone(), observed);
                }
            });
        }
    });
    all.into_inner().expect("nobody panics with it")
}

/// Writes what was observed, `NAME.json` in a folder.
///
/// # Errors
///
/// The file that could not be written.
pub fn write(folder: &Path, name: &str, observed: &Observed) -> Result<(), String> {
    let path = folder.join(format!("{name}.json"));
    // A line for each thing, so that people see what has changed.
    let lines = observed
        .iter()
        .map(|(what, value)| format!("{}: {value}", Value::from(what.as_str())));
    let text = format!("{{\n{}\n}}\n", lines.collect::<Vec<_>>().join(",\n"));
    fs::write(&path, text).map_err(|error| format!("{}: {error}", path.display()))
}

/// Holds a node to the recordings: a case for each thing that was observed, `scenario/thing`.
///
/// # Panics
///
/// Where the suite `cluster/node_scenarios` is below its floor, or its list of known failures is not exact.
pub fn suite(connect: &(dyn Fn() -> Result<Box<dyn Server>, String> + Sync)) {
    let filter = std::env::var("DEPLOY_ORACLE").unwrap_or_default();
    match (filter.is_empty(), compare(connect, &filter)) {
        (_, Err(error)) => panic!("{error}"),
        (true, Ok(suite)) => suite.finish(),
        // A part of the suite has no floor.
        (false, Ok(suite)) => suite.report(),
    }
}

/// Plays the scenarios whose names contain `filter`, and compares. What was observed is in `target/conformance`.
///
/// # Errors
///
/// A file that cannot be read, or is not there.
pub fn compare(
    connect: &(dyn Fn() -> Result<Box<dyn Server>, String> + Sync),
    filter: &str,
) -> Result<Suite, String> {
    let scenarios = scenarios(filter)?;
    let mut played = play_all(&scenarios, connect);
    for _ in 1..ROUNDS {
        let mut again = Vec::new();
        for scenario in &scenarios {
            let recorded = recorded(&scenario.name)?;
            if differences(&recorded, &played[&scenario.name]).any(|(_, differs)| differs.is_err()) {
                again.push(scenario.clone());
            }
        }
        if again.is_empty() {
            break;
        }
        played.extend(play_all(&again, connect));
    }
    let mut suite = Suite::new("cluster/node_scenarios");
    let observed = deploy_conformance::repository().join("target/conformance/cluster/node");
    fs::create_dir_all(&observed).map_err(|error| format!("{}: {error}", observed.display()))?;
    for (name, got) in &played {
        if let Ok(got) = got {
            write(&observed, name, got)?;
        }
        for (what, differs) in differences(&recorded(name)?, got) {
            suite.case(&format!("{name}/{what}"), || differs);
        }
    }
    Ok(suite)
}

/// What the real one did.
fn recorded(name: &str) -> Result<Observed, String> {
    let path = folder().join(format!("{name}.json"));
    let said = |error: &dyn std::fmt::Display| format!("{}: {error}", path.display());
    let text = fs::read(&path).map_err(|error| said(&error))?;
    serde_json::from_slice(&text).map_err(|error| said(&error))
}

/// Each thing that was recorded, with how it differs here.
fn differences<'a>(
    recorded: &'a Observed,
    got: &'a Result<Observed, String>,
) -> impl Iterator<Item = (&'a str, Result<(), String>)> {
    recorded.iter().map(move |(what, expected)| {
        let differs = match got {
            Err(error) => Err(error.clone()),
            Ok(got) => {
                let got = got.get(what).unwrap_or(&Value::Null);
                first_difference(expected, got).map_or(Ok(()), Err)
            }
        };
        (what.as_str(), differs)
    })
}

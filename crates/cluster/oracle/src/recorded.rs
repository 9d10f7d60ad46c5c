//! The recording: JSON Lines, one request with its answer a line.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};

use serde_json::{Value, json};

use crate::request::{Scenario, Step};

/// One request and what the real server answered, normalised.
#[derive(Clone, Debug)]
pub struct RecordedRequest {
    /// The request.
    pub step: Step,
    /// `{"status", "headers", "body"}`.
    pub answer: Value,
    /// Where two answers of the real server differ from each other; such an answer is not compared.
    pub unstable: Option<String>,
}

/// A scenario with its answers.
#[derive(Clone, Debug)]
pub struct RecordedScenario {
    /// The folder.
    pub area: String,
    /// The file, without its ending.
    pub file: String,
    /// Unique in its area.
    pub name: String,
    /// Whether it runs in a namespace of its own.
    pub namespace: bool,
    /// Whether it has a played node.
    pub node: bool,
    /// In the order in which they are sent.
    pub requests: Vec<RecordedRequest>,
}

impl RecordedScenario {
    /// The scenario without the answers.
    pub fn scenario(&self) -> Scenario {
        Scenario {
            area: self.area.clone(),
            file: self.file.clone(),
            name: self.name.clone(),
            namespace: self.namespace,
            node: self.node,
            steps: self.requests.iter().map(|request| request.step.clone()).collect(),
        }
    }
}

/// All that is recorded below a folder.
#[derive(Clone, Debug, Default)]
pub struct Recorded {
    /// Sorted by area, file and place in the file.
    pub scenarios: Vec<RecordedScenario>,
}

impl Recorded {
    /// Reads those scenarios of which `area/scenario/request` of at least one request contains the filter. All requests
    /// of such a scenario are kept: a later one needs the earlier ones.
    ///
    /// # Errors
    ///
    /// The path and what is wrong with it.
    pub fn load(folder: &Path, filter: &str) -> Result<Recorded, String> {
        let mut scenarios = Vec::new();
        for path in files(folder, "jsonl")? {
            scenarios.extend(read(folder, &path)?);
        }
        scenarios.retain(|scenario: &RecordedScenario| {
            let names = scenario.requests.iter().map(|request| &request.step.name);
            names
                .into_iter()
                .any(|name| format!("{}/{}/{name}", scenario.area, scenario.name).contains(filter))
        });
        Ok(Recorded { scenarios })
    }

    /// Writes the scenarios into their files; scenarios of these files that are not among `self` stay if `keep` names
    /// them.
    ///
    /// # Errors
    ///
    /// The path and what is wrong with it.
    pub fn write(self, folder: &Path, keep: &dyn Fn(&RecordedScenario) -> bool) -> Result<(), String> {
        let mut by_file: BTreeMap<PathBuf, Vec<RecordedScenario>> = BTreeMap::new();
        for scenario in self.scenarios {
            let path = folder
                .join(&scenario.area)
                .join(format!("{}.jsonl", scenario.file));
            by_file.entry(path).or_default().push(scenario);
        }
        for (path, mut scenarios) in by_file {
            if path.is_file() {
                for old in read(folder, &path)? {
                    if keep(&old) && !scenarios.iter().any(|new| new.name == old.name) {
                        scenarios.push(old);
                    }
                }
            }
            scenarios.sort_by(|one, other| one.name.cmp(&other.name));
            let mut text = String::new();
            for scenario in &scenarios {
                for request in &scenario.requests {
                    writeln!(text, "{}", line(scenario, request)).expect("writing to a string cannot fail");
                }
            }
            fs::write(&path, text).map_err(|e| format!("{}: {e}", path.display()))?;
        }
        Ok(())
    }
}

fn line(scenario: &RecordedScenario, request: &RecordedRequest) -> Value {
    let mut line =
        json!({"scenario": scenario.name, "request": request.step.to_json(), "answer": request.answer});
    if !scenario.namespace {
        line["namespace"] = json!(false);
    }
    if scenario.node {
        line["node"] = json!(true);
    }
    if let Some(difference) = &request.unstable {
        line["unstable"] = json!(difference);
    }
    line
}

fn read(folder: &Path, path: &Path) -> Result<Vec<RecordedScenario>, String> {
    let (area, file) = place(folder, path);
    let text = fs::read_to_string(path).map_err(|e| format!("{}: {e}", path.display()))?;
    let mut scenarios: Vec<RecordedScenario> = Vec::new();
    for (at, line) in text.lines().enumerate() {
        let fail = |e: String| format!("{}:{}: {e}", path.display(), at + 1);
        let mut line: Value = serde_json::from_str(line).map_err(|e| fail(e.to_string()))?;
        let name = line["scenario"].as_str().unwrap_or_default().to_owned();
        let request = RecordedRequest {
            step: Step::from_json(&line["request"]).map_err(fail)?,
            unstable: line["unstable"].as_str().map(str::to_owned),
            answer: line["answer"].take(),
        };
        match scenarios.last_mut().filter(|last| last.name == name) {
            Some(last) => last.requests.push(request),
            None => scenarios.push(RecordedScenario {
                area: area.clone(),
                file: file.clone(),
                name,
                namespace: line["namespace"] != false,
                node: line["node"] == true,
                requests: vec![request],
            }),
        }
    }
    Ok(scenarios)
}

/// The area and the name of a file of the data.
pub fn place(folder: &Path, path: &Path) -> (String, String) {
    let area = path.parent().and_then(|parent| parent.strip_prefix(folder).ok());
    let area = area
        .map(|area| area.to_string_lossy().into_owned())
        .unwrap_or_default();
    (
        area,
        path.file_stem()
            .unwrap_or_default()
            .to_string_lossy()
            .into_owned(),
    )
}

/// The files with this ending in the folders of the areas, sorted.
pub fn files(folder: &Path, ending: &str) -> Result<Vec<PathBuf>, String> {
    let list = |folder: &Path| -> Result<Vec<PathBuf>, String> {
        let entries = fs::read_dir(folder).map_err(|e| format!("{}: {e}", folder.display()))?;
        Ok(entries.flatten().map(|entry| entry.path()).collect())
    };
    let mut found = Vec::new();
    for area in list(folder)?.iter().filter(|path| path.is_dir()) {
        found.extend(
            list(area)?
                .into_iter()
                .filter(|path| path.extension().is_some_and(|e| e == ending)),
        );
    }
    found.sort();
    Ok(found)
}

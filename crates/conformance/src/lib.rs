//! Runs a suite of external cases and holds it to its committed floor. For tests only.
//!
//! - **What it is:** where the cases are, how a suite counts, prints `passed/total` and fails.
//! - **What it refuses to know:** what a case means; that is the test's business.
//! - **Entry point:** [`Suite`]. The floor and the known failures of suite `area/name` stand in
//!   `fixtures/conformance/area/name.txt`: a line `floor N`, then `case-name: reason` for each case that fails.
//!   A case that fails without a line, or passes with one, fails the test, so the list is always exact.
//! - **How to test it:** it has no tests of its own: the suites of all other crates run through it.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::fs;
use std::io::{self, Write as _};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};

/// The folder of the external cases: `$DEPLOY_CONFORMANCE`, else `../shared/conformance` beside the repository.
pub fn root() -> Option<PathBuf> {
    let path = match std::env::var_os("DEPLOY_CONFORMANCE") {
        Some(path) => PathBuf::from(path),
        None => repository().parent()?.join("shared/conformance"),
    };
    path.is_dir().then_some(path)
}

/// The root of this repository.
pub fn repository() -> PathBuf {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    here.ancestors()
        .nth(2)
        .expect("the crate is two folders below the repository")
        .to_owned()
}

/// The rows of a JSON Lines file below [`root`].
pub fn rows(root: &Path, file: &str) -> Vec<serde_json::Value> {
    let path = root.join(file);
    let text = fs::read_to_string(&path).unwrap_or_else(|e| panic!("{}: {e}", path.display()));
    text.lines()
        .map(|line| serde_json::from_str(line).unwrap_or_else(|e| panic!("{}: {e}", path.display())))
        .collect()
}

/// One suite: a name, and the outcome of each of its cases.
pub struct Suite {
    name: &'static str,
    outcomes: BTreeMap<String, Result<(), String>>,
}

impl Suite {
    /// Starts a suite; the name is `area/name`, as in `gotemplate/sprig`.
    pub fn new(name: &'static str) -> Suite {
        Suite {
            name,
            outcomes: BTreeMap::new(),
        }
    }

    /// Runs one case. A panic counts as a failure.
    pub fn case(&mut self, name: &str, run: impl FnOnce() -> Result<(), String>) {
        let outcome = catch_unwind(AssertUnwindSafe(run)).unwrap_or_else(|panic| {
            let text = panic.downcast_ref::<String>().map(String::as_str);
            Err(format!(
                "panicked: {}",
                text.or(panic.downcast_ref::<&str>().copied()).unwrap_or("?")
            ))
        });
        let earlier = self.outcomes.insert(name.to_owned(), outcome);
        assert!(earlier.is_none(), "{}: two cases are named {name}", self.name);
    }

    /// Prints `passed/total`, writes the failures to `target/conformance/`, and panics where the suite is below its
    /// floor or the list of known failures is not exact. With `UPDATE_EXPECT=1` it rewrites that list.
    pub fn finish(self) {
        let total = self.outcomes.len();
        let failures: BTreeMap<&str, &str> = self
            .outcomes
            .iter()
            .filter_map(|(name, o)| Some((name.as_str(), o.as_ref().err()?.as_str())))
            .collect();
        let passed = total - failures.len();
        say(&format!("conformance {}: {passed}/{total}", self.name));
        self.write_report(&failures);

        let path = repository()
            .join("fixtures/conformance")
            .join(format!("{}.txt", self.name));
        let known = Known::read(&path);
        if std::env::var_os("UPDATE_EXPECT").is_some() {
            known.updated(passed, &failures).write(&path);
            return;
        }
        let new: Vec<String> = failures
            .iter()
            .filter(|(name, _)| !known.reasons.contains_key(**name))
            .map(|(name, why)| format!("{name}: {why}"))
            .collect();
        let mended: Vec<&String> = known
            .reasons
            .keys()
            .filter(|name| !failures.contains_key(name.as_str()))
            .collect();
        assert!(
            passed >= known.floor,
            "{}: {passed} passed, the floor is {}; new failures:\n{}",
            self.name,
            known.floor,
            new.join("\n")
        );
        assert!(
            new.is_empty(),
            "{}: failures without a reason in {}:\n{}",
            self.name,
            path.display(),
            new.join("\n")
        );
        assert!(
            mended.is_empty(),
            "{}: these pass now; remove them from {} and raise its floor: {mended:?}",
            self.name,
            path.display()
        );
    }

    /// Prints `passed/total` and each failure, and holds nobody to anything: for a part of a suite.
    pub fn report(self) {
        let failures = self.outcomes.iter().filter(|(_, outcome)| outcome.is_err());
        let passed = self.outcomes.len() - failures.clone().count();
        say(&format!(
            "conformance {}: {passed}/{} of a part",
            self.name,
            self.outcomes.len()
        ));
        for (name, outcome) in failures {
            say(&format!(
                "{name}: {}",
                outcome.as_ref().err().map_or("", |why| why)
            ));
        }
    }

    fn write_report(&self, failures: &BTreeMap<&str, &str>) {
        let mut report = String::new();
        for (name, why) in failures {
            writeln!(report, "=== {name}\n{why}").expect("writing to a string cannot fail");
        }
        let path = repository()
            .join("target/conformance")
            .join(format!("{}.txt", self.name));
        let folder = path.parent().expect("the path has a file name");
        fs::create_dir_all(folder)
            .and_then(|()| fs::write(&path, report))
            .expect("target/ can be written");
    }
}

/// The line that a suite prints where the external cases are absent.
pub fn skipped(suite: &str) {
    say(&format!(
        "conformance {suite}: skipped, no folder of external cases"
    ));
}

/// Prints a line past the capture of the test runner, which shows the output of failing tests only.
fn say(line: &str) {
    writeln!(io::stdout(), "{line}").expect("the output of a test run is open");
}

#[derive(Default)]
struct Known {
    floor: usize,
    reasons: BTreeMap<String, String>,
}

impl Known {
    fn read(path: &Path) -> Known {
        let mut known = Known::default();
        for line in fs::read_to_string(path).unwrap_or_default().lines() {
            if let Some(floor) = line.strip_prefix("floor ") {
                known.floor = floor
                    .trim()
                    .parse()
                    .unwrap_or_else(|e| panic!("{}: {e}", path.display()));
            } else if let Some((name, reason)) = line.rsplit_once(": ") {
                known.reasons.insert(name.to_owned(), reason.to_owned());
            }
        }
        known
    }

    fn updated(mut self, passed: usize, failures: &BTreeMap<&str, &str>) -> Known {
        self.floor = self.floor.max(passed);
        self.reasons
            .retain(|name, _| failures.contains_key(name.as_str()));
        for name in failures.keys() {
            self.reasons
                .entry((*name).to_owned())
                .or_insert_with(|| "reason not yet written".to_owned());
        }
        self
    }

    fn write(&self, path: &Path) {
        let mut text = format!("floor {}\n", self.floor);
        for (name, reason) in &self.reasons {
            writeln!(text, "{name}: {reason}").expect("writing to a string cannot fail");
        }
        let folder = path.parent().expect("the path has a file name");
        fs::create_dir_all(folder)
            .and_then(|()| fs::write(path, text))
            .expect("fixtures/ can be written");
    }
}

//! Holds a server to the recording and says, per area, how much is equal.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use deploy_conformance::Suite;

use crate::recorded::Recorded;
use crate::run::{Outcomes, Server, replay};

/// How many frequent differences a report lists.
const SHOWN: usize = 15;
/// How many characters of a difference say which kind it is.
const GROUPED: usize = 100;

/// Outcomes by `area/scenario/request`.
#[derive(Debug, Default)]
pub struct Report {
    /// In the order of the recording.
    pub outcomes: Outcomes,
}

impl Report {
    /// How many answers are equal, of how many.
    pub fn counts(&self) -> (usize, usize) {
        (
            self.outcomes
                .iter()
                .filter(|(_, outcome)| outcome.is_ok())
                .count(),
            self.outcomes.len(),
        )
    }

    /// A line per differing answer, the differences that come most often, a line per area, the sum.
    pub fn text(&self) -> String {
        let mut text = String::new();
        let mut areas: BTreeMap<&str, (usize, usize)> = BTreeMap::new();
        for (name, outcome) in &self.outcomes {
            let (passed, total) = areas
                .entry(name.split('/').next().unwrap_or_default())
                .or_default();
            *total += 1;
            match outcome {
                Ok(()) => *passed += 1,
                Err(difference) => put(&mut text, &format!("{name}: {difference}")),
            }
        }
        for (count, difference) in self.most_frequent() {
            put(&mut text, &format!("{count} times {difference}"));
        }
        for (area, (passed, total)) in &areas {
            put(&mut text, &format!("oracle {area}: {passed}/{total}"));
        }
        let (passed, total) = self.counts();
        put(&mut text, &format!("oracle: {passed}/{total} equal"));
        text
    }
}

impl Report {
    fn most_frequent(&self) -> Vec<(usize, String)> {
        let mut counts: BTreeMap<String, usize> = BTreeMap::new();
        for difference in self
            .outcomes
            .iter()
            .filter_map(|(_, outcome)| outcome.as_ref().err())
        {
            // Places in lists differ where the reason is the same.
            let plain: String = difference
                .chars()
                .filter(|c| !c.is_ascii_digit())
                .take(GROUPED)
                .collect();
            *counts.entry(plain).or_default() += 1;
        }
        let mut sorted: Vec<(usize, String)> =
            counts.into_iter().map(|(text, count)| (count, text)).collect();
        sorted.retain(|(count, _)| *count > 1);
        sorted.sort_by(|one, other| other.cmp(one));
        sorted.truncate(SHOWN);
        sorted
    }
}

fn put(text: &mut String, line: &str) {
    writeln!(text, "{line}").expect("writing to a string cannot fail");
}

/// Replays all scenarios. A scenario that the transport breaks fails with all its requests.
pub fn check(server: &mut dyn Server, recorded: &Recorded, tag: &str) -> Report {
    let mut report = Report::default();
    for scenario in &recorded.scenarios {
        let outcomes = replay(server, scenario, tag).unwrap_or_else(|error| {
            let names = scenario.requests.iter().map(|request| request.step.name.clone());
            names.map(|name| (name, Err(error.clone()))).collect()
        });
        let full = |name: String| format!("{}/{}/{name}", scenario.area, scenario.name);
        report
            .outcomes
            .extend(outcomes.into_iter().map(|(name, outcome)| (full(name), outcome)));
    }
    report
}

/// The suite for a crate's tests: replays the recorded scenarios of the areas (if none is given: all but those that need
/// controllers) and holds them to
/// `fixtures/conformance/NAME.txt`. With `DEPLOY_ORACLE=TEXT` only scenarios that have TEXT in `area/scenario/request`
/// run, the differences are printed by a panic, and floors do not count.
///
/// # Panics
///
/// As [`Suite::finish`], and when the recording cannot be read.
pub fn suite(server: &mut dyn Server, name: &'static str, areas: &[&str]) {
    let filter = std::env::var("DEPLOY_ORACLE").unwrap_or_default();
    let mut recorded =
        Recorded::load(&crate::folder(), &filter).expect("the recording is part of the repository");
    recorded.scenarios.retain(|scenario| match areas {
        [] => !scenario.node,
        _ => areas.contains(&scenario.area.as_str()),
    });
    let report = check(server, &recorded, "t");
    if !filter.is_empty() {
        let (passed, total) = report.counts();
        assert!(passed == total, "\n{}", report.text());
        return;
    }
    let mut suite = Suite::new(name);
    for (name, outcome) in report.outcomes {
        suite.case(&name, || outcome);
    }
    suite.finish();
}

//! `docs/conformance.md` is made from `fixtures/conformance`, so it cannot drift from what the tests enforce.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use crate::{Outcome, repository};

const PAGE: &str = "docs/conformance.md";
const FOLDER: &str = "fixtures/conformance/";

/// Writes the page.
pub fn run(_args: &[String]) -> Outcome {
    let changed = repository::write(PAGE, &page()?)?;
    println!("{PAGE}: {}", if changed { "written" } else { "unchanged" });
    Ok(())
}

/// Whether the page is in step, and every known failure has a reason.
pub fn check() -> Result<Vec<String>, String> {
    let mut findings = Vec::new();
    if repository::read(PAGE).ok() != Some(page()?) {
        findings.push(format!("{PAGE} is out of step: cargo xtask conformance"));
    }
    for (suite, text) in suites()? {
        if text.contains("reason not yet written") {
            findings.push(format!("{FOLDER}{suite}.txt has failures without a reason"));
        }
    }
    Ok(findings)
}

fn suites() -> Result<BTreeMap<String, String>, String> {
    repository::files()?
        .iter()
        .filter_map(|file| file.strip_prefix(FOLDER)?.strip_suffix(".txt"))
        .map(|suite| {
            Ok((
                suite.to_owned(),
                repository::read(&format!("{FOLDER}{suite}.txt"))?,
            ))
        })
        .collect()
}

fn page() -> Result<String, String> {
    let mut text = String::from(
        "# Conformance\n\n\
         Cases that no one here wrote, run by `make test` (their origin: the README of each set). Each suite fails below its\n\
         floor, which only rises, and fails when this list is not exact. Made by `cargo xtask conformance`; do not edit.\n\n\
         | suite | passed at least | known failures |\n|---|---|---|\n",
    );
    let suites = suites()?;
    let failures = |suite: &str| -> Vec<(String, String)> {
        let lines = suites[suite].lines().filter(|line| !line.starts_with("floor "));
        lines
            .filter_map(|line| line.rsplit_once(": "))
            .map(|(n, r)| (n.to_owned(), r.to_owned()))
            .collect()
    };
    for (suite, content) in &suites {
        let floor = content
            .lines()
            .find_map(|line| line.strip_prefix("floor "))
            .unwrap_or("0");
        writeln!(text, "| {suite} | {floor} | {} |", failures(suite).len())
            .expect("writing to a string cannot fail");
    }
    for suite in suites.keys().filter(|suite| !failures(suite).is_empty()) {
        write!(text, "\n## {suite}\n\n").expect("writing to a string cannot fail");
        for (name, reason) in failures(suite) {
            writeln!(text, "- `{name}`: {reason}").expect("writing to a string cannot fail");
        }
    }
    Ok(text)
}

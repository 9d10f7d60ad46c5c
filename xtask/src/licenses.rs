//! Licences of what the binary carries: only permissive ones, and their notices (`deploy version --licenses`).

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::fmt::Write as _;

use serde_json::Value;

use crate::{Outcome, repository};

/// Licences that ask for nothing but a notice. `OR` needs one of them, `AND` all.
const PERMISSIVE: &[&str] = &[
    "0BSD",
    "Apache-2.0",
    "Apache-2.0 WITH LLVM-exception",
    "BSD-2-Clause",
    "BSD-3-Clause",
    "BSL-1.0",
    "CC0-1.0",
    "ISC",
    "MIT",
    "MIT-0",
    "Unicode-3.0",
    "Unlicense",
    "Zlib",
];

/// Packages that were looked at by a person: name, the licence that we take it under, and why that is well.
const LOOKED_AT: &[(&str, &str, &str)] = &[
    (
        "pathrs",
        "MPL-2.0",
        "libcontainer brings it; used unchanged, and MPL asks for the source of changed files only",
    ),
    (
        "rust-criu",
        "MIT",
        "its LICENSE file is MIT's text; the manifest only names the file",
    ),
];

/// Where the notices are; the command embeds this file.
const NOTICES: &str = "crates/cli/src/licenses.txt";

/// Writes the notices.
pub fn run(_args: &[String]) -> Outcome {
    let changed = repository::write(NOTICES, &notices()?)?;
    println!("{NOTICES}: {}", if changed { "written" } else { "unchanged" });
    Ok(())
}

/// Dependencies with a licence that is not permissive, and notices that are out of step.
pub fn check() -> Result<Vec<String>, String> {
    let metadata = repository::metadata(true)?;
    let mut findings = Vec::new();
    for package in packages(&metadata) {
        let name = package["name"].as_str().unwrap_or_default();
        if looked_at(name).is_some() {
            continue;
        }
        match package["license"].as_str() {
            Some(expression) if is_permissive(expression) => {}
            Some(expression) => findings.push(format!("{name} has the licence {expression}")),
            None => findings.push(format!("{name} names no licence")),
        }
    }
    if repository::read(NOTICES).ok() != Some(notices()?) {
        findings.push(format!("{NOTICES} is out of step: cargo xtask licenses"));
    }
    Ok(findings)
}

fn looked_at(name: &str) -> Option<&'static str> {
    let found = LOOKED_AT.iter().find(|(known, _, _)| *known == name);
    found.map(|(_, licence, _)| *licence)
}

fn packages(metadata: &Value) -> impl Iterator<Item = &Value> {
    metadata["packages"].as_array().into_iter().flatten()
}

fn is_permissive(expression: &str) -> bool {
    // An old spelling of OR.
    let expression = expression.replace('/', " OR ");
    split_top(&expression, " OR ").iter().any(|choice| {
        split_top(choice, " AND ").iter().all(|part| {
            match part.strip_prefix('(').and_then(|p| p.strip_suffix(')')) {
                Some(inner) => is_permissive(inner),
                None => PERMISSIVE.contains(part),
            }
        })
    })
}

fn split_top<'a>(text: &'a str, separator: &str) -> Vec<&'a str> {
    let mut parts = Vec::new();
    let (mut depth, mut start) = (0_usize, 0);
    for (at, c) in text.char_indices() {
        match c {
            '(' => depth += 1,
            ')' => depth = depth.saturating_sub(1),
            _ if depth == 0 && at >= start && text[at..].starts_with(separator) => {
                parts.push(text[start..at].trim());
                start = at + separator.len();
            }
            _ => {}
        }
    }
    parts.push(text[start..].trim());
    parts
}

/// One line a package that the `deploy` binary is built from: `name version licence`, then who publishes it.
fn notices() -> Result<String, String> {
    let metadata = repository::metadata(true)?;
    let by_id: BTreeMap<&str, &Value> = packages(&metadata)
        .filter_map(|p| Some((p["id"].as_str()?, p)))
        .collect();
    let mut text = String::new();
    for id in shipped(&metadata)? {
        let package = by_id
            .get(id.as_str())
            .ok_or("cargo metadata names a package that it does not describe")?;
        if package["source"].is_null() {
            continue;
        }
        let field = |name: &str| package[name].as_str().unwrap_or("-").to_owned();
        let home = package["repository"]
            .as_str()
            .or(package["homepage"].as_str())
            .unwrap_or("-");
        writeln!(
            text,
            "{} {} | {} | {home}",
            field("name"),
            field("version"),
            looked_at(&field("name")).map_or_else(|| field("license"), str::to_owned)
        )
        .expect("writing to a string cannot fail");
    }
    Ok(text)
}

/// The packages that the binary links: normal dependencies only, in order of their ids.
fn shipped(metadata: &Value) -> Result<BTreeSet<String>, String> {
    let mut edges: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
    for node in metadata["resolve"]["nodes"].as_array().into_iter().flatten() {
        let normal = node["deps"].as_array().into_iter().flatten().filter(|dep| {
            dep["dep_kinds"]
                .as_array()
                .into_iter()
                .flatten()
                .any(|kind| kind["kind"].is_null())
        });
        edges.insert(
            node["id"].as_str().unwrap_or_default(),
            normal.filter_map(|dep| dep["pkg"].as_str()).collect(),
        );
    }
    let cli = packages(metadata)
        .find(|p| p["name"] == "deploy-cli")
        .and_then(|p| p["id"].as_str());
    let mut queue: VecDeque<&str> = VecDeque::from([cli.ok_or("the workspace has no deploy-cli")?]);
    let mut seen = BTreeSet::new();
    while let Some(id) = queue.pop_front() {
        if seen.insert(id.to_owned()) {
            queue.extend(edges.get(id).into_iter().flatten());
        }
    }
    Ok(seen)
}

#[cfg(test)]
mod tests {
    use super::is_permissive;

    #[test]
    fn expressions() {
        for (expression, permissive) in [
            ("MIT", true),
            ("MIT OR Apache-2.0", true),
            ("MIT/Apache-2.0", true),
            ("(MIT OR Apache-2.0) AND Unicode-3.0", true),
            ("GPL-3.0-only OR MIT", true),
            ("LGPL-2.1", false),
            ("MIT AND GPL-2.0", false),
            ("(MIT OR GPL-2.0) AND (GPL-3.0)", false),
        ] {
            assert_eq!(is_permissive(expression), permissive, "{expression}");
        }
    }
}

//! ARCHITECTURE.md names every crate and no other, and every direct dependency.

use std::collections::BTreeSet;

use crate::repository;

/// What the document and the workspace disagree on.
pub fn check() -> Result<Vec<String>, String> {
    let document = repository::read("ARCHITECTURE.md")?;
    let metadata = repository::metadata(false)?;
    let root = repository::root();
    let mut folders = BTreeSet::new();
    let mut externals = BTreeSet::new();
    for package in metadata["packages"].as_array().into_iter().flatten() {
        let manifest = package["manifest_path"].as_str().unwrap_or_default();
        let folder = manifest
            .trim_end_matches("/Cargo.toml")
            .strip_prefix(&*root.to_string_lossy())
            .unwrap_or(manifest);
        folders.insert(folder.trim_start_matches('/').to_owned());
        for dependency in package["dependencies"].as_array().into_iter().flatten() {
            if dependency["path"].is_null() {
                externals.insert(dependency["name"].as_str().unwrap_or_default().to_owned());
            }
        }
    }
    let mut findings = Vec::new();
    let named = quoted(&document, |word| word.starts_with("crates/") || word == "xtask");
    findings.extend(
        folders
            .iter()
            .filter(|f| !named.contains(*f))
            .map(|f| format!("ARCHITECTURE.md does not name `{f}`")),
    );
    findings.extend(
        named
            .iter()
            .filter(|name| !root.join(name).exists())
            .map(|name| format!("ARCHITECTURE.md names `{name}`, which does not exist")),
    );
    let dependencies = section(&document, "## Dependencies");
    let listed = quoted(dependencies, |_| true);
    findings.extend(
        externals
            .iter()
            .filter(|name| !listed.contains(*name))
            .map(|name| format!("ARCHITECTURE.md, Dependencies, has no line for `{name}`")),
    );
    Ok(findings)
}

fn section<'a>(document: &'a str, heading: &str) -> &'a str {
    let Some((_, rest)) = document.split_once(heading) else {
        return "";
    };
    rest.split("\n## ").next().unwrap_or_default()
}

fn quoted(text: &str, wanted: impl Fn(&str) -> bool) -> BTreeSet<String> {
    text.split('`')
        .skip(1)
        .step_by(2)
        .map(|w| w.trim_end_matches('/'))
        .filter(|w| wanted(w))
        .map(str::to_owned)
        .collect()
}

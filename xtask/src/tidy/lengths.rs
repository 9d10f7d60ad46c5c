//! A ratchet on the length of files: what is long already may stay, nothing new grows past the line.

use std::fs;

use crate::repository;

/// Past this a file is two ideas (STYLE.md).
const MAX_LINES: usize = 1_000;

/// Files that were longer when the rule was made, with the length that they may not pass.
const OLD_GIANTS: &[(&str, usize)] = &[];

/// Every hand-written source file that is too long.
pub fn check() -> Result<Vec<String>, String> {
    let mut findings = Vec::new();
    for file in repository::files()? {
        let written_by_hand = [".rs", ".ts", ".tsx", ".sh"]
            .iter()
            .any(|ending| file.ends_with(ending));
        if !written_by_hand {
            continue;
        }
        let path = repository::root().join(&file);
        let lines = fs::read_to_string(&path)
            .map_err(|e| format!("{file}: {e}"))?
            .lines()
            .count();
        let limit = OLD_GIANTS
            .iter()
            .find(|(name, _)| *name == file)
            .map_or(MAX_LINES, |(_, limit)| *limit);
        if lines > limit {
            findings.push(format!(
                "{file} has {lines} lines, {limit} are allowed: split it by idea"
            ));
        }
    }
    Ok(findings)
}

//! Engines and what lies below them open nothing and ask nobody: whatever they need is passed in.

use crate::repository;

const PURE: &[&str] = &[
    "crates/model/src/",
    "crates/yaml/src/",
    "crates/template/src/",
    "crates/engine/",
    "crates/cluster/schema/src/",
    "crates/cluster/kinds/src/",
];

/// A word that must not occur, and what to use instead.
const BANNED: &[(&str, &str)] = &[
    ("std::fs", "a Source that the shell implements"),
    ("std::net::Tcp", "an effect that the shell carries out"),
    ("std::net::Udp", "an effect that the shell carries out"),
    ("std::env", "a Host or a parameter"),
    ("std::process", "an effect that the shell carries out"),
    (
        "std::thread",
        "a synchronous function; the shell decides on threads",
    ),
    ("SystemTime", "the time as a parameter, or Host::now_unix_nanos"),
    ("Instant::now", "the time as a parameter"),
    ("thread_rng", "Host::fill_random"),
    ("getrandom", "Host::fill_random"),
    ("tokio", "a synchronous function"),
    ("println!", "a returned value"),
];

/// Every use of the outside world in a crate that must not know it.
pub fn check() -> Result<Vec<String>, String> {
    let mut findings = Vec::new();
    for file in repository::files()? {
        let pure = PURE.iter().any(|folder| file.starts_with(folder))
            && file.contains("/src/")
            && file.ends_with(".rs");
        if !pure {
            continue;
        }
        let text = repository::read(&file)?;
        for (number, line) in text.lines().enumerate() {
            let code = line.split("//").next().unwrap_or_default();
            let found = BANNED.iter().filter(|(word, _)| code.contains(word));
            findings.extend(
                found.map(|(word, instead)| format!("{file}:{} uses {word}: take {instead}", number + 1)),
            );
        }
    }
    Ok(findings)
}

//! Taste that a machine checks: `cargo xtask tidy`. It is part of the tests.

mod architecture;
mod errors;
mod layers;
mod lengths;
mod purity;

use crate::{Outcome, conformance, licenses};

/// One rule: its name and what it finds wrong, a line each.
type Rule = (&'static str, fn() -> Result<Vec<String>, String>);

const RULES: &[Rule] = &[
    ("layers", layers::check),
    ("architecture", architecture::check),
    ("lengths", lengths::check),
    ("purity", purity::check),
    ("errors", errors::check),
    ("licences", licenses::check),
    ("conformance", conformance::check),
];

/// Runs every rule and reports all findings at once.
pub fn run(_args: &[String]) -> Outcome {
    let mut findings = Vec::new();
    for (name, check) in RULES {
        let found = check()?;
        println!(
            "tidy {name}: {}",
            if found.is_empty() {
                "ok".to_owned()
            } else {
                format!("{} findings", found.len())
            }
        );
        findings.extend(found.into_iter().map(|finding| format!("{name}: {finding}")));
    }
    if findings.is_empty() {
        Ok(())
    } else {
        Err(findings.join("\n"))
    }
}

#[cfg(test)]
mod tests {
    #[test]
    fn the_repository_is_tidy() {
        if let Err(findings) = super::run(&[]) {
            panic!("{findings}");
        }
    }
}

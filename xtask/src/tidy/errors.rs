//! Every error code has its section in `docs/en/errors.md` and `docs/zh/errors.md`, and no section is left over.

use std::collections::BTreeSet;

use deploy_model::{Code, Lang};

use crate::repository;

/// Codes without a section, sections without a code, and sections without a body.
pub fn check() -> Result<Vec<String>, String> {
    let codes: BTreeSet<&str> = Code::ALL.iter().map(|code| code.message().id()).collect();
    let mut findings = Vec::new();
    for lang in Lang::ALL {
        let path = format!("docs/{}/errors.md", lang.code());
        let page = repository::read(&path)?;
        let mut sections = BTreeSet::new();
        for part in page.split("\n## ").skip(1) {
            let (heading, body) = part.split_once('\n').unwrap_or((part, ""));
            let id = heading.split_whitespace().next().unwrap_or_default();
            sections.insert(id.to_owned());
            if body.trim().chars().count() < 40 {
                findings.push(format!("{path}: the section of {id} says too little"));
            }
        }
        findings.extend(
            codes
                .iter()
                .filter(|id| !sections.contains(**id))
                .map(|id| format!("{path}: no section for {id}")),
        );
        findings.extend(
            sections
                .iter()
                .filter(|id| !codes.contains(id.as_str()))
                .map(|id| format!("{path}: {id} is no code of the catalogue")),
        );
    }
    Ok(findings)
}

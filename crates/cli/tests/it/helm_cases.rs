//! `deploy helm template|lint|show` against the goldens of helm's own commands.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use deploy_cli::{Invocation, Terminal};
use deploy_conformance::{Suite, root, skipped};
use deploy_model::Exit;
use serde_json::Value;

const VERBS: [&str; 3] = ["template", "lint", "show"];

#[test]
fn cases() {
    const NAME: &str = "helm/cases";
    let Some(root) = root() else {
        skipped(NAME);
        return;
    };
    let folder = root.join("helm");
    let text = fs::read_to_string(folder.join("cases.json")).expect("the cases can be read");
    let rows: Vec<Value> = serde_json::from_str(&text).expect("the cases are JSON");
    let mut suite = Suite::new(NAME);
    for row in rows
        .iter()
        .filter(|row| VERBS.contains(&row["verb"].as_str().unwrap_or_default()))
    {
        suite.case(row["name"].as_str().unwrap_or_default(), || {
            check(row, &folder.join("work"))
        });
    }
    suite.finish();
}

fn check(row: &Value, work: &Path) -> Result<(), String> {
    let mut args = vec!["helm".to_owned()];
    args.extend(
        row["args"]
            .as_array()
            .into_iter()
            .flatten()
            .filter_map(Value::as_str)
            .map(str::to_owned),
    );
    if let Some(version) = row["default_kube_version"].as_str()
        && args.len() > 2
    {
        args.extend(["--kube-version".to_owned(), version.to_owned()]);
    }
    let (exit, out, err) = run(work, &args);
    let failed = exit != Exit::Done;
    if failed != (row["expect_error"] == Value::Bool(true)) {
        return Err(format!("exit {exit:?}, stderr {err}"));
    }
    let err = helms_own(&err);
    if let Some(error) = row["error"].as_str() {
        same(err.trim_end(), &slashed(error))?;
    }
    let Some(golden) = row["golden"].as_str() else {
        return Ok(());
    };
    let golden = fs::read_to_string(work.join(golden))
        .map_err(|e| e.to_string())?
        .replace("\r\n", "\n");
    let got = if row["origin"] == "golden" {
        out + &err
    } else {
        out
    };
    same(&got, &golden)
}

fn run(work: &Path, args: &[String]) -> (Exit, String, String) {
    let invocation = Invocation {
        args: args.iter().map(Into::into).collect(),
        cwd: work.to_owned(),
        env: BTreeMap::new(),
        terminal: Terminal::default(),
        stdin: Box::new(std::io::empty()),
    };
    let (mut out, mut err) = (Vec::new(), Vec::new());
    let exit = deploy_cli::run(invocation, &mut out, &mut err);
    // The goldens name a chart by the path that was given.
    let here = format!("{}/", work.display());
    let text = |bytes: Vec<u8>| String::from_utf8_lossy(&bytes).replace(&here, "");
    (exit, text(out), text(err))
}

/// Stderr without what is ours: warnings, and the code with place and hint behind an error.
fn helms_own(err: &str) -> String {
    let own = err.find("error[DEP-").map_or(err, |at| &err[..at]);
    own.lines()
        .filter(|line| !line.starts_with("warning: "))
        .map(|line| format!("{line}\n"))
        .collect()
}

fn slashed(text: &str) -> String {
    text.trim_end().to_owned()
}

fn same(got: &str, want: &str) -> Result<(), String> {
    if got == want {
        return Ok(());
    }
    let line = got.lines().zip(want.lines()).take_while(|(a, b)| a == b).count();
    let shown = |text: &str| text.lines().skip(line).take(6).collect::<Vec<_>>().join("\n");
    Err(format!(
        "differs from line {}\n--- got\n{}\n--- want\n{}",
        line + 1,
        shown(got),
        shown(want)
    ))
}

//! BuildKit's own cases: `frontend/dockerfile/parser` and `frontend/dockerfile/shell`.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use deploy_conformance::{Suite, root, rows, skipped};
use deploy_dockerfile::{Lexer, WordError, parse};
use serde_json::Value;

fn folders(path: &Path) -> Vec<PathBuf> {
    let mut found: Vec<PathBuf> = fs::read_dir(path)
        .expect("the suite has this folder")
        .map(|entry| entry.expect("it can be read").path())
        .collect();
    found.sort();
    found
}

fn name(path: &Path) -> String {
    path.file_name()
        .expect("a case has a name")
        .to_string_lossy()
        .into_owned()
}

fn same<T: PartialEq + std::fmt::Debug>(got: T, want: T) -> Result<(), String> {
    match got == want {
        true => Ok(()),
        false => Err(format!("want {want:?}\ngot  {got:?}")),
    }
}

#[test]
fn trees() {
    let Some(root) = root() else {
        return skipped("dockerfile/parser");
    };
    let mut suite = Suite::new("dockerfile/parser");
    for case in folders(&root.join("dockerfile/parser/ok")) {
        suite.case(&format!("ok-{}", name(&case)), || {
            let text = fs::read_to_string(case.join("Dockerfile")).unwrap();
            let want = fs::read_to_string(case.join("result")).unwrap();
            let got = parse(&text).map_err(|problem| problem.message)?.dump();
            same(
                got.trim().lines().collect::<Vec<_>>(),
                want.trim().lines().collect(),
            )
        });
    }
    for case in folders(&root.join("dockerfile/parser/error")) {
        suite.case(&format!("error-{}", name(&case)), || {
            let text = fs::read_to_string(case.join("Dockerfile")).unwrap();
            parse(&text).map_or(Ok(()), |tree| Err(tree.dump()))
        });
    }
    suite.case("line-numbers", || {
        let folder = root.join("dockerfile/parser/line-numbers");
        let text = fs::read_to_string(folder.join("Dockerfile")).unwrap();
        let want: Value = serde_json::from_slice(&fs::read(folder.join("expected.json")).unwrap()).unwrap();
        let tree = parse(&text).map_err(|problem| problem.message)?;
        let children: Vec<(usize, usize)> = tree.statements.iter().map(|one| one.lines).collect();
        let got = serde_json::json!({
            "start_line": tree.lines().0, "end_line": tree.lines().1, "children": children,
        });
        same(got, want)
    });
    suite.finish();
}

fn judge<T: PartialEq + std::fmt::Debug>(
    row: &Value,
    got: Result<T, WordError>,
    want: impl FnOnce() -> T,
) -> Result<(), String> {
    match (got, row["error"] == true) {
        (Err(_), true) => Ok(()),
        (Ok(got), false) => same(got, want()),
        (got, _) => Err(format!("{got:?}")),
    }
}

#[test]
fn words_with_variables() {
    let Some(root) = root() else {
        return skipped("dockerfile/words");
    };
    let mut suite = Suite::new("dockerfile/words");
    let variables = [
        ("PWD", "/home"),
        ("SHELL", "bash"),
        ("KOREAN", "한국어"),
        ("NULL", ""),
    ];
    for row in rows(&root, "dockerfile/shell/env_words.jsonl") {
        for platform in ["unix", "windows"] {
            if row["platform"] != "all" && row["platform"] != platform {
                continue;
            }
            suite.case(&format!("{}-{platform}", row["id"].as_str().unwrap()), || {
                let same_name =
                    |a: &str, b: &str| a == b || platform == "windows" && a.eq_ignore_ascii_case(b);
                let look = |name: &str| {
                    let found = variables.iter().find(|(known, _)| same_name(known, name));
                    found.map(|(_, value)| (*value).to_owned())
                };
                let got = Lexer::new('\\').expand(row["word"].as_str().unwrap(), &look);
                let got = got.map(|expanded| expanded.text.trim().to_owned());
                judge(&row, got, || row["result"].as_str().unwrap().to_owned())
            });
        }
    }
    for row in rows(&root, "dockerfile/shell/split_words.jsonl") {
        suite.case(row["id"].as_str().unwrap(), || {
            let env: BTreeMap<String, String> = serde_json::from_value(row["env"].clone()).unwrap();
            let got = Lexer::new('\\').expand(row["word"].as_str().unwrap(), &|name| env.get(name).cloned());
            judge(&row, got.map(|expanded| expanded.words), || {
                serde_json::from_value(row["result"].clone()).unwrap()
            })
        });
    }
    suite.finish();
}

//! GitHub's own cases of expressions (actions/languageservices, expressions/testdata).

use deploy_conformance::{Suite, root, skipped};
use deploy_workflow::expression::{Host, Scope, Status, Value, evaluate, from_json, parse};
use serde_json::Value as Json;
use std::fs;

struct Contexts(Value);

impl Host for Contexts {
    fn context(&self, name: &str) -> Value {
        self.0.get(name)
    }

    fn status(&self, _: Status, _: &[String]) -> bool {
        true
    }

    fn hash_files(&self, _: &[String]) -> Option<String> {
        Some(String::new())
    }
}

fn run(case: &Json, contexts: Value) -> Result<Value, String> {
    let names = case["contexts"].as_object();
    let names: Vec<&str> = names
        .into_iter()
        .flatten()
        .map(|(name, _)| name.as_str())
        .collect();
    let scope = Scope {
        contexts: &names,
        hash_files: true,
        status: true,
        status_of_jobs: false,
    };
    let text = case["expr"].as_str().unwrap();
    let Some(tree) = parse(text, &scope).map_err(|e| e.to_string())? else {
        return Ok(Value::Null);
    };
    evaluate(&tree, &Contexts(contexts)).map_err(|e| e.to_string())
}

fn check(case: &Json, contexts: Value) -> Result<(), String> {
    let outcome = run(case, contexts);
    match (case.get("err"), outcome) {
        (Some(expected), Err(message)) => {
            let wanted = expected["value"].as_str().unwrap();
            match message.contains(wanted) {
                true => Ok(()),
                false => Err(format!("error\n  {message}\nexpected\n  {wanted}")),
            }
        }
        (Some(expected), Ok(value)) => Err(format!("gave {value:?}, expected {expected}")),
        (None, Err(message)) => Err(format!("error {message}")),
        (None, Ok(value)) => {
            let expected = &case["result"];
            let same = match (&value, &expected["value"]) {
                (Value::Number(found), wanted) => wanted.as_f64() == Some(*found),
                (found, wanted) => same_numbers(&Json::from(found), wanted),
            };
            match same && value.kind() == expected["kind"] {
                true => Ok(()),
                false => Err(format!("gave {value:?}, expected {expected}")),
            }
        }
    }
}

/// 1 and 1.0 are one number.
fn same_numbers(one: &Json, other: &Json) -> bool {
    match (one, other) {
        (Json::Number(a), Json::Number(b)) => a.as_f64() == b.as_f64(),
        (Json::Array(a), Json::Array(b)) => {
            a.len() == b.len() && a.iter().zip(b).all(|(a, b)| same_numbers(a, b))
        }
        (Json::Object(a), Json::Object(b)) => {
            a.len() == b.len()
                && a.iter()
                    .all(|(key, a)| b.get(key).is_some_and(|b| same_numbers(a, b)))
        }
        (a, b) => a == b,
    }
}

#[test]
fn conformance() {
    let Some(root) = root() else {
        return skipped("gha/expressions");
    };
    let mut suite = Suite::new("gha/expressions");
    let mut files: Vec<_> = fs::read_dir(root.join("gha/expressions"))
        .unwrap()
        .map(|e| e.unwrap().path())
        .collect();
    files.sort();
    for file in files {
        let text = fs::read_to_string(&file).unwrap();
        let cases: Json = serde_json::from_str(&text).unwrap();
        // Our own reader keeps the order of names, which some cases are about.
        let ordered = from_json(&text).unwrap();
        let stem = file.file_stem().unwrap().to_string_lossy();
        for (group, list) in cases.as_object().unwrap() {
            for (at, case) in list.as_array().unwrap().iter().enumerate() {
                let contexts = match ordered.get(group) {
                    Value::Array(list) => list[at].get("contexts"),
                    _ => Value::Null,
                };
                suite.case(&format!("{stem}/{group}/{at}"), || check(case, contexts));
            }
        }
    }
    suite.finish();
}

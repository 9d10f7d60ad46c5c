//! The cases of `fixtures/yaml`, whose expectations were printed by go-yaml v2 and v3 and sigs.k8s.io/yaml.

use deploy_yaml::{
    Dialect, emit_kyaml, emit_sigs, emit_v3, node_to_json, parse, to_json, to_json_strict, try_emit_sigs,
};
use serde_json::{Value, json};
use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};

fn folder() -> PathBuf {
    deploy_conformance::repository().join("fixtures/yaml")
}

/// What is wrong, one line for each difference; the test fails if there is any.
#[derive(Default)]
struct Differences(String);

impl Differences {
    fn compare(&mut self, what: &str, expected: &str, found: &str) {
        if expected != found {
            writeln!(self.0, "{what}:\n expected {expected:?}\n    found {found:?}")
                .expect("a string takes all");
        }
    }

    fn assert_none(self) {
        assert!(self.0.is_empty(), "{}", self.0);
    }
}

/// Numbers as doubles in one notation: Go writes 1000.0 and 1e21 with other digits than Rust does.
fn normal(value: &Value) -> Value {
    match value {
        Value::Number(n) => json!(format!("{:e}", n.as_f64().expect("all numbers have one"))),
        Value::Array(items) => items.iter().map(normal).collect(),
        Value::Object(map) => map.iter().map(|(k, v)| (k.clone(), normal(v))).collect(),
        other => other.clone(),
    }
}

fn normal_text(json: &str) -> String {
    let value: Value = serde_json::from_str(json).unwrap_or_else(|e| panic!("{json}: {e}"));
    normal(&value).to_string()
}

/// Compares with `FILE`, or with the error in `FILE.error`; a case may lack both.
fn check(
    differences: &mut Differences,
    case: &Path,
    file: &str,
    found: Result<String, String>,
    normalise: fn(&str) -> String,
) {
    let what = format!(
        "{}/{file}",
        case.file_name().expect("cases have names").to_string_lossy()
    );
    if let Ok(expected) = fs::read_to_string(case.join(file)) {
        let found = found.map_or_else(|e| format!("error: {e}"), |text| normalise(&text));
        differences.compare(&what, &normalise(&expected), &found);
    } else if let Ok(expected) = fs::read_to_string(case.join(format!("{file}.error"))) {
        let found = found.map_or_else(|e| e, |text| format!("no error: {text}"));
        differences.compare(&what, expected.trim_end_matches('\n'), &found);
    }
}

#[test]
fn documents_are_read_and_printed_as_go_does() {
    let mut differences = Differences::default();
    let mut cases = 0;
    let entries = fs::read_dir(folder()).expect("the fixtures are there");
    for case in entries
        .map(|e| e.expect("the folder can be read").path())
        .filter(|p| p.is_dir())
    {
        let source = fs::read(case.join("in.yaml")).expect("each case has an input");
        let helm = to_json(&source, Dialect::GoYaml11);
        let text = |r: &Result<Value, deploy_yaml::Error>| {
            r.as_ref().map(Value::to_string).map_err(ToString::to_string)
        };
        check(&mut differences, &case, "helm.json", text(&helm), normal_text);
        let strict = to_json_strict(&source, Dialect::GoYaml11);
        check(&mut differences, &case, "strict.json", text(&strict), normal_text);
        let kustomize = to_json(&source, Dialect::GoYaml3);
        check(
            &mut differences,
            &case,
            "kustomize.json",
            text(&kustomize),
            normal_text,
        );
        if let Ok(value) = &helm {
            let sigs = try_emit_sigs(value).map_err(|e| e.to_string());
            check(&mut differences, &case, "sigs.yaml", sigs, str::to_owned);
            // Helm's values have been through JSON, so all numbers are doubles there; here they are not.
            check(
                &mut differences,
                &case,
                "pretty.yaml",
                Ok(emit_v3(value, 2)),
                str::to_owned,
            );
        }
        let kyaml =
            parse(&source).map(|roots| roots.iter().map(emit_kyaml).collect::<Vec<_>>().join("---\n"));
        check(
            &mut differences,
            &case,
            "kyaml.yaml",
            kyaml.map_err(|e| e.to_string()),
            str::to_owned,
        );
        cases += 1;
    }
    assert!(cases > 20, "{cases} cases");
    differences.assert_none();
}

fn rows(file: &str) -> Vec<Value> {
    deploy_conformance::rows(&folder(), file)
}

#[test]
fn texts_are_quoted_and_resolved_as_go_does() {
    let mut differences = Differences::default();
    for row in rows("strings.jsonl") {
        let text = row["text"].as_str().expect("a row has a text");
        let value = json!({"a": text, "b": [text]});
        let expect = |key: &str| match row[key].as_str() {
            Some(text) => text.to_owned(),
            None => row[key]["error"].as_str().expect("a text or an error").to_owned(),
        };
        let found = |r: Result<String, deploy_yaml::Error>| r.unwrap_or_else(|e| e.to_string());
        differences.compare(
            &format!("sigs {text:?}"),
            &expect("sigs"),
            &found(try_emit_sigs(&value)),
        );
        differences.compare(
            &format!("pretty {text:?}"),
            &expect("pretty"),
            &emit_v3(&value, 2),
        );
        let source = format!("a: {text}");
        for (key, dialect) in [("helm", Dialect::GoYaml11), ("kustomize", Dialect::GoYaml3)] {
            let expected = match row[key].as_str() {
                Some(json) => normal_text(json),
                None => expect(key),
            };
            let found = match to_json(source.as_bytes(), dialect) {
                Ok(value) => normal(&value).to_string(),
                Err(e) => e.to_string(),
            };
            if !expected.contains("into map[string]interface {}") {
                differences.compare(&format!("{key} {source:?}"), &expected, &found);
            }
        }
    }
    differences.assert_none();
}

#[test]
fn mistakes_are_named_as_go_does() {
    let mut differences = Differences::default();
    for row in rows("errors.jsonl") {
        let source: Vec<u8> = match row["bytes"].as_array() {
            Some(bytes) => bytes.iter().map(|b| b.as_u64().expect("a byte") as u8).collect(),
            None => row["in"]
                .as_str()
                .expect("a row has an input")
                .as_bytes()
                .to_owned(),
        };
        let mut check = |key: &str, found: Result<Value, deploy_yaml::Error>| {
            let found = found.err().map(|e| e.to_string()).unwrap_or_default();
            let what = format!("{key} {:?}", String::from_utf8_lossy(&source));
            differences.compare(&what, row[key].as_str().unwrap_or_default(), &found);
        };
        check("helm", to_json(&source, Dialect::GoYaml11));
        if row["in"].is_string() {
            check("strict", to_json_strict(&source, Dialect::GoYaml11));
        }
        if row["kustomize"].is_string() {
            check("kustomize", to_json(&source, Dialect::GoYaml3));
        }
    }
    differences.assert_none();
}

#[test]
fn kustomize_prints_through_json() {
    let source = b"# above\nb: yes\na: 0777\nc: [x, \"1\"]\n";
    let roots = parse(source).expect("it is YAML");
    let value = node_to_json(&roots[0], Dialect::GoYaml3).expect("it is JSON");
    assert_eq!(emit_sigs(&value), "a: 511\nb: \"yes\"\nc:\n- x\n- \"1\"\n");
}

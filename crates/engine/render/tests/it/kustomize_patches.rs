//! Patches and replacements on one resource: `fixtures/kustomize/{strategic,json6902,replacement}/cases.jsonl`.
//!
//! The rows were generated at random and answered by kustomize 5.8.1: `want` is the resource as it prints it (none where
//! the patch deletes it), `error` the whole of its message.

use std::collections::BTreeMap;

use deploy_conformance::repository;
use deploy_render::kustomize::filters::field_path::FieldPath;
use deploy_render::kustomize::filters::replacement::{self, Options};
use deploy_render::kustomize::patch::{self, Outcome};
use deploy_render::kustomize::schema::Schema;
use deploy_render::kustomize::{BuildOptions, build};
use deploy_render::source::MemorySource;
use deploy_yaml::Dialect;
use deploy_yaml::node::Node;
use serde_json::Value;

fn check(kind: &str, run: impl Fn(&Value, &mut Node) -> Result<Outcome, String>) {
    let path = repository()
        .join("fixtures/kustomize")
        .join(kind)
        .join("cases.jsonl");
    let rows = std::fs::read_to_string(&path).expect("the fixture is there");
    let mut failures = Vec::new();
    for line in rows.lines() {
        let row: Value = serde_json::from_str(line).expect("each line is JSON");
        let mut target = node(&row, "target");
        let got = match run(&row, &mut target) {
            Ok(Outcome::Deleted) => String::new(),
            Ok(Outcome::Kept) => deploy_yaml::node_to_json(&target, Dialect::GoYaml3)
                .map_or_else(|e| e.to_string(), |json| deploy_yaml::emit_sigs(&json)),
            Err(e) => format!("Error: {e}"),
        };
        let want = match row["error"].as_str() {
            Some(error) => error,
            None => text(&row, "want"),
        };
        if got.trim() != want.trim() {
            failures.push(format!("=== {}\nwant:\n{want}\ngot:\n{got}", text(&row, "name")));
        }
    }
    assert!(rows.lines().count() >= 100, "{kind}: the fixture has lost rows");
    assert!(failures.is_empty(), "{kind}:\n{}", failures.join("\n"));
}

fn text<'r>(row: &'r Value, field: &str) -> &'r str {
    row[field].as_str().unwrap_or_default()
}

fn node(row: &Value, field: &str) -> Node {
    let documents = deploy_yaml::parse(text(row, field).as_bytes()).expect("it is YAML");
    documents.into_iter().next().expect("there is a document")
}

#[test]
fn strategic_merges_equal_kustomize() {
    let schema = Schema::built_in();
    check("strategic", |row, target| {
        patch::strategic(target, &node(row, "patch"), &schema).map_err(|e| e.to_string())
    });
}

#[test]
fn json_patches_equal_kustomize() {
    check("json6902", |row, target| {
        let operations = patch::parse_operations(text(row, "patch").trim()).map_err(|e| e.to_string())?;
        patch::json6902_remembered(target, &operations).map_err(|e| e.to_string())?;
        Ok(Outcome::Kept)
    });
}

#[test]
fn replacements_equal_kustomize() {
    let options = |value: &Value| Options {
        delimiter: text(value, "delimiter").to_owned(),
        index: value["index"].as_i64().unwrap_or_default(),
        create: value["create"] == true,
    };
    check("replacement", |row, target| {
        let paths: Vec<FieldPath> = row["target_paths"]
            .as_array()
            .into_iter()
            .flatten()
            .filter_map(Value::as_str)
            .map(FieldPath::parse)
            .collect();
        let source = node(row, "source");
        let path = FieldPath::parse(text(row, "source_path"));
        let value = replacement::read(
            &source,
            &path,
            &options(&row["source_options"]),
            "Src.[noVer].[noGrp]/[noName].[noNs]",
        )
        .map_err(|e| e.to_string())?;
        replacement::write(target, &value, &paths, &options(&row["target_options"]))
            .map_err(|e| e.to_string())?;
        Ok(Outcome::Kept)
    });
}

/// Folders of `fixtures/kustomize` with `in/overlay` and the `expect.yaml` that kustomize 5.8.1 prints for it.
#[test]
fn folders_equal_kustomize() {
    let cases = [
        "openapi-replaces-built-in",
        "quoted-replicas",
        "shared-label-label",
        "shared-label-patch",
        "shared-label-replacement",
    ];
    for case in cases {
        let folder = repository().join("fixtures/kustomize").join(case);
        let mut files = BTreeMap::new();
        for part in ["base", "overlay"] {
            for entry in std::fs::read_dir(folder.join("in").join(part)).expect("the folder is there") {
                let path = entry.expect("the entry can be read").path();
                let name = path.file_name().expect("a file has a name").to_string_lossy();
                files.insert(
                    format!("/{part}/{name}"),
                    std::fs::read(&path).expect("the file can be read"),
                );
            }
        }
        let built = build(&MemorySource::new(files), "/overlay", &BuildOptions::default());
        let want = std::fs::read_to_string(folder.join("expect.yaml")).expect("the expectation is there");
        assert_eq!(built.expect(case).output, want, "{case}");
    }
}

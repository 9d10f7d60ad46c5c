//! `kustomize build` against the cases of kustomize's own tests: `conformance/kustomize/cases`.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use deploy_conformance::{Suite, repository, root, skipped};
use deploy_render::kustomize::{BuildOptions, Order, build};
use deploy_render::source::MemorySource;
use serde_json::Value;

const SUITE: &str = "kustomize/build";

#[test]
fn build_equals_kustomize() {
    let Some(root) = root() else {
        return skipped(SUITE);
    };
    let mut suite = Suite::new(SUITE);
    let mut folders: Vec<_> = fs::read_dir(root.join("kustomize/cases"))
        .expect("the cases can be listed")
        .map(|entry| entry.expect("the entry can be read").path())
        .collect();
    folders.sort();
    for folder in folders {
        let name = folder
            .file_name()
            .expect("a case has a name")
            .to_string_lossy()
            .into_owned();
        suite.case(&name, || run(&folder));
    }
    suite.finish();
}

fn run(folder: &Path) -> Result<(), String> {
    let case: Value = serde_json::from_str(&text(&folder.join("case.json"))).expect("case.json is JSON");
    let mut files = BTreeMap::new();
    collect(&folder.join("in"), "", &mut files);
    let options = BuildOptions {
        load_restrictions_none: case["options"]["load_restrictor"] == "none",
        order: if case["options"]["reorder"] == "none" {
            Order::Gathered
        } else {
            Order::Legacy
        },
        add_managed_by_label: case["options"]["add_managed_by_label"] == true,
    };
    let path = case["path"].as_str().expect("a case has a path");
    let built = build(&MemorySource::new(files), path, &options);
    match (case["expect"].as_str(), built) {
        (Some("error"), Ok(built)) => Err(format!(
            "built, but should fail with: {}\n{}",
            case["error"], built.output
        )),
        (Some("error"), Err(error)) => {
            let error = error.to_string();
            let parts = case["error_contains"].as_array().cloned().unwrap_or_default();
            let missing: Vec<&str> = parts
                .iter()
                .filter_map(Value::as_str)
                .filter(|part| !error.contains(part))
                .collect();
            if missing.is_empty() {
                return Ok(());
            }
            Err(format!("got error: {error}\nwithout {missing:?}"))
        }
        (_, Err(error)) => Err(format!("failed: {error}")),
        (_, Ok(built)) => {
            let expected = text(&folder.join("expected.yaml"));
            if built.output == expected {
                return Ok(());
            }
            Err(format!("--- expected\n{expected}\n--- got\n{}", built.output))
        }
    }
}

fn text(path: &Path) -> String {
    fs::read_to_string(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

fn collect(folder: &Path, prefix: &str, files: &mut BTreeMap<String, Vec<u8>>) {
    for entry in fs::read_dir(folder).expect("the tree can be listed") {
        let entry = entry.expect("the entry can be read");
        let path = format!("{prefix}/{}", entry.file_name().to_string_lossy());
        if entry.path().is_dir() {
            collect(&entry.path(), &path, files);
        } else {
            let content = fs::read(entry.path()).expect("the file can be read");
            files.insert(path, content);
        }
    }
}

/// Folders of `fixtures/kustomize/build`: `in`, and what kustomize 5.8.1 prints for it (`expect.yaml`) or says
/// (`error.txt`); `path.txt` names the folder to build where it is not `in` itself.
#[test]
fn trees_of_corners_equal_kustomize() {
    let root = repository().join("fixtures/kustomize/build");
    let mut count = 0;
    for entry in fs::read_dir(&root).expect("the fixtures can be listed") {
        let folder = entry.expect("the entry can be read").path();
        let case = folder.display();
        let mut files = BTreeMap::new();
        collect(&folder.join("in"), "", &mut files);
        let path = fs::read_to_string(folder.join("path.txt")).unwrap_or_default();
        let built = build(&MemorySource::new(files), path.trim(), &BuildOptions::default());
        let got = built.map(|built| built.output).map_err(|error| error.to_string());
        let want = match fs::read_to_string(folder.join("error.txt")) {
            Ok(error) => Err(error.trim_end().to_owned()),
            Err(_) => Ok(text(&folder.join("expect.yaml"))),
        };
        assert_eq!(got.map_err(|error| error.trim_end().to_owned()), want, "{case}");
        count += 1;
    }
    assert!(count >= 30, "only {count} trees were found");
}

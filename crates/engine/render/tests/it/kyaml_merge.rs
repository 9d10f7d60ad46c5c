//! The merges of kyaml: `kustomize/merge2` and `kustomize/merge3`.

use deploy_conformance::{Suite, root, rows, skipped};
use deploy_render::kustomize::merge::{ListIncrease, Options, merge2, merge3};
use deploy_yaml::node::Node;
use serde_json::Value;

fn text<'r>(row: &'r Value, field: &str) -> &'r str {
    row[field].as_str().unwrap_or_default()
}

fn parse(row: &Value, field: &str) -> Result<Option<Node>, String> {
    let documents = deploy_yaml::parse(text(row, field).as_bytes()).map_err(|e| e.to_string())?;
    Ok(documents.into_iter().next())
}

fn compare(row: &Value, got: Option<Node>) -> Result<(), String> {
    let got = got.map(|node| deploy_yaml::emit_kyaml(&node)).unwrap_or_default();
    let want = text(row, "want");
    match got.trim() == want.trim() {
        true => Ok(()),
        false => Err(format!("want:\n{}\ngot:\n{}", want.trim(), got.trim())),
    }
}

#[test]
fn merge2_rows() {
    let Some(root) = root() else {
        return skipped("kustomize/merge2");
    };
    let mut suite = Suite::new("kustomize/merge2");
    for row in rows(&root, "kustomize/kyaml_merge2.jsonl") {
        suite.case(text(&row, "name"), || {
            let options = Options {
                infer: row["infer"] == true,
                list_increase: match text(&row, "list_increase_direction") {
                    "prepend" => ListIncrease::Prepend,
                    _ => ListIncrease::Append,
                },
            };
            let patch = parse(&row, "source")?.ok_or("the patch is empty")?;
            let got = merge2(&patch, parse(&row, "dest")?, options).map_err(|e| e.to_string())?;
            compare(&row, got)
        });
    }
    suite.finish();
}

#[test]
fn merge3_rows() {
    let Some(root) = root() else {
        return skipped("kustomize/merge3");
    };
    let mut suite = Suite::new("kustomize/merge3");
    for row in rows(&root, "kustomize/kyaml_merge3.jsonl") {
        suite.case(text(&row, "name"), || {
            let read = |field| parse(&row, field)?.ok_or_else(|| format!("{field} is empty"));
            let got = merge3(
                &read("origin")?,
                &read("update")?,
                read("dest")?,
                row["infer"] == true,
            )
            .map_err(|e| e.to_string())?;
            compare(&row, got)
        });
    }
    suite.finish();
}

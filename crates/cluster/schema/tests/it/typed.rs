//! Structured merge of single values, held to the origin's own cases (`structured-merge/typed.jsonl`).

use deploy_cluster_schema::fields::{Set, equal};
use deploy_cluster_schema::merge::{Duplicates, Shape};
use deploy_conformance::{Suite, root, rows, skipped};
use serde_json::Value;

use crate::smd_schema::{Schemas, yaml};

const SUITE: &str = "structured-merge/typed";

#[test]
fn values_are_merged_compared_and_cut_as_upstream_does() {
    let Some(root) = root() else {
        return skipped(SUITE);
    };
    let folder = root.join("structured-merge");
    let mut schemas = Schemas::new(&folder);
    let mut suite = Suite::new(SUITE);
    for row in rows(&folder, "typed.jsonl") {
        let name = row["name"].as_str().expect("a row has a name");
        let schema = schemas.get(row["schema"].as_str().expect("a row has a schema"));
        suite.case(name, || {
            let id = schema
                .find(row["type"].as_str().unwrap_or_default())
                .ok_or("the type is not in the schema")?;
            check(Shape::new(schema, id), &row)
        });
    }
    suite.finish();
}

fn check(shape: Shape<'_>, row: &Value) -> Result<(), String> {
    match row["op"].as_str().unwrap_or_default() {
        "validate" => validate(shape, row),
        "merge" => {
            let merged = shape.merge(&value(shape, row, "lhs")?, &value(shape, row, "rhs")?);
            same(&merged.map_err(|e| e.to_string())?, &yaml(text(row, "want"))?)
        }
        "compare" => {
            let compared = shape.compare(&value(shape, row, "lhs")?, &value(shape, row, "rhs")?);
            let compared = compared.map_err(|e| e.to_string())?;
            same_set(&compared.added, text(row, "added"))?;
            same_set(&compared.modified, text(row, "modified"))?;
            same_set(&compared.removed, text(row, "removed"))
        }
        "field_set" => same_set(
            &shape.field_set(&value(shape, row, "object")?),
            text(row, "want_set"),
        ),
        "remove_extract" => {
            let object = value(shape, row, "object")?;
            let set = Set::parse(text(row, "set")).map_err(|e| e.to_string())?;
            cut(
                "extracted",
                &shape.extract_without_keys(&object, &set),
                text(row, "want_extracted"),
            )?;
            cut("removed", &shape.remove(object, &set), text(row, "want_removed"))
        }
        other => Err(format!("no such operation: {other}")),
    }
}

/// Upstream's own reader refuses some of the texts that the cut values have; those are not checked.
fn cut(what: &str, got: &Value, want: &str) -> Result<(), String> {
    if want == "unparseable" {
        return Ok(());
    }
    same(got, &yaml(want)?).map_err(|why| format!("{what}: {why}"))
}

fn validate(shape: Shape<'_>, row: &Value) -> Result<(), String> {
    let object = yaml(text(row, "object"))?;
    for (key, duplicates) in [
        ("valid", Duplicates::Refused),
        ("valid_with_duplicates_allowed", Duplicates::Allowed),
    ] {
        let Some(want) = row[key].as_bool() else {
            continue;
        };
        let got = shape.validate(&object, duplicates);
        if got.is_ok() != want {
            return Err(format!("{key}: wanted {want}, got {got:?}"));
        }
    }
    Ok(())
}

fn text<'r>(row: &'r Value, key: &str) -> &'r str {
    row[key].as_str().unwrap_or_default()
}

fn value(shape: Shape<'_>, row: &Value, key: &str) -> Result<Value, String> {
    let value = yaml(text(row, key))?;
    shape
        .validate(&value, Duplicates::Allowed)
        .map_err(|e| format!("{key}: {e}"))?;
    Ok(value)
}

fn same(got: &Value, want: &Value) -> Result<(), String> {
    if equal(got, want) {
        Ok(())
    } else {
        Err(format!("got {got}\nwant {want}"))
    }
}

fn same_set(got: &Set, want: &str) -> Result<(), String> {
    let got = got.to_text();
    if got == want {
        Ok(())
    } else {
        Err(format!("got {got}\nwant {want}"))
    }
}

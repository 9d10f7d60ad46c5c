//! Patches of real kinds, held to what a real API server 1.34.2 made of them (`fixtures/cluster/patches.jsonl`).

use deploy_cluster_schema::decode::{Node, typed};
use deploy_cluster_schema::merge::Shape;
use deploy_cluster_schema::patch::{PatchError, json_patch, merge_patch, strategic};
use deploy_cluster_schema::registry::{GroupVersionKind, Registry};
use deploy_conformance::{Suite, repository};
use serde_json::Value;

const SUITE: &str = "cluster/patches";

#[test]
fn patches_do_what_a_real_server_does() {
    let registry = Registry::builtin();
    let mut suite = Suite::new(SUITE);
    let path = repository().join("fixtures/cluster/patches.jsonl");
    let text = std::fs::read_to_string(&path).unwrap_or_else(|e| panic!("{}: {e}", path.display()));
    for line in text.lines() {
        let row: Value = serde_json::from_str(line).expect("a row is JSON");
        suite.case(row["name"].as_str().expect("a row has a name"), || {
            check(&registry, &row)
        });
    }
    suite.finish();
}

fn check(registry: &Registry, row: &Value) -> Result<(), String> {
    let (live, patch) = (row["live"].clone(), row["patch"].clone());
    let text = |key: &str| live[key].as_str().unwrap_or_default().to_owned();
    let kind = GroupVersionKind::parse(&text("apiVersion"), &text("kind")).ok_or("the version is bad")?;
    let (schema, id) = registry.types(&kind).ok_or("the kind is unknown")?;
    let before = live.clone();
    let patched = match row["kind"].as_str() {
        Some("json") => json_patch(live, &patch),
        Some("merge") => merge_patch(live, patch),
        _ => strategic(Shape::new(schema, id), live, patch),
    };
    match (patched, row.get("status")) {
        (Ok(patched), None) => {
            let patched = typed(schema, id, Node::from(patched))?.value;
            let want = typed(schema, id, Node::from(row["object"].clone()))?.value;
            within(&patched, &want, "")?;
            kept(&patched, &want, &before, "")
        }
        (Err(error), Some(status)) => {
            let (code, message) = answer(&error);
            if status["code"] == code && status["message"] == message {
                return Ok(());
            }
            Err(format!("got {code} {message}\nwant {status}"))
        }
        (got, want) => Err(format!("got {got:?}\nwant {want:?}")),
    }
}

fn answer(error: &PatchError) -> (u16, String) {
    match error {
        PatchError::BadRequest(why) => (400, why.clone()),
        PatchError::TooLarge(why) => (413, why.clone()),
        PatchError::Unprocessable(_) => (
            422,
            "the server rejected our request due to an error in our request".to_owned(),
        ),
        PatchError::Failed(why) => (500, why.clone()),
    }
}

/// The server has set defaults besides; all else must be the same, lists item by item.
fn within(got: &Value, want: &Value, path: &str) -> Result<(), String> {
    match (got, want) {
        (Value::Object(got), Value::Object(want)) => got.iter().try_for_each(|(key, value)| {
            let path = format!("{path}.{key}");
            within(value, want.get(key).unwrap_or(&Value::Null), &path)
        }),
        (Value::Array(got), Value::Array(want)) if got.len() == want.len() => got
            .iter()
            .zip(want)
            .enumerate()
            .try_for_each(|(i, (l, r))| within(l, r, &format!("{path}[{i}]"))),
        _ if got == want => Ok(()),
        _ => Err(format!("{path}: got {got}\nwant {want}")),
    }
}

/// What the object had and the server kept is not lost. Lists are compared above.
fn kept(got: &Value, want: &Value, before: &Value, path: &str) -> Result<(), String> {
    let (Value::Object(want), Value::Object(before)) = (want, before) else {
        return Ok(());
    };
    want.iter()
        .try_for_each(|(key, want)| match (got.get(key), before.get(key)) {
            (None, Some(_)) => Err(format!("{path}.{key} is lost")),
            (Some(got), Some(before)) => kept(got, want, before, &format!("{path}.{key}")),
            _ => Ok(()),
        })
}

//! What a real API server (1.34.2) says of bodies, right and wrong, recorded in `fixtures/cluster/schema/decode.jsonl`:
//! each row is a body that was sent to be created with `dryRun=All&fieldValidation=Strict`, and the answer.

use deploy_cluster_schema::decode;
use deploy_cluster_schema::registry::{GroupVersionKind, Registry};
use deploy_conformance::{Suite, repository, rows};
use serde_json::Value;

#[test]
fn bodies_are_judged_as_upstream_does() {
    let mut suite = Suite::new("cluster/decode");
    let rows = rows(&repository(), "fixtures/cluster/schema/decode.jsonl");
    for (place, row) in rows.iter().enumerate() {
        suite.case(&format!("{:03} {}", place + 1, row["body"]), || judge(row));
    }
    suite.finish();
}

fn judge(row: &Value) -> Result<(), String> {
    let text = |name: &str| row[name].as_str().unwrap_or_default();
    let kind = GroupVersionKind::parse(text("apiVersion"), text("kind")).expect("a row has a kind");
    let expected = match row["code"].as_u64() {
        Some(400) => text("message"),
        _ => "",
    };
    let found = read(&kind, text("body")).err().unwrap_or_default();
    // After the error, upstream shows the beginning of a body that it could not read at all.
    let same = if expected.starts_with("the object provided is unrecognized") {
        expected.contains(&format!(": {found} ("))
    } else {
        expected == found
    };
    if same {
        Ok(())
    } else {
        Err(format!("expected {expected}\nfound    {found}"))
    }
}

fn read(kind: &GroupVersionKind, body: &str) -> Result<Value, String> {
    let registry = Registry::builtin();
    let (schema, r#type) = registry.types(kind).expect("the kind has a type");
    let node = decode::parse(body.as_bytes())
        .map_err(|e| format!("couldn't get version/kind; json parse error: {e}"))?;
    decode::type_meta(&node)?;
    let decoded =
        decode::typed(schema, r#type, node).map_err(|text| decode::cannot_be_handled(kind, &text))?;
    if decoded.strict.is_empty() {
        return Ok(decoded.value);
    }
    let findings = format!("strict decoding error: {}", decoded.strict.join(", "));
    Err(decode::cannot_be_handled(kind, &findings))
}

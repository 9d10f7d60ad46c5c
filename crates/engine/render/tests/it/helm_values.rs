//! `--set` and coalescing, against the rows that helm's own tests were turned into.

use deploy_conformance::{Suite, root, rows, skipped};
use deploy_render::helm::compat::Compat;
use deploy_render::helm::values::coalesce::{self, Nulls};
use deploy_render::helm::values::strvals::{self, Kind};
use serde_json::{Map, Value};

use crate::helm_rows::{chart, same};

fn map(value: &Value) -> Map<String, Value> {
    value.as_object().cloned().unwrap_or_default()
}

#[test]
fn strvals() {
    let Some(root) = root() else {
        return skipped("gotemplate/strvals");
    };
    let mut suite = Suite::new("gotemplate/strvals");
    for row in rows(&root, "gotemplate/strvals.jsonl") {
        let text = |key: &str| row[key].as_str().unwrap_or_default();
        suite.case(text("name"), || {
            let mut values = map(&row["dest"]);
            let outcome = match text("fn") {
                "Parse" | "ParseInto" => strvals::parse_into(text("input"), &mut values, Kind::Typed),
                "ParseString" | "ParseIntoString" => {
                    strvals::parse_into(text("input"), &mut values, Kind::Text)
                }
                "ParseJSON" => strvals::parse_into(text("input"), &mut values, Kind::Json),
                "ParseLiteral" | "ParseLiteralInto" => {
                    strvals::parse_literal_into(text("input"), &mut values)
                }
                other => return Err(format!("no such function: {other}")),
            };
            let error = outcome.err().map(|e| e.to_string());
            if error.as_deref() != row["error"].as_str() {
                return Err(format!("error {error:?}, want {}", row["error"]));
            }
            same(&Value::Object(values), &row["want"])
        });
    }
    suite.finish();
}

#[test]
fn values_coalesce() {
    let Some(root) = root() else {
        return skipped("gotemplate/values_coalesce");
    };
    let mut suite = Suite::new("gotemplate/values_coalesce");
    for row in rows(&root, "gotemplate/values_coalesce.jsonl") {
        let name = row["name"].as_str().expect("rows have names");
        suite.case(name, || {
            let mut warnings = Vec::new();
            let call = row["fn"].as_str().expect("rows have functions");
            let nulls = if call.starts_with("Merge") {
                Nulls::Merge
            } else {
                Nulls::Coalesce
            };
            let values = if call.ends_with("Values") {
                let user = map(&row["values"]);
                coalesce::values(&chart(&row["chart"]), &user, nulls, Compat::V4, &mut warnings)
                    .map_err(|e| e.to_string())?
            } else {
                let (dst, src) = (map(&row["dst"]), map(&row["src"]));
                coalesce::tables(&dst, &src, nulls, Compat::V4, &mut warnings)
            };
            same(&Value::Object(values), &row["want"])
        });
    }
    suite.finish();
}

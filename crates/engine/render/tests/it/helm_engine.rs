//! Helm's functions and its engine, against helm's own tests.

use std::collections::BTreeMap;

use deploy_conformance::{Suite, root, rows, skipped};
use deploy_render::helm::engine::{self, EngineOptions};
use deploy_render::inputs::Inputs;
use deploy_template::func::Host;
use deploy_template::value::Value as GoValue;
use serde_json::Value;

use crate::helm_rows;

/// A world that stands still.
pub struct StillHost;

impl Host for StillHost {
    fn now_unix_nanos(&self) -> i128 {
        0
    }

    fn time_zone(&self) -> &str {
        "UTC"
    }

    fn fill_random(&mut self, buffer: &mut [u8]) {
        buffer.fill(7);
    }

    fn env(&self, _: &str) -> Option<String> {
        None
    }
}

#[test]
fn functions() {
    const NAME: &str = "gotemplate/helm_funcs";
    let Some(root) = root() else {
        skipped(NAME);
        return;
    };
    let mut suite = Suite::new(NAME);
    for row in rows(&root, "gotemplate/helm_funcs.jsonl") {
        suite.case(row["name"].as_str().unwrap_or_default(), || function(&row));
    }
    suite.finish();
}

fn function(row: &Value) -> Result<(), String> {
    let text = row["template"].as_str().unwrap_or_default();
    let data = GoValue::from_json_integers(&row["vars"]);
    let output = engine::render_text("test", text, &data, &EngineOptions::default(), &mut StillHost);
    match (output, row["want"].as_str()) {
        (Ok(output), Some(want)) if output == want => Ok(()),
        (Ok(output), want) => Err(format!(" got {output:?}\nwant {want:?}")),
        (Err(_), None) => Ok(()),
        (Err(error), Some(_)) => Err(format!("refused: {error}")),
    }
}

#[test]
fn charts() {
    const NAME: &str = "gotemplate/helm_render";
    let Some(root) = root() else {
        skipped(NAME);
        return;
    };
    let mut suite = Suite::new(NAME);
    for row in rows(&root, "gotemplate/helm_render.jsonl") {
        suite.case(row["name"].as_str().unwrap_or_default(), || chart(&row));
    }
    suite.finish();
}

fn chart(row: &Value) -> Result<(), String> {
    let chart = helm_rows::chart(&row["chart"]);
    let GoValue::Map(top) = GoValue::from_json_integers(&row["render_values"]) else {
        return Err("render_values is no map".to_owned());
    };
    let options = EngineOptions {
        strict: row["strict"] == Value::Bool(true),
        lint: row["lint_mode"] == Value::Bool(true),
        ..EngineOptions::default()
    };
    let output = engine::render(&chart, &top, &options, &mut StillHost, &mut Inputs::default());
    match (output, row["error"].as_str()) {
        (Ok(output), None) => {
            let want: BTreeMap<String, String> =
                serde_json::from_value(row["want"].clone()).map_err(|e| e.to_string())?;
            if output.files == want {
                Ok(())
            } else {
                Err(format!(" got {:?}\nwant {want:?}", output.files))
            }
        }
        (Ok(output), Some(error)) => Err(format!(
            "accepted, gave {:?}, want the error {error}",
            output.files
        )),
        (Err(error), None) => Err(format!("refused: {error}")),
        (Err(error), Some(want)) => {
            // The tests of the origin look for a part of a long text only.
            let got = error.to_string();
            if got == want {
                Ok(())
            } else {
                Err(format!(" got {got}\nwant {want}"))
            }
        }
    }
}

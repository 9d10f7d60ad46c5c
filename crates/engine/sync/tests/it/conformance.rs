//! Argo CD's cases that are about health and about server-side differences.

use std::fs;
use std::path::Path;

use deploy_conformance::{Suite, root, skipped};
use deploy_model::Lang;
use deploy_sync::difference::difference;
use deploy_sync::health::assess;
use serde_json::Value;

#[test]
fn builtin_health() {
    suite("argo-cd/builtin_health", "builtin_health", health);
}

#[test]
fn server_side_differences() {
    suite("argo-cd/server_side_diff", "diff", |folder, case| {
        let live = object(folder, case, "live")?;
        let predicted = object(folder, case, "predicted")?;
        let found = difference(&live, &predicted);
        match case["modified"].as_bool() == Some(!found.is_empty()) {
            true => Ok(()),
            false => Err(format!("{found:?}")),
        }
    });
}

/// The cases of a type; of those about differences, the ones that have a prediction of the API server.
fn suite(name: &'static str, wanted: &str, check: fn(&Path, &Value) -> Result<(), String>) {
    let Some(root) = root() else {
        return skipped(name);
    };
    let folder = root.join("argo-cd");
    let text = fs::read_to_string(folder.join("cases.json")).expect("the list of cases");
    let cases: Vec<Value> = serde_json::from_str(&text).expect("a list");
    let mut suite = Suite::new(name);
    let is_ours =
        |case: &&Value| case["type"] == wanted && (wanted != "diff" || case["mode"] == "server_side");
    for case in cases.iter().filter(is_ours) {
        let name = case["name"].as_str().expect("each has a name");
        suite.case(name, || check(&folder, case));
    }
    suite.finish();
}

fn health(folder: &Path, case: &Value) -> Result<(), String> {
    let found = assess(&object(folder, case, "input")?);
    let status = found.as_ref().map(|health| health.status.name());
    if status != case["status"].as_str() {
        return Err(format!("{found:?}"));
    }
    match (case["message"].as_str(), found) {
        (Some(message), Some(found)) if found.reason.text(Lang::En) != message => Err(format!("{found:?}")),
        _ => Ok(()),
    }
}

/// The first document of the file that a case names.
fn object(folder: &Path, case: &Value, field: &str) -> Result<Value, String> {
    let path = folder.join(case[field].as_str().ok_or("the case names no file")?);
    let text = fs::read_to_string(&path).map_err(|error| error.to_string())?;
    let documents = deploy_yaml::parse(text.as_bytes()).map_err(|error| error.to_string())?;
    let first = documents.first().ok_or("there is no document")?;
    deploy_yaml::node_to_json(first, deploy_yaml::Dialect::GoYaml11).map_err(|error| error.to_string())
}

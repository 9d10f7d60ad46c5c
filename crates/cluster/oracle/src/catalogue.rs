//! The scenarios as they are written by hand: YAML with three short forms, expanded here.
//!
//! - `each: [{rows: [...], scenario: {...}}]`: one scenario for each row, with `${key}` replaced by the row's value.
//!   A request with `needs: key` is left out for rows without that key. In place of `scenario`, `template: NAME` takes
//!   it from `templates/NAME.yaml`.
//! - a request with `cases: {name: {/json/pointer: value}}`: one request for each case, its body changed at these
//!   places; the value `$drop` removes, `/-` appends.
//! - a request with `change: {/json/pointer: value}`: the same for one request, so that bodies can be YAML aliases.

use std::fs;
use std::path::Path;

use serde_json::{Map, Value};

use crate::recorded::{files, place};
use crate::request::{Scenario, Step};

/// A case's value that removes what is at its place.
const DROP: &str = "$drop";

/// Reads all scenarios below a folder whose `area/scenario` contains the filter; with a slash in the filter, the files
/// of other areas are not even read.
///
/// # Errors
///
/// The file, the scenario and what is wrong with it.
pub fn load(folder: &Path, filter: &str) -> Result<Vec<Scenario>, String> {
    let mut scenarios = Vec::new();
    for path in files(folder, "yaml")? {
        let fail = |e: String| format!("{}: {e}", path.display());
        if filter
            .split_once('/')
            .is_some_and(|(wanted, _)| wanted != place(folder, &path).0)
        {
            continue;
        }
        let tree = parsed(&path)?;
        let (area, file) = place(folder, &path);
        for scenario in written(folder, &tree).map_err(fail)? {
            scenarios.push(read(&area, &file, &scenario).map_err(fail)?);
        }
    }
    for (at, scenario) in scenarios.iter().enumerate() {
        if scenarios[..at]
            .iter()
            .any(|earlier| earlier.area == scenario.area && earlier.name == scenario.name)
        {
            return Err(format!(
                "two scenarios are named {}/{}",
                scenario.area, scenario.name
            ));
        }
    }
    scenarios.retain(|scenario| format!("{}/{}", scenario.area, scenario.name).contains(filter));
    Ok(scenarios)
}

fn parsed(path: &Path) -> Result<Value, String> {
    let text = fs::read(path).map_err(|e| format!("{}: {e}", path.display()))?;
    deploy_yaml::to_json(&text, deploy_yaml::Dialect::Core12).map_err(|e| format!("{}: {e}", path.display()))
}

/// The scenarios of a file after `each`.
fn written(folder: &Path, file: &Value) -> Result<Vec<Value>, String> {
    let mut scenarios = list(&file["scenarios"]).to_vec();
    for each in list(&file["each"]) {
        let template = match each["template"].as_str() {
            Some(name) => parsed(&folder.join("templates").join(format!("{name}.yaml")))?,
            None => each["scenario"].clone(),
        };
        for row in list(&each["rows"]) {
            let row = row.as_object().ok_or("a row must be an object")?;
            let mut scenario = template.clone();
            if let Some(requests) = scenario["requests"].as_array_mut() {
                requests.retain(|request| request["needs"].as_str().is_none_or(|key| row.contains_key(key)));
            }
            fill(&mut scenario, row);
            scenarios.push(scenario);
        }
    }
    Ok(scenarios)
}

fn list(value: &Value) -> &[Value] {
    value.as_array().map_or(&[], Vec::as_slice)
}

fn fill(value: &mut Value, row: &Map<String, Value>) {
    match value {
        Value::String(text) => {
            let whole = text.strip_prefix("${").and_then(|rest| rest.strip_suffix('}'));
            if let Some(found) = whole.and_then(|key| row.get(key)) {
                *value = found.clone();
                return;
            }
            for (key, found) in row {
                if let Some(found) = found.as_str() {
                    *text = text.replace(&format!("${{{key}}}"), found);
                }
            }
        }
        Value::Array(values) => values.iter_mut().for_each(|value| fill(value, row)),
        Value::Object(object) => object.values_mut().for_each(|value| fill(value, row)),
        _ => {}
    }
}

fn read(area: &str, file: &str, value: &Value) -> Result<Scenario, String> {
    let name = value["name"]
        .as_str()
        .ok_or("a scenario needs a name")?
        .to_owned();
    let mut scenario = Scenario {
        area: area.to_owned(),
        file: file.to_owned(),
        namespace: value["namespace"] != false,
        node: value["node"] == true,
        steps: Vec::new(),
        name,
    };
    for request in list(&value["requests"]) {
        for request in cases(request)? {
            let step = Step::from_json(&request).map_err(|e| format!("{}: {e}", scenario.name))?;
            if step.path.contains("${") || step.body.contains("${") {
                return Err(format!("{}/{}: the row lacks a key", scenario.name, step.name));
            }
            if scenario.steps.iter().any(|earlier| earlier.name == step.name) {
                return Err(format!("{}: two requests are named {}", scenario.name, step.name));
            }
            scenario.steps.push(step);
        }
    }
    Ok(scenario)
}

/// The requests that one with `cases` or `change` stands for.
fn cases(request: &Value) -> Result<Vec<Value>, String> {
    let mut plain = request
        .as_object()
        .cloned()
        .ok_or("a request must be an object")?;
    plain.remove("needs");
    if let Some(Value::Object(changes)) = plain.remove("change") {
        change(plain.entry("body").or_insert(Value::Null), &changes)?;
    }
    let Some(Value::Object(cases)) = plain.remove("cases") else {
        return Ok(vec![Value::Object(plain)]);
    };
    let prefix = plain
        .get("name")
        .and_then(Value::as_str)
        .map(|name| format!("{name}-"))
        .unwrap_or_default();
    let mut requests = Vec::new();
    for (name, changes) in cases {
        let mut request = plain.clone();
        request.insert("name".to_owned(), Value::String(format!("{prefix}{name}")));
        let changes = changes
            .as_object()
            .ok_or_else(|| format!("case {name} must be an object"))?;
        change(request.entry("body").or_insert(Value::Null), changes)?;
        requests.push(Value::Object(request));
    }
    Ok(requests)
}

fn change(body: &mut Value, changes: &Map<String, Value>) -> Result<(), String> {
    for (pointer, value) in changes {
        let mut parts: Vec<String> = pointer
            .split('/')
            .skip(1)
            .map(|part| part.replace("~1", "/").replace("~0", "~"))
            .collect();
        let last = parts
            .pop()
            .ok_or_else(|| format!("{pointer} is no JSON pointer"))?;
        let mut at = &mut *body;
        for part in parts {
            at = member(at, &part).ok_or_else(|| format!("{pointer}: nothing at {part}"))?;
        }
        match at {
            Value::Array(values) if last == "-" => values.push(value.clone()),
            Value::Array(values) if value == DROP => drop(values.remove(index(&last)?)),
            Value::Array(values) => {
                *values
                    .get_mut(index(&last)?)
                    .ok_or_else(|| format!("{pointer}: the list is shorter"))? = value.clone();
            }
            other => {
                if !other.is_object() {
                    *other = Value::Object(Map::new());
                }
                let object = other.as_object_mut().expect("it was made an object");
                if value == DROP {
                    object
                        .remove(&last)
                        .ok_or_else(|| format!("{pointer}: nothing to drop"))?;
                } else {
                    object.insert(last, value.clone());
                }
            }
        }
    }
    Ok(())
}

fn index(part: &str) -> Result<usize, String> {
    part.parse().map_err(|_| format!("{part} is no place in a list"))
}

fn member<'a>(value: &'a mut Value, part: &str) -> Option<&'a mut Value> {
    if let Value::Array(values) = value {
        return values.get_mut(part.parse::<usize>().ok()?);
    }
    if value.is_null() {
        *value = Value::Object(Map::new());
    }
    Some(value.as_object_mut()?.entry(part).or_insert(Value::Null))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn cases_change_the_body() {
        let request = json!({
            "name": "make", "do": "POST /x", "body": {"a": {"b": 1}, "l": [1]},
            "cases": {"drop": {"/a/b": "$drop"}, "add": {"/l/-": 2, "/n/m": true}},
        });
        let found = cases(&request).expect("the request is right");
        let shown: Vec<(&Value, &Value)> = found.iter().map(|r| (&r["name"], &r["body"])).collect();
        assert_eq!(
            shown,
            [
                (
                    &json!("make-add"),
                    &json!({"a": {"b": 1}, "l": [1, 2], "n": {"m": true}})
                ),
                (&json!("make-drop"), &json!({"a": {}, "l": [1]})),
            ]
        );
    }

    #[test]
    fn a_case_that_drops_nothing_is_an_error() {
        let request = json!({"do": "POST /x", "body": {}, "cases": {"c": {"/a": "$drop"}}});
        assert_eq!(cases(&request), Err("/a: nothing to drop".to_owned()));
    }

    #[test]
    fn every_written_scenario_is_recorded() {
        let written = load(&crate::folder(), "").expect("the catalogue is part of the repository");
        let recorded = crate::Recorded::load(&crate::folder(), "").expect("so is the recording");
        for scenario in &written {
            let found = recorded
                .scenarios
                .iter()
                .find(|r| r.area == scenario.area && r.name == scenario.name);
            let found =
                found.unwrap_or_else(|| panic!("{}/{} is not recorded", scenario.area, scenario.name));
            let names = |steps: &[Step]| steps.iter().map(|step| step.to_json()).collect::<Vec<Value>>();
            assert_eq!(
                names(&found.scenario().steps),
                names(&scenario.steps),
                "{}",
                scenario.name
            );
        }
        assert_eq!(
            written.len(),
            recorded.scenarios.len(),
            "the recording has scenarios that no one wrote"
        );
    }
}

//! Server-side apply, held to the origin's own cases (`structured-merge/apply.jsonl`).

use std::collections::BTreeMap;

use deploy_cluster_schema::apply::{
    Conflicts, Filter, Manager, Managers, Operation, UpdateError, Updater, Versions,
};
use deploy_cluster_schema::fields::{Set, equal, path_text};
use deploy_cluster_schema::merge::{Duplicates, Shape};
use deploy_conformance::{Suite, root, rows, skipped};
use serde_json::Value;

use crate::smd_schema::{Schemas, yaml};

const SUITE: &str = "structured-merge/apply";

#[test]
fn objects_are_applied_as_upstream_does() {
    let Some(root) = root() else {
        return skipped(SUITE);
    };
    let folder = root.join("structured-merge");
    let mut schemas = Schemas::new(&folder);
    let mut suite = Suite::new(SUITE);
    for row in rows(&folder, "apply.jsonl") {
        // A filter that is code and not data cannot be had from the row.
        if row.get("unsupported").is_some() {
            continue;
        }
        suite.case(row["name"].as_str().expect("a row has a name"), || {
            let outcome = run(&row, &mut schemas);
            match (outcome, row["error"].as_str()) {
                (Err(why), None) => Err(why),
                (Err(why), Some(want)) if want.ends_with(&why) => Ok(()),
                (got, Some(want)) => Err(format!("wanted the error {want}, got {got:?}")),
                (Ok(state), None) => state.check(&row),
            }
        });
    }
    suite.finish();
}

/// The versions of a row, and how its objects are converted.
struct RowVersions<'s> {
    /// By version; a version that is not listed has the first type.
    shapes: BTreeMap<String, Shape<'s>>,
    converter: String,
}

impl Versions for RowVersions<'_> {
    fn shape(&self, api_version: &str) -> Option<Shape<'_>> {
        let shape = self
            .shapes
            .get(api_version)
            .or_else(|| self.shapes.values().next());
        shape.copied()
    }

    fn convert(&self, object: &Value, _: &str, to: &str) -> Result<Value, String> {
        match self.converter.as_str() {
            "merge_test.repeatingConverter" => Ok(repeat(object, to)),
            "merge_test.reliantFieldsConverter" => rename(object, to),
            _ => Ok(object.clone()),
        }
    }
}

/// Below the root, `v3` writes each key as its first letter, three times.
fn repeat(object: &Value, version: &str) -> Value {
    let times = version
        .trim_start_matches('v')
        .parse()
        .expect("a version is a number");
    let root = object.as_object().into_iter().flatten();
    root.map(|(key, value)| (key.clone(), repeat_keys(value, times)))
        .collect()
}

fn repeat_keys(value: &Value, times: usize) -> Value {
    let Some(map) = value.as_object() else {
        return Value::Null;
    };
    map.iter()
        .map(|(key, value)| (key[..1].repeat(times), repeat_keys(value, times)))
        .collect()
}

/// A field that `v1` has by another name, and without which it cannot be.
fn rename(object: &Value, version: &str) -> Result<Value, String> {
    let (old, new) = ("required_field_bar", "field_foo_rely_on_bar");
    let (from, to) = if version == "v1" { (old, new) } else { (new, old) };
    let map = object.as_object().cloned().unwrap_or_default();
    if version == "v1" && !map.contains_key(from) {
        return Err("missing required field bar".to_owned());
    }
    Ok(map
        .into_iter()
        .map(|(key, value)| (if key == from { to.to_owned() } else { key }, value))
        .collect())
}

#[derive(Debug)]
struct State {
    live: Value,
    /// The version of the object; empty before the first operation.
    version: String,
    managers: Managers,
}

fn run(row: &Value, schemas: &mut Schemas<'_>) -> Result<State, String> {
    let types = row["types"].as_object().expect("a row has types");
    let mut schema: Option<String> = None;
    let mut state = State {
        live: Value::Null,
        version: String::new(),
        managers: Managers::new(),
    };
    let filters: BTreeMap<String, Filter> = row["ignored_fields"]
        .as_object()
        .into_iter()
        .flatten()
        .map(|(version, fields)| {
            let fields = Set::parse(fields.as_str().unwrap_or_default()).expect("ignored fields are a set");
            (version.clone(), Filter::Exclude(fields))
        })
        .collect();
    for op in row["ops"].as_array().into_iter().flatten() {
        if text(op, "op") == "change_schema" {
            schema = Some(text(op, "schema").to_owned());
            continue;
        }
        // A row has one schema at a time.
        let first = types.values().next().expect("a row has a type");
        let read = schemas.get(schema.as_deref().unwrap_or(text(first, "schema")));
        let mut shapes = BTreeMap::new();
        for (version, r#type) in types {
            let id = read
                .find(text(r#type, "type"))
                .ok_or("the type is not in the schema")?;
            shapes.insert(version.clone(), Shape::new(read, id));
        }
        let versions = RowVersions {
            shapes,
            converter: text(row, "converter").to_owned(),
        };
        let updater = Updater {
            versions: &versions,
            filters: &filters,
        };
        state.step(&updater, op)?;
    }
    Ok(state)
}

impl State {
    fn step(&mut self, updater: &Updater<'_>, op: &Value) -> Result<(), String> {
        let (kind, version) = (text(op, "op"), text(op, "api_version"));
        let shape = updater.versions.shape(version).ok_or("the version has no type")?;
        if !self.version.is_empty() && self.version != version {
            self.live = updater.versions.convert(&self.live, &self.version, version)?;
        }
        version.clone_into(&mut self.version);
        let duplicates = if kind == "update" {
            Duplicates::Allowed
        } else {
            Duplicates::Refused
        };
        let object = yaml(text(op, "object"))?;
        shape.validate(&object, duplicates).map_err(|e| e.to_string())?;
        let manager = manager(text(op, "manager"));
        match kind {
            "apply" => {
                let conflicts = self.apply(updater, &object, op, &manager, false)?;
                same_conflicts(&conflicts, &op["conflicts"])
            }
            "force_apply" => self.apply(updater, &object, op, &manager, true).map(|_| ()),
            "extract_apply" => {
                let fields = self
                    .managers
                    .get(&manager)
                    .map(|owned| owned.fields.clone().leaves());
                let extracted = shape.extract_without_keys(&self.live, &fields.unwrap_or_default());
                let object = shape.merge(&extracted, &object).map_err(|e| e.to_string())?;
                self.apply(updater, &object, op, &manager, true).map(|_| ())
            }
            "update" => {
                let managers = std::mem::take(&mut self.managers);
                self.managers = updater
                    .update(&self.live, &object, text(op, "api_version"), managers, &manager)
                    .map_err(|e| e.to_string())?;
                self.live = object;
                Ok(())
            }
            other => Err(format!("no such operation: {other}")),
        }
    }

    fn apply(
        &mut self,
        updater: &Updater<'_>,
        object: &Value,
        op: &Value,
        manager: &Manager,
        force: bool,
    ) -> Result<Conflicts, String> {
        let managers = self.managers.clone();
        match updater.apply(
            &self.live,
            object,
            text(op, "api_version"),
            managers,
            manager,
            force,
        ) {
            Ok(applied) => {
                self.managers = applied.managers;
                self.live = applied.object;
                Ok(Conflicts(Vec::new()))
            }
            Err(UpdateError::Conflicts(conflicts)) => Ok(conflicts),
            Err(other) => Err(other.to_string()),
        }
    }

    fn check(&self, row: &Value) -> Result<(), String> {
        for (key, parse) in [
            ("want_object", yaml as fn(&str) -> _),
            ("actual_object", |text: &str| {
                serde_json::from_str(text).map_err(|e| e.to_string())
            }),
        ] {
            let Some(want) = row[key].as_str() else {
                continue;
            };
            let want = parse(want)?;
            if !equal(&self.live, &want) {
                return Err(format!("got {}\n{key} {want}", self.live));
            }
        }
        let want = row["actual_managed"].as_object().expect("a row has managers");
        let names: Vec<&str> = self
            .managers
            .keys()
            .map(|manager| manager.name.as_str())
            .collect();
        if !names.iter().eq(want.keys()) {
            return Err(format!("got the managers {names:?}, want {:?}", want.keys()));
        }
        for (manager, owned) in &self.managers {
            let want = &want[&manager.name];
            let got = (
                owned.fields.to_text(),
                owned.api_version.as_str(),
                Some(owned.applied),
            );
            let want = (
                text(want, "fields").to_owned(),
                text(want, "api_version"),
                want["applied"].as_bool(),
            );
            if got != want {
                return Err(format!("{}: got {got:?}\nwant {want:?}", manager.name));
            }
        }
        Ok(())
    }
}

fn same_conflicts(got: &Conflicts, want: &Value) -> Result<(), String> {
    let got = got
        .0
        .iter()
        .map(|conflict| (conflict.manager.name.clone(), path_text(&conflict.path)));
    let want = want.as_array().into_iter().flatten();
    let want = want.map(|conflict| {
        (
            text(conflict, "manager").to_owned(),
            text(conflict, "path").to_owned(),
        )
    });
    let (mut got, mut want): (Vec<_>, Vec<_>) = (got.collect(), want.collect());
    got.sort();
    want.sort();
    if got == want {
        Ok(())
    } else {
        Err(format!("got the conflicts {got:?}\nwant {want:?}"))
    }
}

fn manager(name: &str) -> Manager {
    Manager {
        name: name.to_owned(),
        operation: Operation::Update,
        api_version: String::new(),
        subresource: String::new(),
    }
}

fn text<'r>(row: &'r Value, key: &str) -> &'r str {
    row[key].as_str().unwrap_or_default()
}

//! What differs between an object that is and the one that it would become, and whose fields these are.
//!
//! What it would become is the answer of the API server to a dry run of the server-side apply that a sync would make: so
//! defaults, conversions and webhooks are in it, and equal means equal.

use std::fmt;

use serde_json::{Map, Value};

use crate::limits::CHANGES_TOLD;

/// One step on the way to a field.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Step {
    /// A field of an object.
    Field(String),
    /// The element of a list whose fields of these names have these values: `name=web`.
    Element(Vec<(String, String)>),
    /// A place in a list without keys.
    Index(usize),
}

/// The way to a field, from the object's root.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Default)]
pub struct Path(pub Vec<Step>);

/// `.spec.template.spec.containers[name=web].image`.
impl fmt::Display for Path {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for step in &self.0 {
            match step {
                Step::Field(name) if is_word(name) => write!(f, ".{name}")?,
                Step::Field(name) => write!(f, "[{name:?}]")?,
                Step::Index(at) => write!(f, "[{at}]")?,
                Step::Element(keys) => {
                    let keys: Vec<String> = keys
                        .iter()
                        .map(|(name, value)| format!("{name}={value}"))
                        .collect();
                    write!(f, "[{}]", keys.join(","))?;
                }
            }
        }
        Ok(())
    }
}

fn is_word(name: &str) -> bool {
    !name.is_empty()
        && name
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || byte == b'_' || byte == b'-')
}

/// One field that would change.
#[derive(Clone, Debug, PartialEq)]
pub struct Change {
    /// Where.
    pub path: Path,
    /// `None`: it is not there now.
    pub before: Option<Value>,
    /// `None`: it would go.
    pub after: Option<Value>,
    /// The field managers that own it now, with the last one to write first.
    pub managers: Vec<String>,
}

/// All that would change, up to a bound.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Difference {
    /// In the order of the live object.
    pub changes: Vec<Change>,
    /// Changes beyond the bound, which are not listed.
    pub more: usize,
}

impl Difference {
    /// Whether nothing would change.
    pub fn is_empty(&self) -> bool {
        self.changes.is_empty()
    }
}

/// Compares an object with what it would become. Status, and what the API server keeps for itself, are no difference.
pub fn difference(live: &Value, predicted: &Value) -> Difference {
    let mut walk = Walk {
        owners: owners(live),
        found: Difference::default(),
        path: Path::default(),
    };
    let keys: Vec<&Value> = managed_fields(predicted)
        .chain(managed_fields(live))
        .map(|entry| &entry["fieldsV1"])
        .collect();
    walk.values(&comparable(live), &comparable(predicted), &keys);
    walk.found
}

/// An object without what nobody says in a manifest.
fn comparable(object: &Value) -> Value {
    const KEPT_BY_SERVER: &[&str] = &[
        "managedFields",
        "resourceVersion",
        "generation",
        "uid",
        "creationTimestamp",
        "selfLink",
    ];
    let mut plain = object.clone();
    if let Some(fields) = plain.as_object_mut() {
        fields.remove("status");
    }
    if let Some(metadata) = plain["metadata"].as_object_mut() {
        metadata.retain(|name, _| !KEPT_BY_SERVER.contains(&name.as_str()));
    }
    plain
}

fn managed_fields(object: &Value) -> impl Iterator<Item = &Value> {
    object["metadata"]["managedFields"]
        .as_array()
        .into_iter()
        .flatten()
}

/// A manager and its fields, with the last one to write first.
fn owners(live: &Value) -> Vec<(&str, &Value)> {
    let mut entries: Vec<&Value> = managed_fields(live).collect();
    // Times of RFC 3339 in UTC, with whole seconds: their order is that of their texts.
    entries.sort_by_key(|entry| std::cmp::Reverse(entry["time"].as_str().unwrap_or_default()));
    entries
        .into_iter()
        .map(|entry| (entry["manager"].as_str().unwrap_or_default(), &entry["fieldsV1"]))
        .collect()
}

struct Walk<'a> {
    owners: Vec<(&'a str, &'a Value)>,
    found: Difference,
    path: Path,
}

impl Walk<'_> {
    /// `sets` are the places of managed fields that belong to these values; they tell which lists have keys.
    fn values(&mut self, live: &Value, predicted: &Value, sets: &[&Value]) {
        match (live, predicted) {
            (Value::Object(live), Value::Object(predicted)) => self.objects(live, predicted, sets),
            (Value::Array(live), Value::Array(predicted)) => self.lists(live, predicted, sets),
            (live, predicted) if live != predicted => self.change(Some(live), Some(predicted)),
            _ => {}
        }
    }

    fn objects(&mut self, live: &Map<String, Value>, predicted: &Map<String, Value>, sets: &[&Value]) {
        for (name, before) in live {
            self.path.0.push(Step::Field(name.clone()));
            match predicted.get(name) {
                Some(after) => self.values(before, after, &within(sets, &format!("f:{name}"))),
                None => self.change(Some(before), None),
            }
            self.path.0.pop();
        }
        for (name, after) in predicted.iter().filter(|(name, _)| !live.contains_key(*name)) {
            self.path.0.push(Step::Field(name.clone()));
            self.change(None, Some(after));
            self.path.0.pop();
        }
    }

    fn lists(&mut self, live: &[Value], predicted: &[Value], sets: &[&Value]) {
        let Some(names) = key_names(sets) else {
            return self.positions(live, predicted);
        };
        for before in live {
            let key = key_of(before, &names);
            let after = predicted.iter().find(|after| key_of(after, &names) == key);
            let inner = within(sets, &key_text(before, &names));
            self.path.0.push(Step::Element(key));
            match after {
                Some(after) => self.values(before, after, &inner),
                None => self.change(Some(before), None),
            }
            self.path.0.pop();
        }
        for after in predicted {
            let key = key_of(after, &names);
            if live.iter().all(|before| key_of(before, &names) != key) {
                self.path.0.push(Step::Element(key));
                self.change(None, Some(after));
                self.path.0.pop();
            }
        }
    }

    /// A list without keys is compared place by place, and is a change as a whole where its length differs.
    fn positions(&mut self, live: &[Value], predicted: &[Value]) {
        if live.len() != predicted.len() {
            return self.change(Some(&Value::from(live)), Some(&Value::from(predicted)));
        }
        for (at, (before, after)) in live.iter().zip(predicted).enumerate() {
            self.path.0.push(Step::Index(at));
            self.values(before, after, &[]);
            self.path.0.pop();
        }
    }

    fn change(&mut self, before: Option<&Value>, after: Option<&Value>) {
        if self.found.changes.len() == CHANGES_TOLD {
            self.found.more += 1;
            return;
        }
        let managers = self
            .owners
            .iter()
            .filter(|(_, fields)| owns(fields, &self.path.0))
            .map(|(manager, _)| (*manager).to_owned())
            .collect();
        self.found.changes.push(Change {
            path: self.path.clone(),
            before: before.cloned(),
            after: after.cloned(),
            managers,
        });
    }
}

fn within<'a>(sets: &[&'a Value], name: &str) -> Vec<&'a Value> {
    sets.iter().filter_map(|set| set.get(name)).collect()
}

/// The names of the fields that are the key of a list, as some manager's fields tell: `k:{"name":"web"}`.
fn key_names(sets: &[&Value]) -> Option<Vec<String>> {
    let keys = sets
        .iter()
        .filter_map(|set| set.as_object())
        .flat_map(|set| set.keys());
    let key = keys.into_iter().find_map(|key| key.strip_prefix("k:"))?;
    let fields: Map<String, Value> = serde_json::from_str(key).ok()?;
    Some(fields.into_iter().map(|(name, _)| name).collect())
}

fn key_of(element: &Value, names: &[String]) -> Vec<(String, String)> {
    let text = |value: &Value| value.as_str().map_or_else(|| value.to_string(), str::to_owned);
    names
        .iter()
        .filter_map(|name| Some((name.clone(), text(element.get(name)?))))
        .collect()
}

/// As managed fields write the key of an element: compact, with its names in order.
fn key_text(element: &Value, names: &[String]) -> String {
    let key: Map<String, Value> = names
        .iter()
        .filter_map(|name| Some((name.clone(), element.get(name)?.clone())))
        .collect();
    format!("k:{}", Value::Object(key))
}

/// Whether these managed fields reach the field, or something in it.
fn owns(fields: &Value, path: &[Step]) -> bool {
    let mut at = fields;
    for (depth, step) in path.iter().enumerate() {
        let next = match step {
            Step::Field(name) => at.get(format!("f:{name}")),
            Step::Element(key) => element(at, key),
            // Lists without keys are owned as a whole.
            Step::Index(_) => None,
        };
        match next {
            Some(next) => at = next,
            // An owner of a whole (an atomic list or map) owns all that is in it.
            None => return depth > 0 && at.as_object().is_some_and(Map::is_empty),
        }
    }
    true
}

fn element<'a>(fields: &'a Value, key: &[(String, String)]) -> Option<&'a Value> {
    let found = fields.as_object()?.iter().find(|(name, _)| {
        let Some(text) = name.strip_prefix("k:") else {
            return false;
        };
        let Ok(Value::Object(named)) = serde_json::from_str(text) else {
            return false;
        };
        let names: Vec<String> = named.keys().cloned().collect();
        key_of(&Value::Object(named), &names) == key
    });
    found.map(|(_, inner)| inner)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn deployment(replicas: i64, image: &str) -> Value {
        json!({
            "kind": "Deployment",
            "metadata": { "name": "shop", "generation": replicas, "managedFields": [
                { "manager": "deploy", "time": "2026-01-01T00:00:00Z", "fieldsV1": { "f:spec": { "f:replicas": {},
                    "f:template": { "f:spec": { "f:containers": { "k:{\"name\":\"web\"}": { ".": {}, "f:image": {}, "f:args": {} } } } } } } },
                { "manager": "kubectl-edit", "time": "2026-01-02T00:00:00Z", "fieldsV1": { "f:spec": { "f:replicas": {} } } },
            ] },
            "spec": { "replicas": replicas, "template": { "spec": { "containers": [
                { "name": "side", "image": "side:1" }, { "name": "web", "image": image, "args": ["a", "b"] } ] } } },
            "status": { "replicas": replicas },
        })
    }

    #[test]
    fn what_the_server_keeps_for_itself_is_no_difference() {
        let (mut before, mut after) = (deployment(2, "web:1"), deployment(2, "web:1"));
        before["metadata"]["resourceVersion"] = json!("7");
        after["metadata"]["uid"] = json!("u");
        after["status"]["replicas"] = json!(9);
        assert!(difference(&before, &after).is_empty());
    }

    #[test]
    fn a_change_names_its_field_and_who_wrote_it_last() {
        let found = difference(&deployment(5, "web:1"), &deployment(2, "web:2"));
        let told: Vec<(String, Vec<String>)> = found
            .changes
            .iter()
            .map(|change| (change.path.to_string(), change.managers.clone()))
            .collect();
        let names = |list: &[&str]| list.iter().map(|name| (*name).to_owned()).collect::<Vec<_>>();
        assert_eq!(
            told,
            [
                (".spec.replicas".to_owned(), names(&["kubectl-edit", "deploy"])),
                (
                    ".spec.template.spec.containers[name=web].image".to_owned(),
                    names(&["deploy"])
                ),
            ]
        );
    }

    #[test]
    fn elements_with_a_key_are_compared_with_their_like() {
        let (before, mut after) = (deployment(2, "web:1"), deployment(2, "web:1"));
        let list = after["spec"]["template"]["spec"]["containers"]
            .as_array_mut()
            .expect("a list");
        list.reverse();
        list.push(json!({"name": "more"}));
        list[0]["args"][1] = json!("c");
        let found = difference(&before, &after);
        let told: Vec<String> = found
            .changes
            .iter()
            .map(|change| change.path.to_string())
            .collect();
        assert_eq!(
            told,
            [
                ".spec.template.spec.containers[name=web].args[1]",
                ".spec.template.spec.containers[name=more]"
            ]
        );
        // The owner of the whole list owns its elements.
        assert_eq!(found.changes[0].managers, ["deploy"]);
        assert!(found.changes[1].managers.is_empty());
    }

    #[test]
    fn what_is_too_much_is_counted() {
        let many = |value: i64| json!({"data": (0..CHANGES_TOLD + 5).map(|at| (format!("k{at}"), json!(value))).collect::<Map<_, _>>()});
        let found = difference(&many(1), &many(2));
        assert_eq!((found.changes.len(), found.more), (CHANGES_TOLD, 5));
    }
}

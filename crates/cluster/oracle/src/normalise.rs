//! Replaces what differs from run to run by markers, over all answers of one scenario at once.
//!
//! | in an answer | marker |
//! |---|---|
//! | uid of an object | `{uid:NAME}`; of a second object of that name `{uid:NAME#2}`; of a dry run `{uid:dry}` |
//! | resourceVersion of an object | `{rv:N}`: N-th, in order, of those seen of this object; of a list `{rv}` |
//! | time | `{time}` |
//! | generated name | the prefix and `{generated}` |
//! | hash of a pod template | `{hash:N}`, by first appearance |
//! | allocated cluster IP, node port | `{clusterIP}`, `{nodePort}` |
//! | continue token, the token of a service account | `{continue}`, its claims |
//!
//! What a request of the scenario contains in clear (a uid, a time, a port) stays.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::LazyLock;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use regex::{Captures, Regex};
use serde_json::{Map, Value, json};

use crate::request::Answer;

static UUID: LazyLock<Regex> =
    LazyLock::new(|| regex(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}"));
static TIME: LazyLock<Regex> = LazyLock::new(|| {
    regex(r"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}(\.[0-9]+)?(Z|[+-][0-9]{2}:[0-9]{2})")
});
/// `0x0` is how upstream prints an empty revision.
static REVISION: LazyLock<Regex> =
    LazyLock::new(|| regex(r"(?i)(resource ?version[^0-9{]{0,24}|current: |\()([0-9]+x?)"));
static CLUSTER_IP: LazyLock<Regex> = LazyLock::new(|| regex(r"(?-u:\b)10\.[0-9]+\.[0-9]+\.[0-9]+(?-u:\b)"));
static NODE_PORT: LazyLock<Regex> = LazyLock::new(|| regex(r":3[0-2][0-9]{3}/"));
static TOKEN_VOLUME: LazyLock<Regex> = LazyLock::new(|| regex(r"kube-api-access-[a-z0-9]{5}"));
static AGE: LazyLock<Regex> =
    LazyLock::new(|| regex(r"^([0-9]+[smhdy])+( ago)?( \(x[0-9]+ over [0-9smhdy]+\))?$"));

fn regex(pattern: &str) -> Regex {
    Regex::new(pattern).expect("the pattern is a constant")
}

/// The headers that are compared.
const HEADERS: &[&str] = &[
    "content-type",
    "warning",
    "allow",
    "retry-after",
    "www-authenticate",
    "location",
];
/// Columns whose cells grow with time.
const AGE_COLUMNS: &[&str] = &[
    "Age",
    "Last Seen",
    "First Seen",
    "Duration",
    "Last Schedule",
    "Created At",
];
/// Fields of `/version` that name a build.
const BUILD_FIELDS: &[&str] = &[
    "gitCommit",
    "gitTreeState",
    "buildDate",
    "goVersion",
    "compiler",
    "platform",
];

/// The beginning of a message that ends with a difference of Go structures.
const POD_UPDATE: &str = "pod updates may not change fields";

/// How Go writes a layout of times; error texts show it.
const GO_LAYOUT: &str = "2006-01-02T15:04:05";

/// How many characters `generateName` adds.
const SUFFIX: usize = 5;
/// Labels whose value is a hash of a Go structure, or ends with one.
const HASH_LABELS: &[&str] = &[
    "pod-template-hash",
    "controller-revision-hash",
    "controller.kubernetes.io/hash",
];

/// What is known of one scenario's run.
pub struct Normaliser {
    /// Everything that the requests contain, before variables were put in.
    sent: String,
    /// Values that the run put into requests, with the variable's name: `ons-ab12`, `{ns}`.
    variables: Vec<(String, String)>,
    names: BTreeMap<String, String>,
    used_names: BTreeMap<String, usize>,
    revisions: BTreeMap<String, BTreeSet<u64>>,
    /// Names with a part that depends on the run, and what is shown for them.
    generated: Vec<(String, String)>,
    /// Each `generateName` that was used.
    prefixes: BTreeSet<String>,
}

impl Normaliser {
    /// Looks through all answers of a run, in order, each with whether it was a dry run: objects that were only made to
    /// be shown are not counted, so that one more or less does not change what follows.
    pub fn new(sent: String, variables: Vec<(String, String)>, answers: &[(bool, &Answer)]) -> Normaliser {
        let mut this = Normaliser {
            sent,
            variables,
            names: BTreeMap::new(),
            used_names: BTreeMap::new(),
            revisions: BTreeMap::new(),
            generated: Vec::new(),
            prefixes: BTreeSet::new(),
        };
        for (dry, answer) in answers {
            for tree in trees(answer) {
                this.learn(&tree, *dry);
            }
        }
        // The longest first: one generated name may be the beginning of another.
        this.generated
            .sort_by_key(|(name, _)| std::cmp::Reverse(name.len()));
        this
    }

    fn learn(&mut self, value: &Value, dry: bool) {
        match value {
            Value::Object(object) => {
                if let Some(metadata) = object.get("metadata").and_then(Value::as_object) {
                    self.learn_object(metadata, dry);
                }
                object.values().for_each(|value| self.learn(value, dry));
            }
            Value::Array(values) => values.iter().for_each(|value| self.learn(value, dry)),
            _ => {}
        }
    }

    fn learn_object(&mut self, metadata: &Map<String, Value>, dry: bool) {
        let text = |key: &str| metadata.get(key).and_then(Value::as_str).unwrap_or_default();
        let (name, uid, prefix) = (text("name"), text("uid"), text("generateName"));
        if !prefix.is_empty() && name.len() == prefix.len() + SUFFIX && name.starts_with(prefix) {
            self.prefixes.insert(prefix.to_owned());
        }
        self.learn_hashes(metadata);
        if uid.is_empty() || self.sent.contains(uid) {
            return;
        }
        if dry && !self.names.contains_key(uid) {
            self.names.insert(uid.to_owned(), "{uid:dry}".to_owned());
        } else if !self.names.contains_key(uid) {
            let mut shown = if prefix.is_empty() { name } else { prefix }.to_owned();
            for (value, variable) in &self.variables {
                shown = shown.replace(value.as_str(), variable);
            }
            let count = self.used_names.entry(shown.clone()).or_default();
            *count += 1;
            let marker = if *count == 1 {
                format!("{{uid:{shown}}}")
            } else {
                format!("{{uid:{shown}#{count}}}")
            };
            self.names.insert(uid.to_owned(), marker);
        }
        if let Ok(revision) = text("resourceVersion").parse() {
            self.revisions.entry(uid.to_owned()).or_default().insert(revision);
        }
    }

    /// Names that controllers derive from hashes and times.
    fn learn_hashes(&mut self, metadata: &Map<String, Value>) {
        let label = |key: &str| metadata.get("labels").and_then(|labels| labels[key].as_str());
        for value in HASH_LABELS.iter().filter_map(|key| label(key)) {
            let hash = value.rsplit('-').next().unwrap_or_default().to_owned();
            if !self.sent.contains(&hash) && !self.generated.iter().any(|(known, _)| *known == hash) {
                let hashes = self
                    .generated
                    .iter()
                    .filter(|(_, marker)| marker.starts_with("{hash"));
                let marker = format!("{{hash:{}}}", hashes.count() + 1);
                self.generated.push((hash, marker));
            }
        }
        let name = metadata.get("name").and_then(Value::as_str).unwrap_or_default();
        let mut owners = metadata
            .get("ownerReferences")
            .and_then(Value::as_array)
            .into_iter()
            .flatten();
        if let Some((base, _)) = name.rsplit_once('-')
            && owners.any(|owner| owner["kind"] == "CronJob")
            && !self.generated.iter().any(|(known, _)| known == name)
        {
            self.generated
                .push((name.to_owned(), format!("{base}-{{minutes}}")));
        }
    }

    /// The comparable form of one answer: `{"status", "headers", "body"}`, the body as a tree where it is JSON or YAML,
    /// a list of trees where it is a watch, and text otherwise.
    pub fn answer(&self, answer: &Answer, lines: Option<usize>) -> Value {
        let mut headers = Map::new();
        for name in HEADERS {
            let mut lines = answer.headers.iter().filter(|(present, _)| present == name);
            if let Some((_, first)) = lines.next() {
                let rest: Vec<&str> = lines.map(|(_, line)| line.as_str()).collect();
                let joined = [&[first.as_str()], &rest[..]].concat().join("\n");
                headers.insert((*name).to_owned(), json!(self.text(&joined)));
            }
        }
        let mut bodies: Vec<Value> = trees(answer);
        bodies.truncate(lines.unwrap_or(usize::MAX));
        let watch = lines.is_some();
        for body in &mut bodies {
            self.mark(body);
        }
        let body = match bodies.pop() {
            Some(last) if watch => {
                bodies.push(last);
                Value::Array(bodies)
            }
            Some(body) => body,
            None if watch => json!([]),
            None => json!(self.text(&String::from_utf8_lossy(&answer.body))),
        };
        json!({"status": answer.status, "headers": headers, "body": body})
    }

    fn mark(&self, value: &mut Value) {
        match value {
            Value::Object(object) => self.mark_object(object),
            Value::Array(values) => values.iter_mut().for_each(|value| self.mark(value)),
            Value::String(text) => *text = self.text(text),
            _ => {}
        }
    }

    fn mark_object(&self, object: &mut Map<String, Value>) {
        if let Some(metadata) = object.get_mut("metadata").and_then(Value::as_object_mut) {
            self.mark_metadata(metadata);
        }
        // The server walks through a map of managers: chance decides the order of conflicts.
        if object.get("reason").and_then(Value::as_str) == Some("Conflict")
            && let Some(details) = object.get_mut("details").and_then(Value::as_object_mut)
            && let Some(causes) = details.get_mut("causes").and_then(Value::as_array_mut)
        {
            causes.sort_by_cached_key(Value::to_string);
        }
        if object.contains_key("rows") {
            mark_ages(object);
        }
        for field in BUILD_FIELDS {
            if object.contains_key("gitVersion") {
                object.remove(*field);
            }
        }
        // The hash of a group whose name depends on the run.
        let group = object.get("groupVersion").and_then(Value::as_str);
        if group.is_some_and(|group| self.text(group) != group) {
            for resource in object
                .get_mut("resources")
                .and_then(Value::as_array_mut)
                .into_iter()
                .flatten()
            {
                if let Some(hash) = resource.get_mut("storageVersionHash") {
                    *hash = json!("{hash}");
                }
            }
        }
        for (key, value) in object.iter_mut() {
            match (key.as_str(), &*value) {
                ("nodePort" | "healthCheckNodePort", Value::Number(port))
                    if !self.sent.contains(&port.to_string()) =>
                {
                    *value = json!("{nodePort}");
                }
                ("token", Value::String(token)) => {
                    if let Some(claims) = claims(token) {
                        *value = claims;
                    }
                }
                ("exp" | "iat" | "nbf" | "warnafter", Value::Number(_)) => *value = json!("{time}"),
                _ => {}
            }
            self.mark(value);
        }
        let renamed: Vec<(String, String)> = object
            .keys()
            .map(|key| (key.clone(), self.text(key)))
            .filter(|(key, marked)| key != marked)
            .collect();
        for (key, marked) in renamed {
            let value = object.remove(&key).expect("the key was there a moment ago");
            object.insert(marked, value);
        }
    }

    fn mark_metadata(&self, metadata: &mut Map<String, Value>) {
        let uid = metadata.get("uid").and_then(Value::as_str).unwrap_or_default();
        if let Some(revision) = metadata
            .get("resourceVersion")
            .and_then(Value::as_str)
            .filter(|rv| !rv.is_empty())
        {
            let known = self.revisions.get(uid).zip(revision.parse::<u64>().ok());
            let marker = match known.and_then(|(all, one)| all.iter().position(|rv| *rv == one)) {
                Some(place) => format!("{{rv:{}}}", place + 1),
                None => "{rv}".to_owned(),
            };
            metadata.insert("resourceVersion".to_owned(), json!(marker));
        }
        if metadata
            .get("continue")
            .and_then(Value::as_str)
            .is_some_and(|token| !token.is_empty())
        {
            metadata.insert("continue".to_owned(), json!("{continue}"));
        }
        // The server sorts entries of one operation by time, in whole seconds: chance decides their order.
        if let Some(entries) = metadata.get_mut("managedFields").and_then(Value::as_array_mut) {
            entries.sort_by_key(|entry| {
                ["operation", "manager", "subresource", "apiVersion"].map(|key| entry[key].to_string())
            });
        }
    }

    fn text(&self, text: &str) -> String {
        let mut text = self.without_suffixes(text);
        for (value, name) in self.generated.iter().chain(&self.variables) {
            if text.contains(value.as_str()) {
                text = text.replace(value.as_str(), name);
            }
        }
        text = self.replace(&UUID, &text, |uid| {
            self.names.get(uid).cloned().unwrap_or_else(|| "{uid}".to_owned())
        });
        if text.contains("esource version") || text.contains("esourceVersion") {
            let marked = REVISION.replace_all(&text, |found: &Captures<'_>| {
                let (before, revision) = (&found[1], &found[2]);
                let kept = revision.ends_with('x') || self.sent.contains(revision);
                format!("{before}{}", if kept { revision } else { "{rv}" })
            });
            text = marked.into_owned();
        }
        text = self.replace(&TIME, &text, |time| {
            if time.starts_with(GO_LAYOUT) {
                time
            } else {
                "{time}"
            }
            .to_owned()
        });
        text = self.replace(&TOKEN_VOLUME, &text, |_| "kube-api-access-{generated}".to_owned());
        // go-cmp prints its differences in another way each time, on purpose.
        if let Some(start) = text.find(POD_UPDATE)
            && let Some(end) = text[start..].find('\n')
        {
            text.truncate(start + end);
        }
        text = self.replace(&CLUSTER_IP, &text, |_| "{clusterIP}".to_owned());
        self.replace(&NODE_PORT, &text, |_| ":{nodePort}/".to_owned())
    }

    /// The text with the random end of each generated name replaced.
    fn without_suffixes(&self, text: &str) -> String {
        let mut text = text.to_owned();
        for prefix in &self.prefixes {
            let mut from = 0;
            while let Some(found) = text[from..].find(prefix.as_str()) {
                let start = from + found;
                let end = start + prefix.len();
                let in_name = |at: usize| {
                    let byte = text.as_bytes().get(at);
                    byte.is_some_and(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit())
                };
                let whole = start == 0 || !(in_name(start - 1) || text.as_bytes()[start - 1] == b'-');
                from = end;
                if whole && (end..end + SUFFIX).all(in_name) && !in_name(end + SUFFIX) {
                    text.replace_range(end..end + SUFFIX, "{generated}");
                }
            }
        }
        text
    }

    fn replace(&self, pattern: &Regex, text: &str, marker: impl Fn(&str) -> String) -> String {
        let replaced = pattern.replace_all(text, |found: &Captures<'_>| {
            let found = &found[0];
            if self.sent.contains(found.trim_matches([':', '/'])) {
                found.to_owned()
            } else {
                marker(found)
            }
        });
        replaced.into_owned()
    }
}

/// The documents of a body: one for JSON or YAML, one a line for a watch, none for other text.
fn trees(answer: &Answer) -> Vec<Value> {
    let kind = answer.headers.iter().find(|(name, _)| name == "content-type");
    let kind = kind.map(|(_, value)| value.as_str()).unwrap_or_default();
    if kind.starts_with("application/json") {
        let stream = serde_json::Deserializer::from_slice(&answer.body).into_iter::<Value>();
        return stream.map_while(Result::ok).collect();
    }
    if kind.starts_with("application/yaml") {
        return deploy_yaml::to_json(&answer.body, deploy_yaml::Dialect::GoYaml11)
            .into_iter()
            .collect();
    }
    Vec::new()
}

fn mark_ages(table: &mut Map<String, Value>) {
    // Of a watch, only the first table says what its columns are.
    let columns: Option<Vec<bool>> = table
        .get("columnDefinitions")
        .and_then(Value::as_array)
        .filter(|columns| !columns.is_empty())
        .map(|columns| {
            let grows = |column: &Value| AGE_COLUMNS.iter().any(|name| column["name"] == *name);
            columns.iter().map(grows).collect()
        });
    for row in table
        .get_mut("rows")
        .and_then(Value::as_array_mut)
        .into_iter()
        .flatten()
    {
        for (at, cell) in row["cells"].as_array_mut().into_iter().flatten().enumerate() {
            let grows = columns
                .as_ref()
                .is_none_or(|columns| columns.get(at) == Some(&true));
            if grows && cell.as_str().is_some_and(|age| AGE.is_match(age)) {
                *cell = json!("{age}");
            }
        }
    }
}

/// The payload of a JSON web token.
fn claims(token: &str) -> Option<Value> {
    let payload = token.split('.').nth(1)?;
    serde_json::from_slice(&URL_SAFE_NO_PAD.decode(payload).ok()?).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn marked(sent: &str, variables: &[(&str, &str)], bodies: &[Value]) -> Vec<Value> {
        let answer = |body: &Value| Answer {
            status: 200,
            headers: vec![("content-type".to_owned(), "application/json".to_owned())],
            body: body.to_string().into_bytes(),
        };
        let answers: Vec<Answer> = bodies.iter().map(answer).collect();
        let variables = variables
            .iter()
            .map(|(value, name)| ((*value).to_owned(), (*name).to_owned()));
        let pairs: Vec<(bool, &Answer)> = answers.iter().map(|answer| (false, answer)).collect();
        let normaliser = Normaliser::new(sent.to_owned(), variables.collect(), &pairs);
        answers
            .iter()
            .map(|answer| normaliser.answer(answer, None)["body"].clone())
            .collect()
    }

    const UID: &str = "0d9c2f4e-5b1a-4c7e-9f00-000000000001";

    #[test]
    fn revisions_keep_their_order_per_object() {
        let object =
            |revision: &str| json!({"metadata": {"name": "a", "uid": UID, "resourceVersion": revision}});
        let found = marked("", &[], &[object("9"), object("10"), object("9")]);
        let revisions: Vec<&Value> = found
            .iter()
            .map(|body| &body["metadata"]["resourceVersion"])
            .collect();
        assert_eq!(revisions, [&json!("{rv:1}"), &json!("{rv:2}"), &json!("{rv:1}")]);
        assert_eq!(found[0]["metadata"]["uid"], "{uid:a}");
    }

    #[test]
    fn what_was_sent_stays() {
        let body =
            json!({"message": format!("uid {UID} at 2025-01-01T00:00:00Z"), "other": "2026-01-01T00:00:00Z"});
        let found = marked(&format!("{UID} 2025-01-01T00:00:00Z"), &[], &[body]);
        assert_eq!(found[0]["message"], format!("uid {UID} at 2025-01-01T00:00:00Z"));
        assert_eq!(found[0]["other"], "{time}");
    }

    #[test]
    fn generated_names_are_found_in_other_texts() {
        let body = json!({
            "metadata": {"generateName": "web-", "name": "web-x7k2p"},
            "message": "Created pod: web-x7k2p in ons1", "other": "a-web-x7k2p web-x7k2pq",
        });
        let found = marked("", &[("ons1", "{ns}")], &[body]);
        assert_eq!(found[0]["message"], "Created pod: web-{generated} in {ns}");
        assert_eq!(found[0]["other"], "a-web-x7k2p web-x7k2pq");
    }

    #[test]
    fn only_columns_of_ages_are_marked() {
        let table = json!({
            "columnDefinitions": [{"name": "Name"}, {"name": "Age"}],
            "rows": [{"cells": ["5m", "5m"]}],
        });
        assert_eq!(
            marked("", &[], &[table])[0]["rows"][0]["cells"],
            json!(["5m", "{age}"])
        );
    }

    #[test]
    fn an_empty_revision_is_shown_as_upstream_prints_it() {
        let body = json!({"message": "metadata.resourceVersion: Invalid value: 0x0: must be specified",
                          "other": "Too large resource version: 77, current: 12"});
        let found = marked("resourceVersion=77", &[], &[body]);
        assert_eq!(
            found[0]["message"],
            "metadata.resourceVersion: Invalid value: 0x0: must be specified"
        );
        assert_eq!(found[0]["other"], "Too large resource version: 77, current: {rv}");
    }
}

//! The rules of kinds against the recorded answers of the real API server (`fixtures/cluster/oracle`): for each create,
//! replace and patch-free status update of an object, the causes of a refusal, or the object that is stored.
//!
//! Only what this crate decides is compared: what admission adds to pods is taken out of the answers.

use std::collections::BTreeMap;
use std::path::Path;

use deploy_cluster_kinds::field::Finding;
use deploy_cluster_kinds::rules::{self, Rules};
use deploy_cluster_schema::decode::normalise;
use deploy_cluster_schema::patch;
use deploy_cluster_schema::registry::{GroupVersionKind, Registry};
use deploy_conformance::{Suite, repository};
use serde_json::{Map, Value, json};

use crate::allocation;

/// A kind that has rules, and where it is served.
struct Served {
    rules: &'static Rules,
    gvk: GroupVersionKind,
}

#[test]
fn the_real_server_says_the_same() {
    let mut suite = Suite::new("cluster/kinds_oracle");
    let folder = repository().join("fixtures/cluster/oracle");
    let mut files = Vec::new();
    collect(&folder, &mut files);
    files.sort();
    for file in files {
        let area = file
            .strip_prefix(&folder)
            .expect("a file of the folder")
            .with_extension("");
        let mut live: BTreeMap<String, Value> = BTreeMap::new();
        let mut scenario = String::new();
        for line in std::fs::read_to_string(&file)
            .expect("a file that can be read")
            .lines()
        {
            let row: Value = serde_json::from_str(&without_markers(line)).expect("a line of JSON");
            if text(&row, "/scenario") != scenario {
                live.clear();
                scenario = text(&row, "/scenario").to_owned();
            }
            let name = format!("{}/{scenario}/{}", area.display(), text(&row, "/request/name"));
            if let Some(check) = Check::of(&row, &live) {
                suite.case(&name, || check.run());
            } else if row["answer"]["body"]["kind"] == "Table" && row["unstable"].is_null() {
                let rows = objects_of_table(&row, &live);
                if !rows.is_empty() {
                    suite.case(&name, || {
                        rows.iter()
                            .try_for_each(|(object, shown)| table_row(object, shown))
                    });
                }
            }
            remember(&row, &mut live);
        }
    }
    suite.finish();
}

fn collect(folder: &Path, files: &mut Vec<std::path::PathBuf>) {
    for entry in std::fs::read_dir(folder).expect("a folder that can be read") {
        let path = entry.expect("an entry").path();
        if path.is_dir() {
            collect(&path, files);
        } else if path.extension().is_some_and(|extension| extension == "jsonl") {
            files.push(path);
        }
    }
}

fn text<'a>(value: &'a Value, pointer: &str) -> &'a str {
    value.pointer(pointer).and_then(Value::as_str).unwrap_or_default()
}

/// Markers become names, uids and times that are valid.
fn without_markers(line: &str) -> String {
    let mut out = line
        .replace("{ns}", "ns")
        .replace("{id}", "id")
        .replace("{generated}", "x");
    for (marker, with) in [
        ("{clusterIP}/24", "10.9.8.0/24"),
        ("{clusterIP}", "10.9.8.7"),
        ("\"{nodePort}\"", "30999"),
        ("{nodePort}", "30999"),
    ] {
        out = out.replace(marker, with);
    }
    for (start, with) in [
        ("{uid", "uid"),
        ("{time", "2020-01-01T00:00:00Z"),
        ("{rv", "1"),
        ("{random", "x"),
    ] {
        while let Some(from) = out.find(start) {
            let Some(len) = out[from..].find('}') else { break };
            out.replace_range(from..=from + len, with);
        }
    }
    out
}

/// The path of a request without its query.
fn path(row: &Value) -> (&str, &str, &str) {
    let (method, rest) = text(row, "/request/do").split_once(' ').unwrap_or_default();
    let (path, query) = rest.split_once('?').unwrap_or((rest, ""));
    (method, path, query)
}

/// Keeps what is stored under which path.
fn remember(row: &Value, live: &mut BTreeMap<String, Value>) {
    let (method, path, query) = path(row);
    let object = &row["answer"]["body"];
    let stored = matches!(row["answer"]["status"].as_u64(), Some(200 | 201)) && !query.contains("dryRun=All");
    let name = text(object, "/metadata/name");
    if !stored || name.is_empty() || object["kind"] == "Status" {
        return;
    }
    let key = match method {
        "POST" => format!("{path}/{name}"),
        "PUT" | "PATCH" | "GET" => subresource(path).0.to_owned(),
        _ => return,
    };
    live.insert(key, object.clone());
}

/// The path of an object and the subresource behind it.
fn subresource(path: &str) -> (&str, &'static str) {
    let known = ["status", "resize", "ephemeralcontainers", "finalize"];
    known
        .iter()
        .find_map(|name| Some((path.strip_suffix(name)?.strip_suffix('/')?, *name)))
        .unwrap_or((path, ""))
}

/// The body with its long text written out.
fn repeated(row: &Value, body: &Value) -> Value {
    let (count, part) = (&row["request"]["repeat"][0], text(row, "/request/repeat/1"));
    let Some(count) = count.as_u64() else {
        return body.clone();
    };
    let long = part.repeat(usize::try_from(count).expect("a length"));
    serde_json::from_str(&body.to_string().replace("{*}", &long)).expect("it was JSON before")
}

/// The object that a patch makes of another; `None` where the patch does not fit, or is an apply.
fn patched(row: &Value, old: &Value, patch: &Value) -> Option<Value> {
    let old = old.clone();
    let r#type = text(row, "/request/headers/content-type");
    match r#type {
        "application/json-patch+json" => patch::json_patch(old, patch).ok(),
        "application/merge-patch+json" => patch::merge_patch(old, patch.clone()).ok(),
        _ => None,
    }
}

/// The objects of the rows of a table, as far as they are known and have rules, each with its row.
fn objects_of_table<'a>(row: &'a Value, live: &'a BTreeMap<String, Value>) -> Vec<(&'a Value, &'a Value)> {
    let (_, path, _) = path(row);
    let rows = row["answer"]["body"]["rows"].as_array().into_iter().flatten();
    rows.filter_map(|shown| {
        let name = text(shown, "/cells/0");
        let object = live.get(path).or_else(|| live.get(&format!("{path}/{name}")))?;
        Some((object, shown))
    })
    .filter(|(object, _)| !rules_of(object).kind.is_empty())
    .collect()
}

fn rules_of(object: &Value) -> &'static Rules {
    let gvk = GroupVersionKind::parse(text(object, "/apiVersion"), text(object, "/kind"))
        .expect("an object has a kind");
    rules::find(&gvk.group, &gvk.version, &gvk.kind)
}

/// Compares one row; ages and other times before now are markers.
fn table_row(object: &Value, shown: &Value) -> Result<(), String> {
    let rules = rules_of(object);
    let cells = (rules.cells)(object, 2_000_000_000);
    // Upstream has no column for the age of an IPAddress, and a cell.
    let without_column = usize::from(object["kind"] == "IPAddress");
    if cells.len() != rules.columns.len() + without_column {
        return Err(format!(
            "{} cells in {} columns",
            cells.len(),
            rules.columns.len()
        ));
    }
    let theirs = shown["cells"].as_array().cloned().unwrap_or_default();
    for ((ours, theirs), column) in cells.iter().zip(&theirs).zip(rules.columns) {
        let marker = theirs
            .as_str()
            .is_some_and(|text| text.contains('{') && text.contains('}'));
        if ours != theirs && !marker && column.name != "Age" {
            return Err(format!("{}: ours {ours}, theirs {theirs}", column.name));
        }
    }
    let conditions = json!((rules.row_conditions)(object));
    same(&conditions, shown.get("conditions").unwrap_or(&json!([])))
}

/// One comparison.
struct Check {
    served: Served,
    new: Value,
    old: Option<Value>,
    subresource: &'static str,
    code: u64,
    answer: Value,
    warnings: Vec<String>,
}

impl Check {
    fn of(row: &Value, live: &BTreeMap<String, Value>) -> Option<Self> {
        let (method, path, _) = path(row);
        let body = &repeated(row, row["request"].get("body")?);
        let (place, subresource) = subresource(path);
        let patched = (method == "PATCH")
            .then(|| patched(row, live.get(place)?, body))
            .flatten();
        let body = patched.as_ref().unwrap_or(body);
        let gvk = GroupVersionKind::parse(text(body, "/apiVersion"), text(body, "/kind"))?;
        let rules = rules::find(&gvk.group, &gvk.version, &gvk.kind);
        let code = row["answer"]["status"].as_u64()?;
        let answer = row["answer"]["body"].clone();
        if rules.kind.is_empty() || !matches!(code, 200 | 201 | 422) || !row["unstable"].is_null() {
            return None;
        }
        if code == 422 && answer["reason"] != "Invalid" {
            return None;
        }
        // Parameters of requests and other forms of answers are not this crate's.
        if code == 422 && text(&answer, "/details/kind") != &*gvk.kind
            || code != 422 && text(&answer, "/kind") != &*gvk.kind
        {
            return None;
        }
        let own = |cause: &Value| {
            !matches!(
                text(cause, "/field"),
                "dryRun" | "fieldManager" | "fieldValidation"
            ) && !allocation::is_cause(cause)
        };
        if !answer["details"]["causes"]
            .as_array()
            .is_none_or(|causes| causes.iter().all(own))
        {
            return None;
        }
        let segments = path.trim_start_matches('/').split('/').count();
        let collection = if gvk.group.is_empty() { 5 } else { 6 };
        let old = match method {
            "POST" if segments == collection || segments + 2 == collection => None,
            "PUT" => Some(live.get(place)?.clone()),
            "PATCH" if patched.is_some() => Some(live.get(place)?.clone()),
            _ => return None,
        };
        let headers = row["answer"]["headers"].as_object();
        let warnings = headers
            .and_then(|headers| headers.get("warning"))
            .map(warnings_of)
            .unwrap_or_default();
        Some(Self {
            served: Served { rules, gvk },
            new: body.clone(),
            old,
            subresource,
            code,
            answer,
            warnings,
        })
    }

    fn run(self) -> Result<(), String> {
        let rules = self.served.rules;
        let registry = Registry::builtin();
        let (schema, r#type) = registry.types(&self.served.gvk).ok_or("no such type")?;
        let namespaced = registry
            .kind(&self.served.gvk)
            .is_some_and(|resource| resource.namespaced);
        let mut new = self.new.clone();
        normalise(schema, r#type, &mut new)?;
        (rules.default)(&mut new);
        if new["kind"] == "Service" && self.subresource.is_empty() {
            allocation::allocate(&mut new, self.old.as_ref(), &self.answer);
        }
        let no_tolerations = new["spec"].get("tolerations").is_none();
        if new["kind"] == "Pod"
            && let Some(spec) = new["spec"].as_object_mut()
        {
            // As admission does.
            spec.entry("serviceAccountName").or_insert(json!("default"));
            if let Some(tolerations) = self.old.as_ref().and_then(|old| old["spec"].get("tolerations"))
                && no_tolerations
            {
                spec.insert("tolerations".to_owned(), tolerations.clone());
            }
        }
        let meta = new["metadata"].as_object_mut().ok_or("no metadata")?;
        meta.remove("managedFields");
        if self.old.is_none() {
            meta.remove("deletionTimestamp");
        }
        if namespaced {
            meta.entry("namespace").or_insert(json!("ns"));
        }
        let findings = match &self.old {
            None => {
                meta.insert("uid".to_owned(), json!("uid"));
                meta.insert("creationTimestamp".to_owned(), json!("2020-01-01T00:00:00Z"));
                if meta.get("name").is_none_or(|name| name == "")
                    && let Some(start) = meta.get("generateName").and_then(Value::as_str)
                {
                    let name = text(&self.answer, "/metadata/name");
                    let generated = if name.is_empty() {
                        format!("{start}x")
                    } else {
                        name.to_owned()
                    };
                    meta.insert("name".to_owned(), json!(generated));
                }
                meta.remove("resourceVersion");
                (rules.prepare_create)(&mut new);
                rules.check_create(&new, namespaced)
            }
            Some(old) => {
                let old_meta = &old["metadata"];
                for name in [
                    "creationTimestamp",
                    "generation",
                    "deletionTimestamp",
                    "deletionGracePeriodSeconds",
                ] {
                    if !old_meta[name].is_null() {
                        meta.insert(name.to_owned(), old_meta[name].clone());
                    }
                }
                meta.entry("uid").or_insert(old_meta["uid"].clone());
                meta.entry("resourceVersion").or_insert(json!("1"));
                match self.subresource {
                    "" => {
                        (rules.prepare_update)(&mut new, old);
                        rules.check_update(&new, old, namespaced)
                    }
                    "status" => {
                        (rules.prepare_status)(&mut new, old);
                        rules.check_status(&new, old, namespaced)
                    }
                    other => {
                        let rule = rules.subresources.iter().find(|rule| rule.name == other);
                        (rule.ok_or("no such subresource")?.prepare)(&mut new, old);
                        rules
                            .check_subresource(other, &new, old, namespaced)
                            .expect("it was found above")
                    }
                }
            }
        };
        let causes: Vec<Value> = findings
            .iter()
            .map(|f| json!({"reason": f.kind.reason(), "message": f.body(), "field": f.path}))
            .collect();
        if self.code == 422 {
            let expected = self.answer["details"]["causes"]
                .as_array()
                .cloned()
                .unwrap_or_default();
            // A diff is compared where the recording has one.
            let full_text = |(cause, (finding, theirs)): (Value, (&Finding, &Value))| {
                let mut cause = cause;
                if text(theirs, "/message").contains("\n@@") {
                    cause["message"] = json!(finding.body());
                }
                cause
            };
            let causes: Vec<Value> = if causes.len() == expected.len() {
                causes
                    .into_iter()
                    .zip(findings.iter().zip(&expected))
                    .map(full_text)
                    .collect()
            } else {
                causes
            };
            return same_causes(causes, expected);
        }
        if !causes.is_empty() {
            return Err(format!("it was accepted, and we say {}", json!(causes)));
        }
        normalise(schema, r#type, &mut new)?;
        same(&comparable(new), &comparable(self.answer.clone()))?;
        let warnings = match &self.old {
            None => (rules.warnings)(&self.answer),
            Some(old) if self.subresource.is_empty() => (rules.update_warnings)(&self.answer, old),
            Some(_) => Vec::new(),
        };
        // What is deprecated as a whole, and what the schema does not know, is said elsewhere.
        let theirs: Vec<&String> = self
            .warnings
            .iter()
            .filter(|text| !text.contains(" is deprecated in v1.") && !text.starts_with("unknown field"))
            .collect();
        if warnings.iter().eq(theirs) {
            Ok(())
        } else {
            Err(format!("we warn {warnings:?}, it {:?}", self.warnings))
        }
    }
}

/// A text without the diff at its end, which shows names that the server makes up.
fn without_diff(text: &str) -> &str {
    text.split_once("\n@@").map_or(text, |(text, _)| text)
}

/// The texts of `Warning: 299 - "text"` headers.
fn warnings_of(header: &Value) -> Vec<String> {
    let all = match header {
        Value::String(text) => text.clone(),
        Value::Array(lines) => lines
            .iter()
            .filter_map(Value::as_str)
            .collect::<Vec<_>>()
            .join("\n"),
        _ => String::new(),
    };
    let parts = all
        .split("299 - \"")
        .skip(1)
        .map(|part| part.trim_end_matches(['\n', ',', ' ']));
    parts
        .map(|part| {
            part.strip_suffix('"')
                .unwrap_or(part)
                .replace("\\\"", "\"")
                .replace("\\\\", "\\")
        })
        .collect()
}

/// Upstream goes through maps in no order, and so do its findings about them.
fn same_causes(mut ours: Vec<Value>, mut theirs: Vec<Value>) -> Result<(), String> {
    // The recording leaves diffs out, since they show names that the server makes up.
    if !theirs
        .iter()
        .any(|cause| text(cause, "/message").contains("\n@@"))
    {
        for cause in &mut ours {
            let shorter = without_diff(text(cause, "/message")).to_owned();
            cause["message"] = json!(shorter);
        }
    }
    let about_map = |cause: &Value| {
        let field = text(cause, "/field");
        let keyed = |part: &str| !part.starts_with(|c: char| c.is_ascii_digit());
        field.ends_with("labels") || field.ends_with("annotations") || field.split('[').skip(1).any(keyed)
    };
    if ours.len() == theirs.len()
        && ours
            .iter()
            .zip(&theirs)
            .all(|(a, b)| a == b || about_map(a) && about_map(b))
    {
        let order = |cause: &Value| cause.to_string();
        ours.sort_by_key(order);
        theirs.sort_by_key(order);
    }
    same(&json!(ours), &json!(theirs))
}

fn same(ours: &Value, theirs: &Value) -> Result<(), String> {
    match difference("", ours, theirs) {
        None => Ok(()),
        Some(text) => Err(text),
    }
}

fn difference(at: &str, ours: &Value, theirs: &Value) -> Option<String> {
    match (ours, theirs) {
        (Value::Object(a), Value::Object(b)) => {
            let keys: std::collections::BTreeSet<&String> = a.keys().chain(b.keys()).collect();
            let null = Value::Null;
            keys.into_iter().find_map(|key| {
                difference(
                    &format!("{at}/{key}"),
                    a.get(key).unwrap_or(&null),
                    b.get(key).unwrap_or(&null),
                )
            })
        }
        (Value::Array(a), Value::Array(b)) if a.len() == b.len() => a
            .iter()
            .zip(b)
            .enumerate()
            .find_map(|(index, (a, b))| difference(&format!("{at}/{index}"), a, b)),
        _ if ours == theirs => None,
        _ => Some(format!("{at}: ours {ours}, theirs {theirs}")),
    }
}

const PROTECTIONS: [&str; 3] = [
    "kubernetes.io/pv-protection",
    "kubernetes.io/pvc-protection",
    "kubernetes.io/vac-protection",
];

/// An object without what others than this crate decide.
fn comparable(mut object: Value) -> Value {
    let meta = object["metadata"]
        .as_object_mut()
        .expect("an object has metadata");
    let names = [
        "managedFields",
        "resourceVersion",
        "uid",
        "selfLink",
        "namespace",
        "creationTimestamp",
    ];
    for name in names {
        meta.remove(name);
    }
    if object["kind"] == "Pod" {
        without_admission(object["spec"].as_object_mut());
    }
    // StorageObjectInUseProtection adds one.
    if let Some(finalizers) = object["metadata"]
        .get_mut("finalizers")
        .and_then(Value::as_array_mut)
    {
        finalizers.retain(|name| !PROTECTIONS.contains(&name.as_str().unwrap_or_default()));
        if finalizers.is_empty() {
            object["metadata"]
                .as_object_mut()
                .expect("it is an object")
                .remove("finalizers");
        }
    }
    // The server writes down who asks.
    if object["kind"] == "CertificateSigningRequest"
        && let Some(spec) = object["spec"].as_object_mut()
    {
        for name in ["username", "uid", "groups", "extra"] {
            spec.remove(name);
        }
    }
    // TaintNodesByCondition adds one.
    if object["kind"] == "Node"
        && let Some(spec) = object["spec"].as_object_mut()
        && let Some(taints) = spec.get_mut("taints").and_then(Value::as_array_mut)
    {
        taints.retain(|taint| text(taint, "/key") != "node.kubernetes.io/not-ready");
        if taints.is_empty() {
            spec.remove("taints");
        }
    }
    object
}

/// What ServiceAccount, DefaultTolerationSeconds and Priority add to a pod.
fn without_admission(spec: Option<&mut Map<String, Value>>) {
    let Some(spec) = spec else { return };
    for name in [
        "priority",
        "preemptionPolicy",
        "serviceAccount",
        "serviceAccountName",
        "imagePullSecrets",
    ] {
        spec.remove(name);
    }
    let retain = |holder: &mut Map<String, Value>, list: &str, keep: &dyn Fn(&Value) -> bool| {
        if let Some(items) = holder.get_mut(list).and_then(Value::as_array_mut) {
            items.retain(|item| keep(item));
            if items.is_empty() {
                holder.remove(list);
            }
        }
    };
    retain(spec, "tolerations", &|toleration| {
        !text(toleration, "/key").starts_with("node.kubernetes.io/") || toleration["tolerationSeconds"] != 300
    });
    let of_admission = |item: &Value| text(item, "/name").starts_with("kube-api-access-");
    retain(spec, "volumes", &|volume| !of_admission(volume));
    for list in ["containers", "initContainers", "ephemeralContainers"] {
        for container in spec
            .get_mut(list)
            .and_then(Value::as_array_mut)
            .into_iter()
            .flatten()
        {
            if let Some(container) = container.as_object_mut() {
                retain(container, "volumeMounts", &|mount| !of_admission(mount));
            }
        }
    }
}

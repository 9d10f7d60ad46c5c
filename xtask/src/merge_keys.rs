//! `cargo xtask merge-keys PATH`: how lists of the Kubernetes types merge, made small.
//!
//! kustomize carries the OpenAPI document of Kubernetes (3.4 MB of protobuf) to learn the merge keys of a few hundred lists.
//! This reads that file (`openapi/kubernetesapi/v1_21_2/swagger.pb` of the Go module sigs.k8s.io/kustomize/kyaml v0.21.1)
//! and writes the lists, and the types that lead to them, as the text that `deploy-render` embeds.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::path::Path;

/// Where the text is kept, below the repository's root.
pub const OUTPUT: &str = "crates/engine/render/src/kustomize/schema/kubernetes.txt";

/// Reads the document at `openapi_path` and returns the text for [`OUTPUT`].
pub fn run(openapi_path: &Path) -> Result<String, String> {
    let bytes = std::fs::read(openapi_path).map_err(|e| format!("{}: {e}", openapi_path.display()))?;
    Document::read(&bytes).map(|document| document.write())
}

const HEADER: &str = "\
# How lists merge in Kubernetes v1.21.2, from openapi/kubernetesapi/v1_21_2/swagger.pb in sigs.k8s.io/kustomize/kyaml v0.21.1
# (Copyright The Kubernetes Authors, Apache-2.0). Regenerate: cargo xtask merge-keys PATH-TO-swagger.pb
# K apiVersion kind type scope: a kind, its type (- = nothing in it merges), n = namespaced, c = cluster, ? = not said.
# T name field=type ...: the types, counted from 0. A list is [element type]strategy:key,key; * is any other field.
";

/// One field: an object of a type, or a list.
#[derive(Clone, PartialEq, Eq)]
enum Shape {
    Type(String),
    List {
        element: Option<String>,
        strategy: String,
        keys: Vec<String>,
    },
}

#[derive(Default)]
struct Document {
    types: BTreeMap<String, BTreeMap<String, Shape>>,
    kinds: BTreeMap<(String, String), String>,
    scopes: BTreeMap<(String, String), bool>,
}

impl Document {
    fn read(bytes: &[u8]) -> Result<Document, String> {
        let mut document = Document::default();
        for definition in messages(bytes, 9)?.iter().map(|m| messages(m, 1)) {
            for named in definition? {
                document.read_definition(named)?;
            }
        }
        for paths in messages(bytes, 8)? {
            for path in messages(paths, 2)? {
                document.read_path(path)?;
            }
        }
        document.add_kustomization();
        Ok(document)
    }

    /// The lists of a kustomization, which kustomize knows from a document of its own (openapi/kustomizationapi).
    fn add_kustomization(&mut self) {
        let version = "kustomize.config.k8s.io/v1beta1".to_owned();
        let name = "io.k8s.api.apps.v1.Kustomization".to_owned();
        let list = || Shape::List {
            element: None,
            strategy: "merge".to_owned(),
            keys: vec!["name".to_owned()],
        };
        let fields = ["configMapGenerator", "secretGenerator"].map(|field| (field.to_owned(), list()));
        self.types.insert(name.clone(), fields.into_iter().collect());
        self.kinds.insert((version, "Kustomization".to_owned()), name);
    }

    fn read_definition(&mut self, named: &[u8]) -> Result<(), String> {
        let name = text(named, 1)?;
        for schema in messages(named, 2)? {
            let mut fields = BTreeMap::new();
            for properties in messages(schema, 25)? {
                for property in messages(properties, 1)? {
                    for value in messages(property, 2)? {
                        if let Some(shape) = shape(value)? {
                            fields.insert(text(property, 1)?, shape);
                        }
                    }
                }
            }
            for additional in messages(schema, 21)? {
                for value in messages(additional, 1)? {
                    if let Some(shape) = shape(value)? {
                        fields.insert("*".to_owned(), shape);
                    }
                }
            }
            for (api_version, kind) in kinds(&extension(schema, 31, "x-kubernetes-group-version-kind")?) {
                self.kinds.insert((api_version, kind), name.clone());
            }
            self.types.insert(name.clone(), fields);
        }
        Ok(())
    }

    fn read_path(&mut self, named: &[u8]) -> Result<(), String> {
        let namespaced = text(named, 1)?.contains("namespaces/{namespace}");
        for item in messages(named, 2)? {
            for get in messages(item, 2)? {
                for id in kinds(&extension(get, 13, "x-kubernetes-group-version-kind")?) {
                    *self.scopes.entry(id).or_default() |= namespaced;
                }
            }
        }
        Ok(())
    }

    /// The types from which a list can be reached; nothing else matters to a merge.
    fn relevant(&self) -> BTreeSet<&str> {
        let mut relevant = BTreeSet::new();
        loop {
            let before = relevant.len();
            for (name, fields) in &self.types {
                let leads = |shape: &Shape| match shape {
                    Shape::List { .. } => true,
                    Shape::Type(to) => relevant.contains(to.as_str()),
                };
                if fields.values().any(leads) {
                    relevant.insert(name.as_str());
                }
            }
            if relevant.len() == before {
                return relevant;
            }
        }
    }

    fn write(&self) -> String {
        let relevant = self.relevant();
        let number = |name: &str| relevant.iter().position(|n| *n == name);
        let mut out = HEADER.to_owned();
        let mut ids: BTreeSet<&(String, String)> = self.kinds.keys().collect();
        ids.extend(self.scopes.keys());
        for id in ids {
            let to = self.kinds.get(id).and_then(|name| number(name));
            let to = to.map_or("-".to_owned(), |n| n.to_string());
            let scope = match self.scopes.get(id) {
                Some(true) => "n",
                Some(false) => "c",
                None => "?",
            };
            writeln!(out, "K {} {} {to} {scope}", id.0, id.1).expect("writing to a string cannot fail");
        }
        for name in &relevant {
            write!(out, "T {name}").expect("writing to a string cannot fail");
            for (field, shape) in &self.types[*name] {
                let entry = match shape {
                    Shape::Type(to) => number(to).map(|n| n.to_string()),
                    Shape::List {
                        element,
                        strategy,
                        keys,
                    } => {
                        let element = element.as_deref().and_then(number);
                        let element = element.map_or(String::new(), |n| n.to_string());
                        Some(format!("[{element}]{strategy}:{}", keys.join(",")))
                    }
                };
                if let Some(entry) = entry {
                    write!(out, " {field}={entry}").expect("writing to a string cannot fail");
                }
            }
            out.push('\n');
        }
        out
    }
}

/// What a property's schema says; nothing for scalars.
fn shape(schema: &[u8]) -> Result<Option<Shape>, String> {
    let reference = text(schema, 1)?;
    if let Some(name) = reference.strip_prefix("#/definitions/") {
        return Ok(Some(Shape::Type(name.to_owned())));
    }
    let kind = match messages(schema, 22)?.first() {
        Some(item) => text(item, 1)?,
        None => String::new(),
    };
    if kind != "array" {
        return Ok(None);
    }
    let mut element = None;
    for items in messages(schema, 23)? {
        for item in messages(items, 1)? {
            element = text(item, 1)?.strip_prefix("#/definitions/").map(str::to_owned);
        }
    }
    let strategy = scalar(&extension(schema, 31, "x-kubernetes-patch-strategy")?);
    let several = extension(schema, 31, "x-kubernetes-list-map-keys")?;
    let keys: Vec<String> = match several.is_empty() {
        false => several
            .lines()
            .map(|line| scalar(line.trim_start_matches("- ")))
            .collect(),
        true => Some(scalar(&extension(schema, 31, "x-kubernetes-patch-merge-key")?))
            .into_iter()
            .filter(|key| !key.is_empty())
            .collect(),
    };
    Ok(Some(Shape::List {
        element,
        // Without a strategy kustomize ignores the keys.
        keys: if strategy.is_empty() { Vec::new() } else { keys },
        strategy,
    }))
}

/// The kinds in an extension, which is YAML: one block of `group`, `kind`, `version`, or a list of them.
fn kinds(yaml: &str) -> Vec<(String, String)> {
    let mut found: Vec<[String; 3]> = Vec::new();
    for line in yaml.lines() {
        if line.starts_with("- ") || found.is_empty() {
            found.push(Default::default());
        }
        let last = found.last_mut().expect("a block was pushed above");
        let line = line.trim_start_matches("- ").trim();
        for (slot, key) in last.iter_mut().zip(["group:", "version:", "kind:"]) {
            if let Some(value) = line.strip_prefix(key) {
                *slot = scalar(value);
            }
        }
    }
    found
        .into_iter()
        .filter(|[_, _, kind]| !kind.is_empty())
        .map(|[group, version, kind]| match group.is_empty() {
            true => (version, kind),
            false => (format!("{group}/{version}"), kind),
        })
        .collect()
}

fn scalar(yaml: &str) -> String {
    yaml.trim().trim_matches(['"', '\'']).to_owned()
}

/// The YAML text of the extension `name`, which `field` of the message lists.
fn extension(message: &[u8], field: u64, name: &str) -> Result<String, String> {
    for named in messages(message, field)? {
        if text(named, 1)? == name {
            return match messages(named, 2)?.first() {
                Some(any) => text(any, 2),
                None => Ok(String::new()),
            };
        }
    }
    Ok(String::new())
}

fn text(message: &[u8], field: u64) -> Result<String, String> {
    let found = messages(message, field)?;
    let bytes = found.first().copied().unwrap_or_default();
    String::from_utf8(bytes.to_vec()).map_err(|e| e.to_string())
}

/// The length-delimited values of one field of a protobuf message.
fn messages(mut bytes: &[u8], field: u64) -> Result<Vec<&[u8]>, String> {
    let cut = || "the protobuf message ends early".to_owned();
    let mut found = Vec::new();
    while !bytes.is_empty() {
        let key = varint(&mut bytes).ok_or_else(cut)?;
        let size = match key & 7 {
            0 => {
                varint(&mut bytes).ok_or_else(cut)?;
                continue;
            }
            1 => 8,
            2 => usize::try_from(varint(&mut bytes).ok_or_else(cut)?).map_err(|e| e.to_string())?,
            5 => 4,
            other => return Err(format!("protobuf wire type {other}")),
        };
        let (value, rest) = bytes.split_at_checked(size).ok_or_else(cut)?;
        if key >> 3 == field && key & 7 == 2 {
            found.push(value);
        }
        bytes = rest;
    }
    Ok(found)
}

fn varint(bytes: &mut &[u8]) -> Option<u64> {
    let mut value = 0;
    for shift in (0..64).step_by(7) {
        let (byte, rest) = bytes.split_first()?;
        *bytes = rest;
        value |= u64::from(byte & 0x7f) << shift;
        if byte & 0x80 == 0 {
            return Some(value);
        }
    }
    None
}

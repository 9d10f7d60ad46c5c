//! `cargo xtask schema`: what Kubernetes publishes about its API, as one compact file that the embedded cluster carries.
//!
//! It reads the Go modules of Kubernetes (version [`KUBERNETES`]) in the module cache: the structures of `k8s.io/api` and its
//! relatives with their tags and markers, the discovery documents and the OpenAPI document, all without descriptions, and
//! writes [`OUTPUT`]. The reader is `crates/cluster/schema/src/registry`; the format is described in [`blob`].

mod blob;
mod go;
mod lower;
mod openapi;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::{Map, Value, json};

use crate::{Outcome, repository};

/// The version of the modules `k8s.io/kubernetes`; its parts are `v0.` instead of `v1.`.
const KUBERNETES: &str = "1.34.2";

/// Where the file is kept, below the repository's root.
const OUTPUT: &str = "crates/cluster/schema/blob/kubernetes.bin";

/// The SHA-256 sum of the file: a test of the crate holds it against the file.
const SUM: &str = "crates/cluster/schema/blob/kubernetes.sha256";

/// Reads the modules, writes the blob.
pub fn run(args: &[String]) -> Outcome {
    let cache = match args {
        [] => module_cache()?,
        [path] => PathBuf::from(path),
        _ => return Err("usage: cargo xtask schema [GO-MODULE-CACHE]".to_owned()),
    };
    let modules = Modules { cache };
    let packages = go::Packages::read(&modules)?;
    let kubernetes = modules.folder("k8s.io/kubernetes");
    let definitions = definitions(&kubernetes)?;
    let lowered = lower::lower(&packages, &definitions)?;
    for finding in &lowered.findings {
        println!("differs from the OpenAPI document: {finding}");
    }
    let types = blob::types(&lowered);
    let resources = resources(&kubernetes.join("api/discovery"))?;
    let openapi = openapi::sections(&kubernetes.join("api/openapi-spec"), &lowered.enums)?;
    let mut sections = vec![resources.to_string().into_bytes(), types];
    sections.extend(openapi.into_iter().map(String::into_bytes));
    let bytes = blob::pack(&sections)?;
    std::fs::write(repository::root().join(OUTPUT), &bytes).map_err(|e| format!("{OUTPUT}: {e}"))?;
    repository::write(SUM, &format!("{}\n", blob::sha256(&bytes)))?;
    println!(
        "{OUTPUT}: {} bytes; {} types, {} kinds, {} resources, {} sections",
        bytes.len(),
        lowered.types.len(),
        lowered.kinds.len(),
        resources["resources"].as_array().map_or(0, Vec::len),
        sections.len(),
    );
    Ok(())
}

fn module_cache() -> Result<PathBuf, String> {
    let output = Command::new("go")
        .args(["env", "GOMODCACHE"])
        .output()
        .map_err(|e| format!("go env GOMODCACHE: {e}"))?;
    Ok(PathBuf::from(String::from_utf8_lossy(&output.stdout).trim()))
}

/// The modules of one version of Kubernetes.
pub struct Modules {
    cache: PathBuf,
}

impl Modules {
    /// The folder of a module, as `k8s.io/api`.
    pub fn folder(&self, module: &str) -> PathBuf {
        let version = if module == "k8s.io/kubernetes" {
            KUBERNETES.to_owned()
        } else {
            KUBERNETES.replacen("1.", "0.", 1)
        };
        self.cache.join(format!("{module}@v{version}"))
    }
}

/// The schemas of all types that Kubernetes publishes, by name, in the form of OpenAPI v3.
fn definitions(kubernetes: &Path) -> Result<Map<String, Value>, String> {
    let folder = kubernetes.join("api/openapi-spec/v3");
    let mut all = Map::new();
    for entry in std::fs::read_dir(&folder).map_err(|e| format!("{}: {e}", folder.display()))? {
        let path = entry.map_err(|e| e.to_string())?.path();
        let document = read_json(&path)?;
        let Some(schemas) = document["components"]["schemas"].as_object() else {
            continue;
        };
        for (name, schema) in schemas {
            all.insert(name.clone(), without_descriptions(schema));
        }
    }
    Ok(all)
}

fn without_descriptions(value: &Value) -> Value {
    match value {
        Value::Object(map) => map
            .iter()
            .filter(|(name, value)| *name != "description" || !value.is_string())
            .map(|(name, value)| (name.clone(), without_descriptions(value)))
            .collect(),
        Value::Array(list) => list.iter().map(without_descriptions).collect(),
        other => other.clone(),
    }
}

/// The groups in the order of discovery, and the resources of every version that a server serves by default: those that
/// are neither alpha nor beta (`pkg/controlplane/instance.go stableAPIGroupVersionsEnabledByDefault`).
fn resources(discovery: &Path) -> Result<Value, String> {
    let groups = read_json(&discovery.join("apis.json"))?;
    let mut order = vec![json!({ "name": "", "versions": ["v1"] })];
    let mut lists = vec![read_json(&discovery.join("api__v1.json"))?];
    for group in groups["groups"].as_array().into_iter().flatten() {
        let name = group["name"].as_str().unwrap_or_default();
        let versions: Vec<&str> = group["versions"]
            .as_array()
            .into_iter()
            .flatten()
            .filter_map(|version| version["version"].as_str())
            .filter(|version| !version.contains("alpha") && !version.contains("beta"))
            .collect();
        for version in &versions {
            lists.push(read_json(
                &discovery.join(format!("apis__{name}__{version}.json")),
            )?);
        }
        if !versions.is_empty() {
            order.push(json!({ "name": name, "versions": versions }));
        }
    }
    let mut hashes = BTreeMap::new();
    let mut resources = Vec::new();
    for list in &lists {
        let (group, version) = split_group_version(list["groupVersion"].as_str().unwrap_or_default());
        for resource in list["resources"].as_array().into_iter().flatten() {
            let mut resource = resource.clone();
            resource["in"] = json!([group, version]);
            if let Some(hash) = resource["storageVersionHash"].as_str() {
                let candidates = hashes.entry(hash.to_owned()).or_insert_with(Vec::new);
                candidates.push((group.to_owned(), version.to_owned(), resource["kind"].clone()));
            }
            resources.push(resource);
        }
    }
    for resource in &mut resources {
        let Some(hash) = resource["storageVersionHash"].as_str() else {
            continue;
        };
        let stored = hashes[hash].iter().find(|(group, version, kind)| {
            blob::storage_version_hash(group, version, kind.as_str().unwrap_or_default()) == hash
        });
        // VolumeAttributesClass is stored as a beta version that is not served: there is one form of it here.
        let (group, version, _) = stored.unwrap_or(&hashes[hash][0]);
        resource["stored"] = json!([group, version]);
    }
    Ok(json!({ "groups": order, "resources": resources }))
}

fn split_group_version(text: &str) -> (&str, &str) {
    text.split_once('/').unwrap_or(("", text))
}

fn read_json(path: &Path) -> Result<Value, String> {
    let text = std::fs::read_to_string(path).map_err(|e| format!("{}: {e}", path.display()))?;
    serde_json::from_str(&text).map_err(|e| format!("{}: {e}", path.display()))
}

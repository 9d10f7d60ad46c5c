//! Folders are layers: which crate may import which (ARCHITECTURE.md, "Layers").

use crate::repository;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Layer {
    /// L0, by its place in the order in which L0 crates may import each other.
    Base(usize),
    /// L1
    Engine,
    /// L2
    Adapter,
    /// L3
    Part,
    /// L4
    Shell,
    /// `sim`, `xtask`, `conformance`: for tests and scripts, imported by nothing that ships.
    Dev,
}

const BASE_ORDER: &[&str] = &["crates/model", "crates/yaml", "crates/template"];

fn layer(folder: &str) -> Option<Layer> {
    if let Some(place) = BASE_ORDER.iter().position(|base| *base == folder) {
        return Some(Layer::Base(place));
    }
    let parts: Vec<&str> = folder.split('/').collect();
    match parts[..] {
        ["crates", "engine", _] => Some(Layer::Engine),
        ["crates", "cluster", "oracle" | "storage-faults"] => Some(Layer::Dev),
        ["crates", "store"] | ["crates", "adapter", _] => Some(Layer::Adapter),
        ["crates", "registry"] | ["crates", "ci" | "cluster", _] => Some(Layer::Part),
        ["crates", "server" | "cli"] => Some(Layer::Shell),
        ["crates", "sim" | "conformance"] | ["xtask"] => Some(Layer::Dev),
        _ => None,
    }
}

fn may_import(from: Layer, to: Layer) -> bool {
    match (from, to) {
        (_, Layer::Dev) => false,
        (Layer::Base(from), Layer::Base(to)) => to < from,
        (Layer::Engine | Layer::Adapter, Layer::Base(_)) => true,
        // The engine whose trait it implements: which one, a reader decides; that it is no adapter, we do.
        (Layer::Adapter, Layer::Engine) => true,
        (Layer::Part, Layer::Base(_) | Layer::Engine | Layer::Adapter | Layer::Part) => true,
        (Layer::Shell | Layer::Dev, _) => true,
        _ => false,
    }
}

/// Every edge between our crates that the layers forbid.
pub fn check() -> Result<Vec<String>, String> {
    let metadata = repository::metadata(false)?;
    let root = repository::root();
    let mut findings = Vec::new();
    let folder_of = |path: &str| {
        let path = path.trim_end_matches("/Cargo.toml");
        path.strip_prefix(&*root.to_string_lossy())
            .unwrap_or(path)
            .trim_start_matches('/')
            .to_owned()
    };
    for package in metadata["packages"].as_array().into_iter().flatten() {
        let folder = folder_of(package["manifest_path"].as_str().unwrap_or_default());
        let Some(from) = layer(&folder) else {
            findings.push(format!(
                "{folder} is in no layer: name it in xtask/src/tidy/layers.rs and ARCHITECTURE.md"
            ));
            continue;
        };
        for dependency in package["dependencies"].as_array().into_iter().flatten() {
            let Some(to_folder) = dependency["path"].as_str().map(folder_of) else {
                continue;
            };
            let for_tests = dependency["kind"].as_str() == Some("dev");
            let allowed = match layer(&to_folder) {
                Some(Layer::Dev) => for_tests || from == Layer::Dev,
                Some(to) => for_tests || may_import(from, to),
                None => false,
            };
            if !allowed {
                findings.push(format!("{folder} must not import {to_folder}"));
            }
        }
    }
    Ok(findings)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn edges() {
        let may =
            |from: &str, to: &str| may_import(layer(from).expect("a layer"), layer(to).expect("a layer"));
        assert!(may("crates/template", "crates/model"));
        assert!(!may("crates/model", "crates/template"));
        assert!(may("crates/engine/render", "crates/yaml"));
        assert!(!may("crates/engine/render", "crates/engine/sync"));
        assert!(!may("crates/engine/render", "crates/adapter/git"));
        assert!(may("crates/adapter/tsdb", "crates/engine/promql"));
        assert!(!may("crates/adapter/git", "crates/adapter/image"));
        assert!(may("crates/ci/jobs", "crates/adapter/sandbox"));
        assert!(!may("crates/ci/jobs", "crates/server"));
        assert!(may("crates/cli", "crates/ci/jobs"));
        assert!(!may("crates/cli", "xtask"));
    }
}

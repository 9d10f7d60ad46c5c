//! Definitions of custom resources that others publish, as their Go modules carry them: large ones, of many shapes. They
//! are applied by `kubectl` and by charts in sessions of clients, and are no part of this repository.

use std::fs;
use std::path::Path;
use std::process::Command;

use crate::{Outcome, repository};

/// A module with definitions in one of its folders.
struct Source {
    /// The folder below `target/peers/definitions`.
    name: &'static str,
    module: &'static str,
    folder: &'static str,
    /// How the names of the files end.
    ending: &'static str,
}

const SOURCES: [Source; 2] = [
    Source {
        name: "argo-rollouts",
        module: "github.com/argoproj/argo-rollouts@v1.8.3",
        folder: "manifests/crds",
        ending: "-crd.yaml",
    },
    Source {
        name: "prometheus-operator",
        module: "github.com/prometheus-operator/prometheus-operator@v0.85.0",
        folder: "example/prometheus-operator-crd",
        ending: ".yaml",
    },
];

/// Copies the definitions of all sources to `target/peers/definitions`.
pub fn install() -> Outcome {
    for source in &SOURCES {
        let to = repository::root()
            .join("target/peers/definitions")
            .join(source.name);
        if to.is_dir() {
            println!("{}: there", source.name);
            continue;
        }
        println!("{}: go mod download {}", source.name, source.module);
        let from = download(source.module)?;
        copy(&Path::new(&from).join(source.folder), &to, source.ending)?;
    }
    Ok(())
}

/// Where Go has put a module.
fn download(module: &str) -> Result<String, String> {
    let mut go = Command::new("go");
    // Outside of any module, so that nothing but this one is asked for.
    go.args(["mod", "download", "-json", module])
        .current_dir(std::env::temp_dir());
    let text = repository::stdout(&mut go)?;
    let told: serde_json::Value = serde_json::from_str(&text).map_err(|e| format!("{module}: {e}"))?;
    let folder = told["Dir"]
        .as_str()
        .ok_or_else(|| format!("{module}: {}", told["Error"]))?;
    Ok(folder.to_owned())
}

fn copy(from: &Path, to: &Path, ending: &str) -> Outcome {
    let failed = |e: std::io::Error| format!("{}: {e}", from.display());
    // Whole or not at all: what is there counts as installed.
    let unfinished = to.with_extension("new");
    fs::create_dir_all(&unfinished).map_err(failed)?;
    for entry in fs::read_dir(from).map_err(failed)? {
        let entry = entry.map_err(failed)?;
        let name = entry.file_name();
        if name.to_string_lossy().ends_with(ending) {
            // Written anew: files of Go's cache are read-only.
            let text = fs::read(entry.path()).map_err(failed)?;
            fs::write(unfinished.join(name), text).map_err(failed)?;
        }
    }
    fs::rename(&unfinished, to).map_err(failed)
}

//! The command as a user meets it, run in this process.

mod ci;
mod cluster;
mod disk;
mod helm_cases;
mod hostile;
mod kustomize;
mod ledger;
mod process;
mod sessions;
mod shop;
mod texts;

use std::fs;
use std::path::PathBuf;

/// An empty folder below `target/`.
fn fresh_folder(name: &str) -> PathBuf {
    let path = deploy_conformance::repository()
        .join("target/cli-tests")
        .join(name);
    if path.exists() {
        fs::remove_dir_all(&path).expect("an old folder can be removed");
    }
    fs::create_dir_all(&path).expect("target/ can be written");
    path
}

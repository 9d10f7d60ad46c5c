//! The real programs beside ours: oracles of behaviour and peers of speed. Never shipped, never needed by `make test`.

pub mod compare;

use std::path::PathBuf;
use std::process::Command;

use crate::{Outcome, repository};

/// A program that can be installed from its published Go module.
struct Peer {
    /// The name under `target/peers/bin`.
    name: &'static str,
    /// What `go install` is asked for.
    module: &'static str,
    /// What `go install` calls the program.
    built_as: &'static str,
}

const PEERS: &[Peer] = &[
    Peer {
        name: "helm4",
        module: "helm.sh/helm/v4/cmd/helm@v4.3.1",
        built_as: "helm",
    },
    Peer {
        name: "helm3",
        module: "helm.sh/helm/v3/cmd/helm@v3.19.4",
        built_as: "helm",
    },
    Peer {
        name: "kustomize",
        module: "sigs.k8s.io/kustomize/kustomize/v5@v5.8.1",
        built_as: "kustomize",
    },
];

/// `peers [install|compare] [NAME...]`; without a word it does both.
pub fn run(args: &[String]) -> Outcome {
    match args.split_first() {
        Some((word, names)) if word == "install" => install(names),
        Some((word, _)) if word == "compare" => compare::run(),
        Some(_) => install(args),
        None => install(&[]).and_then(|()| compare::run()),
    }
}

/// Where an installed peer is, or what to do to have it.
pub fn program(name: &str) -> Result<PathBuf, String> {
    let path = repository::root().join("target/peers/bin").join(name);
    if path.is_file() {
        Ok(path)
    } else {
        Err(format!(
            "{name} is not installed: cargo xtask peers install {name}"
        ))
    }
}

fn install(names: &[String]) -> Outcome {
    if let Some(unknown) = names
        .iter()
        .find(|name| !PEERS.iter().any(|peer| peer.name == *name))
    {
        let known: Vec<&str> = PEERS.iter().map(|peer| peer.name).collect();
        return Err(format!(
            "no peer is named {unknown}; there are {}",
            known.join(", ")
        ));
    }
    for peer in PEERS
        .iter()
        .filter(|peer| names.is_empty() || names.iter().any(|name| name == peer.name))
    {
        if program(peer.name).is_ok() {
            println!("{}: there", peer.name);
            continue;
        }
        println!("{}: go install {}", peer.name, peer.module);
        go_install(peer)?;
    }
    Ok(())
}

fn go_install(peer: &Peer) -> Outcome {
    let root = repository::root();
    // A folder of its own: helm 3 and helm 4 build to the same name.
    let workshop = root.join("target/peers/build").join(peer.name);
    let bin = root.join("target/peers/bin");
    std::fs::create_dir_all(&bin).map_err(|e| format!("{}: {e}", bin.display()))?;
    let mut go = Command::new("go");
    go.args(["install", peer.module])
        .env("GOBIN", &workshop)
        .env("CGO_ENABLED", "0");
    repository::stdout(&mut go)
        .map_err(|e| format!("{e}\nGo 1.26 is needed: https://go.dev/dl, or the package golang-go"))?;
    std::fs::rename(workshop.join(peer.built_as), bin.join(peer.name))
        .map_err(|e| format!("{}: {e}", peer.name))
}

//! The real programs beside ours: oracles of behaviour and peers of speed. Never shipped, never needed by `make test`.

pub mod compare;
pub mod control_plane;
mod definitions;
mod kubelet;
mod kubernetes;
pub mod oracle;

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

/// `peers [install|compare] [NAME...]`, `peers kubernetes start|stop`, `peers oracle record|compare`, `peers kubelet [FILTER]`;
/// without a word it installs and compares.
pub fn run(args: &[String]) -> Outcome {
    match args.split_first() {
        Some((word, names)) if word == "install" => install(names),
        Some((word, _)) if word == "compare" => compare::run(),
        Some((word, rest)) if word == "oracle" => oracle::run(rest),
        Some((word, rest)) if word == "kubelet" => kubelet::run(rest),
        Some((word, rest)) if word == "kubernetes" && !rest.is_empty() => control_plane::run(rest),
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

/// Without names: those that the renderer is compared with. `kubernetes` stands for all programs of a control plane and node.
fn install(names: &[String]) -> Outcome {
    let wanted: Vec<&str> = if names.is_empty() {
        PEERS.iter().map(|peer| peer.name).collect()
    } else {
        names
            .iter()
            .flat_map(|name| {
                if name == "kubernetes" {
                    [kubernetes::PROGRAMS, &["etcd"]].concat()
                } else {
                    vec![name.as_str()]
                }
            })
            .collect()
    };
    let bin = repository::root().join("target/peers/bin");
    std::fs::create_dir_all(&bin).map_err(|e| format!("{}: {e}", bin.display()))?;
    for name in wanted {
        if name == "definitions" {
            definitions::install()?;
        } else if program(name).is_ok() {
            println!("{name}: there");
        } else if let Some(peer) = PEERS.iter().find(|peer| peer.name == name) {
            println!("{name}: go install {}", peer.module);
            go_install(peer)?;
        } else if name == "etcd" {
            println!("{name}: go build, a minute");
            kubernetes::install_etcd()?;
        } else if kubernetes::PROGRAMS.contains(&name) {
            println!("{name}: go build, some minutes");
            kubernetes::install(name)?;
        } else {
            let known: Vec<&str> = PEERS.iter().map(|peer| peer.name).collect();
            return Err(format!(
                "no peer is named {name}; there are {}, definitions, kubernetes, etcd",
                known.join(", ")
            ));
        }
    }
    Ok(())
}

fn go_install(peer: &Peer) -> Outcome {
    let root = repository::root();
    // A folder of its own: helm 3 and helm 4 build to the same name.
    let workshop = root.join("target/peers/build").join(peer.name);
    let mut go = Command::new("go");
    go.args(["install", peer.module]).env("GOBIN", &workshop);
    repository::stdout(&mut go)
        .map_err(|e| format!("{e}\nGo 1.26 is needed: https://go.dev/dl, or the package golang-go"))?;
    let program = root.join("target/peers/bin").join(peer.name);
    std::fs::rename(workshop.join(peer.built_as), program).map_err(|e| format!("{}: {e}", peer.name))
}

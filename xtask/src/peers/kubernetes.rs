//! The real Kubernetes 1.34: built from its Go module, because it publishes no program that `go install` accepts.

use std::fmt::Write as _;
use std::fs;
use std::path::Path;
use std::process::Command;

use crate::{Outcome, repository};

const VERSION: &str = "1.34.2";

/// The modules that live in Kubernetes' own tree; their version is 0.MINOR.PATCH.
const STAGING: &[&str] = &[
    "api",
    "apiextensions-apiserver",
    "apimachinery",
    "apiserver",
    "cli-runtime",
    "client-go",
    "cloud-provider",
    "cluster-bootstrap",
    "code-generator",
    "component-base",
    "component-helpers",
    "controller-manager",
    "cri-api",
    "cri-client",
    "csi-translation-lib",
    "dynamic-resource-allocation",
    "endpointslice",
    "externaljwt",
    "kms",
    "kube-aggregator",
    "kube-controller-manager",
    "kube-proxy",
    "kube-scheduler",
    "kubectl",
    "kubelet",
    "metrics",
    "mount-utils",
    "pod-security-admission",
    "sample-apiserver",
    "sample-cli-plugin",
    "sample-controller",
];

/// The programs of a control plane and of a node.
pub const PROGRAMS: &[&str] = &[
    "kube-apiserver",
    "kube-controller-manager",
    "kube-scheduler",
    "kubelet",
    "kube-proxy",
];

/// The module that is etcd's program; it replaces modules of its own tree, which `go install` refuses.
const ETCD: &str = "go.etcd.io/etcd/server/v3";
/// What the go.mod of Kubernetes names.
const ETCD_VERSION: &str = "3.6.4";

/// Builds one of [`PROGRAMS`] into `target/peers/bin`; the first one takes minutes.
pub fn install(program: &str) -> Outcome {
    let root = repository::root();
    let module = root.join("target/peers/kubernetes");
    if !module.join("go.sum").is_file() {
        write_module(&module)?;
        run(Command::new("go")
            .args(["mod", "tidy", "-e"])
            .current_dir(&module))?;
    }
    let package = "k8s.io/component-base/version";
    let minor = VERSION.split('.').nth(1).unwrap_or_default();
    let flags = format!(
        "-s -w -X {package}.gitVersion=v{VERSION} -X {package}.gitMajor=1 -X {package}.gitMinor={minor}"
    );
    run(Command::new("go")
        .args(["build", "-ldflags", &flags, "-o"])
        .arg(root.join("target/peers/bin").join(program))
        .arg(format!("k8s.io/kubernetes/cmd/{program}"))
        .env("CGO_ENABLED", "0")
        .current_dir(&module))
}

/// Builds the etcd that this Kubernetes is tested with. An older one, as some distributions have, cannot report
/// progress, and the API server then answers some lists and watches in another way.
pub fn install_etcd() -> Outcome {
    let root = repository::root();
    let folder = root.join("target/peers/etcd");
    fs::create_dir_all(&folder).map_err(|e| format!("{}: {e}", folder.display()))?;
    let put = |name: &str, text: &str| fs::write(folder.join(name), text).map_err(|e| format!("{name}: {e}"));
    put(
        "go.mod",
        &format!("module peers/etcd\n\ngo 1.24.0\n\nrequire {ETCD} v{ETCD_VERSION}\n"),
    )?;
    put(
        "tools.go",
        &format!("//go:build tools\n\npackage tools\n\nimport _ \"{ETCD}\"\n"),
    )?;
    run(Command::new("go")
        .args(["mod", "tidy", "-e"])
        .current_dir(&folder))?;
    run(Command::new("go")
        .args(["build", "-ldflags", "-s -w", "-o"])
        .arg(root.join("target/peers/bin/etcd"))
        .arg(ETCD)
        .env("CGO_ENABLED", "0")
        .current_dir(&folder))
}

fn run(command: &mut Command) -> Outcome {
    repository::stdout(command).map(drop)
}

fn write_module(folder: &Path) -> Outcome {
    let mut module = format!(
        "module peers/kubernetes\n\ngo 1.24.0\n\nrequire k8s.io/kubernetes v{VERSION}\n\nreplace (\n"
    );
    let staging_version = format!("v0{}", &VERSION[1..]);
    for name in STAGING {
        writeln!(module, "\tk8s.io/{name} => k8s.io/{name} {staging_version}")
            .expect("writing to a string cannot fail");
    }
    module.push_str(")\n");
    let mut tools = "//go:build tools\n\npackage tools\n\nimport (\n".to_owned();
    for program in PROGRAMS {
        writeln!(tools, "\t_ \"k8s.io/kubernetes/cmd/{program}\"").expect("writing to a string cannot fail");
    }
    tools.push_str(")\n");
    let put = |name: &str, text: &str| fs::write(folder.join(name), text).map_err(|e| format!("{name}: {e}"));
    fs::create_dir_all(folder).map_err(|e| format!("{}: {e}", folder.display()))?;
    put("go.mod", &module)?;
    put("tools.go", &tools)
}

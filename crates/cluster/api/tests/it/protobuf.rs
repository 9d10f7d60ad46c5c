//! The table of protobuf's field numbers is what Kubernetes publishes. `UPDATE_EXPECT=1` rewrites it.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::{env, fs};

const FILES: &[(&str, &str)] = &[
    ("k8s.io/apimachinery@v0.34.2/pkg/apis/meta/v1", "meta.v1"),
    (
        "k8s.io/api@v0.34.2/admissionregistration/v1",
        "admissionregistration.v1",
    ),
    ("k8s.io/api@v0.34.2/apps/v1", "apps.v1"),
    ("k8s.io/api@v0.34.2/authentication/v1", "authentication.v1"),
    ("k8s.io/api@v0.34.2/authorization/v1", "authorization.v1"),
    ("k8s.io/api@v0.34.2/autoscaling/v1", "autoscaling.v1"),
    ("k8s.io/api@v0.34.2/autoscaling/v2", "autoscaling.v2"),
    ("k8s.io/api@v0.34.2/batch/v1", "batch.v1"),
    ("k8s.io/api@v0.34.2/certificates/v1", "certificates.v1"),
    ("k8s.io/api@v0.34.2/coordination/v1", "coordination.v1"),
    ("k8s.io/api@v0.34.2/core/v1", "core.v1"),
    ("k8s.io/api@v0.34.2/discovery/v1", "discovery.v1"),
    ("k8s.io/api@v0.34.2/events/v1", "events.v1"),
    ("k8s.io/api@v0.34.2/flowcontrol/v1", "flowcontrol.v1"),
    ("k8s.io/api@v0.34.2/networking/v1", "networking.v1"),
    ("k8s.io/api@v0.34.2/node/v1", "node.v1"),
    ("k8s.io/api@v0.34.2/policy/v1", "policy.v1"),
    ("k8s.io/api@v0.34.2/rbac/v1", "rbac.v1"),
    ("k8s.io/api@v0.34.2/resource/v1", "resource.v1"),
    ("k8s.io/api@v0.34.2/scheduling/v1", "scheduling.v1"),
    ("k8s.io/api@v0.34.2/storage/v1", "storage.v1"),
];

#[test]
fn the_table_is_what_kubernetes_publishes() {
    let Some(modules) = modules() else {
        println!("skipped: no Go module cache with k8s.io/api v0.34.2");
        return;
    };
    let mut table = String::new();
    for (folder, package) in FILES {
        let path = modules.join(folder).join("generated.proto");
        let source = fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
        messages(&source, package, &mut table);
    }
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/protobuf/messages.txt");
    if env::var_os("UPDATE_EXPECT").is_some() {
        fs::write(&path, &table).expect("the crate can be written");
    }
    let committed = fs::read_to_string(&path).expect("the table is there");
    assert!(
        committed == table,
        "{} is out of date: run with UPDATE_EXPECT=1",
        path.display()
    );
}

fn modules() -> Option<PathBuf> {
    let output = Command::new("go").args(["env", "GOMODCACHE"]).output().ok()?;
    let path = PathBuf::from(String::from_utf8(output.stdout).ok()?.trim());
    path.join(FILES[1].0).is_dir().then_some(path)
}

/// Writes the messages of a proto file: lines of `optional TYPE NAME = NUMBER;` between `message NAME {` and `}`.
fn messages(source: &str, package: &str, table: &mut String) {
    for line in source.lines() {
        let line = line.trim();
        if let Some(name) = line
            .strip_prefix("message ")
            .and_then(|rest| rest.strip_suffix(" {"))
        {
            writeln!(table, "{package}.{name}").expect("writing to a string cannot fail");
            continue;
        }
        let Some((left, number)) = line.strip_suffix(';').and_then(|line| line.split_once(" = ")) else {
            continue;
        };
        let (mark, left) = match left.split_once(' ') {
            Some(("optional", rest)) => ("", rest),
            Some(("repeated", rest)) => ("*", rest),
            _ if left.starts_with("map<string, ") => ("%", left.trim_start_matches("map<string, ")),
            _ => continue,
        };
        let (r#type, name) = left.rsplit_once(' ').expect("a type and a name");
        let r#type = short(r#type.trim_end_matches('>'), package);
        writeln!(table, "{number} {name} {mark}{type}").expect("writing to a string cannot fail");
    }
}

fn short(r#type: &str, package: &str) -> String {
    match r#type {
        "string" => "s".to_owned(),
        "bytes" => "b".to_owned(),
        "bool" => "t".to_owned(),
        "double" => "d".to_owned(),
        "int32" | "int64" | "uint32" | "uint64" => "i".to_owned(),
        _ => {
            let name = r#type.trim_start_matches('.');
            if let Some(rest) = name.strip_prefix("k8s.io.api.") {
                rest.to_owned()
            } else if let Some(rest) = name.strip_prefix("k8s.io.apimachinery.pkg.apis.") {
                rest.to_owned()
            } else if name.starts_with("k8s.io.") {
                name.rsplit('.').next().unwrap_or_default().to_owned()
            } else {
                format!("{package}.{name}")
            }
        }
    }
}

//! `deploy cluster apply`: against a real server, without kubectl.

use std::fs;
use std::io::Write;
use std::process::{Output, Stdio};

use super::server::{Server, deploy};

const SHOP: &str = "\
apiVersion: v1
kind: ConfigMap
metadata: {name: prices, namespace: shop}
data: {currency: MYR}
---
apiVersion: v1
kind: Namespace
metadata: {name: shop}
---
apiVersion: example.com/v1
kind: Crate
metadata: {name: first}
spec: {size: 3}
---
apiVersion: apiextensions.k8s.io/v1
kind: CustomResourceDefinition
metadata: {name: crates.example.com}
spec:
  group: example.com
  names: {kind: Crate, plural: crates}
  scope: Namespaced
  versions:
    - name: v1
      served: true
      storage: true
      schema: {openAPIV3Schema: {type: object, properties: {spec: {type: object, properties: {size: {type: integer}}}}}}
";

fn apply(server: &Server, arguments: &[&str], input: &str) -> Output {
    let mut child = deploy(&server.folder)
        .args(["cluster", "apply"])
        .args(arguments)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("the binary runs");
    let mut stdin = child.stdin.take().expect("it is piped");
    stdin
        .write_all(input.as_bytes())
        .expect("it reads its input to the end");
    drop(stdin);
    child.wait_with_output().expect("it ends")
}

fn told(output: &Output) -> (Option<i32>, String, String) {
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    (output.status.code(), text(&output.stdout), text(&output.stderr))
}

#[test]
fn objects_are_created_then_unchanged_then_configured() {
    let server = Server::start_in(&crate::fresh_folder("cluster-apply"), &["--api-only"]);
    let (code, out, talk) = told(&apply(&server, &["-n", "shop", "-"], SHOP));
    assert_eq!(code, Some(0), "{talk}");
    // Namespaces and definitions come first, and a definition is waited for.
    let lines: Vec<&str> = out.lines().collect();
    let names = [
        "namespace/shop created",
        "customresourcedefinition.apiextensions.k8s.io/crates.example.com created",
        "configmap/prices created",
        "crate.example.com/first created",
    ];
    assert_eq!(lines, names);

    let folder = server.folder.join("manifests");
    fs::create_dir_all(&folder).expect("a folder can be made");
    fs::write(folder.join("shop.yaml"), SHOP.replace("size: 3", "size: 4")).expect("a file can be written");
    let folder = folder.to_str().expect("it is UTF-8");
    let (code, out, talk) = told(&apply(&server, &["--namespace=shop", "--wait", folder], ""));
    assert_eq!(code, Some(0), "{talk}");
    assert!(out.contains("configmap/prices unchanged\n"), "{out}");
    assert!(out.contains("crate.example.com/first configured\n"), "{out}");
    server.stop();
}

#[test]
fn what_is_refused_or_not_ready_is_said_with_its_cause() {
    let server = Server::start_in(&crate::fresh_folder("cluster-apply-refused"), &["--api-only"]);
    let wrong = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: a}\ndata: {n: 1, x: {}}\n";
    let (code, out, talk) = told(&apply(&server, &["-"], wrong));
    assert_eq!((code, out.as_str()), (Some(1), ""), "{talk}");
    assert!(
        talk.contains("DEP-CLUSTER-009") && talk.contains("configmap/a"),
        "{talk}"
    );

    let unknown = "apiVersion: nowhere.example/v1\nkind: Thing\nmetadata: {name: a}\n";
    let (code, _, talk) = told(&apply(&server, &["-"], unknown));
    assert_eq!(code, Some(1), "{talk}");
    assert!(
        talk.contains("no matches for kind \"Thing\" in version \"nowhere.example/v1\""),
        "{talk}"
    );

    // Without a node no pod of it ever runs.
    let waiting = "apiVersion: apps/v1\nkind: Deployment\nmetadata: {name: web}\nspec:\n  selector: {matchLabels: {a: b}}\n  \
                   template:\n    metadata: {labels: {a: b}}\n    spec: {containers: [{name: c, image: i}]}\n";
    let (code, out, talk) = told(&apply(&server, &["--wait", "--timeout=1", "-"], waiting));
    assert_eq!(
        (code, out.as_str()),
        (Some(7), "deployment.apps/web created\n"),
        "{talk}"
    );
    assert!(
        talk.contains("DEP-CLUSTER-010") && talk.contains("0 of 1"),
        "{talk}"
    );
    server.stop();
}

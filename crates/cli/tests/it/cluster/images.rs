//! `deploy cluster image`: archives in, a list, and what nobody uses out. Root is needed, because layers have owners.

use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::Stdio;

use deploy_image::{Config, Contents, Pack, write_archive};
use serde_json::{Value, json};

use super::server::{Server, deploy};
use super::wire::Client;

const NAME: &str = "deploy.test/small:1";

#[allow(clippy::print_stdout, reason = "a test that is skipped says so")]
fn is_root(test: &str) -> bool {
    let root = rustix::process::geteuid().is_root();
    if !root {
        println!("skipped: {test} needs root");
    }
    root
}

fn archive(folder: &Path, name: &str) -> PathBuf {
    let layer = folder.join("layer");
    fs::create_dir_all(&layer).expect("a folder");
    fs::write(layer.join("program"), name).expect("a file");
    let target = folder.join("image.tar");
    let contents = Contents {
        reference: &name.parse().expect("a reference"),
        config: &Config::default(),
        layers: &[layer],
        pack: Pack {
            root_owned: true,
            mtime_s: Some(1),
        },
    };
    write_archive(&target, &contents).expect("an archive");
    target
}

/// Exit code, stdout, stderr.
fn run(folder: &Path, lang: &str, arguments: &[&str], stdin: &[u8]) -> (Option<i32>, String, String) {
    let mut child = deploy(folder)
        .env("LANG", lang)
        .args(["cluster", "image"])
        .args(arguments)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("the binary runs");
    // A command that needs no input closes it.
    let _ = child.stdin.take().expect("it is piped").write_all(stdin);
    let output = child.wait_with_output().expect("it ends");
    let text = |bytes: Vec<u8>| String::from_utf8_lossy(&bytes).into_owned();
    (output.status.code(), text(output.stdout), text(output.stderr))
}

#[test]
fn an_archive_becomes_an_image_and_goes_again() {
    if !is_root("an_archive_becomes_an_image_and_goes_again") {
        return;
    }
    let folder = crate::fresh_folder("cluster-images");
    let archive = archive(&folder, NAME);
    let archive = archive.to_str().expect("a path of ours");
    let (code, out, err) = run(&folder, "C", &["load", archive], b"");
    assert_eq!((code, &*out, &*err), (Some(0), &*format!("{NAME}\n"), ""));
    // The same from standard input, under another name.
    let bytes = fs::read(archive).expect("an archive");
    let (code, out, err) = run(&folder, "C", &["load", "--name", "other/name", "-"], &bytes);
    assert_eq!(
        (code, &*out, &*err),
        (Some(0), "docker.io/other/name:latest\n", "")
    );
    let (_, out, _) = run(&folder, "C", &["list", "-o", "json"], b"");
    let listed: Value = serde_json::from_str(&out).expect("it is JSON");
    assert_eq!(listed[0]["tags"], json!([NAME, "docker.io/other/name:latest"]));
    let id = listed[0]["id"].as_str().expect("an id");
    let (_, out, _) = run(&folder, "C", &["list"], b"");
    let mut lines = out.lines();
    assert_eq!(
        lines
            .next()
            .map(|line| line.split_whitespace().collect::<Vec<_>>()),
        Some(vec!["IMAGE", "ID", "SIZE"])
    );
    let row = lines.next().expect("a row");
    assert!(row.starts_with(NAME) && row.contains(&id[7..19]), "{row}");
    let (_, out, _) = run(&folder, "zh_CN.UTF-8", &["list"], b"");
    assert!(out.starts_with("镜像"), "{out}");
    let (code, out, err) = run(&folder, "C", &["prune"], b"");
    assert_eq!((code, &*out), (Some(0), &*format!("{NAME}\n")));
    assert!(err.starts_with("Removed 1 images, "), "{err}");
    let (_, out, _) = run(&folder, "C", &["list", "-o", "name"], b"");
    assert_eq!(out, "");
    let layers = fs::read_dir(folder.join("data/cluster/images/layers")).expect("the store");
    assert_eq!(layers.count(), 0);
}

#[test]
fn what_cannot_be_loaded() {
    let folder = crate::fresh_folder("cluster-images-refused");
    let bad = folder.join("bad.tar");
    fs::write(&bad, "no archive").expect("a file");
    let bad = bad.to_str().expect("a path of ours");
    for (arguments, exit, code) in [
        (&["load", bad][..], 1, "DEP-IMAGE-001"),
        (&["load", "-"], 1, "DEP-IMAGE-001"),
        (&["load", "missing.tar"], 3, "DEP-FILE-001"),
        (&["load", "--name", "Not A Name", bad], 2, "DEP-CLI-001"),
        (&["load"], 2, "DEP-CLI-001"),
    ] {
        for lang in ["C", "zh_CN.UTF-8"] {
            let (found, out, err) = run(&folder, lang, arguments, b"no archive either");
            assert_eq!((found, &*out), (Some(exit), ""), "{arguments:?}: {err}");
            assert!(err.contains(code), "{arguments:?}: {err}");
            assert_eq!(err.is_ascii(), lang == "C", "{err}");
        }
    }
}

#[tokio::test]
async fn an_image_that_a_pod_names_stays() {
    if !is_root("an_image_that_a_pod_names_stays") {
        return;
    }
    let server = Server::start("images-in-use");
    let folder = server.folder.clone();
    let archive = archive(&folder, NAME);
    let (code, _, err) = run(&folder, "C", &["load", archive.to_str().expect("a path")], b"");
    assert_eq!(code, Some(0), "{err}");
    let client = Client::connect(&server.kubeconfig()).await;
    let pod = json!({
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": "user"},
        "spec": {
            "containers": [{"name": "main", "image": NAME}],
            "serviceAccountName": "runner",
            "automountServiceAccountToken": false,
        },
    });
    let account = json!({"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": "runner"}});
    let accounts = "/api/v1/namespaces/default/serviceaccounts";
    let (status, answer) = client
        .send("POST", accounts, &account)
        .await
        .expect("the server is there");
    assert_eq!(status, 201, "{answer}");
    let path = "/api/v1/namespaces/default/pods";
    let (status, answer) = client
        .send("POST", path, &pod)
        .await
        .expect("the server is there");
    assert_eq!(status, 201, "{answer}");
    let (code, out, err) = run(&folder, "C", &["prune"], b"");
    assert_eq!((code, &*out), (Some(0), ""), "{err}");
    let (status, _) = client
        .send(
            "DELETE",
            &format!("{path}/user?gracePeriodSeconds=0"),
            &Value::Null,
        )
        .await
        .expect("the server is there");
    assert_eq!(status, 200);
    let (code, out, err) = run(&folder, "C", &["prune"], b"");
    assert_eq!((code, &*out), (Some(0), &*format!("{NAME}\n")), "{err}");
}

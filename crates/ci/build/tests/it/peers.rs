//! The Dockerfiles of `fixtures/build`, built by buildah and by us: trees and settings are compared.
//!
//! They begin with `debian:bookworm`. `DEPLOY_DEBIAN` names the root file system as a tar, for example made with
//! `mmdebstrap --variant=minbase bookworm debian.tar`.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use deploy_image::{Image, Store};
use serde_json::Value;

use crate::world::{World, run, tree};

/// What the two do differently, and why ours is right.
const KNOWN: &[(&str, &str)] = &[(
    "/etc/hosts: \"nothing\"",
    "buildah leaves the empty file that it mounted its own over",
)];

/// What buildah 1.28 cannot read: ours is built alone.
const UNREAD: &[&str] = &["heredocs"];

#[test]
fn buildah_makes_the_same() {
    let Some(debian) = std::env::var_os("DEPLOY_DEBIAN").map(PathBuf::from) else {
        println!(
            "skipped: the comparison with buildah needs DEPLOY_DEBIAN, a tar of Debian's root file system"
        );
        return;
    };
    if Command::new("buildah").arg("--version").output().is_err() {
        println!("skipped: the comparison with buildah needs it (apt-get install buildah)");
        return;
    }
    run("peers", |world| {
        let base = base(world, &debian);
        let peer = Peer::new(&world.root, &base);
        let fixtures = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../fixtures/build");
        let mut names: Vec<PathBuf> = fs::read_dir(fixtures)
            .unwrap()
            .map(|entry| entry.unwrap().path())
            .collect();
        names.sort();
        let asked = std::env::var("DEPLOY_CASE").unwrap_or_default();
        names.retain(|case| case.file_name().unwrap().to_string_lossy().contains(&asked));
        let (total, mut differences) = (names.len(), Vec::new());
        for case in &names {
            let name = case.file_name().unwrap().to_string_lossy().into_owned();
            for line in compare(world, &peer, case) {
                match KNOWN.iter().find(|(known, _)| line.starts_with(known)) {
                    Some((_, reason)) => println!("{name}: differs, known: {line}: {reason}"),
                    None => differences.push(format!("{name}: {line}")),
                }
            }
        }
        assert!(differences.is_empty(), "{}", differences.join("\n"));
        println!("{total} Dockerfiles are built as buildah builds them");
    });
}

/// An archive of `debian:bookworm`, made by a build of ours.
fn base(world: &World, debian: &Path) -> PathBuf {
    let context = world.root.join("debian");
    fs::create_dir(&context).unwrap();
    fs::copy(debian, context.join("root.tar")).unwrap();
    let mut request = world.request("FROM scratch\nADD root.tar /\nCMD [\"bash\"]\n");
    request.context = context;
    request.tags = vec!["debian:bookworm".parse().unwrap()];
    request.output = Some(world.root.join("debian.tar"));
    world.build(&request).0.unwrap();
    world.root.join("debian.tar")
}

struct Peer {
    root: PathBuf,
}

impl Drop for Peer {
    fn drop(&mut self) {
        // Its storage leaves a mount of itself.
        let _ = Command::new("umount")
            .arg(self.root.join("root/overlay"))
            .output();
    }
}

impl Peer {
    fn new(root: &Path, base: &Path) -> Peer {
        let peer = Peer {
            root: root.join("buildah"),
        };
        fs::create_dir(&peer.root).unwrap();
        peer.run(&["pull", "-q", &format!("oci-archive:{}", base.display())]);
        let id = peer.run(&["images", "-q"]);
        peer.run(&["tag", id.trim(), "docker.io/library/debian:bookworm"]);
        peer
    }

    fn run(&self, args: &[&str]) -> String {
        let outcome = Command::new("buildah")
            .arg("--root")
            .arg(self.root.join("root"))
            .arg("--runroot")
            .arg(self.root.join("run"))
            .args(["--storage-driver", "overlay"])
            .args(args)
            .output()
            .unwrap();
        let said = String::from_utf8_lossy(&outcome.stderr);
        assert!(outcome.status.success(), "buildah {args:?}: {said}");
        String::from_utf8(outcome.stdout).unwrap()
    }

    fn build(&self, context: &Path, archive: &Path) {
        let context = context.to_str().unwrap();
        self.run(&[
            "bud",
            "-q",
            // Without it SHELL means nothing to buildah.
            "--format",
            "docker",
            "--pull-never",
            "--layers",
            "--isolation",
            "chroot",
            "-t",
            "localhost/case:1",
            context,
        ]);
        self.run(&[
            "push",
            "-q",
            "localhost/case:1",
            &format!("oci-archive:{}", archive.display()),
        ]);
    }
}

fn compare(world: &World, peer: &Peer, case: &Path) -> Vec<String> {
    let mut request = world.request(&fs::read_to_string(case.join("Dockerfile")).unwrap());
    request.context = case.to_owned();
    request.source_date_epoch_s = None;
    let (built, heard) = world.build(&request);
    if let Err(error) = built {
        return vec![format!("{error:?}: {:?}", heard.lines)];
    }
    if UNREAD.iter().any(|unread| case.ends_with(unread)) {
        return Vec::new();
    }
    let archive = peer.root.join("case.tar");
    let _ = fs::remove_file(&archive);
    peer.build(case, &archive);
    let other = peer.root.join("store");
    let _ = fs::remove_dir_all(&other);
    let store = Store::open(&other).unwrap();
    let theirs = store
        .load_archive(&mut fs::File::open(&archive).unwrap(), None)
        .unwrap()
        .remove(0)
        .image;
    let ours = world.store.find("it:1").unwrap();
    let mut differences = settings(&world.store, &ours, &store, &theirs);
    let (mine, others) = (merged(&ours), merged(&theirs));
    for name in mine
        .keys()
        .chain(others.keys().filter(|name| !mine.contains_key(*name)))
    {
        if mine.get(name) != others.get(name) {
            let shown = |found: Option<&String>| {
                found.map_or_else(|| "nothing".to_owned(), |line| line.chars().take(80).collect())
            };
            let (mine, others) = (shown(mine.get(name)), shown(others.get(name)));
            differences.push(format!("/{name}: {mine:?}, buildah {others:?}"));
        }
    }
    differences
}

fn settings(store: &Store, ours: &Image, other: &Store, theirs: &Image) -> Vec<String> {
    let config = |store: &Store, image: &Image| -> Value {
        let bytes = store.documents(image).unwrap().1;
        let mut config: Value = serde_json::from_slice(&bytes).unwrap();
        if let Some(labels) = config["config"]["Labels"].as_object_mut() {
            labels.remove("io.buildah.version");
        }
        config["config"].take()
    };
    let (ours, theirs) = (config(store, ours), config(other, theirs));
    let fields = [
        "Env",
        "Cmd",
        "Entrypoint",
        "User",
        "WorkingDir",
        "ExposedPorts",
        "Volumes",
        "Labels",
        "StopSignal",
    ];
    let empty = |value: &Value| value.is_null() || value.as_object().is_some_and(serde_json::Map::is_empty);
    fields
        .into_iter()
        .filter(|field| ours[field] != theirs[field] && !(empty(&ours[field]) && empty(&theirs[field])))
        .map(|field| format!("{field}: {}, buildah {}", ours[field], theirs[field]))
        .collect()
}

/// The image's tree, without times.
fn merged(image: &Image) -> BTreeMap<String, String> {
    let mut all: BTreeMap<String, String> = BTreeMap::new();
    for layer in image.layers.iter().rev() {
        let entries = tree(layer);
        for (name, line) in &entries {
            let below = format!("{name}/");
            let hides = line.ends_with("device 0") || !line.ends_with(" /") || opaque(&layer.join(name));
            if hides {
                all.retain(|known, _| known != name && !known.starts_with(&below));
            }
        }
        all.extend(
            entries
                .into_iter()
                .filter(|(_, line)| !line.ends_with("device 0")),
        );
    }
    all
}

fn opaque(folder: &Path) -> bool {
    let mut value = [0; 1];
    rustix::fs::lgetxattr(folder, "trusted.overlay.opaque", &mut value[..]) == Ok(1)
}

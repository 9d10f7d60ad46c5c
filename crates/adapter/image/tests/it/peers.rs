//! The programs of others read what we write, and unpack it to the same tree; we read what they write.

use std::fs;
use std::path::Path;
use std::process::Command;

use deploy_image::{Config, Contents, Pack, Store, write_archive};

use crate::support::{Temp, is_root, reference, tree};

/// Runs a peer; false, with a visible line, where it is not installed.
#[allow(clippy::print_stdout, reason = "a test that is skipped says so")]
fn has(test: &str, program: &str) -> bool {
    let found = Command::new(program).arg("--version").output().is_ok();
    if !found {
        println!("skipped: {test}: {program} is not installed");
    }
    found
}

fn run(program: &str, arguments: &[&str]) {
    let output = Command::new(program)
        .args(arguments)
        .output()
        .expect("it is installed");
    assert!(
        output.status.success(),
        "{program} {arguments:?}: {}",
        String::from_utf8_lossy(&output.stderr)
    );
}

/// An archive with two layers, the upper one of which deletes and replaces.
fn written(temp: &Temp) -> std::path::PathBuf {
    use rustix::fs::{CWD, FileType, Mode, mknodat};
    let (lower, upper) = (temp.path("lower"), temp.path("upper"));
    let write = |folder: &Path, name: &str, text: &str| {
        let path = folder.join(name);
        fs::create_dir_all(path.parent().expect("a parent")).expect("a folder");
        fs::write(path, text).expect("a file");
    };
    write(&lower, "etc/a", "lower");
    write(&lower, "etc/b", "deleted");
    write(&lower, "kept/c", "kept");
    write(&upper, "etc/a", "upper");
    fs::hard_link(upper.join("etc/a"), upper.join("same")).expect("a link");
    std::os::unix::fs::symlink("etc/a", upper.join("link")).expect("a link");
    mknodat(
        CWD,
        upper.join("etc/b"),
        FileType::CharacterDevice,
        Mode::empty(),
        0,
    )
    .expect("a whiteout");
    std::os::unix::fs::chown(upper.join("etc/a"), Some(12), Some(34)).expect("root may");
    let target = temp.path("ours.tar");
    let contents = Contents {
        reference: &reference("peer.test/a:1"),
        config: &Config {
            cmd: vec!["/x".to_owned()],
            ..Config::default()
        },
        layers: &[lower, upper],
        pack: Pack {
            root_owned: false,
            mtime_s: Some(1_500_000_000),
        },
    };
    write_archive(&target, &contents).expect("an archive");
    target
}

#[test]
fn skopeo_reads_ours_and_we_read_its() {
    let test = "skopeo_reads_ours_and_we_read_its";
    if !is_root(test) || !has(test, "skopeo") {
        return;
    }
    let temp = Temp::new();
    let ours = written(&temp).display().to_string();
    let store = Store::open(&temp.path("images")).expect("a store");
    let load = |path: &Path| {
        let mut file = fs::File::open(path).expect("skopeo wrote it");
        let loaded = store
            .load_archive(&mut file, Some(&reference("loaded:1")))
            .expect("an archive");
        let image = loaded[0].image.clone();
        let layers: Vec<_> = image.layers.iter().map(|layer| tree(layer)).collect();
        (image.config.clone(), layers)
    };
    let expected = load(Path::new(&ours));
    for (transport, suffix) in [
        ("oci-archive", ""),
        ("docker-archive", ":peer.test/b:2"),
        ("oci-archive", ":peer.test/c:3"),
    ] {
        let theirs = temp.path(&format!("theirs{}.tar", suffix.len()));
        let target = format!("{transport}:{}{suffix}", theirs.display());
        run(
            "skopeo",
            &[
                "copy",
                "--insecure-policy",
                "-q",
                &format!("oci-archive:{ours}"),
                &target,
            ],
        );
        let (config, layers) = load(&theirs);
        assert_eq!(config.cmd, expected.0.cmd, "{target}");
        assert_eq!(layers, expected.1, "{target}");
    }
}

#[test]
fn umoci_unpacks_the_same_tree() {
    let test = "umoci_unpacks_the_same_tree";
    if !is_root(test) || !has(test, "umoci") || !has(test, "skopeo") {
        return;
    }
    let temp = Temp::new();
    let ours = written(&temp).display().to_string();
    let layout = temp.path("layout").display().to_string();
    run(
        "skopeo",
        &[
            "copy",
            "--insecure-policy",
            "-q",
            &format!("oci-archive:{ours}"),
            &format!("oci:{layout}:1"),
        ],
    );
    let bundle = temp.path("bundle");
    run(
        "umoci",
        &[
            "unpack",
            "--image",
            &format!("{layout}:1"),
            &bundle.display().to_string(),
        ],
    );
    let store = Store::open(&temp.path("images")).expect("a store");
    let mut file = fs::File::open(&ours).expect("it was written");
    let image = store
        .load_archive(&mut file, None)
        .expect("an archive")
        .remove(0)
        .image;
    let merged = temp.path("merged");
    fs::create_dir(&merged).expect("a folder");
    let lower: Vec<String> = image
        .layers
        .iter()
        .map(|layer| layer.display().to_string())
        .collect();
    let mounted = Command::new("mount")
        .args([
            "-t",
            "overlay",
            "-o",
            &format!("ro,lowerdir={}", lower.join(":")),
            "overlay",
        ])
        .arg(&merged)
        .status();
    if !mounted.is_ok_and(|status| status.success()) {
        println!("skipped: {test} may not mount an overlay");
        return;
    }
    let merged_tree = tree(&merged);
    let unmounted = Command::new("umount").arg(&merged).status();
    assert!(unmounted.is_ok_and(|status| status.success()));
    assert_eq!(merged_tree, tree(&bundle.join("rootfs")));
    assert!(!merged_tree.contains_key("etc/b") && merged_tree.contains_key("kept/c"));
}

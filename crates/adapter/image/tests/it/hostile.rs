//! Layers that want out, or want too much; streams that are not what they say.

use std::fs;
use std::io::{self, Read};
use std::process::Command;

use deploy_image::{Store, StoreError};
use deploy_model::image::Digest;
use proptest::prelude::*;

use crate::support::{Tar, Temp, gzip, is_root, leftovers, sha256, unpacked};

#[test]
fn names_that_lead_out_are_refused() {
    if !is_root("names_that_lead_out_are_refused") {
        return;
    }
    for tar in [
        Tar::default().file("../escaped", b"x"),
        Tar::default().file("a/../../escaped", b"x"),
        Tar::default().file("/../escaped", b"x"),
        Tar::default().folder("a").link("a/l", "../../../etc/passwd"),
        Tar::default().file("..", b"x"),
        Tar::default().symlink("./", "x"),
        Tar::default().symlink("a", ""),
        Tar::default().file("a/.wh...", b""),
        Tar::default().file("a/.wh..", b""),
        Tar::default().file("a/.wh.", b""),
    ] {
        let error = unpacked(&tar.end()).expect_err("it must not be taken");
        assert!(error.to_string().contains("forbidden name"), "{error}");
    }
}

#[test]
fn links_lead_nowhere_but_into_the_layer() {
    if !is_root("links_lead_nowhere_but_into_the_layer") {
        return;
    }
    let temp = Temp::new();
    let outside = temp.path("outside");
    fs::create_dir(&outside).expect("a folder");
    fs::write(outside.join("victim"), "whole").expect("a file");
    let absolute = outside.display().to_string();
    let up = format!("{}{absolute}", "../".repeat(30));
    for tar in [
        Tar::default().symlink("l", &absolute).file("l/new", b"x"),
        Tar::default().symlink("l", &absolute).file("l/victim", b"x"),
        Tar::default().symlink("l", &up).file("l/victim", b"x"),
        Tar::default().symlink("l", &absolute).file("l/.wh.victim", b""),
        Tar::default().symlink("l", &absolute).file("l/.wh..wh..opq", b""),
        Tar::default()
            .symlink("l", &absolute)
            .link("h", "l/victim")
            .file("h", b"x"),
        Tar::default().symlink("l", "/proc/self/cwd").file("l/new", b"x"),
        Tar::default()
            .symlink("a", "b")
            .symlink("b", "a")
            .file("a/x", b"x"),
    ] {
        let store = Store::open(&temp.path("images")).expect("a store");
        let bytes = tar.end();
        let _ = store.ingest(None, &sha256(&bytes), &mut &*bytes);
        let names: Vec<_> = fs::read_dir(&outside)
            .expect("it is still there")
            .map(|entry| entry.expect("an entry").file_name())
            .collect();
        assert_eq!(names, ["victim"]);
        assert_eq!(
            fs::read_to_string(outside.join("victim")).expect("a file"),
            "whole"
        );
        let mut mark = [0; 1];
        assert!(rustix::fs::lgetxattr(&outside, "trusted.overlay.opaque", &mut mark[..]).is_err());
    }
}

#[test]
fn links_do_not_make_a_tree_that_nobody_can_remove() {
    if !is_root("links_do_not_make_a_tree_that_nobody_can_remove") {
        return;
    }
    // Each link leads to the end of a deep path, from which the next one goes on.
    let deep = "a/".repeat(40);
    let mut tar = Tar::default().folder(&deep).symlink("l0", &deep);
    for number in 0..60 {
        let here = format!("l{number}/{deep}");
        tar = tar.folder(&here).symlink(&format!("l{}", number + 1), &here);
    }
    let tar = tar.end();
    let temp = Temp::new();
    let root = temp.path("images");
    let store = Store::open(&root).expect("a store");
    let error = store
        .ingest(None, &sha256(&tar), &mut &*tar)
        .expect_err("it has no end");
    assert!(error.to_string().starts_with("cannot write \"l"), "{error}");
    assert_eq!(leftovers(&root), Vec::<String>::new());
}

#[test]
fn wrong_digests_leave_nothing() {
    if !is_root("wrong_digests_leave_nothing") {
        return;
    }
    let temp = Temp::new();
    let root = temp.path("images");
    let store = Store::open(&root).expect("a store");
    let tar = Tar::default().file("a", b"x").end();
    let packed = gzip(&tar);
    let (digest, diff_id, other) = (sha256(&packed), sha256(&tar), sha256(b"other"));
    let error = |packed_digest: Option<&Digest>, diff_id: &Digest, mut bytes: &[u8]| {
        store
            .ingest(packed_digest, diff_id, &mut bytes)
            .expect_err("it must not be taken")
            .to_string()
    };
    assert_eq!(
        error(Some(&other), &diff_id, &packed),
        format!("the layer has the digest {digest}, not {other}")
    );
    assert_eq!(
        error(Some(&digest), &other, &packed),
        format!("the unpacked layer has the digest {diff_id}, not {other}")
    );
    // More bytes behind the tar, or behind the gzip, are other bytes.
    let longer = [&packed[..], b"more"].concat();
    assert!(error(Some(&digest), &diff_id, &longer).starts_with("the layer has the digest"));
    // Broken bytes with an honest digest are a layer that cannot be read.
    let cut = &packed[..packed.len() - 9];
    assert!(error(Some(&sha256(cut)), &diff_id, cut).starts_with("cannot read the layer"));
    assert!(error(Some(&digest), &diff_id, cut).starts_with("the layer has the digest"));
    let noise = vec![7; 2000];
    assert!(error(Some(&sha256(&noise)), &sha256(&noise), &noise).contains("tar"));
    assert_eq!(leftovers(&root), Vec::<String>::new());
    assert!(!store.has_layer(&diff_id) && !store.has_layer(&other));
}

/// A stream that breaks after some bytes.
struct Broken<'a>(&'a [u8]);

impl Read for Broken<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        match self.0.read(buffer)? {
            0 => Err(io::Error::other("the cable was cut")),
            count => Ok(count),
        }
    }
}

#[test]
fn a_broken_stream_leaves_nothing() {
    if !is_root("a_broken_stream_leaves_nothing") {
        return;
    }
    let temp = Temp::new();
    let root = temp.path("images");
    let store = Store::open(&root).expect("a store");
    let tar = Tar::default().file("a", &[1; 100_000]).end();
    for packed in [gzip(&tar), tar.clone()] {
        let mut stream = Broken(&packed[..packed.len() / 2]);
        let error = store
            .ingest(Some(&sha256(&packed)), &sha256(&tar), &mut stream)
            .expect_err("half of it");
        assert!(error.to_string().contains("the cable was cut"), "{error}");
    }
    assert_eq!(leftovers(&root), Vec::<String>::new());
}

#[test]
fn a_full_disk_leaves_nothing_and_says_so() {
    if !is_root("a_full_disk_leaves_nothing_and_says_so") {
        return;
    }
    let temp = Temp::new();
    let disk = temp.path("disk");
    fs::create_dir(&disk).expect("a folder");
    let mounted = Command::new("mount")
        .args(["-t", "tmpfs", "-o", "size=4m", "tmpfs"])
        .arg(&disk)
        .status();
    if !mounted.is_ok_and(|status| status.success()) {
        println!("skipped: a_full_disk_leaves_nothing_and_says_so may not mount a tmpfs");
        return;
    }
    /// Unmounted, whatever the test does.
    struct Mounted(std::path::PathBuf);
    impl Drop for Mounted {
        fn drop(&mut self) {
            let _ = Command::new("umount").arg(&self.0).status();
        }
    }
    let _mounted = Mounted(disk.clone());
    let root = disk.join("images");
    let store = Store::open(&root).expect("a store");
    let large = Tar::default().file("a", &vec![1; 6 << 20]).end();
    let error = store
        .ingest(None, &sha256(&large), &mut &*large)
        .expect_err("it does not fit");
    assert!(matches!(error, StoreError::DiskFull), "{error}");
    assert_eq!(leftovers(&root), Vec::<String>::new());
    let small = Tar::default().file("a", &[1; 1000]).end();
    assert!(store.ingest(None, &sha256(&small), &mut &*small).is_ok());
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    /// Whatever a byte of a layer becomes: no panic, nothing outside, nothing left of what is refused.
    #[test]
    fn a_damaged_layer_is_refused_or_taken_whole(at in 0..6000_usize, value: u8) {
        if !rustix::process::geteuid().is_root() {
            return Ok(());
        }
        let mut tar = Tar::default()
            .folder("a")
            .symlink("a/up", "../..")
            .file("a/up/b", b"x")
            .link("c", "a/up/b")
            .file(".wh.d", b"")
            .attribute("user.x", "y")
            .file("e", &[1; 700])
            .end();
        let at = at % tar.len();
        tar[at] = value;
        let temp = Temp::new();
        let root = temp.path("images");
        let store = Store::open(&root).expect("a store");
        let outcome = store.ingest(None, &sha256(&tar), &mut &*tar);
        prop_assert_eq!(leftovers(&root).len(), usize::from(outcome.is_ok()));
        let beside: Vec<_> = fs::read_dir(&temp.0).expect("a folder").collect();
        prop_assert_eq!(beside.len(), 1);
    }
}

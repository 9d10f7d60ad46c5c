//! Lawful layers: what the entries of a tar become.

use crate::support::{Tar, is_root, unpacked};

fn shown(tar: Tar) -> Vec<String> {
    unpacked(&tar.end())
        .expect("a lawful layer")
        .into_iter()
        .map(|(name, what)| format!("{name}: {what}"))
        .collect()
}

#[test]
fn every_kind_of_entry() {
    if !is_root("every_kind_of_entry") {
        return;
    }
    let tar = Tar::default()
        .folder("./")
        // A folder as it was before POSIX: a file whose name ends with a slash, and bytes that nobody reads.
        .entry(b'0', "old/", "", 0o700, b"bytes")
        .folder("a/")
        .entry(b'0', "a/setuid", "", 0o4755, b"hello")
        .symlink("a/link", "/a/setuid")
        .link("hard", "a/setuid")
        .entry(b'6', "a/fifo", "", 0o600, b"")
        .file("/absolute", b"");
    assert_eq!(
        shown(tar),
        [
            "a: 755 1000:1001 folder links 0 at 1000000000",
            "a/fifo: 600 1000:1001 fifo links 1 at 1000000000",
            "a/link: 777 1000:1001 -> /a/setuid links 1 at 1000000000",
            "a/setuid: 4755 1000:1001 5 bytes 2cf24dba links 2 at 1000000000",
            "absolute: 644 1000:1001 0 bytes e3b0c442 links 1 at 1000000000",
            "hard: 4755 1000:1001 5 bytes 2cf24dba links 2 at 1000000000",
            "old: 700 1000:1001 folder links 0 at 1000000000",
        ]
    );
    let implied = shown(Tar::default().file("implied/deep/file", b"x"));
    for (line, start) in implied
        .iter()
        .zip(["implied: 755 0:0 folder", "implied/deep: 755 0:0 folder"])
    {
        assert!(line.starts_with(start), "{line}");
    }
}

#[test]
fn whiteouts_become_those_of_an_overlay() {
    if !is_root("whiteouts_become_those_of_an_overlay") {
        return;
    }
    let lines = shown(
        Tar::default()
            .folder("a")
            .file("a/.wh.gone", b"")
            .folder("b")
            .file("b/.wh..wh..opq", b"")
            .file("b/new", b"x")
            .file(".wh..wh.plnk", b"")
            // Deleted and made anew in the same layer, in both orders: what is made hides what is below.
            .file(".wh.c", b"")
            .folder("c")
            .folder("d")
            .file(".wh.d", b"")
            .file("e", b"x")
            .file(".wh.e", b""),
    );
    let ends: Vec<&str> = lines
        .iter()
        .map(|line| line.split(" at 1000000000").next().unwrap_or(line))
        .collect();
    let gone = lines
        .iter()
        .find(|line| line.starts_with("a/gone:"))
        .expect("a whiteout");
    assert!(gone.starts_with("a/gone: 0 0:0 device 0 links 1"), "{gone}");
    assert!(
        ends.contains(&"b/new: 644 1000:1001 1 bytes 2d711642 links 1"),
        "{lines:?}"
    );
    assert!(
        ends.contains(&"e: 644 1000:1001 1 bytes 2d711642 links 1"),
        "{lines:?}"
    );
    for (name, opaque) in [("a:", false), ("b:", true), ("c:", true), ("d:", true)] {
        let line = lines
            .iter()
            .find(|line| line.starts_with(name))
            .expect("a folder");
        assert_eq!(line.ends_with(" opaque"), opaque, "{line}");
    }
    assert_eq!(lines.len(), 7);
}

#[test]
fn later_entries_replace_earlier_ones() {
    if !is_root("later_entries_replace_earlier_ones") {
        return;
    }
    let lines = shown(
        Tar::default()
            .folder("a")
            .file("a/inside", b"x")
            .file("a", b"now a file")
            .symlink("b", "a")
            .folder("b")
            .file("b/inside", b"x")
            .folder("b")
            .file("c", b"old")
            .file("c", b"new"),
    );
    let names: Vec<&str> = lines
        .iter()
        .map(|line| line.split(" links").next().unwrap_or(line))
        .collect();
    assert!(names[0].starts_with("a: 644 1000:1001 10 bytes"));
    assert_eq!(
        names[1..],
        [
            "b: 755 1000:1001 folder",
            "b/inside: 644 1000:1001 1 bytes 2d711642",
            "c: 644 1000:1001 3 bytes 11507a0e",
        ]
    );
}

/// `cap_net_bind_service=ep`, as the kernel stores it (linux/capability.h, `vfs_cap_data`).
const CAPABILITY: &str = "\x01\0\0\x02\0\x04\0\0\0\0\0\0\0\0\0\0\0\0\0\0";

#[test]
fn attributes_that_belong_to_the_image() {
    if !is_root("attributes_that_belong_to_the_image") {
        return;
    }
    use crate::support::{Temp, sha256};
    use deploy_image::Store;
    let tar = Tar::default()
        .attribute("user.note", "hello")
        .file("a", b"x")
        .attribute("security.capability", CAPABILITY)
        .file("ping", b"x")
        .attribute("trusted.overlay.redirect", "/etc")
        .folder("b")
        .attribute("trusted.overlay.opaque", "y")
        .folder("c")
        .end();
    let temp = Temp::new();
    let store = Store::open(&temp.path("images")).expect("a store");
    let layer = store.ingest(None, &sha256(&tar), &mut &*tar).expect("a layer");
    let get = |file: &str, name: &str| {
        let mut value = [0; 64];
        rustix::fs::lgetxattr(layer.folder.join(file), name, &mut value[..])
            .ok()
            .map(|length| String::from_utf8_lossy(&value[..length]).into_owned())
    };
    // File systems without attributes of users exist: then there is nothing to compare.
    if let Some(note) = get("a", "user.note") {
        assert_eq!(note, "hello");
    }
    assert_eq!(get("ping", "security.capability").as_deref(), Some(CAPABILITY));
    assert_eq!(get("b", "trusted.overlay.redirect"), None);
    assert_eq!(get("c", "trusted.overlay.opaque"), None);
}

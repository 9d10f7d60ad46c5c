//! The file system as a renderer's source.

use std::fs;
use std::os::unix::fs::symlink;

use deploy_cli::DiskSource;
use deploy_render::source::{Entry, EntryKind, Source, SourceError};

use crate::fresh_folder;

fn names(entries: &[Entry]) -> Vec<(&str, EntryKind)> {
    entries
        .iter()
        .map(|entry| (entry.name.as_str(), entry.kind))
        .collect()
}

#[test]
fn links_are_followed_and_can_be_resolved() {
    let root = fresh_folder("links");
    fs::create_dir(root.join("b")).expect("a folder");
    fs::write(root.join("b/file"), "text").expect("a file");
    symlink("b", root.join("to-folder")).expect("a link");
    symlink("b/file", root.join("a-link")).expect("a link");
    symlink("nowhere", root.join("broken")).expect("a link");
    let at = |name: &str| root.join(name).display().to_string();

    let entries = DiskSource.list(&at("")).expect("it exists");
    assert_eq!(
        names(&entries),
        [
            ("a-link", EntryKind::File),
            ("b", EntryKind::Folder),
            ("to-folder", EntryKind::Folder)
        ]
    );
    assert_eq!(DiskSource.read(&at("a-link")).expect("a file"), b"text");
    assert_eq!(
        DiskSource.kind(&at("to-folder")).expect("readable"),
        Some(EntryKind::Folder)
    );
    assert_eq!(DiskSource.kind(&at("broken")).expect("readable"), None);
    assert_eq!(DiskSource.kind(&at("b/file/x")).expect("readable"), None);
    let resolved = DiskSource.canonical(&at("to-folder/file")).expect("it exists");
    assert!(resolved.ends_with("/links/b/file"), "{resolved}");
}

#[test]
fn what_cannot_be_read_says_why() {
    let root = fresh_folder("refused");
    let at = |name: &str| root.join(name).display().to_string();
    assert!(matches!(
        DiskSource.read(&at("absent")),
        Err(SourceError::NotFound { .. })
    ));
    assert!(matches!(
        DiskSource.list(&at("absent")),
        Err(SourceError::NotFound { .. })
    ));

    let error = DiskSource.read(&at("")).expect_err("a folder is no file");
    assert!(error.to_string().ends_with(": is a directory"), "{error}");

    let error = DiskSource.read("/dev/zero").expect_err("it never ends");
    assert!(error.to_string().ends_with("is not a regular file"), "{error}");

    // A hole: it has a size and takes no room.
    let file = fs::File::create(root.join("huge")).expect("a file");
    file.set_len(1 << 40).expect("a file system with holes");
    let error = DiskSource.read(&at("huge")).expect_err("a terabyte");
    assert!(error.to_string().contains("larger than"), "{error}");
}

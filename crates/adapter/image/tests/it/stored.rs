//! The store over time: names, restarts, other processes, removal.

use std::fs;
use std::os::unix::fs::PermissionsExt;

use deploy_image::{Store, StoreError};

use crate::support::{Tar, Temp, image, is_root, leftovers, reference, sha256};

fn layer(name: &str) -> Vec<u8> {
    Tar::default().folder("etc").file(name, name.as_bytes()).end()
}

#[test]
fn an_image_is_found_by_all_its_names() {
    if !is_root("an_image_is_found_by_all_its_names") {
        return;
    }
    let temp = Temp::new();
    let store = Store::open(&temp.path("images")).expect("a store");
    let image = image(&store, "a/b:1", &[layer("lower"), layer("upper")]);
    assert_eq!(image.tags, [reference("a/b:1")]);
    assert_eq!(image.config.entrypoint, ["/a/b:1"]);
    assert!(image.layers[0].join("upper").is_file() && image.layers[1].join("lower").is_file());
    let id = image.id.to_string();
    let by_digest = image.digests[0].to_string();
    for name in ["a/b:1", "docker.io/a/b:1", &id, image.id.hex(), &by_digest] {
        assert_eq!(store.find(name).as_ref(), Some(&image), "{name}");
    }
    for name in ["a/b", "a/b:2", "", "A", &id.replace("sha256:", "sha256:0")] {
        assert_eq!(store.find(name), None, "{name}");
    }
    let mode = fs::metadata(temp.path("images"))
        .expect("a folder")
        .permissions()
        .mode();
    assert_eq!(mode & 0o777, 0o700);
}

#[test]
fn another_process_sees_it_and_a_restart_too() {
    if !is_root("another_process_sees_it_and_a_restart_too") {
        return;
    }
    let temp = Temp::new();
    let root = temp.path("images");
    let first = Store::open(&root).expect("a store");
    let second = Store::open(&root).expect("a store");
    let one = image(&first, "a:1", &[layer("a")]);
    assert_eq!(second.find("a:1").as_ref(), Some(&one));
    // The tag moves: the old image stays, by its id and digest.
    let two = image(&second, "a:1", &[layer("b")]);
    assert_eq!(first.find("a:1").as_ref(), Some(&two));
    let old = first.find(one.id.as_str()).expect("it has its digest left");
    assert!(old.tags.is_empty());
    assert_eq!(
        Store::open(&root).expect("a store").list().expect("a list").len(),
        2
    );
}

#[test]
fn a_layer_is_unpacked_once() {
    if !is_root("a_layer_is_unpacked_once") {
        return;
    }
    let temp = Temp::new();
    let store = Store::open(&temp.path("images")).expect("a store");
    let tar = layer("a");
    let first = store.ingest(None, &sha256(&tar), &mut &*tar).expect("a layer");
    // The second time its bytes are not even read.
    let again = store
        .ingest(None, &sha256(&tar), &mut &b"nonsense"[..])
        .expect("a layer");
    assert_eq!(first, again);
}

#[test]
fn what_a_crash_left_is_swept() {
    if !is_root("what_a_crash_left_is_swept") {
        return;
    }
    let temp = Temp::new();
    let root = temp.path("images");
    drop(Store::open(&root).expect("a store"));
    let left = root.join("tmp/0123/fs/deep");
    fs::create_dir_all(&left).expect("a folder");
    fs::write(left.join("file"), "x").expect("a file");
    let store = Store::open(&root).expect("a store");
    assert_eq!(leftovers(&root), Vec::<String>::new());
    // A layer without its record is none, and a new one takes its place.
    let tar = layer("a");
    let layer_path = store
        .ingest(None, &sha256(&tar), &mut &*tar)
        .expect("a layer")
        .folder;
    fs::remove_file(layer_path.with_file_name("layer.json")).expect("a record");
    assert!(!store.has_layer(&sha256(&tar)));
}

#[test]
fn an_image_whose_layer_is_gone_is_no_image() {
    if !is_root("an_image_whose_layer_is_gone_is_no_image") {
        return;
    }
    let temp = Temp::new();
    let root = temp.path("images");
    let store = Store::open(&root).expect("a store");
    let image = image(&store, "a:1", &[layer("a")]);
    fs::remove_dir_all(image.layers[0].parent().expect("the layer's folder")).expect("it was there");
    assert_eq!(Store::open(&root).expect("a store").find("a:1"), None);
    let config = image.config.to_json(&[sha256(&layer("a"))]);
    let manifest = format!(
        r#"{{"config":{{"digest":"{}","size":1}},"layers":[{{"digest":"{}","size":1}}]}}"#,
        sha256(&config),
        sha256(b"")
    );
    let error = store.commit(&[reference("a:1")], manifest.as_bytes(), &config);
    assert!(matches!(error, Err(StoreError::LayerMissing { .. })));
}

#[test]
fn documents_that_do_not_fit_are_refused() {
    let temp = Temp::new();
    let store = Store::open(&temp.path("images")).expect("a store");
    let config = br#"{"rootfs":{"diff_ids":[]}}"#;
    let commit = |manifest: &str, config: &[u8]| {
        store
            .commit(&[reference("a:1")], manifest.as_bytes(), config)
            .expect_err("it must not be taken")
            .to_string()
    };
    let manifest = |digest, layers: &str| {
        format!(r#"{{"config":{{"digest":"{digest}","size":1}},"layers":[{layers}]}}"#)
    };
    assert_eq!(
        commit("no", config),
        "the manifest is no JSON: expected ident at line 1 column 2"
    );
    assert_eq!(
        commit(&manifest(sha256(b"other"), ""), config),
        format!(
            "the configuration has the digest {}, not {}",
            sha256(config),
            sha256(b"other")
        )
    );
    let one = format!(r#"{{"digest":"{}","size":1}}"#, sha256(b"x"));
    assert_eq!(
        commit(&manifest(sha256(config), &one), config),
        "the manifest has 1 layers, the configuration 0"
    );
    assert_eq!(
        commit(&manifest(sha256(b"no"), ""), b"no"),
        "the image's configuration is no JSON: expected ident at line 1 column 2"
    );
}

#[test]
fn pruning_takes_images_and_only_their_own_layers() {
    if !is_root("pruning_takes_images_and_only_their_own_layers") {
        return;
    }
    let temp = Temp::new();
    let root = temp.path("images");
    let store = Store::open(&root).expect("a store");
    let shared = layer("shared");
    let stays = image(&store, "stays:1", &[shared.clone(), layer("a")]);
    let goes = image(&store, "goes:1", &[shared, layer("b")]);
    {
        let _hold = store.hold().expect("a lock");
        let pruned = store.prune(&|image| image.id == goes.id).expect("a prune");
        assert!(pruned.busy && pruned.layers == 0 && pruned.images == [goes]);
    }
    let pruned = store.prune(&|_| false).expect("a prune");
    assert_eq!((pruned.layers, pruned.bytes, pruned.busy), (1, 1, false));
    assert_eq!(store.list().expect("a list"), std::slice::from_ref(&stays));
    assert!(stays.layers.iter().all(|layer| layer.is_dir()));
    assert_eq!(leftovers(&root).len(), 2);
    assert_eq!(fs::read_dir(root.join("documents")).expect("a folder").count(), 2);
}

#[test]
fn a_name_is_removed_and_the_image_with_its_last() {
    if !is_root("a_name_is_removed_and_the_image_with_its_last") {
        return;
    }
    let temp = Temp::new();
    let store = Store::open(&temp.path("images")).expect("a store");
    image(&store, "a:1", &[layer("a")]);
    let second = image(&store, "b:1", &[layer("b")]);
    assert_eq!(store.remove("a:1").expect("it is there").images.len(), 1);
    assert!(matches!(store.remove("a:1"), Err(StoreError::NoImage { .. })));
    assert_eq!(
        store.remove(second.id.as_str()).expect("it is there").images,
        [second]
    );
    assert!(store.list().expect("a list").is_empty());
}

#[test]
fn users_are_those_of_the_topmost_layer() {
    if !is_root("users_are_those_of_the_topmost_layer") {
        return;
    }
    let temp = Temp::new();
    let store = Store::open(&temp.path("images")).expect("a store");
    let passwd = |line: &str| {
        Tar::default()
            .folder("etc")
            .file("etc/passwd", line.as_bytes())
            .end()
    };
    let lower = passwd("web:x:1:2::/old:\n");
    let uid = |name: &str, layers: &[Vec<u8>]| {
        image(&store, name, layers)
            .user("web")
            .map(|user| (user.uid, user.gid))
            .ok()
    };
    assert_eq!(
        uid("a:1", &[lower.clone(), passwd("web:x:3:4::/new:\n")]),
        Some((3, 4))
    );
    assert_eq!(uid("a:2", &[lower.clone(), layer("other")]), Some((1, 2)));
    let deleted = Tar::default().folder("etc").file("etc/.wh.passwd", b"").end();
    assert_eq!(uid("a:3", &[lower.clone(), deleted]), None);
    let emptied = Tar::default().folder("etc").file("etc/.wh..wh..opq", b"").end();
    assert_eq!(uid("a:4", &[lower.clone(), emptied]), None);
    // A link out of the layer leads into it; a pipe does not block.
    let linked = Tar::default()
        .folder("etc")
        .symlink("etc/passwd", "/../../etc/hostname")
        .end();
    assert_eq!(uid("a:5", &[lower.clone(), linked]), Some((1, 2)));
    let pipe = Tar::default()
        .folder("etc")
        .entry(b'6', "etc/passwd", "", 0o600, b"")
        .end();
    assert_eq!(uid("a:6", &[lower, pipe]), None);
}

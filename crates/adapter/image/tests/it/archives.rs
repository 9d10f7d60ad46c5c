//! Archives in and out.

use std::fs;
use std::path::Path;

use deploy_image::{Config, Contents, Pack, Store, write_archive};

use crate::support::{Tar, Temp, gzip, is_root, leftovers, reference, sha256, tree};

fn store(temp: &Temp) -> Store {
    Store::open(&temp.path("images")).expect("a store")
}

/// A folder with some of everything, and its archive.
fn archive(temp: &Temp, name: &str) -> (std::path::PathBuf, std::path::PathBuf) {
    let folder = temp.path("folder");
    fs::create_dir_all(folder.join("etc")).expect("a folder");
    fs::write(folder.join("etc/passwd"), "root:x:0:0::/:\n").expect("a file");
    fs::write(folder.join("program"), vec![7; 300_000]).expect("a file");
    fs::hard_link(folder.join("program"), folder.join("same")).expect("a link");
    std::os::unix::fs::symlink("/etc/passwd", folder.join("link")).expect("a link");
    fs::create_dir_all(folder.join("x".repeat(120)).join("y".repeat(120))).expect("a folder");
    let target = temp.path(name);
    let reference = reference("registry.example:5000/team/app:7");
    let config = Config {
        entrypoint: vec!["/program".to_owned()],
        ..Config::default()
    };
    let contents = Contents {
        reference: &reference,
        config: &config,
        layers: std::slice::from_ref(&folder),
        pack: Pack {
            root_owned: false,
            mtime_s: None,
        },
    };
    write_archive(&target, &contents).expect("an archive");
    (folder, target)
}

fn load(store: &Store, path: &Path) -> Vec<String> {
    let mut file = fs::File::open(path).expect("an archive");
    let loaded = store.load_archive(&mut file, None).expect("an archive of ours");
    loaded
        .iter()
        .flat_map(|loaded| loaded.names.iter().map(ToString::to_string))
        .collect()
}

#[test]
fn what_is_packed_comes_out_the_same() {
    if !is_root("what_is_packed_comes_out_the_same") {
        return;
    }
    let temp = Temp::new();
    let store = store(&temp);
    let (folder, archive) = archive(&temp, "app.tar");
    // What an overlay's upper folder has: a deleted name, a folder that hides the one below.
    let name = "registry.example:5000/team/app:7";
    assert_eq!(load(&store, &archive), [name]);
    let image = store.find(name).expect("it was loaded");
    assert_eq!(tree(&image.layers[0]), tree(&folder));
    assert_eq!(image.config.entrypoint, ["/program"]);
    // Loading again changes nothing.
    load(&store, &archive);
    assert_eq!(store.find(name).as_ref(), Some(&image));
    assert_eq!(leftovers(&temp.path("images")).len(), 1);
}

#[test]
fn whiteouts_of_an_upper_folder_travel() {
    if !is_root("whiteouts_of_an_upper_folder_travel") {
        return;
    }
    use rustix::fs::{CWD, FileType, Mode, XattrFlags, mknodat, setxattr};
    let temp = Temp::new();
    let folder = temp.path("upper");
    fs::create_dir_all(folder.join("hidden")).expect("a folder");
    let gone = folder.join("gone");
    mknodat(CWD, &gone, FileType::CharacterDevice, Mode::empty(), 0).expect("a whiteout");
    setxattr(
        folder.join("hidden"),
        "trusted.overlay.opaque",
        b"y",
        XattrFlags::empty(),
    )
    .expect("a mark");
    let mut tar = Vec::new();
    deploy_image::pack(&folder, Pack::default(), &mut tar).expect("a tar");
    let names: Vec<String> = tar::Archive::new(&*tar)
        .entries()
        .expect("a tar")
        .map(|entry| {
            entry
                .expect("an entry")
                .path()
                .expect("a name")
                .display()
                .to_string()
        })
        .collect();
    assert_eq!(names, [".wh.gone", "hidden", "hidden/.wh..wh..opq"]);
    let layer = store(&temp)
        .ingest(None, &sha256(&tar), &mut &*tar)
        .expect("a layer");
    assert_eq!(tree(&layer.folder).keys().collect::<Vec<_>>(), ["gone", "hidden"]);
    assert!(tree(&layer.folder)["hidden"].ends_with(" opaque"));
}

#[test]
fn equal_folders_give_equal_archives() {
    let temp = Temp::new();
    let make = |name: &str| {
        let folder = temp.path(name);
        fs::create_dir_all(folder.join("b")).expect("a folder");
        fs::write(folder.join("b/file"), "x").expect("a file");
        fs::write(folder.join("a"), "y").expect("a file");
        let target = temp.path(&format!("{name}.tar"));
        let contents = Contents {
            reference: &reference("a:1"),
            config: &Config::default(),
            layers: &[folder],
            pack: Pack {
                root_owned: true,
                mtime_s: Some(1),
            },
        };
        let digest = write_archive(&target, &contents).expect("an archive");
        (digest, fs::read(&target).expect("it was written"))
    };
    assert_eq!(make("one"), make("two"));
}

#[test]
fn a_folder_that_is_not_there_leaves_no_archive() {
    let temp = Temp::new();
    let target = temp.path("a.tar");
    let contents = Contents {
        reference: &reference("a:1"),
        config: &Config::default(),
        layers: &[temp.path("missing")],
        pack: Pack::default(),
    };
    assert!(write_archive(&target, &contents).is_err());
    assert_eq!(fs::read_dir(&temp.0).expect("a folder").count(), 0);
}

/// What `docker save` writes: of old with links between folders.
fn docker(layer: &[u8], tag: &str) -> Vec<u8> {
    let config = format!(
        r#"{{"architecture":"{}","os":"linux","config":{{"Cmd":["a"]}},"rootfs":{{"diff_ids":["{}","{}"]}}}}"#,
        Config::default().architecture,
        sha256(layer),
        sha256(layer)
    );
    let manifest =
        format!(r#"[{{"Config":"c.json","RepoTags":{tag},"Layers":["one/layer.tar","two/layer.tar"]}}]"#);
    Tar::default()
        .folder("one")
        .file("one/layer.tar", layer)
        .folder("two")
        .symlink("two/layer.tar", "../one/layer.tar")
        .file("c.json", config.as_bytes())
        .file("manifest.json", manifest.as_bytes())
        .end()
}

#[test]
fn archives_of_docker() {
    if !is_root("archives_of_docker") {
        return;
    }
    let temp = Temp::new();
    let store = store(&temp);
    let layer = Tar::default().file("a", b"x").end();
    let archive = docker(&layer, r#"["app:1","other/app:2"]"#);
    let loaded = store
        .load_archive(&mut &*gzip(&archive), None)
        .expect("an archive of docker, packed");
    assert_eq!(loaded[0].names, [reference("app:1"), reference("other/app:2")]);
    assert_eq!(store.find("other/app:2").as_ref(), Some(&loaded[0].image));
    assert_eq!(loaded[0].image.layers.len(), 2);
    let loaded = store
        .load_archive(&mut &*docker(&layer, "null"), Some(&reference("named:3")))
        .expect("an archive without a name");
    assert_eq!(store.find("named:3").as_ref(), Some(&loaded[0].image));
}

#[test]
fn archives_that_are_none() {
    let temp = Temp::new();
    let store = store(&temp);
    let layer = Tar::default().file("a", b"x").end();
    let index = |entry: &str| {
        Tar::default()
            .file("oci-layout", b"{}")
            .file("index.json", format!(r#"{{"manifests":[{entry}]}}"#).as_bytes())
    };
    let foreign = format!(
        r#"{{"digest":"{}","size":1,"platform":{{"os":"plan9","architecture":"mips"}}}}"#,
        sha256(b"x")
    );
    let missing = format!(r#"{{"digest":"{}","size":1}}"#, sha256(b"x"));
    let lying = Tar::default()
        .file("index.json", format!(r#"{{"manifests":[{missing}]}}"#).as_bytes())
        .file(&format!("blobs/sha256/{}", sha256(b"x").hex()), b"y")
        .end();
    for (bytes, error) in [
        (
            b"nonsense".to_vec(),
            "this is no archive of images: the tar is cut short".to_owned(),
        ),
        (
            Vec::new(),
            "this is no archive of images: it has neither index.json nor manifest.json".to_owned(),
        ),
        (
            index("").end(),
            "this is no archive of images: it holds no image".to_owned(),
        ),
        (
            index(&missing).end(),
            format!(
                "this is no archive of images: it lacks blobs/sha256/{}",
                sha256(b"x").hex()
            ),
        ),
        (
            lying,
            format!(
                "the document has the digest {}, not {}",
                sha256(b"y"),
                sha256(b"x")
            ),
        ),
        (
            index(&foreign).end(),
            format!("no match for platform linux/{}", Config::default().architecture),
        ),
        (
            Tar::default().file("manifest.json", b"{}").end(),
            "this is no archive of images: manifest.json has another shape".to_owned(),
        ),
        (
            docker(&layer, "7"),
            "this is no archive of images: manifest.json has another shape".to_owned(),
        ),
    ] {
        let found = store
            .load_archive(&mut &*bytes, None)
            .err()
            .map(|error| error.to_string());
        assert_eq!(found, Some(error));
    }
    assert_eq!(leftovers(&temp.path("images")), Vec::<String>::new());
}

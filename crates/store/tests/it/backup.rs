use std::collections::BTreeMap;
use std::fs;
use std::io::Write;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::{Path, PathBuf};

use deploy_store::backup::{self, BackupError, LEFT_OUT};
use deploy_store::{OpenError, Query, Reader};

use crate::machine::{Folder, at, line, run};

/// A data folder with a ledger of so many lines, a cluster's database, repositories and blobs.
async fn fill(folder: &Folder, lines: i64) {
    let ledger = folder.open();
    for number in 0..lines {
        ledger.append(vec![line("a", "1", number)]).await.unwrap();
    }
    ledger.close().await;
    for (name, text) in [
        ("git/shop.git/HEAD", "ref: refs/heads/main\n"),
        ("git/shop.git/refs/heads/main", "0123\n"),
        ("git/shop.git/objects/01/23", "an object"),
        ("registry/blobs/sha256/ab/abcd", "a layer"),
        ("registry/tags/shop", "abcd"),
        ("cluster/images/layers/x", "left out"),
        ("cluster/pods/uid/volumes/v", "left out"),
        ("cluster/volumes/pvc-1/data", "kept"),
        ("cluster/lock", "1"),
        ("config/empty", ""),
    ] {
        let path = folder.path().join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }
    fs::write(
        folder.path().join("registry/blobs/large"),
        "0123456789".repeat(300_000),
    )
    .unwrap();
    fs::set_permissions(
        folder.path().join("config/empty"),
        fs::Permissions::from_mode(0o4751),
    )
    .unwrap();
    fs::create_dir(folder.path().join("config/closed")).unwrap();
    fs::set_permissions(
        folder.path().join("config/closed"),
        fs::Permissions::from_mode(0o500),
    )
    .unwrap();
    symlink("../git/shop.git", folder.path().join("config/link")).unwrap();
    symlink("/nowhere", folder.path().join("config/dangling")).unwrap();
    drop(std::os::unix::net::UnixListener::bind(folder.path().join("config/socket")).unwrap());
    let long = "long/".repeat(40) + &"x".repeat(150);
    fs::create_dir_all(folder.path().join(&long).parent().unwrap()).unwrap();
    fs::write(folder.path().join(long), "deep").unwrap();
    let name = <std::ffi::OsStr as std::os::unix::ffi::OsStrExt>::from_bytes(b"config/\xff\xfe");
    fs::write(folder.path().join(name), "no UTF-8").unwrap();
    let cluster = rusqlite::Connection::open(folder.path().join("cluster/revisions.db")).unwrap();
    cluster
        .execute_batch("PRAGMA journal_mode = WAL; PRAGMA user_version = 7; CREATE TABLE t (x); INSERT INTO t VALUES (42);")
        .unwrap();
    // A killed server leaves its log.
    std::mem::forget(cluster);
}

/// What a folder holds: path to permissions and content.
fn content(root: &Path) -> BTreeMap<PathBuf, (u32, Vec<u8>)> {
    let mut found = BTreeMap::new();
    let mut queue = vec![root.to_owned()];
    while let Some(folder) = queue.pop() {
        for entry in fs::read_dir(&folder).unwrap() {
            let path = entry.unwrap().path();
            let metadata = fs::symlink_metadata(&path).unwrap();
            let bytes = if metadata.is_dir() {
                queue.push(path.clone());
                Vec::new()
            } else if metadata.is_symlink() {
                fs::read_link(&path)
                    .unwrap()
                    .into_os_string()
                    .into_encoded_bytes()
            } else if metadata.is_file() {
                fs::read(&path).unwrap()
            } else {
                continue;
            };
            found.insert(
                path.strip_prefix(root).unwrap().to_owned(),
                (metadata.permissions().mode(), bytes),
            );
        }
    }
    found
}

fn is_left_out(path: &Path) -> bool {
    path.starts_with("ledger.db")
        || path.starts_with("cluster/revisions.db")
        || LEFT_OUT
            .iter()
            .any(|(rule, _)| path.starts_with(rule.trim_end_matches('/')))
}

struct Backed {
    data: Folder,
    beside: Folder,
    file: PathBuf,
}

fn backed() -> Backed {
    let (data, beside) = (Folder::new(), Folder::new());
    run(fill(&data, 20));
    fs::create_dir_all(beside.path()).unwrap();
    let file = beside.path().join("backup.tar.gz");
    Backed { data, beside, file }
}

#[test]
fn a_folder_comes_back_as_it_was() {
    let Backed { data, beside, file } = backed();
    let made = backup::create(data.path(), &file, at(0), "0.1.0").unwrap();
    assert_eq!(made.bytes, fs::metadata(&file).unwrap().len());
    assert_eq!(fs::metadata(&file).unwrap().permissions().mode() & 0o777, 0o600);
    assert_eq!(
        fs::read_dir(beside.path()).unwrap().count(),
        1,
        "nothing else is left"
    );
    let ledger = made.manifest.ledger.unwrap();
    assert_eq!((ledger.format, ledger.last), (1, 20));
    assert_eq!(
        made.manifest.left_out,
        ["cluster/images/", "cluster/pods/", "config/socket"]
    );
    assert_eq!(backup::verify(&file).unwrap(), made.manifest);

    let into = beside.path().join("restored");
    assert_eq!(backup::restore(&file, &into).unwrap(), made.manifest);
    let expected: BTreeMap<_, _> = content(data.path())
        .into_iter()
        .filter(|(path, _)| !is_left_out(path))
        .collect();
    let found: BTreeMap<_, _> = content(&into)
        .into_iter()
        .filter(|(path, _)| !is_left_out(path))
        .collect();
    assert_eq!(
        found.keys().collect::<Vec<_>>(),
        expected.keys().collect::<Vec<_>>()
    );
    assert!(found == expected);
    let modified = |root: &Path| {
        fs::metadata(root.join("registry/tags/shop"))
            .unwrap()
            .modified()
            .unwrap()
    };
    let seconds = |time: std::time::SystemTime| time.duration_since(std::time::UNIX_EPOCH).unwrap().as_secs();
    assert_eq!(seconds(modified(&into)), seconds(modified(data.path())));
    assert_eq!(fs::metadata(&into).unwrap().permissions().mode() & 0o777, 0o700);
    let cluster = rusqlite::Connection::open(into.join("cluster/revisions.db")).unwrap();
    let read: (i64, i64, String) = cluster
        .query_row(
            "SELECT x, (SELECT user_version FROM pragma_user_version), (SELECT journal_mode FROM pragma_journal_mode) FROM t",
            [],
            |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)),
        )
        .unwrap();
    assert_eq!(read, (42, 7, "wal".to_owned()));
    run(async {
        let ledger = deploy_store::Ledger::open(&into, deploy_store::Options::default()).unwrap();
        assert_eq!(ledger.append(vec![line("a", "1", 1)]).await, Ok(vec![21]));
    });
}

#[test]
fn a_backup_is_made_while_lines_come() {
    let Backed { data, beside, file } = backed();
    run(async {
        let ledger = data.open();
        let writer = tokio::spawn({
            let ledger = ledger.clone();
            async move {
                let mut last = 20;
                while let Ok(seqs) = ledger.append(vec![line("a", "1", 1), line("b", "1", 1)]).await {
                    assert_eq!(seqs[0], last + 1);
                    last = seqs[1];
                }
                last
            }
        });
        let folder = data.path().to_owned();
        for number in 0..5 {
            let (folder, file) = (folder.clone(), file.with_extension(format!("{number}")));
            let into = beside.path().join(format!("restored-{number}"));
            let last = ledger.last();
            let lines = tokio::task::spawn_blocking(move || {
                let made = backup::create(&folder, &file, at(0), "0.1.0").unwrap();
                backup::restore(&file, &into).unwrap();
                let reader = Reader::open(&into).unwrap();
                assert_eq!(reader.last().unwrap(), made.manifest.ledger.unwrap().last);
                let page = reader
                    .query(&Query {
                        newest_first: true,
                        ..Query::default()
                    })
                    .unwrap();
                page.lines[0].seq
            })
            .await
            .unwrap();
            assert!(
                lines >= last && lines % 2 == 0,
                "what was acknowledged before is in it, and no half append"
            );
        }
        ledger.close().await;
        assert!(writer.await.unwrap() > 20);
    });
}

#[test]
fn any_damage_is_found_before_anything_is_put_in_place() {
    let Backed { data, beside, file } = backed();
    backup::create(data.path(), &file, at(0), "0.1.0").unwrap();
    let whole = fs::read(&file).unwrap();
    let said = format!("{:?}", backup::verify(&file).unwrap());
    let into = beside.path().join("restored");
    let refused = |bytes: &[u8]| {
        fs::write(&file, bytes).unwrap();
        let error = backup::restore(&file, &into).unwrap_err();
        assert!(!into.exists());
        assert_eq!(fs::read_dir(beside.path()).unwrap().count(), 1, "{error}");
        match error {
            BackupError::Damaged { reason, .. } => reason,
            other => panic!("{other}"),
        }
    };
    let step = whole.len() / 60;
    for place in (0..whole.len()).step_by(step) {
        refused(&whole[..place]);
        let mut flipped = whole.clone();
        flipped[place] ^= 0x10;
        // A bit of gzip's own header (its time, its system) is of nobody's concern, nor is one that only fills the last
        // byte of the compressed data: with them, all that is restored is what it was.
        fs::write(&file, &flipped).unwrap();
        match backup::verify(&file) {
            Ok(manifest) => assert_eq!(format!("{manifest:?}"), said, "{place}"),
            Err(_) => drop(refused(&flipped)),
        }
    }
    fs::write(&file, &whole).unwrap();
    backup::restore(&file, &into).unwrap();
}

/// An archive of somebody who means harm: members, then a manifest.
fn hostile(members: &[(&str, tar::EntryType, &str)], manifest: &str) -> Vec<u8> {
    let mut archive = tar::Builder::new(flate2::write::GzEncoder::new(
        Vec::new(),
        flate2::Compression::fast(),
    ));
    let manifest = ("deploy-backup.json", tar::EntryType::Regular, manifest);
    for (name, kind, content) in members.iter().chain([&manifest]) {
        let mut header = tar::Header::new_gnu();
        header.as_gnu_mut().unwrap().name[..name.len()].copy_from_slice(name.as_bytes());
        header.set_entry_type(*kind);
        header.set_mode(0o600);
        header.set_uid(0);
        header.set_gid(0);
        header.set_mtime(0);
        if kind.is_symlink() {
            header.set_link_name_literal(content).unwrap();
            header.set_size(0);
        } else {
            header.set_size(content.len() as u64);
        }
        header.set_cksum();
        archive
            .append(
                &header,
                if kind.is_symlink() {
                    &b""[..]
                } else {
                    content.as_bytes()
                },
            )
            .unwrap();
    }
    archive.into_inner().unwrap().finish().unwrap()
}

#[test]
fn archives_that_mean_harm_are_refused() {
    use tar::EntryType::{Char, Directory, Link, Regular, Symlink};
    let beside = Folder::new();
    fs::create_dir_all(beside.path()).unwrap();
    let (file, into) = (beside.path().join("file"), beside.path().join("a/b/into"));
    let nothing = r#"{"format":1,"created":"","version":"","ledger":null,"left_out":[],"entries":[]}"#;
    type Members = &'static [(&'static str, tar::EntryType, &'static str)];
    let cases: &[(Members, &str, &str)] = &[
        (&[("../out", Regular, "x")], nothing, "leads out"),
        (&[("/tmp/out", Regular, "x")], nothing, "leads out"),
        (&[("a/../../out", Regular, "x")], nothing, "leads out"),
        (
            &[("link", Symlink, "/tmp"), ("link/out", Regular, "x")],
            nothing,
            "does not come before",
        ),
        (&[("a/b", Regular, "x")], nothing, "does not come before"),
        (&[("a", Directory, ""), ("a", Regular, "x")], nothing, "twice"),
        (&[("a", Regular, ""), ("a", Regular, "x")], nothing, "twice"),
        (
            &[("a", Link, "/etc/passwd")],
            nothing,
            "of a kind that no backup has",
        ),
        (&[("a", Char, "")], nothing, "of a kind that no backup has"),
        (&[("a", Regular, "x")], nothing, "files are missing"),
        (&[], "{}", "manifest cannot be read"),
        (&[], "{", "manifest cannot be read"),
    ];
    for (members, manifest, reason) in cases {
        fs::write(&file, hostile(members, manifest)).unwrap();
        let error = backup::restore(&file, &into).unwrap_err();
        let text = error.to_string();
        assert!(
            matches!(error, BackupError::Damaged { .. }) && text.contains(reason),
            "{reason}: {text}"
        );
        assert!(!into.exists());
    }
    fs::write(&file, hostile(&[], r#"{"format":2}"#)).unwrap();
    assert!(matches!(
        backup::restore(&file, &into),
        Err(BackupError::Newer {
            found: 2,
            known: 1,
            ..
        })
    ));
    fs::write(&file, "no archive").unwrap();
    assert!(matches!(backup::verify(&file), Err(BackupError::Damaged { .. })));
    assert!(matches!(
        backup::verify(Path::new("/nonexistent")),
        Err(BackupError::Missing { .. })
    ));
}

#[test]
fn nothing_is_overwritten() {
    let Backed { data, beside, file } = backed();
    let create = |to: &Path| backup::create(data.path(), to, at(0), "0.1.0");
    fs::write(&file, "precious").unwrap();
    assert!(matches!(create(&file), Err(BackupError::Exists { .. })));
    assert_eq!(fs::read(&file).unwrap(), b"precious");
    fs::remove_file(&file).unwrap();
    assert!(matches!(
        create(&data.path().join("backup")),
        Err(BackupError::Inside { .. })
    ));
    assert!(matches!(
        create(&data.path().join("git/backup")),
        Err(BackupError::Inside { .. })
    ));
    assert!(matches!(
        create(Path::new("/nonexistent/backup")),
        Err(BackupError::Missing { .. })
    ));
    let missing = backup::create(Path::new("/nonexistent"), &file, at(0), "0.1.0");
    assert!(matches!(missing, Err(BackupError::Missing { .. })));
    create(&file).unwrap();

    let into = beside.path().join("into");
    fs::create_dir(&into).unwrap();
    fs::write(into.join("precious"), "x").unwrap();
    assert!(matches!(
        backup::restore(&file, &into),
        Err(BackupError::NotEmpty { .. })
    ));
    assert_eq!(fs::read_dir(&into).unwrap().count(), 1);
    fs::remove_file(into.join("precious")).unwrap();
    backup::restore(&file, &into).unwrap();
    assert_eq!(fs::read_dir(beside.path()).unwrap().count(), 2);
}

#[test]
fn a_damaged_database_is_not_backed_up() {
    let Backed { data, beside, file } = backed();
    let mut database = fs::OpenOptions::new().write(true).open(data.database()).unwrap();
    database.write_all(&[7; 30_000]).unwrap();
    let error = backup::create(data.path(), &file, at(0), "0.1.0").unwrap_err();
    assert!(
        matches!(error, BackupError::Database(OpenError::Corrupt { .. })),
        "{error}"
    );
    assert_eq!(
        fs::read_dir(beside.path()).unwrap().count(),
        0,
        "nothing is left behind"
    );
}

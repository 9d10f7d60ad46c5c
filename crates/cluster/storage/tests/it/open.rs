use std::os::unix::fs::PermissionsExt;

use deploy_cluster_storage::{Expected, OpenError, Options, Store};

use crate::folder::{Folder, delete, fill, key, put, run};

fn refused(folder: &Folder) -> OpenError {
    match Store::open(&Options::new(folder.path())) {
        Ok(_) => panic!("it must not open"),
        Err(error) => error,
    }
}

#[test]
fn only_its_user_can_read_it() {
    let folder = Folder::new();
    run(async {
        let store = folder.open();
        fill(&store, &["a/1"]).await;
        let mode = |path| std::fs::metadata(path).unwrap().permissions().mode() & 0o777;
        assert_eq!(mode(folder.path().to_owned()), 0o700);
        for file in std::fs::read_dir(folder.path()).unwrap() {
            let path = file.unwrap().path();
            assert_eq!(mode(path.clone()), 0o600, "{}", path.display());
        }
    });
}

#[test]
fn one_at_a_time() {
    let folder = Folder::new();
    run(async {
        let store = folder.open();
        match refused(&folder) {
            OpenError::Locked { pid, .. } => assert_eq!(pid, Some(std::process::id())),
            other => panic!("{other}"),
        }
        store.close().await;
        drop(folder.open());
        folder.open();
    });
}

#[test]
fn what_is_newer_is_left_alone() {
    let folder = Folder::new();
    run(async { folder.open().close().await });
    let connection = rusqlite::Connection::open(folder.database()).unwrap();
    connection.pragma_update(None, "user_version", 99).unwrap();
    connection.close().unwrap();
    let before = std::fs::read(folder.database()).unwrap();
    assert!(matches!(
        refused(&folder),
        OpenError::Newer {
            found: 99,
            known: 1,
            ..
        }
    ));
    assert_eq!(std::fs::read(folder.database()).unwrap(), before);
}

#[test]
fn what_is_damaged_or_not_ours_is_said() {
    let folder = Folder::new();
    run(async {
        let store = folder.open();
        for number in 0..100 {
            let value = "value-to-find ".repeat(100);
            put(
                &store,
                key("/pods", &format!("a/{number}")),
                Expected::Absent,
                &value,
            )
            .await
            .unwrap();
        }
        store.close().await;
    });
    let whole = std::fs::read(folder.database()).unwrap();
    // The last: earlier ones may be leftovers on pages that were split.
    let body = whole.windows(5).rposition(|window| window == b"value").unwrap();
    type Damage<'a> = (&'a str, Box<dyn Fn(&mut Vec<u8>)>);
    let damages: Vec<Damage<'_>> = vec![
        (
            "another file",
            Box::new(|bytes| *bytes = b"not a database at all".repeat(400)),
        ),
        ("a flipped bit in a body", Box::new(move |bytes| bytes[body] ^= 1)),
        (
            "cut",
            Box::new(|bytes| bytes.truncate(bytes.len() / 2 / 4096 * 4096)),
        ),
        ("zeros", Box::new(|bytes| bytes[8192..40960].fill(0))),
    ];
    for (name, damage) in damages {
        let mut bytes = whole.clone();
        damage(&mut bytes);
        std::fs::write(folder.database(), &bytes).unwrap();
        match refused(&folder) {
            OpenError::Corrupt { .. } => {}
            other => panic!("{name}: {other}"),
        }
        assert!(
            std::fs::read(folder.database()).unwrap() == bytes,
            "{name}: nothing is changed"
        );
    }
    let connection = rusqlite::Connection::open(folder.path().join("other")).unwrap();
    connection.execute_batch("CREATE TABLE other (x)").unwrap();
    connection.close().unwrap();
    std::fs::rename(folder.path().join("other"), folder.database()).unwrap();
    assert!(
        matches!(refused(&folder), OpenError::Corrupt { reason, .. } if reason.contains("another program"))
    );
}

#[test]
fn a_folder_that_cannot_be_made_is_said() {
    let folder = Folder::new();
    std::fs::write(folder.path(), "a file").unwrap();
    assert!(matches!(refused(&folder), OpenError::Io { .. }));
    std::fs::remove_file(folder.path()).unwrap();
}

#[test]
fn revisions_go_on_after_compaction_and_opening() {
    let folder = Folder::new();
    run(async {
        let store = folder.open();
        fill(&store, &["a/1", "a/2"]).await;
        delete(&store, key("/pods", "a/2"), Expected::Any).await.unwrap();
        // The newest row is a delete, which compaction removes.
        store.compact(u64::MAX).await.unwrap();
        assert_eq!(store.compacted(), 4);
        store.close().await;
        let store = folder.open();
        assert_eq!((store.revision(), store.compacted()), (4, 4));
        let entry = put(&store, key("/pods", "a/2"), Expected::Absent, "")
            .await
            .unwrap();
        assert_eq!(entry.revision, 5);
        store.close().await;
        let connection = rusqlite::Connection::open(folder.database()).unwrap();
        let rows: i64 = connection
            .query_row("SELECT count(*) FROM revisions", [], |row| row.get(0))
            .unwrap();
        assert_eq!(rows, 2);
    });
}

use std::os::unix::fs::PermissionsExt;

use deploy_store::{Ledger, OpenError, Options, Owner, Query, ReadError, Reader};

use crate::machine::{Folder, line, run};

#[test]
fn only_its_user_can_read_it() {
    let folder = Folder::new();
    run(async {
        let ledger = folder.open();
        ledger.append(vec![line("a", "1", 1)]).await.unwrap();
        let mode = |path| std::fs::metadata(path).unwrap().permissions().mode() & 0o777;
        assert_eq!(mode(folder.path().to_owned()), 0o700);
        for file in std::fs::read_dir(folder.path()).unwrap() {
            let path = file.unwrap().path();
            assert_eq!(mode(path.clone()), 0o600, "{}", path.display());
        }
    });
}

#[test]
fn one_writer_at_a_time_and_it_is_named() {
    let folder = Folder::new();
    run(async {
        let options = Options {
            program: "deploy run ci".to_owned(),
            ..Options::default()
        };
        let ledger = Ledger::open(folder.path(), options).unwrap();
        let refused = folder.refused();
        let text = refused.to_string();
        match refused {
            OpenError::Locked { owner, .. } => assert_eq!(
                owner,
                Some(Owner {
                    pid: std::process::id(),
                    program: "deploy run ci".to_owned()
                })
            ),
            other => panic!("{other}"),
        }
        assert!(
            text.contains(&format!("process {} (deploy run ci)", std::process::id())),
            "{text}"
        );
        // Another process reads meanwhile.
        ledger.append(vec![line("a", "1", 1)]).await.unwrap();
        let reader = Reader::open(folder.path()).unwrap();
        assert_eq!(reader.last(), Ok(1));
        ledger.append(vec![line("a", "1", 1)]).await.unwrap();
        assert_eq!(reader.query(&Query::default()).unwrap().lines.len(), 2);
        let refused = reader.view(|tables| tables.execute("DELETE FROM lines", []));
        assert!(matches!(refused, Err(ReadError::Io { .. })), "{refused:?}");
        ledger.close().await;
        assert_eq!(reader.last(), Ok(2));
        folder.open();
    });
}

#[test]
fn a_reader_makes_nothing() {
    let folder = Folder::new();
    assert!(matches!(
        Reader::open(folder.path()),
        Err(OpenError::Missing { .. })
    ));
    assert!(!folder.path().exists());
    std::fs::create_dir_all(folder.path()).unwrap();
    assert!(matches!(
        Reader::open(folder.path()),
        Err(OpenError::Missing { .. })
    ));
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0);
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
        folder.refused(),
        OpenError::Newer {
            found: 99,
            known: 1,
            ..
        }
    ));
    assert!(matches!(
        Reader::open(folder.path()),
        Err(OpenError::Newer { found: 99, .. })
    ));
    assert_eq!(std::fs::read(folder.database()).unwrap(), before);
}

#[test]
fn what_is_not_ours_is_said_and_left_alone() {
    let folder = Folder::new();
    std::fs::create_dir_all(folder.path()).unwrap();
    let garbage = b"not a database at all".repeat(400);
    std::fs::write(folder.database(), &garbage).unwrap();
    assert!(matches!(folder.refused(), OpenError::Corrupt { .. }));
    assert_eq!(std::fs::read(folder.database()).unwrap(), garbage);
    std::fs::remove_file(folder.database()).unwrap();
    let connection = rusqlite::Connection::open(folder.database()).unwrap();
    connection.execute_batch("CREATE TABLE other (x)").unwrap();
    connection.close().unwrap();
    match folder.refused() {
        OpenError::Corrupt { reason, .. } => assert!(reason.contains("another program"), "{reason}"),
        other => panic!("{other}"),
    }
}

#[test]
fn a_line_that_was_changed_behind_our_back_is_not_believed() {
    let folder = Folder::new();
    run(async {
        let ledger = folder.open();
        ledger
            .append(vec![line("a", "1", 1), line("a", "2", 2), line("a", "3", 3)])
            .await
            .unwrap();
        ledger.close().await;
        let connection = rusqlite::Connection::open(folder.database()).unwrap();
        connection
            .execute("UPDATE lines SET actor = 'bob' WHERE seq = 2", [])
            .unwrap();
        connection.close().unwrap();
        let ledger = folder.open();
        assert_eq!(ledger.read(2, 10).await.unwrap().len(), 1);
        match ledger.read(0, 10).await {
            Err(ReadError::Corrupt { reason }) => assert!(reason.contains("line 2"), "{reason}"),
            other => panic!("{other:?}"),
        }
    });
}

#[test]
fn a_folder_that_cannot_be_made_is_said() {
    let folder = Folder::new();
    std::fs::write(folder.path(), "a file").unwrap();
    assert!(matches!(folder.refused(), OpenError::Io { .. }));
    std::fs::remove_file(folder.path()).unwrap();
}

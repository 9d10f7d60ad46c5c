use deploy_cluster_storage::{Expected, WriteError};

use crate::folder::{Folder, delete, key, put, run, shown};

#[test]
fn a_write_gets_the_next_revision_spliced_into_its_text() {
    let folder = Folder::new();
    run(async {
        let store = folder.open();
        assert_eq!(store.revision(), 1);
        let created = put(&store, key("/pods", "a/x"), Expected::Absent, "1")
            .await
            .unwrap();
        assert_eq!((created.revision, created.created), (2, 2));
        assert_eq!(&created.body[..], br#"{"v":"1","rv":"2"}"#);
        let replaced = put(&store, key("/pods", "a/x"), Expected::Revision(2), "2")
            .await
            .unwrap();
        assert_eq!((replaced.revision, replaced.created), (3, 2));
        assert_eq!(store.revision(), 3);
        assert_eq!(
            &store.get(&key("/pods", "a/x")).unwrap().body[..],
            br#"{"v":"2","rv":"3"}"#
        );
        let deleted = delete(&store, key("/pods", "a/x"), Expected::Any).await.unwrap();
        assert_eq!((deleted.revision, deleted.created), (4, 2));
        assert!(store.get(&key("/pods", "a/x")).is_none());
        let again = put(&store, key("/pods", "a/x"), Expected::Absent, "3")
            .await
            .unwrap();
        assert_eq!((again.revision, again.created), (5, 5));
    });
}

#[test]
fn what_was_expected_must_hold() {
    let folder = Folder::new();
    run(async {
        let store = folder.open();
        let pod = || key("/pods", "a/x");
        let current = |outcome: Result<_, WriteError>| match outcome {
            Err(WriteError::Conflict { current }) => current.map(|entry| shown(&entry)),
            other => panic!("{other:?}"),
        };
        let none = None::<String>;
        assert_eq!(current(put(&store, pod(), Expected::Revision(1), "").await), none);
        assert_eq!(current(delete(&store, pod(), Expected::Any).await), none);
        assert_eq!(current(delete(&store, pod(), Expected::Absent).await), none);
        put(&store, pod(), Expected::Any, "").await.unwrap();
        let there = Some("a/x@2".to_owned());
        assert_eq!(current(put(&store, pod(), Expected::Absent, "").await), there);
        assert_eq!(
            current(put(&store, pod(), Expected::Revision(1), "").await),
            there
        );
        assert_eq!(current(delete(&store, pod(), Expected::Revision(3)).await), there);
        assert_eq!(current(delete(&store, pod(), Expected::Absent).await), there);
        // Nothing of that used a revision.
        assert_eq!(
            delete(&store, pod(), Expected::Revision(2))
                .await
                .unwrap()
                .revision,
            3
        );
    });
}

#[test]
fn of_many_who_expect_the_same_one_wins() {
    let folder = Folder::new();
    run(async {
        let store = folder.open();
        let mut last = put(&store, key("/pods", "a/x"), Expected::Absent, "")
            .await
            .unwrap();
        for _ in 0..5 {
            let mut tasks = tokio::task::JoinSet::new();
            for number in 0..64 {
                let (store, expected) = (store.clone(), Expected::Revision(last.revision));
                tasks.spawn(
                    async move { put(&store, key("/pods", "a/x"), expected, &number.to_string()).await },
                );
            }
            let outcomes = tasks.join_all().await;
            let won: Vec<_> = outcomes
                .iter()
                .filter_map(|outcome| outcome.as_ref().ok())
                .collect();
            assert_eq!(won.len(), 1);
            assert_eq!(won[0].revision, last.revision + 1);
            last = won[0].clone();
            // The others are told of the winner, not of the past.
            for outcome in &outcomes {
                if let Err(WriteError::Conflict { current }) = outcome {
                    assert_eq!(current.as_ref().map(|entry| entry.revision), Some(last.revision));
                }
            }
        }
    });
}

#[test]
fn closing_finishes_what_is_queued() {
    let folder = Folder::new();
    run(async {
        let store = folder.open();
        let mut tasks = tokio::task::JoinSet::new();
        for number in 0..200 {
            let store = store.clone();
            tasks.spawn(async move {
                put(&store, key("/pods", &format!("a/{number}")), Expected::Absent, "").await
            });
        }
        tokio::task::yield_now().await;
        store.close().await;
        let written = tasks
            .join_all()
            .await
            .into_iter()
            .filter(|outcome| match outcome {
                Ok(_) => true,
                Err(WriteError::Closed) => false,
                Err(other) => panic!("{other:?}"),
            });
        let written = written.count();
        store.close().await;
        let outcome = put(&store, key("/pods", "a/x"), Expected::Any, "").await;
        assert!(matches!(outcome, Err(WriteError::Closed)));
        assert_eq!(
            folder
                .open()
                .list("/pods", None, None, None, None)
                .unwrap()
                .entries
                .len(),
            written
        );
    });
}

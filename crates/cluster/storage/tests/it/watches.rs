use std::time::Duration;

use deploy_cluster_storage::{Expected, ReadError, WatchError, limits};

use crate::folder::{Folder, delete, fill, key, next, put, run, told};

#[test]
fn a_watch_tells_what_happens() {
    let folder = Folder::new();
    run(async {
        let store = folder.open();
        let mut all = store.watch("/pods", None, store.revision()).unwrap();
        let mut of_a = store.watch("/pods", Some("a"), store.revision()).unwrap();
        fill(&store, &["a/x", "b/x"]).await;
        put(&store, key("/pods", "a/x"), Expected::Any, "").await.unwrap();
        put(&store, key("/nodes", "n"), Expected::Any, "").await.unwrap();
        delete(&store, key("/pods", "a/x"), Expected::Any).await.unwrap();
        assert_eq!(next(&mut all, 4).await, "+a/x@2 +b/x@3 ~a/x@4<2 -a/x@6<4");
        assert_eq!(next(&mut of_a, 3).await, "+a/x@2 ~a/x@4<2 -a/x@6<4");
        assert!(all.ready().unwrap().is_none());
    });
}

#[test]
fn a_watch_waits_and_its_future_may_be_dropped() {
    let folder = Folder::new();
    run(async {
        let store = folder.open();
        let mut watch = store.watch("/pods", None, 1).unwrap();
        for path in ["a/1", "a/2", "a/3"] {
            let early = tokio::time::timeout(Duration::from_millis(1), watch.next()).await;
            assert!(early.is_err(), "nothing happened yet");
            let writer = store.clone();
            let write = async move { fill(&writer, &[path]).await };
            let (event, ()) = tokio::join!(watch.next(), write);
            assert_eq!(told(&event.unwrap())[..4], format!("+{path}"));
        }
    });
}

#[test]
fn a_watch_begins_where_it_is_told() {
    let folder = Folder::new();
    run(async {
        let mut store = folder.open();
        fill(&store, &["a/1", "b/1", "a/2"]).await;
        delete(&store, key("/pods", "a/1"), Expected::Any).await.unwrap();
        for round in 0..2 {
            let mut watch = store.watch("/pods", None, 2).unwrap();
            assert_eq!(next(&mut watch, 3).await, "+b/1@3 +a/2@4 -a/1@5<2", "{round}");
            let mut of_a = store.watch("/pods", Some("a"), 1).unwrap();
            assert_eq!(next(&mut of_a, 3).await, "+a/1@2 +a/2@4 -a/1@5<2", "{round}");
            // The second time from the table, going on in memory.
            store.close().await;
            assert_eq!(watch.next().await.unwrap_err(), WatchError::Closed);
            store = folder.open();
        }
        let mut watch = store.watch("/pods", None, 4).unwrap();
        let mut late = store.watch("/pods", None, 6).unwrap();
        fill(&store, &["c/1", "c/2"]).await;
        assert_eq!(next(&mut watch, 3).await, "-a/1@5<2 +c/1@6 +c/2@7");
        assert_eq!(next(&mut late, 1).await, "+c/2@7");
        store.compact(5).await.unwrap();
        assert_eq!(
            store.watch("/pods", None, 4).err(),
            Some(ReadError::Compacted {
                requested: 4,
                oldest: 5
            })
        );
        let mut watch = store.watch("/pods", None, 5).unwrap();
        assert_eq!(next(&mut watch, 2).await, "+c/1@6 +c/2@7");
    });
}

#[test]
fn more_than_a_page_of_the_table() {
    let folder = Folder::new();
    run(async {
        let store = folder.open();
        let count = limits::WATCH_PAGE * 2 + 3;
        let mut tasks = tokio::task::JoinSet::new();
        for number in 0..count {
            let store = store.clone();
            tasks.spawn(async move { fill(&store, &[&format!("a/{number}")]).await });
        }
        tasks.join_all().await;
        store.close().await;
        let store = folder.open();
        let mut watch = store.watch("/pods", None, 1).unwrap();
        fill(&store, &["b/x"]).await;
        for revision in 2..count as u64 + 3 {
            assert_eq!(watch.next().await.unwrap().entry.revision, revision);
        }
    });
}

#[test]
fn progress_moves_with_other_resources() {
    let folder = Folder::new();
    run(async {
        let store = folder.open();
        let mut watch = store.watch("/pods", Some("a"), 1).unwrap();
        fill(&store, &["a/1", "b/1"]).await;
        assert_eq!(watch.progress(), 1);
        assert_eq!(next(&mut watch, 1).await, "+a/1@2");
        assert!(watch.ready().unwrap().is_none());
        assert_eq!(watch.progress(), 3);
        put(&store, key("/nodes", "n"), Expected::Any, "").await.unwrap();
        assert_eq!(watch.progress(), 4);
        fill(&store, &["a/2"]).await;
        assert_eq!(watch.progress(), 4);
    });
}

#[test]
fn who_is_too_slow_is_told() {
    let folder = Folder::new();
    run(async {
        let store = folder.open();
        let mut slow = store.watch("/pods", None, 1).unwrap();
        fill(&store, &["a/1", "a/2", "a/3"]).await;
        let mut quick = store.watch("/pods", None, 1).unwrap();
        assert_eq!(next(&mut slow, 1).await, "+a/1@2");
        assert_eq!(next(&mut quick, 3).await, "+a/1@2 +a/2@3 +a/3@4");
        fill(&store, &["a/4", "a/5"]).await;
        store.compact(6).await.unwrap();
        // What was read from the ring before is still yielded.
        assert_eq!(next(&mut slow, 2).await, "+a/2@3 +a/3@4");
        assert_eq!(slow.next().await.unwrap_err(), WatchError::Lagged { seen: 4 });
        assert_eq!(quick.next().await.unwrap_err(), WatchError::Lagged { seen: 4 });
    });
}

#[test]
fn a_revision_can_be_waited_for() {
    let folder = Folder::new();
    run(async {
        let store = folder.open();
        let (reached, ()) = tokio::join!(store.reached(3), fill(&store, &["a/1", "a/2"]));
        assert!(reached);
        let (reached, ()) = tokio::join!(store.reached(99), store.close());
        assert!(!reached);
    });
}

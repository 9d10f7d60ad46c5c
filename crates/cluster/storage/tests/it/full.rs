//! Disks that are full, and disks that fail.

use deploy_cluster_storage::{Expected, OpenError, WriteError};

use crate::folder::{delete, key, put, run};
use crate::machine::{Dice, Machine};

#[test]
fn a_full_disk_loses_nothing_and_is_survived() {
    let mut machine = Machine::new();
    run(async {
        let store = machine.open().unwrap();
        put(&store, key("/pods", "a/first"), Expected::Absent, "1")
            .await
            .unwrap();
        let mut watch = store.watch("/pods", None, store.revision()).unwrap();
        machine.disk.leave_space(Some(20_000));
        let large = "large ".repeat(10_000);
        let mut tasks = tokio::task::JoinSet::new();
        for number in 0..20 {
            let (store, large) = (store.clone(), large.clone());
            let key = key("/pods", &format!("a/{number}"));
            tasks.spawn(async move { put(&store, key, Expected::Absent, &large).await });
        }
        for outcome in tasks.join_all().await {
            assert!(matches!(outcome, Err(WriteError::Full)), "{outcome:?}");
        }
        assert_eq!(store.revision(), 2);
        assert_eq!(
            store.list("/pods", None, None, None, None).unwrap().entries.len(),
            1
        );
        assert!(watch.ready().unwrap().is_none());
        // What is small still fits.
        put(&store, key("/pods", "a/small"), Expected::Absent, "2")
            .await
            .unwrap();
        machine.disk.leave_space(None);
        let after = put(&store, key("/pods", "a/3"), Expected::Absent, &large)
            .await
            .unwrap();
        assert!(
            after.revision > 3,
            "revisions of failed writes are not given out again"
        );
        assert_eq!(watch.next().await.unwrap().entry.key.name[..], *"small");
        assert_eq!(watch.next().await.unwrap().entry.revision, after.revision);
        machine.disk.die();
        drop(store);
        machine.restart(&mut Dice(0));
        let store = machine.open().unwrap();
        assert_eq!(store.revision(), after.revision);
        assert_eq!(
            store.list("/pods", None, None, None, None).unwrap().entries.len(),
            3
        );
    });
}

#[test]
fn no_space_to_open() {
    let machine = Machine::new();
    machine.disk.leave_space(Some(1_000));
    assert!(matches!(machine.open(), Err(OpenError::Full { .. })));
    machine.disk.leave_space(None);
    machine.open().unwrap();
}

#[test]
fn a_sync_that_fails_acknowledges_nothing() {
    let mut machine = Machine::new();
    run(async {
        let store = machine.open().unwrap();
        put(&store, key("/pods", "a/1"), Expected::Absent, "1")
            .await
            .unwrap();
        machine.disk.fail_syncs(1);
        let failed = put(&store, key("/pods", "a/2"), Expected::Absent, "2").await;
        assert!(matches!(failed, Err(WriteError::Io { .. })), "{failed:?}");
        assert!(store.get(&key("/pods", "a/2")).is_none());
        // The next one writes anew what the failed one wrote.
        let third = put(&store, key("/pods", "a/3"), Expected::Absent, "3")
            .await
            .unwrap();
        machine.disk.die();
        drop(store);
        machine.restart(&mut Dice(0));
        let store = machine.open().unwrap();
        assert_eq!(store.revision(), third.revision);
        assert!(store.get(&key("/pods", "a/2")).is_none());
        assert!(store.get(&key("/pods", "a/3")).is_some());
    });
}

/// A failed sync leaves whole frames behind; a shorter batch that overwrites only some of them must not revive the rest.
#[test]
fn a_failed_batch_does_not_come_back() {
    let mut machine = Machine::new();
    run(async {
        let store = machine.open().unwrap();
        put(&store, key("/pods", "a/1"), Expected::Absent, "1")
            .await
            .unwrap();
        machine.disk.fail_syncs(1);
        let failed = put(&store, key("/pods", "a/2"), Expected::Absent, &"2".repeat(40_000)).await;
        assert!(failed.is_err());
        put(&store, key("/pods", "a/3"), Expected::Absent, "3")
            .await
            .unwrap();
        machine.disk.die();
        drop(store);
        for seed in 0..5 {
            machine.restart(&mut Dice(seed));
            let store = machine.open().unwrap();
            assert!(store.get(&key("/pods", "a/2")).is_none());
            assert!(store.get(&key("/pods", "a/3")).is_some());
            machine.disk.die();
        }
    });
}

#[test]
fn compaction_on_a_full_disk_is_tried_again() {
    let mut machine = Machine::new();
    machine.bounds.checkpoint_pages = 1;
    run(async {
        let store = machine.open().unwrap();
        for number in 0..50 {
            put(
                &store,
                key("/pods", "a/1"),
                Expected::Any,
                &"large ".repeat(number),
            )
            .await
            .unwrap();
        }
        delete(&store, key("/pods", "a/1"), Expected::Any).await.unwrap();
        machine.disk.fail_syncs(u32::MAX);
        assert!(store.compact(40).await.is_err());
        assert_eq!(store.compacted(), 0);
        machine.disk.fail_syncs(0);
        store.compact(40).await.unwrap();
        assert_eq!(store.compacted(), 40);
        assert!(store.list("/pods", None, Some(39), None, None).is_err());
        assert_eq!(
            store
                .list("/pods", None, Some(40), None, None)
                .unwrap()
                .entries
                .len(),
            1
        );
    });
}

use std::time::Duration;

use deploy_cluster_storage::Expected;

use crate::folder::{Folder, delete, fill, key, put, run};
use crate::machine::Machine;

#[test]
fn under_heavy_load_it_comes_before_its_time() {
    let mut machine = Machine::new();
    machine.bounds.compact_bytes = 100_000;
    run(async {
        let store = machine.open().unwrap();
        let mut compacted = Vec::new();
        for _ in 0..500 {
            put(&store, key("/pods", "a/1"), Expected::Any, &"x".repeat(1_000))
                .await
                .unwrap();
            if compacted.last() != Some(&store.compacted()) {
                compacted.push(store.compacted());
            }
            // What is recent stays good.
            assert!(store.revision() - store.compacted() < 110);
            assert!(store.revision() < 60 || store.revision() - store.compacted() > 40);
        }
        assert!((5..20).contains(&compacted.len()), "{compacted:?}");
    });
}

#[test]
fn it_comes_again_and_again_until_the_store_is_closed() {
    let folder = Folder::new();
    run(async {
        let store = folder.open();
        let periodically = store.compact_periodically(Duration::from_millis(1));
        let load = async {
            while store.compacted() < 20 {
                put(&store, key("/pods", "a/1"), Expected::Any, "").await.unwrap();
            }
            store.close().await;
        };
        tokio::join!(periodically, load);
    });
}

#[test]
fn it_makes_room_that_is_used_again() {
    let machine = Machine::new();
    run(async {
        let store = machine.open().unwrap();
        let large = "x".repeat(20_000);
        fill(&store, &["a/keeps"]).await;
        let round = async |number: u64| {
            for _ in 0..50 {
                put(&store, key("/pods", "a/1"), Expected::Any, &large)
                    .await
                    .unwrap();
            }
            delete(&store, key("/pods", "a/1"), Expected::Any).await.unwrap();
            store.compact(store.revision()).await.unwrap();
            assert_eq!(store.compacted(), 2 + number * 51);
        };
        round(1).await;
        // So much as one round leaves is enough for all that follow.
        machine.disk.leave_space(Some(1_500_000));
        for number in 2..8 {
            round(number).await;
        }
        assert_eq!(
            store.list("/pods", None, None, None, None).unwrap().entries.len(),
            1
        );
    });
}

use deploy_cluster_storage::{Expected, ReadError, Store};

use crate::folder::{Folder, delete, fill, key, put, run, shown};

/// `entries.. +remaining @revision`
fn list(
    store: &Store,
    namespace: Option<&str>,
    at: Option<u64>,
    after: Option<&str>,
    limit: Option<usize>,
) -> String {
    let after = after.map(|path| key("/pods", path));
    match store.list("/pods", namespace, at, after.as_ref(), limit) {
        Ok(listing) => {
            let mut text: Vec<String> = listing.entries.iter().map(|entry| shown(entry)).collect();
            text.push(format!("+{} @{}", listing.remaining, listing.revision));
            text.join(" ")
        }
        Err(error) => error.to_string(),
    }
}

#[test]
fn lists_are_in_the_order_of_etcd() {
    let folder = Folder::new();
    run(async {
        let store = folder.open();
        assert_eq!(list(&store, None, None, None, None), "+0 @1");
        assert_eq!(list(&store, None, Some(0), None, None), "+0 @0");
        fill(&store, &["b/y", "a/x", "a-b/x", "a/x-1", "a/x.1", "a0/x"]).await;
        let all = "a-b/x@4 a/x@3 a/x-1@5 a/x.1@6 a0/x@7 b/y@2 +0 @7";
        assert_eq!(list(&store, None, None, None, None), all);
        assert_eq!(
            list(&store, Some("a"), None, None, None),
            "a/x@3 a/x-1@5 a/x.1@6 +0 @7"
        );
        assert_eq!(list(&store, Some("none"), None, None, None), "+0 @7");
        assert_eq!(store.list("/nodes", None, None, None, None).unwrap().revision, 7);
    });
}

#[test]
fn lists_come_in_pages() {
    let folder = Folder::new();
    run(async {
        let store = folder.open();
        fill(&store, &["a/1", "a/2", "a/3", "b/1", "b/2"]).await;
        assert_eq!(list(&store, None, None, None, Some(2)), "a/1@2 a/2@3 +3 @6");
        assert_eq!(
            list(&store, None, None, Some("a/2"), Some(2)),
            "a/3@4 b/1@5 +1 @6"
        );
        assert_eq!(list(&store, None, None, Some("b/1"), Some(2)), "b/2@6 +0 @6");
        assert_eq!(list(&store, Some("a"), None, None, Some(1)), "a/1@2 +2 @6");
        assert_eq!(list(&store, Some("a"), None, Some("a/1"), Some(1)), "a/2@3 +1 @6");
        // Behind a key that is not there, or is of another namespace.
        assert_eq!(list(&store, Some("a"), None, Some("a/25"), None), "a/3@4 +0 @6");
        assert_eq!(list(&store, Some("a"), None, Some("b/1"), None), "+0 @6");
        assert_eq!(
            list(&store, Some("b"), None, Some("a/1"), None),
            "b/1@5 b/2@6 +0 @6"
        );
        assert_eq!(list(&store, None, None, Some("z"), None), "+0 @6");
        assert_eq!(list(&store, None, None, None, Some(0)), "+5 @6");
    });
}

/// In memory, and, after opening anew, from the table.
#[test]
fn the_past_can_be_listed_until_it_is_compacted() {
    let folder = Folder::new();
    run(async {
        let mut store = folder.open();
        fill(&store, &["a/1", "a/2", "b/1"]).await;
        delete(&store, key("/pods", "a/1"), Expected::Any).await.unwrap();
        put(&store, key("/pods", "a/2"), Expected::Any, "new")
            .await
            .unwrap();
        put(&store, key("/nodes", "n"), Expected::Any, "new")
            .await
            .unwrap();
        fill(&store, &["a/1"]).await;
        delete(&store, key("/pods", "b/1"), Expected::Any).await.unwrap();
        for round in ["memory", "table", "table and memory"] {
            let shows = |at, expected: &str| {
                assert_eq!(list(&store, None, Some(at), None, None), expected, "{round}")
            };
            shows(1, "+0 @1");
            shows(3, "a/1@2 a/2@3 +0 @3");
            shows(4, "a/1@2 a/2@3 b/1@4 +0 @4");
            shows(5, "a/2@3 b/1@4 +0 @5");
            shows(6, "a/2@6 b/1@4 +0 @6");
            shows(7, "a/2@6 b/1@4 +0 @7");
            shows(8, "a/1@8 a/2@6 b/1@4 +0 @8");
            assert_eq!(list(&store, None, Some(4), Some("a/1"), Some(1)), "a/2@3 +1 @4");
            assert_eq!(list(&store, Some("b"), Some(8), None, None), "b/1@4 +0 @8");
            let then = |path, at| {
                store
                    .get_at(&key("/pods", path), at)
                    .unwrap()
                    .map(|entry| entry.revision)
            };
            assert_eq!(
                (then("a/1", 1), then("a/1", 4), then("a/1", 5), then("a/1", 8)),
                (None, Some(2), None, Some(8))
            );
            assert_eq!(then("a/2", 9), Some(6));
            if round == "memory" {
                store.close().await;
                store = folder.open();
                assert_eq!(list(&store, None, None, None, None), "a/1@8 a/2@6 +0 @9");
            } else {
                put(&store, key("/pods", "c/1"), Expected::Any, "").await.unwrap();
            }
        }
        for compacted in [5, 7] {
            store.compact(compacted).await.unwrap();
            assert_eq!(store.compacted(), compacted);
            assert_eq!(list(&store, None, Some(7), None, None), "a/2@6 b/1@4 +0 @7");
            let error = store
                .list("/pods", None, Some(compacted - 1), None, None)
                .unwrap_err();
            assert_eq!(
                error,
                ReadError::Compacted {
                    requested: compacted - 1,
                    oldest: compacted
                }
            );
        }
    });
}

#[test]
fn what_is_made_of_a_body_is_kept() {
    let folder = Folder::new();
    run(async {
        let store = folder.open();
        let entry = put(&store, key("/pods", "a/x"), Expected::Absent, "1")
            .await
            .unwrap();
        let length = entry.derived(|body| body.len());
        assert_eq!(*length, entry.body.len());
        assert_eq!(*entry.derived(|_| -> usize { panic!("made once") }), *length);
        assert_eq!(*entry.derived(|_| "another type"), "another type");
        assert!(!format!("{entry:?}").contains("rv"), "a body may be a Secret");
    });
}

#[test]
fn what_is_made_of_a_large_body_is_kept_while_it_is_used() {
    let folder = Folder::new();
    run(async {
        let store = folder.open();
        let text = "x".repeat(deploy_cluster_storage::limits::DERIVED_BYTES);
        let entry = put(&store, key("/pods", "a/x"), Expected::Absent, &text)
            .await
            .unwrap();
        let length = entry.derived(|body| body.len());
        assert_eq!(*entry.derived(|_| -> usize { panic!("it is in use") }), *length);
        drop(length);
        assert_eq!(*entry.derived(|_| 7_usize), 7);
    });
}

//! Beside the store, a list of all that was written: both must say the same of now, of then, and of what happened.

use std::collections::BTreeMap;

use deploy_cluster_storage::{
    Change, Event, EventKind, Expected, Listing, ReadError, Store, WatchError, Write, WriteError,
};
use proptest::prelude::*;

use crate::folder::{key, run, shown, text, told};
use crate::machine::Machine;

const RESOURCES: [&str; 2] = ["/pods", "apps/deployments"];
const PATHS: [&str; 7] = ["a/x", "a/y", "a-b/x", "a.b/x", "b/x", "b/y", "z"];

#[derive(Clone, Debug)]
enum Op {
    Put {
        resource: usize,
        path: usize,
        expected: Wanted,
        size: usize,
    },
    Delete {
        resource: usize,
        path: usize,
        expected: Wanted,
    },
    /// Part of the way from the oldest known revision to now, in percent.
    Compact(u64),
    Reopen,
    List {
        resource: usize,
        namespace: Option<usize>,
        at: Option<u64>,
        limit: Option<usize>,
    },
    Watch {
        resource: usize,
        namespace: Option<usize>,
        from: u64,
    },
}

#[derive(Clone, Copy, Debug)]
enum Wanted {
    Absent,
    Current,
    Stale,
    Any,
}

fn op() -> impl Strategy<Value = Op> {
    let wanted = || {
        prop_oneof![
            Just(Wanted::Absent),
            Just(Wanted::Current),
            Just(Wanted::Stale),
            Just(Wanted::Any)
        ]
    };
    let resource = || 0..RESOURCES.len();
    let path = || 0..PATHS.len();
    let namespace = || proptest::option::of(path());
    prop_oneof![
        8 => (resource(), path(), wanted(), prop_oneof![0..50_usize, Just(9_000)])
            .prop_map(|(resource, path, expected, size)| Op::Put { resource, path, expected, size }),
        4 => (resource(), path(), wanted())
            .prop_map(|(resource, path, expected)| Op::Delete { resource, path, expected }),
        1 => (0..=110_u64).prop_map(Op::Compact),
        1 => Just(Op::Reopen),
        3 => (resource(), namespace(), proptest::option::of(0..=110_u64), proptest::option::of(0..4_usize))
            .prop_map(|(resource, namespace, at, limit)| Op::List { resource, namespace, at, limit }),
        2 => (resource(), namespace(), 0..=110_u64)
            .prop_map(|(resource, namespace, from)| Op::Watch { resource, namespace, from }),
    ]
}

#[derive(Clone)]
struct Written {
    resource: &'static str,
    path: &'static str,
    revision: u64,
    created: u64,
    previous: u64,
    deleted: bool,
    body: Vec<u8>,
}

/// The list.
#[derive(Default)]
struct Model {
    log: Vec<Written>,
    compacted: u64,
}

impl Model {
    fn revision(&self) -> u64 {
        self.log.last().map_or(1, |written| written.revision)
    }

    fn state(&self, resource: &str, at: u64) -> BTreeMap<&'static str, &Written> {
        let mut state = BTreeMap::new();
        for written in self
            .log
            .iter()
            .filter(|written| written.resource == resource && written.revision <= at)
        {
            match written.deleted {
                true => state.remove(written.path),
                false => state.insert(written.path, written),
            };
        }
        state
    }

    fn between(&self, percent: u64) -> u64 {
        // From a little before what is known to a little behind.
        let oldest = self.compacted.saturating_sub(2);
        oldest + (self.revision() + 2 - oldest) * percent / 100
    }
}

fn namespace_of(path: &str) -> &str {
    path.split_once('/').map_or("", |(namespace, _)| namespace)
}

async fn write(store: &Store, model: &mut Model, op: &Op) {
    let (resource, path, expected, size, deleted) = match *op {
        Op::Put {
            resource,
            path,
            expected,
            size,
        } => (resource, path, expected, size, false),
        Op::Delete {
            resource,
            path,
            expected,
        } => (resource, path, expected, 3, true),
        _ => return,
    };
    let (resource, path) = (RESOURCES[resource], PATHS[path]);
    let current = model
        .state(resource, u64::MAX)
        .get(path)
        .map(|written| (*written).clone());
    let current_revision = current.as_ref().map_or(0, |written| written.revision);
    let (expected, holds) = match expected {
        Wanted::Absent => (Expected::Absent, current.is_none()),
        Wanted::Current => (Expected::Revision(current_revision), current.is_some()),
        Wanted::Stale => (Expected::Revision(current_revision + 1), false),
        Wanted::Any => (Expected::Any, true),
    };
    let text = text(&"v".repeat(size));
    let change = if deleted {
        Change::Delete(text.clone())
    } else {
        Change::Put(text.clone())
    };
    let outcome = store
        .write(Write {
            key: key(resource, path),
            expected,
            change,
        })
        .await;
    match outcome {
        Ok(entry) => {
            assert!(holds && (!deleted || current.is_some()));
            let revision = model.revision() + 1;
            let created = current.as_ref().map_or(revision, |written| written.created);
            let body = text.at(revision).to_vec();
            assert_eq!((entry.revision, entry.created), (revision, created));
            assert_eq!(entry.body[..], body[..]);
            model.log.push(Written {
                resource,
                path,
                revision,
                created,
                previous: current_revision,
                deleted,
                body,
            });
        }
        Err(WriteError::Conflict { current: told }) => {
            assert!(!holds || (deleted && current.is_none()));
            assert_eq!(
                told.map(|entry| entry.revision),
                current.map(|written| written.revision)
            );
        }
        Err(other) => panic!("{other}"),
    }
}

fn check_list(store: &Store, model: &Model, op: &Op) {
    let Op::List {
        resource,
        namespace,
        at,
        limit,
    } = *op
    else {
        return;
    };
    let resource = RESOURCES[resource];
    let namespace = namespace
        .map(|path| namespace_of(PATHS[path]))
        .filter(|namespace| !namespace.is_empty());
    let at = at.map(|percent| model.between(percent));
    let state = model.state(resource, at.unwrap_or(u64::MAX));
    let mut expected: Vec<&&Written> = state
        .values()
        .filter(|written| namespace.is_none_or(|namespace| namespace_of(written.path) == namespace))
        .collect();
    let mut after = None;
    // Page by page, as a client would.
    loop {
        let listing = store.list(resource, namespace, at, after.as_ref(), limit);
        if let Some(at) = at.filter(|at| *at < model.compacted) {
            let error = ReadError::Compacted {
                requested: at,
                oldest: model.compacted,
            };
            assert_eq!(listing.unwrap_err(), error);
            return;
        }
        let Listing {
            entries,
            revision,
            remaining,
        } = listing.unwrap();
        assert_eq!(revision, at.unwrap_or(u64::MAX).min(model.revision()));
        let count = limit.unwrap_or(usize::MAX).min(expected.len());
        assert_eq!((entries.len(), remaining), (count, expected.len() - count));
        for (entry, written) in entries.iter().zip(expected.drain(..count)) {
            assert_eq!(shown(entry), format!("{}@{}", written.path, written.revision));
            assert_eq!(
                (&entry.body[..], entry.created),
                (&written.body[..], written.created)
            );
            assert_eq!(
                store.get_at(&entry.key, revision).unwrap().unwrap().revision,
                entry.revision
            );
        }
        match entries.last() {
            Some(last) if remaining > 0 => after = Some(last.key.clone()),
            _ => return,
        }
    }
}

async fn check_watch(store: &Store, model: &Model, op: &Op) {
    let Op::Watch {
        resource,
        namespace,
        from,
    } = *op
    else {
        return;
    };
    let resource = RESOURCES[resource];
    let namespace = namespace.map(|path| namespace_of(PATHS[path]));
    let from = model.between(from);
    let mut watch = match store.watch(resource, namespace, from) {
        Ok(watch) => watch,
        Err(error) => {
            assert!(from < model.compacted);
            assert_eq!(
                error,
                ReadError::Compacted {
                    requested: from,
                    oldest: model.compacted
                }
            );
            return;
        }
    };
    assert!(from >= model.compacted);
    for written in &model.log {
        let within = namespace.is_none_or(|namespace| namespace_of(written.path) == namespace);
        if written.resource != resource || written.revision <= from || !within {
            continue;
        }
        check_event(&watch.next().await.unwrap(), written);
    }
    watch.caught_up().await.unwrap();
    assert!(watch.ready().unwrap().is_none());
    assert_eq!(watch.progress(), from.max(model.revision()));
}

fn check_event(event: &Event, written: &Written) {
    let Written {
        path,
        revision,
        previous,
        ..
    } = written;
    let expected = match (written.deleted, previous) {
        (true, _) => format!("-{path}@{revision}<{previous}"),
        (false, 0) => format!("+{path}@{revision}"),
        (false, _) => format!("~{path}@{revision}<{previous}"),
    };
    assert_eq!(told(event), expected);
    assert_eq!(event.entry.body[..], written.body[..]);
    assert_eq!(event.entry.created, written.created);
    assert_eq!(matches!(event.kind, EventKind::Delete { .. }), written.deleted);
}

fn check_all(ops: &[Op]) {
    let mut machine = Machine::new();
    machine.bounds.ring_events = 5;
    machine.bounds.sweep_rows = 3;
    machine.bounds.watch_page = 3;
    run(async {
        let mut store = machine.open().unwrap();
        let mut model = Model::default();
        // One watch sees it all, reading now and then; when it is too slow it begins where it was told it was.
        let mut follower = store.watch("/pods", None, 1).unwrap();
        let mut followed = 1;
        for (number, op) in ops.iter().enumerate() {
            write(&store, &mut model, op).await;
            check_list(&store, &model, op);
            check_watch(&store, &model, op).await;
            match op {
                Op::Compact(percent) => {
                    let to = model.between(*percent);
                    store.compact(to).await.unwrap();
                    model.compacted = model.compacted.max(to.min(model.revision()));
                }
                Op::Reopen => {
                    store.close().await;
                    store = machine.open().unwrap();
                    follower = store.watch("/pods", None, followed.max(model.compacted)).unwrap();
                    followed = followed.max(model.compacted);
                }
                _ => {}
            }
            assert_eq!(
                (store.revision(), store.compacted()),
                (model.revision(), model.compacted)
            );
            if number % 3 == 0 {
                let news: Vec<&Written> = model
                    .log
                    .iter()
                    .filter(|written| written.resource == "/pods" && written.revision > followed)
                    .collect();
                for written in news {
                    match follower.next().await {
                        Ok(event) => check_event(&event, written),
                        Err(WatchError::Lagged { seen }) => {
                            assert_eq!(seen, followed);
                            followed = model.revision();
                            follower = store.watch("/pods", None, followed).unwrap();
                            break;
                        }
                        Err(other) => panic!("{other}"),
                    }
                    followed = written.revision;
                }
            }
        }
        store.close().await;
    });
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 60, ..ProptestConfig::default() })]

    #[test]
    fn the_store_and_a_list_agree(ops in proptest::collection::vec(op(), 1..80)) {
        check_all(&ops);
    }
}

//! Power cuts at random points under load, over a disk that forgets what was not synced.
//!
//! Each round opens the store on what the last cut left, compares that with all that was acknowledged or seen, loads
//! it from several tasks with watches beside them, and cuts the power again. `DEPLOY_CRASH_SEED` repeats one run.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use deploy_cluster_storage::{
    Change, Encoded, Entry, EventKind, Expected, Key, OpenError, Store, WatchError, Write, WriteError,
};

use crate::folder::{key, run, told};
use crate::machine::{Dice, Machine};

/// Power cuts of one run.
const CUTS: u64 = 120;
const TASKS: usize = 6;
const KEYS_OF_A_TASK: usize = 3;

/// What was seen of a revision: whatever else happens, it must be like that for ever.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Seen {
    key: Key,
    created: u64,
    deleted: bool,
    body: Vec<u8>,
}

#[derive(Clone, Default)]
struct Witness {
    /// Acknowledged to a writer, or shown to a watch.
    seen: BTreeMap<u64, Seen>,
    /// Sent and not answered when the power went: it may be there, or not.
    open: Vec<(Key, bool, Encoded)>,
    compacted: u64,
    /// The last revision that anybody saw.
    revision: u64,
}

impl Witness {
    fn see(&mut self, entry: &Entry, deleted: bool) {
        let seen = Seen {
            key: entry.key.clone(),
            created: entry.created,
            deleted,
            body: entry.body.to_vec(),
        };
        self.revision = self.revision.max(entry.revision);
        if let Some(before) = self.seen.insert(entry.revision, seen.clone()) {
            assert_eq!(before, seen, "revision {} is two things", entry.revision);
        }
    }

    /// The newest write of each live object.
    fn live(&self) -> BTreeMap<String, u64> {
        let mut live = BTreeMap::new();
        for (revision, seen) in &self.seen {
            let path = format!("{}/{}", seen.key.namespace, seen.key.name);
            match seen.deleted {
                true => live.remove(&path),
                false => live.insert(path, *revision),
            };
        }
        live
    }

    /// What a start must find. Afterwards, what was open is decided. Nothing, when the disk dies meanwhile.
    async fn check(mut self, store: &Store) -> Option<Witness> {
        assert!(store.revision() >= self.revision, "revisions go back");
        assert!(store.compacted() >= self.compacted);
        self.compacted = store.compacted();
        self.revision = store.revision();
        let mut open: Vec<(Key, bool, Encoded)> = std::mem::take(&mut self.open);
        let mut watch = store.watch("/pods", None, self.compacted).unwrap();
        let mut found = BTreeMap::new();
        loop {
            watch.caught_up().await.ok()?;
            let Some(event) = watch.ready().unwrap() else {
                break;
            };
            let deleted = matches!(event.kind, EventKind::Delete { .. });
            let entry = &event.entry;
            assert!(
                found.insert(entry.revision, ()).is_none(),
                "twice: {}",
                told(&event)
            );
            if !self.seen.contains_key(&entry.revision) {
                // Not acknowledged: then it was open, and is there as a whole.
                let same = |(key, deletes, text): &(Key, bool, Encoded)| {
                    *key == entry.key && *deletes == deleted && text.at(entry.revision) == entry.body
                };
                let place = open
                    .iter()
                    .position(same)
                    .unwrap_or_else(|| panic!("nobody wrote {}", told(&event)));
                open.swap_remove(place);
            }
            self.see(entry, deleted);
        }
        for revision in self
            .seen
            .range(self.compacted + 1..)
            .map(|(revision, _)| revision)
        {
            assert!(found.contains_key(revision), "revision {revision} is lost");
        }
        let listing = store.list("/pods", None, None, None, None).unwrap();
        let listed: BTreeMap<String, u64> = listing
            .entries
            .iter()
            .map(|entry| {
                (
                    format!("{}/{}", entry.key.namespace, entry.key.name),
                    entry.revision,
                )
            })
            .collect();
        assert_eq!(listed, self.live());
        for entry in &listing.entries {
            assert_eq!(entry.body[..], self.seen[&entry.revision].body[..]);
        }
        Some(self)
    }
}

/// Writes to its own keys, so often or until the power goes.
async fn write_on(store: Store, task: usize, writes: u64, mut dice: Dice, witness: Arc<Mutex<Witness>>) {
    for _ in 0..writes {
        let path = format!("task-{task}/{}", dice.below(KEYS_OF_A_TASK as u64));
        let key = key("/pods", &path);
        let current = store.get(&key);
        let size = [10, 300, 5_000, 30_000][dice.below(4) as usize];
        let letter = char::from(b'a' + dice.below(26) as u8);
        let text = Encoded::new(
            format!("{path} {}", letter.to_string().repeat(size)).into_bytes(),
            &b"."[..],
        );
        let deletes = current.is_some() && dice.below(4) == 0;
        let expected = current.map_or(Expected::Absent, |entry| Expected::Revision(entry.revision));
        let change = if deletes {
            Change::Delete(text.clone())
        } else {
            Change::Put(text.clone())
        };
        match store
            .write(Write {
                key: key.clone(),
                expected,
                change,
            })
            .await
        {
            Ok(entry) => witness.lock().unwrap().see(&entry, deletes),
            Err(WriteError::Io { .. } | WriteError::Closed) => {
                witness.lock().unwrap().open.push((key, deletes, text));
                return;
            }
            Err(other) => panic!("{other}"),
        }
        if dice.below(40) == 0 {
            let to = store.revision().saturating_sub(dice.below(30));
            match store.compact(to).await {
                Ok(()) => {
                    let mut witness = witness.lock().unwrap();
                    witness.compacted = witness.compacted.max(to);
                }
                Err(_) => return,
            }
        }
    }
}

/// Follows the resource until the power goes.
async fn watch_on(store: Store, witness: Arc<Mutex<Witness>>) {
    let mut from = store.revision();
    loop {
        let Ok(mut watch) = store.watch("/pods", None, from) else {
            return;
        };
        loop {
            match watch.next().await {
                Ok(event) => {
                    assert!(event.entry.revision > from);
                    from = event.entry.revision;
                    witness
                        .lock()
                        .unwrap()
                        .see(&event.entry, matches!(event.kind, EventKind::Delete { .. }));
                }
                Err(WatchError::Lagged { seen }) => {
                    from = seen.max(store.compacted());
                    break;
                }
                Err(WatchError::Closed | WatchError::Io { .. }) => return,
            }
        }
    }
}

async fn load(store: &Store, writes: u64, dice: &mut Dice, witness: &Arc<Mutex<Witness>>) {
    let mut writers = tokio::task::JoinSet::new();
    for task in 0..TASKS {
        let dice = Dice(dice.below(u64::MAX));
        writers.spawn(write_on(store.clone(), task, writes, dice, witness.clone()));
    }
    let watcher = watch_on(store.clone(), witness.clone());
    let written = async {
        while let Some(outcome) = writers.join_next().await {
            outcome.unwrap();
        }
        store.close().await;
    };
    tokio::join!(watcher, written);
}

fn cuts(seed: u64) {
    let mut dice = Dice(seed);
    let mut machine = Machine::new();
    let witness = Arc::new(Mutex::new(Witness::default()));
    let (mut cuts, mut is_made) = (0, false);
    run(async {
        while cuts < CUTS {
            let (steps, writes) = match dice.below(5) {
                // One step further each time, until the store is made.
                _ if !is_made => (cuts, u64::MAX),
                // While it opens and goes on with what the last cut interrupted.
                0 => (dice.below(30), u64::MAX),
                // While it closes.
                1 => (dice.below(400), dice.below(10)),
                _ => (dice.below(1_500), u64::MAX),
            };
            machine.disk.die_after(steps);
            cuts += 1;
            match machine.open() {
                Ok(store) => {
                    let before = witness.lock().unwrap().clone();
                    match before.check(&store).await {
                        Some(after) => *witness.lock().unwrap() = after,
                        None => assert!(machine.disk.is_dead()),
                    }
                    is_made = true;
                    load(&store, writes, &mut dice, &witness).await;
                }
                Err(OpenError::Io { .. }) => {}
                Err(other) => panic!("cut {cuts}: {other}"),
            }
            machine.disk.die();
            machine.restart(&mut dice);
        }
        let store = machine.open().unwrap();
        let witness = std::mem::take(&mut *witness.lock().unwrap());
        let witness = witness.check(&store).await.expect("the power is on");
        store.close().await;
        assert!(witness.revision > CUTS * 5, "the load is no load");
    });
}

#[test]
fn what_was_acknowledged_outlives_power_cuts() {
    let seed = std::env::var("DEPLOY_CRASH_SEED")
        .ok()
        .and_then(|seed| seed.parse().ok());
    // `make soak` asks for many cases.
    let cases = std::env::var("PROPTEST_CASES")
        .ok()
        .and_then(|cases| cases.parse().ok());
    let runs = cases.map_or(1, |cases: u64| (cases / 1_000).max(1));
    for seed in seed.map_or(1..1 + runs, |seed| seed..seed + 1) {
        println!("DEPLOY_CRASH_SEED={seed}");
        cuts(seed);
    }
}

//! Power cuts at random points under load, over a disk that forgets what was not synced.
//!
//! Each round opens the ledger on what the last cut left, compares it with all that was acknowledged or read, loads it from
//! several tasks with a follower beside them, and cuts the power again; every few rounds the projection has another version
//! and is made anew meanwhile. `DEPLOY_CRASH_SEED` repeats one run.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use deploy_store::{AppendError, Ledger, Line, OpenError, Projection, Query, ReadError, Stored};
use serde_json::json;

use crate::machine::{Dice, Machine, Sums, line, run, sums};

/// Power cuts of one run.
const CUTS: u64 = 150;
const TASKS: u64 = 6;

#[derive(Default)]
struct Witness {
    /// Acknowledged to a caller, or read by anybody: whatever else happens, they must be like that for ever.
    seen: BTreeMap<u64, Line>,
    /// Appends without an answer when the power went: each is there as a whole, or not at all.
    open: Vec<Vec<Line>>,
}

impl Witness {
    fn see(&mut self, seq: u64, line: &Line) {
        if let Some(before) = self.seen.insert(seq, line.clone()) {
            assert_eq!(before, *line, "line {seq} is two things");
        }
    }

    /// What a start must find. Nothing, when the disk dies meanwhile.
    fn check(&mut self, found: &[Stored], sums: &[String]) {
        let seqs: Vec<u64> = found.iter().map(|stored| stored.seq).collect();
        assert_eq!(
            seqs,
            (1..=found.len() as u64).collect::<Vec<u64>>(),
            "numbers have a gap"
        );
        if let Some((last, _)) = self.seen.last_key_value() {
            assert!(*last <= found.len() as u64, "line {last} is lost");
        }
        let mut at = 0;
        while let Some(stored) = found.get(at) {
            if self.seen.contains_key(&stored.seq) {
                self.see(stored.seq, &stored.line);
                at += 1;
                continue;
            }
            // Not acknowledged: then it begins an append that was open, and all of it is there.
            let is_here = |lines: &Vec<Line>| {
                let there = found[at..].iter().map(|stored| &stored.line);
                lines.len() <= found.len() - at && lines.iter().zip(there).all(|(said, is)| said == is)
            };
            let place = self
                .open
                .iter()
                .position(is_here)
                .unwrap_or_else(|| panic!("nobody wrote {stored:?}"));
            for line in self.open.swap_remove(place) {
                self.see(found[at].seq, &line);
                at += 1;
            }
        }
        // What was open and is not there, never will be.
        self.open.clear();
        let mut expected = BTreeMap::<&str, (i64, i64)>::new();
        for stored in found {
            let entry = expected.entry(&stored.line.subject.id).or_default();
            entry.0 += stored.line.data["number"].as_i64().unwrap();
            entry.1 += 1;
        }
        let expected: Vec<String> = expected
            .iter()
            .map(|(subject, (sum, lines))| format!("{subject}={sum}/{lines}"))
            .collect();
        assert_eq!(sums, expected, "the projection is not what the lines say");
    }
}

async fn all(ledger: &Ledger) -> Result<Vec<Stored>, ReadError> {
    let mut found: Vec<Stored> = Vec::new();
    loop {
        let after = found.last().map_or(0, |stored| stored.seq);
        let query = Query {
            after: Some(after),
            ..Query::default()
        };
        let page = ledger.query(query).await?;
        found.extend(page.lines);
        if !page.more {
            return Ok(found);
        }
    }
}

/// Appends so often or until the power goes.
async fn append_on(ledger: Ledger, task: u64, appends: u64, mut dice: Dice, witness: Arc<Mutex<Witness>>) {
    for _ in 0..appends {
        let lines: Vec<Line> = (0..=dice.below(3))
            .map(|_| {
                let size = [0, 10, 400, 6_000][dice.below(4) as usize];
                // The task and a random number tell lines apart.
                let text = format!("{task} {} {}", dice.below(u64::MAX), "x".repeat(size));
                let number = dice.below(4);
                line("a.b", &format!("{}", dice.below(5)), 0).with(json!({"number": number, "text": text}))
            })
            .collect();
        match ledger.append(lines.clone()).await {
            Ok(seqs) => {
                let mut witness = witness.lock().unwrap();
                for (seq, line) in seqs.into_iter().zip(&lines) {
                    witness.see(seq, line);
                }
            }
            Err(AppendError::Io { .. } | AppendError::Closed) => {
                witness.lock().unwrap().open.push(lines);
                return;
            }
            Err(other) => panic!("{other}"),
        }
    }
}

/// Follows until the power goes.
async fn follow_on(ledger: Ledger, witness: Arc<Mutex<Witness>>) {
    let mut follow = ledger.follow(ledger.last());
    drop(ledger);
    while let Ok(Some(lines)) = follow.next().await {
        let mut witness = witness.lock().unwrap();
        for stored in lines {
            witness.see(stored.seq, &stored.line);
        }
    }
}

async fn load(ledger: &Ledger, appends: u64, dice: &mut Dice, witness: &Arc<Mutex<Witness>>) {
    let mut tasks = tokio::task::JoinSet::new();
    for task in 0..TASKS {
        let dice = Dice(dice.below(u64::MAX));
        tasks.spawn(append_on(ledger.clone(), task, appends, dice, witness.clone()));
    }
    let follower = follow_on(ledger.clone(), witness.clone());
    let written = async {
        while let Some(outcome) = tasks.join_next().await {
            outcome.unwrap();
        }
        ledger.close().await;
    };
    tokio::join!(follower, written);
}

fn cuts(seed: u64) {
    let mut dice = Dice(seed);
    let mut machine = Machine::new();
    run(async {
        let witness = Arc::new(Mutex::new(Witness::default()));
        let mut is_made = false;
        let mut version = 1;
        for cut in 0..CUTS {
            let appends = 1 + dice.below(12);
            if dice.below(5) == 0 {
                version += 1;
            }
            let projections: Vec<Arc<dyn Projection>> = vec![Arc::new(Sums { version })];
            // At the first cuts the database may not be made yet.
            let steps = 1 + dice.below(if is_made { 400 } else { 40 });
            machine.disk.die_after(steps);
            match machine.open(projections) {
                Ok(ledger) => {
                    if let (Ok(found), Ok(sums)) =
                        (all(&ledger).await, ledger.view(crate::machine::sums_of).await)
                    {
                        witness.lock().unwrap().check(&found, &sums);
                    } else {
                        assert!(machine.disk.is_dead());
                    }
                    is_made = true;
                    load(&ledger, appends, &mut dice, &witness).await;
                }
                Err(OpenError::Io { .. }) => assert!(machine.disk.is_dead(), "cut {cut}"),
                Err(other) => panic!("cut {cut}: {other}"),
            }
            machine.disk.die();
            machine.restart(&mut dice);
        }
        let projections: Vec<Arc<dyn Projection>> = vec![Arc::new(Sums { version })];
        let ledger = machine.open(projections).unwrap();
        let found = all(&ledger).await.unwrap();
        let sums = sums(&ledger).await;
        witness.lock().unwrap().check(&found, &sums);
        ledger.close().await;
        assert!(
            found.len() as u64 > CUTS * 5,
            "the load is no load: {} lines",
            found.len()
        );
    });
}

/// Prints its seed, so that a failure can be had again.
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

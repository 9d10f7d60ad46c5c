//! What holds for any lines.

use std::sync::Arc;

use deploy_store::{Actor, ActorKind, Ledger, Line, Options, Query, Subject};
use jiff::Timestamp;
use proptest::prelude::*;
use serde_json::{Value, json};

use crate::machine::{Folder, Sums, line, run, sums, sums_projection};

fn values() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<f64>()
            .prop_filter("JSON has no others", |n| n.is_finite())
            .prop_map(Value::from),
        any::<String>().prop_map(Value::from),
    ];
    leaf.prop_recursive(4, 24, 5, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..5).prop_map(Value::from),
            prop::collection::btree_map(any::<String>(), inner, 0..5)
                .prop_map(|map| Value::from(map.into_iter().collect::<serde_json::Map<_, _>>())),
        ]
    })
}

fn lines() -> impl Strategy<Value = Line> {
    (
        0..i64::MAX,
        (0..ActorKind::ALL.len(), "\\PC{1,20}"),
        "[a-z0-9]{1,5}([._-][a-z0-9]{1,5}){0,2}",
        ("[a-z]{1,8}", "\\PC{1,20}"),
        prop::option::of(any::<String>()),
        (prop::option::of(values()), prop::option::of(values()), values()),
    )
        .prop_map(
            |(at, (kind, actor), what, (subject_kind, subject), reason, (before, after, data))| Line {
                at: Timestamp::from_nanosecond(i128::from(at)).unwrap(),
                actor: Actor::new(ActorKind::ALL[kind], actor),
                kind: what,
                subject: Subject::new(subject_kind, subject),
                reason,
                before,
                after,
                data,
            },
        )
}

fn with_sums(folder: &Folder, version: u32) -> Ledger {
    let options = Options {
        projections: vec![Arc::new(Sums { version })],
        ..Options::default()
    };
    Ledger::open(folder.path(), options).unwrap()
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 24, failure_persistence: None, ..ProptestConfig::default() })]

    /// What goes in comes out, before and after a restart.
    #[test]
    fn lines_are_kept(lines in prop::collection::vec(lines(), 1..20)) {
        let folder = Folder::new();
        run(async {
            let ledger = folder.open();
            let seqs = ledger.append(lines.clone()).await.unwrap();
            prop_assert_eq!(seqs.len(), lines.len());
            let mut ledger = ledger;
            for _ in 0..2 {
                let found: Vec<Line> = ledger.read(0, 100).await.unwrap().into_iter().map(|s| s.line).collect();
                prop_assert_eq!(&found, &lines);
                ledger.close().await;
                ledger = folder.open();
            }
            Ok(())
        })?;
    }

    /// A projection that was made anew equals the one that grew, whatever was refused on the way.
    #[test]
    fn projections_are_of_the_lines_alone(
        appends in prop::collection::vec(prop::collection::vec((0..4u8, -5i64..9), 1..5), 1..40),
        restart in 0..40usize,
    ) {
        let folder = Folder::new();
        run(async {
            let mut ledger = with_sums(&folder, 1);
            let mut model = std::collections::BTreeMap::<String, (i64, i64)>::new();
            for (number, append) in appends.iter().enumerate() {
                if number == restart {
                    ledger.close().await;
                    ledger = with_sums(&folder, 1);
                }
                let said = append.iter().map(|(subject, number)| line("a", &subject.to_string(), *number)).collect();
                let mut after = model.clone();
                let is_fine = append.iter().all(|(subject, number)| {
                    let entry = after.entry(subject.to_string()).or_default();
                    *entry = (entry.0 + number, entry.1 + 1);
                    entry.0 >= 0
                });
                prop_assert_eq!(ledger.append(said).await.is_ok(), is_fine);
                if is_fine {
                    model = after;
                }
            }
            let grown = sums(&ledger).await;
            let modelled: Vec<String> = model.iter().map(|(s, (sum, lines))| format!("{s}={sum}/{lines}")).collect();
            prop_assert_eq!(&grown, &modelled);
            ledger.close().await;
            let rebuilt = with_sums(&folder, 2);
            prop_assert_eq!(sums(&rebuilt).await, grown);
            Ok(())
        })?;
    }

    /// A query answers what a filter over all lines would.
    #[test]
    fn queries_are_filters(
        numbers in prop::collection::vec((0..3u8, 0..50i64), 1..60),
        (since, until) in (prop::option::of(0..50i64), prop::option::of(0..50i64)),
        (after, before) in (prop::option::of(0..60u64), prop::option::of(0..60u64)),
        (kind, newest_first, limit) in (prop::option::of(0..3u8), any::<bool>(), 1..70usize),
    ) {
        let folder = Folder::new();
        run(async {
            let ledger = folder.open();
            let name = |kind: u8| ["a", "a.b", "ab"][usize::from(kind)];
            let said: Vec<Line> = numbers.iter().map(|(kind, at)| line(name(*kind), "1", *at)).collect();
            ledger.append(said.clone()).await.unwrap();
            let at = crate::machine::at;
            let query = Query {
                kinds: kind.map(|kind| name(kind).to_owned()).into_iter().collect(),
                since: since.map(at),
                until: until.map(at),
                after,
                before,
                newest_first,
                limit: Some(limit),
                ..Query::default()
            };
            let mut expected: Vec<u64> = said
                .iter()
                .zip(1..)
                .filter(|(line, seq)| {
                    kind.is_none_or(|kind| line.kind == name(kind))
                        && since.is_none_or(|since| line.at >= at(since))
                        && until.is_none_or(|until| line.at < at(until))
                        && after.is_none_or(|after| *seq > after)
                        && before.is_none_or(|before| *seq < before)
                })
                .map(|(_, seq)| seq)
                .collect();
            if newest_first {
                expected.reverse();
            }
            let more = expected.len() > limit;
            expected.truncate(limit);
            let page = ledger.query(query).await.unwrap();
            prop_assert_eq!(page.lines.iter().map(|line| line.seq).collect::<Vec<_>>(), expected);
            prop_assert_eq!(page.more, more);
            Ok(())
        })?;
    }

    /// Bytes that somebody wrote over a database or a backup are an error or change nothing; they never panic.
    #[test]
    fn damage_does_not_panic(place in any::<prop::sample::Index>(), bytes in prop::collection::vec(any::<u8>(), 1..64)) {
        let folder = Folder::new();
        run(async {
            let ledger = with_sums(&folder, 1);
            for number in 0..30 {
                ledger.append(vec![line("a", "1", number).with(json!({"number": 1, "text": "x".repeat(300)}))]).await.unwrap();
            }
            ledger.close().await;
        });
        let mut content = std::fs::read(folder.database()).unwrap();
        let place = place.index(content.len());
        for (to, from) in content[place..].iter_mut().zip(&bytes) {
            *to = *from;
        }
        std::fs::write(folder.database(), &content).unwrap();
        run(async {
            let options = Options { projections: sums_projection(), ..Options::default() };
            if let Ok(ledger) = Ledger::open(folder.path(), options) {
                drop(ledger.query(Query::default()).await);
                drop(ledger.append(vec![line("a", "1", 1)]).await);
                drop(ledger.view(crate::machine::sums_of).await);
            }
        });
    }
}

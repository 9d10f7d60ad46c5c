use deploy_store::{Actor, ActorKind, AppendError, Line, OpenError, Subject, limits};
use serde_json::{Value, json};

use crate::machine::{Dice, Folder, Machine, at, line, run, sums, sums_projection};

#[test]
fn what_was_appended_is_there_as_it_was() {
    let folder = Folder::new();
    run(async {
        let full = Line {
            at: "2026-11-22T16:30:00.123456789Z".parse().unwrap(),
            actor: Actor::new(ActorKind::Webhook, "gitee 码云"),
            kind: "release.rolled-back_2".to_owned(),
            subject: Subject::new("release", "shop/42"),
            reason: Some("errors rose\nto 3 %".to_owned()),
            before: Some(json!({"version": "1", "deep": [1, 2.5, null, {"ü": "\u{0}"}]})),
            after: Some(Value::Null),
            data: json!([]),
        };
        let ledger = folder.open();
        assert_eq!(ledger.last(), 0);
        assert_eq!(ledger.append(vec![]).await, Ok(vec![]));
        assert_eq!(
            ledger
                .append(vec![full.clone(), line("run.started", "1", 1)])
                .await,
            Ok(vec![1, 2])
        );
        assert_eq!(ledger.append(vec![line("run.ended", "1", 2)]).await, Ok(vec![3]));
        assert_eq!(ledger.last(), 3);
        let lines = ledger.read(0, 10).await.unwrap();
        assert_eq!(lines.iter().map(|line| line.seq).collect::<Vec<_>>(), [1, 2, 3]);
        assert_eq!(lines[0].line, full);
        ledger.close().await;
        assert_eq!(ledger.append(vec![full.clone()]).await, Err(AppendError::Closed));
        let ledger = folder.open();
        assert_eq!(ledger.last(), 3);
        assert_eq!(ledger.read(0, 1).await.unwrap()[0].line, full);
        assert_eq!(ledger.append(vec![full]).await, Ok(vec![4]));
    });
}

#[test]
fn many_callers_share_commits_and_get_numbers_without_gaps() {
    let folder = Folder::new();
    run(async {
        let ledger = folder.open();
        let mut tasks = tokio::task::JoinSet::new();
        for task in 0..64 {
            let ledger = ledger.clone();
            tasks.spawn(async move {
                let mut seqs = Vec::new();
                for number in 0..20 {
                    let pair = vec![
                        line("a", &format!("{task}"), number),
                        line("b", &format!("{task}"), number),
                    ];
                    let got = ledger.append(pair).await.unwrap();
                    assert_eq!(got[1], got[0] + 1, "lines of an append follow each other");
                    assert!(
                        seqs.last().is_none_or(|last| *last < got[0]),
                        "a caller's lines are in its order"
                    );
                    seqs.extend(got);
                }
                seqs
            });
        }
        let mut all: Vec<u64> = tasks.join_all().await.into_iter().flatten().collect();
        all.sort_unstable();
        assert_eq!(all, (1..=64 * 40).collect::<Vec<u64>>());
    });
}

#[test]
fn what_is_beyond_a_bound_or_no_name_is_refused() {
    let folder = Folder::new();
    run(async {
        let ledger = folder.open();
        let too_large = |line: Line| {
            let ledger = ledger.clone();
            async move {
                match ledger.append(vec![line]).await {
                    Err(AppendError::TooLarge { what, .. }) => what,
                    other => panic!("{other:?}"),
                }
            }
        };
        let long = |length: usize| "x".repeat(length);
        let good = line("a", "1", 0);
        assert_eq!(
            too_large(good.clone().with(json!(long(limits::LINE_BYTES)))).await,
            "bytes of a line"
        );
        assert_eq!(
            too_large(good.clone().because(long(limits::REASON_BYTES + 1))).await,
            "bytes of a reason"
        );
        assert_eq!(
            too_large(line(&long(limits::KIND_BYTES + 1), "1", 0)).await,
            "bytes of a kind"
        );
        assert_eq!(
            too_large(line("a", &long(limits::NAME_BYTES + 1), 0)).await,
            "bytes of a name"
        );
        let mut deep = json!(1);
        for _ in 0..1_000 {
            deep = Value::Array(vec![deep]);
        }
        assert_eq!(too_large(good.clone().with(deep)).await, "levels of a value");
        let mut level = json!(1);
        for _ in 1..limits::VALUE_DEPTH {
            level = json!({ "a": level });
        }
        ledger.append(vec![good.clone().with(level)]).await.unwrap();
        ledger
            .append(vec![good.clone().with(json!(long(limits::LINE_BYTES - 100)))])
            .await
            .unwrap();
        assert_eq!(
            ledger.read(0, 10).await.unwrap().len(),
            2,
            "what fits is read again"
        );

        for bad in ["", "A", "a..b", ".a", "a.", "a b", "ä", "a\n"] {
            let refused = ledger.append(vec![line(bad, "1", 0)]).await;
            assert!(
                matches!(refused, Err(AppendError::Invalid { what: "the kind", .. })),
                "{bad:?}"
            );
        }
        for bad in ["", "a\nb", "\u{1b}[2J"] {
            let refused = ledger.append(vec![line("a", bad, 0)]).await;
            assert!(
                matches!(
                    refused,
                    Err(AppendError::Invalid {
                        what: "the subject",
                        ..
                    })
                ),
                "{bad:?}"
            );
        }
        let mut early = good.clone();
        early.at = "1969-12-31T23:59:59Z".parse().unwrap();
        assert!(matches!(
            ledger.append(vec![early]).await,
            Err(AppendError::Invalid { .. })
        ));
        let many = vec![good.clone(); limits::APPEND_LINES + 1];
        assert!(matches!(
            ledger.append(many).await,
            Err(AppendError::TooLarge { .. })
        ));
        assert_eq!(ledger.last(), 2, "nothing of what was refused is there");
        ledger.append(vec![good; limits::APPEND_LINES]).await.unwrap();
    });
}

#[test]
fn a_full_disk_keeps_nothing_of_an_append_and_is_survived() {
    let mut machine = Machine::new();
    run(async {
        let ledger = machine.open(sums_projection()).unwrap();
        ledger.append(vec![line("a", "1", 1)]).await.unwrap();
        machine.disk.leave_space(Some(20_000));
        let large = || line("a", "1", 1).with(json!({"number": 1, "text": "x".repeat(100_000)}));
        assert_eq!(ledger.append(vec![large()]).await, Err(AppendError::Full));
        assert_eq!(ledger.last(), 1);
        assert_eq!(sums(&ledger).await, ["1=1/1"]);
        machine.disk.leave_space(None);
        assert_eq!(ledger.append(vec![large()]).await, Ok(vec![2]));
        machine.disk.die();
        drop(ledger);
        machine.restart(&mut Dice(0));
        let ledger = machine.open(sums_projection()).unwrap();
        assert_eq!(sums(&ledger).await, ["1=2/2"]);
    });
}

#[test]
fn a_sync_that_fails_acknowledges_nothing() {
    let mut machine = Machine::new();
    run(async {
        let ledger = machine.open(sums_projection()).unwrap();
        ledger.append(vec![line("a", "1", 1)]).await.unwrap();
        machine.disk.fail_syncs(1);
        let failed = ledger.append(vec![line("a", "1", 10)]).await;
        assert!(matches!(failed, Err(AppendError::Io { .. })), "{failed:?}");
        assert_eq!(
            (ledger.last(), sums(&ledger).await),
            (1, vec!["1=1/1".to_owned()])
        );
        assert_eq!(ledger.append(vec![line("a", "1", 100)]).await, Ok(vec![2]));
        machine.disk.die();
        drop(ledger);
        machine.disk = machine.disk.survivor(&mut || false);
        let ledger = machine.open(sums_projection()).unwrap();
        assert_eq!(
            (ledger.last(), sums(&ledger).await),
            (2, vec!["1=101/2".to_owned()])
        );
    });
}

#[test]
fn no_space_to_open() {
    let machine = Machine::new();
    machine.disk.leave_space(Some(1_000));
    assert!(matches!(machine.open(Vec::new()), Err(OpenError::Full { .. })));
    machine.disk.leave_space(None);
    let ledger = machine.open(Vec::new()).unwrap();
    run(async {
        ledger
            .append(vec![Line {
                at: at(1),
                ..line("a", "1", 1)
            }])
            .await
    })
    .unwrap();
}

use deploy_store::{Actor, ActorKind, Ledger, Line, Page, Query, ReadError, Subject, limits};
use serde_json::json;

use crate::machine::{Folder, at, line, run};

/// 30 lines: kinds and subjects take turns.
async fn fill(ledger: &Ledger) {
    let lines = (1..=30).map(|number: i64| {
        let kind = ["run.started", "run.ended", "runner", "push"][number as usize % 4];
        let subject = Subject::new(
            ["run", "repository"][number as usize % 2],
            format!("{}", number % 3),
        );
        let actor = Actor::new(
            [ActorKind::Person, ActorKind::Reconciler][number as usize % 2],
            ["ann", "bob", "ci"][number as usize % 3],
        );
        Line::new(at(number), actor, kind, subject)
    });
    ledger.append(lines.collect()).await.unwrap();
}

fn seqs(page: &Page) -> Vec<u64> {
    page.lines.iter().map(|line| line.seq).collect()
}

#[test]
fn filters_hold_together() {
    let folder = Folder::new();
    run(async {
        let ledger = folder.open();
        fill(&ledger).await;
        let all = ledger.query(Query::default()).await.unwrap();
        assert_eq!((all.lines.len(), all.more), (30, false));
        type Holds = fn(&Line) -> bool;
        let cases: Vec<(Query, Holds)> = vec![
            (
                Query {
                    kinds: vec!["run.*".into()],
                    ..Query::default()
                },
                |line| line.kind.starts_with("run."),
            ),
            (
                Query {
                    kinds: vec!["runner".into(), "push".into()],
                    ..Query::default()
                },
                |line| line.kind == "runner" || line.kind == "push",
            ),
            (
                Query {
                    kinds: vec!["run".into()],
                    ..Query::default()
                },
                |_| false,
            ),
            (Query::default().of("run", "1"), |line| {
                line.subject == Subject::new("run", "1")
            }),
            (
                Query {
                    subject: Some("2".into()),
                    ..Query::default()
                },
                |line| line.subject.id == "2",
            ),
            (
                Query::default().by(&Actor::new(ActorKind::Person, "ci")),
                |line| line.actor == Actor::new(ActorKind::Person, "ci"),
            ),
            (
                Query {
                    since: Some(at(10)),
                    until: Some(at(20)),
                    ..Query::default()
                },
                |line| line.at >= at(10) && line.at < at(20),
            ),
            (
                Query {
                    kinds: vec!["run.*".into()],
                    since: Some(at(5)),
                    actor: Some("ann".into()),
                    ..Query::default()
                },
                |line| line.kind.starts_with("run.") && line.at >= at(5) && line.actor.name == "ann",
            ),
            (
                Query {
                    actor: Some("' OR 1 = 1 --".into()),
                    ..Query::default()
                },
                |_| false,
            ),
        ];
        for (query, holds) in cases {
            let expected: Vec<u64> = all
                .lines
                .iter()
                .filter(|stored| holds(&stored.line))
                .map(|l| l.seq)
                .collect();
            assert_eq!(
                seqs(&ledger.query(query.clone()).await.unwrap()),
                expected,
                "{query:?}"
            );
            let newest = Query {
                newest_first: true,
                ..query
            };
            let reversed: Vec<u64> = expected.into_iter().rev().collect();
            assert_eq!(seqs(&ledger.query(newest).await.unwrap()), reversed);
        }
    });
}

#[test]
fn pages_follow_each_other_both_ways() {
    let folder = Folder::new();
    run(async {
        let ledger = folder.open();
        fill(&ledger).await;
        for newest_first in [false, true] {
            let mut query = Query {
                kinds: vec!["run.*".into()],
                newest_first,
                limit: Some(4),
                ..Query::default()
            };
            let mut found = Vec::new();
            loop {
                let page = ledger.query(query.clone()).await.unwrap();
                found.extend(seqs(&page));
                let last = found.last().copied();
                if newest_first {
                    query.before = last;
                } else {
                    query.after = last;
                }
                if !page.more {
                    break;
                }
                assert_eq!(page.lines.len(), 4);
            }
            if newest_first {
                found.reverse();
            }
            let whole = Query {
                kinds: vec!["run.*".into()],
                ..Query::default()
            };
            assert_eq!(found, seqs(&ledger.query(whole).await.unwrap()));
        }
    });
}

#[test]
fn an_answer_is_bounded() {
    let folder = Folder::new();
    run(async {
        let ledger = folder.open();
        let large = line("a", "1", 1).with(json!("x".repeat(200_000)));
        for _ in 0..50 {
            ledger.append(vec![large.clone()]).await.unwrap();
        }
        let page = ledger.query(Query::default()).await.unwrap();
        assert!(page.more && page.lines.len() * 200_000 < limits::PAGE_BYTES + 200_000);
        ledger.append(vec![line("b", "1", 1); 1_000]).await.unwrap();
        ledger.append(vec![line("b", "1", 1); 1_000]).await.unwrap();
        let all = Query {
            kinds: vec!["b".into()],
            limit: Some(usize::MAX),
            ..Query::default()
        };
        let page = ledger.query(all).await.unwrap();
        assert_eq!((page.lines.len(), page.more), (limits::PAGE_LINES, true));
        let many = Query {
            kinds: vec!["b".into(); limits::QUERY_KINDS + 1],
            ..Query::default()
        };
        assert!(matches!(
            ledger.query(many).await,
            Err(ReadError::TooLarge { .. })
        ));
    });
}

#[test]
fn a_watch_tells_once_however_many_came() {
    let folder = Folder::new();
    run(async {
        let ledger = folder.open();
        fill(&ledger).await;
        let mut watch = ledger.watch();
        for number in 0..5 {
            ledger.append(vec![line("a", "1", number)]).await.unwrap();
        }
        assert_eq!(watch.changed().await, Some(35));
        let next = ledger.append(vec![line("a", "1", 1)]);
        let (told, appended) = tokio::join!(watch.changed(), next);
        assert_eq!((told, appended), (Some(36), Ok(vec![36])));
        ledger.close().await;
        assert_eq!(watch.changed().await, None);
        assert_eq!(watch.changed().await, None);
    });
}

#[test]
fn who_follows_sees_every_line_once() {
    let folder = Folder::new();
    run(async {
        let ledger = folder.open();
        fill(&ledger).await;
        let mut follow = ledger.follow(10);
        let follower = tokio::spawn(async move {
            let mut seen = Vec::new();
            while let Some(lines) = follow.next().await.unwrap() {
                assert!(!lines.is_empty());
                seen.extend(lines.iter().map(|line| line.seq));
                if seen.last() == Some(&3_030) {
                    break;
                }
            }
            seen
        });
        let mut writers = tokio::task::JoinSet::new();
        for _ in 0..30 {
            let ledger = ledger.clone();
            writers.spawn(async move {
                for number in 0..100 {
                    ledger.append(vec![line("a", "1", number)]).await.unwrap();
                }
            });
        }
        writers.join_all().await;
        assert_eq!(follower.await.unwrap(), (11..=3_030).collect::<Vec<u64>>());
        let mut late = ledger.follow(3_030);
        ledger.close().await;
        assert_eq!(late.next().await, Ok(None));
        assert!(matches!(ledger.read(0, 1).await, Ok(_) | Err(ReadError::Closed)));
    });
}

#[test]
fn a_question_that_panics_harms_nobody_else() {
    let folder = Folder::new();
    run(async {
        let ledger = folder.open();
        for _ in 0..2 * limits::READERS {
            let asked = ledger
                .view(|_| -> Result<(), deploy_store::sql::Error> { panic!("on purpose") })
                .await;
            assert_eq!(asked, Err(ReadError::Closed));
        }
        ledger.append(vec![line("a", "1", 1)]).await.unwrap();
        assert_eq!(ledger.read(0, 1).await.unwrap().len(), 1);
    });
}

use std::sync::Arc;

use deploy_store::{AppendError, Ledger, OpenError, Options, Projection, ProjectionError, Stored, Tables};

use crate::machine::{Folder, line, run, sums, sums_projection};

fn open(folder: &Folder, projections: Vec<Arc<dyn Projection>>) -> Result<Ledger, OpenError> {
    let options = Options {
        projections,
        ..Options::default()
    };
    Ledger::open(folder.path(), options)
}

#[test]
fn tables_change_with_their_lines_or_not_at_all() {
    let folder = Folder::new();
    run(async {
        let ledger = open(&folder, sums_projection()).unwrap();
        ledger
            .append(vec![line("a", "x", 5), line("a", "y", 1)])
            .await
            .unwrap();
        // The second line is refused, so the first is not kept either.
        let refused = ledger.append(vec![line("a", "y", 7), line("a", "x", -6)]).await;
        let reason = "x would be -1".to_owned();
        assert_eq!(
            refused,
            Err(AppendError::Refused {
                projection: "sums",
                reason
            })
        );
        // So does what the table itself forbids.
        let refused = ledger.append(vec![line("a", "y", 2_000_000)]).await;
        assert!(
            matches!(
                refused,
                Err(AppendError::Refused {
                    projection: "sums",
                    ..
                })
            ),
            "{refused:?}"
        );
        assert_eq!(
            (ledger.last(), sums(&ledger).await),
            (2, vec!["x=5/1".to_owned(), "y=1/1".to_owned()])
        );
        assert_eq!(ledger.append(vec![line("a", "x", -5)]).await, Ok(vec![3]));
        assert_eq!(sums(&ledger).await, ["x=0/2", "y=1/1"]);
    });
}

#[test]
fn what_one_append_is_refused_another_of_the_same_commit_is_not() {
    let folder = Folder::new();
    run(async {
        let ledger = open(&folder, sums_projection()).unwrap();
        let mut tasks = tokio::task::JoinSet::new();
        for number in 0..200 {
            let ledger = ledger.clone();
            // Every third would make a sum negative.
            let sign = if number % 3 == 0 { -1 } else { 1 };
            let line = line("a", &format!("{number}"), sign);
            tasks.spawn(async move { ledger.append(vec![line]).await });
        }
        let outcomes = tasks.join_all().await;
        let mut kept: Vec<u64> = outcomes.iter().flatten().flatten().copied().collect();
        kept.sort_unstable();
        assert_eq!(
            kept,
            (1..=133).collect::<Vec<u64>>(),
            "no number is lost to a refusal"
        );
        assert_eq!(sums(&ledger).await.len(), 133);
    });
}

#[test]
fn one_that_is_new_or_changed_is_made_of_all_lines() {
    let folder = Folder::new();
    run(async {
        let ledger = folder.open();
        for batch in 0..9 {
            let lines = (0..500).map(|number| line("a", &format!("{}", number % 7), batch + number));
            ledger.append(lines.collect()).await.unwrap();
        }
        ledger.close().await;
        let ledger = open(&folder, sums_projection()).unwrap();
        let made = sums(&ledger).await;
        assert_eq!(made.len(), 7);
        ledger.append(vec![line("a", "0", 1)]).await.unwrap();
        let grown = sums(&ledger).await;
        ledger.close().await;

        // Another version has another table, and the old one is gone.
        let ledger = open(&folder, vec![Arc::new(Counts)]).unwrap();
        let counted = ledger
            .view(|tables| tables.row("SELECT sum(n) FROM counts", [], |row| row.get::<_, i64>(0)))
            .await;
        assert_eq!(counted, Ok(Some(4501)));
        let old = "SELECT count(*) FROM sqlite_schema WHERE name LIKE 'sums%'";
        let old = ledger
            .view(move |tables| tables.row(old, [], |row| row.get::<_, i64>(0)))
            .await;
        assert_eq!(old, Ok(Some(0)));
        ledger.close().await;

        // And back: a rebuilt one equals the one that grew. A line that came while nobody knew it is caught up with.
        let ledger = open(&folder, sums_projection()).unwrap();
        assert_eq!(sums(&ledger).await, grown);
        ledger.close().await;
        let ledger = folder.open();
        ledger.append(vec![line("a", "new", 3)]).await.unwrap();
        ledger.close().await;
        let ledger = open(&folder, sums_projection()).unwrap();
        assert!(sums(&ledger).await.contains(&"new=3/1".to_owned()));
    });
}

/// Version 2 of [`Sums`].
struct Counts;

impl Projection for Counts {
    fn name(&self) -> &'static str {
        "sums"
    }

    fn version(&self) -> u32 {
        2
    }

    fn schema(&self) -> &'static str {
        "CREATE TABLE counts (kind TEXT PRIMARY KEY, n INTEGER NOT NULL) STRICT"
    }

    fn apply(&self, tables: &Tables<'_>, line: &Stored) -> Result<(), ProjectionError> {
        let sql = "INSERT INTO counts VALUES (?1, 1) ON CONFLICT DO UPDATE SET n = n + 1";
        tables.execute(sql, [&line.line.kind])?;
        Ok(())
    }
}

/// One with a mistake.
struct Broken(&'static str, &'static str);

impl Projection for Broken {
    fn name(&self) -> &'static str {
        "broken"
    }

    fn version(&self) -> u32 {
        1
    }

    fn schema(&self) -> &'static str {
        self.0
    }

    fn apply(&self, tables: &Tables<'_>, _: &Stored) -> Result<(), ProjectionError> {
        tables.execute(self.1, [])?;
        Ok(())
    }
}

#[test]
fn a_mistake_of_its_author_is_said_with_its_place() {
    let folder = Folder::new();
    run(async {
        let ledger = open(&folder, sums_projection()).unwrap();
        ledger.append(vec![line("a", "x", 5)]).await.unwrap();
        ledger.close().await;
        for (schema, sql, place) in [
            ("CREATE TABLE sums (x)", "", None),
            ("no SQL", "", None),
            (
                "CREATE TABLE broken (x)",
                "INSERT INTO missing VALUES (1)",
                Some(1),
            ),
        ] {
            match open(&folder, vec![Arc::new(Broken(schema, sql))]) {
                Err(OpenError::Projection {
                    name: "broken", seq, ..
                }) => assert_eq!(seq, place, "{schema}"),
                Err(other) => panic!("{other}"),
                Ok(_) => panic!("it must not open"),
            }
        }
        let twice: Vec<Arc<dyn Projection>> = vec![Arc::new(Counts), Arc::new(Counts)];
        assert!(matches!(
            open(&folder, twice),
            Err(OpenError::Projection { name: "sums", .. })
        ));
        assert_eq!(sums(&open(&folder, sums_projection()).unwrap()).await, ["x=5/1"]);
    });
}

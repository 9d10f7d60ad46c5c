//! Folders, lines and disks for tests.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use deploy_cluster_storage_faults::Disk;
use deploy_store::{
    Actor, ActorKind, Ledger, Line, OpenError, Options, Projection, ProjectionError, Stored, Subject, Tables,
    sql,
};
use jiff::Timestamp;
use serde_json::json;

/// A folder that goes with its test.
pub struct Folder(PathBuf);

impl Folder {
    pub fn new() -> Folder {
        static NUMBER: AtomicU32 = AtomicU32::new(0);
        let number = NUMBER.fetch_add(1, Ordering::Relaxed);
        let name = format!("store-{}-{number}", std::process::id());
        Folder(Path::new(env!("CARGO_TARGET_TMPDIR")).join(name))
    }

    pub fn path(&self) -> &Path {
        &self.0
    }

    pub fn database(&self) -> PathBuf {
        self.0.join("ledger.db")
    }

    pub fn open(&self) -> Ledger {
        Ledger::open(&self.0, Options::default()).expect("it opens")
    }

    pub fn refused(&self) -> OpenError {
        match Ledger::open(&self.0, Options::default()) {
            Ok(_) => panic!("it must not open"),
            Err(error) => error,
        }
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        drop(std::fs::remove_dir_all(&self.0));
    }
}

/// A machine with a disk that can lose its power.
pub struct Machine {
    pub folder: Folder,
    pub disk: Disk,
}

impl Machine {
    pub fn new() -> Machine {
        Machine {
            folder: Folder::new(),
            disk: Disk::new(),
        }
    }

    pub fn open(&self, projections: Vec<Arc<dyn Projection>>) -> Result<Ledger, OpenError> {
        Ledger::open(
            self.folder.path(),
            Options {
                projections,
                program: "test".to_owned(),
                vfs: Some(self.disk.name().to_owned()),
            },
        )
    }

    /// The power comes back: of what was not synced, a part survives.
    pub fn restart(&mut self, dice: &mut Dice) {
        let percent = [0, 10, 50, 90, 100][dice.below(5) as usize];
        self.disk = self.disk.survivor(&mut || dice.below(100) < percent);
    }
}

/// A random number generator with a seed (splitmix64), so that a failure can be had again.
pub struct Dice(pub u64);

impl Dice {
    pub fn below(&mut self, limit: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut bits = self.0;
        bits = (bits ^ (bits >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        bits = (bits ^ (bits >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (bits ^ (bits >> 31)) % limit
    }
}

/// Runs a test's future; one that waits for what never comes fails.
pub fn run<T>(future: impl Future<Output = T>) -> T {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .expect("a runtime");
    let limited = async { tokio::time::timeout(Duration::from_secs(120), future).await };
    runtime.block_on(limited).expect("within two minutes")
}

pub fn at(seconds: i64) -> Timestamp {
    Timestamp::from_second(1_700_000_000 + seconds).unwrap()
}

/// `kind subject` by a person, with a number that [`Sums`] adds up.
pub fn line(kind: &str, subject: &str, number: i64) -> Line {
    Line::new(
        at(number),
        Actor::new(ActorKind::Person, "ann"),
        kind,
        Subject::new("run", subject),
    )
    .with(json!({ "number": number }))
}

/// The sum of the numbers of each subject, and how many lines it has. It refuses negative sums.
pub struct Sums {
    pub version: u32,
}

pub fn sums_projection() -> Vec<Arc<dyn Projection>> {
    vec![Arc::new(Sums { version: 1 })]
}

impl Projection for Sums {
    fn name(&self) -> &'static str {
        "sums"
    }

    fn version(&self) -> u32 {
        self.version
    }

    fn schema(&self) -> &'static str {
        "CREATE TABLE sums (subject TEXT PRIMARY KEY, sum INTEGER NOT NULL CHECK (sum < 1000000), lines INTEGER NOT NULL) STRICT;
         CREATE INDEX sums_by_sum ON sums (sum);"
    }

    fn apply(&self, tables: &Tables<'_>, line: &Stored) -> Result<(), ProjectionError> {
        let subject = &line.line.subject.id;
        let number = line.line.data["number"].as_i64().unwrap_or_default();
        let sum = tables
            .row("SELECT sum FROM sums WHERE subject = ?1", [subject], |row| {
                row.get::<_, i64>(0)
            })?
            .unwrap_or_default();
        if sum + number < 0 {
            return Err(ProjectionError::Refused(format!(
                "{subject} would be {}",
                sum + number
            )));
        }
        tables.execute(
            "INSERT INTO sums VALUES (?1, ?2, 1)
             ON CONFLICT DO UPDATE SET sum = sum + ?2, lines = lines + 1",
            sql::params![subject, number],
        )?;
        Ok(())
    }
}

/// `subject=sum/lines` of all subjects.
pub async fn sums(ledger: &Ledger) -> Vec<String> {
    ledger.view(sums_of).await.unwrap()
}

pub fn sums_of(tables: &Tables<'_>) -> Result<Vec<String>, sql::Error> {
    tables.rows(
        "SELECT subject, sum, lines FROM sums ORDER BY subject",
        [],
        |row| {
            Ok(format!(
                "{}={}/{}",
                row.get::<_, String>(0)?,
                row.get::<_, i64>(1)?,
                row.get::<_, i64>(2)?
            ))
        },
    )
}

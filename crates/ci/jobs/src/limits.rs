//! Every bound of this crate, with its reason.

use std::time::Duration;

/// Jobs of one server that run at a time. Each has a root, a shim and limits of its own; more wait with a reason.
pub const MAX_JOBS: usize = 16;

/// Inputs of a run that its machine has not seen yet: one for each step that runs, and who cancels.
pub const INPUT_BACKLOG: usize = 64;

/// Bytes that are kept of one step's output. A script that prints 10 GB is cut here with a notice; what it says of
/// workflow commands still counts. GitHub shows no more of a step either.
pub const MAX_STEP_LOG_BYTES: u64 = 64 << 20;

/// A line of output is split here, so that one without an end needs no memory.
pub const MAX_LINE_BYTES: usize = 64 << 10;

/// What is read at once from a step's pipe.
pub const READ_BYTES: usize = 64 << 10;

/// Messages of one step that are kept apart from its log (GitHub shows 10 of each kind and keeps 50 of a step).
pub const MAX_ANNOTATIONS: usize = 50;

/// Lines that a subscriber may be behind. Who is slower reads the file.
pub const LOG_BACKLOG: usize = 1024;

/// A command file (`GITHUB_ENV` and its like). GitHub takes 1 MiB of a summary; the kernel takes 2 MiB of environment.
pub const MAX_COMMAND_FILE_BYTES: u64 = 1 << 20;

/// A local action's file.
pub const MAX_ACTION_FILE_BYTES: u64 = 1 << 20;

/// After a step's first process has ended, its output is awaited so long: what it left behind may hold it open for ever.
pub const OUTPUT_GRACE: Duration = Duration::from_millis(200);

/// Between SIGTERM and SIGKILL of a step that is cancelled or takes too long, where nobody says otherwise.
pub const STOP_GRACE: Duration = Duration::from_secs(10);

/// What killed processes may take to go.
pub const KILL_PATIENCE: Duration = Duration::from_secs(10);

/// After a step's process was killed by the kernel, how long its container is given to end with it.
pub const SETTLE: Duration = Duration::from_millis(500);

/// How often the disk that a job has used is looked at. A fast disk takes 500 MB meanwhile.
pub const DISK_WATCH: Duration = Duration::from_millis(250);

/// Bytes of the file system that are left to others: a job that goes on below them is ended.
pub const DISK_RESERVE_BYTES: u64 = 256 << 20;

/// What a job may use where nobody says otherwise: all processors.
pub const DEFAULT_MEMORY_BYTES: i64 = 4 << 30;

/// Processes and threads of a job: a parallel build on 64 processors, and a fork bomb that the machine does not feel.
pub const DEFAULT_PIDS: i64 = 4096;

/// Bytes that a job may write.
pub const DEFAULT_DISK_BYTES: u64 = 20 << 30;

/// Bytes of all caches of the data folder together; the least recently used go first (GitHub gives a repository 10 GB).
pub const MAX_CACHE_BYTES: u64 = 10 << 30;

/// Bytes of one cache entry or artifact, unpacked.
pub const MAX_ARCHIVE_BYTES: u64 = 10 << 30;

/// Files of one cache entry or artifact.
pub const MAX_ARCHIVE_FILES: usize = 1_000_000;

/// Depth of folders that are walked in a job's root: names of 4096 bytes have no more.
pub const MAX_DEPTH: usize = 128;

/// A cache's key (actions/cache, `validateKey`).
pub const MAX_KEY_BYTES: usize = 512;

/// Keys that one step may ask for (actions/cache, `checkKeys`).
pub const MAX_KEYS: usize = 10;

/// Lines of one list of patterns.
pub const MAX_PATTERNS: usize = 256;

/// Files that `hashFiles` reads.
pub const MAX_HASHED_FILES: usize = 100_000;

/// What `git` may take to copy a commit.
pub const CHECKOUT_DEADLINE: Duration = Duration::from_secs(600);

/// What is kept of the words of a program that failed.
pub const MAX_WORDS_BYTES: usize = 4 << 10;

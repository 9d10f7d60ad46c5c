//! Every bound of this crate, each with its reason.

use std::time::Duration;

/// Bytes of a part of a repository's name, which is a folder's name with `.git` and more added.
pub const NAME_PART_BYTES: usize = 64;

/// Parts of a repository's name: a team, a group, an app and one more.
pub const NAME_PARTS: usize = 4;

/// Bytes of one push, after decompression of the request: monorepos come first with all of their history.
pub const PUSH_BYTES: u64 = 2 << 30;

/// Bytes of what a client that fetches says: its wishes and what it has, some 50 bytes for each reference.
pub const FETCH_REQUEST_BYTES: u64 = 64 << 20;

/// Git processes that serve clients at once: each takes a core and tens of megabytes.
pub const SERVICES: usize = 16;

/// How long a client waits for one of them before it is told to come again.
pub const SERVICE_PATIENCE: Duration = Duration::from_secs(20);

/// How long a client may be silent in the middle of its request, or take nothing of its answer.
pub const CLIENT_PATIENCE: Duration = Duration::from_secs(60);

/// How long a clone or a push may take: 2 GB over a slow line. Who is silent is cut much earlier.
pub const SERVICE_TIME: Duration = Duration::from_secs(3 * 3600);

/// Pieces of an answer that wait for a slow client.
pub const QUEUED_PIECES: usize = 16;

/// Bytes of a piece of a stream.
pub const PIECE_BYTES: usize = 32 << 10;

/// Compressed bytes that are inflated at once: deflate expands at most about a thousandfold, so this stays below 4 MB.
pub const INFLATE_BYTES: usize = 4 << 10;

/// Bytes kept of what git says about a failure.
pub const COMPLAINT_BYTES: usize = 8 << 10;

/// How long git may take to answer a question about a repository.
pub const QUESTION_TIME: Duration = Duration::from_secs(60);

/// How long a checkout or a fetch from a remote may take.
pub const TRANSFER_TIME: Duration = Duration::from_secs(900);

/// Bytes of an answer that is a list: references, paths, commits.
pub const LIST_BYTES: usize = 64 << 20;

/// Bytes of a file that is read into memory: workflow files and Dockerfiles are smaller by far.
pub const FILE_BYTES: usize = 8 << 20;

/// Files and bytes of a checkout: beyond them a disk would be filled by one push.
pub const CHECKOUT_FILES: usize = 500_000;
/// See [`CHECKOUT_FILES`].
pub const CHECKOUT_BYTES: u64 = 20 << 30;

/// Changed paths that are named; filters of workflows look no further (GitHub stops at 300).
pub const CHANGED_PATHS: usize = 3_000;

/// Commits that a log names at once.
pub const LOG_COMMITS: usize = 1_000;

/// Bytes of the end of a reference's log that are read to learn who pushed what.
pub const REFLOG_BYTES: u64 = 256 << 10;

/// Messages to the thread that tells of pushes.
pub const QUEUED_MESSAGES: usize = 256;

/// Bytes of a webhook's body: GitHub's own bound is 25 MB.
pub const WEBHOOK_BYTES: usize = 25 << 20;

/// How far the time of a signed webhook may be from ours: Gitee signs its time so that old ones cannot be sent again.
pub const WEBHOOK_AGE: Duration = Duration::from_secs(3600);

/// Commits of a webhook whose paths are read.
pub const WEBHOOK_COMMITS: usize = 2_048;

/// How long a remote may take to list its references.
pub const REMOTE_TIME: Duration = Duration::from_secs(60);

/// The first and the longest wait after a remote failed.
pub const BACKOFF_FIRST: Duration = Duration::from_secs(5);
/// See [`BACKOFF_FIRST`].
pub const BACKOFF_LONGEST: Duration = Duration::from_secs(900);

/// Files of one commit to the state repository, and their bytes: rendered objects of all targets of a release.
pub const STATE_FILES: usize = 20_000;
/// See [`STATE_FILES`].
pub const STATE_BYTES: usize = 256 << 20;

/// How often a commit to the state repository is tried when others commit at the same time.
pub const STATE_ATTEMPTS: usize = 5;

//! Every bound of this crate, with its reason.

use std::time::Duration;

/// Runs that are carried out at a time; more wait in the ledger. Their jobs share the runner's places.
pub const RUNS: usize = 64;

/// Workflow files of a commit that are read: GitHub's own bound on files that one event starts is far below.
pub const WORKFLOWS: usize = 100;

/// Bytes of a workflow file or an action's.
pub const WORKFLOW_BYTES: usize = 2 << 20;

/// Runs that one question lists.
pub const LISTED_RUNS: usize = 500;

/// Bytes of the body of a request to the API.
pub const REQUEST_BYTES: usize = 1 << 20;

/// Bytes of a run's log that one answer has; more is in the step's file.
pub const LOG_BYTES: usize = 64 << 20;

/// Tokens of a server: each request looks at all of them.
pub const TOKENS: usize = 1_000;

/// Bytes of the file of tokens.
pub const TOKENS_BYTES: u64 = 1 << 20;

/// Bytes of a secret of workflows (GitHub takes 48 KB), and how many there may be.
pub const SECRET_BYTES: u64 = 48 << 10;
/// See [`SECRET_BYTES`].
pub const SECRETS: usize = 500;

/// How long a server that ends waits for requests that are under way.
pub const SHUTDOWN: Duration = Duration::from_secs(10);

/// How long runs are given to end when the server does; then their processes go with it.
pub const RUNS_SHUTDOWN: Duration = Duration::from_secs(30);

/// News that a slow listener may be behind.
pub const NEWS: usize = 256;

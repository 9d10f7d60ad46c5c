//! The bounds of this crate, each with its reason.

/// The longest workflow file, in bytes. GitHub's reader stops at 1 MiB of text.
pub const MAX_FILE_BYTES: usize = 1024 * 1024;

/// The deepest nesting of a workflow file. GitHub stops at 100; real files stay below 15.
pub const MAX_DEPTH: usize = 100;

/// How much a workflow may grow when it is read (aliases, called workflows), in bytes as GitHub counts them.
pub const MAX_RESULT_BYTES: usize = 10 * 1024 * 1024;

/// How many nodes aliases may make of a file: a "billion laughs" ends here.
pub const MAX_NODES: usize = 200_000;

/// How many problems of a file are told; people mend the first ones first.
pub const MAX_PROBLEMS: usize = 10;

/// How many levels of workflows may call each other, the first one included (GitHub: 4 called below the first one
/// since 2022, read here as the suite has it).
pub const MAX_CALL_DEPTH: usize = 4;

/// The longest script or condition that a step may have, in characters (GitHub's reader).
pub const MAX_SCRIPT_CHARS: usize = 21_000;

/// How deep an expression may nest (GitHub's parser).
pub const MAX_EXPRESSION_DEPTH: usize = 50;

/// How deep brackets may nest in an expression: the parser calls itself for each, and 200 fit a stack of 2 MiB.
pub const MAX_GROUP_DEPTH: usize = 200;

/// The longest expression, in characters (GitHub's parser).
pub const MAX_EXPRESSION_CHARS: usize = 21_000;

/// How much text the functions of one evaluation may make, in bytes: `format` and `join` can multiply their arguments
/// (GitHub's evaluator: 1 MiB of UTF-16).
pub const MAX_EVALUATION_BYTES: usize = 512 * 1024;

/// How deep JSON may nest in `fromJSON` (GitHub: 100).
pub const MAX_JSON_DEPTH: usize = 100;

/// How many jobs a matrix may make (GitHub: 256 per run).
pub const MAX_MATRIX_JOBS: usize = 256;

/// How many jobs one run may have, all matrices included: each is a sandbox, a log and a line of the page.
pub const MAX_JOBS: usize = 1024;

/// How many steps one job may begin, composite actions included (GitHub: 1,000 in a file).
pub const MAX_STEPS: u32 = 4096;

/// How deep composite actions may use each other (GitHub: 10).
pub const MAX_ACTION_DEPTH: usize = 10;

/// How long a job may run where the file does not say (GitHub: 360 minutes).
pub const DEFAULT_JOB_MINUTES: f64 = 360.0;

/// How long a stopped step may take to go by itself before it is killed (GitHub's runner: 7.5 s and 2.5 s).
pub const STOP_GRACE_SECONDS: u32 = 10;

/// How long a cancelled job may still run its `always()` steps (GitHub: 5 minutes).
pub const CANCEL_MINUTES: f64 = 5.0;

/// How long a run or a job may wait for a concurrency group or a runner, in minutes (GitHub: 24 hours).
pub const MAX_WAIT_MINUTES: f64 = 24.0 * 60.0;

/// How many of one group may wait with `queue: max` (GitHub: 100).
pub const MAX_GROUP_QUEUE: usize = 100;

/// The largest command file (`GITHUB_ENV` and its kin), in bytes (GitHub: 1 MiB for outputs of a job).
pub const MAX_COMMAND_FILE_BYTES: usize = 1024 * 1024;

/// The longest line that can be a workflow command; longer ones are text. The runner's own lines end at 1 MiB.
pub const MAX_COMMAND_BYTES: usize = 1024 * 1024;

/// How many bytes all masked values of a job may have together, with their encoded forms: the search table has a node
/// of some 60 bytes for each. Beyond it only the beginning of a value is looked for.
pub const MAX_MASK_BYTES: usize = 512 * 1024;

/// How far ahead the next time of a schedule is looked for, in days: `29 2` comes every eight years at worst.
pub const MAX_SCHEDULE_DAYS: i32 = 366 * 8 + 2;

/// The longest message of a problem with its place, in characters; the rest is cut (GitHub's reader).
pub const MAX_MESSAGE_CHARS: usize = 500;

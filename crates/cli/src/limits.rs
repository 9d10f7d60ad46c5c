//! What the command bounds, and why.

/// A file that a renderer reads. Helm refuses a chart's files above 5 MiB, kustomize has no bound; a cluster refuses any
/// object above 3 MiB, so a larger source is a mistake (a data set, a video) and not a manifest.
pub const MAX_FILE_BYTES: u64 = 64 * 1024 * 1024;

/// Entries of one folder. Larger folders are caches that somebody forgot to exclude.
pub const MAX_FOLDER_ENTRIES: usize = 100_000;

/// Bytes of a configuration file; a real one has a few hundred.
pub const MAX_CONFIG_BYTES: u64 = 1024 * 1024;

/// The stack that a command can count on: what a process has unless `ulimit -s` says otherwise. Engines bound the depth of
/// what they walk so that 2 MiB are enough, or let the stack grow. Tests run commands on threads of this size.
pub const STACK_BYTES: usize = 8 * 1024 * 1024;

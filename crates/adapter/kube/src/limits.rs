//! Bounds, each with its reason.

use std::time::Duration;

/// An answer: a list of 500 large objects is a few megabytes; etcd's own objects end at 1.5 MB.
pub const MAX_ANSWER_BYTES: usize = 64 << 20;

/// One line of a watch: an object, or an error.
pub const MAX_EVENT_BYTES: usize = 16 << 20;

/// Objects of a page of a list, as client-go asks for.
pub const PAGE: usize = 500;

/// An answer to a plain request takes no longer; slow webhooks have 30 s by upstream's bound.
pub const PATIENCE: Duration = Duration::from_secs(60);

/// To reach the server at all.
pub const CONNECT: Duration = Duration::from_secs(10);

/// A watch is asked to end after this time, so that one that is silently dead is noticed.
pub const WATCH: Duration = Duration::from_secs(290);

/// Lines of a pod's log that are told with a failure.
pub const LINES: usize = 20;

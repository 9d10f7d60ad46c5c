//! Bounds, each with its reason.

use jiff::SignedDuration;

/// Writes of one sync that are under way at a time: enough to hide the way to a cluster far away, few enough for the
/// priority levels of its API server.
pub const WRITES_AT_ONCE: usize = 16;

/// Attempts to write one object: with the pauses below about two minutes, in which an API server or a webhook comes back.
pub const ATTEMPTS: u32 = 8;

/// The pause after the first attempt; each next one is twice as long.
pub const FIRST_PAUSE: SignedDuration = SignedDuration::from_secs(1);

/// No pause is longer, so that what comes back is noticed.
pub const LONGEST_PAUSE: SignedDuration = SignedDuration::from_secs(30);

/// Differences of one object that are told; the rest is counted.
pub const CHANGES_TOLD: usize = 200;

//! Bounds, each with its reason.

use jiff::SignedDuration;

/// A description of an app or of sites; real ones have a few hundred lines.
pub const MAX_SOURCE_BYTES: usize = 1 << 20;

/// Problems that are told at once: more than a screen of them helps nobody.
pub const MAX_PROBLEMS: usize = 50;

/// Environments of an app, sites of an environment, images of an app, sales of a site: an order of magnitude above what people have.
pub const MAX_LIST: usize = 200;

/// How long a wave may take to become healthy where nothing is said: images are pulled and probes pass in minutes.
pub const DEADLINE: SignedDuration = SignedDuration::from_mins(10);

/// No deadline and no hold is longer: a release that waits a week is forgotten.
pub const LONGEST: SignedDuration = SignedDuration::from_hours(7 * 24);

/// How long an undo may take before people are told that it did not help.
pub const UNDO_DEADLINE: SignedDuration = SignedDuration::from_mins(5);

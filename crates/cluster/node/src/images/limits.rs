//! Every bound of the node's images, with its reason.

use std::time::Duration;

/// Pulls at once; more wait. Two cores unpack no faster with more, and each keeps some MiB.
pub const PULLS_MAX: usize = 4;

/// Layers of one pull at once (containerd's `max_concurrent_downloads`).
pub const LAYERS_AT_ONCE: usize = 3;

/// Pieces of a layer between the network and the disk: at some 16 KiB each, 1 MiB at most.
pub const CHUNKS_IN_FLIGHT: usize = 64;

/// Credentials that are tried for one image; a pod names some secrets, each with an entry that fits.
pub const CREDENTIALS_MAX: usize = 16;

/// Entries of one secret that are read.
pub const KEYRING_ENTRIES_MAX: usize = 1_000;

/// Per cent of the disk from which on images go (kubelet, `imageGCHighThresholdPercent`).
pub const HIGH_PERCENT: u64 = 85;

/// Per cent of the disk down to which they go (kubelet, `imageGCLowThresholdPercent`).
pub const LOW_PERCENT: u64 = 80;

/// Images younger than this stay: a pod that waits for its next one may need it (kubelet, `imageMinimumGCAge`).
pub const MIN_AGE: Duration = Duration::from_secs(2 * 60);

/// Between two looks at the disk (kubelet.go, `ImageGCPeriod`).
pub const COLLECT_EVERY: Duration = Duration::from_secs(5 * 60);

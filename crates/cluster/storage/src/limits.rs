//! Every bound of this crate, each with its reason.

use std::time::Duration;

/// Writes that wait for the writer. A caller beyond it waits for a place, so memory stays bounded under any load.
pub const QUEUE_WRITES: usize = 1024;

/// Writes of one transaction: enough to share an fsync among all connections, few enough that the first to come does
/// not wait long for the last.
pub const BATCH_WRITES: usize = 512;

/// Bytes of one transaction, so that a burst of large objects does not become one commit of hundreds of megabytes.
pub const BATCH_BYTES: usize = 8 << 20;

/// Events that a resource keeps in memory for watches. Upstream's watch cache grows to 100,000 by load; ours has the
/// table behind it, so a watch that resumes from further back reads that.
pub const RING_EVENTS: usize = 16_384;

/// Bytes of superseded bodies that the ring of one resource may keep alive.
pub const RING_BYTES: usize = 16 << 20;

/// Events that a watch takes from the ring, or from the table, at once.
pub const WATCH_PAGE: usize = 256;

/// Pages in the write-ahead log after which it is copied into the database (4 MB): a start replays no more than
/// this, and appending to a file costs an fsync ten times what overwriting costs, so the log should come round soon.
pub const CHECKPOINT_PAGES: u32 = 1_000;

/// Pages in the write-ahead log after which the writer waits until it starts anew (16 MB): under a load that never
/// pauses it would grow without end.
pub const RESTART_PAGES: u32 = 4_000;

/// Rows that compaction looks at in one transaction: a few milliseconds, which is all that a writer waits for it.
pub const SWEEP_ROWS: u32 = 1_000;

/// Bytes of bodies written since the last compaction after which the store compacts by itself, whatever the clock
/// says: etcd refuses writes at its quota (2 GB), we make room well before.
pub const COMPACT_BYTES: u64 = 256 << 20;

/// How often the shell compacts, and so how long a list's `continue` and a watch's resourceVersion stay good at least:
/// kube-apiserver's `--etcd-compaction-interval`.
pub const COMPACT_INTERVAL: Duration = Duration::from_secs(300);

/// Memory that SQLite may use for pages, per connection: reads come from the index, so the cache serves appends.
pub const CACHE_KIB: u32 = 1_024;

/// The bounds that decide which path an operation takes. Tests make them small, to take all paths with little data.
#[derive(Clone, Copy, Debug)]
pub struct Bounds {
    /// See [`RING_EVENTS`].
    pub ring_events: usize,
    /// See [`RING_BYTES`].
    pub ring_bytes: usize,
    /// See [`WATCH_PAGE`].
    pub watch_page: usize,
    /// See [`CHECKPOINT_PAGES`].
    pub checkpoint_pages: u32,
    /// See [`RESTART_PAGES`].
    pub restart_pages: u32,
    /// See [`SWEEP_ROWS`].
    pub sweep_rows: u32,
    /// See [`COMPACT_BYTES`].
    pub compact_bytes: u64,
}

impl Default for Bounds {
    fn default() -> Bounds {
        Bounds {
            ring_events: RING_EVENTS,
            ring_bytes: RING_BYTES,
            watch_page: WATCH_PAGE,
            checkpoint_pages: CHECKPOINT_PAGES,
            restart_pages: RESTART_PAGES,
            sweep_rows: SWEEP_ROWS,
            compact_bytes: COMPACT_BYTES,
        }
    }
}

/// What is made of a larger body is not kept: a parsed object takes about ten times its text, and ten large definitions of
/// custom resources, which are hardly ever read, would take 70 MB.
pub const DERIVED_BYTES: usize = 64 * 1024;

//! Every bound of this crate, each with its reason.

/// Bytes of one line: the texts of `before`, `after` and `data` and its names. A line says what happened; logs, images and
/// manifests have stores of their own, and a line names them by digest.
pub const LINE_BYTES: usize = 256 << 10;

/// How deep the values of a line nest: they are read back by a parser that stops at 128.
pub const VALUE_DEPTH: usize = 64;

/// Bytes of a kind of line or subject: they are names of a closed set.
pub const KIND_BYTES: usize = 64;

/// Bytes of an actor's name or a subject's id: room for a path in a repository.
pub const NAME_BYTES: usize = 512;

/// Bytes of a reason: a sentence, or a person's paragraph.
pub const REASON_BYTES: usize = 4 << 10;

/// Lines of one append, which are kept or refused together.
pub const APPEND_LINES: usize = 1_000;

/// Appends that wait for the writer. A caller beyond it waits for a place, so memory stays bounded under any load.
pub const QUEUE_APPENDS: usize = 1_024;

/// Appends of one transaction: enough to share an fsync among all callers, few enough that the first to come does not wait
/// long for the last.
pub const BATCH_APPENDS: usize = 512;

/// Bytes of one transaction, so that a burst of large lines does not become one commit of hundreds of megabytes.
pub const BATCH_BYTES: usize = 8 << 20;

/// Lines that a query answers at once; who wants more asks for what comes after.
pub const PAGE_LINES: usize = 1_000;

/// Bytes that a query answers at once: a page of the largest lines would be 256 MB.
pub const PAGE_BYTES: usize = 8 << 20;

/// Kinds that a query names: more is every kind.
pub const QUERY_KINDS: usize = 32;

/// Threads that read: one long query does not hold up all others.
pub const READERS: usize = 2;

/// Reads that wait for a thread; a caller beyond it waits for a place.
pub const QUEUE_READS: usize = 64;

/// Lines that a projection catches up with in one transaction: the log of a rebuild stays small, and a crash in the middle
/// of it goes on from there.
pub const REBUILD_LINES: usize = 2_000;

/// Memory that SQLite may use for pages, per connection.
pub const CACHE_KIB: u32 = 1_024;

/// Bytes that the write-ahead log keeps on disk once it was copied into the database.
pub const LOG_KEPT_BYTES: u64 = 8 << 20;

/// Files of a backup: the manifest names each, and is read as a whole (about 150 bytes each).
pub const BACKUP_FILES: usize = 2_000_000;

/// Bytes of a backup's manifest.
pub const MANIFEST_BYTES: u64 = 512 << 20;

/// Bytes of the name of a file in a backup, which is Linux's own bound.
pub const PATH_BYTES: usize = 4_096;

//! Bounds of this crate, each with its reason.

use std::time::Duration;

/// Bytes of a manifest: the specification asks for 4 MiB at least ("Pushing Manifests").
pub const MANIFEST_BYTES: usize = 4 << 20;

/// Bytes of one blob. Layers of models have been seen with 20 GiB.
pub const BLOB_BYTES: u64 = 64 << 30;

/// Characters of a repository's name; with the host's name it has to fit 255 for docker.
pub const NAME_CHARS: usize = 255;

/// Blobs that one manifest may name: overlayfs takes 500 layers, artifacts have a few files.
pub const REFERENCES: usize = 4096;

/// Characters of a media type or an artifact type (RFC 6838 4.2 allows 127 on both sides of the slash).
pub const MEDIA_TYPE_CHARS: usize = 255;

/// Uploads that are open at once: some tens of people, each with the layers of a few images under way.
pub const UPLOADS: usize = 4096;

/// An upload that nobody wrote to for so long is abandoned: a person comes back the next morning at the latest.
pub const UPLOAD_LIFE: Duration = Duration::from_secs(24 * 3600);

/// A blob that no manifest names stays so long: the build that pushed it may push its manifest later.
pub const UNREFERENCED_LIFE: Duration = Duration::from_secs(7 * 24 * 3600);

/// A blob that somebody was told about (HEAD, mount, end of an upload) stays so long whatever names it: the manifest
/// that will name it comes after the layers beside it, which may be large.
pub const LEASE: Duration = Duration::from_secs(3600);

/// How often the registry cleans up.
pub const SWEEP_INTERVAL: Duration = Duration::from_secs(3600);

/// Files that are taken away in one go: while it happens no upload can end.
pub const SWEEP_BATCH: usize = 64;

/// Space that uploads leave on the disk, so that the journal can still be written and blobs be deleted.
pub const RESERVE_BYTES: u64 = 64 << 20;

/// Bytes that are written between two looks at the space that is left.
pub const SPACE_CHECK_BYTES: u64 = 64 << 20;

/// Bytes after which the disk may begin to write what an upload brought.
pub const SETTLE_BYTES: u64 = 8 << 20;

/// Bytes of the journal when it is read. A manifest costs some 500 bytes, so this is a million of them.
pub const JOURNAL_BYTES: u64 = 1 << 30;

/// The journal is rewritten when it is longer than this and four times as long as what it says: then at least three
/// quarters of it are history.
pub const JOURNAL_REWRITE_BYTES: u64 = 1 << 20;
/// See [`JOURNAL_REWRITE_BYTES`].
pub const JOURNAL_REWRITE_FACTOR: u64 = 4;

/// Changes that one sync makes last together.
pub const BATCH: usize = 256;

/// Bytes of manifests that are kept in memory: the current ones of a few hundred images.
pub const CACHE_BYTES: usize = 2 << 20;

/// Bytes that go to the disk, or come from it, in one go: large enough that the way to a thread costs nothing.
pub const PIECE_BYTES: usize = 512 << 10;

/// Pieces of one pull that are read ahead of the network.
pub const PIECES_AHEAD: usize = 2;

/// Buffers for pieces that are kept for the next one; beyond it they are freed.
pub const BUFFERS: usize = 8;

/// Threads that wait for the disk at once.
pub const DISK_THREADS: usize = 16;

/// Connections at once. Each costs some 20 KB, and a buffer while it moves a blob.
pub const CONNECTIONS: usize = 1024;

/// Time for a client to send its headers, and between two requests.
pub const HEADERS: Duration = Duration::from_secs(60);

/// Time between two pieces of a body that a client sends.
pub const BODY_PATIENCE: Duration = Duration::from_secs(60);

/// Bytes of a refused body that are still read, so that the client sees the answer and not a broken connection.
pub const DRAIN_BYTES: u64 = 8 << 20;

/// How long such a body is read.
pub const DRAIN_PATIENCE: Duration = Duration::from_secs(2);

/// How long shutdown waits for requests that are under way.
pub const SHUTDOWN: Duration = Duration::from_secs(10);

/// Entries of one page of a list where nobody asks for fewer, and the most that one may ask for.
pub const PAGE: usize = 1000;

/// Entries of one answer of referrers, and its bytes: clients read at most 4 MiB.
pub const REFERRERS: usize = 1000;
/// See [`REFERRERS`].
pub const REFERRERS_BYTES: usize = 3 << 20;

/// Bytes of an index's `Link` cursor, and of other values of a query.
pub const QUERY_BYTES: usize = 8 << 10;

/// How long a token is good for. A client asks for another one when it ends, also amid a push.
pub const TOKEN_LIFE: Duration = Duration::from_secs(300);

/// Scopes of one token: a mount needs two, tools that copy many images ask one by one.
pub const SCOPES: usize = 16;

/// Bytes of a form that asks for a token.
pub const FORM_BYTES: usize = 16 << 10;

/// Passwords that are checked at once: each takes a core for some 50 ms, by design of bcrypt.
pub const PASSWORD_CHECKS: usize = 2;

/// Passwords that are known to be right, so that a client that sends one with each request is served quickly.
pub const PASSWORDS_KNOWN: usize = 256;

/// How long such a password is known.
pub const PASSWORD_LIFE: Duration = Duration::from_secs(60);

/// Bytes of the file with accounts.
pub const ACCOUNTS_BYTES: u64 = 4 << 20;

/// bcrypt's highest cost that is accepted: each step doubles 50 ms at cost 10.
pub const PASSWORD_COST: u32 = 14;

//! Every bound of this crate, with its reason.

use std::time::Duration;

/// Bytes of a Dockerfile or `.dockerignore` that are read.
pub const TEXT_BYTES_MAX: u64 = 4 << 20;

/// Bytes of one secret: BuildKit stops at 500 KiB.
pub const SECRET_BYTES_MAX: u64 = 500 << 10;

/// Bytes that the secrets of one step take in memory.
pub const SECRETS_BYTES_MAX: u64 = 8 << 20;

/// Bytes of one line of a step's output; longer ones are cut into several.
pub const LINE_BYTES_MAX: usize = 16 << 10;

/// Bytes of one step's output that are passed on. BuildKit stops at 2 MiB; a compiler's warnings have been seen with 20.
pub const OUTPUT_BYTES_MAX: u64 = 64 << 20;

/// Entries of a context, or of one COPY: the largest checkouts known (Chromium) have 500,000.
pub const ENTRIES_MAX: usize = 2_000_000;

/// Depth of folders in a context. Whoever walks holds a frame for each.
pub const DEPTH_MAX: usize = 256;

/// Bytes of packed layers and of cache mounts that are kept after a build. What was used longest ago goes first.
pub const KEPT_BYTES_MAX: u64 = 20 << 30;

/// Records of steps that are kept; a record is 300 bytes.
pub const RECORDS_MAX: usize = 50_000;

/// A file that changed this shortly before it was looked at may change again within the same tick of the file system's
/// clock: its digest is not kept (git's "racy" entries).
pub const RACY_NS: i128 = 2_000_000_000;

/// Bytes of one piece of a layer that is packed on its own, so that two processors pack one layer: larger ones pack
/// better, smaller ones begin sooner.
pub const PIECE_BYTES: usize = 1 << 20;

/// Pieces between the thread that reads and those that pack.
pub const PIECES_IN_FLIGHT: usize = 8;

/// Threads that pack a layer. More do not pay: the reader's SHA-256 is the bound.
pub const PACKERS_MAX: usize = 4;

/// Tries to reach a base image's registry are the client's own; this is how long a whole pull may take.
pub const PULL_DEADLINE: Duration = Duration::from_secs(3600);

/// How long the output of an ended step is waited for: a process that it left behind may hold its pipes.
pub const OUTPUT_PATIENCE: Duration = Duration::from_secs(2);

/// Layers of an image (deploy-model has the same for manifests).
pub const LAYERS_MAX: usize = 256;

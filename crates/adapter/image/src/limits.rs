//! Every bound of this crate, with its reason.

/// Bytes of a manifest, an index or a configuration: the specification asks registries for 4 MiB at least, and no one
/// has been seen with more.
pub const DOCUMENT_BYTES_MAX: u64 = 4 << 20;

/// Entries of one layer: the largest images known (CUDA, Android) have some 300,000 files in one.
pub const LAYER_ENTRIES_MAX: u64 = 2_000_000;

/// Bytes of one unpacked layer. A layer of models has been seen with 20 GiB; a bomb has no end.
pub const LAYER_BYTES_MAX: u64 = 64 << 30;

/// A layer may be this many times larger unpacked than packed, once it is larger than [`RATIO_FREE_BYTES`]: gzip
/// reaches 1,030 with zeros alone, and zstd has no end.
pub const RATIO_MAX: u64 = 1_100;

/// Below this unpacked size nobody asks for the ratio: a layer of one empty file of 1 GiB is lawful.
pub const RATIO_FREE_BYTES: u64 = 2 << 30;

/// Bytes of one extended header of a tar: names and attributes. The kernel takes 4 KiB of name and 64 KiB of attribute.
pub const EXTENSION_BYTES_MAX: u64 = 1 << 20;

/// Extended headers before one entry: a name, a link's name, and one of attributes are three.
pub const EXTENSIONS_MAX: usize = 8;

/// Extended attributes of one entry.
pub const ATTRIBUTES_MAX: usize = 128;

/// Bytes of a path in a layer: the kernel's PATH_MAX.
pub const PATH_BYTES_MAX: usize = 4096;

/// Depth of folders in a layer, links followed. The deepest trees known (node_modules of old) have some 60; whoever
/// removes a tree holds a descriptor per level, and a process may have 1,024.
pub const PATH_DEPTH_MAX: usize = 256;

/// Entries of an archive of images (blobs of all its images, not files of their layers).
pub const ARCHIVE_ENTRIES_MAX: usize = 10_000;

/// Images of one archive.
pub const ARCHIVE_IMAGES_MAX: usize = 256;

/// Bytes of an archive: it is spooled to the store's disk before it is read.
pub const ARCHIVE_BYTES_MAX: u64 = 256 << 30;

/// Depth of indexes in an index: the specification allows any; two is what buildx makes.
pub const INDEX_DEPTH_MAX: usize = 4;

/// Bytes of `/etc/passwd` or `/etc/group` that are read for a user's name.
pub const USERS_BYTES_MAX: u64 = 1 << 20;

/// Bytes of a zstd window: the decoder allocates it. `zstd -19` uses 8 MiB, `--ultra -22` 128 MiB.
pub const ZSTD_WINDOW_MAX: u64 = 128 << 20;

/// Bytes of a copy buffer.
pub const COPY_BYTES: usize = 128 << 10;

/// Bytes of the names of all extended attributes of one file: the kernel's XATTR_LIST_MAX.
pub const ATTRIBUTE_NAMES_BYTES: usize = 64 << 10;

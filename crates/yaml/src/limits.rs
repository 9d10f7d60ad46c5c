//! The bounds of this crate, each with its reason.

/// The deepest nesting of collections. Trees are walked by recursion here and by our callers; 200 levels fit the
/// 2 MiB stack of a thread in a debug build, and nobody writes a quarter of that by hand. go-yaml stops at 10,000.
pub const MAX_DEPTH: usize = 200;

/// The longest source, in bytes: positions are 32 bits wide, and a values file of 1 GiB is a mistake.
pub const MAX_SOURCE_BYTES: usize = 1 << 30;

/// A simple key has its `:` within this many characters (YAML 1.2, 7.4.2).
pub const MAX_SIMPLE_KEY_CHARS: u32 = 1024;

/// How far go-yaml v3 looks for a comment behind blanks, in bytes. Comments farther away are lost there, so here too.
pub const MAX_COMMENT_PEEK_BYTES: usize = 512;

/// Aliases are expanded freely up to this many visits of nodes; past it, the share of visits that aliases may cause
/// shrinks to a tenth at [`ALIAS_VISITS_HIGH`]. The numbers are go-yaml's, so the same documents are refused.
pub const ALIAS_VISITS_LOW: u64 = 400_000;

/// See [`ALIAS_VISITS_LOW`].
pub const ALIAS_VISITS_HIGH: u64 = 4_000_000;

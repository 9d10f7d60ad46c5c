//! The bounds of this crate, each with its reason.

/// How deep JSON may nest. Go stops at 10,000; but stored objects are read back with a parser that stops at 128, inside a
/// list of three more levels, and every reader recurses.
pub const MAX_DEPTH: usize = 120;

/// How many findings of a strict decoder are kept (`sigs.k8s.io/json` stops there as well).
pub const MAX_STRICT_FINDINGS: usize = 100;

/// How many managers that update an object keeps apart (apimachinery `DefaultMaxUpdateManagers`).
pub const MAX_UPDATE_MANAGERS: usize = 10;

/// How large all annotations of an object may be together (apimachinery `TotalAnnotationSizeLimitB`).
pub const MAX_ANNOTATIONS_BYTES: usize = 256 * 1024;

/// How many operations a JSON patch may have (apiserver `maxJSONPatchOperations`).
pub const MAX_JSON_PATCH_OPERATIONS: usize = 10_000;

/// How much the copies of a JSON patch may add up to (apiserver `JSONPatchMaxCopyBytes`).
pub const MAX_JSON_PATCH_COPY_BYTES: usize = 3 * 1024 * 1024;

/// How large a compiled pattern of a schema may be: what a definition says is compiled for everybody.
pub const MAX_PATTERN_BYTES: usize = 1024 * 1024;

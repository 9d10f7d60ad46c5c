//! Every bound of this crate, with its reason.

/// Bytes of a Dockerfile. BuildKit's scanner stops at lines of 64 KiB; generated files with embedded scripts have been
/// seen with 300 KiB.
pub const FILE_BYTES_MAX: usize = 4 << 20;

/// Instructions of one Dockerfile: an image has at most some hundred layers, and stages share the file.
pub const INSTRUCTIONS_MAX: usize = 4_096;

/// Stages of one Dockerfile. The largest known (moby's own) has some 90.
pub const STAGES_MAX: usize = 512;

/// Bytes that a word may expand to: the kernel takes 128 KiB for one string of an environment (`MAX_ARG_STRLEN`), and
/// `ENV A=$A$A` doubles at each line.
pub const WORD_BYTES_MAX: usize = 128 << 10;

/// Depth of `${a:-${b:-...}}`.
pub const EXPANSION_DEPTH_MAX: usize = 64;

/// Patterns of one `.dockerignore`.
pub const IGNORE_PATTERNS_MAX: usize = 10_000;

/// Bytes of one compiled pattern; the regex crate's own default is 10 MiB.
pub const PATTERN_BYTES_MAX: usize = 1 << 20;

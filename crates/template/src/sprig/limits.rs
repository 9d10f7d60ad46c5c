//! What sprig functions may produce. Templates are the user's, but a chart may come from a stranger: without these,
//! `repeat 1000000000000 "x"` is a way to take the machine's memory.

/// Bytes of a string that one call may make; no manifest comes near (Kubernetes refuses objects above 1.5 MB).
pub(crate) const MAX_TEXT_BYTES: usize = 64 << 20;

/// Items of a list that one call may make (`until`, `untilStep`, `seq`).
pub(crate) const MAX_LIST_ITEMS: usize = 1 << 20;

/// Levels of nesting that `deepCopy`, `merge`, JSON and comparisons follow; beyond it the program's stack is at risk.
/// The same as Go's `encoding/json` allows when it decodes.
pub(crate) const MAX_DEPTH: usize = 1_000;

/// Digits of a decimal that `addf`, `mulf` and their kin carry between two steps.
pub(crate) const MAX_DECIMAL_DIGITS: u64 = 100_000;

/// Compiled regular expressions that a thread keeps; charts use a handful, and each costs some 10 KB.
pub(crate) const MAX_CACHED_REGEXES: usize = 128;

/// Bytes of the program that one regular expression may compile to.
pub(crate) const MAX_REGEX_BYTES: usize = 8 << 20;

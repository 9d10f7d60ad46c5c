//! Recursion without a crash: the stack grows where little of it is left, on whatever thread we run.

use crate::limits::{STACK_RED_ZONE_BYTES, STACK_SEGMENT_BYTES};

/// Runs one level of a recursion with enough stack for it.
#[inline]
pub(crate) fn deeper<R>(level: impl FnOnce() -> R) -> R {
    stacker::maybe_grow(STACK_RED_ZONE_BYTES, STACK_SEGMENT_BYTES, level)
}

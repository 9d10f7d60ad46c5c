//! Under construction: limits.

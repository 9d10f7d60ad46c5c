//! Tests of this crate against cases from outside.

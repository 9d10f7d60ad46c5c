//! What helm's output and messages take from Go's libraries: quoting, `fmt`'s verbs, JSON, patterns of paths.

pub mod glob;
pub mod json;
pub mod quote;
pub mod verbs;

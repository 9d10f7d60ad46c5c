//! Releases from end to end, with all that may go wrong.

mod files;
mod releases;

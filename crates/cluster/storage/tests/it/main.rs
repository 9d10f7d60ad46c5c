//! Tests of the store as its callers see it.

mod compaction;
mod crash;
mod folder;
mod full;
mod laws;
mod machine;
mod open;
mod reads;
mod watches;
mod writes;

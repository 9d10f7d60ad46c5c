//! Tests of the store as its callers see it.

mod folder;
mod open;
mod reads;
mod watches;
mod writes;

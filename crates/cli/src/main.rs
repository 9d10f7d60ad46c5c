//! The `deploy` binary.
fn main() {}

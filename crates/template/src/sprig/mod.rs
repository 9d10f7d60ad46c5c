//! The sprig functions (github.com/Masterminds/sprig v3.3.0), as charts use them.
//!
//! - **What it is:** one table of functions with Go's parameter types ([`functions`]), and their bodies by family.
//!   Results and error texts are sprig's, quirks included: each was compared with the original over thousands of calls.
//! - **What it refuses to know:** templates; Helm; the network (`getHostByName` is empty, as with Helm). The clock,
//!   randomness and the environment come from the [`Host`](crate::func::Host).
//! - **How to test it:** `cargo test -p deploy-template --test it sprig`: sprig's own cases, recorded calls of the
//!   original, and a property test that calls every row of the table.
//!
//! Known differences: `keys` and `values` are sorted, where Go's order is random. `slice` does not reach beyond the
//! length of a list into spare capacity. Certificates are made with RSA, P-256 and Ed25519 keys; other curves are
//! refused. `now` prints without Go's monotonic reading. What would grow without bound ends at a limit.
//!
//! # Adding a function
//!
//! 1. Write its body in the file of its family: `pub(super) fn name(host: &mut dyn Host, args: &[Value]) -> FuncResult`.
//!    The executor has checked the arguments; `args.rs` takes them out. What could grow without end has a limit in
//!    `limits.rs`.
//! 2. Add its row to the table in `table.rs`: the name, the Go types of its parameters, the body.
//!
//! That is all: the executor, `lint` and the property tests read the table.

mod args;
mod cast;
mod crypto;
mod dates;
mod decimal;
mod defaults;
mod dicts;
mod encoding;
pub mod json;
mod limits;
mod lists;
mod math;
mod merge;
mod paths;
mod random;
mod reflect;
mod regex;
pub mod semver;
mod show;
mod strings;
mod table;
mod text;
mod url;
mod words;

use crate::func::FuncDef;

/// Every function, by family. Helm itself removes `env` and `expandenv`, and replaces a few by its own.
pub fn functions() -> &'static [FuncDef] {
    table::FUNCTIONS
}

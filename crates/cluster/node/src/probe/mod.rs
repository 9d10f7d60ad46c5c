//! Probes: pure state machines of startup, readiness and liveness, and the runners that ask (exec, HTTP, TCP).

mod http;
mod machine;
pub mod run;
mod spec;

pub(crate) use http::unverified;
pub use machine::{Outcome, Probes};
pub use spec::{Action, Kind, Port, Probe};

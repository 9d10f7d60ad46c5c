//! How a version travels: through environments in their order, within each from wave to wave of sites, and back.
//!
//! - **What it is:** what a team writes ([`App`] from `deploy.yaml`, [`Site`]), when a site takes no release ([`freeze`]),
//!   and [`Release`], the state machine of one version on its way: approvals, commits to the state repository, syncs,
//!   verdicts, the undo that it does by itself.
//! - **What it refuses to know:** how objects are rendered or applied, Git, clusters, the clock.
//! - **Entry point:** [`app::read`], [`site::read`], [`Release::start`] and [`Release::step`].
//! - **How to test it:** `cargo test -p deploy-release`.

pub mod app;
mod fields;
pub mod freeze;
pub mod limits;
pub mod release;
pub mod site;

pub use app::App;
pub use release::{Effect, Input, Release};
pub use site::Site;

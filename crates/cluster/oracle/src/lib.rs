//! The real API server's answers, and whether another server gives the same. For tests only.
//!
//! - **What it is:** scenarios (ordered lists of requests) as data, the recorded answers of the real kube-apiserver, and
//!   a comparison after uids, times, revisions and allocated names are replaced by markers.
//! - **What it refuses to know:** how a request travels (that is the [`Server`] of the caller), and what an API means.
//! - **Entry points:** [`Recorded::load`] and [`check`] to hold a server to the recording; [`catalogue::load`] and
//!   [`record`] to make one (`cargo xtask peers oracle record`). [`pods`] is the same for what a node does.
//! - **How to test it:** `cargo test -p deploy-cluster-oracle`; the data is in `fixtures/cluster/oracle`, one folder per
//!   area: `*.yaml` is written by hand, `*.jsonl` is recorded. `fixtures/cluster/oracle/README.md` has the formats.

pub mod catalogue;
mod compare;
mod kubelet;
mod normalise;
pub mod pods;
mod recorded;
mod report;
mod request;
mod run;

pub use compare::first_difference;
pub use recorded::{Recorded, RecordedRequest, RecordedScenario};
pub use report::{Report, check, suite};
pub use request::{Answer, Identity, Request, Scenario, Step, Until};
pub use run::{Outcomes, Server, record, replay};

use std::path::PathBuf;

/// Where the data is.
pub fn folder() -> PathBuf {
    deploy_conformance::repository().join("fixtures/cluster/oracle")
}

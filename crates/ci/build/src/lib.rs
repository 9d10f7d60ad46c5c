//! Builds images: carries out a Dockerfile's graph.
//!
//! - **What it is:** [`build`] reads a Dockerfile (deploy-dockerfile says what its steps and keys are), runs its steps in
//!   deploy-sandbox over overlayfs, packs only what each step has written, and keeps layers by their step's key, so that
//!   what has not changed is not done again. The image comes to the image store, an OCI archive, a registry.
//! - **What it refuses to know:** workflows, how a Dockerfile is read, how a registry is spoken to.
//! - **Entry point:** [`build`] with a [`Request`] and [`Parts`].
//! - **How to test it:** `cargo test -p deploy-build`, as root; buildah is compared where it is installed.
//!
//! Planning comes first and touches nothing: all keys are known before the first step, so a stage whose files nobody
//! needs, because the layers made of them are there, is never carried out. Secrets live in memory that only the step's
//! sandbox sees.

mod base;
mod blobs;
mod build;
mod cache;
mod carry;
mod commit;
mod config;
mod copy;
mod debian;
mod error;
pub mod limits;
mod mode;
mod output;
mod plan;
mod push;
mod request;
mod run;
mod source;
mod stat;
mod stubs;
mod view;

pub use build::build;
pub use debian::{Debian, DebianError, debian};
pub use deploy_dockerfile::Problem;
pub use error::BuildError;
pub use request::{Built, Event, Keyring, Parts, Progress, Request, Secret};

//! Git: repositories that people push to, what is in them, and what other servers tell of theirs.
//!
//! - **What it is:** bare repositories in a folder ([`Repositories`]); a smart HTTP server for them ([`Server`]); what was
//!   pushed, told once each ([`Pushes`]); files, folders and differences of commits ([`Repository`]); webhooks of GitHub,
//!   GitLab, Gitee and Gitea ([`webhook`]); polling of remotes ([`poll`]); the writer of the state repository ([`state`]).
//! - **What it refuses to know:** workflows, releases, who may do what ([`Authenticator`] says so), the clock.
//! - **Entry point:** [`Git::find`], then [`Repositories::open`].
//! - **How to test it:** `cargo test -p deploy-git`, with the real `git` as client; without the program the tests that need
//!   it say `skipped`.
//!
//! The `git` program does the work of Git, with hooks off, no configuration but ours, and objects checked as they come in.
//! Nothing that a repository holds is executed or believed; names of repositories lead to folders below ours and nowhere else.

mod command;
mod error;
mod http;
pub mod limits;
mod name;
mod oid;
pub mod poll;
mod read;
mod repositories;
pub mod state;
mod told;
pub mod webhook;

pub use command::Git;
pub use error::GitError;
pub use http::{Access, Authenticator, Identity, Server, ServerOptions};
pub use name::{InvalidName, RepositoryName};
pub use oid::Oid;
pub use read::{Change, Checkout, Commit, FileKind, TreeEntry};
pub use repositories::{Repositories, Repository};
pub use told::{Push, Pushes};

//! The words that every part of Deploy shares: languages, codes of errors, messages, exit codes, names of images.
//!
//! - **What it is:** one catalogue of what a user can be told, in Chinese and English, and the [`Diagnostic`] that carries
//!   such a message with its place and cause.
//! - **What it refuses to know:** any I/O, any other crate of the house.
//! - **Entry point:** [`Diagnostic::new`]; to add a message see `catalogue.rs`.
//! - **How to test it:** `cargo test -p deploy-model`. `cargo xtask tidy` checks that each code has its page in `docs/`.

mod bytes;
mod catalogue;
mod cause;
mod diagnostic;
mod exit;
pub mod image;
mod lang;
mod nearest;

pub use bytes::shown_bytes;
pub use catalogue::{Code, Message};
pub use cause::with_causes;
pub use diagnostic::{Diagnostic, Place};
pub use exit::Exit;
pub use lang::Lang;
pub use nearest::nearest;

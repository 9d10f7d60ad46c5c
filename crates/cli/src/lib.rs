//! The `deploy` command: arguments, languages, configuration, output.
//!
//! - **What it is:** a thin shell around the engines. It reads files, the clock and the environment for them, and shows
//!   their results and errors in the reader's language.
//! - **What it refuses to know:** how anything is rendered or decided; that is the engines' business.
//! - **Entry point:** [`run`]; to add a command: a module in `commands/` and a row in `commands::ALL`, texts in
//!   `texts/en.rs` and `texts/zh.rs`.
//! - **How to test it:** `cargo test -p deploy-cli`; a case is a folder below `fixtures/cli/`.

mod commands;
mod context;
mod disk;
mod failure;
mod help;
mod host;
mod invocation;
mod limits;
mod objects;
mod path;
mod printer;
mod settings;
mod shell;
mod table;
mod texts;
mod usage;

pub use context::Context;
pub use disk::DiskSource;
pub use failure::{Failure, Outcome};
pub use host::SystemHost;
pub use invocation::{Invocation, Terminal};
pub use limits::STACK_BYTES;
pub use printer::Printer;
pub use settings::Settings;
pub use shell::run;

//! The machine of one run: what happened goes in, what to do comes out.
//!
//! A shell makes a [`Run`] of a plan, hands it [`Input::Started`], carries each [`Effect`] out and hands the outcome
//! back; it calls with [`Input::Tick`] when [`Run::next_deadline`] is reached. The inputs of a run, with their times,
//! are the whole truth about it: the same ones give the same effects again.

mod builtin;
pub mod commands;
mod context;
mod environment;
pub mod files;
mod graph;
mod groups;
mod job;
mod jobs;
mod machine;
pub mod mask;
pub mod secrets;
mod shell;
mod step;
mod types;

pub use builtin::{Builtin, BuiltinInput};
pub use groups::{GroupEffect, Groups, Member, Waiting};
pub use machine::Run;
pub use shell::Shell;
pub use types::{
    Changes, Conclusion, Container, Effect, Facts, Input, JobId, JobOrder, Level, Phase, Runner, StepNumber,
    StepOrder, Work,
};

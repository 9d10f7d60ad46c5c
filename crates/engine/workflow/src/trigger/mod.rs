//! Which event starts which workflow, and when a schedule is due: always with the reason in words.

mod cause;
mod cron;
mod matching;
mod pattern;

pub use cause::{Cause, Head, Pull};
pub use cron::Cron;
pub use matching::{Answer, Happening, dispatch_inputs, triggers};
pub use pattern::{Patterns, is_match};

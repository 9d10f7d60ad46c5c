//! Go's `fmt`: every verb, flag, width and precision, for every kind of value.

mod float;
mod pad;
mod print;
mod printf;

pub use float::{Layout, float_g, format_float};
pub use printf::{print, sprint, sprintf, sprintln};

//! The shell: watches the pods of this node, one bounded task per pod, and carries the effects of the engines out.

mod events;
mod last_words;
mod status;

pub use events::Recorder;

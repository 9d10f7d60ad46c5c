//! The command as a user meets it, run in this process.

mod disk;
mod sessions;
mod texts;

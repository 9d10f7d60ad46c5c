//! The `deploy` command.

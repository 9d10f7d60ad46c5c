//! Suites and laws of Dockerfiles.

mod hostile;
mod suites;

//! Argo CD's cases, and syncs from end to end.

mod conformance;
mod syncs;
mod world;

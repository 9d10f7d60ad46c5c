//! Builds with real layers, mounts and sandboxes. They need root and Debian's static busybox, and say so otherwise.

mod builds;
mod cache;
mod failures;
mod peers;
mod world;

//! A disk for SQLite that forgets what was not synced, and fails on demand: for the crash tests of the store.
//!
//! Killing a process proves little, because the operating system's cache outlives it. Here a file has two contents:
//! what was written, which SQLite reads back, and what was synced. A power cut keeps the synced content and, of each
//! write since, any of its sectors: so writes are lost, reordered and torn. All is in memory, which makes a cut cost
//! microseconds.
//!
//! It knows SQLite's file layer and nothing of the store. Entry point: [`Disk::new`]; give [`Disk::name`] to SQLite as
//! the name of the VFS. `disk.rs` is the simulation, in safe code; `vfs.rs` hands it to SQLite.

mod disk;
mod file;
mod locks;
mod vfs;

pub use disk::Disk;

//! Runs processes in namespaces, control groups and layered file systems: the containers of pods, and steps of CI.
//!
//! A [`Sandbox`] is what the containers of one pod share. It is a process of its own, the *shim*: this program
//! executed once more, single-threaded, outside the server's session and cgroup. The shim holds the network, IPC and
//! UTS namespaces, has all mounts in a mount namespace of its own (so that they end with it), creates containers with
//! libcontainer, writes their logs and remembers how they ended. The server speaks with it over a socket, may die, and
//! finds it again: [`Sandboxes::adopt`]. When a shim dies, its containers die too.
//!
//! It refuses to know Kubernetes: no pod, no probe, no restart policy; and images: it is given folders.
//!
//! Entry points: [`Sandboxes::open`] in the server; [`shim::dispatch`] as the first line of its `main`.
//!
//! Tests (`cargo test -p deploy-sandbox`) run real containers from Debian's static busybox, beside runc where it is
//! installed. They need root and say so otherwise.

mod capabilities;
mod cgroup;
mod client;
mod error;
mod limits;
mod oci;
mod seccomp;
pub mod shim;
mod spec;
mod wire;

pub use cgroup::{IoUsage, Usage};
pub use client::{Attachment, Events, Exec, Options, Resizer, Runtime, Sandbox, Sandboxes, Stream};
pub use error::{OpenError, SandboxError};
pub use spec::{
    Capabilities, ContainerInfo, ContainerSpec, Device, Event, ExecSpec, Exit, LogFile, Mount, MountSource,
    Propagation, Resources, Rootfs, SandboxSpec, Seccomp, Tmpfs, User,
};

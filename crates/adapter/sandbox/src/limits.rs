//! Every bound of this crate, with its reason.

use std::time::Duration;

/// One frame of the protocol. The largest is a container's specification; the kernel takes 2 MiB of arguments and
/// environment (`ARG_MAX`), and JSON may double what it escapes.
pub const MAX_FRAME_BYTES: usize = 4 << 20;

/// File descriptors of one frame: three streams, and one to spare.
pub const MAX_FRAME_FDS: usize = 4;

/// Connections to one shim: the server, one that replaces it before the old one is closed, and people who look.
pub const MAX_CLIENTS: usize = 8;

/// Containers of one sandbox over its life, those that have ended included until they are removed. A pod of 110
/// containers with some restarts each that nobody has removed yet.
pub const MAX_CONTAINERS: usize = 512;

/// Processes at a time that were started in containers by `exec`: probes and people.
pub const MAX_EXECS: usize = 64;

/// Attached clients of one container.
pub const MAX_SINKS: usize = 8;

/// A line of a log is cut here; the rest follows as lines of their own, tagged `P` until the last
/// (containerd, `max_container_log_line_size`).
pub const MAX_LOG_LINE_BYTES: usize = 16 << 10;

/// What is read at once from a container's output: the shim keeps one such buffer.
pub const READ_BYTES: usize = 16 << 10;

/// Reads of one stream before others get their turn.
pub const READS_PER_TURN: usize = 4;

/// A log is written when this much has been formatted, so that 16 KiB of empty lines do not become 700 KB at once.
pub const LOG_BATCH_BYTES: usize = 64 << 10;

/// An attached client that takes nothing for so long is dropped, because the container waits for it meanwhile.
pub const SINK_PATIENCE: Duration = Duration::from_secs(10);

/// Events that a slow receiver may be behind before it is told that it has missed some.
pub const EVENT_BACKLOG: usize = 256;

/// A shim answers a request within this time: creating a container mounts file systems and waits for a disk.
pub const REQUEST_DEADLINE: Duration = Duration::from_secs(60);

/// A shim that has been started answers its first request within this time, on a machine that starts a hundred.
pub const START_DEADLINE: Duration = Duration::from_secs(60);

/// How long a killed process may take to leave its cgroup before the next round of killing.
pub const KILL_ROUND: Duration = Duration::from_millis(500);

/// Rounds of killing what is in a cgroup: a fork bomb is frozen first, so that two are enough; the others are for
/// processes in the kernel's uninterruptible waits.
pub const KILL_ROUNDS: usize = 10;

/// Layers of one root file system. The kernel takes 500 lower folders in overlayfs (`OVL_MAX_STACK`).
pub const MAX_LAYERS: usize = 500;

/// The options of mount(2) fit one page.
pub const MAX_MOUNT_OPTIONS_BYTES: usize = 4000;

/// Interpreted instructions of one seccomp filter (`BPF_MAXINSNS`).
pub const MAX_FILTER_INSTRUCTIONS: usize = 4096;

/// A seccomp profile in a file.
pub const MAX_PROFILE_BYTES: u64 = 1 << 20;

/// Depth of folders below a cgroup that are killed and removed: pods, containers, and what a privileged container
/// makes below its own.
pub const MAX_CGROUP_DEPTH: usize = 64;

/// What is read of a container's /etc/passwd, for a home folder: 10,000 users.
pub const MAX_PASSWD_BYTES: u64 = 1 << 20;

/// What is kept of libcontainer's words about one failure.
pub const MAX_WORDS_BYTES: u64 = 4 << 10;

/// How often the removal of a cgroup whose processes have ended is tried again, and after which pause: the kernel takes
/// a switch of tasks to forget them.
pub const REMOVE_TURNS: u32 = 20;

/// See [`REMOVE_TURNS`].
pub const REMOVE_PAUSE: Duration = Duration::from_millis(5);

//! What a sandbox and its containers are asked to be: plain data, sent to the shim as it is.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::SystemTime;

use serde::{Deserialize, Serialize};

/// A sandbox: what the containers of one pod share.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct SandboxSpec {
    /// Letters, digits, `_`, `+`, `-`, `.`; at most 128. The name of the sandbox's folder below the root.
    pub id: String,
    /// The host name in the sandbox's own UTS namespace; none keeps the machine's.
    pub hostname: Option<String>,
    /// The file of a network namespace to live in; none is the machine's network.
    pub network: Option<PathBuf>,
    /// Containers see the machine's processes.
    pub host_pid: bool,
    /// Containers share the machine's System V IPC and `/dev/shm`.
    pub host_ipc: bool,
    /// Containers see each other's processes: one PID namespace for all, whose first process only reaps.
    pub share_pids: bool,
    /// The cgroup of the sandbox, below the cgroup parent (`burstable/pod1234`).
    pub cgroup: PathBuf,
    /// Limits of all containers together.
    pub resources: Resources,
    /// File systems in memory, mounted where only this sandbox's containers can be given them.
    pub tmpfs: Vec<Tmpfs>,
    /// Kernel parameters of the sandbox's own namespaces: `net.ipv4.ip_local_port_range`, `kernel.shm_rmid_forced`.
    pub sysctls: Vec<(String, String)>,
    /// Carried for the caller, and found again by [`crate::Sandboxes::adopt`].
    pub labels: BTreeMap<String, String>,
}

/// A file system in memory.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Tmpfs {
    /// An existing folder.
    pub path: PathBuf,
    /// At most so many bytes; none is the kernel's half of the memory.
    pub size: Option<u64>,
    /// Permissions of its root.
    pub mode: u32,
    /// Owning group of its root.
    pub gid: Option<u32>,
}

/// Limits of a cgroup. None leaves the kernel's default.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Resources {
    /// Relative weight, 2 to 262,144; 1,024 is one.
    pub cpu_shares: Option<u64>,
    /// Microseconds of CPU per period; negative is no limit.
    pub cpu_quota: Option<i64>,
    /// Microseconds of a period.
    pub cpu_period: Option<u64>,
    /// Bytes; negative is no limit.
    pub memory: Option<i64>,
    /// Processes and threads; negative is no limit.
    pub pids: Option<i64>,
}

/// A container.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct ContainerSpec {
    /// As a sandbox's; unique in its sandbox until the container is removed.
    pub id: String,
    /// Carried for the caller.
    pub labels: BTreeMap<String, String>,
    /// What is mounted as `/`.
    pub rootfs: Rootfs,
    /// The program and its arguments; the program is looked up in `PATH` of `env`.
    pub args: Vec<String>,
    /// The whole environment. `HOME` is added from /etc/passwd where it is missing, `TERM` for a terminal.
    pub env: Vec<(String, String)>,
    /// An absolute folder; `/` where empty. Made where it is missing.
    pub cwd: String,
    /// Whom it runs as.
    pub user: User,
    /// Mounted in this order, after `/proc`, `/dev`, `/sys` and `/dev/shm`, which it may replace.
    pub mounts: Vec<Mount>,
    /// All capabilities, all devices, nothing masked, no seccomp filter.
    pub privileged: bool,
    /// What is added to and dropped from the 14 capabilities that containerd gives.
    pub capabilities: Capabilities,
    /// False sets `no_new_privs`.
    pub allow_privilege_escalation: bool,
    /// The filter of system calls.
    pub seccomp: Seccomp,
    /// `/proc` without masked and read-only paths (`procMount: Unmasked`).
    pub unmasked_paths: bool,
    /// Limits of this container.
    pub resources: Resources,
    /// -1,000 to 1,000. What the shim has no right to lower stays at the lowest that it may.
    pub oom_score_adj: Option<i32>,
    /// Keeps its standard input open for [`crate::Sandbox::attach`]; else it reads end of file.
    pub stdin: bool,
    /// Closes its standard input when the first attached client leaves.
    pub stdin_once: bool,
    /// A terminal instead of three pipes.
    pub tty: bool,
    /// Where its output goes; none throws it away (attached clients see it).
    pub log: Option<LogFile>,
    /// Devices beside the usual ones.
    pub devices: Vec<Device>,
}

/// A root file system: layers of folders, and one above them that takes the writes.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Rootfs {
    /// Read-only folders, topmost first; at least one.
    pub lower: Vec<PathBuf>,
    /// Takes the writes; none is a folder of the sandbox that is removed with the container.
    pub upper: Option<PathBuf>,
    /// overlayfs' scratch folder on the same file system as `upper`; given if and only if `upper` is.
    pub work: Option<PathBuf>,
    /// Nothing can be written, but for mounts.
    pub read_only: bool,
}

/// Whom a process runs as.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct User {
    /// User id.
    pub uid: u32,
    /// Primary group id.
    pub gid: u32,
    /// Supplementary group ids.
    pub groups: Vec<u32>,
}

/// Something visible in a container at another place.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Mount {
    /// What is mounted.
    pub source: MountSource,
    /// A file or folder below `source`, by a path that no symbolic link can lead out of it. It must exist.
    pub sub_path: Option<PathBuf>,
    /// An absolute path in the container; what is missing of it is made.
    pub target: PathBuf,
    /// Nothing can be written.
    pub read_only: bool,
    /// As `read_only`, also for mounts below it.
    pub recursive_read_only: bool,
    /// What happens to mounts that are made later below it.
    pub propagation: Propagation,
}

/// What is mounted.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum MountSource {
    /// A file or folder of the machine, or below a `tmpfs` of the sandbox.
    Path(PathBuf),
    /// A new file system in memory of at most so many bytes, with this mode.
    Tmpfs {
        /// Bytes; none is the kernel's half of the memory.
        size: Option<u64>,
        /// Permissions of its root.
        mode: u32,
    },
}

/// Whether mounts made later are seen on the other side.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum Propagation {
    /// By neither.
    #[default]
    Private,
    /// The container sees the machine's.
    HostToContainer,
    /// Both see each other's.
    Bidirectional,
}

impl Mount {
    /// A plain bind mount.
    pub fn bind(source: impl Into<PathBuf>, target: impl Into<PathBuf>, read_only: bool) -> Self {
        Mount {
            source: MountSource::Path(source.into()),
            sub_path: None,
            target: target.into(),
            read_only,
            recursive_read_only: false,
            propagation: Propagation::Private,
        }
    }
}

/// Changes to the default capabilities, with or without `CAP_`, in any case; `ALL` is all.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Capabilities {
    /// Added after `drop`.
    pub add: Vec<String>,
    /// Taken away first.
    pub drop: Vec<String>,
}

/// The filter of system calls.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum Seccomp {
    /// containerd's default allow list.
    #[default]
    RuntimeDefault,
    /// None.
    Unconfined,
    /// A profile in the form of the OCI runtime specification (`localhostProfile`).
    File(PathBuf),
}

/// A log in the form of CRI: `<time> stdout|stderr F|P <line>`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LogFile {
    /// The current file; its folder must exist.
    pub path: PathBuf,
    /// Bytes after which it is renamed to `<path>.<time>`.
    pub max_size: u64,
    /// Files, the current one included; the oldest are removed.
    pub max_files: u32,
}

/// A device of the machine in a container.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Device {
    /// On the machine.
    pub source: PathBuf,
    /// In the container, below `/dev`.
    pub target: PathBuf,
    /// Of `r`, `w`, `m`.
    pub access: String,
}

/// A process that is started in a running container.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ExecSpec {
    /// The program and its arguments.
    pub args: Vec<String>,
    /// Replaces the container's environment; none keeps it.
    pub env: Option<Vec<(String, String)>>,
    /// None is the container's.
    pub cwd: Option<String>,
    /// None is the container's.
    pub user: Option<User>,
    /// A terminal instead of pipes; its output is all in `stdout`.
    pub tty: bool,
    /// Gives it a standard input; else it reads end of file.
    pub stdin: bool,
}

/// How a process ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Exit {
    /// When the shim saw it.
    pub at: SystemTime,
    /// Its exit code; 128 and the signal's number if a signal ended it.
    pub code: i32,
    /// The signal that ended it.
    pub signal: Option<i32>,
    /// The kernel has killed a process of the container for want of memory.
    pub oom_killed: bool,
}

/// A container as it is now.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ContainerInfo {
    /// As in its specification.
    pub id: String,
    /// As in its specification.
    pub labels: BTreeMap<String, String>,
    /// Its first process, in the machine's numbering, while there is one.
    pub pid: Option<u32>,
    /// When it was created.
    pub created_at: SystemTime,
    /// When it was started, if it was.
    pub started_at: Option<SystemTime>,
    /// How it ended, if it has.
    pub exit: Option<Exit>,
    /// The folder that takes its writes.
    pub upper: Option<PathBuf>,
}

/// What happens in a sandbox.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum Event {
    /// A container runs.
    Started {
        /// Its id.
        container: String,
        /// When.
        at: SystemTime,
        /// Its first process.
        pid: u32,
    },
    /// A container has ended.
    Exited {
        /// Its id.
        container: String,
        /// How.
        exit: Exit,
    },
    /// The shim is gone and its containers with it: only [`crate::Sandbox::stop`] makes sense now.
    Lost,
    /// The receiver was too slow and has missed some: read [`crate::Sandbox::containers`].
    Missed,
}

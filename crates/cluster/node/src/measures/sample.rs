//! What is used, as data.

use std::path::PathBuf;

use deploy_sandbox::Usage;
use jiff::Timestamp;

/// The machine and its pods at one time.
#[derive(Clone, Debug, PartialEq)]
pub struct Sample {
    /// When it was begun.
    pub at: Timestamp,
    /// The machine as a whole.
    pub machine: Machine,
    /// The pods that have a sandbox.
    pub pods: Vec<Pod>,
}

/// The machine as a whole.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Machine {
    /// When it was started.
    pub booted: Timestamp,
    /// CPU time of all processes, nanoseconds.
    pub cpu_ns: u64,
    /// Of it in user mode.
    pub cpu_user_ns: u64,
    /// Of it in the kernel.
    pub cpu_system_ns: u64,
    /// What is not free, page cache included.
    pub memory_bytes: u64,
    /// What is used without the page cache that nobody has used for long.
    pub working_set_bytes: u64,
    /// What processes could still get.
    pub available_bytes: u64,
    /// Anonymous memory.
    pub rss_bytes: u64,
    /// Page cache.
    pub cache_bytes: u64,
    /// Files mapped into memory.
    pub mapped_file_bytes: u64,
    /// Swapped out.
    pub swap_bytes: u64,
    /// All swap there is.
    pub swap_total_bytes: u64,
    /// Page faults.
    pub page_faults: u64,
    /// Page faults that read from a disk.
    pub major_page_faults: u64,
    /// Its links, without the loopback and the ends of others' links.
    pub interfaces: Vec<Interface>,
    /// Processes and threads.
    pub tasks: u64,
    /// The most that there can be.
    pub tasks_max: u64,
    /// Cores that share no pipeline, and the sockets they are in; zero where the kernel does not say.
    pub physical_cores: u64,
    /// Zero where the kernel does not say.
    pub sockets: u64,
}

/// One pod.
#[derive(Clone, Debug, PartialEq)]
pub struct Pod {
    /// Its namespace.
    pub namespace: String,
    /// Its name.
    pub name: String,
    /// Its uid.
    pub uid: String,
    /// Since when the kubelet knows it, as its status says.
    pub started: Option<Timestamp>,
    /// `/kubepods/burstable/pod7f...`
    pub cgroup: String,
    /// All its containers together; none where its cgroup is gone.
    pub used: Option<Usage>,
    /// Links of its namespace; none for pods of the machine's own.
    pub interfaces: Vec<Interface>,
    /// Those that run.
    pub containers: Vec<Container>,
}

/// One running container.
#[derive(Clone, Debug, PartialEq)]
pub struct Container {
    /// As in the manifest.
    pub name: String,
    /// What the runtime calls it.
    pub id: String,
    /// As in the status.
    pub image: String,
    /// When it was started.
    pub started: Timestamp,
    /// Counters.
    pub used: Usage,
    /// `cpu.shares`, of version 1.
    pub cpu_shares: u64,
    /// Microseconds in a period of 100 ms.
    pub cpu_quota: Option<i64>,
    /// The folder that takes its writes.
    pub upper: Option<PathBuf>,
}

/// What went through one link.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Interface {
    /// `eth0`
    pub name: String,
    /// What came.
    pub received: Traffic,
    /// What went.
    pub sent: Traffic,
}

/// Counters of one direction.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Traffic {
    /// Bytes.
    pub bytes: u64,
    /// Packets.
    pub packets: u64,
    /// Packets with errors.
    pub errors: u64,
    /// Packets that nobody got.
    pub dropped: u64,
}

/// A file system, or a part of one.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Space {
    /// Bytes that could still be written.
    pub available_bytes: u64,
    /// Bytes of the file system.
    pub capacity_bytes: u64,
    /// Bytes that are written; none where nobody has counted.
    pub used_bytes: Option<u64>,
    /// Files that could still be made.
    pub inodes_free: u64,
    /// Files that the file system can have.
    pub inodes: u64,
    /// Files that there are; none where nobody has counted.
    pub inodes_used: Option<u64>,
}

/// A time of the sandbox in ours, to the millisecond, which is what expositions carry.
pub fn stamp(time: std::time::SystemTime) -> Timestamp {
    let exact = Timestamp::try_from(time).unwrap_or(Timestamp::UNIX_EPOCH);
    Timestamp::from_millisecond(exact.as_millisecond()).unwrap_or(exact)
}

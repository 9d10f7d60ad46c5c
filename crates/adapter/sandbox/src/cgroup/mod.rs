//! Control groups, version 1, 2 and hybrid (version 1's controllers beside an empty tree of version 2): limits,
//! counters, killing and removal. Facts: Documentation/admin-guide/cgroup-v1 and cgroup-v2.rst of the kernel.

mod kill;
mod layout;
mod usage;

use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

pub(crate) use layout::Layout;
pub use usage::{IoUsage, Usage};

use crate::limits::{MAX_CGROUP_DEPTH, REMOVE_PAUSE, REMOVE_TURNS};
use crate::spec::Resources;

/// A group: one folder per hierarchy.
#[derive(Clone, Debug)]
pub(crate) struct Group {
    version: Version,
    /// By controller; version 2 has one, named "".
    folders: BTreeMap<String, PathBuf>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Version {
    One,
    Two,
}

impl Layout {
    /// The group at an absolute path of the hierarchies; it need not exist.
    pub(crate) fn group(&self, path: &Path) -> Group {
        let below = path.strip_prefix("/").unwrap_or(path);
        match self {
            Layout::Two { mount } => Group {
                version: Version::Two,
                folders: BTreeMap::from([(String::new(), mount.join(below))]),
            },
            Layout::One { mounts } => Group {
                version: Version::One,
                folders: mounts
                    .iter()
                    .map(|(controller, mount)| (controller.clone(), mount.join(below)))
                    .collect(),
            },
        }
    }

    fn root(&self, controller: &str) -> Option<&Path> {
        match self {
            Layout::Two { mount } => Some(mount),
            Layout::One { mounts } => mounts.get(controller).map(PathBuf::as_path),
        }
    }
}

impl Group {
    fn folder(&self, controller: &str) -> Option<&Path> {
        let name = if self.version == Version::Two {
            ""
        } else {
            controller
        };
        self.folders.get(name).map(PathBuf::as_path)
    }

    /// Makes the group and what is above it. `leaf`: processes will live in it, and no groups below it.
    pub(crate) fn create(&self, layout: &Layout, leaf: bool) -> io::Result<()> {
        for (controller, folder) in &self.folders {
            let root = layout
                .root(controller)
                .expect("the group was made from this layout");
            let below = folder
                .strip_prefix(root)
                .expect("the group lies below its hierarchy's root");
            let mut at = root.to_path_buf();
            for part in below {
                if self.version == Version::Two {
                    delegate(&at)?;
                }
                let parent = at.clone();
                at.push(part);
                match fs::create_dir(&at) {
                    Ok(()) => {}
                    Err(error) if error.kind() == io::ErrorKind::AlreadyExists => continue,
                    Err(error) => return Err(named(error, &at)),
                }
                if controller == "cpuset" {
                    inherit(&parent, &at, "cpuset.cpus")?;
                    inherit(&parent, &at, "cpuset.mems")?;
                }
            }
            if self.version == Version::Two && !leaf {
                delegate(folder)?;
            }
        }
        Ok(())
    }

    /// Sets the limits that are given.
    pub(crate) fn limit(&self, resources: &Resources) -> io::Result<()> {
        match self.version {
            Version::One => self.limit_one(resources),
            Version::Two => self.limit_two(resources),
        }
    }

    fn limit_one(&self, resources: &Resources) -> io::Result<()> {
        if let Some(shares) = resources.cpu_shares {
            self.write("cpu", "cpu.shares", &shares.max(2).to_string())?;
        }
        if let Some(period) = resources.cpu_period.filter(|period| *period > 0) {
            self.write("cpu", "cpu.cfs_period_us", &period.to_string())?;
        }
        if let Some(quota) = resources.cpu_quota.filter(|quota| *quota != 0) {
            self.write("cpu", "cpu.cfs_quota_us", &quota.to_string())?;
        }
        if let Some(memory) = resources.memory.filter(|memory| *memory != 0) {
            self.write("memory", "memory.limit_in_bytes", &memory.to_string())?;
            // No swap beyond the memory; the file is there only where swap is accounted.
            let swap = "memory.memsw.limit_in_bytes";
            if self
                .folder("memory")
                .is_some_and(|folder| folder.join(swap).exists())
            {
                self.write("memory", swap, &memory.to_string())?;
            }
        }
        if let Some(pids) = resources.pids.filter(|pids| *pids != 0) {
            self.write("pids", "pids.max", &maximum(pids))?;
        }
        Ok(())
    }

    fn limit_two(&self, resources: &Resources) -> io::Result<()> {
        if let Some(shares) = resources.cpu_shares {
            self.write("cpu", "cpu.weight", &weight(shares).to_string())?;
        }
        if let Some(quota) = resources.cpu_quota.filter(|quota| *quota != 0) {
            let period = resources
                .cpu_period
                .filter(|period| *period > 0)
                .unwrap_or(100_000);
            self.write("cpu", "cpu.max", &format!("{} {period}", maximum(quota)))?;
        }
        if let Some(memory) = resources.memory.filter(|memory| *memory != 0) {
            self.write("memory", "memory.max", &maximum(memory))?;
            if self
                .folder("memory")
                .is_some_and(|folder| folder.join("memory.swap.max").exists())
            {
                self.write("memory", "memory.swap.max", "0")?;
            }
        }
        if let Some(pids) = resources.pids.filter(|pids| *pids != 0) {
            self.write("pids", "pids.max", &maximum(pids))?;
        }
        Ok(())
    }

    /// Where the kernel kills one process for want of memory, all of the group die (the kubelet's default on
    /// version 2: pkg/kubelet/kuberuntime/kuberuntime_container_linux.go, `memory.oom.group`).
    pub(crate) fn die_together(&self) -> io::Result<()> {
        match self.version {
            Version::One => Ok(()),
            Version::Two => self.write("memory", "memory.oom.group", "1"),
        }
    }

    /// Allows the devices that containers usually have and denies the others; version 1 only, see [`crate::oci`]
    /// for the other.
    pub(crate) fn restrict_devices(&self, allow: &[String]) -> io::Result<()> {
        if self.version == Version::Two || self.folder("devices").is_none() {
            return Ok(());
        }
        self.write("devices", "devices.deny", "a")?;
        for rule in allow {
            self.write("devices", "devices.allow", rule)?;
        }
        Ok(())
    }

    /// Moves a process into the group.
    pub(crate) fn add(&self, pid: u32) -> io::Result<()> {
        for folder in self.folders.values() {
            write_file(&folder.join("cgroup.procs"), &pid.to_string())?;
        }
        Ok(())
    }

    /// True if any of its folders is there.
    pub(crate) fn exists(&self) -> bool {
        self.folders.values().any(|folder| folder.exists())
    }

    /// How many processes of this group, or below it, the kernel has killed for want of memory.
    pub(crate) fn oom_kills(&self) -> u64 {
        let Some(folder) = self.folder("memory") else {
            return 0;
        };
        let file = match self.version {
            Version::One => "memory.oom_control",
            Version::Two => "memory.events",
        };
        let text = fs::read_to_string(folder.join(file)).unwrap_or_default();
        usage::keyed(&text, "oom_kill").unwrap_or(0)
    }

    /// The group `name` below this one.
    pub(crate) fn child(&self, name: &str) -> Group {
        Group {
            version: self.version,
            folders: self
                .folders
                .iter()
                .map(|(controller, folder)| (controller.clone(), folder.join(name)))
                .collect(),
        }
    }

    /// Version 1: the name of each hierarchy's mount point, and the group's folder in it.
    pub(crate) fn shown(&self, layout: &Layout) -> Vec<(String, PathBuf)> {
        let mut list: Vec<(String, PathBuf)> = self
            .folders
            .iter()
            .filter_map(|(controller, folder)| {
                let name = layout
                    .root(controller)?
                    .file_name()?
                    .to_string_lossy()
                    .into_owned();
                Some((name, folder.clone()))
            })
            .filter(|(name, _)| name != layout::UNIFIED)
            .collect();
        list.sort();
        list.dedup();
        list
    }

    /// Removes the group and those below it. No process may live in them.
    pub(crate) fn remove(&self) -> io::Result<()> {
        let mut outcome = Ok(());
        for folder in self.folders.values() {
            if let Err(error) = remove_tree(folder, 0) {
                outcome = Err(error);
            }
        }
        outcome
    }

    fn write(&self, controller: &str, file: &str, value: &str) -> io::Result<()> {
        let folder = self.folder(controller).ok_or_else(|| {
            io::Error::new(
                io::ErrorKind::Unsupported,
                format!("the kernel has no cgroup controller {controller}"),
            )
        })?;
        write_file(&folder.join(file), value)
    }
}

/// Controllers for the groups below, as far as they are there.
fn delegate(folder: &Path) -> io::Result<()> {
    let available =
        fs::read_to_string(folder.join("cgroup.controllers")).map_err(|error| named(error, folder))?;
    let given =
        fs::read_to_string(folder.join("cgroup.subtree_control")).map_err(|error| named(error, folder))?;
    for controller in ["cpu", "memory", "pids", "io", "cpuset"] {
        let has = |text: &str| text.split_whitespace().any(|word| word == controller);
        if has(&available) && !has(&given) {
            write_file(&folder.join("cgroup.subtree_control"), &format!("+{controller}"))?;
        }
    }
    Ok(())
}

/// A new group of `cpuset` has neither CPUs nor memory, and takes no process before it has.
fn inherit(parent: &Path, folder: &Path, file: &str) -> io::Result<()> {
    let own = fs::read_to_string(folder.join(file)).map_err(|error| named(error, folder))?;
    if !own.trim().is_empty() {
        return Ok(());
    }
    let value = fs::read_to_string(parent.join(file)).map_err(|error| named(error, parent))?;
    write_file(&folder.join(file), value.trim())
}

fn folders_in(folder: &Path) -> Vec<PathBuf> {
    let Ok(entries) = fs::read_dir(folder) else {
        return Vec::new();
    };
    entries
        .flatten()
        .filter(|entry| entry.file_type().is_ok_and(|kind| kind.is_dir()))
        .map(|entry| entry.path())
        .collect()
}

fn remove_tree(folder: &Path, depth: usize) -> io::Result<()> {
    if depth > MAX_CGROUP_DEPTH {
        return Err(io::Error::new(
            io::ErrorKind::InvalidInput,
            format!("{} is nested too deep", folder.display()),
        ));
    }
    for below in folders_in(folder) {
        remove_tree(&below, depth + 1)?;
    }
    for turn in 0.. {
        match fs::remove_dir(folder) {
            // Since Linux 6.19 a process leaves its group a moment after its end is known.
            Err(error) if error.kind() == io::ErrorKind::ResourceBusy && turn < REMOVE_TURNS => {
                std::thread::sleep(REMOVE_PAUSE);
            }
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(named(error, folder)),
            _ => break,
        }
    }
    Ok(())
}

fn write_file(path: &Path, value: &str) -> io::Result<()> {
    use std::io::Write;
    let mut file = fs::OpenOptions::new()
        .write(true)
        .open(path)
        .map_err(|error| named(error, path))?;
    file.write_all(value.as_bytes()).map_err(|error| {
        io::Error::new(
            error.kind(),
            format!("writing {value:?} to {}: {error}", path.display()),
        )
    })
}

fn named(error: io::Error, path: &Path) -> io::Error {
    io::Error::new(error.kind(), format!("{}: {error}", path.display()))
}

fn maximum(value: i64) -> String {
    if value < 0 {
        "max".to_owned()
    } else {
        value.to_string()
    }
}

/// Version 2's weight, 1 to 10,000, for version 1's shares, 2 to 262,144 (KEP-2254).
fn weight(shares: u64) -> u64 {
    1 + (shares.clamp(2, 262_144) - 2) * 9_999 / 262_142
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shares_become_weights() {
        assert_eq!(weight(0), 1);
        assert_eq!(weight(2), 1);
        assert_eq!(weight(1024), 39);
        assert_eq!(weight(262_144), 10_000);
        assert_eq!(weight(u64::MAX), 10_000);
    }

    #[test]
    fn a_limit_of_version_two_is_written_in_its_files() {
        let folder = std::env::temp_dir().join(format!("deploy-cgroup-{}", std::process::id()));
        fs::create_dir_all(&folder).unwrap();
        for file in [
            "cpu.weight",
            "cpu.max",
            "memory.max",
            "memory.swap.max",
            "pids.max",
        ] {
            fs::write(folder.join(file), "").unwrap();
        }
        let group = Layout::Two {
            mount: folder.clone(),
        }
        .group(Path::new("/"));
        group
            .limit(&Resources {
                cpu_shares: Some(1024),
                cpu_quota: Some(50_000),
                cpu_period: None,
                memory: Some(1 << 20),
                pids: Some(-1),
            })
            .unwrap();
        let read = |file: &str| fs::read_to_string(folder.join(file)).unwrap();
        let written = [
            "cpu.weight",
            "cpu.max",
            "memory.max",
            "memory.swap.max",
            "pids.max",
        ]
        .map(read);
        fs::remove_dir_all(&folder).unwrap();
        assert_eq!(written, ["39", "50000 100000", "1048576", "0", "max"]);
    }
}

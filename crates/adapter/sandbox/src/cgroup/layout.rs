//! Which hierarchies of control groups this machine has.

use std::collections::BTreeMap;
use std::fs;
use std::path::PathBuf;

use crate::error::OpenError;

/// Where the controllers are.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Layout {
    /// Version 1, alone or beside an empty tree of version 2.
    One {
        /// The mount point of each controller.
        mounts: BTreeMap<String, PathBuf>,
    },
    /// Version 2.
    Two {
        /// Its mount point.
        mount: PathBuf,
    },
}

/// The controllers of version 1 that libcontainer puts processes into: a group is made in all of them.
const CONTROLLERS: &[&str] = &[
    "cpu",
    "cpuacct",
    "cpuset",
    "devices",
    "hugetlb",
    "memory",
    "pids",
    "perf_event",
    "blkio",
    "net_prio",
    "net_cls",
    "freezer",
];

/// The tree by which systemd knows what belongs to a service. Shims leave it, or they would be stopped with the server.
const SERVICES: &str = "name=systemd";

/// The name under which version 2's tree is kept on a hybrid machine; systemd uses it as it uses `name=systemd`.
pub(super) const UNIFIED: &str = "unified";

/// Without these no limit can be kept.
const NEEDED: &[&str] = &["cpu", "memory", "pids"];

impl Layout {
    /// What the machine has.
    pub(crate) fn detect() -> Result<Layout, OpenError> {
        let mounts = fs::read_to_string("/proc/self/mountinfo").map_err(|source| OpenError::Folder {
            path: "/proc/self/mountinfo".into(),
            source,
        })?;
        Self::read(&mounts, |mount| {
            fs::read_to_string(mount.join("cgroup.controllers")).unwrap_or_default()
        })
    }

    fn read(mountinfo: &str, controllers_of: impl Fn(&PathBuf) -> String) -> Result<Layout, OpenError> {
        let mut one = BTreeMap::new();
        let mut two = None;
        for line in mountinfo.lines() {
            // "36 35 98:0 /root /mount options optional... - type source super-options" (proc_pid_mountinfo(5))
            let Some((left, right)) = line.split_once(" - ") else {
                continue;
            };
            let mut left = left.split(' ').skip(3);
            let (Some(root), Some(point)) = (left.next(), left.next()) else {
                continue;
            };
            let mut right = right.split(' ');
            let (Some(kind), Some(options)) = (right.next(), right.nth(1)) else {
                continue;
            };
            if root != "/" {
                continue;
            }
            match kind {
                "cgroup2" => two = two.or(Some(PathBuf::from(point))),
                "cgroup" => {
                    for option in options.split(',') {
                        if CONTROLLERS.contains(&option) || option == SERVICES {
                            one.entry(option.to_owned())
                                .or_insert_with(|| PathBuf::from(point));
                        }
                    }
                }
                _ => {}
            }
        }
        let missing_in = |have: &dyn Fn(&str) -> bool| {
            NEEDED
                .iter()
                .filter(|controller| !have(controller))
                .copied()
                .collect::<Vec<_>>()
        };
        if let Some(mount) = &two {
            let controllers = controllers_of(mount);
            let missing = missing_in(&|name| controllers.split_whitespace().any(|word| word == name));
            if missing.is_empty() && one.is_empty() {
                return Ok(Layout::Two { mount: mount.clone() });
            }
            if one.is_empty() {
                return Err(lacking(&missing));
            }
        }
        let missing = missing_in(&|name| one.contains_key(name));
        if missing.is_empty() {
            one.extend(two.map(|mount| (UNIFIED.to_owned(), mount)));
            Ok(Layout::One { mounts: one })
        } else {
            Err(lacking(&missing))
        }
    }
}

fn lacking(missing: &[&str]) -> OpenError {
    OpenError::Missing {
        missing: format!("the cgroup controllers {}", missing.join(", ")),
        remedy:
            "mount cgroup2 at /sys/fs/cgroup, with a kernel that has CONFIG_CGROUP_SCHED, CONFIG_MEMCG and \
                 CONFIG_CGROUP_PIDS"
                .to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HYBRID: &str = "\
30 24 0:26 / /sys/fs/cgroup rw,relatime - tmpfs tmpfs rw,mode=755
31 30 0:27 / /sys/fs/cgroup/cpu,cpuacct rw shared:9 - cgroup cgroup rw,cpu,cpuacct
32 30 0:28 / /sys/fs/cgroup/memory rw - cgroup cgroup rw,memory
33 30 0:29 / /sys/fs/cgroup/pids rw - cgroup cgroup rw,pids
34 30 0:30 / /sys/fs/cgroup/systemd rw - cgroup cgroup rw,xattr,name=systemd
35 30 0:31 / /sys/fs/cgroup/unified rw - cgroup2 cgroup2 rw
";

    #[test]
    fn hybrid_is_version_one() {
        let layout = Layout::read(HYBRID, |_| "hugetlb".to_owned()).unwrap();
        let Layout::One { mounts } = layout else {
            panic!("{layout:?}");
        };
        assert_eq!(
            mounts.keys().map(String::as_str).collect::<Vec<_>>(),
            ["cpu", "cpuacct", "memory", "name=systemd", "pids", "unified"]
        );
        assert_eq!(mounts["cpuacct"], PathBuf::from("/sys/fs/cgroup/cpu,cpuacct"));
    }

    #[test]
    fn unified_is_version_two() {
        let layout = Layout::read(
            "31 30 0:27 / /sys/fs/cgroup rw shared:9 - cgroup2 cgroup2 rw,nsdelegate",
            |_| "cpuset cpu io memory pids".to_owned(),
        );
        assert_eq!(
            layout.unwrap(),
            Layout::Two {
                mount: "/sys/fs/cgroup".into()
            }
        );
    }

    #[test]
    fn what_is_missing_is_named() {
        let error = Layout::read("", |_| String::new()).unwrap_err();
        assert!(error.to_string().contains("cpu, memory, pids"), "{error}");
        let error =
            Layout::read("31 30 0:27 / /c rw - cgroup2 cgroup2 rw", |_| "cpu".to_owned()).unwrap_err();
        assert!(error.to_string().contains("memory, pids"), "{error}");
    }
}

//! What containers need of a machine.

use std::fs;
use std::path::Path;

use caps::{CapSet, Capability};

use crate::cgroup::Layout;
use crate::error::OpenError;

/// What root must not have lost.
const NEEDED: &[Capability] = &[
    Capability::CAP_SYS_ADMIN,
    Capability::CAP_CHOWN,
    Capability::CAP_DAC_OVERRIDE,
    Capability::CAP_MKNOD,
    Capability::CAP_SETUID,
    Capability::CAP_SETGID,
    Capability::CAP_SETPCAP,
    Capability::CAP_KILL,
    Capability::CAP_SYS_CHROOT,
];

/// Namespaces, each with the kernel's option.
const NAMESPACES: &[(&str, &str)] = &[
    ("mnt", "CONFIG_NAMESPACES"),
    ("pid", "CONFIG_PID_NS"),
    ("ipc", "CONFIG_IPC_NS"),
    ("uts", "CONFIG_UTS_NS"),
    ("net", "CONFIG_NET_NS"),
];

/// The machine's cgroups, or what is missing for containers.
pub(super) fn check() -> Result<Layout, OpenError> {
    if !rustix::process::geteuid().is_root() {
        return Err(OpenError::Privilege {
            missing: "root".to_owned(),
        });
    }
    for capability in NEEDED {
        if !caps::has_cap(None, CapSet::Effective, *capability).unwrap_or(false) {
            return Err(OpenError::Privilege {
                missing: capability.to_string(),
            });
        }
    }
    for (name, option) in NAMESPACES {
        if !Path::new("/proc/self/ns").join(name).exists() {
            return Err(missing(&format!("{name} namespaces"), option));
        }
    }
    if !Path::new("/proc/sys/kernel/seccomp").exists() {
        return Err(missing("filters of system calls", "CONFIG_SECCOMP_FILTER"));
    }
    let known = fs::read_to_string("/proc/filesystems").unwrap_or_default();
    let has_overlay = known
        .lines()
        .any(|line| line.trim_start_matches("nodev").trim() == "overlay");
    if !has_overlay {
        return Err(OpenError::Missing {
            missing: "overlayfs".to_owned(),
            remedy: "load it (modprobe overlay), or use a kernel that has CONFIG_OVERLAY_FS".to_owned(),
        });
    }
    Layout::detect()
}

fn missing(what: &str, option: &str) -> OpenError {
    OpenError::Missing {
        missing: what.to_owned(),
        remedy: format!("use a kernel that has {option}"),
    }
}

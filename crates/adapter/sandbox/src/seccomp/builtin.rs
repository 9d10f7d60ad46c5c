//! The default profile: what containerd 1.7 allows (contrib/seccomp/seccomp_default.go), so that a program that runs
//! under it there runs here. Names that only 32-bit architectures have are left out.

use caps::Capability;

use super::profile::{Argument, Calls, Profile};

/// Allowed for everybody, one per line.
const ALLOWED: &str = include_str!("allowed.txt");

/// Allowed for everybody on some architectures; the others do not know the names.
const ARCHITECTURE: &[&str] = &["arch_prctl", "modify_ldt", "sync_file_range2"];

/// Allowed since Linux 4.8, where seccomp is checked after ptrace.
const TRACING: &[&str] = &["process_vm_readv", "process_vm_writev", "ptrace"];

/// personality(2) of a usual process, with UNAME26, PER_LINUX32, both, and the question what it is.
const PERSONALITIES: &[u64] = &[0, 0x0008, 0x2_0000, 0x2_0008, 0xffff_ffff];

/// Flags of clone(2) that make namespaces.
const NEW_NAMESPACES: u64 = (libc::CLONE_NEWNS
    | libc::CLONE_NEWUTS
    | libc::CLONE_NEWIPC
    | libc::CLONE_NEWUSER
    | libc::CLONE_NEWPID
    | libc::CLONE_NEWNET
    | libc::CLONE_NEWCGROUP) as u32 as u64;

/// What a capability allows in addition.
fn with(capability: Capability) -> &'static [&'static str] {
    match capability {
        Capability::CAP_DAC_READ_SEARCH => &["open_by_handle_at"],
        Capability::CAP_SYS_ADMIN => &[
            "bpf",
            "clone",
            "clone3",
            "fanotify_init",
            "fsconfig",
            "fsmount",
            "fsopen",
            "fspick",
            "lookup_dcookie",
            "mount",
            "mount_setattr",
            "move_mount",
            "open_tree",
            "perf_event_open",
            "quotactl",
            "quotactl_fd",
            "setdomainname",
            "sethostname",
            "setns",
            "syslog",
            "umount2",
            "unshare",
        ],
        Capability::CAP_SYS_BOOT => &["reboot"],
        Capability::CAP_SYS_CHROOT => &["chroot"],
        Capability::CAP_SYS_MODULE => &["delete_module", "init_module", "finit_module"],
        Capability::CAP_SYS_PACCT => &["acct"],
        Capability::CAP_SYS_PTRACE => &[
            "kcmp",
            "pidfd_getfd",
            "process_madvise",
            "process_vm_readv",
            "process_vm_writev",
            "ptrace",
        ],
        Capability::CAP_SYS_RAWIO => &["iopl", "ioperm"],
        Capability::CAP_SYS_TIME => &["settimeofday", "clock_settime"],
        Capability::CAP_SYS_TTY_CONFIG => &["vhangup"],
        Capability::CAP_SYS_NICE => &[
            "get_mempolicy",
            "mbind",
            "set_mempolicy",
            "set_mempolicy_home_node",
        ],
        Capability::CAP_SYSLOG => &["syslog"],
        Capability::CAP_BPF => &["bpf"],
        Capability::CAP_PERFMON => &["perf_event_open"],
        _ => &[],
    }
}

/// The default profile of a container with these capabilities.
pub(super) fn profile(capabilities: &[Capability]) -> Profile {
    let mut syscalls = vec![
        allow(ALLOWED.lines().map(str::to_owned).collect(), Vec::new()),
        allow(owned(ARCHITECTURE), Vec::new()),
        allow(owned(TRACING), Vec::new()),
        // Virtual machine sockets reach the hypervisor, which no namespace separates.
        allow(
            owned(&["socket"]),
            vec![argument(0, "SCMP_CMP_NE", libc::AF_VSOCK as u64, 0)],
        ),
    ];
    for value in PERSONALITIES {
        syscalls.push(allow(
            owned(&["personality"]),
            vec![argument(0, "SCMP_CMP_EQ", *value, 0)],
        ));
    }
    for capability in capabilities {
        let names = with(*capability);
        if !names.is_empty() {
            syscalls.push(allow(owned(names), Vec::new()));
        }
    }
    if !capabilities.contains(&Capability::CAP_SYS_ADMIN) {
        syscalls.push(allow(
            owned(&["clone"]),
            vec![argument(0, "SCMP_CMP_MASKED_EQ", NEW_NAMESPACES, 0)],
        ));
        // The flags of clone3 are in memory, where no filter sees them; C libraries take ENOSYS as "use clone".
        syscalls.push(Calls {
            names: owned(&["clone3"]),
            action: "SCMP_ACT_ERRNO".to_owned(),
            errno_ret: Some(libc::ENOSYS as u32),
            args: None,
        });
    }
    Profile {
        default_action: "SCMP_ACT_ERRNO".to_owned(),
        default_errno_ret: None,
        architectures: Vec::new(),
        syscalls,
    }
}

fn allow(names: Vec<String>, arguments: Vec<Argument>) -> Calls {
    Calls {
        names,
        action: "SCMP_ACT_ALLOW".to_owned(),
        errno_ret: None,
        args: Some(arguments),
    }
}

fn argument(index: u8, op: &str, value: u64, value_two: u64) -> Argument {
    Argument {
        index,
        value,
        value_two,
        op: op.to_owned(),
    }
}

fn owned(names: &[&str]) -> Vec<String> {
    names.iter().map(|name| (*name).to_owned()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::capabilities::DEFAULT;

    #[test]
    fn the_default_profile_fits_the_kernel() {
        // One filter that allows, one that answers ENOSYS for clone3.
        assert_eq!(profile(&DEFAULT).compile().unwrap().len(), 2);
        let all: Vec<Capability> = caps::all().into_iter().collect();
        assert_eq!(profile(&all).compile().unwrap().len(), 1);
    }

    #[test]
    fn namespaces_need_the_administrator() {
        let allowed = |capabilities: &[Capability], name: &str| {
            profile(capabilities).syscalls.iter().any(|calls| {
                calls.names.iter().any(|known| known == name) && calls.action == "SCMP_ACT_ALLOW"
            })
        };
        assert!(!allowed(&DEFAULT, "unshare"));
        assert!(!allowed(&DEFAULT, "mount"));
        assert!(allowed(&DEFAULT, "chroot"));
        assert!(allowed(&[Capability::CAP_SYS_ADMIN], "unshare"));
        assert!(!allowed(&[Capability::CAP_SYS_ADMIN], "kexec_load"));
    }
}

//! Numbers of system calls. The files hold one "name number" per line; they are the kernel's tables
//! (arch/x86/entry/syscalls/syscall_64.tbl, include/uapi/asm-generic/unistd.h, 6.12).

use std::collections::HashMap;

#[cfg(target_arch = "x86_64")]
const TABLE: &str = include_str!("x86_64.txt");
#[cfg(target_arch = "aarch64")]
const TABLE: &str = include_str!("aarch64.txt");

/// The number of each system call that this architecture has.
pub(super) fn numbers() -> HashMap<&'static str, i64> {
    TABLE
        .lines()
        .filter_map(|line| {
            let (name, number) = line.split_once(' ')?;
            Some((name, number.parse().ok()?))
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_those_of_the_c_library() {
        for (name, expected) in [
            ("read", libc::SYS_read),
            ("openat", libc::SYS_openat),
            ("clone3", libc::SYS_clone3),
            ("mseal", libc::SYS_mseal),
        ] {
            assert_eq!(numbers().get(name), Some(&expected), "{name}");
        }
        assert!(!numbers().contains_key("no_such_call"));
    }
}

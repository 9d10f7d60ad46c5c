//! What the machine is and how it is now: /proc, /etc and the file system.

use std::fs;
use std::net::Ipv4Addr;
use std::path::Path;

use super::{Facts, Pressure};
use crate::limits;

/// Reads what the machine is. `data` is a folder of the file system that counts; `name` overrides the host's.
pub fn facts(name: Option<&str>, address: Ipv4Addr, data: &Path, kubernetes: &str) -> Facts {
    let hostname = line("/proc/sys/kernel/hostname");
    let machine_id = line("/etc/machine-id");
    let firmware = line("/sys/class/dmi/id/product_uuid");
    let os = fs::read_to_string("/etc/os-release").unwrap_or_default();
    Facts {
        name: name.map_or_else(|| node_name(&hostname), str::to_owned),
        address,
        cpus: std::thread::available_parallelism().map_or(1, std::num::NonZero::get),
        memory_bytes: meminfo("MemTotal"),
        disk_bytes: rustix::fs::statvfs(data).map_or(0, |disk| disk.f_blocks.saturating_mul(disk.f_frsize)),
        architecture: match std::env::consts::ARCH {
            "x86_64" => "amd64",
            "aarch64" => "arm64",
            other => other,
        },
        kernel: line("/proc/sys/kernel/osrelease"),
        os_image: value(&os, "PRETTY_NAME").unwrap_or("Linux").to_owned(),
        boot_id: line("/proc/sys/kernel/random/boot_id"),
        system_uuid: if firmware.is_empty() {
            machine_id.clone()
        } else {
            firmware
        },
        machine_id,
        hostname,
        kubernetes: kubernetes.to_owned(),
    }
}

/// How the machine is now.
pub fn pressure(data: &Path) -> Pressure {
    let disk = rustix::fs::statvfs(data).is_ok_and(|disk| {
        let (free, all) = (
            disk.f_bavail.saturating_mul(disk.f_frsize),
            disk.f_blocks.saturating_mul(disk.f_frsize),
        );
        free < (all / 10).min(limits::DISK_AVAILABLE_MIN)
    });
    let number = |path: &str| line(path).parse::<u64>().ok();
    // The fourth field of loadavg: running/all.
    let loads = line("/proc/loadavg");
    let tasks = loads
        .split(' ')
        .nth(3)
        .and_then(|field| field.split('/').nth(1)?.parse::<u64>().ok());
    let most = number("/proc/sys/kernel/pid_max")
        .into_iter()
        .chain(number("/proc/sys/kernel/threads-max"))
        .min();
    Pressure {
        memory: meminfo("MemAvailable") < limits::MEMORY_AVAILABLE_MIN,
        disk,
        pids: tasks
            .zip(most)
            .is_some_and(|(tasks, most)| most.saturating_sub(tasks) < most / 50),
    }
}

/// A host name as the name of an object: lower case, and only what such a name may have.
fn node_name(hostname: &str) -> String {
    let allowed = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || matches!(c, '-' | '.');
    let name: String = hostname
        .to_ascii_lowercase()
        .chars()
        .map(|c| if allowed(c) { c } else { '-' })
        .collect();
    let name = name.trim_matches(['-', '.']);
    if name.is_empty() {
        "node".to_owned()
    } else {
        name.to_owned()
    }
}

fn line(path: &str) -> String {
    fs::read_to_string(path).unwrap_or_default().trim().to_owned()
}

/// Bytes.
fn meminfo(name: &str) -> u64 {
    let text = fs::read_to_string("/proc/meminfo").unwrap_or_default();
    let mut lines = text
        .lines()
        .filter_map(|line| line.strip_prefix(name)?.strip_prefix(':'));
    let kibibytes = lines
        .next()
        .and_then(|rest| rest.trim().split(' ').next()?.parse::<u64>().ok());
    kibibytes.unwrap_or_default().saturating_mul(1024)
}

fn value<'a>(text: &'a str, name: &str) -> Option<&'a str> {
    let mut lines = text
        .lines()
        .filter_map(|line| line.strip_prefix(name)?.strip_prefix('='));
    Some(lines.next()?.trim_matches('"'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_machine_has_a_name_that_objects_may_have() {
        assert_eq!(node_name("Web_1.Example.COM"), "web-1.example.com");
        assert_eq!(node_name("___"), "node");
    }

    #[test]
    fn this_machine_has_cores_and_memory() {
        let facts = facts(None, Ipv4Addr::LOCALHOST, Path::new("/"), "v1.34.2");
        assert!(
            facts.cpus > 0 && facts.memory_bytes > 1 << 20 && facts.disk_bytes > 1 << 20,
            "{facts:?}"
        );
        assert!(!facts.kernel.is_empty());
    }
}

//! What a group uses, as the kubelet's cadvisor reads it.

use std::fs;
use std::path::Path;
use std::time::SystemTime;

use super::{Group, Version};

/// Counters of a container or of a whole sandbox. Those that the kernel does not have are zero.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Usage {
    /// When they were read.
    pub at: SystemTime,
    /// CPU time, nanoseconds.
    pub cpu_ns: u64,
    /// Of it in user mode.
    pub cpu_user_ns: u64,
    /// Of it in the kernel.
    pub cpu_system_ns: u64,
    /// Periods of the quota that have passed.
    pub cpu_periods: u64,
    /// Of them, those in which processes had to wait.
    pub cpu_throttled_periods: u64,
    /// Time that they waited.
    pub cpu_throttled_ns: u64,
    /// All memory, page cache included.
    pub memory_bytes: u64,
    /// Memory without the page cache that nobody has used for long: what decides about eviction.
    pub working_set_bytes: u64,
    /// Anonymous memory.
    pub rss_bytes: u64,
    /// Page cache.
    pub cache_bytes: u64,
    /// Files mapped into memory.
    pub mapped_file_bytes: u64,
    /// Swapped out.
    pub swap_bytes: u64,
    /// The most that it ever was.
    pub memory_peak_bytes: u64,
    /// None is no limit.
    pub memory_limit_bytes: Option<u64>,
    /// Times that an allocation met the limit.
    pub memory_failures: u64,
    /// Page faults.
    pub page_faults: u64,
    /// Page faults that read from a disk.
    pub major_page_faults: u64,
    /// Processes killed for want of memory.
    pub oom_kills: u64,
    /// Processes and threads.
    pub pids: u64,
    /// None is no limit.
    pub pids_limit: Option<u64>,
    /// Per device.
    pub io: Vec<IoUsage>,
}

/// What went to and came from one device.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct IoUsage {
    /// Of the device.
    pub major: u32,
    /// Of the device.
    pub minor: u32,
    /// Bytes read.
    pub read_bytes: u64,
    /// Bytes written.
    pub write_bytes: u64,
    /// Reads.
    pub reads: u64,
    /// Writes.
    pub writes: u64,
}

/// `cpuacct.stat` counts in the 1/100 seconds that the kernel shows to programs on every architecture (USER_HZ).
const NS_PER_TICK: u64 = 10_000_000;

/// What version 1 shows for "no limit": the largest multiple of a page.
const NO_LIMIT: u64 = 1 << 62;

impl Group {
    /// What the group uses now; none if there is no such group.
    pub(crate) fn usage(&self, at: SystemTime) -> Option<Usage> {
        let mut usage = Usage {
            at,
            cpu_ns: 0,
            cpu_user_ns: 0,
            cpu_system_ns: 0,
            cpu_periods: 0,
            cpu_throttled_periods: 0,
            cpu_throttled_ns: 0,
            memory_bytes: 0,
            working_set_bytes: 0,
            rss_bytes: 0,
            cache_bytes: 0,
            mapped_file_bytes: 0,
            swap_bytes: 0,
            memory_peak_bytes: 0,
            memory_limit_bytes: None,
            memory_failures: 0,
            page_faults: 0,
            major_page_faults: 0,
            oom_kills: self.oom_kills(),
            pids: 0,
            pids_limit: None,
            io: Vec::new(),
        };
        if !self.exists() {
            return None;
        }
        match self.version {
            Version::One => self.usage_one(&mut usage),
            Version::Two => self.usage_two(&mut usage),
        }
        if let Some(folder) = self.folder("pids") {
            usage.pids = number(folder, "pids.current");
            usage.pids_limit = read(folder, "pids.max").trim().parse().ok();
        }
        Some(usage)
    }

    fn usage_one(&self, usage: &mut Usage) {
        if let Some(folder) = self.folder("cpuacct") {
            usage.cpu_ns = number(folder, "cpuacct.usage");
            let stat = read(folder, "cpuacct.stat");
            usage.cpu_user_ns = keyed(&stat, "user").unwrap_or(0) * NS_PER_TICK;
            usage.cpu_system_ns = keyed(&stat, "system").unwrap_or(0) * NS_PER_TICK;
        }
        if let Some(folder) = self.folder("cpu") {
            let stat = read(folder, "cpu.stat");
            usage.cpu_periods = keyed(&stat, "nr_periods").unwrap_or(0);
            usage.cpu_throttled_periods = keyed(&stat, "nr_throttled").unwrap_or(0);
            usage.cpu_throttled_ns = keyed(&stat, "throttled_time").unwrap_or(0);
        }
        if let Some(folder) = self.folder("memory") {
            let stat = read(folder, "memory.stat");
            let value = |name: &str| keyed(&stat, name).unwrap_or(0);
            usage.memory_bytes = number(folder, "memory.usage_in_bytes");
            usage.working_set_bytes = usage.memory_bytes.saturating_sub(value("total_inactive_file"));
            usage.rss_bytes = value("total_rss");
            usage.cache_bytes = value("total_cache");
            usage.mapped_file_bytes = value("total_mapped_file");
            usage.swap_bytes = value("total_swap");
            usage.page_faults = value("total_pgfault");
            usage.major_page_faults = value("total_pgmajfault");
            usage.memory_peak_bytes = number(folder, "memory.max_usage_in_bytes");
            usage.memory_failures = number(folder, "memory.failcnt");
            usage.memory_limit_bytes =
                Some(number(folder, "memory.limit_in_bytes")).filter(|limit| (1..NO_LIMIT).contains(limit));
        }
        if let Some(folder) = self.folder("blkio") {
            let bytes = read(folder, "blkio.throttle.io_service_bytes_recursive");
            let times = read(folder, "blkio.throttle.io_serviced_recursive");
            usage.io = devices_one(&bytes, &times);
        }
    }

    fn usage_two(&self, usage: &mut Usage) {
        let Some(folder) = self.folder("") else {
            return;
        };
        let cpu = read(folder, "cpu.stat");
        let micros = |name: &str| keyed(&cpu, name).unwrap_or(0) * 1_000;
        usage.cpu_ns = micros("usage_usec");
        usage.cpu_user_ns = micros("user_usec");
        usage.cpu_system_ns = micros("system_usec");
        usage.cpu_throttled_ns = micros("throttled_usec");
        usage.cpu_periods = keyed(&cpu, "nr_periods").unwrap_or(0);
        usage.cpu_throttled_periods = keyed(&cpu, "nr_throttled").unwrap_or(0);
        let stat = read(folder, "memory.stat");
        let value = |name: &str| keyed(&stat, name).unwrap_or(0);
        usage.memory_bytes = number(folder, "memory.current");
        usage.working_set_bytes = usage.memory_bytes.saturating_sub(value("inactive_file"));
        usage.rss_bytes = value("anon");
        usage.cache_bytes = value("file");
        usage.mapped_file_bytes = value("file_mapped");
        usage.swap_bytes = number(folder, "memory.swap.current");
        usage.page_faults = value("pgfault");
        usage.major_page_faults = value("pgmajfault");
        usage.memory_peak_bytes = number(folder, "memory.peak");
        usage.memory_failures = keyed(&read(folder, "memory.events"), "max").unwrap_or(0);
        usage.memory_limit_bytes = read(folder, "memory.max").trim().parse().ok();
        usage.io = devices_two(&read(folder, "io.stat"));
    }
}

fn read(folder: &Path, file: &str) -> String {
    fs::read_to_string(folder.join(file)).unwrap_or_default()
}

fn number(folder: &Path, file: &str) -> u64 {
    read(folder, file).trim().parse().unwrap_or(0)
}

/// The value behind a name in lines of "name value".
pub(super) fn keyed(text: &str, name: &str) -> Option<u64> {
    text.lines().find_map(|line| {
        let (key, value) = line.split_once(' ')?;
        (key == name).then(|| value.trim().parse().ok()).flatten()
    })
}

/// Version 1: lines of "8:0 Read 4096".
fn devices_one(bytes: &str, times: &str) -> Vec<IoUsage> {
    let mut devices: Vec<IoUsage> = Vec::new();
    for (text, is_bytes) in [(bytes, true), (times, false)] {
        for line in text.lines() {
            let mut words = line.split(' ');
            let (Some(device), Some(operation), Some(value)) = (words.next(), words.next(), words.next())
            else {
                continue;
            };
            let (Some(entry), Ok(value)) = (device_entry(&mut devices, device), value.parse::<u64>()) else {
                continue;
            };
            match (operation, is_bytes) {
                ("Read", true) => entry.read_bytes = value,
                ("Write", true) => entry.write_bytes = value,
                ("Read", false) => entry.reads = value,
                ("Write", false) => entry.writes = value,
                _ => {}
            }
        }
    }
    devices
}

/// Version 2: lines of "8:0 rbytes=4096 wbytes=0 rios=1 wios=0 dbytes=0 dios=0".
fn devices_two(text: &str) -> Vec<IoUsage> {
    let mut devices = Vec::new();
    for line in text.lines() {
        let mut words = line.split(' ');
        let Some(entry) = words.next().and_then(|device| device_entry(&mut devices, device)) else {
            continue;
        };
        for (name, value) in words.filter_map(|word| word.split_once('=')) {
            let value = value.parse().unwrap_or(0);
            match name {
                "rbytes" => entry.read_bytes = value,
                "wbytes" => entry.write_bytes = value,
                "rios" => entry.reads = value,
                "wios" => entry.writes = value,
                _ => {}
            }
        }
    }
    devices
}

fn device_entry<'a>(devices: &'a mut Vec<IoUsage>, name: &str) -> Option<&'a mut IoUsage> {
    let (major, minor) = name.split_once(':')?;
    let (major, minor) = (major.parse().ok()?, minor.parse().ok()?);
    let place = devices
        .iter()
        .position(|device| (device.major, device.minor) == (major, minor))
        .unwrap_or_else(|| {
            devices.push(IoUsage {
                major,
                minor,
                ..IoUsage::default()
            });
            devices.len() - 1
        });
    devices.get_mut(place)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counters_of_devices_are_read() {
        let expected = vec![IoUsage {
            major: 254,
            minor: 0,
            read_bytes: 4096,
            write_bytes: 8192,
            reads: 1,
            writes: 2,
        }];
        let one = devices_one(
            "254:0 Read 4096\n254:0 Write 8192\n254:0 Sync 0\nTotal 12288\n",
            "254:0 Read 1\n254:0 Write 2\n",
        );
        assert_eq!(one, expected);
        assert_eq!(
            devices_two("254:0 rbytes=4096 wbytes=8192 rios=1 wios=2 dbytes=0 dios=0\n"),
            expected
        );
    }

    #[test]
    fn a_name_is_found_as_a_whole() {
        let text = "oom_kill_disable 0\nunder_oom 0\noom_kill 3\n";
        assert_eq!(keyed(text, "oom_kill"), Some(3));
        assert_eq!(keyed(text, "oom"), None);
    }
}

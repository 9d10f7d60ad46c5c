//! What the process uses, as the kernel of Linux tells it (proc(5)); elsewhere nothing is said.

use std::fs;
use std::time::{SystemTime, UNIX_EPOCH};

/// Ticks of a second in `/proc`: `USER_HZ`, 100 on everything that Linux runs on.
const TICKS: f64 = 100.0;
const KIB: u64 = 1024;

/// Appends the series `process_*`.
pub(super) fn put(text: &mut String) {
    let mut add = |name: &str, kind: &str, help: &str, value: Option<String>| {
        if let Some(value) = value {
            super::head(text, name, kind, help);
            super::put(text, &format!("{name} {value}"));
        }
    };
    let stat = fs::read_to_string("/proc/self/stat").unwrap_or_default();
    let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
    let cpu = cpu_seconds(&stat).map(|seconds| seconds.to_string());
    add(
        "process_cpu_seconds_total",
        "counter",
        "Processor time of the process, in seconds.",
        cpu,
    );
    let files = fs::read_dir("/proc/self/fd")
        .ok()
        .map(|files| files.count().to_string());
    add("process_open_fds", "gauge", "Open file descriptors.", files);
    let resident = kibibytes(&status, "VmRSS:").map(|bytes| bytes.to_string());
    add(
        "process_resident_memory_bytes",
        "gauge",
        "Memory that is resident, in bytes.",
        resident,
    );
    let started = started(&stat).map(|seconds| format!("{seconds:.2}"));
    add(
        "process_start_time_seconds",
        "gauge",
        "When the process started, in seconds since 1970.",
        started,
    );
    let size = kibibytes(&status, "VmSize:").map(|bytes| bytes.to_string());
    add(
        "process_virtual_memory_bytes",
        "gauge",
        "Memory that is mapped, in bytes.",
        size,
    );
}

/// A field of `/proc/self/stat`, counted from 3 as proc(5) does: what comes before is the name of the program, which may
/// hold spaces.
fn field(stat: &str, number: usize) -> Option<f64> {
    let (_, rest) = stat.rsplit_once(')')?;
    rest.split_whitespace().nth(number.checked_sub(3)?)?.parse().ok()
}

fn cpu_seconds(stat: &str) -> Option<f64> {
    Some((field(stat, 14)? + field(stat, 15)?) / TICKS)
}

fn started(stat: &str) -> Option<f64> {
    let up = fs::read_to_string("/proc/uptime").ok()?;
    let up: f64 = up.split_whitespace().next()?.parse().ok()?;
    let now = SystemTime::now().duration_since(UNIX_EPOCH).ok()?.as_secs_f64();
    Some(now - up + field(stat, 22)? / TICKS)
}

fn kibibytes(status: &str, name: &str) -> Option<u64> {
    let line = status.lines().find_map(|line| line.strip_prefix(name))?;
    let count: u64 = line.split_whitespace().next()?.parse().ok()?;
    Some(count * KIB)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_kernels_text_is_read() {
        let stat = "42 (a (b) c) S 1 42 42 0 -1 4194560 100 0 0 0 250 50 0 0 20 0 9 0 12345 1 2";
        assert_eq!(cpu_seconds(stat), Some(3.0));
        assert_eq!(field(stat, 22), Some(12345.0));
        assert_eq!(cpu_seconds(""), None);
        assert_eq!(
            kibibytes("VmSize:\t 10 kB\nVmRSS:\t  3 kB\n", "VmRSS:"),
            Some(3072)
        );
    }
}

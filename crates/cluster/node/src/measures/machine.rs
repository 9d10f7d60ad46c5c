//! The machine as a whole, from /proc: the numbers that cadvisor has of the root cgroup.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use jiff::Timestamp;

use super::sample::{Interface, Machine, Traffic};

/// /proc counts CPU time in 1/100 seconds on every architecture (USER_HZ).
const NS_PER_TICK: u64 = 10_000_000;

/// Links that are not counted: of the machine alone, and ends of others' links
/// (`cadvisor manager/container.go`, `info/v1/machine.go` ignore them).
const IGNORED: [&str; 4] = ["lo", "veth", "docker", "nerdctl"];

/// Reads the machine. Short: seven small files.
pub(super) fn read() -> Machine {
    let text = |path: &str| fs::read_to_string(path).unwrap_or_default();
    let number = |path: &str| text(path).trim().parse::<u64>().ok();
    let mut machine = Machine::default();
    cpu(&mut machine, &text("/proc/stat"));
    memory(&mut machine, &text("/proc/meminfo"));
    faults(&mut machine, &text("/proc/vmstat"));
    machine.interfaces = interfaces(&text("/proc/net/dev"));
    machine.tasks = tasks(&text("/proc/loadavg"));
    let most = ["/proc/sys/kernel/pid_max", "/proc/sys/kernel/threads-max"];
    machine.tasks_max = most.into_iter().filter_map(number).min().unwrap_or(0);
    (machine.physical_cores, machine.sockets) = topology(&text("/proc/cpuinfo"));
    machine
}

/// The links of a process's network namespace.
pub(super) fn interfaces_of(process: u32) -> Vec<Interface> {
    let path = Path::new("/proc").join(process.to_string()).join("net/dev");
    interfaces(&fs::read_to_string(path).unwrap_or_default())
}

/// "cpu  user nice system idle iowait irq softirq steal guest guest_nice", "btime seconds". Guests are within user.
fn cpu(machine: &mut Machine, stat: &str) {
    for line in stat.lines() {
        if let Some(rest) = line.strip_prefix("cpu ") {
            let ticks: Vec<u64> = rest
                .split_whitespace()
                .filter_map(|word| word.parse().ok())
                .collect();
            let ns = |places: &[usize]| -> u64 {
                let ticks = places.iter().filter_map(|place| ticks.get(*place));
                ticks.sum::<u64>().saturating_mul(NS_PER_TICK)
            };
            machine.cpu_user_ns = ns(&[0, 1]);
            machine.cpu_system_ns = ns(&[2, 5, 6]);
            machine.cpu_ns = machine.cpu_user_ns + machine.cpu_system_ns;
        } else if let Some(seconds) = line.strip_prefix("btime ") {
            let seconds = seconds.trim().parse().unwrap_or(0);
            machine.booted = Timestamp::from_second(seconds).unwrap_or_default();
        }
    }
}

/// As the kubelet has it for cgroup v2, whose root has no counters of its own
/// (`opencontainers/cgroups fs2/memory.go statMemoryFromMeminfo`).
fn memory(machine: &mut Machine, meminfo: &str) {
    let bytes = |name: &str| {
        let found = meminfo
            .lines()
            .find_map(|line| line.strip_prefix(name)?.strip_prefix(':'));
        let kibibytes = found.and_then(|rest| rest.split_whitespace().next()?.parse::<u64>().ok());
        kibibytes.unwrap_or(0).saturating_mul(1024)
    };
    machine.memory_bytes = bytes("MemTotal").saturating_sub(bytes("MemFree"));
    machine.working_set_bytes = machine.memory_bytes.saturating_sub(bytes("Inactive(file)"));
    machine.available_bytes = bytes("MemTotal").saturating_sub(machine.working_set_bytes);
    machine.rss_bytes = bytes("AnonPages");
    machine.cache_bytes = bytes("Cached").saturating_add(bytes("Buffers"));
    machine.mapped_file_bytes = bytes("Mapped");
    machine.swap_total_bytes = bytes("SwapTotal");
    machine.swap_bytes = machine.swap_total_bytes.saturating_sub(bytes("SwapFree"));
}

fn faults(machine: &mut Machine, vmstat: &str) {
    let value = |name: &str| {
        let found = vmstat.lines().filter_map(|line| line.split_once(' '));
        let mut found = found.filter(|(key, _)| *key == name);
        found.next().and_then(|(_, value)| value.trim().parse().ok())
    };
    machine.page_faults = value("pgfault").unwrap_or(0);
    machine.major_page_faults = value("pgmajfault").unwrap_or(0);
}

/// The fourth field: running/all.
fn tasks(loadavg: &str) -> u64 {
    let field = loadavg
        .split(' ')
        .nth(3)
        .and_then(|field| field.split('/').nth(1));
    field.and_then(|all| all.parse().ok()).unwrap_or(0)
}

/// Two lines of heading, then "name: " and sixteen numbers: eight of what came, eight of what went.
fn interfaces(text: &str) -> Vec<Interface> {
    let rows = text.lines().filter_map(|line| {
        let (name, rest) = line.split_once(':')?;
        let name = name.trim();
        let numbers: Vec<u64> = rest
            .split_whitespace()
            .filter_map(|word| word.parse().ok())
            .collect();
        let at = |start: usize| -> Option<Traffic> {
            Some(Traffic {
                bytes: *numbers.get(start)?,
                packets: *numbers.get(start + 1)?,
                errors: *numbers.get(start + 2)?,
                dropped: *numbers.get(start + 3)?,
            })
        };
        let ignored = IGNORED.iter().any(|prefix| name.starts_with(prefix));
        (!ignored).then_some(())?;
        Some(Interface {
            name: name.to_owned(),
            received: at(0)?,
            sent: at(8)?,
        })
    });
    rows.collect()
}

/// Cores and sockets that are not the same one.
fn topology(cpuinfo: &str) -> (u64, u64) {
    let (mut cores, mut sockets) = (BTreeSet::new(), BTreeSet::new());
    for block in cpuinfo.split("\n\n") {
        let field = |name: &str| {
            let mut found = block.lines().filter_map(|line| line.split_once(':'));
            found
                .find(|(key, _)| key.trim() == name)
                .map(|(_, value)| value.trim())
        };
        if let (Some(socket), Some(core)) = (field("physical id"), field("core id")) {
            cores.insert((socket, core));
            sockets.insert(socket);
        }
    }
    (cores.len() as u64, sockets.len() as u64)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_machine_is_read_from_its_files() {
        let mut machine = Machine::default();
        cpu(
            &mut machine,
            "cpu  100 10 50 900 5 3 2 7 60 0\ncpu0 1 1 1 1 1 1 1 1 1 1\nbtime 1790000000\n",
        );
        assert_eq!(machine.cpu_user_ns, 110 * NS_PER_TICK);
        assert_eq!(machine.cpu_system_ns, 55 * NS_PER_TICK);
        assert_eq!(machine.cpu_ns, 165 * NS_PER_TICK);
        assert_eq!(machine.booted.as_second(), 1_790_000_000);
        memory(
            &mut machine,
            "MemTotal:  1000 kB\nMemFree:  300 kB\nBuffers: 10 kB\nCached: 200 kB\nInactive(file):  100 kB\nAnonPages: 50 kB\n\
             Mapped: 20 kB\nSwapTotal: 64 kB\nSwapFree: 60 kB\n",
        );
        assert_eq!(machine.memory_bytes, 700 * 1024);
        assert_eq!(machine.working_set_bytes, 600 * 1024);
        assert_eq!(machine.available_bytes, 400 * 1024);
        assert_eq!(machine.swap_bytes, 4 * 1024);
        assert_eq!(tasks("0.1 0.2 0.3 2/345 6789\n"), 345);
        faults(&mut machine, "pgpgin 1\npgfault 22\npgmajfault 3\n");
        assert_eq!((machine.page_faults, machine.major_page_faults), (22, 3));
    }

    #[test]
    fn links_are_counted_but_for_the_loopback_and_ends_of_others() {
        let text = "Inter-|   Receive                       |  Transmit\n face |bytes    packets errs drop|bytes\n\
            lo: 1 1 0 0 0 0 0 0 1 1 0 0 0 0 0 0\n\
            eth0: 1000 10 1 2 0 0 0 0 2000 20 3 4 0 0 0 0\n\
          vethab: 5 5 0 0 0 0 0 0 5 5 0 0 0 0 0 0\n\
            torn: 5 5 0\n";
        let traffic = |bytes, packets, errors, dropped| Traffic {
            bytes,
            packets,
            errors,
            dropped,
        };
        let expected = vec![Interface {
            name: "eth0".to_owned(),
            received: traffic(1000, 10, 1, 2),
            sent: traffic(2000, 20, 3, 4),
        }];
        assert_eq!(interfaces(text), expected);
    }

    #[test]
    fn cores_that_share_a_pipeline_are_one() {
        let cpu =
            |socket: u8, core: u8| format!("processor : 0\nphysical id\t: {socket}\ncore id\t\t: {core}\n\n");
        let text = [cpu(0, 0), cpu(0, 0), cpu(0, 1), cpu(1, 0)].concat();
        assert_eq!(topology(&text), (3, 2));
        assert_eq!(topology("processor: 0\n\n"), (0, 0));
    }
}

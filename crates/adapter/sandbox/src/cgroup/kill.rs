//! Killing all that lives in a group.

use std::fs;
use std::io;
use std::os::fd::OwnedFd;
use std::path::Path;
use std::time::Instant;

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::process::{Pid, PidfdFlags, Signal, kill_process, pidfd_open};

use super::{Group, Version, folders_in, write_file};
use crate::limits::{KILL_ROUND, KILL_ROUNDS, MAX_CGROUP_DEPTH};

impl Group {
    /// The processes of the group and of those below it.
    pub(crate) fn processes(&self) -> Vec<u32> {
        let Some(folder) = self.folder("pids") else {
            return Vec::new();
        };
        let mut pids = Vec::new();
        collect(folder, 0, &mut pids);
        pids
    }

    /// Sends a signal to each process.
    pub(crate) fn signal(&self, signal: Signal) {
        for pid in self.processes() {
            if let Some(pid) = i32::try_from(pid).ok().and_then(Pid::from_raw) {
                // One that has just ended needs no signal.
                let _ = kill_process(pid, signal);
            }
        }
    }

    /// Kills all and waits until they are gone. False if some are left: the kernel holds them.
    pub(crate) fn kill(&self) -> bool {
        for _ in 0..KILL_ROUNDS {
            let pids = self.processes();
            if pids.is_empty() {
                return true;
            }
            let watched: Vec<OwnedFd> = pids
                .iter()
                .filter_map(|pid| Pid::from_raw(i32::try_from(*pid).ok()?))
                .filter_map(|pid| pidfd_open(pid, PidfdFlags::empty()).ok())
                .collect();
            self.kill_round();
            wait(&watched);
        }
        self.processes().is_empty()
    }

    fn kill_round(&self) {
        let at_once = self.version == Version::Two
            && self
                .folder("")
                .is_some_and(|folder| write_file(&folder.join("cgroup.kill"), "1").is_ok());
        if at_once {
            return;
        }
        // Frozen, a fork bomb makes no new processes while it is killed.
        let frozen = self.freeze(true);
        self.signal(Signal::KILL);
        if frozen {
            self.freeze(false);
        }
    }

    fn freeze(&self, on: bool) -> bool {
        match self.version {
            Version::One => self.folder("freezer").is_some_and(|folder| {
                write_file(
                    &folder.join("freezer.state"),
                    if on { "FROZEN" } else { "THAWED" },
                )
                .is_ok()
            }),
            Version::Two => self.folder("").is_some_and(|folder| {
                write_file(&folder.join("cgroup.freeze"), if on { "1" } else { "0" }).is_ok()
            }),
        }
    }
}

fn collect(folder: &Path, depth: usize, pids: &mut Vec<u32>) {
    if let Ok(text) = fs::read_to_string(folder.join("cgroup.procs")) {
        pids.extend(text.lines().filter_map(|line| line.parse::<u32>().ok()));
    }
    if depth < MAX_CGROUP_DEPTH {
        for below in folders_in(folder) {
            collect(&below, depth + 1, pids);
        }
    }
}

/// Until all have ended, or a round is over.
fn wait(processes: &[OwnedFd]) {
    let end = Instant::now() + KILL_ROUND;
    for process in processes {
        loop {
            let left = end.saturating_duration_since(Instant::now());
            let Ok(timeout) = Timespec::try_from(left) else {
                return;
            };
            match poll(&mut [PollFd::new(process, PollFlags::IN)], Some(&timeout)) {
                Err(error) if io::Error::from(error).kind() == io::ErrorKind::Interrupted => {}
                Ok(0) => return,
                _ => break,
            }
        }
    }
}

//! Which process serves the cluster of a data folder: a record that is locked for as long as it is true.

use std::fs::{self, File, OpenOptions, TryLockError};
use std::io::{self, Read, Seek, Write};
use std::path::{Path, PathBuf};
use std::time::Duration;

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::process::{Pid, PidfdFlags, Signal, pidfd_open, pidfd_send_signal};
use serde_json::{Value, json};

/// The record, within the cluster's folder.
const RECORD: &str = "server.json";

/// A record is a line; a longer file is none of ours.
const RECORD_BYTES_MAX: u64 = 64 * 1024;

/// Held by the process that serves; the lock ends with it, however it ends.
pub struct Held {
    file: File,
}

/// A process that serves a cluster.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Running {
    /// Its process id.
    pub pid: i32,
    /// `https://127.0.0.1:6443`; empty while it starts.
    pub address: String,
    /// The administrator's kubeconfig.
    pub kubeconfig: PathBuf,
}

/// Takes the folder for this process, or tells who has it.
pub fn hold(folder: &Path) -> io::Result<Result<Held, Option<Running>>> {
    let file = OpenOptions::new()
        .read(true)
        .write(true)
        .create(true)
        .truncate(false)
        .open(folder.join(RECORD))?;
    match file.try_lock() {
        Ok(()) => Ok(Ok(Held { file })),
        Err(TryLockError::WouldBlock) => Ok(Err(read(&file))),
        Err(TryLockError::Error(error)) => Err(error),
    }
}

/// The process that serves the folder, if one does.
pub fn find(folder: &Path) -> io::Result<Option<Running>> {
    let file = match File::open(folder.join(RECORD)) {
        Ok(file) => file,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(error),
    };
    match file.try_lock_shared() {
        Ok(()) => Ok(None),
        Err(TryLockError::WouldBlock) => Ok(read(&file)),
        Err(TryLockError::Error(error)) => Err(error),
    }
}

impl Held {
    /// Says where this process serves.
    pub fn publish(&mut self, address: &str, kubeconfig: &Path) -> io::Result<()> {
        let record = json!({
            "pid": std::process::id(),
            "address": address,
            "kubeconfig": kubeconfig.to_string_lossy(),
        });
        self.file.set_len(0)?;
        self.file.rewind()?;
        writeln!(self.file, "{record}")?;
        self.file.sync_data()
    }
}

impl Running {
    /// Asks the process to stop and waits until it has ended. False: it has not within `patience`.
    pub fn stop(&self, patience: Duration) -> io::Result<bool> {
        let Some(pid) = Pid::from_raw(self.pid) else {
            return Ok(true);
        };
        // A handle, not a number: it can never reach another process that got the number later.
        let process = match pidfd_open(pid, PidfdFlags::empty()) {
            Ok(process) => process,
            Err(rustix::io::Errno::SRCH) => return Ok(true),
            Err(error) => return Err(error.into()),
        };
        match pidfd_send_signal(&process, Signal::TERM) {
            Ok(()) | Err(rustix::io::Errno::SRCH) => {}
            Err(error) => return Err(error.into()),
        }
        let patience = Timespec::try_from(patience).map_err(|_| io::ErrorKind::InvalidInput)?;
        let ended = poll(&mut [PollFd::new(&process, PollFlags::IN)], Some(&patience))?;
        Ok(ended > 0)
    }
}

/// `None` where the process has not written its record yet.
fn read(file: &File) -> Option<Running> {
    let mut text = String::new();
    file.take(RECORD_BYTES_MAX).read_to_string(&mut text).ok()?;
    let record: Value = serde_json::from_str(&text).ok()?;
    Some(Running {
        pid: i32::try_from(record["pid"].as_i64()?).ok()?,
        address: record["address"].as_str()?.to_owned(),
        kubeconfig: record["kubeconfig"].as_str()?.into(),
    })
}

/// The cluster's folder within the data folder, made if it is missing, for this user alone.
pub fn folder(data_dir: &Path) -> io::Result<PathBuf> {
    use std::os::unix::fs::DirBuilderExt;
    let folder = data_dir.join("cluster");
    fs::DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(&folder)?;
    Ok(folder)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_folder_has_one_holder() {
        let root = std::env::temp_dir().join(format!("deploy-process-{}", std::process::id()));
        let folder = folder(&root).expect("a folder");
        assert_eq!(find(&folder).expect("a look"), None);
        let mut held = hold(&folder).expect("a file").expect("nobody else");
        held.publish("https://127.0.0.1:1", Path::new("/k"))
            .expect("a record");
        let running = find(&folder).expect("a look").expect("a holder");
        assert_eq!(running.address, "https://127.0.0.1:1");
        assert_eq!(hold(&folder).expect("a file").err(), Some(Some(running)));
        drop(held);
        assert_eq!(
            find(&folder).expect("a look"),
            None,
            "the lock ends with its holder"
        );
        fs::remove_dir_all(root).expect("ours");
    }
}

//! The bound of what a job writes. No file system that people have bounds a folder by itself, so it is looked at: first
//! at the free space of the whole, and only when that says that the job may be over, at the job's files.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use deploy_sandbox::Sandbox;
use rustix::fs::statvfs;
use tokio_util::sync::CancellationToken;

use super::blocking;
use super::inside::used_bytes;
use crate::limits::{DISK_RESERVE_BYTES, DISK_WATCH};

/// SIGKILL
const KILL: i32 = 9;

/// Ends what lives in the sandbox, and says so in `full`, when the folder has more than `bound` bytes.
pub(super) async fn watch(
    folder: PathBuf,
    bound: u64,
    sandbox: Sandbox,
    full: Arc<AtomicBool>,
    end: CancellationToken,
) {
    let first = free(&folder);
    // At this much free space the job may have written more than its bound.
    let mut look_at = first.saturating_sub(bound);
    let mut turn = tokio::time::interval(DISK_WATCH);
    turn.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    loop {
        tokio::select! {
            () = end.cancelled() => return,
            _ = turn.tick() => {}
        }
        let now = free(&folder);
        if now > look_at && (now > DISK_RESERVE_BYTES || first <= DISK_RESERVE_BYTES) {
            continue;
        }
        let at = folder.clone();
        let used = blocking(move || used_bytes(&at)).await;
        if used > bound || now <= DISK_RESERVE_BYTES && used > 0 {
            full.store(true, Ordering::Release);
            for container in sandbox.containers() {
                // One that has just ended needs no signal.
                let _ = sandbox.kill(&container.id, KILL, true).await;
            }
            return;
        }
        look_at = now.saturating_sub(bound - used);
    }
}

fn free(folder: &Path) -> u64 {
    statvfs(folder).map_or(u64::MAX, |status| status.f_bavail.saturating_mul(status.f_frsize))
}

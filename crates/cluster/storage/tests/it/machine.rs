//! A machine for tests: a folder, a disk that can lose its power, and small bounds.

use deploy_cluster_storage::{OpenError, Options, Store, limits::Bounds};
use deploy_cluster_storage_faults::Disk;

use crate::folder::Folder;

/// A random number generator with a seed (splitmix64), so that a failure can be had again.
pub struct Dice(pub u64);

impl Dice {
    pub fn below(&mut self, limit: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut bits = self.0;
        bits = (bits ^ (bits >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        bits = (bits ^ (bits >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (bits ^ (bits >> 31)) % limit
    }
}

pub struct Machine {
    folder: Folder,
    pub disk: Disk,
    pub bounds: Bounds,
}

impl Machine {
    pub fn new() -> Machine {
        let bounds = Bounds {
            ring_events: 40,
            ring_bytes: 100_000,
            watch_page: 7,
            checkpoint_pages: 30,
            restart_pages: 100,
            sweep_rows: 10,
            compact_bytes: u64::MAX,
        };
        Machine {
            folder: Folder::new(),
            disk: Disk::new(),
            bounds,
        }
    }

    pub fn open(&self) -> Result<Store, OpenError> {
        let vfs = Some(self.disk.name().to_owned());
        Store::open(&Options {
            dir: self.folder.path().to_owned(),
            vfs,
            bounds: self.bounds,
        })
    }

    /// The power comes back: of what was not synced, a part survives.
    pub fn restart(&mut self, dice: &mut Dice) {
        let percent = [0, 10, 50, 90, 100][dice.below(5) as usize];
        self.disk = self.disk.survivor(&mut || dice.below(100) < percent);
    }
}

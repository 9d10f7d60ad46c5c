//! The disk: its files, its power, its space.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use rusqlite::ffi;

use crate::file::File;
use crate::locks::{Code, Levels, Slots};
use crate::vfs;

/// A disk with its own name among SQLite's file layers.
pub struct Disk {
    name: String,
    state: Shared,
}

pub(crate) type Shared = Arc<Mutex<State>>;

/// All that the disk is.
#[derive(Default)]
pub(crate) struct State {
    files: BTreeMap<String, File>,
    locks: BTreeMap<String, Levels>,
    memories: BTreeMap<String, Memory>,
    handles: u64,
    /// Changes to files so far: writes, truncations, syncs, deletes.
    steps: u64,
    dies_at: Option<u64>,
    /// The most bytes that all files may have.
    capacity: Option<usize>,
    /// Syncs that will fail.
    failing_syncs: u32,
}

/// The shared memory of a database: regions that stay where they are, and its locks. It does not outlive its users.
#[derive(Default)]
pub(crate) struct Memory {
    /// Addresses of regions that are never freed: SQLite keeps pointers into them, and a test has few.
    pub regions: Vec<usize>,
    pub slots: Slots,
    pub users: Vec<u64>,
}

impl Disk {
    /// An empty disk.
    pub fn new() -> Disk {
        Disk::with(BTreeMap::new())
    }

    fn with(files: BTreeMap<String, File>) -> Disk {
        let state: Shared = Arc::new(Mutex::new(State {
            files,
            ..State::default()
        }));
        let name = vfs::register(state.clone());
        Disk { name, state }
    }

    /// The name of the VFS.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Cuts the power at the so-manieth change from now on: that change, and all I/O after it, fails.
    pub fn die_after(&self, steps: u64) {
        let mut state = self.lock();
        state.dies_at = Some(state.steps + steps);
    }

    /// Cuts the power now.
    pub fn die(&self) {
        self.die_after(0);
    }

    /// Whether the power is cut.
    pub fn is_dead(&self) -> bool {
        self.lock().is_dead()
    }

    /// Changes to files so far.
    pub fn steps(&self) -> u64 {
        self.lock().steps
    }

    /// The disk after the power came back: `keeps` decides for each sector that was written and not synced.
    pub fn survivor(&self, keeps: &mut dyn FnMut() -> bool) -> Disk {
        let mut files = BTreeMap::new();
        for (path, file) in &self.lock().files {
            if file.named || keeps() {
                files.insert(path.clone(), File::found(file.after_cut(keeps)));
            }
        }
        Disk::with(files)
    }

    /// Leaves so much space, or takes the limit away.
    pub fn leave_space(&self, bytes: Option<usize>) {
        let mut state = self.lock();
        state.capacity = bytes.map(|bytes| bytes + state.used());
    }

    /// Makes the next syncs fail. What they were to sync is never synced, as on Linux, where pages count as clean
    /// after a failed `fsync`: only writing it again helps.
    pub fn fail_syncs(&self, count: u32) {
        self.lock().failing_syncs = count;
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Default for Disk {
    fn default() -> Disk {
        Disk::new()
    }
}

impl State {
    fn is_dead(&self) -> bool {
        self.dies_at.is_some_and(|at| self.steps >= at)
    }

    fn used(&self) -> usize {
        self.files.values().map(File::len).sum()
    }

    /// A number for a new handle.
    pub fn handle(&mut self) -> u64 {
        self.handles += 1;
        self.handles
    }

    pub fn alive(&self) -> Result<(), Code> {
        if self.is_dead() {
            Err(ffi::SQLITE_IOERR)
        } else {
            Ok(())
        }
    }

    /// Counts a change. The one at which the power is cut is begun: it may be on the disk in part.
    fn step(&mut self) -> Result<(), Code> {
        self.alive()?;
        self.steps += 1;
        Ok(())
    }

    pub fn exists(&self, path: &str) -> bool {
        self.files.contains_key(path)
    }

    pub fn create(&mut self, path: &str) {
        self.files.entry(path.to_owned()).or_default();
    }

    fn file(&mut self, path: &str) -> Result<&mut File, Code> {
        self.files.get_mut(path).ok_or(ffi::SQLITE_IOERR)
    }

    pub fn len(&mut self, path: &str) -> Result<usize, Code> {
        self.alive()?;
        Ok(self.file(path)?.len())
    }

    pub fn read(&mut self, path: &str, offset: usize, buffer: &mut [u8]) -> Result<usize, Code> {
        self.alive()?;
        Ok(self.file(path)?.read(offset, buffer))
    }

    pub fn write(&mut self, path: &str, offset: usize, bytes: &[u8]) -> Result<(), Code> {
        self.step()?;
        let grows = (offset + bytes.len()).saturating_sub(self.file(path)?.len());
        if grows > 0
            && self
                .capacity
                .is_some_and(|capacity| self.used() + grows > capacity)
        {
            return Err(ffi::SQLITE_FULL);
        }
        self.file(path)?.write(offset, bytes);
        self.alive()
    }

    pub fn truncate(&mut self, path: &str, len: usize) -> Result<(), Code> {
        self.step()?;
        self.file(path)?.truncate(len);
        self.alive()
    }

    pub fn sync(&mut self, path: &str) -> Result<(), Code> {
        self.step()?;
        self.alive()?;
        if self.failing_syncs > 0 {
            self.failing_syncs -= 1;
            self.file(path)?.fail_sync();
            return Err(ffi::SQLITE_IOERR_FSYNC);
        }
        self.file(path)?.sync();
        Ok(())
    }

    /// Deletes at once and for good: SQLite deletes its log only when it has no need of it any more, and when the
    /// deletion itself is lost, the log is of no harm; both are its own affair, tested by its authors.
    pub fn delete(&mut self, path: &str) -> Result<(), Code> {
        self.step()?;
        self.alive()?;
        self.files
            .remove(path)
            .map(drop)
            .ok_or(ffi::SQLITE_IOERR_DELETE_NOENT)
    }

    pub fn levels(&mut self, path: &str) -> &mut Levels {
        self.locks.entry(path.to_owned()).or_default()
    }

    pub fn memory(&mut self, path: &str) -> &mut Memory {
        self.memories.entry(path.to_owned()).or_default()
    }

    /// Lets go of the shared memory; the last user takes it along.
    pub fn leave_memory(&mut self, path: &str, handle: u64) {
        let memory = self.memory(path);
        memory.slots.release(handle);
        memory.users.retain(|user| *user != handle);
        if memory.users.is_empty() {
            self.memories.remove(path);
        }
    }
}

//! Who holds which lock of a file: SQLite's five levels on the database, and its eight slots on the shared memory.

use rusqlite::ffi;

/// SQLite's code for "somebody else has it".
pub(crate) type Code = i32;

/// The levels of one file (sqlite.org/lockingv3.html).
#[derive(Default)]
pub(crate) struct Levels {
    /// Handles with SHARED or more.
    shared: Vec<u64>,
    reserved: Option<u64>,
    pending: Option<u64>,
    exclusive: Option<u64>,
}

impl Levels {
    pub fn lock(&mut self, handle: u64, level: i32) -> Result<(), Code> {
        let others = |holder: Option<u64>| holder.is_some_and(|holder| holder != handle);
        match level {
            ffi::SQLITE_LOCK_SHARED => {
                if others(self.pending) || others(self.exclusive) {
                    return Err(ffi::SQLITE_BUSY);
                }
                if !self.shared.contains(&handle) {
                    self.shared.push(handle);
                }
            }
            ffi::SQLITE_LOCK_RESERVED => {
                if others(self.reserved) {
                    return Err(ffi::SQLITE_BUSY);
                }
                self.reserved = Some(handle);
            }
            _ => {
                if others(self.pending) || others(self.reserved) {
                    return Err(ffi::SQLITE_BUSY);
                }
                self.pending = Some(handle);
                if self.shared.iter().any(|holder| *holder != handle) {
                    return Err(ffi::SQLITE_BUSY);
                }
                self.exclusive = Some(handle);
            }
        }
        Ok(())
    }

    pub fn unlock(&mut self, handle: u64, level: i32) {
        for holder in [&mut self.reserved, &mut self.pending, &mut self.exclusive] {
            holder.take_if(|holder| *holder == handle);
        }
        if level == ffi::SQLITE_LOCK_NONE {
            self.shared.retain(|holder| *holder != handle);
        }
    }

    pub fn is_reserved(&self) -> bool {
        self.reserved.is_some()
    }
}

/// The slots of one shared memory (sqlite.org/walformat.html, "WAL Locks").
#[derive(Default)]
pub(crate) struct Slots {
    shared: [Vec<u64>; ffi::SQLITE_SHM_NLOCK as usize],
    exclusive: [Option<u64>; ffi::SQLITE_SHM_NLOCK as usize],
}

impl Slots {
    pub fn change(&mut self, handle: u64, offset: i32, count: i32, flags: i32) -> Result<(), Code> {
        let slots = offset as usize..(offset + count) as usize;
        if slots.end > self.exclusive.len() {
            return Err(ffi::SQLITE_IOERR_SHMLOCK);
        }
        if flags & ffi::SQLITE_SHM_UNLOCK != 0 {
            for slot in slots {
                self.shared[slot].retain(|holder| *holder != handle);
                self.exclusive[slot].take_if(|holder| *holder == handle);
            }
            return Ok(());
        }
        let alone = flags & ffi::SQLITE_SHM_EXCLUSIVE != 0;
        for slot in slots.clone() {
            let taken = self.exclusive[slot].is_some_and(|holder| holder != handle);
            let read = self.shared[slot].iter().any(|holder| *holder != handle);
            if taken || (alone && read) {
                return Err(ffi::SQLITE_BUSY);
            }
        }
        for slot in slots {
            if alone {
                self.exclusive[slot] = Some(handle);
            } else if !self.shared[slot].contains(&handle) {
                self.shared[slot].push(handle);
            }
        }
        Ok(())
    }

    pub fn release(&mut self, handle: u64) {
        // Unlocking never fails.
        let _ = self.change(handle, 0, ffi::SQLITE_SHM_NLOCK, ffi::SQLITE_SHM_UNLOCK);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn levels_keep_others_out() {
        let mut levels = Levels::default();
        let busy = Err(ffi::SQLITE_BUSY);
        assert_eq!(levels.lock(1, ffi::SQLITE_LOCK_SHARED), Ok(()));
        assert_eq!(levels.lock(2, ffi::SQLITE_LOCK_SHARED), Ok(()));
        assert_eq!(levels.lock(1, ffi::SQLITE_LOCK_RESERVED), Ok(()));
        assert_eq!(levels.lock(2, ffi::SQLITE_LOCK_RESERVED), busy);
        assert_eq!(levels.lock(1, ffi::SQLITE_LOCK_EXCLUSIVE), busy);
        assert_eq!(
            levels.lock(3, ffi::SQLITE_LOCK_SHARED),
            busy,
            "a pending lock lets no new readers in"
        );
        levels.unlock(2, ffi::SQLITE_LOCK_NONE);
        assert_eq!(levels.lock(1, ffi::SQLITE_LOCK_EXCLUSIVE), Ok(()));
        levels.unlock(1, ffi::SQLITE_LOCK_SHARED);
        assert!(!levels.is_reserved());
        assert_eq!(levels.lock(3, ffi::SQLITE_LOCK_SHARED), Ok(()));
    }

    #[test]
    fn slots_keep_others_out() {
        let mut slots = Slots::default();
        let (read, write) = (
            ffi::SQLITE_SHM_LOCK | ffi::SQLITE_SHM_SHARED,
            ffi::SQLITE_SHM_LOCK | ffi::SQLITE_SHM_EXCLUSIVE,
        );
        assert_eq!(slots.change(1, 3, 1, read), Ok(()));
        assert_eq!(slots.change(2, 3, 1, read), Ok(()));
        assert_eq!(slots.change(2, 2, 3, write), Err(ffi::SQLITE_BUSY));
        slots.release(1);
        assert_eq!(slots.change(2, 2, 3, write), Ok(()));
        assert_eq!(slots.change(1, 4, 1, read), Err(ffi::SQLITE_BUSY));
        assert_eq!(slots.change(1, 7, 2, read), Err(ffi::SQLITE_IOERR_SHMLOCK));
    }
}

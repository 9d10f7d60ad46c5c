//! The disk as a table of C functions, which is what SQLite asks for (sqlite.org/c3ref/vfs.html). Each function turns
//! its pointers into Rust values, calls the disk, and turns the answer into a code; nothing else is unsafe here.
#![allow(unsafe_code)]

use std::ffi::{CStr, CString, c_char, c_int, c_void};
use std::mem::size_of;
use std::ptr;
use std::slice;
use std::sync::atomic::{AtomicU64, Ordering, fence};
use std::sync::{MutexGuard, PoisonError};

use rusqlite::ffi;

use crate::disk::{Shared, State};
use crate::locks::Code;

/// What SQLite allocates for an open file. `methods` comes first: SQLite reads it as its own `sqlite3_file`.
#[repr(C)]
struct Raw {
    methods: ffi::sqlite3_file,
    /// From `Box::into_raw` in `open`, to `Box::from_raw` in `close`.
    handle: *mut Handle,
}

struct Handle {
    disk: Shared,
    path: String,
    number: u64,
    /// A file without a name, or one of which SQLite asks that it goes with its handle.
    temporary: bool,
    mapped: bool,
}

impl Handle {
    fn state(&self) -> MutexGuard<'_, State> {
        self.disk.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Makes a disk known to SQLite, for as long as the process lives, and returns its name.
pub(crate) fn register(disk: Shared) -> String {
    static NUMBER: AtomicU64 = AtomicU64::new(0);
    let name = format!("forgetful-{}", NUMBER.fetch_add(1, Ordering::Relaxed));
    let c_name = CString::new(name.clone()).expect("no NUL in it");
    // SAFETY: SQLite initialises itself on the first call of any of its functions that need it; `find` with NULL asks
    // for the default VFS, which there is on every system that has files, and which is never removed.
    let base = unsafe {
        ffi::sqlite3_initialize();
        *ffi::sqlite3_vfs_find(ptr::null())
    };
    // The clock, the sleep and the random bytes of the machine; the files are ours.
    let table = ffi::sqlite3_vfs {
        szOsFile: size_of::<Raw>() as c_int,
        mxPathname: 1024,
        pNext: ptr::null_mut(),
        zName: c_name.into_raw(),
        pAppData: Box::into_raw(Box::new(disk)).cast(),
        xOpen: Some(open),
        xDelete: Some(delete),
        xAccess: Some(access),
        xFullPathname: Some(full_path),
        ..base
    };
    // SAFETY: the table, its name and its data were leaked, so they live as long as the process.
    let code = unsafe { ffi::sqlite3_vfs_register(Box::into_raw(Box::new(table)), 0) };
    assert_eq!(code, ffi::SQLITE_OK, "SQLite registers any VFS that is not NULL");
    name
}

static METHODS: ffi::sqlite3_io_methods = ffi::sqlite3_io_methods {
    // 2: with shared memory, without mapping the database.
    iVersion: 2,
    xClose: Some(close),
    xRead: Some(read),
    xWrite: Some(write),
    xTruncate: Some(truncate),
    xSync: Some(sync),
    xFileSize: Some(size),
    xLock: Some(lock),
    xUnlock: Some(unlock),
    xCheckReservedLock: Some(check_reserved),
    xFileControl: Some(control),
    xSectorSize: Some(sector_size),
    xDeviceCharacteristics: Some(characteristics),
    xShmMap: Some(map),
    xShmLock: Some(lock_slots),
    xShmBarrier: Some(barrier),
    xShmUnmap: Some(unmap),
    xFetch: None,
    xUnfetch: None,
};

fn code(outcome: Result<(), Code>) -> c_int {
    outcome.err().unwrap_or(ffi::SQLITE_OK)
}

/// # Safety
/// `vfs` is a table that [`register`] made.
unsafe fn disk<'a>(vfs: *mut ffi::sqlite3_vfs) -> MutexGuard<'a, State> {
    // SAFETY: `pAppData` was leaked by `register`, and is only read.
    let disk = unsafe { &*(*vfs).pAppData.cast::<Shared>() };
    disk.lock().unwrap_or_else(PoisonError::into_inner)
}

/// # Safety
/// `file` was opened by [`open`] and is not closed. SQLite uses a file from one thread at a time.
unsafe fn handle<'a>(file: *mut ffi::sqlite3_file) -> &'a mut Handle {
    // SAFETY: SQLite gives `szOsFile` bytes, so `file` is a `Raw`, whose handle lives until `close`.
    unsafe { &mut *(*file.cast::<Raw>()).handle }
}

/// # Safety
/// `name` is a C string.
unsafe fn text(name: *const c_char) -> String {
    // SAFETY: the caller's promise.
    unsafe { CStr::from_ptr(name) }.to_string_lossy().into_owned()
}

unsafe extern "C" fn open(
    vfs: *mut ffi::sqlite3_vfs,
    name: ffi::sqlite3_filename,
    file: *mut ffi::sqlite3_file,
    flags: c_int,
    out_flags: *mut c_int,
) -> c_int {
    let raw = file.cast::<Raw>();
    // SAFETY: `file` has `szOsFile` bytes. Without methods SQLite does not close what failed to open.
    unsafe { (*raw).methods.pMethods = ptr::null() };
    // SAFETY: as `disk` asks.
    let mut state = unsafe { disk(vfs) };
    if let Err(code) = state.alive() {
        return code;
    }
    let number = state.handle();
    let path = if name.is_null() {
        format!("temporary-{number}")
    } else {
        // SAFETY: SQLite's names are C strings.
        unsafe { text(name) }
    };
    if !state.exists(&path) {
        if !name.is_null() && flags & ffi::SQLITE_OPEN_CREATE == 0 {
            return ffi::SQLITE_CANTOPEN;
        }
        state.create(&path);
    }
    drop(state);
    // SAFETY: `pAppData` was leaked by `register`.
    let disk = unsafe { (*(*vfs).pAppData.cast::<Shared>()).clone() };
    let temporary = name.is_null() || flags & ffi::SQLITE_OPEN_DELETEONCLOSE != 0;
    let handle = Handle {
        disk,
        path,
        number,
        temporary,
        mapped: false,
    };
    // SAFETY: as above; `out_flags` is NULL or an integer of the caller.
    unsafe {
        raw.write(Raw {
            methods: ffi::sqlite3_file {
                pMethods: &raw const METHODS,
            },
            handle: Box::into_raw(Box::new(handle)),
        });
        if !out_flags.is_null() {
            *out_flags = flags;
        }
    }
    ffi::SQLITE_OK
}

unsafe extern "C" fn close(file: *mut ffi::sqlite3_file) -> c_int {
    // SAFETY: as `handle` asks; SQLite closes once, and uses nothing of the file after that.
    let handle = unsafe { Box::from_raw((*file.cast::<Raw>()).handle) };
    let mut state = handle.state();
    state
        .levels(&handle.path)
        .unlock(handle.number, ffi::SQLITE_LOCK_NONE);
    if handle.mapped {
        state.leave_memory(&handle.path, handle.number);
    }
    if handle.temporary {
        // On a dead disk it stays, which harms nobody.
        let _ = state.delete(&handle.path);
    }
    ffi::SQLITE_OK
}

unsafe extern "C" fn delete(vfs: *mut ffi::sqlite3_vfs, name: *const c_char, _sync: c_int) -> c_int {
    // SAFETY: SQLite's names are C strings, and the table is ours.
    let (name, mut state) = unsafe { (text(name), disk(vfs)) };
    code(state.delete(&name))
}

unsafe extern "C" fn access(
    vfs: *mut ffi::sqlite3_vfs,
    name: *const c_char,
    _flags: c_int,
    out: *mut c_int,
) -> c_int {
    // SAFETY: SQLite's names are C strings, the table is ours, and `out` an integer of the caller.
    unsafe { *out = c_int::from(disk(vfs).exists(&text(name))) };
    ffi::SQLITE_OK
}

unsafe extern "C" fn full_path(
    _vfs: *mut ffi::sqlite3_vfs,
    name: *const c_char,
    room: c_int,
    out: *mut c_char,
) -> c_int {
    // SAFETY: SQLite's names are C strings.
    let name = unsafe { CStr::from_ptr(name) }.to_bytes_with_nul();
    if name.len() > room as usize {
        return ffi::SQLITE_CANTOPEN;
    }
    // SAFETY: `out` has `room` bytes, and is no part of the name.
    unsafe { ptr::copy_nonoverlapping(name.as_ptr().cast(), out, name.len()) };
    ffi::SQLITE_OK
}

unsafe extern "C" fn read(
    file: *mut ffi::sqlite3_file,
    out: *mut c_void,
    amount: c_int,
    offset: ffi::sqlite3_int64,
) -> c_int {
    // SAFETY: as `handle` asks, and `out` has `amount` bytes that nobody else has; zeroed, they are initialised.
    let (handle, buffer) = unsafe {
        ptr::write_bytes(out.cast::<u8>(), 0, amount as usize);
        (
            handle(file),
            slice::from_raw_parts_mut(out.cast::<u8>(), amount as usize),
        )
    };
    match handle.state().read(&handle.path, offset as usize, buffer) {
        Ok(count) if count < buffer.len() => ffi::SQLITE_IOERR_SHORT_READ,
        outcome => code(outcome.map(drop)),
    }
}

unsafe extern "C" fn write(
    file: *mut ffi::sqlite3_file,
    bytes: *const c_void,
    amount: c_int,
    offset: ffi::sqlite3_int64,
) -> c_int {
    // SAFETY: as `handle` asks, and `bytes` are `amount` bytes that stay as they are during the call.
    let (handle, bytes) = unsafe {
        (
            handle(file),
            slice::from_raw_parts(bytes.cast::<u8>(), amount as usize),
        )
    };
    code(handle.state().write(&handle.path, offset as usize, bytes))
}

unsafe extern "C" fn truncate(file: *mut ffi::sqlite3_file, len: ffi::sqlite3_int64) -> c_int {
    // SAFETY: as `handle` asks.
    let handle = unsafe { handle(file) };
    code(handle.state().truncate(&handle.path, len as usize))
}

unsafe extern "C" fn sync(file: *mut ffi::sqlite3_file, _flags: c_int) -> c_int {
    // SAFETY: as `handle` asks.
    let handle = unsafe { handle(file) };
    code(handle.state().sync(&handle.path))
}

unsafe extern "C" fn size(file: *mut ffi::sqlite3_file, out: *mut ffi::sqlite3_int64) -> c_int {
    // SAFETY: as `handle` asks.
    let handle = unsafe { handle(file) };
    match handle.state().len(&handle.path) {
        Ok(len) => {
            // SAFETY: `out` is an integer of the caller.
            unsafe { *out = len as ffi::sqlite3_int64 };
            ffi::SQLITE_OK
        }
        Err(code) => code,
    }
}

unsafe extern "C" fn lock(file: *mut ffi::sqlite3_file, level: c_int) -> c_int {
    // SAFETY: as `handle` asks.
    let handle = unsafe { handle(file) };
    code(handle.state().levels(&handle.path).lock(handle.number, level))
}

unsafe extern "C" fn unlock(file: *mut ffi::sqlite3_file, level: c_int) -> c_int {
    // SAFETY: as `handle` asks.
    let handle = unsafe { handle(file) };
    handle.state().levels(&handle.path).unlock(handle.number, level);
    ffi::SQLITE_OK
}

unsafe extern "C" fn check_reserved(file: *mut ffi::sqlite3_file, out: *mut c_int) -> c_int {
    // SAFETY: as `handle` asks, and `out` is an integer of the caller.
    unsafe {
        let handle = handle(file);
        *out = c_int::from(handle.state().levels(&handle.path).is_reserved());
    }
    ffi::SQLITE_OK
}

unsafe extern "C" fn control(_file: *mut ffi::sqlite3_file, _op: c_int, _arg: *mut c_void) -> c_int {
    ffi::SQLITE_NOTFOUND
}

unsafe extern "C" fn sector_size(_file: *mut ffi::sqlite3_file) -> c_int {
    4096
}

/// As the VFS for Unix says of most disks: a write changes no byte beside those written.
unsafe extern "C" fn characteristics(_file: *mut ffi::sqlite3_file) -> c_int {
    ffi::SQLITE_IOCAP_POWERSAFE_OVERWRITE
}

unsafe extern "C" fn map(
    file: *mut ffi::sqlite3_file,
    region: c_int,
    region_size: c_int,
    extend: c_int,
    out: *mut *mut c_void,
) -> c_int {
    // SAFETY: as `handle` asks.
    let handle = unsafe { handle(file) };
    handle.mapped = true;
    let mut state = handle.state();
    let memory = state.memory(&handle.path);
    if !memory.users.contains(&handle.number) {
        memory.users.push(handle.number);
    }
    let region = region as usize;
    while extend != 0 && memory.regions.len() <= region {
        // u64s, because SQLite aligns its index to 8 bytes.
        let words = vec![0_u64; (region_size as usize).div_ceil(8)].leak();
        memory.regions.push(words.as_mut_ptr().expose_provenance());
    }
    let address = memory.regions.get(region).copied();
    // SAFETY: `out` is a pointer of the caller; what it gets was leaked, and Rust never looks at it again.
    unsafe { *out = address.map_or(ptr::null_mut(), ptr::with_exposed_provenance_mut) };
    ffi::SQLITE_OK
}

unsafe extern "C" fn lock_slots(
    file: *mut ffi::sqlite3_file,
    offset: c_int,
    n: c_int,
    flags: c_int,
) -> c_int {
    // SAFETY: as `handle` asks.
    let handle = unsafe { handle(file) };
    code(
        handle
            .state()
            .memory(&handle.path)
            .slots
            .change(handle.number, offset, n, flags),
    )
}

unsafe extern "C" fn barrier(_file: *mut ffi::sqlite3_file) {
    fence(Ordering::SeqCst);
}

unsafe extern "C" fn unmap(file: *mut ffi::sqlite3_file, _delete: c_int) -> c_int {
    // SAFETY: as `handle` asks.
    let handle = unsafe { handle(file) };
    if handle.mapped {
        handle.mapped = false;
        handle.state().leave_memory(&handle.path, handle.number);
    }
    ffi::SQLITE_OK
}

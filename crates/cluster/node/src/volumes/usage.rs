//! What folders of pods hold, counted without following anybody out of them.

use std::io;
use std::os::fd::OwnedFd;
use std::os::unix::ffi::OsStrExt as _;
use std::path::{Path, PathBuf};

use rustix::fs::{AtFlags, Dir, FileType, Mode, OFlags, ResolveFlags};

use crate::limits::COUNTED_FILES_MAX;

/// What `st_blocks` counts in (stat(2)).
const BLOCK_BYTES: u64 = 512;

/// Bytes on the disk of a folder and all that is in it. No link is followed and no other file system is entered; a file
/// with several names counts for each, and folders that lie deeper than a path can say count by themselves only.
/// At [`COUNTED_FILES_MAX`] entries it stops counting.
///
/// # Errors
/// What the file system says of the folder itself; what goes meanwhile is nothing.
pub fn bytes(root: &Path) -> io::Result<u64> {
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    let root = rustix::fs::open(root, flags, Mode::empty())?;
    let (mut bytes, mut files) = (size(rustix::fs::fstat(&root)?), 0);
    let mut folders = vec![PathBuf::from(".")];
    while let Some(path) = folders.pop() {
        let Ok(folder) = enter(&root, &path) else {
            continue;
        };
        let Ok(mut entries) = Dir::read_from(&folder) else {
            continue;
        };
        while let Some(Ok(entry)) = entries.next() {
            let name = entry.file_name();
            if matches!(name.to_bytes(), b"." | b"..") {
                continue;
            }
            let Ok(found) = rustix::fs::statat(&folder, name, AtFlags::SYMLINK_NOFOLLOW) else {
                continue;
            };
            bytes = bytes.saturating_add(size(found));
            if FileType::from_raw_mode(found.st_mode) == FileType::Directory {
                folders.push(path.join(std::ffi::OsStr::from_bytes(name.to_bytes())));
            }
            files += 1;
            if files >= COUNTED_FILES_MAX {
                return Ok(bytes);
            }
        }
    }
    Ok(bytes)
}

fn size(found: rustix::fs::Stat) -> u64 {
    u64::try_from(found.st_blocks)
        .unwrap_or_default()
        .saturating_mul(BLOCK_BYTES)
}

fn enter(root: &OwnedFd, path: &Path) -> rustix::io::Result<OwnedFd> {
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    let inside = ResolveFlags::BENEATH | ResolveFlags::NO_SYMLINKS | ResolveFlags::NO_XDEV;
    rustix::fs::openat2(root, path, flags, Mode::empty(), inside)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::volumes::scratch::Scratch;

    #[test]
    fn a_folder_holds_what_is_in_it() {
        let scratch = Scratch::new();
        let inner = scratch.path().join("inner");
        std::fs::create_dir(&inner).expect("a folder");
        std::fs::write(inner.join("one"), vec![1; 100_000]).expect("a file");
        let before = bytes(scratch.path()).expect("it is there");
        assert!((100_000..200_000).contains(&before), "{before}");
        std::os::unix::fs::symlink("/usr", inner.join("all")).expect("a link");
        let after = bytes(scratch.path()).expect("it is there");
        assert!(after - before <= 4096, "the link counts, not where it leads");
        assert!(bytes(&scratch.path().join("absent")).is_err());
    }
}

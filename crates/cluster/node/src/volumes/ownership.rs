//! The group of a pod's volumes, `fsGroup` (`pkg/volume/volume_linux.go`). Folders may be in use by others meanwhile: no
//! link is followed, whatever they do.

use std::ffi::OsStr;
use std::io;
use std::os::fd::{AsFd, AsRawFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

use rustix::fs::{AtFlags, FileType, Gid, Mode, OFlags, ResolveFlags, Stat};

const READ_WRITE: u32 = 0o660;
const READ_ONLY: u32 = 0o440;
const ENTER: u32 = 0o110;
const SET_GID: u32 = 0o2000;

/// Gives all of a folder to a group, which may read it, and write where the volume is not read-only. What is made in its
/// folders later belongs to the group too.
///
/// # Errors
/// What the file system says.
pub fn give(root: &Path, group: u32, read_only: bool) -> io::Result<()> {
    let top = rustix::fs::open(
        root,
        OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC,
        Mode::empty(),
    )?;
    let mut folders = vec![PathBuf::from(".")];
    let mut at = 0;
    while let Some(path) = folders.get(at).cloned() {
        at += 1;
        let folder = beneath(&top, &path, OFlags::RDONLY | OFlags::DIRECTORY)?;
        for entry in rustix::fs::Dir::read_from(&folder)? {
            let entry = entry?;
            let name = entry.file_name();
            if matches!(name.to_bytes(), b"." | b"..") {
                continue;
            }
            let child = match rustix::fs::openat(
                &folder,
                name,
                OFlags::PATH | OFlags::NOFOLLOW | OFlags::CLOEXEC,
                Mode::empty(),
            ) {
                Ok(child) => child,
                Err(rustix::io::Errno::NOENT) => continue,
                Err(error) => return Err(error.into()),
            };
            let stat = rustix::fs::fstat(&child)?;
            if FileType::from_raw_mode(stat.st_mode) == FileType::Directory {
                folders.push(path.join(OsStr::from_bytes(name.to_bytes())));
            } else {
                give_one(&child, &stat, group, read_only)?;
            }
        }
    }
    // The root comes last: it tells that all below is done (`OnRootMismatch`).
    for path in folders.iter().rev() {
        let folder = match beneath(&top, path, OFlags::PATH | OFlags::DIRECTORY) {
            Ok(folder) => folder,
            Err(error) if error.kind() == io::ErrorKind::NotFound => continue,
            Err(error) => return Err(error),
        };
        let stat = rustix::fs::fstat(&folder)?;
        give_one(&folder, &stat, group, read_only)?;
    }
    Ok(())
}

/// Whether the root of a volume says that it is not the group's yet (`requiresPermissionChange`).
///
/// # Errors
/// What the file system says.
pub fn is_due(root: &Path, group: u32, read_only: bool) -> io::Result<bool> {
    let stat = rustix::fs::stat(root)?;
    let wanted = if read_only { READ_ONLY } else { READ_WRITE } | ENTER | SET_GID;
    let is_folder = FileType::from_raw_mode(stat.st_mode) == FileType::Directory;
    Ok(stat.st_gid != group || !is_folder || stat.st_mode & wanted != wanted)
}

fn beneath(top: &OwnedFd, path: &Path, flags: OFlags) -> io::Result<OwnedFd> {
    let resolve = ResolveFlags::BENEATH | ResolveFlags::NO_SYMLINKS;
    Ok(rustix::fs::openat2(
        top,
        path,
        flags | OFlags::CLOEXEC,
        Mode::empty(),
        resolve,
    )?)
}

fn give_one(file: &OwnedFd, stat: &Stat, group: u32, read_only: bool) -> io::Result<()> {
    rustix::fs::chownat(
        file.as_fd(),
        c"",
        None,
        Some(Gid::from_raw(group)),
        AtFlags::EMPTY_PATH,
    )?;
    let r#type = FileType::from_raw_mode(stat.st_mode);
    if r#type == FileType::Symlink {
        return Ok(());
    }
    let mut mode = stat.st_mode & 0o7777 | if read_only { READ_ONLY } else { READ_WRITE };
    if r#type == FileType::Directory {
        mode |= ENTER | SET_GID;
    }
    // What is opened by path only is changed through its entry in /proc, which leads nowhere else.
    let entry = format!("/proc/self/fd/{}", file.as_raw_fd());
    Ok(rustix::fs::chmod(entry, Mode::from_raw_mode(mode))?)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::volumes::scratch::Scratch;
    use std::fs::{self, Permissions};
    use std::os::unix::fs::{MetadataExt, PermissionsExt, symlink};

    fn shown(path: &Path) -> (u32, u32) {
        let metadata = fs::symlink_metadata(path).expect("it is there");
        (metadata.gid(), metadata.mode() & 0o7777)
    }

    /// Only root may give files to groups that it is not in; everybody may give them to his own.
    fn group() -> u32 {
        if rustix::process::geteuid().is_root() {
            4242
        } else {
            rustix::process::getgid().as_raw()
        }
    }

    #[test]
    fn a_group_gets_all_of_a_volume_and_nothing_else() {
        let scratch = Scratch::new();
        let (volume, outside) = (scratch.path().join("volume"), scratch.path().join("outside"));
        fs::create_dir_all(volume.join("a/b")).expect("folders");
        for path in [&outside, &volume.join("file"), &volume.join("a/b/deep")] {
            fs::write(path, "x").expect("a file");
            fs::set_permissions(path, Permissions::from_mode(0o600)).expect("it is ours");
        }
        for folder in [&volume, &volume.join("a"), &volume.join("a/b")] {
            fs::set_permissions(folder, Permissions::from_mode(0o755)).expect("it is ours");
        }
        symlink(&outside, volume.join("a/link")).expect("a link");
        symlink(scratch.path(), volume.join("up")).expect("a link");
        let before = shown(&outside);
        let group = group();
        assert!(is_due(&volume, group, false).expect("it is there"));
        give(&volume, group, false).expect("it is ours");
        assert!(!is_due(&volume, group, false).expect("it is there"));
        assert_eq!(shown(&volume), (group, 0o2775));
        assert_eq!(shown(&volume.join("a/b")), (group, 0o2775));
        assert_eq!(shown(&volume.join("file")), (group, 0o660));
        assert_eq!(shown(&volume.join("a/b/deep")), (group, 0o660));
        assert_eq!(shown(&outside), before, "links are not followed");
    }

    #[test]
    fn a_read_only_volume_stays_so() {
        let scratch = Scratch::new();
        let file = scratch.path().join("token");
        fs::write(&file, "x").expect("a file");
        fs::set_permissions(&file, Permissions::from_mode(0o600)).expect("it is ours");
        give(scratch.path(), group(), true).expect("it is ours");
        assert_eq!(shown(&file), (group(), 0o640));
    }
}

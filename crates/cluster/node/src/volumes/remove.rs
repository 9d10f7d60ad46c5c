//! Removes a folder that anybody may have written to: no link is followed, no other file system is entered, and neither
//! depth nor number of entries costs memory or open files.

use std::ffi::CString;
use std::io;
use std::os::fd::OwnedFd;
use std::path::Path;

use rustix::fs::{AtFlags, Dir, FileType, Mode, OFlags, ResolveFlags};
use rustix::io::Errno;

use crate::limits::REMOVED_AT_A_TIME;

/// Removes `name` in `parent` with all that is in it. What is not there is removed.
///
/// # Errors
/// What the file system says; `CrossesDevices` or `ResourceBusy` where something is mounted inside, which stays.
pub fn tree(parent: &Path, name: &str) -> io::Result<()> {
    if name.is_empty() || name.contains('/') || matches!(name, "." | "..") {
        return Err(io::ErrorKind::InvalidInput.into());
    }
    let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC;
    let parent = match rustix::fs::open(parent, flags, Mode::empty()) {
        Ok(parent) => parent,
        Err(Errno::NOENT) => return Ok(()),
        Err(error) => return Err(error.into()),
    };
    let root = match enter(&parent, name) {
        Ok(root) => root,
        Err(Errno::NOENT) => return Ok(()),
        // A file or a link.
        Err(Errno::NOTDIR | Errno::LOOP) => {
            return Ok(rustix::fs::unlinkat(&parent, name, AtFlags::empty())?);
        }
        Err(error) => return Err(error.into()),
    };
    empty(&root)?;
    drop(root);
    Ok(rustix::fs::unlinkat(&parent, name, AtFlags::REMOVEDIR)?)
}

/// Takes folders apart from the top: the folders of a folder are moved up to the root before it is removed, so that nothing
/// is ever deeper than two levels.
fn empty(root: &OwnedFd) -> io::Result<()> {
    let mut moved: u64 = 0;
    loop {
        let entries = names(root)?;
        if entries.is_empty() {
            return Ok(());
        }
        for (name, r#type) in entries {
            if r#type != FileType::Directory {
                rustix::fs::unlinkat(root, &name, AtFlags::empty())?;
                continue;
            }
            let folder = enter(root, &name)?;
            moved = flatten(&folder, root, moved)?;
            drop(folder);
            rustix::fs::unlinkat(root, &name, AtFlags::REMOVEDIR)?;
        }
    }
}

/// Removes what is in a folder; folders in it that are not empty go to the root. Tells the next number.
fn flatten(folder: &OwnedFd, root: &OwnedFd, from: u64) -> io::Result<u64> {
    let mut moved = from;
    loop {
        let entries = names(folder)?;
        if entries.is_empty() {
            return Ok(moved);
        }
        for (child, r#type) in entries {
            let flags = if r#type == FileType::Directory {
                AtFlags::REMOVEDIR
            } else {
                AtFlags::empty()
            };
            match rustix::fs::unlinkat(folder, &child, flags) {
                Ok(()) => {}
                Err(Errno::NOTEMPTY | Errno::EXIST) => moved = lift(folder, &child, root, moved)?,
                Err(error) => return Err(error.into()),
            }
        }
    }
}

/// Moves a folder to the root under a name that is free; tells the next number.
fn lift(folder: &OwnedFd, child: &CString, root: &OwnedFd, from: u64) -> io::Result<u64> {
    let mut number = from;
    loop {
        let name = format!(".removed-{number}");
        number += 1;
        // Onto an empty folder of that name it would be moved, too: that is as good.
        match rustix::fs::renameat(folder, child, root, name) {
            Ok(()) => return Ok(number),
            Err(Errno::NOTEMPTY | Errno::EXIST | Errno::NOTDIR) => {}
            Err(error) => return Err(error.into()),
        }
    }
}

fn enter<P: rustix::path::Arg>(parent: &OwnedFd, name: P) -> Result<OwnedFd, Errno> {
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    let resolve = ResolveFlags::BENEATH | ResolveFlags::NO_SYMLINKS | ResolveFlags::NO_XDEV;
    rustix::fs::openat2(parent, name, flags, Mode::empty(), resolve)
}

/// What is in a folder, at most so many at a time.
fn names(folder: &OwnedFd) -> io::Result<Vec<(CString, FileType)>> {
    let mut all = Vec::new();
    for entry in Dir::read_from(folder)? {
        let entry = entry?;
        let name = entry.file_name();
        if matches!(name.to_bytes(), b"." | b"..") {
            continue;
        }
        let r#type = match entry.file_type() {
            FileType::Unknown => {
                let stat = rustix::fs::statat(folder, name, AtFlags::SYMLINK_NOFOLLOW)?;
                FileType::from_raw_mode(stat.st_mode)
            }
            known => known,
        };
        all.push((name.to_owned(), r#type));
        if all.len() >= REMOVED_AT_A_TIME {
            break;
        }
    }
    Ok(all)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::volumes::scratch::Scratch;
    use std::fs;
    use std::os::unix::fs::symlink;

    #[test]
    fn all_goes_and_nothing_else() {
        let scratch = Scratch::new();
        let base = scratch.path();
        let pod = base.join("pods/uid");
        fs::create_dir_all(pod.join("a/b/c/d")).expect("folders");
        fs::create_dir_all(pod.join("a/x/c/d")).expect("folders");
        fs::create_dir_all(pod.join(".removed-0/in the way")).expect("folders");
        fs::write(pod.join(".removed-1"), "in the way").expect("a file");
        fs::write(pod.join("a/b/c/file"), "x").expect("a file");
        fs::create_dir_all(base.join("kept/deep")).expect("folders");
        fs::write(base.join("kept/deep/file"), "x").expect("a file");
        symlink(base.join("kept"), pod.join("a/link")).expect("a link");
        symlink("/", pod.join("root")).expect("a link");
        for number in 0..REMOVED_AT_A_TIME + 10 {
            fs::write(pod.join(format!("a/b/{number}")), "").expect("a file");
        }
        tree(&base.join("pods"), "uid").expect("it is ours");
        assert!(!pod.exists());
        assert!(base.join("kept/deep/file").exists(), "links are not followed");
        tree(&base.join("pods"), "uid").expect("it is gone already");
        tree(&base.join("none"), "uid").expect("it has never been");
        symlink(base.join("kept"), base.join("pods/linked")).expect("a link");
        tree(&base.join("pods"), "linked").expect("the link goes");
        assert!(base.join("kept/deep").exists() && !base.join("pods/linked").exists());
        for bad in ["", ".", "..", "a/b"] {
            assert!(tree(base, bad).is_err(), "{bad:?}");
        }
    }

    #[test]
    fn depth_costs_nothing() {
        let scratch = Scratch::new();
        let root = scratch.path().join("pods/uid");
        fs::create_dir_all(&root).expect("folders");
        let mut folder =
            rustix::fs::open(&root, OFlags::PATH | OFlags::DIRECTORY, Mode::empty()).expect("it is there");
        // Deeper than any path can name, and than there may be open files.
        for _ in 0..2500 {
            rustix::fs::mkdirat(&folder, "d", Mode::RWXU).expect("a folder");
            let flags = OFlags::PATH | OFlags::DIRECTORY;
            folder = rustix::fs::openat(&folder, "d", flags, Mode::empty()).expect("it is there");
        }
        drop(folder);
        tree(&scratch.path().join("pods"), "uid").expect("it is ours");
        assert!(!root.exists());
    }
}

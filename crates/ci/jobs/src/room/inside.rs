//! Files of a job's root, read and written from outside as if its root were ours: no link of the job's leads out.

use std::ffi::OsStr;
use std::fs::{self, File};
use std::io::{self, Read, Write};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::path::{Component, Path, PathBuf};

use rustix::fs::{
    AtFlags, Dir, FileType, Mode, OFlags, ResolveFlags, Stat, fchmod, mkdirat, openat2, statat, symlinkat,
};
use rustix::io::Errno;

use crate::limits::MAX_DEPTH;

/// How names are resolved: links are the job's.
const RESOLVE: ResolveFlags = ResolveFlags::IN_ROOT.union(ResolveFlags::NO_MAGICLINKS);

/// The root of a running job. All of its calls block for as long as the disk does.
#[derive(Debug)]
pub(crate) struct Inside {
    root: OwnedFd,
}

/// What is found below a folder.
#[derive(Clone, Debug)]
pub(crate) struct Found {
    /// Relative to where the walk began.
    pub(crate) path: PathBuf,
    pub(crate) kind: FileType,
    pub(crate) stat: Stat,
}

impl Inside {
    /// What a process of the job sees as its root.
    pub(crate) fn of(pid: u32) -> io::Result<Inside> {
        let root = rustix::fs::open(
            format!("/proc/{pid}/root"),
            OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC,
            Mode::empty(),
        )?;
        Ok(Inside { root })
    }

    fn open(&self, path: &Path, flags: OFlags, mode: Mode) -> io::Result<OwnedFd> {
        Ok(openat2(&self.root, path, flags | OFlags::CLOEXEC, mode, RESOLVE)?)
    }

    /// A folder that exists.
    pub(crate) fn folder(&self, path: &Path) -> io::Result<OwnedFd> {
        self.open(path, OFlags::RDONLY | OFlags::DIRECTORY, Mode::empty())
    }

    /// A folder, made with all above it where it is missing.
    pub(crate) fn make(&self, path: &Path) -> io::Result<OwnedFd> {
        match self.folder(path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            other => return other,
        }
        let (Some(parent), Some(name)) = (path.parent(), path.file_name()) else {
            return Err(io::Error::from(io::ErrorKind::InvalidInput));
        };
        let above = self.make(parent)?;
        match mkdirat(&above, name, Mode::from_raw_mode(0o755)) {
            Ok(()) | Err(Errno::EXIST) => {}
            Err(error) => return Err(error.into()),
        }
        self.folder(path)
    }

    /// Replaces a file's content; folders above it are made.
    pub(crate) fn write(&self, path: &Path, bytes: &[u8], mode: u32) -> io::Result<()> {
        self.create(path, mode)?.write_all(bytes)
    }

    /// An empty file to write to; folders above it are made.
    pub(crate) fn create(&self, path: &Path, mode: u32) -> io::Result<File> {
        let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::TRUNC | OFlags::NONBLOCK | OFlags::NOCTTY;
        let permissions = Mode::from_raw_mode(mode);
        let made = self.open(path, flags, permissions).or_else(|error| {
            if error.kind() != io::ErrorKind::NotFound {
                return Err(error);
            }
            self.make(path.parent().unwrap_or(Path::new("/")))?;
            self.open(path, flags, permissions)
        })?;
        fchmod(&made, permissions)?;
        Ok(File::from(made))
    }

    /// A link in the place of whatever file is there; folders above it are made.
    pub(crate) fn link(&self, to: &Path, at: &Path) -> io::Result<()> {
        let (Some(parent), Some(name)) = (at.parent(), at.file_name()) else {
            return Err(io::Error::from(io::ErrorKind::InvalidInput));
        };
        let above = self.make(parent)?;
        match symlinkat(to, &above, name) {
            Err(Errno::EXIST) => {
                rustix::fs::unlinkat(&above, name, AtFlags::empty())?;
                Ok(symlinkat(to, &above, name)?)
            }
            other => Ok(other?),
        }
    }

    /// A plain file to read; anything else is an error, so that no pipe makes us wait.
    pub(crate) fn file(&self, path: &Path) -> io::Result<File> {
        let flags = OFlags::RDONLY | OFlags::NONBLOCK | OFlags::NOCTTY;
        plain(self.open(path, flags, Mode::empty())?)
    }

    /// At most so many bytes of a file.
    pub(crate) fn read(&self, path: &Path, max: u64) -> io::Result<Vec<u8>> {
        let mut bytes = Vec::new();
        self.file(path)?.take(max).read_to_end(&mut bytes)?;
        Ok(bytes)
    }

    /// What a name stands for, links followed.
    pub(crate) fn stat(&self, path: &Path) -> io::Result<Stat> {
        Ok(rustix::fs::fstat(self.open(
            path,
            OFlags::PATH,
            Mode::empty(),
        )?)?)
    }

    /// Removes a file, if it is there.
    pub(crate) fn remove(&self, path: &Path) -> io::Result<()> {
        let (Some(parent), Some(name)) = (path.parent(), path.file_name()) else {
            return Err(io::Error::from(io::ErrorKind::InvalidInput));
        };
        match self
            .folder(parent)
            .map(|above| rustix::fs::unlinkat(above, name, AtFlags::empty()))
        {
            Ok(Ok(()) | Err(Errno::NOENT)) => Ok(()),
            Ok(Err(error)) => Err(error.into()),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
            Err(error) => Err(error),
        }
    }
}

fn plain(fd: OwnedFd) -> io::Result<File> {
    let file = File::from(fd);
    if file.metadata()?.is_file() {
        Ok(file)
    } else {
        Err(io::Error::new(io::ErrorKind::InvalidInput, "not a plain file"))
    }
}

/// Visits all that is below a folder, in the order of names, folders before what they hold. Links are not followed.
/// `visit` says whether a folder is entered.
pub(crate) fn walk(
    folder: BorrowedFd<'_>,
    visit: &mut dyn FnMut(&Found, BorrowedFd<'_>, &OsStr) -> io::Result<bool>,
) -> io::Result<()> {
    walk_in(folder, Path::new(""), 0, visit)
}

fn walk_in(
    folder: BorrowedFd<'_>,
    at: &Path,
    depth: usize,
    visit: &mut dyn FnMut(&Found, BorrowedFd<'_>, &OsStr) -> io::Result<bool>,
) -> io::Result<()> {
    if depth > MAX_DEPTH {
        return Err(io::Error::other(format!("{} is nested too deep", at.display())));
    }
    for name in names(folder)? {
        // Somebody may remove it meanwhile.
        let Ok(stat) = statat(folder, &name, AtFlags::SYMLINK_NOFOLLOW) else {
            continue;
        };
        let found = Found {
            path: at.join(&name),
            kind: FileType::from_raw_mode(stat.st_mode),
            stat,
        };
        if visit(&found, folder, &name)? && found.kind.is_dir() {
            let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
            let Ok(inner) = rustix::fs::openat(folder, &name, flags, Mode::empty()) else {
                continue;
            };
            walk_in(inner.as_fd(), &found.path, depth + 1, visit)?;
        }
    }
    Ok(())
}

fn names(folder: BorrowedFd<'_>) -> io::Result<Vec<std::ffi::OsString>> {
    use std::os::unix::ffi::OsStrExt;
    let mut names = Vec::new();
    for entry in Dir::read_from(folder)? {
        let entry = entry?;
        let name = OsStr::from_bytes(entry.file_name().to_bytes());
        if name != "." && name != ".." {
            names.push(name.to_owned());
        }
    }
    names.sort();
    Ok(names)
}

/// A file of a walk, opened for reading.
pub(crate) fn open_found(folder: BorrowedFd<'_>, name: &OsStr) -> io::Result<File> {
    let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::CLOEXEC;
    plain(rustix::fs::openat(folder, name, flags, Mode::empty())?)
}

/// A path as the job writes it, from a folder of the job: absolute, `~/` is `home`, `.` and `..` taken out.
pub(crate) fn absolute(path: &str, from: &Path, home: &str) -> PathBuf {
    let path = match path.strip_prefix('~') {
        Some(rest) if rest.is_empty() || rest.starts_with('/') => format!("{home}{rest}"),
        _ => path.to_owned(),
    };
    let mut clean = PathBuf::from("/");
    for part in from.join(path).components() {
        match part {
            Component::Normal(name) => clean.push(name),
            Component::ParentDir => {
                clean.pop();
            }
            _ => {}
        }
    }
    clean
}

/// Bytes that the files below a folder take on the disk. What cannot be read takes none.
pub(crate) fn used_bytes(folder: &Path) -> u64 {
    let Ok(folder) = fs::File::open(folder) else {
        return 0;
    };
    let mut sum = 0_u64;
    // A walk that fails half way has counted what it could.
    let _ = walk(folder.as_fd(), &mut |found, _, _| {
        sum = sum.saturating_add(
            u64::try_from(found.stat.st_blocks)
                .unwrap_or(0)
                .saturating_mul(512),
        );
        Ok(true)
    });
    sum
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_are_the_jobs() {
        let from = Path::new("/w");
        assert_eq!(absolute("a/../b", from, "/root"), Path::new("/w/b"));
        assert_eq!(absolute("~/.cache", from, "/root"), Path::new("/root/.cache"));
        assert_eq!(absolute("~x", from, "/root"), Path::new("/w/~x"));
        assert_eq!(absolute("../../../x", from, "/root"), Path::new("/x"));
        assert_eq!(absolute("/a//b/.", from, "/root"), Path::new("/a/b"));
    }
}

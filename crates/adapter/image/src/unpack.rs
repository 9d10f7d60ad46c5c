//! A layer's tar becomes a folder that overlayfs can take as a lower one.
//!
//! Names are resolved by the kernel inside the folder (`RESOLVE_IN_ROOT`): no `..`, absolute link or link that changes
//! meanwhile leads out of it. Whiteouts become what overlayfs takes for them (overlayfs.rst, "whiteouts and opaque
//! directories").

use std::ffi::{OsStr, OsString};
use std::io::{self, Read, Write};
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

use rustix::fs::{AtFlags, FileType, Gid, Mode, OFlags, ResolveFlags, Timespec, Timestamps, Uid, XattrFlags};
use rustix::io::Errno;

use crate::decode::decoded;
use crate::limits;
use crate::pack::{OPAQUE_ATTRIBUTE, OPAQUE_MARK, WHITEOUT_PREFIX, travels};
use crate::tar::{Entry, Kind, Reader, TarError};

/// Why a layer was not unpacked.
#[derive(Debug, thiserror::Error)]
pub enum UnpackError {
    /// It is no tar.
    #[error(transparent)]
    Tar(#[from] TarError),
    /// An entry whose name leads out of the layer or is no name.
    #[error("the layer has an entry with the forbidden name {name:?}")]
    Name {
        /// The name as it stands in the tar.
        name: String,
    },
    /// More than a layer may be.
    #[error("the layer unpacks to more than {most} bytes")]
    Size {
        /// The bound.
        most: u64,
    },
    /// The disk has no room.
    #[error("no space left on the disk of the image store")]
    DiskFull,
    /// Devices, owners and trusted attributes need root.
    #[error("cannot write {name:?} of the layer as this user: unpacking images needs root")]
    Denied {
        /// The entry.
        name: String,
    },
    /// The operating system refused an entry.
    #[error("cannot write {name:?} of the layer")]
    Write {
        /// The entry.
        name: String,
        /// Why.
        #[source]
        source: io::Error,
    },
}

/// What came out of a layer.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Unpacked {
    /// Bytes of all files.
    pub bytes: u64,
    /// Entries of the tar.
    pub entries: u64,
}

/// Unpacks a tar into the folder, which is empty.
pub fn unpack<R: Read>(folder: &Path, tar: R) -> Result<Unpacked, UnpackError> {
    let root = rustix::fs::open(folder, OFlags::DIRECTORY | OFlags::CLOEXEC, Mode::empty())
        .map_err(|error| failed(b".", error))?;
    let mut reader = Reader::new(tar);
    let depth = depth(root.as_fd()).map_err(|error| failed(b".", error))?;
    let mut unpacker = Unpacker {
        root,
        depth,
        times: Vec::new(),
        done: Unpacked::default(),
        buffer: vec![0; limits::COPY_BYTES],
    };
    while let Some(entry) = reader.next_entry()? {
        unpacker.entry(&entry, &mut reader)?;
    }
    unpacker.finish()
}

/// Unpacks an archive (a tar, plain or packed with gzip or zstd) into a folder that may hold something already: files
/// are replaced, folders stay. No name and no link of the archive leads out of the folder.
pub fn unpack_archive(folder: &Path, bytes: &mut dyn Read) -> Result<Unpacked, UnpackError> {
    let plain = decoded(bytes).map_err(|error| TarError::Read(io::Error::other(error.to_string())))?;
    unpack(folder, plain)
}

struct Unpacker {
    root: OwnedFd,
    /// How deep the root itself lies.
    depth: usize,
    /// Times of folders, set at the end: every entry inside changes them.
    times: Vec<(PathBuf, Timestamps)>,
    done: Unpacked,
    buffer: Vec<u8>,
}

impl Unpacker {
    fn entry<R: Read>(&mut self, entry: &Entry, bytes: &mut Reader<R>) -> Result<(), UnpackError> {
        self.done.entries += 1;
        let path = clean(&entry.path)?;
        let Some(name) = path.file_name() else {
            // The root of the layer: it has an owner and a mode, no content.
            return match entry.kind {
                Kind::Directory => self.root_folder(entry),
                _ => Err(bad_name(&entry.path)),
            };
        };
        let parent_path = path.parent().unwrap_or(Path::new(""));
        let error = |errno: Errno| failed(&entry.path, errno);
        let parent = self.folder(parent_path).map_err(error)?;
        if name.as_bytes().starts_with(WHITEOUT_PREFIX.as_bytes()) {
            return whiteout(parent.as_fd(), name, &entry.path);
        }
        let covers = make_room(parent.as_fd(), name, entry.kind == Kind::Directory).map_err(error)?;
        match entry.kind {
            Kind::File => self.file(entry, parent.as_fd(), name, bytes)?,
            Kind::Directory => {
                self.bounded(parent.as_fd()).map_err(error)?;
                match rustix::fs::mkdirat(&parent, name, Mode::from_raw_mode(0o700)) {
                    Ok(()) | Err(Errno::EXIST) => {}
                    Err(errno) => return Err(error(errno)),
                }
                if covers {
                    set_opaque(parent.as_fd(), name).map_err(error)?;
                }
            }
            Kind::Symlink => {
                if entry.target.is_empty() {
                    return Err(bad_name(&entry.path));
                }
                rustix::fs::symlinkat(OsStr::from_bytes(&entry.target), &parent, name).map_err(error)?;
            }
            Kind::Link => return self.link(entry, parent.as_fd(), name),
            Kind::Character | Kind::Block | Kind::Fifo => {
                let kind = match entry.kind {
                    Kind::Character => FileType::CharacterDevice,
                    Kind::Block => FileType::BlockDevice,
                    _ => FileType::Fifo,
                };
                let device = rustix::fs::makedev(entry.device.0, entry.device.1);
                rustix::fs::mknodat(&parent, name, kind, Mode::from_raw_mode(0o600), device)
                    .map_err(error)?;
            }
        }
        dress(parent.as_fd(), name, entry).map_err(error)?;
        let times = times_of(entry);
        if entry.kind == Kind::Directory {
            self.times.push((path, times));
            return Ok(());
        }
        rustix::fs::utimensat(&parent, name, &times, AtFlags::SYMLINK_NOFOLLOW).map_err(error)
    }

    fn root_folder(&mut self, entry: &Entry) -> Result<(), UnpackError> {
        let error = |errno: Errno| failed(&entry.path, errno);
        own(self.root.as_fd(), OsStr::new("."), entry).map_err(error)?;
        rustix::fs::fchmod(&self.root, Mode::from_raw_mode(entry.mode)).map_err(error)?;
        self.times.push((PathBuf::new(), times_of(entry)));
        Ok(())
    }

    fn file<R: Read>(
        &mut self,
        entry: &Entry,
        parent: BorrowedFd<'_>,
        name: &OsStr,
        bytes: &mut Reader<R>,
    ) -> Result<(), UnpackError> {
        if entry.size > limits::LAYER_BYTES_MAX - self.done.bytes {
            return Err(UnpackError::Size {
                most: limits::LAYER_BYTES_MAX,
            });
        }
        let flags = OFlags::CREATE | OFlags::EXCL | OFlags::WRONLY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let file = rustix::fs::openat(parent, name, flags, Mode::from_raw_mode(0o600))
            .map_err(|errno| failed(&entry.path, errno))?;
        let mut file = std::fs::File::from(file);
        loop {
            let count = match bytes.read(&mut self.buffer) {
                Ok(0) => break,
                Ok(count) => count,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => {
                    return Err(TarError::Truncated.into());
                }
                Err(error) => return Err(TarError::Read(error).into()),
            };
            file.write_all(&self.buffer[..count])
                .map_err(|error| from_io(&entry.path, error))?;
        }
        self.done.bytes += entry.size;
        Ok(())
    }

    fn link(&self, entry: &Entry, parent: BorrowedFd<'_>, name: &OsStr) -> Result<(), UnpackError> {
        let target = clean(&entry.target)?;
        let Some(target_name) = target.file_name() else {
            return Err(bad_name(&entry.target));
        };
        let error = |errno: Errno| failed(&entry.path, errno);
        let target_parent = self
            .open(target.parent().unwrap_or(Path::new("")))
            .map_err(error)?;
        // Without AT_SYMLINK_FOLLOW a link to a symlink is a link to the symlink itself.
        rustix::fs::linkat(&target_parent, target_name, parent, name, AtFlags::empty()).map_err(error)
    }

    /// A folder inside the layer, resolved by the kernel.
    fn open(&self, path: &Path) -> Result<OwnedFd, Errno> {
        let path = if path.as_os_str().is_empty() {
            Path::new(".")
        } else {
            path
        };
        let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC;
        let resolve = ResolveFlags::IN_ROOT | ResolveFlags::NO_MAGICLINKS;
        loop {
            match rustix::fs::openat2(&self.root, path, flags, Mode::empty(), resolve) {
                // The kernel saw a rename meanwhile (openat2(2)).
                Err(Errno::AGAIN | Errno::INTR) => {}
                outcome => return outcome,
            }
        }
    }

    /// The same, with the folders that the tar left out made as docker makes them: root's, mode 0755.
    fn folder(&self, path: &Path) -> Result<OwnedFd, Errno> {
        match self.open(path) {
            Err(Errno::NOENT | Errno::NOTDIR) => {}
            outcome => return outcome,
        }
        let mut walked = PathBuf::new();
        for part in path.components() {
            let parent = self.open(&walked)?;
            walked.push(part);
            match self.open(&walked) {
                Ok(_) => continue,
                Err(Errno::NOENT | Errno::NOTDIR) => {}
                Err(errno) => return Err(errno),
            }
            let name = part.as_os_str();
            self.bounded(parent.as_fd())?;
            let covers = make_room(parent.as_fd(), name, true)?;
            rustix::fs::mkdirat(&parent, name, Mode::from_raw_mode(0o755))?;
            rustix::fs::chmodat(&parent, name, Mode::from_raw_mode(0o755), AtFlags::empty())?;
            if covers {
                set_opaque(parent.as_fd(), name)?;
            }
        }
        self.open(path)
    }

    /// Refuses a folder below one that lies as deep as may be. Names are short, but a link leads from one deep folder
    /// to the next, and nobody could remove what came of it.
    fn bounded(&self, parent: BorrowedFd<'_>) -> Result<(), Errno> {
        if depth(parent)?.saturating_sub(self.depth) < limits::PATH_DEPTH_MAX {
            Ok(())
        } else {
            Err(Errno::NAMETOOLONG)
        }
    }

    fn finish(self) -> Result<Unpacked, UnpackError> {
        for (path, times) in self.times.iter().rev() {
            let outcome = match path.file_name() {
                None => rustix::fs::futimens(&self.root, times),
                // A later entry may have put something else there; its times were set already.
                Some(name) => match self.open(path.parent().unwrap_or(Path::new(""))) {
                    Ok(parent) => rustix::fs::utimensat(&parent, name, times, AtFlags::SYMLINK_NOFOLLOW),
                    Err(errno) => Err(errno),
                },
            };
            match outcome {
                Ok(()) | Err(Errno::NOENT | Errno::NOTDIR) => {}
                Err(errno) => return Err(failed(path.as_os_str().as_bytes(), errno)),
            }
        }
        // One flush of the file system instead of one per file: a layer counts only once it is on the disk.
        rustix::fs::syncfs(&self.root).map_err(|errno| failed(b".", errno))?;
        Ok(self.done)
    }
}

/// A name of the tar as a path below the root: no leading slash, no `.`, never `..`.
fn clean(name: &[u8]) -> Result<PathBuf, UnpackError> {
    if name.len() > limits::PATH_BYTES_MAX || name.contains(&0) {
        return Err(bad_name(name));
    }
    let mut path = PathBuf::new();
    let mut depth = 0;
    for part in name.split(|&b| b == b'/') {
        match part {
            b"" | b"." => {}
            b".." => return Err(bad_name(name)),
            part => {
                depth += 1;
                path.push(OsStr::from_bytes(part));
            }
        }
    }
    if depth > limits::PATH_DEPTH_MAX {
        return Err(bad_name(name));
    }
    Ok(path)
}

/// `.wh.NAME` deletes NAME of the layers below, `.wh..wh..opq` everything in its folder.
fn whiteout(parent: BorrowedFd<'_>, mark: &OsStr, whole: &[u8]) -> Result<(), UnpackError> {
    let error = |errno: Errno| failed(whole, errno);
    if mark == OPAQUE_MARK {
        return set_opaque(parent, OsStr::new(".")).map_err(error);
    }
    let name = OsStr::from_bytes(&mark.as_bytes()[WHITEOUT_PREFIX.len()..]);
    if name.as_bytes().starts_with(b".wh.") {
        // Other marks of aufs, which mean nothing outside it (docker leaves them out, pkg/archive/whiteouts.go).
        return Ok(());
    }
    if name.is_empty() || name == "." || name == ".." {
        return Err(bad_name(whole));
    }
    match rustix::fs::statat(parent, name, AtFlags::SYMLINK_NOFOLLOW) {
        // The layer brings the name itself: what it brings stays, only what is below goes.
        Ok(found) if FileType::from_raw_mode(found.st_mode) == FileType::Directory => {
            set_opaque(parent, name).map_err(error)
        }
        Ok(_) => Ok(()),
        Err(Errno::NOENT) => {
            let mode = Mode::from_raw_mode(0);
            rustix::fs::mknodat(parent, name, FileType::CharacterDevice, mode, 0).map_err(error)
        }
        Err(errno) => Err(error(errno)),
    }
}

/// Removes what an earlier entry put there, but a folder where a folder comes. Says whether that was a whiteout: a
/// folder in its place must hide the one below.
fn make_room(parent: BorrowedFd<'_>, name: &OsStr, for_folder: bool) -> Result<bool, Errno> {
    let found = match rustix::fs::statat(parent, name, AtFlags::SYMLINK_NOFOLLOW) {
        Ok(found) => found,
        Err(Errno::NOENT) => return Ok(false),
        Err(errno) => return Err(errno),
    };
    match FileType::from_raw_mode(found.st_mode) {
        FileType::Directory if for_folder => Ok(false),
        FileType::Directory => remove_tree(parent, name).map(|()| false),
        kind => {
            rustix::fs::unlinkat(parent, name, AtFlags::empty())?;
            Ok(for_folder && kind == FileType::CharacterDevice && found.st_rdev == 0)
        }
    }
}

/// Removes a folder and all in it, without following anything. Its depth is bounded by that of names.
fn remove_tree(parent: BorrowedFd<'_>, name: &OsStr) -> Result<(), Errno> {
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    let folder = rustix::fs::openat(parent, name, flags, Mode::empty())?;
    let names: Vec<OsString> = rustix::fs::Dir::read_from(&folder)?
        .map(|entry| entry.map(|entry| OsStr::from_bytes(entry.file_name().to_bytes()).to_owned()))
        .collect::<Result<_, _>>()?;
    for child in names {
        if child == "." || child == ".." {
            continue;
        }
        match rustix::fs::unlinkat(&folder, &child, AtFlags::empty()) {
            Err(Errno::ISDIR | Errno::PERM) => remove_tree(folder.as_fd(), &child)?,
            outcome => outcome?,
        }
    }
    rustix::fs::unlinkat(parent, name, AtFlags::REMOVEDIR)
}

/// Owner, attributes and mode, in this order: a change of owner takes the setuid bit and capabilities away.
fn dress(parent: BorrowedFd<'_>, name: &OsStr, entry: &Entry) -> Result<(), Errno> {
    own(parent, name, entry)?;
    if entry.kind != Kind::Symlink {
        rustix::fs::chmodat(parent, name, Mode::from_raw_mode(entry.mode), AtFlags::empty())?;
    }
    for (attribute, value) in entry.attributes.iter().filter(|(name, _)| travels(name)) {
        match rustix::fs::lsetxattr(by_name(parent, name), &**attribute, value, XattrFlags::empty()) {
            // A file system without them, or a symlink, which may have none: docker goes on as well.
            Ok(()) | Err(Errno::OPNOTSUPP) => {}
            Err(Errno::PERM) if entry.kind == Kind::Symlink => {}
            Err(errno) => return Err(errno),
        }
    }
    Ok(())
}

fn own(parent: BorrowedFd<'_>, name: &OsStr, entry: &Entry) -> Result<(), Errno> {
    // 2^32 - 1 means "leave as it is" to the kernel.
    if entry.uid == u32::MAX || entry.gid == u32::MAX {
        return Err(Errno::INVAL);
    }
    let (uid, gid) = (Uid::from_raw(entry.uid), Gid::from_raw(entry.gid));
    rustix::fs::chownat(parent, name, Some(uid), Some(gid), AtFlags::SYMLINK_NOFOLLOW)
}

fn set_opaque(parent: BorrowedFd<'_>, name: &OsStr) -> Result<(), Errno> {
    rustix::fs::lsetxattr(by_name(parent, name), OPAQUE_ATTRIBUTE, b"y", XattrFlags::empty())
}

/// How many names lead to a folder from the root of the machine, by the kernel's own account.
fn depth(folder: BorrowedFd<'_>) -> Result<usize, Errno> {
    let link = by_name(folder, OsStr::new(""));
    let link = link.as_os_str().as_bytes().trim_ascii_end();
    let path = rustix::fs::readlink(link.strip_suffix(b"/").unwrap_or(link), Vec::new())?;
    Ok(path.to_bytes().iter().filter(|&&b| b == b'/').count())
}

/// A path that names an entry of an opened folder, for calls that take no folder: its last part is not followed.
fn by_name(parent: BorrowedFd<'_>, name: &OsStr) -> PathBuf {
    Path::new("/proc/self/fd")
        .join(parent.as_raw_fd().to_string())
        .join(name)
}

fn times_of(entry: &Entry) -> Timestamps {
    let time = Timespec {
        tv_sec: entry.mtime_s,
        tv_nsec: entry.mtime_ns.into(),
    };
    Timestamps {
        last_access: time,
        last_modification: time,
    }
}

fn bad_name(name: &[u8]) -> UnpackError {
    UnpackError::Name { name: shown(name) }
}

fn failed(name: &[u8], errno: Errno) -> UnpackError {
    from_io(name, errno.into())
}

fn from_io(name: &[u8], source: io::Error) -> UnpackError {
    let name = shown(name);
    match source.kind() {
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => UnpackError::DiskFull,
        io::ErrorKind::PermissionDenied => UnpackError::Denied { name },
        _ => UnpackError::Write { name, source },
    }
}

/// A name as it is shown: hostile ones are long and binary.
fn shown(name: &[u8]) -> String {
    String::from_utf8_lossy(&name[..name.len().min(200)]).into_owned()
}

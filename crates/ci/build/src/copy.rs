//! COPY and ADD, carried out on a mounted root.

use deploy_model::with_causes;
use std::collections::HashMap;
use std::ffi::OsStr;
use std::fs::{self, File, Metadata};
use std::io::{self, Read, Seek};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{FileTypeExt, MetadataExt, PermissionsExt, symlink};
use std::path::{Path, PathBuf};

use deploy_dockerfile::{Copy, Ignore};
use deploy_image::unpack_archive;
use rustix::fs::{AtFlags, CWD, FileType, Mode, Timespec, Timestamps, XattrFlags};
use rustix::io::Errno;

use crate::error::StepError;
use crate::mode::Modes;
use crate::source::{Entry, Source, StepErrorSource, Tree, joined, resolve};

/// What is copied is given to whom, with which permissions.
#[derive(Clone, Debug, Default)]
pub struct Dress {
    /// User and group; none keeps those of the source.
    pub owner: Option<(u32, u32)>,
    /// Permissions; none keeps those of the source.
    pub modes: Option<Modes>,
}

/// Carries a COPY or ADD out: `root` is the tree that is written, `epoch_s` the time of files that stand in the
/// Dockerfile.
pub fn copy(
    root: &Path,
    step: &Copy,
    tree: &Tree<'_>,
    sources: &[Source],
    dress: &Dress,
    scratch: &Path,
    now_s: i64,
) -> Result<(), StepError> {
    if step.checksum.is_some() {
        return Err(StepError::new("checksum can't be specified for non-HTTP sources")
            .hint("--checksum is for what ADD fetches; files of the context are what they are"));
    }
    // As the kernel names it: a link may lead to the store.
    let root = &resolve(root, "").map_err(|errno| StepError::file("open", root, errno))?;
    let mut copier = Copier {
        root,
        dress,
        exclude: Ignore::of(&step.exclude).map_err(|problem| StepError::new(problem.message))?,
        links: HashMap::new(),
    };
    let several = sources.len() + step.files.len() > 1;
    for source in sources {
        if step.parents {
            copier.with_parents(step, tree, source)?;
        } else if source.folder {
            copier.contents(tree, source, &step.destination)?;
        } else if step.unpack && is_archive(&source.real)? {
            copier.unpack(source, step, scratch)?;
        } else {
            copier.one_file(tree, source, step, several)?;
        }
    }
    for file in &step.files {
        let target = copier.place(step, &file.name, several)?;
        copier.free(&target)?;
        fs::write(&target, &file.content).map_err(|error| StepError::file("write", &file.name, error))?;
        let mode = dress
            .modes
            .as_ref()
            .map_or(0o644, |modes| modes.apply(0o644, false));
        copier.finish(&target, dress.owner.unwrap_or((0, 0)), Some(mode), (now_s, 0))?;
    }
    Ok(())
}

/// Makes a folder and those above it, as WORKDIR does.
pub fn folder(root: &Path, path: &str, owner: (u32, u32)) -> Result<(), StepError> {
    let dress = Dress {
        owner: Some(owner),
        modes: None,
    };
    let copier = Copier {
        root,
        dress: &dress,
        exclude: Ignore::default(),
        links: HashMap::new(),
    };
    copier.folder(path).map(drop)
}

struct Copier<'a> {
    root: &'a Path,
    dress: &'a Dress,
    exclude: Ignore,
    /// Files with several names, and where the first one came to.
    links: HashMap<(u64, u64), PathBuf>,
}

impl Copier<'_> {
    /// Where an absolute path of the image is, with the folders that are missing made.
    fn folder(&self, path: &str) -> Result<PathBuf, StepError> {
        let failed = |error: &dyn std::fmt::Display| StepError::file("make the folder", path, error);
        let clean = path.trim_matches('/');
        match resolve(self.root, clean) {
            Ok(real) if real.is_dir() => return Ok(real),
            Ok(_) => return Err(StepError::new(format!("{path} is there and is no folder"))),
            Err(Errno::NOENT) => {}
            Err(errno) => return Err(failed(&errno)),
        }
        let (parent, name) = clean.rsplit_once('/').unwrap_or(("", clean));
        let parent = self.folder(parent)?;
        let made = parent.join(name);
        match fs::create_dir(&made) {
            Ok(()) => {}
            // A link that leads nowhere: what it names is made.
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
                let target = fs::read_link(&made).map_err(|error| failed(&error))?;
                let above = clean.rsplit_once('/').map_or("", |(above, _)| above);
                let target = target.to_string_lossy();
                let target = if target.starts_with('/') {
                    target.into_owned()
                } else {
                    format!("{above}/{target}")
                };
                return self.followed(&target, path);
            }
            Err(error) => return Err(failed(&error)),
        }
        let (uid, gid) = self.dress.owner.unwrap_or((0, 0));
        std::os::unix::fs::lchown(&made, Some(uid), Some(gid))
            .and_then(|()| fs::set_permissions(&made, fs::Permissions::from_mode(0o755)))
            .map_err(|error| failed(&error))?;
        Ok(made)
    }

    /// One link further; a second one that leads nowhere is refused.
    fn followed(&self, target: &str, path: &str) -> Result<PathBuf, StepError> {
        let clean = crate::source::clean(target);
        let real = self.root.join(&clean);
        if fs::symlink_metadata(&real).is_ok_and(|data| data.is_symlink()) {
            return Err(StepError::new(format!("{path} is a link that leads nowhere")));
        }
        self.folder(&clean)
    }

    /// Where a file is to stand: in the destination if that is a folder, else as the destination.
    fn place(&self, step: &Copy, name: &str, several: bool) -> Result<PathBuf, StepError> {
        let is_folder =
            || resolve(self.root, step.destination.trim_matches('/')).is_ok_and(|real| real.is_dir());
        if step.into || several || is_folder() {
            return Ok(self.folder(&step.destination)?.join(name));
        }
        let (parent, name) = step
            .destination
            .rsplit_once('/')
            .unwrap_or(("", &step.destination));
        if let Ok(real) = resolve(self.root, step.destination.trim_matches('/')) {
            return Ok(real);
        }
        Ok(self.folder(parent)?.join(name))
    }

    fn one_file(
        &mut self,
        tree: &Tree<'_>,
        source: &Source,
        step: &Copy,
        several: bool,
    ) -> Result<(), StepError> {
        let name = source.path.rsplit('/').next().unwrap_or_default();
        if self.exclude.ignores(name) || self.exclude.ignores(&source.path) {
            return Ok(());
        }
        let target = self.place(step, name, several)?;
        self.tree(tree, source, &target)
    }

    /// A folder's content goes into the destination, which takes over the folder's permissions if it is new.
    fn contents(&mut self, tree: &Tree<'_>, source: &Source, destination: &str) -> Result<(), StepError> {
        let there = resolve(self.root, destination.trim_matches('/')).is_ok();
        let target = self.folder(destination)?;
        self.tree(tree, source, &target)?;
        if !there {
            let data =
                fs::metadata(&source.real).map_err(|error| StepError::file("read", &source.real, error))?;
            self.dress(&target, &data)?;
        }
        Ok(())
    }

    /// `--parents`: the source's own path is kept below the destination, from `/./` on.
    fn with_parents(&mut self, step: &Copy, tree: &Tree<'_>, source: &Source) -> Result<(), StepError> {
        let pivot = step
            .sources
            .iter()
            .filter_map(|text| text.find("/./").map(|at| crate::source::clean(&text[..at])))
            .find(|pivot| source.path == *pivot || source.path.starts_with(&format!("{pivot}/")));
        let skipped = pivot.map_or(0, |pivot| pivot.len() + usize::from(!pivot.is_empty()));
        let kept = source.path.get(skipped..).unwrap_or_default();
        let above = if source.folder {
            kept
        } else {
            kept.rsplit_once('/').map_or("", |(above, _)| above)
        };
        let mut path = String::new();
        for part in above.split('/').filter(|part| !part.is_empty()) {
            path = joined(&path, part);
            let target = format!("{}/{path}", step.destination.trim_end_matches('/'));
            let there = resolve(self.root, target.trim_matches('/')).is_ok();
            let made = self.folder(&target)?;
            let origin = tree.root.join(&source.path[..skipped]).join(&path);
            if let (false, Ok(data)) = (there, fs::symlink_metadata(origin)) {
                self.dress(&made, &data)?;
            }
        }
        let target = self.folder(&format!("{}/{above}", step.destination.trim_end_matches('/')))?;
        if source.folder {
            return self.tree(tree, source, &target);
        }
        let name = source.path.rsplit('/').next().unwrap_or_default();
        if self.exclude.ignores(name) || self.exclude.ignores(&source.path) {
            return Ok(());
        }
        self.tree(tree, source, &target.join(name))
    }

    /// Copies a file to `target`, or what is in a folder into it.
    fn tree(&mut self, tree: &Tree<'_>, source: &Source, target: &Path) -> Result<(), StepError> {
        let mut folders = Vec::new();
        let mut visit = |entry: Entry<'_>| {
            if !entry.path.is_empty() && self.exclude.ignores(entry.path) {
                return Ok(self.exclude.has_exceptions());
            }
            let place = if entry.path.is_empty() {
                target.to_owned()
            } else {
                target.join(entry.path)
            };
            if entry.data.is_dir() {
                if self.new_folder(&place, entry).map_err(StepErrorSource::Step)? {
                    folders.push((place, entry.data.clone()));
                }
            } else {
                self.file(&place, entry).map_err(StepErrorSource::Step)?;
            }
            Ok(true)
        };
        tree.walk(source, &mut visit)?;
        // What is put into a folder changes its time.
        for (place, data) in folders.into_iter().rev() {
            self.dress(&place, &data)?;
        }
        Ok(())
    }

    /// Makes a folder; one that is there stays as it is.
    fn new_folder(&self, place: &Path, entry: Entry<'_>) -> Result<bool, StepError> {
        match fs::create_dir(place) {
            Ok(()) => {
                attributes(entry.real, place)?;
                Ok(true)
            }
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
                // A link to a folder is followed only inside the image.
                let name = place.strip_prefix(self.root).unwrap_or(place);
                match resolve(self.root, &name.to_string_lossy()) {
                    Ok(real) if real.is_dir() && real == *place => Ok(false),
                    _ => Err(StepError::new(format!(
                        "cannot copy the folder {} over what is no folder",
                        entry.path
                    ))),
                }
            }
            Err(error) => Err(StepError::file("make", entry.path, error)),
        }
    }

    /// Makes room for a file.
    fn free(&self, place: &Path) -> Result<(), StepError> {
        match fs::symlink_metadata(place) {
            Ok(data) if data.is_dir() => Err(StepError::new(format!(
                "cannot copy a file over the folder /{}",
                place.strip_prefix(self.root).unwrap_or(place).display()
            ))),
            Ok(_) => fs::remove_file(place).map_err(|error| StepError::file("replace", place, error)),
            Err(_) => Ok(()),
        }
    }

    fn file(&mut self, place: &Path, entry: Entry<'_>) -> Result<(), StepError> {
        let failed = |error: io::Error| StepError::file("copy", entry.real, error);
        self.free(place)?;
        let data = entry.data;
        let kind = data.file_type();
        let identity = (data.dev(), data.ino());
        if data.nlink() > 1
            && let Some(first) = self.links.get(&identity)
        {
            return fs::hard_link(first, place).map_err(failed);
        }
        if kind.is_symlink() {
            symlink(fs::read_link(entry.real).map_err(failed)?, place).map_err(failed)?;
        } else if kind.is_file() {
            fs::copy(entry.real, place).map_err(failed)?;
        } else if kind.is_socket() {
            return Ok(());
        } else {
            let what = if kind.is_fifo() {
                FileType::Fifo
            } else if kind.is_block_device() {
                FileType::BlockDevice
            } else {
                FileType::CharacterDevice
            };
            rustix::fs::mknodat(CWD, place, what, Mode::from_raw_mode(0o600), data.rdev())
                .map_err(|errno| failed(errno.into()))?;
        }
        if data.nlink() > 1 {
            self.links.insert(identity, place.to_owned());
        }
        self.dress(place, data)?;
        attributes(entry.real, place)
    }

    /// Owner, permissions and time, in this order: a change of owner takes the setuid bit away.
    fn dress(&self, place: &Path, data: &Metadata) -> Result<(), StepError> {
        let owner = self.dress.owner.unwrap_or((data.uid(), data.gid()));
        let mode = data.mode() & 0o7777;
        let mode = match &self.dress.modes {
            Some(modes) => modes.apply(mode, data.is_dir()),
            None => mode,
        };
        let mode = (!data.is_symlink()).then_some(mode);
        self.finish(place, owner, mode, (data.mtime(), data.mtime_nsec()))
    }

    fn finish(
        &self,
        place: &Path,
        owner: (u32, u32),
        mode: Option<u32>,
        time: (i64, i64),
    ) -> Result<(), StepError> {
        let failed = |error: io::Error| StepError::file("finish", place, error);
        std::os::unix::fs::lchown(place, Some(owner.0), Some(owner.1)).map_err(failed)?;
        if let Some(mode) = mode {
            fs::set_permissions(place, fs::Permissions::from_mode(mode)).map_err(failed)?;
        }
        let time = Timespec {
            tv_sec: time.0,
            tv_nsec: time.1,
        };
        let times = Timestamps {
            last_access: time,
            last_modification: time,
        };
        rustix::fs::utimensat(CWD, place, &times, AtFlags::SYMLINK_NOFOLLOW)
            .map_err(|errno| failed(errno.into()))
    }

    /// ADD of an archive: its content goes into the destination, with the owners that it names unless others are asked for.
    fn unpack(&mut self, source: &Source, step: &Copy, scratch: &Path) -> Result<(), StepError> {
        let mut file =
            File::open(&source.real).map_err(|error| StepError::file("read", &source.path, error))?;
        let mut unpack = |target: &Path| {
            unpack_archive(target, &mut file).map(drop).map_err(|error| {
                StepError::new(format!("cannot unpack {}: {}", source.path, with_causes(&error)))
            })
        };
        if step.chown.is_empty() && self.dress.modes.is_none() {
            return unpack(&self.folder(&step.destination)?);
        }
        let aside = scratch.join("unpacked");
        fs::create_dir(&aside).map_err(|error| StepError::file("make", &aside, error))?;
        unpack(&aside)?;
        let tree = Tree {
            root: &aside,
            ignore: None,
            name: "the archive",
        };
        let whole = Source {
            path: String::new(),
            real: aside.clone(),
            folder: true,
        };
        self.contents(&tree, &whole, &step.destination)?;
        fs::remove_dir_all(&aside).map_err(|error| StepError::file("remove", &aside, error))
    }
}

/// Extended attributes that belong to a file's content.
fn attributes(from: &Path, to: &Path) -> Result<(), StepError> {
    let mut names = vec![0_u8; 64 << 10];
    let Ok(length) = rustix::fs::llistxattr(from, &mut names[..]) else {
        return Ok(());
    };
    for name in names[..length].split(|&b| b == 0).filter(|name| !name.is_empty()) {
        let kept = name.starts_with(b"user.") && !name.starts_with(b"user.overlay.")
            || name == b"security.capability"
            || name.starts_with(b"system.posix_acl_");
        if !kept {
            continue;
        }
        let name = OsStr::from_bytes(name);
        let mut value = vec![0_u8; 64 << 10];
        let copied = rustix::fs::lgetxattr(from, name, &mut value[..])
            .and_then(|length| rustix::fs::lsetxattr(to, name, &value[..length], XattrFlags::empty()));
        match copied {
            Ok(()) | Err(Errno::OPNOTSUPP | Errno::NODATA) => {}
            Err(errno) => return Err(StepError::file("copy the attributes of", from, errno)),
        }
    }
    Ok(())
}

/// Whether ADD unpacks a file: a tar, plain or packed. One that nobody here unpacks is refused rather than copied.
fn is_archive(path: &Path) -> Result<bool, StepError> {
    let failed = |error: io::Error| StepError::file("read", path, error);
    let mut file = File::open(path).map_err(failed)?;
    let mut head = Vec::new();
    (&mut file).take(512).read_to_end(&mut head).map_err(failed)?;
    if head.starts_with(b"BZh") || head.starts_with(&[0xfd, b'7', b'z', b'X', b'Z', 0]) {
        return Err(
            StepError::new(format!("{} is packed with bzip2 or xz", path.display()))
                .hint("unpack it in a step, pack it with gzip or zstd, or copy it as it is with COPY"),
        );
    }
    let packed = head.starts_with(&[0x1f, 0x8b]) || head.starts_with(&[0x28, 0xb5, 0x2f, 0xfd]);
    if packed {
        file.rewind().map_err(failed)?;
        head.clear();
        let plain: Box<dyn Read> = if packed_with_gzip(path).map_err(failed)? {
            Box::new(flate2::read::MultiGzDecoder::new(file))
        } else {
            // A single file packed with zstd is so rare in a Dockerfile that ADD takes zstd for an archive.
            return Ok(true);
        };
        // What does not unpack is no archive.
        if plain.take(512).read_to_end(&mut head).is_err() {
            return Ok(false);
        }
    }
    Ok(head.len() == 512 && is_header(&head))
}

fn packed_with_gzip(path: &Path) -> io::Result<bool> {
    let mut magic = [0; 2];
    File::open(path)?.read_exact(&mut magic)?;
    Ok(magic == [0x1f, 0x8b])
}

/// The checksum of a tar's header is that of its bytes, with blanks in its own place (POSIX.1, ustar).
fn is_header(block: &[u8]) -> bool {
    let text = String::from_utf8_lossy(&block[148..156]);
    let Ok(stated) = u32::from_str_radix(text.trim_matches(['\0', ' ']), 8) else {
        return false;
    };
    let sum: u32 = block
        .iter()
        .enumerate()
        .map(|(at, &byte)| {
            if (148..156).contains(&at) {
                32
            } else {
                u32::from(byte)
            }
        })
        .sum();
    sum == stated && block[0] != 0
}

//! A folder becomes the tar of a layer: entries in order of their names, whiteouts of an overlay as OCI writes them.

use std::collections::HashMap;
use std::ffi::{OsStr, OsString};
use std::fs::{self, File, Metadata};
use std::io::{self, Write};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{FileTypeExt, MetadataExt};
use std::path::{Path, PathBuf};

use rustix::io::Errno;
use tar::{Builder, EntryType, Header};

use crate::limits;

/// What says in an overlay that a folder hides the one below it.
pub const OPAQUE_ATTRIBUTE: &str = "trusted.overlay.opaque";
/// What says so in a layer's tar (image-spec, layer.md).
pub const OPAQUE_MARK: &str = ".wh..wh..opq";
/// The prefix of a name that a layer deletes.
pub const WHITEOUT_PREFIX: &str = ".wh.";

/// How owners and times are written.
#[derive(Clone, Copy, Debug, Default)]
pub struct Pack {
    /// Everything belongs to root, whoever owns it here.
    pub root_owned: bool,
    /// All times become this one, seconds of Unix: equal content gives equal bytes.
    pub mtime_s: Option<u64>,
}

/// Why a folder could not be packed.
#[derive(Debug, thiserror::Error)]
pub enum PackError {
    /// Something in the folder could not be read.
    #[error("cannot read {}", path.display())]
    Read {
        /// What.
        path: PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// The tar could not be written.
    #[error("cannot write the layer")]
    Write(#[source] io::Error),
    /// More entries, or deeper, than a layer may have.
    #[error("{} has more than a layer may hold", path.display())]
    Bound {
        /// Where it went over.
        path: PathBuf,
    },
}

/// What a folder has become.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Packed {
    /// Files, folders, marks of deletion: everything but sockets.
    pub entries: u64,
    /// Bytes of all files.
    pub bytes: u64,
}

/// Writes the folder's content as an uncompressed tar.
pub fn pack(folder: &Path, options: Pack, out: &mut dyn Write) -> Result<(), PackError> {
    write(folder, options, None, out).map(drop)
}

/// Writes what an overlay's upper folder holds as the tar of a layer. Times later than `latest_s` (seconds of Unix)
/// become this one, so that a build that knows its time gives equal bytes (reproducible-builds.org, SOURCE_DATE_EPOCH).
pub fn pack_upper(folder: &Path, latest_s: Option<u64>, out: &mut dyn Write) -> Result<Packed, PackError> {
    write(folder, Pack::default(), latest_s, out)
}

fn write(
    folder: &Path,
    options: Pack,
    latest_s: Option<u64>,
    out: &mut dyn Write,
) -> Result<Packed, PackError> {
    let mut packer = Packer {
        builder: Builder::new(out),
        options,
        latest_s,
        links: HashMap::new(),
        done: Packed::default(),
    };
    packer.folder(folder, Path::new(""), 0)?;
    packer.builder.finish().map_err(PackError::Write)?;
    Ok(packer.done)
}

struct Packer<'a> {
    builder: Builder<&'a mut dyn Write>,
    options: Pack,
    /// Device and inode of files with several names, and the name that came first.
    links: HashMap<(u64, u64), PathBuf>,
    latest_s: Option<u64>,
    done: Packed,
}

impl Packer<'_> {
    fn folder(&mut self, source: &Path, name: &Path, depth: usize) -> Result<(), PackError> {
        if depth > limits::PATH_DEPTH_MAX {
            return Err(PackError::Bound {
                path: source.to_owned(),
            });
        }
        let unreadable = |source_error| PackError::Read {
            path: source.to_owned(),
            source: source_error,
        };
        let mut names: Vec<OsString> = fs::read_dir(source)
            .and_then(|entries| entries.map(|entry| Ok(entry?.file_name())).collect())
            .map_err(unreadable)?;
        names.sort();
        for child in names {
            self.entry(&source.join(&child), &name.join(&child), depth)?;
        }
        Ok(())
    }

    fn entry(&mut self, source: &Path, name: &Path, depth: usize) -> Result<(), PackError> {
        self.done.entries += 1;
        if self.done.entries > limits::LAYER_ENTRIES_MAX {
            return Err(PackError::Bound {
                path: source.to_owned(),
            });
        }
        let unreadable = |error| PackError::Read {
            path: source.to_owned(),
            source: error,
        };
        let metadata = fs::symlink_metadata(source).map_err(unreadable)?;
        let kind = metadata.file_type();
        if kind.is_socket() {
            // A socket is of its process, not of its image: tar has no word for it, docker leaves it out too.
            self.done.entries -= 1;
            return Ok(());
        }
        if kind.is_char_device() && metadata.rdev() == 0 {
            return self.whiteout(name);
        }
        let mut header = self.header(&metadata);
        if !kind.is_dir()
            && metadata.nlink() > 1
            && let Some(first) = self.links.get(&(metadata.dev(), metadata.ino()))
        {
            header.set_entry_type(EntryType::Link);
            let first = first.clone();
            return self
                .builder
                .append_link(&mut header, name, first)
                .map_err(PackError::Write);
        }
        if !kind.is_dir() && metadata.nlink() > 1 {
            self.links
                .insert((metadata.dev(), metadata.ino()), name.to_owned());
        }
        let attributes = attributes(source).map_err(unreadable)?;
        let opaque = attributes.iter().any(|(name, _)| name == OPAQUE_ATTRIBUTE);
        self.attributes(&attributes)?;
        if kind.is_dir() {
            header.set_entry_type(EntryType::Directory);
            self.append(&mut header, name, &mut io::empty())?;
            if opaque {
                self.mark(&name.join(OPAQUE_MARK))?;
            }
            return self.folder(source, name, depth + 1);
        }
        if kind.is_symlink() {
            header.set_entry_type(EntryType::Symlink);
            let target = fs::read_link(source).map_err(unreadable)?;
            return self
                .builder
                .append_link(&mut header, name, target)
                .map_err(PackError::Write);
        }
        if kind.is_file() {
            header.set_size(metadata.len());
            self.done.bytes += metadata.len();
            let mut file = File::open(source).map_err(unreadable)?;
            return self.append(&mut header, name, &mut file);
        }
        header.set_entry_type(if kind.is_fifo() {
            EntryType::Fifo
        } else if kind.is_block_device() {
            EntryType::Block
        } else {
            EntryType::Char
        });
        let device = metadata.rdev();
        let numbers = header
            .set_device_major(rustix::fs::major(device))
            .and_then(|()| header.set_device_minor(rustix::fs::minor(device)));
        numbers.map_err(PackError::Write)?;
        self.append(&mut header, name, &mut io::empty())
    }

    fn header(&self, metadata: &Metadata) -> Header {
        let mut header = Header::new_gnu();
        header.set_mode(metadata.mode() & 0o7777);
        let (uid, gid) = if self.options.root_owned {
            (0, 0)
        } else {
            (metadata.uid(), metadata.gid())
        };
        header.set_uid(u64::from(uid));
        header.set_gid(u64::from(gid));
        let own = u64::try_from(metadata.mtime()).unwrap_or(0);
        let latest = self.latest_s.unwrap_or(u64::MAX);
        header.set_mtime(self.options.mtime_s.unwrap_or_else(|| own.min(latest)));
        header.set_size(0);
        header
    }

    fn append(&mut self, header: &mut Header, name: &Path, data: &mut dyn io::Read) -> Result<(), PackError> {
        self.builder
            .append_data(header, name, data)
            .map_err(PackError::Write)
    }

    fn whiteout(&mut self, name: &Path) -> Result<(), PackError> {
        let mut marked = OsString::from(WHITEOUT_PREFIX);
        marked.push(name.file_name().unwrap_or(OsStr::new("")));
        self.mark(&name.with_file_name(marked))
    }

    fn mark(&mut self, name: &Path) -> Result<(), PackError> {
        let mut header = Header::new_gnu();
        header.set_entry_type(EntryType::Regular);
        header.set_mode(0o600);
        header.set_uid(0);
        header.set_gid(0);
        header.set_mtime(self.options.mtime_s.unwrap_or(0));
        header.set_size(0);
        self.append(&mut header, name, &mut io::empty())
    }

    fn attributes(&mut self, attributes: &[(String, Vec<u8>)]) -> Result<(), PackError> {
        let kept: Vec<(String, &[u8])> = attributes
            .iter()
            .filter(|(name, _)| travels(name))
            .map(|(name, value)| (format!("SCHILY.xattr.{name}"), &**value))
            .collect();
        if kept.is_empty() {
            return Ok(());
        }
        self.builder
            .append_pax_extensions(kept.iter().map(|(name, value)| (&**name, *value)))
            .map_err(PackError::Write)
    }
}

/// Whether an extended attribute belongs to the image's content: what overlayfs and the security modules of this
/// machine write is theirs.
pub fn travels(name: &str) -> bool {
    let user = name.starts_with("user.") && !name.starts_with("user.overlay.");
    user || name == "security.capability" || name.starts_with("system.posix_acl_")
}

/// The extended attributes of a file, none where the file system has none.
fn attributes(path: &Path) -> io::Result<Vec<(String, Vec<u8>)>> {
    let mut names = vec![0_u8; 64 << 10];
    let length = match rustix::fs::llistxattr(path, &mut names[..]) {
        Ok(length) => length,
        Err(Errno::OPNOTSUPP) => return Ok(Vec::new()),
        Err(error) => return Err(error.into()),
    };
    let mut found = Vec::new();
    for name in names[..length].split(|&b| b == 0).filter(|name| !name.is_empty()) {
        let mut value = vec![0_u8; 64 << 10];
        let length = rustix::fs::lgetxattr(path, OsStr::from_bytes(name), &mut value[..])?;
        value.truncate(length);
        found.push((String::from_utf8_lossy(name).into_owned(), value));
    }
    found.sort();
    Ok(found)
}

//! Files of a job as one packed file: what caches and artifacts are made of. Plain tar, gzip at its quickest.

use std::ffi::OsStr;
use std::fs::File;
use std::io::{self, BufReader, BufWriter, Read, Write};
use std::os::fd::{AsFd, BorrowedFd};
use std::path::Path;

use flate2::Compression;
use flate2::read::MultiGzDecoder;
use flate2::write::GzEncoder;
use rustix::fs::{FileType, Timespec, Timestamps, futimens, readlinkat};
use sha2::{Digest, Sha256};
use tar::{Builder, EntryType, Header};

use crate::glob::Patterns;
use crate::limits::{MAX_ARCHIVE_BYTES, MAX_ARCHIVE_FILES};
use crate::room::{Found, Inside, open_found, walk};

/// What was packed.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Packed {
    /// Bytes of the files.
    pub(crate) bytes: u64,
    /// Bytes of the packed file.
    pub(crate) packed_bytes: u64,
    /// Files and links.
    pub(crate) files: usize,
    /// SHA-256 of the packed file, in hex.
    pub(crate) digest: String,
}

/// Hashes and counts what is written.
struct Counted<W> {
    inner: W,
    hash: Sha256,
    bytes: u64,
}

impl<W: Write> Write for Counted<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let count = self.inner.write(bytes)?;
        self.hash.update(&bytes[..count]);
        self.bytes += count as u64;
        Ok(count)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.inner.flush()
    }
}

type Tar<'a> = Builder<GzEncoder<Counted<BufWriter<&'a File>>>>;

/// Packs what the patterns ask for, by names relative to `base`. `hidden` takes names that begin with a dot, too. The
/// file is synced.
pub(crate) fn pack(
    inside: &Inside,
    patterns: &Patterns,
    base: &Path,
    hidden: bool,
    to: &File,
) -> io::Result<Packed> {
    let counted = Counted {
        inner: BufWriter::with_capacity(1 << 18, to),
        hash: Sha256::new(),
        bytes: 0,
    };
    let mut tar: Tar<'_> = Builder::new(GzEncoder::new(counted, Compression::fast()));
    let mut packed = Packed::default();
    for root in patterns.roots() {
        let Ok(stat) = inside.stat(&root) else {
            continue;
        };
        let kind = FileType::from_raw_mode(stat.st_mode);
        if kind.is_file() && patterns.matches(&root) {
            let name = name(&root, base);
            let file = inside.file(&root)?;
            let found = Found {
                path: root.clone(),
                kind,
                stat,
            };
            add_file(&mut tar, &name, &found, file, &mut packed)?;
        } else if kind.is_dir() {
            let folder = inside.folder(&root)?;
            walk(folder.as_fd(), &mut |found, folder, leaf| {
                use std::os::unix::ffi::OsStrExt;
                if !hidden && leaf.as_bytes().starts_with(b".") {
                    return Ok(false);
                }
                let path = root.join(&found.path);
                if patterns.matches(&path) {
                    add(&mut tar, &name(&path, base), found, (folder, leaf), &mut packed)?;
                }
                Ok(true)
            })?;
        }
    }
    let mut counted = tar.into_inner()?.finish()?;
    counted.flush()?;
    to.sync_all()?;
    packed.packed_bytes = counted.bytes;
    packed.digest = counted
        .hash
        .finalize()
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect();
    Ok(packed)
}

fn name(path: &Path, base: &Path) -> std::path::PathBuf {
    path.strip_prefix(base)
        .or_else(|_| path.strip_prefix("/"))
        .unwrap_or(path)
        .to_owned()
}

fn header(found: &Found, kind: EntryType, size: u64) -> Header {
    let mut header = Header::new_gnu();
    header.set_entry_type(kind);
    header.set_mode(found.stat.st_mode & 0o7777);
    header.set_uid(0);
    header.set_gid(0);
    header.set_mtime(u64::try_from(found.stat.st_mtime).unwrap_or(0));
    header.set_size(size);
    header
}

fn add(
    tar: &mut Tar<'_>,
    name: &Path,
    found: &Found,
    (folder, leaf): (BorrowedFd<'_>, &OsStr),
    packed: &mut Packed,
) -> io::Result<()> {
    if found.kind.is_dir() {
        return tar.append_data(&mut header(found, EntryType::Directory, 0), name, io::empty());
    }
    if found.kind.is_symlink() {
        use std::os::unix::ffi::OsStrExt;
        let link = readlinkat(folder, leaf, Vec::new())?;
        let link = Path::new(OsStr::from_bytes(link.to_bytes()));
        packed.files += 1;
        return tar.append_link(&mut header(found, EntryType::Symlink, 0), name, link);
    }
    match open_found(folder, leaf) {
        Ok(file) => add_file(tar, name, found, file, packed),
        // A pipe, a socket, a device, or gone: nothing to keep.
        Err(_) => Ok(()),
    }
}

fn add_file(
    tar: &mut Tar<'_>,
    name: &Path,
    found: &Found,
    file: File,
    packed: &mut Packed,
) -> io::Result<()> {
    let size = file.metadata()?.len();
    packed.files += 1;
    packed.bytes = packed.bytes.saturating_add(size);
    if packed.bytes > MAX_ARCHIVE_BYTES || packed.files > MAX_ARCHIVE_FILES {
        return Err(io::Error::other(format!(
            "more than {MAX_ARCHIVE_BYTES} bytes or {MAX_ARCHIVE_FILES} files"
        )));
    }
    // Somebody may write to it: what the header says is what follows, whatever the file has become.
    let exact = file.chain(io::repeat(0)).take(size);
    tar.append_data(&mut header(found, EntryType::Regular, size), name, exact)
}

/// Unpacks into a folder of the job. Gives the bytes of the files.
pub(crate) fn unpack(packed: &File, inside: &Inside, base: &Path) -> io::Result<u64> {
    let reader = MultiGzDecoder::new(BufReader::with_capacity(1 << 18, packed));
    let mut archive = tar::Archive::new(reader);
    let mut bytes = 0;
    for entry in archive.entries()? {
        let mut entry = entry?;
        let at = base.join(entry.path()?);
        let mode = entry.header().mode().unwrap_or(0o644) & 0o7777;
        match entry.header().entry_type() {
            EntryType::Directory => {
                inside.make(&at)?;
            }
            EntryType::Symlink => {
                let link = entry.link_name()?.unwrap_or_default().into_owned();
                inside.link(&link, &at)?;
            }
            EntryType::Regular => {
                let mut file = inside.create(&at, mode)?;
                bytes += io::copy(&mut entry, &mut file)?;
                let time = Timespec {
                    tv_sec: i64::try_from(entry.header().mtime().unwrap_or(0)).unwrap_or(0),
                    tv_nsec: 0,
                };
                futimens(
                    &file,
                    &Timestamps {
                        last_access: time,
                        last_modification: time,
                    },
                )?;
            }
            _ => {}
        }
    }
    Ok(bytes)
}

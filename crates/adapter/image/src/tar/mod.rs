//! Reads the tars of layers: ustar, GNU and pax, with a bound on everything that is kept in memory.
//!
//! The `tar` crate reads names of any length into memory, which a hostile layer turns into all memory there is.

mod header;
mod pax;

use std::io::{self, Read};

use self::header::{BLOCK, Block};
use crate::limits;

/// Why a stream is no tar.
#[derive(Debug, thiserror::Error)]
pub enum TarError {
    /// The stream itself failed.
    #[error("cannot read the layer")]
    Read(#[source] io::Error),
    /// It ended in the middle of an entry.
    #[error("the tar is cut short")]
    Truncated,
    /// A header that does not sum up.
    #[error("the tar has a header with a wrong checksum")]
    Checksum,
    /// A field that is not what it must be.
    #[error("the tar has a header with a wrong {field}")]
    Field {
        /// Which field.
        field: &'static str,
    },
    /// More than is kept in memory.
    #[error("the tar has more {what} than {most}")]
    Bound {
        /// Of what.
        what: &'static str,
        /// The bound.
        most: u64,
    },
    /// A lawful entry that no image has.
    #[error("the tar has an entry of the unsupported type {kind:?}")]
    Unsupported {
        /// Its type flag.
        kind: char,
    },
}

/// What an entry is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    File,
    Link,
    Symlink,
    Character,
    Block,
    Directory,
    Fifo,
}

/// An entry without its bytes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    pub kind: Kind,
    pub path: Vec<u8>,
    /// Where a link points.
    pub target: Vec<u8>,
    pub mode: u32,
    pub uid: u32,
    pub gid: u32,
    pub size: u64,
    pub mtime_s: i64,
    pub mtime_ns: u32,
    pub device: (u32, u32),
    pub attributes: Vec<(String, Vec<u8>)>,
}

/// Gives the entries of a tar in order; reads as the bytes of the current entry.
pub struct Reader<R> {
    inner: R,
    /// Bytes of the current entry that are still to come, and the padding behind them.
    left: u64,
    padding: u64,
    entries: u64,
}

impl<R: Read> Reader<R> {
    pub fn new(inner: R) -> Self {
        Self {
            inner,
            left: 0,
            padding: 0,
            entries: 0,
        }
    }

    /// The next entry; none at the end. What was not read of the one before is skipped.
    pub fn next_entry(&mut self) -> Result<Option<Entry>, TarError> {
        let mut long = Long::default();
        for _ in 0..=limits::EXTENSIONS_MAX {
            self.skip()?;
            let Some(block) = self.block()? else {
                return Ok(None);
            };
            match block.flag() {
                b'x' => {
                    let bytes = self.extension(&block)?;
                    pax::read(&bytes, &mut long)?;
                }
                // Defaults for what follows: docker and containerd leave them out too.
                b'g' => drop(self.extension(&block)?),
                b'L' => long.path = Some(text(self.extension(&block)?)),
                b'K' => long.target = Some(text(self.extension(&block)?)),
                _ => return self.entry(&block, long).map(Some),
            }
        }
        Err(TarError::Bound {
            what: "extended headers of one entry",
            most: limits::EXTENSIONS_MAX as u64,
        })
    }

    fn entry(&mut self, block: &Block, long: Long) -> Result<Entry, TarError> {
        self.entries += 1;
        if self.entries > limits::LAYER_ENTRIES_MAX {
            return Err(TarError::Bound {
                what: "entries",
                most: limits::LAYER_ENTRIES_MAX,
            });
        }
        let path = match long.path {
            Some(path) => path,
            None => block.path(),
        };
        let kind = match block.flag() {
            // Before POSIX a directory was a file whose name ends with a slash.
            0 | b'0' | b'7' if path.ends_with(b"/") => Kind::Directory,
            0 | b'0' | b'7' => Kind::File,
            b'1' => Kind::Link,
            b'2' => Kind::Symlink,
            b'3' => Kind::Character,
            b'4' => Kind::Block,
            b'5' => Kind::Directory,
            b'6' => Kind::Fifo,
            other => {
                return Err(TarError::Unsupported {
                    kind: char::from(other),
                });
            }
        };
        if long.sparse {
            return Err(TarError::Unsupported { kind: 'S' });
        }
        let size = match long.size {
            Some(size) => size,
            None => block.size()?,
        };
        // Only regular entries have bytes, whatever the field of another one says (POSIX pax, "size"); an old folder is
        // a regular entry.
        let regular = matches!(block.flag(), 0 | b'0' | b'7');
        self.expect(if regular { size } else { 0 })?;
        let size = if kind == Kind::File { size } else { 0 };
        let (mtime_s, mtime_ns) = match long.mtime {
            Some(mtime) => mtime,
            None => (block.mtime()?, 0),
        };
        let id = |value: Option<u64>, read: Result<u64, TarError>, field| {
            let value = match value {
                Some(value) => value,
                None => read?,
            };
            u32::try_from(value).map_err(|_| TarError::Field { field })
        };
        Ok(Entry {
            kind,
            path,
            target: long.target.unwrap_or_else(|| block.target()),
            mode: block.mode()?,
            uid: id(long.uid, block.uid(), "uid")?,
            gid: id(long.gid, block.gid(), "gid")?,
            size,
            mtime_s,
            mtime_ns,
            device: block.device(kind)?,
            attributes: long.attributes,
        })
    }

    /// The content of an extended header.
    fn extension(&mut self, block: &Block) -> Result<Vec<u8>, TarError> {
        let size = block.size()?;
        if size > limits::EXTENSION_BYTES_MAX {
            return Err(TarError::Bound {
                what: "bytes in an extended header",
                most: limits::EXTENSION_BYTES_MAX,
            });
        }
        self.expect(size)?;
        let mut bytes = Vec::new();
        self.read_to_end(&mut bytes).map_err(failed)?;
        Ok(bytes)
    }

    fn expect(&mut self, size: u64) -> Result<(), TarError> {
        let blocks = size.div_ceil(BLOCK as u64);
        let whole = blocks
            .checked_mul(BLOCK as u64)
            .filter(|whole| i64::try_from(*whole).is_ok())
            .ok_or(TarError::Field { field: "size" })?;
        self.left = size;
        self.padding = whole - size;
        Ok(())
    }

    fn skip(&mut self) -> Result<(), TarError> {
        let rest = self.left + self.padding;
        let skipped = io::copy(&mut (&mut self.inner).take(rest), &mut io::sink()).map_err(failed)?;
        if skipped < rest {
            return Err(TarError::Truncated);
        }
        self.left = 0;
        self.padding = 0;
        Ok(())
    }

    /// The next header; none at a block of zeros, or where the stream ends between entries, as Go's reader has it.
    fn block(&mut self) -> Result<Option<Block>, TarError> {
        let mut bytes = [0; BLOCK];
        let mut filled = 0;
        while filled < BLOCK {
            match self.inner.read(&mut bytes[filled..]) {
                Ok(0) if filled == 0 => return Ok(None),
                Ok(0) => return Err(TarError::Truncated),
                Ok(count) => filled += count,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(failed(error)),
            }
        }
        if bytes.iter().all(|&b| b == 0) {
            return Ok(None);
        }
        Block::checked(bytes).map(Some)
    }
}

impl<R: Read> Read for Reader<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let most = usize::try_from(self.left).unwrap_or(usize::MAX).min(buffer.len());
        if most == 0 {
            return Ok(0);
        }
        let count = self.inner.read(&mut buffer[..most])?;
        if count == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        self.left -= count as u64;
        Ok(count)
    }
}

/// What extended headers say about the entry that follows.
#[derive(Default)]
struct Long {
    path: Option<Vec<u8>>,
    target: Option<Vec<u8>>,
    size: Option<u64>,
    uid: Option<u64>,
    gid: Option<u64>,
    mtime: Option<(i64, u32)>,
    attributes: Vec<(String, Vec<u8>)>,
    sparse: bool,
}

/// A GNU name ends at its first zero.
fn text(mut bytes: Vec<u8>) -> Vec<u8> {
    if let Some(end) = bytes.iter().position(|&b| b == 0) {
        bytes.truncate(end);
    }
    bytes
}

fn failed(error: io::Error) -> TarError {
    if error.kind() == io::ErrorKind::UnexpectedEof {
        TarError::Truncated
    } else {
        TarError::Read(error)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn sample() -> Vec<u8> {
        let mut builder = ::tar::Builder::new(Vec::new());
        builder
            .append_pax_extensions([("SCHILY.xattr.user.a", &b"b=c\n"[..]), ("mtime", b"12.5")])
            .expect("memory");
        let mut add = |name: &str, kind, data: &[u8]| {
            let mut header = ::tar::Header::new_gnu();
            header.set_entry_type(kind);
            header.set_mode(0o4755);
            header.set_uid(7);
            header.set_gid(8);
            header.set_mtime(9);
            header.set_size(data.len() as u64);
            builder.append_data(&mut header, name, data).expect("memory");
        };
        add("a", ::tar::EntryType::Regular, b"hello");
        add(
            &format!("d/{}", "x".repeat(300)),
            ::tar::EntryType::Regular,
            &[1; 513],
        );
        add("d/", ::tar::EntryType::Directory, b"");
        builder.into_inner().expect("memory")
    }

    /// Every entry with its bytes, or the error.
    fn read(bytes: &[u8]) -> Result<Vec<(Entry, Vec<u8>)>, TarError> {
        let mut reader = Reader::new(bytes);
        let mut all = Vec::new();
        while let Some(entry) = reader.next_entry()? {
            let mut body = Vec::new();
            reader.read_to_end(&mut body).map_err(failed)?;
            all.push((entry, body));
        }
        Ok(all)
    }

    #[test]
    fn entries_of_all_dialects() {
        let all = read(&sample()).expect("a lawful tar");
        let (first, body) = &all[0];
        assert_eq!(
            (first.kind, &*first.path, &**body),
            (Kind::File, &b"a"[..], &b"hello"[..])
        );
        assert_eq!((first.mode, first.uid, first.gid), (0o4755, 7, 8));
        assert_eq!((first.mtime_s, first.mtime_ns), (12, 500_000_000));
        assert_eq!(first.attributes, [("user.a".to_owned(), b"b=c\n".to_vec())]);
        let (second, body) = &all[1];
        assert_eq!((second.path.len(), body.len(), second.mtime_s), (302, 513, 9));
        assert!(second.attributes.is_empty());
        assert_eq!(all[2].0.kind, Kind::Directory);
        assert_eq!(all.len(), 3);
    }

    #[test]
    fn a_cut_tar_is_no_tar() {
        let bytes = sample();
        let whole = read(&bytes).expect("a lawful tar").len();
        for length in (0..bytes.len() - 1024).step_by(100) {
            match read(&bytes[..length]) {
                Ok(entries) => assert!(length % 512 == 0 && entries.len() < whole, "{length}"),
                Err(error) => assert!(matches!(error, TarError::Truncated), "{length}: {error}"),
            }
        }
    }

    #[test]
    fn a_name_without_end_does_not_fill_the_memory() {
        let mut header = ::tar::Header::new_gnu();
        header.set_entry_type(::tar::EntryType::GNULongName);
        header.set_size(1 << 40);
        header.set_cksum();
        let stream = header.as_bytes().chain(io::repeat(b'a'));
        let error = Reader::new(stream).next_entry().expect_err("too long");
        assert_eq!(
            error.to_string(),
            "the tar has more bytes in an extended header than 1048576"
        );
    }

    #[test]
    fn extended_headers_without_end_are_refused() {
        let mut header = ::tar::Header::new_ustar();
        header.set_entry_type(::tar::EntryType::XGlobalHeader);
        header.set_size(0);
        header.set_cksum();
        let bytes = header.as_bytes().repeat(20);
        assert!(matches!(read(&bytes), Err(TarError::Bound { .. })));
    }

    proptest! {
        #[test]
        fn a_damaged_tar_panics_nowhere(at in 0..5000_usize, value: u8, fix: bool) {
            let mut bytes = sample();
            let at = at % bytes.len();
            bytes[at] = value;
            if fix {
                // A changed header with the sum that belongs to it reaches deeper.
                let start = at / 512 * 512;
                let mut header = ::tar::Header::new_old();
                header.as_mut_bytes().copy_from_slice(&bytes[start..start + 512]);
                header.set_cksum();
                bytes[start..start + 512].copy_from_slice(header.as_bytes());
            }
            let _ = read(&bytes);
        }

        #[test]
        fn noise_panics_nowhere(bytes in proptest::collection::vec(any::<u8>(), 0..4096)) {
            let _ = read(&bytes);
        }
    }
}

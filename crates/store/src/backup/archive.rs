//! Reading and writing archives with digests on the way.

use std::fs::File;
use std::io::{self, BufReader, Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

use flate2::read::GzDecoder;
use sha2::{Digest, Sha256};

use super::BackupError;
use super::manifest::{Entry, FORMAT, Kind, MEMBER, Manifest, Name, hex, is_below};
use crate::limits;

const BUFFER_BYTES: usize = 128 << 10;

/// Counts and digests what passes.
pub(crate) struct Counted<T> {
    pub inner: T,
    pub bytes: u64,
    hasher: Sha256,
}

impl<T> Counted<T> {
    pub fn new(inner: T) -> Counted<T> {
        Counted {
            inner,
            bytes: 0,
            hasher: Sha256::new(),
        }
    }

    pub fn digest(&self) -> String {
        hex(&self.hasher.clone().finalize())
    }

    fn pass(&mut self, bytes: &[u8]) {
        self.bytes += bytes.len() as u64;
        self.hasher.update(bytes);
    }
}

impl<T: Read> Read for Counted<T> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let count = self.inner.read(buffer)?;
        self.pass(&buffer[..count]);
        Ok(count)
    }
}

impl<T: Write> Write for Counted<T> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let count = self.inner.write(bytes)?;
        self.pass(&bytes[..count]);
        Ok(count)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.inner.flush()
    }
}

/// An archive that is open for reading, as often as needed.
pub(crate) struct Archive {
    path: PathBuf,
    file: File,
}

/// What a member turned out to be, beside its metadata.
pub(crate) enum Member<'a> {
    Folder,
    File(&'a mut dyn Read),
    Link(PathBuf),
}

impl Archive {
    pub fn open(path: &Path) -> Result<Archive, BackupError> {
        let file = File::open(path).map_err(|error| BackupError::io(path, &error))?;
        Ok(Archive {
            path: path.to_owned(),
            file,
        })
    }

    pub fn damaged(&self, reason: impl Into<String>) -> BackupError {
        BackupError::Damaged {
            path: self.path.clone(),
            reason: reason.into(),
        }
    }

    /// Reads every member from the start; `visit` gets those before the manifest. Afterwards, what is in the archive equals
    /// what the manifest says, or this fails.
    pub fn read(
        &self,
        visit: &mut dyn FnMut(&Path, Member<'_>) -> Result<(), BackupError>,
    ) -> Result<Manifest, BackupError> {
        let mut file = &self.file;
        file.seek(SeekFrom::Start(0))
            .map_err(|error| BackupError::io(&self.path, &error))?;
        let unreadable = |error: io::Error| self.damaged(error.to_string());
        let mut archive = tar::Archive::new(GzDecoder::new(BufReader::with_capacity(BUFFER_BYTES, file)));
        let mut found: Vec<Entry> = Vec::new();
        let mut manifest = None;
        for member in archive.entries().map_err(unreadable)? {
            let mut member = member.map_err(unreadable)?;
            let path = member.path().map_err(unreadable)?.into_owned();
            if manifest.is_some() {
                return Err(self.damaged(format!("{} follows the manifest", path.display())));
            }
            if path == Path::new(MEMBER) {
                manifest = Some(self.manifest(&mut member)?);
                continue;
            }
            if found.len() >= limits::BACKUP_FILES {
                return Err(BackupError::TooLarge {
                    what: "the files of the backup",
                    limit: limits::BACKUP_FILES as u64,
                });
            }
            found.push(self.member(&path, &mut member, visit)?);
        }
        let manifest = manifest.ok_or_else(|| self.damaged("it ends without its manifest"))?;
        // The checksum of all stands behind what tar reads, and is looked at only by who reads to the end.
        let mut rest = archive.into_inner();
        let padding =
            io::copy(&mut (&mut rest).take(limits::MANIFEST_BYTES), &mut io::sink()).map_err(unreadable)?;
        if padding == limits::MANIFEST_BYTES {
            return Err(self.damaged("too much follows its end"));
        }
        match manifest.entries.iter().zip(&found).find(|(said, is)| said != is) {
            Some((said, is)) => {
                let path = |entry: &Entry| entry.path.path().unwrap_or_default();
                let (said, is) = (path(said), path(is));
                Err(self.damaged(if said == is {
                    format!("{} is not what the manifest says", is.display())
                } else {
                    format!("{} stands where {} belongs", is.display(), said.display())
                }))
            }
            None if manifest.entries.len() == found.len() => Ok(manifest),
            None => Err(self.damaged("files are missing, or there are more than the manifest says")),
        }
    }

    fn manifest(&self, member: &mut dyn Read) -> Result<Manifest, BackupError> {
        let mut text = Vec::new();
        member
            .take(limits::MANIFEST_BYTES)
            .read_to_end(&mut text)
            .map_err(|error| self.damaged(error.to_string()))?;
        let value: serde_json::Value = serde_json::from_slice(&text)
            .map_err(|error| self.damaged(format!("its manifest cannot be read: {error}")))?;
        // The format first: of a newer one we cannot know the rest.
        match value["format"]
            .as_u64()
            .and_then(|format| u32::try_from(format).ok())
        {
            Some(found) if found > FORMAT => Err(BackupError::Newer {
                path: self.path.clone(),
                found,
                known: FORMAT,
            }),
            _ => serde_json::from_value(value)
                .map_err(|error| self.damaged(format!("its manifest cannot be read: {error}"))),
        }
    }

    fn member(
        &self,
        path: &Path,
        member: &mut tar::Entry<'_, impl Read>,
        visit: &mut dyn FnMut(&Path, Member<'_>) -> Result<(), BackupError>,
    ) -> Result<Entry, BackupError> {
        if !is_below(path) {
            return Err(self.damaged(format!("{} leads out of the folder", path.display())));
        }
        let unreadable = |error: io::Error| self.damaged(format!("{}: {error}", path.display()));
        let header = member.header();
        let number = |number: io::Result<u64>| {
            number
                .ok()
                .and_then(|number| u32::try_from(number).ok())
                .ok_or_else(|| self.damaged(format!("the header of {} does not fit", path.display())))
        };
        let (mode, uid, gid) = (
            header.mode().map_err(unreadable)?,
            number(header.uid())?,
            number(header.gid())?,
        );
        let mtime = header.mtime().map_err(unreadable)?;
        let kind = match header.entry_type() {
            tar::EntryType::Directory => {
                visit(path, Member::Folder)?;
                Kind::Folder
            }
            tar::EntryType::Symlink => {
                let target = member
                    .link_name()
                    .map_err(unreadable)?
                    .ok_or_else(|| self.damaged(format!("{} points nowhere", path.display())))?
                    .into_owned();
                let name = Name::of(&target);
                visit(path, Member::Link(target))?;
                Kind::Link { target: name }
            }
            tar::EntryType::Regular => {
                let bytes = header.size().map_err(unreadable)?;
                let mut content = Counted::new(member);
                visit(path, Member::File(&mut content))?;
                // What the visitor did not read.
                io::copy(&mut content, &mut io::sink()).map_err(unreadable)?;
                if content.bytes != bytes {
                    return Err(self.damaged(format!("{} is cut", path.display())));
                }
                Kind::File {
                    bytes,
                    sha256: content.digest(),
                }
            }
            _ => return Err(self.damaged(format!("{} is of a kind that no backup has", path.display()))),
        };
        Ok(Entry {
            path: Name::of(path),
            kind,
            mode,
            uid,
            gid,
            mtime,
        })
    }
}

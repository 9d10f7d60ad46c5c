//! The file layer: what the registry asks of a disk, and the real one.
//!
//! It is a trait so that crash tests run over a disk that forgets what was not synced. A name, like a file's content, is
//! only there after a crash if it was synced: the file by [`File::sync`], its name by [`Disk::sync_folder`].

use std::fmt::Debug;
use std::fs;
use std::io;
use std::os::unix::fs::{DirBuilderExt, FileExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use rustix::fs::Advice;

/// A disk with folders and files.
pub trait Disk: Debug + Send + Sync {
    /// Makes a folder; it may be there already. Its parent must be.
    ///
    /// # Errors
    /// What the disk says.
    fn create_folder(&self, path: &Path) -> io::Result<()>;

    /// A new, empty file for reading and writing, in place of one that has the name.
    ///
    /// # Errors
    /// What the disk says.
    fn create(&self, path: &Path) -> io::Result<Box<dyn File>>;

    /// A file that is there: to read, and to write if `write` says so.
    ///
    /// # Errors
    /// [`io::ErrorKind::NotFound`], or what the disk says.
    fn open(&self, path: &Path, write: bool) -> io::Result<Box<dyn File>>;

    /// Gives a file another name, in place of what has that name.
    ///
    /// # Errors
    /// What the disk says.
    fn rename(&self, from: &Path, to: &Path) -> io::Result<()>;

    /// Takes a file away. One that is not there is no error.
    ///
    /// # Errors
    /// What the disk says.
    fn remove(&self, path: &Path) -> io::Result<()>;

    /// Makes the names in a folder last.
    ///
    /// # Errors
    /// What the disk says.
    fn sync_folder(&self, path: &Path) -> io::Result<()>;

    /// The names of what is in a folder; none for one that is not there.
    ///
    /// # Errors
    /// What the disk says.
    fn list(&self, folder: &Path) -> io::Result<Vec<String>>;

    /// Bytes that are free where this path is.
    ///
    /// # Errors
    /// What the disk says.
    fn free_bytes(&self, path: &Path) -> io::Result<u64>;
}

/// An open file.
pub trait File: Debug + Send + Sync {
    /// Fills a part of the buffer from this byte on; 0 at the end.
    ///
    /// # Errors
    /// What the disk says.
    fn read_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<usize>;

    /// Writes all bytes from this byte on.
    ///
    /// # Errors
    /// What the disk says; some of the bytes may be written then.
    fn write_at(&self, bytes: &[u8], offset: u64) -> io::Result<()>;

    /// How long it is.
    ///
    /// # Errors
    /// What the disk says.
    fn size(&self) -> io::Result<u64>;

    /// Cuts it, or fills it with zeros, to this length.
    ///
    /// # Errors
    /// What the disk says.
    fn set_len(&self, bytes: u64) -> io::Result<()>;

    /// Makes its content last.
    ///
    /// # Errors
    /// What the disk says. What was not synced then is lost: to sync again does not help.
    fn sync(&self) -> io::Result<()>;

    /// Tells the disk that this part is complete, so that it may begin to write it.
    fn settle(&self, _offset: u64, _bytes: u64) {}

    /// Fills the whole buffer.
    ///
    /// # Errors
    /// [`io::ErrorKind::UnexpectedEof`] where the file ends before.
    fn read_exact_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<()> {
        let mut done = 0;
        while done < buffer.len() {
            match self.read_at(&mut buffer[done..], offset + done as u64)? {
                0 => return Err(io::ErrorKind::UnexpectedEof.into()),
                count => done += count,
            }
        }
        Ok(())
    }

    /// All of it, if it has no more than `most` bytes.
    ///
    /// # Errors
    /// [`io::ErrorKind::FileTooLarge`], or what the disk says.
    fn read_all(&self, most: u64) -> io::Result<Vec<u8>> {
        let length = self.size()?;
        let length = usize::try_from(length.min(most + 1)).map_err(io::Error::other)?;
        if length as u64 > most {
            return Err(io::ErrorKind::FileTooLarge.into());
        }
        let mut bytes = vec![0; length];
        self.read_exact_at(&mut bytes, 0)?;
        Ok(bytes)
    }
}

/// The disk of this machine.
#[derive(Debug)]
pub struct Local;

impl Disk for Local {
    fn create_folder(&self, path: &Path) -> io::Result<()> {
        match fs::DirBuilder::new().mode(0o700).create(path) {
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Ok(()),
            other => other,
        }
    }

    fn create(&self, path: &Path) -> io::Result<Box<dyn File>> {
        let file = fs::OpenOptions::new()
            .read(true)
            .write(true)
            .create(true)
            .truncate(true)
            .mode(0o600)
            .open(path)?;
        Ok(Box::new(LocalFile(file)))
    }

    fn open(&self, path: &Path, write: bool) -> io::Result<Box<dyn File>> {
        let file = fs::OpenOptions::new().read(true).write(write).open(path)?;
        Ok(Box::new(LocalFile(file)))
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        fs::rename(from, to)
    }

    fn remove(&self, path: &Path) -> io::Result<()> {
        match fs::remove_file(path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
            other => other,
        }
    }

    fn sync_folder(&self, path: &Path) -> io::Result<()> {
        fs::File::open(path)?.sync_all()
    }

    fn list(&self, folder: &Path) -> io::Result<Vec<String>> {
        let entries = match fs::read_dir(folder) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
            other => other?,
        };
        // A name that is no text is none of ours.
        let name = |entry: io::Result<fs::DirEntry>| entry.map(|entry| entry.file_name().into_string().ok());
        entries.filter_map(|entry| name(entry).transpose()).collect()
    }

    fn free_bytes(&self, path: &Path) -> io::Result<u64> {
        let told = rustix::fs::statvfs(path)?;
        Ok(told.f_bavail.saturating_mul(told.f_frsize))
    }
}

#[derive(Debug)]
struct LocalFile(fs::File);

impl File for LocalFile {
    fn read_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<usize> {
        self.0.read_at(buffer, offset)
    }

    fn write_at(&self, bytes: &[u8], offset: u64) -> io::Result<()> {
        self.0.write_all_at(bytes, offset)
    }

    fn size(&self) -> io::Result<u64> {
        Ok(self.0.metadata()?.len())
    }

    fn set_len(&self, bytes: u64) -> io::Result<()> {
        self.0.set_len(bytes)
    }

    fn sync(&self) -> io::Result<()> {
        self.0.sync_data()
    }

    /// Linux starts to write dirty pages that are told to be needed no more (mm/fadvise.c, `POSIX_FADV_DONTNEED`), so
    /// that the sync at the end of a large upload finds little to do.
    fn settle(&self, offset: u64, bytes: u64) {
        // Advice: where it is not taken, nothing is lost.
        let _ = rustix::fs::fadvise(
            &self.0,
            offset,
            std::num::NonZeroU64::new(bytes),
            Advice::DontNeed,
        );
    }
}

/// Makes a folder and those above it, up to `root`, which is there; all names last.
///
/// # Errors
/// What the disk says.
pub fn create_folders(disk: &dyn Disk, root: &Path, below: &[&str]) -> io::Result<PathBuf> {
    let mut path = root.to_owned();
    for name in below {
        let parent = path.clone();
        path.push(name);
        disk.create_folder(&path)?;
        disk.sync_folder(&parent)?;
    }
    Ok(path)
}

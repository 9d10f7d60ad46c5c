//! The files that every container of a pod is given: hosts, hostname, resolv.conf, and a place for last words.
//!
//! They are written in place, never replaced: containers that run have them mounted.

use std::fs::{self, OpenOptions};
use std::io::{self, Read, Write};
use std::os::unix::fs::{OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};

use rustix::fs::OFlags;

use crate::limits::TERMINATION_MESSAGE_BYTES_MAX;

/// The folder of a pod.
#[derive(Clone, Debug)]
pub struct PodFiles {
    folder: PathBuf,
}

impl PodFiles {
    /// In a pod's folder, which is made when something is written.
    pub fn new(folder: &Path) -> PodFiles {
        PodFiles {
            folder: folder.to_owned(),
        }
    }

    /// Writes `/etc/hosts`.
    ///
    /// # Errors
    /// What the file system says.
    pub fn hosts(&self, text: &str) -> io::Result<PathBuf> {
        self.write("etc-hosts", text)
    }

    /// Writes `/etc/hostname`.
    ///
    /// # Errors
    /// What the file system says.
    pub fn hostname(&self, name: &str) -> io::Result<PathBuf> {
        self.write("hostname", &format!("{name}\n"))
    }

    /// Writes `/etc/resolv.conf`.
    ///
    /// # Errors
    /// What the file system says.
    pub fn resolv_conf(&self, text: &str) -> io::Result<PathBuf> {
        self.write("resolv.conf", text)
    }

    /// An empty file for the last words of one run of a container: whoever it runs as may write to it.
    ///
    /// # Errors
    /// What the file system says.
    pub fn termination_log(&self, container: &str, attempt: u32) -> io::Result<PathBuf> {
        let path = self.termination_path(container, attempt);
        if let Some(parent) = path.parent() {
            fs::create_dir_all(parent)?;
        }
        create(&path, b"", 0o666)?;
        Ok(path)
    }

    /// What a run of a container has left there, up to the bound; `None` where it has left nothing.
    pub fn last_words(&self, container: &str, attempt: u32) -> Option<String> {
        let path = self.termination_path(container, attempt);
        let file = OpenOptions::new()
            .read(true)
            .custom_flags(flags(OFlags::NOFOLLOW | OFlags::NONBLOCK))
            .open(path)
            .ok()?;
        let mut bytes = Vec::new();
        file.take(TERMINATION_MESSAGE_BYTES_MAX as u64)
            .read_to_end(&mut bytes)
            .ok()?;
        let text = String::from_utf8_lossy(&bytes).into_owned();
        Some(text).filter(|text| !text.is_empty())
    }

    /// The runs before this one have had their last words.
    pub fn forget(&self, container: &str, attempt: u32) {
        // A file that cannot be removed now goes with the pod's folder.
        let _ = fs::remove_file(self.termination_path(container, attempt));
    }

    fn termination_path(&self, container: &str, attempt: u32) -> PathBuf {
        self.folder
            .join("containers")
            .join(container)
            .join(attempt.to_string())
    }

    fn write(&self, name: &str, text: &str) -> io::Result<PathBuf> {
        fs::create_dir_all(&self.folder)?;
        let path = self.folder.join(name);
        if fs::read(&path).is_ok_and(|known| known == text.as_bytes()) {
            return Ok(path);
        }
        create(&path, text.as_bytes(), 0o644)?;
        Ok(path)
    }
}

/// Writes a file in place, with this mode whatever the umask.
fn create(path: &Path, bytes: &[u8], mode: u32) -> io::Result<()> {
    let mut file = OpenOptions::new()
        .write(true)
        .create(true)
        .truncate(true)
        .mode(mode)
        .custom_flags(flags(OFlags::NOFOLLOW))
        .open(path)?;
    file.write_all(bytes)?;
    file.set_permissions(fs::Permissions::from_mode(mode))
}

fn flags(flags: OFlags) -> i32 {
    i32::try_from(flags.bits()).expect("open flags fit into a C int")
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::MetadataExt;

    use crate::volumes::scratch::Scratch;

    #[test]
    fn files_keep_their_place_when_they_change() {
        let scratch = Scratch::new();
        let files = PodFiles::new(&scratch.path().join("pod"));
        let path = files.hosts("one\n").expect("it can be written");
        let place = fs::metadata(&path).expect("it is there").ino();
        files.hosts("two, longer\n").expect("it can be written");
        files.hosts("three\n").expect("it can be written");
        let now = fs::metadata(&path).expect("it is there");
        assert_eq!((now.ino(), now.mode() & 0o777), (place, 0o644));
        assert_eq!(fs::read_to_string(&path).expect("text"), "three\n");
        let name = files.hostname("web-0").expect("it can be written");
        assert_eq!(fs::read_to_string(name).expect("text"), "web-0\n");
    }

    #[test]
    fn last_words_are_bounded() {
        let scratch = Scratch::new();
        let files = PodFiles::new(scratch.path());
        let path = files.termination_log("main", 2).expect("it can be made");
        assert_eq!(fs::metadata(&path).expect("it is there").mode() & 0o777, 0o666);
        assert_eq!(files.last_words("main", 2), None);
        fs::write(&path, "x".repeat(5000)).expect("it can be written");
        assert_eq!(files.last_words("main", 2).map(|text| text.len()), Some(4096));
        files.forget("main", 2);
        assert_eq!(files.last_words("main", 2), None);
        std::os::unix::fs::symlink("/etc/passwd", path).expect("a link");
        assert_eq!(files.last_words("main", 2), None, "a link is not followed");
    }
}

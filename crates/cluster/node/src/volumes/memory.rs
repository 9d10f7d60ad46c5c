//! A folder in memory for what must not come to rest on a disk: secrets, tokens, what the downward API tells
//! (`pkg/volume/secret`, `projected`, `downwardapi`: each in an emptyDir of memory).
//!
//! Nothing is mounted for it, and so nothing can stay mounted: the folder is one of a file system in memory that the
//! machine has anyway.

use std::fs::{self, DirBuilder};
use std::io;
use std::os::unix::fs::{DirBuilderExt as _, MetadataExt as _};
use std::path::{Path, PathBuf};

/// Where machines have a file system in memory: the first is for the system's own, the second for everybody.
const PLACES: [&str; 2] = ["/run", "/dev/shm"];

/// `TMPFS_MAGIC` of statfs(2).
const TMPFS: i64 = 0x0102_1994;

/// The types of volumes that are kept there, as their folders say them.
pub(super) fn is_kept(r#type: &str) -> bool {
    matches!(r#type, "secret" | "projected" | "downward-api")
}

/// The folder of this name in memory, made if it is not there. None where the machine has no such file system, or where
/// somebody else has made a folder of this name.
pub fn folder(name: &str) -> Option<PathBuf> {
    PLACES.iter().find_map(|place| made(Path::new(place), name))
}

fn made(place: &Path, name: &str) -> Option<PathBuf> {
    let found = rustix::fs::statfs(place).ok()?;
    if found.f_type != TMPFS {
        return None;
    }
    let folder = place.join(name);
    match DirBuilder::new().mode(0o700).create(&folder) {
        Err(error) if error.kind() != io::ErrorKind::AlreadyExists => return None,
        _ => {}
    }
    // Everybody may make folders in the second place: one that is not ours alone is not used.
    let known = folder.symlink_metadata().ok()?;
    let own =
        known.is_dir() && known.uid() == rustix::process::geteuid().as_raw() && known.mode() & 0o077 == 0;
    own.then_some(folder)
}

/// Removes the folder of this name with all that is in it.
///
/// # Errors
/// What the file system says.
pub fn sweep(name: &str) -> io::Result<()> {
    for place in PLACES {
        let folder = Path::new(place).join(name);
        let known = match folder.symlink_metadata() {
            Ok(known) => known,
            Err(_) => continue,
        };
        if known.is_dir() && known.uid() == rustix::process::geteuid().as_raw() {
            fs::remove_dir_all(folder)?;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;

    #[test]
    #[allow(clippy::print_stdout, reason = "a test that is skipped says so")]
    fn a_folder_in_memory_is_ours_alone_or_not_used() {
        let name = format!("deploy-test-{}", std::process::id());
        let Some(path) = folder(&name) else {
            println!("skipped: this machine has no file system in memory that we may use");
            return;
        };
        assert_eq!(path.metadata().expect("it is made").mode() & 0o7777, 0o700);
        assert_eq!(folder(&name), Some(path.clone()), "it is found again");
        fs::write(path.join("secret"), "x").expect("it is ours");
        fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).expect("it is ours");
        assert_ne!(folder(&name), Some(path.clone()), "others could look into it");
        sweep(&name).expect("it is ours");
        assert!(!path.exists());
        sweep(&name).expect("nothing to do");
    }
}

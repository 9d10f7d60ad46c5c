//! A path inside a volume whose owner may be hostile: links are followed only as long as they stay inside, and nothing that
//! happens meanwhile can lead outside (`pkg/volume/util/subpath`).

use std::io;
use std::os::fd::OwnedFd;
use std::path::{Component, Path, PathBuf};

use rustix::fs::{Mode, OFlags, ResolveFlags};
use rustix::io::Errno;

/// Opens a path inside a folder, for its place only.
///
/// # Errors
/// `CrossesDevices` for one that leads outside, else what the file system says.
pub fn open(root: &Path, path: &Path) -> io::Result<OwnedFd> {
    Ok(find(&top(root)?, path, OFlags::PATH)?)
}

/// Makes the folders of a path inside a folder that are missing, with the permissions of that folder. A path that is there
/// stays as it is, whatever it is.
///
/// # Errors
/// As [`open`].
pub fn ensure(root: &Path, path: &Path) -> io::Result<()> {
    let top = top(root)?;
    let mode = Mode::from_raw_mode(rustix::fs::fstat(&top)?.st_mode & 0o7777);
    let parts: Vec<Component<'_>> = path
        .components()
        .filter(|part| *part != Component::CurDir)
        .collect();
    if parts.iter().any(|part| !matches!(part, Component::Normal(_))) {
        return Err(io::ErrorKind::InvalidInput.into());
    }
    // The longest part of the path that is there, links in it followed.
    let (mut folder, mut missing) = (None, parts.len());
    for there in (1..=parts.len()).rev() {
        let known: PathBuf = parts[..there].iter().collect();
        match find(&top, &known, OFlags::PATH) {
            Ok(found) if there == parts.len() => {
                drop(found);
                return Ok(());
            }
            Ok(found) => {
                (folder, missing) = (Some(found), there);
                break;
            }
            Err(Errno::NOENT) => missing = there - 1,
            Err(error) => return Err(error.into()),
        }
    }
    let mut folder = folder.unwrap_or(top);
    for part in &parts[missing..] {
        let name = Path::new(part);
        rustix::fs::mkdirat(&folder, name, mode)?;
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        folder = rustix::fs::openat(&folder, name, flags, Mode::empty())?;
        // The umask has no say.
        rustix::fs::fchmod(&folder, mode)?;
    }
    Ok(())
}

fn top(root: &Path) -> io::Result<OwnedFd> {
    let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC;
    Ok(rustix::fs::open(root, flags, Mode::empty())?)
}

fn find(top: &OwnedFd, path: &Path, flags: OFlags) -> Result<OwnedFd, Errno> {
    let resolve = ResolveFlags::BENEATH | ResolveFlags::NO_MAGICLINKS;
    rustix::fs::openat2(top, path, flags | OFlags::CLOEXEC, Mode::empty(), resolve)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::volumes::scratch::Scratch;
    use std::fs;
    use std::os::unix::fs::{PermissionsExt, symlink};
    use std::sync::atomic::{AtomicBool, Ordering};

    fn place(fd: &OwnedFd) -> PathBuf {
        use std::os::fd::AsRawFd;
        fs::read_link(format!("/proc/self/fd/{}", fd.as_raw_fd())).expect("an open file has a place")
    }

    #[test]
    fn links_are_followed_inside_only() {
        let scratch = Scratch::new();
        let base = fs::canonicalize(scratch.path()).expect("it is there");
        let volume = base.join("volume");
        fs::create_dir_all(volume.join("version")).expect("folders");
        fs::write(volume.join("version/key"), "x").expect("a file");
        fs::write(base.join("secret"), "x").expect("a file");
        for (to, name) in [
            ("version", "..data"),
            ("..data/key", "key"),
            ("..", "up"),
            ("/etc", "absolute"),
            ("/proc/self/root", "magic"),
            ("version/../..", "hidden"),
            ("round", "round"),
        ] {
            symlink(to, volume.join(name)).expect("a link");
        }
        let found = open(&volume, Path::new("key")).expect("it is inside");
        assert_eq!(place(&found), volume.join("version/key"));
        for hostile in [
            "up",
            "up/secret",
            "absolute",
            "absolute/passwd",
            "magic/etc",
            "hidden",
            "..",
            "/etc",
            "round",
        ] {
            assert!(open(&volume, Path::new(hostile)).is_err(), "{hostile}");
            assert!(ensure(&volume, Path::new(hostile)).is_err(), "{hostile}");
            let deeper = Path::new(hostile).join("new");
            assert!(ensure(&volume, &deeper).is_err(), "{hostile}/new");
        }
        assert!(!base.join("new").exists());
    }

    #[test]
    fn folders_are_made_with_the_permissions_of_the_volume() {
        let scratch = Scratch::new();
        let volume = scratch.path().join("volume");
        fs::create_dir_all(volume.join("real")).expect("folders");
        fs::set_permissions(&volume, fs::Permissions::from_mode(0o2777)).expect("it is ours");
        symlink("real", volume.join("link")).expect("a link");
        fs::write(volume.join("file"), "x").expect("a file");
        ensure(&volume, Path::new("link/a/./b")).expect("it is inside");
        for path in ["real/a", "real/a/b"] {
            let mode = fs::metadata(volume.join(path))
                .expect("it is made")
                .permissions()
                .mode();
            assert_eq!(mode & 0o7777, 0o2777, "{path}");
        }
        ensure(&volume, Path::new("file")).expect("it is there");
        assert!(ensure(&volume, Path::new("file/below")).is_err());
        symlink("nowhere", volume.join("dangling")).expect("a link");
        assert!(ensure(&volume, Path::new("dangling/x")).is_err());
    }

    /// Somebody swaps a folder for a link to the outside as fast as he can.
    #[test]
    fn a_race_never_leads_outside() {
        let scratch = Scratch::new();
        let base = fs::canonicalize(scratch.path()).expect("it is there");
        let (volume, outside) = (base.join("volume"), base.join("outside"));
        fs::create_dir_all(volume.join("a/b")).expect("folders");
        fs::create_dir_all(outside.join("b")).expect("folders");
        symlink(&outside, volume.join("evil")).expect("a link");
        let ends = AtomicBool::new(false);
        std::thread::scope(|threads| {
            threads.spawn(|| {
                while !ends.load(Ordering::Relaxed) {
                    let _ = fs::rename(volume.join("a"), volume.join("kept"));
                    let _ = fs::rename(volume.join("evil"), volume.join("a"));
                    let _ = fs::rename(volume.join("a"), volume.join("evil"));
                    let _ = fs::rename(volume.join("kept"), volume.join("a"));
                }
            });
            for number in 0..3000 {
                if let Ok(found) = open(&volume, Path::new("a/b")) {
                    assert!(place(&found).starts_with(&volume), "{:?}", place(&found));
                }
                let _ = ensure(&volume, Path::new(&format!("a/n{}", number % 7)));
            }
            ends.store(true, Ordering::Relaxed);
        });
        let leaked: Vec<_> = fs::read_dir(&outside).expect("a folder").collect();
        assert_eq!(leaked.len(), 1, "nothing was made outside");
    }
}

//! Root file systems and sub-paths, mounted where only the shim and its containers see them.

use std::fs;
use std::io;
use std::os::fd::{AsRawFd, OwnedFd};
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};

use nix::mount::{MntFlags, MsFlags, mount, umount2};
use rustix::fs::{Mode, OFlags, ResolveFlags, openat2};

use crate::error::SandboxError;
use crate::limits::{MAX_LAYERS, MAX_MOUNT_OPTIONS_BYTES, MAX_PASSWD_BYTES};
use crate::spec::{ContainerSpec, MountSource, Rootfs, Tmpfs};

/// A container's root, mounted.
#[derive(Debug)]
pub(super) struct Mounted {
    pub(super) rootfs: PathBuf,
    pub(super) upper: Option<PathBuf>,
    /// Sources of its mounts with a sub-path, in their order.
    pub(super) sources: Vec<Option<PathBuf>>,
}

/// Mounts what a container needs below its folder.
pub(super) fn prepare(folder: &Path, spec: &ContainerSpec, nodev: bool) -> Result<Mounted, SandboxError> {
    let rootfs = folder.join("rootfs");
    make(&rootfs)?;
    let upper = root(folder, &rootfs, &spec.rootfs, nodev)?;
    let mut mounted = Mounted {
        rootfs,
        upper,
        sources: Vec::new(),
    };
    for (place, one) in spec.mounts.iter().enumerate() {
        match source(folder, place, one) {
            Ok(source) => mounted.sources.push(source),
            Err(error) => {
                release(&mounted);
                return Err(error);
            }
        }
    }
    Ok(mounted)
}

/// Unmounts it.
pub(super) fn release(mounted: &Mounted) {
    for source in mounted.sources.iter().flatten() {
        unmount(source);
    }
    unmount(&mounted.rootfs);
}

fn unmount(path: &Path) {
    // What is still in use goes with the last who uses it; all goes with the shim.
    let _ = umount2(path, MntFlags::MNT_DETACH);
}

/// An image may have a layer twice (an empty one, mostly). The kernel takes no folder twice, and what the layer below
/// says, the one above says too.
fn each_once(layers: &[PathBuf]) -> Vec<PathBuf> {
    let mut once: Vec<PathBuf> = Vec::with_capacity(layers.len());
    for layer in layers {
        if !once.contains(layer) {
            once.push(layer.clone());
        }
    }
    once
}

fn root(folder: &Path, target: &Path, spec: &Rootfs, nodev: bool) -> Result<Option<PathBuf>, SandboxError> {
    if spec.lower.is_empty() || spec.lower.len() > MAX_LAYERS {
        return Err(SandboxError::Invalid(format!(
            "a root file system has 1 to {MAX_LAYERS} layers, not {}",
            spec.lower.len()
        )));
    }
    let (upper, work) = match (&spec.upper, &spec.work) {
        (Some(upper), Some(work)) => (upper.clone(), work.clone()),
        (None, None) => (folder.join("upper"), folder.join("work")),
        _ => {
            return Err(SandboxError::Invalid("upper and work come together".to_owned()));
        }
    };
    make(&upper)?;
    make(&work)?;
    let lower = each_once(&spec.lower);
    let mut options = overlay_options(&lower, &upper, &work);
    let mut links = None;
    if options
        .as_ref()
        .is_none_or(|text| text.len() > MAX_MOUNT_OPTIONS_BYTES)
    {
        // Many layers, long paths, or characters that overlayfs gives a meaning: short names for all.
        let (folder, short) = link(folder, &lower, &upper, &work)?;
        options = overlay_options(&short[2..], &short[0], &short[1]);
        links = Some(folder);
    }
    let options = options.ok_or_else(|| SandboxError::Invalid("a layer's path is not text".to_owned()))?;
    let mut flags = MsFlags::empty();
    flags.set(MsFlags::MS_NODEV, nodev);
    let go = |options: &str| {
        if let Some(links) = &links {
            std::env::set_current_dir(links)?;
        }
        let outcome = mount(Some("overlay"), target, Some("overlay"), flags, Some(options));
        std::env::set_current_dir("/")?;
        outcome.map_err(io::Error::from)
    };
    // What a container has written need not survive a power failure, and syncing it would make its end wait for the
    // disk. Linux 5.10 and later know `volatile`.
    go(&format!("{options},volatile"))
        .or_else(|_| go(&options))
        .map_err(|error| SandboxError::runtime("mounting the root file system", error))?;
    Ok(Some(upper))
}

fn overlay_options(lower: &[PathBuf], upper: &Path, work: &Path) -> Option<String> {
    let text = |path: &Path| {
        let text = path.to_str()?;
        (!text.contains([',', ':', '\\', '"'])).then(|| text.to_owned())
    };
    let lower: Option<Vec<String>> = lower.iter().map(|path| text(path)).collect();
    Some(format!(
        "lowerdir={},upperdir={},workdir={}",
        lower?.join(":"),
        text(upper)?,
        text(work)?
    ))
}

/// Short names in one folder for the upper folder, the scratch folder and all layers, in this order.
fn link(
    folder: &Path,
    lower: &[PathBuf],
    upper: &Path,
    work: &Path,
) -> Result<(PathBuf, Vec<PathBuf>), SandboxError> {
    let links = folder.join("l");
    make(&links)?;
    let mut short = Vec::new();
    let all = [upper, work]
        .into_iter()
        .chain(lower.iter().map(PathBuf::as_path));
    for (place, path) in all.enumerate() {
        let name = PathBuf::from(format!("{place:x}"));
        symlink(path, links.join(&name)).map_err(|error| SandboxError::runtime("naming a layer", error))?;
        short.push(name);
    }
    Ok((links, short))
}

/// Pins a mount's source: with a sub-path, the file or folder that it leads to now, whatever becomes of the path.
fn source(folder: &Path, place: usize, one: &crate::spec::Mount) -> Result<Option<PathBuf>, SandboxError> {
    let MountSource::Path(path) = &one.source else {
        return Ok(None);
    };
    if !one.target.is_absolute() {
        return Err(SandboxError::Invalid(format!(
            "the mount's target {} is not absolute",
            one.target.display()
        )));
    }
    let missing = |error: &dyn std::fmt::Display| {
        SandboxError::Invalid(format!(
            "mounting {} at {}: {error}",
            path.display(),
            one.target.display()
        ))
    };
    let Some(sub_path) = &one.sub_path else {
        return fs::metadata(path).map(|_| None).map_err(|error| missing(&error));
    };
    let base = open(path, OFlags::DIRECTORY).map_err(|error| missing(&error))?;
    // No link, and no "..", leads out of the volume: what people write into it is not trusted.
    let found = openat2(
        &base,
        sub_path.as_path(),
        OFlags::PATH | OFlags::CLOEXEC,
        Mode::empty(),
        ResolveFlags::BENEATH | ResolveFlags::NO_MAGICLINKS,
    )
    .map_err(|error| missing(&format!("subPath {}: {error}", sub_path.display())))?;
    let kind = rustix::fs::fstat(&found).map_err(|error| missing(&error))?;
    let target = folder.join(format!("m{place}"));
    let made = if rustix::fs::FileType::from_raw_mode(kind.st_mode).is_dir() {
        fs::create_dir(&target)
    } else {
        fs::File::create(&target).map(drop)
    };
    made.map_err(|error| missing(&error))?;
    let from = PathBuf::from(format!("/proc/self/fd/{}", found.as_raw_fd()));
    mount(
        Some(&from),
        &target,
        None::<&str>,
        MsFlags::MS_BIND | MsFlags::MS_REC,
        None::<&str>,
    )
    .map_err(|error| missing(&error))?;
    Ok(Some(target))
}

fn open(path: &Path, flags: OFlags) -> io::Result<OwnedFd> {
    Ok(rustix::fs::open(
        path,
        flags | OFlags::PATH | OFlags::CLOEXEC,
        Mode::empty(),
    )?)
}

/// Mounts a file system in memory.
pub(super) fn tmpfs(spec: &Tmpfs) -> io::Result<()> {
    let mut options = format!("mode={:o}", spec.mode);
    if let Some(size) = spec.size {
        options.push_str(&format!(",size={size}"));
    }
    if let Some(gid) = spec.gid {
        options.push_str(&format!(",gid={gid}"));
    }
    mount(
        Some("tmpfs"),
        &spec.path,
        Some("tmpfs"),
        MsFlags::MS_NOSUID | MsFlags::MS_NODEV,
        Some(options.as_str()),
    )?;
    Ok(())
}

/// Where a user lives by the container's /etc/passwd; `/` if it does not say.
pub(super) fn home(rootfs: &Path, uid: u32) -> String {
    passwd(rootfs)
        .unwrap_or_default()
        .lines()
        .map(|line| line.split(':').collect::<Vec<_>>())
        .find(|fields| fields.len() >= 6 && fields[2].parse() == Ok(uid))
        .map(|fields| fields[5].to_owned())
        .filter(|home| !home.is_empty() && !home.contains('\0'))
        .unwrap_or_else(|| "/".to_owned())
}

fn passwd(rootfs: &Path) -> io::Result<String> {
    let root = open(rootfs, OFlags::DIRECTORY)?;
    // Links are the container's: they are followed as if its root were ours. A pipe in its place must not stop us.
    let file: fs::File = openat2(
        &root,
        "etc/passwd",
        OFlags::RDONLY | OFlags::CLOEXEC | OFlags::NONBLOCK | OFlags::NOCTTY,
        Mode::empty(),
        ResolveFlags::IN_ROOT | ResolveFlags::NO_MAGICLINKS,
    )?
    .into();
    if !file.metadata()?.is_file() {
        return Err(io::Error::from(io::ErrorKind::InvalidInput));
    }
    let mut bytes = Vec::new();
    io::Read::read_to_end(&mut io::Read::take(file, MAX_PASSWD_BYTES), &mut bytes)?;
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}

pub(super) fn make(folder: &Path) -> Result<(), SandboxError> {
    fs::create_dir_all(folder)
        .map_err(|error| SandboxError::runtime(format!("making {}", folder.display()), error))
}

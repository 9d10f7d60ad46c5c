//! Layers as one tree, for as long as a thread looks at it.
//!
//! The mount is in a mount namespace of the thread's own: no one else sees it, and it ends with the thread, however
//! that ends.

use std::fs;
use std::io;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::thread;

use nix::mount::{MntFlags, MsFlags, mount, umount2};
use nix::sched::{CloneFlags, unshare};

/// What is seen, and what takes writes.
#[derive(Clone, Copy, Debug)]
pub struct View<'a> {
    /// Read-only folders, topmost first.
    pub lower: &'a [PathBuf],
    /// Takes the writes; none if nothing is written.
    pub upper: Option<&'a Path>,
    /// An empty folder for the mount and what belongs to it, on the same file system as `upper`.
    pub scratch: &'a Path,
}

/// Mounts the layers and lets `work` look at the tree's root.
pub fn with_view<T: Send>(view: View<'_>, work: impl FnOnce(&Path) -> T + Send) -> io::Result<T> {
    // One folder alone needs no mount. Marks of deletion in it hide nothing.
    if let (None, [only]) = (view.upper, view.lower) {
        return Ok(work(only));
    }
    thread::scope(|scope| {
        let thread = thread::Builder::new()
            .name("build-view".to_owned())
            .spawn_scoped(scope, || {
                let root = mounted(view)?;
                let done = work(&root);
                std::env::set_current_dir("/")?;
                umount2(&root, MntFlags::MNT_DETACH).map_err(io::Error::from)?;
                Ok(done)
            })?;
        match thread.join() {
            Ok(done) => done,
            Err(panic) => std::panic::resume_unwind(panic),
        }
    })
}

fn mounted(view: View<'_>) -> io::Result<PathBuf> {
    // With CLONE_FS the folder of this thread is its own: relative names keep the options short.
    unshare(CloneFlags::CLONE_FS | CloneFlags::CLONE_NEWNS)?;
    mount(
        None::<&str>,
        "/",
        None::<&str>,
        MsFlags::MS_REC | MsFlags::MS_PRIVATE,
        None::<&str>,
    )?;
    let root = view.scratch.join("root");
    let links = view.scratch.join("links");
    // The kernel takes no folder twice.
    let none = ["empty", "void"].map(|name| view.scratch.join(name));
    for folder in [&root, &links].into_iter().chain(&none) {
        fs::create_dir_all(folder)?;
    }
    let mut lower = Vec::new();
    // Two steps may have written the same: what the layer below says then, the one above says too.
    let mut folders: Vec<&PathBuf> = Vec::new();
    for folder in view.lower {
        if !folders.contains(&folder) {
            folders.push(folder);
        }
    }
    let missing = if view.upper.is_some() { 1 } else { 2 };
    let padding = missing.max(folders.len()) - folders.len();
    for (place, folder) in folders.into_iter().chain(&none[..padding]).enumerate() {
        let name = format!("{place:x}");
        let _ = fs::remove_file(links.join(&name));
        symlink(folder, links.join(&name))?;
        lower.push(name);
    }
    let mut options = format!("lowerdir={}", lower.join(":"));
    if let Some(upper) = view.upper {
        let work = view.scratch.join("work");
        fs::create_dir_all(&work)?;
        for (name, folder) in [("u", upper), ("w", &work)] {
            let _ = fs::remove_file(links.join(name));
            symlink(folder, links.join(name))?;
        }
        options.push_str(",upperdir=u,workdir=w");
    }
    std::env::set_current_dir(&links)?;
    mount(
        Some("overlay"),
        &root,
        Some("overlay"),
        MsFlags::MS_NODEV | MsFlags::MS_NOSUID,
        Some(options.as_str()),
    )?;
    Ok(root)
}

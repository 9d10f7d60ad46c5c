//! How full file systems are, and what folders hold.

use std::collections::HashSet;
use std::fs;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};

use serde_json::Value;

use super::sample::{Sample, Space};
use super::summary::{Disks, PodDisk};
use crate::limits;
use crate::shell::View;

/// The size of the blocks that `st_blocks` counts, whatever the file system's own are (stat(2)).
const BLOCK_BYTES: u64 = 512;

/// The file system that a folder is on; nothing is known of one that is not there.
pub(super) fn file_system(folder: &Path) -> Space {
    let Ok(found) = rustix::fs::statvfs(folder) else {
        return Space::default();
    };
    Space {
        available_bytes: found.f_bavail.saturating_mul(found.f_frsize),
        capacity_bytes: found.f_blocks.saturating_mul(found.f_frsize),
        used_bytes: Some(
            found
                .f_blocks
                .saturating_sub(found.f_bfree)
                .saturating_mul(found.f_frsize),
        ),
        inodes_free: found.f_ffree,
        inodes: found.f_files,
        inodes_used: Some(found.f_files.saturating_sub(found.f_ffree)),
    }
}

/// The file system of a folder, and of it what the folder holds. A folder with more than
/// [`limits::COUNTED_FILES_MAX`] files is not counted to its end: what it holds is not known then.
pub(super) fn folder(path: &Path) -> Space {
    let (used_bytes, inodes_used) = match count(path) {
        Some((bytes, files)) => (Some(bytes), Some(files)),
        None => (None, None),
    };
    Space {
        used_bytes,
        inodes_used,
        ..file_system(path)
    }
}

/// Bytes on the disk, and files: no link is followed, a file with several names counts once.
fn count(path: &Path) -> Option<(u64, u64)> {
    let (mut bytes, mut files, mut several) = (0_u64, 0_u64, HashSet::new());
    let mut folders: Vec<PathBuf> = Vec::new();
    let mut see = |path: &Path, folders: &mut Vec<PathBuf>| {
        // What has gone meanwhile holds nothing.
        let Ok(found) = path.symlink_metadata() else {
            return true;
        };
        if found.nlink() > 1 && !found.is_dir() && !several.insert((found.dev(), found.ino())) {
            return true;
        }
        bytes = bytes.saturating_add(found.blocks().saturating_mul(BLOCK_BYTES));
        files += 1;
        if found.is_dir() {
            folders.push(path.to_owned());
        }
        files <= limits::COUNTED_FILES_MAX
    };
    see(path, &mut folders);
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
            if !see(&entry.path(), &mut folders) {
                return None;
            }
        }
    }
    Some((bytes, files))
}

/// What the pods of a sample have on disk. Blocks, for as long as it takes to walk through all of it.
pub(super) fn read(view: &View, sample: &Sample) -> Disks {
    let node = file_system(view.folder());
    let pods = sample.pods.iter().map(|pod| {
        let mut disk = PodDisk::default();
        for container in &pod.containers {
            let written = container.upper.as_deref().map(folder).unwrap_or_default();
            let logs = folder(&view.log_folder(pod).join(&container.name));
            disk.containers.insert(container.name.clone(), (written, logs));
        }
        disk.volumes = volumes(view, &pod.uid);
        (pod.uid.clone(), disk)
    });
    Disks {
        node,
        images: Space {
            used_bytes: Some(view.images_bytes()),
            ..node
        },
        pods: pods.collect(),
    }
}

/// The volumes that the node has made for a pod, and those of its claims that are folders of the node. What is in memory
/// is nobody's disk.
fn volumes(view: &View, uid: &str) -> Vec<(String, Option<String>, Space)> {
    let Some(object) = view.pods().into_iter().find(|pod| pod["metadata"]["uid"] == *uid) else {
        return Vec::new();
    };
    let all = object["spec"]["volumes"].as_array().into_iter().flatten();
    let found = all.filter_map(|volume| {
        let name = volume["name"].as_str()?;
        if let Some(claim) = volume["persistentVolumeClaim"]["claimName"].as_str() {
            let path = view.claim_folder(&object, claim)?;
            return Some((name.to_owned(), Some(claim.to_owned()), folder(&path)));
        }
        let path = view.volume_folder(uid, kind(volume)?, name);
        path.is_dir().then(|| (name.to_owned(), None, folder(&path)))
    });
    found.collect()
}

/// The type of a volume as its folder says it.
fn kind(volume: &Value) -> Option<&'static str> {
    let kinds = [
        ("configMap", "configmap"),
        ("secret", "secret"),
        ("downwardAPI", "downward-api"),
        ("projected", "projected"),
        ("emptyDir", "empty-dir"),
    ];
    if volume["emptyDir"]["medium"] == "Memory" {
        return None;
    }
    let found = kinds.iter().find(|(field, _)| volume[*field].is_object());
    found.map(|(_, kind)| *kind)
}

/// `/dev/vda`; where the kernel has no name for it, its numbers.
pub(super) fn device(major: u32, minor: u32) -> String {
    let path = format!("/sys/dev/block/{major}:{minor}/uevent");
    let found = fs::read_to_string(path).unwrap_or_default();
    let name = found.lines().find_map(|line| line.strip_prefix("DEVNAME="));
    name.map_or_else(|| format!("{major}:{minor}"), |name| format!("/dev/{name}"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::volumes::scratch::Scratch;

    #[test]
    fn a_folder_holds_what_is_in_it_once() {
        let scratch = Scratch::new();
        let inner = scratch.path().join("inner");
        fs::create_dir(&inner).expect("a folder");
        fs::write(inner.join("one"), vec![1; 100_000]).expect("a file");
        let (bytes, files) = count(scratch.path()).expect("few files");
        assert!(bytes >= 100_000, "{bytes}");
        assert_eq!(files, 3);
        fs::hard_link(inner.join("one"), inner.join("two")).expect("a name");
        std::os::unix::fs::symlink("/", inner.join("all")).expect("a link");
        let again = count(scratch.path()).expect("few files");
        assert_eq!(
            again.1, 4,
            "the link counts, not where it leads, and no second name"
        );
        assert!(again.0 - bytes < 100_000);
        let space = folder(scratch.path());
        assert_eq!(space.inodes_used, Some(4));
        assert!(space.capacity_bytes >= space.available_bytes && space.capacity_bytes > 0);
        assert_eq!(count(&scratch.path().join("gone")), Some((0, 0)));
    }
}

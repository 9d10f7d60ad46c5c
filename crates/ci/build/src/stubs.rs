//! What the runtime makes in an image's tree for its mounts, and what is left of it to be removed.

use std::fs;
use std::path::{Path, PathBuf};

use crate::source::{clean, resolve};

/// The places that do not exist before a step and that its mounts need, the deepest first, below `root`.
pub fn missing(root: &Path, targets: &[String]) -> Vec<PathBuf> {
    let mut missing = Vec::new();
    // As the kernel names it: a link may lead to the store.
    let Ok(root) = &resolve(root, "") else {
        return missing;
    };
    for target in targets {
        let clean = clean(target);
        let mut path = clean.as_str();
        let mut chain = Vec::new();
        while resolve(root, path).is_err() {
            chain.push(path);
            path = path.rsplit_once('/').map_or("", |(above, _)| above);
            if path.is_empty() {
                break;
            }
        }
        let Ok(base) = resolve(root, path) else { continue };
        let Ok(base) = base.strip_prefix(root).map(Path::to_owned) else {
            continue;
        };
        for one in chain {
            let rest = one.strip_prefix(path).unwrap_or(one).trim_start_matches('/');
            missing.push(base.join(rest));
        }
    }
    missing.sort_by_key(|path| std::cmp::Reverse(path.components().count()));
    missing.dedup();
    missing
}

/// Removes them from what takes the writes, where nothing was put into them.
pub fn remove(upper: &Path, missing: &[PathBuf]) {
    for path in missing {
        let path = upper.join(path);
        let Ok(data) = fs::symlink_metadata(&path) else {
            continue;
        };
        if data.is_dir() {
            // Somebody has put something into it, and it stays.
            let _ = fs::remove_dir(path);
        } else if data.is_file() && data.len() == 0 {
            let _ = fs::remove_file(path);
        }
    }
}

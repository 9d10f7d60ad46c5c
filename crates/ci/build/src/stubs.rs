//! What the runtime makes in an image's tree for its mounts, and what is left of it to be removed.

use std::fs;
use std::path::{Path, PathBuf};

use deploy_image::OPAQUE_ATTRIBUTE;

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

/// Removes them from what takes the writes, where nothing was put into them; also the folder that one of them stood in,
/// where it was copied from the layers below for that alone.
pub fn remove(upper: &Path, lower: &[PathBuf], missing: &[PathBuf]) {
    for path in missing {
        take_away(&upper.join(path));
        if let Some(above) = path.parent().filter(|above| !above.as_os_str().is_empty())
            && is_copy(
                &upper.join(above),
                lower
                    .iter()
                    .find_map(|layer| layer.join(above).symlink_metadata().ok()),
            )
        {
            // Where something else was put into it, it is not empty, and stays.
            let _ = fs::remove_dir(upper.join(above));
        }
    }
}

/// A folder that shows what is below it, with the owner and mode that it has there.
fn is_copy(folder: &Path, below: Option<fs::Metadata>) -> bool {
    use std::os::unix::fs::MetadataExt as _;
    let mut none = [0_u8; 8];
    let hides = rustix::fs::lgetxattr(folder, OPAQUE_ATTRIBUTE, &mut none).is_ok_and(|length| length > 0);
    let same = |here: fs::Metadata, below: fs::Metadata| {
        (here.uid(), here.gid(), here.mode()) == (below.uid(), below.gid(), below.mode())
    };
    match (folder.symlink_metadata(), below) {
        (Ok(here), Some(below)) => here.is_dir() && !hides && same(here, below),
        _ => false,
    }
}

fn take_away(path: &Path) {
    let Ok(data) = fs::symlink_metadata(path) else {
        return;
    };
    if data.is_dir() {
        // Somebody has put something into it, and it stays.
        let _ = fs::remove_dir(path);
    } else if data.is_file() && data.len() == 0 {
        let _ = fs::remove_file(path);
    }
}

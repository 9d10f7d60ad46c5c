//! `hashFiles`: one hash of all files of a workspace that match (actions/runner, src/Misc/expressionFunc/hashFiles).

use std::io::{self, Read};
use std::os::fd::AsFd;
use std::path::{Path, PathBuf};

use sha2::{Digest, Sha256};

use crate::glob::Patterns;
use crate::limits::MAX_HASHED_FILES;
use crate::room::{Inside, open_found, walk};

/// The hash in hex; empty where no file matches. Blocks.
pub(super) fn hash_files(
    inside: &Inside,
    workspace: &Path,
    patterns: &[String],
    home: &str,
) -> io::Result<String> {
    let patterns = Patterns::new(patterns.iter().map(String::as_str), workspace, home);
    let mut hashes: Vec<(PathBuf, [u8; 32])> = Vec::new();
    for root in patterns.roots().iter().filter(|root| root.starts_with(workspace)) {
        if let Ok(file) = inside.file(root)
            && patterns.matches(root)
        {
            hashes.push((root.clone(), hash(file)?));
        }
        let Ok(folder) = inside.folder(root) else {
            continue;
        };
        walk(folder.as_fd(), &mut |found, folder, leaf| {
            let path = root.join(&found.path);
            if found.kind.is_file() && patterns.matches(&path) {
                if hashes.len() >= MAX_HASHED_FILES {
                    return Err(io::Error::other(format!(
                        "hashFiles reads {MAX_HASHED_FILES} files at most"
                    )));
                }
                hashes.push((path, hash(open_found(folder, leaf)?)?));
            }
            Ok(true)
        })?;
    }
    if hashes.is_empty() {
        return Ok(String::new());
    }
    hashes.sort();
    let mut all = Sha256::new();
    hashes.iter().for_each(|(_, hash)| all.update(hash));
    Ok(all.finalize().iter().map(|byte| format!("{byte:02x}")).collect())
}

fn hash(mut file: std::fs::File) -> io::Result<[u8; 32]> {
    let mut hash = Sha256::new();
    let mut buffer = vec![0; 1 << 16];
    loop {
        match file.read(&mut buffer)? {
            0 => return Ok(hash.finalize().into()),
            count => hash.update(&buffer[..count]),
        }
    }
}

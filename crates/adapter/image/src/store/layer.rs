//! Layers: unpacked aside, checked, and given their name at the end.

use std::fs::{self, File};
use std::io::{self, Read};
use std::os::unix::fs::{FileTypeExt, PermissionsExt};
use std::path::{Path, PathBuf};

use deploy_model::image::Digest;
use rustix::io::Errno;
use serde::{Deserialize, Serialize};

use super::disk::{self, Scratch};
use super::{Layer, StoreError};
use crate::decode::decoded;
use crate::hash::Hashing;
use crate::limits;
use crate::pack::OPAQUE_ATTRIBUTE;
use crate::unpack::unpack;

/// The digits of a digest that name a layer's folder. Two layers with equal ones are told apart by their records.
const NAME_DIGITS: usize = 32;

/// What stands beside a layer's files.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Record {
    diff_id: String,
    size: u64,
}

/// Where a layer is or would be.
pub fn folder(root: &Path, diff_id: &Digest) -> PathBuf {
    root.join("layers").join(&diff_id.hex()[..NAME_DIGITS])
}

/// The layer, if it is there and whole.
pub fn find(root: &Path, diff_id: &Digest) -> Option<Layer> {
    let folder = folder(root, diff_id);
    let record: Record = serde_json::from_slice(&fs::read(folder.join("layer.json")).ok()?).ok()?;
    (record.diff_id == diff_id.as_str()).then(|| Layer {
        diff_id: diff_id.clone(),
        folder: folder.join("fs"),
        size: record.size,
    })
}

/// Unpacks a layer beside the others, checks it, and gives it its name.
pub fn ingest(
    root: &Path,
    packed: Option<&Digest>,
    diff_id: &Digest,
    bytes: &mut dyn Read,
) -> Result<Layer, StoreError> {
    if let Some(layer) = find(root, diff_id) {
        return Ok(layer);
    }
    let scratch = Scratch::new(&root.join("tmp"))?;
    let files = scratch.path.join("fs");
    let on_disk = |error| StoreError::disk(&files, error);
    fs::create_dir(&files).map_err(on_disk)?;
    fs::set_permissions(&files, fs::Permissions::from_mode(0o755)).map_err(on_disk)?;
    let size = unpack_checked(&files, packed, diff_id, bytes)?;
    name(root, &scratch, diff_id, size)
}

/// Gives a whole layer its name.
fn name(root: &Path, scratch: &Scratch, diff_id: &Digest, size: u64) -> Result<Layer, StoreError> {
    let record = Record {
        diff_id: diff_id.to_string(),
        size,
    };
    let record = serde_json::to_vec(&record).expect("two plain fields are JSON");
    disk::replace(&scratch.path, "layer.json", &record)?;
    let target = folder(root, diff_id);
    match fs::rename(&scratch.path, &target) {
        Ok(()) => {}
        // Somebody else was faster.
        Err(error)
            if matches!(
                error.kind(),
                io::ErrorKind::DirectoryNotEmpty | io::ErrorKind::AlreadyExists
            ) => {}
        Err(error) => return Err(StoreError::disk(&target, error)),
    }
    let layers = root.join("layers");
    File::open(&layers)
        .and_then(|folder| folder.sync_all())
        .map_err(|error| StoreError::disk(&layers, error))?;
    find(root, diff_id).ok_or_else(|| StoreError::Damaged {
        path: target,
        reason: "another layer has its place".to_owned(),
    })
}

/// Takes a folder of this file system as a layer: it moves. The digest is that of its tar, which only who has packed it
/// knows.
pub fn adopt(root: &Path, diff_id: &Digest, folder: &Path, size: u64) -> Result<Layer, StoreError> {
    if let Some(layer) = find(root, diff_id) {
        return Ok(layer);
    }
    cleanse(folder)?;
    let opened = File::open(folder).map_err(|error| StoreError::disk(folder, error))?;
    // One flush of the file system instead of one per file, as for layers that are unpacked.
    rustix::fs::syncfs(&opened).map_err(|errno| StoreError::disk(folder, errno.into()))?;
    let scratch = Scratch::new(&root.join("tmp"))?;
    fs::rename(folder, scratch.path.join("fs")).map_err(|error| StoreError::disk(folder, error))?;
    name(root, &scratch, diff_id, size)
}

/// What overlayfs has noted in an upper folder for itself, and sockets: neither is in the layer's tar.
fn cleanse(folder: &Path) -> Result<(), StoreError> {
    let failed = |error| StoreError::disk(folder, error);
    forget(folder)?;
    for entry in fs::read_dir(folder).map_err(failed)? {
        let entry = entry.map_err(failed)?;
        let kind = entry.file_type().map_err(failed)?;
        let path = entry.path();
        if kind.is_socket() {
            fs::remove_file(&path).map_err(failed)?;
        } else if kind.is_dir() {
            cleanse(&path)?;
        } else if kind.is_file() {
            forget(&path)?;
        }
    }
    Ok(())
}

fn forget(path: &Path) -> Result<(), StoreError> {
    let failed = |errno: Errno| StoreError::disk(path, errno.into());
    let mut names = vec![0_u8; limits::ATTRIBUTE_NAMES_BYTES];
    let length = match rustix::fs::llistxattr(path, &mut names[..]) {
        Ok(length) => length,
        Err(Errno::OPNOTSUPP) => return Ok(()),
        Err(errno) => return Err(failed(errno)),
    };
    let own = names[..length]
        .split(|&b| b == 0)
        .filter(|name| name.starts_with(b"trusted.overlay.") && *name != OPAQUE_ATTRIBUTE.as_bytes());
    for name in own {
        rustix::fs::lremovexattr(path, name).map_err(failed)?;
    }
    Ok(())
}

/// Unpacks, reads what follows the tar too, and compares both digests. The packed bytes are judged first: what is not
/// what was asked for is a wrong digest, however it fails to unpack.
fn unpack_checked(
    files: &Path,
    packed: Option<&Digest>,
    diff_id: &Digest,
    bytes: &mut dyn Read,
) -> Result<u64, StoreError> {
    let algorithm = packed.map_or(diff_id.algorithm(), Digest::algorithm);
    let mut outer = Hashing::new(bytes, algorithm);
    let (unpacked, plain) = {
        let plain = decoded(&mut outer).map_err(|error| StoreError::Stream(error.to_string()))?;
        let mut plain = Hashing::new(plain, diff_id.algorithm());
        let unpacked = unpack(files, &mut plain)
            .map_err(StoreError::from)
            .and_then(|unpacked| {
                io::copy(&mut plain, &mut io::sink())
                    .map(|_| unpacked)
                    .map_err(|error| StoreError::Stream(error.to_string()))
            });
        (unpacked, plain.digest())
    };
    if let Some(packed) = packed
        && !matches!(unpacked, Err(StoreError::DiskFull))
    {
        // A broken stream has no digest to speak of: its own error says more.
        let rest = io::copy(&mut outer, &mut io::sink());
        let found = outer.digest();
        if rest.is_ok() && found != *packed {
            return Err(StoreError::Digest {
                what: "layer",
                expected: packed.clone(),
                found,
            });
        }
    }
    let unpacked = unpacked?;
    if plain != *diff_id {
        return Err(StoreError::Digest {
            what: "unpacked layer",
            expected: diff_id.clone(),
            found: plain,
        });
    }
    Ok(unpacked.bytes)
}

/// Bytes of a layer's files as its record states them.
pub fn size(folder: &Path) -> u64 {
    fs::read(folder.join("layer.json"))
        .ok()
        .and_then(|bytes| serde_json::from_slice::<Record>(&bytes).ok())
        .map_or(0, |record| record.size)
}

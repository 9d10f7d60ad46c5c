//! Folders and a configuration become an OCI archive.

use std::fs::{self, File};
use std::io::{self, BufWriter, Read, Seek, Write};
use std::path::{Path, PathBuf};

use deploy_model::image::{Algorithm, Digest, Reference};
use flate2::Compression;
use flate2::write::GzEncoder;
use serde_json::json;
use tar::{Builder, EntryType, Header};

use crate::config::Config;
use crate::hash::{self, Hashing};
use crate::pack::{Pack, PackError, pack};

/// What an archive holds.
#[derive(Clone, Copy, Debug)]
pub struct Contents<'a> {
    /// What `image load` will call it.
    pub reference: &'a Reference,
    /// What it runs.
    pub config: &'a Config,
    /// Folders, lowest first; each becomes a layer.
    pub layers: &'a [PathBuf],
    /// Owners and times of the layers' entries.
    pub pack: Pack,
}

/// Why no archive was written. Nothing is left at the target then.
#[derive(Debug, thiserror::Error)]
pub enum ArchiveError {
    /// A layer's folder could not be packed.
    #[error(transparent)]
    Pack(#[from] PackError),
    /// The archive could not be written.
    #[error("cannot write {}", path.display())]
    Write {
        /// The archive.
        path: PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
}

/// Writes an OCI archive (a tar of an OCI layout) at `target` and gives the digest of its manifest. Equal input with
/// [`Pack::mtime_s`] gives equal bytes. The file appears whole or not at all.
pub fn write_archive(target: &Path, contents: &Contents<'_>) -> Result<Digest, ArchiveError> {
    let part = with_suffix(target, ".part");
    let spool = with_suffix(target, ".layer");
    let result = write(&part, &spool, contents);
    let _ = fs::remove_file(&spool);
    let failed = |source| ArchiveError::Write {
        path: target.to_owned(),
        source,
    };
    match result {
        Ok(digest) => {
            fs::rename(&part, target).map_err(failed)?;
            Ok(digest)
        }
        Err(error) => {
            let _ = fs::remove_file(&part);
            Err(error)
        }
    }
}

fn with_suffix(path: &Path, suffix: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(suffix);
    PathBuf::from(name)
}

fn write(part: &Path, spool: &Path, contents: &Contents<'_>) -> Result<Digest, ArchiveError> {
    let failed = |source| ArchiveError::Write {
        path: part.to_owned(),
        source,
    };
    let mut archive = Builder::new(BufWriter::new(File::create(part).map_err(failed)?));
    add(&mut archive, "oci-layout", br#"{"imageLayoutVersion":"1.0.0"}"#).map_err(failed)?;
    let mut layers = Vec::new();
    let mut diff_ids = Vec::new();
    for folder in contents.layers {
        let layer = layer(folder, spool, contents.pack, &failed)?;
        let mut file = File::open(spool).map_err(failed)?;
        add_stream(&mut archive, &blob(&layer.digest), layer.size, &mut file).map_err(failed)?;
        layers.push(json!({
            "mediaType": "application/vnd.oci.image.layer.v1.tar+gzip",
            "digest": layer.digest.as_str(),
            "size": layer.size,
        }));
        diff_ids.push(layer.diff_id);
    }
    let config = contents.config.to_json(&diff_ids);
    let config_digest = hash::of(&config);
    add(&mut archive, &blob(&config_digest), &config).map_err(failed)?;
    let manifest = json!({
        "schemaVersion": 2,
        "mediaType": "application/vnd.oci.image.manifest.v1+json",
        "config": {
            "mediaType": "application/vnd.oci.image.config.v1+json",
            "digest": config_digest.as_str(),
            "size": config.len(),
        },
        "layers": layers,
    })
    .to_string()
    .into_bytes();
    let digest = hash::of(&manifest);
    add(&mut archive, &blob(&digest), &manifest).map_err(failed)?;
    let index = json!({
        "schemaVersion": 2,
        "mediaType": "application/vnd.oci.image.index.v1+json",
        "manifests": [{
            "mediaType": "application/vnd.oci.image.manifest.v1+json",
            "digest": digest.as_str(),
            "size": manifest.len(),
            "annotations": {
                // skopeo, podman and umoci look for the tag, containerd for the full name.
                "org.opencontainers.image.ref.name": contents.reference.tag().unwrap_or("latest"),
                "io.containerd.image.name": contents.reference.to_string(),
            },
            "platform": {"architecture": contents.config.architecture, "os": contents.config.os},
        }],
    });
    add(&mut archive, "index.json", index.to_string().as_bytes()).map_err(failed)?;
    let mut out = archive.into_inner().map_err(failed)?;
    out.flush().map_err(failed)?;
    out.get_ref().sync_all().map_err(failed)?;
    Ok(digest)
}

struct Layer {
    digest: Digest,
    diff_id: Digest,
    size: u64,
}

/// Packs one folder into the spool: its digest stands before its bytes in an archive.
fn layer(
    folder: &Path,
    spool: &Path,
    options: Pack,
    failed: &dyn Fn(io::Error) -> ArchiveError,
) -> Result<Layer, ArchiveError> {
    let file = BufWriter::new(File::create(spool).map_err(failed)?);
    let packed = Hashing::new(file, Algorithm::Sha256);
    let mut plain = Hashing::new(GzEncoder::new(packed, Compression::default()), Algorithm::Sha256);
    pack(folder, options, &mut plain)?;
    let diff_id = plain.digest();
    let mut packed = plain.inner.finish().map_err(failed)?;
    packed.flush().map_err(failed)?;
    let size = packed.inner.get_mut().stream_position().map_err(failed)?;
    Ok(Layer {
        digest: packed.digest(),
        diff_id,
        size,
    })
}

fn blob(digest: &Digest) -> String {
    format!("blobs/sha256/{}", digest.hex())
}

fn add<W: Write>(archive: &mut Builder<W>, name: &str, bytes: &[u8]) -> io::Result<()> {
    add_stream(archive, name, bytes.len() as u64, &mut &*bytes)
}

fn add_stream<W: Write>(
    archive: &mut Builder<W>,
    name: &str,
    size: u64,
    data: &mut dyn Read,
) -> io::Result<()> {
    let mut header = Header::new_gnu();
    header.set_entry_type(EntryType::Regular);
    header.set_mode(0o644);
    header.set_uid(0);
    header.set_gid(0);
    header.set_mtime(0);
    header.set_size(size);
    archive.append_data(&mut header, name, data)
}

//! The image leaves: manifest, archive.

use std::fs::{self, File};
use std::io::{self, BufWriter, Write};
use std::path::Path;

use deploy_model::image::manifest::Platform;
use deploy_model::image::{Algorithm, Digest, Reference};
use serde_json::json;
use tar::{Builder, EntryType, Header};

use crate::blobs::{Blobs, random};
use crate::cache::Layer;
use crate::error::BuildError;

/// The media type of manifests that are written.
pub const MANIFEST_TYPE: &str = "application/vnd.oci.image.manifest.v1+json";
/// That of configurations.
pub const CONFIG_TYPE: &str = "application/vnd.oci.image.config.v1+json";

/// The manifest of a configuration and layers, lowest first.
pub fn manifest(config: &[u8], layers: &[Layer]) -> Vec<u8> {
    let layers: Vec<_> = layers
        .iter()
        .map(|layer| {
            json!({"mediaType": media_type(layer), "digest": layer.digest.as_str(), "size": layer.size})
        })
        .collect();
    json!({
        "schemaVersion": 2,
        "mediaType": MANIFEST_TYPE,
        "config": {
            "mediaType": CONFIG_TYPE,
            "digest": Digest::of(Algorithm::Sha256, config).as_str(),
            "size": config.len(),
        },
        "layers": layers,
    })
    .to_string()
    .into_bytes()
}

/// Layers of docker's images have docker's own name for the same bytes.
fn media_type(layer: &Layer) -> &str {
    match &*layer.media_type {
        "" | "application/vnd.docker.image.rootfs.diff.tar.gzip" => crate::commit::MEDIA_TYPE,
        other => other,
    }
}

/// Writes an OCI archive: whole, or not at all. Equal images give equal bytes.
pub fn archive(
    target: &Path,
    blobs: &Blobs,
    names: &[Reference],
    platform: &Platform,
    manifest: &[u8],
    config: &[u8],
    layers: &[Layer],
) -> Result<(), BuildError> {
    let part = target.with_extension(format!("{:016x}.part", random()));
    let written = write(&part, blobs, names, platform, manifest, config, layers)
        .and_then(|()| fs::rename(&part, target));
    written.map_err(|error| {
        let _ = fs::remove_file(&part);
        BuildError::disk(target, error)
    })
}

fn write(
    part: &Path,
    blobs: &Blobs,
    names: &[Reference],
    platform: &Platform,
    manifest: &[u8],
    config: &[u8],
    layers: &[Layer],
) -> io::Result<()> {
    let mut archive = Builder::new(BufWriter::new(File::create(part)?));
    add(&mut archive, "oci-layout", br#"{"imageLayoutVersion":"1.0.0"}"#)?;
    let mut written = std::collections::BTreeSet::new();
    for layer in layers {
        if written.insert(&layer.digest) {
            let mut file = File::open(blobs.path(&layer.digest))?;
            stream(&mut archive, &blob(&layer.digest), layer.size, &mut file)?;
        }
    }
    add(
        &mut archive,
        &blob(&Digest::of(Algorithm::Sha256, config)),
        config,
    )?;
    let digest = Digest::of(Algorithm::Sha256, manifest);
    add(&mut archive, &blob(&digest), manifest)?;
    let entry = |name: Option<&Reference>| {
        let mut entry = json!({
            "mediaType": MANIFEST_TYPE,
            "digest": digest.as_str(),
            "size": manifest.len(),
            "platform": {"architecture": platform.architecture, "os": platform.os},
        });
        if let Some(name) = name {
            // skopeo, podman and umoci look for the tag, containerd for the full name.
            entry["annotations"] = json!({
                "org.opencontainers.image.ref.name": name.tag().unwrap_or("latest"),
                "io.containerd.image.name": name.to_string(),
            });
        }
        entry
    };
    let mut entries: Vec<_> = names.iter().map(|name| entry(Some(name))).collect();
    if entries.is_empty() {
        entries.push(entry(None));
    }
    let index = json!({
        "schemaVersion": 2,
        "mediaType": "application/vnd.oci.image.index.v1+json",
        "manifests": entries,
    });
    add(&mut archive, "index.json", index.to_string().as_bytes())?;
    let mut out = archive.into_inner()?;
    out.flush()?;
    out.get_ref().sync_all()
}

fn blob(digest: &Digest) -> String {
    format!("blobs/sha256/{}", digest.hex())
}

fn add<W: Write>(archive: &mut Builder<W>, name: &str, bytes: &[u8]) -> io::Result<()> {
    stream(archive, name, bytes.len() as u64, &mut &*bytes)
}

fn stream<W: Write>(
    archive: &mut Builder<W>,
    name: &str,
    size: u64,
    data: &mut dyn io::Read,
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

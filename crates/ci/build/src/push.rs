//! The image goes to registries: blobs first, then what names them.

use deploy_model::with_causes;
use std::collections::BTreeMap;
use std::fs::File;
use std::sync::Arc;

use bytes::Bytes;
use deploy_model::image::manifest::Descriptor;
use deploy_model::image::{Algorithm, Digest, Reference};
use deploy_registry_client::{Credentials, RegistryError, Source};

use crate::blobs::Blobs;
use crate::cache::Layer;
use crate::error::BuildError;
use crate::output;
use crate::request::{Event, Parts, Progress};

/// An image that is to be pushed.
pub struct Outgoing<'a> {
    pub manifest: &'a [u8],
    pub config: &'a [u8],
    /// Lowest first.
    pub layers: &'a [Layer],
}

/// Pushes every tag.
pub fn push(
    tags: &[Reference],
    parts: &Parts,
    blobs: &Blobs,
    image: &Outgoing<'_>,
    progress: &mut Progress<'_>,
) -> Result<(), BuildError> {
    for reference in tags {
        progress(Event::Pushing {
            name: reference.to_string(),
        });
        let credentials = (parts.keyring)(reference);
        let pushing = async {
            tokio::select! {
                pushed = one(reference, parts, blobs, image, credentials.as_ref()) => pushed,
                () = parts.cancel.cancelled() => Err("the build was ended".to_owned()),
            }
        };
        parts
            .runtime
            .block_on(pushing)
            .map_err(|reason| BuildError::Push {
                name: reference.to_string(),
                reason,
            })?;
    }
    Ok(())
}

async fn one(
    reference: &Reference,
    parts: &Parts,
    blobs: &Blobs,
    image: &Outgoing<'_>,
    credentials: Option<&Credentials>,
) -> Result<(), String> {
    let told = |error: RegistryError| with_causes(&error);
    let descriptor = |digest: Digest, size: u64, media_type: &str| Descriptor {
        media_type: media_type.to_owned(),
        digest,
        size,
        platform: None,
        annotations: BTreeMap::new(),
    };
    for layer in image.layers {
        let blob = descriptor(layer.digest.clone(), layer.size, &layer.media_type);
        let file = File::open(blobs.path(&layer.digest)).map_err(|error| error.to_string())?;
        let source: Arc<dyn Source> = Arc::new(file);
        let pushed = parts
            .client
            .push_blob(reference, &blob, source, None, credentials);
        pushed.await.map_err(told)?;
    }
    let digest = Digest::of(Algorithm::Sha256, image.config);
    let blob = descriptor(digest, image.config.len() as u64, output::CONFIG_TYPE);
    let source: Arc<dyn Source> = Arc::new(Bytes::copy_from_slice(image.config));
    let pushed = parts
        .client
        .push_blob(reference, &blob, source, None, credentials);
    pushed.await.map_err(told)?;
    let manifest = Bytes::copy_from_slice(image.manifest);
    let named = parts
        .client
        .push_manifest(reference, output::MANIFEST_TYPE, &manifest, credentials);
    named.await.map_err(told)?;
    Ok(())
}

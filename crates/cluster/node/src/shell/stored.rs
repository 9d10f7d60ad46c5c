//! Images of the store on this machine alone: no registry is asked.

use std::sync::Arc;

use deploy_image::Store;

use super::source::{Answer, Ask, Identity, ImageSource, ReadyImage, Tell};
use crate::pod::{ImageFacts, PullFailure};

/// The images that were loaded.
pub struct StoredImages {
    store: Arc<Store>,
}

impl StoredImages {
    /// Those of this store.
    pub fn new(store: Arc<Store>) -> StoredImages {
        StoredImages { store }
    }

    fn look(&self, ask: &Ask, tell: Tell<'_>) -> Result<ReadyImage, PullFailure> {
        let image = &ask.image;
        if let Some(found) = self.store.find(image) {
            let message = format!("Container image \"{image}\" already present on machine");
            tell("Pulled", &message, false);
            return Ok(ready(&found, image));
        }
        if ask.policy == "Never" {
            let message = format!("Container image \"{image}\" is not present with pull policy of Never");
            tell("ErrImageNeverPull", &message, true);
            return Err(PullFailure { reason: "ErrImageNeverPull".to_owned(), message, pulled: false });
        }
        let message = format!("failed to pull image \"{image}\": it was not loaded, and no registry is asked");
        tell("Failed", &format!("Failed to pull image \"{image}\": {message}"), true);
        Err(PullFailure { reason: "ErrImagePull".to_owned(), message, pulled: true })
    }
}

/// An image as containers use it.
fn ready(image: &deploy_image::Image, asked: &str) -> ReadyImage {
    let name = image.tags.first().map_or_else(|| asked.to_owned(), ToString::to_string);
    let id = image.digests.first().map_or_else(|| image.id.to_string(), ToString::to_string);
    ReadyImage {
        facts: ImageFacts { name, id, stop_signal: image.config.stop_signal.clone() },
        entrypoint: image.config.entrypoint.clone(),
        cmd: image.config.cmd.clone(),
        env: image.config.env.clone(),
        working_dir: image.config.working_dir.clone(),
        user: image.config.user.clone(),
        layers: image.layers.clone(),
    }
}

impl ImageSource for StoredImages {
    fn ensure<'a>(&'a self, ask: &'a Ask, tell: Tell<'a>) -> Answer<'a, Result<ReadyImage, PullFailure>> {
        Box::pin(async move { self.look(ask, tell) })
    }

    fn identity(&self, image: &ReadyImage, name: &str) -> Result<Identity, String> {
        let holder = deploy_image::Image {
            layers: image.layers.clone(),
            ..self.holder(image)?
        };
        let user = holder.user(name).map_err(|error| error.to_string())?;
        Ok(Identity { uid: user.uid, gid: user.gid, groups: user.groups })
    }

    fn list(&self) -> Vec<(Vec<String>, u64)> {
        let mut all: Vec<(Vec<String>, u64)> = self
            .store
            .list()
            .unwrap_or_default()
            .iter()
            .map(|image| {
                let names = image.digests.iter().chain(&image.tags).map(ToString::to_string);
                (names.collect(), image.size)
            })
            .collect();
        all.sort_by(|(_, a), (_, b)| b.cmp(a));
        all
    }
}

impl StoredImages {
    fn holder(&self, image: &ReadyImage) -> Result<deploy_image::Image, String> {
        let found = self.store.find(&image.facts.name);
        found.map(|found| (*found).clone()).ok_or_else(|| "the image is not there any more".to_owned())
    }
}

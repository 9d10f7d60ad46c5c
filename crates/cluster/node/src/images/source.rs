//! The node's images as the shell asks for them.

use std::sync::Arc;

use deploy_image::{Image, user_in};
use serde_json::Value;

use super::keyring::Keyring;
use super::{Images, Notice, PullPolicy, status_id, status_name};
use crate::pod::{ImageFacts, PullFailure};
use crate::shell::{Answer, Ask, Identity, ImageSource, PodsNow, ReadyImage, Tell, Warn};

impl ImageSource for Images {
    fn ensure<'a>(&'a self, ask: &'a Ask, tell: Tell<'a>) -> Answer<'a, Result<ReadyImage, PullFailure>> {
        Box::pin(async move {
            let policy = PullPolicy::of(Some(&ask.policy), &ask.image);
            let keyring = self.keyring(&ask.pod);
            let notice = |notice: Notice| tell(notice.reason, &notice.message, notice.warning);
            match Images::ensure(self, &ask.image, policy, &keyring, &notice).await {
                Ok(image) => Ok(ready(&image, &ask.image)),
                Err(error) => Err(PullFailure {
                    reason: error.reason.to_owned(),
                    message: error.message,
                    pulled: error.pulled,
                }),
            }
        })
    }

    fn identity(&self, image: &ReadyImage, name: &str) -> Result<Identity, String> {
        let user = user_in(&image.layers, name).map_err(|error| error.to_string())?;
        Ok(Identity {
            uid: user.uid,
            gid: user.gid,
            groups: user.groups,
        })
    }

    fn list(&self) -> Vec<(Vec<String>, u64)> {
        let listed = |image: &Arc<Image>| {
            let names = image.digests.iter().chain(&image.tags).map(ToString::to_string);
            (names.collect(), image.size)
        };
        // A store that cannot be read has no images to boast of.
        let mut all: Vec<(Vec<String>, u64)> =
            self.store.list().unwrap_or_default().iter().map(listed).collect();
        all.sort_by(|(_, a), (_, b)| b.cmp(a));
        all
    }

    fn start_cleaning(self: Arc<Self>, pods: PodsNow, warn: Warn) {
        self.clean_from_now_on(pods, warn);
    }

    fn shut_down(&self) -> Answer<'_, ()> {
        Box::pin(Images::shut_down(self))
    }
}

impl Images {
    /// What the `imagePullSecrets` of a pod hold. A secret that is not there is left out, as upstream does.
    fn keyring(&self, pod: &Value) -> Keyring {
        let namespace = pod["metadata"]["namespace"].as_str().unwrap_or_default();
        let secrets: Vec<Arc<Value>> = pod["spec"]["imagePullSecrets"]
            .as_array()
            .into_iter()
            .flatten()
            .filter_map(|named| (self.secrets)(namespace, named["name"].as_str()?))
            .collect();
        Keyring::of(secrets.iter().map(|secret| &**secret))
    }
}

fn ready(image: &Image, asked: &str) -> ReadyImage {
    ReadyImage {
        facts: ImageFacts {
            name: status_name(image, asked),
            id: status_id(image),
            stop_signal: image.config.stop_signal.clone(),
        },
        entrypoint: image.config.entrypoint.clone(),
        cmd: image.config.cmd.clone(),
        env: image.config.env.clone(),
        working_dir: image.config.working_dir.clone(),
        user: image.config.user.clone(),
        layers: image.layers.clone(),
    }
}

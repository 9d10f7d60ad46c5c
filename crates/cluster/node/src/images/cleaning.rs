//! The timer of the garbage collection, and what it knows of pods.

use std::collections::{BTreeSet, HashSet};
use std::sync::Arc;

use deploy_model::image::Digest;
use jiff::Timestamp;
use serde_json::Value;

use super::{Images, limits};
use crate::shell::{PodsNow, Warn};

impl Images {
    /// From now on looks every five minutes whether images have to go, until [`Images::shut_down`].
    pub(super) fn clean_from_now_on(self: &Arc<Self>, pods: PodsNow, warn: Warn) {
        let images = Arc::clone(self);
        let stop = self.stop.clone();
        self.pulls.spawn(async move {
            let cleaning = images.keep_clean(&pods, &warn);
            let _ = stop.run_until_cancelled(cleaning).await;
        });
    }

    async fn keep_clean(self: &Arc<Self>, pods: &PodsNow, warn: &Warn) {
        loop {
            tokio::time::sleep(limits::COLLECT_EVERY).await;
            let named = named_images(&pods());
            let images = Arc::clone(self);
            let collected = self.pulls.blocking(move || {
                let in_use: HashSet<Digest> = named
                    .iter()
                    .filter_map(|name| images.store.find(name))
                    .map(|image| image.id.clone())
                    .collect();
                images.collect(&in_use, Timestamp::now())
            });
            match collected.await {
                Ok(Ok(collected)) => {
                    if let Some(message) = collected.failure() {
                        warn("FreeDiskSpaceFailed", &message);
                    }
                }
                Ok(Err(error)) => warn("ImageGCFailed", &error.to_string()),
                Err(error) => warn("ImageGCFailed", &error.to_string()),
            }
        }
    }
}

/// What pods name that have not ended for good, and what their containers were made of: the image of a tag that has
/// moved meanwhile is still in use.
pub fn named_images(pods: &[Arc<Value>]) -> BTreeSet<String> {
    let mut names = BTreeSet::new();
    for pod in pods {
        if matches!(pod["status"]["phase"].as_str(), Some("Succeeded" | "Failed")) {
            continue;
        }
        let mut take = |lists: &Value, suffix: &str, field: &str| {
            for kind in ["container", "initContainer", "ephemeralContainer"] {
                let list = lists[format!("{kind}{suffix}")].as_array().into_iter().flatten();
                names.extend(list.filter_map(|entry| entry[field].as_str().map(str::to_owned)));
            }
        };
        take(&pod["spec"], "s", "image");
        take(&pod["status"], "Statuses", "imageID");
    }
    names
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn pods_that_have_ended_use_nothing() {
        let pods = [
            json!({
                "spec": {"containers": [{"image": "a:1"}], "initContainers": [{"image": "b:1"}]},
                "status": {"phase": "Running", "containerStatuses": [{"imageID": "sha256:1"}]},
            }),
            json!({"spec": {"containers": [{"image": "c:1"}]}, "status": {"phase": "Succeeded"}}),
            json!({"spec": {"containers": [{"image": "d:1"}]}}),
        ]
        .map(Arc::new);
        let names: Vec<String> = named_images(&pods).into_iter().collect();
        assert_eq!(names, ["a:1", "b:1", "d:1", "sha256:1"]);
    }
}

//! When a registry is asked, and what is said where it is not.

use std::sync::Arc;
use std::time::Duration;

use deploy_image::Image;
use deploy_model::image::ReferenceError;

/// `imagePullPolicy`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PullPolicy {
    /// The registry says what the tag means now; layers that are there are not fetched again.
    Always,
    /// What is there is good.
    IfNotPresent,
    /// No registry is asked.
    Never,
}

impl PullPolicy {
    /// The policy of a manifest; where it says none, `Always` for `latest` and `IfNotPresent` for the others
    /// (pkg/apis/core/v1/defaults.go, `SetDefaults_Container`). The API server fills it in; this is for what it has
    /// not seen.
    pub fn of(text: Option<&str>, image: &str) -> Self {
        match text {
            Some("Always") => Self::Always,
            Some("Never") => Self::Never,
            Some("IfNotPresent") => Self::IfNotPresent,
            _ => {
                let latest = image
                    .parse::<deploy_model::image::Reference>()
                    .is_ok_and(|reference| reference.tag() == Some("latest") && reference.digest().is_none());
                if latest { Self::Always } else { Self::IfNotPresent }
            }
        }
    }
}

/// What is to be done for an image.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Check {
    /// Nothing.
    Present(Arc<Image>),
    /// Ask the registry.
    Pull,
    /// It is not there and nobody may be asked.
    Never,
}

/// What a policy means for an image that is there or not.
pub fn check(policy: PullPolicy, found: Option<Arc<Image>>) -> Check {
    match (policy, found) {
        (PullPolicy::Always, _) | (PullPolicy::IfNotPresent, None) => Check::Pull,
        (_, Some(image)) => Check::Present(image),
        (PullPolicy::Never, None) => Check::Never,
    }
}

/// image_manager.go and pkg/util/parsers.
pub fn invalid_name(requested: &str, error: &ReferenceError) -> String {
    format!(
        "Failed to apply default image tag {requested:?}: couldn't parse image name {requested:?}: {error}"
    )
}

/// image_manager.go.
pub fn present(requested: &str) -> String {
    format!("Container image {requested:?} already present on machine")
}

/// image_manager.go.
pub fn never(requested: &str) -> String {
    format!("Container image {requested:?} is not present with pull policy of Never")
}

/// Whole milliseconds, which is what people are told.
pub fn in_ms(span: Duration) -> Duration {
    Duration::from_millis(u64::try_from(span.as_millis()).unwrap_or(u64::MAX))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn policies_of_manifests() {
        for (text, image, policy) in [
            (Some("Always"), "a:1", PullPolicy::Always),
            (Some("Never"), "a", PullPolicy::Never),
            (None, "a", PullPolicy::Always),
            (None, "host:5000/a:latest", PullPolicy::Always),
            (None, "a:1", PullPolicy::IfNotPresent),
            (
                None,
                "a@sha256:9b2cd8b1b7d3b6d1c5fd2f7ab2e0a3d0b5b6a2d1e8f9c0a1b2c3d4e5f6071829",
                PullPolicy::IfNotPresent,
            ),
        ] {
            assert_eq!(PullPolicy::of(text, image), policy, "{text:?} {image}");
        }
    }

    #[test]
    fn without_an_image() {
        assert_eq!(check(PullPolicy::Always, None), Check::Pull);
        assert_eq!(check(PullPolicy::IfNotPresent, None), Check::Pull);
        assert_eq!(check(PullPolicy::Never, None), Check::Never);
    }
}

//! What a registry or an archive says an image is made of: manifests and indexes of OCI and docker.
//!
//! Shapes: opencontainers/image-spec, manifest.md and image-index.md; docker's schema 2 has the same fields.

use std::collections::BTreeMap;
use std::fmt;

use serde_json::{Map, Value};

use super::Digest;

/// Layers of one image: overlayfs takes 500, docker stops at 127.
pub const LAYERS_MAX: usize = 256;
/// Manifests of one index: an entry for each platform and its attestation are some twenty.
pub const MANIFESTS_MAX: usize = 1_024;

/// Media types that a client says it takes, manifests and indexes of both worlds.
pub const MEDIA_TYPES: &[&str] = &[
    "application/vnd.oci.image.index.v1+json",
    "application/vnd.oci.image.manifest.v1+json",
    "application/vnd.docker.distribution.manifest.list.v2+json",
    "application/vnd.docker.distribution.manifest.v2+json",
];

/// Why bytes are no manifest and no index.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ManifestError {
    /// Not JSON at all.
    Json(String),
    /// JSON of the wrong shape.
    Field(&'static str),
    /// Docker's schema 1, which nothing writes any more.
    Schema1,
    /// Both a manifest and an index: readers would disagree on what it is (CVE-2021-41190).
    Ambiguous,
    /// More than an image may have.
    TooMany(&'static str, usize),
}

impl fmt::Display for ManifestError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Json(error) => write!(f, "the manifest is no JSON: {error}"),
            Self::Field(field) => write!(f, "the manifest has a wrong {field}"),
            Self::Schema1 => f.write_str("the manifest has docker's schema 1, which is not supported"),
            Self::Ambiguous => f.write_str("the manifest claims to be an index as well"),
            Self::TooMany(what, most) => write!(f, "the manifest has more than {most} {what}"),
        }
    }
}

impl std::error::Error for ManifestError {}

/// Where an image runs, in Go's words.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Platform {
    /// `linux`.
    pub os: String,
    /// `amd64`, `arm64` ...
    pub architecture: String,
    /// `v7`, `v8`; empty for most.
    pub variant: String,
}

impl Platform {
    /// That of this machine.
    pub fn own() -> Self {
        let architecture = if cfg!(target_arch = "x86_64") {
            "amd64"
        } else if cfg!(target_arch = "aarch64") {
            "arm64"
        } else {
            // Deploy is built for these two.
            "unknown"
        };
        Self {
            os: "linux".to_owned(),
            architecture: architecture.to_owned(),
            variant: String::new(),
        }
    }

    /// Whether an image for that platform runs on this one. 64-bit arm is always `v8`, said or not.
    pub fn runs(&self, image: &Self) -> bool {
        self.os == image.os
            && self.architecture == image.architecture
            && (self.variant == image.variant || self.variant.is_empty() || image.variant.is_empty())
    }
}

impl fmt::Display for Platform {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.os, self.architecture)?;
        if !self.variant.is_empty() {
            write!(f, "/{}", self.variant)?;
        }
        Ok(())
    }
}

/// A blob as another document names it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Descriptor {
    /// What it is; empty where nobody said.
    pub media_type: String,
    /// Its address.
    pub digest: Digest,
    /// Its bytes.
    pub size: u64,
    /// Whom it is for; only in indexes.
    pub platform: Option<Platform>,
    /// Notes: names of images, for example.
    pub annotations: BTreeMap<String, String>,
}

/// One image.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Manifest {
    /// Its configuration.
    pub config: Descriptor,
    /// Its packed layers, lowest first.
    pub layers: Vec<Descriptor>,
}

/// What a reference can lead to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Document {
    /// One image.
    Manifest(Manifest),
    /// The same image for several platforms.
    Index(Vec<Descriptor>),
}

impl Document {
    /// What the bytes say. Which of the two it is, the fields decide, not the media type.
    pub fn parse(bytes: &[u8]) -> Result<Self, ManifestError> {
        let root: Value =
            serde_json::from_slice(bytes).map_err(|error| ManifestError::Json(error.to_string()))?;
        let root = root.as_object().ok_or(ManifestError::Field("root"))?;
        match (root.get("manifests"), root.get("config"), root.get("layers")) {
            (Some(manifests), None, None) => {
                descriptors(manifests, "manifests", MANIFESTS_MAX).map(Self::Index)
            }
            (None, Some(config), Some(layers)) => Ok(Self::Manifest(Manifest {
                config: descriptor(config).ok_or(ManifestError::Field("config"))?,
                layers: descriptors(layers, "layers", LAYERS_MAX)?,
            })),
            (Some(_), _, _) => Err(ManifestError::Ambiguous),
            _ if root.get("schemaVersion").and_then(Value::as_u64) == Some(1) => Err(ManifestError::Schema1),
            (None, None, _) => Err(ManifestError::Field("config")),
            (None, Some(_), None) => Err(ManifestError::Field("layers")),
        }
    }
}

/// The image of an index that runs here: the first that says so, else the only one that says nothing.
pub fn choose<'a>(index: &'a [Descriptor], own: &Platform) -> Option<&'a Descriptor> {
    let runs = |entry: &&Descriptor| entry.platform.as_ref().is_some_and(|platform| own.runs(platform));
    index.iter().find(runs).or_else(|| {
        let mut silent = index.iter().filter(|entry| entry.platform.is_none());
        silent.next().filter(|_| silent.next().is_none())
    })
}

fn descriptors(value: &Value, field: &'static str, most: usize) -> Result<Vec<Descriptor>, ManifestError> {
    let values = value.as_array().ok_or(ManifestError::Field(field))?;
    if values.len() > most {
        return Err(ManifestError::TooMany(field, most));
    }
    values
        .iter()
        .map(|value| descriptor(value).ok_or(ManifestError::Field(field)))
        .collect()
}

fn descriptor(value: &Value) -> Option<Descriptor> {
    let object = value.as_object()?;
    let annotations = match object.get("annotations") {
        None | Some(Value::Null) => BTreeMap::new(),
        Some(notes) => notes
            .as_object()?
            .iter()
            .map(|(name, value)| Some((name.clone(), value.as_str()?.to_owned())))
            .collect::<Option<_>>()?,
    };
    let platform = match object.get("platform") {
        None | Some(Value::Null) => None,
        Some(platform) => {
            let platform = platform.as_object()?;
            Some(Platform {
                os: text(platform, "os"),
                architecture: text(platform, "architecture"),
                variant: text(platform, "variant"),
            })
        }
    };
    Some(Descriptor {
        media_type: text(object, "mediaType"),
        digest: object.get("digest")?.as_str()?.parse().ok()?,
        size: object.get("size")?.as_u64()?,
        platform,
        annotations,
    })
}

fn text(object: &Map<String, Value>, field: &str) -> String {
    object
        .get(field)
        .and_then(Value::as_str)
        .unwrap_or_default()
        .to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    const HEX: &str = "9b2cd8b1b7d3b6d1c5fd2f7ab2e0a3d0b5b6a2d1e8f9c0a1b2c3d4e5f6071829";

    fn entry(more: &str) -> String {
        format!(r#"{{"digest":"sha256:{HEX}","size":1{more}}}"#)
    }

    fn index(platforms: &[&str]) -> Vec<Descriptor> {
        let entries: Vec<String> = platforms
            .iter()
            .map(|platform| match platform.split_once('/') {
                Some((os, architecture)) => entry(&format!(
                    r#","platform":{{"os":"{os}","architecture":"{architecture}"}},"annotations":{{"a":"{platform}"}}"#
                )),
                None => entry(r#","annotations":{"a":"silent"}"#),
            })
            .collect();
        let text = format!(r#"{{"manifests":[{}]}}"#, entries.join(","));
        match Document::parse(text.as_bytes()) {
            Ok(Document::Index(index)) => index,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn a_platform_is_chosen() {
        let own = Platform {
            os: "linux".to_owned(),
            architecture: "amd64".to_owned(),
            variant: String::new(),
        };
        for (platforms, chosen) in [
            (
                &["linux/arm64", "linux/amd64", "unknown/unknown"][..],
                Some("linux/amd64"),
            ),
            (&["windows/amd64", "linux/arm64"], None),
            (&["silent"], Some("silent")),
            (&["linux/arm64", "silent"], Some("silent")),
            (&["silent", "silent"], None),
            (&[], None),
        ] {
            let index = index(platforms);
            let found = choose(&index, &own).map(|entry| entry.annotations["a"].as_str());
            assert_eq!(found, chosen, "{platforms:?}");
        }
    }

    #[test]
    fn documents_are_told_apart() {
        let one = entry("");
        let parse = |text: String| Document::parse(text.as_bytes());
        assert!(matches!(
            parse(format!(r#"{{"config":{one},"layers":[{one}]}}"#)),
            Ok(Document::Manifest(_))
        ));
        for (text, error) in [
            (
                "no".to_owned(),
                ManifestError::Json("expected ident at line 1 column 2".to_owned()),
            ),
            ("[]".to_owned(), ManifestError::Field("root")),
            ("{}".to_owned(), ManifestError::Field("config")),
            (
                r#"{"schemaVersion":1,"fsLayers":[]}"#.to_owned(),
                ManifestError::Schema1,
            ),
            (format!(r#"{{"config":{one}}}"#), ManifestError::Field("layers")),
            (
                format!(r#"{{"config":{one},"layers":[{{}}]}}"#),
                ManifestError::Field("layers"),
            ),
            (
                format!(r#"{{"config":{one},"layers":[],"manifests":[]}}"#),
                ManifestError::Ambiguous,
            ),
            (
                format!(
                    r#"{{"config":{one},"layers":[{}]}}"#,
                    vec![one.clone(); 257].join(",")
                ),
                ManifestError::TooMany("layers", 256),
            ),
        ] {
            assert_eq!(parse(text.clone()).err(), Some(error), "{text}");
        }
    }
}

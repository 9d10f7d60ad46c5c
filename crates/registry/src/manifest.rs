//! What the registry reads in a manifest. The bytes themselves are kept as they came.

use deploy_model::image::Digest;
use serde_json::{Map, Value};

use crate::error::RegistryError;
use crate::limits;
use crate::state::Sum;

/// Layers of these types may stay where their `urls` lead to (image-spec, "Non-distributable Layers").
const FOREIGN: &[&str] = &[
    "application/vnd.oci.image.layer.nondistributable.v1.",
    "application/vnd.docker.image.rootfs.foreign.",
];

/// A manifest of any kind.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Document {
    pub media_type: String,
    pub is_index: bool,
    /// All digests that it names, its subject excepted.
    pub references: Vec<Sum>,
    /// Those of them that must be there before it.
    pub required: Vec<Sum>,
    pub subject: Option<Sum>,
    pub artifact_type: Option<String>,
}

impl Document {
    /// What the bytes say that came with this content type.
    pub fn parse(bytes: &[u8], content_type: Option<&str>) -> Result<Self, RegistryError> {
        let root: Value = serde_json::from_slice(bytes).map_err(|error| invalid(&error.to_string()))?;
        let root = root.as_object().ok_or_else(|| invalid("it is no object"))?;
        if root.get("schemaVersion").and_then(Value::as_u64) != Some(2) {
            return Err(invalid("its schemaVersion is not 2"));
        }
        let media_type = media_type(root, content_type)?;
        let list = |name: &str| -> Result<Vec<Value>, RegistryError> {
            match root.get(name) {
                None | Some(Value::Null) => Ok(Vec::new()),
                Some(Value::Array(values)) => Ok(values.clone()),
                Some(_) => Err(invalid(&format!("its {name} is no list"))),
            }
        };
        let config = root.get("config").filter(|value| !value.is_null());
        let is_index = root.get("manifests").is_some();
        if is_index && (config.is_some() || root.get("layers").is_some()) {
            // CVE-2021-41190: two readers would see two different images.
            return Err(invalid("it claims to be an image and an index"));
        }
        if !is_index && config.is_none() && root.get("blobs").is_none() {
            return Err(invalid("it has neither a config nor manifests"));
        }
        let mut named: Vec<Value> = config.cloned().into_iter().collect();
        for list in [list("layers")?, list("manifests")?, list("blobs")?] {
            named.extend(list);
        }
        if named.len() > limits::REFERENCES {
            return Err(invalid(&format!(
                "it names more than {} blobs",
                limits::REFERENCES
            )));
        }
        let mut references = Vec::with_capacity(named.len());
        let mut required = Vec::with_capacity(named.len());
        for value in &named {
            let sum: Sum = descriptor(value)?.into();
            if !is_foreign(value) {
                required.push(sum.clone());
            }
            references.push(sum);
        }
        let subject = root.get("subject").filter(|value| !value.is_null());
        let subject = subject.map(descriptor).transpose()?.map(Sum::from);
        let told = text(root, "artifactType")?;
        let artifact_type = match (told, config) {
            (Some(told), _) => Some(told),
            // distribution-spec, "Listing Referrers": the config's type where none is told.
            (None, Some(config)) => config
                .as_object()
                .map_or(Ok(None), |config| text(config, "mediaType"))?,
            (None, None) => None,
        };
        Ok(Self {
            media_type,
            is_index,
            references,
            required,
            subject,
            artifact_type,
        })
    }
}

fn invalid(reason: &str) -> RegistryError {
    RegistryError::ManifestInvalid {
        reason: reason.to_owned(),
    }
}

/// What it says itself, which must be what the client says, or what the client says alone.
fn media_type(root: &Map<String, Value>, content_type: Option<&str>) -> Result<String, RegistryError> {
    // Parameters are to be ignored (distribution-spec, "Pushing Manifests").
    let sent = content_type
        .and_then(|text| text.split(';').next())
        .map(str::trim)
        .filter(|text| !text.is_empty());
    let told = text(root, "mediaType")?;
    let found = match (told, sent) {
        (Some(told), Some(sent)) if !told.eq_ignore_ascii_case(sent) => {
            return Err(invalid(&format!(
                "its mediaType is {told}, it was sent as {sent}"
            )));
        }
        (Some(told), _) => told,
        (None, Some(sent)) => sent.to_owned(),
        (None, None) => return Err(invalid("nothing says its media type")),
    };
    if found.len() > limits::MEDIA_TYPE_CHARS || !found.bytes().all(|byte| byte.is_ascii_graphic()) {
        return Err(invalid("its mediaType is none"));
    }
    Ok(found)
}

fn text(object: &Map<String, Value>, name: &str) -> Result<Option<String>, RegistryError> {
    match object.get(name) {
        None | Some(Value::Null) => Ok(None),
        Some(Value::String(text)) if text.is_empty() => Ok(None),
        Some(Value::String(text)) if text.len() <= limits::MEDIA_TYPE_CHARS => Ok(Some(text.clone())),
        Some(_) => Err(invalid(&format!("its {name} is not valid"))),
    }
}

fn descriptor(value: &Value) -> Result<Digest, RegistryError> {
    let digest = value.get("digest").and_then(Value::as_str);
    let digest = digest.ok_or_else(|| invalid("a descriptor has no digest"))?;
    if value.get("size").and_then(Value::as_u64).is_none() {
        return Err(invalid(&format!("the descriptor of {digest} has no size")));
    }
    digest
        .parse()
        .map_err(|error| invalid(&format!("{digest}: {error}")))
}

fn is_foreign(descriptor: &Value) -> bool {
    let media_type = descriptor
        .get("mediaType")
        .and_then(Value::as_str)
        .unwrap_or_default();
    FOREIGN.iter().any(|start| media_type.starts_with(start))
}

#[cfg(test)]
mod tests {
    use super::*;

    const HEX: &str = "9b2cd8b1b7d3b6d1c5fd2f7ab2e0a3d0b5b6a2d1e8f9c0a1b2c3d4e5f6071829";
    const IMAGE: &str = "application/vnd.oci.image.manifest.v1+json";

    fn parsed(text: &str, content_type: Option<&str>) -> Result<Document, RegistryError> {
        let one = format!(r#"{{"mediaType":"a/b","digest":"sha256:{HEX}","size":1}}"#);
        let foreign = one.replace("a/b", "application/vnd.oci.image.layer.nondistributable.v1.tar");
        Document::parse(
            text.replace("ONE", &one).replace("FOREIGN", &foreign).as_bytes(),
            content_type,
        )
    }

    #[test]
    fn manifests_of_all_kinds() {
        let image = parsed(
            r#"{"schemaVersion":2,"config":ONE,"layers":[ONE,FOREIGN],"subject":ONE}"#,
            Some("application/vnd.oci.image.manifest.v1+json; charset=utf-8"),
        )
        .expect("an image");
        assert_eq!((image.references.len(), image.required.len()), (3, 2));
        assert_eq!(
            (image.media_type.as_str(), image.subject.is_some()),
            (IMAGE, true)
        );
        assert_eq!(image.artifact_type.as_deref(), Some("a/b"));
        let index = parsed(
            r#"{"schemaVersion":2,"mediaType":"x/y","artifactType":"c/d","manifests":[ONE]}"#,
            None,
        )
        .expect("an index");
        assert_eq!(index.artifact_type.as_deref(), Some("c/d"));
    }

    #[test]
    fn what_is_none_is_refused() {
        for text in [
            "",
            "[]",
            "{}",
            r#"{"schemaVersion":1,"config":ONE}"#,
            r#"{"schemaVersion":2}"#,
            r#"{"schemaVersion":2,"config":ONE,"manifests":[]}"#,
            r#"{"schemaVersion":2,"config":{}}"#,
            r#"{"schemaVersion":2,"config":ONE,"layers":{}}"#,
            r#"{"schemaVersion":2,"config":{"digest":"sha256:../../etc","size":1}}"#,
            r#"{"schemaVersion":2,"config":ONE,"mediaType":"x/y"}"#,
            r#"{"schemaVersion":2,"config":ONE,"artifactType":7}"#,
        ] {
            assert!(parsed(text, Some(IMAGE)).is_err(), "{text}");
        }
        assert!(parsed(r#"{"schemaVersion":2,"config":ONE}"#, None).is_err());
        assert!(parsed(r#"{"schemaVersion":2,"config":ONE}"#, Some("a\nb")).is_err());
    }
}

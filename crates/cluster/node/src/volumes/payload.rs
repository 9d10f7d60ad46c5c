//! What stands in the files of configMap, secret, downwardAPI and projected volumes: pure, from the pod and the objects
//! that it names (`pkg/volume/{configmap,secret,downwardapi,projected}`).

use std::collections::BTreeMap;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::Value;

use super::tokens::{Asked, Granted};
use crate::environment::{Lookups, fields};
use crate::limits::{VOLUME_FILE_NAME_BYTES_MAX, VOLUME_PATH_BYTES_MAX};

/// One file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct File {
    /// What stands in it.
    pub data: Vec<u8>,
    /// Its permissions.
    pub mode: u32,
    /// Whose it is; root's where nobody is named.
    pub user: Option<u32>,
}

/// The files of a volume by their clean relative path.
pub type Payload = BTreeMap<String, File>;

/// What files are made from.
pub struct Ingredients<'a> {
    /// The pod.
    pub pod: &'a Value,
    /// The objects that it names.
    pub lookups: &'a dyn Lookups,
    /// The tokens that were asked for.
    pub tokens: &'a Granted,
    /// The user that all containers run as, who shall be able to read tokens.
    pub user: Option<u32>,
    /// The group of the pod's volumes.
    pub group: Option<u32>,
}

/// Tokens are nobody else's business where it is known whose they are.
const TOKEN_MODE: u32 = 0o600;

/// Readable by all (`ConfigMapVolumeSourceDefaultMode` and its siblings).
const DEFAULT_MODE: u32 = 0o644;

impl Ingredients<'_> {
    /// The files of a volume of one of these four types; `None` for all others.
    ///
    /// # Errors
    /// What is missing, in upstream's words.
    pub fn files(&self, volume: &Value) -> Option<Result<Payload, String>> {
        let made = if volume["configMap"].is_object() {
            let source = &volume["configMap"];
            self.config_map(source, name(source, "name"), mode(source))
        } else if volume["secret"].is_object() {
            let source = &volume["secret"];
            self.secret(source, name(source, "secretName"), mode(source))
        } else if volume["downwardAPI"].is_object() {
            let source = &volume["downwardAPI"];
            self.downward(source, mode(source))
        } else if volume["projected"].is_object() {
            self.projected(&volume["projected"])
        } else {
            return None;
        };
        Some(made.and_then(cleaned))
    }

    fn namespace(&self) -> &str {
        self.pod["metadata"]["namespace"].as_str().unwrap_or_default()
    }

    fn config_map(&self, source: &Value, name: &str, mode: u32) -> Result<Payload, String> {
        let object = self.lookups.config_map(self.namespace(), name);
        let optional = source["optional"] == true;
        if object.is_none() && !optional {
            return Err(format!("configmap {name:?} not found"));
        }
        let mut data: BTreeMap<String, Vec<u8>> = BTreeMap::new();
        if let Some(object) = object {
            data.extend(entries(&object["data"]).map(|(key, text)| (key.clone(), text.into())));
            data.extend(entries(&object["binaryData"]).map(|(key, text)| (key.clone(), decoded(text))));
        }
        keyed(
            source,
            &data,
            mode,
            optional,
            "configmap references non-existent config key",
        )
    }

    fn secret(&self, source: &Value, name: &str, mode: u32) -> Result<Payload, String> {
        let object = self.lookups.secret(self.namespace(), name);
        let optional = source["optional"] == true;
        if object.is_none() && !optional {
            return Err(format!("secret {name:?} not found"));
        }
        let data = object.iter().flat_map(|object| {
            let entries: Vec<(String, Vec<u8>)> = entries(&object["data"])
                .map(|(key, text)| (key.clone(), decoded(text)))
                .collect();
            entries
        });
        keyed(
            source,
            &data.collect(),
            mode,
            optional,
            "references non-existent secret key",
        )
    }

    fn downward(&self, source: &Value, default_mode: u32) -> Result<Payload, String> {
        let (mut payload, mut errors) = (Payload::new(), Vec::new());
        let node = self.lookups.node();
        let allocatable = node
            .as_ref()
            .map_or(&Value::Null, |node| &node["status"]["allocatable"]);
        for item in list(&source["items"]) {
            let value = if let Some(path) = item["fieldRef"]["fieldPath"].as_str() {
                fields::in_volume(path, self.pod)
            } else {
                fields::resource_in_volume(&item["resourceFieldRef"], self.pod, allocatable)
            };
            match value {
                Ok(value) => {
                    let file = file(value.into_bytes(), own_mode(item).unwrap_or(default_mode));
                    payload.insert(name(item, "path").to_owned(), file);
                }
                Err(error) => errors.push(error.to_string()),
            }
        }
        together(errors).map_or(Ok(payload), Err)
    }

    /// Where two sources name one path, the later one wins.
    fn projected(&self, volume: &Value) -> Result<Payload, String> {
        let mode = mode(volume);
        let (mut payload, mut errors) = (Payload::new(), Vec::new());
        for source in list(&volume["sources"]) {
            match self.source(source, mode) {
                Ok(files) => payload.extend(files),
                Err(error) => errors.push(error),
            }
        }
        together(errors).map_or(Ok(payload), Err)
    }

    fn source(&self, source: &Value, mode: u32) -> Result<Payload, String> {
        if source["configMap"].is_object() {
            let source = &source["configMap"];
            return self.config_map(source, name(source, "name"), mode);
        }
        if source["secret"].is_object() {
            let source = &source["secret"];
            return self.secret(source, name(source, "name"), mode);
        }
        if source["downwardAPI"].is_object() {
            return self.downward(&source["downwardAPI"], mode);
        }
        if source["serviceAccountToken"].is_object() {
            let source = &source["serviceAccountToken"];
            let token = match self.tokens.get(&Asked::of(source)) {
                Some(Ok(token)) => token,
                Some(Err(error)) => return Err(error.clone()),
                None => return Err("failed to fetch token: it has not been asked for".to_owned()),
            };
            let owned = self.user.is_some() || self.group.is_some();
            let mut file = file(token.clone().into_bytes(), if owned { TOKEN_MODE } else { mode });
            file.user = self.user;
            return Ok(Payload::from([(name(source, "path").to_owned(), file)]));
        }
        let unknown = source.as_object().and_then(|source| source.keys().next());
        match unknown {
            Some(unknown) => Err(format!("projected volumes cannot have a {unknown} source here")),
            None => Ok(Payload::new()),
        }
    }
}

/// All keys, or those that are asked for, under their paths.
fn keyed(
    source: &Value,
    data: &BTreeMap<String, Vec<u8>>,
    default_mode: u32,
    optional: bool,
    missing: &str,
) -> Result<Payload, String> {
    let items: Vec<&Value> = list(&source["items"]).collect();
    if items.is_empty() {
        let all = data
            .iter()
            .map(|(key, bytes)| (key.clone(), file(bytes.clone(), default_mode)));
        return Ok(all.collect());
    }
    let mut payload = Payload::new();
    for item in items {
        let key = name(item, "key");
        match data.get(key) {
            Some(bytes) => {
                let mode = own_mode(item).unwrap_or(default_mode);
                payload.insert(name(item, "path").to_owned(), file(bytes.clone(), mode));
            }
            None if optional => {}
            None => return Err(format!("{missing}: {key}")),
        }
    }
    Ok(payload)
}

/// Paths without empty and `.` parts; those that could leave the volume or hide its own files are refused
/// (`atomic_writer.go validatePath`).
fn cleaned(payload: Payload) -> Result<Payload, String> {
    let mut cleaned = Payload::new();
    for (path, file) in payload {
        let parts: Vec<&str> = path
            .split('/')
            .filter(|part| !matches!(*part, "" | "."))
            .collect();
        if path.is_empty() || parts.is_empty() {
            return Err(format!("invalid path: must not be empty: {path:?}"));
        }
        if path.starts_with('/') {
            return Err(format!("invalid path: must be relative path: {path}"));
        }
        if path.len() > VOLUME_PATH_BYTES_MAX {
            return Err(format!(
                "invalid path: must be less than or equal to {VOLUME_PATH_BYTES_MAX} characters"
            ));
        }
        if parts.contains(&"..") {
            return Err(format!("invalid path: must not contain '..': {path}"));
        }
        if parts.iter().any(|part| part.len() > VOLUME_FILE_NAME_BYTES_MAX) {
            return Err(format!(
                "invalid path: filenames must be less than or equal to {VOLUME_FILE_NAME_BYTES_MAX} characters"
            ));
        }
        if parts[0].starts_with("..") {
            return Err(format!("invalid path: must not start with '..': {path}"));
        }
        cleaned.insert(parts.join("/"), file);
    }
    Ok(cleaned)
}

/// Several errors as one (`apimachinery/pkg/util/errors.NewAggregate`).
fn together(mut errors: Vec<String>) -> Option<String> {
    let mut seen = std::collections::BTreeSet::new();
    errors.retain(|error| seen.insert(error.clone()));
    match errors.len() {
        0 | 1 => errors.pop(),
        _ => Some(format!("[{}]", errors.join(", "))),
    }
}

fn file(data: Vec<u8>, mode: u32) -> File {
    File {
        data,
        mode,
        user: None,
    }
}

fn mode(source: &Value) -> u32 {
    permissions(&source["defaultMode"]).unwrap_or(DEFAULT_MODE)
}

fn own_mode(item: &Value) -> Option<u32> {
    permissions(&item["mode"])
}

fn permissions(mode: &Value) -> Option<u32> {
    Some(u32::try_from(mode.as_i64()?).ok()? & 0o777)
}

fn name<'a>(source: &'a Value, field: &str) -> &'a str {
    source[field].as_str().unwrap_or_default()
}

fn list(value: &Value) -> impl Iterator<Item = &Value> {
    value.as_array().into_iter().flatten()
}

fn entries(map: &Value) -> impl Iterator<Item = (&String, &str)> {
    let map = map.as_object().into_iter().flatten();
    map.map(|(key, value)| (key, value.as_str().unwrap_or_default()))
}

fn decoded(text: &str) -> Vec<u8> {
    STANDARD.decode(text).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::environment::memory::Memory;
    use serde_json::json;

    fn world() -> Memory {
        Memory::of([
            json!({"kind": "ConfigMap", "metadata": {"namespace": "shop", "name": "settings"},
                   "data": {"a": "1", "b": "2"}, "binaryData": {"bin": "AAH/"}}),
            json!({"kind": "Secret", "metadata": {"namespace": "shop", "name": "keys"}, "data": {"k": "c2VjcmV0"}}),
            json!({"kind": "ConfigMap", "metadata": {"namespace": "shop", "name": "kube-root-ca.crt"},
                   "data": {"ca.crt": "PEM"}}),
            json!({"kind": "Node", "metadata": {"name": "n"}, "status": {"allocatable": {"cpu": "2"}}}),
        ])
    }

    fn made(volume: &Value, user: Option<u32>) -> Result<Vec<String>, String> {
        let pod = json!({
            "metadata": {"namespace": "shop", "name": "web", "labels": {"app": "web"}},
            "spec": {"containers": [{"name": "main"}]},
        });
        let asked = Asked {
            audience: "vault".to_owned(),
            expiration_seconds: 3607,
        };
        let tokens = Granted::from([(asked, Ok("t.o.k".to_owned()))]);
        let world = world();
        let ingredients = Ingredients {
            pod: &pod,
            lookups: &world,
            tokens: &tokens,
            user,
            group: None,
        };
        let files = ingredients.files(volume).expect("it is a volume of files")?;
        Ok(files
            .iter()
            .map(|(path, file)| {
                let owner = file.user.map(|user| format!(" user {user}")).unwrap_or_default();
                format!("{path} {:o}{owner} {}", file.mode, file.data.escape_ascii())
            })
            .collect())
    }

    #[test]
    fn files_of_objects() {
        let cases: [(Value, &[&str]); 9] = [
            (
                json!({"configMap": {"name": "settings", "defaultMode": 420}}),
                &["a 644 1", "b 644 2", "bin 644 \\x00\\x01\\xff"],
            ),
            (
                json!({"configMap": {"name": "settings", "defaultMode": 256,
                       "items": [{"key": "a", "path": "deep/./x"}, {"key": "bin", "path": "y", "mode": 511}]}}),
                &["deep/x 400 1", "y 777 \\x00\\x01\\xff"],
            ),
            (json!({"configMap": {"name": "none", "optional": true}}), &[]),
            (
                json!({"configMap": {"name": "settings", "optional": true, "items": [{"key": "z", "path": "z"}]}}),
                &[],
            ),
            (json!({"secret": {"secretName": "keys"}}), &["k 644 secret"]),
            (
                json!({"downwardAPI": {"items": [
                    {"path": "labels", "fieldRef": {"fieldPath": "metadata.labels"}},
                    {"path": "cpu", "mode": 256, "resourceFieldRef": {"containerName": "main", "resource": "limits.cpu"}}]}}),
                &["cpu 400 2", "labels 644 app=\\\"web\\\""],
            ),
            (
                json!({"projected": {"defaultMode": 420, "sources": [
                    {"serviceAccountToken": {"path": "token", "audience": "vault", "expirationSeconds": 3607}},
                    {"configMap": {"name": "kube-root-ca.crt", "items": [{"key": "ca.crt", "path": "ca.crt"}]}},
                    {"downwardAPI": {"items": [{"path": "namespace", "fieldRef": {"fieldPath": "metadata.namespace"}}]}}]}}),
                &["ca.crt 644 PEM", "namespace 644 shop", "token 644 t.o.k"],
            ),
            (
                json!({"projected": {"sources": [
                    {"configMap": {"name": "settings", "items": [{"key": "a", "path": "same"}]}},
                    {"secret": {"name": "keys", "items": [{"key": "k", "path": "same", "mode": 256}]}}]}}),
                &["same 400 secret"],
            ),
            (json!({"projected": {"sources": []}}), &[]),
        ];
        for (volume, expected) in cases {
            let found = made(&volume, None).expect("everything is there");
            assert_eq!(found, expected, "{volume}");
        }
    }

    #[test]
    fn a_token_belongs_to_the_user_of_the_pod() {
        let volume = json!({"projected": {"defaultMode": 420, "sources": [
            {"serviceAccountToken": {"path": "token", "audience": "vault", "expirationSeconds": 3607}}]}});
        assert_eq!(
            made(&volume, Some(1000)),
            Ok(vec!["token 600 user 1000 t.o.k".to_owned()])
        );
    }

    #[test]
    fn what_is_wrong_is_said_in_upstreams_words() {
        let items =
            |path: &str| json!({"configMap": {"name": "settings", "items": [{"key": "a", "path": path}]}});
        let cases = [
            (
                json!({"configMap": {"name": "none"}}),
                "configmap \"none\" not found",
            ),
            (
                json!({"secret": {"secretName": "none"}}),
                "secret \"none\" not found",
            ),
            (
                json!({"configMap": {"name": "settings", "items": [{"key": "z", "path": "z"}]}}),
                "configmap references non-existent config key: z",
            ),
            (
                json!({"secret": {"secretName": "keys", "items": [{"key": "z", "path": "z"}]}}),
                "references non-existent secret key: z",
            ),
            (
                json!({"projected": {"sources": [{"secret": {"name": "x"}}, {"configMap": {"name": "y"}}]}}),
                "[secret \"x\" not found, configmap \"y\" not found]",
            ),
            (
                json!({"downwardAPI": {"items": [{"path": "x", "resourceFieldRef": {"containerName": "no"}}]}}),
                "container no not found",
            ),
            (
                items("/etc/passwd"),
                "invalid path: must be relative path: /etc/passwd",
            ),
            (
                items("a/../../b"),
                "invalid path: must not contain '..': a/../../b",
            ),
            (items("..data"), "invalid path: must not start with '..': ..data"),
            (items(""), "invalid path: must not be empty: \"\""),
        ];
        for (volume, expected) in cases {
            assert_eq!(made(&volume, None), Err(expected.to_owned()), "{volume}");
        }
        assert!(made(&items(&"x".repeat(256)), None).is_err());
        assert!(made(&items(&"x/".repeat(3000)), None).is_err());
    }
}

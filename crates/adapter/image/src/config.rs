//! The configuration of an image: what to run, as whom, with which environment.

use std::collections::BTreeMap;

use deploy_model::image::Digest;
use deploy_model::image::manifest::Platform;
use serde_json::{Map, Value, json};

/// Why bytes are no configuration of an image.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// Not JSON at all.
    #[error("the image's configuration is no JSON: {0}")]
    Json(String),
    /// JSON of the wrong shape.
    #[error("the image's configuration has a wrong {field}")]
    Field {
        /// Which one.
        field: &'static str,
    },
}

/// What an image says about the process that it wants to be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Config {
    /// `amd64`, `arm64` ...
    pub architecture: String,
    /// `linux`.
    pub os: String,
    /// `v7`, `v8`; empty for most.
    pub variant: String,
    /// When it was made, RFC 3339; empty if it does not say.
    pub created: String,
    /// The program and what always follows it.
    pub entrypoint: Vec<String>,
    /// The arguments that a pod's `args` replace.
    pub cmd: Vec<String>,
    /// `NAME=value`.
    pub env: Vec<String>,
    /// `name`, `uid`, `name:group`, `uid:gid` ...; empty for root.
    pub user: String,
    /// Empty for `/`.
    pub working_dir: String,
    /// `SIGTERM`, `15`; empty for SIGTERM.
    pub stop_signal: String,
    /// `80/tcp`.
    pub exposed_ports: Vec<String>,
    /// Paths that docker would mount anonymous volumes at.
    pub volumes: Vec<String>,
    /// Labels.
    pub labels: BTreeMap<String, String>,
}

impl Default for Config {
    /// An image of this machine's architecture that says nothing else.
    fn default() -> Self {
        let Platform {
            os,
            architecture,
            variant,
        } = Platform::own();
        Self {
            architecture,
            os,
            variant,
            created: String::new(),
            entrypoint: Vec::new(),
            cmd: Vec::new(),
            env: Vec::new(),
            user: String::new(),
            working_dir: String::new(),
            stop_signal: String::new(),
            exposed_ports: Vec::new(),
            volumes: Vec::new(),
            labels: BTreeMap::new(),
        }
    }
}

impl Config {
    /// The configuration and the digests of the unpacked layers, lowest first.
    pub fn parse(bytes: &[u8]) -> Result<(Self, Vec<Digest>), ConfigError> {
        let root: Value =
            serde_json::from_slice(bytes).map_err(|error| ConfigError::Json(error.to_string()))?;
        let root = root.as_object().ok_or(ConfigError::Field { field: "root" })?;
        let empty = Map::new();
        let inner = match root.get("config") {
            None | Some(Value::Null) => &empty,
            Some(Value::Object(inner)) => inner,
            Some(_) => return Err(ConfigError::Field { field: "config" }),
        };
        let config = Self {
            architecture: text(root, "architecture")?,
            os: text(root, "os")?,
            variant: text(root, "variant")?,
            created: text(root, "created")?,
            entrypoint: texts(inner, "Entrypoint")?,
            cmd: texts(inner, "Cmd")?,
            env: texts(inner, "Env")?,
            user: text(inner, "User")?,
            working_dir: text(inner, "WorkingDir")?,
            stop_signal: text(inner, "StopSignal")?,
            exposed_ports: keys(inner, "ExposedPorts")?,
            volumes: keys(inner, "Volumes")?,
            labels: labels(inner)?,
        };
        Ok((config, diff_ids(root)?))
    }

    /// Where it runs.
    pub fn platform(&self) -> Platform {
        Platform {
            os: self.os.clone(),
            architecture: self.architecture.clone(),
            variant: self.variant.clone(),
        }
    }

    /// As the image specification writes it, with these layers, lowest first.
    pub fn to_json(&self, diff_ids: &[Digest]) -> Vec<u8> {
        let mut inner = Map::new();
        let mut put = |name: &str, value: Value, empty: bool| {
            if !empty {
                inner.insert(name.to_owned(), value);
            }
        };
        let set = |names: &[String]| -> Value {
            names
                .iter()
                .map(|name| (name.clone(), json!({})))
                .collect::<Map<_, _>>()
                .into()
        };
        put("User", json!(self.user), self.user.is_empty());
        put(
            "ExposedPorts",
            set(&self.exposed_ports),
            self.exposed_ports.is_empty(),
        );
        put("Env", json!(self.env), self.env.is_empty());
        put("Entrypoint", json!(self.entrypoint), self.entrypoint.is_empty());
        put("Cmd", json!(self.cmd), self.cmd.is_empty());
        put("Volumes", set(&self.volumes), self.volumes.is_empty());
        put("WorkingDir", json!(self.working_dir), self.working_dir.is_empty());
        put("Labels", json!(self.labels), self.labels.is_empty());
        put("StopSignal", json!(self.stop_signal), self.stop_signal.is_empty());
        let mut root = json!({
            "architecture": self.architecture,
            "os": self.os,
            "config": inner,
            "rootfs": {
                "type": "layers",
                "diff_ids": diff_ids.iter().map(Digest::as_str).collect::<Vec<_>>(),
            },
        });
        for (name, value) in [("created", &self.created), ("variant", &self.variant)] {
            if !value.is_empty() {
                root[name] = json!(value);
            }
        }
        root.to_string().into_bytes()
    }
}

fn text(object: &Map<String, Value>, field: &'static str) -> Result<String, ConfigError> {
    match object.get(field) {
        None | Some(Value::Null) => Ok(String::new()),
        Some(Value::String(text)) => Ok(text.clone()),
        Some(_) => Err(ConfigError::Field { field }),
    }
}

fn texts(object: &Map<String, Value>, field: &'static str) -> Result<Vec<String>, ConfigError> {
    let wrong = ConfigError::Field { field };
    match object.get(field) {
        None | Some(Value::Null) => Ok(Vec::new()),
        Some(Value::Array(values)) => values
            .iter()
            .map(|value| value.as_str().map(str::to_owned))
            .collect::<Option<_>>()
            .ok_or(wrong),
        Some(_) => Err(wrong),
    }
}

/// Sets are objects with empty values.
fn keys(object: &Map<String, Value>, field: &'static str) -> Result<Vec<String>, ConfigError> {
    match object.get(field) {
        None | Some(Value::Null) => Ok(Vec::new()),
        Some(Value::Object(set)) => Ok(set.keys().cloned().collect()),
        Some(_) => Err(ConfigError::Field { field }),
    }
}

fn labels(object: &Map<String, Value>) -> Result<BTreeMap<String, String>, ConfigError> {
    let wrong = || ConfigError::Field { field: "Labels" };
    match object.get("Labels") {
        None | Some(Value::Null) => Ok(BTreeMap::new()),
        Some(Value::Object(labels)) => labels
            .iter()
            .map(|(name, value)| Ok((name.clone(), value.as_str().ok_or_else(wrong)?.to_owned())))
            .collect(),
        Some(_) => Err(wrong()),
    }
}

fn diff_ids(root: &Map<String, Value>) -> Result<Vec<Digest>, ConfigError> {
    let wrong = || ConfigError::Field { field: "rootfs" };
    let ids = root
        .get("rootfs")
        .and_then(|rootfs| rootfs.get("diff_ids"))
        .ok_or_else(wrong)?;
    if ids.is_null() {
        return Ok(Vec::new());
    }
    ids.as_array()
        .ok_or_else(wrong)?
        .iter()
        .map(|id| id.as_str().and_then(|id| id.parse().ok()).ok_or_else(wrong))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_read() {
        let config = Config {
            entrypoint: vec!["/shop".to_owned()],
            cmd: vec!["storefront".to_owned()],
            env: vec!["A=b=c".to_owned()],
            user: "65532:65532".to_owned(),
            exposed_ports: vec!["8080/tcp".to_owned()],
            labels: BTreeMap::from([("a".to_owned(), "b".to_owned())]),
            created: "2024-01-01T00:00:00Z".to_owned(),
            ..Config::default()
        };
        let layers = vec![crate::hash::of(b"a"), crate::hash::of(b"b")];
        let (read, ids) = Config::parse(&config.to_json(&layers)).expect("it was just written");
        assert_eq!(read, config);
        assert_eq!(ids, layers);
    }

    #[test]
    fn other_shapes_are_refused_by_name() {
        for (text, error) in [
            (
                "nonsense",
                "the image's configuration is no JSON: expected ident at line 1 column 2",
            ),
            ("[]", "the image's configuration has a wrong root"),
            ("{}", "the image's configuration has a wrong rootfs"),
            (
                r#"{"rootfs":{"diff_ids":["x"]}}"#,
                "the image's configuration has a wrong rootfs",
            ),
            (
                r#"{"config":{"Env":[1]},"rootfs":{"diff_ids":[]}}"#,
                "the image's configuration has a wrong Env",
            ),
            (
                r#"{"config":{"Cmd":"a"},"rootfs":{"diff_ids":[]}}"#,
                "the image's configuration has a wrong Cmd",
            ),
        ] {
            let found = Config::parse(text.as_bytes())
                .err()
                .map(|error| error.to_string());
            assert_eq!(found.as_deref(), Some(error), "{text}");
        }
        assert!(Config::parse(br#"{"config":null,"rootfs":{"diff_ids":null}}"#).is_ok());
    }
}

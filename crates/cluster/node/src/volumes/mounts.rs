//! What a container mounts of its pod's volumes (`kubelet_pods.go makeMounts`).

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use jiff::Timestamp;
use serde_json::Value;

use super::beneath;
use crate::environment::{ConfigError, expansion};

/// A file system in memory that the sandbox mounts for the whole pod, in its own mount namespace.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Tmpfs {
    /// A folder that is there.
    pub path: PathBuf,
    /// The most that it can hold; `None`: half of the memory.
    pub size_bytes: Option<u64>,
    /// The permissions of its root.
    pub mode: u32,
    /// The group of its root.
    pub group: Option<u32>,
}

/// One mount of a container.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mount {
    /// The volume's root, or a file.
    pub source: PathBuf,
    /// A path inside the volume, relative and without `..`. The volume's content may be hostile: whoever mounts it must
    /// follow links inside the volume only, and mount what he has opened. It is there.
    pub sub: Option<PathBuf>,
    /// Where the container sees it.
    pub target: PathBuf,
    /// The container cannot write to it.
    pub read_only: bool,
}

/// The volumes of a pod that are ready.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Prepared {
    /// What the sandbox is to mount before any container.
    pub tmpfs: Vec<Tmpfs>,
    /// When to prepare again at the latest, because a token ends.
    pub refresh_at: Option<Timestamp>,
    /// Folders on disk that should not grow beyond so many bytes: volume, folder, bytes.
    pub limits: Vec<(String, PathBuf, u64)>,
    pub(super) volumes: BTreeMap<String, Ready>,
}

/// A volume that is ready.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Ready {
    pub(super) path: PathBuf,
    pub(super) read_only: bool,
    pub(super) in_memory: bool,
}

impl Prepared {
    /// A volume that holds more than it may, in upstream's words (`emptyDirLimitEviction`). Blocks for as long as it takes
    /// to walk through all of them.
    pub fn excess(&self, pod: &Value) -> Option<String> {
        let exceeds = |(_, folder, most): &&(String, PathBuf, u64)| {
            super::usage::bytes(folder).is_ok_and(|bytes| bytes > *most)
        };
        let (name, _, _) = self.limits.iter().find(exceeds)?;
        let mut volumes = pod["spec"]["volumes"].as_array()?.iter();
        let volume = volumes.find(|volume| volume["name"].as_str() == Some(name))?;
        let limit = volume["emptyDir"]["sizeLimit"].as_str().unwrap_or_default();
        Some(format!(
            "Usage of EmptyDir volume {name:?} exceeds the limit {limit:?}. "
        ))
    }

    /// The mounts of a container that is about to start with this environment; what lies inside another mount comes behind
    /// it. Blocks shortly: paths inside of volumes are looked up, and made where they are missing; not so in a [`Tmpfs`],
    /// which only the sandbox sees ([`Prepared::mounts_seen_by`]).
    ///
    /// # Errors
    /// Upstream's words for the reason `CreateContainerConfigError`. What is wrong inside of a volume is not told: it could
    /// be the host's business.
    pub fn mounts(
        &self,
        container: &Value,
        environment: &[(String, String)],
    ) -> Result<Vec<Mount>, ConfigError> {
        self.all(container, environment, None)
    }

    /// As [`Prepared::mounts`], with `shim`, the process that sees the file systems in memory of the pod's sandbox.
    ///
    /// # Errors
    /// As [`Prepared::mounts`].
    pub fn mounts_seen_by(
        &self,
        shim: u32,
        container: &Value,
        environment: &[(String, String)],
    ) -> Result<Vec<Mount>, ConfigError> {
        self.all(container, environment, Some(shim))
    }

    fn all(
        &self,
        container: &Value,
        environment: &[(String, String)],
        shim: Option<u32>,
    ) -> Result<Vec<Mount>, ConfigError> {
        let name = container["name"].as_str().unwrap_or_default();
        let mounts = container["volumeMounts"].as_array().into_iter().flatten();
        let mut all = mounts
            .map(|mount| self.mount(name, mount, environment, shim))
            .collect::<Result<Vec<Mount>, ConfigError>>()?;
        all.sort_by_key(|mount| mount.target.components().count());
        Ok(all)
    }

    fn mount(
        &self,
        container: &str,
        mount: &Value,
        environment: &[(String, String)],
        shim: Option<u32>,
    ) -> Result<Mount, ConfigError> {
        let text = |field: &str| mount[field].as_str().unwrap_or_default();
        let name = text("name");
        let Some(ready) = self.volumes.get(name) else {
            return Err(ConfigError(format!(
                "cannot find volume {name:?} to mount into container {container:?}"
            )));
        };
        refuse_what_is_not_supported(mount, name)?;
        let expression = text("subPathExpr");
        let sub = if expression.is_empty() {
            text("subPath").to_owned()
        } else {
            expansion::expand_path(expression, environment)?
        };
        if sub.starts_with('/') {
            return Err(ConfigError(format!(
                "error SubPath `{sub}` must not be an absolute path"
            )));
        }
        if sub.split('/').any(|part| part == "..") {
            return Err(ConfigError(format!(
                "unable to provision SubPath `{sub}`: must not contain '..'"
            )));
        }
        let sub = Some(PathBuf::from(sub)).filter(|sub| !sub.as_os_str().is_empty());
        if let (Some(sub), Some(root)) = (&sub, ready.seen_by(shim)) {
            prepare_sub(&root, sub, name, container)?;
        }
        Ok(Mount {
            source: ready.path.clone(),
            sub,
            target: Path::new("/").join(text("mountPath")),
            read_only: ready.read_only || mount["readOnly"] == true,
        })
    }
}

fn prepare_sub(root: &Path, sub: &Path, volume: &str, container: &str) -> Result<(), ConfigError> {
    if beneath::ensure(root, sub).is_err() {
        let there = root.join(sub).symlink_metadata().is_ok();
        let what = if there {
            "prepare subPath"
        } else {
            "create subPath directory"
        };
        return Err(ConfigError(format!(
            "failed to {what} for volumeMount {volume:?} of container {container:?}"
        )));
    }
    Ok(())
}

impl Ready {
    /// The root of the volume as this process can reach it: what is in memory is seen in the sandbox's mount namespace only.
    fn seen_by(&self, shim: Option<u32>) -> Option<PathBuf> {
        if !self.in_memory {
            return Some(self.path.clone());
        }
        let inside = self.path.strip_prefix("/").unwrap_or(&self.path);
        Some(
            Path::new("/proc")
                .join(shim?.to_string())
                .join("root")
                .join(inside),
        )
    }
}

fn refuse_what_is_not_supported(mount: &Value, volume: &str) -> Result<(), ConfigError> {
    match mount["mountPropagation"].as_str() {
        None | Some("" | "None") => {}
        Some(other) => {
            return Err(ConfigError(format!(
                "mountPropagation {other} of volumeMount {volume:?} is not supported here: use None"
            )));
        }
    }
    Ok(())
}

/// The folders that mounts of other volumes need inside of this one, which may be read-only by then
/// (`nested_volumes.go`).
pub(super) fn nested<'a>(containers: impl Iterator<Item = &'a Value>, volume: &str) -> Vec<PathBuf> {
    let mut nested = Vec::new();
    for container in containers {
        let mounts: Vec<(bool, PathBuf)> = container["volumeMounts"]
            .as_array()
            .into_iter()
            .flatten()
            .map(|mount| {
                (
                    mount["name"] == volume,
                    clean(mount["mountPath"].as_str().unwrap_or_default()),
                )
            })
            .collect();
        for (_, own) in mounts.iter().filter(|(is_own, _)| *is_own) {
            let mut inside: Vec<&Path> = mounts
                .iter()
                .filter_map(|(_, other)| other.strip_prefix(own).ok())
                .filter(|rest| !rest.as_os_str().is_empty())
                .collect();
            inside.sort();
            let mut kept: Vec<&Path> = Vec::new();
            for rest in inside {
                // What is deeper inside lies in that other volume.
                if !kept.iter().any(|known| rest.starts_with(known)) {
                    kept.push(rest);
                }
            }
            nested.extend(kept.into_iter().map(Path::to_owned));
        }
    }
    nested
}

/// Absolute, without `.` and `..`.
fn clean(path: &str) -> PathBuf {
    let mut cleaned = PathBuf::from("/");
    for part in path.split('/') {
        match part {
            "" | "." => {}
            ".." => {
                cleaned.pop();
            }
            part => cleaned.push(part),
        }
    }
    cleaned
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::volumes::scratch::Scratch;
    use serde_json::json;
    use std::fs;
    use std::os::unix::fs::symlink;

    fn prepared(root: &Path) -> Prepared {
        let ready = |name: &str, read_only, in_memory| {
            let path = root.join(name);
            fs::create_dir_all(&path).expect("a folder");
            (
                name.to_owned(),
                Ready {
                    path,
                    read_only,
                    in_memory,
                },
            )
        };
        Prepared {
            volumes: BTreeMap::from([
                ready("data", false, false),
                ready("files", true, false),
                ready("memory", false, true),
            ]),
            ..Prepared::default()
        }
    }

    fn mounts(root: &Path, mounts: Value) -> Result<Vec<String>, String> {
        let environment = [("POD".to_owned(), "web-0".to_owned())];
        let container = json!({"name": "main", "volumeMounts": mounts});
        let all = prepared(root)
            .mounts_seen_by(std::process::id(), &container, &environment)
            .map_err(|error| error.to_string())?;
        Ok(all
            .iter()
            .map(|mount| {
                let source = mount.source.strip_prefix(root).expect("it is a volume").display();
                let sub = mount
                    .sub
                    .as_ref()
                    .map(|sub| format!("[{}]", sub.display()))
                    .unwrap_or_default();
                let mode = if mount.read_only { "ro" } else { "rw" };
                format!("{source}{sub} {} {mode}", mount.target.display())
            })
            .collect())
    }

    #[test]
    fn mounts_of_a_container() {
        let scratch = Scratch::new();
        let root = scratch.path();
        let found = mounts(
            root,
            json!([
                {"name": "data", "mountPath": "/var/lib/data/deep"},
                {"name": "data", "mountPath": "/var", "readOnly": true},
                {"name": "files", "mountPath": "etc/x", "mountPropagation": "None"},
                {"name": "data", "mountPath": "/logs", "subPathExpr": "logs/$(POD)"},
                {"name": "memory", "mountPath": "/m", "subPath": "a/b", "recursiveReadOnly": "IfPossible"},
            ]),
        );
        let expected = [
            "data /var ro",
            "data[logs/web-0] /logs rw",
            "memory[a/b] /m rw",
            "files /etc/x ro",
            "data /var/lib/data/deep rw",
        ];
        assert_eq!(found, Ok(expected.map(str::to_owned).to_vec()));
        assert!(root.join("data/logs/web-0").is_dir());
        assert!(root.join("memory/a/b").is_dir());
    }

    #[test]
    fn mounts_that_are_refused() {
        let scratch = Scratch::new();
        let root = scratch.path();
        fs::create_dir_all(root.join("data")).expect("a folder");
        symlink("/etc", root.join("data/evil")).expect("a link");
        let cases = [
            (
                json!({"name": "none", "mountPath": "/x"}),
                "cannot find volume \"none\" to mount into container \"main\"",
            ),
            (
                json!({"name": "data", "mountPath": "/x", "subPath": "/etc"}),
                "error SubPath `/etc` must not be an absolute path",
            ),
            (
                json!({"name": "data", "mountPath": "/x", "subPath": "a/../../b"}),
                "unable to provision SubPath `a/../../b`: must not contain '..'",
            ),
            (
                json!({"name": "data", "mountPath": "/x", "subPathExpr": "$(NONE)"}),
                "missing value for NONE",
            ),
            (
                json!({"name": "data", "mountPath": "/x", "subPath": "evil"}),
                "failed to prepare subPath for volumeMount \"data\" of container \"main\"",
            ),
            (
                json!({"name": "data", "mountPath": "/x", "subPath": "evil/new"}),
                "failed to create subPath directory for volumeMount \"data\" of container \"main\"",
            ),
            (
                json!({"name": "data", "mountPath": "/x", "mountPropagation": "Bidirectional"}),
                "mountPropagation Bidirectional of volumeMount \"data\" is not supported here: use None",
            ),
        ];
        for (mount, expected) in cases {
            assert_eq!(mounts(root, json!([mount])), Err(expected.to_owned()), "{mount}");
        }
    }

    #[test]
    fn volumes_inside_of_volumes_find_their_folders() {
        let container = json!({"volumeMounts": [
            {"name": "own", "mountPath": "/etc/app/"}, {"name": "a", "mountPath": "/etc/app/x"},
            {"name": "b", "mountPath": "/etc/app/x/deeper"}, {"name": "c", "mountPath": "/etc/app/./x-y/../z/w"},
            {"name": "d", "mountPath": "/etc/application"}, {"name": "e", "mountPath": "/etc"},
        ]});
        let found = nested([&container].into_iter(), "own");
        assert_eq!(found, [Path::new("x"), Path::new("z/w")]);
    }
}

//! `actions/upload-artifact` and `actions/download-artifact`: files that the jobs of a run hand on.
//!
//! ```text
//! artifacts/RUN/NAME/files.tar.gz
//! artifacts/RUN/NAME/meta.json      written last: without it there is no artifact
//! ```

use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::Task;
use crate::glob::Patterns;
use crate::log::name as file_name;
use crate::pack::{Packed, pack, unpack};
use crate::room::{Inside, absolute, blocking};

/// The artifacts of all runs.
#[derive(Debug)]
pub(crate) struct Artifacts {
    folder: PathBuf,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
struct Meta {
    name: String,
    files: usize,
    bytes: u64,
    digest: String,
}

impl Artifacts {
    pub(crate) fn new(folder: PathBuf) -> Artifacts {
        Artifacts { folder }
    }

    fn of(&self, run: &str, name: &str) -> PathBuf {
        self.folder.join(file_name(run)).join(file_name(name))
    }

    fn list(&self, run: &str) -> Vec<(Meta, PathBuf)> {
        let entries = fs::read_dir(self.folder.join(file_name(run)))
            .into_iter()
            .flatten()
            .flatten();
        let mut list: Vec<(Meta, PathBuf)> = entries
            .filter_map(|entry| {
                let text = fs::read(entry.path().join("meta.json")).ok()?;
                Some((serde_json::from_slice(&text).ok()?, entry.path()))
            })
            .collect();
        list.sort_by(|one, other| one.0.name.cmp(&other.0.name));
        list
    }

    fn save(
        &self,
        (run, name): (&str, &str),
        inside: &Inside,
        patterns: &Patterns,
        base: &Path,
        hidden: bool,
    ) -> io::Result<Packed> {
        let folder = self.of(run, name);
        let _ = fs::remove_file(folder.join("meta.json"));
        fs::create_dir_all(&folder)?;
        let packed = pack(
            inside,
            patterns,
            base,
            hidden,
            &File::create(folder.join("files.tar.gz"))?,
        )?;
        if packed.files == 0 {
            fs::remove_dir_all(&folder)?;
            return Ok(packed);
        }
        let meta = Meta {
            name: name.to_owned(),
            files: packed.files,
            bytes: packed.bytes,
            digest: packed.digest.clone(),
        };
        let half = folder.join("meta.half");
        fs::write(&half, serde_json::to_vec(&meta)?)?;
        File::open(&half)?.sync_all()?;
        fs::rename(half, folder.join("meta.json"))?;
        Ok(packed)
    }
}

/// What no name of an artifact has (actions/toolkit, path-and-artifact-name-validation.ts).
const FORBIDDEN: &[char] = &['"', ':', '<', '>', '|', '*', '?', '\r', '\n', '\\', '/'];

pub(super) async fn upload(task: &mut Task<'_>) -> Result<(), String> {
    let name = task.input("name").to_owned();
    if name.is_empty() || name.contains(FORBIDDEN) {
        return Err(format!(
            "The artifact name is not valid: {name}. It has one of {FORBIDDEN:?}"
        ));
    }
    let home = task.job.room.home();
    let patterns = Patterns::new([task.input("path")], &task.job.workspace, &home);
    if patterns.is_empty() {
        return Err("Input required and not supplied: path".to_owned());
    }
    let (artifacts, run) = (task.context.artifacts.clone(), task.context.run.clone());
    let taken = artifacts.list(&run).iter().any(|(meta, _)| meta.name == name);
    if taken && !task.flag("overwrite") {
        return Err(format!(
            "Failed to CreateArtifact: an artifact with this name already exists on the workflow run: {name}"
        ));
    }
    let inside = task.job.room.inside().await.map_err(|error| error.to_string())?;
    let (hidden, wanted) = (task.flag("include-hidden-files"), name.clone());
    let packed = blocking(move || {
        let base = base(&inside, &patterns);
        artifacts.save((&run, &wanted), &inside, &patterns, &base, hidden)
    });
    let packed = packed.await.map_err(|error| format!("packing {name}: {error}"))?;
    if packed.files == 0 {
        let text = format!(
            "No files were found with the provided path: {}. No artifacts will be uploaded.",
            task.input("path")
        );
        return match task.input("if-no-files-found") {
            "error" => Err(text),
            "ignore" => {
                task.say(text).await;
                Ok(())
            }
            _ => {
                task.say(format!("##[warning]{text}")).await;
                Ok(())
            }
        };
    }
    task.say(format!(
        "Artifact {name}: {} files, {} bytes, {} packed, sha256:{}",
        packed.files, packed.bytes, packed.packed_bytes, packed.digest
    ))
    .await;
    task.output("artifact-id", file_name(&name));
    task.output("artifact-digest", packed.digest);
    task.output("artifact-url", "");
    Ok(())
}

/// The folder that names in the artifact are relative to: the least one above all that is asked for.
fn base(inside: &Inside, patterns: &Patterns) -> PathBuf {
    let folder = |root: PathBuf| {
        if inside.folder(&root).is_ok() {
            root
        } else {
            root.parent().map(Path::to_owned).unwrap_or(root)
        }
    };
    let mut roots = patterns.roots().into_iter().map(folder);
    let first = roots.next().unwrap_or_else(|| PathBuf::from("/"));
    roots.fold(first, |above, one| {
        let common = above
            .components()
            .zip(one.components())
            .take_while(|(a, b)| a == b);
        common.map(|(part, _)| part).collect()
    })
}

pub(super) async fn download(task: &mut Task<'_>) -> Result<(), String> {
    let to = absolute(task.input("path"), &task.job.workspace, &task.job.room.home());
    let (artifacts, run) = (task.context.artifacts.clone(), task.context.run.clone());
    let run = match task.input("run-id") {
        "" => run,
        other => other.to_owned(),
    };
    let all = blocking(move || artifacts.list(&run)).await;
    let name = task.input("name").to_owned();
    let pattern = task.input("pattern").to_owned();
    let chosen: Vec<(Meta, PathBuf)> = all
        .into_iter()
        .filter(|(meta, _)| match (name.as_str(), pattern.as_str()) {
            ("", "") => true,
            ("", pattern) => fits(pattern, &meta.name),
            (name, _) => meta.name == name,
        })
        .collect();
    if !name.is_empty() && chosen.is_empty() {
        return Err(format!(
            "Unable to download artifact(s): Artifact not found for name: {name}"
        ));
    }
    let merge = !name.is_empty() || task.flag("merge-multiple");
    for (meta, folder) in chosen {
        let at = if merge { to.clone() } else { to.join(&meta.name) };
        let inside = task.job.room.inside().await.map_err(|error| error.to_string())?;
        let shown = at.display().to_string();
        let unpacked = blocking(move || {
            let file = File::open(folder.join("files.tar.gz"))?;
            inside.make(&at)?;
            unpack(&file, &inside, &at)
        });
        let bytes = unpacked
            .await
            .map_err(|error| format!("unpacking {}: {error}", meta.name))?;
        task.say(format!(
            "Artifact {}: {} files, {bytes} bytes in {shown}",
            meta.name, meta.files
        ))
        .await;
    }
    task.output("download-path", to.display().to_string());
    Ok(())
}

/// Whether a name fits a pattern of one name.
fn fits(pattern: &str, name: &str) -> bool {
    Patterns::new([pattern], Path::new("/"), "/").matches(&Path::new("/").join(name))
}

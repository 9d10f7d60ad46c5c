//! A base image of Debian, made of packages with mmdebstrap: no registry is needed to build on it.

use deploy_model::with_causes;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::Arc;

use deploy_image::{Image, Store, StoreError, unpack_archive};
use deploy_model::image::manifest::Platform;
use deploy_model::image::{Digest, Reference};

use crate::blobs::Blobs;
use crate::commit::commit;
use crate::config::{self, Line};
use crate::error::BuildError;
use crate::output;

/// The program that puts packages together.
pub const PROGRAM: &str = "mmdebstrap";

/// A base image to be made.
#[derive(Clone, Debug)]
pub struct Debian {
    /// `bookworm`.
    pub suite: String,
    /// Packages beside the essential ones and apt.
    pub include: Vec<String>,
    /// Its name.
    pub name: Reference,
}

/// Why there is no base image.
#[derive(Debug, thiserror::Error)]
pub enum DebianError {
    /// mmdebstrap is not installed.
    #[error("{PROGRAM} is not installed")]
    Missing,
    /// mmdebstrap failed: its last lines.
    #[error("{PROGRAM} ended with an error")]
    Failed {
        /// What it said last.
        last: Vec<String>,
    },
    /// A suite or package that is none.
    #[error("{0:?} is no name of a suite or package")]
    Name(String),
    /// The image could not be made of it.
    #[error(transparent)]
    Build(#[from] BuildError),
}

impl From<StoreError> for DebianError {
    fn from(error: StoreError) -> Self {
        Self::Build(error.into())
    }
}

/// Lines that are kept of what mmdebstrap says.
const LAST_LINES: usize = 15;

/// Makes the image and keeps it in the store, its packed layer in the builder's folder. It needs root.
pub fn debian(asked: &Debian, store: &Store, folder: &Path) -> Result<Arc<Image>, DebianError> {
    for name in asked.include.iter().chain([&asked.suite]) {
        let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '+' | '-' | '.' | ':');
        if name.is_empty() || name.starts_with('-') || !name.chars().all(plain) {
            return Err(DebianError::Name(name.clone()));
        }
    }
    let _hold = store.hold()?;
    let blobs = Blobs::open(folder.join("blobs"))?;
    let workspace = store.workspace()?;
    let archive = workspace.path().join("debian.tar");
    make(asked, &archive)?;
    let upper = workspace.path().join("upper");
    let on_disk = |error: io::Error| BuildError::disk(&upper, error);
    fs::create_dir(&upper).map_err(on_disk)?;
    let mut file = fs::File::open(&archive).map_err(on_disk)?;
    unpack_archive(&upper, &mut file).map_err(|error| on_disk(io::Error::other(with_causes(&error))))?;
    empty(&upper.join("dev")).map_err(on_disk)?;
    let layer = commit(store, &blobs, &upper, None)?;
    let layers: Vec<_> = layer.into_iter().collect();
    let diff_ids: Vec<Digest> = layers.iter().map(|layer| layer.diff_id.clone()).collect();
    let now_s = std::time::SystemTime::now()
        .duration_since(std::time::UNIX_EPOCH)
        .unwrap_or_default()
        .as_secs();
    let now_s = i64::try_from(now_s).unwrap_or(0);
    let settings = deploy_dockerfile::Settings {
        env: vec![("PATH".to_owned(), PATH.to_owned())],
        cmd: vec!["bash".to_owned()],
        ..Default::default()
    };
    let line = Line {
        text: format!("{PROGRAM} --variant=minbase {}", asked.suite),
        at_s: now_s,
        empty: layers.is_empty(),
    };
    let config = config::write(&settings, &Platform::own(), now_s, &[], &[line], &diff_ids);
    let manifest = output::manifest(&config, &layers);
    let names = [asked.name.clone()];
    Ok(store.commit(&names, &manifest, &config)?)
}

/// Where programs of Debian are.
const PATH: &str = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

fn make(asked: &Debian, archive: &Path) -> Result<(), DebianError> {
    let mut command = Command::new(PROGRAM);
    command.args(["--variant=minbase", "--mode=root", "--format=tar"]);
    // Device nodes are the runtime's.
    command.arg("--skip=output/dev");
    if !asked.include.is_empty() {
        command.arg(format!("--include={}", asked.include.join(",")));
    }
    command.arg(&asked.suite).arg(archive);
    command.args(sources());
    command
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::piped());
    let outcome = command.output().map_err(|error| match error.kind() {
        io::ErrorKind::NotFound => DebianError::Missing,
        _ => BuildError::disk(Path::new(PROGRAM), error).into(),
    })?;
    if outcome.status.success() {
        return Ok(());
    }
    let said = String::from_utf8_lossy(&outcome.stderr);
    let lines: Vec<&str> = said.lines().collect();
    let first = lines.len().saturating_sub(LAST_LINES);
    Err(DebianError::Failed {
        last: lines[first..]
            .iter()
            .map(|line| line.chars().take(300).collect())
            .collect(),
    })
}

/// The package sources of this machine that are Debian's own; none leaves mmdebstrap its default.
fn sources() -> Vec<PathBuf> {
    let mut found = Vec::new();
    let listed = fs::read_dir("/etc/apt/sources.list.d")
        .into_iter()
        .flatten()
        .flatten();
    let listed = listed.map(|entry| entry.path());
    for path in listed.chain([PathBuf::from("/etc/apt/sources.list")]) {
        let named = path
            .extension()
            .is_some_and(|end| end == "list" || end == "sources");
        let text = fs::read_to_string(&path).unwrap_or_default();
        // Others' repositories have other suites, and keys that the new root does not know.
        let debian = text
            .lines()
            .any(|line| !line.trim_start().starts_with('#') && line.contains("debian"));
        if named && debian {
            found.push(path);
        }
    }
    found.sort();
    found
}

/// A folder without anything in it.
fn empty(folder: &Path) -> io::Result<()> {
    match fs::remove_dir_all(folder) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    fs::create_dir(folder)
}

//! What `actions/checkout` brings: a tree of files of this machine, without a network.

use std::fs::{self, File};
use std::io::{self, Read};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use crate::limits::{MAX_ARCHIVE_FILES, MAX_DEPTH, MAX_WORDS_BYTES};
use crate::room::Inside;

/// Where the files of a run come from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Source {
    /// Everything in a folder but its `.git`.
    Folder(PathBuf),
    /// What Git knows of a working copy, changed or not, and what it does not ignore.
    WorkingCopy(PathBuf),
    /// The tree of a commit.
    Commit {
        /// A repository of this machine, with or without a working copy.
        repository: PathBuf,
        /// The commit's full name.
        commit: String,
    },
}

/// Why there is no tree.
#[derive(Debug, thiserror::Error)]
pub enum SourceError {
    /// `git` cannot be started.
    #[error("git cannot be started: {0}")]
    NoGit(io::Error),
    /// `git` has refused.
    #[error("git {what}: {words}")]
    Git {
        /// What it should do.
        what: String,
        /// What it said.
        words: String,
    },
    /// A file cannot be copied.
    #[error("copying {}: {source}", path.display())]
    Copy {
        /// Which.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// There are more files than are copied.
    #[error("there are more than {MAX_ARCHIVE_FILES} files")]
    TooMany,
}

impl Source {
    /// The repository or folder.
    pub fn folder(&self) -> &Path {
        match self {
            Source::Folder(folder) | Source::WorkingCopy(folder) => folder,
            Source::Commit { repository, .. } => repository,
        }
    }

    /// Copies the tree into a folder of a job, or of a commit that `reference` names there. Gives the commit, if it is
    /// one, and the number of files. Blocks.
    pub(crate) fn copy(
        &self,
        reference: &str,
        inside: &Inside,
        to: &Path,
    ) -> Result<(Option<String>, usize), SourceError> {
        match self {
            Source::Folder(folder) => {
                let mut count = 0;
                copy_folder(folder, inside, to, 0, &mut count)?;
                Ok((None, count))
            }
            Source::WorkingCopy(folder) if reference.is_empty() => {
                Ok((None, copy_listed(folder, inside, to)?))
            }
            Source::WorkingCopy(repository) => {
                let commit = resolve(repository, reference)?;
                copy_commit(repository, &commit, inside, to).map(|count| (Some(commit), count))
            }
            Source::Commit { repository, commit } => {
                let commit = match reference {
                    "" => commit.clone(),
                    other => resolve(repository, other)?,
                };
                copy_commit(repository, &commit, inside, to).map(|count| (Some(commit), count))
            }
        }
    }
}

fn git(repository: &Path) -> Command {
    let mut command = Command::new("git");
    command
        .arg("-c")
        .arg("safe.directory=*")
        .arg("-C")
        .arg(repository)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        // Nobody can answer a question.
        .env("GIT_TERMINAL_PROMPT", "0")
        .env("LC_ALL", "C");
    command
}

fn words(bytes: &[u8]) -> String {
    let cut = &bytes[..bytes.len().min(MAX_WORDS_BYTES)];
    String::from_utf8_lossy(cut).trim().to_owned()
}

/// The commit that a name stands for.
fn resolve(repository: &Path, reference: &str) -> Result<String, SourceError> {
    if reference.starts_with('-') {
        return Err(SourceError::Git {
            what: "rev-parse".to_owned(),
            words: format!("{reference} is no reference"),
        });
    }
    let mut last = String::new();
    for name in [reference.to_owned(), format!("refs/remotes/origin/{reference}")] {
        let output = git(repository)
            .args(["rev-parse", "--verify", "--quiet", "--end-of-options"])
            .arg(format!("{name}^{{commit}}"))
            .output()
            .map_err(SourceError::NoGit)?;
        if output.status.success() {
            return Ok(words(&output.stdout));
        }
        last = words(&output.stderr);
    }
    Err(SourceError::Git {
        what: format!("has no {reference}"),
        words: last,
    })
}

fn copy_commit(repository: &Path, commit: &str, inside: &Inside, to: &Path) -> Result<usize, SourceError> {
    let mut child = git(repository)
        .args(["archive", "--format=tar"])
        .arg(commit)
        .spawn()
        .map_err(SourceError::NoGit)?;
    let copied = child.stdout.take().map(|tar| copy_tar(tar, inside, to));
    let mut said = Vec::new();
    if let Some(stderr) = child.stderr.take() {
        // What cannot be read is not said.
        let _ = stderr.take(MAX_WORDS_BYTES as u64).read_to_end(&mut said);
    }
    let status = child.wait().map_err(SourceError::NoGit)?;
    if !status.success() {
        return Err(SourceError::Git {
            what: format!("archive {commit}"),
            words: words(&said),
        });
    }
    copied.unwrap_or(Ok(0))
}

fn copy_tar(tar: impl Read, inside: &Inside, to: &Path) -> Result<usize, SourceError> {
    let mut archive = tar::Archive::new(io::BufReader::with_capacity(1 << 16, tar));
    let failed = |path: &Path| {
        let path = path.to_owned();
        move |source| SourceError::Copy { path, source }
    };
    let mut count = 0;
    for entry in archive.entries().map_err(failed(to))? {
        let mut entry = entry.map_err(failed(to))?;
        let path = entry.path().map_err(failed(to))?.into_owned();
        let at = to.join(&path);
        let kind = entry.header().entry_type();
        if kind.is_dir() {
            inside.make(&at).map_err(failed(&path))?;
        } else if kind.is_symlink() {
            let link = entry
                .link_name()
                .map_err(failed(&path))?
                .unwrap_or_default()
                .into_owned();
            inside.link(&link, &at).map_err(failed(&path))?;
            count += 1;
        } else if kind.is_file() {
            let mode = entry.header().mode().unwrap_or(0o644) & 0o111 | 0o644;
            let mut file = inside.create(&at, mode).map_err(failed(&path))?;
            io::copy(&mut entry, &mut file).map_err(failed(&path))?;
            count += 1;
        }
        if count > MAX_ARCHIVE_FILES {
            return Err(SourceError::TooMany);
        }
    }
    Ok(count)
}

/// What Git lists of a working copy: a file that was removed is not copied.
fn copy_listed(folder: &Path, inside: &Inside, to: &Path) -> Result<usize, SourceError> {
    let output = git(folder)
        .args([
            "ls-files",
            "-z",
            "--cached",
            "--others",
            "--exclude-standard",
            "--deduplicate",
        ])
        .output()
        .map_err(SourceError::NoGit)?;
    if !output.status.success() {
        return Err(SourceError::Git {
            what: "ls-files".to_owned(),
            words: words(&output.stderr),
        });
    }
    let mut count = 0;
    for name in output
        .stdout
        .split(|byte| *byte == 0)
        .filter(|name| !name.is_empty())
    {
        let name = Path::new(std::ffi::OsStr::from_bytes(name));
        let from = folder.join(name);
        match fs::symlink_metadata(&from) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            // A submodule.
            Ok(metadata) if metadata.is_dir() => copy_folder(&from, inside, &to.join(name), 0, &mut count)?,
            Err(source) => return Err(SourceError::Copy { path: from, source }),
            Ok(metadata) => {
                copy_one(&from, &metadata, inside, &to.join(name))?;
                count += 1;
            }
        }
    }
    Ok(count)
}

fn copy_folder(
    from: &Path,
    inside: &Inside,
    to: &Path,
    depth: usize,
    count: &mut usize,
) -> Result<(), SourceError> {
    let failed = |source| SourceError::Copy {
        path: from.to_owned(),
        source,
    };
    if depth > MAX_DEPTH {
        return Err(failed(io::Error::other("nested too deep")));
    }
    inside.make(to).map_err(failed)?;
    for entry in fs::read_dir(from).map_err(failed)? {
        let entry = entry.map_err(failed)?;
        let name = entry.file_name();
        let metadata = entry.metadata().map_err(failed)?;
        if name == ".git" {
            continue;
        }
        let (from, to) = (entry.path(), to.join(name));
        if metadata.is_dir() {
            copy_folder(&from, inside, &to, depth + 1, count)?;
        } else {
            copy_one(&from, &metadata, inside, &to)?;
            *count += 1;
        }
        if *count > MAX_ARCHIVE_FILES {
            return Err(SourceError::TooMany);
        }
    }
    Ok(())
}

fn copy_one(from: &Path, metadata: &fs::Metadata, inside: &Inside, to: &Path) -> Result<(), SourceError> {
    let copy = || -> io::Result<()> {
        if metadata.is_symlink() {
            return inside.link(&fs::read_link(from)?, to);
        }
        if !metadata.is_file() {
            return Ok(());
        }
        let mode = metadata.permissions().mode() & 0o111 | 0o644;
        let mut file = inside.create(to, mode)?;
        io::copy(&mut File::open(from)?, &mut file).map(drop)
    };
    copy().map_err(|source| SourceError::Copy {
        path: from.to_owned(),
        source,
    })
}

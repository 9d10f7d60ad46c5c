//! What is in a repository: commits, folders, files, differences.

use std::ffi::OsString;
use std::fs::{self, DirBuilder};
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};

use jiff::Timestamp;

use crate::command::{Answer, Bounds};
use crate::error::GitError;
use crate::limits;
use crate::oid::Oid;
use crate::repositories::Repository;

/// What lies at a path of a commit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FileKind {
    /// A file.
    File,
    /// A file that may be executed.
    Executable,
    /// A symbolic link; its content is where it points.
    Link,
    /// A folder.
    Folder,
    /// Another repository's commit, of which this one holds the name only.
    Submodule,
}

/// A member of a folder of a commit.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TreeEntry {
    /// From the root of the commit.
    pub path: String,
    /// What it is.
    pub kind: FileKind,
    /// The object.
    pub oid: Oid,
    /// Bytes of a file.
    pub bytes: Option<u64>,
}

/// A commit.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Commit {
    /// Its name.
    pub oid: Oid,
    /// Its parents, the first one first.
    pub parents: Vec<Oid>,
    /// Who wrote it.
    pub author: String,
    /// Whose mail that is.
    pub email: String,
    /// When it was committed.
    pub at: Timestamp,
    /// The whole message.
    pub message: String,
}

/// Paths that differ between two commits.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Change {
    /// Paths that were added, changed or removed, in order.
    pub paths: Vec<String>,
    /// Whether there are more than [`limits::CHANGED_PATHS`].
    pub more: bool,
}

/// A commit that lies in a folder.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Checkout {
    /// Files and links.
    pub files: usize,
    /// Their bytes.
    pub bytes: u64,
    /// Submodules, which are empty folders.
    pub submodules: Vec<String>,
}

impl Repository {
    /// All references and what they name, in order; tags as they are.
    ///
    /// # Errors
    /// Those of git.
    pub async fn references(&self) -> Result<Vec<(String, Oid)>, GitError> {
        let output = self
            .git
            .ask(
                &self.folder,
                "for-each-ref",
                ["--format=%(objectname) %(refname)"],
                Bounds::LIST,
            )
            .await?;
        String::from_utf8_lossy(&output)
            .lines()
            .filter_map(|line| line.split_once(' '))
            .map(|(oid, name)| Ok((name.to_owned(), oid.parse()?)))
            .collect()
    }

    /// The branch that the repository calls its own, whether it is there or not: `main`.
    ///
    /// # Errors
    /// [`GitError::Io`].
    pub async fn head(&self) -> Result<String, GitError> {
        let path = self.folder.join("HEAD");
        let text = tokio::task::spawn_blocking(move || {
            fs::read_to_string(&path).map_err(|error| GitError::io(&path, &error))
        });
        let text = text.await.map_err(|_| GitError::Closed)??;
        let branch = text.trim().strip_prefix("ref: refs/heads/");
        Ok(branch.unwrap_or("main").to_owned())
    }

    /// The commit that a reference, as in `main`, `refs/tags/v1`, or a shortened name means.
    ///
    /// # Errors
    /// [`GitError::NotFound`] when there is none.
    pub async fn resolve(&self, revision: &str) -> Result<Oid, GitError> {
        let missing = || GitError::NotFound {
            what: revision.chars().take(200).collect(),
        };
        // Options, ranges and searches are no names.
        let is_name = !revision.is_empty()
            && revision.len() <= 1_000
            && !revision.starts_with('-')
            && revision
                .chars()
                .all(|c| !c.is_control() && !" ~^:?*[\\@{".contains(c))
            && !revision.contains("..");
        if !is_name {
            return Err(missing());
        }
        let mut command = self.git.command(Some(&self.folder));
        command
            .args(["rev-parse", "--verify", "--quiet", "--end-of-options"])
            .arg(format!("{revision}^{{commit}}"));
        let answer = self
            .git
            .run(command, "rev-parse", Vec::new(), Bounds::LIST)
            .await?;
        match answer.code {
            Some(0) => String::from_utf8_lossy(&answer.output).trim().parse(),
            _ => Err(missing()),
        }
    }

    /// A file of a commit.
    ///
    /// # Errors
    /// [`GitError::NotFound`] when there is no such file, [`GitError::TooLarge`] beyond [`limits::FILE_BYTES`].
    pub async fn read_file(&self, commit: &Oid, path: &str) -> Result<Vec<u8>, GitError> {
        let what = format!("{commit}:{path}");
        let path = clean(path)?;
        // The blob's own size first, so that a large one is not even begun.
        let input = format!("{commit}:{path}\n").into_bytes();
        let mut command = self.git.command(Some(&self.folder));
        command.args(["cat-file", "--batch-check=%(objecttype) %(objectsize)"]);
        let answer = self.git.run(command, "cat-file", input, Bounds::LIST).await?;
        let line = String::from_utf8_lossy(&answer.done("cat-file")?).into_owned();
        let size = line
            .trim()
            .strip_prefix("blob ")
            .and_then(|size| size.parse::<u64>().ok());
        match size {
            None => return Err(GitError::NotFound { what }),
            Some(size) if size > limits::FILE_BYTES as u64 => {
                return Err(GitError::TooLarge {
                    what,
                    limit: limits::FILE_BYTES as u64,
                });
            }
            Some(_) => {}
        }
        let bounds = Bounds {
            bytes: limits::FILE_BYTES,
            ..Bounds::LIST
        };
        self.git
            .ask(
                &self.folder,
                "cat-file",
                ["blob", &format!("{commit}:{path}")],
                bounds,
            )
            .await
    }

    /// The members of a folder of a commit; of the root where the path is empty. With `deep`, the files of all folders
    /// below it instead.
    ///
    /// # Errors
    /// [`GitError::NotFound`] when there is no such folder.
    pub async fn list(&self, commit: &Oid, folder: &str, deep: bool) -> Result<Vec<TreeEntry>, GitError> {
        let what = format!("{commit}:{folder}");
        let tree = match folder {
            "" => format!("{commit}^{{tree}}"),
            folder => format!("{commit}:{}", clean(folder)?),
        };
        let mut command = self.git.command(Some(&self.folder));
        command.args(["ls-tree", "-z", "-l", "--full-tree"]);
        if deep {
            command.arg("-r");
        }
        command.arg(tree);
        let answer = self.git.run(command, "ls-tree", Vec::new(), Bounds::LIST).await?;
        if answer.code == Some(128) && is_missing(&answer) {
            return Err(GitError::NotFound { what });
        }
        let output = answer.done("ls-tree")?;
        let prefix = match folder {
            "" => String::new(),
            folder => format!("{folder}/"),
        };
        String::from_utf8_lossy(&output)
            .split_terminator('\0')
            .map(|line| entry(line, &prefix))
            .collect()
    }

    /// The paths that differ between two commits; all paths of the second, where there is no first.
    ///
    /// # Errors
    /// [`GitError::NotFound`] when a commit is not there.
    pub async fn changed_paths(&self, before: Option<&Oid>, after: &Oid) -> Result<Change, GitError> {
        let mut command = self.git.command(Some(&self.folder));
        match before {
            Some(before) => command
                .args([
                    "diff-tree",
                    "-r",
                    "-z",
                    "--name-only",
                    "--no-renames",
                    "--no-ext-diff",
                ])
                .args([before.as_str(), after.as_str()]),
            None => command.args([
                "ls-tree",
                "-r",
                "-z",
                "--name-only",
                "--full-tree",
                after.as_str(),
            ]),
        };
        let answer = self
            .git
            .run(command, "diff-tree", Vec::new(), Bounds::LIST)
            .await?;
        if answer.code == Some(128) && is_missing(&answer) {
            return Err(GitError::NotFound {
                what: before.map_or_else(|| after.to_string(), |before| format!("{before} or {after}")),
            });
        }
        let output = answer.done("diff-tree")?;
        let text = String::from_utf8_lossy(&output);
        let mut paths = text.split_terminator('\0').map(str::to_owned);
        let change = Change {
            paths: paths.by_ref().take(limits::CHANGED_PATHS).collect(),
            more: paths.next().is_some(),
        };
        Ok(change)
    }

    /// A commit and those before it, the newest first; up to `limit` and [`limits::LOG_COMMITS`]. With `without`, only those
    /// that are not before that one too.
    ///
    /// # Errors
    /// [`GitError::NotFound`] when a commit is not there.
    pub async fn log(
        &self,
        from: &Oid,
        without: Option<&Oid>,
        limit: usize,
    ) -> Result<Vec<Commit>, GitError> {
        let mut command = self.git.command(Some(&self.folder));
        command
            .args([
                "log",
                "-z",
                "--no-show-signature",
                "--no-color",
                "--encoding=UTF-8",
            ])
            .arg("--format=%H%n%P%n%an%n%ae%n%ct%n%B")
            .arg(format!("--max-count={}", limit.min(limits::LOG_COMMITS)))
            .arg(from.as_str());
        if let Some(without) = without {
            command.arg(format!("^{without}"));
        }
        command.arg("--");
        let answer = self.git.run(command, "log", Vec::new(), Bounds::LIST).await?;
        if answer.code == Some(128) && is_missing(&answer) {
            return Err(GitError::NotFound {
                what: from.to_string(),
            });
        }
        let output = answer.done("log")?;
        String::from_utf8_lossy(&output)
            .split_terminator('\0')
            .map(commit)
            .collect()
    }

    /// Puts the files of a commit into an empty folder, which it makes when it is missing. Nothing of the commit is executed:
    /// no hook, no filter, no submodule. Links are made as links, and no file is written through one.
    ///
    /// # Errors
    /// [`GitError::NotFound`], [`GitError::NotEmpty`], [`GitError::TooLarge`]; what was written by then stays.
    pub async fn checkout(&self, commit: &Oid, folder: &Path) -> Result<Checkout, GitError> {
        empty(folder)?;
        let mut found = Checkout::default();
        for entry in self.list(commit, "", true).await? {
            match entry.kind {
                FileKind::Submodule => found.submodules.push(entry.path),
                _ => {
                    found.files += 1;
                    found.bytes += entry.bytes.unwrap_or_default();
                }
            }
        }
        for (what, is, limit) in [
            ("files", found.files as u64, limits::CHECKOUT_FILES as u64),
            ("bytes", found.bytes, limits::CHECKOUT_BYTES),
        ] {
            if is > limit {
                return Err(GitError::TooLarge {
                    what: format!("a checkout of {is} {what}"),
                    limit,
                });
            }
        }
        let index = Index::new(&self.folder);
        let folder = folder
            .canonicalize()
            .map_err(|error| GitError::io(folder, &error))?;
        for (what, arguments) in [
            ("read-tree", vec![commit.as_str()]),
            ("checkout-index", vec!["--all", "--force", "--quiet"]),
        ] {
            let mut work_tree = OsString::from("--work-tree=");
            work_tree.push(&folder);
            let mut command = self.git.command(Some(&self.folder));
            command
                .args(["-c", "core.bare=false"])
                .arg(work_tree)
                .arg(what)
                .args(arguments)
                .env("GIT_INDEX_FILE", &index.0)
                .current_dir(&folder);
            let bounds = Bounds {
                bytes: limits::COMPLAINT_BYTES,
                time: limits::TRANSFER_TIME,
            };
            self.git
                .run(command, what, Vec::new(), bounds)
                .await?
                .done(what)?;
        }
        Ok(found)
    }
}

/// A file for git's index, which goes with its user.
struct Index(PathBuf);

impl Index {
    fn new(folder: &Path) -> Index {
        static NUMBER: AtomicU64 = AtomicU64::new(0);
        let number = NUMBER.fetch_add(1, Ordering::Relaxed);
        Index(folder.join(format!("deploy-index-{}-{number}", std::process::id())))
    }
}

impl Drop for Index {
    fn drop(&mut self) {
        // One that was never made is not there.
        drop(fs::remove_file(&self.0));
        drop(fs::remove_file(self.0.with_extension("lock")));
    }
}

fn empty(folder: &Path) -> Result<(), GitError> {
    DirBuilder::new()
        .recursive(true)
        .mode(0o755)
        .create(folder)
        .map_err(|error| GitError::io(folder, &error))?;
    let mut listed = fs::read_dir(folder).map_err(|error| GitError::io(folder, &error))?;
    match listed.next() {
        None => Ok(()),
        Some(_) => Err(GitError::NotEmpty {
            path: folder.to_owned(),
        }),
    }
}

/// Whether git says that an object is not there, or is of another kind.
fn is_missing(answer: &Answer) -> bool {
    [
        "Not a valid object name",
        "not a tree object",
        "bad object",
        "unable to read tree",
        "does not exist in",
        "bad revision",
    ]
    .iter()
    .any(|said| answer.complaint.contains(said))
}

/// A path within a commit, as git has it.
fn clean(path: &str) -> Result<&str, GitError> {
    let is_clean = path.len() <= 4_096
        && path
            .split('/')
            .all(|part| !part.is_empty() && part != "." && part != "..")
        && !path.chars().any(char::is_control);
    if is_clean {
        return Ok(path);
    }
    Err(GitError::Invalid {
        what: "a path in a repository",
        given: path.chars().take(200).collect(),
    })
}

/// `<mode> <type> <object> <size>\t<path>`
fn entry(line: &str, prefix: &str) -> Result<TreeEntry, GitError> {
    let strange = || GitError::Refused {
        what: "ls-tree",
        reason: format!("it says {line:?}"),
    };
    let (head, path) = line.split_once('\t').ok_or_else(strange)?;
    let mut parts = head.split_ascii_whitespace();
    let mode = parts.next().ok_or_else(strange)?;
    let (_, oid, size) = (parts.next(), parts.next(), parts.next());
    Ok(TreeEntry {
        path: format!("{prefix}{path}"),
        kind: match mode {
            "040000" => FileKind::Folder,
            "100755" => FileKind::Executable,
            "120000" => FileKind::Link,
            "160000" => FileKind::Submodule,
            _ => FileKind::File,
        },
        oid: oid.ok_or_else(strange)?.parse()?,
        bytes: size.and_then(|size| size.parse().ok()),
    })
}

fn commit(text: &str) -> Result<Commit, GitError> {
    let strange = || GitError::Refused {
        what: "log",
        reason: format!("it says {:?}", text.chars().take(200).collect::<String>()),
    };
    let mut lines = text.trim_start_matches('\n').splitn(6, '\n');
    let mut next = || lines.next().ok_or_else(strange);
    let (oid, parents, author, email, at) = (next()?, next()?, next()?, next()?, next()?);
    let message = next().unwrap_or_default();
    Ok(Commit {
        oid: oid.parse()?,
        parents: parents
            .split(' ')
            .filter(|oid| !oid.is_empty())
            .map(str::parse)
            .collect::<Result<_, _>>()?,
        author: author.to_owned(),
        email: email.to_owned(),
        at: at
            .parse()
            .ok()
            .and_then(|seconds| Timestamp::from_second(seconds).ok())
            .unwrap_or_default(),
        message: message.trim_end().to_owned(),
    })
}

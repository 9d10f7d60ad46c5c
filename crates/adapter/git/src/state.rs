//! The state repository: what every target is to be, as files under `<environment>/<site>/<app>/`.
//!
//! A commit replaces whole targets in one step. There is no work tree: `git fast-import` gets the files, writes one pack and
//! moves the branch, if nobody else has moved it meanwhile. Undo is a commit too: it brings back the files of an earlier one.

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;
use sha1::{Digest, Sha1};

use crate::command::Bounds;
use crate::error::GitError;
use crate::limits;
use crate::oid::Oid;
use crate::repositories::Repository;

/// A target's folder.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Place {
    /// As in `prod`.
    pub environment: String,
    /// As in `us`.
    pub site: String,
    /// As in `shop`.
    pub app: String,
}

impl Place {
    /// `<environment>/<site>/<app>`
    ///
    /// # Errors
    /// [`GitError::Invalid`] when one of them is no name.
    pub fn folder(&self) -> Result<String, GitError> {
        for name in [&self.environment, &self.site, &self.app] {
            let is_name = name.len() <= 63
                && name
                    .bytes()
                    .next()
                    .is_some_and(|b| b.is_ascii_lowercase() || b.is_ascii_digit())
                && name
                    .bytes()
                    .all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-');
            if !is_name {
                return Err(GitError::Invalid {
                    what: "a part of a target's folder",
                    given: name.chars().take(80).collect(),
                });
            }
        }
        Ok(format!("{}/{}/{}", self.environment, self.site, self.app))
    }
}

/// What a target's folder is to hold.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Content {
    /// These files and no others; none at all removes the target.
    Files(BTreeMap<String, Vec<u8>>),
    /// What it held in a commit.
    As(Oid),
}

/// A commit that is to be made.
#[derive(Clone, Debug)]
pub struct Intent {
    /// The branch, as in `main`.
    pub branch: String,
    /// Targets that change; all others stay as they are.
    pub places: BTreeMap<Place, Content>,
    /// The message, without trailers.
    pub message: String,
    /// Trailers, as in `Release: shop/42`.
    pub trailers: Vec<(String, String)>,
    /// Who made the decision.
    pub author: String,
    /// Whose mail that is.
    pub email: String,
    /// When.
    pub at: Timestamp,
}

/// A commit that was made, or was there already.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Committed {
    /// The newest commit of the branch.
    pub oid: Oid,
    /// Whether it is new: what is as it should be needs no commit.
    pub is_new: bool,
}

/// Mode and object of each path.
type Tree = BTreeMap<String, (String, String)>;

impl Repository {
    /// Commits the content of targets to a branch, in one step.
    ///
    /// # Errors
    /// [`GitError::Contended`] when others commit all the time; [`GitError::NotFound`] when a commit whose content is asked for
    /// is not there. The branch is as it was then.
    pub async fn commit_state(&self, intent: &Intent) -> Result<Committed, GitError> {
        let reference = format!("refs/heads/{}", intent.branch);
        for _ in 0..limits::STATE_ATTEMPTS {
            let tip = self.tip(&reference).await?;
            let changes = self.changes(intent, tip.as_ref()).await?;
            if let (Some(oid), true) = (&tip, changes.is_empty()) {
                let oid = oid.clone();
                return Ok(Committed { oid, is_new: false });
            }
            let stream = stream(intent, &reference, tip.as_ref(), &changes)?;
            if let Some(oid) = self.import(&reference, tip.as_ref(), stream).await? {
                return Ok(Committed { oid, is_new: true });
            }
        }
        Err(GitError::Contended { reference })
    }

    async fn tip(&self, reference: &str) -> Result<Option<Oid>, GitError> {
        let mut command = self.git.command(Some(&self.folder));
        command.args(["rev-parse", "--verify", "--quiet", "--end-of-options", reference]);
        let answer = self
            .git
            .run(command, "rev-parse", Vec::new(), Bounds::LIST)
            .await?;
        match answer.code {
            Some(0) => String::from_utf8_lossy(&answer.output).trim().parse().map(Some),
            _ => Ok(None),
        }
    }

    /// What has to be said to git: nothing for targets that are as they should be.
    async fn changes(&self, intent: &Intent, tip: Option<&Oid>) -> Result<Vec<Replace>, GitError> {
        let mut changes = Vec::new();
        let mut bytes = 0;
        let mut count = 0;
        for (place, content) in &intent.places {
            let folder = place.folder()?;
            let now = match tip {
                Some(tip) => self.tree(tip, &folder).await?,
                None => Tree::new(),
            };
            let change = match content {
                Content::Files(files) => {
                    count += files.len();
                    bytes += files.values().map(Vec::len).sum::<usize>();
                    let wanted: Tree = files
                        .iter()
                        .map(|(path, content)| Ok((checked(path)?, ("100644".to_owned(), blob(content)))))
                        .collect::<Result<_, GitError>>()?;
                    (wanted != now).then(|| Replace::Files(folder, files.clone()))
                }
                Content::As(commit) => {
                    self.resolve(commit.as_str()).await?;
                    let wanted = self.tree(commit, &folder).await?;
                    if wanted == now {
                        None
                    } else if wanted.is_empty() {
                        Some(Replace::Files(folder, BTreeMap::new()))
                    } else {
                        let tree = self.subtree(commit, &folder).await?;
                        Some(Replace::Tree(folder, tree))
                    }
                }
            };
            changes.extend(change);
        }
        for (what, is, limit) in [
            ("files", count, limits::STATE_FILES),
            ("bytes", bytes, limits::STATE_BYTES),
        ] {
            if is > limit {
                return Err(GitError::TooLarge {
                    what: format!("a commit of {is} {what}"),
                    limit: limit as u64,
                });
            }
        }
        Ok(changes)
    }

    /// The files below a folder of a commit, by their paths from there.
    async fn tree(&self, commit: &Oid, folder: &str) -> Result<Tree, GitError> {
        let arguments = ["-r", "-z", "--full-tree", commit.as_str(), "--", folder];
        let output = self
            .git
            .ask(&self.folder, "ls-tree", arguments, Bounds::LIST)
            .await?;
        let tree = String::from_utf8_lossy(&output)
            .split_terminator('\0')
            .filter_map(|line| {
                let (head, path) = line.split_once('\t')?;
                let mut parts = head.split(' ');
                let (mode, _, object) = (parts.next()?, parts.next()?, parts.next()?);
                let path = path.strip_prefix(folder)?.strip_prefix('/')?;
                Some((path.to_owned(), (mode.to_owned(), object.to_owned())))
            })
            .collect();
        Ok(tree)
    }

    async fn subtree(&self, commit: &Oid, folder: &str) -> Result<Oid, GitError> {
        let arguments = ["--verify", "--end-of-options", &format!("{commit}:{folder}")];
        let output = self
            .git
            .ask(&self.folder, "rev-parse", arguments, Bounds::LIST)
            .await?;
        String::from_utf8_lossy(&output).trim().parse()
    }

    /// The new commit; nothing when the branch has moved meanwhile.
    async fn import(
        &self,
        reference: &str,
        tip: Option<&Oid>,
        stream: Vec<u8>,
    ) -> Result<Option<Oid>, GitError> {
        let mut command = self.git.command(Some(&self.folder));
        // One pack with one fsync, as for pushes.
        command
            .args([
                "-c",
                "fastimport.unpackLimit=1",
                "fast-import",
                "--quiet",
                "--date-format=raw",
            ])
            .arg("--done")
            .env("GIT_COMMITTER_NAME", "Deploy")
            .env("GIT_COMMITTER_EMAIL", "state@deploy");
        let bounds = Bounds {
            bytes: limits::COMPLAINT_BYTES,
            time: limits::TRANSFER_TIME,
        };
        let answer = self.git.run(command, "fast-import", stream, bounds).await?;
        let said = String::from_utf8_lossy(&answer.output).trim().to_owned();
        if answer.code == Some(0) {
            return said.parse().map(Some);
        }
        // Somebody else was there: the branch has a commit that the new one does not contain, or is locked.
        let is_moved = self.tip(reference).await?.as_ref() != tip;
        let is_locked =
            answer.complaint.contains("cannot lock ref") || answer.complaint.contains("Unable to create");
        if is_moved || is_locked || answer.complaint.contains("does not contain") {
            return Ok(None);
        }
        answer.done("fast-import").map(|_| None)
    }
}

enum Replace {
    Files(String, BTreeMap<String, Vec<u8>>),
    Tree(String, Oid),
}

/// The name that git gives a file's content.
fn blob(content: &[u8]) -> String {
    let mut hasher = Sha1::new();
    hasher.update(format!("blob {}\0", content.len()));
    hasher.update(content);
    hasher
        .finalize()
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect()
}

/// A path below a target's folder, which no checkout can be harmed by.
fn checked(path: &str) -> Result<String, GitError> {
    let is_part = |part: &str| {
        !part.is_empty()
            && part != "."
            && part != ".."
            && !part.to_ascii_lowercase().starts_with(".git")
            && !part.contains(['\\', ':'])
            && !part.chars().any(char::is_control)
    };
    if path.len() <= 1_024 && path.split('/').all(is_part) {
        return Ok(path.to_owned());
    }
    Err(GitError::Invalid {
        what: "a path in the state repository",
        given: path.chars().take(200).collect(),
    })
}

/// What `git fast-import` reads (git-fast-import's manual, "Commands").
fn stream(
    intent: &Intent,
    reference: &str,
    tip: Option<&Oid>,
    changes: &[Replace],
) -> Result<Vec<u8>, GitError> {
    branch(&intent.branch)?;
    let message = message(intent)?;
    let seconds = intent.at.as_second().max(0);
    let mut head = format!(
        "commit {reference}\nmark :1\nauthor {} <{}> {seconds} +0000\n\
         committer Deploy <state@deploy> {seconds} +0000\ndata {}\n{message}\n",
        person(&intent.author),
        person(&intent.email),
        message.len(),
    );
    if let Some(tip) = tip {
        head.push_str(&format!("from {tip}\n"));
    }
    let mut out = head.into_bytes();
    for change in changes {
        match change {
            Replace::Tree(folder, tree) => {
                out.extend(format!("M 040000 {tree} {}\n", quoted(folder)).bytes());
            }
            Replace::Files(folder, files) => {
                out.extend(format!("D {}\n", quoted(folder)).bytes());
                for (path, content) in files {
                    let path = quoted(&format!("{folder}/{path}"));
                    out.extend(format!("M 100644 inline {path}\ndata {}\n", content.len()).bytes());
                    out.extend_from_slice(content);
                    out.push(b'\n');
                }
            }
        }
    }
    out.extend_from_slice(b"\nget-mark :1\ndone\n");
    Ok(out)
}

/// Subject, body, trailers.
fn message(intent: &Intent) -> Result<String, GitError> {
    let mut message = intent.message.trim().replace('\0', " ");
    let mut seen = BTreeSet::new();
    for (number, (key, value)) in intent.trailers.iter().enumerate() {
        let is_key = !key.is_empty()
            && key.len() <= 64
            && key.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-')
            && seen.insert((key, value));
        if !is_key || value.chars().any(char::is_control) || value.len() > 1_024 {
            return Err(GitError::Invalid {
                what: "a trailer",
                given: format!("{key}: {value}").chars().take(200).collect(),
            });
        }
        message.push_str(if number == 0 { "\n\n" } else { "\n" });
        message.push_str(&format!("{key}: {value}"));
    }
    message.push('\n');
    Ok(message)
}

/// A name as git takes it.
fn person(name: &str) -> String {
    name.chars()
        .filter(|c| !c.is_control() && !matches!(c, '<' | '>'))
        .take(200)
        .collect::<String>()
        .trim()
        .to_owned()
}

/// Names of branches that git would take, and some of those that it would not.
fn branch(name: &str) -> Result<(), GitError> {
    let is_name = !name.is_empty()
        && name.len() <= 200
        && !name.starts_with(['-', '/', '.'])
        && !name.ends_with(['/', '.'])
        && !name.ends_with(".lock")
        && !name.contains("..")
        && !name.contains("//")
        && name
            .bytes()
            .all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_' | b'.' | b'/'));
    if is_name {
        return Ok(());
    }
    Err(GitError::Invalid {
        what: "a branch",
        given: name.chars().take(200).collect(),
    })
}

fn quoted(path: &str) -> String {
    format!("\"{}\"", path.replace('\\', "\\\\").replace('"', "\\\""))
}

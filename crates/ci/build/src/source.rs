//! Trees that files are copied from: the context without what is ignored, stages, images.

use std::ffi::OsString;
use std::fs::{self, Metadata};
use std::io;
use std::os::fd::AsRawFd;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use deploy_dockerfile::{Ignore, Pattern, is_pattern};
use deploy_model::image::{Algorithm, Digest, Hasher};
use rustix::fs::{Mode, OFlags, ResolveFlags};
use rustix::io::Errno;

use crate::error::StepError;
use crate::limits;
use crate::stat::StatCache;

/// A tree on the disk.
#[derive(Clone, Copy, Debug)]
pub struct Tree<'a> {
    /// Its root.
    pub root: &'a Path,
    /// What of it is not there; none for stages and images.
    pub ignore: Option<&'a Ignore>,
    /// What people call it.
    pub name: &'a str,
}

/// What a source of COPY leads to.
#[derive(Clone, Debug)]
pub struct Source {
    /// Its path in the tree, clean; empty is the root.
    pub path: String,
    /// Where it is, links followed.
    pub real: PathBuf,
    /// A folder.
    pub folder: bool,
}

/// One entry of a walk.
#[derive(Clone, Copy, Debug)]
pub struct Entry<'a> {
    /// Its path from where the walk began.
    pub path: &'a str,
    /// Where it is.
    pub real: &'a Path,
    /// What it is, a link not followed.
    pub data: &'a Metadata,
}

impl Tree<'_> {
    /// What a path or pattern leads to, in order of the names. No link leads out of the tree.
    pub fn find(&self, source: &str) -> Result<Vec<Source>, StepError> {
        let clean = clean(source);
        if !is_pattern(&clean) {
            return match self.source(&clean) {
                Ok(Some(found)) => Ok(vec![found]),
                Ok(None) => Err(self.missing(source, &clean)),
                Err(error) => Err(StepError::file("read", source, error)),
            };
        }
        let pattern = Pattern::new(&clean).ok_or_else(|| {
            StepError::new(format!("the pattern {source:?} has a syntax error")).hint("escape [ as [[]")
        })?;
        // Everything before the first wildcard is a plain folder.
        let fixed = clean.find(['*', '?', '[', '\\']).unwrap_or(0);
        let prefix = clean[..fixed].rfind('/').map_or("", |at| &clean[..at]);
        let Some(top) = self
            .source(prefix)
            .map_err(|error| StepError::file("read", source, error))?
            .filter(|top| top.folder)
        else {
            return Ok(Vec::new());
        };
        let depth = clean.matches('/').count() + 1;
        let mut found = Vec::new();
        let mut visit = |entry: Entry<'_>| {
            let path = joined(prefix, entry.path);
            if pattern.matches(&path)
                && let Some(source) = self.source(&path).map_err(StepErrorSource::Io)?
            {
                found.push(source);
            }
            Ok(path.matches('/').count() + 1 < depth || clean.contains("**"))
        };
        self.walk(&top, &mut visit)?;
        Ok(found)
    }

    /// The source at a clean path; none where there is nothing, or nothing that counts.
    fn source(&self, path: &str) -> io::Result<Option<Source>> {
        if !path.is_empty() && self.hides(path) {
            return Ok(None);
        }
        let real = match self.resolve(path) {
            Ok(real) => real,
            Err(Errno::NOENT | Errno::NOTDIR) => return Ok(None),
            Err(errno) => return Err(errno.into()),
        };
        let folder = fs::metadata(&real)?.is_dir();
        Ok(Some(Source {
            path: path.to_owned(),
            real,
            folder,
        }))
    }

    /// Whether a path is ignored and nothing below it can come back.
    fn hides(&self, path: &str) -> bool {
        self.ignore
            .is_some_and(|ignore| ignore.ignores(path) && !ignore.has_exceptions())
            || self
                .ignore
                .is_some_and(|ignore| ignore.ignores(path) && !self.root.join(path).is_dir())
    }

    fn missing(&self, source: &str, clean: &str) -> StepError {
        let hidden = self.ignore.is_some() && self.resolve(clean).is_ok();
        let hint = if hidden {
            "it is there, but .dockerignore leaves it out".to_owned()
        } else if self.ignore.is_some() {
            format!(
                "paths of COPY start at the build context, {}",
                self.root.display()
            )
        } else {
            format!("it is looked up in {}", self.name)
        };
        StepError::new(format!("{source:?} is not in {}", self.name)).hint(hint)
    }

    /// Where a path leads, as if the tree were the root of the machine.
    pub fn resolve(&self, path: &str) -> Result<PathBuf, Errno> {
        resolve(self.root, path)
    }

    /// Visits what is in a folder (or the file itself, with an empty path), in order of the names, without what is
    /// ignored. `visit` says whether to go into a folder.
    pub fn walk(
        &self,
        source: &Source,
        visit: &mut dyn FnMut(Entry<'_>) -> Result<bool, StepErrorSource>,
    ) -> Result<(), StepError> {
        let mut count = 0;
        let walked = if source.folder {
            self.folder(source, &source.real, "", 0, &mut count, visit)
        } else {
            let data = fs::metadata(&source.real).map_err(StepErrorSource::Io);
            data.and_then(|data| {
                let entry = Entry {
                    path: "",
                    real: &source.real,
                    data: &data,
                };
                visit(entry).map(drop)
            })
        };
        walked.map_err(|error| match error {
            StepErrorSource::Io(error) => StepError::file("read", &source.real, error),
            StepErrorSource::Step(error) => error,
        })
    }

    fn folder(
        &self,
        source: &Source,
        real: &Path,
        path: &str,
        depth: usize,
        count: &mut usize,
        visit: &mut dyn FnMut(Entry<'_>) -> Result<bool, StepErrorSource>,
    ) -> Result<(), StepErrorSource> {
        let bound =
            |what| StepErrorSource::Step(StepError::new(format!("{} has {what}", source.real.display())));
        if depth > limits::DEPTH_MAX {
            return Err(bound("folders that are nested too deep"));
        }
        let mut names: Vec<OsString> = fs::read_dir(real)
            .and_then(|entries| entries.map(|entry| Ok(entry?.file_name())).collect())
            .map_err(StepErrorSource::Io)?;
        names.sort();
        for name in names {
            *count += 1;
            if *count > limits::ENTRIES_MAX {
                return Err(bound("too many files"));
            }
            let path = joined(path, &name.to_string_lossy());
            let whole = joined(&source.path, &path);
            let ignored = self.ignore.is_some_and(|ignore| ignore.ignores(&whole));
            if ignored && !self.ignore.is_some_and(Ignore::has_exceptions) {
                continue;
            }
            let real = real.join(&name);
            let data = fs::symlink_metadata(&real).map_err(StepErrorSource::Io)?;
            let inside = if ignored {
                // Something in it may come back; the folder itself comes with it.
                data.is_dir() && self.brings_back(source, &real, &path, depth)?
            } else {
                let entry = Entry {
                    path: &path,
                    real: &real,
                    data: &data,
                };
                visit(entry)? && data.is_dir()
            };
            if ignored && inside {
                let entry = Entry {
                    path: &path,
                    real: &real,
                    data: &data,
                };
                if !visit(entry)? {
                    continue;
                }
            }
            if inside {
                self.folder(source, &real, &path, depth + 1, count, visit)?;
            }
        }
        Ok(())
    }

    /// Whether anything below an ignored folder is not ignored.
    fn brings_back(
        &self,
        source: &Source,
        real: &Path,
        path: &str,
        depth: usize,
    ) -> Result<bool, StepErrorSource> {
        if depth > limits::DEPTH_MAX {
            return Ok(false);
        }
        for entry in fs::read_dir(real).map_err(StepErrorSource::Io)? {
            let entry = entry.map_err(StepErrorSource::Io)?;
            let path = joined(path, &entry.file_name().to_string_lossy());
            let whole = joined(&source.path, &path);
            if !self.ignore.is_some_and(|ignore| ignore.ignores(&whole)) {
                return Ok(true);
            }
            let folder = entry.file_type().map_err(StepErrorSource::Io)?.is_dir();
            if folder && self.brings_back(source, &entry.path(), &path, depth + 1)? {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// The digest of all that some sources lead to: names, kinds, permissions, contents; not times and owners.
    pub fn digest(&self, sources: &[Source], stat: &mut StatCache) -> Result<Digest, StepError> {
        let mut hasher = Hasher::new(Algorithm::Sha256);
        for source in sources {
            field(&mut hasher, source.path.as_bytes());
            let mut visit = |entry: Entry<'_>| {
                field(&mut hasher, entry.path.as_bytes());
                hasher.update(&entry.data.mode().to_le_bytes());
                if entry.data.is_file() {
                    let name = joined(&source.path, entry.path);
                    let digest = stat
                        .digest(&name, entry.real, entry.data)
                        .map_err(|error| StepErrorSource::Step(StepError::file("read", entry.real, error)))?;
                    field(&mut hasher, digest.as_bytes());
                } else if entry.data.is_symlink() {
                    let target = fs::read_link(entry.real).map_err(StepErrorSource::Io)?;
                    field(&mut hasher, target.as_os_str().as_bytes());
                } else if !entry.data.is_dir() {
                    hasher.update(&entry.data.rdev().to_le_bytes());
                }
                Ok(true)
            };
            self.walk(source, &mut visit)?;
        }
        Ok(hasher.finish())
    }
}

/// What ends a walk.
#[derive(Debug)]
pub enum StepErrorSource {
    /// Where the walk is.
    Io(io::Error),
    /// Somewhere else, told in full.
    Step(StepError),
}

fn field(hasher: &mut Hasher, bytes: &[u8]) {
    hasher.update(&(bytes.len() as u64).to_le_bytes());
    hasher.update(bytes);
}

/// Where a path leads in a tree, by the kernel's own account.
pub fn resolve(root: &Path, path: &str) -> Result<PathBuf, Errno> {
    let flags = OFlags::PATH | OFlags::CLOEXEC;
    let root = rustix::fs::open(root, flags | OFlags::DIRECTORY, Mode::empty())?;
    let path = if path.is_empty() { "." } else { path };
    let inside = ResolveFlags::IN_ROOT | ResolveFlags::NO_MAGICLINKS;
    loop {
        let found = match rustix::fs::openat2(&root, path, flags, Mode::empty(), inside) {
            // The kernel saw a rename meanwhile (openat2(2)).
            Err(Errno::AGAIN | Errno::INTR) => continue,
            found => found?,
        };
        let link = format!("/proc/thread-self/fd/{}", found.as_raw_fd());
        let real = rustix::fs::readlink(link, Vec::new())?;
        return Ok(PathBuf::from(std::ffi::OsStr::from_bytes(real.to_bytes())));
    }
}

/// A path below another, of which either may be empty.
pub fn joined(folder: &str, name: &str) -> String {
    match (folder, name) {
        ("", name) => name.to_owned(),
        (folder, "") => folder.to_owned(),
        (folder, name) => format!("{folder}/{name}"),
    }
}

/// A path of a Dockerfile as one below a tree's root: no `.`, `..` stays inside.
pub fn clean(path: &str) -> String {
    let mut parts: Vec<&str> = Vec::new();
    for part in path.split('/') {
        match part {
            "" | "." => {}
            ".." => drop(parts.pop()),
            part => parts.push(part),
        }
    }
    parts.join("/")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_ignored_is_not_there() {
        let root = std::env::temp_dir().join(format!("deploy-build-source-{}", std::process::id()));
        for folder in ["src/deep", "out/keep"] {
            fs::create_dir_all(root.join(folder)).unwrap();
        }
        for file in ["a.txt", "b.md", "src/x.c", "src/deep/y.c", "out/o", "out/keep/k"] {
            fs::write(root.join(file), file).unwrap();
        }
        let ignore = Ignore::parse("*.md\nout\n!out/keep\n").unwrap();
        let tree = Tree {
            root: &root,
            ignore: Some(&ignore),
            name: "the build context",
        };
        let names = |source: &str| {
            let mut names = Vec::new();
            for source in tree.find(source).map_err(|error| error.hint)? {
                let mut visit = |entry: Entry<'_>| {
                    names.push(joined(&source.path, entry.path));
                    Ok(true)
                };
                tree.walk(&source, &mut visit).map_err(|error| error.reason)?;
            }
            Ok::<_, String>(names.join(" "))
        };
        let whole = names(".");
        let one = names("src/*.c");
        let hidden = names("b.md");
        let outside = names("../../a.txt");
        let mut stat = StatCache::open(&root.join("none"), &root);
        let before = tree.digest(&tree.find("src").unwrap(), &mut stat).unwrap();
        fs::write(root.join("src/x.c"), "other").unwrap();
        let after = tree.digest(&tree.find("src").unwrap(), &mut stat).unwrap();
        fs::remove_dir_all(&root).unwrap();
        assert_eq!(
            whole.as_deref(),
            Ok("a.txt out out/keep out/keep/k src src/deep src/deep/y.c src/x.c")
        );
        assert_eq!(one.as_deref(), Ok("src/x.c"));
        assert_eq!(
            hidden.unwrap_err(),
            "it is there, but .dockerignore leaves it out"
        );
        assert_eq!(outside.as_deref(), Ok("a.txt"));
        assert_ne!(before, after);
    }
}

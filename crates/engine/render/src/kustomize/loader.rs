//! Reading files beside a kustomization file, and what may be read: by default nothing outside the folder that asks.

use std::rc::Rc;

use super::error::{Error, ErrorKind, Result};
use super::limits::MAX_BASE_DEPTH;
use super::world::World;
use crate::source::{EntryKind, SourceError};

/// The names that a kustomization file may have.
pub(super) const FILE_NAMES: [&str; 3] = ["kustomization.yaml", "kustomization.yml", "Kustomization"];

/// A folder that is being built, and the folders that led to it.
pub(super) struct Loader<'w> {
    world: &'w World<'w>,
    root: String,
    referrer: Option<Rc<Loader<'w>>>,
    depth: usize,
}

impl<'w> Loader<'w> {
    /// At the folder that the user names.
    pub(super) fn top(world: &'w World<'w>, path: &str) -> Result<Loader<'w>> {
        if let Some(error) = remote(path) {
            return Err(error);
        }
        let root = confirm_folder(world, &clean("/", path))?;
        Ok(Loader {
            world,
            root,
            referrer: None,
            depth: 0,
        })
    }

    pub(super) fn root(&self) -> &str {
        &self.root
    }

    /// A loader at a folder named here. A folder that contains one that is being built would never end.
    pub(super) fn child(self: &Rc<Self>, path: &str) -> Result<Loader<'w>> {
        if path.is_empty() {
            return Err(Error::invalid("new root cannot be empty"));
        }
        if let Some(error) = remote(path) {
            return Err(error);
        }
        if path.starts_with('/') {
            return Err(Error::invalid(format!("new root '{path}' cannot be absolute")));
        }
        let root = confirm_folder(self.world, &clean(&self.root, path))?;
        self.refuse_cycle(&root)?;
        if self.depth >= MAX_BASE_DEPTH {
            return Err(Error::new(
                ErrorKind::TooLarge,
                format!("'{root}' is more than {MAX_BASE_DEPTH} folders of bases deep"),
            ));
        }
        Ok(Loader {
            world: self.world,
            root,
            referrer: Some(Rc::clone(self)),
            depth: self.depth + 1,
        })
    }

    fn refuse_cycle(&self, candidate: &str) -> Result<()> {
        let mut visited = Some(self);
        while let Some(loader) = visited {
            if is_below(&loader.root, candidate) {
                return Err(Error::new(
                    ErrorKind::Cycle {
                        path: candidate.to_owned(),
                    },
                    format!(
                        "cycle detected: candidate root '{candidate}' contains visited root '{}'",
                        loader.root
                    ),
                ));
            }
            visited = loader.referrer.as_deref();
        }
        Ok(())
    }

    /// The bytes of a file named here.
    pub(super) fn load(&self, path: &str) -> Result<Vec<u8>> {
        if path.starts_with("http://") || path.starts_with("https://") {
            return Err(remote_error(path));
        }
        let full = clean(&self.root, path);
        let actual = if self.world.options.load_restrictions_none {
            full
        } else {
            self.restrict(&full)?
        };
        let content = self.world.source.read(&actual).map_err(|error| match error {
            SourceError::NotFound { .. } => missing(self.world, &actual),
            SourceError::Unreadable { cause, .. } => Error::invalid(format!("open {actual}: {cause}")),
        })?;
        self.world.record_file(&actual, &content)?;
        Ok(content)
    }

    fn restrict(&self, full: &str) -> Result<String> {
        let (kind, actual) = resolve(self.world, full)?;
        if kind == EntryKind::Folder {
            return Err(Error::invalid(format!("'{full}' must resolve to a file")));
        }
        let folder = actual.rsplit_once('/').map_or("", |(folder, _)| folder);
        let folder = if folder.is_empty() { "/" } else { folder };
        if is_below(folder, &self.root) {
            return Ok(actual);
        }
        Err(Error::new(
            ErrorKind::OutsideRoot {
                path: full.to_owned(),
            },
            format!("security; file '{full}' is not in or below '{}'", self.root),
        ))
    }

    /// The kustomization file of this folder: its name and its bytes.
    pub(super) fn kustomization_file(&self) -> Result<(&'static str, Vec<u8>)> {
        let mut found: Vec<(&'static str, Vec<u8>)> = Vec::new();
        let mut unreadable = None;
        for name in FILE_NAMES {
            let kind = self.world.source.kind(&clean(&self.root, name)).ok().flatten();
            if kind != Some(EntryKind::File) {
                continue;
            }
            match self.load(name) {
                Ok(content) => found.push((name, content)),
                Err(error) => unreadable = Some((name, error)),
            }
        }
        let names: Vec<&str> = found.iter().map(|(name, _)| *name).collect();
        self.world.record_folder(&self.root, &names);
        if found.len() > 1 {
            return Err(Error::invalid(format!(
                "Found multiple kustomization files under: {}\n",
                self.root
            )));
        }
        found.pop().ok_or_else(|| {
            let text = format!(
                "unable to find one of 'kustomization.yaml', 'kustomization.yml' or 'Kustomization' in directory '{}'",
                self.root
            );
            match unreadable {
                // There is one; kustomize does not say why it cannot be read.
                Some((name, error)) => error.reworded(|cause| format!("{text}: {cause}")).in_file(&clean(&self.root, name)),
                None => Error::new(
                    ErrorKind::Missing {
                        path: clean(&self.root, FILE_NAMES[0]),
                    },
                    text,
                ),
            }
        })
    }
}

fn resolve(world: &World<'_>, full: &str) -> Result<(EntryKind, String)> {
    let kind = world
        .source
        .kind(full)
        .ok()
        .flatten()
        .ok_or_else(|| missing(world, full))?;
    let actual = world.source.canonical(full).map_err(|_| missing(world, full))?;
    Ok((kind, actual))
}

/// Nothing stands at a path; the text names the first part of it that is missing.
fn missing(world: &World<'_>, path: &str) -> Error {
    let ends = path.match_indices('/').map(|(at, _)| at).filter(|at| *at > 0);
    let first = ends
        .map(|end| &path[..end])
        .find(|prefix| !matches!(world.source.kind(prefix), Ok(Some(_))))
        .unwrap_or(path);
    Error::new(
        ErrorKind::Missing {
            path: path.to_owned(),
        },
        format!("evalsymlink failure on '{path}' : lstat {first}: no such file or directory"),
    )
}

fn confirm_folder(world: &World<'_>, full: &str) -> Result<String> {
    let (kind, actual) = resolve(world, full)
        .map_err(|error| error.context("must build at directory: not a valid directory"))?;
    if kind == EntryKind::File {
        return Err(Error::invalid(format!(
            "must build at directory: '{full}': file is not directory"
        )));
    }
    Ok(actual)
}

/// Whether `path` is `root` or below it.
fn is_below(path: &str, root: &str) -> bool {
    root == "/" || path == root || path.strip_prefix(root).is_some_and(|rest| rest.starts_with('/'))
}

/// `path` seen from `base`, absolute, without `.`, `..` and doubled slashes.
pub(super) fn clean(base: &str, path: &str) -> String {
    let mut parts: Vec<&str> = Vec::new();
    let from_base = if path.starts_with('/') { "" } else { base };
    for part in from_base.split('/').chain(path.split('/')) {
        match part {
            "" | "." => {}
            ".." => {
                parts.pop();
            }
            part => parts.push(part),
        }
    }
    format!("/{}", parts.join("/"))
}

/// Joins two relative paths; `..` at the front stays.
pub(super) fn join_relative(base: &str, path: &str) -> String {
    let mut parts: Vec<&str> = Vec::new();
    for part in base.split('/').chain(path.split('/')) {
        match part {
            "" | "." => {}
            ".." if parts.last().is_some_and(|last| *last != "..") => {
                parts.pop();
            }
            part => parts.push(part),
        }
    }
    parts.join("/")
}

fn remote(path: &str) -> Option<Error> {
    looks_like_repository(path).then(|| remote_error(path))
}

fn remote_error(url: &str) -> Error {
    Error::new(
        ErrorKind::Remote { url: url.to_owned() },
        format!("'{url}' is remote; a build reads local files only: vendor it and name its folder"),
    )
}

/// Whether kustomize would clone what a path names: a URL, `user@host:path`, or a bare `github.com/...`.
fn looks_like_repository(path: &str) -> bool {
    if path.starts_with('/') {
        return false;
    }
    let path = path.split('?').next().unwrap_or_default();
    let path = strip_prefix_any_case(path, "git::").unwrap_or(path);
    let schemes = ["ssh://", "https://", "http://", "file://"];
    if schemes
        .iter()
        .any(|scheme| strip_prefix_any_case(path, scheme).is_some())
    {
        return true;
    }
    let (has_user, rest) = match path.split_once('@') {
        Some((user, rest)) if is_user(user) => (true, rest),
        _ => (false, path),
    };
    let github =
        strip_prefix_any_case(rest, "github.com/").or_else(|| strip_prefix_any_case(rest, "github.com:"));
    if let Some(inside) = github {
        return inside.split('/').count() >= 2;
    }
    // Without a scheme a user is needed, and behind the host an owner and a repository.
    has_user
        && rest
            .split_once([':', '/'])
            .is_some_and(|(host, path)| !host.is_empty() && (path.contains('/') || path.contains(".git")))
}

fn is_user(user: &str) -> bool {
    user.starts_with(|c: char| c.is_ascii_alphabetic())
        && user.chars().all(|c| c.is_ascii_alphanumeric() || c == '-')
}

fn strip_prefix_any_case<'p>(path: &'p str, prefix: &str) -> Option<&'p str> {
    let head = path.get(..prefix.len())?;
    head.eq_ignore_ascii_case(prefix).then(|| &path[prefix.len()..])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_are_cleaned() {
        let cases = [
            ("/a/b", "../c", "/a/c"),
            ("/", "x/./y//z", "/x/y/z"),
            ("/a", "../../..", "/"),
            ("/a", "/b", "/b"),
        ];
        for (base, path, clean_path) in cases {
            assert_eq!(clean(base, path), clean_path, "{base} {path}");
        }
        assert_eq!(join_relative("../base", "x.yaml"), "../base/x.yaml");
        assert_eq!(join_relative("a/b", "../../../c"), "../c");
    }

    #[test]
    fn repositories_are_told_from_folders() {
        let cases = [
            ("https://github.com/a/b?ref=v1", true),
            ("github.com/a/b//c", true),
            ("git@github.com:a/b.git", true),
            ("ssh://git@host/a/b", true),
            ("package@v1.28.0.example/configs/base", true),
            ("../base", false),
            ("base/github.com", false),
            ("a@b", false),
            ("/abs", false),
        ];
        for (path, expected) in cases {
            assert_eq!(looks_like_repository(path), expected, "{path}");
        }
    }
}

//! The workflow files of a working copy, and what is known of it.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use deploy_workflow::trigger::{Cause, Head, Pull};
use deploy_workflow::workflow::{FOLDERS, Files};

/// The largest file that is read.
const MAX_FILE_BYTES: u64 = 2 << 20;

/// A folder that Git knows, or one that it does not.
pub struct WorkingCopy {
    /// Its root.
    pub root: PathBuf,
    /// Whether it is of Git.
    pub git: bool,
}

impl WorkingCopy {
    /// The one that a folder is in.
    pub fn of(folder: &Path) -> WorkingCopy {
        match git(folder, &["rev-parse", "--show-toplevel"]) {
            Some(root) => WorkingCopy {
                root: root.into(),
                git: true,
            },
            None => WorkingCopy {
                root: folder.to_owned(),
                git: false,
            },
        }
    }

    /// Its workflow files, by their paths in it.
    pub fn workflows(&self) -> Vec<String> {
        let list = |folder: &&str| {
            let entries = fs::read_dir(self.root.join(folder))
                .into_iter()
                .flatten()
                .flatten();
            let names = entries.filter_map(|entry| entry.file_name().into_string().ok());
            let mut files: Vec<String> = names
                .filter(|name| name.ends_with(".yml") || name.ends_with(".yaml"))
                .map(|name| format!("{folder}/{name}"))
                .collect();
            files.sort();
            files
        };
        FOLDERS
            .iter()
            .map(list)
            .find(|files| !files.is_empty())
            .unwrap_or_default()
    }

    /// What starts the runs of somebody who wants them here and now.
    pub fn cause(
        &self,
        event: &str,
        inputs: &BTreeMap<String, String>,
        env: &BTreeMap<String, String>,
    ) -> Cause {
        let ask = |words: &[&str]| git(&self.root, words).unwrap_or_default();
        let branch = Some(ask(&["symbolic-ref", "--short", "-q", "HEAD"])).filter(|name| !name.is_empty());
        let branch = branch.unwrap_or_else(|| "main".to_owned());
        let repository = repository(&ask(&["remote", "get-url", "origin"])).unwrap_or_else(|| {
            let name = self.root.file_name().unwrap_or_default().to_string_lossy();
            format!("local/{name}")
        });
        let commit = Some(ask(&["rev-parse", "-q", "--verify", "HEAD"])).filter(|sha| !sha.is_empty());
        let pull = event.starts_with("pull_request").then(|| Pull {
            number: 1,
            action: "synchronize".to_owned(),
            from: branch.clone(),
            into: branch.clone(),
        });
        Cause {
            event: event.to_owned(),
            server_url: "https://github.com".to_owned(),
            api_url: "https://api.github.com".to_owned(),
            repository,
            default_branch: branch.clone(),
            reference: format!("refs/heads/{branch}"),
            commit: commit.unwrap_or_else(|| "0".repeat(40)),
            actor: env.get("USER").cloned().unwrap_or_else(|| "root".to_owned()),
            head: Head {
                message: ask(&["log", "-1", "--format=%B"]),
                author: ask(&["log", "-1", "--format=%an"]),
                email: ask(&["log", "-1", "--format=%ae"]),
                at: ask(&["log", "-1", "--format=%cI"]),
            },
            inputs: inputs.clone(),
            pull,
            ..Cause::default()
        }
    }
}

impl Files for WorkingCopy {
    fn read(&self, path: &str) -> Option<String> {
        let path = Path::new(path);
        let inside = path
            .components()
            .all(|part| matches!(part, std::path::Component::Normal(_)));
        if !inside || fs::metadata(self.root.join(path)).ok()?.len() > MAX_FILE_BYTES {
            return None;
        }
        fs::read_to_string(self.root.join(path)).ok()
    }
}

fn git(folder: &Path, words: &[&str]) -> Option<String> {
    let output = Command::new("git")
        .arg("-C")
        .arg(folder)
        .args(words)
        .output()
        .ok()?;
    let text = String::from_utf8(output.stdout).ok()?;
    output.status.success().then(|| text.trim().to_owned())
}

/// `owner/name` of a URL as Git takes it.
fn repository(url: &str) -> Option<String> {
    let path = url.trim_end_matches('/').trim_end_matches(".git");
    let mut parts = path.rsplit(['/', ':']);
    let (name, owner) = (parts.next()?, parts.next()?);
    (!name.is_empty() && !owner.is_empty()).then(|| format!("{owner}/{name}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_url_has_an_owner_and_a_name() {
        for url in [
            "https://host/me/shop.git",
            "git@host:me/shop",
            "ssh://git@host:22/me/shop/",
        ] {
            assert_eq!(repository(url).as_deref(), Some("me/shop"), "{url}");
        }
        assert_eq!(repository(""), None);
    }
}

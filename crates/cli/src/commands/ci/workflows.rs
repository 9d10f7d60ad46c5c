//! The workflow files of a working copy, and what is known of it.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use deploy_workflow::workflow::{FOLDERS, Files};
use serde_json::{Map, Value, json};

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

    /// The `github` context of a run that somebody starts here and now.
    pub fn github(
        &self,
        event: &str,
        inputs: &BTreeMap<String, String>,
        env: &BTreeMap<String, String>,
    ) -> Map<String, Value> {
        let ask = |words: &[&str]| git(&self.root, words).unwrap_or_default();
        let branch = Some(ask(&["symbolic-ref", "--short", "-q", "HEAD"])).filter(|name| !name.is_empty());
        let branch = branch.unwrap_or_else(|| "main".to_owned());
        let repository = repository(&ask(&["remote", "get-url", "origin"])).unwrap_or_else(|| {
            let name = self.root.file_name().unwrap_or_default().to_string_lossy();
            format!("local/{name}")
        });
        let sha = Some(ask(&["rev-parse", "-q", "--verify", "HEAD"])).filter(|sha| !sha.is_empty());
        let sha = sha.unwrap_or_else(|| "0".repeat(40));
        let actor = env.get("USER").cloned().unwrap_or_else(|| "root".to_owned());
        let (owner, name) = repository.split_once('/').unwrap_or(("local", &repository));
        let reference = format!("refs/heads/{branch}");
        let mut payload = json!({
            "ref": reference,
            "after": sha,
            "before": "0".repeat(40),
            "head_commit": {"id": sha, "message": ask(&["log", "-1", "--format=%B"])},
            "repository": {"name": name, "full_name": repository, "owner": {"login": owner}, "default_branch": branch},
            "sender": {"login": actor},
            "pusher": {"name": actor},
        });
        if !inputs.is_empty() {
            payload["inputs"] = json!(inputs);
        }
        if event.starts_with("pull_request") {
            let side = json!({"ref": branch, "sha": sha, "repo": {"full_name": repository}});
            payload["pull_request"] = json!({"number": 1, "head": side, "base": side});
            payload["number"] = json!(1);
            payload["action"] = json!("synchronize");
        }
        let context = json!({
            "event_name": event,
            "event": payload,
            "repository": repository,
            "repository_owner": owner,
            "actor": actor,
            "triggering_actor": actor,
            "ref": reference,
            "ref_name": branch,
            "ref_type": "branch",
            "ref_protected": false,
            "base_ref": if event.starts_with("pull_request") { branch.as_str() } else { "" },
            "head_ref": if event.starts_with("pull_request") { branch.as_str() } else { "" },
            "sha": sha,
            "run_attempt": "1",
            "server_url": "https://github.com",
            "api_url": "https://api.github.com",
            "graphql_url": "https://api.github.com/graphql",
            "retention_days": "30",
        });
        context.as_object().cloned().unwrap_or_default()
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

//! What made runs start, as workflows see it: the `github` context with its `event`.

use super::Happening;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};
use std::collections::BTreeMap;

/// The object that stands for "there was none" in Git and in payloads.
const NO_COMMIT: &str = "0000000000000000000000000000000000000000";

/// Something that happened to a repository.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Cause {
    /// The event: `push`, `pull_request`, `workflow_dispatch`, `schedule`.
    pub event: String,
    /// The server's address, which people open.
    pub server_url: String,
    /// The address of its API.
    pub api_url: String,
    /// The repository, with its owner where it has one: `team/shop`.
    pub repository: String,
    /// The branch that it calls its own.
    pub default_branch: String,
    /// The full name of what was pushed, or asked to run: `refs/heads/main`.
    pub reference: String,
    /// The commit that runs.
    pub commit: String,
    /// What the reference was before; none where it is new.
    pub before: Option<String>,
    /// Who did it.
    pub actor: String,
    /// The first lines of the commit, where it is known.
    pub head: Head,
    /// What was changed, where that is known.
    pub paths: Option<Vec<String>>,
    /// What somebody gave who started it by hand.
    pub inputs: BTreeMap<String, String>,
    /// The pull request, where it is about one.
    pub pull: Option<Pull>,
    /// The cron expression that was due, for `schedule`.
    pub schedule: Option<String>,
}

/// What is told of a commit.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Head {
    /// The whole message.
    pub message: String,
    /// Who wrote it.
    pub author: String,
    /// Whose mail that is.
    pub email: String,
    /// When, as RFC 3339 has it.
    pub at: String,
}

/// A pull request.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Pull {
    /// Its number.
    pub number: u64,
    /// What was done to it: `opened`, `synchronize` ...
    pub action: String,
    /// The branch that it comes from.
    pub from: String,
    /// The branch that it asks to be merged into.
    pub into: String,
}

impl Cause {
    /// What filters of workflows are asked.
    pub fn happening(&self) -> Happening {
        let reference = match &self.pull {
            Some(pull) => format!("refs/heads/{}", pull.into),
            None => self.reference.clone(),
        };
        Happening {
            event: self.event.clone(),
            action: self.pull.as_ref().map(|pull| pull.action.clone()),
            reference,
            paths: self.paths.clone(),
            schedule: self.schedule.clone(),
            workflow: None,
        }
    }

    /// The name of the branch, the tag or the pull request.
    pub fn reference_name(&self) -> &str {
        ["refs/heads/", "refs/tags/", "refs/pull/"]
            .iter()
            .find_map(|prefix| self.reference.strip_prefix(prefix))
            .unwrap_or(&self.reference)
    }

    /// The `github` context of runs that it starts; what belongs to one run (`run_id`, `workflow` ...) is the caller's.
    pub fn github(&self) -> Map<String, Value> {
        let (owner, _) = self.names();
        let side = |branch: fn(&Pull) -> &String| self.pull.as_ref().map(branch).cloned().unwrap_or_default();
        let is_tag = self.reference.starts_with("refs/tags/");
        let context = json!({
            "event_name": self.event,
            "event": self.payload(),
            "repository": self.repository,
            "repository_owner": owner,
            "repositoryUrl": format!("{}/{}.git", self.server_url, self.repository),
            "actor": self.actor,
            "triggering_actor": self.actor,
            "ref": self.reference,
            "ref_name": self.reference_name(),
            "ref_type": if is_tag { "tag" } else { "branch" },
            "ref_protected": false,
            "base_ref": side(|pull| &pull.into),
            "head_ref": side(|pull| &pull.from),
            "sha": self.commit,
            "run_attempt": "1",
            "server_url": self.server_url,
            "api_url": self.api_url,
            "graphql_url": format!("{}/graphql", self.api_url),
            "retention_days": "30",
        });
        context.as_object().cloned().unwrap_or_default()
    }

    /// Owner and name. A repository without an owner is its own: what is named after the owner must have a name.
    fn names(&self) -> (&str, &str) {
        let whole = self.repository.as_str();
        whole.split_once('/').unwrap_or((whole, whole))
    }

    /// `github.event`, as GitHub's webhooks have it.
    fn payload(&self) -> Value {
        let (owner, name) = self.names();
        let mut payload = json!({
            "ref": self.reference,
            "repository": {
                "name": name,
                "full_name": self.repository,
                "owner": {"login": owner, "name": owner},
                "default_branch": self.default_branch,
                "clone_url": format!("{}/{}.git", self.server_url, self.repository),
                "html_url": format!("{}/{}", self.server_url, self.repository),
            },
            "sender": {"login": self.actor},
        });
        if self.event == "push" {
            let before = self.before.as_deref().unwrap_or(NO_COMMIT);
            let person = json!({"name": self.head.author, "email": self.head.email});
            let commit = json!({
                "id": self.commit,
                "message": self.head.message,
                "timestamp": self.head.at,
                "author": person,
                "committer": person,
            });
            payload["before"] = json!(before);
            payload["after"] = json!(self.commit);
            payload["created"] = json!(self.before.is_none());
            payload["deleted"] = json!(false);
            payload["forced"] = json!(false);
            payload["pusher"] = json!({"name": self.actor});
            payload["commits"] = json!([commit]);
            payload["head_commit"] = commit;
        }
        if !self.inputs.is_empty() {
            payload["inputs"] = json!(self.inputs);
        }
        if let Some(schedule) = &self.schedule {
            payload["schedule"] = json!(schedule);
        }
        if let Some(pull) = &self.pull {
            let side = |branch: &str| {
                let repository = json!({"full_name": self.repository});
                json!({"ref": branch, "sha": self.commit, "repo": repository})
            };
            payload["action"] = json!(pull.action);
            payload["number"] = json!(pull.number);
            payload["pull_request"] = json!({
                "number": pull.number,
                "head": side(&pull.from),
                "base": side(&pull.into),
            });
        }
        payload
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cause() -> Cause {
        Cause {
            event: "push".to_owned(),
            repository: "team/shop".to_owned(),
            reference: "refs/heads/feature/x".to_owned(),
            commit: "a".repeat(40),
            actor: "ann".to_owned(),
            ..Cause::default()
        }
    }

    #[test]
    fn a_push_has_githubs_words() {
        let github = cause().github();
        assert_eq!(github["ref_name"], "feature/x");
        assert_eq!(github["repository_owner"], "team");
        assert_eq!(github["event"]["before"], NO_COMMIT);
        assert_eq!(github["event"]["created"], true);
        assert_eq!(github["event"]["head_commit"]["id"], "a".repeat(40));
    }

    #[test]
    fn a_pull_request_is_filtered_by_where_it_goes() {
        let pull = Pull {
            number: 7,
            action: "opened".to_owned(),
            from: "feature/x".to_owned(),
            into: "main".to_owned(),
        };
        let cause = Cause {
            event: "pull_request".to_owned(),
            reference: "refs/pull/7/merge".to_owned(),
            pull: Some(pull),
            ..cause()
        };
        let happening = cause.happening();
        assert_eq!(happening.reference, "refs/heads/main");
        assert_eq!(happening.action.as_deref(), Some("opened"));
        let github = cause.github();
        assert_eq!(
            (&github["head_ref"], &github["base_ref"]),
            (&json!("feature/x"), &json!("main"))
        );
        assert_eq!(github["ref_name"], "7/merge");
        assert_eq!(github["event"]["number"], 7);
    }
}

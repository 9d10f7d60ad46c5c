//! GitHub's payloads, and those that were made after them: Gogs, Gitea, Forgejo, Gitee.

use serde_json::Value;

use super::payload::{object, paths, text, wanted};
use super::{Action, Event, Origin, Provider, PullRequest, Push, WebhookError};

pub fn event(provider: Provider, name: &str, payload: &Value) -> Result<Event, WebhookError> {
    match (provider, name) {
        // GitHub's `ping`; Gitee sends its test as a push.
        (_, "ping") => Ok(Event::Ping),
        (_, "push") | (Provider::Gitee, "Push Hook" | "Tag Push Hook") => {
            push(provider, payload).map(Event::Push)
        }
        (_, "pull_request" | "pull_request_sync") | (Provider::Gitee, "Merge Request Hook") => {
            pull_request(payload).map(Event::PullRequest)
        }
        (_, name) => Ok(Event::Other {
            name: name.chars().take(100).collect(),
        }),
    }
}

fn origin(payload: &Value) -> Result<Origin, WebhookError> {
    Ok(Origin {
        full_name: wanted(
            payload,
            &["/repository/full_name", "/repository/path_with_namespace"],
        )?
        .to_owned(),
        web_url: wanted(payload, &["/repository/html_url", "/repository/url"])?.to_owned(),
        clone_url: text(payload, &["/repository/clone_url", "/repository/git_http_url"]).to_owned(),
        ssh_url: text(payload, &["/repository/ssh_url", "/repository/git_ssh_url"]).to_owned(),
        default_branch: text(
            payload,
            &["/repository/default_branch", "/repository/master_branch"],
        )
        .to_owned(),
    })
}

fn sender(payload: &Value) -> String {
    let pointers = [
        "/sender/login",
        "/sender/username",
        "/pusher/login",
        "/pusher/username",
        "/pusher/name",
        "/user/login",
        "/user_name",
    ];
    text(payload, &pointers).to_owned()
}

fn push(provider: Provider, payload: &Value) -> Result<Push, WebhookError> {
    let before = object(payload, &["/before"])?;
    let total = match provider {
        Provider::Gitea => payload["total_commits"].as_u64(),
        Provider::Gitee => payload["total_commits_count"].as_u64(),
        // GitHub names up to 2,048 commits and does not say how many there are.
        Provider::GitHub | Provider::Gogs | Provider::GitLab => None,
    };
    let is_forced = payload["forced"].as_bool() == Some(true);
    let (paths, paths_are_all) = paths(payload, before.is_none() || is_forced, total);
    Ok(Push {
        repository: origin(payload)?,
        reference: wanted(payload, &["/ref"])?.to_owned(),
        before,
        after: object(payload, &["/after"])?,
        sender: sender(payload),
        paths,
        paths_are_all,
    })
}

fn pull_request(payload: &Value) -> Result<PullRequest, WebhookError> {
    let merged = payload["pull_request"]["merged"].as_bool() == Some(true);
    let action = match text(payload, &["/action"]) {
        "opened" | "open" => Action::Opened,
        "synchronize" | "synchronized" => Action::Synchronize,
        // Gitee says `update`, and what was updated beside it.
        "update" if text(payload, &["/action_desc"]) == "source_branch_changed" => Action::Synchronize,
        "reopened" | "reopen" => Action::Reopened,
        "closed" | "close" => Action::Closed { merged },
        "merge" | "merged" => Action::Closed { merged: true },
        other => Action::Other(other.chars().take(100).collect()),
    };
    let number = payload["number"]
        .as_u64()
        .or(payload["pull_request"]["number"].as_u64());
    Ok(PullRequest {
        repository: origin(payload)?,
        number: number.ok_or_else(|| super::payload::malformed("number is missing"))?,
        action,
        title: text(payload, &["/pull_request/title"]).to_owned(),
        into: wanted(payload, &["/pull_request/base/ref", "/target_branch"])?.to_owned(),
        from: wanted(payload, &["/pull_request/head/ref", "/source_branch"])?.to_owned(),
        from_url: text(
            payload,
            &[
                "/pull_request/head/repo/clone_url",
                "/source_repo/repository/clone_url",
            ],
        )
        .to_owned(),
        commit: object(payload, &["/pull_request/head/sha"])?,
        draft: payload["pull_request"]["draft"].as_bool() == Some(true),
        sender: sender(payload),
    })
}

//! GitLab's payloads.

use serde_json::Value;

use super::payload::{malformed, object, paths, text, wanted};
use super::{Action, Event, Origin, PullRequest, Push, WebhookError};

pub fn event(header: &str, payload: &Value) -> Result<Event, WebhookError> {
    // A system hook has all kinds of events under one header; the body says which.
    let kind = match text(payload, &["/object_kind"]) {
        "" => text(payload, &["/event_name"]),
        kind => kind,
    };
    match kind {
        "push" | "tag_push" => push(payload).map(Event::Push),
        "merge_request" => merge_request(payload).map(Event::PullRequest),
        "" => Ok(other(header)),
        kind => Ok(other(kind)),
    }
}

fn other(name: &str) -> Event {
    Event::Other {
        name: name.chars().take(100).collect(),
    }
}

fn origin(payload: &Value) -> Result<Origin, WebhookError> {
    Ok(Origin {
        full_name: wanted(payload, &["/project/path_with_namespace"])?.to_owned(),
        web_url: wanted(payload, &["/project/web_url", "/repository/homepage"])?.to_owned(),
        clone_url: text(payload, &["/project/git_http_url", "/project/http_url"]).to_owned(),
        ssh_url: text(payload, &["/project/git_ssh_url", "/project/ssh_url"]).to_owned(),
        default_branch: text(payload, &["/project/default_branch"]).to_owned(),
    })
}

fn sender(payload: &Value) -> String {
    text(
        payload,
        &["/user_username", "/user/username", "/user_name", "/user/name"],
    )
    .to_owned()
}

fn push(payload: &Value) -> Result<Push, WebhookError> {
    let before = object(payload, &["/before"])?;
    // GitLab names the last 20 commits, and says how many there are.
    let (paths, paths_are_all) = paths(payload, before.is_none(), payload["total_commits_count"].as_u64());
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

fn merge_request(payload: &Value) -> Result<PullRequest, WebhookError> {
    let attributes = &payload["object_attributes"];
    let action = match text(attributes, &["/action"]) {
        "open" => Action::Opened,
        "reopen" => Action::Reopened,
        // `oldrev` is there when commits were pushed, and not when a label was set.
        "update" if attributes["oldrev"].is_string() => Action::Synchronize,
        "close" => Action::Closed { merged: false },
        "merge" => Action::Closed { merged: true },
        other => Action::Other(other.chars().take(100).collect()),
    };
    let is = |name: &str| attributes[name].as_bool() == Some(true);
    Ok(PullRequest {
        repository: origin(payload)?,
        number: attributes["iid"]
            .as_u64()
            .ok_or_else(|| malformed("object_attributes.iid is missing"))?,
        action,
        title: text(attributes, &["/title"]).to_owned(),
        into: wanted(attributes, &["/target_branch"])?.to_owned(),
        from: wanted(attributes, &["/source_branch"])?.to_owned(),
        from_url: text(attributes, &["/source/git_http_url", "/source/http_url"]).to_owned(),
        commit: object(attributes, &["/last_commit/id"])?,
        draft: is("draft") || is("work_in_progress"),
        sender: sender(payload),
    })
}

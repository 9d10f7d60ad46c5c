//! The variables that every step gets (GitHub, "Variables reference", default environment variables).

use super::types::Runner;
use crate::expression::Value;
use std::collections::BTreeMap;

/// Keys of the `github` context that are variables too, as `GITHUB_` and their name in capitals.
const FROM_CONTEXT: &[&str] = &[
    "action",
    "action_path",
    "action_ref",
    "action_repository",
    "actor",
    "actor_id",
    "api_url",
    "base_ref",
    "event_name",
    "graphql_url",
    "head_ref",
    "job",
    "ref",
    "ref_name",
    "ref_protected",
    "ref_type",
    "repository",
    "repository_id",
    "repository_owner",
    "repository_owner_id",
    "retention_days",
    "run_attempt",
    "run_id",
    "run_number",
    "server_url",
    "sha",
    "triggering_actor",
    "workflow",
    "workflow_ref",
    "workflow_sha",
    "workspace",
];

/// What the contexts give.
pub(super) fn defaults(github: &Value, runner: &Runner) -> BTreeMap<String, String> {
    let mut env: BTreeMap<String, String> = BTreeMap::new();
    env.insert("CI".to_owned(), "true".to_owned());
    env.insert("GITHUB_ACTIONS".to_owned(), "true".to_owned());
    for key in FROM_CONTEXT {
        let value = github.get(key);
        if !value.is_null() {
            env.insert(
                format!("GITHUB_{}", key.to_ascii_uppercase()),
                value.to_text().to_string(),
            );
        }
    }
    for (key, value) in [
        ("RUNNER_ARCH", &runner.arch),
        ("RUNNER_NAME", &runner.name),
        ("RUNNER_OS", &runner.os),
        ("RUNNER_TEMP", &runner.temp),
        ("RUNNER_TOOL_CACHE", &runner.tool_cache),
    ] {
        env.insert(key.to_owned(), value.clone());
    }
    env
}

/// Whether a file may not set a variable: what it says of it is passed over, as GitHub does.
pub(super) fn is_reserved(name: &str) -> bool {
    let name = name.to_ascii_uppercase();
    name.starts_with("GITHUB_") && name != "GITHUB_TOKEN" || name.starts_with("RUNNER_")
}

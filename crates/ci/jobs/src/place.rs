//! Where things are in a job's root: GitHub's own places, which scripts of people have in them.

use std::path::{Path, PathBuf};

/// Above all workspaces.
pub(crate) const WORK: &str = "/home/runner/work";
/// `runner.temp`
pub(crate) const TEMP: &str = "/home/runner/work/_temp";
/// Command files.
pub(crate) const FILES: &str = "/home/runner/work/_temp/_runner_file_commands";
/// `GITHUB_EVENT_PATH`
pub(crate) const EVENT: &str = "/home/runner/work/_temp/_github_workflow/event.json";
/// `runner.tool_cache`
pub(crate) const TOOLS: &str = "/opt/hostedtoolcache";

/// `github.workspace` for a repository `owner/name`.
pub(crate) fn workspace(repository: &str) -> PathBuf {
    let name = repository.rsplit('/').next().unwrap_or_default();
    let plain = |c: char| c.is_ascii_alphanumeric() || "-_.".contains(c);
    let name: String = name.chars().filter(|c| plain(*c)).collect();
    let name = if name.trim_matches('.').is_empty() {
        "repository"
    } else {
        &name
    };
    Path::new(WORK).join(name).join(name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_workspace_stays_below_work() {
        assert_eq!(workspace("me/shop"), Path::new("/home/runner/work/shop/shop"));
        assert_eq!(
            workspace("me/.."),
            Path::new("/home/runner/work/repository/repository")
        );
        assert_eq!(
            workspace(""),
            Path::new("/home/runner/work/repository/repository")
        );
    }
}

//! The files of a commit, as workflows name them.

use deploy_git::{FileKind, GitError, Oid, Repository};
use deploy_workflow::workflow::{FOLDERS, Files};
use tokio::runtime::Handle;

use crate::limits;

/// The files of one commit.
pub(super) struct CommitFiles {
    pub repository: Repository,
    pub commit: Oid,
    /// Where git's answers are awaited: reading happens on a thread that may block.
    pub runtime: Handle,
}

impl Files for CommitFiles {
    fn read(&self, path: &str) -> Option<String> {
        // `owner/repository/path@ref` is a file of another repository, which nobody here has.
        if path.contains('@') {
            return None;
        }
        let text = self
            .runtime
            .block_on(self.repository.read_file(&self.commit, path))
            .ok()?;
        (text.len() <= limits::WORKFLOW_BYTES).then(|| String::from_utf8(text).ok())?
    }
}

/// The workflow files of a commit: those of the first folder that has any.
pub(super) async fn workflow_files(repository: &Repository, commit: &Oid) -> Result<Vec<String>, GitError> {
    for folder in FOLDERS {
        let entries = match repository.list(commit, folder, false).await {
            Err(GitError::NotFound { .. }) => continue,
            other => other?,
        };
        let is_workflow = |path: &str| path.ends_with(".yml") || path.ends_with(".yaml");
        let files: Vec<String> = entries
            .into_iter()
            .filter(|entry| matches!(entry.kind, FileKind::File | FileKind::Executable))
            .map(|entry| entry.path)
            .filter(|path| is_workflow(path))
            .take(limits::WORKFLOWS)
            .collect();
        if !files.is_empty() {
            return Ok(files);
        }
    }
    Ok(Vec::new())
}

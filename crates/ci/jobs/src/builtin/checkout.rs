//! `actions/checkout`: the tree of the run's commit, from this machine.

use super::Task;
use crate::room::{absolute, blocking};

pub(super) async fn run(task: &mut Task<'_>) -> Result<(), String> {
    let repository = task.input("repository").to_owned();
    let own = &task.context.repository;
    if !repository.is_empty() && !repository.eq_ignore_ascii_case(own) {
        return Err(format!(
            "Only {own} can be checked out here, not {repository}: there is no network in this action. Clone it in a \
             `run` step."
        ));
    }
    for (name, usual) in [("submodules", "false"), ("lfs", "false")] {
        let value = task.input(name);
        if !value.is_empty() && value != usual {
            let text =
                format!("##[warning]{name}: {value} is not supported: what is there is copied as it is.");
            task.say(text).await;
        }
    }
    let to = absolute(task.input("path"), &task.job.workspace, &task.job.room.home());
    if !to.starts_with(&task.job.workspace) {
        return Err(format!(
            "Repository path '{}' is not under '{}'",
            to.display(),
            task.job.workspace.display()
        ));
    }
    let inside = task.job.room.inside().await.map_err(|error| error.to_string())?;
    let source = task.context.source.clone();
    let reference = task.input("ref").to_owned();
    let shown = to.display().to_string();
    let copied = blocking(move || source.copy(&reference, &inside, &to)).await;
    let (commit, count) = copied.map_err(|error| deploy_model::with_causes(&error))?;
    let text = match &commit {
        Some(commit) => format!("{count} files of {commit} in {shown}"),
        None => format!(
            "{count} files of {} in {shown}",
            task.context.source.folder().display()
        ),
    };
    task.say(text).await;
    task.output("ref", task.input("ref").to_owned());
    task.output("commit", commit.unwrap_or_default());
    Ok(())
}

//! Which workflows of a commit start, and their plans.

use deploy_git::{Oid, Repository};
use deploy_model::Lang;
use deploy_workflow::plan::{Plan, plan};
use deploy_workflow::reader::Problem;
use deploy_workflow::trigger::{Cause, dispatch_inputs, triggers};
use deploy_workflow::workflow::{Files, Workflow, read};
use tokio::runtime::Handle;

use super::CiError;
use super::files::{CommitFiles, workflow_files};

/// A workflow that starts.
pub(super) struct Chosen {
    pub file: String,
    pub name: String,
    /// Why it starts.
    pub why: String,
    /// What it does, or why that cannot be known: then its run fails at once.
    pub plan: Result<Plan, String>,
}

/// What was found in a commit.
#[derive(Default)]
pub(super) struct Choice {
    pub chosen: Vec<Chosen>,
    /// Files that do not start, and why.
    pub others: Vec<(String, String)>,
}

/// All workflows of a commit that the cause starts.
pub(super) async fn all(repository: &Repository, cause: &Cause) -> Result<Choice, CiError> {
    let commit: Oid = cause.commit.parse()?;
    let files = workflow_files(repository, &commit).await?;
    let source = source(repository, commit);
    let cause = cause.clone();
    on_a_thread(move || {
        let mut choice = Choice::default();
        for file in files {
            match look(&file, &source, &cause) {
                Ok(chosen) => choice.chosen.push(chosen),
                Err(reason) => choice.others.push((file, reason)),
            }
        }
        Ok(choice)
    })
    .await
}

/// One workflow, which has been started before.
pub(super) async fn one(repository: &Repository, cause: &Cause, file: &str) -> Result<Chosen, CiError> {
    let source = source(repository, cause.commit.parse()?);
    let (cause, file) = (cause.clone(), file.to_owned());
    on_a_thread(move || {
        look(&file, &source, &cause).map_err(|reason| CiError::Conflict(format!("{file}: {reason}")))
    })
    .await
}

/// One workflow that somebody starts by its file, the file's name or its own name.
pub(super) async fn named(repository: &Repository, cause: &Cause, name: &str) -> Result<Chosen, CiError> {
    let commit: Oid = cause.commit.parse()?;
    let files = workflow_files(repository, &commit).await?;
    let source = source(repository, commit);
    let (cause, name) = (cause.clone(), name.to_owned());
    on_a_thread(move || {
        for file in &files {
            let Some(text) = source.read(file) else {
                continue;
            };
            let found = read(file, &text, &source, &Default::default());
            let own = found.as_ref().ok().and_then(|workflow| workflow.name.clone());
            let is_it =
                *file == name || file.rsplit('/').next() == Some(&name) || own.as_ref() == Some(&name);
            if !is_it {
                continue;
            }
            let workflow = found.map_err(|problems| CiError::Invalid(told(&problems)))?;
            dispatch_inputs(&workflow, &cause.inputs)
                .map_err(|problems| CiError::Invalid(problems.join("\n")))?;
            return decide(file, workflow, &source, &cause)
                .map_err(|reason| CiError::Conflict(format!("{file}: {reason}")));
        }
        Err(CiError::Missing(format!(
            "workflow {name} in {}; there are {}",
            cause.commit,
            files.join(", ")
        )))
    })
    .await
}

fn source(repository: &Repository, commit: Oid) -> CommitFiles {
    CommitFiles {
        repository: repository.clone(),
        commit,
        runtime: Handle::current(),
    }
}

async fn on_a_thread<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, CiError> + Send + 'static,
) -> Result<T, CiError> {
    let done = tokio::task::spawn_blocking(work).await;
    done.unwrap_or_else(|_| Err(CiError::Invalid("reading the workflows failed".to_owned())))
}

/// A file that starts, or why it does not. One that cannot be read starts, and fails: its author has to know.
fn look(file: &str, files: &CommitFiles, cause: &Cause) -> Result<Chosen, String> {
    let failing = |reason: String| Chosen {
        file: file.to_owned(),
        name: file.to_owned(),
        why: "it cannot be read".to_owned(),
        plan: Err(reason),
    };
    let Some(text) = files.read(file) else {
        return Ok(failing(format!("{file} is too large, or no text in UTF-8")));
    };
    match read(file, &text, files, &Default::default()) {
        Err(problems) => Ok(failing(told(&problems))),
        Ok(workflow) => decide(file, workflow, files, cause),
    }
}

fn decide(file: &str, workflow: Workflow, files: &CommitFiles, cause: &Cause) -> Result<Chosen, String> {
    let answer = triggers(&workflow, &cause.happening());
    if !answer.starts {
        return Err(answer.reason);
    }
    Ok(Chosen {
        file: file.to_owned(),
        name: workflow.name.clone().unwrap_or_else(|| file.to_owned()),
        why: answer.reason,
        plan: plan(workflow, files).map_err(|problems| told(&problems)),
    })
}

fn told(problems: &[Problem]) -> String {
    let lines = problems.iter().map(|problem| match &problem.hint {
        Some(hint) => format!("{problem}\n  {}", hint.text(Lang::En)),
        None => problem.to_string(),
    });
    lines.collect::<Vec<_>>().join("\n")
}

//! From a push to its runs.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use deploy_git::{GitError, Oid, Push, Pushes, Repository};
use deploy_store::{Actor, ActorKind, Line, Subject};
use deploy_workflow::trigger::{Cause, Head};
use jiff::Timestamp;
use serde_json::json;

use super::chosen::{self, Choice};
use super::runs::{self, PUSHED};
use super::{Ci, CiError};
use crate::server::News;

/// Between two attempts to take a push that git or the ledger does not let through.
const PAUSES: [Duration; 3] = [
    Duration::from_millis(200),
    Duration::from_secs(1),
    Duration::from_secs(5),
];

/// Words of a commit's message that say that nothing is to run (GitHub, "Skipping workflow runs").
const SKIPS: [&str; 5] = [
    "[skip ci]",
    "[ci skip]",
    "[no ci]",
    "[skip actions]",
    "[actions skip]",
];

impl Ci {
    /// Takes pushes until there are no more: the repositories are closed, or the server ends.
    pub async fn listen(self: Arc<Ci>, mut pushes: Pushes) {
        loop {
            let push = tokio::select! {
                biased;
                () = self.closing.cancelled() => return,
                push = pushes.next() => match push {
                    Some(push) => push,
                    None => return,
                },
            };
            let mut pauses = PAUSES.iter();
            let taken = loop {
                match self.take(&push).await {
                    Ok(()) => break pushes.done(&push).await.map_err(CiError::from),
                    Err(error) => match pauses.next() {
                        Some(pause) => tokio::time::sleep(*pause).await,
                        None => break Err(error),
                    },
                }
            };
            if let Err(error) = taken {
                // It is told again at the next start.
                self.tell(News::Failed {
                    what: format!("push {} to {}", push.number, push.repository),
                    reason: error.to_string(),
                });
            }
        }
    }

    async fn take(self: &Arc<Ci>, push: &Push) -> Result<(), CiError> {
        let known = runs::is_known(&self.parts.ledger, &push.repository, push.number).await;
        if known.map_err(|error| CiError::ledger(&error))? {
            return Ok(());
        }
        let name = push
            .repository
            .parse()
            .map_err(|_| CiError::Missing(push.repository.clone()))?;
        let repository = self.parts.repositories.find(&name)?;
        let by = push.by.clone().unwrap_or_else(|| "unknown".to_owned());
        let actor = Actor::new(ActorKind::Person, by.clone());
        let line = Line::new(
            Timestamp::now(),
            actor.clone(),
            PUSHED,
            Subject::new("repository", push.repository.clone()),
        )
        .with(json!({
            "number": push.number,
            "reference": push.reference,
            "before": push.before,
            "after": push.after,
        }));
        let (cause, choice) = match &push.after {
            Some(after) => match self.cause_of(&repository, push, after, &by).await {
                Ok(cause) => {
                    let choice = match skip(&cause.head.message) {
                        Some(word) => Choice {
                            chosen: Vec::new(),
                            others: vec![(String::new(), format!("the commit says {word}"))],
                        },
                        None => chosen::all(&repository, &cause).await?,
                    };
                    (cause, choice)
                }
                // A tag of a file, or of nothing that is here.
                Err(CiError::Git(GitError::NotFound { .. })) => Default::default(),
                Err(error) => return Err(error),
            },
            None => Default::default(),
        };
        self.tell(News::Pushed {
            repository: push.repository.clone(),
            reference: push.reference.clone(),
            by,
            runs: choice.chosen.len(),
            others: choice.others.clone(),
        });
        self.enqueue(&push.repository, cause, choice.chosen, actor, Some(line))
            .await
            .map(drop)
    }

    async fn cause_of(
        &self,
        repository: &Repository,
        push: &Push,
        after: &Oid,
        by: &str,
    ) -> Result<Cause, CiError> {
        // An annotated tag names its commit.
        let commit = repository.resolve(after.as_str()).await?;
        let mut cause = self
            .cause(repository, "push", &push.reference, &commit, by)
            .await?;
        cause.before = push.before.as_ref().map(|before| before.as_str().to_owned());
        if let (Some(before), true) = (&push.before, push.reference.starts_with("refs/heads/")) {
            let changed = repository.changed_paths(Some(before), &commit).await?;
            cause.paths = (!changed.more).then_some(changed.paths);
        }
        Ok(cause)
    }

    async fn cause(
        &self,
        repository: &Repository,
        event: &str,
        reference: &str,
        commit: &Oid,
        by: &str,
    ) -> Result<Cause, CiError> {
        let log = repository.log(commit, None, 1).await?;
        let head = log.into_iter().next().map(|commit| Head {
            message: commit.message,
            author: commit.author,
            email: commit.email,
            at: commit.at.to_string(),
        });
        Ok(Cause {
            event: event.to_owned(),
            server_url: format!("{}/git", self.parts.url),
            api_url: format!("{}/api/v1", self.parts.url),
            repository: repository.name().to_string(),
            default_branch: repository.head().await?,
            reference: reference.to_owned(),
            commit: commit.as_str().to_owned(),
            actor: by.to_owned(),
            head: head.unwrap_or_default(),
            ..Cause::default()
        })
    }

    /// Starts a workflow because somebody says so (`workflow_dispatch`).
    pub async fn dispatch(
        self: &Arc<Ci>,
        name: &str,
        workflow: &str,
        reference: Option<&str>,
        inputs: BTreeMap<String, String>,
        by: &str,
    ) -> Result<i64, CiError> {
        let missing = || CiError::Missing(format!("repository {name}"));
        let repository = self
            .parts
            .repositories
            .find(&name.parse().map_err(|_| missing())?)
            .map_err(|error| match error {
                GitError::NoRepository { .. } => missing(),
                other => other.into(),
            })?;
        let reference = match reference {
            Some(reference) => reference.to_owned(),
            None => repository.head().await?,
        };
        let commit = repository
            .resolve(&reference)
            .await
            .map_err(|error| match error {
                GitError::NotFound { .. } => CiError::Missing(format!("branch or tag {reference} in {name}")),
                other => other.into(),
            })?;
        let full = match repository.resolve(&format!("refs/tags/{reference}")).await {
            _ if reference.starts_with("refs/") => reference,
            Ok(_) => format!("refs/tags/{reference}"),
            Err(_) => format!("refs/heads/{reference}"),
        };
        let mut cause = self
            .cause(&repository, "workflow_dispatch", &full, &commit, by)
            .await?;
        cause.inputs = inputs;
        let chosen = chosen::named(&repository, &cause, workflow).await?;
        let actor = Actor::new(ActorKind::Person, by);
        let ids = self.enqueue(name, cause, vec![chosen], actor, None).await?;
        Ok(ids[0])
    }
}

fn skip(message: &str) -> Option<&'static str> {
    let message = message.to_ascii_lowercase();
    SKIPS.into_iter().find(|word| message.contains(word))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_message_may_say_that_nothing_runs() {
        assert_eq!(skip("Mend a typo [skip ci]"), Some("[skip ci]"));
        assert_eq!(skip("Mend\n\n[No CI]"), Some("[no ci]"));
        assert_eq!(skip("Explain how to skip ci"), None);
    }
}

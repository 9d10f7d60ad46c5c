//! Webhooks: what GitHub, GitLab, Gitee and Gitea (with Forgejo and Gogs) tell of their repositories.
//!
//! [`verify`] believes a body only with the right signature, reads it, and says the same of all of them.

mod gitlab;
mod hub;
mod payload;
mod signature;

use hyper::header::HeaderMap;
use jiff::Timestamp;

use crate::limits;
use crate::oid::Oid;

/// Who sent it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Provider {
    /// github.com and GitHub Enterprise.
    GitHub,
    /// GitLab.
    GitLab,
    /// gitee.com.
    Gitee,
    /// Gitea and Forgejo.
    Gitea,
    /// Gogs, from which Gitea came.
    Gogs,
}

impl Provider {
    /// By the header that names the event. Gitea sends those of GitHub and Gogs, too.
    pub fn of(headers: &HeaderMap) -> Option<Provider> {
        [
            ("x-gitea-event", Provider::Gitea),
            ("x-forgejo-event", Provider::Gitea),
            ("x-gogs-event", Provider::Gogs),
            ("x-gitee-event", Provider::Gitee),
            ("x-gitlab-event", Provider::GitLab),
            ("x-github-event", Provider::GitHub),
        ]
        .into_iter()
        .find(|(header, _)| headers.contains_key(*header))
        .map(|(_, provider)| provider)
    }

    /// Its name.
    pub fn name(self) -> &'static str {
        match self {
            Provider::GitHub => "github",
            Provider::GitLab => "gitlab",
            Provider::Gitee => "gitee",
            Provider::Gitea => "gitea",
            Provider::Gogs => "gogs",
        }
    }

    fn event_header(self) -> &'static str {
        match self {
            Provider::GitHub => "x-github-event",
            Provider::GitLab => "x-gitlab-event",
            Provider::Gitee => "x-gitee-event",
            Provider::Gitea => "x-gitea-event",
            Provider::Gogs => "x-gogs-event",
        }
    }

    fn delivery_header(self) -> &'static str {
        match self {
            Provider::GitHub => "x-github-delivery",
            Provider::GitLab => "x-gitlab-event-uuid",
            Provider::Gitee => "x-gitee-timestamp",
            Provider::Gitea => "x-gitea-delivery",
            Provider::Gogs => "x-gogs-delivery",
        }
    }
}

/// A webhook that was believed and read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Delivery {
    /// Who sent it.
    pub provider: Provider,
    /// What tells it from others, where the provider says so: a delivery that failed is sent again with the same one.
    pub id: Option<String>,
    /// What happened.
    pub event: Event,
}

/// What happened.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Event {
    /// A branch or tag was made, moved or deleted.
    Push(Push),
    /// A pull request (GitLab: a merge request) was made or changed.
    PullRequest(PullRequest),
    /// The webhook itself was made.
    Ping,
    /// Something that no run begins with.
    Other {
        /// The provider's name of it.
        name: String,
    },
}

/// A repository at its provider.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Origin {
    /// Its name with its owner's.
    pub full_name: String,
    /// Its page.
    pub web_url: String,
    /// Where to clone it by HTTP.
    pub clone_url: String,
    /// Where to clone it by SSH.
    pub ssh_url: String,
    /// The branch that it calls its own.
    pub default_branch: String,
}

/// A reference that was changed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Push {
    /// Where.
    pub repository: Origin,
    /// As in `refs/heads/main`.
    pub reference: String,
    /// What it was; nothing when it is new.
    pub before: Option<Oid>,
    /// What it is; nothing when it was deleted.
    pub after: Option<Oid>,
    /// Who pushed.
    pub sender: String,
    /// Paths that the named commits changed, in order.
    pub paths: Vec<String>,
    /// Whether these are all: providers name some commits only, and none of a new branch.
    pub paths_are_all: bool,
}

impl Push {
    /// The name of the branch, or of the tag.
    pub fn short(&self) -> &str {
        self.reference
            .strip_prefix("refs/heads/")
            .or_else(|| self.reference.strip_prefix("refs/tags/"))
            .unwrap_or(&self.reference)
    }

    /// Whether it is the repository's own branch.
    pub fn is_default_branch(&self) -> bool {
        let branch = self.reference.strip_prefix("refs/heads/");
        branch.is_some_and(|branch| branch == self.repository.default_branch)
    }
}

/// A pull request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PullRequest {
    /// Where it asks to be merged.
    pub repository: Origin,
    /// Its number there.
    pub number: u64,
    /// What was done.
    pub action: Action,
    /// Its title.
    pub title: String,
    /// The branch it asks to be merged into.
    pub into: String,
    /// The branch it comes from.
    pub from: String,
    /// The repository it comes from, by its URL for cloning; another one for a fork.
    pub from_url: String,
    /// The newest commit of it.
    pub commit: Option<Oid>,
    /// Whether it is a draft.
    pub draft: bool,
    /// Who did it.
    pub sender: String,
}

/// What was done to a pull request, in GitHub's words.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Action {
    /// It is new.
    Opened,
    /// It has other commits.
    Synchronize,
    /// It was open before.
    Reopened,
    /// It was merged, or given up.
    Closed {
        /// Which of the two.
        merged: bool,
    },
    /// Anything else, as the provider calls it.
    Other(String),
}

/// Why a webhook is not believed, or not understood.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum WebhookError {
    /// No header says which event it is.
    #[error("the header {header} is missing: this is no webhook of {provider}")]
    NoEvent {
        /// What is missing.
        header: &'static str,
        /// Who should have sent it.
        provider: &'static str,
    },
    /// No secret was set, so nothing can be believed.
    #[error("no secret is set for this webhook")]
    NoSecret,
    /// It has no signature.
    #[error("the header {header} is missing: set the webhook's secret at the provider")]
    Unsigned {
        /// What is missing.
        header: &'static str,
    },
    /// It was signed with another secret, or was changed on its way.
    #[error("the signature in {header} does not fit: the secrets here and at the provider differ")]
    WrongSignature {
        /// The header.
        header: &'static str,
    },
    /// It was signed too long ago, or too far ahead.
    #[error("it was signed {seconds} s from now: an old webhook that is sent again, or a wrong clock")]
    Stale {
        /// How far its time is from ours.
        seconds: u64,
    },
    /// Its body is too large.
    #[error("the body exceeds {limit} bytes")]
    TooLarge {
        /// The bound.
        limit: usize,
    },
    /// Its body is not what the provider documents.
    #[error("the body cannot be read: {reason}")]
    Malformed {
        /// What is wrong.
        reason: String,
    },
}

/// Believes a webhook, or not, and reads it.
///
/// # Errors
/// By what the administrator can do about it: see [`WebhookError`]. Nothing of the body is read before its signature fits.
pub fn verify(
    provider: Provider,
    headers: &HeaderMap,
    body: &[u8],
    secret: &str,
    now: Timestamp,
) -> Result<Delivery, WebhookError> {
    if body.len() > limits::WEBHOOK_BYTES {
        return Err(WebhookError::TooLarge {
            limit: limits::WEBHOOK_BYTES,
        });
    }
    signature::check(provider, headers, body, secret, now)?;
    let header = provider.event_header();
    let text = |header: &str| headers.get(header).and_then(|value| value.to_str().ok());
    let event = match (text(header), provider) {
        (None, Provider::Gitea) => text("x-forgejo-event"),
        (event, _) => event,
    };
    let event = event.ok_or(WebhookError::NoEvent {
        header,
        provider: provider.name(),
    })?;
    let payload = payload::read(headers, body)?;
    let event = match provider {
        Provider::GitLab => gitlab::event(event, &payload)?,
        Provider::GitHub | Provider::Gitea | Provider::Gogs | Provider::Gitee => {
            hub::event(provider, event, &payload)?
        }
    };
    Ok(Delivery {
        provider,
        id: text(provider.delivery_header()).map(|id| id.chars().take(200).collect()),
        event,
    })
}

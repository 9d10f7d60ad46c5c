//! What the token of a job may do. Deploy's own token has scopes of these names.

use crate::reader::{Kind, Token};
use std::collections::BTreeMap;

/// How much is allowed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub enum Level {
    /// Nothing.
    #[default]
    None,
    /// Reading.
    Read,
    /// Reading and writing.
    Write,
}

impl Level {
    /// As files name it.
    pub fn as_str(self) -> &'static str {
        match self {
            Level::None => "none",
            Level::Read => "read",
            Level::Write => "write",
        }
    }
}

/// What is allowed where no file says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Policy {
    /// Reading contents and packages.
    LimitedRead,
    /// Everything.
    Write,
}

/// What is allowed of each scope; a scope that is not named: nothing.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Permissions {
    levels: BTreeMap<String, Level>,
}

/// The scopes that `read-all` and `write-all` mean, in the order in which messages name them.
const SCOPES: &[&str] = &[
    "actions",
    "checks",
    "contents",
    "deployments",
    "discussions",
    "issues",
    "packages",
    "pages",
    "pull-requests",
    "repository-projects",
    "statuses",
    "security-events",
    "id-token",
];

impl Permissions {
    pub(crate) fn read(token: &Token) -> Permissions {
        match &token.kind {
            Kind::String(word) if &**word == "write-all" => Permissions::all(Level::Write),
            Kind::String(_) => Permissions::all(Level::Read),
            _ => {
                let levels = token.entries().iter().map(|(scope, level)| {
                    let level = match level.as_str() {
                        Some("read") => Level::Read,
                        Some("write") => Level::Write,
                        _ => Level::None,
                    };
                    (scope.shown(), level)
                });
                Permissions {
                    levels: levels.collect(),
                }
            }
        }
    }

    /// The same for all scopes.
    pub fn all(level: Level) -> Permissions {
        let levels = SCOPES.iter().map(|scope| ((*scope).to_owned(), level));
        Permissions {
            levels: levels.collect(),
        }
    }

    /// What a policy allows.
    pub fn of(policy: Policy) -> Permissions {
        match policy {
            Policy::Write => Permissions::all(Level::Write),
            Policy::LimitedRead => Permissions {
                levels: [("contents", Level::Read), ("packages", Level::Read)]
                    .map(|(scope, level)| (scope.to_owned(), level))
                    .into(),
            },
        }
    }

    /// Scopes and levels.
    pub fn iter(&self) -> impl Iterator<Item = (&str, Level)> {
        self.levels.iter().map(|(scope, level)| (scope.as_str(), *level))
    }

    /// How much of a scope is allowed.
    pub fn level(&self, scope: &str) -> Level {
        self.levels.get(scope).copied().unwrap_or_default()
    }

    /// What is asked for beyond what is allowed, and what is allowed of it: two lists for people.
    pub(crate) fn excess(&self, allowed: &Permissions) -> Option<(String, String)> {
        let others = self
            .levels
            .keys()
            .map(String::as_str)
            .filter(|scope| !SCOPES.contains(scope));
        let excess: Vec<&str> = SCOPES
            .iter()
            .copied()
            .chain(others)
            .filter(|scope| self.level(scope) > allowed.level(scope))
            .collect();
        if excess.is_empty() {
            return None;
        }
        let list = |of: &Permissions| {
            let parts = excess
                .iter()
                .map(|scope| format!("{scope}: {}", of.level(scope).as_str()));
            parts.collect::<Vec<_>>().join(", ")
        };
        Some((list(self), list(allowed)))
    }
}

//! Rights: which actions on which repositories.

use std::fmt;

use super::token::Scope;

/// What one does with a repository.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Action {
    /// Read.
    Pull,
    /// Write, and move tags as far as they may move.
    Push,
    /// Delete tags, manifests, blobs.
    Delete,
}

impl Action {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Pull, Self::Push, Self::Delete];

    /// As scopes and accounts name it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Pull => "pull",
            Self::Push => "push",
            Self::Delete => "delete",
        }
    }

    /// The action of a name.
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|action| action.as_str() == text)
    }
}

impl fmt::Display for Action {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// Actions on repositories.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Grant {
    /// A repository, or the beginning of many with `*` at its end; `*` alone is all.
    pub repositories: String,
    /// What may be done there.
    pub actions: Vec<Action>,
}

/// All that somebody may do.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Rights {
    grants: Vec<Grant>,
    /// He may list repositories, by a token that says so.
    catalog: bool,
}

impl Rights {
    /// Nothing.
    pub fn none() -> Self {
        Self::default()
    }

    /// Everything.
    pub fn all() -> Self {
        Self::of(vec![Grant {
            repositories: "*".to_owned(),
            actions: Action::ALL.to_vec(),
        }])
    }

    /// To read everything.
    pub fn read() -> Self {
        Self::of(vec![Grant {
            repositories: "*".to_owned(),
            actions: vec![Action::Pull],
        }])
    }

    /// These.
    pub fn of(grants: Vec<Grant>) -> Self {
        Self {
            grants,
            catalog: false,
        }
    }

    /// Those, and the list of repositories.
    pub(crate) fn of_token(grants: Vec<Grant>, catalog: bool) -> Self {
        Self { grants, catalog }
    }

    /// Whether he may do it.
    pub fn allow(&self, repository: &str, action: Action) -> bool {
        self.grants
            .iter()
            .any(|grant| grant.actions.contains(&action) && covers(&grant.repositories, repository))
    }

    /// Whether there is anything that he may do.
    pub fn is_nothing(&self) -> bool {
        self.grants.is_empty() && !self.catalog
    }

    /// Whether the list of repositories shows him this one.
    pub(crate) fn lists(&self, repository: &str) -> bool {
        self.catalog || self.allow(repository, Action::Pull)
    }

    pub(crate) fn grants(&self) -> &[Grant] {
        &self.grants
    }

    pub(crate) fn catalog(&self) -> bool {
        self.catalog
    }

    /// What of these scopes they hold.
    pub(crate) fn within(&self, scopes: &[Scope]) -> Self {
        let mut found = Self::none();
        for scope in scopes {
            match scope {
                Scope::Repository { name, actions } => {
                    let actions: Vec<Action> = actions
                        .iter()
                        .copied()
                        .filter(|action| self.allow(name, *action))
                        .collect();
                    if !actions.is_empty() {
                        found.grants.push(Grant {
                            repositories: name.clone(),
                            actions,
                        });
                    }
                }
                // A token says "all of the list": only for whom there is nothing to hide.
                Scope::Catalog => {
                    let reads =
                        |grant: &Grant| grant.repositories == "*" && grant.actions.contains(&Action::Pull);
                    found.catalog |= self.catalog || self.grants.iter().any(reads);
                }
            }
        }
        found
    }
}

fn covers(pattern: &str, repository: &str) -> bool {
    match pattern.strip_suffix('*') {
        Some(start) => repository.starts_with(start),
        None => pattern == repository,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rights(pattern: &str, actions: &[Action]) -> Rights {
        Rights::of(vec![Grant {
            repositories: pattern.to_owned(),
            actions: actions.to_vec(),
        }])
    }

    #[test]
    fn patterns_cover_what_they_say() {
        let shop = rights("shop/*", &[Action::Pull, Action::Push]);
        for (repository, action, allowed) in [
            ("shop/web", Action::Push, true),
            ("shop/web", Action::Delete, false),
            ("shop", Action::Pull, false),
            ("shopping/web", Action::Pull, false),
        ] {
            assert_eq!(shop.allow(repository, action), allowed, "{repository} {action}");
        }
        assert!(Rights::all().allow("a/b", Action::Delete));
        assert!(!Rights::read().allow("a/b", Action::Push));
        assert!(Rights::none().is_nothing());
    }

    #[test]
    fn a_token_holds_what_was_asked_for_and_no_more_than_one_has() {
        let scopes = [
            Scope::Repository {
                name: "shop/web".to_owned(),
                actions: Action::ALL.to_vec(),
            },
            Scope::Repository {
                name: "other".to_owned(),
                actions: vec![Action::Pull],
            },
            Scope::Catalog,
        ];
        let token = rights("shop/*", &[Action::Pull, Action::Push]).within(&scopes);
        assert!(token.allow("shop/web", Action::Push) && !token.allow("shop/web", Action::Delete));
        assert!(!token.allow("shop/api", Action::Pull) && !token.allow("other", Action::Pull));
        assert!(!token.lists("other") && token.lists("shop/web"));
        assert!(Rights::read().within(&scopes).lists("anything"));
    }
}

//! Fields that someone else manages and an applier wants to change.

use std::collections::BTreeMap;
use std::fmt;

use super::managers::{Manager, Managers};
use crate::fields::{Path, Set, path_text};

/// A field and who manages it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Conflict {
    /// The manager that has the field.
    pub manager: Manager,
    /// The field.
    pub path: Path,
}

/// All conflicts of one apply. Its text is the message of upstream's Status (409, reason `Conflict`); each conflict is
/// a cause of type `FieldManagerConflict` ([`Conflict::message`], [`Conflict::field`]).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Conflicts(pub Vec<Conflict>);

impl Conflict {
    /// The text of the cause.
    pub fn message(&self) -> String {
        format!("conflict with {}", self.manager)
    }

    /// The field of the cause.
    pub fn field(&self) -> String {
        path_text(&self.path)
    }
}

impl Conflicts {
    /// One conflict for each of these fields of each manager.
    pub(super) fn of(managers: &Managers) -> Conflicts {
        let mut conflicts = Vec::new();
        for (manager, owned) in managers {
            owned.fields.for_each(&mut |path| {
                conflicts.push(Conflict {
                    manager: manager.clone(),
                    path: path.to_vec(),
                });
            });
        }
        Conflicts(conflicts)
    }

    /// The fields in conflict.
    pub fn fields(&self) -> Set {
        Set::of(self.0.iter().map(|conflict| conflict.path.as_slice()))
    }
}

impl std::error::Error for Conflicts {}

impl fmt::Display for Conflicts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let [one] = self.0.as_slice() {
            return write!(
                f,
                "Apply failed with 1 conflict: {}: {}",
                one.message(),
                one.field()
            );
        }
        let mut by_manager: BTreeMap<&Manager, Vec<String>> = BTreeMap::new();
        for conflict in &self.0 {
            by_manager
                .entry(&conflict.manager)
                .or_default()
                .push(conflict.field());
        }
        let lines: Vec<String> = by_manager
            .into_iter()
            .flat_map(|(manager, fields)| {
                let fields = fields.into_iter().map(|field| format!("- {field}"));
                std::iter::once(format!("conflicts with {manager}:")).chain(fields)
            })
            .collect();
        write!(
            f,
            "Apply failed with {} conflicts: {}",
            self.0.len(),
            lines.join("\n")
        )
    }
}

#[cfg(test)]
mod tests {
    use super::super::managers::Operation;
    use super::*;
    use crate::fields::Element;

    fn conflict(name: &str, operation: Operation, subresource: &str, fields: &[&str]) -> Conflict {
        let api_version = if operation == Operation::Update {
            "apps/v1"
        } else {
            ""
        };
        Conflict {
            manager: Manager {
                name: name.to_owned(),
                operation,
                api_version: api_version.to_owned(),
                subresource: subresource.to_owned(),
            },
            path: fields.iter().map(|field| Element::field(field)).collect(),
        }
    }

    #[test]
    fn conflicts_speak_upstreams_words() {
        let one = conflict("x", Operation::Update, "", &["spec", "replicas"]);
        assert_eq!(
            Conflicts(vec![one.clone()]).to_string(),
            "Apply failed with 1 conflict: conflict with \"x\" using apps/v1: .spec.replicas"
        );
        let others = [
            conflict("a", Operation::Apply, "", &["spec", "paused"]),
            conflict("x", Operation::Update, "status", &["status"]),
        ];
        assert_eq!(
            Conflicts([one].into_iter().chain(others).collect()).to_string(),
            "Apply failed with 3 conflicts: conflicts with \"a\":\n- .spec.paused\n\
             conflicts with \"x\" using apps/v1:\n- .spec.replicas\n\
             conflicts with \"x\" with subresource \"status\" using apps/v1:\n- .status"
        );
    }
}

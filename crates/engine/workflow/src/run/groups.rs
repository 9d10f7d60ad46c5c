//! Concurrency groups: who has each, and who waits for it in which order. One for the whole server.

use super::types::JobId;
use crate::limits::MAX_GROUP_QUEUE;
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, VecDeque};

/// Who has a group or waits for it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Member {
    /// The run, by the id that the shell gives it.
    pub run: String,
    /// The job; none where the whole run is the member.
    pub job: Option<JobId>,
}

/// How many may wait.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Waiting {
    /// One: a newer one takes the place of the one that waits, which is cancelled (GitHub's rule).
    #[default]
    Single,
    /// All, in their order, up to 100 (`queue: max`).
    Max,
}

/// What follows from a change.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum GroupEffect {
    /// The group is this member's: [`super::Input::GroupGranted`].
    Grant(Member),
    /// Cancel this member: [`super::Input::Cancel`] or [`super::Input::CancelJob`].
    Cancel {
        /// Whom.
        member: Member,
        /// Why, for people.
        reason: String,
    },
}

/// All groups.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Groups {
    groups: BTreeMap<String, Group>,
}

#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
struct Group {
    holder: Option<Member>,
    waiting: VecDeque<Member>,
}

impl Groups {
    /// Nobody has anything.
    pub fn new() -> Groups {
        Groups::default()
    }

    /// A member asks for a group. Asking again changes nothing.
    pub fn ask(
        &mut self,
        group: &str,
        member: Member,
        cancel_in_progress: bool,
        queue: Waiting,
    ) -> Vec<GroupEffect> {
        let key = key(group);
        let entry = self.groups.entry(key).or_default();
        let Some(holder) = entry.holder.clone() else {
            entry.holder = Some(member.clone());
            return vec![GroupEffect::Grant(member)];
        };
        // A job may use the group that its run holds: it would wait for itself for ever.
        if holder.run == member.run && holder.job.is_none() && member.job.is_some() {
            return vec![GroupEffect::Cancel {
                member,
                reason: format!(
                    "The run itself holds the concurrency group '{group}', so its job can never have it"
                ),
            }];
        }
        if holder == member || entry.waiting.contains(&member) {
            return Vec::new();
        }
        let mut effects = Vec::new();
        let limit = match queue {
            Waiting::Single => 1,
            Waiting::Max => MAX_GROUP_QUEUE,
        };
        let cancel = |member| GroupEffect::Cancel {
            member,
            reason: format!("A newer one waits for the concurrency group '{group}'"),
        };
        if cancel_in_progress {
            effects.extend(entry.waiting.drain(..).map(cancel));
            effects.push(cancel(holder));
        }
        while entry.waiting.len() >= limit {
            effects.extend(entry.waiting.pop_front().map(cancel));
        }
        entry.waiting.push_back(member);
        effects
    }

    /// A member ended or no longer waits: the next one has the group.
    pub fn leave(&mut self, group: &str, member: &Member) -> Vec<GroupEffect> {
        let key = key(group);
        let Some(entry) = self.groups.get_mut(&key) else {
            return Vec::new();
        };
        entry.waiting.retain(|waiting| waiting != member);
        if entry.holder.as_ref() != Some(member) {
            return Vec::new();
        }
        entry.holder = entry.waiting.pop_front();
        match entry.holder.clone() {
            Some(next) => vec![GroupEffect::Grant(next)],
            None => {
                self.groups.remove(&key);
                Vec::new()
            }
        }
    }

    /// Who has a group, and who waits for it in this order: the reason of a wait, for people.
    pub fn state(&self, group: &str) -> Option<(&Member, impl Iterator<Item = &Member>)> {
        let entry = self.groups.get(&key(group))?;
        Some((entry.holder.as_ref()?, entry.waiting.iter()))
    }
}

/// Names are compared ignoring case.
fn key(group: &str) -> String {
    group.to_lowercase()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn run(id: &str) -> Member {
        Member {
            run: id.to_owned(),
            job: None,
        }
    }

    fn cancelled(effects: &[GroupEffect]) -> Vec<&str> {
        let members = effects.iter().filter_map(|e| match e {
            GroupEffect::Cancel { member, .. } => Some(member.run.as_str()),
            GroupEffect::Grant(_) => None,
        });
        members.collect()
    }

    #[test]
    fn the_newest_waits_alone() {
        let mut groups = Groups::new();
        assert_eq!(
            groups.ask("g", run("1"), false, Waiting::Single),
            [GroupEffect::Grant(run("1"))]
        );
        assert!(groups.ask("G", run("2"), false, Waiting::Single).is_empty());
        assert_eq!(
            cancelled(&groups.ask("g", run("3"), false, Waiting::Single)),
            ["2"]
        );
        assert_eq!(groups.leave("g", &run("1")), [GroupEffect::Grant(run("3"))]);
        assert!(groups.leave("g", &run("3")).is_empty());
        assert!(groups.state("g").is_none());
    }

    #[test]
    fn a_queue_keeps_all_in_order() {
        let mut groups = Groups::new();
        for id in ["1", "2", "3"] {
            assert!(cancelled(&groups.ask("g", run(id), false, Waiting::Max)).is_empty());
        }
        assert_eq!(groups.leave("g", &run("1")), [GroupEffect::Grant(run("2"))]);
        assert_eq!(groups.leave("g", &run("2")), [GroupEffect::Grant(run("3"))]);
    }

    #[test]
    fn cancel_in_progress_still_waits_for_the_holder_to_go() {
        let mut groups = Groups::new();
        groups.ask("g", run("1"), true, Waiting::Single);
        assert_eq!(
            cancelled(&groups.ask("g", run("2"), true, Waiting::Single)),
            ["1"]
        );
        assert_eq!(groups.leave("g", &run("1")), [GroupEffect::Grant(run("2"))]);
    }
}

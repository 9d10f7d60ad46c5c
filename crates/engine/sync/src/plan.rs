//! Rendered objects against live ones: create, update, delete, unchanged, each with its reason.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use crate::difference::{Difference, difference};
use crate::health::{self, Health};
use crate::hooks::{Role, Schedule, schedule};
use crate::key::Key;

/// What became of the dry run of an apply.
#[derive(Clone, Debug, PartialEq)]
pub enum Dry {
    /// The object as it would be.
    Would(Value),
    /// The API server refuses it, in its words.
    Refused(String),
    /// Others own fields that it would set: the managers.
    Conflict(Vec<String>),
    /// Its kind or its namespace will be there only once others of the plan are written.
    Early,
}

/// All that a plan is made of; nothing of it is asked for again.
pub struct World<'a> {
    /// What the branch says, each with its namespace.
    pub desired: &'a [Value],
    /// The keys of a second render of the same commit. Without one, and where it does not agree, nothing is pruned.
    pub again: Option<&'a BTreeSet<Key>>,
    /// What is, of all that is desired or in the inventory.
    pub live: &'a BTreeMap<Key, Value>,
    /// A dry run of each desired object.
    pub dry: &'a BTreeMap<Key, Dry>,
    /// What this app has written before: key to uid.
    pub inventory: &'a BTreeMap<Key, String>,
    /// What other apps have written: key to the app's name.
    pub others: &'a BTreeMap<Key, String>,
    /// What the app allows.
    pub policy: &'a Policy,
}

/// What an app allows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Policy {
    /// Whether what is no longer wanted goes.
    pub prune: bool,
    /// How much of it may go without asking.
    pub budget: Budget,
    /// Somebody has looked at this very plan and allows its deletions.
    pub is_deletion_approved: bool,
}

/// How many of an app's objects may go at once without asking. The larger of both counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Budget {
    /// Objects.
    pub count: usize,
    /// Of the objects in the inventory, in percent.
    pub percent: usize,
}

impl Default for Budget {
    /// A handful may always go; beyond that, a third of an app at once is more often a mistake than a wish.
    fn default() -> Budget {
        Budget {
            count: 3,
            percent: 30,
        }
    }
}

/// What a sync does with an object.
#[derive(Clone, Debug, PartialEq)]
pub enum Action {
    /// It is not there.
    Create,
    /// It differs.
    Update(Difference),
    /// It is as it should be.
    Unchanged,
    /// No longer wanted; only where it still has this uid.
    Delete(String),
    /// No longer wanted, and stays.
    Keep(Kept),
    /// A hook: written in each of its phases.
    Run,
    /// Its dry run was not possible yet; it is created or updated when its turn comes.
    Later,
}

/// Why something that is no longer wanted stays.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kept {
    /// Its annotations say so.
    ByAnnotation,
    /// The app does not prune.
    ByPolicy,
    /// There is no second render, or it does not agree with the first.
    RendersDisagree,
    /// Something else has its name now.
    OtherUid,
}

/// One object of a plan.
#[derive(Clone, Debug, PartialEq)]
pub struct Item {
    /// Its name.
    pub key: Key,
    /// What becomes of it.
    pub action: Action,
    /// When.
    pub schedule: Schedule,
    /// The object to write; what is deleted or kept has none.
    pub object: Option<Value>,
    /// How it does now; `None` where it is not there or its kind promises nothing.
    pub health: Option<Health>,
}

/// Why a plan is not carried out.
#[derive(Clone, Debug, PartialEq)]
pub enum Block {
    /// It renders nothing, and there is something.
    Nothing,
    /// It deletes more than the app's budget allows.
    Deletions {
        /// That it deletes.
        count: usize,
        /// In the inventory.
        of: usize,
        /// That the budget allows.
        allowed: usize,
    },
    /// The API server refuses an object.
    Refused(Key, String),
    /// Another manager owns fields of an object.
    Conflict(Key, Vec<String>),
    /// Another app has written this object.
    Owned(Key, String),
    /// Two objects have one key.
    Twice(Key),
}

/// What a sync would do, and what stands against it.
#[derive(Clone, Debug, PartialEq)]
pub struct Plan {
    /// In no order: [`crate::Sync`] brings them into theirs.
    pub items: Vec<Item>,
    /// All that stands against it, not only the first.
    pub blocks: Vec<Block>,
}

impl Plan {
    /// Whether carrying it out would write nothing.
    pub fn is_done(&self) -> bool {
        self.items
            .iter()
            .all(|item| matches!(item.action, Action::Unchanged | Action::Keep(_)))
    }

    /// How many objects it deletes.
    pub fn deletions(&self) -> usize {
        let is_deletion = |item: &&Item| matches!(item.action, Action::Delete(_));
        self.items.iter().filter(is_deletion).count()
    }
}

/// Makes the plan.
pub fn plan(world: &World) -> Plan {
    let mut blocks = Vec::new();
    let mut wanted = BTreeSet::new();
    let mut items = Vec::new();
    for object in world.desired {
        let key = Key::of(object);
        if !wanted.insert(key.clone()) {
            blocks.push(Block::Twice(key));
            continue;
        }
        let schedule = schedule(object);
        if schedule.role == Role::Elsewhere {
            continue;
        }
        blocks.extend(against(world, &key, schedule.role == Role::Member));
        items.push(Item {
            action: action(world, &key, &schedule),
            object: Some(object.clone()),
            health: world.live.get(&key).and_then(health::assess),
            key,
            schedule,
        });
    }
    let unwanted = world.inventory.iter().filter(|(key, _)| !wanted.contains(key));
    items.extend(unwanted.filter_map(|(key, uid)| removal(world, &wanted, key, uid)));
    let plan = Plan { items, blocks };
    within_budget(world, plan)
}

fn against(world: &World, key: &Key, is_member: bool) -> Option<Block> {
    if let Some(app) = world.others.get(key) {
        return Some(Block::Owned(key.clone(), app.clone()));
    }
    match world.dry.get(key)? {
        Dry::Refused(message) if is_member => Some(Block::Refused(key.clone(), message.clone())),
        Dry::Conflict(managers) => Some(Block::Conflict(key.clone(), managers.clone())),
        _ => None,
    }
}

fn action(world: &World, key: &Key, schedule: &Schedule) -> Action {
    if schedule.role != Role::Member {
        return Action::Run;
    }
    match (world.live.get(key), world.dry.get(key)) {
        (None, Some(Dry::Early) | None) => Action::Later,
        (None, _) => Action::Create,
        (Some(live), Some(Dry::Would(predicted))) => {
            let found = difference(live, predicted);
            if found.is_empty() {
                Action::Unchanged
            } else {
                Action::Update(found)
            }
        }
        (Some(_), _) => Action::Later,
    }
}

/// What becomes of an object that is in the inventory and no longer wanted; nothing where it is gone.
fn removal(world: &World, wanted: &BTreeSet<Key>, key: &Key, uid: &str) -> Option<Item> {
    let live = world.live.get(key)?;
    let schedule = schedule(live);
    let agree = world.again.is_some_and(|again| again == wanted);
    let action = if live["metadata"]["uid"] != *uid {
        Action::Keep(Kept::OtherUid)
    } else if schedule.keep {
        Action::Keep(Kept::ByAnnotation)
    } else if !world.policy.prune {
        Action::Keep(Kept::ByPolicy)
    } else if !agree {
        Action::Keep(Kept::RendersDisagree)
    } else {
        Action::Delete(uid.to_owned())
    };
    Some(Item {
        key: key.clone(),
        action,
        schedule,
        object: None,
        health: None,
    })
}

fn within_budget(world: &World, mut plan: Plan) -> Plan {
    let (count, of) = (plan.deletions(), world.inventory.len());
    if world.policy.is_deletion_approved || count == 0 {
        return plan;
    }
    let allowed = world
        .policy
        .budget
        .count
        .max(of * world.policy.budget.percent / 100);
    if world.desired.is_empty() {
        plan.blocks.push(Block::Nothing);
    } else if count > allowed {
        plan.blocks.push(Block::Deletions { count, of, allowed });
    }
    plan
}

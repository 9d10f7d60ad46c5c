//! One sync of one target, as a state machine: effects out, what became of them in.
//!
//! Phases follow one another, within a phase its waves, within a wave the objects by [`crate::order::rank`]. A wave is over when
//! all of it is written and healthy, and each hook has run to its end. What is no longer wanted goes after the last wave
//! of [`Phase::Sync`]. A failure runs the hooks of [`Phase::SyncFail`] and ends the sync.

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;
use serde_json::Value;

use crate::health::{self, Health, Reason, Status};
use crate::hooks::{Phase, Role};
use crate::key::Key;
use crate::limits::{ATTEMPTS, FIRST_PAUSE, LONGEST_PAUSE, WRITES_AT_ONCE};
use crate::order::{is_ground, rank};
use crate::plan::{Action, Item, Plan};

/// What happens.
#[derive(Clone, Debug, PartialEq)]
pub enum Input {
    /// An object was written; this is what it is now.
    Applied(Key, Value),
    /// It was not.
    Failed(Key, Failure),
    /// A deletion that was asked for was accepted; the watch will say when the object is gone.
    Deleting(Key),
    /// There was nothing to delete, or it went at once.
    Gone(Key),
    /// The watch says what an object is now; `None`: it is gone.
    Seen(Key, Option<Value>),
    /// The time has come that [`Effect::Wake`] named.
    Tick,
    /// A newer commit takes over, or a person ends it.
    Stop,
}

/// Why a write did not succeed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Failure {
    /// In the API server's words.
    pub message: String,
    /// Whether the same write may succeed later: nobody answered, a conflict of revisions, a kind that is not served yet.
    pub is_passing: bool,
}

/// What is to be done.
#[derive(Clone, Debug, PartialEq)]
pub enum Effect {
    /// Server-side apply of an object, with the field manager `deploy`.
    Apply(Key, Value),
    /// Deletion of an object, in the foreground; only where it has this uid, if one is given.
    Delete(Key, Option<String>),
    /// [`Input::Tick`] at this time; a later one replaces it.
    Wake(Timestamp),
    /// The end. Nothing follows.
    Finish(Outcome),
}

/// How a sync ended.
#[derive(Clone, Debug, PartialEq)]
pub enum Outcome {
    /// All is written and healthy.
    Done,
    /// Something was refused, a hook failed, or something will not become healthy by itself.
    Failed(Key, Reason),
    /// Not healthy in time: what is waited for, each with what it waits for.
    DeadlineExceeded(Vec<(Key, Health)>),
    /// Ended from outside. What was written stays.
    Stopped,
}

/// One sync. Feed it every input; carry out every effect.
#[derive(Debug)]
pub struct Sync {
    waves: Vec<Wave>,
    /// The wave that is under way.
    at: usize,
    tasks: BTreeMap<Key, Task>,
    deadline: Timestamp,
    /// The failure whose hooks run now.
    failure: Option<Outcome>,
    is_over: bool,
}

#[derive(Debug)]
struct Wave {
    phase: Phase,
    items: Vec<Item>,
}

/// One object of the wave that is under way.
#[derive(Debug)]
struct Task {
    /// What it is to be; `None`: gone.
    object: Option<Value>,
    is_hook: bool,
    /// An earlier object of its name has to go first.
    is_in_the_way: bool,
    /// Written by this sync: if it does badly now, that is news.
    is_written: bool,
    uid: Option<String>,
    rank: usize,
    state: State,
    attempts: u32,
    health: Option<Health>,
}

#[derive(Debug, PartialEq)]
enum State {
    /// Its turn has not come.
    Queued,
    /// An earlier object of its name goes first.
    Clearing,
    Writing,
    Pausing(Timestamp),
    /// Written, or deleted, and not yet healthy, or gone.
    Waiting,
    Over,
}

impl Sync {
    /// Begins to carry a plan out. It must have no blocks.
    pub fn start(now: Timestamp, plan: Plan, deadline: Timestamp) -> (Sync, Vec<Effect>) {
        let mut sync = Sync {
            waves: waves(plan.items),
            at: 0,
            tasks: BTreeMap::new(),
            deadline,
            failure: None,
            is_over: false,
        };
        sync.enter();
        let effects = sync.go_on(now);
        (sync, effects)
    }

    /// Takes an input and says what is to be done.
    pub fn step(&mut self, now: Timestamp, input: Input) -> Vec<Effect> {
        if self.is_over {
            return Vec::new();
        }
        match input {
            Input::Applied(key, live) => self.applied(&key, &live),
            Input::Failed(key, failure) => {
                if let Some(effects) = self.failed(now, &key, failure) {
                    return effects;
                }
            }
            Input::Deleting(key) => self.deleted(&key, false),
            Input::Gone(key) => self.deleted(&key, true),
            Input::Seen(key, live) => self.seen(&key, live.as_ref()),
            Input::Tick => {}
            Input::Stop => return self.finish(Outcome::Stopped),
        }
        self.go_on(now)
    }

    /// What the wave under way waits for.
    pub fn waiting(&self) -> Vec<(Key, Health)> {
        let is_open = |task: &&Task| task.state != State::Over;
        self.tasks
            .iter()
            .filter(|(_, task)| is_open(task))
            .map(|(key, task)| (key.clone(), task.health.clone().unwrap_or_else(unknown)))
            .collect()
    }

    /// The phase that is under way, and the number of its wave among all.
    pub fn progress(&self) -> (Option<Phase>, usize, usize) {
        let phase = self.waves.get(self.at).map(|wave| wave.phase);
        (phase, self.at, self.waves.len())
    }

    fn applied(&mut self, key: &Key, live: &Value) {
        if let Some(task) = self.tasks.get_mut(key)
            && task.state == State::Writing
        {
            task.state = State::Waiting;
            task.is_written = true;
            task.look(key, Some(live));
        }
    }

    fn deleted(&mut self, key: &Key, is_gone: bool) {
        if let Some(task) = self.tasks.get_mut(key) {
            match task.state {
                State::Clearing if is_gone => task.state = State::Queued,
                State::Writing if task.object.is_none() => {
                    task.state = if is_gone { State::Over } else { State::Waiting };
                }
                _ => {}
            }
        }
    }

    fn seen(&mut self, key: &Key, live: Option<&Value>) {
        if let Some(task) = self.tasks.get_mut(key) {
            match (&task.state, live) {
                (State::Clearing, None) => task.state = State::Queued,
                (State::Waiting, live) => task.look(key, live),
                _ => {}
            }
        }
    }

    /// Effects only where this ends the sync.
    fn failed(&mut self, now: Timestamp, key: &Key, failure: Failure) -> Option<Vec<Effect>> {
        let task = self.tasks.get_mut(key)?;
        task.attempts += 1;
        if failure.is_passing && task.attempts < ATTEMPTS {
            let longer = FIRST_PAUSE.saturating_mul(1 << (task.attempts - 1).min(16));
            let at = now.saturating_add(longer.min(LONGEST_PAUSE));
            task.state = State::Pausing(at.unwrap_or(now));
            return None;
        }
        let reason = Reason::told("", &failure.message);
        Some(self.fail(now, Outcome::Failed(key.clone(), reason)))
    }

    /// Everything that follows from the present state.
    fn go_on(&mut self, now: Timestamp) -> Vec<Effect> {
        let mut effects = Vec::new();
        loop {
            if now >= self.deadline {
                let waiting = self.waiting();
                effects.extend(self.fail(now, Outcome::DeadlineExceeded(waiting)));
                return effects;
            }
            if let Some((key, reason)) = self.hopeless() {
                effects.extend(self.fail(now, Outcome::Failed(key, reason)));
                return effects;
            }
            effects.extend(self.write(now));
            if self.tasks.values().any(|task| task.state != State::Over) {
                effects.push(Effect::Wake(self.next_time()));
                return effects;
            }
            effects.extend(self.leave());
            self.at += 1;
            if self.has_no_more() {
                let outcome = self.failure.take().unwrap_or(Outcome::Done);
                effects.extend(self.finish(outcome));
                return effects;
            }
            self.enter();
        }
    }

    /// What is there for failures has its turn only after one.
    fn has_no_more(&self) -> bool {
        match self.waves.get(self.at) {
            Some(wave) => wave.phase == Phase::SyncFail && self.failure.is_none(),
            None => true,
        }
    }

    /// Makes the tasks of the wave whose turn it is.
    fn enter(&mut self) {
        self.tasks.clear();
        let Some(wave) = self.waves.get(self.at) else {
            return;
        };
        for item in &wave.items {
            self.tasks.insert(item.key.clone(), Task::of(item));
        }
    }

    /// Starts writes of the lowest rank that is open, as many as may be under way at a time.
    fn write(&mut self, now: Timestamp) -> Vec<Effect> {
        let mut effects = Vec::new();
        let mut free = WRITES_AT_ONCE.saturating_sub(self.writes());
        // What others stand on (namespaces, definitions) is waited for; beyond, only the order of writes counts.
        let ground = self
            .tasks
            .iter()
            .any(|(key, task)| is_ground(key) && task.state != State::Over);
        let mut ready: Vec<(&Key, &mut Task)> = self
            .tasks
            .iter_mut()
            .filter(|(key, task)| task.may_write(now) && (!ground || is_ground(key) || task.object.is_none()))
            .collect();
        ready.sort_by_key(|(_, task)| task.rank);
        for (key, task) in ready {
            if free == 0 {
                break;
            }
            free -= 1;
            effects.push(task.write(key));
        }
        effects
    }

    fn writes(&self) -> usize {
        let is_writing = |task: &&Task| matches!(task.state, State::Writing | State::Clearing);
        self.tasks.values().filter(is_writing).count()
    }

    /// Something of the wave that will not get well by itself.
    fn hopeless(&self) -> Option<(Key, Reason)> {
        if self.failure.is_some() {
            return None;
        }
        let (key, task) = self.tasks.iter().find(|(key, task)| task.is_lost(key))?;
        let reason = task.health.as_ref().map(|health| health.reason.clone());
        Some((key.clone(), reason.unwrap_or(Reason::Fine)))
    }

    /// Deletes the hooks of a wave that has succeeded.
    fn leave(&self) -> Vec<Effect> {
        let Some(wave) = self.waves.get(self.at) else {
            return Vec::new();
        };
        hooks_to_delete(wave, |deletion| deletion.succeeded)
    }

    /// Ends the waves; what is there for failures runs first.
    fn fail(&mut self, now: Timestamp, outcome: Outcome) -> Vec<Effect> {
        if self.failure.is_some() {
            let outcome = self.failure.take().unwrap_or(outcome);
            return self.finish(outcome);
        }
        let mut effects = match self.waves.get(self.at) {
            Some(wave) => hooks_to_delete(wave, |deletion| deletion.failed),
            None => Vec::new(),
        };
        let first = self.waves.iter().position(|wave| wave.phase == Phase::SyncFail);
        let Some(first) = first.filter(|_| now < self.deadline) else {
            effects.extend(self.finish(outcome));
            return effects;
        };
        self.failure = Some(outcome);
        self.at = first;
        self.enter();
        effects.extend(self.go_on(now));
        effects
    }

    fn finish(&mut self, outcome: Outcome) -> Vec<Effect> {
        self.is_over = true;
        vec![Effect::Finish(outcome)]
    }

    fn next_time(&self) -> Timestamp {
        let pauses = self.tasks.values().filter_map(|task| match task.state {
            State::Pausing(at) => Some(at),
            _ => None,
        });
        pauses.min().map_or(self.deadline, |at| at.min(self.deadline))
    }
}

impl Task {
    fn of(item: &Item) -> Task {
        let uid = match &item.action {
            Action::Delete(uid) => Some(uid.clone()),
            _ => None,
        };
        let is_hook = item.schedule.role != Role::Member && item.object.is_some();
        let is_well = item.health.as_ref().is_none_or(is_well);
        let state = match item.action {
            Action::Keep(_) => State::Over,
            Action::Unchanged if is_well => State::Over,
            Action::Unchanged => State::Waiting,
            _ => State::Queued,
        };
        let rank = rank(&item.key);
        Task {
            is_in_the_way: is_hook && item.schedule.deletion.before,
            is_written: false,
            // What goes, goes in the reverse order.
            rank: if item.object.is_some() {
                rank
            } else {
                usize::MAX - rank
            },
            object: item.object.clone(),
            is_hook,
            uid,
            state,
            attempts: 0,
            health: item.health.clone(),
        }
    }

    fn may_write(&self, now: Timestamp) -> bool {
        match self.state {
            State::Queued => true,
            State::Pausing(at) => at <= now,
            _ => false,
        }
    }

    fn write(&mut self, key: &Key) -> Effect {
        if std::mem::take(&mut self.is_in_the_way) {
            self.state = State::Clearing;
            return Effect::Delete(key.clone(), None);
        }
        self.state = State::Writing;
        match &self.object {
            Some(object) => Effect::Apply(key.clone(), object.clone()),
            None => Effect::Delete(key.clone(), self.uid.clone()),
        }
    }

    /// Whether it will not get well by itself: a hook that failed, or a part of the app whose controller has given up on
    /// what this sync wrote.
    fn is_lost(&self, key: &Key) -> bool {
        let gives_up = matches!(key.kind.as_str(), "Deployment" | "Job");
        let is_degraded = self
            .health
            .as_ref()
            .is_some_and(|health| health.status == Status::Degraded);
        is_degraded && self.object.is_some() && self.is_written && (self.is_hook || gives_up)
    }

    /// Looks at what it is now.
    fn look(&mut self, key: &Key, live: Option<&Value>) {
        let Some(live) = live else {
            // What was to go is gone; what was to be there has been taken away, which the next sync finds as drift.
            self.state = State::Over;
            self.health = None;
            return;
        };
        self.health = health::assess(live);
        if self.object.is_none() {
            return;
        }
        let is_over = match &self.health {
            None => true,
            Some(health) if self.is_hook => is_ended(key, live, health),
            Some(health) => is_well(health),
        };
        if is_over {
            self.state = State::Over;
        }
    }
}

fn is_well(health: &Health) -> bool {
    matches!(health.status, Status::Healthy | Status::Suspended)
}

/// A hook that runs must have run to its end; another is only there.
fn is_ended(key: &Key, live: &Value, health: &Health) -> bool {
    match key.kind.as_str() {
        "Pod" => live["status"]["phase"] == "Succeeded",
        _ => health.status == Status::Healthy,
    }
}

fn hooks_to_delete(wave: &Wave, is_asked: impl Fn(&crate::hooks::Deletion) -> bool) -> Vec<Effect> {
    let hooks = wave
        .items
        .iter()
        .filter(|item| item.action == Action::Run && is_asked(&item.schedule.deletion));
    hooks.map(|item| Effect::Delete(item.key.clone(), None)).collect()
}

fn unknown() -> Health {
    Health {
        status: Status::Unknown,
        reason: Reason::Fine,
    }
}

/// The waves in their order; a hook of several phases is in a wave of each.
fn waves(items: Vec<Item>) -> Vec<Wave> {
    let mut waves: BTreeMap<(Phase, i64), Vec<Item>> = BTreeMap::new();
    let mut gone = Vec::new();
    for item in items {
        if matches!(item.action, Action::Delete(_) | Action::Keep(_)) {
            gone.push(item);
            continue;
        }
        let phases = match &item.schedule.role {
            Role::Member => vec![Phase::Sync],
            Role::Hook(phases) => phases.clone(),
            Role::Elsewhere => Vec::new(),
        };
        for phase in phases {
            waves
                .entry((phase, item.schedule.wave))
                .or_default()
                .push(item.clone());
        }
    }
    let mut list: Vec<Wave> = waves
        .into_iter()
        .map(|((phase, _), items)| Wave { phase, items })
        .collect();
    let after_sync = list
        .iter()
        .position(|wave| wave.phase > Phase::Sync)
        .unwrap_or(list.len());
    for wave in removals(gone).into_iter().rev() {
        list.insert(after_sync, wave);
    }
    list
}

/// What goes, the highest wave first.
fn removals(items: Vec<Item>) -> Vec<Wave> {
    let mut by_wave: BTreeMap<std::cmp::Reverse<i64>, Vec<Item>> = BTreeMap::new();
    for item in items {
        by_wave
            .entry(std::cmp::Reverse(item.schedule.wave))
            .or_default()
            .push(item);
    }
    let wave = |items| Wave {
        phase: Phase::Sync,
        items,
    };
    by_wave.into_values().map(wave).collect()
}

/// The keys that a plan writes, for those who have to watch them.
pub fn written(plan: &Plan) -> BTreeSet<Key> {
    let is_written = |item: &&Item| item.object.is_some();
    plan.items
        .iter()
        .filter(is_written)
        .map(|item| item.key.clone())
        .collect()
}

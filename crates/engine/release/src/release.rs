//! One version on its way through an environment, as a state machine.
//!
//! ```text
//! render ─▶ approvals ─▶ wave 1: free? ─▶ commit ─▶ sync each site ─▶ healthy ─▶ hold ─▶ wave 2 ... ─▶ healthy
//!                                                        └─ not healthy ─▶ undo of all that it reached ─▶ failed
//! ```
//!
//! A release is for one environment; the next environment's is started by who sees this one end ([`Effect::Finish`]).

use std::collections::{BTreeMap, BTreeSet};

use jiff::{SignedDuration, Timestamp};

use crate::app::{Environment, Promote};
use crate::limits::UNDO_DEADLINE;
use crate::site::Releases;

/// What happens.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Input {
    /// All sites are rendered; these differ from what the state repository has.
    Rendered(BTreeSet<String>),
    /// It cannot be rendered: in one sentence.
    NotRendered(String),
    /// Somebody says `deploy promote`.
    Promoted {
        /// Who.
        by: String,
    },
    /// Somebody approves it.
    Approved {
        /// Who; the same person counts once.
        by: String,
    },
    /// Somebody lets it into a site against its sale calendar.
    Override {
        /// Who.
        by: String,
        /// Why; without a reason it does not count.
        reason: String,
        /// The site.
        site: String,
    },
    /// An answer to [`Effect::Ask`]: what stands against a release into a site now.
    Calendar(String, Option<crate::freeze::Held>),
    /// The commit of a wave, or of an undo, is in the state repository.
    Committed {
        /// Its id.
        commit: String,
    },
    /// The commit cannot be made: in one sentence.
    NotCommitted(String),
    /// The sync of a site has ended with all healthy.
    Healthy(String),
    /// The sync of a site has ended otherwise.
    Unhealthy {
        /// The site.
        site: String,
        /// Why, in one sentence.
        reason: String,
    },
    /// The time has come that [`Effect::Wake`] named.
    Tick,
    /// A newer commit of the app takes over.
    Superseded,
    /// Somebody ends it.
    Cancelled {
        /// Who.
        by: String,
    },
}

/// What is to be done. Each may be carried out twice: a crash is a replay.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Effect {
    /// Render all sites of the environment.
    Render,
    /// Ask for a site's calendar.
    Ask(String),
    /// Commit the rendered objects of these sites to the state repository, as one commit.
    Commit(Vec<String>),
    /// Commit what was there before this release for these sites, as one commit, with this sentence as its reason.
    CommitUndo {
        /// The sites that it reached.
        sites: Vec<String>,
        /// Why.
        reason: String,
    },
    /// Make a site what the state repository says, and say how that ended no later than at the deadline.
    Sync {
        /// The site.
        site: String,
        /// When it must be healthy.
        deadline: Timestamp,
    },
    /// End the sync of a site that is under way; its end is not waited for.
    StopSync(String),
    /// [`Input::Tick`] at this time; a later one replaces it.
    Wake(Timestamp),
    /// The end. Nothing follows.
    Finish(Verdict),
}

/// How a release ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// In all sites of the environment, and healthy.
    Healthy,
    /// It was what is there already.
    Unchanged,
    /// It reached sites and was undone there.
    Undone {
        /// The sites.
        sites: Vec<String>,
        /// Why, in one sentence.
        reason: String,
    },
    /// It reached nothing.
    Failed(String),
    /// It was to be undone, and the undo did not get healthy either: somebody has to look.
    Stuck {
        /// The sites.
        sites: Vec<String>,
        /// Why it was undone, and why that did not help.
        reason: String,
    },
    /// A newer version took over. What it reached stays until that one comes.
    Superseded,
    /// Somebody ended it. What it reached stays.
    Cancelled {
        /// Who.
        by: String,
    },
}

/// For what a release waits, so that it can be shown.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Waiting {
    /// Its objects are being made.
    Render,
    /// `deploy promote`.
    Promotion,
    /// More people's approval.
    Approval {
        /// So many have approved.
        have: usize,
        /// So many must.
        need: usize,
    },
    /// A site's sale calendar.
    Calendar {
        /// The site.
        site: String,
        /// What stands against it.
        held: crate::freeze::Held,
    },
    /// The state repository.
    Commit,
    /// Sites that are not healthy yet.
    Health(Vec<String>),
    /// The time between two waves.
    Hold(Timestamp),
    /// What was there before comes back.
    Undo(Vec<String>),
    /// It has ended.
    Nothing,
}

/// A release of one version into one environment.
#[derive(Debug)]
pub struct Release {
    environment: Environment,
    state: State,
    /// Sites that differ from the state repository: only these are written.
    changed: BTreeSet<String>,
    is_promoted: bool,
    approvals: BTreeSet<String>,
    overrides: BTreeSet<String>,
    /// Sites that a commit of this release has changed, in order.
    reached: Vec<String>,
}

#[derive(Debug, PartialEq)]
enum State {
    Rendering,
    /// Promotion and approvals.
    Permission,
    /// Asked for the calendars of a wave; what each said.
    Calendars(usize, BTreeMap<String, Option<crate::freeze::Held>>),
    Committing(usize),
    /// Sites of a wave that are not healthy yet.
    Syncing(usize, BTreeSet<String>),
    Holding(usize, Timestamp),
    CommittingUndo(String),
    Undoing(String, BTreeSet<String>),
    Over,
}

impl Release {
    /// Begins a release. Nobody needs to promote it where the environment takes versions by itself.
    pub fn start(environment: Environment) -> (Release, Vec<Effect>) {
        let release = Release {
            is_promoted: environment.promote == Promote::Automatic,
            environment,
            state: State::Rendering,
            changed: BTreeSet::new(),
            approvals: BTreeSet::new(),
            overrides: BTreeSet::new(),
            reached: Vec::new(),
        };
        (release, vec![Effect::Render])
    }

    /// Takes an input and says what is to be done. What does not fit the present state changes nothing: it is an echo of
    /// an effect that was carried out twice.
    pub fn step(&mut self, now: Timestamp, input: Input) -> Vec<Effect> {
        match input {
            _ if self.state == State::Over => Vec::new(),
            Input::Rendered(changed) => self.rendered(changed),
            Input::NotRendered(reason) if self.state == State::Rendering => {
                self.finish(Verdict::Failed(reason))
            }
            Input::Promoted { .. } => {
                self.is_promoted = true;
                self.permitted()
            }
            Input::Approved { by } => {
                self.approvals.insert(by);
                self.permitted()
            }
            Input::Override { reason, site, .. } => self.overridden(reason, site),
            Input::Calendar(site, held) => self.calendar(site, held),
            Input::Committed { .. } => self.committed(now),
            Input::NotCommitted(reason) => self.not_committed(reason),
            Input::Healthy(site) => self.healthy(now, &site),
            Input::Unhealthy { site, reason } => self.unhealthy(site, reason),
            Input::Tick => self.tick(now),
            Input::Superseded => self.leave(Verdict::Superseded),
            Input::Cancelled { by } => self.leave(Verdict::Cancelled { by }),
            Input::NotRendered(_) => Vec::new(),
        }
    }

    /// For what it waits.
    pub fn waiting(&self) -> Waiting {
        match &self.state {
            State::Rendering => Waiting::Render,
            State::Permission if !self.is_promoted => Waiting::Promotion,
            State::Permission => Waiting::Approval {
                have: self.approvals.len(),
                need: self.environment.approvals,
            },
            State::Calendars(_, answers) => self.held(answers),
            State::Committing(_) => Waiting::Commit,
            State::Syncing(_, open) => Waiting::Health(open.iter().cloned().collect()),
            State::Holding(_, until) => Waiting::Hold(*until),
            State::CommittingUndo(_) | State::Undoing(..) => Waiting::Undo(self.reached.clone()),
            State::Over => Waiting::Nothing,
        }
    }

    /// Sites that a commit of this release has changed, in their order.
    pub fn reached(&self) -> &[String] {
        &self.reached
    }

    fn rendered(&mut self, changed: BTreeSet<String>) -> Vec<Effect> {
        if self.state != State::Rendering {
            return Vec::new();
        }
        if changed.is_empty() {
            return self.finish(Verdict::Unchanged);
        }
        self.changed = changed;
        self.state = State::Permission;
        self.permitted()
    }

    fn permitted(&mut self) -> Vec<Effect> {
        if self.state != State::Permission
            || !self.is_promoted
            || self.approvals.len() < self.environment.approvals
        {
            return Vec::new();
        }
        self.begin(0)
    }

    /// The sites of a wave that this release changes.
    fn sites(&self, wave: usize) -> Vec<String> {
        let sites = self.environment.waves.get(wave).map(|wave| wave.sites.as_slice());
        let is_changed = |site: &&String| self.changed.contains(*site);
        sites
            .unwrap_or_default()
            .iter()
            .filter(is_changed)
            .cloned()
            .collect()
    }

    /// Begins the first wave from this one on that has something to do.
    fn begin(&mut self, wave: usize) -> Vec<Effect> {
        let next = (wave..self.environment.waves.len()).find(|wave| !self.sites(*wave).is_empty());
        let Some(wave) = next else {
            return self.finish(Verdict::Healthy);
        };
        self.state = State::Calendars(wave, BTreeMap::new());
        self.sites(wave).into_iter().map(Effect::Ask).collect()
    }

    fn calendar(&mut self, site: String, held: Option<crate::freeze::Held>) -> Vec<Effect> {
        let State::Calendars(_, answers) = &mut self.state else {
            return Vec::new();
        };
        answers.insert(site, held);
        self.pass_calendars()
    }

    fn overridden(&mut self, reason: String, site: String) -> Vec<Effect> {
        if reason.trim().is_empty() {
            return Vec::new();
        }
        self.overrides.insert(site);
        self.pass_calendars()
    }

    /// A confirmation is one person's approval of this release; a freeze needs an override of its site.
    fn passes(&self, site: &str, held: Option<&crate::freeze::Held>) -> bool {
        match held.map(|held| held.releases) {
            None => true,
            Some(Releases::Confirm) => !self.approvals.is_empty() || self.overrides.contains(site),
            Some(Releases::Freeze) => self.overrides.contains(site),
        }
    }

    fn pass_calendars(&mut self) -> Vec<Effect> {
        let State::Calendars(wave, answers) = &self.state else {
            return Vec::new();
        };
        let (wave, sites) = (*wave, self.sites(*wave));
        if sites.iter().any(|site| !answers.contains_key(site)) {
            return Vec::new();
        }
        let held: Vec<&crate::freeze::Held> = sites
            .iter()
            .filter_map(|site| {
                let held = answers.get(site)?.as_ref();
                if self.passes(site, held) { None } else { held }
            })
            .collect();
        match held.iter().map(|held| held.until).max() {
            Some(until) => vec![Effect::Wake(until)],
            None => {
                self.state = State::Committing(wave);
                vec![Effect::Commit(sites)]
            }
        }
    }

    fn held(&self, answers: &BTreeMap<String, Option<crate::freeze::Held>>) -> Waiting {
        let against = answers
            .iter()
            .find(|(site, held)| !self.passes(site, held.as_ref()))
            .and_then(|(site, held)| Some((site.clone(), held.clone()?)));
        match against {
            Some((site, held)) => Waiting::Calendar { site, held },
            None => Waiting::Commit,
        }
    }

    fn committed(&mut self, now: Timestamp) -> Vec<Effect> {
        match &self.state {
            State::Committing(wave) => {
                let (wave, sites) = (*wave, self.sites(*wave));
                self.reached.extend(sites.iter().cloned());
                let syncs = syncs(&sites, after(now, self.environment.deadline));
                self.state = State::Syncing(wave, sites.into_iter().collect());
                syncs
            }
            State::CommittingUndo(reason) => {
                let syncs = syncs(&self.reached, after(now, UNDO_DEADLINE));
                self.state = State::Undoing(reason.clone(), self.reached.iter().cloned().collect());
                syncs
            }
            _ => Vec::new(),
        }
    }

    fn not_committed(&mut self, reason: String) -> Vec<Effect> {
        match &self.state {
            // Nothing of it is anywhere. Otherwise it is half there, which nobody asked for.
            State::Committing(_) if self.reached.is_empty() => self.finish(Verdict::Failed(reason)),
            State::Committing(_) => self.undo(reason),
            State::CommittingUndo(first) => {
                let reason = format!("{first}; {reason}");
                let sites = self.reached.clone();
                self.finish(Verdict::Stuck { sites, reason })
            }
            _ => Vec::new(),
        }
    }

    fn healthy(&mut self, now: Timestamp, site: &str) -> Vec<Effect> {
        match &mut self.state {
            State::Syncing(wave, open) => {
                open.remove(site);
                if !open.is_empty() {
                    return Vec::new();
                }
                let wave = *wave;
                self.hold(now, wave)
            }
            State::Undoing(reason, open) => {
                open.remove(site);
                if !open.is_empty() {
                    return Vec::new();
                }
                let (reason, sites) = (reason.clone(), self.reached.clone());
                self.finish(Verdict::Undone { sites, reason })
            }
            _ => Vec::new(),
        }
    }

    /// Waits between waves; behind the last one there is nothing to wait for.
    fn hold(&mut self, now: Timestamp, wave: usize) -> Vec<Effect> {
        let is_last = (wave + 1..self.environment.waves.len()).all(|wave| self.sites(wave).is_empty());
        let hold = self.environment.waves[wave].hold;
        if is_last || hold.is_zero() {
            return self.begin(wave + 1);
        }
        let until = after(now, hold);
        self.state = State::Holding(wave, until);
        vec![Effect::Wake(until)]
    }

    fn unhealthy(&mut self, site: String, reason: String) -> Vec<Effect> {
        match &self.state {
            State::Syncing(_, open) if open.contains(&site) => {
                let others = open.iter().filter(|open| **open != site).cloned();
                let mut effects: Vec<Effect> = others.map(Effect::StopSync).collect();
                effects.extend(self.undo(format!("{site}: {reason}")));
                effects
            }
            State::Undoing(first, open) if open.contains(&site) => {
                let reason = format!("{first}; {site}: {reason}");
                let sites = self.reached.clone();
                self.finish(Verdict::Stuck { sites, reason })
            }
            _ => Vec::new(),
        }
    }

    fn undo(&mut self, reason: String) -> Vec<Effect> {
        self.state = State::CommittingUndo(reason.clone());
        let sites = self.reached.clone();
        vec![Effect::CommitUndo { sites, reason }]
    }

    fn tick(&mut self, now: Timestamp) -> Vec<Effect> {
        match &self.state {
            State::Holding(wave, until) if now >= *until => {
                let wave = *wave;
                self.begin(wave + 1)
            }
            State::Holding(_, until) => vec![Effect::Wake(*until)],
            // A calendar may have passed: it is asked anew.
            State::Calendars(wave, _) => {
                let wave = *wave;
                self.begin(wave)
            }
            _ => Vec::new(),
        }
    }

    /// Ends it from outside. An undo is finished first: half of one would be a state that nobody asked for.
    fn leave(&mut self, verdict: Verdict) -> Vec<Effect> {
        let stop: Vec<Effect> = match &self.state {
            State::CommittingUndo(_) | State::Undoing(..) => return Vec::new(),
            State::Syncing(_, open) => open.iter().cloned().map(Effect::StopSync).collect(),
            _ => Vec::new(),
        };
        stop.into_iter().chain(self.finish(verdict)).collect()
    }

    fn finish(&mut self, verdict: Verdict) -> Vec<Effect> {
        self.state = State::Over;
        vec![Effect::Finish(verdict)]
    }
}

fn syncs(sites: &[String], deadline: Timestamp) -> Vec<Effect> {
    let sync = |site: &String| Effect::Sync {
        site: site.clone(),
        deadline,
    };
    sites.iter().map(sync).collect()
}

fn after(now: Timestamp, length: SignedDuration) -> Timestamp {
    now.checked_add(length).unwrap_or(Timestamp::MAX)
}

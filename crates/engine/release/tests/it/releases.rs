//! One release at a time, driven by a world that answers its effects.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use deploy_release::app::{Environment, Promote, Wave};
use deploy_release::freeze::Held;
use deploy_release::release::{Effect, Input, Release, Verdict, Waiting};
use deploy_release::site::Releases;
use jiff::{SignedDuration, Timestamp};
use proptest::prelude::*;

fn environment(waves: &[&[&str]]) -> Environment {
    let waves = waves.iter().map(|sites| Wave {
        sites: sites.iter().map(|site| (*site).to_owned()).collect(),
        hold: SignedDuration::from_mins(1),
    });
    Environment {
        name: "prod".to_owned(),
        waves: waves.collect(),
        promote: Promote::Automatic,
        approvals: 0,
        deadline: SignedDuration::from_mins(10),
    }
}

/// What goes wrong.
#[derive(Clone, Debug, Default)]
struct Faults {
    /// Syncs of a site that end badly, by number.
    sick: BTreeMap<String, u32>,
    /// Commits that fail, by number.
    commits: BTreeSet<u32>,
    frozen: BTreeMap<String, Held>,
}

struct World {
    faults: Faults,
    now: Timestamp,
    commits: u32,
    /// Commits and syncs, in order.
    log: Vec<String>,
    /// What each site has: the release's version, or the one before.
    new: BTreeSet<String>,
}

impl World {
    fn new(faults: Faults) -> World {
        World {
            faults,
            now: Timestamp::UNIX_EPOCH,
            commits: 0,
            log: Vec::new(),
            new: BTreeSet::new(),
        }
    }

    /// Drives a release until it ends or waits for people.
    fn run(&mut self, release: &mut Release, effects: Vec<Effect>) -> Option<Verdict> {
        let (mut queue, mut wake) = (VecDeque::from(effects), None);
        for _ in 0..10_000 {
            let input = match queue.pop_front() {
                Some(Effect::Finish(verdict)) => {
                    assert!(queue.is_empty(), "nothing follows the end: {queue:?}");
                    return Some(verdict);
                }
                Some(Effect::Wake(at)) => {
                    wake = Some(at);
                    continue;
                }
                Some(effect) => self.answer(effect, release),
                None => {
                    self.now = wake.take()?;
                    Some(Input::Tick)
                }
            };
            queue.extend(
                input
                    .into_iter()
                    .flat_map(|input| release.step(self.now, input))
                    .collect::<Vec<_>>(),
            );
        }
        panic!("it does not end: {:?}", release.waiting());
    }

    fn answer(&mut self, effect: Effect, release: &Release) -> Option<Input> {
        Some(match effect {
            Effect::Render => Input::Rendered(["my", "de", "us"].map(str::to_owned).into()),
            Effect::Ask(site) => {
                let held = self
                    .faults
                    .frozen
                    .get(&site)
                    .filter(|held| held.until > self.now)
                    .cloned();
                Input::Calendar(site, held)
            }
            Effect::Commit(sites) => return Some(self.commit("commit", &sites, true)),
            Effect::CommitUndo { sites, .. } => {
                assert_eq!(sites, release.reached());
                return Some(self.commit("undo", &sites, false));
            }
            Effect::Sync { site, .. } => {
                self.log.push(format!("sync {site}"));
                match self.faults.sick.get_mut(&site).filter(|times| **times > 0) {
                    Some(times) => {
                        *times -= 1;
                        Input::Unhealthy {
                            site,
                            reason: "not healthy".to_owned(),
                        }
                    }
                    None => Input::Healthy(site),
                }
            }
            Effect::StopSync(site) => {
                self.log.push(format!("stop {site}"));
                return None;
            }
            Effect::Wake(_) | Effect::Finish(_) => unreachable!("run has them"),
        })
    }

    fn commit(&mut self, what: &str, sites: &[String], is_new: bool) -> Input {
        self.commits += 1;
        if self.faults.commits.contains(&self.commits) {
            return Input::NotCommitted("no space".to_owned());
        }
        self.log.push(format!("{what} {}", sites.join(" ")));
        for site in sites {
            if is_new {
                self.new.insert(site.clone());
            } else {
                self.new.remove(site);
            }
        }
        Input::Committed {
            commit: format!("c{}", self.commits),
        }
    }
}

fn held(releases: Releases, until: i64) -> Held {
    Held {
        name: ("Black Friday".to_owned(), "黑色星期五".to_owned()),
        releases,
        until: Timestamp::from_second(until).expect("a time"),
    }
}

fn run(environment: Environment, faults: Faults) -> (Option<Verdict>, World, Release) {
    let (mut release, effects) = Release::start(environment);
    let mut world = World::new(faults);
    let verdict = world.run(&mut release, effects);
    (verdict, world, release)
}

const WAVES: &[&[&str]] = &[&["my"], &["de", "us"]];

#[test]
fn waves_follow_one_another_with_a_hold_between() {
    let (verdict, world, _) = run(environment(WAVES), Faults::default());
    assert_eq!(verdict, Some(Verdict::Healthy));
    assert_eq!(
        world.log,
        ["commit my", "sync my", "commit de us", "sync de", "sync us"]
    );
    assert_eq!(world.now.as_second(), 60);
}

#[test]
fn what_is_not_healthy_is_undone_everywhere_it_came() {
    let sick = BTreeMap::from([("de".to_owned(), 1)]);
    let (verdict, world, _) = run(
        environment(WAVES),
        Faults {
            sick,
            ..Faults::default()
        },
    );
    let sites = ["my", "de", "us"].map(str::to_owned).to_vec();
    let reason = "de: not healthy".to_owned();
    assert_eq!(verdict, Some(Verdict::Undone { sites, reason }));
    assert_eq!(
        world.log,
        [
            "commit my",
            "sync my",
            "commit de us",
            "sync de",
            "sync us",
            "stop us",
            "undo my de us",
            "sync my",
            "sync de",
            "sync us"
        ]
    );
    assert!(world.new.is_empty());
}

#[test]
fn the_first_wave_protects_the_others() {
    let sick = BTreeMap::from([("my".to_owned(), 1)]);
    let (_, world, _) = run(
        environment(WAVES),
        Faults {
            sick,
            ..Faults::default()
        },
    );
    assert_eq!(world.log, ["commit my", "sync my", "undo my", "sync my"]);
}

#[test]
fn an_undo_that_does_not_help_asks_for_people() {
    let sick = BTreeMap::from([("my".to_owned(), 2)]);
    let (verdict, ..) = run(
        environment(WAVES),
        Faults {
            sick,
            ..Faults::default()
        },
    );
    let reason = "my: not healthy; my: not healthy".to_owned();
    assert_eq!(
        verdict,
        Some(Verdict::Stuck {
            sites: vec!["my".to_owned()],
            reason
        })
    );
}

#[test]
fn a_freeze_waits_for_its_end_or_for_an_override_with_a_reason() {
    let frozen = BTreeMap::from([("my".to_owned(), held(Releases::Freeze, 5000))]);
    let faults = Faults {
        frozen,
        ..Faults::default()
    };
    let (verdict, world, _) = run(environment(WAVES), faults.clone());
    assert_eq!((verdict, world.now.as_second()), (Some(Verdict::Healthy), 5060));

    let (mut release, effects) = Release::start(environment(WAVES));
    let mut world = World::new(faults);
    for effect in effects {
        let input = world.answer(effect, &release).expect("rendered");
        for effect in release.step(world.now, input) {
            let input = world.answer(effect, &release).expect("a calendar");
            assert_eq!(
                release.step(world.now, input),
                [Effect::Wake(held(Releases::Freeze, 5000).until)]
            );
        }
    }
    assert!(matches!(release.waiting(), Waiting::Calendar { site, .. } if site == "my"));
    let say = |reason: &str| Input::Override {
        by: "li".to_owned(),
        reason: reason.to_owned(),
        site: "my".to_owned(),
    };
    assert_eq!(release.step(world.now, say(" ")), []);
    assert_eq!(
        release.step(world.now, say("payment is broken")),
        [Effect::Commit(vec!["my".to_owned()])]
    );
}

#[test]
fn approvals_are_by_different_people_and_confirm_a_sale() {
    let mut two = environment(WAVES);
    two.approvals = 2;
    two.promote = Promote::Manual;
    let (mut release, _) = Release::start(two);
    let now = Timestamp::UNIX_EPOCH;
    let by = |name: &str| Input::Approved { by: name.to_owned() };
    assert_eq!(release.step(now, Input::Rendered(["my".to_owned()].into())), []);
    assert_eq!(release.waiting(), Waiting::Promotion);
    assert_eq!(release.step(now, Input::Promoted { by: "li".to_owned() }), []);
    assert_eq!(release.step(now, by("li")), []);
    assert_eq!(release.step(now, by("li")), []);
    assert_eq!(release.waiting(), Waiting::Approval { have: 1, need: 2 });
    assert_eq!(release.step(now, by("wang")), [Effect::Ask("my".to_owned())]);
    let confirm = Some(held(Releases::Confirm, 5000));
    assert_eq!(
        release.step(now, Input::Calendar("my".to_owned(), confirm)),
        [Effect::Commit(vec!["my".to_owned()])]
    );
}

#[test]
fn a_newer_version_takes_over_but_not_in_the_middle_of_an_undo() {
    let (mut release, _) = Release::start(environment(WAVES));
    let now = Timestamp::UNIX_EPOCH;
    release.step(now, Input::Rendered(["my".to_owned()].into()));
    release.step(now, Input::Calendar("my".to_owned(), None));
    release.step(
        now,
        Input::Committed {
            commit: "c".to_owned(),
        },
    );
    let sick = Input::Unhealthy {
        site: "my".to_owned(),
        reason: "no".to_owned(),
    };
    assert!(matches!(
        release.step(now, sick).as_slice(),
        [Effect::CommitUndo { .. }]
    ));
    assert_eq!(release.step(now, Input::Superseded), []);
    release.step(
        now,
        Input::Committed {
            commit: "d".to_owned(),
        },
    );
    let end = release.step(now, Input::Healthy("my".to_owned()));
    assert!(matches!(end.as_slice(), [Effect::Finish(Verdict::Undone { .. })]));
}

#[test]
fn what_is_there_already_is_left_alone() {
    let (mut release, _) = Release::start(environment(WAVES));
    let end = release.step(Timestamp::UNIX_EPOCH, Input::Rendered(BTreeSet::new()));
    assert_eq!(end, [Effect::Finish(Verdict::Unchanged)]);
}

proptest! {
    /// Whatever fails, a release ends; all sites have its version, or those that it reached have the one before, or it
    /// says that somebody must look.
    #[test]
    fn a_release_ends_whole_or_undone(
        sick in prop::collection::btree_map(prop::sample::select(vec!["my", "de", "us"]), 0..3_u32, 0..3),
        commits in prop::collection::btree_set(1..5_u32, 0..3),
        frozen in prop::option::of(1..100_000_i64),
    ) {
        let sick = sick.into_iter().map(|(site, times)| (site.to_owned(), times)).collect();
        let frozen = frozen.map(|until| ("de".to_owned(), held(Releases::Freeze, until))).into_iter().collect();
        let (verdict, world, release) = run(environment(WAVES), Faults { sick, commits, frozen });
        match verdict {
            Some(Verdict::Healthy) => prop_assert_eq!(world.new.len(), 3),
            Some(Verdict::Undone { .. }) => prop_assert!(world.new.is_empty()),
            Some(Verdict::Failed(_)) => prop_assert!(world.new.is_empty() && release.reached().is_empty()),
            Some(Verdict::Stuck { sites, .. }) => prop_assert_eq!(sites, release.reached()),
            other => prop_assert!(false, "{:?}", other),
        }
    }
}

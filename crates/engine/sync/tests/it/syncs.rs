//! Syncs from end to end, against a cluster in memory.

use deploy_model::Lang;
use deploy_sync::Outcome;
use deploy_sync::health::Status;
use deploy_sync::plan::{Action, Block, Budget, Kept, Policy};
use proptest::prelude::*;
use serde_json::{Value, json};

use crate::world::{Cluster, Fate, deployment, hook, in_wave, object};

fn policy() -> Policy {
    Policy {
        prune: true,
        budget: Budget::default(),
        is_deletion_approved: false,
    }
}

fn run(cluster: &mut Cluster, desired: &[Value]) -> Outcome {
    let plan = cluster.plan(desired, &policy());
    assert_eq!(plan.blocks, []);
    cluster.log.clear();
    cluster.sync(plan)
}

fn shop() -> Vec<Value> {
    vec![
        hook("after", "PostSync"),
        deployment("shop"),
        in_wave(deployment("last"), 1),
        object("v1", "ConfigMap", "config"),
        object("v1", "Namespace", "prod-us"),
        hook("before", "PreSync"),
        hook("rescue", "SyncFail"),
    ]
}

#[test]
fn phases_waves_and_kinds_come_in_their_order() {
    let mut cluster = Cluster::default();
    assert_eq!(run(&mut cluster, &shop()), Outcome::Done);
    assert_eq!(
        cluster.log,
        [
            "delete Job.batch prod-us/before",
            "apply Job.batch prod-us/before",
            "apply Namespace prod-us",
            "apply ConfigMap prod-us/config",
            "apply Deployment.apps prod-us/shop",
            "apply Deployment.apps prod-us/last",
            "delete Job.batch prod-us/after",
            "apply Job.batch prod-us/after",
        ]
    );
}

#[test]
fn a_second_sync_writes_hooks_only() {
    let mut cluster = Cluster::default();
    let members = [deployment("shop"), object("v1", "ConfigMap", "config")];
    assert_eq!(run(&mut cluster, &members), Outcome::Done);
    assert!(cluster.plan(&members, &policy()).is_done());
    assert_eq!(run(&mut cluster, &members), Outcome::Done);
    assert!(cluster.log.is_empty(), "{:?}", cluster.log);
}

#[test]
fn a_hook_that_fails_keeps_the_app_as_it_is() {
    let mut cluster = Cluster::default();
    cluster.fates.insert("before".to_owned(), Fate::Fails);
    let Outcome::Failed(key, reason) = run(&mut cluster, &shop()) else {
        panic!("it should fail");
    };
    assert_eq!(key.name, "before");
    assert_eq!(reason.text(Lang::Zh), "BackoffLimitExceeded: it has failed");
    assert!(
        !cluster.log.iter().any(|line| line.contains("Deployment")),
        "{:?}",
        cluster.log
    );
    assert_eq!(
        cluster.log.last().map(String::as_str),
        Some("apply Job.batch prod-us/rescue")
    );
}

#[test]
fn a_rollout_that_its_controller_gives_up_ends_at_once() {
    let mut cluster = Cluster::default();
    cluster.fates.insert("shop".to_owned(), Fate::Fails);
    let begin = cluster.now;
    assert!(matches!(run(&mut cluster, &shop()), Outcome::Failed(key, _) if key.name == "shop"));
    assert_eq!(cluster.now, begin);
    assert!(
        !cluster.log.iter().any(|line| line.contains("last")),
        "no later wave: {:?}",
        cluster.log
    );
}

#[test]
fn what_does_not_get_well_ends_at_the_deadline_and_is_named() {
    let mut cluster = Cluster::default();
    cluster.fates.insert("shop".to_owned(), Fate::Sick);
    let Outcome::DeadlineExceeded(waiting) = run(&mut cluster, &shop()) else {
        panic!("it should not be in time");
    };
    let [(key, health)] = waiting.as_slice() else {
        panic!("{waiting:?}")
    };
    assert_eq!((key.name.as_str(), health.status), ("shop", Status::Progressing));
}

#[test]
fn what_passes_is_tried_again_and_what_does_not_is_not() {
    let mut cluster = Cluster::default();
    cluster.fates.insert("shop".to_owned(), Fate::Later(3));
    let begin = cluster.now;
    assert_eq!(run(&mut cluster, &[deployment("shop")]), Outcome::Done);
    assert_eq!(cluster.now.duration_since(begin).as_secs(), 1 + 2 + 4);
    cluster.fates.insert("other".to_owned(), Fate::Refused);
    let outcome = run(&mut cluster, &[deployment("shop"), deployment("other")]);
    assert!(matches!(outcome, Outcome::Failed(key, _) if key.name == "other"));
}

#[test]
fn what_is_no_longer_wanted_goes_after_the_rest_in_reverse_order() {
    let mut cluster = Cluster::default();
    let before = [
        deployment("shop"),
        deployment("old"),
        object("v1", "ConfigMap", "old-config"),
    ];
    assert_eq!(run(&mut cluster, &before), Outcome::Done);
    assert_eq!(
        run(&mut cluster, &[deployment("shop"), deployment("new")]),
        Outcome::Done
    );
    assert_eq!(
        cluster.log,
        [
            "apply Deployment.apps prod-us/new",
            "delete Deployment.apps prod-us/old",
            "delete ConfigMap prod-us/old-config",
        ]
    );
}

#[test]
fn a_budget_stops_deletions_until_they_are_approved() {
    let mut cluster = Cluster::default();
    let many: Vec<Value> = (0..10).map(|at| deployment(&format!("d{at}"))).collect();
    assert_eq!(run(&mut cluster, &many), Outcome::Done);
    let plan = cluster.plan(&many[..6], &policy());
    assert_eq!(
        plan.blocks,
        [Block::Deletions {
            count: 4,
            of: 10,
            allowed: 3
        }]
    );
    assert_eq!(cluster.plan(&[], &policy()).blocks, [Block::Nothing]);
    let approved = Policy {
        is_deletion_approved: true,
        ..policy()
    };
    let plan = cluster.plan(&many[..6], &approved);
    assert_eq!((plan.blocks.len(), plan.deletions()), (0, 4));
    assert_eq!(cluster.sync(plan), Outcome::Done);
    assert_eq!(cluster.live.len(), 6);
}

#[test]
fn what_must_stay_says_why() {
    let mut cluster = Cluster::default();
    let mut kept = deployment("kept");
    kept["metadata"]["annotations"]["argocd.argoproj.io/sync-options"] = json!("Prune=false");
    assert_eq!(run(&mut cluster, &[deployment("shop"), kept]), Outcome::Done);
    let plan = cluster.plan(&[deployment("shop")], &policy());
    assert!(
        plan.items
            .iter()
            .any(|item| item.action == Action::Keep(Kept::ByAnnotation))
    );
    let plan = cluster.plan(
        &[deployment("kept")],
        &Policy {
            prune: false,
            ..policy()
        },
    );
    assert!(
        plan.items
            .iter()
            .any(|item| item.action == Action::Keep(Kept::ByPolicy))
    );
}

fn any_object() -> impl Strategy<Value = Value> {
    let kinds = prop::sample::select(vec![
        ("v1", "ConfigMap"),
        ("apps/v1", "Deployment"),
        ("batch/v1", "Job"),
        ("v1", "Namespace"),
    ]);
    let phases = prop::sample::select(vec!["", "", "PreSync", "PostSync", "SyncFail"]);
    (kinds, 0..6_u8, -2..3_i64, phases).prop_map(|((version, kind), name, wave, phase)| {
        let mut made = in_wave(object(version, kind, &format!("n{name}")), wave);
        if kind == "Job" && !phase.is_empty() {
            made["metadata"]["annotations"]["argocd.argoproj.io/hook"] = json!(phase);
        }
        made
    })
}

fn any_fate() -> impl Strategy<Value = Fate> {
    prop_oneof![
        Just(Fate::Refused),
        (0..12_u32).prop_map(Fate::Later),
        Just(Fate::Sick),
        Just(Fate::Fails)
    ]
}

proptest! {
    /// Whatever fails, a sync ends; and where it says done, what is wanted is there and nothing differs.
    #[test]
    fn a_sync_ends_and_done_means_done(
        objects in prop::collection::vec(any_object(), 0..12),
        earlier in prop::collection::vec(any_object(), 0..6),
        fates in prop::collection::btree_map("n[0-5]", any_fate(), 0..3),
    ) {
        let approved = Policy { is_deletion_approved: true, ..policy() };
        let mut cluster = Cluster::default();
        let unique = |list: Vec<Value>| -> Vec<Value> {
            let keyed: std::collections::BTreeMap<_, _> =
                list.into_iter().map(|object| (deploy_sync::Key::of(&object), object)).collect();
            keyed.into_values().collect()
        };
        let (objects, earlier) = (unique(objects), unique(earlier));
        let plan = cluster.plan(&earlier, &approved);
        prop_assert_eq!(cluster.sync(plan), Outcome::Done);
        cluster.fates = fates;
        let plan = cluster.plan(&objects, &approved);
        let outcome = cluster.sync(plan);
        if outcome == Outcome::Done {
            let again = cluster.plan(&objects, &approved);
            let is_left = |item: &&deploy_sync::plan::Item| !matches!(item.action, Action::Unchanged | Action::Run);
            let left: Vec<_> = again.items.iter().filter(is_left).collect();
            prop_assert!(left.is_empty(), "{:?}", left);
        }
    }
}

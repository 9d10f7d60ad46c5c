use super::*;
use crate::kind::{DEPLOYMENT, POD, REPLICA_SET};
use crate::view::memory::Memory;

/// A cluster and its graph.
#[derive(Default)]
struct World {
    memory: Memory,
    graph: Graph,
}

impl World {
    fn put(&mut self, kind: &Kind, name: &str, owners: &[(&Kind, &str)], deletion: &[&str]) -> &mut World {
        let owners: Vec<Value> = owners
            .iter()
            .map(|(kind, name)| {
                json!({
                    "apiVersion": kind.api_version(), "kind": kind.kind, "name": name, "uid": format!("uid-{name}"),
                    "blockOwnerDeletion": true,
                })
            })
            .collect();
        let mut object = json!({
            "kind": kind.kind,
            "metadata": {"name": name, "namespace": "shop", "uid": format!("uid-{name}"), "ownerReferences": owners},
        });
        if !deletion.is_empty() {
            object["metadata"]["deletionTimestamp"] = json!("2026-01-01T00:00:00Z");
            object["metadata"]["finalizers"] = json!(deletion);
        }
        self.graph.put(&Arc::new(kind.clone()), &object);
        self.memory.put(object);
        self
    }

    fn decided(&self, name: &str) -> Vec<String> {
        let outcome = decide(&self.memory, &self.graph, &format!("uid-{name}"));
        let said = outcome.effects.into_iter().map(|effect| match effect {
            Effect::Delete {
                name, propagation, ..
            } => format!("delete {name} {}", propagation.unwrap_or("")),
            Effect::Patch { name, patch, .. } => {
                let part = if patch["metadata"].get("finalizers").is_some() {
                    "finalizers"
                } else {
                    "ownerReferences"
                };
                format!(
                    "patch {name} {part} {}",
                    patch["metadata"][part].as_array().map_or(0, Vec::len)
                )
            }
            other => panic!("unexpected: {other:?}"),
        });
        said.collect()
    }
}

#[test]
fn what_has_lost_its_owner_goes() {
    let mut world = World::default();
    world.put(&REPLICA_SET, "set", &[(&DEPLOYMENT, "gone")], &[]).put(
        &POD,
        "pod",
        &[(&REPLICA_SET, "set")],
        &[],
    );
    assert_eq!(world.decided("set"), ["delete set Background"]);
    assert_eq!(
        world.decided("pod"),
        Vec::<String>::new(),
        "its own owner is still there"
    );
}

#[test]
fn one_owner_is_enough() {
    let mut world = World::default();
    world.put(&DEPLOYMENT, "a", &[], &[]).put(
        &REPLICA_SET,
        "set",
        &[(&DEPLOYMENT, "a"), (&DEPLOYMENT, "gone")],
        &[],
    );
    assert_eq!(world.decided("set"), ["patch set ownerReferences 1"]);
}

#[test]
fn the_same_name_is_not_the_same_owner() {
    let mut world = World::default();
    world.put(&REPLICA_SET, "set", &[(&DEPLOYMENT, "a")], &[]);
    world
        .memory
        .put(json!({"kind": "Deployment", "metadata": {"name": "a", "namespace": "shop", "uid": "another"}}));
    assert_eq!(world.decided("set"), ["delete set Background"]);
}

#[test]
fn an_unknown_kind_of_owner_deletes_nothing() {
    let mut world = World::default();
    let unknown = Kind {
        group: "example.com".into(),
        kind: "Thing".into(),
        ..DEPLOYMENT
    };
    world.put(&POD, "pod", &[(&unknown, "thing")], &[]);
    assert_eq!(world.decided("pod"), Vec::<String>::new());
}

#[test]
fn in_the_foreground_dependents_go_first() {
    let mut world = World::default();
    world
        .put(&DEPLOYMENT, "d", &[], &["foregroundDeletion"])
        .put(&REPLICA_SET, "set", &[(&DEPLOYMENT, "d")], &[])
        .put(&POD, "pod", &[(&REPLICA_SET, "set")], &[]);
    assert_eq!(world.decided("d"), Vec::<String>::new(), "it waits");
    assert_eq!(
        world.decided("set"),
        ["delete set Foreground"],
        "it has dependents itself"
    );
    world.graph.remove("uid-set");
    assert_eq!(world.decided("d"), ["patch d finalizers 0"]);
}

#[test]
fn orphans_stay() {
    let mut world = World::default();
    world
        .put(&DEPLOYMENT, "d", &[], &["orphan"])
        .put(&REPLICA_SET, "set", &[(&DEPLOYMENT, "d")], &[]);
    assert_eq!(
        world.decided("d"),
        ["patch set ownerReferences 0", "patch d finalizers 0"]
    );
}

#[test]
fn a_removed_object_concerns_its_dependents_and_owners() {
    let mut world = World::default();
    world.put(&REPLICA_SET, "set", &[(&DEPLOYMENT, "d")], &[]).put(
        &POD,
        "pod",
        &[(&REPLICA_SET, "set")],
        &[],
    );
    let concerned = world.graph.remove("uid-set");
    assert_eq!(concerned, ["uid-pod".into(), "uid-d".into()] as [Arc<str>; 2]);
}

//! Garbage collection: what an object owns ends with it, before it, or stays (`pkg/controller/garbagecollector`).
//!
//! [`graph::Graph`] knows who depends on whom, from the changes of all resources; [`decide`] says what is to be done about
//! one object. Whether an owner is there is always asked of the cluster itself, never of the graph.

pub mod graph;

use std::sync::Arc;

use serde_json::{Value, json};

use self::graph::{Graph, Node};
use crate::effect::{Effect, Outcome};
use crate::kind::Kind;
use crate::object;
use crate::view::View;

/// Under this name it acts.
pub const NAME: &str = "generic-garbage-collector";

const FOREGROUND: &str = "foregroundDeletion";
const ORPHAN: &str = "orphan";

/// What to do about the object with this uid.
pub fn decide(view: &dyn View, graph: &Graph, uid: &str) -> Outcome {
    let mut outcome = Outcome::nothing();
    let Some(node) = graph.node(uid) else {
        return outcome;
    };
    let Some(live) = view
        .get(&node.kind, &node.namespace, &node.name)
        .filter(|live| object::uid(live) == uid)
    else {
        return outcome;
    };
    let dependents = || live_dependents(view, graph, uid);
    if object::is_deleting(&live) {
        if has_finalizer(&live, ORPHAN) {
            orphan(node, &live, &dependents(), &mut outcome);
        } else if has_finalizer(&live, FOREGROUND) {
            wait_for_dependents(node, &live, &dependents(), &mut outcome);
        }
        return outcome;
    }
    judge_owners(view, node, &live, &dependents, &mut outcome);
    outcome
}

/// The object that a reference means: none, another one of that name, or the one.
enum Owner {
    Solid,
    Gone,
    /// It waits for its dependents to end.
    Waiting,
}

fn judge_owners(
    view: &dyn View,
    node: &Node,
    live: &Arc<Value>,
    dependents: &dyn Fn() -> Vec<(Node, Arc<Value>)>,
    outcome: &mut Outcome,
) {
    let references = live["metadata"]["ownerReferences"]
        .as_array()
        .cloned()
        .unwrap_or_default();
    if references.is_empty() {
        return;
    }
    let kinds = view.kinds();
    let (mut solid, mut waiting) = (Vec::new(), 0);
    for reference in references.iter().cloned() {
        match owner(view, &kinds, node, &reference) {
            Owner::Solid => solid.push(reference),
            Owner::Waiting => waiting += 1,
            Owner::Gone => {}
        }
    }
    if !solid.is_empty() {
        if solid.len() < references.len() {
            outcome.push(patch(node, json!({"uid": &*node.uid, "ownerReferences": solid})));
        }
        return;
    }
    let dependents = if waiting > 0 { dependents() } else { Vec::new() };
    if waiting > 0 && !dependents.is_empty() {
        if dependents
            .iter()
            .any(|(_, dependent)| is_in_foreground(dependent))
        {
            // A circle of blocking references would never end.
            let unblocked = references.into_iter().map(|mut reference| {
                reference["blockOwnerDeletion"] = json!(false);
                reference
            });
            let unblocked: Vec<Value> = unblocked.collect();
            outcome.push(patch(
                node,
                json!({"uid": &*node.uid, "ownerReferences": unblocked}),
            ));
        }
        outcome.push(delete(node, "Foreground"));
        return;
    }
    let policy = if has_finalizer(live, ORPHAN) {
        "Orphan"
    } else if has_finalizer(live, FOREGROUND) {
        "Foreground"
    } else {
        "Background"
    };
    outcome.push(delete(node, policy));
}

fn owner(view: &dyn View, kinds: &[Kind], node: &Node, reference: &Value) -> Owner {
    let text = |field: &str| reference[field].as_str().unwrap_or_default();
    let group = text("apiVersion").rsplit_once('/').map_or("", |(group, _)| group);
    let Some(kind) = kinds
        .iter()
        .find(|kind| kind.kind == text("kind") && kind.group == group)
    else {
        // Its definition may come back: nothing is deleted because of what we do not know.
        return Owner::Solid;
    };
    if kind.namespaced && node.namespace.is_empty() {
        // An object of the whole cluster cannot belong to one in a namespace, and is not deleted for that mistake.
        return Owner::Solid;
    }
    let namespace = if kind.namespaced { &*node.namespace } else { "" };
    match view
        .get(kind, namespace, text("name"))
        .filter(|owner| object::uid(owner) == text("uid"))
    {
        None => Owner::Gone,
        Some(owner) if is_in_foreground(&owner) => Owner::Waiting,
        Some(_) => Owner::Solid,
    }
}

/// Dependents lose the reference, then the owner may go.
fn orphan(node: &Node, live: &Value, dependents: &[(Node, Arc<Value>)], outcome: &mut Outcome) {
    for (dependent, object) in dependents {
        let mut references = object["metadata"]["ownerReferences"]
            .as_array()
            .cloned()
            .unwrap_or_default();
        references.retain(|reference| reference["uid"] != *node.uid);
        outcome.push(patch(
            dependent,
            json!({"uid": &*dependent.uid, "ownerReferences": references}),
        ));
    }
    outcome.push(without_finalizer(node, live, ORPHAN));
}

/// The owner goes when nothing that blocks it is left; until then its dependents are asked to end.
fn wait_for_dependents(node: &Node, live: &Value, dependents: &[(Node, Arc<Value>)], outcome: &mut Outcome) {
    let blocks = |dependent: &Value| {
        let references = dependent["metadata"]["ownerReferences"]
            .as_array()
            .into_iter()
            .flatten();
        references
            .into_iter()
            .any(|r| r["uid"] == *node.uid && r["blockOwnerDeletion"] == true)
    };
    if !dependents.iter().any(|(_, dependent)| blocks(dependent)) {
        outcome.push(without_finalizer(node, live, FOREGROUND));
    }
}

fn live_dependents(view: &dyn View, graph: &Graph, uid: &str) -> Vec<(Node, Arc<Value>)> {
    let nodes = graph.dependents(uid);
    nodes
        .into_iter()
        .filter_map(|node| {
            let live = view.get(&node.kind, &node.namespace, &node.name)?;
            let references = live["metadata"]["ownerReferences"].as_array()?;
            let depends = object::uid(&live) == &*node.uid && references.iter().any(|r| r["uid"] == uid);
            depends.then(|| (node.clone(), live.clone()))
        })
        .collect()
}

/// It ends, and waits for its dependents.
pub fn is_in_foreground(object: &Value) -> bool {
    object::is_deleting(object) && has_finalizer(object, FOREGROUND)
}

/// It ends, and something is to be done about its dependents first.
pub fn is_waiting(object: &Value) -> bool {
    object::is_deleting(object) && (has_finalizer(object, FOREGROUND) || has_finalizer(object, ORPHAN))
}

fn has_finalizer(object: &Value, name: &str) -> bool {
    object["metadata"]["finalizers"]
        .as_array()
        .is_some_and(|list| list.iter().any(|finalizer| finalizer == name))
}

fn without_finalizer(node: &Node, live: &Value, name: &str) -> Effect {
    let mut finalizers = live["metadata"]["finalizers"]
        .as_array()
        .cloned()
        .unwrap_or_default();
    finalizers.retain(|finalizer| finalizer != name);
    // With the resourceVersion: finalizers that came in the meantime must not be lost.
    let version = object::text(live, "resourceVersion");
    patch(
        node,
        json!({"uid": &*node.uid, "resourceVersion": version, "finalizers": finalizers}),
    )
}

fn patch(node: &Node, metadata: Value) -> Effect {
    Effect::Patch {
        kind: Kind::clone(&node.kind),
        namespace: node.namespace.to_string(),
        name: node.name.to_string(),
        subresource: "",
        patch: json!({"metadata": metadata}),
    }
}

fn delete(node: &Node, propagation: &'static str) -> Effect {
    Effect::Delete {
        kind: Kind::clone(&node.kind),
        namespace: node.namespace.to_string(),
        name: node.name.to_string(),
        uid: node.uid.to_string(),
        propagation: Some(propagation),
        grace_seconds: None,
        tell: None,
    }
}

#[cfg(test)]
mod tests;

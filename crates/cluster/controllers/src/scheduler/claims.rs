//! Volumes of pods that are to be placed (`plugins/volumebinding`): claims that are bound must be reachable; those that wait
//! for their pod get a volume that is there, or one is asked for on the node, and the pod follows when it is theirs.

use std::collections::BTreeSet;
use std::sync::Arc;

use serde_json::{Value, json};

use crate::effect::Effect;
use crate::kind::{PERSISTENT_VOLUME, PERSISTENT_VOLUME_CLAIM, STORAGE_CLASS};
use crate::object;
use crate::view::View;
use crate::volume_binding::matching::{self, Seeker};
use crate::volume_binding::{SELECTED_NODE, class_of, is_bound, reserve, waits_for_consumer};
use crate::volume_protection::claim_names;

/// The claims of a pod, by what they still need.
#[derive(Default)]
pub struct Claims {
    bound: Vec<Arc<Value>>,
    /// Those that wait for their pod.
    waiting: Vec<Arc<Value>>,
    /// One that is bound does not say so yet, and no node mounts it before.
    settles: bool,
}

impl Claims {
    /// The claims of a pod, or why it cannot go anywhere.
    pub fn of(view: &dyn View, pod: &Value) -> Result<Claims, String> {
        let mut claims = Claims::default();
        let mut immediate = false;
        for (name, is_own) in claim_names(pod) {
            let Some(claim) = view.get(&PERSISTENT_VOLUME_CLAIM, object::namespace(pod), &name) else {
                return Err(if is_own {
                    format!(
                        "waiting for ephemeral volume controller to create the persistentvolumeclaim {name:?}"
                    )
                } else {
                    format!("persistentvolumeclaim {name:?} not found")
                });
            };
            if claim["status"]["phase"] == "Lost" {
                let volume = claim["spec"]["volumeName"].as_str().unwrap_or_default();
                return Err(format!(
                    "persistentvolumeclaim {name:?} bound to non-existent persistentvolume {volume:?}"
                ));
            }
            if object::is_deleting(&claim) {
                return Err(format!("persistentvolumeclaim {name:?} is being deleted"));
            }
            let is_owner = object::controller(&claim).is_some_and(|owner| owner["uid"] == object::uid(pod));
            if is_own && !is_owner {
                let namespace = object::namespace(pod);
                return Err(format!(
                    "PVC {namespace}/{name} was not created for pod {namespace}/{} (pod is not owner)",
                    object::name(pod)
                ));
            }
            if is_bound(&claim) {
                claims.settles |= claim["status"]["phase"] != "Bound";
                claims.bound.push(claim);
            } else if claim["spec"]["volumeName"].is_null() && waits_for_consumer(view, &claim) {
                claims.waiting.push(claim);
            } else {
                immediate = true;
            }
        }
        if immediate {
            return Err("pod has unbound immediate PersistentVolumeClaims".to_owned());
        }
        Ok(claims)
    }

    /// Why a node cannot have these volumes; `None` where it can.
    pub fn refused(&self, view: &dyn View, node: &Value) -> Option<&'static str> {
        for claim in &self.bound {
            let name = claim["spec"]["volumeName"].as_str().unwrap_or_default();
            match view.get(&PERSISTENT_VOLUME, "", name) {
                None => {
                    return Some("node(s) unavailable due to one or more pvc(s) bound to non-existent pv(s)");
                }
                Some(volume) if !matching::reaches(&volume, node) => {
                    return Some("node(s) didn't match PersistentVolume's node affinity");
                }
                Some(_) => {}
            }
        }
        let nothing_fits = "node(s) didn't find available persistent volumes to bind";
        self.steps(view, node).is_none().then_some(nothing_fits)
    }

    /// What is to be written before the pod can go to the node; empty where its volumes are ready. `None`: it cannot.
    pub fn steps(&self, view: &dyn View, node: &Value) -> Option<Steps> {
        let mut taken = BTreeSet::new();
        let mut steps = Steps {
            waits: self.settles,
            ..Steps::default()
        };
        for claim in &self.waiting {
            steps.waits = true;
            if let Some(selected) = object::annotation(claim, SELECTED_NODE) {
                if selected != object::name(node) {
                    return None;
                }
                continue;
            }
            if let Some(volume) = matching::best(view, claim, &Seeker::Scheduler(node, &taken)) {
                taken.insert(object::name(&volume).to_owned());
                steps.effects.extend(reserve(&volume, claim));
                continue;
            }
            if !can_be_made(view, claim, node) {
                return None;
            }
            steps.effects.push(Effect::Patch {
                kind: PERSISTENT_VOLUME_CLAIM,
                namespace: object::namespace(claim).to_owned(),
                name: object::name(claim).to_owned(),
                subresource: "",
                patch: json!({"metadata": {
                    "resourceVersion": object::text(claim, "resourceVersion"),
                    "annotations": {SELECTED_NODE: object::name(node)},
                }}),
            });
        }
        Some(steps)
    }
}

/// The way to a pod's volumes.
#[derive(Default)]
pub struct Steps {
    /// What is to be written now.
    pub effects: Vec<Effect>,
    /// The pod has to wait until its claims are bound.
    pub waits: bool,
}

/// Somebody makes volumes of this class, and on this node.
fn can_be_made(view: &dyn View, claim: &Value, node: &Value) -> bool {
    let Some(class) = view.get(&STORAGE_CLASS, "", class_of(claim)) else {
        return false;
    };
    let provisioner = class["provisioner"].as_str().unwrap_or_default();
    let topologies = class["allowedTopologies"]
        .as_array()
        .map(Vec::as_slice)
        .unwrap_or_default();
    let allows = |topology: &Value| {
        let mut wanted = topology["matchLabelExpressions"].as_array().into_iter().flatten();
        wanted.all(|expression| {
            let label = expression["key"]
                .as_str()
                .and_then(|key| object::label(node, key));
            let mut values = expression["values"].as_array().into_iter().flatten();
            values.any(|value| value.as_str() == label)
        })
    };
    !matches!(provisioner, "" | "kubernetes.io/no-provisioner")
        && (topologies.is_empty() || topologies.iter().any(allows))
}

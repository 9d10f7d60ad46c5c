//! Finding, naming, numbering and annotating the ReplicaSets of a Deployment (`deployment/util/deployment_util.go`).

use serde_json::{Map, Value, json};

use super::Work;
use crate::hash;
use crate::kind::{DEPLOYMENT, REPLICA_SET};
use crate::object;
use crate::view::View;

pub const HASH_LABEL: &str = "pod-template-hash";
pub const REVISION: &str = "deployment.kubernetes.io/revision";
const REVISION_HISTORY: &str = "deployment.kubernetes.io/revision-history";
pub const DESIRED_REPLICAS: &str = "deployment.kubernetes.io/desired-replicas";
pub const MAX_REPLICAS: &str = "deployment.kubernetes.io/max-replicas";

/// Annotations of a Deployment that its ReplicaSets do not inherit.
const NOT_INHERITED: &[&str] = &[
    "kubectl.kubernetes.io/last-applied-configuration",
    REVISION,
    REVISION_HISTORY,
    DESIRED_REPLICAS,
    MAX_REPLICAS,
    "deprecated.deployment.rollback.to",
];

/// Characters; about a hundred revisions (`maxRevHistoryLengthInChars`).
const REVISION_HISTORY_MAX: usize = 2000;

/// A name is a DNS subdomain; the hash must fit behind the Deployment's name.
const NAME_MAX: usize = 253;

/// Equal but for the label that tells templates apart.
pub fn same_template(a: &Value, b: &Value) -> bool {
    let without_hash = |template: &Value| {
        let mut template = template.clone();
        if let Some(Value::Object(labels)) = template.pointer_mut("/metadata/labels") {
            labels.remove(HASH_LABEL);
        }
        template
    };
    without_hash(a) == without_hash(b)
}

/// The revision that a ReplicaSet carries, 0 for none.
pub fn revision(set: &Value) -> i64 {
    object::annotation(set, REVISION)
        .and_then(|text| text.parse().ok())
        .unwrap_or_default()
}

pub fn annotate(object: &mut Value, name: &str, value: String) {
    let annotations = &mut object["metadata"]["annotations"];
    if !annotations.is_object() {
        *annotations = Value::Object(Map::new());
    }
    annotations[name] = Value::String(value);
}

impl Work {
    /// Brings the ReplicaSet of the current template up to date, or makes it where `create` says so; then the Deployment
    /// carries its revision.
    pub fn sync_new_set(&mut self, view: &dyn View, create: bool) {
        let next = self.old.iter().map(revision).max().unwrap_or_default() + 1;
        if let Some(mut set) = self.new.take() {
            self.inherit_annotations(&mut set);
            number(&mut set, next);
            set["spec"]["minReadySeconds"] = self.deployment["spec"]["minReadySeconds"].clone();
            drop_null(&mut set["spec"], "minReadySeconds");
            let name = object::name(&set).to_owned();
            self.carry_revision(object::annotation(&set, REVISION).unwrap_or_default().to_owned());
            self.new = Some(set);
            if self.has_deadline() && self.condition("Progressing").is_none() {
                let text = format!("Found new replica set {name:?}");
                self.set_condition("Progressing", "True", "FoundNewReplicaSet", text);
            }
        } else if create {
            self.create_new_set(view, next);
        }
    }

    fn create_new_set(&mut self, view: &dyn View, revision: i64) {
        let collisions = object::integer(&self.deployment, "/status/collisionCount");
        let mut template = self.deployment["spec"]["template"].clone();
        let hash = hash::of(&template, collisions);
        template["metadata"]["labels"][HASH_LABEL] = json!(hash);
        let mut selector = self.deployment["spec"]["selector"].clone();
        selector["matchLabels"][HASH_LABEL] = json!(hash);
        let prefix: String = object::name(&self.deployment)
            .chars()
            .take(NAME_MAX - hash.len() - 1)
            .collect();
        let name = format!("{prefix}-{hash}");
        if view
            .get(&REPLICA_SET, object::namespace(&self.deployment), &name)
            .is_some()
        {
            // Ours would have been found by its template: this one is another's, or of another template.
            self.deployment["status"]["collisionCount"] = json!(collisions + 1);
            return;
        }
        let mut set = json!({
            "apiVersion": "apps/v1",
            "kind": "ReplicaSet",
            "metadata": {
                "name": name,
                "namespace": object::namespace(&self.deployment),
                "labels": template["metadata"]["labels"],
                "ownerReferences": [object::owner_reference(&DEPLOYMENT, &self.deployment)],
            },
            "spec": {"replicas": 0, "selector": selector, "template": template},
        });
        if let Some(seconds) = self.deployment["spec"].get("minReadySeconds") {
            set["spec"]["minReadySeconds"] = seconds.clone();
        }
        self.inherit_annotations(&mut set);
        number(&mut set, revision);
        let replicas = self.new_set_size(&set);
        set["spec"]["replicas"] = json!(replicas);
        self.annotate_sizes(&mut set);
        self.new = Some(set);
        if replicas > 0 {
            let text = format!("Scaled up replica set {name} from 0 to {replicas}");
            self.events.push(("Normal", "ScalingReplicaSet", text));
        }
        self.carry_revision(revision.to_string());
        if self.has_deadline() {
            let text = format!("Created new replica set {name:?}");
            self.set_condition("Progressing", "True", "NewReplicaSetCreated", text);
        }
    }

    fn carry_revision(&mut self, revision: String) {
        if object::annotation(&self.deployment, REVISION) != Some(&revision) {
            annotate(&mut self.deployment, REVISION, revision);
        }
    }

    fn inherit_annotations(&self, set: &mut Value) {
        let annotations = self.deployment["metadata"]["annotations"].as_object();
        for (name, value) in annotations.into_iter().flatten() {
            if !NOT_INHERITED.contains(&name.as_str()) {
                annotate(set, name, value.as_str().unwrap_or_default().to_owned());
            }
        }
    }

    /// The sizes that the next scaling of the Deployment is measured against.
    pub fn annotate_sizes(&self, set: &mut Value) {
        annotate(set, DESIRED_REPLICAS, self.replicas().to_string());
        annotate(
            set,
            MAX_REPLICAS,
            (self.replicas() + self.max_surge()).to_string(),
        );
    }

    /// Deletes the oldest ReplicaSets without pods, down to `revisionHistoryLimit`.
    pub fn clean_up(&mut self) {
        let Some(limit) = self.deployment["spec"]["revisionHistoryLimit"].as_u64() else {
            return;
        };
        if limit == i32::MAX as u64 {
            return;
        }
        let mut alive: Vec<&Value> = self.old.iter().filter(|set| !object::is_deleting(set)).collect();
        let surplus = alive
            .len()
            .saturating_sub(usize::try_from(limit).unwrap_or(usize::MAX));
        alive.sort_by_key(|set| (revision(set), object::created(set)));
        let unused = |set: &&Value| {
            object::integer(set, "/status/replicas") == 0
                && object::integer(set, "/spec/replicas") == 0
                && object::generation(set) <= object::integer(set, "/status/observedGeneration")
        };
        let doomed = alive.into_iter().take(surplus).filter(unused).cloned().collect();
        self.doomed = doomed;
    }
}

/// Raises the revision of a ReplicaSet; the one that it had, if it comes back into use, is kept in its history.
fn number(set: &mut Value, next: i64) {
    let text = object::annotation(set, REVISION).unwrap_or_default().to_owned();
    let Ok(current) = (if text.is_empty() {
        Ok(0)
    } else {
        text.parse::<i64>()
    }) else {
        return;
    };
    if current >= next {
        return;
    }
    annotate(set, REVISION, next.to_string());
    if text.is_empty() {
        return;
    }
    let history = object::annotation(set, REVISION_HISTORY).unwrap_or_default();
    let mut revisions: Vec<&str> = history
        .split(',')
        .filter(|revision| !revision.is_empty())
        .collect();
    revisions.push(&text);
    while revisions.iter().map(|revision| revision.len() + 1).sum::<usize>() > REVISION_HISTORY_MAX + 1 {
        revisions.remove(0);
    }
    let history = revisions.join(",");
    annotate(set, REVISION_HISTORY, history);
}

fn drop_null(object: &mut Value, field: &str) {
    if let Some(fields) = object
        .as_object_mut()
        .filter(|fields| fields.get(field).is_some_and(Value::is_null))
    {
        fields.remove(field);
    }
}

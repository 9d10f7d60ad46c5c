//! One look at a claim (`pv_controller.go syncClaim`).

use serde_json::{Value, json};

use super::matching::{self, Seeker, is_meant_for, mismatch};
use super::{
    BETA_CLASS, BETA_PROVISIONER, BIND_COMPLETED, BOUND_BY_CONTROLLER, PROVISIONER, SELECTED_NODE, bind,
    class_of, waits_for_consumer,
};
use crate::effect::Outcome;
use crate::kind::{PERSISTENT_VOLUME, POD, STORAGE_CLASS};
use crate::object;
use crate::view::View;

/// The annotations of a class that claims without one get.
const IS_DEFAULT: [&str; 2] = [
    "storageclass.kubernetes.io/is-default-class",
    "storageclass.beta.kubernetes.io/is-default-class",
];

/// What a claim needs.
pub fn sync(view: &dyn View, claim: &Value) -> Outcome {
    let mut outcome = Outcome::nothing();
    if object::annotation(claim, BIND_COMPLETED).is_some() {
        bound(view, claim, &mut outcome);
    } else if let Some(name) = claim["spec"]["volumeName"]
        .as_str()
        .filter(|name| !name.is_empty())
    {
        wants(view, claim, name, &mut outcome);
    } else {
        seeks(view, claim, &mut outcome);
    }
    outcome
}

/// Any volume will do.
fn seeks(view: &dyn View, claim: &Value, outcome: &mut Outcome) {
    let waits = waits_for_consumer(view, claim);
    let seeker = if waits {
        Seeker::Patient
    } else {
        Seeker::Controller
    };
    if let Some(volume) = matching::best(view, claim, &seeker) {
        bind::both(&volume, claim, outcome);
        return;
    }
    let names_no_class =
        claim["spec"]["storageClassName"].is_null() && object::annotation(claim, BETA_CLASS).is_none();
    if let Some(default) = default_class(view).filter(|_| names_no_class) {
        let patch = json!({"spec": {"storageClassName": default}});
        outcome.push(bind::patch_claim(claim, "", patch));
        return;
    }
    let class = class_of(claim);
    if waits && object::annotation(claim, SELECTED_NODE).is_none() {
        tell_that_it_waits(view, claim, outcome);
    } else if !class.is_empty() {
        return provision(view, claim, class, outcome);
    } else {
        let message = "no persistent volumes available for this claim and no storage class is set";
        outcome.event(claim, "Normal", "FailedBinding", message.to_owned());
    }
    bind::claim_status(claim, "Pending", None, outcome);
}

/// One volume is named.
fn wants(view: &dyn View, claim: &Value, name: &str, outcome: &mut Outcome) {
    let Some(volume) = view.get(&PERSISTENT_VOLUME, "", name) else {
        return bind::claim_status(claim, "Pending", None, outcome);
    };
    if is_meant_for(&volume, claim) {
        return bind::both(&volume, claim, outcome);
    }
    if !volume["spec"]["claimRef"].is_null() {
        let message = format!("volume {name:?} already bound to a different claim.");
        outcome.event(claim, "Warning", "FailedBinding", message);
        if object::annotation(claim, BOUND_BY_CONTROLLER).is_none() {
            bind::claim_status(claim, "Pending", None, outcome);
        }
        return;
    }
    match mismatch(&volume, claim) {
        None => bind::both(&volume, claim, outcome),
        Some(why) => {
            let message = format!("Cannot bind to requested volume {name:?}: {why}");
            outcome.event(claim, "Warning", "VolumeMismatch", message);
            bind::claim_status(claim, "Pending", None, outcome);
        }
    }
}

/// It had a volume once.
fn bound(view: &dyn View, claim: &Value, outcome: &mut Outcome) {
    let name = claim["spec"]["volumeName"].as_str().unwrap_or_default();
    if name.is_empty() {
        let message = "Bound claim has lost reference to PersistentVolume. Data on the volume is lost!";
        return lost(claim, "ClaimLost", message, outcome);
    }
    let Some(volume) = view.get(&PERSISTENT_VOLUME, "", name) else {
        let message = "Bound claim has lost its PersistentVolume. Data on the volume is lost!";
        return lost(claim, "ClaimLost", message, outcome);
    };
    let reference = &volume["spec"]["claimRef"];
    if reference.is_null() || reference["uid"] == object::uid(claim) {
        return bind::both(&volume, claim, outcome);
    }
    let message = "Two claims are bound to the same volume, this one is bound incorrectly";
    lost(claim, "ClaimMisbound", message, outcome);
}

fn lost(claim: &Value, reason: &'static str, message: &str, outcome: &mut Outcome) {
    if claim["status"]["phase"] != "Lost" {
        bind::claim_status(claim, "Lost", None, outcome);
        outcome.event(claim, "Warning", reason, message.to_owned());
    }
}

/// The newest class that says that it is the default.
fn default_class(view: &dyn View) -> Option<String> {
    let is_default = |class: &Value| {
        IS_DEFAULT
            .iter()
            .any(|name| object::annotation(class, name) == Some("true"))
    };
    let mut classes = view.list(&STORAGE_CLASS, None);
    classes.retain(|class| is_default(class));
    // The youngest; of several, the first by name (`util.GetDefaultClass`).
    classes.sort_by_key(|class| {
        (
            std::cmp::Reverse(object::created(class)),
            object::name(class).to_owned(),
        )
    });
    Some(object::name(classes.first()?).to_owned())
}

fn tell_that_it_waits(view: &dyn View, claim: &Value, outcome: &mut Outcome) {
    let pods = unscheduled_pods(view, claim);
    let (reason, message) = match pods.as_slice() {
        [] => (
            "WaitForFirstConsumer",
            "waiting for first consumer to be created before binding".to_owned(),
        ),
        [pod] => (
            "WaitForPodScheduled",
            format!("waiting for pod {pod} to be scheduled"),
        ),
        pods => (
            "WaitForPodScheduled",
            format!("waiting for pods {} to be scheduled", pods.join(",")),
        ),
    };
    outcome.event(claim, "Normal", reason, message);
}

fn unscheduled_pods(view: &dyn View, claim: &Value) -> Vec<String> {
    let uses = |pod: &Value| {
        let mut volumes = pod["spec"]["volumes"].as_array().into_iter().flatten();
        volumes.any(|volume| volume["persistentVolumeClaim"]["claimName"] == object::name(claim))
    };
    let has_ended = |pod: &Value| matches!(pod["status"]["phase"].as_str(), Some("Succeeded" | "Failed"));
    let pods = view.list(&POD, Some(object::namespace(claim)));
    pods.iter()
        .filter(|pod| pod["spec"]["nodeName"].is_null() && uses(pod) && !has_ended(pod))
        .map(|pod| object::name(pod).to_owned())
        .collect()
}

/// Asks the class's provisioner for a volume (`provisionClaimOperationExternal`).
fn provision(view: &dyn View, claim: &Value, class: &str, outcome: &mut Outcome) {
    let failed = |message: String, outcome: &mut Outcome| {
        outcome.event(claim, "Warning", "ProvisioningFailed", message);
    };
    let Some(found) = view.get(&STORAGE_CLASS, "", class) else {
        return failed(
            format!("storageclass.storage.k8s.io {class:?} not found"),
            outcome,
        );
    };
    let provisioner = found["provisioner"].as_str().unwrap_or_default();
    if provisioner.starts_with("kubernetes.io/") {
        return failed(format!("no volume plugin matched name: {provisioner}"), outcome);
    }
    let names = [PROVISIONER, BETA_PROVISIONER];
    if names
        .iter()
        .any(|name| object::annotation(claim, name) != Some(provisioner))
    {
        let annotations = json!({PROVISIONER: provisioner, BETA_PROVISIONER: provisioner});
        let patch = json!({"metadata": {"annotations": annotations}});
        outcome.push(bind::patch_claim(claim, "", patch));
    }
    let message = format!(
        "Waiting for a volume to be created either by the external provisioner '{provisioner}' or manually by the system \
         administrator. If volume creation is delayed, please verify that the provisioner is running and correctly \
         registered."
    );
    outcome.event(claim, "Normal", "ExternalProvisioning", message);
}

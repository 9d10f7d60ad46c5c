//! Claims and volumes: the default class, protection while in use, growth (`plugin/pkg/admission/storage`).

use deploy_cluster_kinds::quantity::Quantity;
use serde_json::Value;

use super::classes::default_class;
use super::objects::Objects;
use super::{AdmissionRequest, Operation, items, list_mut, text};
use crate::status::StatusError;

const CLASSES: &str = "storage.k8s.io/storageclasses";
const DEFAULT: [&str; 2] = [
    "storageclass.kubernetes.io/is-default-class",
    "storageclass.beta.kubernetes.io/is-default-class",
];
const BETA_CLASS: &str = "volume.beta.kubernetes.io/storage-class";

pub(super) fn admit(objects: &dyn Objects, request: &mut AdmissionRequest<'_>) {
    if request.creates("persistentvolumeclaims")
        && !has_class(request.object)
        && let Some(class) = default_class(objects, CLASSES, &DEFAULT)
    {
        request.object["spec"]["storageClassName"] = class.into();
    }
    let finalizers = [
        ("persistentvolumeclaims", "kubernetes.io/pvc-protection"),
        ("persistentvolumes", "kubernetes.io/pv-protection"),
        (
            "volumeattributesclasses.storage.k8s.io",
            "kubernetes.io/vac-protection",
        ),
    ];
    for (resource, finalizer) in finalizers {
        let there = items(&request.object["metadata"]["finalizers"]).any(|own| own == finalizer);
        if request.creates(resource) && !there {
            list_mut(&mut request.object["metadata"], "finalizers").push(finalizer.into());
        }
    }
}

/// A claim grows only where it is bound and its class says so (`persistentvolume/resize`).
pub(super) fn validate(objects: &dyn Objects, request: &AdmissionRequest<'_>) -> Result<(), StatusError> {
    let Some(old) = request
        .old_object
        .filter(|_| request.operation == Operation::Update)
    else {
        return Ok(());
    };
    if !request.is("persistentvolumeclaims") || size(request.object) <= size(old) {
        return Ok(());
    }
    if text(&old["status"]["phase"]) != "Bound" {
        return Err(request.forbidden("Only bound persistent volume claims can be expanded"));
    }
    let class = class_of(request.object);
    let resizable = !class.is_empty()
        && class == class_of(old)
        && objects
            .get(CLASSES, "", class)
            .is_some_and(|class| class["allowVolumeExpansion"] == true);
    if resizable {
        return Ok(());
    }
    let why = "only dynamically provisioned pvc can be resized and the storageclass that provisions the pvc must support resize";
    Err(request.forbidden(why))
}

fn has_class(claim: &Value) -> bool {
    let annotation = &claim["metadata"]["annotations"][BETA_CLASS];
    !annotation.is_null() || !claim["spec"]["storageClassName"].is_null()
}

/// The class of a claim, empty where it names none.
pub(super) fn class_of(claim: &Value) -> &str {
    let annotation = claim["metadata"]["annotations"][BETA_CLASS].as_str();
    annotation.unwrap_or_else(|| text(&claim["spec"]["storageClassName"]))
}

fn size(claim: &Value) -> Quantity {
    let size = super::pod_resources::quantity(&claim["spec"]["resources"]["requests"]["storage"]);
    size.unwrap_or(Quantity::ZERO)
}

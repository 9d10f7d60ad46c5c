//! Which class is the default: storage classes, ingress classes (`plugin/pkg/admission/network/defaultingressclass`).

use serde_json::Value;

use super::AdmissionRequest;
use super::objects::Objects;
use super::text;

/// The name of the class that one of these annotations marks as the default; of several the newest, then the first by
/// name.
pub(super) fn default_class(objects: &dyn Objects, resource: &str, annotations: &[&str]) -> Option<String> {
    let marked = |class: &Value| {
        annotations
            .iter()
            .any(|key| class["metadata"]["annotations"][key] == "true")
    };
    let classes = objects.list(resource, "").into_iter().filter(marked);
    let key = |class: &Value| text(&class["metadata"]["creationTimestamp"]).to_owned();
    let best = classes.reduce(|best, class| if key(&class) > key(&best) { class } else { best });
    best.map(|class| text(&class["metadata"]["name"]).to_owned())
}

/// Gives an Ingress without a class the default one.
pub(super) fn admit_ingress(objects: &dyn Objects, request: &mut AdmissionRequest<'_>) {
    if !request.creates("ingresses.networking.k8s.io") {
        return;
    }
    let old = &request.object["metadata"]["annotations"]["kubernetes.io/ingress.class"];
    if !request.object["spec"]["ingressClassName"].is_null() || !old.is_null() {
        return;
    }
    let annotation = ["ingressclass.kubernetes.io/is-default-class"];
    if let Some(class) = default_class(objects, "networking.k8s.io/ingressclasses", &annotation) {
        request.object["spec"]["ingressClassName"] = class.into();
    }
}

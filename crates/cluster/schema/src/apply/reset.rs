//! Which fields a request to a resource or subresource cannot come to manage, because the server resets them
//! (`GetResetFields` and `GetResetFieldsFilter` of the strategies in kubernetes `pkg/registry`).

use super::filter::{Filter, Step};
use crate::fields::Set;

/// What counts of a request to `group`/`plural` and its `subresource` (empty for the object itself); none where all
/// does. `has_status` tells whether the resource has the subresource `status`, which custom resources choose.
pub fn reset_fields(group: &str, plural: &str, subresource: &str, has_status: bool) -> Option<Filter> {
    if let Some((_, _, _, fields)) = EXCEPTIONS
        .iter()
        .find(|(g, p, s, _)| (*g, *p, *s) == (group, plural, subresource))
    {
        return (!fields.is_empty()).then(|| Filter::Exclude(Set::of_fields(fields)));
    }
    let exclude = |field: &str| Some(Filter::Exclude(Set::of_fields(&[&[field]])));
    match (group, plural, subresource) {
        ("", "pods", "ephemeralcontainers") => {
            Some(Filter::Include(vec![fields(&["spec", "ephemeralContainers"])]))
        }
        ("", "pods", "resize") => Some(Filter::Include(pod_resize())),
        (_, _, "") if has_status => exclude("status"),
        (_, _, "status") => exclude("spec"),
        _ => None,
    }
}

/// Those that are not `status` on the object and `spec` on its status.
type Exception = (
    &'static str,
    &'static str,
    &'static str,
    &'static [&'static [&'static str]],
);

const EXCEPTIONS: &[Exception] = &[
    ("", "namespaces", "finalize", &[&["status"]]),
    (
        "",
        "pods",
        "status",
        &[
            &["spec"],
            &["metadata", "deletionTimestamp"],
            &["metadata", "ownerReferences"],
        ],
    ),
    (
        "admissionregistration.k8s.io",
        "validatingadmissionpolicies",
        "status",
        &[&["spec"], &["metadata"]],
    ),
    (
        "apiextensions.k8s.io",
        "customresourcedefinitions",
        "status",
        &[&["metadata"], &["spec"]],
    ),
    (
        "apiregistration.k8s.io",
        "apiservices",
        "status",
        &[&["metadata"], &["spec"]],
    ),
    (
        "apps",
        "deployments",
        "status",
        &[&["spec"], &["metadata", "labels"]],
    ),
    (
        "certificates.k8s.io",
        "certificatesigningrequests",
        "",
        &[&["spec"], &["status"]],
    ),
    (
        "certificates.k8s.io",
        "certificatesigningrequests",
        "approval",
        &[&["spec"], &["status", "certificate"]],
    ),
    (
        "certificates.k8s.io",
        "certificatesigningrequests",
        "status",
        &[&["spec"], &["status", "conditions"]],
    ),
    (
        "flowcontrol.apiserver.k8s.io",
        "flowschemas",
        "status",
        &[&["spec"], &["metadata"]],
    ),
    (
        "flowcontrol.apiserver.k8s.io",
        "prioritylevelconfigurations",
        "status",
        &[&["spec"], &["metadata"]],
    ),
    // Its strategy names the group wrongly (`networking/v1`), so that nothing is reset.
    ("networking.k8s.io", "servicecidrs", "", &[]),
    ("networking.k8s.io", "servicecidrs", "status", &[]),
    (
        "storage.k8s.io",
        "volumeattachments",
        "status",
        &[&["metadata"], &["spec"]],
    ),
];

fn fields(names: &[&str]) -> Vec<Step> {
    names.iter().map(|name| Step::Field((*name).to_owned())).collect()
}

fn pod_resize() -> Vec<Vec<Step>> {
    let mut prefixes = Vec::new();
    for containers in ["containers", "initContainers"] {
        for field in ["resources", "resizePolicy"] {
            let mut prefix = fields(&["spec", containers]);
            prefix.push(Step::Any);
            prefix.extend(fields(&[field]));
            prefixes.push(prefix);
        }
    }
    prefixes
}

//! In which order objects of one wave are written: what others need comes first.

use crate::key::Key;

/// Kinds on which others stand, in their order; all others follow, then those of [`LAST`].
const FIRST: &[(&str, &str)] = &[
    ("", "Namespace"),
    ("apiextensions.k8s.io", "CustomResourceDefinition"),
    ("scheduling.k8s.io", "PriorityClass"),
    ("networking.k8s.io", "NetworkPolicy"),
    ("", "ResourceQuota"),
    ("", "LimitRange"),
    ("policy", "PodDisruptionBudget"),
    ("", "ServiceAccount"),
    ("", "Secret"),
    ("", "ConfigMap"),
    ("storage.k8s.io", "StorageClass"),
    ("", "PersistentVolume"),
    ("", "PersistentVolumeClaim"),
    ("rbac.authorization.k8s.io", "ClusterRole"),
    ("rbac.authorization.k8s.io", "ClusterRoleBinding"),
    ("rbac.authorization.k8s.io", "Role"),
    ("rbac.authorization.k8s.io", "RoleBinding"),
    ("", "Service"),
    ("apps", "DaemonSet"),
    ("", "Pod"),
    ("", "ReplicationController"),
    ("apps", "ReplicaSet"),
    ("apps", "Deployment"),
    ("apps", "StatefulSet"),
    ("batch", "Job"),
    ("batch", "CronJob"),
    ("autoscaling", "HorizontalPodAutoscaler"),
];

/// What sends requests to the others: an address is no use, and a webhook is harm, before that which answers.
const LAST: &[(&str, &str)] = &[
    ("networking.k8s.io", "Ingress"),
    ("apiregistration.k8s.io", "APIService"),
    ("admissionregistration.k8s.io", "MutatingWebhookConfiguration"),
    ("admissionregistration.k8s.io", "ValidatingWebhookConfiguration"),
];

/// The place of a kind: lower is written earlier, and deleted later.
pub fn rank(key: &Key) -> usize {
    let place = |list: &[(&str, &str)]| {
        list.iter()
            .position(|(group, kind)| *group == key.group && *kind == key.kind)
    };
    match (place(FIRST), place(LAST)) {
        (Some(at), _) => at,
        (_, Some(at)) => FIRST.len() + 1 + at,
        _ => FIRST.len(),
    }
}

/// Kinds that must be there, and served, before anything of the same wave that needs them can be written.
pub fn is_ground(key: &Key) -> bool {
    rank(key) < 2
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(group: &str, kind: &str) -> Key {
        let (group, kind) = (group.to_owned(), kind.to_owned());
        Key {
            group,
            kind,
            namespace: String::new(),
            name: String::new(),
        }
    }

    #[test]
    fn what_others_need_comes_first() {
        let kinds = [
            key("", "Namespace"),
            key("apiextensions.k8s.io", "CustomResourceDefinition"),
            key("", "ConfigMap"),
            key("apps", "Deployment"),
            key("example.com", "Widget"),
            key("networking.k8s.io", "Ingress"),
            key("admissionregistration.k8s.io", "ValidatingWebhookConfiguration"),
        ];
        assert!(kinds.is_sorted_by_key(rank), "{kinds:?}");
        assert!(is_ground(&kinds[0]) && is_ground(&kinds[1]) && !is_ground(&kinds[2]));
    }
}

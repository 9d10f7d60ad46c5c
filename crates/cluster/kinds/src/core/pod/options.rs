//! What validation lets pass because an object that is there already has it
//! (`pkg/api/pod/util.go GetValidationOptionsFromPodSpecAndMeta`), and for what it is used.

use super::{annotations, paths, resource_requirements, scheduling, security};
use crate::cursor::Field;
use crate::labels;

/// How strict the validation of a pod's spec is.
#[derive(Clone, Copy, Debug, Default)]
pub struct Options {
    /// A pod, not a template.
    pub is_pod: bool,
    /// The old object has a deletion cost that is none.
    pub allow_invalid_deletion_cost: bool,
    /// The old object asks for parts of huge pages.
    pub allow_indivisible_huge_pages: bool,
    /// The old object has invalid values in selectors of affinities.
    pub allow_invalid_selector_values: bool,
    /// The same in its required node affinity.
    pub allow_invalid_node_affinity_values: bool,
    /// The same in its topology spread.
    pub allow_invalid_spread_selector: bool,
    /// The old object repeats labels in `matchLabelKeys`.
    pub old_violates_match_label_keys: bool,
    /// The old object has a token at a path that leads out of its volume.
    pub allow_any_token_path: bool,
    /// The old object sets sysctls of namespaces that it shares with the host.
    pub allow_host_sysctls: bool,
    /// The old object has environment variables from files.
    pub env_files: bool,
    /// The old object has restart rules.
    pub restart_rules: bool,
    /// The old object has block devices and a user namespace.
    pub devices_in_user_namespace: bool,
    /// The old object has a SELinux change policy.
    pub any_selinux_policy: bool,
}

impl Options {
    /// For a new pod.
    pub const NEW_POD: Self = Self {
        is_pod: true,
        ..Self::NEW_TEMPLATE
    };

    /// For a new template.
    pub const NEW_TEMPLATE: Self = Self {
        is_pod: false,
        allow_invalid_deletion_cost: false,
        allow_indivisible_huge_pages: false,
        allow_invalid_selector_values: false,
        allow_invalid_node_affinity_values: false,
        allow_invalid_spread_selector: false,
        old_violates_match_label_keys: false,
        allow_any_token_path: false,
        allow_host_sysctls: false,
        env_files: false,
        restart_rules: false,
        devices_in_user_namespace: false,
        any_selinux_policy: false,
    };

    /// For the update of a pod or a template: `old` is what has `metadata` and `spec`.
    pub fn for_update(old: &Field<'_>, is_pod: bool) -> Self {
        let spec = old.get("spec");
        let container = |test: &dyn Fn(&Field<'_>) -> bool| super::containers(&spec).any(|c| test(&c));
        let shares_users = spec.get("hostUsers").opt_bool() == Some(false);
        let restart = |c: &Field<'_>| {
            let policy = c.get("restartPolicy");
            let sidecar =
                policy.str() == "Always" && spec.items("initContainers").any(|i| i.path() == c.path());
            (policy.exists() && !sidecar) || !c.get("restartPolicyRules").is_empty()
        };
        Self {
            is_pod,
            allow_invalid_deletion_cost: annotations::has_invalid_deletion_cost(
                &old.get("metadata").get("annotations"),
            ),
            allow_indivisible_huge_pages: container(&resource_requirements::has_indivisible_huge_pages),
            allow_invalid_selector_values: scheduling::has_invalid_selector_value(&spec),
            allow_invalid_node_affinity_values: scheduling::has_invalid_node_affinity_value(&spec),
            allow_invalid_spread_selector: spec.items("topologySpreadConstraints").any(|constraint| {
                let mut found = Vec::new();
                labels::validate_selector(&constraint.get("labelSelector"), false, &mut found);
                !found.is_empty()
            }),
            old_violates_match_label_keys: spec.items("topologySpreadConstraints").any(|constraint| {
                let mut found = Vec::new();
                scheduling::match_label_keys(&constraint, &mut found);
                !found.is_empty()
            }),
            allow_any_token_path: spec.items("volumes").any(|volume| {
                volume.get("projected").items("sources").any(|source| {
                    let path = source.get("serviceAccountToken").get("path");
                    let mut found = Vec::new();
                    paths::local_non_reserved(&path, path.str(), &mut found);
                    !found.is_empty()
                })
            }),
            allow_host_sysctls: spec
                .get("securityContext")
                .items("sysctls")
                .any(|sysctl| security::host_sysctl(&sysctl.get("name"), &spec).is_some()),
            env_files: container(&|c| {
                c.items("env")
                    .any(|e| e.get("valueFrom").get("fileKeyRef").exists())
            }),
            restart_rules: container(&restart),
            devices_in_user_namespace: shares_users && container(&|c| !c.get("volumeDevices").is_empty()),
            any_selinux_policy: spec.get("securityContext").get("seLinuxChangePolicy").exists(),
        }
    }
}

//! Whom a container runs as and what it may do: `securityContext` of the pod and of the container, merged
//! (`pkg/securitycontext/util.go`, `pkg/kubelet/kuberuntime/security_context.go`).

use serde_json::Value;

/// What a container may do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Security {
    /// `runAsUser`
    pub uid: Option<u32>,
    /// `runAsGroup`
    pub gid: Option<u32>,
    /// `runAsNonRoot`
    pub non_root: bool,
    /// `supplementalGroups`, then `fsGroup`.
    pub groups: Vec<u32>,
    /// Whether the groups that the image gives its user count too.
    pub image_groups: bool,
    /// All that root may do on the machine.
    pub privileged: bool,
    /// `capabilities.add`
    pub add: Vec<String>,
    /// `capabilities.drop`
    pub drop: Vec<String>,
    /// `readOnlyRootFilesystem`
    pub read_only_root: bool,
    /// Whether it may get more rights than it starts with.
    pub allow_escalation: bool,
    /// The filter of system calls.
    pub seccomp: Seccomp,
    /// `procMount: Unmasked`
    pub unmasked: bool,
}

/// The filter of system calls.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Seccomp {
    /// The runtime's own: also where nothing is said (`seccompDefault` of the kubelet is on here).
    Default,
    /// None.
    Unconfined,
    /// A file below the node's folder of profiles.
    File(String),
}

/// Merges; the container's word comes first.
pub fn merged(pod: &Value, container: &Value) -> Security {
    let (outer, inner) = (&pod["spec"]["securityContext"], &container["securityContext"]);
    let either = |name: &str| {
        if inner[name].is_null() {
            &outer[name]
        } else {
            &inner[name]
        }
    };
    let id = |value: &Value| value.as_u64().and_then(|id| u32::try_from(id).ok());
    let texts = |value: &Value| {
        let items = value.as_array().into_iter().flatten().filter_map(Value::as_str);
        items.map(str::to_owned).collect()
    };
    let groups = outer["supplementalGroups"].as_array().into_iter().flatten();
    let privileged = inner["privileged"] == true;
    Security {
        uid: id(either("runAsUser")),
        gid: id(either("runAsGroup")),
        non_root: *either("runAsNonRoot") == true,
        groups: groups.chain([&outer["fsGroup"]]).filter_map(id).collect(),
        image_groups: outer["supplementalGroupsPolicy"] != "Strict",
        privileged,
        add: texts(&inner["capabilities"]["add"]),
        drop: texts(&inner["capabilities"]["drop"]),
        read_only_root: inner["readOnlyRootFilesystem"] == true,
        allow_escalation: inner["allowPrivilegeEscalation"] != false,
        seccomp: match either("seccompProfile")["type"].as_str() {
            _ if privileged => Seccomp::Unconfined,
            Some("Unconfined") => Seccomp::Unconfined,
            Some("Localhost") => {
                let file = either("seccompProfile")["localhostProfile"].as_str();
                Seccomp::File(file.unwrap_or_default().to_owned())
            }
            _ => Seccomp::Default,
        },
        unmasked: inner["procMount"] == "Unmasked",
    }
}

impl Security {
    /// Why this must not run, given the user that the image names and what that is as a number; `pod` as messages name it.
    ///
    /// # Errors
    /// Upstream's text (`verifyRunAsNonRoot`).
    pub fn verify(&self, image_user: &str, uid: u32, pod: &str, container: &str) -> Result<(), String> {
        if !self.non_root {
            return Ok(());
        }
        let place = format!("(pod: \"{pod}\", container: {container})");
        let name = image_user.split(':').next().unwrap_or_default();
        match self.uid {
            Some(0) => Err(format!("container's runAsUser breaks non-root policy {place}")),
            Some(_) => Ok(()),
            None if !name.is_empty() && name.parse::<u32>().is_err() => Err(format!(
                "container has runAsNonRoot and image has non-numeric user ({name}), cannot verify user is non-root {place}"
            )),
            None if uid == 0 => Err(format!(
                "container has runAsNonRoot and image will run as root {place}"
            )),
            None => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn the_container_has_the_last_word() {
        let pod = json!({"spec": {"securityContext": {
            "runAsUser": 1000, "runAsGroup": 2000, "fsGroup": 3000, "supplementalGroups": [4000],
            "seccompProfile": {"type": "Unconfined"}, "supplementalGroupsPolicy": "Strict"
        }}});
        let container = json!({"securityContext": {
            "runAsUser": 1001, "capabilities": {"add": ["NET_ADMIN"], "drop": ["ALL"]},
            "allowPrivilegeEscalation": false, "seccompProfile": {"type": "RuntimeDefault"}
        }});
        let found = merged(&pod, &container);
        assert_eq!(
            (found.uid, found.gid, found.groups),
            (Some(1001), Some(2000), vec![4000, 3000])
        );
        assert_eq!(
            (found.add, found.drop),
            (vec!["NET_ADMIN".to_owned()], vec!["ALL".to_owned()])
        );
        assert!(!found.allow_escalation && !found.image_groups);
        assert_eq!(found.seccomp, Seccomp::Default);
        let privileged = merged(&json!({}), &json!({"securityContext": {"privileged": true}}));
        assert_eq!(privileged.seccomp, Seccomp::Unconfined);
        assert!(privileged.allow_escalation && privileged.privileged);
    }

    #[test]
    fn nobody_becomes_root_by_an_image() {
        let of = |context: Value| merged(&json!({}), &json!({"securityContext": context}));
        let rooted = of(json!({"runAsNonRoot": true}));
        let told = rooted.verify("", 0, "p_n(u)", "c").expect_err("root");
        assert_eq!(
            told,
            "container has runAsNonRoot and image will run as root (pod: \"p_n(u)\", container: c)"
        );
        assert!(
            rooted.verify("app", 7, "p", "c").is_err(),
            "a name may be anybody tomorrow"
        );
        assert_eq!(rooted.verify("7:7", 7, "p", "c"), Ok(()));
        assert!(
            of(json!({"runAsNonRoot": true, "runAsUser": 0}))
                .verify("7", 7, "p", "c")
                .is_err()
        );
        assert_eq!(of(json!({})).verify("", 0, "p", "c"), Ok(()));
    }
}

//! The difference between two pods in the text of a refusal: a unified diff of upstream's internal objects as
//! indented JSON (`apimachinery/pkg/util/diff`).

use serde_json::Value;

use crate::internal::pretty;
use crate::unified_diff::unified_diff;

/// The difference between two specs.
pub fn of_specs(old: &Value, new: &Value) -> String {
    unified_diff(&pretty("PodSpec", old), &pretty("PodSpec", new))
}

/// The difference between two ephemeral containers.
pub fn of_ephemeral_containers(old: Option<&Value>, new: Option<&Value>) -> String {
    let text = |value: Option<&Value>| pretty("EphemeralContainer", value.unwrap_or(&Value::Null));
    unified_diff(&text(old), &text(new))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    /// Recorded from the real API server 1.34.2.
    #[test]
    fn a_diff_is_as_upstreams() {
        let spec = json!({
            "automountServiceAccountToken": false,
            "containers": [{
                "image": "nginx", "imagePullPolicy": "Always", "name": "c",
                "ports": [{"containerPort": 80, "protocol": "TCP"}],
                "resources": {"limits": {"cpu": "1"}, "requests": {"cpu": "1"}},
                "terminationMessagePath": "/dev/termination-log", "terminationMessagePolicy": "File",
            }],
            "dnsPolicy": "ClusterFirst", "enableServiceLinks": true, "preemptionPolicy": "PreemptLowerPriority",
            "priority": 0, "restartPolicy": "Always", "schedulerName": "default-scheduler", "securityContext": {},
            "serviceAccount": "default", "serviceAccountName": "default", "terminationGracePeriodSeconds": 30,
        });
        let mut new = spec.clone();
        new["containers"][0]["name"] = json!("x");
        new["hostname"] = json!("hh");
        assert_eq!(
            of_specs(&spec, &new),
            "@@ -3,7 +3,7 @@\n  \"InitContainers\": null,\n  \"Containers\": [\n   {\n-   \"Name\": \"c\",\n\
             +   \"Name\": \"x\",\n    \"Image\": \"nginx\",\n    \"Command\": null,\n    \"Args\": null,\n\
             @@ -76,7 +76,7 @@\n   \"SELinuxChangePolicy\": null\n  },\n  \"ImagePullSecrets\": null,\n\
             - \"Hostname\": \"\",\n+ \"Hostname\": \"hh\",\n  \"Subdomain\": \"\",\n  \"SetHostnameAsFQDN\": null,\n  \
             \"Affinity\": null,\n"
        );
    }
}

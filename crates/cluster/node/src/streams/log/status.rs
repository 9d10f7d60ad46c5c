//! Whose log is meant, from the status of a pod (`pkg/kubelet/kubelet_pods.go validateContainerLogStatus`).

use deploy_cluster_kinds::field::go_quote;
use serde_json::Value;

/// The `containerID` of the status whose log is asked for, or why there is none.
pub fn meant(pod: &Value, container: &str, previous: bool) -> Result<String, String> {
    let named = format!(
        "container {} in pod {}",
        go_quote(container),
        go_quote(pod["metadata"]["name"].as_str().unwrap_or_default())
    );
    let lists = [
        "containerStatuses",
        "initContainerStatuses",
        "ephemeralContainerStatuses",
    ];
    let statuses = lists
        .iter()
        .filter_map(|list| pod["status"][list].as_array())
        .flatten();
    let Some(status) = statuses.into_iter().find(|status| status["name"] == container) else {
        return Err(format!("{named} is not available"));
    };
    let (state, last) = (&status["state"], &status["lastState"]["terminated"]);
    let id = |value: &Value| {
        let id = value["containerID"].as_str().filter(|id| !id.is_empty());
        id.map(str::to_owned)
    };
    let terminated = || format!("{named} is terminated");
    if previous {
        return id(last).ok_or_else(|| format!("previous terminated {named} not found"));
    }
    if state["running"].is_object() {
        return id(status).ok_or_else(|| format!("{named} is not available"));
    }
    if state["terminated"].is_object() {
        return id(&state["terminated"])
            .or_else(|| id(last))
            .ok_or_else(terminated);
    }
    if last.is_object() {
        return id(last).ok_or_else(terminated);
    }
    let waits = format!("{named} is waiting to start");
    match state["waiting"]["reason"].as_str() {
        Some("ErrImagePull") => Err(format!("{waits}: image can't be pulled")),
        Some("ImagePullBackOff") => Err(format!("{waits}: trying and failing to pull image")),
        Some(reason) => Err(format!("{waits}: {reason}")),
        None if state["waiting"].is_object() => Err(format!("{waits}: ")),
        None => Err(format!("{waits} - no logs yet")),
    }
}

/// Name and number of the attempt in a `containerID` of ours: `deploy://UID.NAME.NUMBER`.
pub fn attempt(id: &str) -> Option<(&str, u32)> {
    let (rest, number) = id.rsplit_once('.')?;
    let (_, name) = rest.rsplit_once('.')?;
    Some((name, number.parse().ok()?))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn asked(status: Value, previous: bool) -> Result<String, String> {
        let pod = json!({"metadata": {"name": "p"}, "status": {"initContainerStatuses": [], "containerStatuses": [status]}});
        meant(&pod, "c", previous)
    }

    #[test]
    fn upstream_tells_why_there_is_no_log() {
        let waiting =
            |reason: &str| json!({"name": "c", "state": {"waiting": {"reason": reason}}, "lastState": {}});
        let cases = [
            (
                waiting("ContainerCreating"),
                false,
                "container \"c\" in pod \"p\" is waiting to start: ContainerCreating",
            ),
            (
                waiting("ErrImagePull"),
                false,
                "container \"c\" in pod \"p\" is waiting to start: image can't be pulled",
            ),
            (
                waiting("ImagePullBackOff"),
                false,
                "container \"c\" in pod \"p\" is waiting to start: trying and failing to pull image",
            ),
            (
                json!({"name": "c", "state": {}}),
                false,
                "container \"c\" in pod \"p\" is waiting to start - no logs yet",
            ),
            (
                json!({"name": "other"}),
                false,
                "container \"c\" in pod \"p\" is not available",
            ),
            (
                json!({"name": "c", "state": {"terminated": {"exitCode": 1}}}),
                false,
                "container \"c\" in pod \"p\" is terminated",
            ),
            (
                json!({"name": "c", "containerID": "deploy://u.c.0", "state": {"running": {}}}),
                true,
                "previous terminated container \"c\" in pod \"p\" not found",
            ),
        ];
        for (status, previous, why) in cases {
            assert_eq!(asked(status, previous), Err(why.to_owned()));
        }
    }

    #[test]
    fn the_attempt_is_the_one_of_the_state() {
        let id = |number: u32| format!("deploy://u-1.c.{number}");
        let running = json!({
            "name": "c", "containerID": id(2), "state": {"running": {}},
            "lastState": {"terminated": {"containerID": id(1)}},
        });
        assert_eq!(asked(running.clone(), false), Ok(id(2)));
        assert_eq!(asked(running, true), Ok(id(1)));
        let looping = json!({
            "name": "c", "containerID": id(3), "state": {"waiting": {"reason": "CrashLoopBackOff"}},
            "lastState": {"terminated": {"containerID": id(3)}},
        });
        assert_eq!(asked(looping, false), Ok(id(3)));
        assert_eq!(attempt(&id(3)), Some(("c", 3)));
        assert_eq!(attempt("deploy://3"), None);
    }
}

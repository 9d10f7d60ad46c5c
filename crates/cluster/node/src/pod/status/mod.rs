//! The status of a pod, as upstream's kubelet computes it (`pkg/kubelet/kubelet_pods.go`, `pkg/kubelet/status`).

mod conditions;
mod containers;
mod phase;

use jiff::Timestamp;
use serde_json::{Value, json};

use super::engine::AskedState;
use super::{Engine, admission, shown};

impl Engine {
    /// What the API server shall know now.
    pub fn status(&self) -> &Value {
        &self.known
    }

    pub(super) fn compute_status(&self, now: Timestamp) -> Value {
        let pod = &self.pod;
        let mut mains = self.container_statuses(&pod.containers, false);
        mains.sort_by(|a, b| a["name"].as_str().cmp(&b["name"].as_str()));
        let inits = self.container_statuses(&pod.init_containers, true);
        let (phase, failure) = self.phase(&mains, &inits);
        let mut status = json!({
            "phase": phase,
            "hostIP": self.node,
            "hostIPs": [{"ip": self.node}],
            "startTime": shown(self.start_time),
            "containerStatuses": mains,
        });
        if !inits.is_empty() {
            status["initContainerStatuses"] = Value::from(inits.clone());
        }
        if !self.address.is_empty() {
            status["podIP"] = Value::from(self.address.as_str());
            status["podIPs"] = json!([{"ip": self.address}]);
        }
        let kept = [("qosClass", pod.object["status"]["qosClass"].clone())];
        for (name, value) in kept.into_iter().filter(|(_, value)| value.is_string()) {
            status[name] = value;
        }
        if pod.generation > 0 {
            status["observedGeneration"] = Value::from(pod.generation);
        }
        if let Some((reason, message)) = failure {
            // Nothing was made of it, so there is nothing to tell of its containers (`kubelet.go rejectPod`).
            if admission::is_refusal(&reason)
                && let Some(status) = status.as_object_mut()
            {
                status.remove("containerStatuses");
                status.remove("initContainerStatuses");
            }
            status["reason"] = Value::from(reason);
            if !message.is_empty() {
                status["message"] = Value::from(message);
            }
        }
        let sandbox = self.sandbox.state == AskedState::Ready && !self.is_stopped();
        let own = conditions::Look {
            pod,
            phase,
            mains: &mains,
            inits: &inits,
            sandbox,
        };
        status["conditions"] = conditions::conditions(&own, &self.known["conditions"], now);
        status
    }

    /// The phase, and why it is so where the node has decided that.
    fn phase(&self, mains: &[Value], inits: &[Value]) -> (&'static str, Option<(String, String)>) {
        let stopped = self.is_stopped();
        let mut phase = phase::phase(&self.pod, mains, inits, stopped);
        let failure = self.ending.as_ref().and_then(|ending| ending.failure.as_ref());
        if failure.is_some() {
            phase = "Failed";
        }
        // What has ended stays so.
        for before in [&self.pod.object["status"]["phase"], &self.known["phase"]] {
            match before.as_str() {
                Some("Succeeded") => phase = "Succeeded",
                Some("Failed") => phase = "Failed",
                _ => {}
            }
        }
        // Whatever it has come to when it had to go, it has not succeeded.
        if stopped && !matches!(phase, "Succeeded" | "Failed") {
            phase = "Failed";
        }
        let told = failure
            .map(|failure| (failure.reason.to_owned(), failure.message.clone()))
            .or_else(|| {
                let text = |name: &str| {
                    let known = self.known[name]
                        .as_str()
                        .or_else(|| self.pod.object["status"][name].as_str());
                    known.unwrap_or_default().to_owned()
                };
                let same = self.known["phase"].as_str() == Some(phase);
                Some((text("reason"), text("message"))).filter(|(reason, _)| same && !reason.is_empty())
            });
        (phase, told)
    }
}

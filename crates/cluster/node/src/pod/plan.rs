//! Which containers shall run next, and which must not go on (`pkg/kubelet/kuberuntime` `computePodActions`).

use std::collections::BTreeMap;

use super::state::{Attempt, Record, State};
use super::{Container, Pod, RestartPolicy};
use crate::probe::Kind;

/// What is to be done with containers.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Plan {
    /// To be started, in this order.
    pub start: Vec<String>,
    /// To be stopped.
    pub stop: Vec<Stopping>,
    /// Nothing will ever run again: what still runs is to be stopped.
    pub done: bool,
}

#[derive(Debug, PartialEq, Eq)]
pub(super) struct Stopping {
    pub container: String,
    /// Of the event.
    pub message: String,
    /// Whether it starts again.
    pub restarts: bool,
    /// The probe's own grace period.
    pub grace_seconds: Option<i64>,
}

/// Decides for a pod whose sandbox is the `sandbox`th.
pub(super) fn plan(pod: &Pod, records: &BTreeMap<String, Record>, sandbox: u32) -> Plan {
    let look = Look {
        pod,
        records,
        sandbox,
    };
    let mut plan = Plan::default();
    let begun = pod
        .containers
        .iter()
        .any(|container| look.current(container).is_some());
    let initialized = if begun {
        look.keep_sidecars(&mut plan);
        true
    } else {
        look.initialize(&mut plan)
    };
    if initialized && !plan.done {
        look.mains(&mut plan);
    }
    plan
}

struct Look<'a> {
    pod: &'a Pod,
    records: &'a BTreeMap<String, Record>,
    sandbox: u32,
}

impl Look<'_> {
    fn latest(&self, container: &Container) -> Option<&Attempt> {
        self.records.get(&container.name)?.now.as_ref()
    }

    /// The latest attempt, where it belongs to this sandbox.
    fn current(&self, container: &Container) -> Option<&Attempt> {
        self.latest(container)
            .filter(|attempt| attempt.sandbox == self.sandbox)
    }

    /// One init container after the other. Whether all are done.
    fn initialize(&self, plan: &mut Plan) -> bool {
        let inits = &self.pod.init_containers;
        for (place, container) in inits.iter().enumerate() {
            let later_began = inits[place + 1..]
                .iter()
                .any(|later| self.current(later).is_some());
            let Some(attempt) = self.current(container) else {
                if later_began {
                    continue;
                }
                plan.start.push(container.name.clone());
                return false;
            };
            match &attempt.state {
                State::Created => return false,
                State::Running { .. } if container.sidecar => {
                    self.keep(container, attempt, "Init container", plan);
                    if !attempt.probes.started() && !later_began {
                        return false;
                    }
                }
                State::Running { .. } => return false,
                State::Exited { .. } if container.sidecar => {
                    plan.start.push(container.name.clone());
                    if !later_began {
                        return false;
                    }
                }
                State::Exited { exit, .. } if exit.code == 0 => {}
                State::Exited { exit, .. } => {
                    if self.pod.restarts(container, exit.code) {
                        plan.start.push(container.name.clone());
                    } else {
                        plan.start.clear();
                        plan.done = true;
                    }
                    return false;
                }
            }
        }
        true
    }

    /// Once the pod is initialized only sidecars matter.
    fn keep_sidecars(&self, plan: &mut Plan) {
        for container in self
            .pod
            .init_containers
            .iter()
            .filter(|container| container.sidecar)
        {
            match self.current(container) {
                Some(attempt) if attempt.is_running() => {
                    self.keep(container, attempt, "Init container", plan)
                }
                Some(attempt) if attempt.state == State::Created => {}
                _ => plan.start.push(container.name.clone()),
            }
        }
    }

    fn mains(&self, plan: &mut Plan) {
        let (sidecars, mut alive) = (plan.start.len(), 0);
        for container in &self.pod.containers {
            let Some(attempt) = self.latest(container) else {
                plan.start.push(container.name.clone());
                continue;
            };
            match &attempt.state {
                State::Exited { exit, .. } => {
                    let wanted = attempt.stop.as_ref().is_some_and(|stop| stop.restarts);
                    if wanted || self.pod.restarts(container, exit.code) {
                        plan.start.push(container.name.clone());
                    }
                }
                State::Created => alive += 1,
                State::Running { .. } => {
                    alive += 1;
                    self.keep(container, attempt, "Container", plan);
                }
            }
        }
        if alive == 0 && plan.start.len() == sidecars {
            // Sidecars alone keep no pod alive.
            plan.start.clear();
            plan.done = true;
        }
    }

    /// A container that runs: it is stopped where a probe says so.
    fn keep(&self, container: &Container, attempt: &Attempt, word: &str, plan: &mut Plan) {
        let Some((kind, grace_seconds)) = attempt.probes.failed() else {
            return;
        };
        if attempt.stop.is_some() {
            return;
        }
        let probe = match kind {
            Kind::Startup => "startup",
            Kind::Readiness | Kind::Liveness => "liveness",
        };
        let restarts = container.sidecar || self.pod.restart_policy != RestartPolicy::Never;
        let again = if restarts && !container.sidecar {
            ", will be restarted"
        } else {
            ""
        };
        plan.stop.push(Stopping {
            container: container.name.clone(),
            message: format!("{word} {} failed {probe} probe{again}", container.name),
            restarts,
            grace_seconds,
        });
    }
}

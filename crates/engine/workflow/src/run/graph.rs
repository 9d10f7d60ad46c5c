//! The jobs of a run, those of called workflows too, and what is known of each.

use super::job::{Ended, JobRun};
use super::types::{Conclusion, JobId};
use crate::expression::{Object, Value};
use crate::limits::MAX_JOBS;
use crate::plan::Combination;
use crate::workflow::{Job, Workflow};
use jiff::Timestamp;
use std::collections::BTreeMap;
use std::sync::Arc;

/// Which instance of which node.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct At {
    pub node: usize,
    pub instance: usize,
}

/// All of it.
#[derive(Default)]
pub(super) struct Graph {
    pub scopes: Vec<Scope>,
    pub nodes: Vec<Node>,
}

/// A workflow that is carried out: the run's own, or a called one.
pub(super) struct Scope {
    pub workflow: Arc<Workflow>,
    /// The instance that calls it.
    pub parent: Option<At>,
    pub inputs: Value,
    pub secrets: Value,
    pub nodes: std::ops::Range<usize>,
    pub done: bool,
    /// The job that calls it was told to stop.
    pub cancelled: bool,
}

/// A job of a file.
pub(super) struct Node {
    pub scope: usize,
    /// Its place in the workflow.
    pub job: usize,
    pub state: NodeState,
    pub instances: Vec<Instance>,
    pub fail_fast: bool,
    pub max_parallel: usize,
    /// One of its instances failed and the others have to stop.
    pub stops: bool,
    pub conclusion: Conclusion,
    pub outputs: BTreeMap<String, String>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum NodeState {
    /// For what it needs.
    Waiting,
    Running,
    Done,
}

/// A job with one combination of its matrix.
pub(super) struct Instance {
    pub id: JobId,
    pub name: String,
    pub matrix: Option<Combination>,
    pub strategy: Value,
    pub progress: Progress,
    pub continue_on_error: bool,
    pub group: Option<String>,
}

pub(super) enum Progress {
    /// For its turn.
    Queued,
    /// For its concurrency group.
    WaitsForGroup {
        until: Option<Timestamp>,
    },
    /// For a runner.
    Starting {
        until: Option<Timestamp>,
    },
    Running(Box<JobRun>),
    /// A called workflow is carried out.
    Calling {
        scope: usize,
    },
    Ended(Conclusion),
}

impl Instance {
    pub fn next_deadline(&self) -> Option<Timestamp> {
        match &self.progress {
            Progress::WaitsForGroup { until } | Progress::Starting { until } => *until,
            Progress::Running(job) => job.next_deadline(),
            Progress::Queued | Progress::Calling { .. } | Progress::Ended(_) => None,
        }
    }

    pub fn ended(&self) -> Option<Conclusion> {
        match self.progress {
            Progress::Ended(conclusion) => Some(conclusion),
            _ => None,
        }
    }
}

impl Graph {
    pub fn add_scope(
        &mut self,
        workflow: Arc<Workflow>,
        parent: Option<At>,
        inputs: Value,
        secrets: Value,
    ) -> usize {
        let scope = self.scopes.len();
        let first = self.nodes.len();
        for job in 0..workflow.jobs.len() {
            self.nodes.push(Node {
                scope,
                job,
                state: NodeState::Waiting,
                instances: Vec::new(),
                fail_fast: true,
                max_parallel: usize::MAX,
                stops: false,
                conclusion: Conclusion::Skipped,
                outputs: BTreeMap::new(),
            });
        }
        self.scopes.push(Scope {
            workflow,
            parent,
            inputs,
            secrets,
            nodes: first..self.nodes.len(),
            done: false,
            cancelled: false,
        });
        scope
    }

    /// Whether a run may have so many jobs more.
    pub fn has_room_for(&self, more: usize) -> bool {
        let jobs: usize = self.nodes.iter().map(|node| node.instances.len().max(1)).sum();
        jobs + more <= MAX_JOBS
    }

    /// Whether a scope, or one that it is part of, was told to stop.
    pub fn is_cancelled(&self, scope: usize) -> bool {
        let scope = &self.scopes[scope];
        let around = scope.parent.map(|parent| self.nodes[parent.node].scope);
        scope.cancelled || around.is_some_and(|around| self.is_cancelled(around))
    }

    pub fn job(&self, node: usize) -> &Job {
        let node = &self.nodes[node];
        &self.scopes[node.scope].workflow.jobs[node.job]
    }

    pub fn at(&self, at: At) -> &Instance {
        &self.nodes[at.node].instances[at.instance]
    }

    pub fn at_mut(&mut self, at: At) -> &mut Instance {
        &mut self.nodes[at.node].instances[at.instance]
    }

    pub fn instances(&self) -> impl Iterator<Item = &Instance> {
        self.nodes.iter().flat_map(|node| &node.instances)
    }

    /// All instances that there are now.
    pub fn places(&self) -> Vec<At> {
        let nodes = self.nodes.iter().enumerate();
        let places =
            nodes.flat_map(|(node, n)| (0..n.instances.len()).map(move |instance| At { node, instance }));
        places.collect()
    }

    pub fn find(&self, id: &JobId) -> Option<At> {
        self.places().into_iter().find(|at| self.at(*at).id == *id)
    }

    /// What the ids and the names of a scope's jobs begin with.
    pub fn prefixes(&self, scope: usize) -> (String, String) {
        match self.scopes[scope].parent {
            None => (String::new(), String::new()),
            Some(parent) => {
                let parent = self.at(parent);
                (format!("{}/", parent.id), format!("{} / ", parent.name))
            }
        }
    }

    /// The nodes that a node needs.
    pub fn needs(&self, node: usize) -> Vec<usize> {
        let scope = &self.scopes[self.nodes[node].scope];
        let needs = self.job(node).needs.iter().map(|need| need.shown());
        let found = needs.filter_map(|need| {
            scope
                .nodes
                .clone()
                .find(|other| self.job(*other).id().eq_ignore_ascii_case(&need))
        });
        found.collect()
    }

    /// How all that a node needs ended, also what that needs itself.
    pub fn results(&self, node: usize) -> Vec<(String, Conclusion)> {
        let mut results = Vec::new();
        let mut seen = vec![node];
        let mut next = self.needs(node);
        while let Some(needed) = next.pop() {
            if seen.contains(&needed) {
                continue;
            }
            seen.push(needed);
            results.push((self.job(needed).id().to_owned(), self.nodes[needed].conclusion));
            next.extend(self.needs(needed));
        }
        results
    }

    /// The `needs` context of a node.
    pub fn needs_context(&self, node: usize) -> Object {
        let needs = self.needs(node).into_iter();
        needs
            .map(|needed| (self.job(needed).id(), self.result_of(needed)))
            .collect()
    }

    /// `result` and `outputs` of a node.
    pub fn result_of(&self, node: usize) -> Object {
        let node = &self.nodes[node];
        let outputs: Object = node
            .outputs
            .iter()
            .map(|(k, v)| (k.as_str(), v.as_str()))
            .collect();
        let entries = [
            ("result", Value::text(node.conclusion.as_str())),
            ("outputs", outputs.into()),
        ];
        entries.into_iter().collect()
    }

    /// How all nodes of a scope ended; none while one has not.
    pub fn conclusion_of(&self, scope: usize) -> Option<Conclusion> {
        let nodes = &self.nodes[self.scopes[scope].nodes.clone()];
        if nodes.iter().any(|node| node.state != NodeState::Done) {
            return None;
        }
        Some(
            nodes
                .iter()
                .fold(Conclusion::Skipped, |worst, node| worst.worse(node.conclusion)),
        )
    }

    /// How the run ended; none while it has not.
    pub fn conclusion(&self) -> Option<Conclusion> {
        self.conclusion_of(0)
    }

    /// Keeps how an instance ended, with what it gives to others.
    pub fn keep(&mut self, at: At, ended: &Ended) -> Conclusion {
        let instance = self.at_mut(at);
        let conclusion = match ended.conclusion {
            Conclusion::Failure if instance.continue_on_error => Conclusion::Success,
            conclusion => conclusion,
        };
        instance.progress = Progress::Ended(conclusion);
        let outputs = ended.outputs.iter().filter(|(_, value)| !value.is_empty());
        let outputs: Vec<(String, String)> = outputs.map(|(k, v)| (k.clone(), v.clone())).collect();
        self.nodes[at.node].outputs.extend(outputs);
        conclusion
    }
}

pub(super) fn too_many_jobs() -> String {
    format!("The run has more than {MAX_JOBS} jobs")
}

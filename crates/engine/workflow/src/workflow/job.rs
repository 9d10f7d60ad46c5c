//! Jobs, and whether their needs can be met.

use super::Reading;
use super::calls::{Call, Secrets, check_target};
use super::condition::Condition;
use super::containers;
use super::ids::Ids;
use super::permissions::Permissions;
use super::step::{Step, read_steps};
use crate::reader::{Hint, Kind, Problems, Token};
use std::collections::HashSet;

/// A job.
#[derive(Clone, Debug)]
pub struct Job {
    /// Its identifier, with its place.
    pub id: Token,
    /// `name`, or else the identifier.
    pub name: Token,
    /// `needs`
    pub needs: Vec<Token>,
    /// Whether the file has `needs`.
    pub has_needs: bool,
    /// `if`
    pub condition: Condition,
    /// `strategy`
    pub strategy: Option<Token>,
    /// `concurrency`
    pub concurrency: Option<Token>,
    /// `permissions`
    pub permissions: Option<Permissions>,
    /// What it does.
    pub body: Body,
    /// All that the file says of it, by key: `runs-on`, `env`, `defaults`, `outputs`, `timeout-minutes`,
    /// `cancel-timeout-minutes`, `continue-on-error`, `container`, `services`, `environment`, `snapshot`.
    pub token: Token,
}

/// What a job does.
#[derive(Clone, Debug)]
pub enum Body {
    /// Its steps, one after the other.
    Steps(Vec<Step>),
    /// Another workflow.
    Call(Call),
}

impl Job {
    /// Its identifier.
    pub fn id(&self) -> &str {
        self.id.as_str().unwrap_or_default()
    }

    /// What the file says of it.
    pub fn get(&self, key: &str) -> Option<&Token> {
        self.token.get(key)
    }
}

pub(super) fn read_jobs(jobs: &Token, reading: &mut Reading<'_>) -> Vec<Job> {
    let entries = jobs.entries().iter();
    let read: Vec<Job> = entries.map(|(id, job)| read_job(id, job, reading)).collect();
    check_needs(jobs, &read, reading.problems);
    read
}

fn read_job(id: &Token, job: &Token, reading: &mut Reading<'_>) -> Job {
    let problems = &mut *reading.problems;
    if let Err(message) = Ids::default().take(id.as_str().unwrap_or_default()) {
        problems.at(id.place, message);
    }
    let condition = job
        .get("if")
        .and_then(|token| Condition::read(token, "job-if", problems));
    if let Some(runs_on) = job.get("runs-on") {
        check_group(runs_on, problems);
    }
    if let Some(container) = job.get("container") {
        containers::check(container, problems);
    }
    for (_, service) in job.get("services").map_or(&[][..], Token::entries) {
        containers::check(service, problems);
    }
    if let Some(matrix) = job.get("strategy").and_then(|strategy| strategy.get("matrix")) {
        check_matrix(matrix, problems);
    }
    let needs = job.get("needs");
    let name = job
        .get("name")
        .filter(|name| name.as_str() != Some(""))
        .unwrap_or(id);
    Job {
        id: id.clone(),
        name: name.clone(),
        has_needs: needs.is_some(),
        needs: match needs.map(|needs| &needs.kind) {
            Some(Kind::Sequence(items)) => items.clone(),
            Some(_) => needs.cloned().into_iter().collect(),
            None => Vec::new(),
        },
        condition: condition.unwrap_or_else(Condition::success),
        strategy: job.get("strategy").cloned(),
        concurrency: job.get("concurrency").cloned(),
        permissions: job.get("permissions").map(Permissions::read),
        body: read_body(job, problems),
        token: job.clone(),
    }
}

fn read_body(job: &Token, problems: &mut Problems) -> Body {
    let Some(target) = job.get("uses") else {
        let steps = job
            .get("steps")
            .map(|steps| read_steps(steps, "step-if", problems));
        return Body::Steps(steps.unwrap_or_default());
    };
    check_target(target, problems);
    let secrets = match job.get("secrets") {
        None => Secrets::None,
        Some(token) if token.as_str().is_some() => Secrets::Inherit,
        Some(token) => Secrets::Given(token.clone()),
    };
    Body::Call(Call {
        target: target.clone(),
        with: job.get("with").cloned(),
        secrets,
        workflow: None,
    })
}

fn check_group(runs_on: &Token, problems: &mut Problems) {
    let Some(group) = runs_on.get("group") else { return };
    let Some(name) = group.as_str() else { return };
    let parts: Vec<&str> = name.split('/').collect();
    let message = match parts.as_slice() {
        [_] => return,
        ["org" | "organization" | "ent" | "enterprise", ""] => {
            format!("Invalid runs-on group name '{name}'.")
        }
        ["org" | "organization" | "ent" | "enterprise", _] => return,
        _ => format!(
            "Invalid runs-on group name '{name}'. Please use 'organization/' or 'enterprise/' prefix to target a \
             single runner group."
        ),
    };
    problems.at(group.place, message);
}

fn check_matrix(matrix: &Token, problems: &mut Problems) {
    for (key, vector) in matrix.entries() {
        let name = key.shown();
        let is_filter = matches!(name.as_str(), "include" | "exclude");
        if let (false, Kind::Sequence(items)) = (is_filter, &vector.kind)
            && items.is_empty()
        {
            problems.at(
                vector.place,
                format!("Matrix vector '{name}' does not contain any values"),
            );
        }
    }
}

/// Tells needs that nobody meets: unknown jobs and cycles.
fn check_needs(jobs: &Token, read: &[Job], problems: &mut Problems) {
    if !read.iter().any(|job| job.needs.is_empty()) {
        problems.at(
            jobs.place,
            "The workflow must contain at least one job with no dependencies.",
        );
        return;
    }
    let mut met: HashSet<String> = HashSet::new();
    let key = |token: &Token| token.shown().to_lowercase();
    loop {
        let before = met.len();
        let ready = read
            .iter()
            .filter(|job| job.needs.iter().all(|need| met.contains(&key(need))));
        let ready: Vec<String> = ready.map(|job| key(&job.id)).collect();
        met.extend(ready);
        if met.len() == before {
            break;
        }
    }
    for job in read.iter().filter(|job| !met.contains(&key(&job.id))) {
        let id = job.id();
        for need in job.needs.iter().filter(|need| !met.contains(&key(need))) {
            let name = need.shown();
            let message = match read.iter().any(|other| key(&other.id) == key(need)) {
                false => format!("Job '{id}' depends on unknown job '{name}'."),
                true => {
                    format!(
                        "Job '{id}' depends on job '{name}' which creates a cycle in the dependency graph."
                    )
                }
            };
            match cycle(read, job) {
                Some(path) => problems.hinted(need.place, message, Hint::Cycle(path)),
                None => problems.at(need.place, message),
            }
        }
    }
}

/// The way from a job back to itself, for people: `a -> b -> a`.
fn cycle(jobs: &[Job], from: &Job) -> Option<String> {
    let find = |name: &str| jobs.iter().find(|job| job.id().eq_ignore_ascii_case(name));
    let mut ways: Vec<Vec<&Job>> = vec![vec![from]];
    let mut seen: HashSet<String> = HashSet::new();
    while let Some(way) = ways.pop() {
        let last = way.last()?;
        for need in &last.needs {
            let Some(next) = find(&need.shown()) else { continue };
            if next.id() == from.id() {
                let mut names: Vec<&str> = way.iter().map(|job| job.id()).collect();
                names.push(from.id());
                return Some(names.join(" -> "));
            }
            if seen.insert(next.id().to_lowercase()) {
                let mut longer = way.clone();
                longer.push(next);
                ways.push(longer);
            }
        }
    }
    None
}

//! GitHub's own cases of workflow files (actions/languageservices, workflow-parser/testdata/reader).

use deploy_conformance::{Suite, root, skipped};
use deploy_workflow::reader::{Bounds, Kind, Token};
use deploy_workflow::workflow::{
    Body, Call, Condition, Event, Files, InputType, Job, Level, Options, Permissions, Policy, Secrets, Step,
    Task, Workflow, read,
};
use serde_json::{Map, Value as Json, json};
use std::collections::BTreeMap;
use std::fs;

struct Others(BTreeMap<String, String>);

impl Files for Others {
    fn read(&self, path: &str) -> Option<String> {
        self.0.get(path).cloned()
    }
}

fn check(name: &str, text: &str) -> Result<(), String> {
    let text = text.replace("\r\n", "\n");
    let documents: Vec<&str> = text.split("\n---\n").collect();
    let [head, input, others @ .., expected] = documents.as_slice() else {
        return Err("a case has three documents".to_owned());
    };
    let head =
        deploy_yaml::to_json(head.as_bytes(), deploy_yaml::Dialect::Core12).map_err(|e| e.to_string())?;
    let expected: Json = serde_json::from_str(expected).map_err(|e| e.to_string())?;
    let pairs = others.chunks(2).filter(|pair| pair.len() == 2);
    let others = Others(
        pairs
            .map(|pair| (pair[0].trim().to_owned(), pair[1].to_owned()))
            .collect(),
    );
    let skips: Vec<&str> = head["skip"]
        .as_array()
        .into_iter()
        .flatten()
        .filter_map(Json::as_str)
        .collect();
    // Cases that only the TypeScript reader runs are about the events, which it alone reads strictly.
    let events = skips.contains(&"C#") && skips.contains(&"Go");
    let options = options(&head, events, others.0.is_empty());
    let file = format!(".github/workflows/{name}");
    let sources = head["include-source"] == json!(true);
    let found = match read(&file, input, &others, &options) {
        Ok(workflow) => Printer { sources }.workflow(&workflow, events),
        Err(problems) => {
            json!({"errors": problems.iter().map(|p| json!({"Message": p.to_string()})).collect::<Vec<_>>()})
        }
    };
    match found == expected {
        true => Ok(()),
        false => Err(format!(
            "found\n{}\nexpected\n{}",
            serde_json::to_string_pretty(&found).unwrap(),
            serde_json::to_string_pretty(&expected).unwrap()
        )),
    }
}

fn options(head: &Json, strict: bool, alone: bool) -> Options {
    let number = |key: &str| head[key].as_u64().and_then(|n| usize::try_from(n).ok());
    let defaults = Options::default();
    Options {
        strict_events: strict,
        background_steps: head["experimental-features"]["allowBackgroundSteps"] == json!(true),
        follow_calls: !alone,
        bounds: Bounds {
            depth: number("max-depth").unwrap_or(defaults.bounds.depth),
            file_chars: number("max-file-size").unwrap_or(defaults.bounds.file_chars),
        },
        max_jobs: number("max-job-limit").unwrap_or(defaults.max_jobs),
        max_call_depth: number("max-nested-reusable-workflows-depth").unwrap_or(defaults.max_call_depth),
        policy: match head["permissions-policy"].as_str() {
            Some("LimitedRead") => Some(Policy::LimitedRead),
            Some("Write") => Some(Policy::Write),
            _ => None,
        },
    }
}

/// Prints a workflow as GitHub's tests do.
struct Printer {
    sources: bool,
}

impl Printer {
    fn workflow(&self, workflow: &Workflow, events: bool) -> Json {
        let mut map = Map::new();
        for (key, token) in [
            ("env", &workflow.env),
            ("defaults", &workflow.defaults),
            ("concurrency", &workflow.concurrency),
        ] {
            self.put(&mut map, key, token.as_ref());
        }
        if let Some(permissions) = &workflow.permissions {
            map.insert("permissions".to_owned(), levels(permissions));
        }
        if events {
            let list = workflow
                .events
                .list
                .iter()
                .map(|(name, event)| (name.clone(), print_event(name, event)));
            map.insert("events".to_owned(), list.collect::<Map<_, _>>().into());
        }
        let jobs = workflow
            .jobs
            .iter()
            .map(|job| self.job(job, workflow.permissions.as_ref()));
        map.insert("jobs".to_owned(), jobs.collect());
        if self.sources {
            map.insert("file-table".to_owned(), json!(workflow.files));
        }
        map.into()
    }

    fn job(&self, job: &Job, inherited: Option<&Permissions>) -> Json {
        let mut map = Map::new();
        map.insert("id".to_owned(), self.token(&job.id));
        map.insert("name".to_owned(), self.token(&job.name));
        map.insert("if".to_owned(), condition(&job.condition));
        if job.has_needs || matches!(job.body, Body::Call(_)) {
            map.insert(
                "needs".to_owned(),
                job.needs.iter().map(|need| self.token(need)).collect(),
            );
        }
        self.put(&mut map, "strategy", job.strategy.as_ref());
        self.put(&mut map, "concurrency", job.concurrency.as_ref());
        let own = job.permissions.as_ref().or(inherited);
        match &job.body {
            Body::Steps(steps) => {
                map.insert("type".to_owned(), json!("job"));
                for key in [
                    "env",
                    "environment",
                    "runs-on",
                    "container",
                    "services",
                    "outputs",
                    "defaults",
                    "timeout-minutes",
                    "cancel-timeout-minutes",
                    "continue-on-error",
                    "snapshot",
                ] {
                    self.put(&mut map, key, job.get(key));
                }
                if !steps.is_empty() {
                    map.insert(
                        "steps".to_owned(),
                        steps.iter().map(|step| self.step(step)).collect(),
                    );
                }
                if let Some(own) = own {
                    map.insert("permissions".to_owned(), levels(own));
                }
            }
            Body::Call(call) => self.call(&mut map, call, own),
        }
        map.into()
    }

    fn call(&self, map: &mut Map<String, Json>, call: &Call, own: Option<&Permissions>) {
        map.insert("type".to_owned(), json!("reusableWorkflowJob"));
        map.insert("ref".to_owned(), self.token(&call.target));
        self.put(map, "input-values", call.with.as_ref());
        match &call.secrets {
            Secrets::None => {}
            Secrets::Inherit => {
                map.insert("inherit-secrets".to_owned(), json!(true));
            }
            Secrets::Given(token) => self.put(map, "secret-values", Some(token)),
        }
        let Some(called) = &call.workflow else { return };
        if let Some(definition) = &called.call {
            self.put(map, "input-definitions", definition.inputs.as_ref());
            self.put(map, "secret-definitions", definition.secrets.as_ref());
            self.put(map, "outputs", definition.outputs.as_ref());
        }
        let permissions = called.permissions.as_ref().or(own);
        if let Some(permissions) = permissions {
            map.insert("permissions".to_owned(), levels(permissions));
        }
        map.insert(
            "jobs".to_owned(),
            called.jobs.iter().map(|job| self.job(job, permissions)).collect(),
        );
    }

    fn step(&self, step: &Step) -> Json {
        let mut map = Map::new();
        map.insert("id".to_owned(), json!(step.id));
        if let Some(condition_) = &step.condition {
            map.insert("if".to_owned(), condition(condition_));
        }
        for (key, token) in [
            ("name", &step.name),
            ("continue-on-error", &step.continue_on_error),
            ("timeout-minutes", &step.timeout_minutes),
            ("env", &step.env),
        ] {
            self.put(&mut map, key, token.as_ref());
        }
        if let Some(background) = step.background {
            map.insert("background".to_owned(), json!(background));
        }
        let mut default_name = |name: &str| {
            map.entry("name").or_insert_with(|| json!(name));
        };
        match &step.task {
            Task::Run {
                script,
                shell,
                working_directory,
            } => {
                self.put(&mut map, "run", Some(script));
                self.put(&mut map, "shell", shell.as_ref());
                self.put(&mut map, "working-directory", working_directory.as_ref());
            }
            Task::Uses { action, with } => {
                self.put(&mut map, "uses", Some(action));
                self.put(&mut map, "with", with.as_ref());
            }
            Task::Wait(targets) => {
                default_name("Wait");
                map.insert(
                    "wait".to_owned(),
                    targets.iter().map(|target| self.token(target)).collect(),
                );
            }
            Task::WaitAll => {
                default_name("Wait for all");
                map.insert("wait-all".to_owned(), json!(true));
            }
            Task::Cancel(target) => {
                default_name("Cancel");
                map.insert("cancel".to_owned(), self.token(target));
            }
            Task::Parallel(steps) => {
                default_name("Parallel group");
                map.insert(
                    "parallel".to_owned(),
                    steps.iter().map(|step| self.step(step)).collect(),
                );
            }
        }
        map.into()
    }

    fn put(&self, map: &mut Map<String, Json>, key: &str, token: Option<&Token>) {
        if let Some(token) = token {
            map.insert(key.to_owned(), self.token(token));
        }
    }

    fn token(&self, token: &Token) -> Json {
        let (number, key, value) = match &token.kind {
            Kind::String(text) => (0, "lit", json!(&**text)),
            Kind::Sequence(items) => (1, "seq", items.iter().map(|item| self.token(item)).collect()),
            Kind::Mapping(entries) => {
                let entries = entries.iter();
                let entries =
                    entries.map(|(key, value)| json!({"Key": self.token(key), "Value": self.token(value)}));
                (2, "map", entries.collect())
            }
            Kind::Expression(template) => (3, "expr", json!(template.text)),
            Kind::Insert => (4, "directive", json!("insert")),
            Kind::Bool(b) => (5, "bool", json!(b)),
            Kind::Number(n) => (6, "num", number_json(*n)),
            Kind::Null => (7, "", Json::Null),
        };
        let is_literal = matches!(number, 0 | 5 | 6 | 7);
        if is_literal && !self.sources {
            return value;
        }
        let mut map = Map::new();
        map.insert("type".to_owned(), json!(number));
        if self.sources {
            map.insert("file".to_owned(), json!(token.place.file + 1));
            map.insert("line".to_owned(), json!(token.place.line));
            map.insert("col".to_owned(), json!(token.place.column));
        }
        if number == 4 {
            return map.into();
        }
        if !key.is_empty() {
            map.insert(key.to_owned(), value);
        }
        map.into()
    }
}

fn number_json(number: f64) -> Json {
    if number.is_nan() {
        return json!("NaN");
    }
    if number.is_infinite() {
        return json!(if number > 0.0 { "Infinity" } else { "-Infinity" });
    }
    if number.fract() == 0.0 && number.abs() < 9e15 {
        return json!(number as i64);
    }
    json!(number)
}

fn condition(condition: &Condition) -> Json {
    json!({"type": 3, "expr": condition.text})
}

fn levels(permissions: &Permissions) -> Json {
    let named = permissions.iter().filter(|(_, level)| *level != Level::None);
    let levels = named.map(|(scope, level)| (scope.to_owned(), json!(level.as_str())));
    levels.collect::<Map<_, _>>().into()
}

fn print_event(name: &str, event: &Event) -> Json {
    let mut map: Map<String, Json> = event
        .filters
        .iter()
        .map(|(filter, list)| (filter.clone(), json!(list)))
        .collect();
    if name == "workflow_dispatch" && !event.inputs.is_empty() {
        let inputs = event.inputs.iter().map(|(name, input)| {
            let mut map = Map::new();
            map.insert("type".to_owned(), json!(input.kind.as_str()));
            if let Some(description) = &input.description {
                map.insert("description".to_owned(), json!(description));
            }
            if input.required {
                map.insert("required".to_owned(), json!(true));
            }
            if input.kind == InputType::Choice {
                map.insert("options".to_owned(), json!(input.options));
            }
            if let Some(default) = &input.default {
                map.insert("default".to_owned(), Printer { sources: false }.token(default));
            }
            (name.clone(), Json::from(map))
        });
        map.insert("inputs".to_owned(), inputs.collect::<Map<_, _>>().into());
    }
    map.into()
}

#[test]
fn conformance() {
    let Some(root) = root() else {
        return skipped("gha/workflow-reader");
    };
    let mut suite = Suite::new("gha/workflow-reader");
    let folder = root.join("gha/workflow-reader");
    let mut files: Vec<_> = fs::read_dir(folder).unwrap().map(|e| e.unwrap().path()).collect();
    files.sort();
    for file in files {
        let name = file.file_name().unwrap().to_string_lossy().into_owned();
        let text = fs::read_to_string(&file).unwrap();
        suite.case(&name, || check(&name, &text));
    }
    suite.finish();
}

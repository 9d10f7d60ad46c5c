//! What may stand where: a table of definitions in a notation of its own, read once.
//!
//! One definition a line: `name (contexts) = what`. What is one of `string`, `string+` (not empty), `'constant'`,
//! `null`, `boolean`, `number`, `any`, `[item]`, `{key: type, key!: required, *key type: value type}`, or several of
//! them, or names, with `|` between. Contexts are handed down to everything below.

use std::collections::HashMap;
use std::sync::LazyLock;

#[derive(Debug)]
pub(super) enum What {
    String { non_empty: bool },
    Constant(&'static str),
    Null,
    Boolean,
    Number,
    Any,
    Sequence(&'static str),
    Mapping(Mapping),
    OneOf(Vec<&'static str>),
}

#[derive(Debug, Default)]
pub(super) struct Mapping {
    pub properties: Vec<Property>,
    pub loose: Option<(&'static str, &'static str)>,
}

#[derive(Debug)]
pub(super) struct Property {
    pub name: &'static str,
    pub of: &'static str,
    pub required: bool,
}

#[derive(Debug)]
pub(super) struct Definition {
    pub contexts: Vec<&'static str>,
    pub what: What,
}

/// The definition of a name.
pub(super) fn definition(name: &str) -> &'static Definition {
    static TABLE: LazyLock<HashMap<&'static str, Definition>> = LazyLock::new(read_table);
    TABLE
        .get(name)
        .expect("the table names only what it defines, which a test proves")
}

fn read_table() -> HashMap<&'static str, Definition> {
    let mut table = HashMap::new();
    for source in [SCHEMA, super::events::SCHEMA] {
        for line in source.lines().filter(|line| !line.trim().is_empty()) {
            read_line(line, &mut table);
        }
    }
    table
}

fn read_line(line: &'static str, table: &mut HashMap<&'static str, Definition>) {
    let (head, what) = line.split_once(" = ").expect("a line of the table has ` = `");
    let (name, contexts) = match head.split_once(" (") {
        Some((name, rest)) => (name, rest.trim_end_matches(')').split(' ').collect()),
        None => (head, Vec::new()),
    };
    let contexts = contexts.into_iter().flat_map(|word| match word {
        "STRATEGY" => STRATEGY.split(' ').collect(),
        "STEP" => STEP.split(' ').collect(),
        word => vec![word],
    });
    let contexts = contexts.collect();
    let what = read_what(what.trim(), table);
    table.insert(name.trim(), Definition { contexts, what });
}

/// Constants and sequences within a list of alternatives get definitions of their own, under their own text.
fn read_what(text: &'static str, table: &mut HashMap<&'static str, Definition>) -> What {
    if text.contains(" | ") && !text.starts_with('{') {
        let mut names = Vec::new();
        for part in text.split(" | ") {
            let is_name = part.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-');
            if !is_name || matches!(part, "string" | "null" | "boolean" | "number" | "any") {
                let what = read_what(part, table);
                table.entry(part).or_insert(Definition {
                    contexts: Vec::new(),
                    what,
                });
            }
            names.push(part);
        }
        return What::OneOf(names);
    }
    if let Some(inner) = text.strip_prefix('[') {
        return What::Sequence(inner.trim_end_matches(']'));
    }
    if let Some(inner) = text.strip_prefix('{') {
        return What::Mapping(read_mapping(inner.trim_end_matches('}')));
    }
    if let Some(inner) = text.strip_prefix('\'') {
        return What::Constant(inner.trim_end_matches('\''));
    }
    match text {
        "string" => What::String { non_empty: false },
        "string+" => What::String { non_empty: true },
        "null" => What::Null,
        "boolean" => What::Boolean,
        "number" => What::Number,
        "any" => What::Any,
        name => What::OneOf(vec![name]),
    }
}

fn read_mapping(text: &'static str) -> Mapping {
    let mut mapping = Mapping::default();
    for entry in text.split(", ").filter(|entry| !entry.is_empty()) {
        let (key, of) = entry.split_once(": ").expect("an entry of a mapping has `: `");
        match key.strip_prefix('*') {
            Some(key) => mapping.loose = Some((key, of)),
            None => mapping.properties.push(Property {
                name: key.trim_end_matches('!'),
                of,
                required: key.ends_with('!'),
            }),
        }
    }
    mapping
}

const STRATEGY: &str = "github inputs vars needs strategy matrix";
const STEP: &str = "github inputs vars needs strategy matrix secrets steps job runner env hashFiles";

/// `workflow` is what is read strictly; `workflow-lax` lets any event pass, as GitHub's server does.
const SCHEMA: &str = "\
string = string
string+ = string+
null = null
boolean = boolean
number = number
any = any
sequence = [any]
strings = [string]
strings+ = [string+]
string-or-strings = string+ | strings+
workflow = {on!: on, name: string, description: string, run-name: run-name, defaults: defaults, env: env, permissions: permissions, concurrency: concurrency, jobs!: jobs}
workflow-lax = {on: on-lax, name: string, description: string, run-name: run-name, defaults: defaults, env: env, permissions: permissions, concurrency: concurrency, jobs!: jobs}
run-name (github inputs vars) = string
defaults = {run: defaults-run}
defaults-run = {shell: string+, working-directory: string+}
env (github inputs vars secrets) = {*string+: string}
concurrency (github inputs vars) = string | concurrency-mapping
concurrency-mapping = {group!: string+, cancel-in-progress: boolean, queue: queue}
queue = 'single' | 'max'
permissions = permissions-mapping | 'read-all' | 'write-all'
permissions-mapping = {actions: level, artifact-metadata: level, attestations: level, checks: level, code-quality: level, contents: level, copilot-requests: level-write, deployments: level, discussions: level, drives: level, id-token: level-write, issues: level, models: level-read, packages: level, pages: level, pull-requests: level, repository-projects: level, security-events: level, statuses: level, vulnerability-alerts: level-read}
level = 'read' | 'write' | 'none'
level-read = 'read' | 'none'
level-write = 'write' | 'none'
jobs = {*string+: job}
job = job-steps | job-call
job-steps = {needs: needs, if: job-if, strategy: strategy, name: strategy-string, runs-on!: runs-on, timeout-minutes: strategy-number, cancel-timeout-minutes: strategy-number, continue-on-error: strategy-boolean, container: container, services: services, env: job-env, environment: environment, permissions: permissions, concurrency: job-concurrency, outputs: outputs, defaults: job-defaults, steps: steps, snapshot: snapshot}
job-call = {name: strategy-string, uses!: string+, with: call-with, secrets: call-secrets, needs: needs, if: job-if, permissions: permissions, concurrency: job-concurrency, strategy: strategy}
call-with = {*string+: call-value}
call-value (STRATEGY) = string | boolean | number
call-secrets = call-secrets-mapping | 'inherit'
call-secrets-mapping = {*string+: call-secret}
call-secret (STRATEGY secrets) = string | boolean | number
needs = strings+ | string+
job-if (github inputs vars needs always jobs-success jobs-failure cancelled) = string
strategy (github inputs vars needs) = {fail-fast: boolean, max-parallel: number, matrix: matrix}
matrix = {include: matrix-filter, exclude: matrix-filter, *string+: sequence}
matrix-filter = [matrix-filter-item]
matrix-filter-item = {*string+: any}
snapshot = string+ | snapshot-mapping
snapshot-mapping = {image-name!: string+, if: snapshot-if, version: string+}
snapshot-if (STRATEGY) = string
runs-on (STRATEGY) = string+ | strings+ | runs-on-mapping
runs-on-mapping = {group: string+, labels: string-or-strings}
job-env (STRATEGY secrets) = {*string+: string}
job-concurrency (STRATEGY) = string+ | concurrency-mapping
environment (STRATEGY) = string | environment-mapping
environment-mapping = {name!: string, url: environment-url, deployment: boolean}
environment-url (STRATEGY steps job runner env) = string
job-defaults = {run: job-defaults-run}
job-defaults-run (STRATEGY env) = {shell: string+, working-directory: string+}
outputs = {*string+: runner-string}
runner-string (STRATEGY secrets steps job runner env) = string
strategy-string (STRATEGY) = string
strategy-number (STRATEGY) = number
strategy-boolean (STRATEGY) = boolean
container (STRATEGY) = string | container-mapping
container-mapping = {image: string+, options: string, env: container-env, ports: strings+, volumes: strings+, credentials: credentials}
services (STRATEGY) = {*string+: service}
service = string+ | service-mapping
service-mapping = {image: string+, options: string, env: container-env, ports: strings+, volumes: strings+, credentials: credentials, entrypoint: string, command: string}
credentials (github inputs vars secrets env) = {username: string+, password: string+}
container-env = {*string+: runner-string}
steps = [step]
step = run-step | uses-step | wait-step | wait-all-step | cancel-step | parallel-step
run-step = {name: step-string, id: string+, if: step-if, timeout-minutes: step-number, run!: step-string, continue-on-error: step-boolean, env: step-env, working-directory: step-string, shell: string+, background: boolean}
uses-step = {name: step-string, id: string+, if: step-if, continue-on-error: step-boolean, timeout-minutes: step-number, uses!: string+, with: step-env, env: step-env, background: boolean}
wait-step = {name: step-string, id: string+, continue-on-error: step-boolean, wait!: string-or-strings}
wait-all-step = {name: step-string, id: string+, continue-on-error: step-boolean, wait-all!: wait-all}
wait-all = null | boolean
cancel-step = {name: step-string, id: string+, continue-on-error: step-boolean, cancel!: string+}
parallel-step = {parallel!: steps}
step-if (STRATEGY steps job runner env always success failure cancelled hashFiles) = string
step-string (STEP) = string
step-number (STEP) = number
step-boolean (STEP) = boolean
step-env (STEP) = {*string+: string}
action = {name: string, author: string, description: string, inputs: action-inputs, outputs: action-outputs, runs!: action-runs, branding: any}
action-inputs = {*string+: action-input}
action-input = null | action-input-mapping
action-input-mapping = {description: any, required: any, default: action-default, deprecationMessage: any, *string+: any}
action-default (github inputs strategy matrix job runner env) = string
action-outputs = {*string+: action-output}
action-output = {description: any, value: action-string}
action-runs = composite-runs | other-runs
composite-runs = {using!: string, steps!: action-steps}
other-runs (github inputs strategy matrix steps job runner env hashFiles) = {using!: string, main: any, pre: any, pre-if: any, post: any, post-if: any, image: any, entrypoint: any, pre-entrypoint: any, post-entrypoint: any, args: any, env: any, plugin: any}
action-steps = [action-step]
action-step = action-run-step | action-uses-step
action-run-step = {name: action-string, id: string+, if: action-if, run!: action-string, env: action-env, continue-on-error: action-boolean, working-directory: action-string, shell!: action-string}
action-uses-step = {name: action-string, id: string+, if: action-if, uses!: string+, continue-on-error: action-boolean, with: action-env, env: action-env}
action-string (github inputs strategy matrix steps job runner env hashFiles) = string
action-boolean (github inputs strategy matrix steps job runner env hashFiles) = boolean
action-if (github inputs strategy matrix steps job runner env always success failure cancelled hashFiles) = string
action-env (github inputs strategy matrix steps job runner env hashFiles) = {*string+: string}
";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_name_is_defined() {
        let table = read_table();
        for (name, definition) in &table {
            let mut names: Vec<&str> = Vec::new();
            match &definition.what {
                What::Sequence(item) => names.push(item),
                What::OneOf(list) => names.extend(list),
                What::Mapping(mapping) => {
                    names.extend(mapping.properties.iter().map(|p| p.of));
                    names.extend(mapping.loose.iter().flat_map(|(key, value)| [*key, *value]));
                }
                _ => {}
            }
            for used in names {
                assert!(table.contains_key(used), "{name} uses {used}");
            }
        }
    }
}

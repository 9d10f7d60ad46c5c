//! Runs, driven by a shell of data: what each step does is written in its script.

use deploy_workflow::plan::plan;
use deploy_workflow::run::{
    Changes, Conclusion, Effect, Facts, Groups, Input, JobId, Member, Run, Runner, StepNumber, StepOrder,
    Work,
};
use deploy_workflow::workflow::{Files, Options, read};
use jiff::{Timestamp, ToSpan};
use std::collections::{BTreeMap, VecDeque};
use std::fmt::Write as _;
use std::sync::Arc;

pub struct Tree(pub BTreeMap<&'static str, &'static str>);

impl Files for Tree {
    fn read(&self, path: &str) -> Option<String> {
        self.0.get(path).map(|text| (*text).to_owned())
    }
}

pub fn start() -> Timestamp {
    "2026-11-22T16:00:00Z".parse().unwrap()
}

/// A run and what is to be done for it.
pub struct Shell {
    pub run: Run,
    pub now: Timestamp,
    /// What happened, a line each.
    pub log: String,
    pub inputs: Vec<(Timestamp, Input)>,
    pub effects: Vec<Effect>,
    pending: VecDeque<Effect>,
    running: Vec<StepOrder>,
    pub conclusion: Option<Conclusion>,
}

impl Shell {
    pub fn new(workflow: &str, files: &[(&'static str, &'static str)], facts: Facts) -> Shell {
        let tree = Tree(files.iter().copied().collect());
        let name = ".github/workflows/test.yml";
        let workflow = read(name, workflow, &tree, &Options::default()).unwrap_or_else(|e| panic!("{e:?}"));
        let plan = plan(workflow, &tree).unwrap_or_else(|e| panic!("{e:?}"));
        Shell {
            run: Run::new(Arc::new(plan), facts),
            now: start(),
            log: String::new(),
            inputs: Vec::new(),
            effects: Vec::new(),
            pending: VecDeque::new(),
            running: Vec::new(),
            conclusion: None,
        }
    }

    pub fn tell(&mut self, input: Input) {
        self.inputs.push((self.now, input.clone()));
        let effects = self.run.step(self.now, input);
        self.effects.extend(effects.iter().cloned());
        self.pending.extend(effects);
    }

    /// Carries everything out until nothing is left but steps that `sleep`.
    pub fn work(&mut self) {
        while let Some(effect) = self.pending.pop_front() {
            self.carry_out(effect);
        }
    }

    pub fn finish(mut self) -> Shell {
        self.tell(Input::Started);
        self.work();
        assert!(self.run.has_ended(), "the run waits:\n{}", self.log);
        self
    }

    /// Moves time to the next deadline.
    pub fn wait(&mut self) {
        self.now = self.run.next_deadline().expect("something waits");
        self.tell(Input::Tick);
        self.work();
    }

    fn carry_out(&mut self, effect: Effect) {
        match effect {
            Effect::AskGroup { job, group, .. } => {
                writeln!(self.log, "group {group}").unwrap();
                self.tell(Input::GroupGranted { job });
            }
            Effect::StartJob(order) => {
                writeln!(self.log, "start {} on {}", order.name, order.labels.join("+")).unwrap();
                let runner = Runner {
                    workspace: "/work".to_owned(),
                    os: "Linux".to_owned(),
                    ..Runner::default()
                };
                self.tell(Input::JobAssigned {
                    job: order.job,
                    runner,
                });
            }
            Effect::RunStep(order) => self.run_step(*order),
            Effect::StopStep { job, step, .. } => {
                writeln!(self.log, "stop {step} of {job}").unwrap();
                self.running
                    .retain(|order| order.job != job || order.step != step);
                self.end(job, step, Conclusion::Cancelled, Changes::default());
            }
            Effect::HashFiles { job, patterns } => {
                let hash = format!("hash({})", patterns.join(","));
                self.tell(Input::FilesHashed { job, patterns, hash });
            }
            Effect::StepSkipped { name, .. } => writeln!(self.log, "skip {name}").unwrap(),
            Effect::GroupBegan { name, .. } => writeln!(self.log, "({name}").unwrap(),
            Effect::GroupEnded { conclusion, .. } => writeln!(self.log, ") {conclusion}").unwrap(),
            Effect::Note { message, .. } => writeln!(self.log, "note {message}").unwrap(),
            Effect::EndJob {
                name,
                conclusion,
                outputs,
                reason,
                ..
            } => {
                let outputs: Vec<String> = outputs.iter().map(|(k, v)| format!(" {k}={v}")).collect();
                let reason = reason.map(|reason| format!(" ({reason})")).unwrap_or_default();
                writeln!(self.log, "end {name} {conclusion}{}{reason}", outputs.concat()).unwrap();
            }
            Effect::LeaveGroup { group, .. } => writeln!(self.log, "leave {group}").unwrap(),
            Effect::EndRun { conclusion } => {
                writeln!(self.log, "run {conclusion}").unwrap();
                self.conclusion = Some(conclusion);
            }
        }
    }

    /// The words of scripts: `fail`, `sleep`, `output a=b`, `env A=b`, `show $A`; anything else is printed.
    fn run_step(&mut self, order: StepOrder) {
        let mut changes = Changes::default();
        let mut outcome = Conclusion::Success;
        match &order.work {
            Work::Builtin {
                builtin, with, phase, ..
            } => {
                let path = with.get("path").cloned().unwrap_or_default();
                writeln!(self.log, "builtin {builtin} {phase:?} {path}").unwrap();
            }
            Work::Script { script, .. } => {
                for line in script.lines() {
                    match line.split_once(' ').unwrap_or((line, "")) {
                        ("fail", _) => outcome = Conclusion::Failure,
                        ("sleep", _) => {
                            writeln!(self.log, "sleep {}", order.name).unwrap();
                            self.running.push(order);
                            return;
                        }
                        ("output", pair) => changes.outputs.push(pair_of(pair)),
                        ("env", pair) => changes.env.push(pair_of(pair)),
                        ("show", name) => {
                            let value = order.env.get(name).cloned().unwrap_or_default();
                            writeln!(self.log, "{name} is {value}").unwrap();
                        }
                        _ => writeln!(self.log, "{line}").unwrap(),
                    }
                }
            }
        }
        self.end(order.job, order.step, outcome, changes);
    }

    fn end(&mut self, job: JobId, step: StepNumber, outcome: Conclusion, changes: Changes) {
        self.tell(Input::StepEnded {
            job,
            step,
            outcome,
            changes,
        });
    }
}

fn pair_of(pair: &str) -> (String, String) {
    let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
    (name.to_owned(), value.to_owned())
}

pub fn facts() -> Facts {
    let github = serde_json::json!({"event_name": "push", "ref": "refs/heads/main", "repository": "o/r", "sha": "abc"});
    Facts {
        github: github.as_object().unwrap().clone(),
        vars: [("V".to_owned(), "var".to_owned())].into(),
        secrets: ["TOKEN".to_owned()].into(),
        inputs: BTreeMap::new(),
    }
}

fn log(workflow: &str, files: &[(&'static str, &'static str)]) -> String {
    Shell::new(workflow, files, facts()).finish().log
}

#[test]
fn steps_outputs_and_needs() {
    let workflow = "\
on: push
env: {A: one, B: '${{ vars.V }}'}
jobs:
  build:
    runs-on: [self-hosted, linux]
    outputs: {digest: '${{ steps.s.outputs.digest }}'}
    env: {A: two}
    steps:
      - {id: s, run: output digest=sha256}
      - run: |
          show A
          show B
          show GITHUB_REF
          env C=three
      - {run: 'show C', env: {C: '${{ env.C }}!'}}
      - {if: github.ref == 'x', run: never}
  deploy:
    needs: build
    runs-on: x
    steps:
      - run: got ${{ needs.build.outputs.digest }} ${{ needs.build.result }} in ${{ github.job }}
";
    assert_eq!(
        log(workflow, &[]),
        "\
start build on self-hosted+linux
A is two
B is var
GITHUB_REF is refs/heads/main
C is three!
skip Run never
end build success digest=sha256
start deploy on x
got sha256 success in deploy
end deploy success
run success
"
    );
}

#[test]
fn failure_skips_what_follows_but_not_what_asks() {
    let workflow = "\
on: push
jobs:
  a:
    runs-on: x
    steps:
      - {run: fail, continue-on-error: true, id: allowed}
      - run: '${{ steps.allowed.outcome }} ${{ steps.allowed.conclusion }}'
      - run: fail
      - run: not reached
      - {if: failure(), run: cleaning}
      - {if: always(), run: '${{ job.status }}'}
  b: {needs: a, runs-on: x, steps: [{run: no}]}
  c: {needs: b, if: failure(), runs-on: x, steps: [{run: told}]}
  d: {needs: b, if: always(), runs-on: x, steps: [{run: '${{ needs.b.result }}'}]}
";
    assert_eq!(
        log(workflow, &[]),
        "\
start a on x
failure success
skip Run not reached
cleaning
failure
end a failure
end b skipped (it needs 'a', which ended as failure)
start c on x
start d on x
told
skipped
end c success
end d success
run failure
"
    );
}

#[test]
fn a_matrix_from_an_output() {
    let workflow = "\
on: push
jobs:
  list:
    runs-on: x
    outputs: {m: '${{ steps.m.outputs.m }}'}
    steps: [{id: m, run: 'output m={\"v\":[1,2,3],\"exclude\":[{\"v\":2}]}'}]
  test:
    needs: list
    strategy: {matrix: '${{ fromJSON(needs.list.outputs.m) }}', max-parallel: 1}
    runs-on: v${{ matrix.v }}
    steps: [{run: '${{ matrix.v }} of ${{ strategy.job-total }}'}]
";
    assert_eq!(
        log(workflow, &[]).lines().skip(2).collect::<Vec<_>>(),
        [
            "start test (1) on v1",
            "1 of 2",
            "end test (1) success",
            "start test (3) on v3",
            "3 of 2",
            "end test (3) success",
            "run success"
        ]
    );
}

#[test]
fn fail_fast_stops_the_others() {
    let workflow = "\
on: push
jobs:
  t:
    strategy: {matrix: {v: [sleep, fail, x]}, max-parallel: 2}
    runs-on: x
    steps: [{run: '${{ matrix.v }}'}, {if: always(), run: cleanup}]
";
    let shell = Shell::new(workflow, &[], facts()).finish();
    assert_eq!(shell.conclusion, Some(Conclusion::Failure));
    assert!(shell.log.contains("stop 0 of t.1\n"), "{}", shell.log);
    assert!(
        shell
            .log
            .contains("end t (sleep) cancelled (Another job of the matrix failed)"),
        "{}",
        shell.log
    );
    assert!(shell.log.contains("end t (x) cancelled"), "{}", shell.log);
    assert_eq!(shell.log.matches("cleanup").count(), 2, "{}", shell.log);
}

#[test]
fn composite_actions_have_a_world_of_their_own() {
    let action = "\
name: greet
inputs: {who: {default: '${{ github.repository }}'}, greeting: {required: true}}
outputs: {text: {value: '${{ steps.make.outputs.text }}'}}
runs:
  using: composite
  steps:
    - {id: make, shell: bash, run: 'output text=${{ inputs.greeting }} ${{ inputs.who }}'}
    - {uses: ./other, if: always()}
    - {shell: bash, run: 'show INNER'}
";
    let other = "{name: other, runs: {using: composite, steps: [{shell: bash, run: 'other at ${{ github.action_path }}'}]}}";
    let workflow = "\
on: push
jobs:
  a:
    runs-on: x
    steps:
      - {id: g, uses: ./.github/actions/greet, with: {greeting: hello}, env: {INNER: in}}
      - run: ${{ steps.g.outputs.text }} '${{ steps.make.outputs.text }}' ${{ env.INNER }}
";
    assert_eq!(
        log(
            workflow,
            &[
                (".github/actions/greet/action.yml", action),
                ("other/action.yaml", other)
            ]
        ),
        "\
start a on x
(Run ./.github/actions/greet
(Run ./other
other at /work/other
) success
INNER is in
) success
hello o/r '' \nend a success
run success
"
    );
}

#[test]
fn a_called_workflow_is_one_job_of_its_caller() {
    let called = "\
on:
  workflow_call:
    inputs: {n: {type: number, required: true}, s: {type: string, default: dee}}
    secrets: {key: {required: true}}
    outputs: {o: {value: '${{ jobs.inner.outputs.x }}'}}
jobs:
  inner:
    runs-on: x
    outputs: {x: '${{ steps.i.outputs.x }}'}
    steps: [{id: i, run: 'output x=${{ inputs.n }}${{ inputs.s }}'}, {run: 'show K', env: {K: '${{ secrets.key }}'}}]
";
    let workflow = "\
on: push
jobs:
  call:
    uses: ./.github/workflows/called.yml
    with: {n: 7}
    secrets: {key: '${{ secrets.TOKEN }}'}
  after: {needs: call, runs-on: x, steps: [{run: 'got ${{ needs.call.outputs.o }}'}]}
";
    let found = log(workflow, &[(".github/workflows/called.yml", called)]);
    assert!(found.contains("start call / inner on x"), "{found}");
    assert!(found.contains("K is \u{10FFF0}TOKEN\u{10FFF1}"), "{found}");
    assert!(found.contains("end call success o=7dee"), "{found}");
    assert!(found.contains("got 7dee"), "{found}");
}

#[test]
fn outputs_do_not_give_secrets_away() {
    let workflow = "\
on: push
jobs:
  a:
    runs-on: x
    outputs: {s: 'x${{ secrets.TOKEN }}', t: '${{ steps.a.outputs.t }}'}
    steps: [{id: a, run: \"output t=\u{10FFF0}TOKEN\u{10FFF1}\"}]
";
    let text = workflow.replace("\u{10FFF0}TOKEN\u{10FFF1}", "marks");
    let found = log(&text, &[]);
    assert!(
        found.contains("note Skip output 's' since it may contain secret."),
        "{found}"
    );
    assert!(found.contains("end a success t=marks"), "{found}");
}

#[test]
fn time_ends_steps_and_jobs() {
    let workflow = "\
on: push
jobs:
  a:
    runs-on: x
    timeout-minutes: 10
    steps: [{run: sleep, timeout-minutes: 2, continue-on-error: true}, {run: sleep}, {if: always(), run: last}]
";
    let mut shell = Shell::new(workflow, &[], facts());
    shell.tell(Input::Started);
    shell.work();
    shell.wait();
    assert_eq!(shell.now, start() + 2.minutes());
    shell.wait();
    assert_eq!(shell.now, start() + 10.minutes());
    assert!(shell.log.ends_with(
        "stop 1 of a\nlast\nend a failure (The job has exceeded the maximum execution time of 10 minutes)\nrun failure\n"
    ), "{}", shell.log);
}

#[test]
fn cancelling_lets_cleaning_steps_run() {
    let workflow = "\
on: push
jobs:
  a: {runs-on: x, steps: [{run: sleep}, {run: no}, {if: cancelled(), run: clean}]}
  b: {needs: a, runs-on: x, steps: [{run: no}]}
  c: {needs: a, if: always(), runs-on: x, steps: [{run: c runs}]}
";
    let mut shell = Shell::new(workflow, &[], facts());
    shell.tell(Input::Started);
    shell.work();
    shell.tell(Input::Cancel {
        reason: "Ann".to_owned(),
    });
    shell.work();
    assert_eq!(shell.conclusion, Some(Conclusion::Cancelled));
    let tail = "stop 0 of a\nskip Run no\nclean\nend a cancelled (Ann)\nend b cancelled (Ann)\nstart c on x\nc runs\nend c success\nrun cancelled\n";
    assert!(shell.log.ends_with(tail), "{}", shell.log);
}

#[test]
fn a_cleaning_step_that_hangs_is_stopped_in_the_end() {
    let workflow =
        "on: push\njobs: {a: {runs-on: x, steps: [{if: always(), run: sleep}, {if: always(), run: x}]}}\n";
    let mut shell = Shell::new(workflow, &[], facts());
    shell.tell(Input::Started);
    shell.work();
    shell.tell(Input::Cancel {
        reason: "Ann".to_owned(),
    });
    shell.work();
    assert!(!shell.run.has_ended());
    shell.wait();
    assert_eq!(shell.now, start() + 5.minutes());
    assert_eq!(shell.conclusion, Some(Conclusion::Cancelled), "{}", shell.log);
}

#[test]
fn builtins_get_defaults_and_clean_up_last() {
    let workflow = "\
on: push
jobs:
  a:
    runs-on: x
    steps:
      - uses: actions/checkout@v4
      - {uses: actions/cache@v4, with: {path: target, key: \"k-${{ hashFiles('**/Cargo.lock') }}\"}}
      - run: build
";
    let shell = Shell::new(workflow, &[], facts()).finish();
    let expected = "builtin actions/checkout Main .\nbuiltin actions/cache Main target\nbuild\nbuiltin actions/cache Post target\n";
    assert!(shell.log.contains(expected), "{}", shell.log);
    let key = shell.effects.iter().find_map(|effect| match effect {
        Effect::RunStep(order) => match &order.work {
            Work::Builtin { with, .. } => with.get("key"),
            Work::Script { .. } => None,
        },
        _ => None,
    });
    assert_eq!(key.map(String::as_str), Some("k-hash(**/Cargo.lock)"));
}

#[test]
fn expressions_that_fail_fail_their_step() {
    let workflow = "\
on: push
jobs:
  a: {runs-on: x, steps: [{run: '${{ fromJSON(vars.V) }}'}, {if: failure(), run: seen}]}
  b: {runs-on: x, strategy: {matrix: '${{ fromJSON(vars.V) }}'}, steps: [{run: no}]}
  c: {runs-on: x, if: fromJSON(vars.V), steps: [{run: no}]}
";
    let found = log(workflow, &[]);
    assert!(found.contains("seen\nend a failure"), "{found}");
    assert!(found.contains("end b failure"), "{found}");
    assert!(found.contains("end c failure"), "{found}");
}

#[test]
fn groups_are_asked_for_and_left() {
    let workflow = "\
on: push
concurrency: ci-${{ github.ref }}
jobs:
  a: {runs-on: x, concurrency: {group: deploy, cancel-in-progress: true}, steps: [{run: a}]}
";
    let found = log(workflow, &[]);
    let expected = "group ci-refs/heads/main\ngroup deploy\nstart a on x\na\nend a success\nleave deploy\nleave ci-refs/heads/main\nrun success\n";
    assert_eq!(found, expected);
    let mut groups = Groups::new();
    let member = Member {
        run: "1".to_owned(),
        job: Some(JobId("a".to_owned())),
    };
    assert_eq!(
        groups
            .ask("g", member, false, deploy_workflow::run::Waiting::Single)
            .len(),
        1
    );
}

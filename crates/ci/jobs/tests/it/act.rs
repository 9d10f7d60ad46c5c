//! The workflows of act (nektos/act, pkg/runner/testdata), carried out in sandboxes with the result that its table says.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use deploy_conformance::{Suite, root, rows, skipped};
use deploy_jobs::{Labels, NoLedger, Options, Place, RunOrder, RunReport, Runner, Source};
use deploy_workflow::plan::plan;
use deploy_workflow::reader::Problem;
use deploy_workflow::run::{Conclusion, Facts, Run};
use deploy_workflow::workflow::{Files, read};
use serde_json::{Value, json};
use tokio_util::sync::CancellationToken;

use crate::world::{World, run};

const SUITE: &str = "gha/act";

struct Folder(PathBuf);

impl Files for Folder {
    fn read(&self, path: &str) -> Option<String> {
        fs::read_to_string(self.0.join(path)).ok()
    }
}

/// act gives its tests images for these labels; here they are the machine.
fn labels() -> Labels {
    let labels = Labels::default();
    labels.with("macos-latest", Place::Host)
}

fn text<'v>(row: &'v Value, name: &str) -> &'v str {
    row[name].as_str().unwrap_or_default()
}

/// How a row's workflows ended, or why they cannot.
async fn carry_out(runner: &Arc<Runner>, folder: &Path, row: &Value) -> Result<Vec<RunReport>, Vec<Problem>> {
    let (name, event) = (text(row, "workflow"), text(row, "event"));
    let mut reports = Vec::new();
    let mut files: Vec<PathBuf> = fs::read_dir(folder.join(name))
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .collect();
    files.retain(|file| file.extension().is_some_and(|end| end == "yml" || end == "yaml"));
    files.sort();
    let payload =
        fs::read_to_string(folder.join(name).join("event.json")).unwrap_or_else(|_| "{}".to_owned());
    let payload: Value = serde_json::from_str(&payload).unwrap();
    let mut inputs = BTreeMap::new();
    for (name, value) in payload["inputs"].as_object().into_iter().flatten() {
        inputs.insert(
            name.clone(),
            value.as_str().map_or_else(|| value.to_string(), str::to_owned),
        );
    }
    let source = Folder(folder.to_owned());
    for file in files {
        let shown = file.strip_prefix(folder).unwrap().display().to_string();
        let workflow = read(
            &shown,
            &fs::read_to_string(&file).unwrap(),
            &source,
            &Default::default(),
        )?;
        let plan = plan(workflow, &source)?;
        let github = json!({
            "event_name": event,
            "event": payload,
            "repository": "nektos/act",
            "repository_owner": "nektos",
            "actor": "nektos/act",
            "ref": "refs/heads/master",
            "ref_name": "master",
            "sha": "bd86152165b976e89c24093ceb039d732b5ed95f",
            "run_id": "1",
            "run_number": "1",
            "workflow": plan.workflow.name.clone().unwrap_or_default(),
        });
        let facts = Facts {
            github: github.as_object().unwrap().clone(),
            inputs: inputs.clone(),
            ..Facts::default()
        };
        let (listeners, _events) = Runner::listeners();
        let order = RunOrder {
            id: text(row, "id").to_owned(),
            github: facts.github.clone(),
            secrets: BTreeMap::new(),
            environment: BTreeMap::new(),
            source: Source::Folder(folder.to_owned()),
            jobs: plan.workflow.count_jobs(),
            listeners,
        };
        let machine = Box::new(Run::new(Arc::new(plan), facts));
        reports.push(
            runner
                .run(order, machine, CancellationToken::new())
                .await
                .unwrap(),
        );
    }
    Ok(reports)
}

/// Whether it is what the table says.
fn judge(row: &Value, outcome: Result<Vec<RunReport>, Vec<Problem>>) -> Result<(), String> {
    let expected = text(row, "error");
    let job = expected.split('\'').nth(1);
    let reports = match outcome {
        Ok(reports) => reports,
        Err(problems) => {
            let told: Vec<String> = problems.iter().map(ToString::to_string).collect();
            // A step that uses what is not there fails its job on GitHub; here it fails before the job starts.
            let missing = problems
                .iter()
                .all(|one| one.message.starts_with("Can't find 'action.yml'"));
            return match job {
                Some(_) if missing => Ok(()),
                _ => Err(told.join("; ")),
            };
        }
    };
    if reports.is_empty() {
        return Err("it has no workflow file".to_owned());
    }
    let failed = |job: &str| {
        reports.iter().any(|one| {
            one.jobs
                .get(job)
                .is_some_and(|job| job.conclusion == Some(Conclusion::Failure))
        })
    };
    let succeeded = reports
        .iter()
        .all(|one| one.conclusion == Some(Conclusion::Success));
    match (expected, job) {
        ("", _) if succeeded => Ok(()),
        ("", _) => Err(format!("it should succeed: {}", shown(&reports))),
        (_, Some(job)) if failed(job) => Ok(()),
        _ => Err(format!("it should fail with {expected}: {}", shown(&reports))),
    }
}

fn shown(reports: &[RunReport]) -> String {
    let jobs = reports.iter().flat_map(|report| &report.jobs);
    let told = jobs.map(|(id, job)| {
        let steps: Vec<&str> = job
            .steps
            .iter()
            .filter(|step| step.outcome != Conclusion::Success)
            .map(|step| step.name.lines().next().unwrap_or_default())
            .collect();
        let why = job.reason.clone().unwrap_or_else(|| steps.join(", "));
        format!("{id} {}: {why}", job.conclusion.map_or("?", Conclusion::as_str))
    });
    let notes = reports.iter().flat_map(|report| report.notes.clone());
    told.chain(notes)
        .collect::<Vec<_>>()
        .join("; ")
        .replace('\n', " ")
}

#[test]
fn acts_workflows_end_as_its_table_says() {
    let Some(shared) = root() else {
        return skipped(SUITE);
    };
    run("act", |world: World| async move {
        let folder = shared.join("gha/act/workflows");
        let mut options = Options::new(world.ground(), Arc::new(NoLedger));
        options.labels = labels();
        options.jobs = 4;
        let runner = Runner::start(options).await.unwrap();
        let mut suite = Suite::new(SUITE);
        for row in rows(&shared, "gha/act/run_table.jsonl") {
            let outcome = carry_out(&runner, &folder, &row).await;
            let name = format!(
                "{}/{} ({})",
                text(&row, "test"),
                text(&row, "workflow"),
                text(&row, "platform")
            );
            suite.case(&name, || judge(&row, outcome));
        }
        runner.close().await.unwrap();
        suite.finish();
    });
}

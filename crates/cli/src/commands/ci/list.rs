//! `deploy ci list`: which workflows there are, what starts them, and their jobs.

use clap::{Arg, ArgMatches, Command};
use deploy_model::{Exit, Lang};
use deploy_workflow::workflow::{Body, Workflow};
use serde_json::{Map, Value, json};

use super::lint::{Found, read_all};
use crate::commands::described;
use crate::{Context, Outcome, table, texts};

pub fn command(lang: Lang) -> Command {
    let words = texts::workflows::of(lang);
    described(Command::new("list"), &words.list)
        .arg(
            Arg::new("file")
                .value_name("FILE")
                .num_args(0..)
                .help(words.files),
        )
        .arg(
            Arg::new("output")
                .short('o')
                .long("output")
                .value_name("FORMAT")
                .value_parser(["table", "json", "name"])
                .default_value("table")
                .help(texts::of(lang).output_flag),
        )
}

pub fn run(context: &mut Context, arguments: &ArgMatches) -> Outcome {
    let files = read_all(context, arguments)?;
    let words = texts::workflows::of(context.lang);
    for found in &files {
        if let Err(problems) = &found.plan {
            let text = words
                .broken
                .replace("{path}", &found.file)
                .replace("{count}", &problems.len().to_string());
            context.printer.warn(&text);
        }
    }
    let text = match arguments.get_one::<String>("output").map(String::as_str) {
        Some("json") => format!("{:#}\n", files.iter().map(as_json).collect::<Value>()),
        Some("name") => files.iter().map(|found| format!("{}\n", found.file)).collect(),
        _ => {
            let rows: Vec<[String; 4]> = files.iter().map(row).collect();
            table::render([words.file, words.name, words.events, words.jobs], &rows)
        }
    };
    context.printer.data(text)?;
    Ok(Exit::Done)
}

fn row(found: &Found) -> [String; 4] {
    let Ok(plan) = &found.plan else {
        return [found.file.clone(), "?".to_owned(), "?".to_owned(), "?".to_owned()];
    };
    let workflow = &plan.workflow;
    let events: Vec<&str> = workflow
        .events
        .list
        .iter()
        .map(|(name, _)| name.as_str())
        .collect();
    let jobs: Vec<&str> = workflow.jobs.iter().map(|job| job.id()).collect();
    let name = workflow.name.clone().unwrap_or_default();
    [found.file.clone(), name, events.join(","), jobs.join(",")]
}

fn as_json(found: &Found) -> Value {
    match &found.plan {
        Ok(plan) => workflow_json(&found.file, &plan.workflow),
        Err(problems) => json!({"file": found.file, "problems": problems.len()}),
    }
}

fn workflow_json(file: &str, workflow: &Workflow) -> Value {
    let events = workflow.events.list.iter().map(|(name, event)| {
        let mut filters: Map<String, Value> = event
            .filters
            .iter()
            .map(|(filter, list)| (filter.clone(), json!(list)))
            .collect();
        if !event.schedules.is_empty() {
            let schedules: Vec<&str> = event
                .schedules
                .iter()
                .map(|schedule| schedule.text.as_str())
                .collect();
            filters.insert("schedule".to_owned(), json!(schedules));
        }
        if !event.inputs.is_empty() {
            let inputs = event.inputs.iter();
            let inputs = inputs.map(|(name, input)| {
                let required = input.required;
                (
                    name.clone(),
                    json!({"type": input.kind.as_str(), "required": required, "options": input.options}),
                )
            });
            filters.insert("inputs".to_owned(), Value::Object(inputs.collect()));
        }
        (name.clone(), Value::Object(filters))
    });
    let jobs = workflow.jobs.iter().map(|job| {
        let needs: Vec<String> = job.needs.iter().map(|need| need.shown()).collect();
        let mut entry =
            json!({"id": job.id(), "name": job.name.shown(), "needs": needs, "if": job.condition.text});
        match &job.body {
            Body::Steps(steps) => entry["steps"] = json!(steps.len()),
            Body::Call(call) => entry["uses"] = json!(call.target.shown()),
        }
        entry
    });
    json!({
        "file": file,
        "name": workflow.name,
        "events": Value::Object(events.collect()),
        "jobs": jobs.collect::<Vec<_>>(),
    })
}

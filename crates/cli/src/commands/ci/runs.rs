//! `deploy ci runs|show|cancel|rerun|start`: the runs of a server.

use clap::{Arg, ArgAction, ArgMatches, Command, value_parser};
use deploy_model::{Exit, Lang};
use hyper::Method;
use serde_json::{Map, Value, json};

use crate::commands::described;
use crate::commands::server::{Connection, escaped};
use crate::texts::server;
use crate::{Context, Outcome, table, texts};

/// All of them.
pub fn commands(lang: Lang) -> [Command; 5] {
    let words = server::of(lang);
    let number = || {
        Arg::new("run")
            .value_name("RUN")
            .required(true)
            .value_parser(value_parser!(i64))
            .help(words.run_number)
    };
    let output = |kinds: [&'static str; 2]| {
        Arg::new("output")
            .short('o')
            .long("output")
            .value_name("FORMAT")
            .value_parser(kinds)
            .default_value("table")
            .help(texts::of(lang).output_flag)
    };
    let switch = |name: &'static str, help: &'static str| {
        Arg::new(name).long(name).action(ArgAction::SetTrue).help(help)
    };
    let value = |name: &'static str, shown: &'static str, help: &'static str| {
        Arg::new(name).long(name).value_name(shown).help(help)
    };
    [
        described(Command::new("runs"), &words.runs)
            .arg(value("repository", "NAME", words.repository_filter))
            .arg(
                value("limit", "N", words.limit)
                    .value_parser(value_parser!(u16).range(1..=500))
                    .default_value("20"),
            )
            .arg(output(["table", "json"])),
        described(Command::new("show"), &words.show)
            .arg(number())
            .arg(switch("wait", words.wait))
            .arg(switch("log", words.log))
            .arg(output(["table", "json"])),
        described(Command::new("cancel"), &words.cancel).arg(number()),
        described(Command::new("rerun"), &words.rerun).arg(number()),
        described(Command::new("start"), &words.start)
            .arg(
                Arg::new("workflow")
                    .value_name("WORKFLOW")
                    .required(true)
                    .help(words.workflow),
            )
            .arg(value("repository", "NAME", words.repository).required(true))
            .arg(value("ref", "REF", words.reference))
            .arg(value("input", "NAME=VALUE", words.input).action(ArgAction::Append)),
    ]
}

fn is_json(arguments: &ArgMatches) -> bool {
    arguments.get_one::<String>("output").map(String::as_str) == Some("json")
}

fn text(value: &Value) -> String {
    value.as_str().unwrap_or_default().to_owned()
}

pub fn list(context: &mut Context, arguments: &ArgMatches) -> Outcome {
    let words = server::of(context.lang);
    let limit = arguments.get_one::<u16>("limit").copied().unwrap_or_default();
    let mut path = format!("/api/v1/runs?limit={limit}");
    if let Some(repository) = arguments.get_one::<String>("repository") {
        path.push_str(&format!("&repository={}", escaped(repository)));
    }
    let runs = Connection::open(context)?.json(Method::GET, &path, None)?;
    let list = runs.as_array().cloned().unwrap_or_default();
    if is_json(arguments) {
        context.printer.data(format!("{runs:#}\n"))?;
    } else if list.is_empty() {
        context.printer.say(words.no_runs);
    } else {
        let rows: Vec<[String; 7]> = list.iter().map(row).collect();
        context.printer.data(table::render(words.headings, &rows))?;
    }
    Ok(Exit::Done)
}

fn row(run: &Value) -> [String; 7] {
    let cause = &run["cause"];
    let reference = text(&cause["reference"]);
    let short = reference
        .strip_prefix("refs/heads/")
        .or_else(|| reference.strip_prefix("refs/tags/"));
    [
        run["id"].to_string(),
        text(&run["repository"]),
        text(&run["workflow"]),
        text(&cause["event"]),
        short.unwrap_or(&reference).to_owned(),
        text(&cause["commit"]).chars().take(8).collect(),
        state(run),
    ]
}

/// How it ended, or how far it is.
fn state(run: &Value) -> String {
    run["conclusion"]
        .as_str()
        .map_or_else(|| text(&run["state"]), str::to_owned)
}

pub fn show(context: &mut Context, arguments: &ArgMatches) -> Outcome {
    let connection = Connection::open(context)?;
    let number = number(arguments);
    let wait = if arguments.get_flag("wait") {
        "?wait=ended"
    } else {
        ""
    };
    let run = connection.json(Method::GET, &format!("/api/v1/runs/{number}{wait}"), None)?;
    if is_json(arguments) {
        context.printer.data(format!("{run:#}\n"))?;
    } else {
        let words = server::of(context.lang);
        context
            .printer
            .data(table::render(words.headings, &[row(&run)]))?;
        if !arguments.get_flag("log") {
            context.printer.data(jobs(&run))?;
        }
    }
    if arguments.get_flag("log") {
        let log = connection.ask(Method::GET, &format!("/api/v1/runs/{number}/log"), None)?;
        context.printer.data(log)?;
    }
    Ok(match run["conclusion"].as_str() {
        Some("success" | "skipped") => Exit::Done,
        Some(_) => Exit::Failed,
        None => Exit::StillRunning,
    })
}

/// Jobs and their steps, each with its outcome and time.
fn jobs(run: &Value) -> String {
    let mut shown = String::new();
    if let Some(reason) = run["reason"].as_str() {
        shown.push_str(&format!("\n{reason}\n"));
    }
    for job in run["report"]["jobs"]
        .as_object()
        .into_iter()
        .flat_map(Map::values)
    {
        let (name, conclusion) = (text(&job["name"]), text(&job["conclusion"]));
        shown.push_str(&format!("\n{name}: {conclusion}, {} ms\n", job["took_ms"]));
        if let Some(reason) = job["reason"].as_str() {
            shown.push_str(&format!("  {reason}\n"));
        }
        for step in job["steps"].as_array().into_iter().flatten() {
            let (name, outcome) = (text(&step["name"]), text(&step["outcome"]));
            shown.push_str(&format!("  {name}: {outcome}, {} ms\n", step["took_ms"]));
        }
    }
    shown
}

fn number(arguments: &ArgMatches) -> i64 {
    arguments.get_one::<i64>("run").copied().unwrap_or_default()
}

pub fn cancel(context: &mut Context, arguments: &ArgMatches) -> Outcome {
    let number = number(arguments);
    Connection::open(context)?.ask(Method::POST, &format!("/api/v1/runs/{number}/cancel"), None)?;
    let words = server::of(context.lang);
    context
        .printer
        .say(&words.cancelling.replace("{id}", &number.to_string()));
    Ok(Exit::Done)
}

pub fn rerun(context: &mut Context, arguments: &ArgMatches) -> Outcome {
    let path = format!("/api/v1/runs/{}/rerun", number(arguments));
    let started = Connection::open(context)?.json(Method::POST, &path, None)?;
    queued(context, &started)
}

pub fn start(context: &mut Context, arguments: &ArgMatches) -> Outcome {
    let given = arguments.get_many::<String>("input").into_iter().flatten();
    let inputs: Map<String, Value> = given
        .filter_map(|pair| pair.split_once('='))
        .map(|(name, value)| (name.to_owned(), json!(value)))
        .collect();
    let asked = json!({
        "workflow": arguments.get_one::<String>("workflow"),
        "repository": arguments.get_one::<String>("repository"),
        "reference": arguments.get_one::<String>("ref"),
        "inputs": inputs,
    });
    let started = Connection::open(context)?.json(Method::POST, "/api/v1/dispatches", Some(&asked))?;
    queued(context, &started)
}

fn queued(context: &mut Context, started: &Value) -> Outcome {
    let id = started["id"].to_string();
    let words = server::of(context.lang);
    context.printer.data(format!("{id}\n"))?;
    context.printer.say(&words.queued.replace("{id}", &id));
    Ok(Exit::Done)
}

//! `deploy token`: who may push, pull and look.

use std::io::Read;

use clap::{Arg, ArgAction, ArgMatches, Command};
use deploy_model::{Exit, Lang};
use hyper::Method;
use serde_json::json;

use super::described;
use super::server::{Connection, escaped};
use crate::texts::server;
use crate::{Context, Failure, Outcome, table};

/// What git says to a helper: a few lines.
const ASKED_BYTES: u64 = 64 << 10;

pub fn command(lang: Lang) -> Command {
    let words = server::of(lang);
    let name = || {
        Arg::new("name")
            .value_name("NAME")
            .required(true)
            .help(words.token_name)
    };
    described(Command::new("token"), &words.token)
        .subcommand_required(true)
        .arg_required_else_help(true)
        .subcommand(
            described(Command::new("create"), &words.token_create)
                .arg(name())
                .arg(
                    Arg::new("read")
                        .long("read")
                        .action(ArgAction::SetTrue)
                        .help(words.token_read),
                ),
        )
        .subcommand(described(Command::new("list"), &words.token_list))
        .subcommand(described(Command::new("revoke"), &words.token_revoke).arg(name()))
        .subcommand(
            described(Command::new("helper"), &words.token_helper).arg(
                Arg::new("what")
                    .value_name("get|store|erase")
                    .default_value("get"),
            ),
        )
}

pub fn run(context: &mut Context, arguments: &ArgMatches) -> Outcome {
    match arguments.subcommand() {
        Some(("create", arguments)) => create(context, arguments),
        Some(("list", _)) => list(context),
        Some(("revoke", arguments)) => revoke(context, arguments),
        Some(("helper", arguments)) => helper(context, arguments),
        _ => Ok(Exit::Usage),
    }
}

fn name(arguments: &ArgMatches) -> &str {
    arguments.get_one::<String>("name").expect("it is required")
}

fn create(context: &mut Context, arguments: &ArgMatches) -> Outcome {
    let right = if arguments.get_flag("read") {
        "read"
    } else {
        "write"
    };
    let wanted = json!({"name": name(arguments), "right": right});
    let made = Connection::open(context)?.json(Method::POST, "/api/v1/tokens", Some(&wanted))?;
    let text = made["token"].as_str().unwrap_or_default();
    context.printer.data(format!("{text}\n"))?;
    context.printer.say(server::of(context.lang).token_created);
    Ok(Exit::Done)
}

fn list(context: &mut Context) -> Outcome {
    let tokens = Connection::open(context)?.json(Method::GET, "/api/v1/tokens", None)?;
    let rows: Vec<[String; 3]> = tokens
        .as_array()
        .into_iter()
        .flatten()
        .map(|token| {
            ["name", "right", "created"].map(|key| token[key].as_str().unwrap_or_default().to_owned())
        })
        .collect();
    let headings = server::of(context.lang).token_headings;
    context.printer.data(table::render(headings, &rows))?;
    Ok(Exit::Done)
}

fn revoke(context: &mut Context, arguments: &ArgMatches) -> Outcome {
    let name = name(arguments);
    let path = format!("/api/v1/tokens/{}", escaped(name));
    Connection::open(context)?.ask(Method::DELETE, &path, None)?;
    let text = server::of(context.lang).token_revoked.replace("{name}", name);
    context.printer.say(&text);
    Ok(Exit::Done)
}

/// Git's protocol of helpers (gitcredentials): for our own server alone, whatever else git asks about.
fn helper(context: &mut Context, arguments: &ArgMatches) -> Outcome {
    if arguments.get_one::<String>("what").map(String::as_str) != Some("get") {
        return Ok(Exit::Done);
    }
    let mut asked = String::new();
    context
        .stdin
        .take(ASKED_BYTES)
        .read_to_string(&mut asked)
        .map_err(Failure::from)?;
    let connection = Connection::open(context)?;
    let value = |name: &str| {
        let lines = asked.lines().filter_map(|line| line.split_once('='));
        let mut found = lines.filter(|(key, _)| *key == name).map(|(_, value)| value);
        found.next().unwrap_or_default()
    };
    if format!("{}://{}", value("protocol"), value("host")) == connection.url {
        let answer = format!("username=deploy\npassword={}\n", connection.token);
        context.printer.data(answer)?;
    }
    Ok(Exit::Done)
}

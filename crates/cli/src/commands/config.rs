//! `deploy config`

use clap::{Arg, ArgAction, ArgMatches, Command};
use deploy_model::{Exit, Lang};
use serde_json::{Map, Value, json};

use super::described;
use crate::settings::Origin;
use crate::{Context, Outcome, table, texts};

pub fn command(lang: Lang) -> Command {
    let texts = texts::of(lang);
    let show = described(Command::new("show"), &texts.config_show)
        .arg(
            Arg::new("origin")
                .long("origin")
                .action(ArgAction::SetTrue)
                .help(texts.config_origin),
        )
        .arg(
            Arg::new("output")
                .short('o')
                .long("output")
                .value_name("FORMAT")
                .value_parser(["table", "json", "yaml", "name"])
                .default_value("table")
                .help(texts.output_flag),
        );
    described(Command::new("config"), &texts.config)
        .subcommand_required(true)
        .arg_required_else_help(true)
        .subcommand(show)
}

pub fn run(context: &mut Context, arguments: &ArgMatches) -> Outcome {
    match arguments.subcommand() {
        Some((_, arguments)) => show(context, arguments),
        None => Ok(Exit::Usage),
    }
}

fn show(context: &mut Context, arguments: &ArgMatches) -> Outcome {
    let with_origin = arguments.get_flag("origin");
    let origin_of = |origin: &Origin| match origin {
        Origin::Default => texts::of(context.lang).config_default.to_owned(),
        other => other.to_string(),
    };
    let text = match arguments.get_one::<String>("output").map(String::as_str) {
        Some("name") => context
            .settings
            .iter()
            .map(|(key, ..)| format!("{}\n", key.name))
            .collect(),
        Some("yaml") => deploy_yaml::emit_sigs(&tree(context, with_origin)),
        Some("json") => format!("{:#}\n", tree(context, with_origin)),
        _ => {
            let rows: Vec<[String; 3]> = context
                .settings
                .iter()
                .map(|(key, value, origin)| [key.name.to_owned(), value.to_owned(), origin_of(origin)])
                .collect();
            let words = &texts::of(context.lang).columns;
            if with_origin {
                table::render([words.setting, words.value, words.origin], &rows)
            } else {
                let rows: Vec<[String; 2]> = rows.into_iter().map(|[name, value, _]| [name, value]).collect();
                table::render([words.setting, words.value], &rows)
            }
        }
    };
    context.printer.data(text)?;
    Ok(Exit::Done)
}

/// The settings as `deploy.toml` nests them; with origins, each value is `{value, origin}`.
fn tree(context: &Context, with_origin: bool) -> Value {
    let mut root = Map::new();
    for (key, value, origin) in context.settings.iter() {
        let leaf = if with_origin {
            json!({ "value": value, "origin": origin.to_string() })
        } else {
            json!(value)
        };
        match key.name.split_once('.') {
            None => {
                root.insert(key.name.to_owned(), leaf);
            }
            Some((table, name)) => {
                if let Value::Object(table) = root.entry(table).or_insert_with(|| json!({})) {
                    table.insert(name.to_owned(), leaf);
                }
            }
        }
    }
    Value::Object(root)
}

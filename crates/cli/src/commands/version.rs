//! `deploy version`

use clap::{Arg, ArgAction, ArgMatches, Command};
use deploy_model::{Exit, Lang};
use serde_json::json;

use super::described;
use crate::{Context, Outcome, texts};

/// Written by `cargo xtask licenses`: `name version | licence | home`, a line a package.
const LICENSES: &str = include_str!("../licenses.txt");

const VERSION: &str = env!("CARGO_PKG_VERSION");

pub fn command(lang: Lang) -> Command {
    let texts = texts::of(lang);
    described(Command::new("version"), &texts.version)
        .arg(
            Arg::new("licenses")
                .long("licenses")
                .action(ArgAction::SetTrue)
                .help(texts.version_licenses),
        )
        .arg(
            Arg::new("output")
                .short('o')
                .long("output")
                .value_name("FORMAT")
                .value_parser(["table", "json"])
                .default_value("table")
                .help(texts.output_flag),
        )
}

pub fn run(context: &mut Context, arguments: &ArgMatches) -> Outcome {
    let as_json = arguments
        .get_one::<String>("output")
        .is_some_and(|format| format == "json");
    let text = match (arguments.get_flag("licenses"), as_json) {
        (false, false) => format!("deploy {VERSION}\n"),
        (false, true) => format!(
            "{:#}\n",
            json!({ "version": VERSION, "os": std::env::consts::OS, "arch": std::env::consts::ARCH })
        ),
        (true, false) => LICENSES.to_owned(),
        (true, true) => {
            let packages: Vec<_> = LICENSES
                .lines()
                .filter_map(notice)
                .map(|[name, version, license, home]| {
                    json!({ "name": name, "version": version, "license": license, "home": home })
                })
                .collect();
            format!("{:#}\n", json!({ "version": VERSION, "packages": packages }))
        }
    };
    context.printer.data(text)?;
    Ok(Exit::Done)
}

fn notice(line: &str) -> Option<[&str; 4]> {
    let mut parts = line.split(" | ");
    let (name, version) = parts.next()?.split_once(' ')?;
    Some([name, version, parts.next()?, parts.next()?])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_notice_can_be_read() {
        for line in LICENSES.lines() {
            assert!(
                notice(line).is_some_and(|fields| fields.iter().all(|field| !field.is_empty())),
                "{line}"
            );
        }
    }
}

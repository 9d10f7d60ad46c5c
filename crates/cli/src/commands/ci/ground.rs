//! What jobs run on: the flags that `deploy ci run` and `deploy run ci` have in common.

use std::collections::BTreeMap;
use std::sync::Arc;

use clap::{Arg, ArgAction, ArgMatches, Command, value_parser};
use deploy_jobs::{Labels, Limits, Place, Way};
use deploy_model::Lang;
use deploy_server::Exits;

use crate::texts;

/// Adds them.
pub fn flags(command: Command, lang: Lang) -> Command {
    let words = &texts::of(lang).ci_words;
    let value = |name: &'static str, value: &'static str, help: &'static str| {
        Arg::new(name).long(name).value_name(value).help(help)
    };
    command
        .arg(
            value("network", "WAY", words.network)
                .value_parser(["out", "none", "host"])
                .default_value("out"),
        )
        .arg(value("label", "LABEL=ROOT", words.label).action(ArgAction::Append))
        .arg(value("memory", "MIB", words.memory).value_parser(value_parser!(u32).range(16..)))
        .arg(value("cpus", "NUMBER", words.cpus).value_parser(value_parser!(f64)))
}

/// Which network jobs get.
pub fn way(arguments: &ArgMatches) -> Way {
    match arguments.get_one::<String>("network").map(String::as_str) {
        Some("none") => Way::Nowhere,
        Some("host") => Way::Machine,
        _ => Way::Out(Arc::new(Exits)),
    }
}

/// Which labels stand for which roots.
pub fn labels(arguments: &ArgMatches) -> Labels {
    let mut labels = Labels::default();
    for (label, place) in super::run::pairs(arguments, "label", &BTreeMap::new()) {
        labels = labels.with(&label, place.parse().unwrap_or(Place::Host));
    }
    labels
}

/// What each job may use.
pub fn limits(arguments: &ArgMatches) -> Limits {
    let mut limits = Limits::default();
    if let Some(mib) = arguments.get_one::<u32>("memory") {
        limits.memory_bytes = i64::from(*mib) << 20;
    }
    limits.cpus = arguments.get_one::<f64>("cpus").copied();
    limits
}

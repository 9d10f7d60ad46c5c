//! `deploy cluster down`: stops the server, gives the pods their grace, and removes all that they had of the machine.

use std::time::Duration;

use clap::{Arg, ArgAction, ArgMatches, Command, value_parser};
use deploy_cluster_node::shell::Retiring;
use deploy_model::{Code, Diagnostic, Exit, Lang};

use super::{find, folder_of, node};
use crate::commands::described;
use crate::{Context, Failure, Outcome, texts};

/// Open requests are answered within this time, watches are ended at once.
const STOP_PATIENCE: Duration = Duration::from_secs(30);

pub fn command(lang: Lang) -> Command {
    let texts = texts::of(lang);
    let words = &texts.down_words;
    described(Command::new("down"), &texts.cluster_down)
        .arg(
            Arg::new("force")
                .long("force")
                .action(ArgAction::SetTrue)
                .help(words.force),
        )
        .arg(
            Arg::new("timeout")
                .long("timeout")
                .value_name("SECONDS")
                .value_parser(value_parser!(u64).range(0..=3_600))
                .default_value("60")
                .help(words.timeout),
        )
}

/// Stops the server, where one runs, and then all that it has left running: pods outlive their server.
pub fn run(context: &mut Context, arguments: &ArgMatches) -> Outcome {
    let folder = folder_of(context);
    let words = &texts::of(context.lang).cluster_words;
    match find(context) {
        Ok(running) => {
            context.printer.say(words.stopping);
            let stopped = running
                .stop(STOP_PATIENCE)
                .map_err(|error| Diagnostic::new(Code::ClusterStillStopping).because(error.to_string()))?;
            if !stopped {
                let diagnostic = Diagnostic::new(Code::ClusterStillStopping)
                    .because(words.owner.replace("{pid}", &running.pid.to_string()));
                return Err(Failure::Explained(Box::new(diagnostic), Exit::StillRunning));
            }
        }
        Err(_) if node::was_here(&folder) => context.printer.say(words.stopping),
        Err(failure) => return Err(failure),
    }
    if node::was_here(&folder) {
        if !arguments.get_flag("force") {
            let longest = *arguments.get_one::<u64>("timeout").expect("it has a default");
            let lang = context.lang;
            let mut tell = |news| context.printer.say(&said(lang, &news));
            // Where the pods cannot be asked any more, they are removed all the same.
            node::retire(&folder, Duration::from_secs(longest), &mut tell).ok();
        }
        node::sweep(&folder).map_err(|error| {
            Diagnostic::new(Code::ClusterNotSwept)
                .with("path", folder.display().to_string())
                .because(error.to_string())
        })?;
    }
    context.printer.say(words.stopped);
    Ok(Exit::Done)
}

fn said(lang: Lang, news: &Retiring) -> String {
    let words = &texts::of(lang).down_words;
    match news {
        Retiring::Begun { pods, longest } => words
            .begun
            .replace("{pods}", &pods.to_string())
            .replace("{seconds}", &longest.as_secs().to_string()),
        Retiring::Ended { pod, left } => words
            .ended
            .replace("{pod}", pod)
            .replace("{left}", &left.to_string()),
        Retiring::Late { left } => words.late.replace("{left}", &left.to_string()),
    }
}

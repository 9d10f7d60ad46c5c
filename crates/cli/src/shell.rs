//! From arguments to an exit code: settings, command tree, command, error.

use std::ffi::OsString;
use std::io::{self, Write};

use clap::error::ErrorKind;
use deploy_model::Exit;

use crate::commands::Need;
use crate::settings::Problem;
use crate::{Context, Failure, Invocation, Outcome, Printer, commands, help, settings, usage};

/// Runs one command of the `deploy` program and says how it ended.
///
/// Data goes to `out`, talk to `err`. The process is left as it is: no folder is changed, no variable set, no exit taken.
pub fn run(mut invocation: Invocation, out: &mut dyn Write, err: &mut dyn Write) -> Exit {
    let (settings, broken) = settings::load(&invocation);
    let lang = settings.lang();
    let colour = settings
        .colour()
        .paints(invocation.terminal.stderr, &invocation.env);
    let mut context = Context {
        lang,
        printer: Printer::new(out, err, lang, colour),
        cwd: &invocation.cwd,
        env: &invocation.env,
        terminal: invocation.terminal,
        stdin: &mut *invocation.stdin,
        settings,
    };
    let outcome = dispatch(&mut context, &invocation.args, broken);
    let flushed = context.printer.flush();
    finish(
        &mut context.printer,
        outcome.and_then(|exit| flushed.map(|()| exit).map_err(Failure::Output)),
    )
}

/// `broken` is why the configuration cannot be used; it waits until we know that the command line is sound and needs it.
fn dispatch(context: &mut Context, args: &[OsString], broken: Option<Problem>) -> Outcome {
    let program = OsString::from("deploy");
    let line = || std::iter::once(&program).chain(args);
    let mut tree = commands::tree_for(args, context.lang);
    let parsed = tree.try_get_matches_from_mut(line()).or_else(|_| {
        tree = commands::tree(context.lang);
        tree.try_get_matches_from_mut(line())
    });
    let matches = match parsed {
        Ok(matches) => matches,
        Err(error) => {
            let (path, command) = usage::reached(&tree, args);
            let text = || help::render(command, &path, context.lang);
            return match error.kind() {
                ErrorKind::DisplayHelp => {
                    context.printer.data(text())?;
                    Ok(Exit::Done)
                }
                // A group of commands alone: nothing was asked for, so this is talk and a usage error.
                ErrorKind::DisplayHelpOnMissingArgumentOrSubcommand | ErrorKind::MissingSubcommand => {
                    context.printer.say(text().trim_end());
                    Err(Failure::Said(Exit::Usage))
                }
                _ => Err(usage::explain(&error, &path.join(" "), context.lang).into()),
            };
        }
    };
    let broken = broken.map(|problem| problem.told(context.lang));
    match (broken, commands::needs_settings(&matches)) {
        (Some(broken), Need::Before) => Err(broken),
        (Some(broken), Need::After) => commands::run(context, &matches).and(Err(broken)),
        _ => commands::run(context, &matches),
    }
}

fn finish(printer: &mut Printer, outcome: Outcome) -> Exit {
    let failure = match outcome {
        Ok(exit) => return exit,
        Err(failure) => failure,
    };
    match failure {
        Failure::Explained(diagnostic, exit) => {
            printer.explain(&diagnostic);
            exit
        }
        Failure::Words(words, exit) => {
            printer.say(words.trim_end_matches('\n'));
            exit
        }
        Failure::Said(exit) => exit,
        Failure::Output(error) if error.kind() == io::ErrorKind::BrokenPipe => Exit::Done,
        Failure::Output(error) => {
            printer.explain(&usage::output_failed(&error));
            Exit::Failed
        }
    }
}

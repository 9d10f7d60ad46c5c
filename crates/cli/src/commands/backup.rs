//! `deploy backup`: the data folder in one file.

use std::path::{Path, PathBuf};

use clap::{Arg, ArgMatches, Command};
use deploy_model::{Code, Diagnostic, Exit, Lang};
use deploy_store::backup::{self, BackupError, Manifest};

use super::{audit, described};
use crate::texts::ledger;
use crate::{Context, Failure, Outcome};

pub fn command(lang: Lang) -> Command {
    let words = ledger::of(lang);
    let of_a_file = |name: &'static str, text| {
        described(Command::new(name), text).arg(
            Arg::new("file")
                .value_name("FILE")
                .required(true)
                .help(words.file),
        )
    };
    described(Command::new("backup"), &words.backup)
        .subcommand_required(true)
        .arg_required_else_help(true)
        .subcommand(of_a_file("create", &words.create))
        .subcommand(of_a_file("restore", &words.restore))
        .subcommand(of_a_file("verify", &words.verify))
}

pub fn run(context: &mut Context, arguments: &ArgMatches) -> Outcome {
    let Some((name, arguments)) = arguments.subcommand() else {
        return Ok(Exit::Usage);
    };
    let given = arguments
        .get_one::<String>("file")
        .map(String::as_str)
        .unwrap_or_default();
    let file = PathBuf::from(context.absolute(given));
    let data = PathBuf::from(context.absolute(context.settings.data_dir()));
    let words = ledger::of(context.lang);
    match name {
        "create" => {
            let created = backup::create(&data, &file, audit::now(context), env!("CARGO_PKG_VERSION"))
                .map_err(|error| refused(Code::BackupNotMade, &error, &file))?;
            context.printer.data(format!("sha256:{}\n", created.sha256))?;
            let manifest = &created.manifest;
            context.printer.say(&filled(words.created, manifest, given));
            if !manifest.left_out.is_empty() {
                let names = manifest.left_out.join(", ");
                context.printer.say(&words.left_out.replace("{names}", &names));
            }
        }
        "restore" => {
            let manifest = backup::restore(&file, &data)
                .map_err(|error| refused(Code::BackupNotRestored, &error, &data))?;
            let path = data.display().to_string();
            context.printer.say(&filled(words.restored, &manifest, &path));
        }
        _ => {
            let manifest =
                backup::verify(&file).map_err(|error| refused(Code::BackupDamaged, &error, &file))?;
            context.printer.say(&filled(words.verified, &manifest, given));
        }
    }
    Ok(Exit::Done)
}

fn filled(template: &str, manifest: &Manifest, path: &str) -> String {
    let (files, bytes) = manifest.files();
    let last = manifest.ledger.map_or(0, |ledger| ledger.last);
    template
        .replace("{files}", &files.to_string())
        .replace("{bytes}", &bytes.to_string())
        .replace("{last}", &last.to_string())
        .replace("{created}", &manifest.created)
        .replace("{version}", &manifest.version)
        .replace("{path}", path)
}

fn refused(otherwise: Code, error: &BackupError, path: &Path) -> Failure {
    let (code, exit) = match error {
        BackupError::Damaged { .. } => (Code::BackupDamaged, Exit::Failed),
        BackupError::Newer { .. } => (Code::BackupNewer, Exit::Failed),
        BackupError::Missing { .. } => (otherwise, Exit::NotFound),
        BackupError::Exists { .. } | BackupError::NotEmpty { .. } => (otherwise, Exit::Conflict),
        _ => (otherwise, Exit::Failed),
    };
    let diagnostic = Diagnostic::new(code)
        .with("path", path.display().to_string())
        .because(error.to_string());
    Failure::Explained(Box::new(diagnostic), exit)
}

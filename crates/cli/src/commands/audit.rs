//! `deploy audit`: the ledger as people read it.

use std::path::PathBuf;

use clap::{Arg, ArgAction, ArgMatches, Command};
use deploy_model::{Code, Diagnostic, Exit, Lang};
use deploy_store::{ActorKind, OpenError, Query, ReadError, Reader, Stored, limits};
use deploy_template::func::Host;
use jiff::civil::DateTime;
use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};

use super::described;
use crate::texts::ledger;
use crate::{Context, Failure, Outcome, table, texts};

/// Lines that are shown unless another number is asked for: about a screen.
const SHOWN: usize = 50;

pub fn command(lang: Lang) -> Command {
    let words = ledger::of(lang);
    let list = filtered(described(Command::new("list"), &words.list), lang)
        .arg(
            Arg::new("limit")
                .long("limit")
                .value_name("N")
                .help(words.limit)
                .default_value("50"),
        )
        .arg(
            Arg::new("output")
                .short('o')
                .long("output")
                .value_name("FORMAT")
                .value_parser(["table", "json", "yaml"])
                .default_value("table")
                .help(texts::of(lang).output_flag),
        );
    described(Command::new("audit"), &words.audit)
        .subcommand_required(true)
        .arg_required_else_help(true)
        .subcommand(list)
        .subcommand(filtered(described(Command::new("export"), &words.export), lang))
}

fn filtered(command: Command, lang: Lang) -> Command {
    let words = ledger::of(lang);
    let filter = |name: &'static str, value: &'static str, help: &'static str| {
        Arg::new(name).long(name).value_name(value).help(help)
    };
    command
        .arg(filter("since", "TIME", words.since))
        .arg(filter("until", "TIME", words.until))
        .arg(filter("actor", "ACTOR", words.actor))
        .arg(filter("kind", "KIND", words.kind).action(ArgAction::Append))
        .arg(filter("subject", "SUBJECT", words.subject))
}

pub fn run(context: &mut Context, arguments: &ArgMatches) -> Outcome {
    match arguments.subcommand() {
        Some(("list", arguments)) => list(context, arguments),
        Some(("export", arguments)) => export(context, arguments),
        _ => Ok(Exit::Usage),
    }
}

fn list(context: &mut Context, arguments: &ArgMatches) -> Outcome {
    let mut query = query(context, arguments, "deploy audit list")?;
    query.newest_first = true;
    query.limit = Some(limit(context, arguments)?);
    let mut lines = asked(context, &open(context)?, &query)?.lines;
    lines.reverse();
    let text = match arguments.get_one::<String>("output").map(String::as_str) {
        Some("json") => format!("{:#}\n", Value::from_iter(lines.iter().map(tree))),
        Some("yaml") => deploy_yaml::emit_sigs(&Value::from_iter(lines.iter().map(tree))),
        _ if lines.is_empty() => {
            context.printer.say(ledger::of(context.lang).nothing);
            return Ok(Exit::Done);
        }
        _ => {
            let zone = zone(context);
            let rows: Vec<[String; 6]> = lines.iter().map(|line| row(line, &zone)).collect();
            table::render(ledger::of(context.lang).columns, &rows)
        }
    };
    context.printer.data(text)?;
    Ok(Exit::Done)
}

fn export(context: &mut Context, arguments: &ArgMatches) -> Outcome {
    let mut query = query(context, arguments, "deploy audit export")?;
    let reader = open(context)?;
    loop {
        let page = asked(context, &reader, &query)?;
        for line in &page.lines {
            context.printer.data(format!("{}\n", tree(line)))?;
        }
        match page.lines.last() {
            Some(last) if page.more => query.after = Some(last.seq),
            _ => return Ok(Exit::Done),
        }
    }
}

fn tree(stored: &Stored) -> Value {
    let line = &stored.line;
    json!({
        "seq": stored.seq,
        "at": line.at.to_string(),
        "actor": { "kind": line.actor.kind.name(), "name": line.actor.name },
        "kind": line.kind,
        "subject": { "kind": line.subject.kind, "id": line.subject.id },
        "reason": line.reason,
        "before": line.before,
        "after": line.after,
        "data": line.data,
    })
}

fn row(stored: &Stored, zone: &TimeZone) -> [String; 6] {
    let line = &stored.line;
    let at = line.at.to_zoned(zone.clone());
    // A reason may have lines; a row has one.
    let reason = line.reason.as_deref().unwrap_or_default();
    let reason: String = reason
        .chars()
        .map(|c| if c.is_control() { ' ' } else { c })
        .collect();
    [
        at.strftime("%Y-%m-%d %H:%M:%S %Z").to_string(),
        format!("{}/{}", line.actor.kind, line.actor.name),
        line.kind.clone(),
        format!("{}/{}", line.subject.kind, line.subject.id),
        reason,
        stored.seq.to_string(),
    ]
}

fn query(context: &Context, arguments: &ArgMatches, command: &'static str) -> Result<Query, Failure> {
    let words = ledger::of(context.lang);
    let text = |name: &str| arguments.get_one::<String>(name).map(String::as_str);
    let wrong = |template: &str, given: &str| -> Failure {
        Diagnostic::new(Code::UsageInvalid)
            .with("command", command)
            .because(template.replace("{given}", given))
            .into()
    };
    let now = now(context);
    let time = |name: &str| match text(name) {
        None => Ok(None),
        Some(given) => moment(given, now, &zone(context))
            .map(Some)
            .ok_or_else(|| wrong(words.no_time, given)),
    };
    let mut query = Query {
        since: time("since")?,
        until: time("until")?,
        kinds: arguments
            .get_many::<String>("kind")
            .into_iter()
            .flatten()
            .cloned()
            .collect(),
        ..Query::default()
    };
    if let Some(given) = text("actor") {
        match given.split_once('/') {
            None => query.actor = Some(given.to_owned()),
            Some((kind, name)) => {
                let kinds = ActorKind::ALL.map(ActorKind::name).join(", ");
                let kind = ActorKind::named(kind)
                    .ok_or_else(|| wrong(&words.no_actor.replace("{kinds}", &kinds), given))?;
                query.actor_kind = Some(kind);
                query.actor = (!name.is_empty()).then(|| name.to_owned());
            }
        }
    }
    if let Some(given) = text("subject") {
        let (kind, id) = given.split_once('/').unwrap_or((given, ""));
        query.subject_kind = Some(kind.to_owned());
        query.subject = (!id.is_empty()).then(|| id.to_owned());
    }
    Ok(query)
}

fn limit(context: &Context, arguments: &ArgMatches) -> Result<usize, Failure> {
    let Some(given) = arguments.get_one::<String>("limit") else {
        return Ok(SHOWN);
    };
    given
        .parse()
        .ok()
        .filter(|limit| (1..=limits::PAGE_LINES).contains(limit))
        .ok_or_else(|| {
            let words = ledger::of(context.lang).no_limit;
            let cause = words
                .replace("{given}", given)
                .replace("{max}", &limits::PAGE_LINES.to_string());
            Diagnostic::new(Code::UsageInvalid)
                .with("command", "deploy audit list")
                .because(cause)
                .into()
        })
}

/// A time as people write it: absolute, in the reader's zone unless it names one; or how long ago.
fn moment(given: &str, now: Timestamp, zone: &TimeZone) -> Option<Timestamp> {
    if let Some((digits, unit)) = given.char_indices().last().map(|(at, unit)| (&given[..at], unit))
        && let Ok(count) = digits.parse::<u32>()
    {
        let seconds = match unit {
            's' => 1,
            'm' => 60,
            'h' => 3_600,
            'd' => 86_400,
            'w' => 604_800,
            _ => return None,
        };
        return now
            .checked_sub(SignedDuration::from_secs(i64::from(count) * seconds))
            .ok();
    }
    if let Ok(at) = given.parse::<Timestamp>() {
        return Some(at);
    }
    // A date alone is its midnight; read as a date, a time behind it would be passed over.
    let civil = given.parse::<DateTime>().ok()?;
    zone.to_timestamp(civil).ok()
}

pub fn now(context: &Context) -> Timestamp {
    // The clock is far from the ends of what a timestamp holds.
    Timestamp::from_nanosecond(context.host().now_unix_nanos()).unwrap_or_default()
}

fn zone(context: &Context) -> TimeZone {
    TimeZone::get(context.host().time_zone()).unwrap_or(TimeZone::UTC)
}

fn folder(context: &Context) -> PathBuf {
    PathBuf::from(context.absolute(context.settings.data_dir()))
}

fn open(context: &Context) -> Result<Reader, Failure> {
    Reader::open(&folder(context)).map_err(|error| refused(&error, &folder(context)))
}

/// Why a ledger cannot be read, as its reader is told.
pub fn refused(error: &OpenError, folder: &std::path::Path) -> Failure {
    let (code, exit) = match error {
        OpenError::Missing { .. } => (Code::LedgerMissing, Exit::NotFound),
        OpenError::Newer { .. } => (Code::LedgerNewer, Exit::Failed),
        OpenError::Corrupt { .. } => (Code::LedgerDamaged, Exit::Failed),
        OpenError::Locked { .. } => (Code::LedgerUnusable, Exit::Conflict),
        OpenError::Older { .. }
        | OpenError::Projection { .. }
        | OpenError::Full { .. }
        | OpenError::Io { .. } => (Code::LedgerUnusable, Exit::Failed),
    };
    let diagnostic = Diagnostic::new(code)
        .with("path", folder.display().to_string())
        .because(error.to_string());
    Failure::Explained(Box::new(diagnostic), exit)
}

fn asked(context: &Context, reader: &Reader, query: &Query) -> Result<deploy_store::Page, Failure> {
    reader.query(query).map_err(|error| {
        let code = match error {
            ReadError::Corrupt { .. } => Code::LedgerDamaged,
            ReadError::TooLarge { .. } => {
                return Diagnostic::new(Code::UsageInvalid)
                    .with("command", "deploy audit")
                    .because(error.to_string())
                    .into();
            }
            ReadError::Io { .. } | ReadError::Closed => Code::LedgerUnusable,
        };
        Diagnostic::new(code)
            .with("path", folder(context).display().to_string())
            .because(error.to_string())
            .into()
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times() {
        let now: Timestamp = "2026-11-22T10:00:00Z".parse().expect("a time");
        let zone = TimeZone::get("Asia/Shanghai").expect("a zone");
        for (given, expected) in [
            ("2h", "2026-11-22T08:00:00Z"),
            ("30m", "2026-11-22T09:30:00Z"),
            ("7d", "2026-11-15T10:00:00Z"),
            ("0s", "2026-11-22T10:00:00Z"),
            ("2026-11-22", "2026-11-21T16:00:00Z"),
            ("2026-11-22T08:30", "2026-11-22T00:30:00Z"),
            ("2026-11-22 08:30:15", "2026-11-22T00:30:15Z"),
            ("2026-11-22T08:30:00+01:00", "2026-11-22T07:30:00Z"),
            ("2026-11-22T08:30:00Z", "2026-11-22T08:30:00Z"),
        ] {
            let found = moment(given, now, &zone).expect(given);
            assert_eq!(found.to_string(), expected, "{given}");
        }
        for bad in [
            "",
            "h",
            "2",
            "2y",
            "-2h",
            "yesterday",
            "2026-13-01",
            "99999999999d",
            "4294967295w",
            "é",
        ] {
            assert_eq!(moment(bad, now, &zone), None, "{bad}");
        }
    }
}

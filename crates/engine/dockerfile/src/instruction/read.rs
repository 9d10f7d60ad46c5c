//! Statements become instructions, or problems with their places (instructions/parse.go).

use super::flags::{Flags, Takes};
use super::{
    Argument, CommandLine, Dockerfile, Healthcheck, Instruction, Network, Positioned, RunLine, StageText,
    Transfer, mount,
};
use crate::error::Problem;
use crate::limits;
use crate::syntax::{Heredoc, NAMES, Statement, parse};
use deploy_model::nearest;

/// Reads a Dockerfile. All problems that instructions have by themselves are found at once, at most one for each.
pub fn read(text: &str) -> Result<Dockerfile, Vec<Problem>> {
    let tree = parse(text).map_err(|problem| vec![problem])?;
    let mut file = Dockerfile {
        text: text.to_owned(),
        escape: tree.escape,
        arguments: Vec::new(),
        stages: Vec::new(),
    };
    let mut problems = Vec::new();
    for statement in &tree.statements {
        if let Err((message, hint, piece)) = take(&mut file, statement) {
            let piece = if piece.is_empty() {
                &statement.written
            } else {
                &piece
            };
            let problem = Problem::at(statement.lines.0, message).hint(hint);
            problems.push(problem.pointing(text, statement.lines, piece));
        }
    }
    if problems.is_empty() && file.stages.is_empty() {
        problems.push(Problem::at(1, "no build stage in the Dockerfile").hint("begin a stage with FROM"));
    }
    if problems.is_empty() {
        Ok(file)
    } else {
        Err(problems)
    }
}

/// What is wrong, what helps, and which piece of the text it is about.
type Wrong = (String, String, String);

fn wrong<T>(message: impl Into<String>) -> Result<T, Wrong> {
    Err((message.into(), String::new(), String::new()))
}

fn hinted<T>(message: impl Into<String>, hint: impl Into<String>) -> Result<T, Wrong> {
    Err((message.into(), hint.into(), String::new()))
}

fn take(file: &mut Dockerfile, statement: &Statement) -> Result<(), Wrong> {
    if statement.name == "from" {
        if file.stages.len() >= limits::STAGES_MAX {
            return wrong(format!("more than {} stages", limits::STAGES_MAX));
        }
        let stage = from(statement)?;
        let same = |known: &StageText| known.name.is_some() && known.name == stage.name;
        if file.stages.iter().any(same) {
            let name = stage.name.unwrap_or_default();
            return Err((
                format!("duplicate name {name:?} of a stage"),
                "give each stage its own name".to_owned(),
                name,
            ));
        }
        file.stages.push(stage);
        return Ok(());
    }
    let instruction = instruction(statement)?;
    match (file.stages.last_mut(), instruction) {
        (Some(stage), instruction) => stage.instructions.push(Positioned {
            lines: statement.lines,
            original: statement.original.clone(),
            instruction,
        }),
        (None, Instruction::Arg(arguments)) => file.arguments.extend(arguments),
        (None, _) => {
            return hinted(
                "no build stage in current context",
                format!(
                    "move {} below the first FROM: only ARG may stand before it",
                    statement.written
                ),
            );
        }
    }
    Ok(())
}

fn from(statement: &Statement) -> Result<StageText, Wrong> {
    let flags = flags(statement, &[("platform", Takes::Value)])?;
    let arguments: Vec<&str> = statement.arguments.iter().map(String::as_str).collect();
    let (base, name) = match arguments[..] {
        [base] => (base, None),
        [base, word, name] if word.eq_ignore_ascii_case("as") => {
            let name = name.to_ascii_lowercase();
            let first = name.starts_with(|c: char| c.is_ascii_lowercase());
            let rest = name
                .chars()
                .all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || matches!(c, '-' | '_' | '.'));
            if !(first && rest) {
                return Err((
                    format!(
                        "invalid name for build stage: {name:?}, name can't start with a number or contain symbols"
                    ),
                    String::new(),
                    arguments[2].to_owned(),
                ));
            }
            (base, Some(name))
        }
        _ => {
            return hinted(
                "FROM requires either one or three arguments",
                "write FROM image, or FROM image AS name",
            );
        }
    };
    Ok(StageText {
        name,
        base: base.to_owned(),
        platform: flags.value("platform"),
        lines: statement.lines,
        instructions: Vec::new(),
    })
}

fn flags(statement: &Statement, known: &[(&'static str, Takes)]) -> Result<Flags, Wrong> {
    Flags::read(&statement.flags, known).map_err(|(message, hint)| {
        let named = message
            .split_once("--")
            .map(|(_, name)| format!("--{}", name.split([',', ' ']).next().unwrap_or(name)));
        (message, hint, named.unwrap_or_default())
    })
}

fn instruction(statement: &Statement) -> Result<Instruction, Wrong> {
    let arguments = &statement.arguments;
    if !matches!(&*statement.name, "add" | "copy" | "run" | "healthcheck" | "from") {
        flags(statement, &[])?;
    }
    Ok(match &*statement.name {
        "add" | "copy" => transfer(statement)?,
        "arg" => Instruction::Arg(self::arguments(statement)?),
        "cmd" => Instruction::Cmd(command(statement)),
        "entrypoint" => Instruction::Entrypoint(command(statement)),
        "env" => Instruction::Env(pairs(statement)?),
        "label" => Instruction::Label(pairs(statement)?),
        "expose" => Instruction::Expose(some(statement)?.to_vec()),
        "volume" => {
            if some(statement)?.iter().any(|path| path.trim().is_empty()) {
                return wrong("VOLUME specified can not be an empty string");
            }
            Instruction::Volume(arguments.clone())
        }
        "maintainer" => Instruction::Maintainer(one(statement)?),
        "stopsignal" => Instruction::StopSignal(one(statement)?),
        "user" => Instruction::User(one(statement)?),
        "workdir" => Instruction::Workdir(one(statement)?),
        "shell" => match (statement.json, arguments.is_empty()) {
            (true, false) => Instruction::Shell(arguments.clone()),
            (_, true) => return wrong("SHELL requires at least one argument"),
            (false, false) => {
                return hinted(
                    "SHELL requires the arguments to be in JSON form",
                    "write SHELL [\"/bin/sh\", \"-c\"]",
                );
            }
        },
        "run" => Instruction::Run(run(statement)?),
        "healthcheck" => Instruction::Healthcheck(health(statement)?),
        "onbuild" => {
            return hinted(
                "ONBUILD is not supported",
                "put the instruction into the Dockerfiles that begin with this image",
            );
        }
        name => {
            let near = nearest(name, NAMES.iter().copied());
            return hinted(
                format!("unknown instruction: {}", statement.written),
                near.map_or_else(
                    || "an instruction that goes on in the next line ends with a backslash".to_owned(),
                    |near| format!("did you mean {near}?"),
                ),
            );
        }
    })
}

fn some(statement: &Statement) -> Result<&[String], Wrong> {
    if statement.arguments.is_empty() {
        return wrong(format!(
            "{} requires at least one argument",
            statement.name.to_ascii_uppercase()
        ));
    }
    Ok(&statement.arguments)
}

fn one(statement: &Statement) -> Result<String, Wrong> {
    match &statement.arguments[..] {
        [one] => Ok(one.clone()),
        _ => wrong(format!(
            "{} requires exactly one argument",
            statement.name.to_ascii_uppercase()
        )),
    }
}

fn pairs(statement: &Statement) -> Result<Vec<(String, String)>, Wrong> {
    let pairs: Vec<(String, String)> = some(statement)?
        .chunks(3)
        .map(|three| (three[0].clone(), three.get(1).cloned().unwrap_or_default()))
        .collect();
    if pairs.iter().any(|(name, _)| name.is_empty()) {
        return wrong(format!(
            "{} names can not be blank",
            statement.name.to_ascii_uppercase()
        ));
    }
    Ok(pairs)
}

fn arguments(statement: &Statement) -> Result<Vec<Argument>, Wrong> {
    some(statement)?
        .iter()
        .map(|word| {
            let (name, default) = match word.split_once('=') {
                Some((name, value)) => (name, Some(value.to_owned())),
                None => (&**word, None),
            };
            if name.is_empty() {
                return wrong("ARG names can not be blank");
            }
            Ok(Argument {
                name: name.to_owned(),
                default,
                line: statement.lines.0,
            })
        })
        .collect()
}

fn command(statement: &Statement) -> CommandLine {
    CommandLine {
        words: statement.arguments.clone(),
        shell: !statement.json,
    }
}

fn transfer(statement: &Statement) -> Result<Instruction, Wrong> {
    let add = statement.name == "add";
    let mut known = vec![
        ("chown", Takes::Value),
        ("chmod", Takes::Value),
        ("link", Takes::Switch),
        ("exclude", Takes::Values),
    ];
    if add {
        known.extend([
            ("checksum", Takes::Value),
            ("keep-git-dir", Takes::Switch),
            ("unpack", Takes::Switch),
        ]);
    } else {
        known.extend([("from", Takes::Value), ("parents", Takes::Switch)]);
    }
    let flags = flags(statement, &known)?;
    let Some((destination, sources)) = statement
        .arguments
        .split_last()
        .filter(|(_, sources)| !sources.is_empty())
    else {
        return hinted(
            format!(
                "{} requires at least two arguments",
                statement.name.to_ascii_uppercase()
            ),
            "name what to copy, then where to",
        );
    };
    let is_document = |source: &&String| !statement.json && Heredoc::of_word(source).is_some();
    if is_document(&destination) {
        return wrong(format!(
            "{} cannot accept a heredoc as a destination",
            statement.name.to_ascii_uppercase()
        ));
    }
    let transfer = Transfer {
        sources: sources
            .iter()
            .filter(|source| !is_document(source))
            .cloned()
            .collect(),
        documents: statement.heredocs.clone(),
        destination: destination.clone(),
        from: flags.value("from"),
        chown: flags.value("chown"),
        chmod: flags.value("chmod"),
        link: flags.switch("link") == Some(true),
        parents: flags.switch("parents") == Some(true),
        exclude: flags.values("exclude"),
        checksum: flags.value("checksum"),
        unpack: flags.switch("unpack"),
    };
    Ok(if add {
        Instruction::Add(transfer)
    } else {
        Instruction::Copy(transfer)
    })
}

fn run(statement: &Statement) -> Result<RunLine, Wrong> {
    let known = [
        ("mount", Takes::Values),
        ("network", Takes::Value),
        ("security", Takes::Value),
    ];
    let flags = flags(statement, &known)?;
    let network = match flags.value("network").as_deref() {
        None | Some("default") => Network::Default,
        Some("none") => Network::None,
        Some("host") => Network::Host,
        Some(other) => {
            return Err((
                format!("invalid network mode: {other}"),
                "there are default, none and host".to_owned(),
                other.to_owned(),
            ));
        }
    };
    if flags.value("security").is_some_and(|mode| mode != "sandbox") {
        return hinted(
            "RUN --security=insecure is not supported",
            "steps run with the capabilities of a container",
        );
    }
    let mounts = flags.values("mount");
    let mounts = mounts
        .iter()
        .map(|text| mount::read(text).map_err(|(message, hint)| (message, hint, "--mount".to_owned())))
        .collect::<Result<_, _>>()?;
    if statement.arguments.iter().all(|word| word.is_empty()) {
        return wrong("RUN requires at least one argument");
    }
    Ok(RunLine {
        command: command(statement),
        heredocs: statement.heredocs.clone(),
        mounts,
        network,
    })
}

fn health(statement: &Statement) -> Result<Healthcheck, Wrong> {
    let known = [
        ("interval", Takes::Value),
        ("timeout", Takes::Value),
        ("start-period", Takes::Value),
        ("start-interval", Takes::Value),
        ("retries", Takes::Value),
    ];
    let flags = flags(statement, &known)?;
    let (kind, words) = match statement.arguments.split_first() {
        None => {
            return hinted(
                "HEALTHCHECK requires at least one argument",
                "write HEALTHCHECK CMD command, or NONE",
            );
        }
        Some((kind, words)) => (kind.to_ascii_uppercase(), words),
    };
    let test = match &*kind {
        "NONE" if !words.is_empty() => return wrong("HEALTHCHECK NONE takes no arguments"),
        "NONE" => vec![kind],
        "CMD" if words.is_empty() => return wrong("missing command after HEALTHCHECK CMD"),
        "CMD" => {
            let kind = if statement.json { "CMD" } else { "CMD-SHELL" };
            let mut test = vec![kind.to_owned()];
            test.extend_from_slice(words);
            test
        }
        _ => {
            return hinted(
                format!("unknown type {kind:?} in HEALTHCHECK (try CMD)"),
                "there are CMD and NONE",
            );
        }
    };
    let time = |name: &str| match flags.value(name) {
        None => Ok(0),
        Some(text) => match duration_ns(&text) {
            Some(0) => Ok(0),
            Some(value) if value >= 1_000_000 => Ok(value),
            Some(_) => wrong(format!("interval {name:?} cannot be less than 1ms")),
            None => Err((
                format!("invalid duration {text:?} of --{name}"),
                "write for example 30s or 1m30s".to_owned(),
                format!("--{name}"),
            )),
        },
    };
    let retries = match flags.value("retries") {
        None => 0,
        Some(text) => match text.parse::<i32>() {
            Ok(value) if value >= 0 => i64::from(value),
            _ => return wrong(format!("--retries cannot be negative or no number ({text})")),
        },
    };
    Ok(Healthcheck {
        test,
        interval_ns: time("interval")?,
        timeout_ns: time("timeout")?,
        start_period_ns: time("start-period")?,
        start_interval_ns: time("start-interval")?,
        retries,
    })
}

/// Go's durations: `1h2m3.5s`, `300ms`.
fn duration_ns(text: &str) -> Option<i64> {
    if text == "0" {
        return Some(0);
    }
    let mut rest = text;
    let mut total = 0_f64;
    while !rest.is_empty() {
        let digits = rest.find(|c: char| !c.is_ascii_digit() && c != '.')?;
        let value: f64 = rest[..digits].parse().ok()?;
        rest = &rest[digits..];
        let end = rest.find(|c: char| c.is_ascii_digit()).unwrap_or(rest.len());
        let unit = match &rest[..end] {
            "ns" => 1.0,
            "us" | "µs" => 1e3,
            "ms" => 1e6,
            "s" => 1e9,
            "m" => 60e9,
            "h" => 3600e9,
            _ => return None,
        };
        rest = &rest[end..];
        total += value * unit;
    }
    // A hundred years: beyond it the number would not be one of nanoseconds in 64 bits any more.
    (!text.is_empty() && total < 3.2e18).then_some(total.round() as i64)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn problem(text: &str) -> (String, String, String) {
        let problems = read(text).expect_err(text);
        let one = &problems[0];
        (
            one.place.expect("it is in the file").to_string(),
            one.message.clone(),
            one.hint.clone(),
        )
    }

    #[test]
    fn problems_have_place_cause_and_hint() {
        for (text, place, message, hint) in [
            (
                "FROM a\nRUNN x",
                "2:1",
                "unknown instruction: RUNN",
                "did you mean RUN?",
            ),
            (
                "FROM a\n  COPY --form=b c d",
                "2:8",
                "unknown flag: --form",
                "did you mean --from?",
            ),
            (
                "FROM a b",
                "1:1",
                "FROM requires either one or three arguments",
                "write FROM image, or FROM image AS name",
            ),
            (
                "FROM a AS 1x",
                "1:11",
                "invalid name for build stage: \"1x\", name can't start with a number or contain symbols",
                "",
            ),
            (
                "FROM a\nCOPY x",
                "2:1",
                "COPY requires at least two arguments",
                "name what to copy, then where to",
            ),
            (
                "FROM a\nONBUILD RUN x",
                "2:1",
                "ONBUILD is not supported",
                "put the instruction into the Dockerfiles that begin with this image",
            ),
            (
                "RUN x\nFROM a",
                "1:1",
                "no build stage in current context",
                "move RUN below the first FROM: only ARG may stand before it",
            ),
            (
                "FROM a\nSHELL bash",
                "2:1",
                "SHELL requires the arguments to be in JSON form",
                "write SHELL [\"/bin/sh\", \"-c\"]",
            ),
            (
                "FROM a\nHEALTHCHECK --interval=x CMD true",
                "2:13",
                "invalid duration \"x\" of --interval",
                "write for example 30s or 1m30s",
            ),
        ] {
            assert_eq!(
                problem(text),
                (place.to_owned(), message.to_owned(), hint.to_owned())
            );
        }
        assert_eq!(read("FROM a\nFOO\nBAR").expect_err("two").len(), 2);
    }

    #[test]
    fn durations() {
        for (text, value) in [
            ("30s", Some(30_000_000_000)),
            ("1m30s", Some(90_000_000_000)),
            ("1.5h", Some(5_400_000_000_000)),
            ("300ms", Some(300_000_000)),
            ("x", None),
            ("1", None),
            ("", None),
        ] {
            assert_eq!(duration_ns(text), value, "{text}");
        }
    }
}

//! Sessions: `fixtures/cli/<case>/session.txt` holds commands with what they print and how they end.
//!
//! ```text
//! in: examples/shop                 (optional: the current folder, from the repository's root; else the case's `in/`)
//! $ LANG=zh_CN.UTF-8 deploy vesion
//! exit 2
//! stdout| ...                       (a line each)
//! stderr| ...
//! ```
//!
//! Lines that begin with `#` are for readers. `UPDATE_EXPECT=1` rewrites what follows each `$`.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};
use std::thread;

use deploy_cli::{Invocation, STACK_BYTES, Terminal};
use deploy_conformance::repository;

#[test]
fn sessions() {
    let folder = repository().join("fixtures/cli");
    let mut cases: Vec<PathBuf> = fs::read_dir(&folder)
        .expect("fixtures/cli")
        .map(|entry| entry.expect("an entry").path())
        .collect();
    cases.sort();
    assert!(cases.len() > 5, "the cases are gone");
    let failures: Vec<String> = cases.iter().filter_map(|case| check(case).err()).collect();
    assert!(
        failures.is_empty(),
        "UPDATE_EXPECT=1 accepts what is new:\n{}",
        failures.join("\n")
    );
}

fn check(case: &Path) -> Result<(), String> {
    let path = case.join("session.txt");
    let expected = fs::read_to_string(&path).map_err(|e| format!("{}: {e}", path.display()))?;
    let actual = replay(&expected, case);
    if actual == expected {
        return Ok(());
    }
    if std::env::var_os("UPDATE_EXPECT").is_some() {
        return fs::write(&path, actual).map_err(|e| format!("{}: {e}", path.display()));
    }
    let line = expected
        .lines()
        .zip(actual.lines())
        .take_while(|(e, a)| e == a)
        .count();
    Err(format!(
        "{}:{}: expected {:?}, got {:?}",
        path.display(),
        line + 1,
        expected.lines().nth(line).unwrap_or("the end"),
        actual.lines().nth(line).unwrap_or("the end")
    ))
}

/// The session as it goes now.
fn replay(session: &str, case: &Path) -> String {
    let mut cwd = case.join("in");
    if !cwd.is_dir() {
        cwd = case.to_owned();
    }
    let mut text = String::new();
    let mut is_output = false;
    for line in session.lines() {
        if let Some(command) = line.strip_prefix("$ ") {
            writeln!(text, "{line}").expect("a string");
            text.push_str(&outcome(command, &cwd));
            is_output = true;
        } else if line.is_empty() || line.starts_with('#') || line.starts_with("in: ") {
            if let Some(folder) = line.strip_prefix("in: ") {
                cwd = repository().join(folder.trim());
            }
            is_output = false;
            writeln!(text, "{line}").expect("a string");
        } else {
            assert!(
                is_output,
                "{}: {line:?} is neither a command nor its output",
                case.display()
            );
        }
    }
    text
}

fn outcome(command: &str, cwd: &Path) -> String {
    let (mut env, args) = split(command);
    env.entry("HOME".to_owned())
        .or_insert_with(|| "/home/user".to_owned());
    env.entry("USER".to_owned()).or_insert_with(|| "user".to_owned());
    let invocation = Invocation {
        args,
        cwd: cwd.to_owned(),
        env,
        terminal: Terminal::default(),
        stdin: Box::new(std::io::empty()),
    };
    let run = move || {
        let (mut out, mut err) = (Vec::new(), Vec::new());
        let exit = deploy_cli::run(invocation, &mut out, &mut err);
        (exit, out, err)
    };
    let thread = thread::Builder::new()
        .stack_size(STACK_BYTES)
        .spawn(run)
        .expect("a thread");
    let (exit, out, err) = thread.join().expect("a command does not panic");

    let mut text = format!("exit {}\n", exit as u8);
    for (name, bytes) in [("stdout", out), ("stderr", err)] {
        let stream = String::from_utf8(bytes)
            .expect("UTF-8")
            .replace(&cwd.display().to_string(), "<cwd>");
        for line in stream.split_inclusive('\n') {
            match line.strip_suffix('\n') {
                Some("") => writeln!(text, "{name}|"),
                Some(line) => writeln!(text, "{name}| {line}"),
                None => writeln!(text, "{name}| {line}\\ no newline"),
            }
            .expect("a string");
        }
    }
    text
}

/// `A=1 deploy x 'y z'` as variables and arguments, the program's name left out.
fn split(command: &str) -> (BTreeMap<String, String>, Vec<OsString>) {
    let mut words: Vec<String> = Vec::new();
    let mut word: Option<String> = None;
    let mut quote = None;
    for c in command.chars() {
        match (quote, c) {
            (Some(open), c) if c == open => quote = None,
            (Some(_), c) => word.get_or_insert_default().push(c),
            (None, '\'' | '"') => {
                quote = Some(c);
                word.get_or_insert_default();
            }
            (None, ' ') => words.extend(word.take()),
            (None, c) => word.get_or_insert_default().push(c),
        }
    }
    words.extend(word);
    let program = words
        .iter()
        .position(|word| word == "deploy")
        .expect("a session runs deploy");
    let env = words[..program]
        .iter()
        .map(|pair| pair.split_once('=').expect("NAME=VALUE before deploy"))
        .map(|(name, value)| (name.to_owned(), value.to_owned()))
        .collect();
    (env, words[program + 1..].iter().map(OsString::from).collect())
}

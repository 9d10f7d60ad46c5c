//! Every chart and kustomization that we have, rendered by the real program and by ours; what is not equal is listed.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use crate::{Outcome, repository};

/// One input for both programs.
struct Case {
    /// How reports name it.
    name: String,
    /// The peer's program.
    peer: &'static str,
    folder: PathBuf,
    /// The peer's arguments; ours are `prefix` and the same.
    args: Vec<String>,
    /// The words that make ours behave as this peer.
    prefix: &'static [&'static str],
    /// Arguments that only ours gets.
    extra: &'static [&'static str],
}

enum Verdict {
    Equal,
    /// Both refuse the input.
    BothFail,
    /// The real program gives another answer each time (random keys, the clock).
    NotRepeatable,
    Differs(String),
}

/// Compares all, prints a line per difference, and fails if there is one that `fixtures/peers.txt` does not explain.
pub fn run() -> Outcome {
    let ours = build()?;
    let Some(root) = repository::external_cases() else {
        println!("peers: skipped, no folder of external cases");
        return Ok(());
    };
    let mut cases = helm_cases(&root)?;
    cases.extend(shop_cases()?);
    cases.extend(kustomize_cases(&root)?);
    let explained = explained()?;
    let (mut equal, mut both_fail, mut not_repeatable, mut unexplained) = (0, 0, 0, Vec::new());
    let mut differing = BTreeSet::new();
    for case in &cases {
        match compare(&ours, case)? {
            Verdict::Equal => equal += 1,
            Verdict::BothFail => both_fail += 1,
            Verdict::NotRepeatable => not_repeatable += 1,
            Verdict::Differs(how) => {
                differing.insert(case.name.clone());
                match explained.iter().find(|(name, _)| *name == case.name) {
                    Some((_, reason)) => println!("differs, known: {}: {reason}", case.name),
                    None => unexplained.push(format!("differs: {}: {how}", case.name)),
                }
            }
        }
    }
    println!(
        "peers: {} inputs, {equal} equal, {both_fail} refused by both, {not_repeatable} not repeatable, {} differ",
        cases.len(),
        differing.len()
    );
    for (name, _) in explained.iter().filter(|(name, _)| !differing.contains(name)) {
        unexplained.push(format!("{name} is equal now: remove it from fixtures/peers.txt"));
    }
    if unexplained.is_empty() {
        Ok(())
    } else {
        Err(unexplained.join("\n"))
    }
}

/// Builds the release binary and returns its path.
pub fn build() -> Result<PathBuf, String> {
    let root = repository::root();
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    repository::stdout(
        Command::new(cargo)
            .args(["build", "--release", "--locked", "-p", "deploy-cli"])
            .current_dir(&root),
    )?;
    Ok(root.join("target/release/deploy"))
}

fn explained() -> Result<Vec<(String, String)>, String> {
    let text = repository::read("fixtures/peers.txt")?;
    let lines = text.lines().filter(|line| !line.starts_with('#'));
    Ok(lines
        .filter_map(|line| line.rsplit_once(": "))
        .map(|(name, reason)| (name.to_owned(), reason.to_owned()))
        .collect())
}

/// The charts of the external cases: folders with a `Chart.yaml`, and archives.
pub fn charts(root: &Path) -> Result<Vec<PathBuf>, String> {
    let mut found = Vec::new();
    walk(&root.join("helm/work"), &mut |path| {
        if path.file_name().is_some_and(|name| name == "Chart.yaml") {
            found.extend(path.parent().map(Path::to_owned));
        } else if path.extension().is_some_and(|ending| ending == "tgz") {
            found.push(path.to_owned());
        }
    })?;
    found.sort();
    Ok(found)
}

fn walk(folder: &Path, visit: &mut dyn FnMut(&Path)) -> Outcome {
    let entries = fs::read_dir(folder).map_err(|e| format!("{}: {e}", folder.display()))?;
    for entry in entries.flatten() {
        let path = entry.path();
        // A link to a folder may lead in circles.
        if path.is_dir() && !path.is_symlink() {
            walk(&path, visit)?;
        } else {
            visit(&path);
        }
    }
    Ok(())
}

fn helm_cases(root: &Path) -> Result<Vec<Case>, String> {
    let folder = root.join("helm/work");
    let mut cases = Vec::new();
    for chart in charts(root)? {
        let relative = chart
            .strip_prefix(&folder)
            .map_err(|e| e.to_string())?
            .to_string_lossy()
            .into_owned();
        for (peer, extra) in [("helm4", &[] as &[&str]), ("helm3", &["--helm-compat", "v3"])] {
            let template = [
                "template",
                "rel",
                &relative,
                "--namespace",
                "ns1",
                "--kube-version",
                "1.30.0",
            ];
            cases.push(Case {
                name: format!("{peer} template {relative}"),
                peer,
                folder: folder.clone(),
                args: template.map(str::to_owned).to_vec(),
                prefix: &["helm"],
                extra,
            });
        }
    }
    Ok(cases)
}

fn shop_cases() -> Result<Vec<Case>, String> {
    let folder = repository::root().join("examples/shop");
    Ok(["us", "de", "my"]
        .into_iter()
        .map(|site| {
            let values = format!("values/{site}.yaml");
            let namespace = format!("prod-{site}");
            let args = [
                "template",
                "shop",
                "chart",
                "-f",
                &values,
                "--namespace",
                &namespace,
                "--kube-version",
                "1.34.0",
            ];
            Case {
                name: format!("helm4 template examples/shop for {site}"),
                peer: "helm4",
                folder: folder.clone(),
                args: args.map(str::to_owned).to_vec(),
                prefix: &["helm"],
                extra: &[],
            }
        })
        .collect())
}

fn kustomize_cases(root: &Path) -> Result<Vec<Case>, String> {
    let mut cases = Vec::new();
    let folder = root.join("kustomize/cases");
    let entries = fs::read_dir(&folder).map_err(|e| format!("{}: {e}", folder.display()))?;
    let mut names: Vec<PathBuf> = entries.flatten().map(|entry| entry.path()).collect();
    names.sort();
    for path in names {
        let text =
            fs::read_to_string(path.join("case.json")).map_err(|e| format!("{}: {e}", path.display()))?;
        let case: serde_json::Value =
            serde_json::from_str(&text).map_err(|e| format!("{}: {e}", path.display()))?;
        let options = &case["options"];
        // What only the library offers, the program has no flag for; a reorder is such an option.
        let plain = [
            "enable_exec",
            "enable_helm",
            "enable_alpha_plugins",
            "add_managed_by_label",
        ]
        .iter()
        .all(|o| options[*o] != true);
        let flags = case["flags"].as_array().cloned().unwrap_or_default();
        if !plain || options["reorder"] != "none" || flags.iter().any(|flag| flag == "newer_than_5.8.1") {
            continue;
        }
        let mut args = vec![
            "build".to_owned(),
            case["path"].as_str().unwrap_or(".").to_owned(),
        ];
        if options["load_restrictor"] == "none" {
            args.extend(["--load-restrictor", "LoadRestrictionsNone"].map(str::to_owned));
        }
        cases.push(Case {
            name: format!(
                "kustomize {}",
                path.file_name().unwrap_or_default().to_string_lossy()
            ),
            peer: "kustomize",
            folder: path.join("in"),
            args,
            prefix: &["kustomize"],
            extra: &[],
        });
    }
    Ok(cases)
}

fn compare(ours: &Path, case: &Case) -> Result<Verdict, String> {
    let peer = super::program(case.peer)?;
    let theirs = output(Command::new(&peer).args(&case.args).current_dir(&case.folder))?;
    let mine = output(
        Command::new(ours)
            .args(case.prefix)
            .args(&case.args)
            .args(case.extra)
            .current_dir(&case.folder),
    )?;
    Ok(match (theirs.status.success(), mine.status.success()) {
        (false, false) => Verdict::BothFail,
        (true, true) if theirs.stdout == mine.stdout => Verdict::Equal,
        (true, true) => {
            let again = output(Command::new(&peer).args(&case.args).current_dir(&case.folder))?;
            if again.stdout == theirs.stdout {
                Verdict::Differs(first_difference(&theirs, &mine))
            } else {
                Verdict::NotRepeatable
            }
        }
        (true, false) => Verdict::Differs(format!(
            "only ours fails: {}",
            String::from_utf8_lossy(&mine.stderr).trim()
        )),
        (false, true) => Verdict::Differs(format!(
            "only {} fails: {}",
            case.peer,
            String::from_utf8_lossy(&theirs.stderr).trim()
        )),
    })
}

fn output(command: &mut Command) -> Result<Output, String> {
    command
        .output()
        .map_err(|e| format!("{}: {e}", command.get_program().to_string_lossy()))
}

fn first_difference(theirs: &Output, mine: &Output) -> String {
    let (theirs, mine) = (
        String::from_utf8_lossy(&theirs.stdout),
        String::from_utf8_lossy(&mine.stdout),
    );
    let mut pairs = theirs.lines().zip(mine.lines()).enumerate();
    match pairs.find(|(_, (their, our))| their != our) {
        Some((at, (their, our))) => format!("line {}: expected {their:?}, got {our:?}", at + 1),
        None => format!(
            "expected {} lines, got {}",
            theirs.lines().count(),
            mine.lines().count()
        ),
    }
}

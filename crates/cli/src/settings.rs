//! Settings from four places: flags > `DEPLOY_*` > `deploy.toml` > default.

mod file;
mod problem;

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::fmt;
use std::path::{Path, PathBuf};

use deploy_model::Lang;

use crate::Invocation;

pub use problem::Problem;

/// One setting that exists.
pub struct Key {
    /// Its name in `deploy.toml`; a dot is a table.
    pub name: &'static str,
    /// Its global flag, if it has one.
    pub flag: Option<&'static str>,
    /// Its environment variable.
    pub variable: &'static str,
    /// The values that it takes; empty means any text.
    pub choices: &'static [&'static str],
}

/// Every setting, in the order of `deploy config show`.
pub const KEYS: &[Key] = &[
    Key {
        name: "lang",
        flag: Some("--lang"),
        variable: "DEPLOY_LANG",
        choices: &["en", "zh"],
    },
    Key {
        name: "color",
        flag: Some("--color"),
        variable: "DEPLOY_COLOR",
        choices: &["auto", "always", "never"],
    },
    Key {
        name: "data_dir",
        flag: Some("--data-dir"),
        variable: "DEPLOY_DATA_DIR",
        choices: &[],
    },
    Key {
        name: "helm.compat",
        flag: None,
        variable: "DEPLOY_HELM_COMPAT",
        choices: &["v3", "v4"],
    },
];

/// Where a value comes from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Origin {
    /// The command line.
    Flag(&'static str),
    /// The environment.
    Variable(&'static str),
    /// A configuration file and a line in it.
    File(PathBuf, u32),
    /// Nobody said anything.
    Default,
}

impl fmt::Display for Origin {
    /// As `deploy config show --origin` prints it; the default has no name in any language but its own.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Origin::Flag(name) | Origin::Variable(name) => f.write_str(name),
            Origin::File(path, line) => write!(f, "{}:{line}", path.display()),
            Origin::Default => f.write_str("default"),
        }
    }
}

/// The merged settings. Each value has been checked against its key.
#[derive(Clone, Debug)]
pub struct Settings {
    values: Vec<(String, Origin)>,
    /// The configuration file that was read.
    pub file: Option<PathBuf>,
}

/// When stderr is coloured.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Colour {
    /// On a terminal, unless `NO_COLOR` is set.
    Auto,
    /// Always.
    Always,
    /// Never.
    Never,
}

impl Colour {
    /// Whether a stream is to be coloured.
    pub fn paints(self, terminal: bool, env: &BTreeMap<String, String>) -> bool {
        match self {
            Colour::Always => true,
            Colour::Never => false,
            Colour::Auto => {
                let unwanted = env.get("NO_COLOR").is_some_and(|v| !v.is_empty())
                    || env.get("TERM").is_some_and(|term| term == "dumb");
                terminal && !unwanted
            }
        }
    }
}

/// Which version of Helm a chart is rendered for, where they differ.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(missing_docs)]
pub enum HelmCompat {
    V3,
    V4,
}

impl Settings {
    /// The reader's language.
    pub fn lang(&self) -> Lang {
        self.get("lang").parse().unwrap_or_default()
    }

    /// When stderr is coloured.
    pub fn colour(&self) -> Colour {
        match self.get("color") {
            "always" => Colour::Always,
            "never" => Colour::Never,
            _ => Colour::Auto,
        }
    }

    /// Where everything is kept that outlives a command; as the user wrote it.
    pub fn data_dir(&self) -> &str {
        self.get("data_dir")
    }

    /// Which Helm a chart is rendered for.
    pub fn helm_compat(&self) -> HelmCompat {
        if self.get("helm.compat") == "v3" {
            HelmCompat::V3
        } else {
            HelmCompat::V4
        }
    }

    /// Every setting with its value and origin.
    pub fn iter(&self) -> impl Iterator<Item = (&'static Key, &str, &Origin)> {
        KEYS.iter()
            .zip(&self.values)
            .map(|(key, (value, origin))| (key, value.as_str(), origin))
    }

    fn get(&self, name: &str) -> &str {
        self.iter()
            .find(|(key, ..)| key.name == name)
            .map(|(_, value, _)| value)
            .expect("the name is one of KEYS")
    }
}

/// The settings of an invocation, and why its configuration cannot be used, if so; what can be used of it still is, so
/// that the error is shown in the right language.
pub fn load(invocation: &Invocation) -> (Settings, Option<Problem>) {
    let Invocation { args, cwd, env, .. } = invocation;
    let mut broken = None;
    let mut values: Vec<(String, Origin)> = KEYS
        .iter()
        .map(|key| (default(key, env), Origin::Default))
        .collect();
    if let Some(variable) = locale_variable(env) {
        values[0].1 = Origin::Variable(variable);
    }

    let data_dir = flag(args, "--data-dir")
        .or_else(|| variable(env, "DEPLOY_DATA_DIR"))
        .unwrap_or_else(|| default_data_dir(env));
    let file = match file::find(
        flag(args, "--config").or_else(|| variable(env, "DEPLOY_CONFIG")),
        cwd,
        Path::new(&data_dir),
    ) {
        Ok(None) => None,
        Ok(Some(path)) => {
            let shown = PathBuf::from(crate::path::shown(cwd, &path.to_string_lossy()));
            let (read, failure) = file::read(&path, &shown);
            broken = failure;
            for (at, value, line) in read {
                values[at] = (value, Origin::File(shown.clone(), line));
            }
            Some(shown)
        }
        Err(failure) => {
            broken = Some(failure);
            None
        }
    };

    for (at, key) in KEYS.iter().enumerate() {
        if let Some(value) = variable(env, key.variable) {
            if key.accepts(&value) {
                values[at] = (value, Origin::Variable(key.variable));
            } else {
                broken.get_or_insert_with(|| file::invalid_variable(key, &value));
            }
        }
        // What a flag may not be, the command line's parser reports.
        if let Some(name) = key.flag
            && let Some(value) = flag(args, name).filter(|value| key.accepts(value))
        {
            values[at] = (value, Origin::Flag(name));
        }
    }
    (Settings { values, file }, broken)
}

impl Key {
    fn accepts(&self, value: &str) -> bool {
        if self.choices.is_empty() {
            !value.is_empty()
        } else {
            self.choices.contains(&value)
        }
    }
}

fn default(key: &Key, env: &BTreeMap<String, String>) -> String {
    match key.name {
        "lang" => {
            let locale = locale_variable(env)
                .map(|name| env[name].as_str())
                .unwrap_or_default();
            Lang::from_locale(locale).code().to_owned()
        }
        "data_dir" => default_data_dir(env),
        "color" => "auto".to_owned(),
        _ => "v4".to_owned(),
    }
}

/// The first that is set decides, as POSIX has it.
fn locale_variable(env: &BTreeMap<String, String>) -> Option<&'static str> {
    ["LC_ALL", "LC_MESSAGES", "LANG"]
        .into_iter()
        .find(|name| env.get(*name).is_some_and(|v| !v.is_empty()))
}

/// `/var/lib/deploy` for root, else the XDG data folder.
fn default_data_dir(env: &BTreeMap<String, String>) -> String {
    let home = env.get("HOME").map_or("", String::as_str);
    let root = env.get("USER").map_or(home == "/root", |user| user == "root");
    match env.get("XDG_DATA_HOME").filter(|v| v.starts_with('/')) {
        _ if root => "/var/lib/deploy".to_owned(),
        Some(folder) => format!("{folder}/deploy"),
        None => format!("{home}/.local/share/deploy"),
    }
}

fn variable(env: &BTreeMap<String, String>, name: &str) -> Option<String> {
    env.get(name).filter(|value| !value.is_empty()).cloned()
}

/// The last value of a global flag. We look before the command line is parsed, because its own texts need the language.
fn flag(args: &[OsString], name: &str) -> Option<String> {
    let mut found = None;
    let mut args = args.iter().map(|arg| arg.to_string_lossy());
    while let Some(arg) = args.next() {
        if arg == "--" {
            break;
        }
        if arg == name {
            found = args.next().map(|value| value.into_owned());
        } else if let Some(value) = arg.strip_prefix(name).and_then(|rest| rest.strip_prefix('=')) {
            found = Some(value.to_owned());
        }
    }
    found
}

//! Flags of instructions: each at most once, but lists; unknown ones are refused with the nearest known one.

use deploy_model::nearest;

/// What a flag takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Takes {
    Value,
    /// Several times.
    Values,
    Switch,
}

/// The flags of one instruction.
#[derive(Debug, Default)]
pub struct Flags {
    given: Vec<(&'static str, String)>,
}

impl Flags {
    /// Reads what was written by what is known (instructions/bflag.go).
    pub fn read(written: &[String], known: &[(&'static str, Takes)]) -> Result<Self, (String, String)> {
        let mut flags = Self::default();
        for flag in written {
            let text = flag.strip_prefix("--").unwrap_or(flag);
            let (name, value) = match text.split_once('=') {
                Some((name, value)) => (name, Some(value)),
                None => (text, None),
            };
            let Some((name, takes)) = known.iter().find(|(candidate, _)| *candidate == name) else {
                let hint = match nearest(name, known.iter().map(|(name, _)| *name)) {
                    Some(near) => format!("did you mean --{near}?"),
                    None if known.is_empty() => "the instruction has no flags".to_owned(),
                    None => {
                        let all: Vec<String> = known.iter().map(|(name, _)| format!("--{name}")).collect();
                        format!("it has {}", all.join(", "))
                    }
                };
                return Err((format!("unknown flag: --{name}"), hint));
            };
            if *takes != Takes::Values && flags.given.iter().any(|(given, _)| given == name) {
                return Err((format!("duplicate flag specified: --{name}"), String::new()));
            }
            let value = match (takes, value) {
                (Takes::Switch, None) => "true".to_owned(),
                (Takes::Switch, Some(value @ ("true" | "false"))) => value.to_owned(),
                (Takes::Switch, Some(value)) => {
                    let message = format!("expecting boolean value for flag --{name}, not: {value}");
                    return Err((message, String::new()));
                }
                (_, None) => return Err((format!("missing a value on flag: --{name}"), String::new())),
                (_, Some(value)) => value.to_owned(),
            };
            flags.given.push((name, value));
        }
        Ok(flags)
    }

    pub fn value(&self, name: &str) -> Option<String> {
        let found = self.given.iter().find(|(given, _)| *given == name);
        found.map(|(_, value)| value.clone())
    }

    pub fn values(&self, name: &str) -> Vec<String> {
        let all = self.given.iter().filter(|(given, _)| *given == name);
        all.map(|(_, value)| value.clone()).collect()
    }

    pub fn switch(&self, name: &str) -> Option<bool> {
        self.value(name).map(|value| value == "true")
    }
}

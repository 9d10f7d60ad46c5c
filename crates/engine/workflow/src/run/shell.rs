//! Which program runs a script, and how (GitHub, workflow syntax, `jobs.<job_id>.steps[*].shell`).

use serde::{Deserialize, Serialize};

/// The shell of a step.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Shell {
    /// None is named: bash without `pipefail`, and sh where there is no bash.
    Unspecified,
    /// `bash`
    Bash,
    /// `sh`
    Sh,
    /// `python`
    Python,
    /// `pwsh`
    Pwsh,
    /// `node`, which GitHub knows by a template only; here `node {0}`.
    Node,
    /// A command with `{0}` where the script's file goes.
    Custom(String),
}

impl Shell {
    /// The shell that a file names.
    pub fn named(name: &str) -> Shell {
        match name.trim() {
            "" => Shell::Unspecified,
            "bash" => Shell::Bash,
            "sh" => Shell::Sh,
            "python" => Shell::Python,
            "pwsh" => Shell::Pwsh,
            "node" => Shell::Node,
            custom => Shell::Custom(custom.to_owned()),
        }
    }

    /// The command lines to try, in this order: the first whose program exists is taken. `file` is the script's path.
    pub fn commands(&self, file: &str) -> Vec<Vec<String>> {
        let line = |words: &[&str]| -> Vec<String> {
            let words = words.iter().map(|w| w.replace("{0}", file));
            words.collect()
        };
        match self {
            Shell::Unspecified => vec![line(&["bash", "-e", "{0}"]), line(&["sh", "-e", "{0}"])],
            Shell::Bash => vec![line(&["bash", "--noprofile", "--norc", "-eo", "pipefail", "{0}"])],
            Shell::Sh => vec![line(&["sh", "-e", "{0}"])],
            Shell::Python => vec![line(&["python", "{0}"]), line(&["python3", "{0}"])],
            Shell::Pwsh => vec![line(&["pwsh", "-command", ". '{0}'"])],
            Shell::Node => vec![line(&["node", "{0}"])],
            Shell::Custom(template) => vec![words(template).iter().map(|w| w.replace("{0}", file)).collect()],
        }
    }

    /// The end of the script's file name, with its dot.
    pub fn extension(&self) -> &'static str {
        match self {
            Shell::Unspecified | Shell::Bash | Shell::Sh => ".sh",
            Shell::Python => ".py",
            Shell::Pwsh => ".ps1",
            Shell::Node => ".js",
            Shell::Custom(template) => match template.split_whitespace().next() {
                Some("bash" | "sh") => ".sh",
                Some("python" | "python3") => ".py",
                Some("pwsh" | "powershell") => ".ps1",
                Some("node") => ".js",
                _ => "",
            },
        }
    }

    /// The text of the script's file: PowerShell needs a frame that makes it fail as other shells do.
    pub fn script(&self, script: &str) -> String {
        match self {
            Shell::Pwsh => format!(
                "$ErrorActionPreference = 'stop'\n{script}\n\
                 if ((Test-Path -LiteralPath variable:\\LASTEXITCODE)) {{ exit $LASTEXITCODE }}\n"
            ),
            _ => script.to_owned(),
        }
    }
}

/// Splits at blanks; quotes of both kinds keep words together.
fn words(line: &str) -> Vec<String> {
    let mut words = Vec::new();
    let mut word: Option<String> = None;
    let mut quote = None;
    for c in line.chars() {
        match (quote, c) {
            (Some(q), c) if c == q => quote = None,
            (Some(_), c) => word.get_or_insert_default().push(c),
            (None, '"' | '\'') => {
                quote = Some(c);
                word.get_or_insert_default();
            }
            (None, c) if c.is_whitespace() => words.extend(word.take()),
            (None, c) => word.get_or_insert_default().push(c),
        }
    }
    words.extend(word);
    words
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_custom_shell_keeps_quoted_words() {
        let shell = Shell::named("perl -e 'my $x' {0}");
        assert_eq!(shell.commands("/tmp/a"), [["perl", "-e", "my $x", "/tmp/a"]]);
    }

    #[test]
    fn without_a_name_bash_is_tried_first() {
        let commands = Shell::named("").commands("f");
        assert_eq!(commands[0], ["bash", "-e", "f"]);
        assert_eq!(commands[1], ["sh", "-e", "f"]);
    }
}

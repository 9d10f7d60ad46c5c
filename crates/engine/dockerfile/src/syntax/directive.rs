//! `# syntax=`, `# escape=` and `# check=` at the top of a file.

/// What the comments at the top have said so far.
#[derive(Debug)]
pub struct Directives {
    pub escape: char,
    pub syntax: Option<String>,
    pub check: Option<String>,
    escape_seen: bool,
    /// Anything that is no directive ends them (parser/directives.go, ParseLine).
    done: bool,
}

impl Default for Directives {
    fn default() -> Self {
        Self {
            escape: '\\',
            syntax: None,
            check: None,
            escape_seen: false,
            done: false,
        }
    }
}

impl Directives {
    /// Looks at one line, blanks before it removed.
    pub fn line(&mut self, line: &str) -> Result<(), String> {
        if self.done {
            return Ok(());
        }
        let Some((name, value)) = split(line) else {
            self.done = true;
            return Ok(());
        };
        let seen = match &*name {
            "escape" => self.escape_seen,
            "syntax" => self.syntax.is_some(),
            "check" => self.check.is_some(),
            _ => {
                self.done = true;
                return Ok(());
            }
        };
        if seen {
            return Err(format!("only one {name} parser directive can be used"));
        }
        match &*name {
            "syntax" => self.syntax = Some(value.to_owned()),
            "check" => self.check = Some(value.to_owned()),
            _ => {
                self.escape_seen = true;
                self.escape = match value {
                    "\\" => '\\',
                    "`" => '`',
                    other => return Err(format!("invalid escape token '{other}' does not match ` or \\")),
                };
            }
        }
        Ok(())
    }
}

/// `# name = value`: the name in lower case.
fn split(line: &str) -> Option<(String, &str)> {
    let rest = line.strip_prefix('#')?.trim_start();
    let (name, value) = rest.split_once('=')?;
    let name = name.trim_end();
    let value = value.trim();
    let named = name.starts_with(|c: char| c.is_ascii_alphabetic())
        && name.chars().all(|c| c.is_ascii_alphanumeric());
    (named && !value.is_empty()).then(|| (name.to_ascii_lowercase(), value))
}

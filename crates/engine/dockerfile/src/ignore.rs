//! `.dockerignore`: patterns as moby/patternmatcher reads them; the last one that fits a path decides.

use crate::error::Problem;
use crate::limits;
use crate::pattern::Pattern;

/// What of a folder does not belong to the build.
#[derive(Clone, Debug, Default)]
pub struct Ignore {
    rules: Vec<Rule>,
}

#[derive(Clone, Debug)]
struct Rule {
    pattern: Pattern,
    /// `!`: what it fits belongs to the build after all.
    back: bool,
}

impl Ignore {
    /// Reads the text of a `.dockerignore` (moby/patternmatcher, ignorefile.ReadAll).
    pub fn parse(text: &str) -> Result<Self, Problem> {
        let text = text.strip_prefix('\u{feff}').unwrap_or(text);
        let mut rules = Vec::new();
        for (number, line) in text.lines().enumerate() {
            if line.starts_with('#') {
                continue;
            }
            let line = line.trim();
            if line.is_empty() {
                continue;
            }
            if rules.len() >= limits::IGNORE_PATTERNS_MAX {
                return Err(Problem::at(
                    number + 1,
                    format!("more than {} patterns", limits::IGNORE_PATTERNS_MAX),
                ));
            }
            rules.push(rule(number + 1, line)?);
        }
        Ok(Self { rules })
    }

    /// The same for patterns that are given one by one (`--exclude`).
    pub fn of(patterns: &[String]) -> Result<Self, Problem> {
        patterns
            .iter()
            .map(|pattern| rule(1, pattern.trim()))
            .collect::<Result<_, _>>()
            .map(|rules| Self { rules })
    }

    /// Whether nothing is left out.
    pub fn is_empty(&self) -> bool {
        self.rules.is_empty()
    }

    /// Whether anything below a folder that is left out may come back.
    pub fn has_exceptions(&self) -> bool {
        self.rules.iter().any(|rule| rule.back)
    }

    /// Whether a path with slashes, relative to the folder, is left out. What is below a folder that a pattern fits is
    /// fitted too.
    pub fn ignores(&self, path: &str) -> bool {
        let mut ignored = false;
        for rule in &self.rules {
            if rule.back == ignored && fits(&rule.pattern, path) {
                ignored = !rule.back;
            }
        }
        ignored
    }
}

fn fits(pattern: &Pattern, path: &str) -> bool {
    let parents = path.match_indices('/').map(|(at, _)| &path[..at]);
    pattern.matches(path) || parents.into_iter().any(|parent| pattern.matches(parent))
}

fn rule(line: usize, text: &str) -> Result<Rule, Problem> {
    let (back, text) = match text.strip_prefix('!') {
        Some(rest) => (true, rest.trim()),
        None => (false, text),
    };
    if text.is_empty() {
        return Err(Problem::at(line, "illegal exclusion pattern: \"!\""));
    }
    let clean = clean(text);
    let pattern = Pattern::new(&clean)
        .ok_or_else(|| Problem::at(line, format!("the pattern {text:?} has a syntax error")))?;
    Ok(Rule { pattern, back })
}

/// Go's `filepath.Clean`, then without the slash in front: patterns are relative to the root of the context.
fn clean(path: &str) -> String {
    let rooted = path.starts_with('/');
    let mut parts: Vec<&str> = Vec::new();
    for part in path.split('/') {
        match part {
            "" | "." => {}
            ".." if parts.last().is_some_and(|last| *last != "..") => {
                parts.pop();
            }
            ".." if rooted => {}
            part => parts.push(part),
        }
    }
    if parts.is_empty() {
        return if rooted { "/" } else { "." }.to_owned();
    }
    parts.join("/")
}

#[cfg(test)]
mod tests {
    use super::Ignore;

    #[test]
    fn the_last_that_fits_decides() {
        let text = "# comment\n*.md\n!README.md\nnode_modules\n/dist/\n**/*.log\nsecret*\n!secret-not/keep\ndocs/**\n";
        let ignore = Ignore::parse(text).expect("patterns");
        for (path, ignored) in [
            ("a.md", true),
            ("README.md", false),
            ("d/a.md", false),
            ("node_modules/x/y", true),
            ("src/node_modules/x", false),
            ("dist", true),
            ("dist/a", true),
            ("a/b/c.log", true),
            ("secret-not/keep", false),
            ("secret-not/other", true),
            ("docs/a", true),
            ("docs", false),
        ] {
            assert_eq!(ignore.ignores(path), ignored, "{path}");
        }
        assert!(Ignore::parse("!").is_err());
        assert!(Ignore::parse("[").is_err());
    }

    #[test]
    fn everything_but() {
        let ignore = Ignore::parse("*\n!src\n!Cargo.*\n").expect("patterns");
        for (path, ignored) in [
            ("a", true),
            ("src", false),
            ("src/a/b", false),
            ("Cargo.toml", false),
        ] {
            assert_eq!(ignore.ignores(path), ignored, "{path}");
        }
    }
}

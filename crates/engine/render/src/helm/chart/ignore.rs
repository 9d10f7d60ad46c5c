//! `.helmignore`: which paths of a chart's folder are not part of the chart.

use crate::limits::IGNORE_LINE_BYTES;

/// The rules of one `.helmignore`, with helm's own rule for dot files among templates.
#[derive(Clone, Debug)]
pub struct Rules {
    patterns: Vec<Pattern>,
}

/// Why a `.helmignore` cannot be used. The texts are helm's.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum IgnoreError {
    /// `**`
    #[error("double-star (**) syntax is not supported")]
    DoubleStar,
    /// An unclosed class or a trailing backslash.
    #[error("syntax error in pattern")]
    BadPattern,
    /// A line beyond the bound.
    #[error("bufio.Scanner: token too long")]
    LongLine,
}

#[derive(Clone, Debug)]
struct Pattern {
    glob: String,
    negated: bool,
    folders_only: bool,
    /// Without a slash in the rule, only the last part of a path is looked at.
    base_name_only: bool,
}

impl Rules {
    /// Reads the text of a `.helmignore`; an empty text gives the default rules.
    pub fn parse(text: &[u8]) -> Result<Rules, IgnoreError> {
        let mut rules = Rules { patterns: Vec::new() };
        let text = text.strip_prefix(b"\xef\xbb\xbf").unwrap_or(text);
        for line in text.split(|b| *b == b'\n') {
            if line.len() >= IGNORE_LINE_BYTES {
                return Err(IgnoreError::LongLine);
            }
            rules.add(&String::from_utf8_lossy(line))?;
        }
        rules.add("templates/.?*")?;
        Ok(rules)
    }

    /// Whether this path, relative to the chart's folder, is left out.
    ///
    /// The first rule that matches decides. A negated rule leaves out everything that it does *not* match, and lets
    /// what it matches go on to the next rule.
    pub fn ignores(&self, path: &str, is_folder: bool) -> bool {
        for pattern in &self.patterns {
            let matched = (is_folder || !pattern.folders_only) && pattern.matches(path);
            if matched != pattern.negated {
                return true;
            }
        }
        false
    }

    fn add(&mut self, line: &str) -> Result<(), IgnoreError> {
        let rule = line.trim();
        if rule.is_empty() || rule.starts_with('#') {
            return Ok(());
        }
        if rule.contains("**") {
            return Err(IgnoreError::DoubleStar);
        }
        glob_matches(rule, "abc").map_err(|BadPattern| IgnoreError::BadPattern)?;
        let (rule, negated) = strip(rule, str::strip_prefix, '!');
        let (rule, folders_only) = strip(rule, str::strip_suffix, '/');
        let base_name_only = !rule.contains('/');
        self.patterns.push(Pattern {
            glob: rule.strip_prefix('/').unwrap_or(rule).to_owned(),
            negated,
            folders_only,
            base_name_only,
        });
        Ok(())
    }
}

impl Pattern {
    fn matches(&self, path: &str) -> bool {
        let subject = match path.rsplit_once('/') {
            Some((_, base)) if self.base_name_only => base,
            _ => path,
        };
        glob_matches(&self.glob, subject).unwrap_or(false)
    }
}

fn strip<'a>(rule: &'a str, by: fn(&'a str, char) -> Option<&'a str>, mark: char) -> (&'a str, bool) {
    match by(rule, mark) {
        Some(rest) => (rest, true),
        None => (rule, false),
    }
}

#[derive(Debug)]
struct BadPattern;

/// Go's `filepath.Match` on Unix: `*` and `?` stop at slashes, `[^a-z]` classes, `\` escapes. An error shows only in the
/// part of a pattern that the match gets to, as in Go.
fn glob_matches(pattern: &str, subject: &str) -> Result<bool, BadPattern> {
    let pattern: Vec<char> = pattern.chars().collect();
    let subject: Vec<char> = subject.chars().collect();
    let (mut p, mut s) = (0, 0);
    // Where to go on after a mismatch: behind the last star, one character further. One such point is enough, because
    // an earlier star cannot match what a later one could not.
    let mut retry: Option<(usize, usize)> = None;
    loop {
        if p == pattern.len() && s == subject.len() {
            return Ok(true);
        }
        let step = match pattern.get(p) {
            Some('*') => {
                while pattern.get(p) == Some(&'*') {
                    p += 1;
                }
                retry = Some((p, s));
                continue;
            }
            Some(_) => one(&pattern, p, subject.get(s).copied())?,
            None => None,
        };
        if let Some(next) = step {
            (p, s) = (next, s + 1);
            continue;
        }
        match retry {
            Some((at, from)) if subject.get(from).is_some_and(|c| *c != '/') => {
                retry = Some((at, from + 1));
                (p, s) = (at, from + 1);
            }
            _ => {
                check_syntax(&pattern[p..])?;
                return Ok(false);
            }
        }
    }
}

/// Matches one element of a pattern; gives where the pattern goes on.
fn one(pattern: &[char], p: usize, c: Option<char>) -> Result<Option<usize>, BadPattern> {
    let Some(c) = c else { return Ok(None) };
    match pattern[p] {
        '?' => Ok((c != '/').then_some(p + 1)),
        '[' => class(pattern, p + 1, c),
        '\\' => {
            let escaped = pattern.get(p + 1).ok_or(BadPattern)?;
            Ok((*escaped == c).then_some(p + 2))
        }
        plain => Ok((plain == c).then_some(p + 1)),
    }
}

fn class(pattern: &[char], mut p: usize, c: char) -> Result<Option<usize>, BadPattern> {
    let negated = pattern.get(p) == Some(&'^');
    p += usize::from(negated);
    let mut found = false;
    let mut first = true;
    loop {
        if pattern.get(p) == Some(&']') && !first {
            return Ok((found != negated).then_some(p + 1));
        }
        first = false;
        let (low, after) = class_end(pattern, p)?;
        p = after;
        let mut high = low;
        if pattern.get(p) == Some(&'-') {
            (high, p) = class_end(pattern, p + 1)?;
        }
        found |= (low..=high).contains(&c);
    }
}

/// One end of a range in a class; it must be followed by something.
fn class_end(pattern: &[char], p: usize) -> Result<(char, usize), BadPattern> {
    let (c, next) = match pattern.get(p).copied() {
        None | Some('-' | ']') => return Err(BadPattern),
        Some('\\') => (pattern.get(p + 1).copied().ok_or(BadPattern)?, p + 2),
        Some(c) => (c, p + 1),
    };
    if next >= pattern.len() {
        return Err(BadPattern);
    }
    Ok((c, next))
}

fn check_syntax(pattern: &[char]) -> Result<(), BadPattern> {
    let mut p = 0;
    while let Some(c) = pattern.get(p) {
        p = match c {
            '\\' if p + 1 == pattern.len() => return Err(BadPattern),
            '\\' => p + 2,
            '[' => {
                let mut end = p + 1 + usize::from(pattern.get(p + 1) == Some(&'^'));
                loop {
                    (_, end) = class_end(pattern, end)?;
                    if pattern[end] == '-' {
                        (_, end) = class_end(pattern, end + 1)?;
                    }
                    if pattern[end] == ']' {
                        break end + 1;
                    }
                }
            }
            _ => p + 1,
        };
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ignores(rules: &str, path: &str, is_folder: bool) -> bool {
        Rules::parse(rules.as_bytes())
            .expect(rules)
            .ignores(path, is_folder)
    }

    #[test]
    fn rules_match_as_helm_documents() {
        let file = false;
        let folder = true;
        for (rules, path, kind, expected) in [
            ("helm.txt", "helm.txt", file, true),
            ("helm.*", "helm.txt", file, true),
            ("helm.*", "rudder.txt", file, false),
            ("*.txt", "mast/a.txt", file, true),
            ("/*.txt", "mast/a.txt", file, false),
            ("/a.txt", "a.txt", file, true),
            ("mast/*.txt", "mast/a.txt", file, true),
            ("*/a.txt", "mast/a.txt", file, true),
            ("cargo/", "cargo", folder, true),
            ("cargo/", "cargo", file, false),
            ("!helm.txt", "tiller.txt", file, true),
            ("!helm.txt", "helm.txt", file, false),
            ("!*.txt", "cargo", folder, true),
            ("# comment\n\n  pad  ", "pad", file, true),
            ("", "templates/.dotfile", file, true),
            ("", "templates/x.yaml", file, false),
            ("[a-c].txt", "b.txt", file, true),
            ("[^a-c].txt", "b.txt", file, false),
            ("\\*.txt", "*.txt", file, true),
            ("\u{feff}bom.txt", "bom.txt", file, true),
        ] {
            assert_eq!(ignores(rules, path, kind), expected, "{rules:?} {path}");
        }
    }

    #[test]
    fn bad_rules_are_refused() {
        for (rules, error) in [
            ("a/**/b", IgnoreError::DoubleStar),
            ("[", IgnoreError::BadPattern),
            ("a[b", IgnoreError::BadPattern),
            ("x\\", IgnoreError::BadPattern),
        ] {
            assert_eq!(Rules::parse(rules.as_bytes()).expect_err(rules), error, "{rules}");
        }
        let long = "a".repeat(IGNORE_LINE_BYTES);
        assert_eq!(
            Rules::parse(long.as_bytes()).expect_err("long"),
            IgnoreError::LongLine
        );
    }

    #[test]
    fn many_stars_end_soon() {
        let pattern = "*a".repeat(50) + "b";
        assert!(!ignores(&pattern, &"a".repeat(5_000), false));
    }
}

//! Patterns of paths, as `hashFiles`, `actions/cache` and `actions/upload-artifact` read them (actions/toolkit,
//! packages/glob): `*`, `?`, `[ab]` within a name, `**` for any folders, `!` takes away, `#` is a comment. What lies
//! below a folder that matches, matches too.

use std::path::{Component, Path, PathBuf};

use crate::limits::MAX_PATTERNS;
use crate::room::absolute;

/// A list of patterns.
#[derive(Clone, Debug)]
pub(crate) struct Patterns(Vec<Pattern>);

#[derive(Clone, Debug)]
struct Pattern {
    exclude: bool,
    parts: Vec<Part>,
    /// The folder below which all matches are.
    root: PathBuf,
}

#[derive(Clone, Debug, PartialEq)]
enum Part {
    /// `**`
    Any,
    Name(Vec<char>),
}

impl Patterns {
    /// One pattern a line, relative to a folder of the job; `~` is `home`. More than [`MAX_PATTERNS`] are not read.
    pub(crate) fn new<'a>(lines: impl IntoIterator<Item = &'a str>, from: &Path, home: &str) -> Patterns {
        let lines = lines.into_iter().flat_map(str::lines).map(str::trim);
        let lines = lines.filter(|line| !line.is_empty() && !line.starts_with('#'));
        Patterns(
            lines
                .take(MAX_PATTERNS)
                .map(|line| Pattern::new(line, from, home))
                .collect(),
        )
    }

    /// True where nothing is asked for.
    pub(crate) fn is_empty(&self) -> bool {
        self.0.iter().all(|pattern| pattern.exclude)
    }

    /// Folders below which all matches are, none within another.
    pub(crate) fn roots(&self) -> Vec<PathBuf> {
        let mut roots: Vec<PathBuf> = self
            .0
            .iter()
            .filter(|p| !p.exclude)
            .map(|p| p.root.clone())
            .collect();
        roots.sort();
        roots.dedup();
        let all = roots.clone();
        roots.retain(|one| !all.iter().any(|other| other != one && one.starts_with(other)));
        roots
    }

    /// Whether an absolute path is asked for. Later patterns win.
    pub(crate) fn matches(&self, path: &Path) -> bool {
        let names: Vec<Vec<char>> = names(path);
        let mut found = false;
        for pattern in &self.0 {
            if pattern.exclude == found && pattern.holds(&names) {
                found = !pattern.exclude;
            }
        }
        found
    }
}

impl Pattern {
    fn new(line: &str, from: &Path, home: &str) -> Pattern {
        let exclude = line.chars().take_while(|c| *c == '!').count() % 2 == 1;
        let path = absolute(line.trim_start_matches('!').trim(), from, home);
        let all = names(&path);
        let is_wild = |name: &Vec<char>| name.iter().any(|c| ['*', '?', '['].contains(c));
        let plain = all.iter().take_while(|name| !is_wild(name)).count();
        let mut root = PathBuf::from("/");
        root.extend(all[..plain].iter().map(|name| name.iter().collect::<String>()));
        let part = |name: &Vec<char>| match name.as_slice() {
            ['*', '*'] => Part::Any,
            _ => Part::Name(name.clone()),
        };
        Pattern {
            exclude,
            parts: all.iter().map(part).collect(),
            root,
        }
    }

    /// Whether a path or a folder above it matches.
    fn holds(&self, names: &[Vec<char>]) -> bool {
        // The states are the parts that the next name may meet.
        let mut states = vec![false; self.parts.len() + 1];
        states[0] = true;
        self.spread(&mut states);
        for name in names {
            if states[self.parts.len()] {
                return true;
            }
            let mut next = vec![false; states.len()];
            for (at, part) in self.parts.iter().enumerate().filter(|(at, _)| states[*at]) {
                match part {
                    Part::Any => next[at] = true,
                    Part::Name(wanted) if fits(wanted, name) => next[at + 1] = true,
                    Part::Name(_) => {}
                }
            }
            self.spread(&mut next);
            states = next;
        }
        states[self.parts.len()]
    }

    /// `**` also stands for no folder.
    fn spread(&self, states: &mut [bool]) {
        for at in 0..self.parts.len() {
            // A pattern that ends in `**` asks for what is below, not for the folder itself.
            if states[at] && self.parts[at] == Part::Any && at + 1 < self.parts.len() {
                states[at + 1] = true;
            }
        }
        let last = self.parts.len();
        if last > 0 && self.parts[last - 1] == Part::Any && states[last - 1] {
            states[last] = true;
        }
    }
}

fn names(path: &Path) -> Vec<Vec<char>> {
    let normal = |part| match part {
        Component::Normal(name) => Some(name.to_string_lossy().chars().collect()),
        _ => None,
    };
    path.components().filter_map(normal).collect()
}

/// Whether a name fits one part. Linear in both: what a star has taken is only ever more.
fn fits(pattern: &[char], name: &[char]) -> bool {
    let (mut p, mut n) = (0, 0);
    let mut star: Option<(usize, usize)> = None;
    while n < name.len() {
        let step = match pattern.get(p) {
            Some('*') => {
                star = Some((p, n));
                p += 1;
                continue;
            }
            Some('?') => Some(p + 1),
            Some('[') => class(pattern, p, name[n]),
            Some(c) if *c == name[n] => Some(p + 1),
            _ => None,
        };
        match (step, star) {
            (Some(next), _) => (p, n) = (next, n + 1),
            (None, Some((at, taken))) => {
                star = Some((at, taken + 1));
                (p, n) = (at + 1, taken + 1);
            }
            (None, None) => return false,
        }
    }
    pattern[p..].iter().all(|c| *c == '*')
}

/// Where the pattern goes on behind `[...]`, if the character is of the class.
fn class(pattern: &[char], at: usize, c: char) -> Option<usize> {
    let end = pattern[at + 1..]
        .iter()
        .skip(1)
        .position(|one| *one == ']')
        .map(|n| at + 2 + n);
    let Some(end) = end else {
        return (c == '[').then_some(at + 1);
    };
    let inner = &pattern[at + 1..end];
    let (negated, inner) = match inner {
        ['!' | '^', rest @ ..] => (true, rest),
        rest => (false, rest),
    };
    let mut found = false;
    let mut i = 0;
    while i < inner.len() {
        if i + 2 < inner.len() && inner[i + 1] == '-' {
            found |= (inner[i]..=inner[i + 2]).contains(&c);
            i += 3;
        } else {
            found |= inner[i] == c;
            i += 1;
        }
    }
    (found != negated).then_some(end + 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn matches(patterns: &str, path: &str) -> bool {
        Patterns::new([patterns], Path::new("/w"), "/root").matches(Path::new(path))
    }

    #[test]
    fn names_and_folders() {
        for (patterns, path, expected) in [
            ("**/package-lock.json", "/w/package-lock.json", true),
            ("**/package-lock.json", "/w/a/b/package-lock.json", true),
            ("**/package-lock.json", "/x/package-lock.json", false),
            ("*.txt", "/w/a.txt", true),
            ("*.txt", "/w/d/a.txt", false),
            ("d", "/w/d/e/a.txt", true),
            ("d/**", "/w/d/e/a.txt", true),
            ("./d/", "/w/d/a", true),
            ("a?c", "/w/abc", true),
            ("[a-c]x", "/w/bx", true),
            ("[!a-c]x", "/w/bx", false),
            ("~/.cargo", "/root/.cargo/registry", true),
            ("**\n!**/*.md", "/w/a.md", false),
            ("**\n!**/*.md\nb.md", "/w/b.md", true),
            ("# comment\nx", "/w/x", true),
            ("a*b*c*d", "/w/aXbXcXd", true),
            ("a*b*c*d", "/w/aXbXc", false),
        ] {
            assert_eq!(matches(patterns, path), expected, "{patterns:?} {path}");
        }
    }

    #[test]
    fn many_stars_take_no_time() {
        let pattern = "a*".repeat(100) + "b";
        assert!(!matches(&pattern, &format!("/w/{}", "a".repeat(250))));
        let deep = "**/".repeat(100) + "b";
        assert!(!matches(&deep, &format!("/w/{}", "a/".repeat(120))));
    }

    #[test]
    fn roots_are_as_deep_as_can_be() {
        let patterns = Patterns::new(["a/b/*.c\na/b/d\n~/x\n!/etc"], Path::new("/w"), "/root");
        let expected = ["/root/x", "/w/a/b"].map(PathBuf::from);
        assert_eq!(patterns.roots(), expected);
    }
}

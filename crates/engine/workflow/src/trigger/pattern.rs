//! GitHub's filter patterns: `*` within a segment, `**` across, `?` the character before at most once, `+` at least
//! once, `[a-z]`, and `!` for what is left out again (GitHub, workflow syntax, "Filter pattern cheat sheet").

/// A list of patterns in their order.
#[derive(Clone, Copy, Debug)]
pub struct Patterns<'a>(pub &'a [String]);

impl Patterns<'_> {
    /// Whether a name is in: the last pattern that fits it decides, and `!` takes out.
    pub fn include(&self, name: &str) -> bool {
        let mut included = false;
        for pattern in self.0 {
            match pattern.strip_prefix('!') {
                Some(pattern) if included && is_match(pattern, name) => included = false,
                Some(_) => {}
                None if !included && is_match(pattern, name) => included = true,
                None => {}
            }
        }
        included
    }

    /// Whether any pattern fits a name, for `-ignore` lists.
    pub fn any(&self, name: &str) -> bool {
        self.0.iter().any(|pattern| is_match(pattern, name))
    }
}

/// One thing that a pattern asks for, and how often.
#[derive(Debug)]
struct Part {
    what: What,
    least: usize,
    most: usize,
}

#[derive(Debug)]
enum What {
    Char(char),
    /// Any character but `/`.
    InSegment,
    /// Any character.
    Anything,
    /// Nothing, or any characters with a `/` behind: `**/`.
    Folders,
    Set(Vec<(char, char)>),
}

impl What {
    fn takes(&self, c: char) -> bool {
        match self {
            What::Char(own) => *own == c,
            What::InSegment => c != '/',
            What::Anything | What::Folders => true,
            What::Set(ranges) => ranges.iter().any(|(from, to)| (*from..=*to).contains(&c)),
        }
    }
}

/// Whether a name fits one pattern.
pub fn is_match(pattern: &str, name: &str) -> bool {
    let parts = parts(pattern);
    let name: Vec<char> = name.chars().collect();
    // Which parts can come next, by position: each name's character moves the set on, so time is bounded by the
    // product of both lengths whatever the pattern is.
    let mut states = closure(&parts, vec![(0, 0)]);
    for c in name {
        let mut next = Vec::new();
        for (at, count) in states {
            let Some(part) = parts.get(at) else { continue };
            if matches!(part.what, What::Folders) {
                // A count of 1 says that a folder's name has begun: only a `/` ends it.
                next.push((at, 1));
                if c == '/' {
                    next.push((at + 1, 0));
                }
            } else if count < part.most && part.what.takes(c) {
                // Counts past the least are all alike.
                next.push((
                    at,
                    (count + 1).min(part.least.max(if part.most == 1 { 1 } else { 0 })),
                ));
            }
        }
        states = closure(&parts, next);
    }
    states.iter().any(|(at, _)| *at == parts.len())
}

/// All states that are reached without a character: a part that has its least can be left.
fn closure(parts: &[Part], mut states: Vec<(usize, usize)>) -> Vec<(usize, usize)> {
    let mut at = 0;
    states.sort_unstable();
    states.dedup();
    while at < states.len() {
        let (part, count) = states[at];
        let can_leave = parts.get(part).is_some_and(|p| match p.what {
            What::Folders => count == 0,
            _ => count >= p.least,
        });
        if can_leave && !states.contains(&(part + 1, 0)) {
            states.push((part + 1, 0));
        }
        at += 1;
    }
    states
}

fn parts(pattern: &str) -> Vec<Part> {
    let mut parts: Vec<Part> = Vec::new();
    let mut chars = pattern.chars().peekable();
    while let Some(c) = chars.next() {
        let what = match c {
            '*' if chars.next_if_eq(&'*').is_some() => {
                // `**/` also stands for no folder at all.
                let at_segment = parts
                    .last()
                    .is_none_or(|last| matches!(last.what, What::Char('/') | What::Folders));
                let folders = at_segment && chars.next_if_eq(&'/').is_some();
                parts.push(Part {
                    what: if folders { What::Folders } else { What::Anything },
                    least: 0,
                    most: usize::MAX,
                });
                continue;
            }
            '*' => {
                parts.push(Part {
                    what: What::InSegment,
                    least: 0,
                    most: usize::MAX,
                });
                continue;
            }
            '?' | '+' if !parts.is_empty() => {
                let last = parts.last_mut().expect("it is not empty");
                match c {
                    '?' => last.least = 0,
                    _ => last.most = usize::MAX,
                }
                continue;
            }
            '[' => What::Set(set(&mut chars)),
            '\\' => What::Char(chars.next().unwrap_or('\\')),
            c => What::Char(c),
        };
        parts.push(Part {
            what,
            least: 1,
            most: 1,
        });
    }
    parts
}

fn set(chars: &mut std::iter::Peekable<std::str::Chars<'_>>) -> Vec<(char, char)> {
    let mut ranges = Vec::new();
    while let Some(from) = chars.next() {
        if from == ']' {
            break;
        }
        let mut to = from;
        if chars.peek() == Some(&'-') {
            chars.next();
            match chars.peek() {
                Some(&']') | None => ranges.push(('-', '-')),
                Some(&end) => {
                    chars.next();
                    to = end;
                }
            }
        }
        ranges.push((from, to));
    }
    ranges
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_cheat_sheet() {
        for (pattern, yes, no) in [
            ("feature/*", "feature/my-branch", "feature/beta-a/my-branch"),
            ("feature/**", "feature/beta-a/my-branch", "features/x"),
            ("*feature", "mona-feature", "mona/feature"),
            ("v2*", "v2.0", "v3"),
            ("v[12].[0-9]+.[0-9]+", "v1.10.1", "v3.0.0"),
            ("*", "main", "releases/mona"),
            ("**", "all/the/branches", "\n-never"),
            ("*.jsx?", "page.js", "page.ts"),
            ("**.js", "src/js/app.js", "app.jsx"),
            ("docs/*", "docs/README.md", "docs/a/b.md"),
            ("docs/**/*.md", "docs/README.md", "dev/a.md"),
            ("**/docs/**", "docs/hello.md", "mydocs/hello.md"),
            ("**/docs/**", "a/docs/hello.md", "doc/hello.md"),
            ("**/README.md", "js/README.md", "js/XREADME.md"),
            ("**/migrate-*.sql", "migrate-v1.0.sql", "x/migrate.sql"),
            ("*/src/**", "a/src/b/c", "src/b"),
        ] {
            assert!(is_match(pattern, yes), "{pattern} {yes}");
            assert!(!is_match(pattern, no) || no.starts_with('\n'), "{pattern} {no}");
        }
    }

    #[test]
    fn the_last_pattern_decides() {
        let list = ["releases/**", "!releases/**-alpha", "releases/9-alpha"].map(str::to_owned);
        let patterns = Patterns(&list);
        assert!(patterns.include("releases/10"));
        assert!(!patterns.include("releases/10-alpha"));
        assert!(patterns.include("releases/9-alpha"));
    }

    #[test]
    fn long_patterns_take_no_time() {
        let pattern = "*a".repeat(60) + "b";
        assert!(!is_match(&pattern, &"a".repeat(400)));
    }
}

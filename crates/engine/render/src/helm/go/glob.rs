//! The patterns of `.Files.Glob` (gobwas/glob with `/` as separator) and of `--show-only` (Go's `path/filepath.Match`).

/// A compiled pattern.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Glob(Vec<Token>);

#[derive(Clone, Debug, PartialEq, Eq)]
enum Token {
    Char(char),
    /// `?`: one character that is no separator.
    One,
    /// `*`: any characters that are no separator.
    Many,
    /// `**`: any characters.
    All,
    Class {
        negated: bool,
        ranges: Vec<(char, char)>,
        /// Whether a separator can match.
        separator: bool,
    },
    /// `{a,b}`
    Any(Vec<Vec<Token>>),
}

impl Glob {
    /// A pattern of `.Files.Glob`: `*`, `**`, `?`, `[a-z]`, `[!abc]`, `{a,b}`, `\x`. `None` if it is malformed.
    pub fn files(pattern: &str) -> Option<Glob> {
        let mut parser = FilesPattern {
            rest: pattern.chars().collect::<Vec<_>>(),
            at: 0,
        };
        Some(Glob(parser.sequence(0)?))
    }

    /// The pattern that matches everything; helm falls back to it.
    pub fn everything() -> Glob {
        Glob(vec![Token::All])
    }

    /// A pattern of `filepath.Match`: `*`, `?`, `[a-z]`, `[^a]`, `\x`. `None` if it is malformed.
    pub fn path(pattern: &str) -> Option<Glob> {
        let mut tokens = Vec::new();
        let mut chars = pattern.chars().peekable();
        while let Some(c) = chars.next() {
            tokens.push(match c {
                '*' => Token::Many,
                '?' => Token::One,
                '\\' => Token::Char(chars.next()?),
                '[' => path_class(&mut chars)?,
                c => Token::Char(c),
            });
        }
        Some(Glob(tokens))
    }

    /// Whether the whole of `text` matches.
    pub fn matches(&self, text: &str) -> bool {
        let text: Vec<char> = text.chars().collect();
        let mut ends = step(&self.0, &text, vec![0]);
        ends.pop() == Some(text.len())
    }
}

/// All positions that are reached from `starts` (sorted, unique) by matching the tokens: work grows with the pattern
/// times the text, never exponentially.
fn step(tokens: &[Token], text: &[char], starts: Vec<usize>) -> Vec<usize> {
    let mut at = starts;
    for token in tokens {
        if at.is_empty() {
            break;
        }
        at = match token {
            Token::Char(c) => advance(&at, text, |t| t == *c),
            Token::One => advance(&at, text, |t| t != '/'),
            Token::Class {
                negated,
                ranges,
                separator,
            } => advance(&at, text, |t| {
                (*separator || t != '/')
                    && ranges.iter().any(|(low, high)| (*low..=*high).contains(&t)) != *negated
            }),
            Token::Many => spread(&at, text, |t| t != '/'),
            Token::All => spread(&at, text, |_| true),
            Token::Any(alternatives) => {
                let mut reached: Vec<usize> = alternatives
                    .iter()
                    .flat_map(|alternative| step(alternative, text, at.clone()))
                    .collect();
                reached.sort_unstable();
                reached.dedup();
                reached
            }
        };
    }
    at
}

fn advance(at: &[usize], text: &[char], accepts: impl Fn(char) -> bool) -> Vec<usize> {
    at.iter()
        .filter(|i| text.get(**i).is_some_and(|t| accepts(*t)))
        .map(|i| i + 1)
        .collect()
}

fn spread(at: &[usize], text: &[char], accepts: impl Fn(char) -> bool) -> Vec<usize> {
    let mut reached: Vec<usize> = Vec::new();
    for start in at {
        // What an earlier start has reached needs no second walk.
        if reached.last().is_some_and(|last| last >= start) {
            continue;
        }
        reached.push(*start);
        let open = text[*start..].iter().take_while(|t| accepts(**t)).count();
        reached.extend(*start + 1..=*start + open);
    }
    reached
}

/// Braces inside braces; far above any real pattern, far below the stack.
const MAX_BRACES: usize = 50;

struct FilesPattern {
    rest: Vec<char>,
    at: usize,
}

impl FilesPattern {
    fn peek(&self) -> Option<char> {
        self.rest.get(self.at).copied()
    }

    fn next(&mut self) -> Option<char> {
        let c = self.peek()?;
        self.at += 1;
        Some(c)
    }

    /// Tokens up to the end, or inside braces up to `,` or `}`, which are left.
    fn sequence(&mut self, depth: usize) -> Option<Vec<Token>> {
        let mut tokens = Vec::new();
        while let Some(c) = self.peek() {
            if depth > 0 && (c == ',' || c == '}') {
                break;
            }
            self.at += 1;
            tokens.push(match c {
                '*' if self.peek() == Some('*') => {
                    self.at += 1;
                    Token::All
                }
                '*' => Token::Many,
                '?' => Token::One,
                '[' => self.class()?,
                '{' => self.alternatives(depth + 1)?,
                '\\' => match self.next() {
                    Some(escaped) => Token::Char(escaped),
                    None => break,
                },
                c => Token::Char(c),
            });
        }
        Some(tokens)
    }

    /// A missing `}` is as good as one at the end.
    fn alternatives(&mut self, depth: usize) -> Option<Token> {
        if depth > MAX_BRACES {
            return None;
        }
        let mut alternatives = Vec::new();
        loop {
            alternatives.push(self.sequence(depth)?);
            if self.next() != Some(',') {
                return Some(Token::Any(alternatives));
            }
        }
    }

    /// One range `[a-z]` or one list `[abc]`, not both.
    fn class(&mut self) -> Option<Token> {
        let negated = self.peek() == Some('!');
        if negated {
            self.at += 1;
        }
        let first = self.next()?;
        let mut ranges = Vec::new();
        if self.peek() == Some('-') {
            self.at += 1;
            let high = self.next()?;
            if high < first || self.next()? != ']' {
                return None;
            }
            ranges.push((first, high));
        } else {
            self.at -= 1;
            loop {
                match self.next()? {
                    ']' => break,
                    '\\' => {
                        let c = self.next()?;
                        ranges.push((c, c));
                    }
                    c => ranges.push((c, c)),
                }
            }
            if ranges.is_empty() {
                return None;
            }
        }
        Some(Token::Class {
            negated,
            ranges,
            separator: true,
        })
    }
}

fn path_class(chars: &mut std::iter::Peekable<std::str::Chars<'_>>) -> Option<Token> {
    let negated = chars.next_if_eq(&'^').is_some();
    let mut ranges = Vec::new();
    loop {
        if !ranges.is_empty() && chars.next_if_eq(&']').is_some() {
            break;
        }
        let low = path_class_char(chars)?;
        let high = match chars.next_if_eq(&'-') {
            Some(_) => path_class_char(chars)?,
            None => low,
        };
        ranges.push((low, high));
    }
    Some(Token::Class {
        negated,
        ranges,
        separator: true,
    })
}

fn path_class_char(chars: &mut std::iter::Peekable<std::str::Chars<'_>>) -> Option<char> {
    match chars.next()? {
        '-' | ']' => None,
        '\\' => chars.next(),
        c => Some(c),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_patterns() {
        for (pattern, text, expected) in [
            ("*", "a.txt", true),
            ("*", "a/b.txt", false),
            ("**", "a/b.txt", true),
            ("config/*", "config/x", true),
            ("config/*", "config/x/y", false),
            ("config/**", "config/x/y", true),
            ("**.yaml", "a/b/c.yaml", true),
            ("**/*.yaml", "c.yaml", false),
            ("**/*.yaml", "a/c.yaml", true),
            ("{a,b}/*.{yml,yaml}", "b/x.yaml", true),
            ("{a,b}/*.{yml,yaml}", "c/x.yaml", false),
            ("{a{1,2},b}", "a2", true),
            ("{a,b", "b", true),
            ("a,b}", "a,b}", true),
            ("file[0-3].txt", "file2.txt", true),
            ("file[!0-3].txt", "file2.txt", false),
            ("file[abc]", "filec", true),
            ("a?c", "a/c", false),
            ("a?c", "abc", true),
            ("a\\*", "a*", true),
            ("a\\*", "ab", false),
            ("", "", true),
            ("", "a", false),
            ("*a*a*a*", "aaaa", true),
            ("世*", "世界", true),
        ] {
            let glob = Glob::files(pattern).unwrap_or_else(|| panic!("{pattern} is a pattern"));
            assert_eq!(glob.matches(text), expected, "{pattern} on {text}");
        }
        for malformed in ["[", "[]", "[a", "[a-", "[b-a]", "[a-bc]", "[!]"] {
            assert_eq!(Glob::files(malformed), None, "{malformed}");
        }
    }

    #[test]
    fn path_patterns() {
        for (pattern, text, expected) in [
            ("templates/*", "templates/a.yaml", true),
            ("templates/*", "templates/x/a.yaml", false),
            ("templates/**", "templates/x/a.yaml", false),
            ("[a-c]x", "bx", true),
            ("[^a-c]x", "bx", false),
            ("a{b,c}", "a{b,c}", true),
            ("\\*", "*", true),
        ] {
            let glob = Glob::path(pattern).unwrap_or_else(|| panic!("{pattern} is a pattern"));
            assert_eq!(glob.matches(text), expected, "{pattern} on {text}");
        }
        for malformed in ["[", "[]", "[a", "[-]", "\\", "[a-]"] {
            assert_eq!(Glob::path(malformed), None, "{malformed}");
        }
    }

    #[test]
    fn many_stars_take_no_time() {
        let glob = Glob::files(&"*a".repeat(500)).expect("a pattern");
        assert!(!glob.matches(&"a".repeat(400)));
    }
}

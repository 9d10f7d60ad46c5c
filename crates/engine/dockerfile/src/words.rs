//! Words of a shell: quotes, escapes and variables, as BuildKit's `shell.Lex` reads them.

use std::collections::BTreeSet;

use regex::{NoExpand, Regex, RegexBuilder};

use crate::limits;

/// How words are read.
#[derive(Clone, Copy, Debug)]
pub struct Lexer {
    /// `\`, or what the directive `escape` says.
    pub escape: char,
    /// Quotes stay in the text.
    pub raw_quotes: bool,
    /// Escape characters stay in the text.
    pub raw_escapes: bool,
    /// Quotes mean nothing.
    pub skip_quotes: bool,
    /// A variable that is not set stays as it is written.
    pub keep_unset: bool,
}

/// A text with its variables expanded.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Expanded {
    /// All of it.
    pub text: String,
    /// The same, split at blanks that are not quoted.
    pub words: Vec<String>,
    /// Variables that were asked for and not set.
    pub unset: BTreeSet<String>,
}

/// Why a text cannot be expanded. The texts are BuildKit's.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum WordError {
    /// A quote or a brace is not closed, a substitution has no sense.
    #[error("{0}")]
    Syntax(String),
    /// `${name?}` of a name that is not set.
    #[error("{name}: {message}")]
    Required {
        /// The variable.
        name: String,
        /// What the text says about it, or that it is not set.
        message: String,
    },
    /// Deeper or longer than a word may be.
    #[error(
        "the word expands to more than {} bytes or nests deeper than {}",
        limits::WORD_BYTES_MAX,
        limits::EXPANSION_DEPTH_MAX
    )]
    Bound,
}

fn syntax(text: &str) -> WordError {
    WordError::Syntax(text.to_owned())
}

impl Lexer {
    /// Expands variables and removes quotes, with this escape character.
    pub fn new(escape: char) -> Self {
        Self {
            escape,
            raw_quotes: false,
            raw_escapes: false,
            skip_quotes: false,
            keep_unset: false,
        }
    }

    /// Expands a text; `look` knows the variables.
    pub fn expand(&self, text: &str, look: &dyn Fn(&str) -> Option<String>) -> Result<Expanded, WordError> {
        let mut reader = Reader {
            lexer: *self,
            chars: text.chars().collect(),
            at: 0,
            look,
            unset: BTreeSet::new(),
            depth: 0,
        };
        let (text, words) = reader.until(None, self.raw_escapes)?;
        Ok(Expanded {
            text,
            words,
            unset: reader.unset,
        })
    }
}

struct Reader<'a> {
    lexer: Lexer,
    chars: Vec<char>,
    at: usize,
    look: &'a dyn Fn(&str) -> Option<String>,
    unset: BTreeSet<String>,
    depth: usize,
}

/// Words in the making: blanks that came from a variable or stood bare separate them.
#[derive(Default)]
struct Words {
    word: String,
    words: Vec<String>,
}

impl Words {
    fn bare(&mut self, c: char) {
        if !c.is_whitespace() {
            self.word.push(c);
        } else if !self.word.is_empty() {
            self.words.push(std::mem::take(&mut self.word));
        }
    }

    fn finish(mut self) -> Vec<String> {
        if !self.word.is_empty() {
            self.words.push(self.word);
        }
        self.words
    }
}

impl Reader<'_> {
    fn peek(&self) -> Option<char> {
        self.chars.get(self.at).copied()
    }

    fn next(&mut self) -> Option<char> {
        let c = self.peek();
        self.at += usize::from(c.is_some());
        c
    }

    /// Up to the stop, which is taken, or to the end of all.
    fn until(&mut self, stop: Option<char>, raw_escapes: bool) -> Result<(String, Vec<String>), WordError> {
        self.depth += 1;
        if self.depth > limits::EXPANSION_DEPTH_MAX {
            return Err(WordError::Bound);
        }
        let before = std::mem::replace(&mut self.lexer.raw_escapes, raw_escapes);
        let outcome = self.pieces(stop);
        self.lexer.raw_escapes = before;
        self.depth -= 1;
        outcome
    }

    fn pieces(&mut self, stop: Option<char>) -> Result<(String, Vec<String>), WordError> {
        let mut text = String::new();
        let mut words = Words::default();
        while let Some(c) = self.peek() {
            if stop == Some(c) {
                self.at += 1;
                return Ok((text, words.finish()));
            }
            match c {
                '$' => {
                    let value = self.dollar()?;
                    value.chars().for_each(|c| words.bare(c));
                    text.push_str(&value);
                }
                '\'' | '"' if !self.lexer.skip_quotes => {
                    let value = if c == '\'' { self.single()? } else { self.double()? };
                    words.word.push_str(&value);
                    text.push_str(&value);
                }
                c => {
                    self.at += 1;
                    if c != self.lexer.escape {
                        words.bare(c);
                        text.push(c);
                    } else {
                        if self.lexer.raw_escapes {
                            words.word.push(c);
                            text.push(c);
                        }
                        let Some(c) = self.next() else { break };
                        words.word.push(c);
                        text.push(c);
                    }
                }
            }
            if text.len() > limits::WORD_BYTES_MAX {
                return Err(WordError::Bound);
            }
        }
        match stop {
            Some(stop) => Err(WordError::Syntax(format!(
                "unexpected end of statement while looking for matching {stop}"
            ))),
            None => Ok((text, words.finish())),
        }
    }

    fn single(&mut self) -> Result<String, WordError> {
        let mut text = String::new();
        let quote = self.next();
        text.extend(quote.filter(|_| self.lexer.raw_quotes));
        loop {
            match self.next() {
                None => {
                    return Err(syntax(
                        "unexpected end of statement while looking for matching single-quote",
                    ));
                }
                Some('\'') => {
                    text.extend(quote.filter(|_| self.lexer.raw_quotes));
                    return Ok(text);
                }
                Some(c) => text.push(c),
            }
        }
    }

    fn double(&mut self) -> Result<String, WordError> {
        let mut text = String::new();
        let quote = self.next();
        text.extend(quote.filter(|_| self.lexer.raw_quotes));
        loop {
            match self.peek() {
                None => {
                    return Err(syntax(
                        "unexpected end of statement while looking for matching double-quote",
                    ));
                }
                Some('"') => {
                    self.at += 1;
                    text.extend(quote.filter(|_| self.lexer.raw_quotes));
                    return Ok(text);
                }
                Some('$') => text.push_str(&self.dollar()?),
                Some(c) => {
                    self.at += 1;
                    let mut c = c;
                    if c == self.lexer.escape {
                        if self.lexer.raw_escapes {
                            text.push(c);
                        }
                        match self.peek() {
                            // An escape character at the end is nothing.
                            None => continue,
                            Some(next) if next == '"' || next == '$' || next == self.lexer.escape => {
                                self.at += 1;
                                c = next;
                            }
                            Some(_) => {}
                        }
                    }
                    text.push(c);
                }
            }
            if text.len() > limits::WORD_BYTES_MAX {
                return Err(WordError::Bound);
            }
        }
    }

    fn dollar(&mut self) -> Result<String, WordError> {
        self.at += 1;
        if self.peek() != Some('{') {
            let name = self.name();
            if name.is_empty() {
                return Ok("$".to_owned());
            }
            return Ok(match self.value(&name) {
                None if self.lexer.keep_unset => format!("${name}"),
                value => value.unwrap_or_default(),
            });
        }
        self.at += 1;
        match self.peek() {
            None => return Err(syntax("syntax error: missing '}'")),
            Some('{' | '}' | ':') => return Err(syntax("syntax error: bad substitution")),
            Some(_) => {}
        }
        let name = self.name();
        match self.next() {
            Some('}') => Ok(match self.value(&name) {
                None if self.lexer.keep_unset => format!("${{{name}}}"),
                value => value.unwrap_or_default(),
            }),
            Some(':') => match self.next() {
                Some(modifier) => self.modified(&name, modifier, true),
                None => Err(syntax("syntax error: missing '}'")),
            },
            Some(modifier @ ('+' | '-' | '?' | '#' | '%')) => self.modified(&name, modifier, false),
            Some('/') => self.replaced(&name),
            other => Err(WordError::Syntax(format!(
                "unsupported modifier ({}) in substitution",
                other.map(String::from).unwrap_or_default()
            ))),
        }
    }

    fn modified(&mut self, name: &str, modifier: char, colon: bool) -> Result<String, WordError> {
        let raw = matches!(modifier, '#' | '%');
        let word = self.operand('}', raw, "syntax error: missing '}'")?;
        let value = self.value(name);
        if self.lexer.keep_unset && value.is_none() {
            let colon = if colon { ":" } else { "" };
            return Ok(format!("${{{name}{colon}{modifier}{word}}}"));
        }
        let set = value.as_ref().is_some_and(|value| !(colon && value.is_empty()));
        match modifier {
            '-' if set => Ok(value.unwrap_or_default()),
            '-' => Ok(word),
            '+' if set => Ok(word),
            '+' => Ok(String::new()),
            '?' if set => Ok(value.unwrap_or_default()),
            '?' => {
                let default = if value.is_none() {
                    "is not allowed to be unset"
                } else {
                    "is not allowed to be empty"
                };
                let message = if word.is_empty() { default.to_owned() } else { word };
                Err(WordError::Required {
                    name: name.to_owned(),
                    message,
                })
            }
            '#' | '%' => {
                let value = value.unwrap_or_default();
                let (greedy, pattern) = match word.strip_prefix(modifier) {
                    Some(rest) => (true, rest),
                    None => (false, &*word),
                };
                if modifier == '#' {
                    without_prefix(pattern, &value, greedy)
                } else {
                    without_suffix(pattern, &value, greedy)
                }
            }
            other => Err(WordError::Syntax(format!(
                "unsupported modifier ({}{other}) in substitution",
                if colon { ":" } else { "" }
            ))),
        }
    }

    /// `${name/pattern/replacement}`, `//` for all.
    fn replaced(&mut self, name: &str) -> Result<String, WordError> {
        let all = self.peek() == Some('/');
        self.at += usize::from(all);
        let pattern = self.operand('/', true, "syntax error: missing '/' in ${}")?;
        let replacement = self.operand('}', true, "syntax error: missing '}'")?;
        let Some(value) = self.value(name) else {
            return Ok(if self.lexer.keep_unset {
                format!("${{{name}/{pattern}/{replacement}}}")
            } else {
                String::new()
            });
        };
        let regex = regex_of(&pattern, true, false)?;
        let count = usize::from(!all);
        let replaced = regex.replacen(&value, count, NoExpand(&replacement)).into_owned();
        if replaced.len() > limits::WORD_BYTES_MAX {
            return Err(WordError::Bound);
        }
        Ok(replaced)
    }

    fn operand(&mut self, stop: char, raw: bool, at_the_end: &str) -> Result<String, WordError> {
        match self.until(Some(stop), raw) {
            Ok((word, _)) => Ok(word),
            Err(WordError::Syntax(_)) if self.peek().is_none() => Err(syntax(at_the_end)),
            Err(error) => Err(error),
        }
    }

    /// Letters, digits and `_`; digits alone; or one special parameter of the shell.
    fn name(&mut self) -> String {
        let mut name = String::new();
        match self.peek() {
            Some(c) if c.is_numeric() => {
                while let Some(c) = self.peek().filter(|c| c.is_numeric()) {
                    name.push(c);
                    self.at += 1;
                }
            }
            Some(c @ ('@' | '*' | '#' | '?' | '-' | '$' | '!')) => {
                name.push(c);
                self.at += 1;
            }
            _ => {
                while let Some(c) = self.peek().filter(|c| c.is_alphanumeric() || *c == '_') {
                    name.push(c);
                    self.at += 1;
                }
            }
        }
        name
    }

    fn value(&mut self, name: &str) -> Option<String> {
        let value = (self.look)(name);
        if value.is_none() {
            self.unset.insert(name.to_owned());
        }
        value
    }
}

fn without_prefix(pattern: &str, value: &str, greedy: bool) -> Result<String, WordError> {
    let regex = regex_of(pattern, greedy, true)?;
    let end = regex.find(value).map_or(0, |found| found.end());
    Ok(value[end..].to_owned())
}

/// A suffix is a prefix of the reversed text.
fn without_suffix(pattern: &str, value: &str, greedy: bool) -> Result<String, WordError> {
    let mut units: Vec<String> = Vec::new();
    let mut chars = pattern.chars();
    while let Some(c) = chars.next() {
        let mut unit = String::from(c);
        if c == '\\' {
            unit.extend(chars.next());
        }
        units.push(unit);
    }
    units.reverse();
    let reversed: String = value.chars().rev().collect();
    let kept = without_prefix(&units.concat(), &reversed, greedy)?;
    Ok(kept.chars().rev().collect())
}

fn regex_of(pattern: &str, greedy: bool, anchored: bool) -> Result<Regex, WordError> {
    let invalid = || WordError::Syntax(format!("invalid pattern ({pattern}) in substitution"));
    let mut text = String::from(if anchored { "^" } else { "" });
    let mut chars = pattern.chars().peekable();
    while let Some(c) = chars.next() {
        match c {
            '*' => text.push_str(if greedy { ".*" } else { ".*?" }),
            '?' => text.push('.'),
            '\\' => match chars.next() {
                // `}` and `/` are escaped for the substitution's sake, the others for the pattern's.
                Some(c @ ('}' | '/' | '*' | '?' | '\\')) => {
                    text.push_str(&regex::escape(c.encode_utf8(&mut [0; 4])));
                }
                _ => return Err(invalid()),
            },
            c => text.push_str(&regex::escape(c.encode_utf8(&mut [0; 4]))),
        }
    }
    RegexBuilder::new(&text)
        .size_limit(limits::PATTERN_BYTES_MAX)
        .build()
        .map_err(|_| invalid())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn expand(text: &str) -> Result<String, WordError> {
        let look = |name: &str| match name {
            "A" => Some("path/to/file.tar.gz".to_owned()),
            "E" => Some(String::new()),
            _ => None,
        };
        Lexer::new('\\').expand(text, &look).map(|expanded| expanded.text)
    }

    #[test]
    fn patterns_of_substitutions() {
        for (text, expected) in [
            ("${A#*/}", "to/file.tar.gz"),
            ("${A##*/}", "file.tar.gz"),
            ("${A%.*}", "path/to/file.tar"),
            ("${A%%.*}", "path/to/file"),
            ("${A/t/T}", "paTh/to/file.tar.gz"),
            ("${A//t/T}", "paTh/To/file.Tar.gz"),
            ("${A//\\//-}", "path-to-file.tar.gz"),
            ("${U-default}", "default"),
            ("${E-default}", ""),
            ("${E:-default}", "default"),
        ] {
            assert_eq!(expand(text).as_deref(), Ok(expected), "{text}");
        }
    }

    #[test]
    fn bounds_hold() {
        let deep = format!("{}x{}", "${U:-".repeat(200), "}".repeat(200));
        assert_eq!(expand(&deep), Err(WordError::Bound));
        assert_eq!(expand(&"$A".repeat(20_000)), Err(WordError::Bound));
        assert_eq!(
            expand("${U?gone}"),
            Err(WordError::Required {
                name: "U".to_owned(),
                message: "gone".to_owned()
            })
        );
    }
}

//! Reads fields of a mapping, and says where and why one cannot be read.

use deploy_model::{Code, Diagnostic, Place, nearest};
use deploy_yaml::{Node, Position};
use jiff::SignedDuration;

use crate::limits::{LONGEST, MAX_LIST, MAX_PROBLEMS, MAX_SOURCE_BYTES};

/// All that is wrong with a file, in the order in which it was found.
pub(crate) struct Problems {
    file: String,
    found: Vec<Diagnostic>,
}

impl Problems {
    pub(crate) fn new(file: &str) -> Problems {
        Problems {
            file: file.to_owned(),
            found: Vec::new(),
        }
    }

    pub(crate) fn add(&mut self, at: Position, diagnostic: Diagnostic) {
        if self.found.len() < MAX_PROBLEMS {
            let place = Place {
                file: self.file.clone(),
                line: at.line,
                column: at.column,
            };
            self.found.push(diagnostic.at(place));
        }
    }

    /// A value that is not what its field takes.
    pub(crate) fn invalid(&mut self, at: Position, field: &str, expected: &str) {
        let diagnostic = Diagnostic::new(Code::AppFieldInvalid)
            .with("field", field)
            .with("expected", expected);
        self.add(at, diagnostic);
    }

    /// What was read, if nothing is wrong.
    pub(crate) fn finish<T>(self, read: Option<T>) -> Result<T, Vec<Diagnostic>> {
        match read {
            Some(read) if self.found.is_empty() => Ok(read),
            _ => Err(self.found),
        }
    }

    /// The documents of a file.
    pub(crate) fn documents(&mut self, source: &[u8]) -> Vec<Node> {
        if source.len() > MAX_SOURCE_BYTES {
            let diagnostic = Diagnostic::new(Code::FileTooLarge)
                .with("path", &self.file)
                .with("limit", format!("{} MiB", MAX_SOURCE_BYTES >> 20));
            self.add(Position::default(), diagnostic);
            return Vec::new();
        }
        match deploy_yaml::parse(source) {
            Ok(documents) => documents,
            Err(error) => {
                let code = if error.is_limit() {
                    Code::YamlLimit
                } else {
                    Code::YamlSyntax
                };
                let at = error.position;
                let diagnostic = Diagnostic::new(code)
                    .with("file", &self.file)
                    .because(error.to_string());
                self.add(at, diagnostic);
                Vec::new()
            }
        }
    }
}

/// The fields of one mapping. Take each that is known, then [`Fields::done`] reports the rest.
pub(crate) struct Fields<'a> {
    entries: &'a [(Node, Node)],
    /// The way to it, for people: `spec.environments[1]`.
    path: String,
    position: Position,
    known: Vec<&'static str>,
}

impl<'a> Fields<'a> {
    /// `None`, and a problem, where the node is no mapping.
    pub(crate) fn of(node: &'a Node, path: impl Into<String>, problems: &mut Problems) -> Option<Fields<'a>> {
        let path = path.into();
        let Some(entries) = node.entries() else {
            problems.invalid(node.position, &path, "{...}");
            return None;
        };
        for (at, (key, _)) in entries.iter().enumerate() {
            let name = key.as_str();
            if name.is_some() && entries[..at].iter().any(|(earlier, _)| earlier.as_str() == name) {
                let diagnostic =
                    Diagnostic::new(Code::AppFieldTwice).with("field", join(&path, name.unwrap_or_default()));
                problems.add(key.position, diagnostic);
            }
        }
        Some(Fields {
            entries,
            path,
            position: node.position,
            known: Vec::new(),
        })
    }

    /// The way to a field of it.
    pub(crate) fn path(&self, name: &str) -> String {
        join(&self.path, name)
    }

    pub(crate) fn position(&self) -> Position {
        self.position
    }

    /// A field, if it is there and says something.
    pub(crate) fn get(&mut self, name: &'static str) -> Option<&'a Node> {
        if !self.known.contains(&name) {
            self.known.push(name);
        }
        let found = self.entries.iter().find(|(key, _)| key.as_str() == Some(name));
        found.map(|(_, value)| value).filter(|value| !value.is_null())
    }

    pub(crate) fn required(&mut self, name: &'static str, problems: &mut Problems) -> Option<&'a Node> {
        let found = self.get(name);
        if found.is_none() {
            let diagnostic = Diagnostic::new(Code::AppFieldMissing).with("field", self.path(name));
            problems.add(self.position, diagnostic);
        }
        found
    }

    /// A text that is not empty.
    pub(crate) fn text(&mut self, name: &'static str, problems: &mut Problems) -> Option<String> {
        let node = self.get(name)?;
        let text = node.as_str().filter(|text| !text.is_empty() && node.is_scalar());
        if text.is_none() {
            problems.invalid(node.position, &self.path(name), "\"...\"");
        }
        text.map(str::to_owned)
    }

    pub(crate) fn required_text(&mut self, name: &'static str, problems: &mut Problems) -> Option<String> {
        self.required(name, problems)?;
        self.text(name, problems)
    }

    /// One of a few words.
    pub(crate) fn word<T: Copy>(
        &mut self,
        name: &'static str,
        words: &[(&str, T)],
        problems: &mut Problems,
    ) -> Option<T> {
        let node = self.get(name)?;
        let found = words.iter().find(|(word, _)| node.as_str() == Some(word));
        if found.is_none() {
            let all: Vec<&str> = words.iter().map(|(word, _)| *word).collect();
            problems.invalid(node.position, &self.path(name), &all.join(" | "));
        }
        found.map(|(_, meaning)| *meaning)
    }

    /// A whole number of this range.
    pub(crate) fn number(
        &mut self,
        name: &'static str,
        range: std::ops::RangeInclusive<usize>,
        problems: &mut Problems,
    ) -> Option<usize> {
        let node = self.get(name)?;
        let found = node
            .as_str()
            .and_then(|text| text.parse().ok())
            .filter(|count| range.contains(count));
        if found.is_none() {
            let expected = format!("{} - {}", range.start(), range.end());
            problems.invalid(node.position, &self.path(name), &expected);
        }
        found
    }

    /// `90s`, `10m`, `2h`, `1d`, or several of them: `1h30m`.
    pub(crate) fn duration(&mut self, name: &'static str, problems: &mut Problems) -> Option<SignedDuration> {
        let node = self.get(name)?;
        let found = node.as_str().and_then(duration);
        if found.is_none() {
            problems.invalid(node.position, &self.path(name), "30s, 10m, 2h, 1d (<= 7d)");
        }
        found
    }

    /// The items of a list, each with its way.
    pub(crate) fn items(&mut self, name: &'static str, problems: &mut Problems) -> Vec<(String, &'a Node)> {
        let Some(node) = self.get(name) else {
            return Vec::new();
        };
        let path = self.path(name);
        let Some(items) = node.items().filter(|items| items.len() <= MAX_LIST) else {
            problems.invalid(node.position, &path, &format!("[...] (<= {MAX_LIST})"));
            return Vec::new();
        };
        let named = items.iter().enumerate();
        named.map(|(at, item)| (format!("{path}[{at}]"), item)).collect()
    }

    /// A list of texts, none twice.
    pub(crate) fn texts(&mut self, name: &'static str, problems: &mut Problems) -> Vec<String> {
        let mut texts: Vec<String> = Vec::new();
        for (path, item) in self.items(name, problems) {
            match item.as_str().filter(|text| !text.is_empty()) {
                Some(text) if texts.iter().any(|earlier| earlier == text) => {
                    let diagnostic =
                        Diagnostic::new(Code::AppFieldTwice).with("field", format!("{path}: {text}"));
                    problems.add(item.position, diagnostic);
                }
                Some(text) => texts.push(text.to_owned()),
                None => problems.invalid(item.position, &path, "\"...\""),
            }
        }
        texts
    }

    /// Reports every field that was not asked for.
    pub(crate) fn done(self, problems: &mut Problems) {
        for (key, _) in self.entries {
            let name = key.as_str().unwrap_or_default();
            if self.known.contains(&name) {
                continue;
            }
            let nearest = nearest(name, self.known.iter().copied());
            let instead = nearest.map_or_else(|| self.known.join(", "), str::to_owned);
            let diagnostic = Diagnostic::new(Code::AppFieldUnknown)
                .with("field", self.path(name))
                .with("instead", instead);
            problems.add(key.position, diagnostic);
        }
    }
}

fn join(path: &str, name: &str) -> String {
    if path.is_empty() {
        name.to_owned()
    } else {
        format!("{path}.{name}")
    }
}

/// A length of time: numbers with units, the larger ones first or not, up to [`LONGEST`].
fn duration(text: &str) -> Option<SignedDuration> {
    let mut seconds = 0_i64;
    let mut rest = text;
    if rest.is_empty() {
        return None;
    }
    while !rest.is_empty() {
        let digits = rest
            .find(|letter: char| !letter.is_ascii_digit())
            .filter(|at| *at > 0)?;
        let number: i64 = rest[..digits].parse().ok()?;
        let unit = match rest[digits..].chars().next()? {
            's' => 1,
            'm' => 60,
            'h' => 3600,
            'd' => 86_400,
            _ => return None,
        };
        seconds = seconds.checked_add(number.checked_mul(unit)?)?;
        rest = &rest[digits + 1..];
    }
    Some(SignedDuration::from_secs(seconds)).filter(|length| *length <= LONGEST)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lengths_of_time_have_units_and_a_bound() {
        assert_eq!(duration("90s"), Some(SignedDuration::from_secs(90)));
        assert_eq!(duration("1h30m"), Some(SignedDuration::from_secs(5400)));
        for wrong in [
            "",
            "10",
            "m",
            "5x",
            "-1m",
            "8d",
            "99999999999999999999s",
            "1m ",
            "１m",
        ] {
            assert_eq!(duration(wrong), None, "{wrong}");
        }
    }
}

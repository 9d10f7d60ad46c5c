//! The identifiers of jobs and steps: which are legal, and those that are made for steps that have none.

use std::collections::HashSet;

/// The longest identifier, in characters.
const MAX_CHARS: usize = 100;

/// The identifiers of one scope.
#[derive(Debug, Default)]
pub(crate) struct Ids {
    taken: HashSet<String>,
}

impl Ids {
    /// Takes an identifier that a file gives; the text of what is wrong with it otherwise.
    pub fn take(&mut self, id: &str) -> Result<(), String> {
        if !is_legal(id) {
            return Err(format!(
                "The identifier '{id}' is invalid. IDs may only contain alphanumeric characters, '_', and '-'. IDs \
                 must start with a letter or '_' and and must be less than {MAX_CHARS} characters."
            ));
        }
        if id.starts_with("__") {
            return Err(format!(
                "The identifier '{id}' is invalid. IDs starting with '__' are reserved."
            ));
        }
        match self.taken.insert(id.to_lowercase()) {
            true => Ok(()),
            false => Err(format!(
                "The identifier '{id}' may not be used more than once within the same scope."
            )),
        }
    }

    /// Makes an identifier of a word: `__word`, `__word_2`.
    pub fn make(&mut self, word: &str) -> String {
        let legal = |c: char| {
            if c.is_ascii_alphanumeric() || matches!(c, '_' | '-') {
                c
            } else {
                '_'
            }
        };
        let stem: String = word.chars().map(legal).collect();
        let stem = format!("__{stem}");
        let mut number = 1usize;
        loop {
            let suffix = if number == 1 {
                String::new()
            } else {
                format!("_{number}")
            };
            let length = stem.len().min(MAX_CHARS - suffix.len());
            let id = format!("{}{suffix}", &stem[..length]);
            if self.taken.insert(id.to_lowercase()) {
                return id;
            }
            number += 1;
        }
    }
}

fn is_legal(id: &str) -> bool {
    let mut chars = id.chars();
    chars.next().is_some_and(|c| c.is_ascii_alphabetic() || c == '_')
        && chars.all(|c| c.is_ascii_alphanumeric() || matches!(c, '_' | '-'))
        && id.len() < MAX_CHARS
}

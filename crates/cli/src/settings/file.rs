//! `deploy.toml`.

use std::io;
use std::path::{Path, PathBuf};

use deploy_model::nearest;
use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::problem::{Problem, What};
use super::{KEYS, Key};
use crate::disk::{is_absent, read_bounded, system_words};
use crate::limits::MAX_CONFIG_BYTES;

/// The name of the file in the current folder and in the data folder.
const NAME: &str = "deploy.toml";

/// The file to read: the one that was named, which must exist, else the first of the usual places.
pub fn find(named: Option<String>, cwd: &Path, data_dir: &Path) -> Result<Option<PathBuf>, Problem> {
    if let Some(named) = named {
        let path = cwd.join(&named);
        return match path.metadata() {
            Ok(_) => Ok(Some(path)),
            Err(error) => Err(unreadable(&named, &error)),
        };
    }
    Ok([cwd.join(NAME), data_dir.join("config").join(NAME)]
        .into_iter()
        .find(|path| path.is_file()))
}

/// The values of a file as (place in [`KEYS`], value, line), and the first thing that is wrong with it.
pub fn read(path: &Path, shown: &Path) -> (Vec<(usize, String, u32)>, Option<Problem>) {
    let name = shown.display().to_string();
    let bytes = match read_bounded(path, MAX_CONFIG_BYTES) {
        Ok(bytes) => bytes,
        // It was there a moment ago.
        Err(error) if is_absent(&error) => return (Vec::new(), None),
        Err(error) => return (Vec::new(), Some(unreadable(&name, &error))),
    };
    let text = match std::str::from_utf8(&bytes) {
        Ok(text) => text,
        Err(error) => {
            return (
                Vec::new(),
                Some(invalid(&name, 0, What::Syntax(error.to_string()))),
            );
        }
    };
    let table = match DeTable::parse(text) {
        Ok(table) => table,
        Err(error) => {
            let line = error.span().map_or(0, |span| line_at(text, span.start));
            return (
                Vec::new(),
                Some(invalid(&name, line, What::Syntax(error.message().to_owned()))),
            );
        }
    };
    let mut reader = Reader {
        text,
        file: &name,
        values: Vec::new(),
        wrong: None,
    };
    reader.table("", table.get_ref());
    (reader.values, reader.wrong)
}

/// A variable with a value that its key does not take.
pub fn invalid_variable(key: &Key, value: &str) -> Problem {
    invalid(key.variable, 0, What::value(key, value))
}

struct Reader<'a> {
    text: &'a str,
    file: &'a str,
    values: Vec<(usize, String, u32)>,
    wrong: Option<Problem>,
}

impl Reader<'_> {
    fn table(&mut self, prefix: &str, table: &DeTable) {
        // In the order of the file, so that the first error is the topmost.
        let mut entries: Vec<_> = table.iter().collect();
        entries.sort_by_key(|(key, _)| key.span().start);
        for (key, value) in entries {
            let name = format!("{prefix}{}", key.get_ref());
            let line = line_at(self.text, key.span().start);
            self.entry(&name, line, value);
        }
    }

    fn entry(&mut self, name: &str, line: u32, value: &Spanned<DeValue>) {
        if let Some(at) = KEYS.iter().position(|key| key.name == name) {
            match value.get_ref() {
                DeValue::String(text) if KEYS[at].accepts(text) => {
                    self.values.push((at, text.to_string(), line))
                }
                DeValue::String(text) => self.wrong(line, What::value(&KEYS[at], text)),
                other => {
                    let found = other.type_str();
                    self.wrong(
                        line,
                        What::NoString {
                            key: KEYS[at].name,
                            found,
                        },
                    );
                }
            }
            return;
        }
        let inner = format!("{name}.");
        match value.get_ref() {
            DeValue::Table(table) if KEYS.iter().any(|key| key.name.starts_with(&inner)) => {
                self.table(&inner, table)
            }
            _ => {
                let meant = nearest(name, KEYS.iter().map(|key| key.name));
                self.wrong(
                    line,
                    What::UnknownKey {
                        name: name.to_owned(),
                        meant,
                    },
                );
            }
        }
    }

    fn wrong(&mut self, line: u32, what: What) {
        self.wrong.get_or_insert_with(|| invalid(self.file, line, what));
    }
}

fn line_at(text: &str, offset: usize) -> u32 {
    let before = text.as_bytes().iter().take(offset);
    1 + u32::try_from(before.filter(|byte| **byte == b'\n').count()).unwrap_or(u32::MAX - 1)
}

fn invalid(file: &str, line: u32, what: What) -> Problem {
    Problem {
        file: file.to_owned(),
        line,
        what,
    }
}

fn unreadable(file: &str, error: &io::Error) -> Problem {
    let what = What::Unreadable {
        words: system_words(error),
        absent: is_absent(error),
    };
    invalid(file, 0, what)
}

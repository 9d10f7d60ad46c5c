//! The command files of a step: `GITHUB_ENV`, `GITHUB_OUTPUT`, `GITHUB_STATE` and `GITHUB_PATH`
//! (actions/runner, src/Runner.Worker/FileCommandManager.cs).

use super::secrets::without_marks;
use super::types::Changes;
use crate::limits::MAX_COMMAND_FILE_BYTES;

/// Why a command file was refused: its step fails with this.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum FileError {
    /// A line is neither `name=value` nor `name<<delimiter`.
    #[error("Invalid format '{0}'")]
    Format(String),
    /// Nothing stands before `=` or `<<`.
    #[error("Invalid format '{0}'. Name must not be empty")]
    EmptyName(String),
    /// Nothing stands behind `<<`.
    #[error("Invalid format '{0}'. Delimiter must not be empty")]
    EmptyDelimiter(String),
    /// The value does not end.
    #[error("Invalid value. Matching delimiter not found '{0}'")]
    NoDelimiter(String),
    /// A variable that would let a step run code in all others.
    #[error("Can't store {0} output parameter using '$GITHUB_ENV' command.")]
    Forbidden(String),
    /// The file is larger than what is read.
    #[error("The file is larger than {MAX_COMMAND_FILE_BYTES} bytes")]
    TooLarge,
}

/// What a step left in its command files.
#[derive(Clone, Copy, Debug, Default)]
pub struct CommandFiles<'a> {
    /// The text of `GITHUB_ENV`.
    pub env: &'a str,
    /// The text of `GITHUB_OUTPUT`.
    pub output: &'a str,
    /// The text of `GITHUB_STATE`.
    pub state: &'a str,
    /// The text of `GITHUB_PATH`.
    pub path: &'a str,
}

impl Changes {
    /// Adds what the command files say to what workflow commands said before.
    pub fn read(&mut self, files: CommandFiles<'_>) -> Result<(), FileError> {
        for (name, value) in pairs(files.env)? {
            if name.eq_ignore_ascii_case("NODE_OPTIONS") {
                return Err(FileError::Forbidden(name));
            }
            self.env.push((name, value));
        }
        self.outputs.extend(pairs(files.output)?);
        self.state.extend(pairs(files.state)?);
        self.path.extend(folders(files.path)?);
        Ok(())
    }
}

/// The names and values of a file.
pub fn pairs(text: &str) -> Result<Vec<(String, String)>, FileError> {
    if text.len() > MAX_COMMAND_FILE_BYTES {
        return Err(FileError::TooLarge);
    }
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    let mut pairs = Vec::new();
    let mut rest = text;
    while let Some((line, after)) = next_line(rest) {
        rest = after;
        if line.is_empty() {
            continue;
        }
        let (name, value) = match (line.find('='), line.find("<<")) {
            (Some(equals), heredoc) if heredoc.is_none_or(|h| equals < h) => {
                (&line[..equals], line[equals + 1..].to_owned())
            }
            (_, Some(heredoc)) => {
                let delimiter = &line[heredoc + 2..];
                if heredoc > 0 && delimiter.is_empty() {
                    return Err(FileError::EmptyDelimiter(line.to_owned()));
                }
                let (value, after) = until(rest, delimiter)?;
                rest = after;
                (&line[..heredoc], value.to_owned())
            }
            _ => return Err(FileError::Format(line.to_owned())),
        };
        if name.is_empty() {
            return Err(FileError::EmptyName(line.to_owned()));
        }
        pairs.push((without_marks(name.to_owned()), without_marks(value)));
    }
    Ok(pairs)
}

/// The folders of `GITHUB_PATH`: one a line.
pub fn folders(text: &str) -> Result<Vec<String>, FileError> {
    if text.len() > MAX_COMMAND_FILE_BYTES {
        return Err(FileError::TooLarge);
    }
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    let lines = text.lines().filter(|line| !line.is_empty());
    Ok(lines.map(|line| without_marks(line.to_owned())).collect())
}

/// The first line, without its end, and what follows.
fn next_line(text: &str) -> Option<(&str, &str)> {
    if text.is_empty() {
        return None;
    }
    let (line, rest) = text.split_once('\n').unwrap_or((text, ""));
    Some((line.strip_suffix('\r').unwrap_or(line), rest))
}

/// The text up to the line that is the delimiter, without its last line break, and what follows that line.
fn until<'t>(text: &'t str, delimiter: &str) -> Result<(&'t str, &'t str), FileError> {
    let mut rest = text;
    while let Some((line, after)) = next_line(rest) {
        if line == delimiter {
            let value = &text[..text.len() - rest.len()];
            let value = value.strip_suffix('\n').unwrap_or(value);
            return Ok((value.strip_suffix('\r').unwrap_or(value), after));
        }
        rest = after;
    }
    Err(FileError::NoDelimiter(delimiter.to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Vec<(String, String)> {
        pairs(text).unwrap()
    }

    fn pair(name: &str, value: &str) -> (String, String) {
        (name.to_owned(), value.to_owned())
    }

    #[test]
    fn lines_and_heredocs() {
        let text = "A=1\n\nB=x=y<<z\nC<<END\none\n\ntwo=2\nEND\nD<<E\nE\nF=\n";
        let expected = [
            pair("A", "1"),
            pair("B", "x=y<<z"),
            pair("C", "one\n\ntwo=2"),
            pair("D", ""),
            pair("F", ""),
        ];
        assert_eq!(read(text), expected);
    }

    #[test]
    fn a_heredoc_keeps_line_breaks_of_its_own() {
        assert_eq!(read("A<<E\r\nx\r\ny\r\nE\r\n"), [pair("A", "x\r\ny")]);
    }

    #[test]
    fn what_is_wrong_is_named() {
        assert_eq!(pairs("nothing"), Err(FileError::Format("nothing".to_owned())));
        assert_eq!(pairs("=1"), Err(FileError::EmptyName("=1".to_owned())));
        assert_eq!(pairs("A<<"), Err(FileError::EmptyDelimiter("A<<".to_owned())));
        assert_eq!(pairs("A<<E\nx"), Err(FileError::NoDelimiter("E".to_owned())));
        let mut changes = Changes::default();
        let files = CommandFiles {
            env: "NODE_OPTIONS=--require x",
            ..CommandFiles::default()
        };
        assert!(matches!(changes.read(files), Err(FileError::Forbidden(_))));
    }
}

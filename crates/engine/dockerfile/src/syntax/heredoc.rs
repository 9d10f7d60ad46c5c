//! `<<NAME`: documents that stand below their instruction.

use super::Statement;
use crate::words::Lexer;

/// One document.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Heredoc {
    /// What ends it, and for COPY the file's name.
    pub name: String,
    /// Its lines, with their ends.
    pub content: String,
    /// Its name was not quoted: COPY and ADD expand variables in it.
    pub expand: bool,
    /// `<<-`: tabs before its lines are removed.
    pub chomp: bool,
    /// The file descriptor in front of `<<`; 0 if there is none.
    pub descriptor: u32,
}

impl Heredoc {
    /// What a word of the form `<<NAME`, `<<-NAME`, `3<<"NAME"` begins; none for other words.
    pub fn of_word(word: &str) -> Option<Self> {
        let (descriptor, rest) = word.split_once("<<")?;
        if !descriptor.chars().all(|c| c.is_ascii_digit()) {
            return None;
        }
        let (chomp, rest) = match rest.strip_prefix('-') {
            Some(rest) => (true, rest),
            None => (false, rest),
        };
        if rest.is_empty() || rest.contains('<') {
            return None;
        }
        let none = |_: &str| None;
        let plain = Lexer {
            keep_unset: true,
            ..Lexer::new('\\')
        };
        let raw = Lexer {
            raw_quotes: true,
            raw_escapes: true,
            ..plain
        };
        let [name] = <[String; 1]>::try_from(plain.expand(rest, &none).ok()?.words).ok()?;
        let [quoted] = <[String; 1]>::try_from(raw.expand(rest, &none).ok()?.words).ok()?;
        Some(Self {
            expand: name == quoted,
            name,
            content: String::new(),
            chomp,
            descriptor: descriptor.parse().unwrap_or(0),
        })
    }

    /// The content as a file has it: without tabs in front of its lines where they are to go.
    pub fn text(&self) -> String {
        if !self.chomp {
            return self.content.clone();
        }
        self.content
            .split_inclusive('\n')
            .map(|line| line.trim_start_matches('\t'))
            .collect()
    }

    /// Whether a line ends it.
    pub(super) fn ends_at(&self, line: &str) -> bool {
        let line = line.trim_end_matches(['\r', '\n']);
        let line = if self.chomp {
            line.trim_start_matches('\t')
        } else {
            line
        };
        line == self.name
    }
}

/// The documents that a line begins, in their order.
pub fn begun(statement: &Statement) -> Vec<Heredoc> {
    let inner = statement.inner.as_deref().unwrap_or(statement);
    let may = matches!(&*inner.name, "add" | "copy" | "run") && !inner.json;
    if !may || !statement.original.contains("<<") {
        return Vec::new();
    }
    let lexer = Lexer {
        raw_quotes: true,
        raw_escapes: true,
        keep_unset: true,
        ..Lexer::new('\\')
    };
    // A line that the shell would not understand has no documents: it is the shell's business.
    let words = lexer
        .expand(&statement.original, &|_| None)
        .map(|expanded| expanded.words)
        .unwrap_or_default();
    words.iter().filter_map(|word| Heredoc::of_word(word)).collect()
}

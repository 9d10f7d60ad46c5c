//! From text to statements: lines are joined, comments left out, documents collected.

use super::directive::Directives;
use super::{Statement, Tree, forms, heredoc};
use crate::error::Problem;
use crate::limits;

/// Reads the syntax of a Dockerfile. What instructions mean is not looked at.
pub fn parse(text: &str) -> Result<Tree, Problem> {
    if text.len() > limits::FILE_BYTES_MAX {
        return Err(Problem::at(
            1,
            format!("the file is larger than {} bytes", limits::FILE_BYTES_MAX),
        ));
    }
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    let mut lines = Lines {
        rest: text.split_inclusive('\n'),
        number: 0,
    };
    let mut directives = Directives::default();
    let mut statements = Vec::new();
    while let Some(raw) = lines.next() {
        let line = without_end(raw).trim_start();
        directives
            .line(line)
            .map_err(|message| Problem::at(lines.number, message))?;
        if line.starts_with('#') {
            continue;
        }
        let first = lines.number;
        let joined = join(line, &mut lines, directives.escape);
        if joined.is_empty() {
            continue;
        }
        if statements.len() >= limits::INSTRUCTIONS_MAX {
            return Err(Problem::at(
                first,
                format!("more than {} instructions", limits::INSTRUCTIONS_MAX),
            ));
        }
        statements.push(statement(&joined, first, &mut lines, directives.escape)?);
    }
    if statements.is_empty() {
        return Err(Problem::at(lines.number.max(1), "file with no instructions")
            .hint("begin with FROM, for example FROM debian:bookworm"));
    }
    Ok(Tree {
        statements,
        escape: directives.escape,
        syntax: directives.syntax,
        check: directives.check,
    })
}

struct Lines<'a> {
    rest: std::str::SplitInclusive<'a, char>,
    /// That of the last line that was given.
    number: usize,
}

impl<'a> Lines<'a> {
    fn next(&mut self) -> Option<&'a str> {
        let line = self.rest.next()?;
        self.number += 1;
        Some(line)
    }
}

fn without_end(line: &str) -> &str {
    line.trim_end_matches(['\r', '\n'])
}

/// A line and those that continue it. Comments and empty lines between them are left out.
fn join(first: &str, lines: &mut Lines<'_>, escape: char) -> String {
    let (mut joined, mut goes_on) = match continued(first, escape) {
        Some(line) => (line.to_owned(), true),
        None => (first.to_owned(), false),
    };
    while goes_on {
        let Some(raw) = lines.next() else { break };
        let line = without_end(raw);
        let bare = line.trim_start();
        if bare.is_empty() || bare.starts_with('#') {
            continue;
        }
        match continued(line, escape) {
            Some(line) => joined.push_str(line),
            None => {
                joined.push_str(line);
                goes_on = false;
            }
        }
    }
    joined
}

/// The line without the escape character that continues it: the last character but blanks, not itself escaped.
fn continued(line: &str, escape: char) -> Option<&str> {
    let line = line.trim_end_matches([' ', '\t']).strip_suffix(escape)?;
    (!line.ends_with(escape)).then_some(line)
}

fn statement(line: &str, first: usize, lines: &mut Lines<'_>, escape: char) -> Result<Statement, Problem> {
    let mut statement = forms::statement(line, escape).map_err(|message| Problem::at(first, message))?;
    for mut document in heredoc::begun(&statement) {
        loop {
            let Some(raw) = lines.next() else {
                return Err(Problem::at(first, "unterminated heredoc")
                    .hint(format!("end it with a line that is {:?}", document.name)));
            };
            if document.ends_at(raw) {
                break;
            }
            document.content.push_str(raw);
        }
        statement.heredocs.push(document);
    }
    statement.lines = (first, lines.number);
    Ok(statement)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn documents() {
        let text = "FROM a\nRUN <<EOF cat <<-\"B\" > x\necho $A\nEOF\n\tb\n\tB\nCOPY <<f.txt /d/\nhi\nf.txt\nRUN 3<<X true\nX\n";
        let tree = parse(text).expect("it is well formed");
        let documents = &tree.statements[1].heredocs;
        assert_eq!(documents[0].content, "echo $A\n");
        assert!(documents[0].expand && !documents[0].chomp);
        assert_eq!(documents[1].text(), "b\n");
        assert!(!documents[1].expand);
        assert_eq!(tree.statements[1].lines, (2, 6));
        assert_eq!(tree.statements[2].heredocs[0].name, "f.txt");
        assert_eq!(tree.statements[3].heredocs[0].descriptor, 3);
        let problem = parse("FROM a\nRUN <<EOF\nx\n").expect_err("it has no end");
        assert_eq!(problem.message, "unterminated heredoc");
    }

    #[test]
    fn directives_come_first_and_once() {
        assert_eq!(parse("# escape=`\nFROM a").expect("one").escape, '`');
        assert_eq!(parse("# x\n# escape=`\nFROM a").expect("a comment").escape, '\\');
        assert!(parse("# escape=x\nFROM a").is_err());
        let twice = parse("# syntax=a\n# syntax=b\nFROM a").expect_err("two");
        assert_eq!(twice.message, "only one syntax parser directive can be used");
        assert_eq!(twice.place.map(|place| place.line), Some(2));
    }

    #[test]
    fn arrays_hold_strings() {
        assert!(parse("FROM a\nCMD [1]").is_err());
        assert_eq!(
            parse("CMD [\"a\" ").expect("a shell's text").dump(),
            "(cmd \"[\\\"a\\\"\")\n"
        );
    }
}

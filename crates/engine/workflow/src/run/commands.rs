//! Workflow commands in the output of a step: `::warning file=a.sh,line=3::text` and the older `##[group]text`
//! (actions/runner, src/Runner.Common/ActionCommand.cs).

use super::secrets::without_marks;
use super::types::{Changes, Level};
use crate::limits::MAX_COMMAND_BYTES;

/// What a line of output is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Line<'a> {
    /// Text to show.
    Text(&'a str),
    /// Lines from here on are part of a group with this title.
    Group(String),
    /// The group ends.
    EndGroup,
    /// Something to show at a place in a file.
    Annotation(Annotation),
    /// `add-mask`: from here on this must not be seen. The line itself is not to be shown.
    Mask(String),
    /// The command changed what is known of the step ([`Commands::changes`]), or how its lines are read.
    /// Nothing is to be shown.
    Done,
    /// The command cannot be carried out: the text for people. The step fails where `fatal` is set.
    Refused {
        /// Why.
        message: String,
        /// Whether the step fails for it.
        fatal: bool,
    },
}

/// A message with a place.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Annotation {
    /// How bad it is.
    pub level: Level,
    /// The text.
    pub message: String,
    /// Its title, if it has one.
    pub title: Option<String>,
    /// The file, relative to the workspace or absolute.
    pub file: Option<String>,
    /// From 1.
    pub line: Option<u32>,
    /// From 1.
    pub end_line: Option<u32>,
    /// From 1.
    pub column: Option<u32>,
    /// From 1.
    pub end_column: Option<u32>,
}

/// Reads the lines of one step. Feed it the lines as the step wrote them, before they are masked.
#[derive(Clone, Debug, Default)]
pub struct Commands {
    stopped_until: Option<String>,
    changes: Changes,
    allow_unsecure: bool,
    echo: bool,
}

impl Commands {
    /// A reader for one step. `allow_unsecure` is the step's variable `ACTIONS_ALLOW_UNSECURE_COMMANDS`: without it
    /// `set-env` and `add-path` are refused, as their output could come from anybody.
    pub fn new(allow_unsecure: bool) -> Commands {
        Commands {
            allow_unsecure,
            ..Commands::default()
        }
    }

    /// What the commands so far changed. Complete it with [`Changes::read`] when the step ended.
    pub fn changes(self) -> Changes {
        self.changes
    }

    /// Whether the step asked to see its commands (`::echo::on`).
    pub fn echoes(&self) -> bool {
        self.echo
    }

    /// Reads one line, without its line break.
    pub fn line<'a>(&mut self, line: &'a str) -> Line<'a> {
        if line.len() > MAX_COMMAND_BYTES || !line.contains(['#', ':']) {
            return Line::Text(line);
        }
        let Some(command) = parse(line) else {
            return Line::Text(line);
        };
        if let Some(token) = &self.stopped_until {
            if *token == command.name {
                self.stopped_until = None;
                return Line::Done;
            }
            return Line::Text(line);
        }
        self.carry_out(command).unwrap_or(Line::Text(line))
    }

    fn carry_out<'a>(&mut self, command: Command) -> Option<Line<'a>> {
        let name = || command.property("name").filter(|n| !n.is_empty());
        Some(match command.name.to_ascii_lowercase().as_str() {
            "debug" => annotation(Level::Debug, command),
            "notice" => annotation(Level::Notice, command),
            "warning" => annotation(Level::Warning, command),
            "error" => annotation(Level::Error, command),
            "group" => Line::Group(command.data),
            "endgroup" => Line::EndGroup,
            "add-mask" if command.data.trim().is_empty() => Line::Refused {
                message: "Can't add secret mask for empty string in ##[add-mask] command.".to_owned(),
                fatal: false,
            },
            "add-mask" => Line::Mask(command.data),
            "set-output" => match name() {
                Some(name) => {
                    self.changes.outputs.push((name, without_marks(command.data)));
                    Line::Done
                }
                None => missing("output"),
            },
            "save-state" => match name() {
                Some(name) => {
                    self.changes.state.push((name, without_marks(command.data)));
                    Line::Done
                }
                None => missing("state"),
            },
            "set-env" if self.allow_unsecure => match name() {
                Some(name) => {
                    self.changes.env.push((name, without_marks(command.data)));
                    Line::Done
                }
                None => missing("env"),
            },
            "add-path" if self.allow_unsecure => {
                self.changes.path.push(without_marks(command.data));
                Line::Done
            }
            word @ ("set-env" | "add-path") => unsecure(word),
            "echo" => self.set_echo(&command.data),
            "stop-commands" => self.stop(command.data),
            // Problem matchers are files with patterns that make annotations of plain text: not read yet.
            "add-matcher" | "remove-matcher" => Line::Done,
            _ => return None,
        })
    }

    fn set_echo<'a>(&mut self, word: &str) -> Line<'a> {
        match word.trim().to_ascii_lowercase().as_str() {
            "on" => self.echo = true,
            "off" => self.echo = false,
            other => {
                return Line::Refused {
                    message: format!(
                        "Invalid echo command value. Possible values can be: 'on', 'off'. Current value is: '{other}'."
                    ),
                    fatal: true,
                };
            }
        }
        Line::Done
    }

    fn stop<'a>(&mut self, token: String) -> Line<'a> {
        const NAMES: &[&str] = &[
            "pause-logging",
            "debug",
            "notice",
            "warning",
            "error",
            "group",
            "endgroup",
            "add-mask",
            "set-output",
            "save-state",
            "set-env",
            "add-path",
            "echo",
            "stop-commands",
            "add-matcher",
            "remove-matcher",
        ];
        if token.trim().is_empty() || NAMES.contains(&token.to_ascii_lowercase().as_str()) {
            return Line::Refused {
                message: format!(
                    "Invoked ::stop-commands:: with token: [{token}]: a token must not be empty and must not be a command"
                ),
                fatal: true,
            };
        }
        self.stopped_until = Some(token);
        Line::Done
    }
}

/// One command.
#[derive(Debug, PartialEq, Eq)]
struct Command {
    name: String,
    properties: Vec<(String, String)>,
    data: String,
}

impl Command {
    fn property(&self, name: &str) -> Option<String> {
        let found = self
            .properties
            .iter()
            .find(|(key, _)| key.eq_ignore_ascii_case(name));
        found.map(|(_, value)| without_marks(value.clone()))
    }
}

fn parse(line: &str) -> Option<Command> {
    parse_colons(line).or_else(|| parse_hashes(line))
}

/// `::name key=value,key=value::data`
fn parse_colons(line: &str) -> Option<Command> {
    let (head, data) = line.trim_start().strip_prefix("::")?.split_once("::")?;
    let unescape = |value: &str| {
        let value = value.replace("%0D", "\r").replace("%0A", "\n");
        value.replace("%3A", ":").replace("%2C", ",").replace("%25", "%")
    };
    command(head, ',', unescape, data, |data| {
        data.replace("%0D", "\r").replace("%0A", "\n").replace("%25", "%")
    })
}

/// `##[name key=value;key=value;]data`, anywhere in the line
fn parse_hashes(line: &str) -> Option<Command> {
    let (_, rest) = line.split_once("##[")?;
    let (head, data) = rest.split_once(']')?;
    let unescape = |value: &str| {
        let value = value.replace("%3B", ";").replace("%0D", "\r");
        value.replace("%0A", "\n").replace("%5D", "]")
    };
    command(head, ';', unescape, data, unescape)
}

fn command(
    head: &str,
    separator: char,
    unescape: impl Fn(&str) -> String,
    data: &str,
    unescape_data: impl Fn(&str) -> String,
) -> Option<Command> {
    let (name, list) = head.split_once(' ').unwrap_or((head, ""));
    if name.is_empty() {
        return None;
    }
    let properties = list.trim().split(separator).filter_map(|pair| {
        let (key, value) = pair.split_once('=')?;
        let key = key.trim();
        (!key.is_empty() && !value.is_empty()).then(|| (key.to_owned(), unescape(value)))
    });
    Some(Command {
        name: name.to_owned(),
        properties: properties.collect(),
        data: unescape_data(data),
    })
}

fn annotation<'a>(level: Level, command: Command) -> Line<'a> {
    let number = |name: &str| command.property(name)?.trim().parse().ok().filter(|n| *n > 0);
    Line::Annotation(Annotation {
        level,
        title: command.property("title"),
        file: command.property("file"),
        line: number("line"),
        end_line: number("endLine"),
        column: number("col"),
        end_column: number("endColumn"),
        message: command.data,
    })
}

fn missing<'a>(what: &str) -> Line<'a> {
    Line::Refused {
        message: format!("Required field 'name' is missing in ##[set-{what}] command."),
        fatal: true,
    }
}

fn unsecure<'a>(word: &str) -> Line<'a> {
    Line::Refused {
        message: format!(
            "The `{word}` command is disabled. Please upgrade to using Environment Files or opt into unsecure command \
             execution by setting the `ACTIONS_ALLOW_UNSECURE_COMMANDS` environment variable to `true`."
        ),
        fatal: true,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn annotations_have_places() {
        let mut commands = Commands::new(false);
        let line = "::error file=src/a,b.rs,line=3,endLine=4,col=1,title=No%2C::one%0Atwo%25";
        let Line::Annotation(found) = commands.line(line) else {
            panic!("no annotation");
        };
        assert_eq!(found.level, Level::Error);
        assert_eq!(found.message, "one\ntwo%");
        assert_eq!(found.file.as_deref(), Some("src/a"));
        assert_eq!(
            (found.line, found.end_line, found.column),
            (Some(3), Some(4), Some(1))
        );
        assert_eq!(found.title.as_deref(), Some("No,"));
    }

    #[test]
    fn both_spellings_of_a_group() {
        let mut commands = Commands::new(false);
        assert_eq!(commands.line("::group::Build"), Line::Group("Build".to_owned()));
        assert_eq!(commands.line("##[group]Build"), Line::Group("Build".to_owned()));
        assert_eq!(commands.line("::endgroup::"), Line::EndGroup);
    }

    #[test]
    fn stopped_commands_are_text_until_the_token() {
        let mut commands = Commands::new(false);
        assert_eq!(commands.line("::stop-commands::abc"), Line::Done);
        assert_eq!(commands.line("::add-mask::x"), Line::Text("::add-mask::x"));
        assert_eq!(commands.line("::abc::"), Line::Done);
        assert_eq!(commands.line("::add-mask::x"), Line::Mask("x".to_owned()));
        assert!(matches!(
            commands.line("::stop-commands::group"),
            Line::Refused { fatal: true, .. }
        ));
    }

    #[test]
    fn outputs_are_kept_and_env_is_refused() {
        let mut commands = Commands::new(false);
        assert_eq!(commands.line("::set-output name=a::b"), Line::Done);
        assert!(matches!(
            commands.line("::set-env name=A::1"),
            Line::Refused { fatal: true, .. }
        ));
        assert_eq!(commands.line("a::b::c"), Line::Text("a::b::c"));
        assert_eq!(commands.line("::unknown::x"), Line::Text("::unknown::x"));
        assert_eq!(commands.changes().outputs, [("a".to_owned(), "b".to_owned())]);
    }
}

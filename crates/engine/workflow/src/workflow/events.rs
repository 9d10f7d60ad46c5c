//! `on`: which events start a workflow, with their filters.

use crate::reader::{Hint, Kind, Place, Problems, Token};
use crate::trigger::Cron;
use std::collections::BTreeMap;

/// What is said of a cron expression that is none.
pub const CRON_FORMAT: &str =
    "Invalid cron expression. Expected format: '* * * * *' (minute hour day month weekday)";

/// The events of a workflow, by name.
#[derive(Clone, Debug, Default)]
pub struct Events {
    /// In the order of the file.
    pub list: Vec<(String, Event)>,
}

impl Events {
    /// The event of a name.
    pub fn get(&self, name: &str) -> Option<&Event> {
        self.list
            .iter()
            .find(|(known, _)| known == name)
            .map(|(_, event)| event)
    }
}

/// What a file says of one event. A filter that is not there is none.
#[derive(Clone, Debug, Default)]
pub struct Event {
    /// Where it is named.
    pub place: Place,
    /// The lists of patterns and names: `branches`, `branches-ignore`, `tags`, `tags-ignore`, `paths`, `paths-ignore`,
    /// `types`, `workflows`, `names`, `versions`.
    pub filters: BTreeMap<String, Vec<String>>,
    /// Of `schedule`.
    pub schedules: Vec<Schedule>,
    /// Of `workflow_dispatch`, in their order.
    pub inputs: Vec<(String, DispatchInput)>,
}

/// One entry of `schedule`.
#[derive(Clone, Debug)]
pub struct Schedule {
    /// The expression as it is written.
    pub text: String,
    /// When.
    pub cron: Cron,
    /// `timezone`, an IANA name; UTC where there is none.
    pub timezone: Option<String>,
}

/// What an input of `workflow_dispatch` holds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum InputType {
    /// Text.
    #[default]
    String,
    /// True or false.
    Boolean,
    /// A number.
    Number,
    /// One of its options.
    Choice,
    /// The name of an environment.
    Environment,
}

impl InputType {
    /// As files name it.
    pub fn as_str(self) -> &'static str {
        match self {
            InputType::String => "string",
            InputType::Boolean => "boolean",
            InputType::Number => "number",
            InputType::Choice => "choice",
            InputType::Environment => "environment",
        }
    }
}

/// An input of `workflow_dispatch`.
#[derive(Clone, Debug, Default)]
pub struct DispatchInput {
    /// `description`
    pub description: Option<String>,
    /// `type`
    pub kind: InputType,
    /// `required`
    pub required: bool,
    /// `default`
    pub default: Option<Token>,
    /// `options`
    pub options: Vec<String>,
}

pub(super) fn read(on: &Token, problems: &mut Problems) -> Events {
    let bare = |token: &Token| {
        let event = Event {
            place: token.place,
            ..Event::default()
        };
        (token.shown(), event)
    };
    let list = match &on.kind {
        Kind::Sequence(items) => items.iter().map(bare).collect(),
        Kind::Mapping(entries) => {
            let entries = entries.iter();
            entries
                .map(|(name, value)| (name.shown(), read_event(name, value, problems)))
                .collect()
        }
        _ => vec![bare(on)],
    };
    Events { list }
}

fn read_event(name: &Token, value: &Token, problems: &mut Problems) -> Event {
    let mut event = Event {
        place: name.place,
        ..Event::default()
    };
    match name.shown().as_str() {
        "schedule" => {
            event.schedules = value
                .items()
                .iter()
                .filter_map(|t| read_schedule(t, problems))
                .collect()
        }
        "workflow_dispatch" => {
            let inputs = value.get("inputs").map_or(&[][..], Token::entries).iter();
            event.inputs = inputs
                .map(|(key, input)| (key.shown(), read_input(key, input, problems)))
                .collect();
        }
        "workflow_call" => {}
        _ => {
            for (key, list) in value.entries() {
                let texts = match &list.kind {
                    Kind::Sequence(items) => items.iter().map(Token::shown).collect(),
                    Kind::Mapping(_) => continue,
                    _ => vec![list.shown()],
                };
                event.filters.insert(key.shown(), texts);
            }
            check_filters(&event, value, problems);
        }
    }
    event
}

/// A filter and its opposite exclude each other (GitHub, workflow syntax, `on.<push|pull_request>.branches`).
fn check_filters(event: &Event, value: &Token, problems: &mut Problems) {
    for name in ["branches", "tags", "paths"] {
        let ignore = format!("{name}-ignore");
        if event.filters.contains_key(name) && event.filters.contains_key(&ignore) {
            let place = value.get(&ignore).map_or(value.place, |token| token.place);
            problems.hinted(
                place,
                format!("you may only define one of `{name}` and `{ignore}` for a single event"),
                Hint::OneFilter(name),
            );
        }
    }
}

fn read_schedule(entry: &Token, problems: &mut Problems) -> Option<Schedule> {
    let cron = entry.get("cron")?;
    let text = cron.shown();
    let Some(parsed) = Cron::parse(&text) else {
        problems.at(cron.place, CRON_FORMAT);
        return None;
    };
    Some(Schedule {
        text,
        cron: parsed,
        timezone: entry.get("timezone").map(Token::shown),
    })
}

fn read_input(key: &Token, input: &Token, problems: &mut Problems) -> DispatchInput {
    let kind = match input.get("type").and_then(Token::as_str) {
        Some("boolean") => InputType::Boolean,
        Some("number") => InputType::Number,
        Some("choice") => InputType::Choice,
        Some("environment") => InputType::Environment,
        _ => InputType::String,
    };
    let options = input
        .get("options")
        .map_or(&[][..], Token::items)
        .iter()
        .map(Token::shown);
    let read = DispatchInput {
        description: input.get("description").map(Token::shown),
        kind,
        required: input.get("required").and_then(Token::as_bool) == Some(true),
        default: input.get("default").cloned(),
        options: options.collect(),
    };
    let place = if input.entries().is_empty() {
        key.place
    } else {
        input.place
    };
    if kind == InputType::Choice && read.options.is_empty() {
        problems.at(place, "Missing 'options' for choice input");
    }
    if kind != InputType::Choice && input.get("options").is_some() {
        problems.at(place, "Input type is not 'choice', but 'options' is defined");
    }
    if let Some(default) = &read.default {
        check_default(default, kind, &read.options, problems);
    }
    read
}

fn check_default(default: &Token, kind: InputType, options: &[String], problems: &mut Problems) {
    let fits = match (kind, &default.kind) {
        (InputType::Boolean, kind) => matches!(kind, Kind::Bool(_)),
        (InputType::Number, kind) => matches!(kind, Kind::Number(_)),
        // A number is as good as its text; `true` is more likely the wrong type.
        (InputType::String, kind) => !matches!(kind, Kind::Bool(_)),
        (InputType::Choice, _) => options.is_empty() || options.contains(&default.shown()),
        (InputType::Environment, _) => true,
    };
    if !fits {
        let message = format!("Unexpected value '{}'", default.shown());
        problems.hinted(default.place, message, Hint::InputType(kind.as_str()));
    }
}

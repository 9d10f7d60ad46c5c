//! A line of the ledger: who did what, when, to what, why, and what it was before and after.

use std::fmt;

use jiff::Timestamp;
use rusqlite::Row;
use serde_json::Value;

use crate::error::{AppendError, malformed};
use crate::limits;

/// The number of a line: 1 for the first, without gaps. 0 is before the first.
pub type Seq = u64;

/// What a caller has to say.
#[derive(Clone, Debug, PartialEq)]
pub struct Line {
    /// When it happened, to the nanosecond, from 1970 to 2262.
    pub at: Timestamp,
    /// Who did it.
    pub actor: Actor,
    /// What happened, as in `run.started`: small letters and digits in words, joined by `.`, `-` or `_`. The closed set of
    /// kinds is the caller's.
    pub kind: String,
    /// What it happened to.
    pub subject: Subject,
    /// Why, in a sentence.
    pub reason: Option<String>,
    /// The state before, where something was changed.
    pub before: Option<Value>,
    /// The state after.
    pub after: Option<Value>,
    /// What else belongs to this kind of line.
    pub data: Value,
}

impl Line {
    /// A line without reason, states and data.
    pub fn new(at: Timestamp, actor: Actor, kind: &str, subject: Subject) -> Line {
        Line {
            at,
            actor,
            kind: kind.to_owned(),
            subject,
            reason: None,
            before: None,
            after: None,
            data: Value::Null,
        }
    }

    /// The same line with a reason.
    #[must_use]
    pub fn because(mut self, reason: impl Into<String>) -> Line {
        self.reason = Some(reason.into());
        self
    }

    /// The same line with data.
    #[must_use]
    pub fn with(mut self, data: Value) -> Line {
        self.data = data;
        self
    }
}

/// Who does something.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Actor {
    /// What it is.
    pub kind: ActorKind,
    /// Its name: of a person, of the part of Deploy, of the webhook's provider.
    pub name: String,
}

impl Actor {
    /// An actor.
    pub fn new(kind: ActorKind, name: impl Into<String>) -> Actor {
        Actor {
            kind,
            name: name.into(),
        }
    }
}

/// What an actor is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ActorKind {
    /// Somebody with a token or at a terminal.
    Person,
    /// A part of Deploy that carries out what was decided.
    Reconciler,
    /// Another system that told us something.
    Webhook,
    /// The clock.
    Schedule,
    /// A job of a workflow.
    Job,
}

impl ActorKind {
    /// All of them.
    pub const ALL: [ActorKind; 5] = [
        ActorKind::Person,
        ActorKind::Reconciler,
        ActorKind::Webhook,
        ActorKind::Schedule,
        ActorKind::Job,
    ];

    /// Its name in the ledger.
    pub fn name(self) -> &'static str {
        match self {
            ActorKind::Person => "person",
            ActorKind::Reconciler => "reconciler",
            ActorKind::Webhook => "webhook",
            ActorKind::Schedule => "schedule",
            ActorKind::Job => "job",
        }
    }

    /// The one with this name.
    pub fn named(name: &str) -> Option<ActorKind> {
        ActorKind::ALL.into_iter().find(|kind| kind.name() == name)
    }
}

impl fmt::Display for ActorKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// What something happens to.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Subject {
    /// As in `run`, `release`, `repository`.
    pub kind: String,
    /// Which of them.
    pub id: String,
}

impl Subject {
    /// A subject.
    pub fn new(kind: impl Into<String>, id: impl Into<String>) -> Subject {
        Subject {
            kind: kind.into(),
            id: id.into(),
        }
    }
}

/// A line that is in the ledger.
#[derive(Clone, Debug, PartialEq)]
pub struct Stored {
    /// Its number.
    pub seq: Seq,
    /// What was said.
    pub line: Line,
}

/// A line that was checked, with its values as text.
pub(crate) struct Prepared {
    pub line: Line,
    at: i64,
    before: Option<String>,
    after: Option<String>,
    data: String,
}

/// The columns that [`read`] expects, in its order.
pub(crate) const COLUMNS: &str =
    "seq, at, actor_kind, actor, kind, subject_kind, subject, reason, before, after, data, checksum";

impl Prepared {
    /// Checks a line against every bound.
    pub fn new(line: Line) -> Result<Prepared, AppendError> {
        let at = i64::try_from(line.at.as_nanosecond())
            .ok()
            .filter(|at| *at >= 0)
            .ok_or_else(|| AppendError::Invalid {
                what: "the time",
                given: line.at.to_string(),
            })?;
        kind_of_name("the kind", &line.kind)?;
        kind_of_name("the kind of the subject", &line.subject.kind)?;
        name("the subject", &line.subject.id)?;
        name("the actor", &line.actor.name)?;
        let reason_bytes = line.reason.as_ref().map_or(0, String::len);
        within("bytes of a reason", reason_bytes, limits::REASON_BYTES)?;
        let text = |value: &Value| -> Result<String, AppendError> {
            if !is_shallow(value, limits::VALUE_DEPTH) {
                return Err(AppendError::TooLarge {
                    what: "levels of a value",
                    size: limits::VALUE_DEPTH + 1,
                    limit: limits::VALUE_DEPTH,
                });
            }
            Ok(value.to_string())
        };
        let prepared = Prepared {
            at,
            before: line.before.as_ref().map(text).transpose()?,
            after: line.after.as_ref().map(text).transpose()?,
            data: text(&line.data)?,
            line,
        };
        within("bytes of a line", prepared.bytes(), limits::LINE_BYTES)?;
        Ok(prepared)
    }

    pub fn bytes(&self) -> usize {
        let optional = |text: &Option<String>| text.as_ref().map_or(0, String::len);
        let Line {
            actor,
            kind,
            subject,
            reason,
            ..
        } = &self.line;
        actor.name.len()
            + kind.len()
            + subject.kind.len()
            + subject.id.len()
            + optional(reason)
            + optional(&self.before)
            + optional(&self.after)
            + self.data.len()
    }

    pub fn insert(&self, insert: &mut rusqlite::CachedStatement<'_>, seq: Seq) -> rusqlite::Result<()> {
        let row = Texts {
            seq: seq as i64,
            at: self.at,
            actor_kind: self.line.actor.kind.name(),
            actor: &self.line.actor.name,
            kind: &self.line.kind,
            subject_kind: &self.line.subject.kind,
            subject: &self.line.subject.id,
            reason: self.line.reason.as_deref(),
            before: self.before.as_deref(),
            after: self.after.as_deref(),
            data: &self.data,
        };
        insert.execute(rusqlite::params![
            row.seq,
            row.at,
            row.actor_kind,
            row.actor,
            row.kind,
            row.subject_kind,
            row.subject,
            row.reason,
            row.before,
            row.after,
            row.data,
            row.checksum(),
        ])?;
        Ok(())
    }
}

/// A row as SQLite has it.
struct Texts<'a> {
    seq: i64,
    at: i64,
    actor_kind: &'a str,
    actor: &'a str,
    kind: &'a str,
    subject_kind: &'a str,
    subject: &'a str,
    reason: Option<&'a str>,
    before: Option<&'a str>,
    after: Option<&'a str>,
    data: &'a str,
}

impl Texts<'_> {
    fn bytes(&self) -> usize {
        let optional = |text: Option<&str>| text.map_or(0, str::len);
        self.actor.len()
            + self.kind.len()
            + self.subject_kind.len()
            + self.subject.len()
            + optional(self.reason)
            + optional(self.before)
            + optional(self.after)
            + self.data.len()
    }

    fn checksum(&self) -> i64 {
        let mut hasher = crc32fast::Hasher::new();
        hasher.update(&self.seq.to_le_bytes());
        hasher.update(&self.at.to_le_bytes());
        for text in [
            self.actor_kind,
            self.actor,
            self.kind,
            self.subject_kind,
            self.subject,
        ] {
            hasher.update(&(text.len() as u64).to_le_bytes());
            hasher.update(text.as_bytes());
        }
        for text in [self.reason, self.before, self.after, Some(self.data)] {
            hasher.update(&text.map_or(u64::MAX, |text| text.len() as u64).to_le_bytes());
            hasher.update(text.unwrap_or_default().as_bytes());
        }
        i64::from(hasher.finalize())
    }
}

/// A row as a line, and its bytes.
///
/// # Errors
/// "database disk image is malformed" when the checksum does not fit: SQLite checks its pages' structure, not what is on
/// them.
pub(crate) fn read(row: &Row<'_>) -> rusqlite::Result<(Stored, usize)> {
    let text = |column: usize| row.get_ref(column)?.as_str().map_err(rusqlite::Error::from);
    let optional = |column: usize| {
        row.get_ref(column)?
            .as_str_or_null()
            .map_err(rusqlite::Error::from)
    };
    let texts = Texts {
        seq: row.get(0)?,
        at: row.get(1)?,
        actor_kind: text(2)?,
        actor: text(3)?,
        kind: text(4)?,
        subject_kind: text(5)?,
        subject: text(6)?,
        reason: optional(7)?,
        before: optional(8)?,
        after: optional(9)?,
        data: text(10)?,
    };
    let seq = texts.seq;
    let wrong = |what: &str| malformed(format!("{what} of line {seq} does not fit"));
    if row.get::<_, i64>(11)? != texts.checksum() {
        return Err(wrong("the checksum"));
    }
    let value = |text: &str| serde_json::from_str::<Value>(text).map_err(|_| wrong("a value"));
    let line = Line {
        at: Timestamp::from_nanosecond(i128::from(texts.at)).map_err(|_| wrong("the time"))?,
        actor: Actor {
            kind: ActorKind::named(texts.actor_kind).ok_or_else(|| wrong("the actor"))?,
            name: texts.actor.to_owned(),
        },
        kind: texts.kind.to_owned(),
        subject: Subject::new(texts.subject_kind, texts.subject),
        reason: texts.reason.map(str::to_owned),
        before: texts.before.map(value).transpose()?,
        after: texts.after.map(value).transpose()?,
        data: value(texts.data)?,
    };
    let stored = Stored {
        seq: seq as u64,
        line,
    };
    Ok((stored, texts.bytes()))
}

fn within(what: &'static str, size: usize, limit: usize) -> Result<(), AppendError> {
    if size <= limit {
        return Ok(());
    }
    Err(AppendError::TooLarge { what, size, limit })
}

fn kind_of_name(what: &'static str, given: &str) -> Result<(), AppendError> {
    within("bytes of a kind", given.len(), limits::KIND_BYTES)?;
    let is_word =
        |word: &str| !word.is_empty() && word.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit());
    if given.split(['.', '-', '_']).all(is_word) {
        return Ok(());
    }
    Err(AppendError::Invalid {
        what,
        given: given.to_owned(),
    })
}

/// Control characters would let one line look like two where people read it.
fn name(what: &'static str, given: &str) -> Result<(), AppendError> {
    within("bytes of a name", given.len(), limits::NAME_BYTES)?;
    if !given.is_empty() && !given.chars().any(char::is_control) {
        return Ok(());
    }
    Err(AppendError::Invalid {
        what,
        given: given.to_owned(),
    })
}

fn is_shallow(value: &Value, depth: usize) -> bool {
    let Some(below) = depth.checked_sub(1) else {
        return false;
    };
    match value {
        Value::Array(items) => items.iter().all(|item| is_shallow(item, below)),
        Value::Object(fields) => fields.values().all(|field| is_shallow(field, below)),
        _ => true,
    }
}

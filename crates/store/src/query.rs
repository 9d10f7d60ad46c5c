//! Questions to the ledger.

use jiff::Timestamp;
use rusqlite::types::Value;
use rusqlite::{Connection, params_from_iter};

use crate::error::ReadError;
use crate::limits;
use crate::line::{self, Actor, ActorKind, COLUMNS, Seq, Stored};

/// Which lines; all of them by default. What is given must hold together.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Query {
    /// Only these kinds; `run.*` names all that begin with `run.`.
    pub kinds: Vec<String>,
    /// Only of this kind of subject.
    pub subject_kind: Option<String>,
    /// Only of subjects with this id.
    pub subject: Option<String>,
    /// Only by this kind of actor.
    pub actor_kind: Option<ActorKind>,
    /// Only by actors of this name.
    pub actor: Option<String>,
    /// Not before.
    pub since: Option<Timestamp>,
    /// Before, and not at.
    pub until: Option<Timestamp>,
    /// Only lines with a larger number.
    pub after: Option<Seq>,
    /// Only lines with a smaller number.
    pub before: Option<Seq>,
    /// The newest lines first, instead of the oldest.
    pub newest_first: bool,
    /// How many at most; [`limits::PAGE_LINES`] by default and at most.
    pub limit: Option<usize>,
}

impl Query {
    /// By this actor.
    #[must_use]
    pub fn by(mut self, actor: &Actor) -> Query {
        self.actor_kind = Some(actor.kind);
        self.actor = Some(actor.name.clone());
        self
    }

    /// Of this subject.
    #[must_use]
    pub fn of(mut self, kind: &str, id: &str) -> Query {
        self.subject_kind = Some(kind.to_owned());
        self.subject = Some(id.to_owned());
        self
    }
}

/// A part of an answer.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Page {
    /// The lines, in the order that was asked for.
    pub lines: Vec<Stored>,
    /// Whether more lines may match: ask again, `after` (or `before`) the last of these.
    pub more: bool,
}

pub(crate) fn run(connection: &Connection, query: &Query) -> Result<Page, ReadError> {
    if query.kinds.len() > limits::QUERY_KINDS {
        return Err(ReadError::TooLarge {
            what: "kinds of a query",
            size: query.kinds.len(),
            limit: limits::QUERY_KINDS,
        });
    }
    let limit = query.limit.unwrap_or(limits::PAGE_LINES).min(limits::PAGE_LINES);
    let (sql, params) = statement(query, limit);
    let mut statement = connection.prepare_cached(&sql)?;
    let mut rows = statement.query(params_from_iter(params))?;
    let mut page = Page::default();
    let mut bytes = 0;
    while let Some(row) = rows.next()? {
        if page.lines.len() == limit || bytes >= limits::PAGE_BYTES {
            page.more = true;
            break;
        }
        let (stored, size) = line::read(row)?;
        bytes += size;
        page.lines.push(stored);
    }
    Ok(page)
}

/// The question as SQL, for one line more than is wanted.
fn statement(query: &Query, limit: usize) -> (String, Vec<Value>) {
    let mut wanted: Vec<String> = Vec::new();
    let mut params: Vec<Value> = Vec::new();
    let mut want = |condition: &str, values: Vec<Value>| {
        wanted.push(condition.to_owned());
        params.extend(values);
    };
    if !query.kinds.is_empty() {
        let mut conditions = Vec::new();
        let mut values = Vec::new();
        for kind in &query.kinds {
            match kind.strip_suffix(".*") {
                // '/' follows '.'.
                Some(prefix) => {
                    conditions.push("kind >= ? AND kind < ?");
                    values.extend([format!("{prefix}.").into(), format!("{prefix}/").into()]);
                }
                None => {
                    conditions.push("kind = ?");
                    values.push(kind.clone().into());
                }
            }
        }
        want(&format!("({})", conditions.join(" OR ")), values);
    }
    for (column, text) in [
        ("subject_kind", query.subject_kind.as_deref()),
        ("subject", query.subject.as_deref()),
        ("actor_kind", query.actor_kind.map(ActorKind::name)),
        ("actor", query.actor.as_deref()),
    ] {
        if let Some(text) = text {
            want(&format!("{column} = ?"), vec![text.to_owned().into()]);
        }
    }
    let nanoseconds = |at: Timestamp| {
        i64::try_from(at.as_nanosecond()).unwrap_or(match at.as_nanosecond() {
            ..0 => i64::MIN,
            _ => i64::MAX,
        })
    };
    let seq = |seq: Seq| i64::try_from(seq).unwrap_or(i64::MAX);
    for (condition, number) in [
        ("at >= ?", query.since.map(nanoseconds)),
        ("at < ?", query.until.map(nanoseconds)),
        ("seq > ?", query.after.map(seq)),
        ("seq < ?", query.before.map(seq)),
    ] {
        if let Some(number) = number {
            want(condition, vec![number.into()]);
        }
    }
    let filter = if wanted.is_empty() {
        String::new()
    } else {
        format!(" WHERE {}", wanted.join(" AND "))
    };
    let order = if query.newest_first { " DESC" } else { "" };
    params.push((limit as i64 + 1).into());
    (
        format!("SELECT {COLUMNS} FROM lines{filter} ORDER BY seq{order} LIMIT ?"),
        params,
    )
}

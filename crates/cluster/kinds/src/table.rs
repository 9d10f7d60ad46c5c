//! What the cells of tables have in common: ages, and the columns of kinds without any of their own
//! (`pkg/printers/internalversion/printers.go`, `apimachinery/pkg/util/duration`,
//! `apiserver/pkg/registry/rest/table.go`).

use serde_json::Value;

use crate::cursor::Field;
use crate::rules::Column;

/// What upstream's OpenAPI says of `metadata.name`, which is the description of every name column.
pub const NAME: &str = "Name must be unique within a namespace. Is required when creating resources, although some resources may allow a client to request the generation of an appropriate name automatically. Name is primarily intended for creation idempotence and configuration definition. Cannot be updated. More info: https://kubernetes.io/docs/concepts/overview/working-with-objects/names#names";

/// The same for `metadata.creationTimestamp`, the description of every age column.
pub const CREATED: &str = "CreationTimestamp is a timestamp representing the server time when this object was created. It is not guaranteed to be set in happens-before order across separate operations. Clients may not set this value. It is represented in RFC3339 form and is in UTC.\n\nPopulated by the system. Read-only. Null for lists. More info: https://git.k8s.io/community/contributors/devel/sig-architecture/api-conventions.md#metadata";

/// The first column of every table.
pub const NAME_COLUMN: Column = Column {
    name: "Name",
    r#type: "string",
    format: "name",
    description: NAME,
    priority: 0,
};

/// The last column of nearly every table.
pub const AGE_COLUMN: Column = column("Age", "string", CREATED);

/// Kinds without columns of their own show when they were made.
pub const NAME_AND_AGE: &[Column] = &[
    NAME_COLUMN,
    Column {
        name: "Created At",
        r#type: "date",
        format: "",
        description: CREATED,
        priority: 0,
    },
];

/// A column that is always shown.
pub const fn column(name: &'static str, r#type: &'static str, description: &'static str) -> Column {
    Column {
        name,
        r#type,
        format: "",
        description,
        priority: 0,
    }
}

/// A column that is shown in wide output only.
pub const fn wide(name: &'static str, r#type: &'static str, description: &'static str) -> Column {
    Column {
        name,
        r#type,
        format: "",
        description,
        priority: 1,
    }
}

/// The cells of [`NAME_AND_AGE`].
pub fn name_and_created(object: &Value, _now: i64) -> Vec<Value> {
    let meta = Field::root(object).get("metadata");
    vec![
        meta.get("name").str().into(),
        meta.get("creationTimestamp").str().into(),
    ]
}

/// `metadata.name`
pub fn name(object: &Value) -> Value {
    Field::root(object).get("metadata").get("name").str().into()
}

/// How long ago the object was made: `5m10s`.
pub fn age(object: &Value, now: i64) -> Value {
    since(
        Field::root(object).get("metadata").get("creationTimestamp").str(),
        now,
    )
    .into()
}

/// How long ago a time in RFC 3339 form was, `<unknown>` where there is none.
pub fn since(time: &str, now: i64) -> String {
    seconds(time).map_or_else(
        || "<unknown>".to_owned(),
        |then| human_duration(now.saturating_sub(then)),
    )
}

/// How far ahead a time in RFC 3339 form is, `<unknown>` where there is none.
pub fn until(time: &str, now: i64) -> String {
    seconds(time).map_or_else(
        || "<unknown>".to_owned(),
        |then| human_duration(then.saturating_sub(now)),
    )
}

/// A time in RFC 3339 form in seconds since 1970.
pub fn seconds(time: &str) -> Option<i64> {
    time.parse::<jiff::Timestamp>()
        .ok()
        .map(jiff::Timestamp::as_second)
}

/// A duration in seconds in the two largest units that matter: `90s`, `5m10s`, `3h`, `2d4h`, `3y20d`.
pub fn human_duration(seconds: i64) -> String {
    let two = |large: i64, unit: char, small: i64, small_unit: char| {
        if small == 0 {
            format!("{large}{unit}")
        } else {
            format!("{large}{unit}{small}{small_unit}")
        }
    };
    let (minutes, hours, days) = (seconds / 60, seconds / 3600, seconds / 86400);
    match seconds {
        ..-1 => "<invalid>".to_owned(),
        -1 => "0s".to_owned(),
        _ if seconds < 120 => format!("{seconds}s"),
        _ if minutes < 10 => two(minutes, 'm', seconds % 60, 's'),
        _ if minutes < 180 => format!("{minutes}m"),
        _ if hours < 8 => two(hours, 'h', minutes % 60, 'm'),
        _ if hours < 48 => format!("{hours}h"),
        _ if hours < 24 * 8 => two(days, 'd', hours % 24, 'h'),
        _ if days < 365 * 2 => format!("{days}d"),
        _ if days < 365 * 8 => two(days / 365, 'y', days % 365, 'd'),
        _ => format!("{}y", days / 365),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_are_written_as_upstream_writes_them() {
        let day = 86400;
        for (seconds, text) in [
            (-2, "<invalid>"),
            (-1, "0s"),
            (0, "0s"),
            (119, "119s"),
            (120, "2m"),
            (125, "2m5s"),
            (600, "10m"),
            (3 * 3600 - 1, "179m"),
            (3 * 3600, "3h"),
            (3 * 3600 + 60, "3h1m"),
            (47 * 3600, "47h"),
            (2 * day, "2d"),
            (7 * day + 3600, "7d1h"),
            (8 * day + 3600, "8d"),
            (729 * day, "729d"),
            (731 * day, "2y1d"),
            (3000 * day, "8y"),
        ] {
            assert_eq!(human_duration(seconds), text, "{seconds}");
        }
        assert_eq!(since("1970-01-01T00:00:00Z", 90), "90s");
        assert_eq!(since("", 90), "<unknown>");
    }
}

//! `metadata.managedFields`: managers, their fields and their times as JSON (apimachinery
//! `managedfields/internal/managedfields.go`).

use std::collections::BTreeMap;

use serde_json::{Map, Value, json};

use super::managers::{Manager, Managers, Operation, Owned};
use crate::fields::{ParseError, Set, quote};

/// What `metadata.managedFields` says.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ManagedFields {
    /// Who owns what.
    pub managers: Managers,
    /// When each manager last changed something: RFC 3339, UTC, whole seconds. Managers without a time exist.
    pub times: BTreeMap<Manager, String>,
}

/// Why a list of entries is refused.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum EntryError {
    /// It is no list of objects.
    #[error("expected a list of managed fields entries")]
    Shape,
    /// Neither `Apply` nor `Update`.
    #[error("operation must be `Apply` or `Update`")]
    Operation,
    /// No version.
    #[error("apiVersion must not be empty")]
    ApiVersion,
    /// No type of fields.
    #[error("missing fieldsType in managed fields entry {0}")]
    MissingFieldsType(usize),
    /// Another type than `FieldsV1`.
    #[error("invalid fieldsType {0} in managed fields entry {1}")]
    FieldsType(String, usize),
    /// The fields are no set.
    #[error("error decoding set: {0}")]
    Fields(ParseError),
}

impl ManagedFields {
    /// Reads `metadata.managedFields`; null or nothing is nobody.
    pub fn decode(entries: Option<&Value>) -> Result<ManagedFields, EntryError> {
        let mut managed = ManagedFields::default();
        let entries = match entries {
            None | Some(Value::Null) => return Ok(managed),
            Some(Value::Array(entries)) => entries,
            Some(_) => return Err(EntryError::Shape),
        };
        for (place, entry) in entries.iter().enumerate() {
            let entry = entry.as_object().ok_or(EntryError::Shape)?;
            let (manager, owned) = decode_entry(entry, place)?;
            if let Some(time) = entry.get("time").and_then(Value::as_str) {
                managed.times.insert(manager.clone(), time.to_owned());
            }
            managed.managers.insert(manager, owned);
        }
        Ok(managed)
    }

    /// The entries, appliers first, then by time; nothing where nobody manages anything.
    pub fn encode(&self) -> Option<Value> {
        if self.managers.is_empty() {
            return None;
        }
        let mut entries: Vec<(&Manager, &Owned, Option<&String>)> = self
            .managers
            .iter()
            .map(|(manager, owned)| (manager, owned, self.times.get(manager)))
            .collect();
        entries.sort_by_key(|(manager, owned, time)| {
            (
                operation(manager, owned),
                *time,
                &manager.name,
                &owned.api_version,
                &manager.subresource,
            )
        });
        Some(
            entries
                .into_iter()
                .map(|(manager, owned, time)| encode_entry(manager, owned, time))
                .collect(),
        )
    }
}

/// Whether entries that a user sends can be read; the text is that of upstream's warning.
pub fn validate_managed_fields(entries: Option<&Value>) -> Result<(), EntryError> {
    ManagedFields::decode(entries).map(|_| ())
}

fn decode_entry(entry: &Map<String, Value>, place: usize) -> Result<(Manager, Owned), EntryError> {
    let text = |key: &str| entry.get(key).and_then(Value::as_str).unwrap_or_default();
    let operation = match text("operation") {
        "Apply" => Operation::Apply,
        "Update" => Operation::Update,
        _ => return Err(EntryError::Operation),
    };
    let api_version = text("apiVersion").to_owned();
    if api_version.is_empty() {
        return Err(EntryError::ApiVersion);
    }
    match text("fieldsType") {
        "FieldsV1" => {}
        "" => return Err(EntryError::MissingFieldsType(place)),
        other => {
            let mut quoted = String::new();
            quote(other, &mut quoted);
            return Err(EntryError::FieldsType(quoted, place));
        }
    }
    let fields = match entry.get("fieldsV1") {
        Some(fields) => Set::from_json(fields).map_err(EntryError::Fields)?,
        None => Set::default(),
    };
    let applied = operation == Operation::Apply;
    let manager = Manager {
        name: text("manager").to_owned(),
        operation,
        api_version: if applied {
            String::new()
        } else {
            api_version.clone()
        },
        subresource: text("subresource").to_owned(),
    };
    Ok((
        manager,
        Owned {
            fields,
            api_version,
            applied,
        },
    ))
}

fn operation(manager: &Manager, owned: &Owned) -> Operation {
    if owned.applied {
        Operation::Apply
    } else {
        manager.operation
    }
}

fn encode_entry(manager: &Manager, owned: &Owned, time: Option<&String>) -> Value {
    let mut entry = Map::new();
    entry.insert("apiVersion".to_owned(), json!(owned.api_version));
    entry.insert("fieldsType".to_owned(), json!("FieldsV1"));
    entry.insert("fieldsV1".to_owned(), owned.fields.to_json());
    entry.insert("operation".to_owned(), json!(operation(manager, owned).word()));
    if !manager.name.is_empty() {
        entry.insert("manager".to_owned(), json!(manager.name));
    }
    if !manager.subresource.is_empty() {
        entry.insert("subresource".to_owned(), json!(manager.subresource));
    }
    if let Some(time) = time {
        entry.insert("time".to_owned(), json!(time));
    }
    Value::Object(entry)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entry(manager: &str, operation: &str, time: Option<&str>) -> Value {
        let mut entry = json!({"manager": manager, "operation": operation, "apiVersion": "v1",
            "fieldsType": "FieldsV1", "fieldsV1": {"f:data": {}}});
        if let Some(time) = time {
            entry["time"] = json!(time);
        }
        entry
    }

    #[test]
    fn entries_survive_and_are_sorted() {
        let sorted = json!([
            entry("b", "Apply", None),
            entry("a", "Apply", Some("2024-01-01T00:00:00Z")),
            entry("z", "Update", Some("2023-01-01T00:00:00Z")),
            entry("a", "Update", Some("2024-01-01T00:00:00Z")),
            entry("b", "Update", Some("2024-01-01T00:00:00Z")),
        ]);
        let mut reversed = sorted.clone();
        reversed.as_array_mut().expect("a list").reverse();
        let managed = ManagedFields::decode(Some(&reversed)).expect("the entries are valid");
        assert_eq!(managed.encode(), Some(sorted));
        assert_eq!(ManagedFields::default().encode(), None);
    }

    #[test]
    fn bad_entries_are_named() {
        for (key, value, want) in [
            (
                "operation",
                json!("Delete"),
                "operation must be `Apply` or `Update`",
            ),
            ("apiVersion", json!(""), "apiVersion must not be empty"),
            (
                "fieldsType",
                json!(""),
                "missing fieldsType in managed fields entry 0",
            ),
            (
                "fieldsType",
                json!("V2"),
                "invalid fieldsType \"V2\" in managed fields entry 0",
            ),
            (
                "fieldsV1",
                json!({"f": {}}),
                "error decoding set: parsing key as path element: key must be 2 characters long:",
            ),
        ] {
            let mut entry = entry("a", "Update", None);
            entry[key] = value;
            let error = validate_managed_fields(Some(&json!([entry]))).expect_err(want);
            assert_eq!(error.to_string(), want);
        }
    }
}

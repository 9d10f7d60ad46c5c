//! What a verb came to, in the form that the client asked for.

use std::sync::Arc;

use bytes::Bytes;
use deploy_cluster_storage::Entry;
use serde_json::{Value, json};

use crate::encode::{self, ListMeta, ListText};
use crate::identifiers;
use crate::negotiate::{Format, Output, Shape, not_acceptable};
use crate::options::Query;
use crate::scope::Scope;
use crate::status::StatusError;
use crate::table;
use crate::verbs::{Object, Outcome, parsed};

/// What the rows of a table carry besides their cells.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum IncludeObject {
    /// The whole object.
    Object,
    /// Its metadata.
    #[default]
    Metadata,
    /// Nothing.
    None,
}

/// Prints objects for one client.
#[derive(Clone, Debug)]
pub struct Printer {
    output: Output,
    include: IncludeObject,
    /// A watch has sent the columns of its table.
    columns_sent: bool,
}

impl Printer {
    /// A printer; the options of tables are read from the query.
    pub fn new(output: Output, query: &Query) -> Result<Printer, StatusError> {
        let include = match query.text("includeObject").as_str() {
            "Object" => IncludeObject::Object,
            "" | "Metadata" => IncludeObject::Metadata,
            "None" => IncludeObject::None,
            other if matches!(output.shape, Some((Shape::Table, _))) => {
                return Err(StatusError::bad_request(format!(
                    "Unable to convert to Table as requested: includeObject: Invalid value: {}: must be 'Metadata', \
                     'Object', 'None', or empty",
                    deploy_cluster_kinds::field::go_quote(other)
                )));
            }
            _ => IncludeObject::Metadata,
        };
        Ok(Printer {
            output,
            include,
            columns_sent: false,
        })
    }

    /// The `Content-Type`.
    pub fn media_type(&self) -> &'static str {
        self.output.format.media_type()
    }

    /// The status code and the body of an answer.
    pub fn answer(&self, scope: &Scope, outcome: Outcome) -> Result<(u16, Bytes), StatusError> {
        match outcome {
            Outcome::Other { status, object } => Ok((status, self.value(&self.other(object)))),
            Outcome::Object { status, object } => Ok((status, self.object(scope, object)?)),
            Outcome::List { entries, meta } => Ok((200, self.list(scope, &entries, &meta)?)),
        }
    }

    /// Any value.
    pub fn value(&self, value: &Value) -> Bytes {
        self.text(encode::plain(value))
    }

    /// Of what is sent as it is, only a Scale has other forms: it has metadata.
    fn other(&self, object: Value) -> Value {
        match self.output.shape {
            Some((Shape::Table, version)) if object["kind"] == "Scale" => {
                table::of_scale(&object, version, self.include)
            }
            Some((Shape::PartialObject, version)) if object["kind"] == "Scale" => partial(&object, version),
            _ => object,
        }
    }

    fn object(&self, scope: &Scope, object: Object) -> Result<Bytes, StatusError> {
        match self.output.shape {
            None => Ok(self.text(plain(scope, object))),
            Some((Shape::Table, version)) => {
                let object = scope.to_served(object.into_value());
                let meta = ListMeta {
                    resource_version: crate::object::resource_version(&object).to_owned(),
                    ..ListMeta::default()
                };
                let objects = [Arc::new(object)];
                Ok(self.value(&table::table(scope, &objects, &meta, version, self.include, true)))
            }
            Some((Shape::PartialObject, version)) => {
                Ok(self.value(&partial(&scope.to_served(object.into_value()), version)))
            }
            Some((Shape::PartialList, _)) => Err(not_acceptable(format!(
                "you requested PartialObjectMetadataList, but the requested object is not a list ({})",
                go_type(scope, false)
            ))),
        }
    }

    fn list(&self, scope: &Scope, entries: &[Arc<Entry>], meta: &ListMeta) -> Result<Bytes, StatusError> {
        match self.output.shape {
            None => Ok(self.text(plain_list(scope, entries, meta))),
            Some((Shape::Table, version)) => {
                let objects: Vec<Arc<Value>> = entries.iter().map(|entry| served(scope, entry)).collect();
                Ok(self.value(&table::table(scope, &objects, meta, version, self.include, true)))
            }
            Some((Shape::PartialList, version)) => {
                let items: Vec<Value> = entries
                    .iter()
                    .map(|entry| partial(&served(scope, entry), version))
                    .collect();
                Ok(self.value(&json!({
                    "kind": "PartialObjectMetadataList",
                    "apiVersion": format!("meta.k8s.io/{version}"),
                    "metadata": meta.to_value(),
                    // Go's empty slice, of which nobody made a list.
                    "items": if items.is_empty() { Value::Null } else { items.into() },
                })))
            }
            Some((Shape::PartialObject, _)) => Err(not_acceptable(format!(
                "you requested PartialObjectMetadata, but the requested object is a list ({})",
                go_type(scope, true)
            ))),
        }
    }

    /// One line of a watch.
    pub(crate) fn watch_line(&mut self, scope: &Scope, event: &str, object: Object) -> Bytes {
        let body = match self.output.shape {
            None => plain(scope, object),
            Some(shape) => self.shaped(scope, scope.to_served(object.into_value()), shape),
        };
        self.line(event, &body)
    }

    /// An object of a watch as a table of one row, whose columns are sent once, or as its metadata alone.
    fn shaped(&mut self, scope: &Scope, object: Value, (shape, version): (Shape, &'static str)) -> Bytes {
        if !matches!(shape, Shape::Table) {
            return encode::plain(&partial(&object, version));
        }
        let meta = ListMeta {
            resource_version: crate::object::resource_version(&object).to_owned(),
            ..ListMeta::default()
        };
        let first = !std::mem::replace(&mut self.columns_sent, true);
        encode::plain(&table::table(
            scope,
            &[Arc::new(object)],
            &meta,
            version,
            self.include,
            first,
        ))
    }

    /// A BOOKMARK of a watch; the object is in the served version.
    pub(crate) fn bookmark_line(&mut self, scope: &Scope, object: Value) -> Bytes {
        let body = match self.output.shape {
            None => encode::plain(&object),
            Some(shape) => self.shaped(scope, object, shape),
        };
        self.line("BOOKMARK", &body)
    }

    fn line(&self, event: &str, body: &[u8]) -> Bytes {
        let line = encode::watch_line(event, body);
        match self.output.format {
            Format::Json => line,
            Format::Yaml => {
                let value: Value = serde_json::from_slice(&line).unwrap_or_default();
                format!("---\n{}", deploy_yaml::emit_sigs(&value)).into()
            }
        }
    }

    fn text(&self, body: Bytes) -> Bytes {
        match self.output.format {
            Format::Json if self.output.pretty => encode::indented(&body),
            Format::Json => body,
            Format::Yaml => {
                let value: Value = serde_json::from_slice(&body).unwrap_or_default();
                deploy_yaml::emit_sigs(&value).into()
            }
        }
    }
}

fn plain(scope: &Scope, object: Object) -> Bytes {
    match object {
        Object::Stored(entry) if scope.shows(&entry) => entry.body.clone(),
        object => encode::plain(&scope.to_served(object.into_value())),
    }
}

fn served(scope: &Scope, entry: &Entry) -> Arc<Value> {
    let object = parsed(entry);
    if scope.shows(entry) {
        object
    } else {
        Arc::new(scope.to_served((*object).clone()))
    }
}

/// Items of built-in lists do not say what they are; custom resources do.
fn plain_list(scope: &Scope, entries: &[Arc<Entry>], meta: &ListMeta) -> Bytes {
    let size = entries.iter().map(|entry| entry.body.len()).sum();
    let api_version = scope.served.api_version();
    let mut meta = meta.to_value();
    if scope.is_custom() && meta["continue"].is_null() {
        meta["continue"] = "".into();
    }
    let mut list = ListText::new(&scope.resource.list_kind, &api_version, &meta, size);
    for entry in entries {
        let converted;
        let body: &[u8] = if scope.shows(entry) {
            &entry.body
        } else {
            converted = encode::plain(&scope.to_served((*parsed(entry)).clone()));
            &converted
        };
        let skip = if scope.is_custom() {
            None
        } else {
            encode::without_type(body, &scope.served.kind, &api_version)
        };
        list.push(body, skip.unwrap_or(0));
    }
    list.finish()
}

/// The metadata of an object alone.
pub(crate) fn partial(object: &Value, version: &str) -> Value {
    let mut metadata = object["metadata"].clone();
    // It is not in the object that the server holds, only in its version v1 (`pkg/apis/apps/v1/conversion.go`).
    if object["kind"] == "DaemonSet"
        && let Some(annotations) = metadata.get_mut("annotations").and_then(Value::as_object_mut)
    {
        annotations.remove("deprecated.daemonset.template.generation");
        if annotations.is_empty()
            && let Some(metadata) = metadata.as_object_mut()
        {
            metadata.remove("annotations");
        }
    }
    json!({
        "kind": "PartialObjectMetadata",
        "apiVersion": format!("meta.k8s.io/{version}"),
        "metadata": metadata,
    })
}

/// What Go calls the type of an object inside of the server, which 406 shows.
fn go_type(scope: &Scope, list: bool) -> String {
    if scope.is_custom() {
        return if list {
            "*unstructured.UnstructuredList"
        } else {
            "*unstructured.Unstructured"
        }
        .to_owned();
    }
    let package = go_package(&scope.stored.group);
    let suffix = if list { "List" } else { "" };
    format!("*{package}.{}{suffix}", scope.stored.kind)
}

/// The package of a group's internal types in Go.
pub(crate) fn go_package(group: &str) -> &str {
    match group.split('.').next() {
        None | Some("") => "core",
        Some(first) => first,
    }
}

/// The time of tables.
pub(crate) fn now() -> i64 {
    identifiers::now_seconds()
}

//! The messages of `gnostic-models/openapiv2/OpenAPIv2.proto` that our documents use.

use serde_json::Value;

use super::protobuf::{self, Kind, Message, add_bytes, add_named};

/// The document without paths and definitions, which [`add_paths_and_definitions`] adds.
pub static DOCUMENT: Message = Message {
    members: &[
        ("swagger", 1, Kind::Text),
        ("info", 2, Kind::One(info)),
        ("parameters", 10, Kind::Named(1, parameter)),
        ("security", 12, Kind::NamedTexts),
        ("securityDefinitions", 13, Kind::Named(1, security_definition)),
    ],
    extensions: 16,
};

/// Adds one path to the content of the message `Paths`.
pub fn add_path(paths: &mut Vec<u8>, path: &str, item: &Value) {
    add_named(paths, 2, path, &protobuf::encode(&PATH_ITEM, item));
}

/// Adds one definition to the content of the message `Definitions`.
pub fn add_definition(definitions: &mut Vec<u8>, name: &str, schema: &Value) {
    add_named(definitions, 1, name, &protobuf::encode(&SCHEMA, schema));
}

/// Adds both to a document.
pub fn add_paths_and_definitions(document: &mut Vec<u8>, paths: &[u8], definitions: &[u8]) {
    add_bytes(document, 8, paths);
    add_bytes(document, 9, definitions);
}

static INFO: Message = Message {
    members: &[
        ("title", 1, Kind::Text),
        ("version", 2, Kind::Text),
        ("description", 3, Kind::Text),
    ],
    extensions: 7,
};

static API_KEY: Message = Message {
    members: &[
        ("type", 1, Kind::Text),
        ("name", 2, Kind::Text),
        ("in", 3, Kind::Text),
        ("description", 4, Kind::Text),
    ],
    extensions: 5,
};

static PATH_ITEM: Message = Message {
    members: &[
        ("get", 2, Kind::One(operation)),
        ("put", 3, Kind::One(operation)),
        ("post", 4, Kind::One(operation)),
        ("delete", 5, Kind::One(operation)),
        ("options", 6, Kind::One(operation)),
        ("head", 7, Kind::One(operation)),
        ("patch", 8, Kind::One(operation)),
        ("parameters", 9, Kind::Many(parameter_or_reference)),
    ],
    extensions: 10,
};

static OPERATION: Message = Message {
    members: &[
        ("tags", 1, Kind::Texts),
        ("description", 3, Kind::Text),
        ("operationId", 5, Kind::Text),
        ("produces", 6, Kind::Texts),
        ("consumes", 7, Kind::Texts),
        ("parameters", 8, Kind::Many(parameter_or_reference)),
        ("responses", 9, Kind::Named(1, response)),
        ("schemes", 10, Kind::Texts),
        ("deprecated", 11, Kind::Bool),
    ],
    extensions: 13,
};

static RESPONSE: Message = Message {
    members: &[
        ("description", 1, Kind::Text),
        ("schema", 2, Kind::One(schema_inside)),
    ],
    extensions: 5,
};

static REFERENCE: Message = Message {
    members: &[("$ref", 1, Kind::Text), ("description", 2, Kind::Text)],
    extensions: 0,
};

static BODY_PARAMETER: Message = Message {
    members: &[
        ("description", 1, Kind::Text),
        ("name", 2, Kind::Text),
        ("in", 3, Kind::Text),
        ("required", 4, Kind::Bool),
        ("schema", 5, Kind::One(schema)),
    ],
    extensions: 6,
};

/// Parameters in a header or in the path.
static PLACE_PARAMETER: Message = Message {
    members: &[
        ("required", 1, Kind::Bool),
        ("in", 2, Kind::Text),
        ("description", 3, Kind::Text),
        ("name", 4, Kind::Text),
        ("type", 5, Kind::Text),
        ("format", 6, Kind::Text),
        ("uniqueItems", 19, Kind::Bool),
    ],
    extensions: 22,
};

/// Parameters in the query.
static QUERY_PARAMETER: Message = Message {
    members: &[
        ("required", 1, Kind::Bool),
        ("in", 2, Kind::Text),
        ("description", 3, Kind::Text),
        ("name", 4, Kind::Text),
        ("type", 6, Kind::Text),
        ("format", 7, Kind::Text),
        ("uniqueItems", 20, Kind::Bool),
    ],
    extensions: 23,
};

static SCHEMA: Message = Message {
    members: &[
        ("$ref", 1, Kind::Text),
        ("format", 2, Kind::Text),
        ("title", 3, Kind::Text),
        ("description", 4, Kind::Text),
        ("default", 5, Kind::Any),
        ("multipleOf", 6, Kind::Float),
        ("maximum", 7, Kind::Float),
        ("exclusiveMaximum", 8, Kind::Bool),
        ("minimum", 9, Kind::Float),
        ("exclusiveMinimum", 10, Kind::Bool),
        ("maxLength", 11, Kind::Integer),
        ("minLength", 12, Kind::Integer),
        ("pattern", 13, Kind::Text),
        ("maxItems", 14, Kind::Integer),
        ("minItems", 15, Kind::Integer),
        ("uniqueItems", 16, Kind::Bool),
        ("maxProperties", 17, Kind::Integer),
        ("minProperties", 18, Kind::Integer),
        ("required", 19, Kind::Texts),
        ("enum", 20, Kind::Anys),
        ("additionalProperties", 21, Kind::OneOrBool(schema)),
        ("type", 22, Kind::TextsInside),
        ("items", 23, Kind::One(schema_inside)),
        ("allOf", 24, Kind::Many(schema)),
        ("properties", 25, Kind::Named(1, schema)),
        ("readOnly", 27, Kind::Bool),
        ("example", 30, Kind::Any),
    ],
    extensions: 31,
};

fn info(_: &Value) -> (&'static [u32], &'static Message) {
    (&[], &INFO)
}

fn operation(_: &Value) -> (&'static [u32], &'static Message) {
    (&[], &OPERATION)
}

fn schema(_: &Value) -> (&'static [u32], &'static Message) {
    (&[], &SCHEMA)
}

fn schema_inside(_: &Value) -> (&'static [u32], &'static Message) {
    (&[1], &SCHEMA)
}

fn response(_: &Value) -> (&'static [u32], &'static Message) {
    (&[1], &RESPONSE)
}

fn security_definition(_: &Value) -> (&'static [u32], &'static Message) {
    (&[2], &API_KEY)
}

fn parameter(value: &Value) -> (&'static [u32], &'static Message) {
    match value["in"].as_str() {
        Some("body") => (&[1], &BODY_PARAMETER),
        Some("header") => (&[2, 1], &PLACE_PARAMETER),
        Some("path") => (&[2, 4], &PLACE_PARAMETER),
        _ => (&[2, 3], &QUERY_PARAMETER),
    }
}

fn parameter_or_reference(value: &Value) -> (&'static [u32], &'static Message) {
    if value.get("$ref").is_some() {
        return (&[2], &REFERENCE);
    }
    match value["in"].as_str() {
        Some("body") => (&[1, 1], &BODY_PARAMETER),
        Some("header") => (&[1, 2, 1], &PLACE_PARAMETER),
        Some("path") => (&[1, 2, 4], &PLACE_PARAMETER),
        _ => (&[1, 2, 3], &QUERY_PARAMETER),
    }
}

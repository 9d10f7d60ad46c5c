//! The messages of `gnostic-models/openapiv3/OpenAPIv3.proto` that our documents use.

use serde_json::Value;

use super::protobuf::{Kind, Message};

/// A whole document.
pub static DOCUMENT: Message = Message {
    members: &[
        ("openapi", 1, Kind::Text),
        ("info", 2, Kind::One(info)),
        ("paths", 4, Kind::Named(1, path_item)),
        ("components", 5, Kind::One(components)),
        ("security", 6, Kind::NamedTexts),
    ],
    extensions: 9,
};

static INFO: Message = Message {
    members: &[
        ("title", 1, Kind::Text),
        ("description", 2, Kind::Text),
        ("version", 6, Kind::Text),
    ],
    extensions: 7,
};

static COMPONENTS: Message = Message {
    members: &[
        ("schemas", 1, Kind::Named(1, schema)),
        ("securitySchemes", 7, Kind::Named(1, security_scheme)),
    ],
    extensions: 10,
};

static SECURITY_SCHEME: Message = Message {
    members: &[
        ("type", 1, Kind::Text),
        ("description", 2, Kind::Text),
        ("name", 3, Kind::Text),
        ("in", 4, Kind::Text),
    ],
    extensions: 9,
};

static PATH_ITEM: Message = Message {
    members: &[
        ("description", 3, Kind::Text),
        ("get", 4, Kind::One(operation)),
        ("put", 5, Kind::One(operation)),
        ("post", 6, Kind::One(operation)),
        ("delete", 7, Kind::One(operation)),
        ("options", 8, Kind::One(operation)),
        ("head", 9, Kind::One(operation)),
        ("patch", 10, Kind::One(operation)),
        ("parameters", 13, Kind::Many(parameter)),
    ],
    extensions: 14,
};

static OPERATION: Message = Message {
    members: &[
        ("tags", 1, Kind::Texts),
        ("description", 3, Kind::Text),
        ("operationId", 5, Kind::Text),
        ("parameters", 6, Kind::Many(parameter)),
        ("requestBody", 7, Kind::One(request_body)),
        ("responses", 8, Kind::Named(2, response)),
        ("deprecated", 10, Kind::Bool),
    ],
    extensions: 13,
};

static PARAMETER: Message = Message {
    members: &[
        ("name", 1, Kind::Text),
        ("in", 2, Kind::Text),
        ("description", 3, Kind::Text),
        ("required", 4, Kind::Bool),
        ("schema", 10, Kind::One(schema)),
    ],
    extensions: 14,
};

static REQUEST_BODY: Message = Message {
    members: &[
        ("description", 1, Kind::Text),
        ("content", 2, Kind::Named(1, media_type)),
        ("required", 3, Kind::Bool),
    ],
    extensions: 4,
};

static RESPONSE: Message = Message {
    members: &[
        ("description", 1, Kind::Text),
        ("content", 3, Kind::Named(1, media_type)),
    ],
    extensions: 5,
};

static MEDIA_TYPE: Message = Message {
    members: &[("schema", 1, Kind::One(schema))],
    extensions: 5,
};

static REFERENCE: Message = Message {
    members: &[("$ref", 1, Kind::Text), ("description", 3, Kind::Text)],
    extensions: 0,
};

static SCHEMA: Message = Message {
    members: &[
        ("nullable", 1, Kind::Bool),
        ("readOnly", 3, Kind::Bool),
        ("example", 7, Kind::Any),
        ("deprecated", 8, Kind::Bool),
        ("title", 9, Kind::Text),
        ("multipleOf", 10, Kind::Float),
        ("maximum", 11, Kind::Float),
        ("exclusiveMaximum", 12, Kind::Bool),
        ("minimum", 13, Kind::Float),
        ("exclusiveMinimum", 14, Kind::Bool),
        ("maxLength", 15, Kind::Integer),
        ("minLength", 16, Kind::Integer),
        ("pattern", 17, Kind::Text),
        ("maxItems", 18, Kind::Integer),
        ("minItems", 19, Kind::Integer),
        ("uniqueItems", 20, Kind::Bool),
        ("maxProperties", 21, Kind::Integer),
        ("minProperties", 22, Kind::Integer),
        ("required", 23, Kind::Texts),
        ("enum", 24, Kind::Anys),
        ("type", 25, Kind::Text),
        ("allOf", 26, Kind::Many(schema)),
        ("oneOf", 27, Kind::Many(schema)),
        ("anyOf", 28, Kind::Many(schema)),
        ("not", 29, Kind::One(schema_itself)),
        ("items", 30, Kind::One(items)),
        ("properties", 31, Kind::Named(1, schema)),
        ("additionalProperties", 32, Kind::OneOrBool(schema)),
        ("default", 33, Kind::Plain),
        ("description", 34, Kind::Text),
        ("format", 35, Kind::Text),
    ],
    extensions: 36,
};

fn info(_: &Value) -> (&'static [u32], &'static Message) {
    (&[], &INFO)
}

fn components(_: &Value) -> (&'static [u32], &'static Message) {
    (&[], &COMPONENTS)
}

fn security_scheme(_: &Value) -> (&'static [u32], &'static Message) {
    (&[1], &SECURITY_SCHEME)
}

fn path_item(_: &Value) -> (&'static [u32], &'static Message) {
    (&[], &PATH_ITEM)
}

fn operation(_: &Value) -> (&'static [u32], &'static Message) {
    (&[], &OPERATION)
}

fn parameter(_: &Value) -> (&'static [u32], &'static Message) {
    (&[1], &PARAMETER)
}

fn request_body(_: &Value) -> (&'static [u32], &'static Message) {
    (&[1], &REQUEST_BODY)
}

fn response(_: &Value) -> (&'static [u32], &'static Message) {
    (&[1], &RESPONSE)
}

fn media_type(_: &Value) -> (&'static [u32], &'static Message) {
    (&[], &MEDIA_TYPE)
}

fn schema(value: &Value) -> (&'static [u32], &'static Message) {
    if value.get("$ref").is_some() {
        (&[2], &REFERENCE)
    } else {
        (&[1], &SCHEMA)
    }
}

fn schema_itself(_: &Value) -> (&'static [u32], &'static Message) {
    (&[], &SCHEMA)
}

fn items(value: &Value) -> (&'static [u32], &'static Message) {
    if value.get("$ref").is_some() {
        (&[1, 2], &REFERENCE)
    } else {
        (&[1, 1], &SCHEMA)
    }
}

//! Bodies in protobuf, as typed Go clients send them (`kubectl create`, `kubectl create token`, controllers).
//!
//! Only requests are read: every client that sends protobuf takes JSON for an answer. Which number is which field stands
//! in `messages.txt`, made of what Kubernetes publishes by `tests/it/protobuf.rs`; which fields are parts of their
//! parent in JSON is known from the types.

mod declared;
mod message;
mod table;
mod wire;

pub(crate) use declared::patched;
use deploy_cluster_schema::registry::{GroupVersionKind, Registry};
use serde_json::Value;

/// What a body starts with (`apimachinery/pkg/runtime/serializer/protobuf`).
const MAGIC: &[u8] = b"k8s\0";

/// Reads a body as the JSON that the same object has.
pub(crate) fn to_json(
    registry: &Registry,
    expected: &GroupVersionKind,
    body: &[u8],
) -> Result<Value, String> {
    let Some(envelope) = body.strip_prefix(MAGIC) else {
        return Err(
            "provided data does not appear to be a protobuf message, expected prefix [107 56 115 0]"
                .to_owned(),
        );
    };
    let envelope = Envelope::read(envelope).ok_or("proto: illegal envelope")?;
    let kind = match envelope.kind {
        "" => expected.clone(),
        kind => GroupVersionKind::parse(envelope.api_version, kind)
            .ok_or_else(|| format!("unexpected GroupVersion string: {}", envelope.api_version))?,
    };
    let Some(name) = table::message_of(&kind) else {
        let version = kind.api_version();
        return Err(format!(
            "no kind \"{}\" is registered for version \"{version}\" in scheme \"pkg/runtime/scheme.go:110\"",
            kind.kind
        ));
    };
    let types = registry.types(&kind);
    let mut object =
        message::read(name, envelope.raw, types).ok_or("proto: wrong wireType or unexpected EOF")?;
    object["apiVersion"] = kind.api_version().into();
    object["kind"] = (*kind.kind).into();
    Ok(object)
}

/// `runtime.Unknown`: what the object is, and its bytes.
struct Envelope<'a> {
    api_version: &'a str,
    kind: &'a str,
    raw: &'a [u8],
}

impl<'a> Envelope<'a> {
    fn read(bytes: &'a [u8]) -> Option<Envelope<'a>> {
        let mut envelope = Envelope {
            api_version: "",
            kind: "",
            raw: &[],
        };
        for field in wire::Fields::new(bytes) {
            match field? {
                (1, wire::Value::Bytes(meta)) => {
                    for field in wire::Fields::new(meta) {
                        match field? {
                            (1, wire::Value::Bytes(text)) => {
                                envelope.api_version = std::str::from_utf8(text).ok()?
                            }
                            (2, wire::Value::Bytes(text)) => {
                                envelope.kind = std::str::from_utf8(text).ok()?
                            }
                            _ => {}
                        }
                    }
                }
                (2, wire::Value::Bytes(raw)) => envelope.raw = raw,
                _ => {}
            }
        }
        Some(envelope)
    }
}

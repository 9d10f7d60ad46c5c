//! The OpenAPI documents, from which clients learn the types: kubectl (`explain`, `apply`, `diff`), helm.
//!
//! What Kubernetes itself has is kept as text and only put together, a document at a time, so that serving one needs no
//! tree of it in memory; custom resources are written beside it. No document has the descriptions of Kubernetes.
//!
//! Facts: `kube-openapi/pkg/{builder,builder3,handler,handler3}`, `apiextensions-apiserver/pkg/controller/openapi`.

mod custom;
mod gnostic_v2;
mod gnostic_v3;
mod paths;
mod protobuf;
mod version_2;
mod version_3;

use std::fmt::Write as _;

use sha2::{Digest, Sha512};

pub use version_2::{v2, v2_protobuf};
pub use version_3::{v3_document, v3_index, v3_protobuf};

/// The content type of [`v2_protobuf`], as clients ask for it. Upstream answers with `.` instead of `@`.
pub const V2_PROTOBUF: &str = "application/com.github.proto-openapi.spec.v2@v1.0+protobuf";

/// The content type of [`v3_protobuf`].
pub const V3_PROTOBUF: &str = "application/com.github.proto-openapi.spec.v3@v1.0+protobuf";

/// A document as JSON text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Document {
    /// The text.
    pub json: String,
    /// By which clients know whether they have it: the entity tag, and `hash` in the index of v3.
    pub hash: String,
}

/// The version of the API that the documents name.
const VERSION: &str = "1.34";

/// The definition of the one way to authenticate that upstream names.
const BEARER_TOKEN: &str = r#"{"BearerToken":{"description":"Bearer Token authentication","in":"header","name":"authorization","type":"apiKey"}}"#;

fn hash(text: &str) -> String {
    let sum = Sha512::digest(text);
    sum.iter().fold(String::with_capacity(128), |mut text, byte| {
        write!(text, "{byte:02X}").expect("writing to a string cannot fail");
        text
    })
}

/// The rows of a section: a name and JSON.
fn rows(section: &str) -> impl Iterator<Item = (&str, &str)> {
    section.lines().filter_map(|line| line.split_once('\t'))
}

/// Adds `"name":json` to an object that is being written.
fn add_member(text: &mut String, name: &str, json: &str) {
    if !text.ends_with('{') {
        text.push(',');
    }
    text.push_str(&serde_json::Value::from(name).to_string());
    text.push(':');
    text.push_str(json);
}

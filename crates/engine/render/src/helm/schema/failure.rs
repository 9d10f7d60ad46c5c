//! What does not fit a schema, as a tree, and its text: that of santhosh-tekuri/jsonschema, which helm prints.

use super::json::{Json, escaped};
use crate::helm::go::quote;

/// One thing that does not fit.
#[derive(Clone, Debug, Default)]
pub struct Failure {
    /// The keys and indexes on the way to the value.
    pub path: Vec<String>,
    /// What is wrong.
    pub kind: Kind,
    /// Why, in detail.
    pub causes: Vec<Failure>,
}

/// What is wrong.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Kind {
    /// Several things at one value.
    #[default]
    Group,
    /// What a reference leads to does not fit; not shown where it has one cause.
    Reference,
    /// This.
    Text(String),
}

/// The whole text, under the schema's name.
pub fn text(failure: &Failure, location: &str) -> String {
    let mut out = format!("jsonschema validation failed with {}", quoted(location));
    match failure.kind {
        Kind::Group => failure.causes.iter().for_each(|cause| write(&mut out, cause, 1)),
        _ => write(&mut out, failure, 1),
    }
    out
}

/// Text in single quotes, escaped as Go's `%q` does.
pub fn quoted(text: &str) -> String {
    let double = quote::quoted(text);
    let inner = double[1..double.len() - 1]
        .replace("\\\"", "\"")
        .replace('\'', "\\'");
    format!("'{inner}'")
}

/// Several of them with commas.
pub fn all_quoted<'t>(texts: impl IntoIterator<Item = &'t str>) -> String {
    let texts: Vec<String> = texts.into_iter().map(quoted).collect();
    texts.join(", ")
}

/// A scalar as it is shown.
pub fn shown(value: &Json) -> String {
    match value {
        Json::Null => "<nil>".to_owned(),
        Json::Bool(b) => b.to_string(),
        Json::Number(n) => n.clone(),
        Json::String(s) => quoted(s),
        Json::Array(_) | Json::Object(_) => "value".to_owned(),
    }
}

fn write(out: &mut String, failure: &Failure, mut level: usize) {
    if !(failure.kind == Kind::Reference && failure.causes.len() == 1) {
        out.push('\n');
        out.push_str(&"  ".repeat(level - 1));
        let pointer: String = failure
            .path
            .iter()
            .map(|token| format!("/{}", escaped(token)))
            .collect();
        let what = match &failure.kind {
            Kind::Group | Kind::Reference => "validation failed",
            Kind::Text(text) => text,
        };
        out.push_str(&format!("- at {}: {what}", quoted(&pointer)));
        level += 1;
    }
    for cause in &failure.causes {
        write(out, cause, level);
    }
}

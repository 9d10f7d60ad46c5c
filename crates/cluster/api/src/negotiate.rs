//! Which form a body has and which form an answer takes (`apiserver/pkg/endpoints/handlers/negotiation`).

use crate::options::Query;
use crate::request::Request;
use crate::status::StatusError;

/// The text form of an answer.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Format {
    /// `application/json`
    #[default]
    Json,
    /// `application/yaml`
    Yaml,
}

impl Format {
    /// The `Content-Type`.
    pub fn media_type(self) -> &'static str {
        match self {
            Self::Json => "application/json",
            Self::Yaml => "application/yaml",
        }
    }
}

/// What the client wants instead of the object.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Shape {
    /// A table to print.
    Table,
    /// Metadata of one object.
    PartialObject,
    /// Metadata of the objects of a list.
    PartialList,
}

/// What the client accepts.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Output {
    /// The text form.
    pub format: Format,
    /// Indented.
    pub pretty: bool,
    /// Something else than the object, and the version of `meta.k8s.io` that it has.
    pub shape: Option<(Shape, &'static str)>,
}

/// What 406 and 415 list; protobuf is not among it, for nothing serves it here.
const SUPPORTED: &str = "application/json, application/yaml, application/vnd.kubernetes.protobuf";

impl Output {
    /// Reads `Accept`; protobuf is passed over for the next choice. `transforms` is false where neither tables nor
    /// partial objects make sense.
    pub fn negotiate(request: &Request, query: &Query, transforms: bool) -> Result<Output, StatusError> {
        let accept = request.header("accept");
        let agent = request.header("user-agent");
        let pretty = match query.first("pretty") {
            Some(text) if !text.is_empty() => matches!(text, "1" | "t" | "T" | "true" | "TRUE" | "True"),
            _ => ["curl", "Wget", "Mozilla/5.0"]
                .iter()
                .any(|prefix| agent.starts_with(prefix)),
        };
        if accept.is_empty() {
            return Ok(Output {
                pretty,
                ..Output::default()
            });
        }
        for clause in clauses(accept) {
            if let Some(mut output) = clause.output(transforms) {
                output.pretty |= pretty;
                return Ok(output);
            }
        }
        Err(not_acceptable(format!(
            "only the following media types are accepted: {SUPPORTED}"
        )))
    }
}

/// The router before the built-in kinds refuses what names none of its media types, before anybody looks at parameters
/// (`emicklei/go-restful`). Lists can be watched, which adds two.
pub fn route(accept: &str, list: bool) -> Result<(), StatusError> {
    let known = |clause: &str| {
        let media = clause.split(';').next().unwrap_or_default().trim();
        matches!(
            media,
            "*/*" | "application/json" | "application/yaml" | "application/vnd.kubernetes.protobuf"
        )
    };
    if accept.is_empty() || accept.split(',').any(known) {
        return Ok(());
    }
    let streams = if list {
        ", application/json;stream=watch, application/vnd.kubernetes.protobuf;stream=watch"
    } else {
        ""
    };
    let message = format!("406: Not Acceptable\n\nAvailable representations: {SUPPORTED}{streams}");
    let mut error = not_acceptable(message);
    error.details = serde_json::json!({});
    Err(error)
}

/// 406
pub fn not_acceptable(message: String) -> StatusError {
    StatusError::new(406, "NotAcceptable", message)
}

/// 415
pub fn unsupported_media_type(accepted: &str) -> StatusError {
    let message = format!(
        "the body of the request was in an unknown format - accepted media types include: {accepted}"
    );
    StatusError::new(415, "UnsupportedMediaType", message)
}

/// The text form of a body.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BodyFormat {
    /// `application/json`
    Json,
    /// `application/yaml`
    Yaml,
    /// `application/vnd.kubernetes.protobuf`
    Protobuf,
}

/// The form of a body, from `Content-Type`.
pub fn body_format(content_type: &str) -> Result<BodyFormat, StatusError> {
    match media_type(content_type).as_str() {
        "" | "application/json" => Ok(BodyFormat::Json),
        "application/yaml" => Ok(BodyFormat::Yaml),
        "application/vnd.kubernetes.protobuf" => Ok(BodyFormat::Protobuf),
        _ => Err(unsupported_media_type(SUPPORTED)),
    }
}

/// The kinds of patches.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PatchKind {
    /// RFC 6902.
    Json,
    /// RFC 7386.
    Merge,
    /// Strategic merge.
    Strategic,
    /// Server-side apply.
    Apply,
}

/// The kind of a patch, from `Content-Type`. Custom resources have no strategic merge.
pub fn patch_kind(content_type: &str, custom: bool) -> Result<PatchKind, StatusError> {
    let text = content_type.split(';').next().unwrap_or_default();
    match text {
        "application/json-patch+json" => Ok(PatchKind::Json),
        "application/merge-patch+json" => Ok(PatchKind::Merge),
        "application/strategic-merge-patch+json" if !custom => Ok(PatchKind::Strategic),
        "application/apply-patch+yaml" => Ok(PatchKind::Apply),
        // A router stands before the built-in kinds and has its own words.
        _ if !custom => {
            let mut error = StatusError::new(415, "UnsupportedMediaType", "415: Unsupported Media Type");
            error.details = serde_json::json!({});
            Err(error)
        }
        _ => Err(unsupported_media_type(
            "application/json-patch+json, application/merge-patch+json, application/apply-patch+yaml",
        )),
    }
}

fn media_type(content_type: &str) -> String {
    content_type
        .split(';')
        .next()
        .unwrap_or_default()
        .trim()
        .to_ascii_lowercase()
}

/// The first answer that `known` gives to a choice of an `Accept` header: media type and parameters.
pub fn first_known<T>(accept: &str, known: impl Fn(&str, &[(String, String)]) -> Option<T>) -> Option<T> {
    clauses(accept).into_iter().find_map(|clause| {
        known(
            &format!("{}/{}", clause.r#type, clause.subtype),
            &clause.parameters,
        )
    })
}

/// One choice of an `Accept` header.
struct Clause {
    r#type: String,
    subtype: String,
    parameters: Vec<(String, String)>,
}

/// The choices, the most wanted first; among equals more precise ones first, then as written
/// (`munnerz/goautoneg`).
fn clauses(accept: &str) -> Vec<Clause> {
    let mut found = Vec::new();
    for part in accept.split(',') {
        let mut pieces = part.split(';');
        let Some((r#type, subtype)) = pieces.next().and_then(|media| media.trim().split_once('/')) else {
            if part.trim() == "*" {
                found.push((
                    1.0,
                    Clause {
                        r#type: "*".into(),
                        subtype: "*".into(),
                        parameters: Vec::new(),
                    },
                ));
            }
            continue;
        };
        let mut quality = 1.0_f64;
        let mut parameters = Vec::new();
        for piece in pieces {
            let (key, value) = piece.split_once('=').unwrap_or((piece, ""));
            let (key, value) = (key.trim(), value.trim());
            if key == "q" {
                quality = value.parse().unwrap_or(1.0);
            } else {
                parameters.push((key.to_owned(), value.to_owned()));
            }
        }
        let clause = Clause {
            r#type: r#type.trim().into(),
            subtype: subtype.trim().into(),
            parameters,
        };
        found.push((quality, clause));
    }
    let wildcards = |clause: &Clause| u8::from(clause.r#type == "*") + u8::from(clause.subtype == "*");
    found.sort_by(|(a, left), (b, right)| b.total_cmp(a).then(wildcards(left).cmp(&wildcards(right))));
    found.into_iter().map(|(_, clause)| clause).collect()
}

impl Clause {
    fn output(&self, transforms: bool) -> Option<Output> {
        let format = match (self.r#type.as_str(), self.subtype.as_str()) {
            ("application", "json" | "*") | ("*", "*") => Format::Json,
            ("application", "yaml") => Format::Yaml,
            _ => return None,
        };
        let (mut kind, mut group, mut version, mut pretty) = (None, "", "", false);
        for (key, value) in &self.parameters {
            match key.as_str() {
                "as" => kind = Some(value.as_str()),
                "g" => group = value,
                "v" => version = value,
                "stream" if !matches!(value.as_str(), "" | "watch") => return None,
                "sv" if !matches!(value.as_str(), "" | "v1") => return None,
                "pretty" => pretty = value == "1",
                _ => {}
            }
        }
        let shape = match kind {
            None if group.is_empty() && version.is_empty() => None,
            _ if !transforms || group != "meta.k8s.io" => return None,
            Some(kind) => {
                let version = match version {
                    "v1" => "v1",
                    "v1beta1" => "v1beta1",
                    _ => return None,
                };
                let shape = match kind {
                    "Table" => Shape::Table,
                    "PartialObjectMetadata" => Shape::PartialObject,
                    "PartialObjectMetadataList" => Shape::PartialList,
                    _ => return None,
                };
                Some((shape, version))
            }
            None => return None,
        };
        Some(Output {
            format,
            pretty,
            shape,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn negotiate(accept: &str) -> Result<Output, u16> {
        let mut request = Request::default();
        request.headers.insert("accept".into(), accept.into());
        Output::negotiate(&request, &Query::default(), true).map_err(|e| e.code)
    }

    #[test]
    fn the_first_acceptable_form_wins() {
        let json = Output::default();
        let table = Output {
            shape: Some((Shape::Table, "v1")),
            ..json
        };
        let yaml = Output {
            format: Format::Yaml,
            ..json
        };
        let partial = Output {
            shape: Some((Shape::PartialList, "v1")),
            ..json
        };
        for (accept, expected) in [
            ("", Ok(json)),
            ("*/*", Ok(json)),
            ("application/json", Ok(json)),
            ("application/vnd.kubernetes.protobuf,application/json", Ok(json)),
            ("application/vnd.kubernetes.protobuf", Err(406)),
            ("text/plain", Err(406)),
            ("application/yaml", Ok(yaml)),
            ("application/json;q=0.5,application/yaml", Ok(yaml)),
            (
                "application/json;as=Table;v=v1;g=meta.k8s.io,application/json",
                Ok(table),
            ),
            (
                "application/json;as=Table;v=v2;g=meta.k8s.io,application/json",
                Ok(json),
            ),
            (
                "application/json;as=PartialObjectMetadataList;g=meta.k8s.io;v=v1",
                Ok(partial),
            ),
            ("application/json;as=Foo;g=meta.k8s.io;v=v1", Err(406)),
            ("application/json;stream=watch", Ok(json)),
        ] {
            assert_eq!(negotiate(accept), expected, "{accept}");
        }
    }
}

//! YAML to literals: aliases expanded, scalars typed by the core schema of YAML 1.2, bounds kept.

use super::problem::Problems;
use super::token::{Kind, Place, Token};
use crate::limits::{MAX_DEPTH, MAX_FILE_BYTES, MAX_NODES};
use crate::run::secrets::without_marks;
use deploy_yaml::{Content, Node, Style};
use std::collections::HashMap;
use std::sync::Arc;

/// How much a file may hold.
#[derive(Clone, Copy, Debug)]
pub struct Bounds {
    /// Nesting of collections.
    pub depth: usize,
    /// Characters.
    pub file_chars: usize,
}

impl Default for Bounds {
    fn default() -> Bounds {
        Bounds {
            depth: MAX_DEPTH,
            file_chars: MAX_FILE_BYTES,
        }
    }
}

/// Parses a file into literals; none where it is no YAML, which is told.
pub(super) fn parse(file: usize, text: &str, bounds: Bounds, problems: &mut Problems) -> Option<Token> {
    let whole = Place {
        file,
        line: 1,
        column: 1,
    };
    if text.chars().count() > bounds.file_chars {
        let message = format!(
            "The maximum file size of {} characters has been exceeded",
            bounds.file_chars
        );
        problems.of_file(file, message);
        return None;
    }
    let documents = match deploy_yaml::parse(text.as_bytes()) {
        Ok(documents) => documents,
        Err(error) => {
            let place = Place {
                line: error.position.line,
                column: error.position.column,
                ..whole
            };
            problems.at(place, error.message.to_string());
            return None;
        }
    };
    let Some(root) = documents.into_iter().next() else {
        return Some(Token {
            place: whole,
            kind: Kind::Null,
        });
    };
    let mut anchors = HashMap::new();
    gather_anchors(&root, &mut anchors);
    let mut source = Source {
        file,
        anchors,
        bounds,
        nodes: 0,
    };
    match source.token(&root, 0) {
        Ok(token) => Some(token),
        Err(Refusal(None, message)) => {
            problems.of_file(file, message);
            None
        }
        Err(Refusal(Some(place), message)) => {
            problems.at(place, message);
            None
        }
    }
}

/// A place, where one can be named, and a text.
struct Refusal(Option<Place>, String);

struct Source<'n> {
    file: usize,
    anchors: HashMap<&'n str, &'n Node>,
    bounds: Bounds,
    nodes: usize,
}

fn gather_anchors<'n>(node: &'n Node, anchors: &mut HashMap<&'n str, &'n Node>) {
    if let Some(name) = &node.anchor {
        anchors.insert(name, node);
    }
    match &node.content {
        Content::Sequence(items) => items.iter().for_each(|item| gather_anchors(item, anchors)),
        Content::Mapping(entries) => {
            for (key, value) in entries {
                gather_anchors(key, anchors);
                gather_anchors(value, anchors);
            }
        }
        Content::Scalar(_) | Content::Alias(_) => {}
    }
}

impl<'n> Source<'n> {
    fn token(&mut self, node: &'n Node, depth: usize) -> Result<Token, Refusal> {
        self.nodes += 1;
        if self.nodes > MAX_NODES {
            return Err(Refusal(None, "Maximum object size exceeded".to_owned()));
        }
        let place = Place {
            file: self.file,
            line: node.position.line,
            column: node.position.column,
        };
        let kind = match &node.content {
            Content::Scalar(text) => scalar(node, text, place)?,
            Content::Alias(name) => {
                let Some(target) = self.anchors.get(name.as_str()).copied() else {
                    return Err(Refusal(
                        Some(place),
                        format!("unknown anchor '{name}' referenced"),
                    ));
                };
                // An anchor whose value contains itself ends at the depth.
                return self.token(target, self.deeper(depth)?);
            }
            Content::Sequence(items) => {
                let depth = self.deeper(depth)?;
                let items: Result<_, _> = items.iter().map(|item| self.token(item, depth)).collect();
                Kind::Sequence(items?)
            }
            Content::Mapping(entries) => {
                let depth = self.deeper(depth)?;
                let mut read = Vec::with_capacity(entries.len());
                for (key, value) in entries {
                    if !key.is_scalar() && !matches!(key.content, Content::Alias(_)) {
                        let place = Place {
                            file: self.file,
                            line: key.position.line,
                            column: key.position.column,
                        };
                        return Err(Refusal(Some(place), "A key must be a scalar".to_owned()));
                    }
                    read.push((self.token(key, depth)?, self.token(value, depth)?));
                }
                Kind::Mapping(read)
            }
        };
        Ok(Token { place, kind })
    }

    fn deeper(&self, depth: usize) -> Result<usize, Refusal> {
        match depth < self.bounds.depth {
            true => Ok(depth + 1),
            false => Err(Refusal(None, "Maximum object depth exceeded".to_owned())),
        }
    }
}

fn scalar(node: &Node, text: &str, place: Place) -> Result<Kind, Refusal> {
    const CORE: &str = "tag:yaml.org,2002:";
    let string = || Kind::String(Arc::from(without_marks(text.to_owned())));
    let tag = match node.tag.as_deref() {
        None => {
            return Ok(match node.style {
                Style::Plain => plain(text).unwrap_or_else(string),
                _ => string(),
            });
        }
        Some("!") => return Ok(string()),
        Some(tag) => match tag.strip_prefix("!!").or_else(|| tag.strip_prefix(CORE)) {
            Some(short) => format!("{CORE}{short}"),
            None => tag.to_owned(),
        },
    };
    let short = tag.strip_prefix(CORE).unwrap_or(&tag);
    if short == "str" {
        return Ok(string());
    }
    if !matches!(short, "null" | "bool" | "int" | "float") {
        return Err(Refusal(None, format!("Unexpected tag '{tag}'")));
    }
    let Place { line, column, .. } = place;
    if node.style != Style::Plain {
        let style = match node.style {
            Style::SingleQuoted => "SingleQuoted",
            Style::DoubleQuoted => "DoubleQuoted",
            Style::Literal => "Literal",
            _ => "Folded",
        };
        return Err(Refusal(
            None,
            format!(
                "The scalar style '{style}' on line {line} and column {column} is not valid with the tag '{tag}'"
            ),
        ));
    }
    match (short, plain(text)) {
        ("null", Some(kind @ Kind::Null)) | ("bool", Some(kind @ Kind::Bool(_))) => Ok(kind),
        ("int" | "float", Some(kind @ Kind::Number(_))) => Ok(kind),
        _ => Err(Refusal(
            None,
            format!("The value '{text}' on line {line} and column {column} is invalid for the type '{tag}'"),
        )),
    }
}

/// What a plain scalar means (YAML 1.2, 10.3.2); none for a string.
fn plain(text: &str) -> Option<Kind> {
    match text {
        "" | "~" | "null" | "Null" | "NULL" => return Some(Kind::Null),
        "true" | "True" | "TRUE" => return Some(Kind::Bool(true)),
        "false" | "False" | "FALSE" => return Some(Kind::Bool(false)),
        ".nan" | ".NaN" | ".NAN" => return Some(Kind::Number(f64::NAN)),
        _ => {}
    }
    let (negative, unsigned) = match text.as_bytes()[0] {
        b'-' => (true, &text[1..]),
        b'+' => (false, &text[1..]),
        _ => (false, text),
    };
    if matches!(unsigned, ".inf" | ".Inf" | ".INF") {
        return Some(Kind::Number(if negative {
            f64::NEG_INFINITY
        } else {
            f64::INFINITY
        }));
    }
    for (prefix, radix) in [("0x", 16), ("0o", 8)] {
        if let Some(digits) = text.strip_prefix(prefix) {
            return u64::from_str_radix(digits, radix)
                .ok()
                .map(|n| Kind::Number(n as f64));
        }
    }
    if !unsigned.starts_with(|c: char| c.is_ascii_digit() || c == '.') {
        return None;
    }
    let number: f64 = match unsigned
        .bytes()
        .all(|b| b.is_ascii_digit() || matches!(b, b'.' | b'e' | b'E' | b'+' | b'-'))
    {
        true => unsigned.parse().ok()?,
        false => return None,
    };
    // Negative zero is zero: nobody means the other one.
    Some(Kind::Number(if negative && number != 0.0 {
        -number
    } else {
        number
    }))
}

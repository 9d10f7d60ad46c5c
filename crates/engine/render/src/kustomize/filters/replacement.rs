//! Replacements: the value of a field in one object, written into fields of others.

use deploy_yaml::Dialect;
use deploy_yaml::node::Node;
use serde_json::Value;

use super::Error;
use super::field_path::FieldPath;
use crate::kustomize::merge::shared;
use crate::kustomize::merge::tree::{self, Kind};

/// How the text of a field is taken apart.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Options {
    /// What stands between the parts; empty to take the whole value.
    pub delimiter: String,
    /// Which part. In a target, one below zero goes before all parts, one past the end behind them.
    pub index: i64,
    /// Whether a target's field is made where it is missing.
    pub create: bool,
}

/// The path of a source or target that names none.
pub const DEFAULT_PATH: &str = "metadata.name";

/// Reads the value of a source. `described` is the source's id, for the message.
pub fn read(source: &Node, path: &FieldPath, options: &Options, described: &str) -> Result<Node, Error> {
    let found = path
        .look_up(source)
        .map_err(|e| e.at("error looking up replacement source"))?
        .filter(|node| !tree::is_nil_or_empty(node))
        .ok_or_else(|| {
            Error::Invalid(format!(
                "fieldPath `{}` is missing for replacement source {described}",
                path.as_str()
            ))
        })?;
    if options.delimiter.is_empty() {
        return Ok(found.clone());
    }
    let text = scalar_text(found)?;
    let part = usize::try_from(options.index)
        .ok()
        .and_then(|index| text.split(&options.delimiter).nth(index))
        .ok_or_else(|| {
            Error::Invalid(format!(
                "options.index {} is out of bounds for value {text}",
                options.index
            ))
        })?;
    let mut value = found.clone();
    tree::set_text(&mut value, part.to_owned());
    Ok(value)
}

/// Writes a value into the fields of a target.
pub fn write(target: &mut Node, value: &Node, paths: &[FieldPath], options: &Options) -> Result<(), Error> {
    let create = options.create.then(|| tree::kind(value));
    for path in paths {
        if write_into_document(target, value, path, create).is_some() {
            continue;
        }
        let missing = || match options.create {
            true => format!(
                "unable to find or create field {:?} in replacement target",
                path.as_str()
            ),
            false => format!("unable to find field {:?} in replacement target", path.as_str()),
        };
        // What is wrong with a value is said plainly, what is wrong with the way there with the way.
        let mut refused = None;
        let found = path.for_each(target, create, &mut |field| {
            refused = set(field, value, options).err();
            Ok(())
        });
        if let Some(refused) = refused {
            return Err(refused);
        }
        match found {
            Err(e) => return Err(e.at(missing())),
            Ok(0) => return Err(Error::Invalid(missing())),
            Ok(_) => shared::settle(target),
        }
    }
    Ok(())
}

fn scalar_text(node: &Node) -> Result<&str, Error> {
    match tree::kind(node) {
        Kind::Scalar => Ok(tree::value(node)),
        _ => Err(Error::Invalid(
            "delimiter option can only be used with scalar nodes".to_owned(),
        )),
    }
}

fn set(field: &mut Node, value: &Node, options: &Options) -> Result<(), Error> {
    if options.delimiter.is_empty() {
        overwrite(field, value.clone());
        return Ok(());
    }
    scalar_text(field)?;
    let mut parts: Vec<&str> = tree::text(field)
        .unwrap_or_default()
        .split(&options.delimiter)
        .collect();
    let new = tree::value(value);
    match usize::try_from(options.index) {
        Err(_) => parts.insert(0, new),
        Ok(index) => match parts.get_mut(index) {
            Some(part) => *part = new,
            None => parts.push(new),
        },
    }
    let text = parts.join(&options.delimiter);
    tree::set_text(field, text);
    Ok(())
}

/// Of a scalar only the text changes, so that a number can become a string and the other way round.
fn overwrite(field: &mut Node, value: Node) {
    match tree::kind(field) {
        Kind::Scalar => {
            let text = tree::text(&value).unwrap_or_default().to_owned();
            tree::set_text(field, text);
        }
        _ => *field = value,
    }
}

/// Writes a value into a document that is the text of a scalar (JSON in a ConfigMap, say); nothing where the path does
/// not lead into one.
fn write_into_document(
    target: &mut Node,
    value: &Node,
    path: &FieldPath,
    create: Option<Kind>,
) -> Option<()> {
    let (scalar, rest) = path.scalar_document(target)?;
    let text = tree::text(scalar)?.to_owned();
    let mut document = deploy_yaml::parse(text.as_bytes()).ok()?.into_iter().next()?;
    let found = rest
        .for_each(&mut document, create, &mut |field| {
            overwrite(field, value.clone());
            Ok(())
        })
        .ok()?;
    if found == 0 {
        return None;
    }
    let new = match text.trim_start().starts_with(['{', '[']) {
        true => as_json(&document, &text)?,
        false => deploy_yaml::emit_kyaml(&document).trim().to_owned(),
    };
    tree::set_text(scalar, new);
    Some(())
}

/// A document as JSON, on several lines where the text before was.
fn as_json(document: &Node, before: &str) -> Option<String> {
    let json = whole_numbers(deploy_yaml::node_to_json(document, Dialect::GoYaml3).ok()?);
    let text = match before.contains('\n') && before.contains("  ") {
        true => serde_json::to_string_pretty(&json),
        false => serde_json::to_string(&json),
    };
    Some(escape(&text.ok()?))
}

/// Go writes a whole double without a fraction.
fn whole_numbers(value: Value) -> Value {
    /// Below it every whole double is an integer of its own.
    const EXACT: f64 = 9_007_199_254_740_992.0;
    match value {
        Value::Number(number) => match number.as_f64().filter(|_| number.is_f64()) {
            Some(double) if double.fract() == 0.0 && double.abs() < EXACT => Value::from(double as i64),
            _ => Value::Number(number),
        },
        Value::Array(elements) => elements.into_iter().map(whole_numbers).collect(),
        Value::Object(fields) => fields
            .into_iter()
            .map(|(name, value)| (name, whole_numbers(value)))
            .collect(),
        other => other,
    }
}

/// Go's JSON escapes what means something in HTML.
fn escape(json: &str) -> String {
    let mut out = String::with_capacity(json.len());
    for c in json.chars() {
        match c {
            '<' => out.push_str("\\u003c"),
            '>' => out.push_str("\\u003e"),
            '&' => out.push_str("\\u0026"),
            '\u{2028}' => out.push_str("\\u2028"),
            '\u{2029}' => out.push_str("\\u2029"),
            c => out.push(c),
        }
    }
    out
}

//! Bytes to resources: documents, lists, the metadata that each must have.

use std::borrow::Cow;
use std::collections::VecDeque;

use deploy_yaml::node::{Content, Node};

use super::anchors;
use super::error::{Error, Result};
use super::resource::Resource;
use super::tree;
use super::world::World;

/// All resources of a file, in order. Objects of kinds that end in `List` and have `items` give way to their items.
pub(super) fn resources(content: &[u8], world: &World<'_>) -> Result<Vec<Resource>> {
    let nodes = keep_good(documents(content)?)?;
    let nodes = inline_lists(nodes)?;
    Ok(nodes
        .into_iter()
        .map(|node| Resource::read(node, world))
        .collect())
}

fn documents(content: &[u8]) -> Result<Vec<Node>> {
    let content = if content.contains(&b'\r') {
        Cow::Owned(without_carriage_returns(content))
    } else {
        Cow::Borrowed(content)
    };
    let parts = split(&content)?;
    let single = parts.len() == 1;
    let mut nodes = Vec::with_capacity(parts.len());
    for part in parts {
        let parsed = deploy_yaml::parse(part)
            .map_err(|error| Error::invalid(format!("MalformedYAMLError: {error}")))?;
        let Some(mut node) = parsed.into_iter().next() else {
            continue;
        };
        if tree::is_null(&node) {
            continue;
        }
        anchors::expand(&mut node)?;
        if single && is_wrapper(&node) {
            if let Some(Content::Sequence(items)) = tree::remove(&mut node, "items").map(|n| n.content) {
                nodes.extend(items);
            }
            continue;
        }
        nodes.push(node);
    }
    Ok(nodes)
}

fn without_carriage_returns(content: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(content.len());
    for (index, byte) in content.iter().enumerate() {
        if *byte != b'\r' || content.get(index + 1) != Some(&b'\n') {
            out.push(*byte);
        }
    }
    out
}

/// Splits at lines that begin with `---`, behind which only a comment may stand. The first line is no such line, and
/// neither is a last one without its end.
fn split(content: &[u8]) -> Result<Vec<&[u8]>> {
    let mut parts = Vec::new();
    if content.is_empty() {
        return Ok(parts);
    }
    let mut start = 0;
    let mut from = 0;
    while let Some(newline) = find(&content[from..], b"\n---") {
        let at = from + newline;
        let rest = &content[at + 4..];
        let Some(end) = rest.iter().position(|byte| *byte == b'\n') else {
            break;
        };
        let behind = rest[..end].trim_ascii();
        if !behind.is_empty() && behind[0] != b'#' {
            return Err(Error::invalid(format!(
                "invalid document separator: ---{}",
                String::from_utf8_lossy(rest[..end].trim_ascii_end())
            )));
        }
        // The line's end before the separator belongs to the document: a literal block at its end keeps it.
        parts.push(&content[start..=at]);
        start = at + 4 + end + 1;
        from = start;
    }
    parts.push(&content[start..]);
    Ok(parts)
}

fn find(haystack: &[u8], needle: &[u8]) -> Option<usize> {
    haystack.windows(needle.len()).position(|window| window == needle)
}

fn is_wrapper(node: &Node) -> bool {
    matches!(tree::field_text(node, "kind"), "List" | "ResourceList")
        && (tree::field(node, "items").is_some() || tree::field(node, "functionConfig").is_some())
}

fn keep_good(nodes: Vec<Node>) -> Result<Vec<Node>> {
    let mut good = Vec::with_capacity(nodes.len());
    for node in nodes {
        if !tree::is_nothing(&node) {
            validate(&node)?;
            good.push(node);
        }
    }
    Ok(good)
}

/// Every object has a kind; every object that is no list has a name.
fn validate(node: &Node) -> Result<()> {
    let present = |field: &str| tree::field(node, field).is_some_and(|value| !tree::is_nothing(value));
    if !present("apiVersion") && !present("kind") && !present("metadata") {
        return Err(Error::invalid("missing Resource metadata"));
    }
    let kind = text_of(node, "kind");
    if kind.is_empty() {
        return Err(Error::invalid(format!("missing kind in object {}", shown(node))));
    }
    let name = tree::field(node, "metadata").map_or("", |metadata| text_of(metadata, "name"));
    if name.is_empty() && !kind.ends_with("List") {
        return Err(Error::invalid(format!(
            "missing metadata.name in object {}",
            shown(node)
        )));
    }
    Ok(())
}

/// The text of a field that is not null.
fn text_of<'n>(node: &'n Node, name: &str) -> &'n str {
    match tree::field(node, name) {
        Some(value) if !tree::is_null(value) => tree::text(value).unwrap_or_default(),
        _ => "",
    }
}

/// The metadata as Go's `%v` shows it.
fn shown(node: &Node) -> String {
    let empty = tree::mapping();
    let metadata = tree::field(node, "metadata").unwrap_or(&empty);
    let map = |name: &str| -> String {
        let mut pairs: Vec<String> = tree::field(metadata, name)
            .map(tree::entries)
            .unwrap_or_default()
            .iter()
            .map(|(key, value)| {
                format!(
                    "{}:{}",
                    tree::text(key).unwrap_or_default(),
                    tree::text(value).unwrap_or_default()
                )
            })
            .collect();
        pairs.sort();
        format!("map[{}]", pairs.join(" "))
    };
    format!(
        "{{{{{} {}}} {{{{{} {}}} {} {}}}}}",
        text_of(node, "apiVersion"),
        text_of(node, "kind"),
        text_of(metadata, "name"),
        text_of(metadata, "namespace"),
        map("labels"),
        map("annotations"),
    )
}

fn inline_lists(nodes: Vec<Node>) -> Result<Vec<Node>> {
    let mut queue = VecDeque::from(nodes);
    let mut result = Vec::with_capacity(queue.len());
    while let Some(mut node) = queue.pop_front() {
        let kind = tree::field_text(&node, "kind");
        if !kind.ends_with("List") {
            result.push(node);
            continue;
        }
        match tree::field(&node, "items").map(|items| &items.content) {
            None => result.push(node),
            Some(Content::Sequence(_)) => {
                let items = tree::remove(&mut node, "items").map(|items| items.content);
                if let Some(Content::Sequence(items)) = items {
                    queue.extend(keep_good(items)?);
                }
            }
            Some(_) if tree::field(&node, "items").is_some_and(tree::is_null) => {}
            Some(other) => {
                let found = match other {
                    Content::Mapping(_) => "map[string]interface {}",
                    _ => "string",
                };
                return Err(Error::invalid(format!(
                    "expected array in {kind}/items, but found {found}"
                )));
            }
        }
    }
    Ok(result)
}

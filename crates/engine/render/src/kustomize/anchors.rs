//! Aliases and merge keys (`<<`), which kustomize replaces by what they stand for as soon as a document is read.

use std::collections::HashMap;

use deploy_yaml::node::{Content, Node, Style};

use super::error::{Error, ErrorKind, Result};
use super::limits::{MAX_ALIAS_NODES, MAX_NODE_DEPTH};
use super::tree;

/// Puts what aliases stand for in their place.
pub(super) fn expand(node: &mut Node) -> Result<()> {
    if !has_anchors(node, 0) {
        return Ok(());
    }
    let mut expander = Expander {
        anchors: HashMap::new(),
        budget: MAX_ALIAS_NODES,
    };
    expander.expand(node, 0)
}

fn has_anchors(node: &Node, depth: usize) -> bool {
    // Deeper than this the expander refuses the document.
    depth > MAX_NODE_DEPTH
        || node.anchor.is_some()
        || match &node.content {
            Content::Scalar(_) => false,
            Content::Alias(_) => true,
            Content::Sequence(items) => items.iter().any(|item| has_anchors(item, depth + 1)),
            Content::Mapping(entries) => entries.iter().any(|(key, value)| {
                is_merge(key) || has_anchors(key, depth + 1) || has_anchors(value, depth + 1)
            }),
        }
}

fn is_merge(key: &Node) -> bool {
    key.style == Style::Plain
        && tree::text(key) == Some("<<")
        && matches!(key.tag.as_deref(), None | Some("!!merge"))
}

struct Expander {
    /// What each anchor stands for, already expanded, with its number of nodes.
    anchors: HashMap<String, (Node, usize)>,
    budget: usize,
}

impl Expander {
    fn expand(&mut self, node: &mut Node, depth: usize) -> Result<()> {
        if depth > MAX_NODE_DEPTH {
            return Err(Error::new(
                ErrorKind::TooLarge,
                format!("a document is nested deeper than {MAX_NODE_DEPTH}"),
            ));
        }
        let anchor = node.anchor.take();
        match &mut node.content {
            Content::Scalar(_) => {}
            Content::Alias(name) => *node = self.resolve(name)?,
            Content::Sequence(items) => {
                for item in items {
                    self.expand(item, depth + 1)?;
                }
            }
            Content::Mapping(entries) => {
                for (key, value) in entries.iter_mut() {
                    self.expand(key, depth + 1)?;
                    self.expand(value, depth + 1)?;
                }
                merge(entries)?;
            }
        }
        if let Some(name) = anchor {
            let size = count(node);
            self.anchors.insert(name, (node.clone(), size));
        }
        Ok(())
    }

    fn resolve(&mut self, name: &str) -> Result<Node> {
        let Some((node, size)) = self.anchors.get(name) else {
            return Err(Error::invalid(format!(
                "yaml: unknown anchor '{name}' referenced"
            )));
        };
        self.budget = self
            .budget
            .checked_sub(*size)
            .ok_or_else(|| Error::new(ErrorKind::TooLarge, "yaml: document contains excessive aliasing"))?;
        Ok(node.clone())
    }
}

fn count(node: &Node) -> usize {
    1 + match &node.content {
        Content::Scalar(_) | Content::Alias(_) => 0,
        Content::Sequence(items) => items.iter().map(count).sum(),
        Content::Mapping(entries) => entries.iter().map(|(key, value)| count(key) + count(value)).sum(),
    }
}

/// Takes the merge key out and adds the entries of its maps that are not there; of two maps the first one wins.
fn merge(entries: &mut Vec<(Node, Node)>) -> Result<()> {
    let Some(at) = entries.iter().position(|(key, _)| is_merge(key)) else {
        return Ok(());
    };
    let (_, value) = entries.remove(at);
    if entries.iter().any(|(key, _)| is_merge(key)) {
        return Err(Error::invalid("duplicate merge key"));
    }
    let maps = match value.content {
        Content::Sequence(items) => items,
        _ => vec![value],
    };
    for map in maps {
        let Content::Mapping(more) = map.content else {
            return Err(Error::invalid(
                "map merge requires map or sequence of maps as the value",
            ));
        };
        for (key, value) in more {
            let known = entries.iter().any(|(own, _)| tree::text(own) == tree::text(&key));
            if !known {
                entries.push((key, value));
            }
        }
    }
    Ok(())
}

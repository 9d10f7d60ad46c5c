//! The tree that a document parses into: what was written, with its style, comments and positions.

use crate::tree::Readable;

/// Where something stands in its source. Both count from 1; columns count characters.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Position {
    /// Line, from 1. Zero means that the node was made, not read.
    pub line: u32,
    /// Column, from 1, in characters.
    pub column: u32,
}

/// How a scalar or a collection is written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Style {
    /// A plain scalar, or a block collection.
    #[default]
    Plain,
    /// `'...'`
    SingleQuoted,
    /// `"..."`
    DoubleQuoted,
    /// `|`
    Literal,
    /// `>`
    Folded,
    /// `[...]` or `{...}`
    Flow,
}

/// What a node holds.
#[derive(Clone, Debug, PartialEq)]
pub enum Content {
    /// Text, with escapes resolved and lines folded.
    Scalar(String),
    /// A list.
    Sequence(Vec<Node>),
    /// Entries in the order of the source.
    Mapping(Vec<(Node, Node)>),
    /// `*name`
    Alias(String),
}

/// One node of a document.
///
/// Comments are kept as written, with their `#`, lines joined by `\n`, and are attached by the rules of go-yaml v3,
/// which kustomize users see: above a node (head), behind it on its line (line), below it (foot).
#[derive(Clone, Debug, PartialEq)]
pub struct Node {
    /// What it holds.
    pub content: Content,
    /// How it is written.
    pub style: Style,
    /// An explicit tag (`!!str`, `!local`), in its short form, if one is written.
    pub tag: Option<String>,
    /// `&name`, if written.
    pub anchor: Option<String>,
    /// Comment lines above.
    pub head_comment: String,
    /// A comment at the end of the line.
    pub line_comment: String,
    /// Comment lines below, before a blank line or the end of the block.
    pub foot_comment: String,
    /// Where it begins.
    pub position: Position,
}

impl Node {
    /// A plain scalar: its text decides what it means.
    pub fn scalar(text: impl Into<String>) -> Node {
        Node {
            content: Content::Scalar(text.into()),
            ..Node::null_at_nowhere()
        }
    }

    /// A string, whatever its text looks like: written in quotes where it would mean something else.
    pub fn string(text: impl Into<String>) -> Node {
        let mut node = Node::scalar(text);
        if node.resolved_tag() != "!!str" {
            node.style = Style::DoubleQuoted;
        }
        node
    }

    /// `null`.
    pub fn null() -> Node {
        Node::scalar("null")
    }

    /// A block sequence.
    pub fn sequence(items: Vec<Node>) -> Node {
        Node {
            content: Content::Sequence(items),
            ..Node::null_at_nowhere()
        }
    }

    /// A block mapping.
    pub fn mapping(entries: Vec<(Node, Node)>) -> Node {
        Node {
            content: Content::Mapping(entries),
            ..Node::null_at_nowhere()
        }
    }

    pub(crate) fn null_at_nowhere() -> Node {
        Node {
            content: Content::Scalar(String::new()),
            style: Style::Plain,
            tag: None,
            anchor: None,
            head_comment: String::new(),
            line_comment: String::new(),
            foot_comment: String::new(),
            position: Position::default(),
        }
    }

    /// The text of a scalar, whatever it means.
    pub fn as_str(&self) -> Option<&str> {
        match &self.content {
            Content::Scalar(text) => Some(text),
            _ => None,
        }
    }

    /// The items of a sequence.
    pub fn items(&self) -> Option<&[Node]> {
        match &self.content {
            Content::Sequence(items) => Some(items),
            _ => None,
        }
    }

    /// The items of a sequence, to change.
    pub fn items_mut(&mut self) -> Option<&mut Vec<Node>> {
        match &mut self.content {
            Content::Sequence(items) => Some(items),
            _ => None,
        }
    }

    /// The entries of a mapping, in the order of the source.
    pub fn entries(&self) -> Option<&[(Node, Node)]> {
        match &self.content {
            Content::Mapping(entries) => Some(entries),
            _ => None,
        }
    }

    /// The entries of a mapping, to change.
    pub fn entries_mut(&mut self) -> Option<&mut Vec<(Node, Node)>> {
        match &mut self.content {
            Content::Mapping(entries) => Some(entries),
            _ => None,
        }
    }

    /// Whether this is a mapping.
    pub fn is_mapping(&self) -> bool {
        matches!(self.content, Content::Mapping(_))
    }

    /// Whether this is a sequence.
    pub fn is_sequence(&self) -> bool {
        matches!(self.content, Content::Sequence(_))
    }

    /// Whether this is a scalar.
    pub fn is_scalar(&self) -> bool {
        matches!(self.content, Content::Scalar(_))
    }

    /// Whether this means null: `null`, `~` or nothing at all.
    pub fn is_null(&self) -> bool {
        self.is_scalar() && self.resolved_tag() == "!!null"
    }

    /// The tag that is written, or else the one that go-yaml v3 gives: `!!map`, `!!seq`, `!!str`, `!!int` and so on.
    pub fn resolved_tag(&self) -> &str {
        self.effective_tag()
    }

    /// The value of the first entry with this key; `None` too where this is no mapping.
    pub fn get(&self, key: &str) -> Option<&Node> {
        let entry = self.entries()?.iter().find(|(k, _)| k.as_str() == Some(key));
        entry.map(|(_, value)| value)
    }

    /// The value of the first entry with this key, to change.
    pub fn get_mut(&mut self, key: &str) -> Option<&mut Node> {
        let entry = self
            .entries_mut()?
            .iter_mut()
            .find(|(k, _)| k.as_str() == Some(key));
        entry.map(|(_, value)| value)
    }

    /// Sets the value of a key, in its place or at the end. Makes this a mapping if it was none.
    pub fn set(&mut self, key: &str, value: Node) {
        if let Some(old) = self.get_mut(key) {
            *old = value;
            return;
        }
        let entry = (Node::string(key), value);
        match self.entries_mut() {
            Some(entries) => entries.push(entry),
            None => self.content = Content::Mapping(vec![entry]),
        }
    }

    /// Takes the first entry with this key out.
    pub fn remove(&mut self, key: &str) -> Option<Node> {
        let entries = self.entries_mut()?;
        let at = entries.iter().position(|(k, _)| k.as_str() == Some(key))?;
        Some(entries.remove(at).1)
    }
}

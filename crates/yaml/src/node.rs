//! The tree that a document parses into: what was written, with its style, comments and positions.

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

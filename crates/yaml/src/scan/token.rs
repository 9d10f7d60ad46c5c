//! What the scanner finds.

use super::cursor::Mark;
use crate::node::Style;
use std::borrow::Cow;

/// A token and where it stands.
#[derive(Clone, Debug)]
pub(crate) struct Token<'a> {
    pub(crate) kind: TokenKind<'a>,
    pub(crate) start: Mark,
    pub(crate) end: Mark,
}

/// The two parts of a tag, or of a directive that defines the first one.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct TagName {
    pub(crate) handle: String,
    /// What follows the handle in a tag; what it stands for in a directive.
    pub(crate) rest: String,
}

/// The tokens of YAML, block structure already recognised.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum TokenKind<'a> {
    StreamStart,
    StreamEnd,
    Version(u8, u8),
    TagPrefix(Box<TagName>),
    DocumentStart,
    DocumentEnd,
    BlockSequenceStart,
    BlockMappingStart,
    BlockEnd,
    FlowSequenceStart,
    FlowSequenceEnd,
    FlowMappingStart,
    FlowMappingEnd,
    BlockEntry,
    FlowEntry,
    Key,
    Value,
    Alias(&'a str),
    Anchor(&'a str),
    /// Boxed, because they are rare and would make all tokens larger.
    Tag(Box<TagName>),
    Scalar(Cow<'a, str>, Style),
}

/// The kind of a token without what it carries: what decides how to go on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Look {
    StreamStart,
    StreamEnd,
    Directive,
    DocumentStart,
    DocumentEnd,
    BlockSequenceStart,
    BlockMappingStart,
    BlockEnd,
    FlowSequenceStart,
    FlowSequenceEnd,
    FlowMappingStart,
    FlowMappingEnd,
    BlockEntry,
    FlowEntry,
    Key,
    Value,
    Alias,
    Anchor,
    Tag,
    Scalar,
}

impl TokenKind<'_> {
    pub(crate) fn look(&self) -> Look {
        match self {
            TokenKind::StreamStart => Look::StreamStart,
            TokenKind::StreamEnd => Look::StreamEnd,
            TokenKind::Version(..) | TokenKind::TagPrefix(_) => Look::Directive,
            TokenKind::DocumentStart => Look::DocumentStart,
            TokenKind::DocumentEnd => Look::DocumentEnd,
            TokenKind::BlockSequenceStart => Look::BlockSequenceStart,
            TokenKind::BlockMappingStart => Look::BlockMappingStart,
            TokenKind::BlockEnd => Look::BlockEnd,
            TokenKind::FlowSequenceStart => Look::FlowSequenceStart,
            TokenKind::FlowSequenceEnd => Look::FlowSequenceEnd,
            TokenKind::FlowMappingStart => Look::FlowMappingStart,
            TokenKind::FlowMappingEnd => Look::FlowMappingEnd,
            TokenKind::BlockEntry => Look::BlockEntry,
            TokenKind::FlowEntry => Look::FlowEntry,
            TokenKind::Key => Look::Key,
            TokenKind::Value => Look::Value,
            TokenKind::Alias(_) => Look::Alias,
            TokenKind::Anchor(_) => Look::Anchor,
            TokenKind::Tag(_) => Look::Tag,
            TokenKind::Scalar(..) => Look::Scalar,
        }
    }
}

//! The tree that the composer makes: like [`Node`], but borrowing from the source, and small.

use crate::dialect::Dialect;
use crate::node::{Content, Node, Position, Style};
use crate::resolve::resolve;
use std::borrow::Cow;

/// A node whose text is a part of the source where it can be.
#[derive(Debug)]
pub(crate) struct Tree<'a> {
    pub(crate) content: TreeContent<'a>,
    pub(crate) position: Position,
    pub(crate) style: Style,
    /// What few nodes have.
    extras: Option<Box<Extras>>,
}

/// See [`Content`].
#[derive(Debug)]
pub(crate) enum TreeContent<'a> {
    Scalar(Cow<'a, str>),
    Sequence(Vec<Tree<'a>>),
    Mapping(Vec<(Tree<'a>, Tree<'a>)>),
    Alias(&'a str),
}

/// See [`Node`].
#[derive(Debug, Default)]
pub(crate) struct Extras {
    pub(crate) tag: Option<String>,
    pub(crate) anchor: Option<String>,
    pub(crate) head_comment: String,
    pub(crate) line_comment: String,
    pub(crate) foot_comment: String,
}

impl<'a> Tree<'a> {
    /// A plain scalar without text.
    pub(crate) fn empty(position: Position) -> Tree<'a> {
        Tree {
            content: TreeContent::Scalar(Cow::Borrowed("")),
            position,
            style: Style::Plain,
            extras: None,
        }
    }

    pub(crate) fn extras(&self) -> Option<&Extras> {
        self.extras.as_deref()
    }

    pub(crate) fn extras_mut(&mut self) -> &mut Extras {
        self.extras.get_or_insert_default()
    }

    pub(crate) fn has_foot(&self) -> bool {
        self.extras().is_some_and(|e| !e.foot_comment.is_empty())
    }

    /// Takes the foot comment away, if there is one.
    pub(crate) fn take_foot(&mut self) -> String {
        let extras = self.extras.as_deref_mut();
        extras
            .map(|e| std::mem::take(&mut e.foot_comment))
            .unwrap_or_default()
    }

    pub(crate) fn set_foot(&mut self, foot: String) {
        if !foot.is_empty() || self.has_foot() {
            self.extras_mut().foot_comment = foot;
        }
    }

    pub(crate) fn into_node(self) -> Node {
        let extras = self.extras.map(|e| *e).unwrap_or_default();
        Node {
            content: match self.content {
                TreeContent::Scalar(text) => Content::Scalar(text.into_owned()),
                TreeContent::Alias(name) => Content::Alias(name.to_owned()),
                TreeContent::Sequence(items) => {
                    Content::Sequence(items.into_iter().map(Tree::into_node).collect())
                }
                TreeContent::Mapping(entries) => {
                    let entries = entries.into_iter();
                    Content::Mapping(entries.map(|(k, v)| (k.into_node(), v.into_node())).collect())
                }
            },
            style: self.style,
            tag: extras.tag,
            anchor: extras.anchor,
            head_comment: extras.head_comment,
            line_comment: extras.line_comment,
            foot_comment: extras.foot_comment,
            position: self.position,
        }
    }
}

/// What the decoder sees of a tree, whichever it is.
pub(crate) trait Readable: Sized {
    fn view(&self) -> View<'_, Self>;
    fn style(&self) -> Style;
    fn tag(&self) -> Option<&str>;
    fn anchor(&self) -> Option<&str>;
    fn position(&self) -> Position;

    /// The tag that is written, or else the one that go-yaml v3 gives.
    fn effective_tag(&self) -> &str {
        match (self.tag(), self.view()) {
            (Some(tag), _) if tag != "!" => tag,
            (_, View::Mapping(_)) => "!!map",
            (_, View::Sequence(_)) => "!!seq",
            (_, View::Alias(_)) => "",
            (_, View::Scalar(_)) if self.style() != Style::Plain => "!!str",
            (_, View::Scalar("<<")) => "!!merge",
            (_, View::Scalar(text)) => resolve(text, Dialect::GoYaml3).tag(),
        }
    }

    /// The text of a scalar.
    fn text(&self) -> Option<&str> {
        match self.view() {
            View::Scalar(text) => Some(text),
            _ => None,
        }
    }
}

/// See [`Content`].
pub(crate) enum View<'t, T> {
    Scalar(&'t str),
    Sequence(&'t [T]),
    Mapping(&'t [(T, T)]),
    Alias(&'t str),
}

impl Readable for Tree<'_> {
    fn view(&self) -> View<'_, Self> {
        match &self.content {
            TreeContent::Scalar(text) => View::Scalar(text),
            TreeContent::Sequence(items) => View::Sequence(items),
            TreeContent::Mapping(entries) => View::Mapping(entries),
            TreeContent::Alias(name) => View::Alias(name),
        }
    }

    fn style(&self) -> Style {
        self.style
    }

    fn tag(&self) -> Option<&str> {
        self.extras()?.tag.as_deref()
    }

    fn anchor(&self) -> Option<&str> {
        self.extras()?.anchor.as_deref()
    }

    fn position(&self) -> Position {
        self.position
    }
}

impl Readable for Node {
    fn view(&self) -> View<'_, Self> {
        match &self.content {
            Content::Scalar(text) => View::Scalar(text),
            Content::Sequence(items) => View::Sequence(items),
            Content::Mapping(entries) => View::Mapping(entries),
            Content::Alias(name) => View::Alias(name),
        }
    }

    fn style(&self) -> Style {
        self.style
    }

    fn tag(&self) -> Option<&str> {
        self.tag.as_deref()
    }

    fn anchor(&self) -> Option<&str> {
        self.anchor.as_deref()
    }

    fn position(&self) -> Position {
        self.position
    }
}

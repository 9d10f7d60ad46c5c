//! A node as kyaml looks at it: its kind, its fields by name, and what setting a field does to quotes.

use std::fmt;

use deploy_yaml::node::{Content, Node, Style};

use super::{Error, shared};

/// The kind of a node, named as messages name it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// A scalar.
    Scalar,
    /// A list.
    Sequence,
    /// A map.
    Mapping,
    /// An alias.
    Alias,
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Kind::Scalar => "ScalarNode",
            Kind::Sequence => "SequenceNode",
            Kind::Mapping => "MappingNode",
            Kind::Alias => "AliasNode",
        })
    }
}

/// The kind of a node.
pub fn kind(node: &Node) -> Kind {
    match node.content {
        Content::Scalar(_) => Kind::Scalar,
        Content::Sequence(_) => Kind::Sequence,
        Content::Mapping(_) => Kind::Mapping,
        Content::Alias(_) => Kind::Alias,
    }
}

/// Whether a node is null, by its tag or as it is written.
pub fn is_null(node: &Node) -> bool {
    match (&node.content, &node.tag) {
        (_, Some(tag)) => tag == "!!null",
        (Content::Scalar(text), None) => {
            node.style == Style::Plain && matches!(text.as_str(), "" | "~" | "null" | "Null" | "NULL")
        }
        _ => false,
    }
}

/// Whether there is nothing in a node: null, `{}` or `[]`.
pub fn is_nil_or_empty(node: &Node) -> bool {
    match &node.content {
        Content::Mapping(entries) => entries.is_empty(),
        Content::Sequence(elements) => elements.is_empty(),
        _ => is_null(node),
    }
}

/// Whether a node is null or `{}`.
pub fn is_empty_map(node: &Node) -> bool {
    is_null(node) || matches!(&node.content, Content::Mapping(entries) if entries.is_empty())
}

/// The text of a scalar.
pub fn text(node: &Node) -> Option<&str> {
    match &node.content {
        Content::Scalar(text) => Some(text),
        _ => None,
    }
}

/// The text of a scalar, nothing for null and for collections.
pub fn value(node: &Node) -> &str {
    match is_null(node) {
        true => "",
        false => text(node).unwrap_or_default(),
    }
}

/// The entries of a map; none where it is not one.
pub fn entries(node: &Node) -> &[(Node, Node)] {
    match &node.content {
        Content::Mapping(entries) => entries,
        _ => &[],
    }
}

/// The elements of a list; none where it is not one.
pub fn elements(node: &Node) -> &[Node] {
    match &node.content {
        Content::Sequence(elements) => elements,
        _ => &[],
    }
}

/// The place of a field among the entries of a map.
pub fn position(entries: &[(Node, Node)], name: &str) -> Option<usize> {
    entries.iter().position(|(key, _)| text(key) == Some(name))
}

/// A field of a map.
pub fn field<'n>(node: &'n Node, name: &str) -> Option<&'n Node> {
    let entries = entries(node);
    position(entries, name).map(|at| &entries[at].1)
}

/// A field of a map, to be changed.
pub fn field_mut<'n>(node: &'n mut Node, name: &str) -> Option<&'n mut Node> {
    let Content::Mapping(entries) = &mut node.content else {
        return None;
    };
    let at = position(entries, name)?;
    Some(&mut entries[at].1)
}

/// A field below fields.
pub fn lookup<'n>(node: &'n Node, path: &[&str]) -> Option<&'n Node> {
    path.iter().try_fold(node, |at, name| field(at, name))
}

/// A node of a kind with nothing in it.
pub fn empty(kind: Kind) -> Node {
    match kind {
        Kind::Mapping => Node::mapping(Vec::new()),
        Kind::Sequence => Node::sequence(Vec::new()),
        Kind::Scalar | Kind::Alias => scalar(""),
    }
}

/// A scalar of which nothing is said but its text.
pub fn scalar(text: &str) -> Node {
    Node::scalar(text)
}

/// A scalar with a tag.
pub fn tagged(text: &str, tag: &str) -> Node {
    Node {
        tag: Some(tag.to_owned()),
        ..scalar(text)
    }
}

/// The refusal of a node of another kind; null is of every kind.
pub fn expect(node: &Node, expected: Kind) -> Result<(), Error> {
    let got = kind(node);
    if got == expected || is_null(node) {
        return Ok(());
    }
    Err(Error::WrongKind {
        expected,
        got,
        contents: deploy_yaml::emit_kyaml(node),
    })
}

/// The tag that go-yaml would have given a node on reading it.
pub fn resolved_tag(node: &Node) -> &str {
    node.resolved_tag()
}

/// Changes the text or style of a scalar, whose type stays: go-yaml fixes the type of what it reads, and says it where the
/// text would mean something else. But a number in quotes is a string. A scalar that was made means what its text means.
fn change(node: &mut Node, change: impl FnOnce(&mut Node)) {
    let is_made = node.position.line == 0;
    if kind(node) != Kind::Scalar || (is_made && node.tag.is_none()) {
        change(node);
        return;
    }
    let tag = resolved_tag(node).to_owned();
    change(node);
    let Content::Scalar(text) = &node.content else {
        return;
    };
    let means = Node::scalar(text.as_str()).resolved_tag() == tag;
    node.tag = None;
    match (means, tag.as_str()) {
        // It stays a string, whatever text it gets next.
        (_, "!!str") if is_made => node.tag = Some(tag),
        // It stays the number or the like that it was made as, unless it has taken on quotes.
        _ if is_made && node.style == Style::Plain => node.tag = Some(tag),
        (true, _) => {}
        (false, "!!str") if node.style == Style::Plain => node.style = Style::DoubleQuoted,
        (false, "!!str") => {}
        (false, _) => node.tag = Some(tag),
    }
}

/// Gives a node another style; its type stays.
pub fn restyle(node: &mut Node, style: Style) {
    if node.style != style || node.tag.is_some() {
        change(node, |node| node.style = style);
    }
}

/// Quotes a plain string that a YAML 1.1 reader would take for something else, as kyaml does with every value that it
/// sets.
pub fn quote_ambiguous(node: &mut Node) {
    let Content::Scalar(text) = &node.content else {
        return;
    };
    if node.style != Style::Plain || !is_ambiguous(text) {
        return;
    }
    let is_string = match &node.tag {
        Some(tag) => tag == "!!str",
        None if node.position.line == 0 => true,
        None => resolved_tag(node) == "!!str",
    };
    if is_string {
        node.style = Style::DoubleQuoted;
    }
}

/// Whether a YAML 1.1 reader takes a plain text for anything but a string.
pub fn is_ambiguous(text: &str) -> bool {
    if text.is_empty() || text.contains('\n') {
        return false;
    }
    // Most values are words, versions and paths: letters that begin none of YAML's constants.
    let first = text.as_bytes()[0];
    let is_word = text
        .bytes()
        .all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_' | b'/' | b'.'));
    if is_word && first.is_ascii_alphabetic() && !b"tTfFnNyYoO".contains(&first) {
        return false;
    }
    match deploy_yaml::to_json(text.as_bytes(), deploy_yaml::Dialect::GoYaml11) {
        Ok(value) => !value.is_string(),
        Err(_) => false,
    }
}

/// Puts `value` into the field `name` of a map: null removes it, a value that is there gives its style.
pub fn set_field(node: &mut Node, name: &str, value: Node) -> Result<(), Error> {
    expect(node, Kind::Mapping)?;
    if is_null(&value) {
        remove_field(node, name);
        return Ok(());
    }
    put_field(node, name, value, scalar(name));
    Ok(())
}

/// [`set_field`] for a value that stays even if it is null; `key` is the key of a field that is not there yet.
pub fn put_field(node: &mut Node, name: &str, mut value: Node, key: Node) {
    quote_ambiguous(&mut value);
    if !matches!(node.content, Content::Mapping(_)) {
        node.content = Content::Mapping(Vec::new());
    }
    let Content::Mapping(entries) = &mut node.content else {
        return;
    };
    match position(entries, name) {
        Some(at) => replace(&mut entries[at].1, value),
        None => entries.push((key, value)),
    }
}

/// Puts a value in the place of another, whose style it takes.
pub fn replace(there: &mut Node, mut value: Node) {
    restyle(&mut value, there.style);
    shared::inherit(there, &mut value);
    *there = value;
}

/// Sets a scalar in place, as a filter does that found it.
pub fn set_scalar(there: &mut Node, mut value: Node) -> Result<(), Error> {
    expect(there, Kind::Scalar)?;
    if is_null(&value) {
        return Ok(());
    }
    quote_ambiguous(&mut value);
    replace(there, value);
    Ok(())
}

/// Changes the text of a scalar and nothing else.
pub fn set_text(there: &mut Node, text: String) {
    change(there, |there| there.content = Content::Scalar(text));
    shared::mark(there);
}

/// Removes a field of a map.
pub fn remove_field(node: &mut Node, name: &str) -> Option<Node> {
    let Content::Mapping(entries) = &mut node.content else {
        return None;
    };
    let at = position(entries, name)?;
    Some(entries.remove(at).1)
}

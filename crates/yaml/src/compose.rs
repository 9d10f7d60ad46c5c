//! Tokens to trees.

use crate::error::{Error, ErrorKind};
use crate::limits::MAX_DEPTH;
use crate::node::Style;
use crate::read::Text;
use crate::scan::{Flavour, Look, Mark, Mistake, Pending, Scanner, TagName, TokenKind};
use crate::tree::{Tree, TreeContent};
use std::collections::HashSet;

const CORE_PREFIX: &str = "tag:yaml.org,2002:";

/// One document of a stream.
pub(crate) struct Document<'a> {
    /// Comments at the top, up to the last blank line before the content.
    pub(crate) head_comment: String,
    pub(crate) root: Tree<'a>,
    /// Comments below everything.
    pub(crate) foot_comment: String,
}

/// Reads the documents of a text, one after the other.
pub(crate) struct Composer<'a> {
    scanner: Scanner<'a>,
    pending: Pending,
    /// The comment above a sequence entry, while the collection nested in it has not begun yet.
    stem: Option<String>,
    anchors: HashSet<&'a str>,
    tag_prefixes: Vec<(String, String)>,
    depth: usize,
    first: bool,
}

/// The next token: its kind, start and end.
type Seen = (Look, Mark, Mark);

impl<'a> Composer<'a> {
    pub(crate) fn new(text: &'a Text<'_>, flavour: Flavour) -> Composer<'a> {
        Composer {
            scanner: Scanner::new(&text.text, text.broken.clone(), flavour),
            pending: Pending::default(),
            stem: None,
            anchors: HashSet::new(),
            tag_prefixes: Vec::new(),
            depth: 0,
            first: true,
        }
    }

    /// The next document; `None` at the end of the stream.
    pub(crate) fn next_document(&mut self) -> Result<Option<Document<'a>>, Error> {
        let implicit_allowed = self.first;
        let mut seen = self.peek()?;
        if self.first {
            self.first = false;
            self.scanner.take();
            seen = self.peek()?;
        } else {
            while seen.0 == Look::DocumentEnd {
                self.scanner.take();
                seen = self.peek()?;
            }
        }
        if self.scanner.flavour() == Flavour::V2 {
            self.anchors.clear();
        }
        let mut head_comment = String::new();
        let starts_explicitly = matches!(seen.0, Look::Directive | Look::DocumentStart);
        let root = if seen.0 == Look::StreamEnd {
            return Ok(None);
        } else if implicit_allowed && !starts_explicitly {
            self.directives()?;
            head_comment = self.split_document_head();
            self.node(seen, true, false)?
        } else {
            self.directives()?;
            let (look, place, _) = self.peek()?;
            if look != Look::DocumentStart {
                return Err(self.mistake(Mark::default(), "did not find expected <document start>", place));
            }
            self.scanner.take();
            let seen = self.peek()?;
            match seen.0 {
                Look::Directive | Look::DocumentStart | Look::DocumentEnd | Look::StreamEnd => {
                    empty_scalar(seen.1)
                }
                _ => self.node(seen, true, false)?,
            }
        };
        if self.peek()?.0 == Look::DocumentEnd {
            self.scanner.take();
        }
        self.tag_prefixes.clear();
        let foot_comment = match self.take_comments() {
            Pending { head, foot, .. } if foot.is_empty() => head,
            Pending { foot, .. } => foot,
        };
        Ok(Some(Document {
            head_comment,
            root,
            foot_comment,
        }))
    }

    #[inline]
    fn peek(&mut self) -> Result<Seen, Error> {
        let token = self.scanner.peek(&mut self.pending)?;
        Ok((token.kind.look(), token.start, token.end))
    }

    fn take_comments(&mut self) -> Pending {
        self.stem = None;
        std::mem::take(&mut self.pending)
    }

    fn mistake(&self, context: Mark, message: &'static str, place: Mark) -> Error {
        Mistake {
            message,
            context,
            place,
            scanning: false,
        }
        .into_error(self.scanner.flavour())
    }

    /// Comments above the last blank line at the top belong to the document, not to its first node.
    fn split_document_head(&mut self) -> String {
        let head = &mut self.pending.head;
        let bytes = head.as_bytes();
        let last = bytes.len().saturating_sub(1);
        let found = (1..bytes.len())
            .rev()
            .find(|&i| bytes[i] == b'\n' && (i == last || bytes[i - 1] == b'\n'));
        let Some(i) = found else {
            return String::new();
        };
        let rest = head.split_off(i + 1);
        head.truncate(if i == last { i } else { i - 1 });
        std::mem::replace(head, rest)
    }

    fn directives(&mut self) -> Result<(), Error> {
        let mut version_seen = false;
        loop {
            let (look, place, _) = self.peek()?;
            if look != Look::Directive {
                break;
            }
            match self.scanner.take().kind {
                TokenKind::Version(..) if version_seen => {
                    return Err(self.mistake(Mark::default(), "found duplicate %YAML directive", place));
                }
                TokenKind::Version(major, minor) if (major, minor) != (1, 1) => {
                    return Err(self.mistake(Mark::default(), "found incompatible YAML document", place));
                }
                TokenKind::Version(..) => version_seen = true,
                TokenKind::TagPrefix(name) => {
                    let TagName { handle, rest: prefix } = *name;
                    if self.tag_prefixes.iter().any(|(h, _)| *h == handle) {
                        return Err(self.mistake(Mark::default(), "found duplicate %TAG directive", place));
                    }
                    self.tag_prefixes.push((handle, prefix));
                }
                _ => {}
            }
        }
        for (handle, prefix) in [("!", "!"), ("!!", CORE_PREFIX)] {
            if !self.tag_prefixes.iter().any(|(h, _)| h == handle) {
                self.tag_prefixes.push((handle.to_owned(), prefix.to_owned()));
            }
        }
        Ok(())
    }

    /// The node that begins with the token that was just looked at.
    fn node(&mut self, seen: Seen, block: bool, indentless: bool) -> Result<Tree<'a>, Error> {
        let (look, start, _) = seen;
        if look == Look::Alias {
            return self.alias(start);
        }
        let mut node = Tree::empty(start.position());
        let (look, place) = match look {
            Look::Anchor | Look::Tag => self.properties(&mut node, start)?,
            _ => (look, start),
        };
        if look == Look::Scalar {
            self.add_comments(&mut node);
            if let TokenKind::Scalar(text, style) = self.scanner.take().kind {
                node.content = TreeContent::Scalar(text);
                node.style = style;
            }
            return Ok(node);
        }
        self.depth += 1;
        if self.depth > MAX_DEPTH {
            let message = format!("line {}: exceeded max depth of {MAX_DEPTH}", place.line + 1);
            return Err(Error::at(ErrorKind::Limit, place.position(), message));
        }
        match look {
            Look::BlockEntry if indentless => self.block_sequence(&mut node, place, true)?,
            Look::FlowSequenceStart => self.flow_sequence(&mut node, place)?,
            Look::FlowMappingStart => self.flow_mapping(&mut node, place)?,
            Look::BlockSequenceStart if block => self.block_sequence(&mut node, place, false)?,
            Look::BlockMappingStart if block => self.block_mapping(&mut node, place)?,
            _ if node.extras().is_some() => {}
            _ => return Err(self.mistake(start, "did not find expected node content", place)),
        }
        self.depth -= 1;
        Ok(node)
    }

    fn alias(&mut self, start: Mark) -> Result<Tree<'a>, Error> {
        let mut node = Tree::empty(start.position());
        self.add_comments(&mut node);
        if let TokenKind::Alias(name) = self.scanner.take().kind {
            if !self.anchors.contains(name) {
                let message = format!("unknown anchor '{name}' referenced");
                return Err(Error::at(ErrorKind::Alias, start.position(), message));
            }
            node.content = TreeContent::Alias(name);
        }
        Ok(node)
    }

    /// Reads an anchor and a tag, in either order, one of each at most.
    fn properties(&mut self, node: &mut Tree<'a>, start: Mark) -> Result<(Look, Mark), Error> {
        let (mut anchored, mut tagged) = (false, false);
        loop {
            let (look, place, _) = self.peek()?;
            match look {
                Look::Anchor if !anchored => anchored = true,
                Look::Tag if !tagged => tagged = true,
                _ => return Ok((look, place)),
            }
            match self.scanner.take().kind {
                TokenKind::Anchor(name) => {
                    self.anchors.insert(name);
                    node.extras_mut().anchor = Some(name.to_owned());
                }
                TokenKind::Tag(name) => node.extras_mut().tag = Some(self.tag(*name, start, place)?),
                _ => {}
            }
        }
    }

    /// The short form of a tag.
    fn tag(&self, name: TagName, start: Mark, place: Mark) -> Result<String, Error> {
        let TagName { handle, rest: suffix } = name;
        let long = if handle.is_empty() {
            suffix
        } else {
            let prefix = self.tag_prefixes.iter().find(|(h, _)| *h == handle);
            let Some((_, prefix)) = prefix else {
                return Err(self.mistake(start, "found undefined tag handle", place));
            };
            format!("{prefix}{suffix}")
        };
        Ok(match long.strip_prefix(CORE_PREFIX) {
            Some(short) => format!("!!{short}"),
            None => long,
        })
    }

    fn add_comments(&mut self, node: &mut Tree<'a>) {
        if self.pending.is_empty() {
            self.stem = None;
            return;
        }
        let comments = self.take_comments();
        let extras = node.extras_mut();
        extras.head_comment = comments.head;
        extras.line_comment = comments.line;
        extras.foot_comment = comments.foot;
    }

    /// The comments at the end of a collection replace those at its beginning, all but the head.
    fn add_end_comments(&mut self, node: &mut Tree<'a>) {
        if self.pending.is_empty() && node.extras().is_none() {
            self.stem = None;
            return;
        }
        let comments = self.take_comments();
        let extras = node.extras_mut();
        extras.line_comment = comments.line;
        extras.foot_comment = comments.foot;
    }

    /// The comment above the dash of a collection is its head.
    fn add_stem(&mut self, node: &mut Tree<'a>) {
        if let Some(stem) = self.stem.take() {
            node.extras_mut().head_comment = stem;
        }
    }

    /// A block sequence; one without indentation has no tokens of its own at its beginning and end.
    fn block_sequence(&mut self, node: &mut Tree<'a>, start: Mark, indentless: bool) -> Result<(), Error> {
        if !indentless {
            self.add_stem(node);
            self.scanner.take();
        }
        let mut items = Vec::new();
        loop {
            let (look, place, end) = self.peek()?;
            match look {
                Look::BlockEntry => {
                    let stem_len = self.pending.head.len();
                    self.scanner.take();
                    self.split_stem(stem_len)?;
                    let seen = self.peek()?;
                    items.push(match seen.0 {
                        Look::BlockEntry | Look::BlockEnd => empty_scalar(end),
                        Look::Key | Look::Value if indentless => empty_scalar(end),
                        _ => self.node(seen, true, false)?,
                    });
                }
                _ if indentless => break,
                Look::BlockEnd => {
                    self.scanner.take();
                    break;
                }
                _ => return Err(self.mistake(start, "did not find expected '-' indicator", place)),
            }
        }
        node.content = TreeContent::Sequence(items);
        Ok(())
    }

    /// A comment above `-` is about the whole collection that is nested there, not about its first entry.
    fn split_stem(&mut self, stem_len: usize) -> Result<(), Error> {
        if stem_len == 0 {
            return Ok(());
        }
        if matches!(self.peek()?.0, Look::BlockSequenceStart | Look::BlockMappingStart) {
            let head = &mut self.pending.head;
            let rest = match head.len() {
                len if len == stem_len => String::new(),
                _ => head.split_off(stem_len + 1),
            };
            head.truncate(stem_len);
            self.stem = Some(std::mem::replace(head, rest));
        }
        Ok(())
    }

    fn block_mapping(&mut self, node: &mut Tree<'a>, start: Mark) -> Result<(), Error> {
        self.add_stem(node);
        self.scanner.take();
        let mut entries = Vec::new();
        loop {
            let (look, place, end) = self.peek()?;
            let key = match look {
                Look::Key => {
                    self.scanner.take();
                    let seen = self.peek()?;
                    match seen.0 {
                        Look::Key | Look::Value | Look::BlockEnd => empty_scalar(end),
                        _ => self.node(seen, true, true)?,
                    }
                }
                Look::BlockEnd => break,
                _ => return Err(self.mistake(start, "did not find expected key", place)),
            };
            let (look, place, end) = self.peek()?;
            let key = self.foot_to_prior_key(&mut entries, key);
            let value = match look {
                Look::Value => {
                    self.scanner.take();
                    let seen = self.peek()?;
                    match seen.0 {
                        Look::Key | Look::Value | Look::BlockEnd => empty_scalar(end),
                        _ => self.node(seen, true, true)?,
                    }
                }
                _ => empty_scalar(place),
            };
            entries.push(foot_to_key(key, value));
        }
        self.add_end_comments(node);
        self.scanner.take();
        if let (true, Some((key, _))) = (node.has_foot(), entries.last_mut()) {
            key.set_foot(node.take_foot());
        }
        node.content = TreeContent::Mapping(entries);
        Ok(())
    }

    /// The foot comment of a key was written below the value before it.
    fn foot_to_prior_key(&self, entries: &mut [(Tree<'a>, Tree<'a>)], mut key: Tree<'a>) -> Tree<'a> {
        if let (true, Some((prior, _))) = (key.has_foot(), entries.last_mut()) {
            prior.set_foot(key.take_foot());
        }
        key
    }

    fn flow_node(&mut self) -> Result<Tree<'a>, Error> {
        let seen = self.peek()?;
        self.node(seen, false, false)
    }

    fn flow_sequence(&mut self, node: &mut Tree<'a>, start: Mark) -> Result<(), Error> {
        self.add_comments(node);
        node.style = Style::Flow;
        self.scanner.take();
        let mut items: Vec<Tree<'a>> = Vec::new();
        let mut first = true;
        loop {
            let (mut look, mut place, _) = self.peek()?;
            if look != Look::FlowSequenceEnd && !first {
                if look != Look::FlowEntry {
                    return Err(self.mistake(start, "did not find expected ',' or ']'", place));
                }
                self.scanner.take();
                (look, place, _) = self.peek()?;
            }
            first = false;
            match look {
                Look::FlowSequenceEnd => break,
                Look::Key => {
                    self.scanner.take();
                    items.push(self.flow_pair(place)?);
                }
                _ => items.push(self.flow_node()?),
            }
        }
        self.add_end_comments(node);
        self.scanner.take();
        node.content = TreeContent::Sequence(items);
        Ok(())
    }

    /// `key: value` as an item of a flow sequence is a mapping of one entry.
    fn flow_pair(&mut self, start: Mark) -> Result<Tree<'a>, Error> {
        let (look, _, end) = self.peek()?;
        let key = match look {
            Look::Value | Look::FlowEntry | Look::FlowSequenceEnd => {
                // go-yaml loses this token, and complains about the next one.
                self.scanner.take();
                empty_scalar(end)
            }
            _ => self.flow_node()?,
        };
        let (look, place, _) = self.peek()?;
        let mut value = empty_scalar(place);
        if look == Look::Value {
            self.scanner.take();
            let seen = self.peek()?;
            if !matches!(seen.0, Look::FlowEntry | Look::FlowSequenceEnd) {
                value = self.node(seen, false, false)?;
            }
        }
        self.peek()?;
        let mut pair = Tree::empty(start.position());
        pair.content = TreeContent::Mapping(vec![foot_to_key(key, value)]);
        pair.style = Style::Flow;
        Ok(pair)
    }

    fn flow_mapping(&mut self, node: &mut Tree<'a>, start: Mark) -> Result<(), Error> {
        self.add_comments(node);
        node.style = Style::Flow;
        self.scanner.take();
        let mut entries = Vec::new();
        let mut first = true;
        loop {
            let (mut look, mut place, _) = self.peek()?;
            if look != Look::FlowMappingEnd && !first {
                if look != Look::FlowEntry {
                    return Err(self.mistake(start, "did not find expected ',' or '}'", place));
                }
                self.scanner.take();
                (look, _, _) = self.peek()?;
            }
            first = false;
            let key = match look {
                Look::FlowMappingEnd => break,
                Look::Key => {
                    self.scanner.take();
                    (look, place, _) = self.peek()?;
                    match look {
                        Look::Value | Look::FlowEntry | Look::FlowMappingEnd => empty_scalar(place),
                        _ => self.flow_node()?,
                    }
                }
                _ => {
                    let key = self.flow_node()?;
                    let (_, place, _) = self.peek()?;
                    entries.push(foot_to_key(key, empty_scalar(place)));
                    continue;
                }
            };
            let (look, mut place, _) = self.peek()?;
            let mut value = None;
            if look == Look::Value {
                self.scanner.take();
                let look;
                (look, place, _) = self.peek()?;
                if !matches!(look, Look::FlowEntry | Look::FlowMappingEnd) {
                    value = Some(self.flow_node()?);
                }
            }
            entries.push(foot_to_key(key, value.unwrap_or_else(|| empty_scalar(place))));
        }
        self.add_end_comments(node);
        self.scanner.take();
        node.content = TreeContent::Mapping(entries);
        Ok(())
    }
}

/// The foot comment of a value is kept at its key, because the value may be nested deeply.
fn foot_to_key<'a>(mut key: Tree<'a>, mut value: Tree<'a>) -> (Tree<'a>, Tree<'a>) {
    if value.has_foot() && !key.has_foot() {
        key.set_foot(value.take_foot());
    }
    (key, value)
}

/// What stands where nothing is written.
fn empty_scalar<'a>(place: Mark) -> Tree<'a> {
    Tree::empty(place.position())
}

//! Trees as kyaml's encoder, go-yaml v3's, writes them: with the styles, comments, anchors and tags of their source.

use super::writer::{Layout, Place, Writer};
use crate::node::{Content, Node, Style};
use std::fmt::Write as _;
use std::mem::{swap, take};

/// A tree as a document.
pub(super) fn emit(node: &Node, layout: Layout) -> String {
    let mut emitter = Emitter {
        writer: Writer::new(layout, 1024),
        comments: Comments::default(),
    };
    emitter.document(node);
    emitter.writer.out
}

/// Comments that wait to be written.
#[derive(Default)]
struct Comments {
    head: String,
    line: String,
    foot: String,
    /// The foot of the entry before this one.
    tail: String,
    /// A line comment of a key whose value begins on the next line.
    key_line: String,
}

impl Comments {
    fn any_behind(&self) -> bool {
        !(self.line.is_empty() && self.foot.is_empty() && self.tail.is_empty())
    }

    /// Takes over the comments of what is written next; what waits and is not replaced keeps waiting.
    fn add(&mut self, head: &str, line: &str, foot: &str, tail: &str) {
        for (target, new) in [
            (&mut self.head, head),
            (&mut self.line, line),
            (&mut self.foot, foot),
            (&mut self.tail, tail),
        ] {
            if !new.is_empty() {
                target.clear();
                target.push_str(new);
            }
        }
    }
}

struct Emitter {
    writer: Writer,
    comments: Comments,
}

/// What follows a node. go-yaml does it behind the first event of a collection, before its contents.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Behind {
    Nothing,
    Comments,
    /// A comma at once if comments follow.
    CommaAndComments,
}

impl Emitter {
    fn document(&mut self, root: &Node) {
        self.begin(root);
        self.head_comment();
        self.node(root, Place::Root, Behind::Comments);
        self.writer.indent = -1;
        // The foot of the document is set apart by a blank line.
        self.writer.foot_indent = 0;
        self.foot_comment();
        self.writer.foot_indent = -1;
        self.writer.write_indent();
    }

    /// What a node's first event brings along: a collection's line and foot comments come with its end.
    fn begin(&mut self, node: &Node) {
        match &node.content {
            Content::Sequence(_) | Content::Mapping(_) => self.comments.add(&node.head_comment, "", "", ""),
            _ => {
                let Node {
                    head_comment,
                    line_comment,
                    foot_comment,
                    ..
                } = node;
                self.comments.add(head_comment, line_comment, foot_comment, "");
            }
        }
    }

    /// The same for a key, whose foot comment is written behind its value, as the tail of what follows.
    fn begin_key(&mut self, key: &Node, tail: &str) {
        match &key.content {
            Content::Sequence(_) => self.comments.add(&key.head_comment, "", "", ""),
            Content::Mapping(_) => self.comments.add(&key.head_comment, "", "", tail),
            Content::Alias(_) => self.comments.add(&key.head_comment, &key.line_comment, "", ""),
            Content::Scalar(_) => self.comments.add(&key.head_comment, &key.line_comment, "", tail),
        }
    }

    fn node(&mut self, node: &Node, place: Place, behind: Behind) {
        match &node.content {
            Content::Alias(name) => self.writer.word(&format!("*{name}")),
            Content::Scalar(text) => self.scalar(node, text, place),
            Content::Sequence(items) => {
                self.properties(node, node.tag.as_deref());
                self.behind(behind);
                return match self.is_flow(node) || items.is_empty() {
                    true => self.flow_sequence(node, items, place),
                    false => self.block_sequence(node, items, place),
                };
            }
            Content::Mapping(entries) => {
                self.properties(node, node.tag.as_deref());
                self.behind(behind);
                return match self.is_flow(node) || entries.is_empty() {
                    true => self.flow_mapping(node, entries, place),
                    false => self.block_mapping(node, entries, place),
                };
            }
        }
        self.behind(behind);
    }

    fn behind(&mut self, behind: Behind) {
        if behind == Behind::Nothing {
            return;
        }
        if behind == Behind::CommaAndComments && self.comments.any_behind() {
            self.writer.indicator(",", false, false, false);
        }
        self.line_comment();
        self.foot_comment();
    }

    fn is_flow(&self, node: &Node) -> bool {
        self.writer.flow_level > 0 || node.style == Style::Flow
    }

    fn properties(&mut self, node: &Node, tag: Option<&str>) {
        if let Some(anchor) = &node.anchor {
            self.writer.word(&format!("&{anchor}"));
        }
        if let Some(tag) = tag.filter(|t| *t != "!") {
            self.writer.word(&written_tag(tag));
        }
    }

    fn scalar(&mut self, node: &Node, text: &str, place: Place) {
        let wanted = match node.style {
            Style::Plain | Style::Flow if text.contains('\n') => Style::Literal,
            style => style,
        };
        self.properties(node, scalar_tag(node));
        match self.writer.style_for(text, wanted, place) {
            style @ (Style::Literal | Style::Folded) => self.block_scalar(text, style, place),
            style => self.writer.flow_scalar(text, style, place),
        }
    }

    fn block_scalar(&mut self, text: &str, style: Style, place: Place) {
        let before = self.writer.deeper(place, true, false);
        let indicator = if style == Style::Literal { "|" } else { ">" };
        self.writer.indicator(indicator, true, false, false);
        self.writer.block_hints(text);
        if self.comments.line.is_empty() {
            self.writer.put_break();
        } else {
            self.line_comment();
        }
        match style {
            Style::Literal => self.writer.literal_lines(text),
            _ => self.writer.folded_lines(text),
        }
        self.writer.indent = before;
    }

    fn block_sequence(&mut self, node: &Node, items: &[Node], place: Place) {
        let before = self.writer.indent;
        self.writer.enter_block_sequence(place);
        for item in items {
            self.begin(item);
            self.head_comment();
            self.writer.write_indent();
            self.writer.indicator("-", true, false, true);
            self.node(item, Place::BlockItem, Behind::Comments);
        }
        self.end_comments(node, "");
        self.writer.indent = before;
    }

    fn block_mapping(&mut self, node: &Node, entries: &[(Node, Node)], place: Place) {
        let before = self.writer.deeper(place, false, false);
        let mut tail = "";
        for (key, value) in entries {
            self.begin_key(key, tail);
            tail = &key.foot_comment;
            self.head_comment();
            self.writer.write_indent();
            // A line comment of a key is unusual: the scanner gives them to values.
            if !self.comments.line.is_empty() {
                self.comments.key_line = take(&mut self.comments.line);
            }
            if self.is_simple_key(key) {
                self.node(key, Place::SimpleKey, Behind::Nothing);
                self.begin(value);
                self.writer.indicator(":", false, false, false);
            } else {
                self.writer.indicator("?", true, false, true);
                self.node(key, Place::Key, Behind::Nothing);
                self.begin(value);
                self.writer.write_indent();
                self.writer.indicator(":", true, false, true);
            }
            self.key_line_comment(value);
            self.node(value, Place::Value, Behind::Comments);
        }
        self.end_comments(node, tail);
        self.head_comment();
        self.writer.indent = before;
    }

    /// What a collection's last event brings along.
    fn end_comments(&mut self, node: &Node, tail: &str) {
        self.comments
            .add("", &node.line_comment, &node.foot_comment, tail);
    }

    fn key_line_comment(&mut self, value: &Node) {
        if self.comments.key_line.is_empty() {
            return;
        }
        match &value.content {
            Content::Scalar(_) if self.comments.line.is_empty() => {
                self.comments.line = take(&mut self.comments.key_line);
            }
            Content::Mapping(_) | Content::Sequence(_) if value.style != Style::Flow => {
                swap(&mut self.comments.line, &mut self.comments.key_line);
                self.line_comment();
                swap(&mut self.comments.line, &mut self.comments.key_line);
            }
            _ => {}
        }
    }

    fn flow_sequence(&mut self, node: &Node, items: &[Node], place: Place) {
        self.writer.indicator("[", true, true, false);
        let before = self.writer.deeper(place, true, false);
        self.writer.flow_level += 1;
        let mut comma_written = true;
        for item in items {
            self.begin(item);
            self.begin_flow_entry(comma_written);
            comma_written = self.comments.any_behind();
            self.node(item, Place::FlowItem, Behind::CommaAndComments);
        }
        self.end_comments(node, "");
        if self.writer.column == 0 {
            self.writer.indent = before;
            self.writer.write_indent();
        }
        self.end_flow("]", before);
    }

    fn flow_mapping(&mut self, node: &Node, entries: &[(Node, Node)], place: Place) {
        self.writer.indicator("{", true, true, false);
        let before = self.writer.deeper(place, true, false);
        self.writer.flow_level += 1;
        let mut tail = "";
        let mut comma_written = true;
        for (key, value) in entries {
            self.begin_key(key, tail);
            tail = &key.foot_comment;
            self.begin_flow_entry(comma_written);
            if self.is_simple_key(key) {
                self.node(key, Place::SimpleKey, Behind::Nothing);
                self.begin(value);
                self.writer.indicator(":", false, false, false);
            } else {
                self.writer.indicator("?", true, false, false);
                self.node(key, Place::Key, Behind::Nothing);
                self.begin(value);
                if self.writer.column > self.writer.layout.width {
                    self.writer.write_indent();
                }
                self.writer.indicator(":", true, false, false);
            }
            comma_written = self.comments.any_behind();
            self.node(value, Place::Value, Behind::CommaAndComments);
        }
        self.end_comments(node, tail);
        let Comments { head, foot, tail, .. } = &self.comments;
        // A foot that begins with a blank line is the document's.
        let own_foot = !foot.is_empty() && !foot.starts_with('\n');
        let waiting = own_foot || !head.is_empty() || !tail.is_empty();
        if waiting && !comma_written {
            self.writer.indicator(",", false, false, false);
        }
        self.head_comment();
        self.end_flow("}", before);
    }

    fn begin_flow_entry(&mut self, comma_written: bool) {
        if !comma_written {
            self.writer.indicator(",", false, false, false);
        }
        self.head_comment();
        if self.writer.column == 0 || self.writer.column > self.writer.layout.width {
            self.writer.write_indent();
        }
    }

    fn end_flow(&mut self, close: &str, before: i64) {
        self.writer.flow_level -= 1;
        self.writer.indent = before;
        self.writer.indicator(close, false, false, false);
        self.line_comment();
        self.foot_comment();
    }

    fn is_simple_key(&self, key: &Node) -> bool {
        let anchor = key.anchor.as_ref().map_or(0, String::len);
        let tag = scalar_tag(key).map_or(0, str::len);
        match &key.content {
            Content::Scalar(text) => self.writer.fits_simple_key(text, anchor + tag),
            Content::Alias(name) => self.writer.fits_simple_key(name, 0),
            Content::Sequence(items) => items.is_empty(),
            Content::Mapping(entries) => entries.is_empty(),
        }
    }

    fn head_comment(&mut self) {
        if !self.comments.tail.is_empty() {
            let tail = take(&mut self.comments.tail);
            self.writer.write_indent();
            self.comment(&tail);
            self.writer.foot_indent = self.writer.indent.max(0);
        }
        if !self.comments.head.is_empty() {
            let head = take(&mut self.comments.head);
            self.writer.write_indent();
            self.comment(&head);
        }
    }

    fn line_comment(&mut self) {
        if !self.comments.line.is_empty() {
            let line = take(&mut self.comments.line);
            self.writer.space();
            self.comment(&line);
        }
    }

    fn foot_comment(&mut self) {
        if !self.comments.foot.is_empty() {
            let foot = take(&mut self.comments.foot);
            self.writer.write_indent();
            self.comment(&foot);
            self.writer.foot_indent = self.writer.indent.max(0);
        }
    }

    /// Writes the lines of a comment, and ends the last one.
    fn comment(&mut self, text: &str) {
        let mut after_break = false;
        for line in text.split('\n').enumerate() {
            let (i, line) = line;
            if i > 0 {
                self.writer.put_break();
                after_break = true;
            }
            if line.is_empty() {
                continue;
            }
            if after_break {
                self.writer.write_indent();
            }
            after_break = false;
            let marker = if line.starts_with('#') { "" } else { "# " };
            self.writer.comment_line(marker, line);
        }
        if !after_break {
            self.writer.put_break();
        }
        self.writer.whitespace = true;
    }
}

/// The tag to write: the one that the source has, and the one that go-yaml gives to the key of a merge.
fn scalar_tag(node: &Node) -> Option<&str> {
    match (&node.tag, node.style, &node.content) {
        (Some(tag), ..) if tag != "!" => Some(tag),
        (_, Style::Plain, Content::Scalar(text)) if text == "<<" => Some("!!merge"),
        _ => None,
    }
}

/// A tag as it is written: tags of other schemas in full, unusual characters escaped.
fn written_tag(tag: &str) -> String {
    let (open, content, close) = match (tag.strip_prefix("!!"), tag.strip_prefix('!')) {
        (Some(suffix), _) => ("!!", suffix, ""),
        (_, Some(suffix)) => ("!", suffix, ""),
        _ => ("!<", tag, ">"),
    };
    let mut written = open.to_owned();
    for byte in content.bytes() {
        if byte.is_ascii_alphanumeric() || b"-;/?:@&=+$,_.~*'()[]".contains(&byte) {
            written.push(char::from(byte));
        } else {
            write!(written, "%{byte:02X}").expect("a string takes everything");
        }
    }
    written + close
}

//! Trees as kyaml's encoder, go-yaml v3's, writes them: with the styles, comments, anchors and tags of their source.

use super::writer::{Layout, Place, Writer};
use crate::dialect::Dialect;
use crate::node::{Content, Node, Style};
use crate::resolve::resolve;
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

impl Emitter {
    fn document(&mut self, root: &Node) {
        self.begin(root, "", "");
        self.head_comment();
        self.node(root, Place::Root);
        self.line_comment();
        self.foot_comment();
        self.writer.indent = -1;
        // Whatever is left is set apart by a blank line.
        self.writer.foot_indent = 0;
        self.foot_comment();
        self.writer.foot_indent = -1;
        self.writer.write_indent();
    }

    /// What a node's first event brings along: a collection's line and foot comments come with its end.
    fn begin(&mut self, node: &Node, foot_override: &str, tail: &str) {
        let _ = foot_override;
        match &node.content {
            Content::Sequence(_) | Content::Mapping(_) => self.comments.add(&node.head_comment, "", "", tail),
            _ => self
                .comments
                .add(&node.head_comment, &node.line_comment, &node.foot_comment, tail),
        }
    }

    fn node(&mut self, node: &Node, place: Place) {
        match &node.content {
            Content::Alias(name) => self.writer.word(&format!("*{name}")),
            Content::Scalar(text) => self.scalar(node, text, place),
            Content::Sequence(items) => {
                self.properties(node, node.tag.as_deref().filter(|t| *t != "!!seq" && *t != "!"));
                if self.is_flow(node) || items.is_empty() {
                    self.flow_sequence(node, items, place);
                } else {
                    self.block_sequence(node, items, place);
                }
            }
            Content::Mapping(entries) => {
                self.properties(node, node.tag.as_deref().filter(|t| *t != "!!map" && *t != "!"));
                if self.is_flow(node) || entries.is_empty() {
                    self.flow_mapping(node, entries, place);
                } else {
                    self.block_mapping(node, entries, place);
                }
            }
        }
    }

    fn is_flow(&self, node: &Node) -> bool {
        self.writer.flow_level > 0 || node.style == Style::Flow
    }

    fn properties(&mut self, node: &Node, tag: Option<&str>) {
        if let Some(anchor) = &node.anchor {
            self.writer.word(&format!("&{anchor}"));
        }
        if let Some(tag) = tag {
            self.writer.word(&written_tag(tag));
        }
    }

    fn scalar(&mut self, node: &Node, text: &str, place: Place) {
        let tag = node.tag.as_deref().filter(|t| *t != "!");
        let wanted = match node.style {
            Style::Plain | Style::Flow if text.contains('\n') => Style::Literal,
            Style::Flow => Style::Plain,
            style => style,
        };
        let mut style = self.writer.style_for(text, wanted, place);
        // Quotes would make a string of what is none: say what it is.
        let quoted_by_need = style != Style::Plain && node.style == Style::Plain && tag.is_none();
        if quoted_by_need && text.is_empty() && resolve(text, Dialect::GoYaml3).tag() == "!!null" {
            style = Style::SingleQuoted;
        }
        self.properties(node, tag);
        match style {
            Style::Literal | Style::Folded => self.block_scalar(text, style, place),
            _ => self.writer.flow_scalar(text, style, place),
        }
    }

    fn block_scalar(&mut self, text: &str, style: Style, place: Place) {
        let before = self.writer.deeper(place, true, false);
        self.writer.indicator(
            if style == Style::Literal { "|" } else { ">" },
            true,
            false,
            false,
        );
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
        self.writer.into_block_sequence(place);
        for item in items {
            self.begin(item, "", "");
            self.head_comment();
            self.writer.write_indent();
            self.writer.indicator("-", true, false, true);
            self.node(item, Place::BlockItem);
            self.line_comment();
            self.foot_comment();
        }
        self.comments.add("", &node.line_comment, &node.foot_comment, "");
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
            let simple = self.is_simple_key(key);
            if !self.comments.line.is_empty() {
                self.comments.key_line = take(&mut self.comments.line);
            }
            if simple {
                self.node(key, Place::SimpleKey);
                self.writer.indicator(":", false, false, false);
            } else {
                self.writer.indicator("?", true, false, true);
                self.node(key, Place::Key);
                self.writer.write_indent();
                self.writer.indicator(":", true, false, true);
            }
            self.begin(value, "", "");
            self.key_line_comment(value);
            self.node(value, Place::Value);
            self.line_comment();
            self.foot_comment();
        }
        self.comments
            .add("", &node.line_comment, &node.foot_comment, tail);
        self.writer.indent = before;
    }

    /// A key's foot comment is written behind its value, as the tail of what follows.
    fn begin_key(&mut self, key: &Node, tail: &str) {
        match &key.content {
            Content::Sequence(_) => self.comments.add(&key.head_comment, "", "", ""),
            Content::Mapping(_) => self.comments.add(&key.head_comment, "", "", tail),
            Content::Alias(_) => self.comments.add(&key.head_comment, &key.line_comment, "", ""),
            Content::Scalar(_) => self.comments.add(&key.head_comment, &key.line_comment, "", tail),
        }
    }

    fn key_line_comment(&mut self, value: &Node) {
        if self.comments.key_line.is_empty() {
            return;
        }
        match &value.content {
            Content::Scalar(_) => {
                if self.comments.line.is_empty() {
                    self.comments.line = take(&mut self.comments.key_line);
                }
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
            self.begin(item, "", "");
            if !comma_written {
                self.writer.indicator(",", false, false, false);
            }
            self.head_comment();
            self.flow_line_start();
            comma_written = self.flow_entry_end(|e| e.node(item, Place::FlowItem));
        }
        self.comments.add("", &node.line_comment, &node.foot_comment, "");
        self.writer.flow_level -= 1;
        self.writer.indent = before;
        if self.writer.column == 0 {
            self.writer.write_indent();
        }
        self.writer.indicator("]", false, false, false);
        self.line_comment();
        self.foot_comment();
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
            if !comma_written {
                self.writer.indicator(",", false, false, false);
            }
            self.head_comment();
            self.flow_line_start();
            if self.is_simple_key(key) {
                self.node(key, Place::SimpleKey);
                self.begin(value, "", "");
                self.writer.indicator(":", false, false, false);
            } else {
                self.writer.indicator("?", true, false, false);
                self.node(key, Place::Key);
                self.begin(value, "", "");
                if self.writer.column > self.writer.layout.width {
                    self.writer.write_indent();
                }
                self.writer.indicator(":", true, false, false);
            }
            comma_written = self.flow_entry_end(|e| e.node(value, Place::Value));
        }
        self.comments
            .add("", &node.line_comment, &node.foot_comment, tail);
        let comments = &self.comments;
        let waiting = !(comments.head.is_empty() && comments.foot.is_empty() && comments.tail.is_empty());
        if waiting && !comma_written {
            self.writer.indicator(",", false, false, false);
        }
        self.head_comment();
        self.writer.flow_level -= 1;
        self.writer.indent = before;
        if self.writer.column == 0 {
            self.writer.write_indent();
        }
        self.writer.indicator("}", false, false, false);
        self.line_comment();
        self.foot_comment();
    }

    fn flow_line_start(&mut self) {
        if self.writer.column == 0 || self.writer.column > self.writer.layout.width {
            self.writer.write_indent();
        }
    }

    /// Writes an entry, and its comma at once if comments follow; whether it did.
    fn flow_entry_end(&mut self, entry: impl FnOnce(&mut Self)) -> bool {
        let trailing = self.comments.any_behind();
        entry(self);
        if self.comments.any_behind() {
            self.writer.indicator(",", false, false, false);
        }
        self.line_comment();
        self.foot_comment();
        trailing
    }

    fn is_simple_key(&self, key: &Node) -> bool {
        let properties = key.anchor.as_ref().map_or(0, String::len) + key.tag.as_ref().map_or(0, String::len);
        match &key.content {
            Content::Scalar(text) => self.writer.fits_simple_key(text, properties),
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

/// A tag as it is written: tags of other schemas in full.
fn written_tag(tag: &str) -> String {
    if tag.starts_with('!') {
        tag.to_owned()
    } else {
        format!("!<{tag}>")
    }
}

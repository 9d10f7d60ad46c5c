//! Text as go-yaml lays it out: where lines break, what is quoted and how.

use super::analysis::{Analysis, analyse, has_break, is_break, is_harmless, is_printable};
use crate::node::Style;

/// Keys longer than this, in bytes, are written with `?`.
const MAX_SIMPLE_KEY_BYTES: usize = 128;

/// How one of go-yaml's encoders is set up.
#[derive(Clone, Copy, Debug)]
pub(super) struct Layout {
    /// Spaces for each level, 2 to 9.
    pub(super) indent: i64,
    /// Lines are folded at the first space behind this column.
    pub(super) width: usize,
    /// go-yaml v3's habits, rather than v2's.
    pub(super) v3: bool,
    /// Whether `- ` is part of the indentation of a list in a mapping.
    pub(super) compact: bool,
}

/// Where a node is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Place {
    Root,
    /// An item of a block sequence.
    BlockItem,
    FlowItem,
    /// A key that is followed by `:` on its line.
    SimpleKey,
    /// A key behind `?`.
    Key,
    /// A value in a mapping.
    Value,
}

impl Place {
    pub(super) fn in_mapping(self) -> bool {
        matches!(self, Place::SimpleKey | Place::Key | Place::Value)
    }
}

/// The text so far, and what stands at its end.
pub(super) struct Writer {
    pub(super) out: String,
    pub(super) layout: Layout,
    /// Characters on the last line.
    pub(super) column: usize,
    /// The column of the innermost collection; -1 outside of all.
    pub(super) indent: i64,
    pub(super) flow_level: usize,
    /// Whether the last character separates.
    pub(super) whitespace: bool,
    /// Whether the last line has nothing but indentation and `-`, `?` and `:` so far.
    pub(super) indention: bool,
    /// A foot comment was written at this column: a blank line follows it there.
    pub(super) foot_indent: i64,
}

impl Writer {
    pub(super) fn new(layout: Layout, capacity: usize) -> Writer {
        Writer {
            out: String::with_capacity(capacity),
            layout,
            column: 0,
            indent: -1,
            flow_level: 0,
            whitespace: true,
            indention: true,
            foot_indent: -1,
        }
    }

    pub(super) fn put_break(&mut self) {
        self.out.push('\n');
        self.column = 0;
        if self.layout.v3 {
            self.indention = true;
        }
    }

    fn put(&mut self, c: char) {
        self.out.push(c);
        self.column += 1;
    }

    #[inline]
    fn put_str(&mut self, text: &str) {
        self.out.push_str(text);
        self.column += text.len();
        if !text.is_ascii() {
            self.column -= text.bytes().filter(|b| b & 0xC0 == 0x80).count();
        }
    }

    /// Goes to the column of the innermost collection, on this line if nothing has been written on it.
    pub(super) fn write_indent(&mut self) {
        let indent = usize::try_from(self.indent).unwrap_or(0);
        if !self.indention || self.column > indent || (self.column == indent && !self.whitespace) {
            self.put_break();
        }
        if self.foot_indent == indent as i64 {
            self.put_break();
        }
        while self.column < indent {
            const SPACES: &str = "                                                                ";
            let step = (indent - self.column).min(SPACES.len());
            self.out.push_str(&SPACES[..step]);
            self.column += step;
        }
        self.whitespace = true;
        if !self.layout.v3 {
            self.indention = true;
        }
        self.foot_indent = -1;
    }

    /// Writes punctuation, behind a space if there has to be one.
    pub(super) fn indicator(&mut self, text: &str, spaced: bool, separates: bool, indents: bool) {
        if spaced {
            self.space();
        }
        self.out.push_str(text);
        self.column += text.len();
        self.whitespace = separates;
        self.indention &= indents;
    }

    /// Writes a space unless the last character separates already.
    pub(super) fn space(&mut self) {
        if !self.whitespace {
            self.put(' ');
        }
    }

    /// Writes a word: an anchor or a tag.
    pub(super) fn word(&mut self, text: &str) {
        self.space();
        self.put_str(text);
        self.whitespace = false;
        self.indention = false;
    }

    /// Goes one level deeper; the level to come back to.
    pub(super) fn deeper(&mut self, place: Place, flow: bool, compact: bool) -> i64 {
        let before = self.indent;
        let step = self.layout.indent;
        self.indent = if before < 0 {
            if flow { step } else { 0 }
        } else if !self.layout.v3 {
            before + step
        } else if place == Place::BlockItem {
            // Right behind the `- `.
            before + 2
        } else {
            step * ((before + step) / step) - if compact { 2 } else { 0 }
        };
        before
    }

    /// Goes into a block sequence.
    pub(super) fn enter_block_sequence(&mut self, place: Place) -> i64 {
        if self.layout.v3 {
            let compact = place.in_mapping() && (self.column == 0 || !self.indention) && self.layout.compact;
            self.deeper(place, false, compact)
        } else if place.in_mapping() && !self.indention {
            self.indent
        } else {
            self.deeper(place, false, false)
        }
    }

    /// Whether a key fits before a `:` on its line. `extra` is the length of its anchor and tag.
    pub(super) fn fits_simple_key(&self, text: &str, extra: usize) -> bool {
        text.len() + extra <= MAX_SIMPLE_KEY_BYTES && !has_break(text)
    }

    /// Picks the style for a scalar: the one asked for if it can be used, else quotes.
    pub(super) fn style_for(&self, text: &str, wanted: Style, place: Place) -> Style {
        let simple_key = place == Place::SimpleKey;
        if wanted == Style::Plain && is_harmless(text) {
            return Style::Plain;
        }
        let allowed: Analysis = analyse(text, self.layout.v3);
        let in_flow = self.flow_level > 0;
        let mut style = wanted;
        if simple_key && allowed.multiline {
            style = Style::DoubleQuoted;
        }
        if style == Style::Plain || style == Style::Flow {
            style = Style::Plain;
            let plain = if in_flow {
                allowed.plain_in_flow
            } else {
                allowed.plain_in_block
            };
            if !plain || (text.is_empty() && (in_flow || simple_key)) {
                style = Style::SingleQuoted;
            }
        }
        if style == Style::SingleQuoted && !allowed.single_quoted {
            style = Style::DoubleQuoted;
        }
        if matches!(style, Style::Literal | Style::Folded) && (!allowed.literal || in_flow || simple_key) {
            style = Style::DoubleQuoted;
        }
        style
    }

    /// Writes a scalar without quotes or in quotes. Block scalars are [`Writer::literal`] and [`Writer::folded`].
    pub(super) fn flow_scalar(&mut self, text: &str, style: Style, place: Place) {
        let before = self.deeper(place, true, false);
        let foldable = place != Place::SimpleKey;
        match style {
            Style::SingleQuoted => self.single_quoted(text, foldable),
            Style::DoubleQuoted => self.double_quoted(text, foldable),
            _ => self.plain(text, foldable),
        }
        self.indent = before;
    }

    fn fits(&self, text: &str) -> bool {
        self.column + text.len() <= self.layout.width
    }

    fn plain(&mut self, text: &str, foldable: bool) {
        if !text.is_empty() || !self.layout.v3 {
            self.space();
        }
        if (!foldable || self.fits(text)) && !has_break(text) {
            self.put_str(text);
        } else {
            self.foldable_text(text, foldable, false);
        }
        if !text.is_empty() || !self.layout.v3 {
            self.whitespace = false;
        }
        self.indention = false;
    }

    fn single_quoted(&mut self, text: &str, foldable: bool) {
        self.indicator("'", true, false, false);
        if (!foldable || self.fits(text)) && !text.contains(|c| c == '\'' || is_break(c)) {
            self.put_str(text);
        } else {
            self.foldable_text(text, foldable, true);
        }
        self.indicator("'", false, false, false);
        self.indention = false;
    }

    /// Text whose lines may be folded at single spaces; a line break in it is doubled.
    fn foldable_text(&mut self, text: &str, foldable: bool, quoted: bool) {
        let bytes = text.as_bytes();
        let (mut spaces, mut breaks) = (false, false);
        for (i, c) in text.char_indices() {
            if c == ' ' {
                let alone = !spaces && bytes.get(i + 1) != Some(&b' ');
                let inside = !quoted || (i > 0 && i + 1 < bytes.len());
                if foldable && alone && inside && self.column > self.layout.width {
                    self.write_indent();
                } else {
                    self.put(' ');
                }
                spaces = true;
            } else if is_break(c) {
                if !breaks && c == '\n' {
                    self.put_break();
                }
                self.write_break(c);
                self.indention = true;
                breaks = true;
            } else {
                if breaks {
                    self.write_indent();
                }
                if quoted && c == '\'' {
                    self.put('\'');
                }
                self.put(c);
                self.indention = false;
                spaces = false;
                breaks = false;
            }
        }
    }

    fn write_break(&mut self, c: char) {
        if c == '\n' {
            self.put_break();
        } else {
            self.out.push(c);
            self.column = 0;
            if self.layout.v3 {
                self.indention = true;
            }
        }
    }

    fn double_quoted(&mut self, text: &str, foldable: bool) {
        self.indicator("\"", true, false, false);
        let bytes = text.as_bytes();
        // A byte order mark at the start makes go-yaml escape everything.
        let escape_all = text.starts_with('\u{FEFF}');
        let must_escape = |c: char| escape_all || !is_printable(c) || is_break(c) || c == '"' || c == '\\';
        if (!foldable || self.fits(text)) && !text.contains(must_escape) {
            self.put_str(text);
        } else {
            let mut spaces = false;
            for (i, c) in text.char_indices() {
                if must_escape(c) {
                    self.escaped(c);
                    spaces = false;
                } else if c == ' ' {
                    let inside = i > 0 && i + 1 < bytes.len();
                    if foldable && !spaces && inside && self.column > self.layout.width {
                        self.write_indent();
                        if bytes[i + 1] == b' ' {
                            self.put('\\');
                        }
                    } else {
                        self.put(' ');
                    }
                    spaces = true;
                } else {
                    self.put(c);
                    spaces = false;
                }
            }
        }
        self.indicator("\"", false, false, false);
        self.indention = false;
    }

    fn escaped(&mut self, c: char) {
        self.put('\\');
        let short = match c {
            '\0' => '0',
            '\x07' => 'a',
            '\x08' => 'b',
            '\t' => 't',
            '\n' => 'n',
            '\x0B' => 'v',
            '\x0C' => 'f',
            '\r' => 'r',
            '\x1B' => 'e',
            '"' => '"',
            '\\' => '\\',
            '\u{85}' => 'N',
            '\u{A0}' => '_',
            '\u{2028}' => 'L',
            '\u{2029}' => 'P',
            _ => {
                let code = u32::from(c);
                let text = match code {
                    0..=0xFF => format!("x{code:02X}"),
                    0x100..=0xFFFF => format!("u{code:04X}"),
                    _ => format!("U{code:08X}"),
                };
                return self.put_str(&text);
            }
        };
        self.put(short);
    }

    /// The indentation and chomping that a block scalar's header needs.
    pub(super) fn block_hints(&mut self, text: &str) {
        if text.starts_with(|c| c == ' ' || is_break(c)) {
            let hint = self.layout.indent.to_string();
            self.indicator(&hint, false, false, false);
        }
        let mut last = text.chars().rev();
        let chomping = match (last.next(), last.next()) {
            (Some(a), _) if !is_break(a) => "-",
            (Some(_), Some(b)) if !is_break(b) => return,
            (Some(_), _) => "+",
            (None, _) => "-",
        };
        self.indicator(chomping, false, false, false);
    }

    /// The lines of a `|` scalar; the header has been written.
    pub(super) fn literal_lines(&mut self, text: &str) {
        self.begin_block_lines();
        let mut rest = text;
        while !rest.is_empty() {
            let line = rest.find(is_break).unwrap_or(rest.len());
            if line > 0 {
                self.write_indent();
                self.put_str(&rest[..line]);
                self.indention = false;
            }
            rest = &rest[line..];
            if let Some(c) = rest.chars().next() {
                self.write_break(c);
                self.indention = true;
                rest = &rest[c.len_utf8()..];
            }
        }
    }

    /// The lines of a `>` scalar; the header has been written.
    pub(super) fn folded_lines(&mut self, text: &str) {
        self.begin_block_lines();
        let bytes = text.as_bytes();
        let (mut breaks, mut leading_spaces) = (true, true);
        let starts_with_words = !text.trim_start_matches(is_break).starts_with([' ', '\t', '\0'])
            && !text.trim_start_matches(is_break).is_empty();
        for (i, c) in text.char_indices() {
            if is_break(c) {
                // go-yaml looks at the start of the text here, not at what follows the break.
                if !breaks && !leading_spaces && c == '\n' && starts_with_words {
                    self.put_break();
                }
                self.write_break(c);
                self.indention = true;
                breaks = true;
                continue;
            }
            if breaks {
                self.write_indent();
                leading_spaces = matches!(c, ' ' | '\t');
            }
            let alone = c == ' ' && bytes.get(i + 1) != Some(&b' ');
            if !breaks && alone && self.column > self.layout.width {
                self.write_indent();
            } else {
                self.put(c);
            }
            self.indention = false;
            breaks = false;
        }
    }

    /// One line of a comment, or the rest of a line.
    pub(super) fn comment_line(&mut self, marker: &str, text: &str) {
        self.put_str(marker);
        self.put_str(text);
        self.indention = false;
    }

    fn begin_block_lines(&mut self) {
        if !self.layout.v3 {
            self.indention = true;
        }
        self.whitespace = true;
    }
}

//! Comments, and to which token they belong. The rules are go-yaml v3's, found by looking at what it does: a comment
//! is the head of what follows, unless it is at the end of a line, or ends before a blank line right below what
//! precedes, or is less indented than the block around it.

use super::{Mark, Scanner, Token, TokenKind};
use crate::limits::MAX_COMMENT_PEEK_BYTES;

/// Comments that stand before the token that was last looked at, not yet given to a node.
#[derive(Debug, Default)]
pub(crate) struct Pending {
    pub(crate) head: String,
    pub(crate) line: String,
    pub(crate) foot: String,
}

impl Pending {
    pub(crate) fn is_empty(&self) -> bool {
        self.head.is_empty() && self.line.is_empty() && self.foot.is_empty()
    }
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Place {
    Head,
    Line,
    Foot,
}

struct Comment {
    place: Place,
    text: String,
    /// The comment goes to the first token at or behind this place.
    token: Mark,
    start: Mark,
    end: Mark,
    /// Where the blank space began in which the comment stands.
    scan: Mark,
}

/// The comments found so far.
#[derive(Default)]
pub(super) struct Comments {
    found: Vec<Comment>,
    /// How many of them have been handed over.
    handed: usize,
}

impl Comments {
    #[inline]
    pub(super) fn waiting(&self) -> bool {
        self.handed < self.found.len()
    }

    /// Gives the comments before a token to the parser.
    pub(super) fn hand_over(&mut self, token: &Token<'_>, pending: &mut Pending) {
        while let Some(comment) = self.found.get_mut(self.handed) {
            if token.start.index < comment.token.index {
                return;
            }
            let target = match comment.place {
                // The end of a block has no head: what stands before it is about what follows.
                Place::Head if token.kind == TokenKind::BlockEnd => return,
                Place::Head => &mut pending.head,
                Place::Line => &mut pending.line,
                Place::Foot => &mut pending.foot,
            };
            if !target.is_empty() {
                target.push('\n');
            }
            target.push_str(&comment.text);
            comment.text = String::new();
            self.handed += 1;
        }
    }

    /// The beginning of the comments that follow the end of a block at `indent` without anything between, and are
    /// indented like it, so that they belong inside of it. `reach` is where the search gives up.
    pub(super) fn foot_of_block(&self, indent: i64, reach: i64) -> Option<Mark> {
        let mut reach = reach;
        let mut found = None;
        for comment in self.found[self.handed..].iter().rev() {
            if i64::from(comment.end.index) < reach {
                break;
            }
            if i64::from(comment.start.column) == indent + 1 {
                found = Some(comment.start);
            }
            reach = i64::from(comment.scan.index);
        }
        found
    }

    fn add(&mut self, comment: Comment) {
        if !comment.text.is_empty() {
            self.found.push(comment);
        }
    }
}

impl<'a> Scanner<'a> {
    /// Between `- #` and what is nested below it the comment is about the latter.
    pub(super) fn line_comment_to_head(&mut self) {
        let Some(comment) = self.comments.found.last_mut() else {
            return;
        };
        if comment.place != Place::Line || comment.text.is_empty() || self.cursor.is_break(0) {
            return;
        }
        let mut last = self.queue.iter().rev().map(|t| &t.kind);
        if last.next() == Some(&TokenKind::BlockEntry) && last.next() == Some(&TokenKind::BlockSequenceStart)
        {
            comment.place = Place::Head;
            if comment.start.line + 1 == self.cursor.mark.line {
                comment.token = self.cursor.mark;
            }
        }
    }

    /// Takes the comment at the end of this line, if there is one, for the token at `token`.
    pub(super) fn scan_line_comment(&mut self, token: Mark) {
        if self.cursor.newlines > 0 {
            return;
        }
        let blanks = (0..MAX_COMMENT_PEEK_BYTES)
            .take_while(|&i| self.cursor.is_blank(i))
            .count();
        if blanks == MAX_COMMENT_PEEK_BYTES || self.cursor.at(blanks) != b'#' {
            return;
        }
        self.cursor.skip_blanks();
        let start = self.cursor.mark;
        let text = self.cursor.take_line().to_owned();
        self.comments.add(Comment {
            place: Place::Line,
            text,
            token,
            start,
            end: Mark::default(),
            scan: Mark::default(),
        });
    }

    /// Takes all comments up to the next token; the cursor stands on the first one's `#`.
    pub(super) fn scan_comments(&mut self, scan_start: Mark) {
        let prior = {
            let mut last = self.queue.iter().rev();
            let token = last.next();
            match (token.map(|t| &t.kind), last.next()) {
                (Some(TokenKind::FlowEntry), Some(before)) => Some(before),
                _ => token,
            }
        };
        let after_value = prior.is_some_and(|t| t.kind == TokenKind::Value);
        let prior_mark = prior.map_or(Mark::default(), |t| t.start);
        let here = self.cursor.mark;
        let next_indent = self.indent.max(0);

        // A comment that starts on this line can still be the foot of what precedes.
        let foot_line = match scan_start.line {
            0 => -1,
            _ => {
                let own_line = self.cursor.newlines == 0 && here.column > 1;
                i64::from(here.line) - i64::from(self.cursor.newlines) + 1 + i64::from(own_line)
            }
        };
        let mut run = Run {
            text: String::new(),
            start: Mark::default(),
            token: prior_mark,
            scan: scan_start,
        };
        let mut first_empty = self.cursor.newlines <= 1;
        let mut recent_empty = false;
        let mut line = here.line;
        let mut column = here.column;
        let mut ahead = 0;
        while ahead < MAX_COMMENT_PEEK_BYTES {
            column += 1;
            if self.cursor.is_blank(ahead) {
                ahead += 1;
                continue;
            }
            let here = Mark {
                index: self.cursor.mark.index + ahead as u32,
                line,
                column,
            };
            let dedented = i64::from(run.start.column) - 1 < next_indent;
            let closes_flow = self.in_flow() && matches!(self.cursor.at(ahead), b']' | b'}');
            if closes_flow || self.cursor.is_breakz(ahead) {
                if closes_flow || !recent_empty {
                    let below_prior = i64::from(run.start.line) == foot_line && !after_value;
                    if closes_flow || (first_empty && (below_prior || dedented)) {
                        if dedented {
                            run.token = run.start;
                        }
                        run.end_as_foot(&mut self.comments, here);
                    } else if !run.text.is_empty() && !self.cursor.is_end(ahead) {
                        run.text.push('\n');
                    }
                }
                if !self.cursor.is_break(ahead) {
                    break;
                }
                first_empty = false;
                recent_empty = true;
                column = 0;
                line += 1;
                ahead += 1;
                continue;
            }
            if !run.text.is_empty() && i64::from(column) - 1 < next_indent && column != run.start.column {
                run.end_as_foot(&mut self.comments, here);
            }
            if self.cursor.at(ahead) != b'#' {
                break;
            }
            if run.text.is_empty() {
                run.start = here;
            } else {
                run.text.push('\n');
            }
            recent_empty = false;
            self.skip_to(here.index);
            run.text.push_str(self.cursor.take_line());
            // The break behind the comment is passed over, not looked at.
            ahead = 1;
            column = 0;
            line = self.cursor.mark.line;
        }
        let end = Mark {
            index: (self.cursor.mark.index + ahead as u32).saturating_sub(1),
            line,
            column,
        };
        self.comments.add(Comment {
            place: Place::Head,
            text: run.text,
            token: run.start,
            start: run.start,
            end,
            scan: run.scan,
        });
    }

    /// Passes blanks and line breaks up to a character's index.
    fn skip_to(&mut self, index: u32) {
        while self.cursor.mark.index < index {
            if self.cursor.take_break().is_empty() {
                self.cursor.skip();
            }
        }
    }
}

/// Comment lines that belong together, as they are read.
struct Run {
    text: String,
    start: Mark,
    token: Mark,
    scan: Mark,
}

impl Run {
    /// What was read so far is the foot of what precedes it; what follows starts anew.
    fn end_as_foot(&mut self, comments: &mut Comments, here: Mark) {
        if self.text.is_empty() {
            return;
        }
        comments.add(Comment {
            place: Place::Foot,
            text: std::mem::take(&mut self.text),
            token: self.token,
            start: self.start,
            end: here,
            scan: self.scan,
        });
        self.scan = here;
        self.token = here;
    }
}

//! From lines in the form of CRI to what `kubectl logs` shows (`cri-client/pkg/logs/logs.go`).

use jiff::Timestamp;

use crate::limits;

/// What of a log is shown, and how. Fed with whatever was read, wherever it was cut.
#[derive(Debug)]
pub struct Shape {
    since: Option<Timestamp>,
    stamps: bool,
    /// Bytes that may still be shown.
    left: Option<u64>,
    /// The next text begins a line.
    fresh: bool,
    /// A line whose end has not been read.
    pending: Vec<u8>,
    /// The line that is read is longer than any that was written by us: its rest is thrown away.
    overlong: bool,
}

/// One line of the file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Line<'a> {
    stamp: &'a str,
    /// Its end is on a later line.
    partial: bool,
    text: &'a [u8],
}

impl Shape {
    /// Shows what is not older than `since`, with times in front of the lines, at most so many bytes.
    pub fn new(since: Option<Timestamp>, stamps: bool, limit: Option<u64>) -> Shape {
        Shape {
            since,
            stamps,
            left: limit,
            fresh: true,
            pending: Vec::new(),
            overlong: false,
        }
    }

    /// There is nothing more to be shown.
    pub fn is_full(&self) -> bool {
        self.left == Some(0)
    }

    /// Takes what was read, and appends what is shown.
    pub fn push(&mut self, bytes: &[u8], shown: &mut Vec<u8>) {
        for piece in bytes.split_inclusive(|byte| *byte == b'\n') {
            let whole = piece.strip_suffix(b"\n");
            let piece = whole.unwrap_or(piece);
            self.overlong |= self.pending.len() + piece.len() > limits::LOG_LINE_BYTES_MAX;
            if !self.overlong {
                self.pending.extend_from_slice(piece);
            }
            if whole.is_none() {
                return;
            }
            let line = std::mem::take(&mut self.pending);
            if !std::mem::take(&mut self.overlong) {
                self.show(&line, shown);
            }
            self.pending = line;
            self.pending.clear();
        }
    }

    fn show(&mut self, line: &[u8], shown: &mut Vec<u8>) {
        let Some(line) = Line::parse(line) else {
            return;
        };
        if let Some(since) = self.since {
            let old = line.stamp.parse::<Timestamp>().map_or(true, |at| at < since);
            if old {
                return;
            }
        }
        if self.stamps && self.fresh {
            self.put(line.stamp.as_bytes(), shown);
            self.put(b" ", shown);
        }
        self.put(line.text, shown);
        if !line.partial {
            self.put(b"\n", shown);
        }
        self.fresh = !line.partial;
    }

    fn put(&mut self, bytes: &[u8], shown: &mut Vec<u8>) {
        let room = self.left.map_or(bytes.len(), |left| {
            usize::try_from(left).unwrap_or(usize::MAX).min(bytes.len())
        });
        shown.extend_from_slice(&bytes[..room]);
        if let Some(left) = &mut self.left {
            *left -= room as u64;
        }
    }
}

impl<'a> Line<'a> {
    /// None for what is no line of CRI: a file that was cut by a full disk.
    fn parse(line: &'a [u8]) -> Option<Line<'a>> {
        let mut parts = line.splitn(4, |byte| *byte == b' ');
        let stamp = std::str::from_utf8(parts.next()?).ok()?;
        stamp.parse::<Timestamp>().ok()?;
        let known = matches!(parts.next()?, b"stdout" | b"stderr");
        let partial = match parts.next()?.split(|byte| *byte == b':').next()? {
            b"P" => true,
            b"F" => false,
            _ => return None,
        };
        let text = parts.next().unwrap_or_default();
        known.then_some(Line { stamp, partial, text })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LOG: &str = "2026-01-02T03:04:05.000000001Z stdout F one\n\
                       2026-01-02T03:04:06.000000000Z stderr P tw\n\
                       2026-01-02T03:04:06.000000000Z stderr F o\n\
                       2026-01-02T03:04:07.000000000Z stdout F \n\
                       2026-01-02T03:04:08.000000000Z stdout F:x th ree\n\
                       2026-01-02T03:04:09.000000000Z stdout P end\n";

    fn shown(mut shape: Shape, pieces: &[&[u8]]) -> String {
        let mut shown = Vec::new();
        for piece in pieces {
            shape.push(piece, &mut shown);
        }
        String::from_utf8_lossy(&shown).into_owned()
    }

    #[test]
    fn lines_are_joined_wherever_they_were_cut() {
        let whole = shown(Shape::new(None, false, None), &[LOG.as_bytes()]);
        assert_eq!(whole, "one\ntwo\n\nth ree\nend");
        for at in 0..LOG.len() {
            let (head, tail) = LOG.as_bytes().split_at(at);
            assert_eq!(shown(Shape::new(None, false, None), &[head, tail]), whole, "{at}");
        }
    }

    #[test]
    fn times_stand_before_lines_and_not_before_their_rests() {
        let text = shown(Shape::new(None, true, None), &[LOG.as_bytes()]);
        let second = text.lines().nth(1).expect("there are five");
        assert_eq!(second, "2026-01-02T03:04:06.000000000Z two");
    }

    #[test]
    fn what_is_older_or_beyond_the_limit_is_left_out() {
        let since = "2026-01-02T03:04:07Z".parse().ok();
        assert_eq!(
            shown(Shape::new(since, false, None), &[LOG.as_bytes()]),
            "\nth ree\nend"
        );
        for limit in 0..20 {
            let text = shown(Shape::new(None, false, Some(limit)), &[LOG.as_bytes()]);
            assert_eq!(
                text,
                "one\ntwo\n\nth ree\nend"[..(limit as usize).min(19)],
                "{limit}"
            );
        }
    }

    #[test]
    fn what_is_no_line_is_left_out_and_takes_no_memory() {
        let mut shape = Shape::new(None, false, None);
        let mut out = Vec::new();
        for _ in 0..100 {
            shape.push(&[b'x'; 64 << 10], &mut out);
            assert!(shape.pending.capacity() <= 2 * limits::LOG_LINE_BYTES_MAX);
        }
        shape.push(
            b"\n\0\0\0\nno time stdout F x\n2026-01-02T03:04:05Z stdin F x\n",
            &mut out,
        );
        shape.push(b"2026-01-02T03:04:05Z stdout F good\n", &mut out);
        assert_eq!(out, b"good\n");
    }
}

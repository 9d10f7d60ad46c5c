//! Formats and argument lists: `Sprintf`, `Sprint`, `Sprintln`.

use super::pad::Flags;
use super::print::Printer;
use crate::limits::FORMAT_NUMBER;
use crate::unicode;
use crate::value::Value;

/// `fmt.Sprintf`. Never fails: what is wrong stands in the result (`%!d(string=x)`, `%!s(MISSING)`, `%!(EXTRA int=1)`).
pub fn sprintf(format: &[u8], args: &[Value]) -> Vec<u8> {
    let mut scan = Scan {
        format,
        at: 0,
        args,
        arg: 0,
        reordered: false,
        good_index: true,
        after_index: false,
        printer: Printer::new(Vec::with_capacity(format.len() + 16)),
    };
    while scan.plain_text() {
        scan.at += 1;
        if !scan.directive() {
            scan.printer.out.extend_from_slice(b"%!(NOVERB)");
            break;
        }
    }
    if !scan.reordered && scan.arg < args.len() {
        scan.extra();
    }
    scan.printer.out
}

/// Appends `fmt.Sprint(args...)`: a space between operands when neither is a string.
pub fn print(out: Vec<u8>, args: &[Value]) -> Vec<u8> {
    let mut printer = Printer::new(out);
    let mut string_before = true;
    for (at, arg) in args.iter().enumerate() {
        let string = matches!(arg, Value::Str(_));
        if at > 0 && !string && !string_before {
            printer.out.push(b' ');
        }
        printer.argument(arg, 'v');
        string_before = string;
    }
    printer.out
}

/// `fmt.Sprint(args...)`.
pub fn sprint(args: &[Value]) -> Vec<u8> {
    print(Vec::new(), args)
}

/// `fmt.Sprintln(args...)`: a space between operands, always, and a newline at the end.
pub fn sprintln(args: &[Value]) -> Vec<u8> {
    let mut printer = Printer::new(Vec::new());
    for (at, arg) in args.iter().enumerate() {
        if at > 0 {
            printer.out.push(b' ');
        }
        printer.argument(arg, 'v');
    }
    printer.out.push(b'\n');
    printer.out
}

struct Scan<'a> {
    format: &'a [u8],
    at: usize,
    args: &'a [Value],
    arg: usize,
    /// Whether any directive named its argument's number; then extra arguments are not reported.
    reordered: bool,
    /// Whether the number that this directive named exists.
    good_index: bool,
    /// Whether the item before was such a number.
    after_index: bool,
    printer: Printer,
}

impl Scan<'_> {
    fn peek(&self) -> Option<u8> {
        self.format.get(self.at).copied()
    }

    /// Copies text up to the next directive; false at the end.
    fn plain_text(&mut self) -> bool {
        let rest = &self.format[self.at..];
        let length = rest.iter().position(|&b| b == b'%').unwrap_or(rest.len());
        self.printer.out.extend_from_slice(&rest[..length]);
        self.at += length;
        self.at < self.format.len()
    }

    /// One directive, whose percent sign is past; false where the format ends before the verb.
    fn directive(&mut self) -> bool {
        self.good_index = true;
        self.after_index = false;
        self.printer.flags = Flags::default();
        self.flags();
        self.index();
        self.width();
        self.precision();
        if !self.after_index {
            self.index();
        }
        if self.at >= self.format.len() {
            return false;
        }
        let (verb, length) = unicode::decode(&self.format[self.at..]);
        self.at += length;
        self.verb(verb);
        true
    }

    fn flags(&mut self) {
        let flags = &mut self.printer.flags;
        while let Some(&byte) = self.format.get(self.at) {
            match byte {
                b'#' => flags.sharp = true,
                b'0' => flags.zero = true,
                b'+' => flags.plus = true,
                b'-' => flags.minus = true,
                b' ' => flags.space = true,
                _ => return,
            }
            self.at += 1;
        }
    }

    /// `[3]`: the number of the argument that comes next.
    fn index(&mut self) {
        self.after_index = false;
        if self.peek() != Some(b'[') {
            return;
        }
        self.reordered = true;
        let rest = &self.format[self.at..];
        let end = rest.iter().position(|&b| b == b']').filter(|_| rest.len() >= 3);
        let Some(end) = end else {
            self.good_index = false;
            self.at += 1;
            return;
        };
        let number = number(&rest[1..end]).filter(|&(_, length)| length == end - 1);
        self.at += end + 1;
        match number {
            Some((number, _)) if number >= 1 && number <= self.args.len() => {
                self.arg = number - 1;
                self.after_index = true;
            }
            Some(_) => {
                self.good_index = false;
                self.after_index = true;
            }
            None => self.good_index = false,
        }
    }

    fn width(&mut self) {
        if self.peek() == Some(b'*') {
            self.at += 1;
            let width = self.int_argument();
            let flags = &mut self.printer.flags;
            match width {
                None => self.printer.out.extend_from_slice(b"%!(BADWIDTH)"),
                Some(width) => {
                    if width < 0 {
                        flags.minus = true;
                        flags.zero = false;
                    }
                    flags.width = usize::try_from(width.unsigned_abs()).ok();
                }
            }
            self.after_index = false;
            return;
        }
        let width = self.number();
        self.printer.flags.width = width;
        if self.after_index && width.is_some() {
            self.good_index = false;
        }
    }

    fn precision(&mut self) {
        if self.peek() != Some(b'.') || self.at + 1 >= self.format.len() {
            return;
        }
        self.at += 1;
        if self.after_index {
            self.good_index = false;
        }
        self.index();
        if self.peek() == Some(b'*') {
            self.at += 1;
            let precision = self.int_argument().and_then(|p| usize::try_from(p).ok());
            if precision.is_none() {
                self.printer.out.extend_from_slice(b"%!(BADPREC)");
            }
            self.printer.flags.precision = precision;
            self.after_index = false;
        } else {
            self.printer.flags.precision = Some(self.number().unwrap_or(0));
        }
    }

    /// The digits that come next. A number that is too large swallows the rest of the format, as in Go.
    fn number(&mut self) -> Option<usize> {
        let rest = &self.format[self.at..];
        match number(rest) {
            Some((_, 0)) => None,
            Some((number, length)) => {
                self.at += length;
                Some(number)
            }
            None => {
                self.at = self.format.len();
                None
            }
        }
    }

    /// The next argument as a width or precision.
    fn int_argument(&mut self) -> Option<i64> {
        let value = self.args.get(self.arg)?;
        self.arg += 1;
        let number = match value {
            Value::Int(n, _) => Some(*n),
            Value::Uint(n, _) => i64::try_from(*n).ok(),
            _ => None,
        };
        number.filter(|n| usize::try_from(n.unsigned_abs()).is_ok_and(|n| n <= FORMAT_NUMBER))
    }

    fn verb(&mut self, verb: char) {
        let problem = match verb {
            '%' => {
                self.printer.out.push(b'%');
                return;
            }
            _ if !self.good_index => "(BADINDEX)",
            _ if self.arg >= self.args.len() => "(MISSING)",
            _ => {
                // `%w` is for Errorf only, but its flags are those of `%v`.
                if matches!(verb, 'v' | 'w') {
                    let flags = &mut self.printer.flags;
                    flags.sharp_v = std::mem::take(&mut flags.sharp);
                    flags.plus_v = std::mem::take(&mut flags.plus);
                }
                let arg = &self.args[self.arg];
                self.arg += 1;
                self.printer.argument(arg, verb);
                return;
            }
        };
        self.printer.out.extend_from_slice(b"%!");
        unicode::push(&mut self.printer.out, verb);
        self.printer.out.extend_from_slice(problem.as_bytes());
    }

    fn extra(&mut self) {
        self.printer.flags = Flags::default();
        self.printer.out.extend_from_slice(b"%!(EXTRA ");
        for (at, arg) in self.args[self.arg..].iter().enumerate() {
            if at > 0 {
                self.printer.out.extend_from_slice(b", ");
            }
            self.printer.with_type(arg);
        }
        self.printer.out.push(b')');
    }
}

/// The decimal number at the start and its length, which may be 0; `None` where it is too large.
fn number(text: &[u8]) -> Option<(usize, usize)> {
    let length = text.iter().take_while(|b| b.is_ascii_digit()).count();
    let mut number = 0;
    for digit in &text[..length] {
        if number > FORMAT_NUMBER {
            return None;
        }
        number = number * 10 + usize::from(digit - b'0');
    }
    Some((number, length))
}

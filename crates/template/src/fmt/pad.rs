//! Flags, width and precision applied to one item: a text, an integer, a float.

use super::float::{Layout, format_float};
use crate::quote;
use crate::unicode;

/// What stands between `%` and the verb.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Flags {
    pub width: Option<usize>,
    pub precision: Option<usize>,
    pub minus: bool,
    pub plus: bool,
    pub sharp: bool,
    pub space: bool,
    pub zero: bool,
    /// `%+v`
    pub plus_v: bool,
    /// `%#v`: Go syntax
    pub sharp_v: bool,
}

/// The item that a formatted number becomes.
#[derive(Clone, Copy)]
pub(crate) enum Base {
    Two,
    Eight,
    /// `%O`: with 0o.
    EightPrefixed,
    Ten,
    Sixteen,
    SixteenUpper,
}

impl Flags {
    fn padding(self, out: &mut Vec<u8>, count: usize, zeros: bool) {
        // Zeros are padded only on the left, where they do not change the value.
        let byte = if zeros && self.zero && !self.minus {
            b'0'
        } else {
            b' '
        };
        out.resize(out.len() + count, byte);
    }

    /// Appends a text, filled up to the width with spaces or zeros.
    pub fn pad(self, out: &mut Vec<u8>, text: &[u8]) {
        self.pad_with(out, text, true);
    }

    fn pad_with(self, out: &mut Vec<u8>, text: &[u8], zeros: bool) {
        let missing = match self.width {
            None | Some(0) => 0,
            Some(width) => width.saturating_sub(unicode::count(text)),
        };
        if !self.minus {
            self.padding(out, missing, zeros);
        }
        out.extend_from_slice(text);
        if self.minus {
            self.padding(out, missing, zeros);
        }
    }

    /// The text up to as many characters as the precision says.
    fn truncated(self, text: &[u8]) -> &[u8] {
        match self.precision {
            None => text,
            Some(precision) => {
                let cut = unicode::chars(text).nth(precision);
                &text[..cut.map_or(text.len(), |(at, _, _)| at)]
            }
        }
    }

    /// `%s`
    pub fn text(self, out: &mut Vec<u8>, text: &[u8]) {
        self.pad(out, self.truncated(text));
    }

    /// `%q`
    pub fn quoted(self, out: &mut Vec<u8>, text: &[u8]) {
        let text = self.truncated(text);
        let mut quoted = Vec::with_capacity(text.len() + 2);
        if self.sharp && quote::can_backquote(text) {
            quoted.push(b'`');
            quoted.extend_from_slice(text);
            quoted.push(b'`');
        } else {
            quote::push_quoted(&mut quoted, text, self.plus);
        }
        self.pad(out, &quoted);
    }

    /// `%x` and `%X` of a string.
    pub fn hex_text(self, out: &mut Vec<u8>, text: &[u8], upper: bool) {
        let length = self.precision.map_or(text.len(), |p| p.min(text.len()));
        let mut hex = Vec::with_capacity(length * 2);
        let prefix: &[u8] = if upper { b"0X" } else { b"0x" };
        for (at, byte) in text[..length].iter().enumerate() {
            if self.space && at > 0 {
                hex.push(b' ');
            }
            if self.sharp && (self.space || at == 0) {
                hex.extend_from_slice(prefix);
            }
            hex.push(hex_digit(byte >> 4, upper));
            hex.push(hex_digit(byte & 15, upper));
        }
        self.pad(out, &hex);
    }

    /// `%c`
    pub fn character(self, out: &mut Vec<u8>, code: u64) {
        let mut text = Vec::new();
        unicode::push(&mut text, character(code));
        self.pad(out, &text);
    }

    /// `%q` of an integer.
    pub fn quoted_character(self, out: &mut Vec<u8>, code: u64) {
        let mut text = Vec::new();
        quote::push_quoted_char(&mut text, character(code), self.plus);
        self.pad(out, &text);
    }

    /// `%U`
    pub fn unicode(self, out: &mut Vec<u8>, code: u64) {
        let digits = self.precision.unwrap_or(0).max(4);
        let hex = format!("{code:X}");
        let mut text = b"U+".to_vec();
        text.resize(text.len() + digits.saturating_sub(hex.len()), b'0');
        text.extend_from_slice(hex.as_bytes());
        if let Some(c) = u32::try_from(code).ok().and_then(char::from_u32)
            && self.sharp
            && unicode::is_print(c)
        {
            text.extend_from_slice(format!(" '{c}'").as_bytes());
        }
        self.pad_with(out, &text, false);
    }

    /// An integer by its magnitude and sign.
    pub fn integer(self, out: &mut Vec<u8>, magnitude: u64, negative: bool, base: Base) {
        let mut least_digits = 0;
        if let Some(precision) = self.precision {
            if precision == 0 && magnitude == 0 {
                // A precision of 0 prints a zero as nothing, but as wide as asked.
                out.resize(out.len() + self.width.unwrap_or(0), b' ');
                return;
            }
            least_digits = precision;
        } else if let Some(width) = self.width
            && self.zero
            && !self.minus
        {
            let sign = usize::from(negative || self.plus || self.space);
            least_digits = width.saturating_sub(sign);
        }
        let digits = match base {
            Base::Two => format!("{magnitude:b}"),
            Base::Eight | Base::EightPrefixed => format!("{magnitude:o}"),
            Base::Ten => magnitude.to_string(),
            Base::Sixteen => format!("{magnitude:x}"),
            Base::SixteenUpper => format!("{magnitude:X}"),
        };
        let zeros = least_digits.saturating_sub(digits.len());
        let mut text = Vec::with_capacity(zeros + digits.len() + 3);
        if negative {
            text.push(b'-');
        } else if self.plus {
            text.push(b'+');
        } else if self.space {
            text.push(b' ');
        }
        text.extend_from_slice(self.base_prefix(base, zeros > 0 || digits.starts_with('0')));
        text.resize(text.len() + zeros, b'0');
        text.extend_from_slice(digits.as_bytes());
        self.pad_with(out, &text, false);
    }

    fn base_prefix(self, base: Base, zero_first: bool) -> &'static [u8] {
        match base {
            Base::EightPrefixed if self.sharp && !zero_first => b"0o0",
            Base::EightPrefixed => b"0o",
            Base::Two if self.sharp => b"0b",
            Base::Eight if self.sharp && !zero_first => b"0",
            Base::Sixteen if self.sharp => b"0x",
            Base::SixteenUpper if self.sharp => b"0X",
            _ => b"",
        }
    }

    /// A float. `upper` is `%E`, `%G` or `%X`; `default` the precision without one in the format.
    pub fn float(self, out: &mut Vec<u8>, value: f64, layout: Layout, upper: bool, default: Option<usize>) {
        let precision = self.precision.or(default);
        let mut number = format_float(value, layout, precision);
        if upper && value.is_finite() {
            number.make_ascii_uppercase();
        }
        let (mut sign, mut digits) = match number.strip_prefix(['-', '+']) {
            Some(rest) => (number.as_bytes()[0], rest.to_owned()),
            None => (b'+', number),
        };
        if self.space && sign == b'+' && !self.plus {
            sign = b' ';
        }
        if !value.is_finite() {
            // An infinity has its sign always, what is no number has it on demand.
            let shows_sign = !value.is_nan() || self.space || self.plus;
            let mut text = Vec::new();
            if shows_sign {
                text.push(sign);
            }
            text.extend_from_slice(digits.as_bytes());
            self.pad_with(out, &text, false);
            return;
        }
        if self.sharp && layout != Layout::Binary {
            digits = with_point(&digits, layout, upper, precision);
        }
        if !self.plus && sign == b'+' {
            self.pad(out, digits.as_bytes());
            return;
        }
        match self.width {
            // The sign stands before the zeros.
            Some(width) if self.zero && !self.minus && width > digits.len() + 1 => {
                out.push(sign);
                self.padding(out, width - digits.len() - 1, true);
                out.extend_from_slice(digits.as_bytes());
            }
            _ => {
                let mut text = vec![sign];
                text.extend_from_slice(digits.as_bytes());
                self.pad(out, &text);
            }
        }
    }
}

/// The `#` flag: a decimal point always, and with `%g` the zeros that it drops.
fn with_point(number: &str, layout: Layout, upper: bool, precision: Option<usize>) -> String {
    let counts = layout == Layout::General || (layout == Layout::Hexadecimal && !upper);
    let mut wanted = if counts { precision.unwrap_or(6) } else { 0 };
    let tail_start = match layout {
        Layout::Hexadecimal => number.find(['p', 'P']),
        _ => number.find(['e', 'E']),
    };
    let (head, tail) = number.split_at(tail_start.unwrap_or(number.len()));
    let mut significant = false;
    for c in head.chars().filter(|&c| c != '.') {
        significant |= c != '0';
        if significant {
            wanted = wanted.saturating_sub(1);
        }
    }
    let mut out = head.to_owned();
    if !head.contains('.') {
        if head == "0" {
            wanted = wanted.saturating_sub(1);
        }
        out.push('.');
    }
    out.extend(std::iter::repeat_n('0', wanted));
    out.push_str(tail);
    out
}

fn hex_digit(nibble: u8, upper: bool) -> u8 {
    match nibble {
        0..10 => b'0' + nibble,
        _ if upper => b'A' + nibble - 10,
        _ => b'a' + nibble - 10,
    }
}

fn character(code: u64) -> char {
    u32::try_from(code)
        .ok()
        .and_then(char::from_u32)
        .unwrap_or(unicode::REPLACEMENT)
}

//! The name of an instruction, its flags, and the rest.

/// Blanks inside a line (parser.go, reWhitespace).
pub fn is_blank(c: char) -> bool {
    matches!(c, '\t' | '\u{b}' | '\u{c}' | '\r' | ' ')
}

/// A line's name, flags and rest.
pub fn split(line: &str) -> (&str, Vec<String>, String) {
    let line = line.trim();
    match line.split_once(is_blank) {
        None => (line, Vec::new(), String::new()),
        Some((name, rest)) => {
            let (flags, rest) = flags(rest.trim_start_matches(is_blank));
            (name, flags, rest.trim().to_owned())
        }
    }
}

/// Words in front that begin with `--`, up to `--` itself. Quotes are removed, a backslash takes the next character.
/// A flag without `=` takes no value from the next word.
fn flags(text: &str) -> (Vec<String>, &str) {
    let mut flags = Vec::new();
    let mut rest = text.trim_start();
    while rest.starts_with("--") {
        let (word, after) = word(rest);
        rest = after;
        if word == "--" {
            break;
        }
        flags.push(word);
        rest = rest.trim_start();
    }
    (flags, rest)
}

fn word(text: &str) -> (String, &str) {
    let mut word = String::new();
    let mut quote = None;
    let mut chars = text.char_indices();
    while let Some((at, c)) = chars.next() {
        match (quote, c) {
            (None, c) if c.is_whitespace() => return (word, &text[at..]),
            (None, '\'' | '"') => quote = Some(c),
            (Some(open), c) if c == open => quote = None,
            (_, '\\') => word.extend(chars.next().map(|(_, c)| c)),
            (_, c) => word.push(c),
        }
    }
    (word, "")
}

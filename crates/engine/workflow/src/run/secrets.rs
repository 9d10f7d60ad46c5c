//! Secrets as holes: the machine knows which secrets there are, not what they are. Where one is used, its text has a
//! hole with the secret's name, and the shell closes it at the last moment. So effects can be kept and shown.
//!
//! A hole is a secret's name between two characters of a private plane, which no file can hold: the reader refuses
//! them. What follows from it: a secret can be passed on, put into other text and compared with `''`; its own text
//! cannot be taken apart by an expression.

use super::types::{Container, StepOrder, Work};

const OPEN: char = '\u{10_FFF0}';
const CLOSE: char = '\u{10_FFF1}';

/// The text that stands for a secret.
pub(crate) fn hole(name: &str) -> String {
    format!("{OPEN}{name}{CLOSE}")
}

/// Whether a text has a hole.
pub fn has_hole(text: &str) -> bool {
    text.contains(OPEN)
}

/// Removes the marks of holes from text that came from outside, so that nobody can ask for a secret by printing one.
pub fn without_marks(text: String) -> String {
    match text.contains([OPEN, CLOSE]) {
        true => text.replace([OPEN, CLOSE], "\u{FFFD}"),
        false => text,
    }
}

/// The text with all holes closed; a secret that `secret` does not know is empty.
pub fn fill(text: &str, secret: &dyn Fn(&str) -> Option<String>) -> String {
    replace(text, &|name| secret(name).unwrap_or_default())
}

/// The text with `***` for each hole: what people may see.
pub fn shown(text: &str) -> String {
    replace(text, &|_| "***".to_owned())
}

fn replace(text: &str, with: &dyn Fn(&str) -> String) -> String {
    let mut filled = String::with_capacity(text.len());
    let mut rest = text;
    while let Some((before, after)) = rest.split_once(OPEN) {
        filled.push_str(before);
        let Some((name, after)) = after.split_once(CLOSE) else {
            return filled;
        };
        filled.push_str(&with(name));
        rest = after;
    }
    filled.push_str(rest);
    filled
}

impl StepOrder {
    /// Closes the holes of everything that the step is given. Its name stays fit to be shown.
    pub fn fill(&mut self, secret: &dyn Fn(&str) -> Option<String>) {
        let close = |text: &mut String| {
            if has_hole(text) {
                *text = fill(text, secret);
            }
        };
        self.env.values_mut().for_each(close);
        self.working_directory.iter_mut().for_each(close);
        match &mut self.work {
            Work::Script { script, .. } => close(script),
            Work::Builtin { with, state, .. } => {
                with.values_mut().for_each(close);
                state.values_mut().for_each(close);
            }
        }
    }
}

impl Container {
    /// Closes the holes of the variables and credentials.
    pub fn fill(&mut self, secret: &dyn Fn(&str) -> Option<String>) {
        let close = |text: &mut String| *text = fill(text, secret);
        close(&mut self.image);
        close(&mut self.options);
        self.env.iter_mut().for_each(|(_, value)| close(value));
        if let Some((user, password)) = &mut self.credentials {
            close(user);
            close(password);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn holes_are_closed_and_shown_as_stars() {
        let text = format!("Bearer {} and {}", hole("TOKEN"), hole("NONE"));
        let secret = |name: &str| (name == "TOKEN").then(|| "abc".to_owned());
        assert_eq!(fill(&text, &secret), "Bearer abc and ");
        assert_eq!(shown(&text), "Bearer *** and ***");
        assert!(has_hole(&text));
    }

    #[test]
    fn marks_from_outside_ask_for_nothing() {
        assert!(!has_hole(&without_marks(hole("TOKEN"))));
    }
}

use std::io::{self, Write};

use deploy_model::{Diagnostic, Lang};

use crate::texts;

/// The only way out: data to stdout, talk to stderr.
pub struct Printer<'a> {
    out: &'a mut dyn Write,
    err: &'a mut dyn Write,
    lang: Lang,
    colour: bool,
}

impl<'a> Printer<'a> {
    /// A printer that speaks this language; `colour` is for stderr.
    pub fn new(out: &'a mut dyn Write, err: &'a mut dyn Write, lang: Lang, colour: bool) -> Printer<'a> {
        Printer {
            out,
            err,
            lang,
            colour,
        }
    }

    /// What was asked for, byte for byte.
    pub fn data(&mut self, bytes: impl AsRef<[u8]>) -> io::Result<()> {
        self.out.write_all(bytes.as_ref())
    }

    /// Where data is written to piece by piece.
    pub fn out(&mut self) -> &mut dyn Write {
        self.out
    }

    /// Talk, as it is, with a newline. That nobody listens is no reason to fail.
    pub fn say(&mut self, text: &str) {
        writeln!(self.err, "{text}").ok();
    }

    /// A warning, with its label in the reader's language.
    pub fn warn(&mut self, text: &str) {
        let label = self.paint("33", texts::of(self.lang).warning);
        self.say(&format!("{label}{}{text}", texts::of(self.lang).colon));
    }

    /// An error with its code, place, cause and hint.
    pub fn explain(&mut self, diagnostic: &Diagnostic) {
        let words = texts::of(self.lang);
        let label = self.paint(
            "31",
            &format!("{}[{}]", words.error, diagnostic.code.message().id()),
        );
        self.say(&format!("{label}{}{}", words.colon, diagnostic.text(self.lang)));
        if let Some(place) = &diagnostic.place {
            self.say(&format!("  {}{}{place}", words.place, words.colon));
        }
        let mut cause = diagnostic.cause.lines();
        if let Some(first) = cause.next() {
            self.say(&format!("  {}{}{first}", words.cause, words.colon));
            for line in cause {
                self.say(&format!("    {line}"));
            }
        }
        let hint = diagnostic.hint(self.lang);
        let label = self.paint("36", words.hint);
        self.say(&format!("  {label}{}{hint}", words.colon));
    }

    /// Hands everything on; a command that forgets it loses nothing, because the shell calls it.
    pub fn flush(&mut self) -> io::Result<()> {
        self.err.flush().ok();
        self.out.flush()
    }

    fn paint(&self, colour: &str, text: &str) -> String {
        if self.colour {
            format!("\x1b[1;{colour}m{text}\x1b[0m")
        } else {
            text.to_owned()
        }
    }
}

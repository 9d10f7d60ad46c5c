//! `--chmod`: octal digits, or clauses of letters.

/// Changes of permissions.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Modes(Vec<Clause>);

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Clause {
    Exactly(u32),
    Change {
        /// Bits of whom: 0o700, 0o070, 0o007.
        who: u32,
        how: char,
        /// One digit.
        bits: u32,
        /// `X`: execution of folders and of what somebody may execute.
        maybe_execute: bool,
    },
}

impl Modes {
    /// Reads `755`, `u=rwX,go=rX`; none if it is neither.
    pub fn parse(text: &str) -> Option<Self> {
        if text.chars().all(|c| c.is_digit(8)) {
            let mode = u32::from_str_radix(text, 8).ok().filter(|mode| *mode <= 0o7777)?;
            return Some(Self(vec![Clause::Exactly(mode)]));
        }
        text.split(',').map(clause).collect::<Option<_>>().map(Self)
    }

    /// The permissions that come of these.
    pub fn apply(&self, mode: u32, folder: bool) -> u32 {
        self.0.iter().fold(mode, |mode, clause| match *clause {
            Clause::Exactly(exactly) => exactly,
            Clause::Change {
                who,
                how,
                bits,
                maybe_execute,
            } => {
                let execute = u32::from(maybe_execute && (folder || mode & 0o111 != 0));
                let bits = ((bits | execute) * 0o111) & who;
                match how {
                    '+' => mode | bits,
                    '-' => mode & !bits,
                    _ => (mode & !who) | bits,
                }
            }
        })
    }
}

fn clause(text: &str) -> Option<Clause> {
    let at = text.find(['+', '-', '='])?;
    let (who, rest) = text.split_at(at);
    let who = who.chars().try_fold(0, |who, c| {
        Some(
            who | match c {
                'u' => 0o700,
                'g' => 0o070,
                'o' => 0o007,
                'a' => 0o777,
                _ => return None,
            },
        )
    })?;
    let mut letters = rest.chars();
    let how = letters.next()?;
    let mut bits = 0;
    let mut maybe_execute = false;
    for letter in letters {
        match letter {
            'r' => bits |= 4,
            'w' => bits |= 2,
            'x' => bits |= 1,
            'X' => maybe_execute = true,
            _ => return None,
        }
    }
    let who = if who == 0 { 0o777 } else { who };
    Some(Clause::Change {
        who,
        how,
        bits,
        maybe_execute,
    })
}

#[cfg(test)]
mod tests {
    use super::Modes;

    #[test]
    fn clauses() {
        for (text, mode, folder, result) in [
            ("755", 0o644, false, 0o755),
            ("4711", 0, false, 0o4711),
            ("u=rwX,go=rX", 0o600, false, 0o644),
            ("u=rwX,go=rX", 0o700, true, 0o755),
            ("+x", 0o644, false, 0o755),
            ("o-rwx", 0o777, false, 0o770),
        ] {
            assert_eq!(
                Modes::parse(text).map(|modes| modes.apply(mode, folder)),
                Some(result),
                "{text}"
            );
        }
        for text in ["", "8", "77777", "u*x", "z+x", "u=q"] {
            assert!(text.is_empty() || Modes::parse(text).is_none(), "{text}");
        }
    }
}

//! Constraints: `>=1.2, <2`, `^0.3`, `~1.x`, `1.2 - 2.3`, `... || ...`.

use std::fmt;
use std::str::FromStr;

use super::version::{Parts, Version, compare_prereleases};
use std::cmp::Ordering;

const MAX_CONSTRAINT_BYTES: usize = 512;
const MAX_CONSTRAINT_GROUPS: usize = 32;

/// A set of conditions on a version: one of the groups must hold, and in it every condition.
#[derive(Clone, Debug)]
pub struct Constraint {
    groups: Vec<Group>,
}

#[derive(Clone, Debug)]
struct Group {
    conditions: Vec<Condition>,
    /// Whether a condition names a prerelease: only then do prereleases satisfy the group.
    prereleases: bool,
}

/// Why a text is no constraint; the text is Masterminds'.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[allow(missing_docs, reason = "the messages say it")]
pub enum ConstraintError {
    #[error("improper constraint: {}", crate::quote::quote(.0.as_bytes()))]
    Improper(String),
    #[error("constraint string is too long (max {MAX_CONSTRAINT_BYTES} bytes)")]
    TooLong,
    #[error("too many constraint groups (max {MAX_CONSTRAINT_GROUPS})")]
    TooManyGroups,
    #[error("constraint parser error")]
    Version,
}

impl Constraint {
    /// Reads a constraint.
    pub fn parse(text: &str) -> Result<Constraint, ConstraintError> {
        if text.len() > MAX_CONSTRAINT_BYTES {
            return Err(ConstraintError::TooLong);
        }
        let text = rewrite_ranges(text);
        let groups: Vec<&str> = text.split("||").collect();
        if groups.len() > MAX_CONSTRAINT_GROUPS {
            return Err(ConstraintError::TooManyGroups);
        }
        let groups: Result<Vec<Group>, ConstraintError> = groups.into_iter().map(Group::parse).collect();
        Ok(Constraint { groups: groups? })
    }

    /// Whether the version satisfies the constraint.
    pub fn check(&self, version: &Version) -> bool {
        let holds = |group: &Group| {
            let checked = |c: &Condition| c.check(version, group.prereleases).is_ok();
            group.conditions.iter().all(checked)
        };
        self.groups.iter().any(holds)
    }

    /// Like [`Constraint::check`], with Masterminds' reasons for every condition that does not hold.
    pub fn validate(&self, version: &Version) -> Result<(), Vec<String>> {
        let mut reasons = Vec::new();
        let mut told_prerelease = false;
        for group in &self.groups {
            let mut holds = true;
            for condition in &group.conditions {
                if !group.prereleases && !version.prerelease.is_empty() {
                    if !told_prerelease {
                        reasons.push(only_releases(version));
                        told_prerelease = true;
                    }
                    holds = false;
                } else if let Err(reason) = condition.check(version, group.prereleases) {
                    reasons.push(reason);
                    holds = false;
                }
            }
            if holds {
                return Ok(());
            }
        }
        Err(reasons)
    }
}

impl FromStr for Constraint {
    type Err = ConstraintError;

    fn from_str(text: &str) -> Result<Constraint, ConstraintError> {
        Constraint::parse(text)
    }
}

impl fmt::Display for Constraint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (i, group) in self.groups.iter().enumerate() {
            if i > 0 {
                f.write_str(" || ")?;
            }
            for (k, condition) in group.conditions.iter().enumerate() {
                let space = if k > 0 { " " } else { "" };
                write!(f, "{space}{}{}", condition.operator_text, condition.text)?;
            }
        }
        Ok(())
    }
}

/// White space as Go's `\s` has it.
fn is_space(b: u8) -> bool {
    matches!(b, b' ' | b'\t' | b'\n' | b'\x0c' | b'\r')
}

fn skip_space(text: &str) -> &str {
    text.trim_start_matches([' ', '\t', '\n', '\x0c', '\r'])
}

/// The version pattern at the start of a text; segments may be wildcards.
fn scan_version(text: &str) -> Option<Parts<'_>> {
    Parts::scan(text, |b| {
        b.is_ascii_digit() || matches!(b, b'x' | b'X' | b'*' | b'|')
    })
}

/// Turns every `1.2 - 2.3` into `>= 1.2, <= 2.3 `.
fn rewrite_ranges(text: &str) -> String {
    let mut out = text.to_owned();
    let mut from = 0;
    while from < text.len() {
        let Some(range) = text.get(from..).and_then(scan_range) else {
            from += 1;
            continue;
        };
        let whole = &text[from..from + range.length];
        out = out.replacen(whole, &format!(">= {}, <= {} ", range.low, range.high), 1);
        from += range.length;
    }
    out
}

struct Range<'a> {
    low: &'a str,
    high: &'a str,
    length: usize,
}

/// A range at the start of a text, with the white space around it.
fn scan_range(text: &str) -> Option<Range<'_>> {
    let start = skip_space(text);
    let low = &start[..scan_version(start)?.length];
    let after_low = &start[low.len()..];
    let dash = skip_space(after_low);
    let after_dash = dash.strip_prefix('-').filter(|_| dash.len() < after_low.len())?;
    let second = skip_space(after_dash);
    if second.len() == after_dash.len() {
        return None;
    }
    let high = &second[..scan_version(second)?.length];
    let rest = skip_space(&second[high.len()..]);
    Some(Range {
        low,
        high,
        length: text.len() - rest.len(),
    })
}

impl Group {
    /// Conditions with white space or a comma between them.
    fn parse(text: &str) -> Result<Group, ConstraintError> {
        let improper = || ConstraintError::Improper(text.to_owned());
        let mut scanned = Vec::new();
        let mut rest = skip_space(text);
        loop {
            let (operator_text, operator) = Operator::scan(rest).ok_or_else(improper)?;
            let after = skip_space(&rest[operator_text.len()..]);
            let parts = scan_version(after).ok_or_else(improper)?;
            let (version, tail) = after.split_at(parts.length);
            scanned.push((operator, operator_text, version, parts));
            rest = skip_space(tail);
            if rest.is_empty() {
                break;
            }
            if let Some(next) = rest.strip_prefix(',') {
                rest = skip_space(next);
            } else if !tail.bytes().next().is_some_and(is_space) {
                return Err(improper());
            }
        }
        // Versions are read when the whole group is known to be well formed: that error comes first.
        let conditions: Result<Vec<Condition>, ConstraintError> = scanned
            .into_iter()
            .map(|(operator, operator_text, version, parts)| {
                Condition::new(operator, operator_text, version, &parts)
            })
            .collect();
        let conditions = conditions?;
        let prereleases = conditions.iter().any(|c| !c.version.prerelease.is_empty());
        Ok(Group {
            conditions,
            prereleases,
        })
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Operator {
    Equal,
    NotEqual,
    Greater,
    Less,
    GreaterOrEqual,
    LessOrEqual,
    Tilde,
    Caret,
}

impl Operator {
    /// The operator at the start of a text; none at all means equal.
    fn scan(text: &str) -> Option<(&str, Operator)> {
        let end = text.bytes().take_while(|b| b"=!<>~^".contains(b)).count();
        let (shown, _) = text.split_at(end);
        let operator = match shown {
            "" | "=" => Operator::Equal,
            "!=" => Operator::NotEqual,
            ">" => Operator::Greater,
            "<" => Operator::Less,
            ">=" | "=>" => Operator::GreaterOrEqual,
            "<=" | "=<" => Operator::LessOrEqual,
            "~" | "~>" => Operator::Tilde,
            "^" => Operator::Caret,
            _ => return None,
        };
        Some((shown, operator))
    }
}

/// Which parts of the version of a condition are missing or wildcards.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Wild {
    Nothing,
    Everything,
    Minor,
    Patch,
}

#[derive(Clone, Debug)]
struct Condition {
    operator: Operator,
    operator_text: String,
    /// The version as it was written.
    text: String,
    version: Version,
    wild: Wild,
}

impl Condition {
    fn new(
        operator: Operator,
        operator_text: &str,
        text: &str,
        parts: &Parts<'_>,
    ) -> Result<Condition, ConstraintError> {
        let wild_at = |segment: Option<&str>| segment.is_none_or(|s| matches!(s, "x" | "X" | "*"));
        let prerelease = parts.prerelease.map(|p| format!("-{p}")).unwrap_or_default();
        let (major, minor) = (parts.major, parts.minor.unwrap_or_default());
        let (wild, version) = if wild_at(Some(major)) {
            (Wild::Everything, format!("0.0.0{prerelease}"))
        } else if wild_at(parts.minor) {
            (Wild::Minor, format!("{major}.0.0{prerelease}"))
        } else if wild_at(parts.patch) {
            (Wild::Patch, format!("{major}.{minor}.0{prerelease}"))
        } else {
            (Wild::Nothing, text.to_owned())
        };
        Ok(Condition {
            operator,
            operator_text: operator_text.to_owned(),
            text: text.to_owned(),
            version: Version::parse(&version).map_err(|_| ConstraintError::Version)?,
            wild,
        })
    }

    /// Whether it holds, or the reason why not.
    fn check(&self, v: &Version, prereleases: bool) -> Result<(), String> {
        if !v.prerelease.is_empty() && !prereleases {
            return Err(only_releases(v));
        }
        let own = &self.version;
        match self.operator {
            Operator::Equal if self.wild != Wild::Nothing => self.check_tilde(v),
            Operator::Equal => self.demand(v == own, v, "is not equal to"),
            Operator::NotEqual => self.demand(self.differs(v), v, "is equal to"),
            Operator::Greater => self.demand(self.is_below(v), v, "is less than or equal to"),
            Operator::Less => self.demand(v < own, v, "is greater than or equal to"),
            Operator::GreaterOrEqual => self.demand(v >= own, v, "is less than"),
            Operator::LessOrEqual => self.demand(self.reaches(v), v, "is greater than"),
            Operator::Tilde => self.check_tilde(v),
            Operator::Caret => self.check_caret(v),
        }
    }

    fn demand(&self, holds: bool, v: &Version, relation: &str) -> Result<(), String> {
        if holds {
            return Ok(());
        }
        let quoted = crate::quote::quote(v.to_string().as_bytes());
        Err(format!(
            "{quoted} {relation} {}",
            crate::quote::quote(self.text.as_bytes())
        ))
    }

    fn differs(&self, v: &Version) -> bool {
        let own = &self.version;
        match self.wild {
            Wild::Nothing => v != own,
            _ if v.major != own.major => true,
            Wild::Minor => false,
            _ if v.minor != own.minor => true,
            Wild::Patch => compare_prereleases_if_any(v, own) != Ordering::Equal,
            // `!=*`: the version 0.0.0 stands for it.
            Wild::Everything => v != own,
        }
    }

    /// For `>`: `>11` starts at 12, `>11.1` at 11.2.
    fn is_below(&self, v: &Version) -> bool {
        let own = &self.version;
        match self.wild {
            Wild::Nothing | Wild::Everything => v > own,
            Wild::Minor => v.major > own.major,
            Wild::Patch => (v.major, v.minor) > (own.major, own.minor),
        }
    }

    /// For `<=`: `<=11` includes all of 11, `<=11.1` all of 11.1.
    fn reaches(&self, v: &Version) -> bool {
        let own = &self.version;
        match self.wild {
            Wild::Nothing => v <= own,
            Wild::Minor => v.major <= own.major,
            Wild::Patch | Wild::Everything => (v.major, v.minor) <= (own.major, own.minor),
        }
    }

    fn check_tilde(&self, v: &Version) -> Result<(), String> {
        let own = &self.version;
        self.demand(v >= own, v, "is less than")?;
        let zero = own.major == 0 && own.minor == 0 && own.patch == 0;
        if zero && !matches!(self.wild, Wild::Minor | Wild::Patch) {
            return Ok(());
        }
        self.demand(v.major == own.major, v, "does not have same major version as")?;
        self.demand(
            v.minor == own.minor || self.wild == Wild::Minor,
            v,
            "does not have same major and minor version as",
        )
    }

    fn check_caret(&self, v: &Version) -> Result<(), String> {
        let own = &self.version;
        self.demand(v >= own, v, "is less than")?;
        self.demand(v.major == own.major, v, "does not have same major version as")?;
        if own.major > 0 || self.wild == Wild::Minor {
            return Ok(());
        }
        if own.minor > 0 || self.wild == Wild::Patch {
            return self
                .demand(v.minor == own.minor, v, "does not have same minor version as")
                .map_err(|reason| {
                    format!("{reason}. Expected minor versions to match when constraint major version is 0")
                });
        }
        self.demand(v.minor == 0, v, "does not have same minor version as")?;
        self.demand(v.patch == own.patch, v, "does not equal")
            .map_err(|reason| {
                format!(
                    "{reason}. Expect version and constraint to equal when major and minor versions are 0"
                )
            })
    }
}

fn compare_prereleases_if_any(a: &Version, b: &Version) -> Ordering {
    if a.prerelease.is_empty() && b.prerelease.is_empty() {
        return Ordering::Equal;
    }
    compare_prereleases(&a.prerelease, &b.prerelease)
}

fn only_releases(v: &Version) -> String {
    format!(
        "{} is a prerelease version and the constraint is only looking for release versions",
        crate::quote::quote(v.to_string().as_bytes())
    )
}

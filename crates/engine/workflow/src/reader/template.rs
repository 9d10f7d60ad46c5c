//! Literals to tokens: what may stand where is checked, expressions are parsed. The texts of problems are those of
//! GitHub's reader, since people search for them.

use super::problem::Problems;
use super::schema::{Mapping, What, definition};
use super::token::{Kind, Place, Template, Token};
use crate::expression::{Expression, ParseError, Scope, Value, parse};
use std::collections::{BTreeMap, HashSet};
use std::sync::Arc;

/// Reads a literal as a definition of the table.
pub(super) fn read(literal: Token, of: &str, background_steps: bool, problems: &mut Problems) -> Token {
    let mut reader = Reader {
        problems,
        background_steps,
    };
    reader.value(literal, &Definitions::root(of))
}

/// The contexts and functions that a definition of the table names, as a scope of the parser.
pub(crate) fn with_scope<T>(contexts: &[&'static str], then: impl FnOnce(&Scope<'_>) -> T) -> T {
    let has = |name: &str| contexts.contains(&name);
    let special = [
        "always",
        "success",
        "failure",
        "cancelled",
        "jobs-success",
        "jobs-failure",
        "hashFiles",
    ];
    let named: Vec<&str> = contexts
        .iter()
        .copied()
        .filter(|c| !special.contains(c))
        .collect();
    then(&Scope {
        contexts: &named,
        hash_files: has("hashFiles"),
        status: has("always"),
        status_of_jobs: has("jobs-success"),
    })
}

/// The contexts of a definition of the table that stands alone: conditions are parsed again when `success()` is added.
pub(crate) fn contexts_of(name: &str) -> &'static [&'static str] {
    &definition(name).contexts
}

/// What may stand at one place: the alternatives, flat, and the contexts that expressions may name there.
struct Definitions {
    all: Vec<&'static What>,
    contexts: Vec<&'static str>,
}

impl Definitions {
    fn root(of: &str) -> Definitions {
        Definitions::new(of, &[])
    }

    fn new(of: &str, inherited: &[&'static str]) -> Definitions {
        let mut definitions = Definitions {
            all: Vec::new(),
            contexts: inherited.to_vec(),
        };
        definitions.gather(of);
        definitions
    }

    fn gather(&mut self, of: &str) {
        let found = definition(of);
        for context in &found.contexts {
            if !self.contexts.contains(context) {
                self.contexts.push(context);
            }
        }
        match &found.what {
            What::OneOf(names) => names.iter().for_each(|name| self.gather(name)),
            what => self.all.push(what),
        }
    }

    fn below(&self, of: &str) -> Definitions {
        Definitions::new(of, &self.contexts)
    }

    fn allows_any(&self) -> bool {
        self.all.iter().any(|what| matches!(what, What::Any))
    }

    fn takes(&self, kind: &Kind) -> bool {
        self.all.iter().any(|what| match (what, kind) {
            (What::Any, _) => true,
            (What::String { non_empty }, Kind::String(text)) => !(*non_empty && text.is_empty()),
            (What::Constant(constant), Kind::String(text)) => **constant == **text,
            (What::Null, Kind::Null) | (What::Boolean, Kind::Bool(_)) | (What::Number, Kind::Number(_)) => {
                true
            }
            _ => false,
        })
    }
}

struct Reader<'p> {
    problems: &'p mut Problems,
    background_steps: bool,
}

const NOT_ALLOWED: &str = "A template expression is not allowed in this context";

impl Reader<'_> {
    fn value(&mut self, literal: Token, of: &Definitions) -> Token {
        match literal.kind {
            Kind::Sequence(items) => self.sequence(literal.place, items, of),
            Kind::Mapping(entries) => self.mapping(literal.place, entries, of),
            _ => {
                let scalar = self.scalar(literal, of);
                self.checked(scalar, of)
            }
        }
    }

    fn sequence(&mut self, place: Place, items: Vec<Token>, of: &Definitions) -> Token {
        let item = of.all.iter().find_map(|what| match what {
            What::Sequence(item) => Some(*item),
            What::Any => Some("any"),
            _ => None,
        });
        let Some(item) = item else {
            self.problems.at(place, "A sequence was not expected");
            return Token {
                place,
                kind: Kind::Sequence(Vec::new()),
            };
        };
        let item = of.below(item);
        let items = items
            .into_iter()
            .map(|literal| self.value(literal, &item))
            .collect();
        Token {
            place,
            kind: Kind::Sequence(items),
        }
    }

    fn mapping(&mut self, place: Place, entries: Vec<(Token, Token)>, of: &Definitions) -> Token {
        static ANYTHING: Mapping = Mapping {
            properties: Vec::new(),
            loose: Some(("any", "any")),
        };
        // A mapping begins where its first key does.
        let place = entries.first().map_or(place, |(key, _)| key.place);
        let mut candidates: Vec<&Mapping> = of
            .all
            .iter()
            .filter_map(|what| match what {
                What::Mapping(mapping) => Some(mapping),
                What::Any => Some(&ANYTHING),
                _ => None,
            })
            .collect();
        let mut read = Vec::with_capacity(entries.len());
        if candidates.is_empty() {
            self.problems.at(place, "A mapping was not expected");
        } else {
            let mut seen = Seen::default();
            for (key, value) in entries {
                read.extend(self.entry(key, value, of, &mut candidates, &mut seen));
            }
            self.complete(place, &candidates, &seen);
        }
        Token {
            place,
            kind: Kind::Mapping(read),
        }
    }

    fn entry(
        &mut self,
        key: Token,
        value: Token,
        of: &Definitions,
        candidates: &mut Vec<&Mapping>,
        seen: &mut Seen,
    ) -> Option<(Token, Token)> {
        let key = self.scalar(key, of);
        if matches!(key.kind, Kind::Expression(_) | Kind::Insert) {
            seen.expression = true;
            if of.contexts.is_empty() && !of.allows_any() {
                self.problems.at(key.place, NOT_ALLOWED);
                return None;
            }
            let below = match (candidates.as_slice(), candidates[0].loose) {
                ([only], Some((_, loose))) if only.properties.is_empty() => of.below(loose),
                _ => of.below("any"),
            };
            return Some((key, self.value(value, &below)));
        }
        let text = key.shown();
        let key = Token {
            kind: Kind::String(Arc::from(text.as_str())),
            ..key
        };
        if !text.is_empty() && !seen.keys.insert(text.to_uppercase()) {
            self.problems
                .at(key.place, format!("'{text}' is already defined"));
            return None;
        }
        if let Some(property) = well_known(candidates, &text) {
            if !self.background_steps && ONLY_BACKGROUND.contains(&text.as_str()) && is_step(candidates) {
                self.problems.at(key.place, format!("Unexpected value '{text}'"));
                return None;
            }
            let below = of.below(property);
            return Some((key, self.value(value, &below)));
        }
        if let Some((loose_key, loose_value)) = candidates[0].loose {
            let key = self.checked(key, &of.below(loose_key));
            let below = of.below(loose_value);
            return Some((key, self.value(value, &below)));
        }
        self.problems.at(key.place, format!("Unexpected value '{text}'"));
        None
    }

    /// Whether what was read is one of the candidates, and all of it.
    fn complete(&mut self, place: Place, candidates: &[&Mapping], seen: &Seen) {
        if let [only] = candidates {
            let missing = only.properties.iter().filter(|property| property.required);
            let missing = missing.filter(|property| !seen.keys.contains(&property.name.to_uppercase()));
            for property in missing.filter(|_| !seen.expression) {
                let message = format!("Required property is missing: {}", property.name);
                self.problems.at(place, message);
            }
            return;
        }
        let mut counts: BTreeMap<&str, usize> = BTreeMap::new();
        for property in candidates.iter().flat_map(|mapping| &mapping.properties) {
            *counts.entry(property.name).or_default() += 1;
        }
        let telling = counts
            .iter()
            .filter(|(_, count)| **count == 1)
            .map(|(name, _)| *name);
        let telling = telling
            .filter(|name| self.background_steps || !ONLY_BACKGROUND.contains(name) || *name == "parallel");
        let list = telling.collect::<Vec<_>>().join(", ");
        let message = format!(
            "There's not enough info to determine what you meant. Add one of these properties: {list}"
        );
        self.problems.at(place, message);
    }

    /// A scalar with its expressions parsed.
    fn scalar(&mut self, literal: Token, of: &Definitions) -> Token {
        let Kind::String(text) = &literal.kind else {
            return literal;
        };
        if !text.contains("${{") {
            return literal;
        }
        let text = Arc::clone(text);
        let place = literal.place;
        match self.template(place, &text, &of.contexts) {
            Some(kind) => Token { place, kind },
            None => literal,
        }
    }

    /// What text with expressions means; none where something is wrong, which is told.
    fn template(&mut self, place: Place, text: &str, contexts: &[&'static str]) -> Option<Kind> {
        let parts = match split(text) {
            Ok(parts) => parts,
            Err(message) => {
                self.problems.at(place, message);
                return None;
            }
        };
        let mut trees = Vec::new();
        let mut failed = false;
        for part in &parts {
            let Part::Expression(inner) = part else { continue };
            let inner = inner.trim();
            if inner == "insert" {
                if parts.len() > 1 {
                    self.problems.at(place, INSERT_WITHIN);
                    return None;
                }
                return Some(Kind::Insert);
            }
            match parse_one(inner, contexts) {
                Ok(tree) => trees.push(tree),
                Err(error) => {
                    self.problems.at(place, error.message);
                    failed = true;
                }
            }
        }
        if failed {
            return None;
        }
        if let ([Part::Expression(inner)], [tree]) = (parts.as_slice(), trees.as_slice()) {
            if let Expression::Literal(Value::String(text)) = tree {
                return Some(Kind::String(Arc::clone(text)));
            }
            return Some(Kind::Expression(Box::new(Template {
                text: inner.trim().to_owned(),
                tree: tree.clone(),
            })));
        }
        let text = as_format(&parts);
        match parse_one(&text, contexts) {
            Ok(tree) => Some(Kind::Expression(Box::new(Template { text, tree }))),
            Err(error) => {
                self.problems.at(place, error.message);
                None
            }
        }
    }

    /// A scalar that fits; numbers and the like become text where text is wanted.
    fn checked(&mut self, scalar: Token, of: &Definitions) -> Token {
        match &scalar.kind {
            Kind::Expression(_) | Kind::Insert => {
                if of.contexts.is_empty() && !of.allows_any() {
                    self.problems.at(scalar.place, NOT_ALLOWED);
                } else if matches!(scalar.kind, Kind::Insert) {
                    self.problems.at(scalar.place, "Unexpected value '${{ insert }}'");
                }
                scalar
            }
            kind if of.takes(kind) => scalar,
            kind => {
                if !matches!(kind, Kind::String(_)) {
                    let text = Kind::String(Arc::from(scalar.shown()));
                    if of.takes(&text) {
                        return Token { kind: text, ..scalar };
                    }
                }
                let message = format!("Unexpected value '{}'", scalar.shown());
                self.problems.at(scalar.place, message);
                scalar
            }
        }
    }
}

/// Properties of steps that need a switch: they are not offered without it.
const ONLY_BACKGROUND: &[&str] = &["background", "wait", "wait-all", "cancel"];

const INSERT_WITHIN: &str = "The directive 'insert' is not allowed in this context. Directives are not supported for \
    expressions that are embedded within a string. Directives are only supported when the entire value is an expression.";

/// What was met in a mapping.
#[derive(Default)]
struct Seen {
    keys: HashSet<String>,
    expression: bool,
}

fn is_step(candidates: &[&Mapping]) -> bool {
    candidates
        .iter()
        .any(|mapping| mapping.properties.iter().any(|p| p.name == "continue-on-error"))
}

/// The type of a property, and only those candidates left that have it.
fn well_known(candidates: &mut Vec<&Mapping>, key: &str) -> Option<&'static str> {
    let of = |mapping: &Mapping| mapping.properties.iter().find(|p| p.name == key).map(|p| p.of);
    let found = candidates.iter().find_map(|mapping| of(mapping))?;
    candidates.retain(|mapping| of(mapping).is_some());
    Some(found)
}

fn parse_one(text: &str, contexts: &[&'static str]) -> Result<Expression, ParseError> {
    let parsed = with_scope(contexts, |scope| parse(text, scope))?;
    parsed.ok_or_else(|| ParseError {
        message: "An expression was expected".to_owned(),
        at: None,
    })
}

enum Part<'t> {
    Text(&'t str),
    Expression(&'t str),
}

/// Splits text at `${{` and `}}`; quotes within an expression hide the latter.
fn split(text: &str) -> Result<Vec<Part<'_>>, &'static str> {
    let mut parts = Vec::new();
    let mut rest = text;
    while let Some(start) = rest.find("${{") {
        if start > 0 {
            parts.push(Part::Text(&rest[..start]));
        }
        let inner = &rest[start + 3..];
        let mut quoted = false;
        let mut end = None;
        for (at, byte) in inner.bytes().enumerate() {
            match byte {
                b'\'' => quoted = !quoted,
                b'}' if !quoted && inner.as_bytes().get(at + 1) == Some(&b'}') => {
                    end = Some(at);
                    break;
                }
                _ => {}
            }
        }
        let end = end.ok_or(
            "The expression is not closed. An unescaped ${{ sequence was found, but the closing }} sequence was not found.",
        )?;
        parts.push(Part::Expression(&inner[..end]));
        rest = &inner[end + 2..];
    }
    if !rest.is_empty() {
        parts.push(Part::Text(rest));
    }
    Ok(parts)
}

/// Text with expressions within as one expression.
fn as_format(parts: &[Part<'_>]) -> String {
    let mut pattern = String::new();
    let mut arguments = String::new();
    let mut count = 0;
    for part in parts {
        match part {
            Part::Text(text) => {
                let text = text.replace('\'', "''").replace('{', "{{").replace('}', "}}");
                pattern.push_str(&text);
            }
            Part::Expression(inner) => {
                pattern.push_str(&format!("{{{count}}}"));
                arguments.push_str(", ");
                arguments.push_str(inner.trim());
                count += 1;
            }
        }
    }
    format!("format('{pattern}'{arguments})")
}

//! Field paths with dots, as replacements have them: `spec.template.spec.containers.[name=web].image`.

use deploy_yaml::node::{Content, Node};
use regex::Regex;

use super::Error;
use crate::kustomize::limits::MAX_REGEX_BYTES;
use crate::kustomize::merge::tree::{self, Kind};

/// A split path.
#[derive(Clone, Debug)]
pub struct FieldPath {
    text: String,
    parts: Vec<Part>,
}

#[derive(Clone, Debug)]
struct Part {
    text: String,
    step: Step,
}

#[derive(Clone, Debug)]
enum Step {
    /// A field of a map.
    Field,
    /// An element by its number.
    Index(usize),
    /// `-`: the last element where one is looked up, a field where many are.
    Last,
    /// `*`: all elements.
    All,
    /// `[name=value]`, or `[=value]` for scalars; what is looked up must be equal, what is matched need only contain it.
    Match {
        field: String,
        value: String,
        /// None where the value is no regular expression.
        pattern: Option<Regex>,
    },
    /// `[text]` without a `=`.
    Broken,
}

impl FieldPath {
    /// Splits a path at its dots; `\.` is a dot in a name, and a name in brackets may have dots: `annotations.[a.b/c]`.
    pub fn parse(text: &str) -> FieldPath {
        let parts = join_brackets(split(text))
            .into_iter()
            .map(|text| Part {
                step: Step::parse(&text),
                text,
            })
            .collect();
        FieldPath {
            text: text.to_owned(),
            parts,
        }
    }

    /// The path as written.
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// The one node that the path leads to.
    pub fn look_up<'n>(&self, node: &'n Node) -> Result<Option<&'n Node>, Error> {
        look_up(node, &self.parts)
    }

    /// Calls `each` for every node that the path leads to, and says how many they are.
    /// With `create`, what is missing is made, at the end as a node of that kind.
    pub fn for_each(
        &self,
        node: &mut Node,
        create: Option<Kind>,
        each: &mut dyn FnMut(&mut Node) -> Result<(), Error>,
    ) -> Result<usize, Error> {
        Matcher { create, each }.visit(node, &self.parts)
    }

    /// The first scalar on the way whose text is itself a document, with the rest of the path inside that document.
    pub(super) fn scalar_document<'n>(&self, node: &'n mut Node) -> Option<(&'n mut Node, FieldPath)> {
        let end = (1..self.parts.len()).find(|&end| {
            let found = look_up(node, &self.parts[..end]).ok().flatten();
            found
                .and_then(tree::text)
                .is_some_and(|text| deploy_yaml::parse(text.as_bytes()).is_ok())
        })?;
        let rest = FieldPath {
            text: self.text.clone(),
            parts: self.parts[end..].to_vec(),
        };
        look_up_mut(node, &self.parts[..end]).map(|scalar| (scalar, rest))
    }
}

fn split(text: &str) -> Vec<String> {
    let text = match text.strip_prefix('.') {
        Some(rest) => rest,
        None => text,
    };
    let mut parts: Vec<String> = Vec::new();
    for piece in text.split('.') {
        match parts.last_mut() {
            Some(last) if last.ends_with('\\') => {
                last.pop();
                last.push('.');
                last.push_str(piece);
            }
            _ => parts.push(piece.to_owned()),
        }
    }
    parts
}

/// Joins what dots inside brackets have split. Without a `=` the brackets are only there to protect the dots.
fn join_brackets(pieces: Vec<String>) -> Vec<String> {
    let mut parts = Vec::with_capacity(pieces.len());
    let mut pieces = pieces.into_iter();
    while let Some(mut part) = pieces.next() {
        if !part.starts_with('[') || part.ends_with(']') {
            parts.push(part);
            continue;
        }
        for piece in pieces.by_ref() {
            part.push('.');
            part.push_str(&piece);
            if piece.ends_with(']') {
                break;
            }
        }
        parts.push(match part.contains('=') {
            true => part,
            false => part.trim_matches(['[', ']']).to_owned(),
        });
    }
    parts
}

impl Step {
    fn parse(text: &str) -> Step {
        if let Ok(index) = text.parse::<usize>() {
            return Step::Index(index);
        }
        match text {
            "-" => return Step::Last,
            "*" => return Step::All,
            _ => {}
        }
        let Some(inner) = text.strip_prefix('[').and_then(|text| text.strip_suffix(']')) else {
            return Step::Field;
        };
        match inner.split_once('=') {
            None => Step::Broken,
            Some((field, value)) => Step::Match {
                field: field.to_owned(),
                value: value.to_owned(),
                pattern: regex::RegexBuilder::new(value)
                    .size_limit(MAX_REGEX_BYTES)
                    .build()
                    .ok(),
            },
        }
    }
}

fn broken() -> Error {
    Error::Invalid("list path element must contain fieldName=fieldValue for element to match".to_owned())
}

/// The place of the child that a step of a look-up leads to.
fn child(node: &Node, part: &Part) -> Result<Option<usize>, Error> {
    let elements = |node| -> Result<&[Node], Error> {
        tree::expect(node, Kind::Sequence)?;
        Ok(tree::elements(node))
    };
    Ok(match &part.step {
        Step::Field => {
            tree::expect(node, Kind::Mapping)?;
            tree::position(tree::entries(node), part.text.trim())
        }
        Step::Index(index) => {
            Some(*index).filter(|&index| elements(node).is_ok_and(|list| index < list.len()))
        }
        Step::Last => elements(node)?.len().checked_sub(1),
        Step::All => {
            return Err(Error::Invalid(
                "wildcard is not supported in PathGetter".to_owned(),
            ));
        }
        Step::Broken => return Err(broken()),
        Step::Match { field, value, .. } => elements(node)?.iter().position(|element| match field.as_str() {
            "" => tree::text(element).unwrap_or_default() == value,
            field => tree::field(element, field).is_some_and(|v| tree::text(v).unwrap_or_default() == value),
        }),
    })
}

fn look_up<'n>(mut node: &'n Node, parts: &[Part]) -> Result<Option<&'n Node>, Error> {
    for part in parts.iter().filter(|part| !part.text.trim().is_empty()) {
        if let Step::Index(_) = part.step {
            tree::expect(node, Kind::Sequence)?;
        }
        let Some(at) = child(node, part)? else {
            return Ok(None);
        };
        node = match &node.content {
            Content::Mapping(entries) => &entries[at].1,
            Content::Sequence(elements) => &elements[at],
            Content::Scalar(_) | Content::Alias(_) => return Ok(None),
        };
    }
    Ok(Some(node))
}

fn look_up_mut<'n>(mut node: &'n mut Node, parts: &[Part]) -> Option<&'n mut Node> {
    for part in parts.iter().filter(|part| !part.text.trim().is_empty()) {
        let at = child(node, part).ok()??;
        node = match &mut node.content {
            Content::Mapping(entries) => &mut entries[at].1,
            Content::Sequence(elements) => &mut elements[at],
            Content::Scalar(_) | Content::Alias(_) => return None,
        };
    }
    Some(node)
}

struct Matcher<'f> {
    create: Option<Kind>,
    each: &'f mut dyn FnMut(&mut Node) -> Result<(), Error>,
}

impl Matcher<'_> {
    fn visit(&mut self, node: &mut Node, parts: &[Part]) -> Result<usize, Error> {
        let Some((part, rest)) = parts.split_first() else {
            (self.each)(node)?;
            return Ok(1);
        };
        match &part.step {
            Step::Field | Step::Last => self.visit_field(node, &part.text, rest),
            Step::Index(index) => self.visit_index(node, *index, rest),
            Step::All => {
                tree::expect(node, Kind::Sequence)?;
                let mut count = 0;
                for element in node.items_mut().into_iter().flatten() {
                    count += self.visit(element, rest)?;
                }
                Ok(count)
            }
            Step::Broken => Err(broken()),
            Step::Match {
                field,
                value,
                pattern,
            } => {
                let Some(pattern) = pattern else {
                    return Err(Error::Invalid(format!("error parsing regexp: {value}")));
                };
                self.visit_matches(node, field, value, pattern, &part.text, rest)
            }
        }
    }

    fn visit_field(&mut self, node: &mut Node, name: &str, rest: &[Part]) -> Result<usize, Error> {
        if name.is_empty() {
            // No name is the node itself, if it is an empty scalar.
            tree::expect(node, Kind::Scalar)?;
            return match tree::value(node) {
                "" if !tree::is_null(node) => self.visit(node, rest),
                _ => Ok(0),
            };
        }
        tree::expect(node, Kind::Mapping)?;
        if tree::field(node, name).is_none() {
            let Some(create) = self.create else { return Ok(0) };
            let mut made = tree::empty(kind_before(rest, create));
            // Nothing can be put into a null; what is made for it is lost, as in kustomize.
            if tree::is_null(node) {
                return self.visit(&mut made, rest);
            }
            tree::put_field(node, name, made, tree::scalar(name));
        }
        let Some(field) = tree::field_mut(node, name) else {
            return Ok(0);
        };
        if tree::kind(field) != Kind::Scalar || rest.is_empty() {
            return self.visit(field, rest);
        }
        // The text may be a document. What is changed in it is lost: `scalar_document` is the way to change it.
        let text = tree::text(field).unwrap_or_default();
        let mut documents = deploy_yaml::parse(text.as_bytes()).map_err(|e| Error::Invalid(e.to_string()))?;
        match documents.first_mut() {
            Some(document) => self.visit(document, rest),
            None => Ok(0),
        }
    }

    fn visit_index(&mut self, node: &mut Node, index: usize, rest: &[Part]) -> Result<usize, Error> {
        tree::expect(node, Kind::Sequence)?;
        let count = tree::elements(node).len();
        if let (Some(create), Some(elements)) = (self.create.filter(|_| count == index), node.items_mut()) {
            elements.push(tree::empty(kind_before(rest, create)));
        }
        match node.items_mut().and_then(|elements| elements.get_mut(index)) {
            Some(element) => self.visit(element, rest),
            None => Err(Error::Invalid(format!(
                "index {index} specified but only {count} elements found"
            ))),
        }
    }

    fn visit_matches(
        &mut self,
        node: &mut Node,
        field: &str,
        value: &str,
        pattern: &Regex,
        text: &str,
        rest: &[Part],
    ) -> Result<usize, Error> {
        tree::expect(node, Kind::Sequence)?;
        let mut count = 0;
        for element in node.items_mut().into_iter().flatten() {
            count += self.visit_if_match(element, field, pattern, rest)?;
        }
        if count > 0 || self.create.is_none() {
            return Ok(count);
        }
        let mut element = match field {
            "" => tree::scalar(value),
            field => Node::mapping(vec![(tree::scalar(field), tree::scalar(value))]),
        };
        let count = self.visit_if_match(&mut element, field, pattern, rest)?;
        if count == 0 {
            return Err(Error::Invalid(format!("failed to create element for {text:?}")));
        }
        if let Some(elements) = node.items_mut() {
            elements.push(element);
        }
        Ok(count)
    }

    fn visit_if_match(
        &mut self,
        element: &mut Node,
        field: &str,
        pattern: &Regex,
        rest: &[Part],
    ) -> Result<usize, Error> {
        let subject = match field {
            "" => Some(&*element),
            field => tree::field(element, field),
        };
        let Some(subject) = subject else { return Ok(0) };
        if !pattern.is_match(deploy_yaml::emit_kyaml(subject).trim()) {
            return Ok(0);
        }
        match field {
            // An element that is a scalar is where the path ends, whatever follows.
            "" => self.visit(element, &[]),
            _ => self.visit(element, rest),
        }
    }
}

/// The kind that a node must have for the rest of a path.
fn kind_before(rest: &[Part], last: Kind) -> Kind {
    match rest.first().map(|part| &part.step) {
        None => last,
        Some(Step::Match { .. } | Step::Broken | Step::Index(_)) => Kind::Sequence,
        Some(Step::Field | Step::Last | Step::All) => Kind::Mapping,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_split_at_dots() {
        let rows = [
            ("a.b.c", vec!["a", "b", "c"]),
            (".a.b", vec!["a", "b"]),
            (r"a.b\.c/d.e", vec!["a", "b.c/d", "e"]),
            ("a.[b.c/d].e", vec!["a", "b.c/d", "e"]),
            ("a.[name=b.c].e", vec!["a", "[name=b.c]", "e"]),
            ("a.0.*.-", vec!["a", "0", "*", "-"]),
        ];
        for (text, parts) in rows {
            let path = FieldPath::parse(text);
            let found: Vec<&str> = path.parts.iter().map(|part| part.text.as_str()).collect();
            assert_eq!(found, parts, "{text}");
        }
    }
}

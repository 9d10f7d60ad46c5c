//! Field specs: which fields of which kinds a transformation changes.

use std::collections::HashMap;

use deploy_yaml::node::{Content, Node, Style};

use super::Error;
use crate::kustomize::merge::tree::{self, Kind};

/// One field of some kinds, as configuration gives it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct FieldSpec {
    /// The group of the kinds; empty for any.
    pub group: String,
    /// The version of the kinds; empty for any.
    pub version: String,
    /// The kind; empty for any.
    pub kind: String,
    /// Field names with slashes between them: `spec/template/metadata/labels`, `spec/containers[]/image`. A slash in a
    /// name is written `\/`.
    pub path: String,
    /// Whether to make the field where it is missing.
    pub create: bool,
}

impl FieldSpec {
    fn selects(&self, object: &ObjectType<'_>) -> bool {
        let is = |wanted: &str, own: &str| wanted.is_empty() || wanted == own;
        is(&self.kind, object.kind) && is(&self.group, object.group) && is(&self.version, object.version)
    }
}

/// Group, version and kind of an object.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ObjectType<'n> {
    /// The part of `apiVersion` before the slash.
    pub group: &'n str,
    /// The part behind it.
    pub version: &'n str,
    /// `kind`
    pub kind: &'n str,
}

impl<'n> ObjectType<'n> {
    /// What an object says of itself.
    pub fn of(object: &'n Node) -> ObjectType<'n> {
        let text = |name| tree::field(object, name).and_then(tree::text).unwrap_or_default();
        let api_version = text("apiVersion");
        let (group, version) = api_version.split_once('/').unwrap_or(("", api_version));
        ObjectType {
            group,
            version,
            kind: text("kind"),
        }
    }
}

/// A field spec with its path split.
#[derive(Clone, Debug)]
pub struct Compiled {
    spec: FieldSpec,
    parts: Vec<Part>,
}

#[derive(Clone, Debug)]
struct Part {
    name: String,
    /// Written `name[]`: a list, which is never made.
    is_list: bool,
}

impl Compiled {
    /// Splits the path of a spec.
    pub fn new(spec: FieldSpec) -> Compiled {
        let from_root = spec.path.strip_prefix('/').unwrap_or(&spec.path);
        let parts = split_path(from_root)
            .into_iter()
            .map(|part| match part.strip_suffix("[]") {
                Some(name) => Part {
                    name: name.to_owned(),
                    is_list: true,
                },
                None => Part {
                    name: part,
                    is_list: false,
                },
            })
            .collect();
        Compiled { spec, parts }
    }

    /// The spec that this was made from.
    pub fn spec(&self) -> &FieldSpec {
        &self.spec
    }
}

/// Splits a path at its slashes; `\/` is a slash in a name.
pub fn split_path(path: &str) -> Vec<String> {
    let mut parts: Vec<String> = Vec::new();
    for piece in path.split('/') {
        match parts.last_mut() {
            Some(last) if last.ends_with('\\') => {
                last.pop();
                last.push('/');
                last.push_str(piece);
            }
            _ => parts.push(piece.to_owned()),
        }
    }
    parts
}

/// A list of specs in order, found by kind.
#[derive(Clone, Debug, Default)]
pub struct FieldSpecs {
    all: Vec<Compiled>,
    /// The specs for each kind that one of them names, those for any kind among them, in order.
    by_kind: HashMap<String, Vec<usize>>,
    /// The specs for any kind.
    for_any: Vec<usize>,
}

impl FieldSpecs {
    /// Prepares specs; their order is the order in which they apply.
    pub fn new(specs: impl IntoIterator<Item = FieldSpec>) -> FieldSpecs {
        let all: Vec<Compiled> = specs.into_iter().map(Compiled::new).collect();
        let mut by_kind: HashMap<String, Vec<usize>> = HashMap::new();
        for compiled in &all {
            if !compiled.spec.kind.is_empty() {
                by_kind.entry(compiled.spec.kind.clone()).or_default();
            }
        }
        let mut for_any = Vec::new();
        for (at, compiled) in all.iter().enumerate() {
            let kind = &compiled.spec.kind;
            if !kind.is_empty() {
                by_kind.entry(kind.clone()).or_default().push(at);
                continue;
            }
            for_any.push(at);
            by_kind.values_mut().for_each(|specs| specs.push(at));
        }
        FieldSpecs {
            all,
            by_kind,
            for_any,
        }
    }

    /// The specs that select an object, in order.
    pub fn of(&self, object: &Node) -> Vec<&Compiled> {
        let object = ObjectType::of(object);
        self.by_kind
            .get(object.kind)
            .unwrap_or(&self.for_any)
            .iter()
            .map(|&at| &self.all[at])
            .filter(|compiled| compiled.spec.selects(&object))
            .collect()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.all.is_empty()
    }
}

/// What to make where a field is missing and its spec says `create`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Create {
    /// The kind of the new field.
    pub kind: Kind,
    /// The tag that a field which is null gets.
    pub tag: &'static str,
}

impl Create {
    /// A map.
    pub const MAP: Create = Create {
        kind: Kind::Mapping,
        tag: "!!map",
    };
    /// A string.
    pub const STRING: Create = Create {
        kind: Kind::Scalar,
        tag: "!!str",
    };
    /// An integer.
    pub const INTEGER: Create = Create {
        kind: Kind::Scalar,
        tag: "!!int",
    };
    /// A scalar of which nothing is said.
    pub const SCALAR: Create = Create {
        kind: Kind::Scalar,
        tag: "",
    };
}

/// What is done to each field that is found.
pub type SetField<'f> = dyn FnMut(&mut Node) -> Result<(), Error> + 'f;

/// Calls `set` for each field of an object that a spec leads to; with `create`, missing fields are made where the spec
/// says so. Whether the spec selects the object is the caller's question ([`FieldSpecs::of`]).
pub fn apply(
    object: &mut Node,
    compiled: &Compiled,
    create: Option<Create>,
    set: &mut SetField<'_>,
) -> Result<(), Error> {
    let create = create.filter(|_| compiled.spec.create);
    walk(object, &compiled.parts, create, set).map_err(|e| {
        e.at(format!(
            "considering field '{}' of object {}",
            compiled.spec.path,
            describe(object)
        ))
    })
}

/// An object as messages name it: `Deployment.v1.apps/name.[noNs]`.
fn describe(object: &Node) -> String {
    let or = |text: &str, none: &str| {
        if text.is_empty() {
            none.to_owned()
        } else {
            text.to_owned()
        }
    };
    let meta = |name| {
        tree::lookup(object, &["metadata", name])
            .and_then(tree::text)
            .unwrap_or_default()
    };
    let of = ObjectType::of(object);
    format!(
        "{}.{}.{}/{}.{}",
        or(of.kind, "[noKind]"),
        or(of.version, "[noVer]"),
        or(of.group, "[noGrp]"),
        or(meta("name"), "[noName]"),
        or(meta("namespace"), "[noNs]"),
    )
}

fn walk(
    node: &mut Node,
    parts: &[Part],
    create: Option<Create>,
    set: &mut SetField<'_>,
) -> Result<(), Error> {
    if parts.is_empty() {
        return set(node);
    }
    if tree::is_null(node) {
        return Ok(());
    }
    match &mut node.content {
        Content::Sequence(elements) => {
            for element in elements {
                walk(element, parts, create, set).map_err(|e| {
                    let path: Vec<String> = parts.iter().map(Part::to_string).collect();
                    e.at(format!("visit traversal on path: [{}]", path.join(" ")))
                })?;
            }
            Ok(())
        }
        Content::Mapping(_) => walk_map(node, parts, create, set),
        Content::Scalar(_) | Content::Alias(_) => Err(Error::NotACollection),
    }
}

impl std::fmt::Display for Part {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}{}", self.name, if self.is_list { "[]" } else { "" })
    }
}

fn walk_map(
    node: &mut Node,
    parts: &[Part],
    create: Option<Create>,
    set: &mut SetField<'_>,
) -> Result<(), Error> {
    let Some((part, rest)) = parts.split_first() else {
        return Ok(());
    };
    if part.name.is_empty() {
        return Err(Error::EmptyFieldName);
    }
    let make = match create.filter(|_| !part.is_list) {
        Some(create) if rest.is_empty() => Some(create),
        Some(_) => Some(Create::MAP),
        None => None,
    };
    let place = match (tree::position(tree::entries(node), &part.name), make) {
        (Some(place), _) => place,
        (None, None) => return Ok(()),
        (None, Some(make)) => {
            let place = tree::entries(node).len();
            tree::put_field(node, &part.name, tree::empty(make.kind), tree::scalar(&part.name));
            place
        }
    };
    let Content::Mapping(entries) = &mut node.content else {
        return Ok(());
    };
    let field = &mut entries[place].1;
    if tree::is_null(field) {
        match (make, part.is_list) {
            (Some(make), _) => turn_into(field, make),
            (None, true) => turn_into(
                field,
                Create {
                    kind: Kind::Sequence,
                    tag: "",
                },
            ),
            (None, false) => {}
        }
    }
    walk(field, rest, create, set)
}

/// A null becomes what would have been made there.
fn turn_into(node: &mut Node, create: Create) {
    if create.kind != Kind::Scalar {
        node.content = tree::empty(create.kind).content;
        node.style = Style::Plain;
        node.tag = None;
    } else {
        node.tag = Some(create.tag.to_owned()).filter(|tag| !tag.is_empty());
    }
}

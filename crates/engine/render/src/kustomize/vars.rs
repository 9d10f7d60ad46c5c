//! `vars`: values of fields, put in the place of `$(NAME)` in fields that the configuration names.

use std::collections::{BTreeMap, HashSet};

use deploy_yaml::node::{Content, Node, Style};

use super::config::Tables;
use super::error::{Error, Result};
use super::filters;
use super::filters::field_path::FieldPath;
use super::filters::field_spec::{self, FieldSpecs};
use super::kustomization::Var;
use super::resid::{Gvk, ResId};
use super::resources::Resources;
use super::tree;

/// Variables by name.
#[derive(Debug, Default)]
pub(super) struct Vars(BTreeMap<String, Definition>);

#[derive(Debug)]
struct Definition {
    /// As kustomize shows it in messages.
    shown: String,
    path: String,
}

/// What a variable stands for.
enum Value {
    Scalar(Node),
    /// A list or a map, which nothing can be replaced by.
    Collection,
}

impl Vars {
    /// Adds variables, and marks the resources that they read from.
    pub(super) fn define(&mut self, vars: &[Var], resources: &mut Resources) -> Result<()> {
        for var in vars {
            let id = target(var);
            let found = if id.namespace.is_empty() {
                positions_by_name(resources, &id)
            } else {
                resources.with_any_id(&id)
            };
            match found.as_slice() {
                [] => {}
                [one] => resources.get_mut(*one).variables.push(var.name.clone()),
                several => {
                    return Err(Error::invalid(format!(
                        "found {} resId matches for var {} (unable to disambiguate)",
                        several.len(),
                        shown(var)
                    )));
                }
            }
        }
        for var in vars {
            let path = if var.fieldref.field_path.is_empty() {
                "metadata.name"
            } else {
                &var.fieldref.field_path
            };
            let definition = Definition {
                shown: shown(var),
                path: path.to_owned(),
            };
            self.add(var.name.clone(), definition)?;
        }
        Ok(())
    }

    /// Adds those of another accumulation.
    pub(super) fn merge(&mut self, other: Vars) -> Result<()> {
        other
            .0
            .into_iter()
            .try_for_each(|(name, definition)| self.add(name, definition))
    }

    fn add(&mut self, name: String, definition: Definition) -> Result<()> {
        if self.0.contains_key(&name) {
            return Err(Error::invalid(format!("var '{name}' already encountered")));
        }
        self.0.insert(name, definition);
        Ok(())
    }

    /// Replaces all variables in the fields that the tables name for it; gives the names of those that were never used.
    pub(super) fn resolve(&self, resources: &mut Resources, tables: &Tables) -> Result<Vec<String>> {
        if self.0.is_empty() {
            return Ok(Vec::new());
        }
        let values = self.values(resources)?;
        let mut replacer = Replacer {
            values: &values,
            used: HashSet::new(),
        };
        let specs = FieldSpecs::new(tables.var_reference.iter().cloned());
        for resource in resources.iter_mut() {
            let node = &mut resource.node;
            for spec in specs.of(node) {
                field_spec::apply(node, spec, None, &mut |field| replacer.field(field))
                    .map_err(|error| Error::invalid(error.to_string()))?;
            }
        }
        let used = replacer.used;
        Ok(values.into_keys().filter(|name| !used.contains(name)).collect())
    }

    fn values(&self, resources: &Resources) -> Result<BTreeMap<String, Value>> {
        let mut values = BTreeMap::new();
        for (name, definition) in &self.0 {
            let source = resources
                .iter()
                .find(|resource| resource.variables.contains(name))
                .ok_or_else(|| {
                    Error::invalid(format!(
                        "var '{}' cannot be mapped to a field in the set of known resources",
                        definition.shown
                    ))
                })?;
            let path = FieldPath::parse(&dotted_indexes(&definition.path));
            let field = path.look_up(&source.node).ok().flatten().ok_or_else(|| {
                Error::invalid(format!(
                    "field specified in var '{}' not found in corresponding resource",
                    definition.shown
                ))
            })?;
            let value = if field.is_scalar() {
                Value::Scalar(field.clone())
            } else {
                Value::Collection
            };
            values.insert(name.clone(), value);
        }
        Ok(values)
    }
}

fn target(var: &Var) -> ResId {
    let target = &var.objref;
    let mut gvk = Gvk {
        group: target.group.clone(),
        version: target.version.clone(),
        kind: target.kind.clone(),
    };
    match *target.api_version.split('/').collect::<Vec<_>>() {
        [""] => {}
        [version] => version.clone_into(&mut gvk.version),
        [group, version] => {
            group.clone_into(&mut gvk.group);
            version.clone_into(&mut gvk.version);
        }
        _ => {}
    }
    ResId {
        gvk,
        name: target.name.clone(),
        namespace: target.namespace.clone(),
        cluster_scoped: false,
    }
}

fn shown(var: &Var) -> String {
    format!(
        "{{{} {} {{{}}}}}",
        var.name,
        target(var).gvk,
        var.fieldref.field_path
    )
}

/// All variables as kustomize shows them before it has looked into `apiVersion`.
pub(super) fn shown_as_written(vars: &[Var]) -> String {
    let vars: Vec<String> = vars
        .iter()
        .map(|var| {
            let gvk = Gvk {
                group: var.objref.group.clone(),
                version: var.objref.version.clone(),
                kind: var.objref.kind.clone(),
            };
            format!("{{{} {gvk} {{{}}}}}", var.name, var.fieldref.field_path)
        })
        .collect();
    format!("[{}]", vars.join(" "))
}

fn positions_by_name(resources: &mut Resources, id: &ResId) -> Vec<usize> {
    let mut found = resources.named(&id.name);
    found.retain(|position| resources.get(*position).any_id(|own| own.same_gvkn(id)));
    found
}

/// `ports[0].name` as `ports.0.name`.
fn dotted_indexes(path: &str) -> String {
    let indexed = |part: &str| -> Option<String> {
        let (name, index) = part.strip_suffix(']')?.rsplit_once('[')?;
        let is_index = !index.is_empty() && index.bytes().all(|byte| byte.is_ascii_digit());
        is_index.then(|| {
            let dot = if name.is_empty() { "" } else { "." };
            format!("{name}{dot}{index}")
        })
    };
    let parts: Vec<String> = path
        .split('.')
        .map(|part| indexed(part).unwrap_or_else(|| part.to_owned()))
        .collect();
    parts.join(".")
}

struct Replacer<'v> {
    values: &'v BTreeMap<String, Value>,
    used: HashSet<String>,
}

impl Replacer<'_> {
    fn field(&mut self, node: &mut Node) -> std::result::Result<(), filters::Error> {
        if node.is_scalar() {
            if is_text(node) {
                self.scalar(node);
            }
            return Ok(());
        }
        match &mut node.content {
            Content::Scalar(_) | Content::Alias(_) => {}
            Content::Mapping(entries) => {
                for (key, value) in entries {
                    if !is_text(key) {
                        return Err(filters::Error::Invalid(format!(
                            "invalid map key: value='{}', tag='{}'",
                            tree::text(key).unwrap_or_default(),
                            key.resolved_tag()
                        )));
                    }
                    if is_text(value) {
                        self.scalar(value);
                    }
                }
            }
            Content::Sequence(items) => {
                for item in items {
                    if !is_text(item) {
                        return Err(filters::Error::Invalid(
                            "invalid value type expect a string".to_owned(),
                        ));
                    }
                    self.scalar(item);
                }
            }
        }
        Ok(())
    }

    fn scalar(&mut self, node: &mut Node) {
        let text = tree::text(node).unwrap_or_default();
        let mut replaced = self.replace(text);
        if replaced.tag.is_none() {
            replaced.tag = Some(replaced.resolved_tag().to_owned());
        }
        node.content = replaced.content;
        node.tag = replaced.tag;
        node.style = Style::Plain;
    }

    /// The text with `$(NAME)` replaced and `$$` as `$`. A text that is one variable and nothing else takes its type too.
    fn replace(&mut self, text: &str) -> Node {
        let mut out = String::new();
        let mut rest = text;
        while let Some(at) = rest.find('$') {
            let (before, after) = rest.split_at(at);
            out.push_str(before);
            let after = &after[1..];
            let Some(next) = after.chars().next() else {
                out.push('$');
                rest = "";
                break;
            };
            match (next, after.find(')')) {
                ('$', _) => {
                    out.push('$');
                    rest = &after[1..];
                }
                ('(', Some(end)) => {
                    let name = &after[1..end];
                    if let Some(node) = self.lookup(name) {
                        if at == 0 && rest.len() == text.len() && after.len() == end + 1 {
                            return node;
                        }
                        out.push_str(tree::text(&node).unwrap_or_default());
                    } else {
                        out.push_str(&rest[at..at + end + 2]);
                    }
                    rest = &after[end + 1..];
                }
                (next, _) => {
                    out.push('$');
                    out.push(next);
                    rest = &after[next.len_utf8()..];
                }
            }
        }
        out.push_str(rest);
        tree::string(&out)
    }

    fn lookup(&mut self, name: &str) -> Option<Node> {
        let Value::Scalar(node) = self.values.get(name)? else {
            return None;
        };
        if !self.used.contains(name) {
            self.used.insert(name.to_owned());
        }
        let mut node = node.clone();
        let tag = node.resolved_tag();
        // Integers, booleans and floats keep their types, everything else is text.
        let tag = if matches!(tag, "!!int" | "!!bool" | "!!float") {
            tag
        } else {
            "!!str"
        };
        node.tag = Some(tag.to_owned());
        Some(node)
    }
}

fn is_text(node: &Node) -> bool {
    node.is_scalar() && node.resolved_tag() == "!!str"
}

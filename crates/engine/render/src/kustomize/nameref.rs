//! Name references: where one resource names another whose name has changed (a prefix, a hash), the new name is written.
//!
//! The old name is looked up among all names that resources had before; what is found is sieved by type, namespace and, if
//! still ambiguous, by the prefixes and suffixes that both went through.

use std::collections::{HashMap, HashSet};
use std::rc::Rc;

use deploy_yaml::node::{Content, Node};

use super::config::{Config, Tables};
use super::error::{Error, Result};
use super::filters;
use super::filters::field_spec::{self, Compiled};
use super::merge::tree as merge_tree;
use super::resid::Gvk;
use super::resource::Resource;
use super::resources::Resources;
use super::tree;

/// Writes new names wherever resources refer to each other.
pub(super) fn fix(resources: &mut Resources, tables: &Tables) -> Result<()> {
    if resources.iter().all(|resource| resource.previous.is_empty()) {
        return Ok(());
    }
    let rules = Rules::new(tables, resources);
    let index = Index::new(resources);
    for position in resources.positions() {
        if resources.get(position).deleted {
            continue;
        }
        let rules = rules.of(resources.get(position));
        if rules.is_empty() {
            continue;
        }
        let mut node = std::mem::replace(&mut resources.get_mut(position).node, Node::null());
        let referrer = Referrer::new(resources, &index, position, &node);
        let fixed =
            referrer.and_then(|referrer| rules.iter().try_for_each(|rule| referrer.apply(&mut node, rule)));
        resources.get_mut(position).node = node;
        fixed?;
    }
    Ok(())
}

/// A field that may hold the name of an object of the target type.
struct Rule {
    field: Compiled,
    target: Gvk,
    is_role: bool,
}

/// The rules for each kind that is there.
struct Rules(HashMap<String, Vec<Rc<Rule>>>);

impl Rules {
    fn new(config: &Config, resources: &Resources) -> Rules {
        let mut by_kind: HashMap<String, Vec<Rc<Rule>>> = resources
            .iter()
            .map(|resource| (resource.original_kind().to_owned(), Vec::new()))
            .collect();
        for reference in &config.name_reference {
            for spec in &reference.referrers {
                if !spec.kind.is_empty() && !by_kind.contains_key(&spec.kind) {
                    continue;
                }
                let rule = Rc::new(Rule {
                    field: Compiled::new(spec.clone()),
                    target: reference.target.clone(),
                    is_role: spec.path.ends_with("roleRef/name"),
                });
                if spec.kind.is_empty() {
                    by_kind
                        .values_mut()
                        .for_each(|rules| rules.push(Rc::clone(&rule)));
                } else if let Some(rules) = by_kind.get_mut(&spec.kind) {
                    rules.push(rule);
                }
            }
        }
        Rules(by_kind)
    }

    fn of(&self, resource: &Resource) -> Vec<Rc<Rule>> {
        let selects = |rule: &&Rc<Rule>| {
            let (spec, gvk) = (rule.field.spec(), &resource.id().gvk);
            let part = |selector: &str, own: &str| selector.is_empty() || selector == own;
            part(&spec.group, &gvk.group) && part(&spec.version, &gvk.version)
        };
        self.0
            .get(resource.original_kind())
            .map(|rules| rules.iter().filter(selects).cloned().collect())
            .unwrap_or_default()
    }
}

/// Resources by the names that they had.
struct Index {
    names: HashMap<String, Named>,
    /// For each namespace of now, the namespaces that its resources had at first; cluster-scoped resources apart.
    origins: HashMap<String, HashSet<String>>,
    all_origins: HashSet<String>,
}

/// The resources that had one name, in order.
#[derive(Default)]
struct Named {
    all: Vec<usize>,
    cluster_scoped: Vec<usize>,
    by_namespace: HashMap<String, Vec<usize>>,
    by_original_namespace: HashMap<String, Vec<usize>>,
}

impl Index {
    fn new(resources: &Resources) -> Index {
        let mut index = Index {
            names: HashMap::new(),
            origins: HashMap::new(),
            all_origins: HashSet::new(),
        };
        for position in resources.positions() {
            let resource = resources.get(position);
            if resource.deleted {
                continue;
            }
            index.add_origin(resource);
            let mut names: Vec<&str> = resource
                .previous
                .iter()
                .map(|previous| previous.name.as_str())
                .collect();
            names.sort_unstable();
            names.dedup();
            for name in names {
                if !index.names.contains_key(name) {
                    index.names.insert(name.to_owned(), Named::default());
                }
                if let Some(named) = index.names.get_mut(name) {
                    named.add(resource, position);
                }
            }
        }
        index
    }

    fn add_origin(&mut self, resource: &Resource) {
        let origin = resource.original_namespace();
        if !self.all_origins.contains(origin) {
            self.all_origins.insert(origin.to_owned());
        }
        let namespace = resource.id().effective_namespace();
        match self.origins.get_mut(namespace) {
            Some(origins) if origins.contains(origin) => {}
            Some(origins) => {
                origins.insert(origin.to_owned());
            }
            None => {
                self.origins
                    .insert(namespace.to_owned(), HashSet::from([origin.to_owned()]));
            }
        }
    }
}

impl Named {
    fn add(&mut self, resource: &Resource, position: usize) {
        self.all.push(position);
        if resource.id().cluster_scoped {
            self.cluster_scoped.push(position);
        }
        let maps = [
            (&mut self.by_namespace, resource.id().effective_namespace()),
            (&mut self.by_original_namespace, resource.original_namespace()),
        ];
        for (map, namespace) in maps {
            match map.get_mut(namespace) {
                Some(list) => list.push(position),
                None => {
                    map.insert(namespace.to_owned(), vec![position]);
                }
            }
        }
    }
}

/// The resource whose fields are being fixed.
struct Referrer<'r> {
    resources: &'r Resources,
    index: &'r Index,
    resource: &'r Resource,
    /// The type that `roleRef` names.
    role: Option<Gvk>,
    /// Other namespaces that it may refer to: those of the service accounts of a role binding.
    namespaces: Vec<String>,
}

impl<'r> Referrer<'r> {
    fn new(resources: &'r Resources, index: &'r Index, position: usize, node: &Node) -> Result<Referrer<'r>> {
        let resource = resources.get(position);
        Ok(Referrer {
            resources,
            index,
            resource,
            role: role_of(node),
            namespaces: if resource.id().gvk.kind == "RoleBinding" {
                account_namespaces(resource, node)?
            } else {
                Vec::new()
            },
        })
    }

    fn apply(&self, node: &mut Node, rule: &Rule) -> Result<()> {
        field_spec::apply(node, &rule.field, None, &mut |field| self.fix(field, rule)).map_err(|error| {
            Error::invalid(error.to_string()).context(format!(
                "updating name reference in '{}' field of '{}'",
                rule.field.spec().path,
                self.resource.id()
            ))
        })
    }

    fn fix(&self, field: &mut Node, rule: &Rule) -> std::result::Result<(), filters::Error> {
        if tree::is_null(field) {
            return Ok(());
        }
        match &mut field.content {
            Content::Scalar(_) => self.fix_scalar(field, rule),
            Content::Mapping(_) => self.fix_mapping(field, rule),
            Content::Sequence(items) => items.iter_mut().try_for_each(|item| match item.content {
                _ if tree::is_null(item) => Ok(()),
                Content::Scalar(_) => self.fix_scalar(item, rule),
                Content::Mapping(_) => self.fix_mapping(item, rule),
                _ => Err(invalid(
                    "node is expected to be either a string or a map of string",
                )),
            }),
            Content::Alias(_) => Err(invalid("node must be a scalar, sequence or map")),
        }
    }

    fn fix_scalar(&self, field: &mut Node, rule: &Rule) -> std::result::Result<(), filters::Error> {
        let old = tree::text(field).unwrap_or_default();
        let same = |a: &Resource, b: &Resource| a.id().name == b.id().name;
        match self.select(old, None, rule, same)? {
            Some(target) if target.id().name != old => {
                merge_tree::set_scalar(field, tree::scalar(&target.id().name))?;
                Ok(())
            }
            _ => Ok(()),
        }
    }

    /// A mapping with `name` and perhaps `namespace`; both are written.
    fn fix_mapping(&self, field: &mut Node, rule: &Rule) -> std::result::Result<(), filters::Error> {
        let Some(name) = tree::field(field, "name") else {
            return Err(invalid("path config error; no 'name' field in node"));
        };
        let old = tree::text(name).unwrap_or_default();
        let namespace = tree::field(field, "namespace").map(|node| tree::text(node).unwrap_or_default());
        let same =
            |a: &Resource, b: &Resource| a.id().name == b.id().name && a.id().namespace == b.id().namespace;
        let Some(target) = self.select(old, namespace, rule, same)? else {
            return Ok(());
        };
        let id = target.id();
        if id.name == old && id.namespace.is_empty() {
            return Ok(());
        }
        merge_tree::set_field(field, "name", tree::scalar(&id.name))?;
        if !id.namespace.is_empty() {
            merge_tree::set_field(field, "namespace", tree::scalar(&id.namespace))?;
        }
        Ok(())
    }

    /// The resource that an old name means, if it is clear which. `same` says whether it does not matter which of two.
    fn select(
        &self,
        old: &str,
        namespace: Option<&str>,
        rule: &Rule,
        same: impl Fn(&Resource, &Resource) -> bool,
    ) -> std::result::Result<Option<&'r Resource>, filters::Error> {
        let Some(named) = self.index.names.get(old) else {
            return Ok(None);
        };
        let mut found: Vec<&Resource> = self
            .reachable(named, namespace)
            .into_iter()
            .map(|position| self.resources.get(position))
            .filter(|candidate| self.is_meant(candidate, rule))
            .collect();
        if let [one] = found.as_slice() {
            return Ok(Some(*one));
        }
        found.retain(|candidate| same_context(candidate, self.resource, true));
        if found.len() > 1 {
            found.retain(|candidate| same_context(candidate, self.resource, false));
        }
        match found.split_first() {
            None => Ok(None),
            Some((first, rest)) if rest.iter().all(|other| same(first, other)) => Ok(Some(*first)),
            Some(_) => Err(ambiguous(&found)),
        }
    }

    /// Positions of resources with the name that the referrer may refer to, in order.
    fn reachable(&self, named: &Named, namespace: Option<&str>) -> Vec<usize> {
        let own = self.resource.id();
        let may_refer = |position: &usize| {
            let candidate = self.resources.get(*position).id();
            own.cluster_scoped
                || candidate.cluster_scoped
                || candidate.effective_namespace() == own.effective_namespace()
                || self.namespaces.contains(&candidate.namespace)
        };
        if let Some(namespace) = namespace {
            let map = if self.knows_origin(namespace) {
                &named.by_original_namespace
            } else {
                &named.by_namespace
            };
            let positions = map.get(namespace).map(Vec::as_slice).unwrap_or_default();
            return positions
                .iter()
                .copied()
                .filter(|position| may_refer(position))
                .collect();
        }
        if own.cluster_scoped {
            return named.all.clone();
        }
        let mut positions = named.cluster_scoped.clone();
        let namespaces = self.namespaces.iter().map(String::as_str);
        for namespace in std::iter::once(own.effective_namespace()).chain(namespaces) {
            positions.extend(named.by_namespace.get(namespace).into_iter().flatten());
        }
        positions.retain(may_refer);
        positions.sort_unstable();
        positions.dedup();
        positions
    }

    /// Whether any resource that it may refer to had this namespace at first.
    fn knows_origin(&self, namespace: &str) -> bool {
        let own = self.resource.id();
        if own.cluster_scoped {
            return self.index.all_origins.contains(namespace);
        }
        let others = self.namespaces.iter().map(String::as_str);
        std::iter::once(own.effective_namespace())
            .chain(others)
            .filter_map(|reachable| self.index.origins.get(reachable))
            .any(|origins| origins.contains(namespace))
    }

    fn is_meant(&self, candidate: &Resource, rule: &Rule) -> bool {
        let had_type = |gvk: &Gvk| {
            candidate
                .previous
                .iter()
                .any(|previous| candidate.is_selected_as(&previous.kind, gvk))
        };
        let role_fits = match &self.role {
            Some(role) if rule.is_role => had_type(role),
            _ => true,
        };
        had_type(&rule.target) && role_fits && self.is_near(candidate)
    }

    /// In the same namespace, or one of the two outside of namespaces, or a service account, which may be elsewhere.
    fn is_near(&self, candidate: &Resource) -> bool {
        let own = self.resource.id();
        own.cluster_scoped
            || candidate.id().cluster_scoped
            || candidate.id().gvk.kind == "ServiceAccount"
            || own.effective_namespace() == candidate.id().effective_namespace()
    }
}

fn invalid(text: &str) -> filters::Error {
    filters::Error::Invalid(text.to_owned())
}

fn ambiguous(found: &[&Resource]) -> filters::Error {
    let ids: Vec<String> = found.iter().map(|resource| resource.id().to_string()).collect();
    filters::Error::Invalid(format!("found multiple possible referrals: {}", ids.join(", ")))
}

fn role_of(node: &Node) -> Option<Gvk> {
    let role = tree::field(node, "roleRef")?;
    Some(Gvk {
        group: tree::field(role, "apiGroup").and_then(tree::text)?.to_owned(),
        version: String::new(),
        kind: tree::field(role, "kind").and_then(tree::text)?.to_owned(),
    })
}

fn account_namespaces(resource: &Resource, node: &Node) -> Result<Vec<String>> {
    let mut namespaces = Vec::new();
    for subject in tree::field(node, "subjects").map(tree::items).unwrap_or_default() {
        let Some(namespace) = tree::field(subject, "namespace") else {
            continue;
        };
        if tree::field_text(subject, "kind") != "ServiceAccount" {
            continue;
        }
        if namespace.resolved_tag() != "!!str" {
            return Err(Error::invalid(format!(
                "Invalid Input: namespace is blank for resource \"{}\"\n",
                resource.id()
            )));
        }
        namespaces.push(tree::text(namespace).unwrap_or_default().to_owned());
    }
    namespaces.sort_unstable();
    namespaces.dedup();
    Ok(namespaces)
}

/// Whether two resources went through the same prefixes and suffixes at the end of their ways.
fn same_context(a: &Resource, b: &Resource, allow_empty: bool) -> bool {
    let same = |a: &[String], b: &[String]| {
        let (short, long) = if a.len() > b.len() { (b, a) } else { (a, b) };
        if short.is_empty() {
            return allow_empty || long.is_empty();
        }
        long.ends_with(short)
    };
    same(&a.prefixes, &b.prefixes) && same(&a.suffixes, &b.suffixes)
}

//! The transformers: one change of the resources each, in the order in which a kustomization runs them.

use std::collections::BTreeMap;

use deploy_yaml::node::Node;

use super::error::{Error, Result};
use super::filters;
use super::filters::field_spec::{Compiled, FieldSpec, FieldSpecs};
use super::filters::images;
use super::filters::namespace::Namespace;
use super::hash;
use super::kustomization::Selector;
use super::origin::Origin;
use super::patch::{self, Allow, Operation, Outcome};
use super::replacements::{self, Replacement};
use super::resid::Gvk;
use super::resource::Resource;
use super::resources::Resources;
use super::selector;
use super::tree;
use super::world::World;

/// One change.
pub(super) enum Transformer {
    /// `patchesStrategicMerge`: each patch to the one resource that it names.
    StrategicMerge(Vec<Resource>),
    /// One entry of `patches`.
    Patch(Patch),
    /// One entry of `patchesJson6902`.
    Json6902 {
        operations: Vec<Operation>,
        target: Selector,
    },
    Namespace(Namespace),
    Prefix(Affix),
    Suffix(Affix),
    Labels {
        pairs: BTreeMap<String, String>,
        specs: FieldSpecs,
    },
    Annotations {
        pairs: BTreeMap<String, String>,
        specs: FieldSpecs,
    },
    Replicas {
        name: String,
        count: i64,
        specs: Vec<FieldSpec>,
    },
    Images {
        image: images::Compiled,
        specs: FieldSpecs,
    },
    Replacements(Vec<Replacement>),
    Hash,
    ValueAdd {
        value: String,
        targets: Vec<ValueTarget>,
    },
    All(Vec<Transformer>),
}

/// A prefix or a suffix and the fields that get it.
pub(super) struct Affix {
    text: String,
    specs: Vec<(Gvk, Compiled)>,
}

/// A patch of either kind, with what it is called in messages.
pub(super) struct Patch {
    pub(super) content: PatchContent,
    pub(super) source: String,
    pub(super) target: Option<Selector>,
}

pub(super) enum PatchContent {
    Strategic(Vec<Resource>),
    Json(Vec<Operation>),
}

/// Where ValueAddTransformer puts its value.
pub(super) struct ValueTarget {
    pub(super) selector: Option<Selector>,
    pub(super) path: Vec<String>,
    /// Which part of a file path to insert at, from 1; zero replaces the whole.
    pub(super) position: usize,
}

impl Affix {
    pub(super) fn new(text: &str, specs: &[FieldSpec]) -> Affix {
        let specs = specs
            .iter()
            .map(|spec| {
                let gvk = Gvk {
                    group: spec.group.clone(),
                    version: spec.version.clone(),
                    kind: spec.kind.clone(),
                };
                (gvk, Compiled::new(spec.clone()))
            })
            .collect();
        Affix {
            text: text.to_owned(),
            specs,
        }
    }
}

impl Transformer {
    /// Changes the resources. Deleted ones stay in their places until they are compacted.
    pub(super) fn apply(&self, resources: &mut Resources, world: &World<'_>) -> Result<()> {
        match self {
            Transformer::StrategicMerge(patches) => patches.iter().try_for_each(|patch| {
                let position = resources.one_with_any_id(&patch.original_id())?;
                merge_checked(resources, position, patch, world)
            }),
            Transformer::Patch(patch) => patch.apply(resources, world),
            Transformer::Json6902 { operations, target } => {
                apply_json(resources, operations, target, false, world)
            }
            Transformer::Namespace(namespace) => apply_namespace(resources, namespace, world),
            Transformer::Prefix(affix) => affix.apply(resources, world, true),
            Transformer::Suffix(affix) => affix.apply(resources, world, false),
            Transformer::Labels { pairs, specs } => {
                each(resources, world, |node| filters::labels::set(node, pairs, specs))
            }
            Transformer::Annotations { pairs, specs } => each(resources, world, |node| {
                filters::annotations::set(node, pairs, specs)
            }),
            Transformer::Images { image, specs } => each(resources, world, |node| image.set(node, specs)),
            Transformer::Replicas { name, count, specs } => apply_replicas(resources, name, *count, specs),
            Transformer::Replacements(list) => list
                .iter()
                .try_for_each(|one| replacements::apply(one, resources, world)),
            Transformer::Hash => apply_hash(resources),
            Transformer::ValueAdd { value, targets } => targets
                .iter()
                .try_for_each(|target| target.apply(value, resources, world)),
            Transformer::All(list) => list.iter().try_for_each(|one| one.apply(resources, world)),
        }
    }
}

/// Notes on every resource that a transformer ran, or made it.
pub(super) fn annotate(resources: &mut Resources, origin: &Origin) {
    for resource in resources.iter_mut_keeping_ids() {
        if resource.origin.is_none() {
            resource.origin = Some(origin.clone());
        } else {
            resource.transformations.push(origin.clone());
        }
    }
}

fn from_filter(error: filters::Error) -> Error {
    Error::invalid(error.to_string())
}

fn each(
    resources: &mut Resources,
    world: &World<'_>,
    change: impl Fn(&mut Node) -> std::result::Result<(), filters::Error>,
) -> Result<()> {
    for resource in resources.iter_mut() {
        change(&mut resource.node).map_err(from_filter)?;
        resource.refresh(world);
    }
    Ok(())
}

/// The positions of what a selector selects.
fn select(resources: &mut Resources, target: &Selector) -> Result<Vec<usize>> {
    let selector = selector::Compiled::new(target)?;
    let mut found = match selector.exact_name() {
        Some(name) => resources.named(name),
        None => resources.positions().collect(),
    };
    found.retain(|position| {
        let resource = resources.get(*position);
        !resource.deleted && selector.selects(resource)
    });
    Ok(found)
}

impl Patch {
    fn apply(&self, resources: &mut Resources, world: &World<'_>) -> Result<()> {
        match (&self.content, &self.target) {
            (PatchContent::Json(operations), Some(target)) => {
                apply_json(resources, operations, target, true, world)
            }
            (PatchContent::Json(_), None) => Err(Error::invalid(format!(
                "must specify a target for JSON patch {}",
                self.source
            ))),
            (PatchContent::Strategic(patches), Some(target)) => {
                let [patch] = patches.as_slice() else {
                    return Err(Error::invalid(format!(
                        "Multiple Strategic-Merge Patches in one `patches` entry is not allowed to set `patches.target` field: {}",
                        self.source
                    )));
                };
                let selected = select(resources, target).map_err(|error| {
                    error.context(format!("unable to find patch target \"{target}\" in `resources`"))
                })?;
                for position in selected {
                    merge_checked(resources, position, patch, world)?;
                }
                Ok(())
            }
            (PatchContent::Strategic(patches), None) => patches.iter().try_for_each(|patch| {
                let id = patch.original_id();
                let position = resources.one_with_any_id(&id).map_err(|error| {
                    error.context(format!("no resource matches strategic merge patch \"{id}\""))
                })?;
                merge(resources, position, patch, &patch.node, world)
            }),
        }
    }
}

/// Merges a patch that speaks for the target's version, and refuses an id that exists.
fn merge_checked(
    resources: &mut Resources,
    position: usize,
    patch: &Resource,
    world: &World<'_>,
) -> Result<()> {
    let before = resources.get(position).id().clone();
    let api_version = before.gvk.api_version();
    if tree::field_text(&patch.node, "apiVersion") == api_version {
        merge(resources, position, patch, &patch.node, world)?;
    } else {
        let mut node = patch.node.clone();
        tree::set_text(&mut node, "apiVersion", &api_version);
        merge(resources, position, patch, &node, world)?;
    }
    let resource = resources.get(position);
    if !resource.deleted && *resource.id() != before {
        resources.refuse_conflict(position)?;
    }
    Ok(())
}

fn merge(
    resources: &mut Resources,
    position: usize,
    patch: &Resource,
    node: &Node,
    world: &World<'_>,
) -> Result<()> {
    let allow = Allow {
        name: patch.allow_name_change,
        kind: patch.allow_kind_change,
    };
    let target = resources.get_mut(position);
    if allow.name || allow.kind {
        target.store_previous_id();
    }
    let outcome = patch::strategic_resource(&mut target.node, node, world.schema(), allow)
        .map_err(|error| Error::invalid(error.to_string()))?;
    match outcome {
        Outcome::Deleted => target.deleted = true,
        Outcome::Kept => target.refresh(world),
    }
    resources.changed(position);
    Ok(())
}

fn apply_json(
    resources: &mut Resources,
    operations: &[Operation],
    target: &Selector,
    remember: bool,
    world: &World<'_>,
) -> Result<()> {
    for position in select(resources, target)? {
        let resource = resources.get_mut(position);
        if remember {
            resource.store_previous_id();
        }
        if resource.has_memory() {
            // kustomize's memory is in annotations, and so a patch may count on there being some.
            let metadata = tree::mapping_mut(&mut resource.node, "metadata");
            tree::mapping_mut(metadata, "annotations");
        }
        patch::json6902(&mut resource.node, operations).map_err(|error| Error::invalid(error.to_string()))?;
        resource.refresh(world);
        resources.changed(position);
    }
    Ok(())
}

fn apply_namespace(resources: &mut Resources, namespace: &Namespace, world: &World<'_>) -> Result<()> {
    const HELM: &str = "internal.config.kubernetes.io/helm-generated";
    for position in resources.positions() {
        let resource = resources.get_mut(position);
        let from_helm = resource
            .metadata_map("annotations")
            .iter()
            .any(|(key, value)| tree::text(key) == Some(HELM) && tree::text(value) == Some("true"));
        if resource.deleted || from_helm {
            continue;
        }
        resource.store_previous_id();
        let cluster_scoped = resource.id().cluster_scoped;
        namespace
            .set(&mut resource.node, cluster_scoped)
            .map_err(from_filter)?;
        resource.refresh(world);
        let id = resource.id().clone();
        resources.changed(position);
        let same = resources.with_current_id(&id);
        if same.len() != 1 {
            let ids: Vec<String> = same
                .iter()
                .map(|other| resources.get(*other).id().to_string())
                .collect();
            return Err(Error::invalid(format!(
                "namespace transformation produces ID conflict: [{}]",
                ids.join(" ")
            )));
        }
    }
    Ok(())
}

impl Affix {
    fn apply(&self, resources: &mut Resources, world: &World<'_>, in_front: bool) -> Result<()> {
        for resource in resources.iter_mut() {
            let group = resource.id().gvk.group.as_str();
            let skip = match resource.original_kind() {
                "CustomResourceDefinition" | "Namespace" => true,
                "APIService" => group == "apiregistration.k8s.io",
                _ => false,
            };
            if skip {
                continue;
            }
            let kind = resource.original_kind().to_owned();
            for (gvk, spec) in &self.specs {
                if !resource.is_selected_as(&kind, gvk) {
                    continue;
                }
                self.put(resource, gvk, spec, in_front)?;
                resource.refresh(world);
            }
        }
        Ok(())
    }

    fn put(&self, resource: &mut Resource, gvk: &Gvk, spec: &Compiled, in_front: bool) -> Result<()> {
        if spec.spec().path == "metadata/name" && !self.text.is_empty() {
            let list = if in_front {
                &mut resource.prefixes
            } else {
                &mut resource.suffixes
            };
            list.push(self.text.clone());
            resource.store_previous_id();
        }
        if !gvk.kind.is_empty() && gvk.kind != resource.id().gvk.kind {
            return Ok(());
        }
        let node = &mut resource.node;
        let done = if in_front {
            filters::prefix_suffix::prefix(node, &self.text, spec)
        } else {
            filters::prefix_suffix::suffix(node, &self.text, spec)
        };
        done.map_err(from_filter)
    }
}

fn apply_replicas(resources: &mut Resources, name: &str, count: i64, specs: &[FieldSpec]) -> Result<()> {
    let mut found = false;
    let compiled: Vec<(Gvk, Compiled)> = Affix::new("", specs).specs;
    for position in resources.named(name) {
        let resource = resources.get_mut(position);
        for (gvk, spec) in &compiled {
            if !resource.any_id(|id| id.name == name && id.gvk.is_selected_by(gvk)) {
                continue;
            }
            found = true;
            if resource.id().gvk.is_selected_by(gvk) {
                filters::replicas::set(&mut resource.node, count, spec).map_err(from_filter)?;
            }
        }
    }
    if found {
        return Ok(());
    }
    let types: Vec<String> = compiled.iter().map(|(gvk, _)| gvk.to_string()).collect();
    Err(Error::invalid(format!(
        "resource with name {name} does not match a config with the following GVK [{}]",
        types.join(" ")
    )))
}

fn apply_hash(resources: &mut Resources) -> Result<()> {
    for resource in resources.iter_mut() {
        if resource.needs_hash {
            let suffix = hash::suffix(resource)?;
            resource.store_previous_id();
            let name = format!("{}-{suffix}", resource.id().name);
            resource.set_name(&name);
        }
    }
    Ok(())
}

impl ValueTarget {
    fn apply(&self, value: &str, resources: &mut Resources, world: &World<'_>) -> Result<()> {
        let positions = match &self.selector {
            Some(selector) => select(resources, selector)?,
            None => resources.positions().collect(),
        };
        for position in positions {
            let resource = resources.get_mut(position);
            if resource.deleted {
                continue;
            }
            if self.path == ["metadata", "namespace"] {
                let namespace = Namespace::new(value, [], false, filters::namespace::Subjects::default());
                let cluster_scoped = resource.id().cluster_scoped;
                namespace
                    .set(&mut resource.node, cluster_scoped)
                    .map_err(from_filter)?;
            } else {
                self.set(&mut resource.node, value);
            }
            resource.refresh(world);
            resources.changed(position);
        }
        Ok(())
    }

    fn set(&self, node: &mut Node, value: &str) {
        let Some((last, way)) = self.path.split_last() else {
            return;
        };
        let mut node = node;
        for name in way {
            node = tree::mapping_mut(node, name);
        }
        let new = match self.position {
            0 => value.to_owned(),
            position => insert_part(tree::field_text(node, last), position - 1, value),
        };
        tree::set_text(node, last, &new);
    }
}

/// Inserts a part into a file path; behind its end it is appended.
fn insert_part(path: &str, position: usize, part: &str) -> String {
    let (root, inner) = match path.strip_prefix('/') {
        Some(inner) => ("/", inner),
        None => ("", path),
    };
    let mut parts: Vec<&str> = inner.split('/').filter(|part| !part.is_empty()).collect();
    parts.insert(position.min(parts.len()), part);
    format!("{root}{}", parts.join("/"))
}

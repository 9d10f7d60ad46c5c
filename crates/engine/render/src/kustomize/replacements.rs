//! `replacements`: which resource a value comes from, and which resources it goes to.

use super::error::{Error, Result};
use super::filters::field_path::FieldPath;
use super::filters::replacement::{self, DEFAULT_PATH, Options};
use super::kustomization::{FieldOptions, ReplacementField, SourceSelector, TargetSelector};
use super::resid::ResId;
use super::resource::Resource;
use super::resources::Resources;
use super::selector;
use super::tree;
use super::world::World;

/// One replacement.
#[derive(Clone, Debug)]
pub(super) struct Replacement {
    source: Option<SourceSelector>,
    source_value: Option<String>,
    targets: Option<Vec<Option<TargetSelector>>>,
}

impl From<ReplacementField> for Replacement {
    fn from(field: ReplacementField) -> Replacement {
        Replacement {
            source: field.source,
            source_value: field.source_value,
            targets: field.targets,
        }
    }
}

/// Copies the value.
pub(super) fn apply(replacement: &Replacement, resources: &mut Resources, world: &World<'_>) -> Result<()> {
    let Some(targets) = &replacement.targets else {
        return Err(incomplete());
    };
    let value = match (&replacement.source, &replacement.source_value) {
        (None, None) => return Err(incomplete()),
        (Some(_), Some(_)) => {
            return Err(Error::invalid(
                "value and resource selectors are mutually exclusive",
            ));
        }
        (None, Some(value)) => tree::scalar(value),
        (Some(source), None) => {
            let path = or_default(&source.field_path);
            let resource = select_source(resources, source)?;
            let options = options(source.options.as_ref());
            replacement::read(
                &resource.node,
                &FieldPath::parse(path),
                &options,
                &source.id().to_string(),
            )
            .map_err(|error| Error::invalid(error.to_string()))?
        }
    };
    for target in targets {
        write(target.as_ref(), &value, resources, world)?;
    }
    Ok(())
}

fn incomplete() -> Error {
    Error::invalid("replacements must specify a source and at least one target")
}

fn or_default(path: &str) -> &str {
    if path.is_empty() { DEFAULT_PATH } else { path }
}

fn options(options: Option<&FieldOptions>) -> Options {
    options.map_or_else(Options::default, |options| Options {
        delimiter: options.delimiter.clone(),
        index: options.index,
        create: options.create,
    })
}

/// The ids of now and before, where nothing is said of scopes.
fn ids(resource: &Resource) -> impl Iterator<Item = ResId> + '_ {
    let unscoped = |id: ResId| ResId {
        cluster_scoped: false,
        ..id
    };
    std::iter::once(resource.id().clone())
        .chain(resource.previous_ids())
        .map(unscoped)
}

fn select_source<'r>(resources: &'r mut Resources, source: &SourceSelector) -> Result<&'r Resource> {
    let wanted = source.id();
    let possible = positions(resources, Some(&wanted.name).filter(|name| !name.is_empty()));
    let resources: &Resources = resources;
    let mut found = possible
        .into_iter()
        .map(|position| resources.get(position))
        .filter(|resource| !resource.deleted && ids(resource).any(|id| id.is_selected_by(&wanted)));
    match (found.next(), found.next()) {
        (Some(one), None) => Ok(one),
        (None, _) => Err(Error::invalid(format!("nothing selected by {}", shown(source)))),
        (Some(_), Some(_)) => Err(Error::invalid(format!(
            "multiple matches for selector {}",
            shown(source)
        ))),
    }
}

/// Where to look: at the resources of a name, if there is one, else at all.
fn positions(resources: &mut Resources, name: Option<&String>) -> Vec<usize> {
    match name {
        Some(name) => resources.named(name),
        None => resources.positions().collect(),
    }
}

fn shown(source: &SourceSelector) -> String {
    let mut parts = vec![source.id().to_string(), or_default(&source.field_path).to_owned()];
    if let Some(options) = source
        .options
        .as_ref()
        .filter(|options| !options.delimiter.is_empty() || options.create)
    {
        parts.push(format!(
            "{}({}), create={}",
            options.delimiter, options.index, options.create
        ));
    }
    if source.field_path.is_empty() {
        parts.remove(1);
    }
    parts.join(":")
}

fn write(
    target: Option<&TargetSelector>,
    value: &deploy_yaml::node::Node,
    resources: &mut Resources,
    world: &World<'_>,
) -> Result<()> {
    let no_select = || Error::invalid("target must specify resources to select");
    let target = target.ok_or_else(no_select)?;
    let select = target.select.as_ref().ok_or_else(no_select)?;
    let in_selector = |error: Error| error.context("error creating target selector");
    let select = selector::Compiled::new(select).map_err(in_selector)?;
    let reject = target
        .reject
        .iter()
        .flatten()
        .map(selector::Compiled::new)
        .collect::<Result<Vec<_>>>()
        .map_err(in_selector)?;
    let options = options(target.options.as_ref());
    let paths: Vec<FieldPath> = match target.field_paths.as_slice() {
        [] => vec![FieldPath::parse(DEFAULT_PATH)],
        paths => paths.iter().map(|path| FieldPath::parse(path)).collect(),
    };
    let name = select.exact_name().map(str::to_owned);
    for position in positions(resources, name.as_ref()) {
        let resource = resources.get(position);
        if resource.deleted || !is_target(resource, &select, &reject) {
            continue;
        }
        let resource = resources.get_mut(position);
        replacement::write(&mut resource.node, value, &paths, &options)
            .map_err(|error| Error::invalid(error.to_string()))?;
        resource.refresh(world);
        resources.changed(position);
    }
    Ok(())
}

fn is_target(resource: &Resource, select: &selector::Compiled, reject: &[selector::Compiled]) -> bool {
    let rejected = reject.iter().any(|reject| {
        let by_metadata = !reject.has_no_metadata() && reject.matches_metadata(resource);
        let by_id = !reject.has_no_id() && ids(resource).any(|id| reject.matches_id(&id));
        by_metadata || by_id
    });
    !rejected && select.matches_metadata(resource) && ids(resource).any(|id| select.matches_id(&id))
}

//! A whole build: accumulate, add hashes, fix references, replace variables, order, print.

use std::rc::Rc;

use super::accumulate::Accumulator;
use super::error::{Context, Error, Result};
use super::filters;
use super::filters::field_spec::FieldSpecs;
use super::kustomization::SortOptions;
use super::loader::Loader;
use super::origin::Origin;
use super::resource::Resource;
use super::target::Target;
use super::transform::Transformer;
use super::world::World;
use super::{Build, BuildOptions, BuiltResource, Order};
use super::{config, nameref, sort, tree};
use crate::source::Source;

/// The version that this renderer equals, as the label of `managedByLabel` says it.
const VERSION: &str = "v5.8.1";

/// Builds the folder at `path`, which is absolute or seen from the root of the source.
pub fn build(source: &dyn Source, path: &str, options: &BuildOptions) -> std::result::Result<Build, Error> {
    let world = World::new(source, options);
    let result = run(&world, path);
    let (inputs, warnings) = world.finish();
    let (resources, output) = match result {
        Ok(done) => done,
        Err(error) => return Err(error.with_warnings(warnings)),
    };
    Ok(Build {
        resources,
        output,
        inputs,
        warnings,
    })
}

fn run(world: &World<'_>, path: &str) -> Result<(Vec<BuiltResource>, String)> {
    let loader = Rc::new(Loader::top(world, path)?);
    let mut target = Target::load(world, loader)?;
    target.choose_schema()?;
    let metadata = target.kustomization.build_metadata.clone();
    let sort_options = target.kustomization.sort_options.clone();
    target.origin = (!metadata.is_empty()).then(Origin::default);
    let file = target.file();
    let mut gathered = target.accumulate(Accumulator::default())?;
    finish_names(&mut gathered, world).at(&file, "resources")?;
    let mut resources = gathered.resources.into_vec();
    resources.retain(|resource| !is_local(resource));
    order(&mut resources, sort_options.as_ref(), world).at(&file, "sortOptions")?;
    let asks = |option: &str| metadata.iter().any(|asked| asked == option);
    if world.options.add_managed_by_label || asks("managedByLabel") {
        label_all(&mut resources)?;
    }
    print(
        &resources,
        asks("originAnnotations"),
        asks("transformerAnnotations"),
    )
}

/// What must wait until all resources are there.
fn finish_names(gathered: &mut Accumulator, world: &World<'_>) -> Result<()> {
    Transformer::Hash.apply(&mut gathered.resources, world)?;
    let config = gathered.config();
    nameref::fix(&mut gathered.resources, &config)?;
    let unused = gathered.vars.resolve(&mut gathered.resources, &config)?;
    if !unused.is_empty() {
        world.warn(format!(
            "well-defined vars that were never replaced: {}",
            unused.join(",")
        ));
    }
    Ok(())
}

/// Objects for programs that read the same files, not for the cluster.
fn is_local(resource: &Resource) -> bool {
    resource.metadata_map("annotations").iter().any(|(key, value)| {
        tree::text(key) == Some("config.kubernetes.io/local-config") && tree::text(value) != Some("false")
    })
}

fn order(resources: &mut Vec<Resource>, options: Option<&SortOptions>, world: &World<'_>) -> Result<()> {
    match options {
        Some(options) => sort::apply(resources, options),
        None => {
            if world.options.order == Order::Legacy {
                sort::legacy(resources, None);
            }
            Ok(())
        }
    }
}

fn label_all(resources: &mut [Resource]) -> Result<()> {
    let pairs = [(
        "app.kubernetes.io/managed-by".to_owned(),
        format!("kustomize-{VERSION}"),
    )]
    .into();
    let specs = FieldSpecs::new([config::field_spec("", "", "", "metadata/labels", true)]);
    for resource in resources {
        filters::labels::set(&mut resource.node, &pairs, &specs)
            .map_err(|error| Error::invalid(error.to_string()))?;
    }
    Ok(())
}

fn print(
    resources: &[Resource],
    origins: bool,
    transformations: bool,
) -> Result<(Vec<BuiltResource>, String)> {
    let mut built = Vec::with_capacity(resources.len());
    let mut output = String::new();
    for resource in resources {
        let value = resource
            .to_output(origins, transformations)
            .map_err(|error| unprintable(resource, &error))?;
        if !output.is_empty() {
            output.push_str("---\n");
        }
        output.push_str(&deploy_yaml::emit_sigs(&value));
        let id = resource.id();
        built.push(BuiltResource {
            api_version: id.gvk.api_version(),
            kind: id.gvk.kind.clone(),
            namespace: id.namespace.clone(),
            name: id.name.clone(),
            object: value,
        });
    }
    Ok((built, output))
}

/// An object that cannot be printed. The lines that go-yaml names are those of the object as kustomize has it now.
fn unprintable(resource: &Resource, error: &deploy_yaml::Error) -> Error {
    let text = deploy_yaml::emit_kyaml(&resource.node);
    let nodes = deploy_yaml::parse(text.as_bytes()).unwrap_or_default();
    let again = nodes
        .first()
        .and_then(|node| deploy_yaml::node_to_json(node, deploy_yaml::Dialect::GoYaml3).err());
    let error = again.as_ref().unwrap_or(error);
    Error::invalid(format!("map[string]interface {{}}(nil): {error}"))
}

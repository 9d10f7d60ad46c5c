//! One kustomization folder: from its file to the resources that it stands for, with those of the folders it names.

use std::rc::Rc;

use deploy_yaml::node::Node;
use serde_json::Value;

use super::accumulate::Accumulator;
use super::config;
use super::crds;
use super::error::{Context, Error, ErrorKind, Result};
use super::kustomization::{self, COMPONENT_KIND, Kustomization};
use super::loader::Loader;
use super::origin::{ConfiguredBy, Origin};
use super::patching;
use super::plugin::{self, Generator};
use super::read;
use super::resource::Resource;
use super::schema::Schema;
use super::transform::{self, Transformer};
use super::tree;
use super::world::World;

/// A folder that is being built.
pub(super) struct Target<'w> {
    pub(super) world: &'w World<'w>,
    pub(super) loader: Rc<Loader<'w>>,
    pub(super) kustomization: Kustomization,
    /// The file as JSON, for messages that show a part of it.
    pub(super) raw: Value,
    pub(super) file_name: &'static str,
    /// Where the folder stands, if origins are asked for.
    pub(super) origin: Option<Origin>,
}

impl<'w> Target<'w> {
    /// Reads the kustomization file of a folder.
    pub(super) fn load(world: &'w World<'w>, loader: Rc<Loader<'w>>) -> Result<Target<'w>> {
        world.count_folder()?;
        let (file_name, content) = loader.kustomization_file()?;
        let path = super::loader::clean(loader.root(), file_name);
        let loaded = kustomization::parse(&content, loader.root()).map_err(|error| error.in_file(&path))?;
        loaded
            .warnings
            .into_iter()
            .for_each(|warning| world.warn(warning));
        Ok(Target {
            world,
            loader,
            kustomization: loaded.kustomization,
            raw: loaded.raw,
            file_name,
            origin: None,
        })
    }

    /// Chooses the schema that `openapi` names, unless one has been chosen.
    pub(super) fn choose_schema(&self) -> Result<()> {
        let openapi = &self.kustomization.openapi;
        let document = match openapi.get("path") {
            Some(path) => Some(self.loader.load(path).at(&self.file(), "openapi")?),
            None => None,
        };
        let version = openapi.get("version").map(String::as_str);
        if self.world.has_schema() || (document.is_none() && version.unwrap_or_default().is_empty()) {
            return Ok(());
        }
        let schema = Schema::select(version, document.as_deref())
            .map_err(|error| Error::invalid(error.to_string()))
            .at(&self.file(), "openapi")?;
        self.world.choose_schema(schema);
        Ok(())
    }

    /// All that the folder stands for. A component works on what its parent has gathered.
    pub(super) fn accumulate(&mut self, mut into: Accumulator) -> Result<Accumulator> {
        let resources = std::mem::take(&mut self.kustomization.resources);
        into = self
            .accumulate_resources(into, &resources, "resources")
            .context(|| "accumulating resources")?;
        self.merge_configs(&mut into)?;
        self.run_generators(&mut into)?;
        let components = std::mem::take(&mut self.kustomization.components);
        into = self
            .accumulate_components(into, &components)
            .context(|| "accumulating components")?;
        self.run_transformers(&mut into)?;
        self.run_validators(&mut into)?;
        let vars = &self.kustomization.vars;
        into.vars
            .define(vars, &mut into.resources)
            .context(|| format!("merging vars {}", super::vars::shown_as_written(vars)))
            .at(&self.file(), "vars")?;
        Ok(into)
    }

    /// The path of the kustomization file.
    pub(super) fn file(&self) -> String {
        super::loader::clean(self.loader.root(), self.file_name)
    }

    fn accumulate_resources(
        &mut self,
        mut into: Accumulator,
        paths: &[String],
        field: &str,
    ) -> Result<Accumulator> {
        for path in paths {
            let not_a_file = match self.accumulate_file(&mut into, path) {
                Ok(()) => continue,
                Err(error) => error.at(&self.file(), field),
            };
            if matches!(not_a_file.kind(), ErrorKind::Remote { .. } | ErrorKind::TooLarge) {
                return Err(not_a_file);
            }
            let loader = match self.loader.child(path) {
                Ok(loader) => loader,
                Err(error) => return Err(self.neither_file_nor_folder(not_a_file, error, field)),
            };
            into = self
                .accumulate_folder(into, loader, path, false)
                .context(|| format!("accumulation err='{not_a_file}'"))
                .at(&self.file(), field)?;
        }
        Ok(into)
    }

    /// The error where a path is no file that can be read and no folder either.
    fn neither_file_nor_folder(&self, file: Error, folder: Error, field: &str) -> Error {
        if file.to_string().contains("MalformedYAMLError") {
            return file;
        }
        let text = format!("accumulation err='{file}': {folder}");
        let folder_knows_more = matches!(folder.kind(), ErrorKind::Cycle { .. } | ErrorKind::Remote { .. })
            || *file.kind() == ErrorKind::Invalid;
        let known = if folder_knows_more { folder } else { file };
        known.reworded(|_| text).at(&self.file(), field)
    }

    fn accumulate_file(&self, into: &mut Accumulator, path: &str) -> Result<()> {
        let from = || format!("accumulating resources from '{path}'");
        let content = self.loader.load(path).context(from)?;
        let mut resources = read::resources(&content, self.world)
            .map_err(|error| patching::in_file(error, path))
            .context(from)?;
        self.world.count_resources(resources.len())?;
        if let Some(origin) = &self.origin {
            let origin = origin.append(path);
            for resource in &mut resources {
                resource.origin = Some(origin.clone());
            }
        }
        into.resources
            .append_all(resources)
            .context(|| format!("merging resources from '{path}'"))
    }

    fn accumulate_components(&mut self, mut into: Accumulator, paths: &[String]) -> Result<Accumulator> {
        for path in paths {
            let loader = self
                .loader
                .child(path)
                .map_err(|error| error.reworded(|text| format!("loader.New {text:?}")))
                .at(&self.file(), "components")?;
            into = self
                .accumulate_folder(into, loader, path, true)
                .map_err(|error| error.reworded(|text| format!("accumulateDirectory: {text:?}")))
                .at(&self.file(), "components")?;
        }
        Ok(into)
    }

    fn accumulate_folder(
        &self,
        mut into: Accumulator,
        loader: Loader<'w>,
        path: &str,
        is_component: bool,
    ) -> Result<Accumulator> {
        let root = loader.root().to_owned();
        let mut target = Target::load(self.world, Rc::new(loader))
            .context(|| format!("couldn't make target for path '{root}'"))?;
        target
            .kustomization
            .build_metadata
            .clone_from(&self.kustomization.build_metadata);
        target.origin = self.origin.as_ref().map(|origin| origin.append(path));
        target.choose_schema()?;
        let kind = &target.kustomization.kind;
        if is_component && kind != COMPONENT_KIND {
            return Err(Error::invalid(format!(
                "expected kind '{COMPONENT_KIND}' for path '{root}' but got '{kind}'"
            )));
        }
        if !is_component && kind == COMPONENT_KIND {
            return Err(Error::invalid(format!(
                "expected kind != '{COMPONENT_KIND}' for path '{root}'"
            )));
        }
        let start = if is_component {
            std::mem::take(&mut into)
        } else {
            Accumulator::default()
        };
        let gathered = target
            .accumulate(start)
            .context(|| format!("recursed accumulation of path '{root}'"))?;
        into.merge(gathered)
            .context(|| format!("recursed merging from path '{root}'"))?;
        Ok(into)
    }

    fn merge_configs(&self, into: &mut Accumulator) -> Result<()> {
        let mut own = self.world.built_in_config();
        let configurations = &self.kustomization.configurations;
        if !configurations.is_empty() {
            let mut more = config::Config::default();
            for path in configurations {
                let parsed = self
                    .loader
                    .load(path)
                    .and_then(|content| config::parse(&content))
                    .at(&self.file(), "configurations")?;
                more = more.merged(&parsed).at(&self.file(), "configurations")?;
            }
            own = Rc::new(own.merged(&more).at(&self.file(), "configurations")?.into());
        }
        into.merge_config(&own).context(|| "merging config")?;
        let mut more = config::Config::default();
        for path in &self.kustomization.crds {
            let parsed = self
                .loader
                .load(path)
                .and_then(|content| crds::load(&content, path))
                .and_then(|parsed| more.merged(&parsed))
                .context(|| format!("loading CRDs [{}]", self.kustomization.crds.join(" ")))
                .at(&self.file(), "crds")?;
            more = parsed;
        }
        if !self.kustomization.crds.is_empty() {
            into.merge_config(&Rc::new(more.into()))
                .context(|| "merging CRDs")
                .at(&self.file(), "crds")?;
        }
        Ok(())
    }

    fn run_generators(&mut self, into: &mut Accumulator) -> Result<()> {
        let mut generators: Vec<(Generator, Option<Origin>, &str)> = self
            .builtin_generators()?
            .into_iter()
            .map(|(generator, kind, field)| (generator, self.configured_by(kind), field))
            .collect();
        let paths = std::mem::take(&mut self.kustomization.generators);
        let configs = self
            .plugin_configs(&paths, "generators")
            .context(|| "loading generator plugins")?;
        for resource in &configs {
            let generator = plugin::generator(resource)
                .context(|| "failed to load generator")
                .context(|| "loading generator plugins")
                .at(&self.file(), "generators")?;
            generators.push((generator, origin_of_plugin(resource), "generators"));
        }
        for (generator, origin, field) in generators {
            let mut resource = generator
                .generate(&self.loader, self.world)
                .at(&self.file(), field)?;
            self.world.count_resources(1)?;
            if resource.origin.is_none() {
                resource.origin = origin;
            }
            into.resources
                .absorb(resource, self.world)
                .context(|| "merging from generator")
                .at(&self.file(), field)?;
        }
        Ok(())
    }

    /// The origin of what a field of this file makes or changes.
    pub(super) fn configured_by(&self, kind: &str) -> Option<Origin> {
        let origin = self.origin.as_ref()?;
        Some(Origin {
            path: String::new(),
            configured_in: origin.append(self.file_name).path,
            configured_by: Some(ConfiguredBy {
                api_version: "builtin".to_owned(),
                kind: kind.to_owned(),
                ..ConfiguredBy::default()
            }),
        })
    }

    /// The objects that configure plugins: inline, or in files and folders.
    fn plugin_configs(&mut self, entries: &[String], field: &str) -> Result<Vec<Resource>> {
        let mut configs = Accumulator::default();
        let mut paths = Vec::new();
        for entry in entries {
            let Ok(mut resources) = read::resources(entry.as_bytes(), self.world) else {
                paths.push(entry.clone());
                continue;
            };
            if let Some(origin) = &self.origin {
                let origin = origin.append(self.file_name);
                for resource in &mut resources {
                    resource.origin = Some(origin.clone());
                }
            }
            configs
                .resources
                .append_all(resources)
                .context(|| "configuring external plugin")
                .at(&self.file(), field)?;
        }
        let configs = self.accumulate_resources(configs, &paths, field)?;
        Ok(configs.resources.into_vec())
    }

    fn run_transformers(&mut self, into: &mut Accumulator) -> Result<()> {
        let mut transformers = self.builtin_transformers(&into.config())?;
        let entries = std::mem::take(&mut self.kustomization.transformers);
        transformers.extend(self.plugin_transformers(&entries, "transformers")?);
        for (transformer, origin, field) in transformers {
            transformer
                .apply(&mut into.resources, self.world)
                .at(&self.file(), field)?;
            if let Some(origin) = origin {
                transform::annotate(&mut into.resources, &origin);
            }
        }
        into.resources.compact();
        Ok(())
    }

    fn plugin_transformers(
        &mut self,
        entries: &[String],
        field: &'static str,
    ) -> Result<Vec<(Transformer, Option<Origin>, &'static str)>> {
        let configs = self.plugin_configs(entries, field)?;
        configs
            .iter()
            .map(|resource| {
                let transformer =
                    plugin::transformer(resource, &self.loader, self.world).at(&self.file(), field)?;
                Ok((transformer, origin_of_plugin(resource), field))
            })
            .collect()
    }

    /// Validators are transformers that must not change anything but a label that says that they ran.
    fn run_validators(&mut self, into: &mut Accumulator) -> Result<()> {
        const RAN: &str = "validated-by";
        let entries = std::mem::take(&mut self.kustomization.validators);
        for (validator, _, field) in self.plugin_transformers(&entries, "validators")? {
            let before: Vec<_> = into
                .resources
                .iter()
                .map(|resource| resource.node.clone())
                .collect();
            validator
                .apply(&mut into.resources, self.world)
                .at(&self.file(), field)?;
            let after = into
                .resources
                .iter()
                .map(|resource| without_label(&resource.node, RAN));
            let same = after.eq(before);
            if !same {
                return Err(
                    Error::invalid("validator shouldn't modify the resource map").at(&self.file(), field)
                );
            }
        }
        Ok(())
    }
}

fn origin_of_plugin(resource: &Resource) -> Option<Origin> {
    let origin = resource.origin.as_ref()?;
    let id = resource.id();
    Some(Origin {
        path: String::new(),
        configured_in: origin.path.clone(),
        configured_by: Some(ConfiguredBy {
            api_version: id.gvk.api_version(),
            kind: id.gvk.kind.clone(),
            name: id.name.clone(),
            namespace: id.namespace.clone(),
        }),
    })
}

fn without_label(node: &Node, label: &str) -> Node {
    let mut node = node.clone();
    let labels =
        tree::field_mut(&mut node, "metadata").and_then(|metadata| tree::field_mut(metadata, "labels"));
    if let Some(labels) = labels {
        tree::remove(labels, label);
    }
    node
}

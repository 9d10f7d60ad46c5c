//! The fields of a kustomization file as generators and transformers, in the order in which kustomize runs them.

use serde_json::{Map, Value, json};

use super::config::{self, Tables, field_spec};
use super::error::{Context, Error, Result};
use super::filters::field_spec::FieldSpecs;
use super::filters::namespace::{Namespace, Subjects};
use super::generators::merge_options;
use super::kustomization::Label;
use super::origin::Origin;
use super::patching;
use super::plugin::{self, Generator};
use super::target::Target;
use super::transform::{Affix, Transformer};

/// A transformer, what is noted of it, and the field that it comes from.
type FromField = (Transformer, Option<Origin>, &'static str);

impl Target<'_> {
    /// Generators with the names of their plugins and their fields.
    pub(super) fn builtin_generators(&self) -> Result<Vec<(Generator, &'static str, &'static str)>> {
        let kustomization = &self.kustomization;
        let options = kustomization.generator_options.as_ref();
        let mut generators = Vec::new();
        for args in &kustomization.config_map_generator {
            let mut args = args.clone();
            args.options = merge_options(args.options, options);
            generators.push((
                Generator::ConfigMap(args),
                "ConfigMapGenerator",
                "configMapGenerator",
            ));
        }
        for args in &kustomization.secret_generator {
            let mut args = args.clone();
            args.options = merge_options(args.options, options);
            generators.push((Generator::Secret(args), "SecretGenerator", "secretGenerator"));
        }
        for (charts, field) in [
            (&kustomization.helm_charts, "helmCharts"),
            (
                &kustomization.helm_chart_inflation_generator,
                "helmChartInflationGenerator",
            ),
        ] {
            if !charts.is_empty() {
                let text = format!(
                    "{field}: charts inside a kustomization are not supported; render the chart by itself and name the result in 'resources'"
                );
                return Err(Error::unsupported(field, text).at(&self.file(), field));
            }
        }
        Ok(generators)
    }

    /// The transformers that the fields of this file ask for.
    pub(super) fn builtin_transformers(&self, config: &Tables) -> Result<Vec<FromField>> {
        let mut list = Vec::new();
        self.patches_strategic_merge(&mut list)?;
        self.patches(&mut list)?;
        self.names(config, &mut list);
        self.labels(config, &mut list)?;
        let kustomization = &self.kustomization;
        if !kustomization.common_annotations.is_empty() {
            let transformer = Transformer::Annotations {
                pairs: kustomization.common_annotations.clone(),
                specs: FieldSpecs::new(config.common_annotations.iter().cloned()),
            };
            self.add(
                &mut list,
                transformer,
                "AnnotationsTransformer",
                "commonAnnotations",
            );
        }
        self.patches_json6902(&mut list)?;
        for replica in &kustomization.replicas {
            let transformer = Transformer::Replicas {
                name: replica.name.clone(),
                count: replica.count,
                specs: config.replicas.clone(),
            };
            self.add(&mut list, transformer, "ReplicaCountTransformer", "replicas");
        }
        for image in &kustomization.images {
            let transformer = Transformer::Images {
                image: plugin::image(image).at(&self.file(), "images")?,
                specs: FieldSpecs::new(config.images.iter().cloned()),
            };
            self.add(&mut list, transformer, "ImageTagTransformer", "images");
        }
        if !kustomization.replacements.is_empty() {
            let transformer = patching::replacements(&kustomization.replacements, &self.loader)
                .map_err(|error| self.trouble(error, "ReplacementTransformer", "replacements", None))?;
            self.add(&mut list, transformer, "ReplacementTransformer", "replacements");
        }
        Ok(list)
    }

    fn add(&self, list: &mut Vec<FromField>, transformer: Transformer, kind: &str, field: &'static str) {
        list.push((transformer, self.configured_by(kind), field));
    }

    fn patches_strategic_merge(&self, list: &mut Vec<FromField>) -> Result<()> {
        const FIELD: &str = "patchesStrategicMerge";
        const KIND: &str = "PatchStrategicMergeTransformer";
        let paths = &self.kustomization.patches_strategic_merge;
        if paths.is_empty() {
            return Ok(());
        }
        let transformer = patching::strategic_merge(paths, "", &self.loader, self.world)
            .map_err(|error| self.trouble(error, KIND, FIELD, None))?;
        self.add(list, transformer, KIND, FIELD);
        Ok(())
    }

    fn patches(&self, list: &mut Vec<FromField>) -> Result<()> {
        const KIND: &str = "PatchTransformer";
        for (index, patch) in self.kustomization.patches.iter().enumerate() {
            let transformer = patching::patch(patch, &self.loader, self.world)
                .map_err(|error| self.trouble(error, KIND, "patches", Some(index)))?;
            self.add(list, transformer, KIND, "patches");
        }
        Ok(())
    }

    fn patches_json6902(&self, list: &mut Vec<FromField>) -> Result<()> {
        const FIELD: &str = "patchesJson6902";
        const KIND: &str = "PatchJson6902Transformer";
        for (index, patch) in self.kustomization.patches_json6902.iter().enumerate() {
            let transformer =
                patching::json6902(patch.target.as_ref(), &patch.path, &patch.patch, &self.loader)
                    .map_err(|error| self.trouble(error, KIND, FIELD, Some(index)))?;
            self.add(list, transformer, KIND, FIELD);
        }
        Ok(())
    }

    fn names(&self, config: &Tables, list: &mut Vec<FromField>) {
        let kustomization = &self.kustomization;
        if !kustomization.namespace.is_empty() {
            let specs = config.namespace.iter().cloned();
            let namespace = Namespace::new(&kustomization.namespace, specs, false, Subjects::default());
            self.add(
                list,
                Transformer::Namespace(namespace),
                "NamespaceTransformer",
                "namespace",
            );
        }
        if !kustomization.name_prefix.is_empty() {
            let affix = Affix::new(&kustomization.name_prefix, &config.name_prefix);
            self.add(
                list,
                Transformer::Prefix(affix),
                "PrefixTransformer",
                "namePrefix",
            );
        }
        if !kustomization.name_suffix.is_empty() {
            let affix = Affix::new(&kustomization.name_suffix, &config.name_suffix);
            self.add(
                list,
                Transformer::Suffix(affix),
                "SuffixTransformer",
                "nameSuffix",
            );
        }
    }

    fn labels(&self, config: &Tables, list: &mut Vec<FromField>) -> Result<()> {
        let kustomization = &self.kustomization;
        for label in &kustomization.labels {
            let specs = label_specs(label, config).at(&self.file(), "labels")?;
            let transformer = Transformer::Labels {
                pairs: label.pairs.clone(),
                specs: FieldSpecs::new(specs),
            };
            self.add(list, transformer, "LabelTransformer", "labels");
        }
        if !kustomization.labels.is_empty() || !kustomization.common_labels.is_empty() {
            let transformer = Transformer::Labels {
                pairs: kustomization.common_labels.clone(),
                specs: FieldSpecs::new(config.common_labels.iter().cloned()),
            };
            self.add(list, transformer, "LabelTransformer", "commonLabels");
        }
        Ok(())
    }

    /// An error in the configuration of a transformer, with the configuration, as kustomize shows it.
    fn trouble(&self, error: Error, kind: &str, field: &str, index: Option<usize>) -> Error {
        let part = self
            .raw
            .as_object()
            .and_then(|map| map.iter().find(|(key, _)| key.eq_ignore_ascii_case(field)))
            .map(|(_, value)| value.clone())
            .unwrap_or_default();
        let shown = match (index, field) {
            (Some(index), _) => renamed(part.get(index).cloned().unwrap_or_default(), field),
            (None, "patchesStrategicMerge") => json!({ "paths": part }),
            (None, _) => json!({ field: part }),
        };
        let shown = deploy_yaml::emit_sigs(&shown);
        error
            .context(format!(
                "trouble configuring builtin {kind} with config: `\n{shown}`"
            ))
            .at(&self.file(), field)
    }
}

/// An entry of `patchesJson6902` calls `jsonOp` what the file calls `patch`.
fn renamed(entry: Value, field: &str) -> Value {
    match entry {
        Value::Object(map) if field == "patchesJson6902" => {
            let rename = |key: String| if key == "patch" { "jsonOp".to_owned() } else { key };
            let map: Map<String, Value> = map.into_iter().map(|(key, value)| (rename(key), value)).collect();
            map.into()
        }
        other => other,
    }
}

/// The fields that one entry of `labels` touches.
fn label_specs(label: &Label, config: &Tables) -> Result<Vec<super::filters::field_spec::FieldSpec>> {
    let failed = |error: Error| error.context("failed to merge labels");
    let mut specs = config::field_specs(&label.fields);
    config::merge_all(&mut specs, &config.labels).map_err(failed)?;
    if label.include_selectors {
        config::merge_all(&mut specs, &config.common_labels).map_err(failed)?;
        return Ok(specs);
    }
    if label.include_templates {
        config::merge_all(&mut specs, &config.template_labels)
            .map_err(|error| error.context("failed to merge template fieldSpec"))?;
    }
    let own = field_spec("", "", "", "metadata/labels", true);
    config::merge_one(&mut specs, &own).map_err(failed)?;
    Ok(specs)
}

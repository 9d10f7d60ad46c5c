//! `generators`, `transformers` and `validators`: objects of the version `builtin` that configure what kustomize has built
//! in. Anything else would be a program to run, which a build does not.

use std::collections::BTreeMap;

use serde_json::Value;

use super::config::field_specs;
use super::decode::{self, Decode, Mode, go_struct};
use super::error::{Context, Error, Result};
use super::filters::field_spec::{FieldSpecs, split_path};
use super::filters::images;
use super::filters::namespace::{Namespace, Subjects};
use super::generators;
use super::kustomization::{
    ConfigMapArgs, FieldSpecModel, Image, ObjectMeta, PatchArgs, PatchStrategicMerge, ReplacementField,
    Replica, SecretArgs, Selector,
};
use super::loader::Loader;
use super::patching;
use super::resource::Resource;
use super::transform::{Affix, Transformer, ValueTarget};
use super::world::World;

/// What makes resources.
pub(super) enum Generator {
    ConfigMap(ConfigMapArgs),
    Secret(SecretArgs),
    Iam(IamModel),
}

impl Generator {
    pub(super) fn generate(&self, loader: &Loader<'_>, world: &World<'_>) -> Result<Resource> {
        match self {
            Generator::ConfigMap(args) => generators::config_map(args, loader, world),
            Generator::Secret(args) => generators::secret(args, loader, world),
            Generator::Iam(model) if model.cloud == "gke" => Ok(generators::iam_service_account(
                &model.service_account.name,
                &model.service_account.project_id,
                &model.kubernetes_service.name,
                &model.kubernetes_service.namespace,
                world,
            )),
            Generator::Iam(model) => Err(Error::invalid(format!(
                "cloud provider {} not supported yet",
                model.cloud
            ))),
        }
    }
}

go_struct! {
    IamModel, "IAMPolicyGeneratorPlugin" {
        cloud: String = "cloud",
        kubernetes_service: KubernetesService = "kubernetesService",
        service_account: ServiceAccount = "serviceAccount",
    }
}
go_struct! {
    KubernetesService, "KubernetesService" {
        name: String = "name",
        namespace: String = "namespace",
    }
}
go_struct! {
    ServiceAccount, "ServiceAccount" {
        name: String = "name",
        project_id: String = "projectId",
    }
}
go_struct! {
    MetadataModel, "ObjectMeta" {
        metadata: ObjectMeta = "metadata",
    }
}
go_struct! {
    PairsModel, "LabelTransformerPlugin" {
        labels: BTreeMap<String, String> = "labels",
        annotations: BTreeMap<String, String> = "annotations",
        field_specs: Vec<FieldSpecModel> = "fieldSpecs",
    }
}
go_struct! {
    NamespaceModel, "NamespaceTransformerPlugin" {
        metadata: ObjectMeta = "metadata",
        field_specs: Vec<FieldSpecModel> = "fieldSpecs",
        unset_only: bool = "unsetOnly",
        subjects: String = "setRoleBindingSubjects",
    }
}
go_struct! {
    AffixModel, "PrefixTransformerPlugin" {
        prefix: String = "prefix",
        suffix: String = "suffix",
        field_specs: Option<Vec<FieldSpecModel>> = "fieldSpecs",
    }
}
go_struct! {
    ImageModel, "ImageTagTransformerPlugin" {
        image: Image = "imageTag",
        field_specs: Vec<FieldSpecModel> = "fieldSpecs",
    }
}
go_struct! {
    ReplicaModel, "ReplicaCountTransformerPlugin" {
        replica: Replica = "replica",
        field_specs: Vec<FieldSpecModel> = "fieldSpecs",
    }
}
go_struct! {
    ReplacementsModel, "ReplacementTransformerPlugin" {
        replacements: Vec<ReplacementField> = "replacements",
    }
}
go_struct! {
    PatchModel, "PatchTransformerPlugin" {
        path: String = "path",
        patch: String = "patch",
        target: Option<Selector> = "target",
        options: Option<PatchArgs> = "options",
    }
}
go_struct! {
    Json6902Model, "PatchJson6902TransformerPlugin" {
        target: Option<Selector> = "target",
        path: String = "path",
        operations: String = "jsonOp",
    }
}
go_struct! {
    StrategicMergeModel, "PatchStrategicMergeTransformerPlugin" {
        paths: Vec<PatchStrategicMerge> = "paths",
        patches: String = "patches",
    }
}
go_struct! {
    ValueAddModel, "ValueAddTransformerPlugin" {
        value: String = "value",
        targets: Vec<ValueTargetModel> = "targets",
        target_file_path: String = "targetFilePath",
    }
}
go_struct! {
    ValueTargetsModel, "" {
        targets: Vec<ValueTargetModel> = "targets",
    }
}
go_struct! {
    ValueTargetModel, "Target" {
        selector: Option<Selector> = "selector",
        field_path: String = "fieldPath",
        position: i64 = "filePathPosition",
    }
}

/// The generator that an object configures.
pub(super) fn generator(resource: &Resource) -> Result<Generator> {
    let value = builtin_config(resource)?;
    let made = match resource.id().gvk.kind.as_str() {
        "ConfigMapGenerator" => config_map_args(&value).map(Generator::ConfigMap),
        "SecretGenerator" => secret_args(&value).map(Generator::Secret),
        "IAMPolicyGenerator" => read(&value).map(Generator::Iam),
        "HelmChartInflationGenerator" => {
            return Err(Error::unsupported(
                "HelmChartInflationGenerator",
                "HelmChartInflationGenerator: charts inside a kustomization are not supported; render the chart by itself",
            ));
        }
        kind if TRANSFORMERS.contains(&kind) => {
            return Err(Error::invalid(format!(
                "plugin {} not a generator",
                resource.original_id()
            )));
        }
        _ => return Err(unknown(resource)),
    };
    made.map_err(|error| error.context(format!("plugin {} fails configuration", resource.original_id())))
}

/// The kinds of transformers.
const TRANSFORMERS: [&str; 14] = [
    "AnnotationsTransformer",
    "HashTransformer",
    "ImageTagTransformer",
    "LabelTransformer",
    "NamespaceTransformer",
    "PatchJson6902Transformer",
    "PatchStrategicMergeTransformer",
    "PatchTransformer",
    "PrefixSuffixTransformer",
    "PrefixTransformer",
    "SuffixTransformer",
    "ReplacementTransformer",
    "ReplicaCountTransformer",
    "ValueAddTransformer",
];

/// The transformer that an object configures.
pub(super) fn transformer(
    resource: &Resource,
    loader: &Loader<'_>,
    world: &World<'_>,
) -> Result<Transformer> {
    let value = builtin_config(resource)?;
    let kind = resource.id().gvk.kind.as_str();
    if !TRANSFORMERS.contains(&kind) {
        const GENERATORS: [&str; 3] = ["ConfigMapGenerator", "SecretGenerator", "IAMPolicyGenerator"];
        if GENERATORS.contains(&kind) {
            return Err(Error::invalid(format!(
                "plugin {} not a transformer",
                resource.original_id()
            )));
        }
        return Err(unknown(resource));
    }
    configure(kind, &value, loader, world)
        .map_err(|error| error.context(format!("plugin {} fails configuration", resource.original_id())))
}

fn unknown(resource: &Resource) -> Error {
    Error::invalid(format!("unable to load builtin {}", resource.id().gvk))
}

fn configure(kind: &str, value: &Value, loader: &Loader<'_>, world: &World<'_>) -> Result<Transformer> {
    match kind {
        "AnnotationsTransformer" => {
            let model: PairsModel = read(value)?;
            Ok(Transformer::Annotations {
                pairs: model.annotations,
                specs: FieldSpecs::new(field_specs(&model.field_specs)),
            })
        }
        "LabelTransformer" => {
            let model: PairsModel = read(value)?;
            Ok(Transformer::Labels {
                pairs: model.labels,
                specs: FieldSpecs::new(field_specs(&model.field_specs)),
            })
        }
        "HashTransformer" => Ok(Transformer::Hash),
        "ImageTagTransformer" => {
            let model: ImageModel = read(value)?;
            let specs = FieldSpecs::new(field_specs(&model.field_specs));
            Ok(Transformer::Images {
                image: image(&model.image)?,
                specs,
            })
        }
        "NamespaceTransformer" => namespace(&read(value)?),
        "PrefixSuffixTransformer" | "PrefixTransformer" | "SuffixTransformer" => affix(kind, &read(value)?),
        "ReplicaCountTransformer" => {
            let model: ReplicaModel = read(value)?;
            Ok(Transformer::Replicas {
                name: model.replica.name,
                count: model.replica.count,
                specs: field_specs(&model.field_specs),
            })
        }
        "ReplacementTransformer" => {
            let model: ReplacementsModel = read(value)?;
            patching::replacements(&model.replacements, loader)
        }
        "PatchTransformer" => {
            let model: PatchModel = read(value)?;
            let patch = super::kustomization::Patch {
                path: model.path,
                patch: model.patch,
                target: model.target,
                options: model.options,
            };
            patching::patch(&patch, loader, world)
        }
        "PatchJson6902Transformer" => {
            let model: Json6902Model = read(value)?;
            patching::json6902(model.target.as_ref(), &model.path, &model.operations, loader)
        }
        "PatchStrategicMergeTransformer" => {
            let model: StrategicMergeModel = read(value)?;
            patching::strategic_merge(&model.paths, &model.patches, loader, world)
        }
        _ => value_add(read(value)?, loader),
    }
}

/// Reads a configuration with the rules of sigs.k8s.io/yaml.
fn read<T: Decode>(value: &Value) -> Result<T> {
    decode::decode(value, Mode::Yaml).map_err(Error::invalid)
}

fn builtin_config(resource: &Resource) -> Result<Value> {
    let gvk = &resource.id().gvk;
    if !gvk.group.is_empty() || gvk.version != "builtin" {
        return Err(Error::unsupported(
            gvk.kind.clone(),
            format!(
                "external plugins disabled; unable to load external plugin '{}'",
                resource.original_kind()
            ),
        ));
    }
    resource
        .to_json()
        .map_err(|error| Error::invalid(error.to_string()))
        .context(|| format!("marshalling yaml from res {}", resource.original_id()))
}

/// The name and the namespace may stand in the metadata.
fn config_map_args(value: &Value) -> Result<ConfigMapArgs> {
    let mut args: ConfigMapArgs = read(value)?;
    let meta: MetadataModel = read(value)?;
    fill(&mut args.name, meta.metadata.name);
    fill(&mut args.namespace, meta.metadata.namespace);
    Ok(args)
}

fn secret_args(value: &Value) -> Result<SecretArgs> {
    let mut args: SecretArgs = read(value)?;
    let meta: MetadataModel = read(value)?;
    fill(&mut args.name, meta.metadata.name);
    fill(&mut args.namespace, meta.metadata.namespace);
    Ok(args)
}

fn fill(target: &mut String, value: String) {
    if target.is_empty() {
        *target = value;
    }
}

/// An image entry, ready.
pub(super) fn image(image: &Image) -> Result<images::Compiled> {
    images::Compiled::new(images::Image {
        name: image.name.clone(),
        new_name: image.new_name.clone(),
        new_tag: image.new_tag.clone(),
        tag_suffix: image.tag_suffix.clone(),
        digest: image.digest.clone(),
    })
    .map_err(|error| Error::invalid(error.to_string()))
}

fn namespace(model: &NamespaceModel) -> Result<Transformer> {
    let name = &model.metadata.namespace;
    if name.is_empty() {
        return Ok(Transformer::All(Vec::new()));
    }
    let subjects = Subjects::parse(&model.subjects).map_err(|error| Error::invalid(error.to_string()))?;
    let specs = field_specs(&model.field_specs);
    Ok(Transformer::Namespace(Namespace::new(
        name,
        specs,
        model.unset_only,
        subjects,
    )))
}

fn affix(kind: &str, model: &AffixModel) -> Result<Transformer> {
    let Some(specs) = &model.field_specs else {
        return Err(Error::invalid("fieldSpecs is not expected to be nil"));
    };
    let specs = field_specs(specs);
    let prefix = || Transformer::Prefix(Affix::new(&model.prefix, &specs));
    let suffix = || Transformer::Suffix(Affix::new(&model.suffix, &specs));
    Ok(match kind {
        "PrefixTransformer" => prefix(),
        "SuffixTransformer" => suffix(),
        _ => Transformer::All(vec![prefix(), suffix()]),
    })
}

fn value_add(model: ValueAddModel, loader: &Loader<'_>) -> Result<Transformer> {
    let mut targets = model.targets;
    if !model.target_file_path.is_empty() {
        let content = loader.load(&model.target_file_path)?;
        let value = deploy_yaml::to_json(&content, deploy_yaml::Dialect::GoYaml11)
            .map_err(|error| Error::invalid(format!("error converting YAML to JSON: {error}")))?;
        let more: ValueTargetsModel = read(&value)?;
        targets.extend(more.targets);
    }
    if targets.is_empty() {
        return Err(Error::invalid("must specify at least one target"));
    }
    let targets = targets
        .into_iter()
        .map(|target| {
            if target.field_path.is_empty() {
                return Err(Error::invalid("fieldPath cannot be empty"));
            }
            let position = usize::try_from(target.position).map_err(|_| {
                Error::invalid(format!(
                    "value of FilePathPosition ({}) cannot be negative",
                    target.position
                ))
            })?;
            Ok(ValueTarget {
                selector: target.selector,
                path: split_path(&target.field_path),
                position,
            })
        })
        .collect::<Result<Vec<_>>>()?;
    let value = match model.value.trim() {
        "" => match loader.root().rsplit('/').next() {
            Some("") | None => "/".to_owned(),
            Some(folder) => folder.to_owned(),
        },
        value => value.to_owned(),
    };
    Ok(Transformer::ValueAdd { value, targets })
}

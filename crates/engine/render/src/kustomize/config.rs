//! Which fields the transformers touch: the tables that kustomize has built in, what `configurations` adds to them, and
//! how two of them become one.

use std::cell::OnceCell;
use std::ops::Deref;
use std::rc::Rc;

use super::decode::{self, Mode, go_struct};
use super::defaults;
use super::error::{Error, Result};
use super::filters::field_spec::FieldSpec;
use super::kustomization::FieldSpecModel;
use super::resid::Gvk;
use super::sort;

/// Objects of one type, and the fields of others that hold their names.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct BackReference {
    pub(super) target: Gvk,
    pub(super) referrers: Vec<FieldSpec>,
}

/// The fields of all transformers.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Config {
    pub(super) name_prefix: Vec<FieldSpec>,
    pub(super) name_suffix: Vec<FieldSpec>,
    pub(super) namespace: Vec<FieldSpec>,
    pub(super) common_labels: Vec<FieldSpec>,
    pub(super) labels: Vec<FieldSpec>,
    pub(super) template_labels: Vec<FieldSpec>,
    pub(super) common_annotations: Vec<FieldSpec>,
    pub(super) name_reference: Vec<BackReference>,
    pub(super) var_reference: Vec<FieldSpec>,
    pub(super) images: Vec<FieldSpec>,
    pub(super) replicas: Vec<FieldSpec>,
}

/// The fields of all transformers, made when somebody looks at them: most small builds never do.
#[derive(Debug)]
pub(super) struct Tables {
    /// The tables that are built in, unless others have been put here.
    made: OnceCell<Config>,
}

impl Tables {
    /// The tables that are built in.
    pub(super) fn built_in() -> Tables {
        Tables {
            made: OnceCell::new(),
        }
    }
}

impl From<Config> for Tables {
    fn from(config: Config) -> Tables {
        Tables {
            made: OnceCell::from(config),
        }
    }
}

impl Deref for Tables {
    type Target = Config;

    fn deref(&self) -> &Config {
        self.made.get_or_init(built_in)
    }
}

go_struct! {
    ConfigModel, "TransformerConfig" {
        name_prefix: Vec<FieldSpecModel> = "namePrefix",
        name_suffix: Vec<FieldSpecModel> = "nameSuffix",
        namespace: Vec<FieldSpecModel> = "namespace",
        common_labels: Vec<FieldSpecModel> = "commonLabels",
        labels: Vec<FieldSpecModel> = "labels",
        template_labels: Vec<FieldSpecModel> = "templateLabels",
        common_annotations: Vec<FieldSpecModel> = "commonAnnotations",
        name_reference: Vec<BackReferenceModel> = "nameReference",
        var_reference: Vec<FieldSpecModel> = "varReference",
        images: Vec<FieldSpecModel> = "images",
        replicas: Vec<FieldSpecModel> = "replicas",
    }
}

go_struct! {
    BackReferenceModel, "NameBackReferences" {
        group: String = "Gvk.group",
        version: String = "Gvk.version",
        kind: String = "Gvk.kind",
        field_specs: Vec<FieldSpecModel> = "fieldSpecs",
    }
}

/// A field of the objects of some types.
pub(super) fn field_spec(group: &str, version: &str, kind: &str, path: &str, create: bool) -> FieldSpec {
    FieldSpec {
        group: group.to_owned(),
        version: version.to_owned(),
        kind: kind.to_owned(),
        path: path.to_owned(),
        create,
    }
}

/// Field specs as read from a file.
pub(super) fn field_specs(models: &[FieldSpecModel]) -> Vec<FieldSpec> {
    models
        .iter()
        .map(|model| {
            field_spec(
                &model.group,
                &model.version,
                &model.kind,
                &model.path,
                model.create,
            )
        })
        .collect()
}

/// Reads one file of `configurations`.
pub(super) fn parse(content: &[u8]) -> Result<Config> {
    let value = deploy_yaml::to_json(content, deploy_yaml::Dialect::GoYaml11)
        .map_err(|error| Error::invalid(format!("error converting YAML to JSON: {error}")))?;
    let model: ConfigModel = decode::decode(&value, Mode::YamlStrict).map_err(Error::invalid)?;
    let mut config = Config {
        name_prefix: field_specs(&model.name_prefix),
        name_suffix: field_specs(&model.name_suffix),
        namespace: field_specs(&model.namespace),
        common_labels: field_specs(&model.common_labels),
        labels: field_specs(&model.labels),
        template_labels: field_specs(&model.template_labels),
        common_annotations: field_specs(&model.common_annotations),
        name_reference: model
            .name_reference
            .iter()
            .map(|reference| BackReference {
                target: Gvk {
                    group: reference.group.clone(),
                    version: reference.version.clone(),
                    kind: reference.kind.clone(),
                },
                referrers: field_specs(&reference.field_specs),
            })
            .collect(),
        var_reference: field_specs(&model.var_reference),
        images: field_specs(&model.images),
        replicas: field_specs(&model.replicas),
    };
    config.sort();
    Ok(config)
}

fn built_in() -> Config {
    let mut config = defaults::tables();
    config.sort();
    config
}

/// Both together. Most builds merge the built-in tables with themselves, which is no work.
pub(super) fn merge(own: Option<&Rc<Tables>>, more: &Rc<Tables>) -> Result<Rc<Tables>> {
    match own {
        None => Ok(Rc::clone(more)),
        Some(own) if Rc::ptr_eq(own, more) => Ok(Rc::clone(own)),
        Some(own) => Ok(Rc::new(own.merged(more)?.into())),
    }
}

impl Config {
    /// This and the other together, sorted.
    pub(super) fn merged(&self, other: &Config) -> Result<Config> {
        let mut merged = self.clone();
        let specs = [
            (&mut merged.name_prefix, &other.name_prefix, "NamePrefix"),
            (&mut merged.name_suffix, &other.name_suffix, "NameSuffix"),
            (&mut merged.namespace, &other.namespace, "NameSpace"),
            (
                &mut merged.common_annotations,
                &other.common_annotations,
                "CommonAnnotations",
            ),
            (&mut merged.common_labels, &other.common_labels, "CommonLabels"),
            (&mut merged.labels, &other.labels, "Labels"),
            (
                &mut merged.template_labels,
                &other.template_labels,
                "TemplateLabels",
            ),
            (&mut merged.var_reference, &other.var_reference, "VarReference"),
            (&mut merged.images, &other.images, "Images"),
            (&mut merged.replicas, &other.replicas, "Replicas"),
        ];
        for (own, other, name) in specs {
            merge_all(own, other)
                .map_err(|error| error.context(format!("failed to merge {name} fieldSpec")))?;
        }
        for reference in &other.name_reference {
            merge_reference(&mut merged.name_reference, reference)
                .map_err(|error| error.context("failed to merge NameReference fieldSpec"))?;
        }
        merged.sort();
        Ok(merged)
    }

    fn sort(&mut self) {
        let specs = [
            &mut self.name_prefix,
            &mut self.name_suffix,
            &mut self.namespace,
            &mut self.common_labels,
            &mut self.labels,
            &mut self.template_labels,
            &mut self.common_annotations,
            &mut self.var_reference,
            &mut self.images,
            &mut self.replicas,
        ];
        for list in specs {
            list.sort_by_cached_key(|spec| order(&spec.group, &spec.version, &spec.kind));
        }
        self.name_reference
            .sort_by_cached_key(|reference| order_of(&reference.target));
    }
}

fn order_of(gvk: &Gvk) -> (isize, String) {
    order(&gvk.group, &gvk.version, &gvk.kind)
}

fn order(group: &str, version: &str, kind: &str) -> (isize, String) {
    (sort::default_rank(kind), sort::type_key(group, version, kind))
}

/// Adds what is not there. A spec is there if one with its path is selected by its type.
pub(super) fn merge_all(own: &mut Vec<FieldSpec>, more: &[FieldSpec]) -> Result<()> {
    more.iter().try_for_each(|spec| merge_one(own, spec))
}

pub(super) fn merge_one(own: &mut Vec<FieldSpec>, spec: &FieldSpec) -> Result<()> {
    let known = own
        .iter()
        .find(|known| known.path == spec.path && is_selected(known, spec));
    match known {
        Some(known) if known.create != spec.create => Err(Error::invalid("conflicting fieldspecs")),
        Some(_) => Ok(()),
        None => {
            own.push(spec.clone());
            Ok(())
        }
    }
}

fn is_selected(known: &FieldSpec, by: &FieldSpec) -> bool {
    let part = |selector: &str, own: &str| selector.is_empty() || selector == own;
    part(&by.group, &known.group) && part(&by.version, &known.version) && part(&by.kind, &known.kind)
}

pub(super) fn merge_reference(own: &mut Vec<BackReference>, reference: &BackReference) -> Result<()> {
    match own.iter_mut().find(|known| known.target == reference.target) {
        Some(known) => merge_all(&mut known.referrers, &reference.referrers),
        None => {
            own.push(reference.clone());
            Ok(())
        }
    }
}

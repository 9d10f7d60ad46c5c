//! The kustomization file: its fields as types, its defaults, its refusals.

use std::collections::BTreeMap;
use std::fmt;

use serde_json::Value;

use super::decode::{self, Mode, go_struct};
use super::error::{Error, Result};
use super::resid::{Gvk, ResId};

const KUSTOMIZATION_KIND: &str = "Kustomization";
pub(super) const COMPONENT_KIND: &str = "Component";

go_struct! {
    /// The whole file.
    Kustomization, "Kustomization" {
        kind: String = "TypeMeta.kind",
        api_version: String = "TypeMeta.apiVersion",
        metadata: Option<ObjectMeta> = "metadata",
        openapi: BTreeMap<String, String> = "openapi",
        name_prefix: String = "namePrefix",
        name_suffix: String = "nameSuffix",
        namespace: String = "namespace",
        common_labels: BTreeMap<String, String> = "commonLabels",
        labels: Vec<Label> = "labels",
        common_annotations: BTreeMap<String, String> = "commonAnnotations",
        patches_strategic_merge: Vec<PatchStrategicMerge> = "patchesStrategicMerge",
        patches_json6902: Vec<Patch> = "patchesJson6902",
        patches: Vec<Patch> = "patches",
        images: Vec<Image> = "images",
        image_tags: Vec<Image> = "imageTags",
        replacements: Vec<ReplacementField> = "replacements",
        replicas: Vec<Replica> = "replicas",
        vars: Vec<Var> = "vars",
        sort_options: Option<SortOptions> = "sortOptions",
        resources: Vec<String> = "resources",
        components: Vec<String> = "components",
        crds: Vec<String> = "crds",
        bases: Vec<String> = "bases",
        config_map_generator: Vec<ConfigMapArgs> = "configMapGenerator",
        secret_generator: Vec<SecretArgs> = "secretGenerator",
        helm_globals: Option<Value> = "helmGlobals",
        helm_charts: Vec<Value> = "helmCharts",
        helm_chart_inflation_generator: Vec<Value> = "helmChartInflationGenerator",
        generator_options: Option<GeneratorOptions> = "generatorOptions",
        configurations: Vec<String> = "configurations",
        generators: Vec<String> = "generators",
        transformers: Vec<String> = "transformers",
        validators: Vec<String> = "validators",
        build_metadata: Vec<String> = "buildMetadata",
    }
}

go_struct! {
    ObjectMeta, "ObjectMeta" {
        name: String = "name",
        namespace: String = "namespace",
        labels: BTreeMap<String, String> = "labels",
        annotations: BTreeMap<String, String> = "annotations",
    }
}

go_struct! {
    Label, "Label" {
        pairs: BTreeMap<String, String> = "pairs",
        include_selectors: bool = "includeSelectors",
        include_templates: bool = "includeTemplates",
        fields: Vec<FieldSpecModel> = "fields",
    }
}

go_struct! {
    FieldSpecModel, "FieldSpec" {
        group: String = "Gvk.group",
        version: String = "Gvk.version",
        kind: String = "Gvk.kind",
        path: String = "path",
        create: bool = "create",
    }
}

go_struct! {
    Patch, "Patch" {
        path: String = "path",
        patch: String = "patch",
        target: Option<Selector> = "target",
        options: Option<PatchArgs> = "options",
    }
}

go_struct! {
    PatchArgs, "PatchArgs" {
        allow_name_change: bool = "allowNameChange",
        allow_kind_change: bool = "allowKindChange",
    }
}

go_struct! {
    Selector, "Selector" {
        group: String = "ResId.Gvk.group",
        version: String = "ResId.Gvk.version",
        kind: String = "ResId.Gvk.kind",
        name: String = "ResId.name",
        namespace: String = "ResId.namespace",
        annotation_selector: String = "annotationSelector",
        label_selector: String = "labelSelector",
    }
}

go_struct! {
    Image, "Image" {
        name: String = "name",
        new_name: String = "newName",
        tag_suffix: String = "tagSuffix",
        new_tag: String = "newTag",
        digest: String = "digest",
    }
}

go_struct! {
    Replica, "Replica" {
        name: String = "name",
        count: i64 = "count",
    }
}

go_struct! {
    ReplacementField, "ReplacementField" {
        source: Option<SourceSelector> = "Replacement.source",
        targets: Option<Vec<Option<TargetSelector>>> = "Replacement.targets",
        source_value: Option<String> = "Replacement.sourceValue",
        path: String = "path",
    }
}

go_struct! {
    SourceSelector, "SourceSelector" {
        group: String = "ResId.Gvk.group",
        version: String = "ResId.Gvk.version",
        kind: String = "ResId.Gvk.kind",
        name: String = "ResId.name",
        namespace: String = "ResId.namespace",
        field_path: String = "fieldPath",
        options: Option<FieldOptions> = "options",
    }
}

go_struct! {
    TargetSelector, "TargetSelector" {
        select: Option<Selector> = "select",
        reject: Vec<Option<Selector>> = "reject",
        field_paths: Vec<String> = "fieldPaths",
        options: Option<FieldOptions> = "options",
    }
}

go_struct! {
    FieldOptions, "FieldOptions" {
        delimiter: String = "delimiter",
        index: i64 = "index",
        encoding: String = "encoding",
        create: bool = "create",
    }
}

go_struct! {
    Var, "Var" {
        name: String = "name",
        objref: VarTarget = "objref",
        fieldref: FieldSelector = "fieldref",
    }
}

go_struct! {
    VarTarget, "Target" {
        api_version: String = "apiVersion",
        group: String = "Gvk.group",
        version: String = "Gvk.version",
        kind: String = "Gvk.kind",
        name: String = "name",
        namespace: String = "namespace",
    }
}

go_struct! {
    FieldSelector, "FieldSelector" {
        field_path: String = "fieldPath",
    }
}

go_struct! {
    SortOptions, "SortOptions" {
        order: SortOrder = "order",
        legacy: Option<LegacySortOptions> = "legacySortOptions",
    }
}

go_struct! {
    LegacySortOptions, "LegacySortOptions" {
        order_first: Vec<String> = "orderFirst",
        order_last: Vec<String> = "orderLast",
    }
}

go_struct! {
    ConfigMapArgs, "ConfigMapArgs" {
        namespace: String = "GeneratorArgs.namespace",
        name: String = "GeneratorArgs.name",
        behavior: String = "GeneratorArgs.behavior",
        literals: Vec<String> = "GeneratorArgs.KvPairSources.literals",
        files: Vec<String> = "GeneratorArgs.KvPairSources.files",
        envs: Vec<String> = "GeneratorArgs.KvPairSources.envs",
        env: String = "GeneratorArgs.KvPairSources.env",
        options: Option<GeneratorOptions> = "GeneratorArgs.options",
    }
}

go_struct! {
    SecretArgs, "SecretArgs" {
        namespace: String = "GeneratorArgs.namespace",
        name: String = "GeneratorArgs.name",
        behavior: String = "GeneratorArgs.behavior",
        literals: Vec<String> = "GeneratorArgs.KvPairSources.literals",
        files: Vec<String> = "GeneratorArgs.KvPairSources.files",
        envs: Vec<String> = "GeneratorArgs.KvPairSources.envs",
        env: String = "GeneratorArgs.KvPairSources.env",
        options: Option<GeneratorOptions> = "GeneratorArgs.options",
        secret_type: String = "type",
    }
}

go_struct! {
    GeneratorOptions, "GeneratorOptions" {
        labels: BTreeMap<String, String> = "labels",
        annotations: BTreeMap<String, String> = "annotations",
        disable_name_suffix_hash: bool = "disableNameSuffixHash",
        immutable: bool = "immutable",
    }
}

/// Text of a named type, which messages name by that type.
macro_rules! named_text {
    ($($name:ident, $go:literal;)*) => {$(
        #[derive(Clone, Debug, Default)]
        pub(super) struct $name(pub(super) String);

        impl decode::Decode for $name {
            fn go_type() -> String {
                $go.to_owned()
            }

            fn read(&mut self, value: &Value, decoder: &mut decode::Decoder) {
                match value {
                    Value::Array(_) | Value::Object(_) => decoder.mismatch(value, $go),
                    other => self.0.read_as(other, decoder, $go),
                }
            }
        }
    )*};
}

trait ReadAs {
    fn read_as(&mut self, value: &Value, decoder: &mut decode::Decoder, go_type: &str);
}

impl ReadAs for String {
    fn read_as(&mut self, value: &Value, decoder: &mut decode::Decoder, go_type: &str) {
        match value {
            Value::String(text) => text.clone_into(self),
            other => decoder.mismatch(other, go_type),
        }
    }
}

named_text! {
    SortOrder, "types.SortOrder";
    PatchStrategicMerge, "types.PatchStrategicMerge";
}

impl fmt::Display for Selector {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let id = ResId {
            gvk: Gvk {
                group: self.group.clone(),
                version: self.version.clone(),
                kind: self.kind.clone(),
            },
            name: self.name.clone(),
            namespace: self.namespace.clone(),
            cluster_scoped: false,
        };
        write!(f, "{id}:a={}:l={}", self.annotation_selector, self.label_selector)
    }
}

impl SourceSelector {
    pub(super) fn id(&self) -> ResId {
        ResId {
            gvk: Gvk {
                group: self.group.clone(),
                version: self.version.clone(),
                kind: self.kind.clone(),
            },
            name: self.name.clone(),
            namespace: self.namespace.clone(),
            cluster_scoped: false,
        }
    }
}

/// What a kustomization file says, and what it should no longer say.
pub(super) struct Loaded {
    pub(super) kustomization: Kustomization,
    /// One line for each deprecated field, in kustomize's words.
    pub(super) warnings: Vec<String>,
    /// The file as JSON.
    pub(super) raw: Value,
}

/// Reads the file; `folder` is named in errors.
pub(super) fn parse(content: &[u8], folder: &str) -> Result<Loaded> {
    let value = deploy_yaml::to_json(content, deploy_yaml::Dialect::GoYaml11)
        .map_err(|error| Error::invalid(format!("invalid Kustomization: {error}")))?;
    let mut kustomization: Kustomization = decode::decode(&value, Mode::Json)
        .map_err(|error| Error::invalid(format!("invalid Kustomization: {error}")))?;
    let warnings = deprecations(&value);
    fix(&mut kustomization);
    if is_empty(&value) {
        return Err(Error::invalid("kustomization.yaml is empty"));
    }
    enforce(&kustomization, folder)?;
    Ok(Loaded {
        kustomization,
        warnings,
        raw: value,
    })
}

fn deprecations(value: &Value) -> Vec<String> {
    const RUN: &str = "Run 'kustomize edit fix' to update your Kustomization automatically.";
    const FIELDS: [(&str, &str, &str); 6] = [
        ("bases", "resources", ""),
        ("commonLabels", "labels", ""),
        ("imageTags", "images", ""),
        ("patchesJson6902", "patches", ""),
        ("patchesStrategicMerge", "patches", ""),
        ("vars", "replacements", "[EXPERIMENTAL] "),
    ];
    let is_set = |name: &str| {
        value.as_object().is_some_and(|map| {
            map.iter()
                .any(|(key, value)| key.eq_ignore_ascii_case(name) && !value.is_null())
        })
    };
    FIELDS
        .iter()
        .filter(|(old, ..)| is_set(old))
        .map(|(old, new, mark)| {
            format!("# Warning: '{old}' is deprecated. Please use '{new}' instead. {mark}{RUN}")
        })
        .collect()
}

/// Moves what deprecated fields say to where it belongs today, and fills in the type.
fn fix(kustomization: &mut Kustomization) {
    if kustomization.kind.is_empty() {
        KUSTOMIZATION_KIND.clone_into(&mut kustomization.kind);
    }
    if kustomization.api_version.is_empty() {
        required_version(&kustomization.kind).clone_into(&mut kustomization.api_version);
    }
    let bases = std::mem::take(&mut kustomization.bases);
    kustomization.resources.extend(bases);
    let image_tags = std::mem::take(&mut kustomization.image_tags);
    kustomization.images.extend(image_tags);
    for args in &mut kustomization.config_map_generator {
        move_env(&mut args.env, &mut args.envs);
    }
    for args in &mut kustomization.secret_generator {
        move_env(&mut args.env, &mut args.envs);
    }
}

fn move_env(env: &mut String, envs: &mut Vec<String>) {
    if !env.is_empty() {
        envs.push(std::mem::take(env));
    }
}

/// Whether nothing but the type is said. Go compares with the zero value, for which an empty list is something, except
/// in the fields that are appended to others.
fn is_empty(value: &Value) -> bool {
    const APPENDED: [&str; 3] = ["bases", "imagetags", "helmchartinflationgenerator"];
    let says_nothing = |key: &str, value: &Value| match value {
        Value::Null => true,
        Value::String(text) => text.is_empty(),
        Value::Array(items) => items.is_empty() && APPENDED.contains(&key),
        _ => false,
    };
    let Some(map) = value.as_object() else {
        return true;
    };
    map.iter().all(|(key, value)| {
        let key = key.to_ascii_lowercase();
        key == "kind" || key == "apiversion" || says_nothing(&key, value)
    })
}

fn required_version(kind: &str) -> &'static str {
    if kind == COMPONENT_KIND {
        "kustomize.config.k8s.io/v1alpha1"
    } else {
        "kustomize.config.k8s.io/v1beta1"
    }
}

fn enforce(kustomization: &Kustomization, folder: &str) -> Result<()> {
    let kind = kustomization.kind.as_str();
    let mut errors = Vec::new();
    if kind != KUSTOMIZATION_KIND && kind != COMPONENT_KIND {
        errors.push(format!("kind should be {KUSTOMIZATION_KIND} or {COMPONENT_KIND}"));
    }
    let required = required_version(kind);
    if kustomization.api_version != required {
        errors.push(format!("apiVersion for {kind} should be {required}"));
    }
    if errors.is_empty() {
        return Ok(());
    }
    Err(Error::invalid(format!(
        "Failed to read kustomization file under {folder}:\n{}",
        errors.join("\n")
    )))
}

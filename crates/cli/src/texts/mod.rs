//! What the command says, in both languages. A text that one of them lacks does not compile.
//!
//! Errors are in the catalogue of `deploy-model`, because every part of Deploy has them.

pub mod build;
mod ci;
mod en;
pub mod ledger;
mod registry;
pub mod server;
pub mod workflows;
mod zh;

use deploy_model::Lang;

/// The texts of a language.
pub fn of(lang: Lang) -> &'static Texts {
    match lang {
        Lang::En => &en::TEXTS,
        Lang::Zh => &zh::TEXTS,
    }
}

/// All texts of one language. `{name}` is filled by whoever uses it.
#[allow(missing_docs, reason = "the English text says what each is")]
pub struct Texts {
    /// What stands between a label and its text.
    pub colon: &'static str,
    pub error: &'static str,
    pub warning: &'static str,
    pub place: &'static str,
    pub cause: &'static str,
    pub hint: &'static str,

    pub usage: &'static str,
    pub commands: &'static str,
    pub arguments: &'static str,
    pub options: &'static str,
    pub global_options: &'static str,
    pub examples: &'static str,
    pub command_placeholder: &'static str,
    pub options_placeholder: &'static str,
    pub choices_open: &'static str,
    pub choice_separator: &'static str,
    pub default_open: &'static str,
    pub close: &'static str,

    pub usage_errors: UsageErrors,
    pub config_errors: ConfigErrors,

    /// `deploy` itself and the flags that every command has.
    pub deploy: CommandText,
    pub lang_flag: &'static str,
    pub color_flag: &'static str,
    pub config_flag: &'static str,
    pub data_dir_flag: &'static str,
    pub help_flag: &'static str,

    pub help: CommandText,
    pub help_command: &'static str,

    pub version: CommandText,
    pub version_licenses: &'static str,
    pub output_flag: &'static str,

    pub completion: CommandText,
    pub completion_shell: &'static str,

    pub explain: CommandText,
    pub explain_code: &'static str,
    pub explain_unknown: &'static str,

    pub columns: Columns,

    pub render: CommandText,
    pub render_flags: RenderFlags,

    pub kustomize: CommandText,
    pub kustomize_build: CommandText,
    pub kustomize_flags: KustomizeFlags,

    pub run: CommandText,
    pub run_cluster: CommandText,
    pub ci: CommandText,
    pub ci_run: CommandText,
    pub ci_words: ci::CiWords,
    pub run_registry: CommandText,
    pub registry_words: registry::RegistryWords,
    pub build: CommandText,
    pub image: CommandText,
    pub image_base: CommandText,
    pub build_words: build::BuildWords,
    pub cluster: CommandText,
    pub cluster_status: CommandText,
    pub cluster_kubeconfig: CommandText,
    pub cluster_down: CommandText,
    pub cluster_image: CommandText,
    pub cluster_image_load: CommandText,
    pub cluster_image_list: CommandText,
    pub cluster_image_prune: CommandText,
    pub image_words: ImageWords,
    pub cluster_words: ClusterWords,
    pub down_words: DownWords,
    pub cluster_apply: CommandText,
    pub apply_words: ApplyWords,

    pub config: CommandText,
    pub config_show: CommandText,
    pub config_origin: &'static str,
    pub config_default: &'static str,
}

/// A command in `--help`.
#[allow(missing_docs)]
pub struct CommandText {
    /// One line, for the list of commands.
    pub about: &'static str,
    /// What the command is for; empty where the line says it all.
    pub long: &'static str,
    /// Commands that work, each below a comment.
    pub examples: &'static str,
}

/// Headings of tables.
#[allow(missing_docs)]
pub struct Columns {
    pub namespace: &'static str,
    pub kind: &'static str,
    pub name: &'static str,
    pub api_version: &'static str,
    pub place: &'static str,
    pub setting: &'static str,
    pub value: &'static str,
    pub origin: &'static str,
}

/// The flags of `deploy render`.
#[allow(missing_docs)]
pub struct RenderFlags {
    pub path: &'static str,
    pub values: &'static str,
    pub set: &'static str,
    pub release: &'static str,
    pub namespace: &'static str,
    pub recursive: &'static str,
    pub inputs: &'static str,
    pub only_for_charts: &'static str,
    pub only_for_plain: &'static str,
    pub lacks_mapping: &'static str,
    pub lacks_field: &'static str,
    pub more_than: &'static str,
    pub already_in: &'static str,
}

/// The flags of `deploy kustomize build`.
#[allow(missing_docs)]
pub struct KustomizeFlags {
    pub dir: &'static str,
    pub output: &'static str,
    pub load_restrictor: &'static str,
}

/// What can be wrong with the configuration.
#[allow(missing_docs)]
pub struct ConfigErrors {
    pub unknown_key: &'static str,
    pub not_a_choice: &'static str,
    pub empty: &'static str,
    pub no_string: &'static str,
}

/// What can be wrong with a command line.
#[allow(missing_docs)]
pub struct UsageErrors {
    pub value_missing: &'static str,
    pub value_unknown: &'static str,
    pub value_invalid: &'static str,
    pub value_count: &'static str,
    pub argument_unknown: &'static str,
    pub argument_missing: &'static str,
    pub command_unknown: &'static str,
    pub equals_missing: &'static str,
    pub conflict: &'static str,
    pub not_unicode: &'static str,
    pub other: &'static str,
    pub suggestion: &'static str,
}

/// The flags and the talk of `deploy run cluster` and `deploy cluster`.
#[allow(missing_docs, reason = "the English text says what each is")]
pub struct ClusterWords {
    pub api_only: &'static str,
    pub node_name: &'static str,
    pub ingress_http: &'static str,
    pub ingress_https: &'static str,
    pub no_controllers: &'static str,
    pub listen: &'static str,
    pub kubeconfig_out: &'static str,
    pub kubeconfig_path: &'static str,
    pub columns: [&'static str; 5],
    pub ready: &'static str,
    pub next: &'static str,
    pub pods_wait: &'static str,
    pub stopping: &'static str,
    pub stopped: &'static str,
    pub running: &'static str,
    pub owner: &'static str,
    pub listener: &'static str,
    pub port_offset: &'static str,
    pub service_cidr: &'static str,
    pub no_range: &'static str,
    pub hinders_forwarding: &'static str,
    pub hinders_input: &'static str,
}

/// The flags and the talk of `deploy cluster down`.
#[allow(missing_docs, reason = "the English text says what each is")]
pub struct DownWords {
    pub force: &'static str,
    pub timeout: &'static str,
    pub begun: &'static str,
    pub ended: &'static str,
    pub late: &'static str,
}

/// The flags of `deploy cluster apply`.
#[allow(missing_docs, reason = "the English text says what each is")]
pub struct ApplyWords {
    pub paths: &'static str,
    pub namespace: &'static str,
    pub wait: &'static str,
    pub timeout: &'static str,
}

/// The flags and the talk of `deploy cluster image`.
#[allow(missing_docs, reason = "the English text says what each is")]
pub struct ImageWords {
    pub archives: &'static str,
    pub name: &'static str,
    pub no_reference: &'static str,
    pub columns: [&'static str; 3],
    pub pruned: &'static str,
    pub busy: &'static str,
}

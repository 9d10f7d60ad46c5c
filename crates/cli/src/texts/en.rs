use super::{CommandText, ConfigErrors, Texts, UsageErrors};

pub static TEXTS: Texts = Texts {
    colon: ": ",
    error: "error",
    warning: "warning",
    place: "place",
    cause: "cause",
    hint: "hint",

    usage: "Usage:",
    commands: "Commands:",
    arguments: "Arguments:",
    options: "Options:",
    global_options: "Global options:",
    examples: "Examples:",
    command_placeholder: "<COMMAND>",
    options_placeholder: "[OPTIONS]",
    choices_open: " [one of: ",
    choice_separator: ", ",
    default_open: " [default: ",
    close: "]",

    usage_errors: UsageErrors {
        value_missing: "{argument} needs a value.",
        value_unknown: "{value} is not a value of {argument}; it takes: {choices}",
        value_invalid: "{value} is not a value of {argument}.",
        value_count: "{argument} has too few or too many values.",
        argument_unknown: "The argument {argument} is unknown.",
        argument_missing: "These arguments are missing: {argument}",
        command_unknown: "The command {command} is unknown.",
        equals_missing: "{argument} needs its value behind an equals sign.",
        conflict: "{argument} cannot be used together with {other}.",
        not_unicode: "An argument is not valid UTF-8.",
        other: "The arguments do not fit the command.",
        suggestion: "Did you mean {word}?",
    },

    config_errors: ConfigErrors {
        unknown_key: "There is no setting {key}.",
        not_a_choice: "{key} cannot be {value}; it takes: {choices}",
        empty: "{key} is empty.",
        no_string: "{key} takes a string, not a value of the type {type}.",
    },

    deploy: CommandText {
        about: "Takes code from a commit to production in every market, and watches it there.",
        long: "",
        examples: "\
# Render a chart as helm template does
deploy helm template shop ./chart -f values/us.yaml

# Build a kustomization
deploy kustomize build overlays/prod

# Render whatever a folder holds
deploy render ./app

# What an error code means, and what to do
deploy explain DEP-HELM-003",
    },
    lang_flag: "Language of help and messages; the default comes from LC_ALL, LC_MESSAGES or LANG (DEPLOY_LANG)",
    color_flag: "When to colour messages: auto means on a terminal (DEPLOY_COLOR)",
    config_flag: "Configuration file; else deploy.toml here or in the data folder (DEPLOY_CONFIG)",
    data_dir_flag: "Data folder (DEPLOY_DATA_DIR)",
    help_flag: "Show this help",

    help: CommandText {
        about: "Show the help of a command",
        long: "",
        examples: "\
deploy help
deploy help kustomize build",
    },
    help_command: "The command, word by word",

    version: CommandText {
        about: "Show the version, or the licences of what the binary contains",
        long: "",
        examples: "\
deploy version
deploy version -o json

# Names, versions and licences of third parties
deploy version --licenses",
    },
    version_licenses: "List the third parties whose code is in the binary, with their licences",
    output_flag: "How to print",

    completion: CommandText {
        about: "Print a completion script for a shell",
        long: "",
        examples: "\
# bash, for this user
deploy completion bash > ~/.local/share/bash-completion/completions/deploy

# zsh, in a folder of $fpath
deploy completion zsh > ~/.zfunc/_deploy

# fish
deploy completion fish > ~/.config/fish/completions/deploy.fish",
    },
    completion_shell: "The shell",

    explain: CommandText {
        about: "Explain an error code: what happened and what to do",
        long: "Explains an error code: what happened and what to do. Without a code it lists all of them.",
        examples: "\
deploy explain
deploy explain DEP-HELM-003",
    },
    explain_code: "The code, as it stands in brackets behind \"error\"",
    explain_unknown: "{code} is no code of Deploy.",

    config: CommandText {
        about: "Look at the configuration",
        long: "Looks at the configuration. A setting comes from the first of: its flag, its DEPLOY_ variable, deploy.toml, its default.",
        examples: "deploy config show --origin",
    },
    config_show: CommandText {
        about: "Show every setting with its value",
        long: "",
        examples: "\
deploy config show

# Where each value comes from
deploy config show --origin

DEPLOY_LANG=zh deploy config show -o json",
    },
    config_origin: "Show where each value comes from",
    config_default: "default",
};

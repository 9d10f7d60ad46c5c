use super::{
    ApplyWords, ClusterWords, Columns, CommandText, ConfigErrors, DownWords, ImageWords, KustomizeFlags,
    RenderFlags, Texts, UsageErrors,
};

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

    columns: Columns {
        namespace: "NAMESPACE",
        kind: "KIND",
        name: "NAME",
        api_version: "API VERSION",
        place: "PLACE",
        setting: "SETTING",
        value: "VALUE",
        origin: "ORIGIN",
    },

    render: CommandText {
        about: "Render a folder: a chart, a kustomization or plain manifests",
        long: "Renders a folder to objects. What it is shows by its files: Chart.yaml makes it a chart, \
               kustomization.yaml a kustomization, and anything else is a folder of plain manifests.",
        examples: "\
# A chart as one site gets it
deploy render ./chart -f values/us.yaml --namespace prod-us

# Which objects a kustomization has
deploy render overlays/prod -o name

# Plain manifests, with the folders inside
deploy render ./manifests --recursive

# Exactly what was read: equal hashes give equal objects
deploy render ./chart --inputs",
    },
    render_flags: RenderFlags {
        path: "The folder, a chart's .tgz or one manifest",
        values: "File of values for a chart; later ones win",
        set: "One value for a chart, as a.b=c",
        release: "Name of the release; else the chart's name",
        namespace: "Namespace of the release",
        recursive: "Read the folders inside, too (plain manifests)",
        inputs: "List what was read, with its hash, instead of the objects",
        only_for_charts: "{flag} is for charts, and {path} is none.",
        only_for_plain: "{flag} is for plain manifests, and {path} holds something else.",
        lacks_mapping: "It is a list or a text, not a mapping.",
        lacks_field: "It has no {field}.",
        more_than: "There are more than {limit}.",
        already_in: "It is already in {place}.",
    },

    kustomize: CommandText {
        about: "What kustomize does: build a kustomization",
        long: "",
        examples: "deploy kustomize build overlays/prod",
    },
    kustomize_build: CommandText {
        about: "Build a kustomization and print its resources",
        long: "Builds a kustomization and prints its resources, byte for byte as kustomize does. Flags are those of \
               kustomize; the ones that would run programs or read the network are refused by name.",
        examples: "\
# The current folder
deploy kustomize build

# Another one, into a file
deploy kustomize build overlays/prod -o prod.yaml

# With files from outside the folder
deploy kustomize build overlays/prod --load-restrictor LoadRestrictionsNone",
    },
    kustomize_flags: KustomizeFlags {
        dir: "The folder with kustomization.yaml",
        output: "Write to this file; into a folder, one file for each resource",
        load_restrictor: "Whether files from outside the folder may be read",
    },

    run: CommandText {
        about: "Run one part of Deploy alone, in the foreground",
        long: "",
        examples: "deploy run cluster",
    },
    run_cluster: CommandText {
        about: "Run the embedded Kubernetes until it is told to stop",
        long: "Runs a small Kubernetes 1.34 on this machine: API server, controllers and scheduler in one process, with its \
               data in one folder. As root it has a node as well: pods are real containers. It is for evaluation, development and \
               tests of charts; it is not a production cluster.",
        examples:
            "\
# Start, and use it from another terminal
deploy run cluster
export KUBECONFIG=$(deploy cluster kubeconfig --path)
kubectl get namespaces

# For tests of charts: a folder that is thrown away, a port that is free
deploy run cluster --api-only --data-dir /tmp/test --listen 127.0.0.1:0 --kubeconfig-out /tmp/test.kubeconfig

# A second cluster beside the first
deploy run cluster --data-dir /srv/second --port-offset 100 --service-cidr 10.112.0.0/16",
    },
    ci: super::ci::CI_EN,
    ci_run: super::ci::RUN_EN,
    ci_words: super::ci::EN,
    run_registry: super::registry::RUN_EN,
    registry_words: super::registry::EN,
    build: super::build::BUILD_EN,
    image: super::build::IMAGE_EN,
    image_base: super::build::BASE_EN,
    build_words: super::build::EN,
    cluster: CommandText {
        about: "Look at the embedded Kubernetes, and stop it",
        long: "",
        examples: "deploy cluster status",
    },
    cluster_status: CommandText {
        about: "Show whether the cluster runs, and where",
        long: "",
        examples: "\
deploy cluster status
deploy cluster status -o json",
    },
    cluster_kubeconfig: CommandText {
        about: "Print the kubeconfig of the cluster's administrator",
        long: "",
        examples: "\
deploy cluster kubeconfig > ~/.kube/deploy

# Only where the file is
export KUBECONFIG=$(deploy cluster kubeconfig --path)",
    },
    cluster_down: CommandText {
        about: "Stop the cluster; its data stay",
        long: "Stops the server, lets the pods end as their manifests want it, and removes every mount, cgroup, namespace, table and \
               bridge. What the cluster knows stays: the next start runs its pods again.",
        examples: "\
deploy cluster down

# Do not wait for pods that take their time
deploy cluster down --force",
    },
    cluster_image: CommandText {
        about: "Images of the cluster's node",
        long: "Works on the images that pods run from, whether the cluster runs or not.",
        examples: "\
# Pods find the image under the name that the archive has
deploy cluster image load app.oci.tar
deploy cluster image list",
    },
    cluster_image_load: CommandText {
        about: "Bring images from archives into the cluster",
        long: "Takes OCI archives and what `docker save` writes, packed or not; - is standard input. Prints the names under which \
               pods find the images. An image that the archive does not name gets its name by --name.",
        examples: "\
# From docker, podman or skopeo
docker save app:1 | deploy cluster image load -
skopeo copy containers-storage:localhost/app:1 oci-archive:app.tar && deploy cluster image load --name app:1 app.tar",
    },
    cluster_image_list: CommandText {
        about: "List the images of the cluster's node",
        long: "",
        examples: "deploy cluster image list -o json",
    },
    cluster_image_prune: CommandText {
        about: "Remove the images that no pod uses",
        long: "Removes every image that no pod names and no container runs from, and prints their names.",
        examples: "deploy cluster image prune",
    },
    image_words: ImageWords {
        archives: "Archives of images, or - for standard input",
        name: "What the image of an archive is called; for archives with one image",
        no_reference: "{name} is no name of an image",
        columns: ["IMAGE", "ID", "SIZE"],
        pruned: "Removed {images} images, {size}.",
        busy: "An image is being pulled: layers stay until the next prune.",
    },
    cluster_words: ClusterWords {
        api_only: "No node: pods are scheduled, not run. Needs no root",
        node_name: "The name of this machine's node; its host name by default",
        ingress_http: "Where the ingress listens without TLS; port 0 takes a free one",
        ingress_https: "Where the ingress listens with TLS; port 0 takes a free one",
        no_controllers: "No controllers and no scheduler either: the API server alone",
        listen: "Where the API server listens; port 0 takes a free one",
        kubeconfig_out: "Write the administrator's kubeconfig here, too",
        kubeconfig_path: "Print only where the file is",
        columns: ["STATUS", "VERSION", "ADDRESS", "PID", "KUBECONFIG"],
        ready: "Kubernetes is ready at {address} after {milliseconds} ms.",
        next: "Next: kubectl --kubeconfig {path} get namespaces",
        pods_wait: "Pods are scheduled and do not run: there is no node.",
        stopping: "Stopping ...",
        stopped: "Stopped.",
        running: "running",
        owner: "process {pid}",
        listener: "{program} listens there (process {pid})",
        port_offset: "Added to the ports of the addresses that are not given: one number for a second cluster",
        service_cidr: "Where services get their addresses, in a new cluster; 10.96.0.0/16 by default",
        no_range: "it is a range of IPv4 addresses from /8 to /28, as 10.112.0.0/16",
        hinders_forwarding: "The firewall chain {chain} of table {family} {table} drops packets between pods and from pods to the \
                             outside. To allow them: {remedy}",
        hinders_input: "The firewall chain {chain} of table {family} {table} drops packets from pods to the API and to DNS. To \
                        allow them: {remedy}",
    },
    down_words: DownWords {
        force: "End the pods at once, without their hooks and their grace",
        timeout: "The most grace that a pod gets, whatever its manifest says",
        begun: "Ending {pods} pods; they have up to {seconds} s.",
        ended: "{pod} has ended, {left} left.",
        late: "{left} pods have not ended in time and are killed.",
    },

    cluster_apply: CommandText {
        about: "Bring objects into the running cluster, and wait until they work",
        long: "Applies the objects of files, folders (with all below them) or standard input (-) on the server, as the field manager \
               `deploy`: what others own and nobody names stays. Prints what was created, configured or unchanged.",
        examples: "\
# A folder; ends when its workloads are available
deploy cluster apply -n shop --wait manifests/

# What was rendered
deploy render examples/shop/chart --namespace prod-us | deploy cluster apply -n prod-us -",
    },
    apply_words: ApplyWords {
        paths: "Files or folders of YAML or JSON, or - for standard input",
        namespace: "Where objects go that name no namespace",
        wait: "Wait until workloads are available, jobs complete, ingresses have an address",
        timeout: "How long to wait",
    },

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

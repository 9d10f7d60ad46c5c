use super::{
    ApplyWords, ClusterWords, Columns, CommandText, ConfigErrors, DownWords, ImageWords, KustomizeFlags,
    RenderFlags, Texts, UsageErrors,
};

pub static TEXTS: Texts = Texts {
    colon: "：",
    error: "错误",
    warning: "警告",
    place: "位置",
    cause: "原因",
    hint: "建议",

    usage: "用法：",
    commands: "命令：",
    arguments: "参数：",
    options: "选项：",
    global_options: "全局选项：",
    examples: "示例：",
    command_placeholder: "<命令>",
    options_placeholder: "[选项]",
    choices_open: "（可选：",
    choice_separator: "、",
    default_open: "（默认：",
    close: "）",

    usage_errors: UsageErrors {
        value_missing: "{argument} 缺少取值。",
        value_unknown: "{argument} 不支持 {value}，可选：{choices}",
        value_invalid: "{value} 不是 {argument} 的有效取值。",
        value_count: "{argument} 的取值个数不对。",
        argument_unknown: "没有 {argument} 这个参数。",
        argument_missing: "缺少参数：{argument}",
        command_unknown: "没有 {command} 这个命令。",
        equals_missing: "{argument} 的取值要写在等号后面。",
        conflict: "{argument} 不能与 {other} 同时使用。",
        not_unicode: "有参数不是有效的 UTF-8。",
        other: "参数与命令不符。",
        suggestion: "是否想用 {word}？",
    },

    config_errors: ConfigErrors {
        unknown_key: "没有 {key} 这个设置。",
        not_a_choice: "{key} 不支持 {value}，可选：{choices}",
        empty: "{key} 为空。",
        no_string: "{key} 的取值应为字符串，而不是 {type}。",
    },

    deploy: CommandText {
        about: "把代码从提交一路发布到各个市场的生产环境，并持续守护。",
        long: "",
        examples: "\
# 与 helm template 一样渲染 chart
deploy helm template shop ./chart -f values/us.yaml

# 构建 kustomization
deploy kustomize build overlays/prod

# 自动识别目录类型并渲染
deploy render ./app

# 查看错误码的含义和处理办法
deploy explain DEP-HELM-003",
    },
    lang_flag: "帮助和消息的语言，默认取自 LC_ALL、LC_MESSAGES 或 LANG（DEPLOY_LANG）",
    color_flag: "何时给消息上色，auto 表示仅在终端中（DEPLOY_COLOR）",
    config_flag: "配置文件，默认查找当前目录和数据目录中的 deploy.toml（DEPLOY_CONFIG）",
    data_dir_flag: "数据目录（DEPLOY_DATA_DIR）",
    help_flag: "显示帮助",

    help: CommandText {
        about: "显示某个命令的帮助",
        long: "",
        examples: "\
deploy help
deploy help kustomize build",
    },
    help_command: "命令名，逐词填写",

    version: CommandText {
        about: "显示版本，或列出程序所含第三方代码的许可证",
        long: "",
        examples: "\
deploy version
deploy version -o json

# 第三方组件的名称、版本和许可证
deploy version --licenses",
    },
    version_licenses: "列出程序所含的第三方组件及其许可证",
    output_flag: "输出格式",

    completion: CommandText {
        about: "输出 shell 的自动补全脚本",
        long: "",
        examples: "\
# bash，仅对当前用户生效
deploy completion bash > ~/.local/share/bash-completion/completions/deploy

# zsh，放入 $fpath 中的目录
deploy completion zsh > ~/.zfunc/_deploy

# fish
deploy completion fish > ~/.config/fish/completions/deploy.fish",
    },
    completion_shell: "shell 的名称",

    explain: CommandText {
        about: "解释错误码：发生了什么，该怎么办",
        long: "解释错误码：发生了什么，该怎么办。不带错误码时列出全部。",
        examples: "\
deploy explain
deploy explain DEP-HELM-003",
    },
    explain_code: "错误码，即“错误”二字后面方括号中的内容",
    explain_unknown: "{code} 不是 Deploy 的错误码。",

    columns: Columns {
        namespace: "命名空间",
        kind: "类型",
        name: "名称",
        api_version: "API 版本",
        place: "位置",
        setting: "设置",
        value: "取值",
        origin: "来源",
    },

    render: CommandText {
        about: "渲染目录：chart、kustomization 或普通清单",
        long: "把目录渲染成对象。类型由其中的文件决定：有 Chart.yaml 的是 chart，有 kustomization.yaml 的是 \
               kustomization，其余按普通清单处理。",
        examples: "\
# 某个站点得到的 chart
deploy render ./chart -f values/us.yaml --namespace prod-us

# kustomization 包含哪些对象
deploy render overlays/prod -o name

# 普通清单，连同子目录
deploy render ./manifests --recursive

# 究竟读取了什么：哈希相同，对象就相同
deploy render ./chart --inputs",
    },
    render_flags: RenderFlags {
        path: "目录、chart 的 .tgz 或单个清单文件",
        values: "chart 的 values 文件，后面的优先",
        set: "chart 的单个值，写作 a.b=c",
        release: "release 的名称，默认与 chart 同名",
        namespace: "release 的命名空间",
        recursive: "连同子目录一起读取（普通清单）",
        inputs: "不输出对象，而是列出读取的内容及其哈希",
        only_for_charts: "{flag} 仅用于 chart，而 {path} 不是。",
        only_for_plain: "{flag} 仅用于普通清单，而 {path} 不是。",
        lacks_mapping: "它是列表或文本，不是映射。",
        lacks_field: "缺少 {field}。",
        more_than: "数量超过 {limit}。",
        already_in: "{place} 中已有定义。",
    },

    kustomize: CommandText {
        about: "kustomize 的功能：构建 kustomization",
        long: "",
        examples: "deploy kustomize build overlays/prod",
    },
    kustomize_build: CommandText {
        about: "构建 kustomization 并输出其中的资源",
        long: "构建 kustomization 并输出其中的资源，与 kustomize 的输出逐字节一致。选项与 kustomize 相同，\
               会运行程序或访问网络的选项一律拒绝，并指明是哪一个。",
        examples: "\
# 当前目录
deploy kustomize build

# 其他目录，写入文件
deploy kustomize build overlays/prod -o prod.yaml

# 允许读取目录之外的文件
deploy kustomize build overlays/prod --load-restrictor LoadRestrictionsNone",
    },
    kustomize_flags: KustomizeFlags {
        dir: "包含 kustomization.yaml 的目录",
        output: "写入该文件；若为目录，则每个资源一个文件",
        load_restrictor: "是否允许读取目录之外的文件",
    },

    run: CommandText {
        about: "在前台单独运行 Deploy 的某一部分",
        long: "",
        examples: "deploy run cluster",
    },
    run_cluster: CommandText {
        about: "运行内置的 Kubernetes，直到收到停止信号",
        long: "在本机运行一个小型 Kubernetes 1.34：API 服务器、控制器和调度器同在一个进程中，数据存放在一个目录里。\
               以 root 运行时还带一个节点，Pod 是真实的容器。适合评估、开发和测试 chart，不是生产集群。",
        examples:
            "\
# 启动后，在另一个终端中使用
deploy run cluster
export KUBECONFIG=$(deploy cluster kubeconfig --path)
kubectl get namespaces

# 测试 chart：用完即弃的目录，自动选择空闲端口
deploy run cluster --api-only --data-dir /tmp/test --listen 127.0.0.1:0 --kubeconfig-out /tmp/test.kubeconfig

# 在第一个集群旁边再启动一个
deploy run cluster --data-dir /srv/second --port-offset 100 --service-cidr 10.112.0.0/16",
    },
    ci: super::ci::CI_ZH,
    ci_run: super::ci::RUN_ZH,
    ci_words: super::ci::ZH,
    run_registry: super::registry::RUN_ZH,
    registry_words: super::registry::ZH,
    build: super::build::BUILD_ZH,
    image: super::build::IMAGE_ZH,
    image_base: super::build::BASE_ZH,
    build_words: super::build::ZH,
    cluster: CommandText {
        about: "查看或停止内置的 Kubernetes",
        long: "",
        examples: "deploy cluster status",
    },
    cluster_status: CommandText {
        about: "查看集群是否在运行，以及地址",
        long: "",
        examples: "\
deploy cluster status
deploy cluster status -o json",
    },
    cluster_kubeconfig: CommandText {
        about: "输出集群管理员的 kubeconfig",
        long: "",
        examples: "\
deploy cluster kubeconfig > ~/.kube/deploy

# 只要文件路径
export KUBECONFIG=$(deploy cluster kubeconfig --path)",
    },
    cluster_down: CommandText {
        about: "停止集群，数据保留",
        long: "停止服务器，让 Pod 按各自清单的要求结束，并清除所有挂载、cgroup、命名空间、规则表和网桥。集群中的对象保留，下次启动时 \
               Pod 会重新运行。",
        examples: "\
deploy cluster down

# 不等待结束缓慢的 Pod
deploy cluster down --force",
    },
    cluster_image: CommandText {
        about: "集群节点上的镜像",
        long: "管理 Pod 所用的镜像，集群是否在运行均可。",
        examples: "\
# Pod 以归档中记录的名称使用镜像
deploy cluster image load app.oci.tar
deploy cluster image list",
    },
    cluster_image_load: CommandText {
        about: "从归档文件向集群导入镜像",
        long: "接受 OCI 归档和 `docker save` 的输出，压缩与否均可；- 表示标准输入。打印 Pod 使用镜像时的名称。归档没有给出名称的镜像，\
               用 --name 命名。",
        examples: "\
# 来自 docker、podman 或 skopeo
docker save app:1 | deploy cluster image load -
skopeo copy containers-storage:localhost/app:1 oci-archive:app.tar && deploy cluster image load --name app:1 app.tar",
    },
    cluster_image_list: CommandText {
        about: "列出集群节点上的镜像",
        long: "",
        examples: "deploy cluster image list -o json",
    },
    cluster_image_prune: CommandText {
        about: "删除没有 Pod 使用的镜像",
        long: "删除既没有 Pod 引用、也没有容器正在使用的镜像，并打印其名称。",
        examples: "deploy cluster image prune",
    },
    image_words: ImageWords {
        archives: "镜像归档文件，- 表示标准输入",
        name: "归档中镜像的名称；仅用于只含一个镜像的归档",
        no_reference: "{name} 不是镜像名称",
        columns: ["镜像", "ID", "大小"],
        pruned: "已删除 {images} 个镜像，共 {size}。",
        busy: "正在拉取镜像：镜像层保留到下一次清理。",
    },
    cluster_words: ClusterWords {
        api_only: "不带节点：Pod 只调度、不运行；不需要 root",
        node_name: "本机节点的名称；默认为主机名",
        ingress_http: "Ingress 的 HTTP 监听地址；端口 0 表示任选空闲端口",
        ingress_https: "Ingress 的 HTTPS 监听地址；端口 0 表示任选空闲端口",
        no_controllers: "连控制器和调度器也不启动，只有 API 服务器",
        listen: "API 服务器的监听地址；端口 0 表示自动选择空闲端口",
        kubeconfig_out: "把管理员的 kubeconfig 另写一份到此处",
        kubeconfig_path: "只输出文件路径",
        columns: ["状态", "版本", "地址", "PID", "KUBECONFIG"],
        ready: "Kubernetes 已就绪：{address}，用时 {milliseconds} 毫秒。",
        next: "下一步：kubectl --kubeconfig {path} get namespaces",
        pods_wait: "Pod 只会被调度，不会运行：这个版本还没有节点。",
        stopping: "正在停止……",
        stopped: "已停止。",
        running: "运行中",
        owner: "进程 {pid}",
        listener: "{program}（进程 {pid}）正在该处监听",
        port_offset: "加到所有未指定地址的端口上：在同一台机器上运行第二个集群时使用",
        service_cidr: "新集群的 Service 地址段；默认 10.96.0.0/16",
        no_range: "应为 /8 到 /28 之间的 IPv4 地址段，例如 10.112.0.0/16",
        hinders_forwarding: "防火墙表 {family} {table} 的链 {chain} 会丢弃 Pod 之间以及 Pod 对外的数据包。放行方法：{remedy}",
        hinders_input: "防火墙表 {family} {table} 的链 {chain} 会丢弃 Pod 发往 API 和 DNS 的数据包。放行方法：{remedy}",
    },
    down_words: DownWords {
        force: "立即结束 Pod，不执行钩子，也不留宽限时间",
        timeout: "每个 Pod 最多可用的宽限秒数，以此为上限",
        begun: "正在结束 {pods} 个 Pod，最多等待 {seconds} 秒。",
        ended: "{pod} 已结束，还剩 {left} 个。",
        late: "{left} 个 Pod 未能按时结束，将被强制终止。",
    },

    cluster_apply: CommandText {
        about: "把对象应用到运行中的集群，并等待其正常工作",
        long: "在服务器端应用文件、目录（含子目录）或标准输入（-）中的对象，字段管理者为 `deploy`：\
               由他人管理且未提及的字段保持不变。输出每个对象是新建、已更新还是未变。",
        examples: "\
# 应用一个目录，工作负载可用后结束
deploy cluster apply -n shop --wait manifests/

# 应用渲染结果
deploy render examples/shop/chart --namespace prod-us | deploy cluster apply -n prod-us -",
    },
    apply_words: ApplyWords {
        paths: "YAML 或 JSON 文件或目录；- 表示标准输入",
        namespace: "未写命名空间的对象放入此命名空间",
        wait: "等待工作负载可用、任务完成、Ingress 获得地址",
        timeout: "最长等待时间",
    },

    config: CommandText {
        about: "查看配置",
        long: "查看配置。每个设置依次取自：命令行选项、DEPLOY_ 环境变量、deploy.toml、默认值。",
        examples: "deploy config show --origin",
    },
    config_show: CommandText {
        about: "显示所有设置及其取值",
        long: "",
        examples: "\
deploy config show

# 每个取值从何而来
deploy config show --origin

DEPLOY_LANG=zh deploy config show -o json",
    },
    config_origin: "显示每个取值的来源",
    config_default: "默认值",
};

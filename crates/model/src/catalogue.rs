//! Every error that a user can see.
//!
//! To add one: a line in [`catalogue!`] below, and a section `## DEP-...` in `docs/en/errors.md` and `docs/zh/errors.md`.
//! `{name}` in a text is filled by [`crate::Diagnostic::with`]. Texts say what happened; hints say the next step.

use crate::Lang;

/// The texts of one code.
#[derive(Clone, Copy, Debug)]
pub struct Message {
    id: &'static str,
    en: (&'static str, &'static str),
    zh: (&'static str, &'static str),
}

impl Message {
    /// The stable code, for example `DEP-RENDER-003`.
    pub fn id(&self) -> &'static str {
        self.id
    }

    /// What happened.
    pub fn text(&self, lang: Lang) -> &'static str {
        match lang {
            Lang::En => self.en.0,
            Lang::Zh => self.zh.0,
        }
    }

    /// What to do next.
    pub fn hint(&self, lang: Lang) -> &'static str {
        match lang {
            Lang::En => self.en.1,
            Lang::Zh => self.zh.1,
        }
    }
}

macro_rules! catalogue {
    ($($name:ident = $id:literal { en: $en:literal, $en_hint:literal; zh: $zh:literal, $zh_hint:literal; })+) => {
        /// A stable code of an error that a user can see.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        #[allow(missing_docs)]
        pub enum Code { $($name),+ }

        impl Code {
            /// Every code, in the order of the catalogue.
            pub const ALL: &'static [Code] = &[$(Code::$name),+];

            /// Its texts in both languages.
            pub fn message(self) -> Message {
                match self {
                    $(Code::$name => Message { id: $id, en: ($en, $en_hint), zh: ($zh, $zh_hint) }),+
                }
            }
        }
    };
}

catalogue! {
    FileUnreadable = "DEP-FILE-001" {
        en: "The file {path} cannot be read.",
            "Check that it exists and that you may read it: ls -l {path}";
        zh: "无法读取文件 {path}。",
            "请确认文件存在且有读取权限：ls -l {path}";
    }
    FileTooLarge = "DEP-FILE-002" {
        en: "The file {path} is larger than {limit}.",
            "Leave generated or binary files out of the folder, for example with .helmignore.";
        zh: "文件 {path} 超过 {limit} 的上限。",
            "请把生成文件和二进制文件排除在目录之外，例如写进 .helmignore。";
    }
    YamlSyntax = "DEP-YAML-001" {
        en: "{file} is not valid YAML.",
            "Look at the named line and the one above it: indentation, a missing colon or an unclosed quote.";
        zh: "{file} 不是有效的 YAML。",
            "请检查所指的行和它的上一行：缩进、缺少冒号或引号没有闭合。";
    }
    YamlLimit = "DEP-YAML-002" {
        en: "{file} exceeds a bound of the YAML reader.",
            "Aliases that multiply and very deep nesting are refused; write the values out.";
        zh: "{file} 超出了 YAML 读取的上限。",
            "成倍展开的别名和过深的嵌套会被拒绝，请直接写出这些值。";
    }
    AppFieldUnknown = "DEP-APP-001" {
        en: "There is no field {field}.",
            "Did you mean {instead}? A misspelt field that is ignored in silence is found only in production.";
        zh: "没有 {field} 这个字段。",
            "是否想写 {instead}？悄悄忽略拼错的字段，往往要到生产环境才会发现。";
    }
    AppFieldMissing = "DEP-APP-002" {
        en: "The field {field} is missing.",
            "Add it; deploy explain DEP-APP-002 says where all fields are described.";
        zh: "缺少字段 {field}。",
            "请补上；deploy explain DEP-APP-002 会说明所有字段在哪里有描述。";
    }
    AppFieldInvalid = "DEP-APP-003" {
        en: "The field {field} does not take this value.",
            "It takes: {expected}";
        zh: "字段 {field} 的值不合适。",
            "可接受的值：{expected}";
    }
    AppFieldTwice = "DEP-APP-004" {
        en: "{field} is there twice.",
            "Remove one of both: which one counts would be a guess.";
        zh: "{field} 重复出现。",
            "请删掉其中一个，否则只能靠猜哪个生效。";
    }
    AppWavesDisagree = "DEP-APP-005" {
        en: "{field} and the environment's sites disagree about the site {site}.",
            "Name the same sites in both, or leave out sites: the waves say them.";
        zh: "{field} 与该环境的 sites 在站点 {site} 上不一致。",
            "请让两处列出相同的站点，或省略 sites，以 waves 为准。";
    }
    HelmChartMissing = "DEP-HELM-001" {
        en: "There is no chart at {path}.",
            "Give a folder with a Chart.yaml, or a .tgz made by helm package.";
        zh: "{path} 处没有 chart。",
            "请指定包含 Chart.yaml 的目录，或 helm package 生成的 .tgz。";
    }
    HelmChartInvalid = "DEP-HELM-002" {
        en: "The chart cannot be loaded.",
            "See everything that is wrong with it: deploy helm lint {path}";
        zh: "无法加载该 chart。",
            "查看它的所有问题：deploy helm lint {path}";
    }
    HelmTemplateFailed = "DEP-HELM-003" {
        en: "A template of the chart failed.",
            "Open the named file and line; deploy helm template --debug prints what was rendered before.";
        zh: "chart 中有模板执行失败。",
            "请打开所指文件的对应行；deploy helm template --debug 会输出此前已渲染的内容。";
    }
    HelmValuesInvalid = "DEP-HELM-004" {
        en: "The values do not fit the chart.",
            "Compare them with the chart's own: deploy helm show values {path}";
        zh: "传入的 values 与 chart 不符。",
            "与 chart 自带的 values 对照：deploy helm show values {path}";
    }
    HelmOutputInvalid = "DEP-HELM-005" {
        en: "A template rendered to something that is not a Kubernetes object.",
            "deploy helm template --debug prints the text as it was rendered.";
        zh: "某个模板渲染出的内容不是 Kubernetes 对象。",
            "deploy helm template --debug 会输出渲染出的原文。";
    }
    HelmDependencyMissing = "DEP-HELM-006" {
        en: "A dependency that Chart.yaml names is not in charts/.",
            "Fetch it with helm dependency update, or remove it from Chart.yaml.";
        zh: "Chart.yaml 声明的依赖不在 charts/ 目录中。",
            "请运行 helm dependency update 获取，或从 Chart.yaml 中删除。";
    }
    HelmLintFailed = "DEP-HELM-007" {
        en: "The chart has errors.",
            "Mend each line that begins with [ERROR], then lint again.";
        zh: "该 chart 存在错误。",
            "请逐条修复以 [ERROR] 开头的行，然后重新检查。";
    }
    HelmUnsupported = "DEP-HELM-008" {
        en: "{feature} is not supported: deploy helm asks no cluster, runs no program and downloads nothing.",
            "Fetch the chart first (helm pull, helm dependency update), or pipe the output into the program.";
        zh: "不支持 {feature}：deploy helm 不访问集群，不运行外部程序，也不下载任何内容。",
            "请先取得 chart（helm pull、helm dependency update），或通过管道把输出交给该程序处理。";
    }
    KustomizeBuildFailed = "DEP-KUST-001" {
        en: "The kustomization at {path} cannot be built.",
            "Read the chain of files above from the outside in; the last one names what to mend.";
        zh: "无法构建 {path} 处的 kustomization。",
            "请由外向内查看上面的文件链，最后一个指出了需要修改之处。";
    }
    KustomizeUnsupported = "DEP-KUST-002" {
        en: "The field {field} of a kustomization is not supported yet.",
            "docs/conformance.md lists what is supported; until then build this folder with kustomize itself.";
        zh: "尚不支持 kustomization 的字段 {field}。",
            "docs/conformance.md 列出了已支持的字段；在此之前请用 kustomize 构建该目录。";
    }
    KustomizeFlagUnsupported = "DEP-KUST-003" {
        en: "The option {flag} of kustomize build is not supported.",
            "A render runs no program and reads no network; build this folder with kustomize itself.";
        zh: "不支持 kustomize build 的选项 {flag}。",
            "渲染时不会运行外部程序，也不会访问网络；请用 kustomize 构建该目录。";
    }
    RenderNotAnObject = "DEP-RENDER-001" {
        en: "{file} has a document that is not a Kubernetes object.",
            "An object needs apiVersion, kind and metadata.name; move other files out of the folder.";
        zh: "{file} 中有文档不是 Kubernetes 对象。",
            "对象必须包含 apiVersion、kind 和 metadata.name；其他文件请移到别的目录。";
    }
    RenderDuplicate = "DEP-RENDER-002" {
        en: "The object {object} is described twice.",
            "Keep one of the two: the cluster would keep whichever is applied last.";
        zh: "对象 {object} 重复定义。",
            "请只保留一处，否则集群中留下的是最后应用的那个。";
    }
    RenderEmpty = "DEP-RENDER-003" {
        en: "There is nothing to render in {path}.",
            "Give a folder with Chart.yaml, kustomization.yaml or manifests; --recursive reads the folders inside, too.";
        zh: "{path} 中没有可渲染的内容。",
            "请指定包含 Chart.yaml、kustomization.yaml 或清单文件的目录；--recursive 会一并读取子目录。";
    }
    RenderTooLarge = "DEP-RENDER-004" {
        en: "{path} is too large to be a folder of manifests.",
            "Name the folder that holds the manifests, not one above it.";
        zh: "{path} 过大，不像是清单目录。",
            "请指定真正存放清单的目录，而不是它的上级目录。";
    }
    ClusterInUse = "DEP-CLUSTER-001" {
        en: "Another process serves the cluster in {path}.",
            "Stop it with deploy cluster down, or name another folder with --data-dir.";
        zh: "{path} 中的集群正由另一个进程提供服务。",
            "用 deploy cluster down 停止它，或用 --data-dir 指定另一个目录。";
    }
    ClusterDataNewer = "DEP-CLUSTER-002" {
        en: "The data in {path} were written by a newer version of Deploy.",
            "Run that version or a later one; nothing was changed.";
        zh: "{path} 中的数据由更新版本的 Deploy 写入。",
            "请使用该版本或更高版本；数据没有任何改动。";
    }
    ClusterDataDamaged = "DEP-CLUSTER-003" {
        en: "The data of the cluster in {path} cannot be read.",
            "Restore the folder from a backup, or start afresh with another --data-dir; nothing was changed.";
        zh: "无法读取 {path} 中的集群数据。",
            "请从备份恢复该目录，或用另一个 --data-dir 重新开始；数据没有任何改动。";
    }
    ClusterAddressTaken = "DEP-CLUSTER-004" {
        en: "The cluster cannot listen on {address}.",
            "End the program that has it, or move all ports of the cluster: deploy run cluster --port-offset 100";
        zh: "集群无法监听 {address}。",
            "请结束占用它的程序，或整体移动集群的端口：deploy run cluster --port-offset 100";
    }
    ClusterNotRunning = "DEP-CLUSTER-005" {
        en: "No cluster runs in {path}.",
            "Start one: deploy run cluster";
        zh: "{path} 中没有正在运行的集群。",
            "启动集群：deploy run cluster";
    }
    ClusterUnreachable = "DEP-CLUSTER-006" {
        en: "The cluster at {address} does not answer.",
            "See what it says on its terminal; deploy cluster down stops it.";
        zh: "位于 {address} 的集群没有响应。",
            "请查看其终端输出；deploy cluster down 可停止它。";
    }
    ClusterStartFailed = "DEP-CLUSTER-007" {
        en: "The cluster could not be started.",
            "Check that {path} can be written and has space, then start it again.";
        zh: "集群启动失败。",
            "请检查 {path} 是否可写、空间是否充足，然后重新启动。";
    }
    ClusterStillStopping = "DEP-CLUSTER-008" {
        en: "The cluster was asked to stop and has not ended yet.",
            "Wait a moment, then look again: deploy cluster status";
        zh: "已通知集群停止，但它尚未结束。",
            "请稍候再查看：deploy cluster status";
    }
    ClusterRefused = "DEP-CLUSTER-009" {
        en: "The cluster refused {object}.",
            "Mend what the cause names and apply it again; what was applied before stays.";
        zh: "集群拒绝了 {object}。",
            "请修正原因中指出的问题后重新应用；之前已应用的对象保持不变。";
    }
    ClusterNotReady = "DEP-CLUSTER-010" {
        en: "{object} was applied and does not work yet.",
            "Look at what it waits for: kubectl describe {object}; a longer --timeout waits on.";
        zh: "{object} 已应用，但尚未正常工作。",
            "请查看它在等待什么：kubectl describe {object}；加大 --timeout 可继续等待。";
    }
    ClusterCannotRunPods = "DEP-CLUSTER-011" {
        en: "This machine cannot run pods.",
            "Get what the cause names and start again. Without pods it works now: deploy run cluster --api-only";
        zh: "本机无法运行 Pod。",
            "请补齐原因中指出的条件后重新启动。不运行 Pod 时现在即可使用：deploy run cluster --api-only";
    }
    ClusterNotSwept = "DEP-CLUSTER-012" {
        en: "The cluster has ended, and something that its pods used is still there.",
            "Run it again as the user who started the cluster: deploy cluster down. The folder is {path}";
        zh: "集群已结束，但其 Pod 占用的部分资源仍未清除。",
            "请以启动集群的用户身份再次执行 deploy cluster down；数据目录：{path}";
    }
    ClusterRangeFixed = "DEP-CLUSTER-013" {
        en: "The services of the cluster in {path} have their addresses in {range}.",
            "Start it without --service-cidr, or make a new cluster in another folder: deploy run cluster --data-dir /srv/second";
        zh: "{path} 中集群的 Service 地址段是 {range}，无法更改。",
            "请去掉 --service-cidr，或在另一个目录中新建集群：deploy run cluster --data-dir /srv/second";
    }
    LedgerMissing = "DEP-LEDGER-001" {
        en: "There is no ledger in {path}.",
            "Name the data folder of the server: deploy audit list --data-dir /var/lib/deploy";
        zh: "{path} 中没有账本。",
            "请指定服务器的数据目录：deploy audit list --data-dir /var/lib/deploy";
    }
    LedgerNewer = "DEP-LEDGER-002" {
        en: "The ledger in {path} was written by a newer version of Deploy.",
            "Run that version or a later one; nothing was changed.";
        zh: "{path} 中的账本由更新版本的 Deploy 写入。",
            "请使用该版本或更高版本；数据没有任何改动。";
    }
    LedgerDamaged = "DEP-LEDGER-003" {
        en: "The ledger in {path} is damaged.",
            "Stop the server, copy the folder, and restore a backup into an empty one: deploy backup restore FILE --data-dir FOLDER";
        zh: "{path} 中的账本已损坏。",
            "请停止服务器并复制该目录，再把备份恢复到空目录：deploy backup restore FILE --data-dir FOLDER";
    }
    LedgerUnusable = "DEP-LEDGER-004" {
        en: "The ledger in {path} cannot be used.",
            "The cause says what is in the way: another process, a full disk, a missing right. Put it right and try again.";
        zh: "无法使用 {path} 中的账本。",
            "原因说明了障碍：其他进程、磁盘已满或缺少权限。请排除后重试。";
    }
    BackupNotMade = "DEP-BACKUP-001" {
        en: "No backup was made.",
            "Name a file that does not exist yet, outside of the data folder, on a disk with space: deploy backup create FILE";
        zh: "没有生成备份。",
            "请指定数据目录之外、空间充足的磁盘上一个尚不存在的文件：deploy backup create FILE";
    }
    BackupDamaged = "DEP-BACKUP-002" {
        en: "The backup {path} is not whole.",
            "Take another one, and see that it is whole: deploy backup verify FILE";
        zh: "备份 {path} 不完整。",
            "请换用另一个备份，并确认其完好：deploy backup verify FILE";
    }
    BackupNotRestored = "DEP-BACKUP-003" {
        en: "Nothing was restored to {path}.",
            "The cause says what is in the way. Restore into a folder that is empty or missing: deploy backup restore FILE --data-dir FOLDER";
        zh: "没有向 {path} 恢复任何内容。",
            "原因说明了障碍。请恢复到空的或不存在的目录：deploy backup restore FILE --data-dir FOLDER";
    }
    BackupNewer = "DEP-BACKUP-004" {
        en: "The backup {path} was made by a newer version of Deploy.",
            "Restore it with that version or a later one.";
        zh: "备份 {path} 由更新版本的 Deploy 生成。",
            "请使用该版本或更高版本恢复。";
    }
    ImageNotLoaded = "DEP-IMAGE-001" {
        en: "No image was taken from {path}.",
            "Take an OCI archive or what docker save writes, of one that is made for this machine: skopeo inspect oci-archive:{path}";
        zh: "没有从 {path} 导入镜像。",
            "请使用适用于本机的 OCI 归档或 docker save 的输出；可先查看：skopeo inspect oci-archive:{path}";
    }
    ImageStoreUnusable = "DEP-IMAGE-002" {
        en: "The images in {path} cannot be used.",
            "They belong to the user who runs the cluster, which is root where pods run. Run the command as that user.";
        zh: "无法使用 {path} 中的镜像。",
            "它们属于运行集群的用户；运行 Pod 的集群由 root 运行。请以该用户身份执行命令。";
    }
    ImagesInUseUnknown = "DEP-IMAGE-003" {
        en: "Which images are in use is not known, so none was removed.",
            "Run the command as the user who runs the cluster. See whether it answers: deploy cluster status";
        zh: "无法确定哪些镜像正在使用，因此没有删除任何镜像。",
            "请以运行集群的用户身份执行命令，并查看集群是否响应：deploy cluster status";
    }
    ServerAddressTaken = "DEP-SERVER-001" {
        en: "The server cannot listen on {address}.",
            "Choose other addresses: deploy run ci --listen 127.0.0.1:7081 --registry 127.0.0.1:7051";
        zh: "服务器无法监听 {address}。",
            "请换用其他地址：deploy run ci --listen 127.0.0.1:7081 --registry 127.0.0.1:7051";
    }
    ServerStartFailed = "DEP-SERVER-002" {
        en: "The server could not be started.",
            "Put right what the cause names, then start it again: deploy run ci --data-dir {path}";
        zh: "服务器启动失败。",
            "请排除原因中所述的问题，然后重新启动：deploy run ci --data-dir {path}";
    }
    ServerUnreachable = "DEP-SERVER-003" {
        en: "No server answers for {path}.",
            "Start it, or name the data folder of one that runs: deploy run ci --data-dir FOLDER";
        zh: "{path} 没有正在运行的服务器。",
            "请启动它，或指定正在运行的服务器的数据目录：deploy run ci --data-dir FOLDER";
    }
    ServerRefused = "DEP-SERVER-004" {
        en: "The server did not do what was asked.",
            "The cause has its words; deploy ci runs and deploy token list show what there is.";
        zh: "服务器没有执行该请求。",
            "原因是服务器的答复；deploy ci runs 和 deploy token list 可查看现有内容。";
    }
    CiNoWorkflow = "DEP-CI-001" {
        en: "There is no workflow in {path}.",
            "Put one into .deploy/workflows or .github/workflows, or name a file: deploy ci run --workflow FILE";
        zh: "{path} 中没有流水线文件。",
            "请放入 .deploy/workflows 或 .github/workflows，或指定文件：deploy ci run --workflow FILE";
    }
    CiWorkflowInvalid = "DEP-CI-002" {
        en: "The workflow {path} cannot be run as it is written.",
            "Correct the lines that the cause names. Nothing was run.";
        zh: "流水线 {path} 的内容有误，无法运行。",
            "请修改原因中指出的行。没有运行任何作业。";
    }
    CiCannotRun = "DEP-CI-003" {
        en: "This machine cannot run jobs.",
            "Run it as root. Without a way out of the sandbox: deploy ci run --network none";
        zh: "本机无法运行作业。",
            "请以 root 身份运行。若沙箱无需访问外部：deploy ci run --network none";
    }
    CiProblem = "DEP-CI-004" {
        en: "The workflow {path} cannot be run as it is.",
            "{next}";
        zh: "流水线 {path} 目前无法运行。",
            "{next}";
    }
    BuildFileInvalid = "DEP-BUILD-001" {
        en: "{path} cannot be built as it is written.",
            "Correct the lines that the cause names, and build again. Nothing was carried out.";
        zh: "{path} 的内容有误，无法构建。",
            "请修改原因中指出的行后重新构建。没有执行任何步骤。";
    }
    BuildBaseMissing = "DEP-BUILD-002" {
        en: "The image {name} is not here and could not be fetched.",
            "Make a base image: deploy image base debian. Or bring one in: deploy cluster image load ARCHIVE";
        zh: "本机没有镜像 {name}，也无法获取。",
            "可制作基础镜像：deploy image base debian；也可导入归档：deploy cluster image load ARCHIVE";
    }
    BuildStepFailed = "DEP-BUILD-003" {
        en: "A step ended with {code}: {step}",
            "Its last lines are the cause. What steps before it have made is kept: the next build goes on from there.";
        zh: "步骤以退出码 {code} 结束：{step}",
            "原因是该步骤最后输出的内容。之前步骤的结果已保留，下次构建从这里继续。";
    }
    BuildStepImpossible = "DEP-BUILD-004" {
        en: "A step cannot be carried out: {step}",
            "Correct it as the cause says, and build again. What steps before it have made is kept.";
        zh: "无法执行步骤：{step}",
            "请按原因修改后重新构建。之前步骤的结果已保留。";
    }
    BuildMachineUnfit = "DEP-BUILD-005" {
        en: "This user cannot carry out the steps of a build.",
            "Run it as root: sudo deploy build CONTEXT";
        zh: "当前用户无法执行构建步骤。",
            "请以 root 身份运行：sudo deploy build CONTEXT";
    }
    BuildNotPushed = "DEP-BUILD-006" {
        en: "The image is built, and {name} could not be pushed.",
            "Build again with --push when the registry answers: nothing is built twice. Accounts are those of docker login.";
        zh: "镜像已构建，但无法推送 {name}。",
            "镜像仓库恢复后再次用 --push 构建即可，不会重复构建。账号取自 docker login。";
    }
    BuildDataUnusable = "DEP-BUILD-007" {
        en: "The builder cannot use {path}.",
            "Check that it can be written and has space, then build again. deploy cluster image prune makes room.";
        zh: "构建器无法使用 {path}。",
            "请检查是否可写、空间是否充足，然后重新构建。可用 deploy cluster image prune 清理空间。";
    }
    BuildEnded = "DEP-BUILD-008" {
        en: "The build was ended.",
            "What steps have made so far is kept: the next build goes on from there.";
        zh: "构建已被终止。",
            "已完成步骤的结果已保留，下次构建从这里继续。";
    }
    BaseToolMissing = "DEP-BUILD-009" {
        en: "No base image was made: mmdebstrap is not installed.",
            "Install it and run the command again: apt-get install mmdebstrap";
        zh: "没有制作基础镜像：未安装 mmdebstrap。",
            "请安装后重试：apt-get install mmdebstrap";
    }
    BaseNotMade = "DEP-BUILD-010" {
        en: "No base image was made.",
            "The cause is what mmdebstrap said last. See whether apt-get update works on this machine, and run it as root.";
        zh: "没有制作基础镜像。",
            "原因是 mmdebstrap 最后输出的内容。请确认本机 apt-get update 正常，并以 root 身份运行。";
    }
    RegistryInUse = "DEP-REGISTRY-001" {
        en: "The registry in {path} is served by another process already.",
            "Stop that one, or name another folder with --data-dir.";
        zh: "{path} 中的镜像仓库正由另一个进程提供服务。",
            "请停止该进程，或用 --data-dir 指定另一个目录。";
    }
    RegistryDataNewer = "DEP-REGISTRY-002" {
        en: "The data in {path} were written by a newer version of Deploy.",
            "Run that version or a later one; nothing was changed.";
        zh: "{path} 中的数据由更新版本的 Deploy 写入。",
            "请使用该版本或更高版本；数据没有任何改动。";
    }
    RegistryDataDamaged = "DEP-REGISTRY-003" {
        en: "The data of the registry in {path} cannot be read.",
            "Restore the folder from a backup, or start afresh with another --data-dir; nothing was changed.";
        zh: "无法读取 {path} 中的镜像仓库数据。",
            "请从备份恢复该目录，或用另一个 --data-dir 重新开始；数据没有任何改动。";
    }
    RegistryAddressTaken = "DEP-REGISTRY-004" {
        en: "The registry cannot listen on {address}.",
            "Choose another address: deploy run registry --listen 127.0.0.1:7051";
        zh: "镜像仓库无法监听 {address}。",
            "请换一个地址：deploy run registry --listen 127.0.0.1:7051";
    }
    RegistryStartFailed = "DEP-REGISTRY-005" {
        en: "The registry could not be started.",
            "Check that {path} can be written and has space, then start it again.";
        zh: "镜像仓库启动失败。",
            "请检查 {path} 是否可写、空间是否充足，然后重新启动。";
    }
    RegistryWithoutUsers = "DEP-REGISTRY-006" {
        en: "On {address} others could reach the registry, and it has no accounts.",
            "Add some (htpasswd -B -c users.htpasswd NAME) and give the file: deploy run registry --users users.htpasswd --listen {address}";
        zh: "监听 {address} 会让其他机器访问镜像仓库，但还没有任何账号。",
            "请先创建账号（htpasswd -B -c users.htpasswd NAME），再指定该文件：deploy run registry --users users.htpasswd --listen {address}";
    }
    RegistryUsersInvalid = "DEP-REGISTRY-007" {
        en: "The accounts in {path} cannot be used.",
            "A line is name:password as htpasswd -B writes it, and after another colon what it may do, as in shop/*=pull,push";
        zh: "无法使用 {path} 中的账号。",
            "每行格式为 name:password，由 htpasswd -B 生成；可再加一个冒号和权限，例如 shop/*=pull,push";
    }
    UsageInvalid = "DEP-CLI-001" {
        en: "The command line is not valid.",
            "See what is accepted: {command} --help";
        zh: "命令行参数无效。",
            "查看可用参数：{command} --help";
    }
    OutputFailed = "DEP-CLI-002" {
        en: "The output could not be written.",
            "Check the disk space and the other end of the pipe.";
        zh: "无法写出结果。",
            "请检查磁盘空间以及管道的另一端。";
    }
    ConfigInvalid = "DEP-CONFIG-001" {
        en: "The configuration {path} is not valid.",
            "See every setting with its origin: deploy config show --origin";
        zh: "配置文件 {path} 无效。",
            "查看每个设置及其来源：deploy config show --origin";
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    fn placeholders(text: &str) -> BTreeSet<&str> {
        text.split('{')
            .skip(1)
            .filter_map(|rest| rest.split_once('}'))
            .map(|(name, _)| name)
            .collect()
    }

    #[test]
    fn codes_are_unique_and_well_formed() {
        let ids: BTreeSet<&str> = Code::ALL.iter().map(|code| code.message().id()).collect();
        assert_eq!(ids.len(), Code::ALL.len());
        for id in ids {
            let parts: Vec<&str> = id.split('-').collect();
            assert!(
                matches!(parts[..], ["DEP", area, number] if !area.is_empty() && number.len() == 3),
                "{id}"
            );
        }
    }

    #[test]
    fn both_languages_take_the_same_arguments() {
        for code in Code::ALL {
            let message = code.message();
            for part in [Message::text as fn(&Message, Lang) -> &'static str, Message::hint] {
                assert!(!part(&message, Lang::En).is_empty() && !part(&message, Lang::Zh).is_empty());
                assert_eq!(
                    placeholders(part(&message, Lang::En)),
                    placeholders(part(&message, Lang::Zh)),
                    "{}",
                    message.id()
                );
            }
        }
    }
}

//! What `deploy ci` says, in both languages.

use super::CommandText;

/// Flags and messages of `deploy ci run`.
#[allow(missing_docs, reason = "the English text says what each is")]
pub struct CiWords {
    pub workflow: &'static str,
    pub file: &'static str,
    pub event: &'static str,
    pub input: &'static str,
    pub secret: &'static str,
    pub env: &'static str,
    pub network: &'static str,
    pub label: &'static str,
    pub memory: &'static str,
    pub cpus: &'static str,
    pub starts_not: &'static str,
    pub missed: &'static str,
    pub waits: &'static str,
    pub began: &'static str,
    pub summary: &'static str,
    pub logs: &'static str,
    pub cancelling: &'static str,
}

pub const CI_EN: CommandText = CommandText {
    about: "Run workflows in the form of GitHub Actions",
    long: "",
    examples: "deploy ci run",
};

pub const RUN_EN: CommandText = CommandText {
    about: "Run the workflows of this working copy, here and now",
    long: "Reads the workflows in .deploy/workflows, else in .forgejo, .gitea or .github, and runs those that the event starts, \
           each job in a sandbox of its own: the system folders and toolchains of this machine beneath an overlay, its own \
           processes and network, limits of memory, processes and disk. actions/checkout brings the files of the working copy as \
           they are, changed or not, but for what Git ignores. The exit code is 0 where all runs succeed. It needs root.",
    examples: "\
# All workflows that a push starts
deploy ci run

# One of them, by its name or its file, with inputs and a secret of the environment
deploy ci run release.yml --event workflow_dispatch --input version=1.2.3 --secret TOKEN

# A file that lies elsewhere, without a way out of the sandbox
deploy ci run --workflow /tmp/try.yml --network none",
};

pub const EN: CiWords = CiWords {
    workflow: "Run only this one: its name, or the name of its file",
    file: "Run this file, wherever it is",
    event: "What has happened",
    input: "An input of workflow_dispatch; may be repeated",
    secret: "A secret: NAME takes it from the environment, NAME=VALUE sets it; may be repeated",
    env: "A variable of all steps: NAME takes it from the environment, NAME=VALUE sets it; may be repeated",
    network: "The network of jobs: out has a way out, none has only a loopback, host is that of this machine",
    label: "What a label of runs-on stands for: host, or the name of an image; may be repeated",
    memory: "The memory of each job, in MiB",
    cpus: "The processors of each job, also parts of one",
    starts_not: "{file} does not start: {reason}",
    missed: "The terminal was too slow for {count} messages; the logs have all of it.",
    waits: "waits: {reason}",
    began: "runs on {place}, after {ms} ms",
    summary: "{workflow}: {conclusion} in {ms} ms",
    logs: "Logs: {folder}",
    cancelling: "Cancelling; once more ends it at once.",
};

pub const CI_ZH: CommandText = CommandText {
    about: "运行 GitHub Actions 格式的流水线",
    long: "",
    examples: "deploy ci run",
};

pub const RUN_ZH: CommandText = CommandText {
    about: "立即在本机运行当前工作副本的流水线",
    long: "读取 .deploy/workflows 中的流水线文件；没有时依次查找 .forgejo、.gitea、.github，并运行由事件触发的流水线。\
           每个作业都有自己的沙箱：以覆盖层的方式使用本机的系统目录和工具链，拥有独立的进程与网络，并限制内存、进程数和磁盘。\
           actions/checkout 取得工作副本中的现有文件（包括未提交的改动），但不含 Git 忽略的文件。全部成功时退出码为 0。需要 root 权限。",
    examples: "\
# 由 push 触发的全部流水线
deploy ci run

# 按名称或文件名只运行其中一个，并传入参数和环境中的密钥
deploy ci run release.yml --event workflow_dispatch --input version=1.2.3 --secret TOKEN

# 运行别处的文件，沙箱不连外网
deploy ci run --workflow /tmp/try.yml --network none",
};

pub const ZH: CiWords = CiWords {
    workflow: "只运行这一个：名称或文件名",
    file: "运行此文件，无论它在哪里",
    event: "发生的事件",
    input: "workflow_dispatch 的参数，可重复",
    secret: "密钥：NAME 取自环境变量，NAME=VALUE 直接指定，可重复",
    env: "所有步骤的环境变量：NAME 取自环境，NAME=VALUE 直接指定，可重复",
    network: "作业的网络：out 可访问外部，none 只有回环，host 为本机网络",
    label: "runs-on 的标签对应什么：host 或镜像名，可重复",
    memory: "每个作业的内存，单位 MiB",
    cpus: "每个作业的处理器数，可为小数",
    starts_not: "{file} 未触发：{reason}",
    missed: "终端太慢，略过了 {count} 条消息；日志中有完整内容。",
    waits: "等待：{reason}",
    began: "运行于 {place}，等待 {ms} 毫秒",
    summary: "{workflow}：{conclusion}，用时 {ms} 毫秒",
    logs: "日志：{folder}",
    cancelling: "正在取消；再按一次立即结束。",
};

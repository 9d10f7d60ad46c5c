//! What `deploy run ci`, the runs of a server and its tokens say, in both languages.

use deploy_model::Lang;

use super::CommandText;

/// The texts of a language.
pub fn of(lang: Lang) -> &'static ServerWords {
    match lang {
        Lang::En => &EN,
        Lang::Zh => &ZH,
    }
}

/// All of it.
#[allow(missing_docs, reason = "the English text says what each is")]
pub struct ServerWords {
    pub run: CommandText,
    pub listen: &'static str,
    pub registry: &'static str,
    pub registry_name: &'static str,
    pub external_url: &'static str,
    pub mutable_tags: &'static str,
    pub ready: &'static str,
    pub pushed: &'static str,
    pub pushed_nothing: &'static str,
    pub started: &'static str,
    pub ended: &'static str,
    pub failed: &'static str,
    pub missed: &'static str,
    pub stopping: &'static str,
    pub stopped: &'static str,

    pub runs: CommandText,
    pub show: CommandText,
    pub cancel: CommandText,
    pub rerun: CommandText,
    pub start: CommandText,
    pub run_number: &'static str,
    pub repository_filter: &'static str,
    pub limit: &'static str,
    pub log: &'static str,
    pub wait: &'static str,
    pub workflow: &'static str,
    pub repository: &'static str,
    pub reference: &'static str,
    pub input: &'static str,
    pub no_runs: &'static str,
    pub cancelling: &'static str,
    pub queued: &'static str,
    pub headings: [&'static str; 7],

    pub token: CommandText,
    pub token_create: CommandText,
    pub token_list: CommandText,
    pub token_revoke: CommandText,
    pub token_helper: CommandText,
    pub token_name: &'static str,
    pub token_read: &'static str,
    pub token_created: &'static str,
    pub token_revoked: &'static str,
    pub token_headings: [&'static str; 3],
}

const EN: ServerWords = ServerWords {
    run: CommandText {
        about: "Run Git server, workflows, builder and registry until told to stop",
        long: "Takes pushes of Git over HTTP and runs the workflows in .deploy/workflows (else .forgejo, .gitea or .github) of \
               what was pushed, each job in a sandbox of its own. docker/build-push-action builds without a daemon and pushes to \
               the registry that this command runs too. All that happens is in the ledger: deploy audit list. A push to a \
               repository that does not exist makes it. Secrets of workflows are files: config/secrets/NAME in the data folder, \
               or config/secrets/REPOSITORY/NAME. It needs root.",
        examples: "\
# Start; it says how to push
deploy run ci

# In another terminal: let git know the token, then push a repository
git config --global credential.http://127.0.0.1:7080.helper '!deploy token helper'
git push http://127.0.0.1:7080/git/shop.git main

# What came of it
deploy ci runs
deploy ci show 1 --log",
    },
    listen: "Where Git and the API listen, port 0 is any that is free",
    registry: "Where the registry listens, port 0 is any that is free",
    registry_name: "A name under which images name the registry, beside its address; may be repeated",
    external_url: "The URL that people and workflows use when something stands before the server",
    mutable_tags: "Let tags move that are a commit or a version",
    ready: "Git: {url}/git/NAME.git, registry: {registry}. Let git know the token, once:\n  git config --global credential.{url}.helper '!deploy token helper'",
    pushed: "{by} pushed {reference} of {repository}: runs that start: {count}",
    pushed_nothing: "  {file}: {reason}",
    started: "Run {id} of {repository} begins: {workflow}",
    ended: "Run {id} of {repository} has ended: {workflow}: {conclusion} in {ms} ms",
    failed: "{what}: {reason}",
    missed: "The terminal was too slow for {count} messages; deploy audit list has all of it.",
    stopping: "Stopping: runs that are under way are cancelled, those that wait go on at the next start.",
    stopped: "The server has stopped.",

    runs: CommandText {
        about: "List the runs of the server, the newest first",
        long: "",
        examples: "\
# The last ones
deploy ci runs

# Of one repository, for another program
deploy ci runs --repository shop -o json",
    },
    show: CommandText {
        about: "Show a run of the server: its jobs, steps and times",
        long: "With --wait it returns when the run has ended; the exit code is 0 where it succeeded, and 7 where it has not ended \
               yet.",
        examples: "\
# How far is it?
deploy ci show 12

# Wait for its end, then print what its steps said
deploy ci show 12 --wait --log",
    },
    cancel: CommandText {
        about: "Cancel a run of the server",
        long: "Its steps get SIGTERM, and SIGKILL ten seconds later.",
        examples: "deploy ci cancel 12",
    },
    rerun: CommandText {
        about: "Run the same again: the same commit, workflow and event",
        long: "",
        examples: "deploy ci rerun 12",
    },
    start: CommandText {
        about: "Start a workflow of a repository of the server by hand",
        long: "The workflow must have workflow_dispatch among its events.",
        examples: "\
# By its file or its name, at the tip of the repository's own branch
deploy ci start release.yml --repository shop --input version=1.2.3

# At another branch or tag
deploy ci start release.yml --repository shop --ref v1.2.3",
    },
    run_number: "The number of the run",
    repository_filter: "Only runs of this repository",
    limit: "How many at most",
    log: "Print what the steps said, too",
    wait: "Return when the run has ended",
    workflow: "The workflow: its file, the name of its file, or its own name",
    repository: "The repository",
    reference: "A branch or tag; the repository's own branch by default",
    input: "An input, NAME=VALUE; may be repeated",
    no_runs: "No run yet: push a repository that has workflows.",
    cancelling: "Run {id} is told to end.",
    queued: "Run {id} is queued: deploy ci show {id} --wait",
    headings: ["RUN", "REPOSITORY", "WORKFLOW", "EVENT", "REF", "COMMIT", "STATE"],

    token: CommandText {
        about: "Tokens: who may push, pull and look",
        long: "",
        examples: "deploy token create ann",
    },
    token_create: CommandText {
        about: "Make a token and print it, once",
        long: "The token is the password for Git, the registry and the API; any user name will do. Only its hash is kept.",
        examples: "\
# For a person who pushes
deploy token create ann

# For a machine that only pulls
deploy token create cluster --read",
    },
    token_list: CommandText {
        about: "List tokens: their names and what they allow",
        long: "",
        examples: "deploy token list",
    },
    token_revoke: CommandText {
        about: "Revoke a token: it is refused from the next request on",
        long: "",
        examples: "deploy token revoke ann",
    },
    token_helper: CommandText {
        about: "Give git this user's token: a credential helper of git",
        long: "git calls it with get, store or erase; it answers get.",
        examples: "git config --global credential.http://127.0.0.1:7080.helper '!deploy token helper'",
    },
    token_name: "Whose it is",
    token_read: "It may look and pull, and change nothing",
    token_created: "This is the only time that it is shown.",
    token_revoked: "{name} is revoked.",
    token_headings: ["NAME", "RIGHT", "CREATED"],
};

const ZH: ServerWords = ServerWords {
    run: CommandText {
        about: "运行 Git 服务器、流水线、构建器和镜像仓库，直到收到停止信号",
        long: "通过 HTTP 接收 Git 推送，并运行所推送内容中 .deploy/workflows（没有时依次查找 .forgejo、.gitea、.github）的流水线，\
               每个作业都有自己的沙箱。docker/build-push-action 无需守护进程即可构建，并推送到本命令同时运行的镜像仓库。\
               所有发生的事都记在账本中：deploy audit list。推送到不存在的仓库会自动创建它。\
               流水线的密钥是数据目录中的文件：config/secrets/NAME 或 config/secrets/仓库名/NAME。需要 root 权限。",
        examples: "\
# 启动；会提示如何推送
deploy run ci

# 在另一个终端：让 git 知道令牌，然后推送
git config --global credential.http://127.0.0.1:7080.helper '!deploy token helper'
git push http://127.0.0.1:7080/git/shop.git main

# 查看结果
deploy ci runs
deploy ci show 1 --log",
    },
    listen: "Git 和 API 的监听地址，端口 0 表示任意空闲端口",
    registry: "镜像仓库的监听地址，端口 0 表示任意空闲端口",
    registry_name: "除地址外，镜像名中使用的仓库名称；可重复",
    external_url: "服务器前有代理时，人和流水线使用的 URL",
    mutable_tags: "允许移动提交号和版本号形式的标签",
    ready: "Git：{url}/git/NAME.git，镜像仓库：{registry}。请先让 git 知道令牌（只需一次）：\n  git config --global credential.{url}.helper '!deploy token helper'",
    pushed: "{by} 推送了 {repository} 的 {reference}，触发的运行数：{count}",
    pushed_nothing: "  {file}：{reason}",
    started: "{repository} 的运行 {id} 开始：{workflow}",
    ended: "{repository} 的运行 {id} 结束：{workflow}：{conclusion}，用时 {ms} 毫秒",
    failed: "{what}：{reason}",
    missed: "终端太慢，略过了 {count} 条消息；完整内容见 deploy audit list。",
    stopping: "正在停止：进行中的运行会被取消，排队的运行在下次启动时继续。",
    stopped: "服务器已停止。",

    runs: CommandText {
        about: "列出服务器上的运行，最新的在前",
        long: "",
        examples: "\
# 最近的运行
deploy ci runs

# 某个仓库的运行，供其他程序使用
deploy ci runs --repository shop -o json",
    },
    show: CommandText {
        about: "显示服务器上的一次运行：作业、步骤和用时",
        long: "加上 --wait 会等到运行结束；成功时退出码为 0，尚未结束时为 7。",
        examples: "\
# 进行到哪里了？
deploy ci show 12

# 等它结束，然后打印各步骤的输出
deploy ci show 12 --wait --log",
    },
    cancel: CommandText {
        about: "取消服务器上的一次运行",
        long: "其步骤会收到 SIGTERM，十秒后收到 SIGKILL。",
        examples: "deploy ci cancel 12",
    },
    rerun: CommandText {
        about: "重新运行：相同的提交、流水线和事件",
        long: "",
        examples: "deploy ci rerun 12",
    },
    start: CommandText {
        about: "手动启动服务器上某个仓库的流水线",
        long: "该流水线的事件中必须有 workflow_dispatch。",
        examples: "\
# 按文件名或名称，在仓库的默认分支上启动
deploy ci start release.yml --repository shop --input version=1.2.3

# 在其他分支或标签上启动
deploy ci start release.yml --repository shop --ref v1.2.3",
    },
    run_number: "运行的编号",
    repository_filter: "只列出此仓库的运行",
    limit: "最多列出多少条",
    log: "同时打印各步骤的输出",
    wait: "等到运行结束再返回",
    workflow: "流水线：文件路径、文件名或名称",
    repository: "仓库",
    reference: "分支或标签；默认为仓库的默认分支",
    input: "参数 NAME=VALUE，可重复",
    no_runs: "还没有运行：请推送一个带有流水线的仓库。",
    cancelling: "已通知运行 {id} 结束。",
    queued: "运行 {id} 已排队：deploy ci show {id} --wait",
    headings: ["运行", "仓库", "流水线", "事件", "引用", "提交", "状态"],

    token: CommandText {
        about: "令牌：谁可以推送、拉取和查看",
        long: "",
        examples: "deploy token create ann",
    },
    token_create: CommandText {
        about: "生成一个令牌并打印（仅此一次）",
        long: "令牌就是 Git、镜像仓库和 API 的密码，用户名可以任意填写。服务器只保存它的哈希值。",
        examples: "\
# 给需要推送的人
deploy token create ann

# 给只需拉取的机器
deploy token create cluster --read",
    },
    token_list: CommandText {
        about: "列出令牌：名称和权限",
        long: "",
        examples: "deploy token list",
    },
    token_revoke: CommandText {
        about: "吊销令牌：从下一个请求起拒绝它",
        long: "",
        examples: "deploy token revoke ann",
    },
    token_helper: CommandText {
        about: "把当前用户的令牌交给 git：一个 git 凭据助手",
        long: "git 以 get、store 或 erase 调用它；它只回答 get。",
        examples: "git config --global credential.http://127.0.0.1:7080.helper '!deploy token helper'",
    },
    token_name: "令牌的所有者",
    token_read: "只能查看和拉取，不能更改",
    token_created: "令牌只显示这一次。",
    token_revoked: "{name} 已吊销。",
    token_headings: ["名称", "权限", "创建时间"],
};

//! What `deploy audit` and `deploy backup` say, in both languages.

use deploy_model::Lang;

use super::CommandText;

/// Texts of both commands.
#[allow(missing_docs, reason = "the English text says what each is")]
pub struct LedgerTexts {
    pub audit: CommandText,
    pub list: CommandText,
    pub export: CommandText,
    pub since: &'static str,
    pub until: &'static str,
    pub actor: &'static str,
    pub kind: &'static str,
    pub subject: &'static str,
    pub limit: &'static str,
    pub no_time: &'static str,
    pub no_actor: &'static str,
    pub no_limit: &'static str,
    pub nothing: &'static str,
    pub columns: [&'static str; 6],

    pub backup: CommandText,
    pub create: CommandText,
    pub restore: CommandText,
    pub verify: CommandText,
    pub file: &'static str,
    pub created: &'static str,
    pub verified: &'static str,
    pub restored: &'static str,
    pub left_out: &'static str,
}

/// The texts of a language.
pub fn of(lang: Lang) -> &'static LedgerTexts {
    match lang {
        Lang::En => &EN,
        Lang::Zh => &ZH,
    }
}

static EN: LedgerTexts = LedgerTexts {
    audit: CommandText {
        about: "Look at the ledger: who did what, when and why",
        long: "Everything that Deploy does is a line of the ledger in the data folder: who, what, when, why, the state before and \
               the state after. The server may run meanwhile.",
        examples: "deploy audit list --since 2h",
    },
    list: CommandText {
        about: "Show the newest lines that match",
        long: "Shows the newest lines of the ledger that match all filters, the newest last. A table shows times in your time zone \
               (TZ); json and yaml hold whole lines, with times in UTC.",
        examples: "\
# The last 50 lines
deploy audit list

# What one run went through
deploy audit list --subject run/42

# What a person released in the last two days, with all details
deploy audit list --actor ann --kind 'release.*' --since 2d -o yaml",
    },
    export: CommandText {
        about: "Print all lines that match as JSON, one a line",
        long: "Prints all lines of the ledger that match all filters, the oldest first, each as JSON on a line of its own, with \
               times in UTC.",
        examples: "\
deploy audit export > ledger.jsonl

# One day, as your time zone has it
deploy audit export --since 2026-11-22 --until 2026-11-23",
    },
    since: "Not before this time: 2026-11-22, 2026-11-22T08:30, with a zone or in yours, or how long ago: 30m, 2h, 7d",
    until: "Before this time; as --since",
    actor: "Only what this actor did: NAME, KIND/NAME or KIND/ of person, reconciler, webhook, schedule, job",
    kind: "Only lines of this kind, as in run.started; run.* means all that begin with run. (may be repeated)",
    subject: "Only what happened to this: KIND/ID, as in run/42, or KIND",
    limit: "How many lines at most",
    no_time: "{given} is no time: write 2026-11-22, 2026-11-22T08:30:00+08:00, 30m, 2h or 7d",
    no_actor: "{given} is no actor: write NAME or KIND/NAME; kinds are {kinds}",
    no_limit: "{given} is no number from 1 to {max}",
    nothing: "No line matches.",
    columns: ["TIME", "ACTOR", "WHAT", "SUBJECT", "WHY", "SEQ"],
    backup: CommandText {
        about: "Back up the data folder to one file, and restore it",
        long: "",
        examples: "deploy backup create deploy.tar.gz",
    },
    create: CommandText {
        about: "Back up the data folder to a new file",
        long: "Writes the data folder to one new file, with a digest of each file in it. Databases are copied by SQLite's own means, so \
               the server may run meanwhile. Images of the cluster's node and its containers are left out: they are pulled and \
               started again. The file holds secrets; only you can read it. Its digest goes to stdout.",
        examples: "\
deploy backup create /mnt/backup/deploy-2026-11-22.tar.gz

deploy backup create deploy.tar.gz --data-dir /var/lib/deploy",
    },
    restore: CommandText {
        about: "Make a data folder of a backup",
        long: "Restores a backup into the data folder, which must be empty or missing. The whole file is verified before anything is \
               written, and the folder appears in one step.",
        examples: "deploy backup restore deploy.tar.gz --data-dir /var/lib/deploy",
    },
    verify: CommandText {
        about: "Read a whole backup and compare it with its manifest",
        long: "",
        examples: "deploy backup verify deploy.tar.gz",
    },
    file: "The file of the backup",
    created: "Backed up {files} files, {bytes} bytes, and the ledger up to line {last}, to {path}.",
    verified: "{path} is whole: {files} files, {bytes} bytes, the ledger up to line {last}; made at {created} by Deploy {version}.",
    restored: "Restored {files} files, {bytes} bytes, and the ledger up to line {last}, to {path}.",
    left_out: "Left out: {names}",
};

static ZH: LedgerTexts = LedgerTexts {
    audit: CommandText {
        about: "查看账本：谁在何时因何做了什么",
        long: "Deploy 的一举一动都是数据目录里账本中的一行：谁、做了什么、何时、为何、之前和之后的状态。服务器运行时也可查看。",
        examples: "deploy audit list --since 2h",
    },
    list: CommandText {
        about: "显示最新的匹配记录",
        long: "显示账本中满足全部条件的最新记录，最新的在最后。表格中的时间采用您的时区（TZ）；json 和 yaml 输出完整记录，时间为 UTC。",
        examples: "\
# 最近 50 条
deploy audit list

# 某次流水线运行的全过程
deploy audit list --subject run/42

# 某人最近两天的发布，包含全部细节
deploy audit list --actor ann --kind 'release.*' --since 2d -o yaml",
    },
    export: CommandText {
        about: "以 JSON 逐行导出全部匹配记录",
        long: "从旧到新导出账本中满足全部条件的记录，每行一个 JSON，时间为 UTC。",
        examples: "\
deploy audit export > ledger.jsonl

# 按您的时区导出某一天
deploy audit export --since 2026-11-22 --until 2026-11-23",
    },
    since: "不早于此时间：2026-11-22、2026-11-22T08:30（可带时区，默认为您的时区），或距今多久：30m、2h、7d",
    until: "早于此时间；写法同 --since",
    actor: "只看此操作者：名称、类别/名称或类别/；类别有 person、reconciler、webhook、schedule、job",
    kind: "只看此类记录，例如 run.started；run.* 表示所有以 run. 开头的类别（可重复）",
    subject: "只看此对象：类别/标识，例如 run/42，或仅写类别",
    limit: "最多显示多少条",
    no_time: "{given} 不是时间；可写 2026-11-22、2026-11-22T08:30:00+08:00、30m、2h 或 7d",
    no_actor: "{given} 不是操作者；可写名称或类别/名称，类别有 {kinds}",
    no_limit: "{given} 不是 1 到 {max} 之间的整数",
    nothing: "没有匹配的记录。",
    columns: ["时间", "操作者", "事件", "对象", "原因", "序号"],
    backup: CommandText {
        about: "把数据目录备份为一个文件，或从中恢复",
        long: "",
        examples: "deploy backup create deploy.tar.gz",
    },
    create: CommandText {
        about: "把数据目录备份到一个新文件",
        long: "把数据目录写入一个新文件，其中每个文件都有摘要。数据库由 SQLite 自身机制复制，因此服务器可以照常运行。节点上的镜像和容器不在备份之内，\
               它们会重新拉取和启动。备份中含有机密，只有您能读取。备份文件的摘要输出到标准输出。",
        examples: "\
deploy backup create /mnt/backup/deploy-2026-11-22.tar.gz

deploy backup create deploy.tar.gz --data-dir /var/lib/deploy",
    },
    restore: CommandText {
        about: "从备份恢复数据目录",
        long: "把备份恢复到数据目录，该目录必须为空或不存在。写入之前会校验整个文件，目录一次性就位。",
        examples: "deploy backup restore deploy.tar.gz --data-dir /var/lib/deploy",
    },
    verify: CommandText {
        about: "读取整个备份并与其清单核对",
        long: "",
        examples: "deploy backup verify deploy.tar.gz",
    },
    file: "备份文件",
    created: "已备份 {files} 个文件，共 {bytes} 字节，账本到第 {last} 行：{path}",
    verified: "{path} 完好：{files} 个文件，共 {bytes} 字节，账本到第 {last} 行；由 Deploy {version} 于 {created} 生成。",
    restored: "已恢复 {files} 个文件，共 {bytes} 字节，账本到第 {last} 行：{path}",
    left_out: "未包含：{names}",
};

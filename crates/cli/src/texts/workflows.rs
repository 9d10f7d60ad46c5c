//! What `deploy ci lint` and `deploy ci list` say, in both languages.

use deploy_model::Lang;

use super::CommandText;

/// The texts of a language.
pub fn of(lang: Lang) -> &'static WorkflowWords {
    match lang {
        Lang::En => &EN,
        Lang::Zh => &ZH,
    }
}

/// All of it.
#[allow(missing_docs, reason = "the English text says what each is")]
pub struct WorkflowWords {
    pub lint: CommandText,
    pub list: CommandText,
    pub files: &'static str,
    pub lint_output: &'static str,
    pub sound: &'static str,
    pub broken: &'static str,
    pub next_step: &'static str,
    pub file: &'static str,
    pub name: &'static str,
    pub events: &'static str,
    pub jobs: &'static str,
}

const EN: WorkflowWords = WorkflowWords {
    lint: CommandText {
        about: "Check the workflows of this working copy",
        long: "Reads the workflows in .deploy/workflows, else in .forgejo, .gitea or .github, with the workflows that they call \
               and the local actions that they use, and tells everything that is wrong with its place and the next step. \
               Nothing runs. The exit code is 1 where anything is wrong.",
        examples: "\
# All workflows
deploy ci lint

# One file, for another program
deploy ci lint .github/workflows/test.yml -o json",
    },
    list: CommandText {
        about: "List the workflows of this working copy",
        long: "Lists the workflows in .deploy/workflows, else in .forgejo, .gitea or .github: what starts each of them, and its jobs.",
        examples: "\
# A table
deploy ci list

# With the filters of events, and what jobs need
deploy ci list -o json",
    },
    files: "These files, wherever they are",
    lint_output: "How problems are printed: as text for people, as JSON for programs",
    sound: "Workflows without a problem: {count}",
    broken: "{path} has problems ({count}): deploy ci lint {path}",
    next_step: "Change what stands at the place above: the syntax is that of GitHub Actions.",
    file: "FILE",
    name: "NAME",
    events: "EVENTS",
    jobs: "JOBS",
};

const ZH: WorkflowWords = WorkflowWords {
    lint: CommandText {
        about: "检查当前工作副本的流水线文件",
        long: "读取 .deploy/workflows 中的流水线文件；没有时依次查找 .forgejo、.gitea、.github。同时检查它们调用的流水线和本地 action，\
               列出全部问题，并给出位置和下一步。不会运行任何内容。有问题时退出码为 1。",
        examples: "\
# 检查全部流水线
deploy ci lint

# 检查一个文件，输出供程序读取
deploy ci lint .github/workflows/test.yml -o json",
    },
    list: CommandText {
        about: "列出当前工作副本的流水线",
        long: "列出 .deploy/workflows 中的流水线；没有时依次查找 .forgejo、.gitea、.github。内容包括触发事件和作业。",
        examples: "\
# 表格
deploy ci list

# 包含事件的过滤条件和作业之间的依赖
deploy ci list -o json",
    },
    files: "只处理这些文件，无论它们在哪里",
    lint_output: "问题的输出格式：text 供人阅读，json 供程序读取",
    sound: "没有问题的流水线：{count} 个",
    broken: "{path} 有 {count} 个问题：deploy ci lint {path}",
    next_step: "请修改上述位置的内容，语法与 GitHub Actions 一致。",
    file: "文件",
    name: "名称",
    events: "事件",
    jobs: "作业",
};

//! What to do about a problem, in both languages. The problems themselves have GitHub's words, as people search for
//! them.

use deploy_model::Lang;
use std::fmt;

/// The next step.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Hint {
    /// Workflows are called from the same repository.
    CallLocal,
    /// An event has a filter and its opposite.
    OneFilter(&'static str),
    /// The type of an input.
    InputType(&'static str),
    /// The way from a job back to itself.
    Cycle(String),
    /// Steps beside each other.
    OneAfterTheOther,
    /// A container action.
    JobContainer,
    /// Where local actions are read from.
    LocalAction,
    /// Only composite actions can be carried out.
    Composite,
    /// An action that sets up a tool which the job's root has.
    HasTool(&'static str),
    /// An action that is not needed here.
    NotNeeded,
    /// Any other action.
    NotBuiltIn,
}

impl Hint {
    /// The text.
    pub fn text(&self, lang: Lang) -> String {
        match lang {
            Lang::En => self.english(),
            Lang::Zh => self.chinese(),
        }
    }

    fn english(&self) -> String {
        match self {
            Hint::CallLocal => {
                "Call a workflow of this repository: uses: ./.github/workflows/name.yml".to_owned()
            }
            Hint::OneFilter(name) => {
                format!("Keep `{name}` alone: a pattern that begins with ! leaves out what it names.")
            }
            Hint::InputType(kind) => format!("The type of this input is {kind}."),
            Hint::Cycle(way) => format!("Remove one of these needs: {way}"),
            Hint::OneAfterTheOther => "Write the steps one after the other, or as jobs.".to_owned(),
            Hint::JobContainer => {
                "Give the job the image with `container:`, and write what the action does as `run`."
                    .to_owned()
            }
            Hint::LocalAction => {
                "A local action is read from the commit that the run is of: commit its action.yml.".to_owned()
            }
            Hint::Composite => {
                "Write it as a composite action: runs: {using: composite, steps: [...]}".to_owned()
            }
            Hint::HasTool(tool) => format!(
                "Remove the step: a job has the tools of its root. Install {tool} there, or name an image that has it in \
                 the label map of deploy.toml."
            ),
            Hint::NotNeeded => "Remove the step: nothing has to be set up for it here.".to_owned(),
            Hint::NotBuiltIn => format!(
                "Write what it does as `run`, or as a local action (uses: ./path). Built in are {}.",
                built_in(", ")
            ),
        }
    }

    fn chinese(&self) -> String {
        match self {
            Hint::CallLocal => "请调用本仓库内的流水线：uses: ./.github/workflows/name.yml".to_owned(),
            Hint::OneFilter(name) => format!("请只保留 {name}，用以 ! 开头的模式排除不需要的部分。"),
            Hint::InputType(kind) => format!("该输入的类型是 {kind}。"),
            Hint::Cycle(way) => format!("请去掉其中一个 needs：{way}"),
            Hint::OneAfterTheOther => "请改为依次执行的步骤，或拆成多个作业。".to_owned(),
            Hint::JobContainer => "请用 container: 为作业指定镜像，并把该 action 的工作写成 run。".to_owned(),
            Hint::LocalAction => "本地 action 从所运行的提交中读取，请提交它的 action.yml。".to_owned(),
            Hint::Composite => "请改写为组合 action：runs: {using: composite, steps: [...]}".to_owned(),
            Hint::HasTool(tool) => format!(
                "请删除此步骤：作业使用其根文件系统中的工具。请在其中安装 {tool}，或在 deploy.toml 的标签映射中指定带有它的镜像。"
            ),
            Hint::NotNeeded => "请删除此步骤：这里不需要任何准备工作。".to_owned(),
            Hint::NotBuiltIn => format!(
                "请把它的工作写成 run，或写成本地 action（uses: ./path）。内置的有 {}。",
                built_in("、")
            ),
        }
    }
}

impl fmt::Display for Hint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text(Lang::En))
    }
}

fn built_in(separator: &str) -> String {
    let names: Vec<&str> = crate::run::Builtin::ALL
        .iter()
        .map(|builtin| builtin.action())
        .collect();
    names.join(separator)
}

//! What instructions say, before their variables are expanded.

mod flags;
mod mount;
mod read;

pub use mount::{MountKind, MountSpec, Sharing};
pub use read::read;

use crate::syntax::Heredoc;

/// A Dockerfile that makes sense, instruction by instruction.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Dockerfile {
    /// The text, for places of problems.
    pub text: String,
    /// What escapes characters.
    pub escape: char,
    /// Arguments before the first FROM.
    pub arguments: Vec<Argument>,
    /// At least one.
    pub stages: Vec<StageText>,
}

/// A stage as it is written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StageText {
    /// In lower case; none for one that has only a number.
    pub name: Option<String>,
    /// What it begins with, variables as they are written.
    pub base: String,
    /// `--platform`, as it is written.
    pub platform: Option<String>,
    /// First and last line of FROM.
    pub lines: (usize, usize),
    /// What follows.
    pub instructions: Vec<Positioned>,
}

/// An instruction and where it stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Positioned {
    /// First and last line.
    pub lines: (usize, usize),
    /// The whole line, as it is written.
    pub original: String,
    /// What it says.
    pub instruction: Instruction,
}

/// An instruction of a stage.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Instruction {
    /// `ADD`.
    Add(Transfer),
    /// `ARG`.
    Arg(Vec<Argument>),
    /// `CMD`.
    Cmd(CommandLine),
    /// `COPY`.
    Copy(Transfer),
    /// `ENTRYPOINT`.
    Entrypoint(CommandLine),
    /// `ENV`.
    Env(Vec<(String, String)>),
    /// `EXPOSE`.
    Expose(Vec<String>),
    /// `HEALTHCHECK`.
    Healthcheck(Healthcheck),
    /// `LABEL`.
    Label(Vec<(String, String)>),
    /// `MAINTAINER`, which LABEL has replaced.
    Maintainer(String),
    /// `RUN`.
    Run(RunLine),
    /// `SHELL`.
    Shell(Vec<String>),
    /// `STOPSIGNAL`.
    StopSignal(String),
    /// `USER`.
    User(String),
    /// `VOLUME`.
    Volume(Vec<String>),
    /// `WORKDIR`.
    Workdir(String),
}

/// `ARG name`, `ARG name=default`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Argument {
    /// Its name.
    pub name: String,
    /// What it is if nobody gives another value, as it is written.
    pub default: Option<String>,
    /// Its line.
    pub line: usize,
}

/// A program with its arguments, or a text for the shell.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct CommandLine {
    /// One text for the shell, or the words of an array.
    pub words: Vec<String>,
    /// The shell is to read it.
    pub shell: bool,
}

/// `RUN`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RunLine {
    /// What runs.
    pub command: CommandLine,
    /// Documents below it.
    pub heredocs: Vec<Heredoc>,
    /// `--mount`.
    pub mounts: Vec<MountSpec>,
    /// `--network`.
    pub network: Network,
}

/// What a step reaches.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Network {
    /// What the builder gives to every step.
    #[default]
    Default,
    /// Nothing but itself.
    None,
    /// The machine's own network.
    Host,
}

/// `COPY` and `ADD`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Transfer {
    /// Patterns of paths, variables as they are written; without those that are documents.
    pub sources: Vec<String>,
    /// Files that stand below it.
    pub documents: Vec<Heredoc>,
    /// Where to.
    pub destination: String,
    /// `--from`: a stage, its number, or an image.
    pub from: Option<String>,
    /// `--chown`.
    pub chown: Option<String>,
    /// `--chmod`.
    pub chmod: Option<String>,
    /// `--link`.
    pub link: bool,
    /// `--parents`.
    pub parents: bool,
    /// `--exclude`.
    pub exclude: Vec<String>,
    /// `--checksum` of ADD.
    pub checksum: Option<String>,
    /// `--unpack` of ADD; by default archives of the context are unpacked and remote ones are not.
    pub unpack: Option<bool>,
}

/// `HEALTHCHECK`: carried in the image's configuration.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Healthcheck {
    /// `NONE`, `CMD` and words, or `CMD-SHELL` and a text.
    pub test: Vec<String>,
    /// Nanoseconds between checks; 0 is the default.
    pub interval_ns: i64,
    /// Nanoseconds that a check may take.
    pub timeout_ns: i64,
    /// Nanoseconds in which failures do not count.
    pub start_period_ns: i64,
    /// Nanoseconds between checks meanwhile.
    pub start_interval_ns: i64,
    /// Failures in a row that count.
    pub retries: i64,
}

//! The steps of a stage, one after the other, with all variables expanded.

use std::collections::{BTreeMap, BTreeSet};

use super::{From, Graph, Stage, origin};
use crate::error::Problem;
use crate::instruction::{
    CommandLine, Healthcheck, Instruction, MountKind, MountSpec, Network, Positioned, RunLine, Sharing,
    Transfer,
};
use crate::words::Lexer;

/// Arguments that every step may use without ARG, and that no cache key knows.
pub(super) const PROXIES: &[&str] = &[
    "HTTP_PROXY",
    "http_proxy",
    "HTTPS_PROXY",
    "https_proxy",
    "FTP_PROXY",
    "ftp_proxy",
    "NO_PROXY",
    "no_proxy",
    "ALL_PROXY",
    "all_proxy",
];

/// Where programs are looked up if nobody says.
pub const DEFAULT_PATH: &str = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

/// What an image says about the process that it wants to be, as a stage has it so far.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Settings {
    /// Variables, in order of their first appearance.
    pub env: Vec<(String, String)>,
    /// `user[:group]`; empty is root.
    pub user: String,
    /// Absolute; empty is `/`.
    pub working_dir: String,
    /// The program and what always follows it.
    pub entrypoint: Vec<String>,
    /// Arguments that may be replaced.
    pub cmd: Vec<String>,
    /// `80/tcp`.
    pub exposed_ports: BTreeSet<String>,
    /// Paths.
    pub volumes: BTreeSet<String>,
    /// Labels.
    pub labels: BTreeMap<String, String>,
    /// `SIGTERM`, `15`.
    pub stop_signal: String,
    /// `SHELL`; empty is `/bin/sh -c`.
    pub shell: Vec<String>,
    /// `HEALTHCHECK`.
    pub healthcheck: Option<Healthcheck>,
    /// `MAINTAINER`.
    pub author: String,
}

/// One step of a stage.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Step {
    /// First and last line.
    pub lines: (usize, usize),
    /// As it is written, on one line.
    pub text: String,
    /// What is to be done.
    pub kind: StepKind,
}

/// What is to be done.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum StepKind {
    /// Nothing: only [`Evaluation::settings`] changed.
    Settings,
    /// A process runs.
    Run(Run),
    /// Files are copied.
    Copy(Copy),
    /// A folder is made where it is missing.
    Folder {
        /// Absolute.
        path: String,
        /// Its owner.
        user: String,
    },
}

/// A process.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Run {
    /// What runs.
    pub command: Command,
    /// Its environment.
    pub env: Vec<(String, String)>,
    /// Variables that no cache key knows.
    pub proxies: Vec<(String, String)>,
    /// Whom it runs as; empty is root.
    pub user: String,
    /// Absolute.
    pub cwd: String,
    /// In their order.
    pub mounts: Vec<Mount>,
    /// What it reaches.
    pub network: Network,
}

/// What runs.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Command {
    /// The program and its arguments.
    pub words: Vec<String>,
    /// A script that the first word names by its path: name and content.
    pub script: Option<FileSource>,
}

/// A file that stands in the Dockerfile.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct FileSource {
    /// Its name.
    pub name: String,
    /// Its content.
    pub content: String,
}

/// A mount of a process.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Mount {
    /// What is mounted.
    pub kind: MountKind,
    /// Absolute.
    pub target: String,
    /// A path in what it comes from; empty is all of it.
    pub source: String,
    /// What it comes from.
    pub from: MountFrom,
    /// Nothing can be written.
    pub read_only: bool,
    /// Of a cache or a secret.
    pub id: String,
    /// Of a cache.
    pub sharing: Sharing,
    /// The secret must be there.
    pub required: bool,
    /// The secret is a variable of this name, and a file only if it has a target.
    pub env: Option<String>,
    /// Whether the file of a secret is wanted.
    pub file: bool,
    /// Permissions.
    pub mode: Option<u32>,
    /// Owner.
    pub uid: Option<u32>,
    /// Group.
    pub gid: Option<u32>,
    /// Bytes of a tmpfs.
    pub size: Option<u64>,
}

/// What a mount comes from.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum MountFrom {
    /// The context; for caches, nothing.
    #[default]
    Context,
    /// A stage.
    Stage(usize),
    /// An image.
    Image(String),
}

/// Files to copy.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Copy {
    /// Patterns of paths.
    pub sources: Vec<String>,
    /// Files that stand in the Dockerfile.
    pub files: Vec<FileSource>,
    /// Absolute, clean.
    pub destination: String,
    /// The destination is a folder, even if it is not there yet.
    pub into: bool,
    /// Where they come from.
    pub from: MountFrom,
    /// `user[:group]`, by name or number; empty is root.
    pub chown: String,
    /// Permissions: octal digits or `u=rwX,go=rX`.
    pub chmod: String,
    /// The layer does not depend on what is below.
    pub link: bool,
    /// Folders in front are kept.
    pub parents: bool,
    /// Patterns that are left out.
    pub exclude: Vec<String>,
    /// ADD.
    pub add: bool,
    /// The digest that what ADD brings must have.
    pub checksum: Option<String>,
    /// Whether ADD unpacks archives.
    pub unpack: bool,
}

/// A stage on its way.
#[derive(Clone, Debug)]
pub struct Evaluation<'a> {
    graph: &'a Graph,
    stage: &'a Stage,
    next: usize,
    settings: Settings,
    /// Declared so far, with their values.
    arguments: BTreeMap<String, String>,
    /// CMD was said in this stage: an ENTRYPOINT leaves it.
    cmd_is_own: bool,
}

impl<'a> Evaluation<'a> {
    /// A stage that begins with what its base says.
    pub fn new(graph: &'a Graph, stage: &'a Stage, mut base: Settings) -> Self {
        if !base.env.iter().any(|(name, _)| name == "PATH") {
            base.env.push(("PATH".to_owned(), DEFAULT_PATH.to_owned()));
        }
        Self {
            graph,
            stage,
            next: 0,
            settings: base,
            arguments: BTreeMap::new(),
            cmd_is_own: false,
        }
    }

    /// What the stage says so far.
    pub fn settings(&self) -> &Settings {
        &self.settings
    }

    /// The next step; none at the end.
    pub fn step(&mut self) -> Option<Result<Step, Problem>> {
        let positioned = self.graph.text(self.stage).instructions.get(self.next)?;
        self.next += 1;
        let text = positioned
            .original
            .split_whitespace()
            .collect::<Vec<_>>()
            .join(" ");
        Some(self.kind(positioned).map(|kind| Step {
            lines: positioned.lines,
            text,
            kind,
        }))
    }

    fn kind(&mut self, at: &Positioned) -> Result<StepKind, Problem> {
        match &at.instruction {
            Instruction::Run(run) => return self.run(at, run).map(StepKind::Run),
            Instruction::Copy(transfer) => return self.copy(at, transfer, false).map(StepKind::Copy),
            Instruction::Add(transfer) => return self.copy(at, transfer, true).map(StepKind::Copy),
            Instruction::Workdir(path) => {
                let path = joined(&self.settings.working_dir, &self.expand(at, path)?);
                self.settings.working_dir.clone_from(&path);
                let user = self.settings.user.clone();
                return Ok(StepKind::Folder { path, user });
            }
            _ => {}
        }
        match &at.instruction {
            Instruction::Arg(arguments) => {
                let mut values = Vec::new();
                for argument in arguments {
                    values.push((&argument.name, self.argument(at, argument)?));
                }
                for (name, value) in values {
                    match value {
                        Some(value) => drop(self.arguments.insert(name.clone(), value)),
                        None => drop(self.arguments.remove(name)),
                    }
                }
            }
            Instruction::Env(pairs) => {
                for (name, value) in self.pairs(at, pairs)? {
                    match self.settings.env.iter_mut().find(|(known, _)| *known == name) {
                        Some((_, old)) => *old = value,
                        None => self.settings.env.push((name, value)),
                    }
                }
            }
            Instruction::Label(pairs) => {
                let pairs = self.pairs(at, pairs)?;
                self.settings.labels.extend(pairs);
            }
            Instruction::Cmd(command) => {
                self.settings.cmd = self.in_shell(command);
                self.cmd_is_own = true;
            }
            Instruction::Entrypoint(command) => {
                self.settings.entrypoint = self.in_shell(command);
                if !self.cmd_is_own {
                    self.settings.cmd.clear();
                }
            }
            Instruction::Expose(ports) => {
                for port in ports {
                    let expanded = self.words(at, port)?;
                    for port in expanded {
                        let ports = self::ports(&port).ok_or_else(|| {
                            self.problem(at, format!("invalid containerPort: {port}"), &port)
                                .hint("write EXPOSE 80, 53/udp or 7000-7010")
                        })?;
                        self.settings.exposed_ports.extend(ports);
                    }
                }
            }
            Instruction::Volume(paths) => {
                for path in paths {
                    let path = self.expand(at, path)?;
                    self.settings.volumes.insert(path);
                }
            }
            Instruction::User(user) => self.settings.user = self.expand(at, user)?,
            Instruction::StopSignal(signal) => self.settings.stop_signal = self.expand(at, signal)?,
            Instruction::Shell(words) => self.settings.shell.clone_from(words),
            Instruction::Maintainer(name) => self.settings.author.clone_from(name),
            Instruction::Healthcheck(check) => self.settings.healthcheck = Some(check.clone()),
            Instruction::Run(_) | Instruction::Copy(_) | Instruction::Add(_) | Instruction::Workdir(_) => {}
        }
        Ok(StepKind::Settings)
    }

    fn problem(&self, at: &Positioned, message: String, piece: &str) -> Problem {
        Problem::at(at.lines.0, message).pointing(&self.graph.file.text, at.lines, piece)
    }

    /// A variable as the instructions see it: ENV hides ARG.
    fn variable(&self, name: &str) -> Option<String> {
        let env = self.settings.env.iter().find(|(known, _)| known == name);
        env.map(|(_, value)| value)
            .or_else(|| self.arguments.get(name))
            .cloned()
    }

    fn expand(&self, at: &Positioned, word: &str) -> Result<String, Problem> {
        Lexer::new(self.graph.file.escape)
            .expand(word, &|name| self.variable(name))
            .map(|expanded| expanded.text)
            .map_err(|error| self.problem(at, format!("failed to process {word:?}: {error}"), word))
    }

    fn words(&self, at: &Positioned, word: &str) -> Result<Vec<String>, Problem> {
        Lexer::new(self.graph.file.escape)
            .expand(word, &|name| self.variable(name))
            .map(|expanded| expanded.words)
            .map_err(|error| self.problem(at, format!("failed to process {word:?}: {error}"), word))
    }

    fn all(&self, at: &Positioned, words: &[String]) -> Result<Vec<String>, Problem> {
        words.iter().map(|word| self.expand(at, word)).collect()
    }

    fn pairs(&self, at: &Positioned, pairs: &[(String, String)]) -> Result<Vec<(String, String)>, Problem> {
        pairs
            .iter()
            .map(|(name, value)| Ok((self.expand(at, name)?, self.expand(at, value)?)))
            .collect()
    }

    fn argument(
        &self,
        at: &Positioned,
        argument: &crate::instruction::Argument,
    ) -> Result<Option<String>, Problem> {
        let name = self.expand(at, &argument.name)?;
        if let Some(given) = self.graph.request.arguments.get(&name) {
            return Ok(Some(given.clone()));
        }
        match &argument.default {
            Some(default) => self.expand(at, default).map(Some),
            None => Ok(self.graph.globals.get(&name).cloned()),
        }
    }

    fn in_shell(&self, command: &CommandLine) -> Vec<String> {
        if !command.shell || command.words.is_empty() {
            return command.words.clone();
        }
        let mut words = match &self.settings.shell[..] {
            [] => vec!["/bin/sh".to_owned(), "-c".to_owned()],
            shell => shell.to_vec(),
        };
        words.extend_from_slice(&command.words);
        words
    }

    fn run(&self, at: &Positioned, run: &RunLine) -> Result<Run, Problem> {
        let mut env: Vec<(String, String)> = self.settings.env.clone();
        for (name, value) in &self.arguments {
            if !env.iter().any(|(known, _)| known == name) && !PROXIES.contains(&&**name) {
                env.push((name.clone(), value.clone()));
            }
        }
        let given = &self.graph.request.arguments;
        let proxies = PROXIES
            .iter()
            .filter_map(|name| Some(((*name).to_owned(), given.get(*name)?.clone())))
            .collect();
        let mounts = run
            .mounts
            .iter()
            .map(|mount| self.mount(at, mount))
            .collect::<Result<_, _>>()?;
        Ok(Run {
            command: self.command(run),
            env,
            proxies,
            user: self.settings.user.clone(),
            cwd: joined("/", &self.settings.working_dir),
            mounts,
            network: run.network,
        })
    }

    /// Documents below RUN: one alone is the script, others go to the shell (dockerfile2llb/convert.go, dispatchRun).
    fn command(&self, run: &RunLine) -> Command {
        let plain = |line: &CommandLine| Command {
            words: self.in_shell(line),
            script: None,
        };
        let ([first, ..], [text], true) = (&run.heredocs[..], &run.command.words[..], run.command.shell)
        else {
            return plain(&run.command);
        };
        let alone = crate::syntax::Heredoc::of_word(text).is_some();
        if alone && first.content.starts_with("#!") {
            let path = format!("{SCRIPTS}/{}", first.name);
            return Command {
                words: vec![path],
                script: Some(FileSource {
                    name: first.name.clone(),
                    content: first.text(),
                }),
            };
        }
        let text = if alone {
            first.text()
        } else {
            let documents = run.heredocs.iter();
            documents.fold(text.clone(), |text, one| {
                format!("{text}\n{}{}", one.content, one.name)
            })
        };
        plain(&CommandLine {
            words: vec![text],
            shell: true,
        })
    }

    fn mount(&self, at: &Positioned, mount: &MountSpec) -> Result<Mount, Problem> {
        let expand = |text: &Option<String>| text.as_deref().map(|text| self.expand(at, text)).transpose();
        let from = match &mount.from {
            None => MountFrom::Context,
            Some(from) => self.from(at, from)?,
        };
        let source = expand(&mount.source)?.unwrap_or_default();
        let target = expand(&mount.target)?;
        let target_path = target
            .as_deref()
            .map(|path| joined(&self.settings.working_dir, path));
        if target_path.as_deref() == Some("/") && mount.kind != MountKind::Secret {
            return Err(self.problem(at, "invalid mount target \"/\"".to_owned(), "--mount"));
        }
        let id = match (expand(&mount.id)?, mount.kind) {
            (Some(id), _) => id,
            (None, MountKind::Secret) if !source.is_empty() => file_name(&source).to_owned(),
            (None, MountKind::Secret) => file_name(target.as_deref().unwrap_or_default()).to_owned(),
            (None, MountKind::Cache) => target_path.clone().unwrap_or_default(),
            (None, _) => String::new(),
        };
        let file = mount.kind != MountKind::Secret || mount.env.is_none() || target.is_some();
        Ok(Mount {
            kind: mount.kind,
            target: target_path.unwrap_or_else(|| format!("/run/secrets/{id}")),
            source,
            from,
            read_only: mount
                .read_only
                .unwrap_or(matches!(mount.kind, MountKind::Bind | MountKind::Secret)),
            id,
            sharing: mount.sharing,
            required: mount.required,
            env: mount.env.clone(),
            file,
            mode: mount.mode,
            uid: mount.uid,
            gid: mount.gid,
            size: mount.size,
        })
    }

    fn from(&self, at: &Positioned, from: &str) -> Result<MountFrom, Problem> {
        match origin(&self.graph.file, self.stage.number, from) {
            Ok(From::Stage(number)) => Ok(MountFrom::Stage(number)),
            Ok(From::Image(image)) => Ok(MountFrom::Image(image)),
            Err((message, hint)) => Err(self.problem(at, message, from).hint(hint)),
        }
    }

    fn copy(&self, at: &Positioned, transfer: &Transfer, add: bool) -> Result<Copy, Problem> {
        let destination = self.expand(at, &transfer.destination)?;
        let sources = self.all(at, &transfer.sources)?;
        let remote = |source: &&String| {
            let lower = source.to_ascii_lowercase();
            lower.starts_with("http://") || lower.starts_with("https://") || lower.starts_with("git@")
        };
        if let Some(source) = sources.iter().find(remote) {
            return Err(self
                .problem(
                    at,
                    format!("{source} is a remote source, which is not supported"),
                    source,
                )
                .hint("fetch it in a step: RUN curl -fsSLo FILE URL, or put the file into the context"));
        }
        let count = sources.len() + transfer.documents.len();
        let into = destination.ends_with('/') || destination == "." || destination.ends_with("/.");
        if count > 1 && !into {
            return Err(self
                .problem(
                    at,
                    format!(
                        "the destination {destination} is no folder, and {count} sources are copied to it"
                    ),
                    &transfer.destination,
                )
                .hint(format!("end it with a slash: {destination}/")));
        }
        let optional = |text: &Option<String>| {
            text.as_deref()
                .map_or(Ok(String::new()), |text| self.expand(at, text))
        };
        let mut files = Vec::new();
        for document in &transfer.documents {
            let content = document.text();
            let content = if document.expand {
                let lexer = Lexer {
                    raw_quotes: true,
                    raw_escapes: false,
                    skip_quotes: true,
                    ..Lexer::new(self.graph.file.escape)
                };
                lexer
                    .expand(&content, &|name| self.variable(name))
                    .map_err(|error| self.problem(at, error.to_string(), &document.name))?
                    .text
            } else {
                content
            };
            files.push(FileSource {
                name: document.name.clone(),
                content,
            });
        }
        Ok(Copy {
            sources,
            files,
            destination: joined(&self.settings.working_dir, &destination),
            into,
            from: match &transfer.from {
                Some(from) => self.from(at, from)?,
                None => MountFrom::Context,
            },
            chown: optional(&transfer.chown)?,
            chmod: optional(&transfer.chmod)?,
            link: transfer.link,
            parents: transfer.parents,
            exclude: self.all(at, &transfer.exclude)?,
            add,
            checksum: transfer.checksum.clone(),
            unpack: add && transfer.unpack != Some(false),
        })
    }
}

/// Where scripts of RUN stand that are documents.
pub const SCRIPTS: &str = "/dev/pipes";

fn file_name(path: &str) -> &str {
    path.trim_end_matches('/').rsplit('/').next().unwrap_or(path)
}

/// A path from a folder on, clean: absolute, without `.` and `..`.
fn joined(folder: &str, path: &str) -> String {
    let folder = if path.starts_with('/') { "" } else { folder };
    let mut parts: Vec<&str> = Vec::new();
    for part in folder.split('/').chain(path.split('/')) {
        match part {
            "" | "." => {}
            ".." => drop(parts.pop()),
            part => parts.push(part),
        }
    }
    format!("/{}", parts.join("/"))
}

/// `80`, `80/udp`, `7000-7010/tcp`, with an address or another port in front, which mean nothing here.
fn ports(text: &str) -> Option<Vec<String>> {
    let (range, protocol) = text.split_once('/').unwrap_or((text, "tcp"));
    let protocol = protocol.to_ascii_lowercase();
    if !matches!(&*protocol, "tcp" | "udp" | "sctp") {
        return None;
    }
    let range = range.rsplit(':').next()?;
    let (first, last) = range.split_once('-').unwrap_or((range, range));
    let (first, last): (u16, u16) = (first.parse().ok()?, last.parse().ok()?);
    if first > last {
        return None;
    }
    Some((first..=last).map(|port| format!("{port}/{protocol}")).collect())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::graph::{Request, graph};
    use crate::instruction::read;
    use deploy_model::image::manifest::Platform;

    fn steps(text: &str, given: &[(&str, &str)]) -> Result<(Vec<Step>, Settings), Problem> {
        let file = read(text).expect("it is well formed");
        let request = Request {
            platform: Platform::own(),
            arguments: given
                .iter()
                .map(|(a, b)| ((*a).to_owned(), (*b).to_owned()))
                .collect(),
            ..Request::default()
        };
        let graph = graph(file, request)?;
        let last = graph.stages.last().expect("a target");
        let mut evaluation = Evaluation::new(&graph, last, Settings::default());
        let mut steps = Vec::new();
        while let Some(step) = evaluation.step() {
            steps.push(step?);
        }
        Ok((steps, evaluation.settings().clone()))
    }

    fn env(run: &Step) -> BTreeMap<String, String> {
        match &run.kind {
            StepKind::Run(run) => run.env.iter().cloned().collect(),
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn scopes_of_arguments() {
        let text = "ARG G=global\nFROM scratch\nRUN a\nARG G\nARG D=$G-d\nARG GIVEN=no\nARG TARGETOS\nENV E=$D\nENV E=x F=$E\nENV D=env\nRUN b\n";
        let (steps, settings) = steps(text, &[("GIVEN", "yes"), ("HTTP_PROXY", "p")]).expect("steps");
        assert_eq!(env(&steps[0]).get("G"), None);
        let last = env(steps.last().expect("some"));
        for (name, value) in [
            ("G", "global"),
            ("D", "env"),
            ("GIVEN", "yes"),
            ("TARGETOS", "linux"),
            ("E", "x"),
            ("F", "global-d"),
        ] {
            assert_eq!(last.get(name).map(String::as_str), Some(value), "{name}");
        }
        assert!(!last.contains_key("HTTP_PROXY"));
        let StepKind::Run(run) = &steps[0].kind else {
            panic!()
        };
        assert_eq!(run.proxies, [("HTTP_PROXY".to_owned(), "p".to_owned())]);
        assert!(settings.env.iter().any(|(name, _)| name == "PATH"));
    }

    #[test]
    fn settings_of_the_image() {
        let text = "FROM scratch\nCMD a b\nENTRYPOINT [\"e\"]\nSHELL [\"/bin/bash\", \"-c\"]\nCMD x\nEXPOSE 80 53/UDP 7000-7001\nWORKDIR /a\nWORKDIR b/../c\nUSER me\nLABEL a=\"b c\" d=e\nVOLUME [\"/v\"]\nSTOPSIGNAL SIGINT\nHEALTHCHECK --retries=2 CMD check\n";
        let (steps, settings) = steps(text, &[]).expect("steps");
        assert_eq!(settings.cmd, ["/bin/bash", "-c", "x"]);
        assert_eq!(settings.entrypoint, ["e"]);
        let ports: Vec<&str> = settings.exposed_ports.iter().map(String::as_str).collect();
        assert_eq!(ports, ["53/udp", "7000/tcp", "7001/tcp", "80/tcp"]);
        assert_eq!(settings.working_dir, "/a/c");
        assert_eq!(settings.labels["a"], "b c");
        assert_eq!(settings.healthcheck.as_ref().map(|check| check.retries), Some(2));
        assert_eq!(
            steps
                .iter()
                .filter(|step| step.kind != StepKind::Settings)
                .count(),
            2
        );
    }

    #[test]
    fn documents_and_copies() {
        let text = "FROM scratch AS b\nFROM scratch\nENV V=1\nWORKDIR /w\nRUN <<EOF\n#!/bin/x\nhi\nEOF\nRUN cat <<A\n$V\nA\nCOPY <<a.txt <<\"b.txt\" c ./d/\n$V \"q\"\na.txt\n$V\nb.txt\nCOPY --from=b --chown=1:2 x .\n";
        let (steps, _) = steps(text, &[]).expect("steps");
        let StepKind::Run(script) = &steps[2].kind else {
            panic!()
        };
        assert_eq!(script.command.words, ["/dev/pipes/EOF"]);
        let StepKind::Run(shell) = &steps[3].kind else {
            panic!()
        };
        assert_eq!(shell.command.words[2], "cat <<A\n$V\nA");
        let StepKind::Copy(copy) = &steps[4].kind else {
            panic!()
        };
        assert_eq!((&*copy.destination, copy.into), ("/w/d", true));
        assert_eq!(copy.sources, ["c"]);
        assert_eq!(copy.files[0].content, "1 \"q\"\n");
        assert_eq!(copy.files[1].content, "$V\n");
        let StepKind::Copy(copy) = &steps[5].kind else {
            panic!()
        };
        assert_eq!((&copy.from, &*copy.chown), (&MountFrom::Stage(0), "1:2"));
    }

    #[test]
    fn problems_point_at_their_piece() {
        let problem = steps("FROM scratch\nENV A=1\nUSER ${A:?", &[]).expect_err("it is not closed");
        assert_eq!(
            problem.place.map(|place| place.to_string()).as_deref(),
            Some("3:6")
        );
        let problem = steps("FROM scratch\nADD https://x.org/a /", &[]).expect_err("remote");
        assert!(problem.hint.contains("curl"));
        let problem = steps("FROM scratch\nCOPY a b /c", &[]).expect_err("no folder");
        assert_eq!(problem.hint, "end it with a slash: /c/");
    }
}

//! The `git` program: with no configuration but ours, no hooks, no prompts.

use std::ffi::{OsStr, OsString};
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncReadExt, AsyncWriteExt};

use crate::error::GitError;
use crate::limits;

/// The oldest version that has all that we ask for (`core.fsync`).
const OLDEST: (u32, u32) = (2, 36);

/// What every command is told; the repository's own file and the environment could say otherwise.
const SETTINGS: &[&str] = &[
    // Nothing that a repository or its clients bring is run.
    "core.hooksPath=/dev/null",
    "core.fsmonitor=false",
    "core.sshCommand=false",
    "core.askPass=",
    "core.pager=cat",
    "credential.helper=",
    "protocol.allow=never",
    // Whose the folder is was decided by who made it.
    "safe.directory=*",
    // What is accepted is on disk: objects, indices of packs, references.
    "core.fsync=objects,derived-metadata,reference",
    "core.logAllRefUpdates=always",
    // Large pushes and small ones alike stay one pack with one fsync, instead of one for each object.
    "receive.unpackLimit=1",
    "receive.fsckObjects=true",
    "receive.autogc=false",
    "receive.updateServerInfo=false",
    "gc.auto=0",
    "maintenance.auto=false",
    "uploadpack.allowFilter=true",
    "uploadpack.allowAnySHA1InWant=false",
    // Two cores: one client does not take both for long.
    "pack.threads=1",
    "core.symlinks=true",
    "core.protectHFS=true",
    "core.protectNTFS=true",
    "advice.detachedHead=false",
];

/// The program, found and asked for its version.
#[derive(Clone, Debug)]
pub struct Git {
    program: PathBuf,
    version: String,
}

/// What a command that ended said.
pub(crate) struct Answer {
    pub output: Vec<u8>,
    pub code: Option<i32>,
    pub complaint: String,
}

impl Git {
    /// Finds the program on the `PATH` of this process. It blocks for some milliseconds.
    ///
    /// # Errors
    /// [`GitError::NoProgram`] or [`GitError::OldProgram`].
    pub fn find() -> Result<Git, GitError> {
        let path = std::env::var_os("PATH").unwrap_or_default();
        let program = std::env::split_paths(&path)
            .map(|folder| folder.join("git"))
            .find(|program| program.is_file())
            .ok_or(GitError::NoProgram)?;
        let output = std::process::Command::new(&program)
            .arg("version")
            .env_clear()
            .stdin(Stdio::null())
            .output()
            .map_err(|error| GitError::io(&program, &error))?;
        let text = String::from_utf8_lossy(&output.stdout);
        let version = text
            .trim()
            .strip_prefix("git version ")
            .and_then(|rest| rest.split(' ').next())
            .ok_or(GitError::NoProgram)?
            .to_owned();
        let mut numbers = version.split('.').map_while(|part| part.parse::<u32>().ok());
        if (numbers.next().unwrap_or(0), numbers.next().unwrap_or(0)) < OLDEST {
            return Err(GitError::OldProgram { found: version });
        }
        Ok(Git { program, version })
    }

    /// Its version, as in `2.39.5`.
    pub fn version(&self) -> &str {
        &self.version
    }

    /// A command on a repository, or on none.
    pub(crate) fn command(&self, repository: Option<&Path>) -> std::process::Command {
        let mut command = std::process::Command::new(&self.program);
        command
            .env_clear()
            .env("PATH", std::env::var_os("PATH").unwrap_or_default())
            .env("HOME", "/nonexistent")
            .env("LC_ALL", "C")
            .env("GIT_CONFIG_NOSYSTEM", "1")
            .env("GIT_CONFIG_GLOBAL", "/dev/null")
            .env("GIT_ATTR_NOSYSTEM", "1")
            .env("GIT_TERMINAL_PROMPT", "0")
            .env("GIT_NO_REPLACE_OBJECTS", "1")
            .env("GIT_PAGER", "cat")
            .env("GIT_OPTIONAL_LOCKS", "0");
        for name in ["SSL_CERT_FILE", "SSL_CERT_DIR"] {
            if let Some(value) = std::env::var_os(name) {
                command.env(name, value);
            }
        }
        if let Some(folder) = repository {
            let mut git_dir = OsString::from("--git-dir=");
            git_dir.push(folder);
            command.arg(git_dir).current_dir(folder);
        }
        for setting in SETTINGS {
            command.arg("-c").arg(setting);
        }
        command
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        command
    }

    pub(crate) fn failed(&self, error: &std::io::Error) -> GitError {
        GitError::io(&self.program, error)
    }

    /// Runs a command to its end. Its output is bounded, and so is its time.
    pub(crate) async fn run(
        &self,
        command: std::process::Command,
        what: &'static str,
        input: Vec<u8>,
        bounds: Bounds,
    ) -> Result<Answer, GitError> {
        let mut command = tokio::process::Command::from(command);
        command.stdin(Stdio::piped()).kill_on_drop(true);
        let mut child = command.spawn().map_err(|error| self.failed(&error))?;
        let (stdin, stdout, stderr) = (child.stdin.take(), child.stdout.take(), child.stderr.take());
        let feed = async {
            if let Some(mut stdin) = stdin {
                // A command that ends early has said why.
                drop(stdin.write_all(&input).await);
                drop(stdin.shutdown().await);
            }
            Ok(())
        };
        let output = async {
            let output = bounded(stdout, bounds.bytes).await;
            let output = output.map_err(|error| self.failed(&error))?;
            if output.len() <= bounds.bytes {
                return Ok(output);
            }
            Err(GitError::TooLarge {
                what: format!("the answer of git {what}"),
                limit: bounds.bytes as u64,
            })
        };
        let complaint = async { Ok(drained(stderr, limits::COMPLAINT_BYTES).await) };
        let work = async {
            let ((), output, complaint) = tokio::try_join!(feed, output, complaint)?;
            let status = child.wait().await.map_err(|error| self.failed(&error))?;
            Ok(Answer {
                output,
                code: status.code(),
                complaint,
            })
        };
        match tokio::time::timeout(bounds.time, work).await {
            Ok(answer) => answer,
            Err(_) => Err(GitError::TimedOut {
                what,
                seconds: bounds.time.as_secs(),
            }),
        }
    }

    /// Runs a command that must go well; its output.
    pub(crate) async fn ask<A: AsRef<OsStr>>(
        &self,
        repository: &Path,
        what: &'static str,
        arguments: impl IntoIterator<Item = A>,
        bounds: Bounds,
    ) -> Result<Vec<u8>, GitError> {
        let mut command = self.command(Some(repository));
        command.arg(what).args(arguments);
        self.run(command, what, Vec::new(), bounds).await?.done(what)
    }
}

impl Answer {
    /// The output of a command that must go well.
    pub fn done(self, what: &'static str) -> Result<Vec<u8>, GitError> {
        if self.code == Some(0) {
            return Ok(self.output);
        }
        Err(GitError::Refused {
            what,
            reason: reason(&self.complaint, self.code),
        })
    }
}

/// What git said about a failure, without its prefix.
pub(crate) fn reason(complaint: &str, code: Option<i32>) -> String {
    let said = complaint.trim();
    let said = said.strip_prefix("fatal: ").unwrap_or(said);
    match (said, code) {
        ("", Some(code)) => format!("it ended with code {code}"),
        ("", None) => "it was killed".to_owned(),
        (said, _) => said.to_owned(),
    }
}

/// What a command may take.
#[derive(Clone, Copy)]
pub(crate) struct Bounds {
    pub bytes: usize,
    pub time: Duration,
}

impl Bounds {
    pub const LIST: Bounds = Bounds {
        bytes: limits::LIST_BYTES,
        time: limits::QUESTION_TIME,
    };
}

/// All that comes, or one byte more than the bound.
async fn bounded(stream: Option<impl AsyncRead + Unpin>, bytes: usize) -> std::io::Result<Vec<u8>> {
    let mut output = Vec::new();
    if let Some(stream) = stream {
        stream.take(bytes as u64 + 1).read_to_end(&mut output).await?;
    }
    Ok(output)
}

/// The start of what comes; the rest is read and forgotten.
pub(crate) async fn drained(stream: Option<impl AsyncRead + Unpin>, bytes: usize) -> String {
    let mut kept = Vec::new();
    let mut buffer = [0; 1024];
    if let Some(mut stream) = stream {
        while let Ok(count) = stream.read(&mut buffer).await {
            if count == 0 {
                break;
            }
            let room = bytes.saturating_sub(kept.len()).min(count);
            kept.extend_from_slice(&buffer[..room]);
        }
    }
    String::from_utf8_lossy(&kept).into_owned()
}

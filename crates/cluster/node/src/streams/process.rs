//! `kubectl exec` and `kubectl attach`: a process in a container, or the container's own, and a client that speaks with it.

use std::io;

use bytes::Bytes;
use deploy_cluster_api::node::StreamOptions;
use deploy_sandbox::{Attachment, Exec, ExecSpec, Resizer, Sandbox, SandboxError, Stream};
use serde_json::Value;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWriteExt};
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

use super::channels::{self, ERROR, STDERR, STDOUT, Told};
use super::websocket::Say;
use crate::limits;

/// What is to be run, or listened to.
pub struct Job {
    pub sandbox: Sandbox,
    /// The id of the container in its sandbox.
    pub container: String,
    pub options: StreamOptions,
    /// The container's own process.
    pub attach: bool,
}

/// The client's end of the streams.
pub struct Ends {
    /// What the client says.
    pub told: mpsc::Receiver<Told>,
    /// What it is told.
    pub say: mpsc::Sender<Say>,
}

/// The process' end of the streams.
struct Pipes {
    stdin: Option<Stream>,
    stdout: Option<Stream>,
    stderr: Option<Stream>,
    resizer: Option<Resizer>,
}

impl Job {
    /// Runs until the process has ended and all is said. Dropped, it lets go of the process.
    pub async fn run(self, ends: Ends) {
        let Ends { told, say } = ends;
        let (options, started) = (&self.options, self.start().await);
        // So clients see that it has begun (`createWebSocketStreams`).
        let channel = match (options.stdout, options.stderr) {
            (true, _) => STDOUT,
            (_, true) => STDERR,
            _ => ERROR,
        };
        let _ = say.send(Say::Channel(channel, Bytes::new())).await;
        let status = match started {
            Ok(Started::Command(exec)) => self.command(exec, told, &say).await,
            Ok(Started::Container(attachment)) => self.container(attachment, told, &say).await,
            Err(error) => {
                let doing = if self.attach {
                    "attaching to"
                } else {
                    "executing command in"
                };
                channels::failed(&format!("error {doing} container: {error}"))
            }
        };
        // A client that has left needs no status.
        let _ = say.send(Say::Channel(ERROR, status.to_string().into())).await;
        let _ = say.send(Say::Close(1000)).await;
    }

    async fn start(&self) -> Result<Started, SandboxError> {
        if self.attach {
            return Ok(Started::Container(self.sandbox.attach(&self.container).await?));
        }
        let spec = ExecSpec {
            args: self.options.command.clone(),
            tty: self.options.tty,
            stdin: self.options.stdin,
            ..ExecSpec::default()
        };
        Ok(Started::Command(self.sandbox.exec(&self.container, spec).await?))
    }

    async fn command(&self, mut exec: Exec, told: mpsc::Receiver<Told>, say: &mpsc::Sender<Say>) -> Value {
        let pipes = Pipes {
            stdin: exec.stdin.take(),
            stdout: exec.stdout.take(),
            stderr: exec.stderr.take(),
            resizer: exec.resizer.take(),
        };
        let ended = CancellationToken::new();
        let waiting = async {
            let exit = exec.wait().await;
            ended.cancel();
            exit
        };
        let (exit, ()) = tokio::join!(waiting, self.pass(pipes, told, say, &ended));
        match exit {
            Ok(exit) => channels::ended(&self.options.command, exit.code),
            Err(error) => channels::failed(&format!("error executing command in container: {error}")),
        }
    }

    async fn container(
        &self,
        mut attachment: Attachment,
        told: mpsc::Receiver<Told>,
        say: &mpsc::Sender<Say>,
    ) -> Value {
        let pipes = Pipes {
            resizer: attachment.resizer.take(),
            stdin: attachment.stdin.take().filter(|_| self.options.stdin),
            stdout: attachment.stdout.take(),
            stderr: attachment.stderr.take(),
        };
        // It ends with the container, whose end closes all that it has written to.
        self.pass(pipes, told, say, &CancellationToken::new()).await;
        channels::success()
    }

    /// Passes on in all directions until there is no more output.
    async fn pass(
        &self,
        pipes: Pipes,
        told: mpsc::Receiver<Told>,
        say: &mpsc::Sender<Say>,
        ended: &CancellationToken,
    ) {
        let wanted = |channel: u8, is_wanted: bool| is_wanted.then(|| (channel, say.clone()));
        let output = async {
            tokio::join!(
                drain(pipes.stdout, wanted(STDOUT, self.options.stdout), ended),
                drain(pipes.stderr, wanted(STDERR, self.options.stderr), ended),
            );
        };
        let input = async {
            // A process that does not read any more may still write.
            let _ = feed(pipes.stdin, pipes.resizer, told).await;
            std::future::pending::<()>().await;
        };
        tokio::select! {
            () = output => {}
            () = input => {}
        }
    }
}

enum Started {
    Command(Exec),
    Container(Attachment),
}

/// Reads all that is written and sends it on, if anybody wants it. Once the process has `ended`, what it has left running
/// may hold its output open: that is waited for only for a moment.
async fn drain(
    stream: Option<impl AsyncRead + Unpin>,
    mut wanted: Option<(u8, mpsc::Sender<Say>)>,
    ended: &CancellationToken,
) {
    let Some(mut stream) = stream else {
        return;
    };
    let mut buffer = vec![0; limits::STREAM_READ_BYTES];
    loop {
        let silent = async {
            ended.cancelled().await;
            tokio::time::sleep(limits::OUTPUT_AFTER_EXIT).await;
        };
        let count = tokio::select! {
            biased;
            read = stream.read(&mut buffer) => read.unwrap_or(0),
            () = silent => 0,
        };
        if count == 0 {
            return;
        }
        if let Some((channel, say)) = &wanted {
            let bytes = Bytes::copy_from_slice(&buffer[..count]);
            if say.send(Say::Channel(*channel, bytes)).await.is_err() {
                wanted = None;
            }
        }
    }
}

/// Hands on what the client says, until it says no more.
async fn feed(
    mut stdin: Option<Stream>,
    resizer: Option<Resizer>,
    mut told: mpsc::Receiver<Told>,
) -> io::Result<()> {
    while let Some(word) = told.recv().await {
        match word {
            Told::Input(bytes) => {
                let written = match &mut stdin {
                    Some(stdin) => stdin.write_all(&bytes).await,
                    None => Ok(()),
                };
                if written.is_err() {
                    stdin = None;
                }
            }
            Told::InputEnd => stdin = None,
            Told::Resize(columns, rows) => {
                if let Some(resizer) = &resizer {
                    resizer.resize(columns, rows)?;
                }
            }
            Told::Nothing => {}
        }
    }
    Ok(())
}

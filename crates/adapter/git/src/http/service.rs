//! A git process that serves a client: the request's body in, the answer's body out.

use std::io;
use std::pin::Pin;
use std::process::Stdio;
use std::sync::Arc;
use std::task::{Context, Poll};

use bytes::{BufMut, Bytes, BytesMut};
use http_body_util::BodyExt;
use hyper::body::{Body, Frame};
use hyper::header::{CACHE_CONTROL, CONTENT_TYPE, HeaderValue};
use hyper::{Response, StatusCode};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::process::{Child, ChildStdin, ChildStdout};
use tokio::sync::{OwnedSemaphorePermit, mpsc};
use tokio::time::timeout;
use tokio_util::task::TaskTracker;

use super::inflate::Inflate;
use super::{AnyBody, ServerOptions};
use crate::command::{drained, reason};
use crate::limits;
use crate::repositories::Repository;
use crate::told::Teller;

/// Which of git's two servers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Service {
    UploadPack,
    ReceivePack,
}

impl Service {
    pub fn named(name: &str) -> Option<Service> {
        match name {
            "git-upload-pack" => Some(Service::UploadPack),
            "git-receive-pack" => Some(Service::ReceivePack),
            _ => None,
        }
    }

    fn command(self) -> &'static str {
        match self {
            Service::UploadPack => "upload-pack",
            Service::ReceivePack => "receive-pack",
        }
    }

    pub fn request_type(self) -> &'static str {
        match self {
            Service::UploadPack => "application/x-git-upload-pack-request",
            Service::ReceivePack => "application/x-git-receive-pack-request",
        }
    }

    fn answer_type(self, advertises: bool) -> &'static str {
        match (self, advertises) {
            (Service::UploadPack, true) => "application/x-git-upload-pack-advertisement",
            (Service::ReceivePack, true) => "application/x-git-receive-pack-advertisement",
            (Service::UploadPack, false) => "application/x-git-upload-pack-result",
            (Service::ReceivePack, false) => "application/x-git-receive-pack-result",
        }
    }
}

/// A request that was admitted.
pub struct Call {
    pub repository: Repository,
    pub service: Service,
    pub advertises: bool,
    pub protocol: Option<&'static str>,
    pub by: String,
    pub body: AnyBody,
    pub is_zipped: bool,
    pub options: ServerOptions,
    pub teller: Arc<Teller>,
}

/// Why there is no answer of git's.
#[derive(Debug)]
pub enum Failure {
    TooLarge { limit: u64 },
    Body(String),
    Slow,
    Git(String),
}

/// Starts git, and answers as soon as it does. What comes after goes on in a task.
pub async fn run(
    call: Call,
    place: OwnedSemaphorePermit,
    tasks: &TaskTracker,
) -> Result<Response<AnyBody>, Failure> {
    let (service, advertises) = (call.service, call.advertises);
    let child = start(&call)?;
    let (pieces, mut answer) = mpsc::channel(limits::QUEUED_PIECES);
    // Clients of version 2 know what they asked for (http-backend.c, `get_info_refs`).
    let is_announced = advertises && (service == Service::ReceivePack || call.protocol != Some("version=2"));
    tasks.spawn(async move {
        let outcome = serve(call, child, &pieces).await;
        if let Err(failure) = outcome {
            // Whoever has gone does not hear it.
            drop(pieces.send(Err(failure)).await);
        }
        drop(place);
    });
    let mut first = BytesMut::new();
    if is_announced {
        let line = format!("# service=git-{}\n", service.command());
        first.put_slice(format!("{:04x}{line}0000", line.len() + 4).as_bytes());
    }
    match answer.recv().await {
        Some(Ok(piece)) => first.put(piece),
        Some(Err(failure)) => return Err(failure),
        // It went well and had nothing to say.
        None => {}
    }
    let body = Answering {
        first: (!first.is_empty()).then(|| first.freeze()),
        pieces: answer,
    };
    let mut response = Response::new(body.boxed_unsync());
    *response.status_mut() = StatusCode::OK;
    let headers = response.headers_mut();
    headers.insert(
        CONTENT_TYPE,
        HeaderValue::from_static(service.answer_type(advertises)),
    );
    headers.insert(
        CACHE_CONTROL,
        HeaderValue::from_static("no-cache, max-age=0, must-revalidate"),
    );
    Ok(response)
}

fn start(call: &Call) -> Result<Child, Failure> {
    let git = &call.repository.git;
    let mut command = git.command(Some(&call.repository.folder));
    if call.service == Service::ReceivePack {
        // Git says it to the user, in the middle of the push; our own bound, a little later, only cuts.
        command.args(["-c", &format!("receive.maxInputSize={}", call.options.push_bytes)]);
        let deny = call.options.deny_non_fast_forwards;
        command.args(["-c", &format!("receive.denyNonFastForwards={deny}")]);
        command.args(["-c", &format!("receive.denyDeletes={deny}")]);
        // The log of each reference says who changed it, also after a crash.
        command.env("GIT_COMMITTER_NAME", committer(&call.by));
        command.env("GIT_COMMITTER_EMAIL", "push@deploy");
    }
    if let Some(protocol) = call.protocol {
        command.env("GIT_PROTOCOL", protocol);
    }
    command.args([call.service.command(), "--stateless-rpc"]);
    if call.advertises {
        command.arg("--http-backend-info-refs");
    }
    command.arg(&call.repository.folder);
    let mut command = tokio::process::Command::from(command);
    command
        .stdin(Stdio::piped())
        .kill_on_drop(true)
        .spawn()
        .map_err(|error| Failure::Git(error.to_string()))
}

/// Git takes `<`, `>` and line feeds out, and refuses a name of nothing else.
fn committer(name: &str) -> String {
    let clean: String = name
        .chars()
        .filter(|c| !c.is_control() && !matches!(c, '<' | '>'))
        .collect();
    let clean = clean.trim_matches(|c: char| c.is_whitespace() || ".,:;\"\\'".contains(c));
    if clean.is_empty() {
        "unknown".to_owned()
    } else {
        clean.to_owned()
    }
}

type Pieces = mpsc::Sender<Result<Bytes, Failure>>;

async fn serve(mut call: Call, mut child: Child, pieces: &Pieces) -> Result<(), Failure> {
    let (stdin, stdout, stderr) = (child.stdin.take(), child.stdout.take(), child.stderr.take());
    let limit = match call.service {
        Service::UploadPack => limits::FETCH_REQUEST_BYTES,
        // Git's own bound speaks first: it counts the pack without the commands before it.
        Service::ReceivePack => call
            .options
            .push_bytes
            .saturating_add(limits::FETCH_REQUEST_BYTES),
    };
    let body = std::mem::replace(
        &mut call.body,
        http_body_util::Empty::new()
            .map_err(|e| match e {})
            .boxed_unsync(),
    );
    let feed = feed(body, Inflate::new(call.is_zipped), stdin, limit);
    let take = take(stdout, pieces, call.service);
    let work = async {
        let (fed, taken, complaint) = tokio::join!(feed, take, drained(stderr, limits::COMPLAINT_BYTES));
        let status = child
            .wait()
            .await
            .map_err(|error| Failure::Git(error.to_string()))?;
        Ok((fed, taken, complaint, status))
    };
    let outcome = match timeout(limits::SERVICE_TIME, work).await {
        Ok(outcome) => outcome,
        Err(_) => Err(Failure::Git("it took too long".to_owned())),
    };
    // Whatever else happened, references may have changed.
    if call.service == Service::ReceivePack && !call.advertises {
        let settled = call
            .teller
            .settle_by(call.repository.name.clone(), Some(call.by.clone()));
        // Closed: the next start finds them.
        drop(settled.await);
    }
    let (fed, taken, complaint, status) = outcome?;
    // When the request was broken, git's complaint is only that it has ended.
    fed?;
    if status.success() || taken > 0 {
        return Ok(());
    }
    let complaint = complaint.replace(
        &*call.repository.folder.to_string_lossy(),
        call.repository.name.as_str(),
    );
    let said = reason(&complaint, status.code());
    // What git read was not its protocol, or ended in the middle of it.
    if ["protocol error", "hung up", "bad line length"]
        .iter()
        .any(|words| said.contains(words))
    {
        return Err(Failure::Body(said));
    }
    Err(Failure::Git(said))
}

/// The request's body to git. When git has heard enough, the rest is nobody's.
async fn feed(
    mut body: AnyBody,
    mut inflate: Inflate,
    stdin: Option<ChildStdin>,
    limit: u64,
) -> Result<(), Failure> {
    let Some(mut stdin) = stdin else {
        return Ok(());
    };
    let mut passed = 0;
    loop {
        let frame = match timeout(limits::CLIENT_PATIENCE, body.frame()).await {
            Err(_) => return Err(Failure::Slow),
            Ok(None) => break,
            Ok(Some(Err(error))) => return Err(Failure::Body(error.to_string())),
            Ok(Some(Ok(frame))) => frame,
        };
        let Ok(piece) = frame.into_data() else {
            continue;
        };
        for part in inflate.parts(&piece) {
            let part = inflate
                .pass(part)
                .map_err(|error| Failure::Body(error.to_string()))?;
            passed += part.len() as u64;
            if passed > limit {
                return Err(Failure::TooLarge { limit });
            }
            if stdin.write_all(&part).await.is_err() {
                return Ok(());
            }
        }
    }
    let rest = inflate
        .finish()
        .map_err(|error| Failure::Body(error.to_string()))?;
    drop(stdin.write_all(&rest).await);
    drop(stdin.shutdown().await);
    Ok(())
}

/// Git's answer to the client; the number of bytes. When the client has gone, a fetch ends, and a push goes on.
async fn take(stdout: Option<ChildStdout>, pieces: &Pieces, service: Service) -> u64 {
    let Some(mut stdout) = stdout else {
        return 0;
    };
    let mut taken = 0;
    let mut is_there = true;
    let mut buffer = BytesMut::new();
    loop {
        buffer.reserve(limits::PIECE_BYTES);
        match stdout.read_buf(&mut buffer).await {
            Ok(0) | Err(_) => return taken,
            Ok(count) => taken += count as u64,
        }
        let piece = buffer.split().freeze();
        if is_there {
            let sent = timeout(limits::CLIENT_PATIENCE, pieces.send(Ok(piece))).await;
            is_there = matches!(sent, Ok(Ok(())));
        }
        if !is_there && service == Service::UploadPack {
            // Closing the pipe ends it.
            return taken;
        }
    }
}

/// The body of an answer.
struct Answering {
    first: Option<Bytes>,
    pieces: mpsc::Receiver<Result<Bytes, Failure>>,
}

impl Body for Answering {
    type Data = Bytes;
    type Error = io::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, io::Error>>> {
        if let Some(first) = self.first.take() {
            return Poll::Ready(Some(Ok(Frame::data(first))));
        }
        self.pieces.poll_recv(context).map(|piece| match piece? {
            Ok(piece) => Some(Ok(Frame::data(piece))),
            // A cut answer must not look like a whole one.
            Err(failure) => Some(Err(io::Error::other(format!("{failure:?}")))),
        })
    }
}

//! From the pipes of a step to its log: lines, workflow commands, masks.

use std::io;

use deploy_sandbox::{Exec, Stream};
use deploy_workflow::run::Level;
use deploy_workflow::run::commands::{Annotation, Commands, Line};
use tokio::io::AsyncReadExt;
use tokio::sync::mpsc;
use tokio::task::JoinHandle;

use super::StepLog;
use crate::limits::{MAX_ANNOTATIONS, MAX_LINE_BYTES, OUTPUT_GRACE, READ_BYTES};

/// Which pipe.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Side {
    Out,
    Err,
}

/// Chunks on their way to the log: more, and the step waits.
const BACKLOG: usize = 8;

/// The worker that reads lines and writes the log.
pub(crate) struct Output {
    chunks: mpsc::Sender<(Side, Vec<u8>)>,
    worker: JoinHandle<io::Result<Ended>>,
}

/// What is known when all output has come.
pub(crate) struct Ended {
    /// Still to be finished.
    pub(crate) log: StepLog,
    /// What the commands in the output changed.
    pub(crate) commands: Commands,
    /// Values of `add-mask`.
    pub(crate) masks: Vec<String>,
    /// Messages for people.
    pub(crate) annotations: Vec<Annotation>,
    /// A command could not be carried out: the step fails.
    pub(crate) refused: bool,
}

/// The pipes of a step.
pub(crate) struct Streams {
    out: Option<Stream>,
    err: Option<Stream>,
}

impl Output {
    /// Starts the worker, on a thread that may wait for the disk.
    pub(crate) fn start(log: StepLog, commands: Commands, debug: bool) -> Output {
        let (chunks, mut queue) = mpsc::channel::<(Side, Vec<u8>)>(BACKLOG);
        let worker = tokio::task::spawn_blocking(move || {
            let mut reader = Reader::new(log, commands, debug);
            while let Some((side, bytes)) = queue.blocking_recv() {
                reader.read(side, &bytes)?;
            }
            reader.end()
        });
        Output { chunks, worker }
    }

    /// Waits until all that came is in the log.
    pub(crate) async fn end(self) -> io::Result<Ended> {
        drop(self.chunks);
        self.worker
            .await
            .map_err(|error| io::Error::other(error.to_string()))?
    }
}

impl Streams {
    /// Takes them from a process.
    pub(crate) fn of(exec: &mut Exec) -> Streams {
        Streams {
            out: exec.stdout.take(),
            err: exec.stderr.take(),
        }
    }

    /// Brings all that they say to the log, until they end, or until `ended` and a moment after it.
    pub(crate) async fn pump(&mut self, output: &Output, ended: impl Future<Output = ()>) {
        let mut ended = std::pin::pin!(async {
            ended.await;
            tokio::time::sleep(OUTPUT_GRACE).await;
        });
        let (mut out, mut err) = (vec![0; READ_BYTES], vec![0; READ_BYTES]);
        while self.out.is_some() || self.err.is_some() {
            let (side, count) = tokio::select! {
                count = read(&mut self.out, &mut out) => (Side::Out, count),
                count = read(&mut self.err, &mut err) => (Side::Err, count),
                () = &mut ended => return,
            };
            let (stream, buffer) = match side {
                Side::Out => (&mut self.out, &out),
                Side::Err => (&mut self.err, &err),
            };
            if count == 0 {
                *stream = None;
            } else if output
                .chunks
                .send((side, buffer[..count].to_vec()))
                .await
                .is_err()
            {
                // The log cannot be written: the worker's error says why. What the step still says is thrown away.
                return;
            }
        }
    }

    /// Reads on and forgets, so that what a step has left behind does not end for want of a reader. Ends when it does.
    pub(crate) async fn drain(mut self) {
        let (mut out, mut err) = (vec![0; READ_BYTES], vec![0; READ_BYTES]);
        while self.out.is_some() || self.err.is_some() {
            let (stream, count) = tokio::select! {
                count = read(&mut self.out, &mut out) => (&mut self.out, count),
                count = read(&mut self.err, &mut err) => (&mut self.err, count),
            };
            if count == 0 {
                *stream = None;
            }
        }
    }

    /// True where a process still holds one of them open.
    pub(crate) fn open(&self) -> bool {
        self.out.is_some() || self.err.is_some()
    }
}

/// Bytes read; none at the end, or where the pipe fails, which is an end too. For ever without a stream.
async fn read(stream: &mut Option<Stream>, buffer: &mut [u8]) -> usize {
    match stream {
        Some(stream) => stream.read(buffer).await.unwrap_or(0),
        None => std::future::pending().await,
    }
}

struct Reader {
    ended: Ended,
    out: Vec<u8>,
    err: Vec<u8>,
    /// The line that is under way was longer than a line may be: it is no command.
    long: [bool; 2],
    /// Lines that are not in the log yet.
    pieces: Vec<(String, bool)>,
    debug: bool,
}

impl Reader {
    fn new(log: StepLog, commands: Commands, debug: bool) -> Reader {
        Reader {
            ended: Ended {
                log,
                commands,
                masks: Vec::new(),
                annotations: Vec::new(),
                refused: false,
            },
            out: Vec::new(),
            err: Vec::new(),
            long: [false; 2],
            pieces: Vec::new(),
            debug,
        }
    }

    fn read(&mut self, side: Side, bytes: &[u8]) -> io::Result<()> {
        let mut held = std::mem::take(self.held(side));
        held.extend_from_slice(bytes);
        let mut rest = held.as_slice();
        while let Some(end) = rest.iter().position(|byte| *byte == b'\n') {
            self.line(side, &rest[..end], true)?;
            rest = &rest[end + 1..];
        }
        while rest.len() >= MAX_LINE_BYTES {
            let (piece, after) = rest.split_at(MAX_LINE_BYTES);
            self.line(side, piece, false)?;
            rest = after;
        }
        *self.held(side) = rest.to_vec();
        self.flush()
    }

    fn held(&mut self, side: Side) -> &mut Vec<u8> {
        match side {
            Side::Out => &mut self.out,
            Side::Err => &mut self.err,
        }
    }

    fn line(&mut self, side: Side, bytes: &[u8], ends: bool) -> io::Result<()> {
        let bytes = bytes.strip_suffix(b"\r").filter(|_| ends).unwrap_or(bytes);
        let text = String::from_utf8_lossy(bytes);
        let long = &mut self.long[side as usize];
        let was_long = std::mem::replace(long, !ends);
        if was_long || !ends {
            self.pieces.push((text.into_owned(), ends));
            return Ok(());
        }
        let shown = match self.ended.commands.line(&text) {
            Line::Text(text) => text.to_owned(),
            Line::Group(title) => format!("##[group]{title}"),
            Line::EndGroup => "##[endgroup]".to_owned(),
            Line::Annotation(one) if one.level == Level::Debug && !self.debug => return Ok(()),
            Line::Annotation(one) => self.annotate(one),
            Line::Mask(value) => {
                self.flush()?;
                self.ended.log.mask(&value);
                self.ended.masks.push(value);
                return Ok(());
            }
            Line::Done if self.ended.commands.echoes() => text.into_owned(),
            Line::Done => return Ok(()),
            Line::Refused { message, fatal } => {
                self.ended.refused |= fatal;
                format!("##[error]{message}")
            }
        };
        // What a command says may have lines of its own.
        self.pieces
            .extend(shown.split('\n').map(|line| (line.to_owned(), true)));
        Ok(())
    }

    fn annotate(&mut self, one: Annotation) -> String {
        let mark = match one.level {
            Level::Debug => "debug",
            Level::Notice => "notice",
            Level::Warning => "warning",
            Level::Error => "error",
        };
        let text = format!("##[{mark}]{}", one.message);
        if self.ended.annotations.len() < MAX_ANNOTATIONS {
            let log = &self.ended.log;
            let message = log.masked(&one.message);
            let title = one.title.map(|title| log.masked(&title));
            self.ended.annotations.push(Annotation {
                message,
                title,
                ..one
            });
        }
        text
    }

    fn flush(&mut self) -> io::Result<()> {
        let pieces = std::mem::take(&mut self.pieces);
        if pieces.is_empty() {
            return Ok(());
        }
        self.ended
            .log
            .write(pieces.iter().map(|(text, ends)| (text.as_str(), *ends)))
    }

    fn end(mut self) -> io::Result<Ended> {
        for side in [Side::Out, Side::Err] {
            let rest = std::mem::take(self.held(side));
            if !rest.is_empty() {
                self.line(side, &rest, true)?;
            }
        }
        self.flush()?;
        Ok(self.ended)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use deploy_workflow::run::mask::Masker;
    use deploy_workflow::run::{JobId, StepNumber};
    use tokio::sync::broadcast;

    fn reader(name: &str) -> (std::path::PathBuf, Reader) {
        let path = std::env::temp_dir().join(format!("deploy-jobs-out-{}-{name}", std::process::id()));
        let _ = std::fs::remove_file(&path);
        let (listeners, _) = broadcast::channel(64);
        let id = (JobId("j".to_owned()), StepNumber(0));
        let log = StepLog::open(&path, 64 << 20, Masker::default(), listeners, id).unwrap();
        (path, Reader::new(log, Commands::new(false), false))
    }

    fn texts(path: &std::path::Path) -> Vec<String> {
        let text = std::fs::read_to_string(path).unwrap();
        std::fs::remove_file(path).unwrap();
        text.lines()
            .map(|line| line.split_once(' ').map_or("", |(_, text)| text).to_owned())
            .collect()
    }

    #[test]
    fn commands_are_carried_out_and_masks_hold_from_there() {
        let (path, mut reader) = reader("commands");
        reader.read(Side::Out, b"se").unwrap();
        reader.read(Side::Err, b"warn\r\n").unwrap();
        reader.read(Side::Out, b"cret\n::add-mask::secret\nsecret\n::error file=a::no\n::set-output name=a::b\n::debug::x\nend").unwrap();
        let ended = reader.end().unwrap();
        assert_eq!(ended.annotations.len(), 1);
        assert_eq!(ended.masks, ["secret"]);
        assert_eq!(
            ended.commands.changes().outputs,
            [("a".to_owned(), "b".to_owned())]
        );
        ended.log.close().unwrap();
        assert_eq!(texts(&path), ["warn", "secret", "***", "##[error]no", "end"]);
    }

    #[test]
    fn a_line_without_an_end_needs_no_memory() {
        let (path, mut reader) = reader("long");
        let chunk = vec![b'x'; READ_BYTES];
        for _ in 0..20 {
            reader.read(Side::Out, &chunk).unwrap();
            assert!(reader.out.len() <= MAX_LINE_BYTES);
        }
        reader.read(Side::Out, b"\nshort\n").unwrap();
        reader.end().unwrap().log.close().unwrap();
        let lines = texts(&path);
        assert_eq!(lines.len(), 2);
        assert_eq!(lines[0].len(), 20 * READ_BYTES);
        assert_eq!(lines[1], "short");
    }
}

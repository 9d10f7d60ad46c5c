//! Telling what was pushed: each change of a reference once, also after a crash.
//!
//! References are Git's own record, and last when Git has accepted a push. Beside them, each repository has a file with the
//! references that were told last and the pushes that are not done with yet. Whoever looks compares the two, so a push that
//! was accepted just before a crash is found at the next start. One thread owns all of these files.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::fs::{self, File};
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};
use std::thread::JoinHandle;

use serde::{Deserialize, Serialize};
use tokio::sync::{mpsc, oneshot};

use crate::command::Git;
use crate::error::GitError;
use crate::limits;
use crate::name::RepositoryName;
use crate::oid::Oid;

/// The file in the folder of a repository.
const FILE: &str = "deploy-told.json";

/// A reference that was changed by a push.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Push {
    /// Where.
    pub repository: String,
    /// Its number in the repository, from 1 on: whoever keeps it with what he did about the push knows a push that is told
    /// a second time because the machine stopped before [`Pushes::done`] was on disk.
    pub number: u64,
    /// The reference, as in `refs/heads/main`.
    pub reference: String,
    /// What it was before; nothing when it is new.
    pub before: Option<Oid>,
    /// What it is now; nothing when it was deleted.
    pub after: Option<Oid>,
    /// The identity that pushed, where known: not for a deletion that was found after a crash.
    pub by: Option<String>,
}

/// What a repository's file says.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
struct Record {
    /// The number of the next push.
    next: u64,
    /// References as they were told.
    references: BTreeMap<String, Oid>,
    /// Told, or to be told, and not done with.
    open: Vec<Push>,
}

enum Message {
    /// References may have changed, by whom.
    Settle(RepositoryName, Option<String>),
    /// Tell the push of this place in the order of all; places begin at 0.
    Next(u64, oneshot::Sender<Push>),
    Done(Push, oneshot::Sender<Result<(), GitError>>),
    /// Answers when all before it is done.
    Close(oneshot::Sender<()>),
}

/// The thread, as the rest of the crate sees it.
pub(crate) struct Teller {
    messages: Option<mpsc::Sender<Message>>,
    thread: Mutex<Option<JoinHandle<()>>>,
}

/// The pushes, in their order. There is one of it.
pub struct Pushes {
    messages: mpsc::Sender<Message>,
    place: u64,
}

impl Pushes {
    /// The next push; nothing when the repositories were closed. Dropping the future loses none.
    pub async fn next(&mut self) -> Option<Push> {
        let (answer, answered) = oneshot::channel();
        self.messages.send(Message::Next(self.place, answer)).await.ok()?;
        let push = answered.await.ok()?;
        self.place += 1;
        Some(push)
    }

    /// Says that a push need not be told again: whatever is to come of it is on disk.
    ///
    /// # Errors
    /// Those of the disk; then it is told again after the next start.
    pub async fn done(&self, push: &Push) -> Result<(), GitError> {
        let (answer, answered) = oneshot::channel();
        self.messages
            .send(Message::Done(push.clone(), answer))
            .await
            .map_err(|_| GitError::Closed)?;
        answered.await.unwrap_or(Err(GitError::Closed))
    }
}

impl Teller {
    pub fn start(git: Git, names: Vec<RepositoryName>, root: PathBuf) -> Result<(Teller, Pushes), GitError> {
        let (messages, inbox) = mpsc::channel(limits::QUEUED_MESSAGES);
        let mut work = Work {
            git,
            root,
            records: BTreeMap::new(),
            queue: VecDeque::new(),
            first: 0,
            waiting: None,
            failed: BTreeSet::new(),
        };
        for name in names {
            work.adopt(&name)?;
        }
        let root = work.root.clone();
        let thread = std::thread::Builder::new()
            .name("git-pushes".to_owned())
            .spawn(move || work.run(inbox))
            .map_err(|error| GitError::io(&root, &error))?;
        let teller = Teller {
            messages: Some(messages.clone()),
            thread: Mutex::new(Some(thread)),
        };
        Ok((teller, Pushes { messages, place: 0 }))
    }

    pub async fn settle(&self, name: RepositoryName) -> Result<(), GitError> {
        self.settle_by(name, None).await
    }

    pub async fn settle_by(&self, name: RepositoryName, by: Option<String>) -> Result<(), GitError> {
        let messages = self.messages.as_ref().ok_or(GitError::Closed)?;
        messages
            .send(Message::Settle(name, by))
            .await
            .map_err(|_| GitError::Closed)
    }

    /// Waits until what came before is on disk; nothing is told any more.
    pub async fn close(&self) {
        let (answer, answered) = oneshot::channel();
        if let Some(messages) = &self.messages
            && messages.send(Message::Close(answer)).await.is_ok()
        {
            drop(answered.await);
        }
        let thread = self.thread.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(thread) = thread {
            drop(thread.join());
        }
    }
}

struct Work {
    git: Git,
    root: PathBuf,
    records: BTreeMap<RepositoryName, Record>,
    /// What is to be told, or was told and may be asked for again.
    queue: VecDeque<Push>,
    /// The place of the queue's first in the order of all.
    first: u64,
    waiting: Option<(u64, oneshot::Sender<Push>)>,
    /// Repositories that could not be looked at; the next push to any tries again.
    failed: BTreeSet<RepositoryName>,
}

impl Work {
    fn run(mut self, mut inbox: mpsc::Receiver<Message>) {
        while let Some(message) = inbox.blocking_recv() {
            match message {
                Message::Settle(name, by) => {
                    let again = std::mem::take(&mut self.failed);
                    for (name, by) in again.into_iter().map(|name| (name, None)).chain([(name, by)]) {
                        if self.settle(&name, by.as_deref()).is_err() {
                            self.failed.insert(name);
                        }
                    }
                }
                Message::Next(place, answer) => self.waiting = Some((place, answer)),
                Message::Done(push, answer) => drop(answer.send(self.done(&push))),
                Message::Close(answer) => {
                    // Whoever has stopped waiting need not know.
                    let _ = answer.send(());
                    return;
                }
            }
            self.tell();
        }
    }

    /// What was open at the last end is told first.
    fn adopt(&mut self, name: &RepositoryName) -> Result<(), GitError> {
        let path = name.folder(&self.root).join(FILE);
        let record: Record = match fs::read(&path) {
            Ok(text) => serde_json::from_slice(&text).map_err(|error| GitError::Io {
                path: path.clone(),
                reason: error.to_string(),
            })?,
            Err(error) if error.kind() == io::ErrorKind::NotFound => Record::default(),
            Err(error) => return Err(GitError::io(&path, &error)),
        };
        self.queue.extend(record.open.iter().cloned());
        self.records.insert(name.clone(), record);
        self.settle(name, None)
    }

    /// Compares references with those that were told.
    fn settle(&mut self, name: &RepositoryName, by: Option<&str>) -> Result<(), GitError> {
        let folder = name.folder(&self.root);
        let now = references(&self.git, &folder)?;
        let mut record = self.records.get(name).cloned().unwrap_or_default();
        if record.references == now {
            self.records.entry(name.clone()).or_insert(record);
            return Ok(());
        }
        let names: BTreeSet<&String> = record.references.keys().chain(now.keys()).collect();
        let mut pushes = Vec::new();
        for reference in names {
            let (before, after) = (record.references.get(reference), now.get(reference));
            if before == after {
                continue;
            }
            for step in steps(&folder, reference, before, after, by) {
                record.next += 1;
                pushes.push(Push {
                    repository: name.to_string(),
                    number: record.next,
                    reference: reference.clone(),
                    before: step.before,
                    after: step.after,
                    by: step.by,
                });
            }
        }
        name_a_head(&self.git, &folder, &now);
        record.references = now;
        record.open.extend(pushes.iter().cloned());
        write(&folder, &record)?;
        self.records.insert(name.clone(), record);
        self.queue.extend(pushes);
        Ok(())
    }

    fn done(&mut self, push: &Push) -> Result<(), GitError> {
        let Ok(name) = push.repository.parse::<RepositoryName>() else {
            return Ok(());
        };
        let Some(mut record) = self.records.get(&name).cloned() else {
            return Ok(());
        };
        record.open.retain(|open| open.number != push.number);
        write(&name.folder(&self.root), &record)?;
        self.records.insert(name, record);
        Ok(())
    }

    fn tell(&mut self) {
        let Some((place, answer)) = self.waiting.take() else {
            return;
        };
        // Whoever asks for a place has received all before it.
        while self.first < place && self.queue.pop_front().is_some() {
            self.first += 1;
        }
        match self.queue.front() {
            Some(push) => drop(answer.send(push.clone())),
            None => self.waiting = Some((place, answer)),
        }
    }
}

/// One change of a reference.
#[derive(Debug, PartialEq, Eq)]
struct Step {
    before: Option<Oid>,
    after: Option<Oid>,
    by: Option<String>,
}

/// How a reference got from one object to another, by its log; in one step where the log does not say.
fn steps(
    folder: &Path,
    reference: &str,
    before: Option<&Oid>,
    after: Option<&Oid>,
    by: Option<&str>,
) -> Vec<Step> {
    let log = tail(&folder.join("logs").join(reference), limits::REFLOG_BYTES).unwrap_or_default();
    let mut steps = chain(&log, before, after);
    if steps.is_empty() {
        steps.push(Step {
            before: before.cloned(),
            after: after.cloned(),
            by: by.map(str::to_owned),
        });
    }
    steps
}

/// The last entries of a log that lead from one object to another, without a gap.
fn chain(log: &str, before: Option<&Oid>, after: Option<&Oid>) -> Vec<Step> {
    let mut steps: VecDeque<Step> = VecDeque::new();
    for entry in log.lines().rev().filter_map(entry) {
        let wanted = match steps.front() {
            None => after,
            Some(next) => next.before.as_ref(),
        };
        if entry.after.as_ref() != wanted {
            break;
        }
        steps.push_front(entry);
        if steps[0].before.as_ref() == before {
            return steps.into();
        }
    }
    Vec::new()
}

/// `<old> <new> <name> <email> <time> <zone>\t<message>` (gitformat: refs/files-backend.c).
fn entry(line: &str) -> Option<Step> {
    let (head, _) = line.split_once('\t').unwrap_or((line, ""));
    let mut parts = head.splitn(3, ' ');
    let before = Oid::or_none(parts.next()?).ok()?;
    let after = Oid::or_none(parts.next()?).ok()?;
    let (by, _) = parts.next()?.split_once(" <")?;
    Some(Step {
        before,
        after,
        by: Some(by.to_owned()),
    })
}

fn tail(path: &Path, bytes: u64) -> io::Result<String> {
    let mut file = File::open(path)?;
    let start = file.metadata()?.len().saturating_sub(bytes);
    file.seek(SeekFrom::Start(start))?;
    let mut text = Vec::new();
    file.take(bytes).read_to_end(&mut text)?;
    let text = String::from_utf8_lossy(&text).into_owned();
    // The first line may be cut.
    Ok(match start {
        0 => text,
        _ => text
            .split_once('\n')
            .map_or(String::new(), |(_, rest)| rest.to_owned()),
    })
}

fn references(git: &Git, folder: &Path) -> Result<BTreeMap<String, Oid>, GitError> {
    let what = "for-each-ref";
    let output = git
        .command(Some(folder))
        .args([what, "--format=%(objectname) %(refname)"])
        .output()
        .map_err(|error| git.failed(&error))?;
    if !output.status.success() {
        return Err(GitError::Refused {
            what,
            reason: crate::command::reason(&String::from_utf8_lossy(&output.stderr), output.status.code()),
        });
    }
    String::from_utf8_lossy(&output.stdout)
        .lines()
        .filter_map(|line| line.split_once(' '))
        .map(|(oid, name)| Ok((name.to_owned(), oid.parse()?)))
        .collect()
}

/// Lets `HEAD` name the only branch, where it names none: the first push to a new repository may be to any branch, and a
/// clone should find it. That it fails is seen by nobody but who clones.
fn name_a_head(git: &Git, folder: &Path, references: &BTreeMap<String, Oid>) {
    let head = fs::read_to_string(folder.join("HEAD")).unwrap_or_default();
    let is_there = head
        .trim()
        .strip_prefix("ref: ")
        .is_some_and(|head| references.contains_key(head));
    let mut branches = references.keys().filter(|name| name.starts_with("refs/heads/"));
    if let (false, Some(branch), None) = (is_there, branches.next(), branches.next()) {
        drop(
            git.command(Some(folder))
                .args(["symbolic-ref", "HEAD", branch])
                .output(),
        );
    }
}

/// Replaces the file: whole, and on disk when this returns.
fn write(folder: &Path, record: &Record) -> Result<(), GitError> {
    let (path, partial) = (folder.join(FILE), folder.join(format!("{FILE}.partial")));
    let text = serde_json::to_vec(record).expect("texts and numbers are always JSON");
    File::create(&partial)
        .and_then(|mut file| {
            file.write_all(&text)?;
            file.sync_all()
        })
        .and_then(|()| fs::rename(&partial, &path))
        .and_then(|()| File::open(folder)?.sync_all())
        .map_err(|error| GitError::io(&path, &error))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn oid(digit: char) -> Oid {
        digit.to_string().repeat(40).parse().expect("digits")
    }

    fn log(entries: &[(char, char, &str)]) -> String {
        entries
            .iter()
            .map(|(old, new, by)| {
                let (old, new) = (old.to_string().repeat(40), new.to_string().repeat(40));
                format!("{old} {new} {by} <{by}@deploy> 1700000000 +0000\tpush\n")
            })
            .collect()
    }

    #[test]
    fn a_log_tells_every_step() {
        let text = log(&[
            ('0', 'a', "ann"),
            ('a', 'b', "bob b"),
            ('b', 'a', "ann"),
            ('a', 'c', "cy"),
        ]);
        let by = |before: Option<char>, after: Option<char>| -> Vec<String> {
            chain(&text, before.map(oid).as_ref(), after.map(oid).as_ref())
                .into_iter()
                .filter_map(|step| step.by)
                .collect()
        };
        assert_eq!(by(Some('a'), Some('c')), ["cy"]);
        assert_eq!(by(Some('b'), Some('c')), ["ann", "cy"]);
        assert_eq!(by(None, Some('c')), ["ann", "bob b", "ann", "cy"]);
        assert!(by(Some('d'), Some('c')).is_empty());
        assert!(by(Some('a'), Some('d')).is_empty());
        assert!(by(Some('a'), None).is_empty());
        assert!(chain("garbage\n\n \t", None, Some(&oid('a'))).is_empty());
    }
}

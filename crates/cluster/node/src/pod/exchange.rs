//! What the engine is told, and what it asks for.

use jiff::Timestamp;
use serde_json::Value;

use super::Pod;
use crate::probe::{Kind, Outcome, Probe};

/// What has happened.
#[derive(Clone, Debug)]
pub enum Input {
    /// The object is new, or another one now.
    Pod(Box<Pod>),
    /// The API server has no such object any more.
    Gone,
    /// After [`Effect::PrepareVolumes`].
    Volumes(Result<(), VolumeFailure>),
    /// After [`Effect::CreateSandbox`].
    Sandbox(Result<SandboxUp, String>),
    /// The sandbox has ended without being asked to.
    SandboxLost,
    /// After [`Effect::EnsureImage`].
    Image {
        /// Whose.
        container: String,
        /// What is known of it.
        result: Result<ImageFacts, PullFailure>,
    },
    /// After [`Effect::Create`]: `user` of the container's status.
    Created {
        /// Which attempt.
        id: String,
        /// What went wrong.
        result: Result<Value, CreateError>,
    },
    /// After [`Effect::Start`]: since when it runs.
    Started {
        /// Which attempt.
        id: String,
        /// What went wrong.
        result: Result<Timestamp, String>,
    },
    /// After [`Effect::Hook`].
    Hook {
        /// Which attempt.
        id: String,
        /// Which hook.
        hook: Hook,
        /// What went wrong.
        result: Result<(), String>,
    },
    /// A container has ended.
    Exited {
        /// Which attempt.
        id: String,
        /// How.
        exit: Exit,
    },
    /// After [`Effect::Probe`].
    Probed {
        /// Which attempt.
        id: String,
        /// Which question.
        kind: Kind,
        /// The answer.
        outcome: Outcome,
    },
    /// After [`Effect::Clean`].
    Cleaned(Result<(), String>),
    /// After [`Effect::Delete`], where it could not be done.
    NotDeleted,
    /// It has used more than it may, as this message says: it ends at once.
    Evicted(String),
    /// Time has gone by.
    Tick,
}

/// What is to be done. Each is asked for once until its outcome is there.
#[derive(Clone, Debug, PartialEq)]
pub enum Effect {
    /// Make the folders and volumes of the pod.
    PrepareVolumes,
    /// Make its network and its sandbox.
    CreateSandbox,
    /// Have the image of a container.
    EnsureImage {
        /// Its name.
        container: String,
    },
    /// Make a container, not yet running.
    Create {
        /// Its name.
        container: String,
        /// Of this attempt.
        id: String,
        /// How often it was made before.
        attempt: u32,
    },
    /// Run it.
    Start {
        /// Which attempt.
        id: String,
    },
    /// Run a hook.
    Hook {
        /// Its name.
        container: String,
        /// Of this attempt.
        id: String,
        /// Which hook.
        hook: Hook,
    },
    /// Ask a probe.
    Probe {
        /// Its name.
        container: String,
        /// Of this attempt.
        id: String,
        /// Which question.
        kind: Kind,
        /// How to ask.
        probe: Probe,
    },
    /// Ask a container to end: with this signal, or SIGTERM where that is empty.
    Terminate {
        /// Which attempt.
        id: String,
        /// `SIGQUIT`, `3`
        signal: String,
    },
    /// End it.
    Kill {
        /// Which attempt.
        id: String,
    },
    /// Forget an attempt that has ended and that another one follows.
    Remove {
        /// Which attempt.
        id: String,
    },
    /// Remove the sandbox, the network and the volumes.
    Clean,
    /// Tell the API server, once it has the status, that the pod may go.
    Delete,
    /// Tell people.
    Event {
        /// The container that it is about.
        container: Option<String>,
        /// Whether something is wrong.
        warning: bool,
        /// One word.
        reason: &'static str,
        /// A sentence.
        message: String,
    },
}

/// The hooks of `lifecycle`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Hook {
    /// Right after the start.
    PostStart,
    /// Before the end.
    PreStop,
}

/// Volumes are not there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct VolumeFailure {
    /// Of the event: `FailedMount`.
    pub reason: &'static str,
    /// Of the event.
    pub message: String,
}

/// A sandbox is there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SandboxUp {
    /// Empty in the network of the host.
    pub address: String,
}

/// What the status and the end of a container need of its image.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ImageFacts {
    /// As the status names it.
    pub name: String,
    /// `imageID`
    pub id: String,
    /// Empty for SIGTERM.
    pub stop_signal: String,
}

/// An image is not there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PullFailure {
    /// `ErrImagePull`, `ErrImageNeverPull`, `InvalidImageName`, `ImageInspectError`
    pub reason: String,
    /// Of the status.
    pub message: String,
    /// Whether a registry was asked: then the next time waits longer each time.
    pub pulled: bool,
}

/// Why a container was not made.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum CreateError {
    /// Something that its manifest names is missing, or must not be so.
    Config(String),
    /// The runtime could not.
    Runtime(String),
}

/// How a container has ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Exit {
    /// 128 and the signal, where one has ended it.
    pub code: i32,
    /// `Completed`, `Error`, `OOMKilled`; empty to derive it from the code.
    pub reason: String,
    /// What it left as its last words.
    pub message: String,
    /// When.
    pub at: Timestamp,
}

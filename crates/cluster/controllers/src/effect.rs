//! What a controller wants done. The shell carries effects out in order, neighbouring creates and deletes side by side in
//! batches that grow, and stops where one fails: the controller is asked once more with the failure, for its status; then
//! the key waits and is tried again, and `reconcile` decides afresh.

use std::borrow::Cow;
use std::sync::Arc;
use std::time::Duration;

use serde_json::Value;

use crate::kind::Kind;

/// One thing to be done.
#[derive(Clone, Debug, PartialEq)]
pub enum Effect {
    /// Creates an object; one that exists already is left as it is and counts as done.
    Create {
        /// Of which resource.
        kind: Kind,
        /// The whole object.
        object: Value,
        /// Who is told of it, if anybody.
        tell: Option<Tell>,
    },
    /// Replaces an object at the resourceVersion that it carries.
    Update {
        /// Of which resource.
        kind: Kind,
        /// The whole object.
        object: Value,
    },
    /// Replaces the status of an object at the resourceVersion that it carries.
    UpdateStatus {
        /// Of which resource.
        kind: Kind,
        /// The whole object.
        object: Value,
    },
    /// A merge patch (RFC 7386).
    Patch {
        /// Of which resource.
        kind: Kind,
        /// Empty for objects of the whole cluster.
        namespace: String,
        /// Its name.
        name: String,
        /// Empty, or `status` ...
        subresource: &'static str,
        /// What changes.
        patch: Value,
    },
    /// Creates `pods/NAME/binding`: the scheduler's word.
    Bind {
        /// The pod's namespace.
        namespace: String,
        /// The pod's name.
        name: String,
        /// The pod's uid.
        uid: String,
        /// Where it goes.
        node: String,
    },
    /// Deletes an object; one that is gone counts as done.
    Delete {
        /// Of which resource.
        kind: Kind,
        /// Empty for objects of the whole cluster.
        namespace: String,
        /// Its name.
        name: String,
        /// Only if it still is this one.
        uid: String,
        /// `Background`, `Foreground` or `Orphan`; `None` is the resource's default.
        propagation: Option<&'static str>,
        /// Seconds; `None` is the object's own.
        grace_seconds: Option<u64>,
        /// Who is told of it, if anybody.
        tell: Option<Tell>,
    },
    /// Asks for the end of all objects of a resource in a namespace.
    DeleteAll {
        /// Of which resource.
        kind: Kind,
        /// Where.
        namespace: String,
    },
    /// Tells people. Equal events are counted, not repeated.
    Event {
        /// What it is about.
        about: Value,
        /// `Normal` or `Warning`.
        r#type: &'static str,
        /// One word.
        reason: &'static str,
        /// One sentence, in upstream's words.
        message: String,
    },
}

/// Events about the outcome of an effect, which only the shell knows: `{name}` is the object's name, `{error}` what the API
/// server said.
#[derive(Clone, Debug, PartialEq)]
pub struct Tell {
    /// What the events are about.
    pub about: Arc<Value>,
    /// Reason and message where it worked.
    pub done: (&'static str, Cow<'static, str>),
    /// Reason and message where it did not.
    pub failed: (&'static str, Cow<'static, str>),
}

/// The effect of the last outcome that failed, for a controller that says so in a status.
#[derive(Clone, Debug, PartialEq)]
pub struct Failure {
    /// What was tried.
    pub effect: Effect,
    /// What the API server said.
    pub message: String,
}

/// What a look at one key came to.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Outcome {
    /// In the order in which they are carried out.
    pub effects: Vec<Effect>,
    /// Look again after this time, even if nothing happens until then.
    pub again_after: Option<Duration>,
}

impl Outcome {
    /// Nothing to do.
    pub fn nothing() -> Outcome {
        Outcome::default()
    }

    /// Adds an effect.
    pub fn push(&mut self, effect: Effect) {
        self.effects.push(effect);
    }

    /// Adds an event about `about`.
    pub fn event(&mut self, about: &Value, r#type: &'static str, reason: &'static str, message: String) {
        let about = about.clone();
        self.push(Effect::Event {
            about,
            r#type,
            reason,
            message,
        });
    }

    /// Look again after this time at the latest.
    pub fn again_within(&mut self, after: Duration) {
        self.again_after = Some(self.again_after.map_or(after, |known| known.min(after)));
    }
}

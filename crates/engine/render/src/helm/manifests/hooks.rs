//! Hooks: objects that are installed at a moment of a release's life, not as part of it.

use super::head::Head;

/// The annotation that makes an object a hook.
pub const EVENTS: &str = "helm.sh/hook";
const WEIGHT: &str = "helm.sh/hook-weight";
const DELETE_POLICY: &str = "helm.sh/hook-delete-policy";
const OUTPUT_LOG_POLICY: &str = "helm.sh/hook-output-log-policy";

/// When a hook runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[allow(missing_docs)]
pub enum Event {
    PreInstall,
    PostInstall,
    PreDelete,
    PostDelete,
    PreUpgrade,
    PostUpgrade,
    PreRollback,
    PostRollback,
    Test,
}

impl Event {
    /// The name as annotations write it.
    pub fn name(self) -> &'static str {
        match self {
            Event::PreInstall => "pre-install",
            Event::PostInstall => "post-install",
            Event::PreDelete => "pre-delete",
            Event::PostDelete => "post-delete",
            Event::PreUpgrade => "pre-upgrade",
            Event::PostUpgrade => "post-upgrade",
            Event::PreRollback => "pre-rollback",
            Event::PostRollback => "post-rollback",
            Event::Test => "test",
        }
    }

    fn from_name(name: &str) -> Option<Event> {
        Some(match name {
            "pre-install" => Event::PreInstall,
            "post-install" => Event::PostInstall,
            "pre-delete" => Event::PreDelete,
            "post-delete" => Event::PostDelete,
            "pre-upgrade" => Event::PreUpgrade,
            "post-upgrade" => Event::PostUpgrade,
            "pre-rollback" => Event::PreRollback,
            "post-rollback" => Event::PostRollback,
            // `test-success` is how helm 2 wrote it.
            "test" | "test-success" => Event::Test,
            _ => return None,
        })
    }
}

/// An object with the annotation `helm.sh/hook`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Hook {
    /// `metadata.name`
    pub name: String,
    /// `kind`
    pub kind: String,
    /// The template that it came from.
    pub path: String,
    /// Its text.
    pub manifest: String,
    /// When it runs; never empty.
    pub events: Vec<Event>,
    /// Hooks of one event run from the lowest weight to the highest.
    pub weight: i64,
    /// When its object is deleted (`hook-succeeded`, ...), as written, in lower case.
    pub delete_policies: Vec<String>,
    /// When its log is shown, as written, in lower case.
    pub output_log_policies: Vec<String>,
}

impl Hook {
    pub(super) fn new(path: &str, manifest: &str, head: &Head, events: Vec<Event>) -> Hook {
        Hook {
            name: head.name.clone(),
            kind: head.kind.clone(),
            path: path.to_owned(),
            manifest: manifest.to_owned(),
            events,
            weight: head.annotation(WEIGHT).and_then(|w| w.parse().ok()).unwrap_or(0),
            delete_policies: policies(head, DELETE_POLICY),
            output_log_policies: policies(head, OUTPUT_LOG_POLICY),
        }
    }

    /// Whether it is run by `helm test`.
    pub fn is_test(&self) -> bool {
        self.events.contains(&Event::Test)
    }
}

/// The events of the annotation's value, or `None` if one of them is not known.
pub(super) fn events(annotation: &str) -> Option<Vec<Event>> {
    annotation
        .split(',')
        .map(|name| Event::from_name(&name.trim().to_lowercase()))
        .collect()
}

fn policies(head: &Head, annotation: &str) -> Vec<String> {
    head.annotation(annotation)
        .map(|value| {
            value
                .split(',')
                .map(|policy| policy.trim().to_lowercase())
                .collect()
        })
        .unwrap_or_default()
}

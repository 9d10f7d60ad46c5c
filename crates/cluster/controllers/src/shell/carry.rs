//! Carries effects out through the API server.

use deploy_cluster_api::api::Api;
use deploy_cluster_api::client::{Client, ResourceId};
use deploy_cluster_api::negotiate::PatchKind;
use deploy_cluster_api::options::{DeleteOptions, Propagation};
use deploy_cluster_api::status::StatusError;
use serde_json::{Value, json};
use tokio::task::JoinSet;

use super::events::Recorder;
use crate::effect::{Effect, Failure, Tell};
use crate::kind::{Kind, POD};
use crate::object;

/// The first batch of neighbouring effects; each that works is followed by one twice as large, so that what fails, fails
/// once and not five hundred times (`SlowStartInitialBatchSize`).
const BATCH_FIRST: usize = 1;

/// As many writes share a commit at most.
const BATCH_MAX: usize = 64;

/// What carries effects out: it acts as one controller.
pub struct Carrier {
    pub api: Api,
    pub client: Client,
    pub recorder: Recorder,
}

impl Carrier {
    /// Carries effects out in order, up to the first that fails.
    pub async fn carry_out(self: &std::sync::Arc<Self>, effects: Vec<Effect>) -> Result<(), Box<Failure>> {
        let mut effects = effects.into_iter().peekable();
        let mut batch_size = BATCH_FIRST;
        while let Some(first) = effects.next() {
            if !may_go_together(&first) {
                batch_size = BATCH_FIRST;
                self.one(first).await?;
                continue;
            }
            let mut batch = vec![first];
            while batch.len() < batch_size {
                let Some(next) = effects.next_if(|next| same_sort(&batch[0], next)) else {
                    break;
                };
                batch.push(next);
            }
            batch_size = (batch_size * 2).min(BATCH_MAX);
            self.together(batch).await?;
        }
        Ok(())
    }

    /// All of a batch are tried, also when one of them fails.
    async fn together(self: &std::sync::Arc<Self>, batch: Vec<Effect>) -> Result<(), Box<Failure>> {
        let mut tasks = JoinSet::new();
        for effect in batch {
            let carrier = self.clone();
            tasks.spawn(async move { carrier.one(effect).await });
        }
        let mut outcome = Ok(());
        while let Some(ended) = tasks.join_next().await {
            // A task that panicked has failed, and the key is looked at again like after any failure.
            let ended = ended.unwrap_or_else(|panic| {
                let effect = Effect::Create {
                    kind: POD,
                    object: Value::Null,
                    tell: None,
                };
                Err(Box::new(Failure {
                    effect,
                    message: panic.to_string(),
                }))
            });
            outcome = outcome.and(ended);
        }
        outcome
    }

    async fn one(&self, effect: Effect) -> Result<(), Box<Failure>> {
        let outcome = self.act(&effect).await;
        match (&outcome, tell_of(&effect)) {
            (Ok(name), Some(tell)) => self.tell(tell, name, "").await,
            (Err(error), Some(tell)) if !is_ending_namespace(error) => {
                self.tell(tell, "", &error.message).await;
            }
            _ => {}
        }
        match outcome {
            Ok(_) => Ok(()),
            // Nothing can be made there any more; what is there goes with the namespace.
            Err(error) if is_ending_namespace(&error) => Ok(()),
            Err(error) => Err(Box::new(Failure {
                effect,
                message: error.message,
            })),
        }
    }

    async fn tell(&self, tell: &Tell, name: &str, error: &str) {
        let (r#type, (reason, text)) = if error.is_empty() {
            ("Normal", &tell.done)
        } else {
            ("Warning", &tell.failed)
        };
        let message = text.replace("{name}", name).replace("{error}", error);
        self.recorder.tell(&tell.about, r#type, reason, &message).await;
    }

    /// The name of the object that was acted on.
    async fn act(&self, effect: &Effect) -> Result<String, StatusError> {
        let client = &self.client;
        match effect {
            Effect::Create { kind, object, .. } => match client.create(&id(kind), object.clone()).await {
                Ok(created) => Ok(object::name(&created).to_owned()),
                Err(error) if error.reason == "AlreadyExists" => Ok(object::name(object).to_owned()),
                Err(error) => Err(error),
            },
            Effect::Update { kind, object } => client
                .update(&id(kind), object.clone())
                .await
                .map(|_| String::new()),
            Effect::UpdateStatus { kind, object } => client
                .update_status(&id(kind), object.clone())
                .await
                .map(|_| String::new()),
            Effect::Patch {
                kind,
                namespace,
                name,
                subresource,
                patch,
            } => {
                let (resource, patch) = (id(kind), patch.clone());
                let patched = client.patch(&resource, namespace, name, subresource, PatchKind::Merge, patch);
                patched.await.map(|_| name.clone())
            }
            Effect::Bind {
                namespace,
                name,
                uid,
                node,
            } => {
                let binding = json!({
                    "apiVersion": "v1",
                    "kind": "Binding",
                    "metadata": {"name": name, "namespace": namespace, "uid": uid},
                    "target": {"kind": "Node", "name": node},
                });
                let pods = id(&POD);
                let bound = client.create_subresource(&pods, namespace, name, "binding", binding);
                bound.await.map(|_| name.clone())
            }
            Effect::Delete {
                kind,
                namespace,
                name,
                uid,
                propagation,
                grace_seconds,
                ..
            } => {
                let options = DeleteOptions {
                    uid: Some(uid.clone()).filter(|uid| !uid.is_empty()),
                    grace_period_seconds: grace_seconds.and_then(|seconds| i64::try_from(seconds).ok()),
                    propagation: propagation.and_then(propagation_of),
                    ..DeleteOptions::default()
                };
                match client.delete(&id(kind), namespace, name, &options).await {
                    Ok(()) => Ok(name.clone()),
                    Err(error) if error.reason == "NotFound" => Ok(name.clone()),
                    Err(error) => Err(error),
                }
            }
            Effect::DeleteAll { kind, namespace } => {
                let options = DeleteOptions {
                    propagation: Some(Propagation::Background),
                    ..DeleteOptions::default()
                };
                for object in client.list(&id(kind), Some(namespace)) {
                    match client
                        .delete(&id(kind), namespace, object::name(&object), &options)
                        .await
                    {
                        Err(error) if error.reason != "NotFound" => return Err(error),
                        _ => {}
                    }
                }
                Ok(String::new())
            }
            Effect::Event {
                about,
                r#type,
                reason,
                message,
            } => {
                self.recorder.tell(about, r#type, reason, message).await;
                Ok(String::new())
            }
        }
    }
}

/// How clients name a resource.
pub fn id(kind: &Kind) -> ResourceId {
    ResourceId {
        group: kind.group.clone(),
        version: kind.version.clone(),
        plural: kind.plural.clone(),
    }
}

fn propagation_of(name: &str) -> Option<Propagation> {
    match name {
        "Background" => Some(Propagation::Background),
        "Foreground" => Some(Propagation::Foreground),
        "Orphan" => Some(Propagation::Orphan),
        _ => None,
    }
}

fn may_go_together(effect: &Effect) -> bool {
    matches!(
        effect,
        Effect::Create { .. } | Effect::Delete { .. } | Effect::Bind { .. } | Effect::Event { .. }
    )
}

/// What is made of one resource may be needed by what is made of another: a claim by its pod.
fn same_sort(a: &Effect, b: &Effect) -> bool {
    match (a, b) {
        (Effect::Create { kind: a, .. }, Effect::Create { kind: b, .. }) => a == b,
        _ => std::mem::discriminant(a) == std::mem::discriminant(b),
    }
}

fn tell_of(effect: &Effect) -> Option<&Tell> {
    match effect {
        Effect::Create { tell, .. } | Effect::Delete { tell, .. } => tell.as_ref(),
        _ => None,
    }
}

fn is_ending_namespace(error: &StatusError) -> bool {
    let causes = error.details["causes"].as_array().into_iter().flatten();
    causes
        .into_iter()
        .any(|cause| cause["reason"] == "NamespaceTerminating")
}

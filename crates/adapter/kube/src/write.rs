//! Apply, look, delete.

use deploy_sync::Key;
use deploy_sync::plan::Dry;
use hyper::Method;
use kube_client::client::Body;
use serde_json::{Value, json};

use crate::cluster::{Cluster, request};
use crate::error::RequestError;
use crate::kinds::Served;

/// The field manager of all that a sync writes.
const MANAGER: &str = "deploy";

/// How an apply is meant.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Manner {
    /// Nothing is written; the answer is what would be.
    DryRun,
    /// Written; fields that others own are a conflict.
    Write,
    /// Written; fields that others own are taken over.
    Force,
}

impl Cluster {
    /// Applies an object, which must have its namespace, and gives what it is then.
    ///
    /// # Errors
    /// [`RequestError`]; [`RequestError::KindMissing`] also after the kinds were asked for again.
    pub async fn apply(&self, object: &Value, manner: Manner) -> Result<Value, RequestError> {
        let key = Key::of(object);
        let version = object["apiVersion"].as_str().unwrap_or_default();
        let served = self.served(&key, version).await?;
        let mut path = format!(
            "{}?fieldManager={MANAGER}&fieldValidation=Strict",
            served.path(&key)
        );
        match manner {
            Manner::DryRun => path.push_str("&dryRun=All"),
            Manner::Write => {}
            Manner::Force => path.push_str("&force=true"),
        }
        let request = request(Method::PATCH, &path).header("content-type", "application/apply-patch+yaml");
        self.json(request.body(Body::from(object.to_string().into_bytes())))
            .await
    }

    /// What an apply would make of an object. [`Dry::Conflict`] is told, not forced.
    ///
    /// # Errors
    /// What says nothing about the object: nobody answers, or not now.
    pub async fn dry_run(&self, object: &Value) -> Result<Dry, RequestError> {
        match self.apply(object, Manner::DryRun).await {
            Ok(would) => Ok(Dry::Would(would)),
            Err(error) => error.dry().ok_or(error),
        }
    }

    /// An object as it is, in the preferred version of its kind; `None` where it is not there, or its kind is not served.
    ///
    /// # Errors
    /// [`RequestError`].
    pub async fn get(&self, key: &Key) -> Result<Option<Value>, RequestError> {
        let kinds = self.kinds().await;
        let Some(served) = kinds.preferred(&key.group, &key.kind) else {
            return Ok(None);
        };
        let got = self
            .json(request(Method::GET, &served.path(key)).body(Body::empty()))
            .await;
        match got {
            Ok(object) => Ok(Some(object)),
            Err(error) if error.is_missing() => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// Deletes an object with all that it owns, only where it has this uid if one is given. True where it is gone, or
    /// was not there; false where it is still ending.
    ///
    /// # Errors
    /// [`RequestError`].
    pub async fn delete(&self, key: &Key, uid: Option<&str>) -> Result<bool, RequestError> {
        let kinds = self.kinds().await;
        let Some(served) = kinds.preferred(&key.group, &key.kind) else {
            return Ok(true);
        };
        let mut options =
            json!({"apiVersion": "v1", "kind": "DeleteOptions", "propagationPolicy": "Foreground"});
        if let Some(uid) = uid {
            options["preconditions"] = json!({ "uid": uid });
        }
        let request = request(Method::DELETE, &served.path(key)).header("content-type", "application/json");
        match self
            .json(request.body(Body::from(options.to_string().into_bytes())))
            .await
        {
            // The object itself, where something holds it; a Status where it went at once.
            Ok(answer) => Ok(answer["kind"] == "Status" || answer["metadata"]["deletionTimestamp"].is_null()),
            Err(error) if error.is_missing() => Ok(true),
            // Another one has its name now: ours is gone.
            Err(RequestError::Status { code: 409, .. }) if uid.is_some() => Ok(true),
            Err(error) => Err(error),
        }
    }

    async fn served(&self, key: &Key, version: &str) -> Result<Served, RequestError> {
        let short = version.rsplit('/').next().unwrap_or_default();
        let find = |kinds: &crate::Kinds| kinds.version(&key.group, &key.kind, short).cloned();
        if let Some(served) = find(&*self.kinds().await) {
            return Ok(served);
        }
        let kinds = self.discover().await?;
        find(&kinds).ok_or_else(|| RequestError::KindMissing {
            kind: key.kind.clone(),
            version: version.to_owned(),
        })
    }
}

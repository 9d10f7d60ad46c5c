//! What every cluster has is created where it is missing, each time the server starts.

use std::net::SocketAddr;

use serde_json::Value;
use tokio::task::JoinSet;

use crate::admission::bootstrap::{self as wanted, Site};
use crate::allocators::Range;
use crate::api::Api;
use crate::authorization::bootstrap::{self as roles, Change};
use crate::client::{Client, ResourceId};
use crate::identity::UserInfo;
use crate::options::DeleteOptions;
use crate::status::StatusError;
use crate::{identifiers, object};

/// What the objects of the cluster say about it.
#[derive(Clone, Debug)]
pub struct Place {
    /// Where the server listens.
    pub listen: SocketAddr,
    /// The certificate of its authority, in PEM.
    pub authority: String,
    /// Where services get their addresses. It is the same for as long as the cluster lives.
    pub service_range: Range,
}

/// Creates and mends: namespaces first, then all else at once, so that few fsyncs carry many objects.
pub(crate) async fn bootstrap(api: &Api, place: &Place) -> Result<(), StatusError> {
    let client = Client::new(api, UserInfo::api_server(), "kube-apiserver");
    let keep = |object: Value| wanted::Wanted {
        object,
        restored: &[],
    };
    all(&client, wanted::namespaces().into_iter().map(keep).collect()).await?;
    let range = place.service_range.to_string();
    let site = Site {
        listen: place.listen,
        service_address: place.service_range.first(),
        service_range: &range,
        authority: &place.authority,
        now: identifiers::now_seconds(),
    };
    all(&client, wanted::objects(&site)).await?;
    let mut tasks = JoinSet::new();
    for role in roles::objects() {
        let client = client.clone();
        tasks.spawn(async move { mend_role(&client, role).await });
    }
    finish(tasks).await
}

/// Writes the roles of the parts that a node brings along.
pub(crate) async fn admit_parts(api: &Api, node: &str) -> Result<(), StatusError> {
    let client = Client::new(api, UserInfo::api_server(), "kube-apiserver");
    let mut tasks = JoinSet::new();
    for role in roles::parts::objects(node) {
        let client = client.clone();
        tasks.spawn(async move { mend_role(&client, role).await });
    }
    finish(tasks).await
}

/// Writes where the server is found.
pub(crate) async fn advertise(api: &Api, address: SocketAddr) -> Result<(), StatusError> {
    let client = Client::new(api, UserInfo::api_server(), "kube-apiserver");
    all(&client, wanted::found_at(address)).await
}

async fn all(client: &Client, wanted: Vec<wanted::Wanted>) -> Result<(), StatusError> {
    let mut tasks = JoinSet::new();
    for wanted in wanted {
        let client = client.clone();
        tasks.spawn(async move { mend(&client, wanted).await });
    }
    finish(tasks).await
}

async fn finish(mut tasks: JoinSet<Result<(), StatusError>>) -> Result<(), StatusError> {
    while let Some(done) = tasks.join_next().await {
        done.map_err(|error| StatusError::internal(&error.to_string()))??;
    }
    Ok(())
}

/// The resource of an object, by its type.
fn resource_of(client: &Client, object: &Value) -> Result<ResourceId, StatusError> {
    let api_version = object["apiVersion"].as_str().unwrap_or_default();
    let kind = object["kind"].as_str().unwrap_or_default();
    client
        .resource_of(api_version, kind)
        .ok_or_else(|| StatusError::internal(&format!("no resource for {api_version} {kind}")))
}

async fn mend(client: &Client, wanted: wanted::Wanted) -> Result<(), StatusError> {
    let resource = resource_of(client, &wanted.object)?;
    let (namespace, name) = (object::namespace(&wanted.object), object::name(&wanted.object));
    let Some(existing) = client.get(&resource, namespace, name) else {
        return created(client.create(&resource, wanted.object).await);
    };
    let mut mended = (*existing).clone();
    for field in wanted.restored {
        mended[*field] = wanted.object[*field].clone();
    }
    if mended == *existing {
        return Ok(());
    }
    client.update(&resource, mended).await.map(|_| ())
}

async fn mend_role(client: &Client, wanted: Value) -> Result<(), StatusError> {
    let resource = resource_of(client, &wanted)?;
    let Some(existing) = client.get(&resource, object::namespace(&wanted), object::name(&wanted)) else {
        return created(client.create(&resource, wanted).await);
    };
    match roles::reconcile(&existing, &wanted) {
        Change::None => Ok(()),
        Change::Update(object) => client.update(&resource, object).await.map(|_| ()),
        Change::Recreate => {
            let (namespace, name) = (object::namespace(&wanted), object::name(&wanted));
            client
                .delete(&resource, namespace, name, &DeleteOptions::default())
                .await?;
            created(client.create(&resource, wanted).await)
        }
    }
}

/// What somebody else has created in the meantime is there, too.
fn created<T>(result: Result<T, StatusError>) -> Result<(), StatusError> {
    match result {
        Err(error) if error.reason != "AlreadyExists" => Err(error),
        _ => Ok(()),
    }
}

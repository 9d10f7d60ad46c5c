//! The verbs, over one generic registry.

mod change;
mod connect;
mod create;
mod delete;
mod dispatch;
mod get;
mod list;
mod ownership;
mod parts;
mod patch;
mod pods;
mod requester;
mod reviews;
mod scale;
mod update;
mod watch;

pub(crate) use change::{Change, Strategy};
pub(crate) use connect::is_connect;
pub(crate) use create::create;
pub(crate) use delete::{delete, delete_collection};
pub(crate) use dispatch::dispatch;
pub(crate) use get::get;
pub(crate) use list::Selection;
pub(crate) use parts::strategy;
pub(crate) use patch::patch;
pub(crate) use pods::{bind, evict};
pub(crate) use reviews::token;
pub(crate) use update::update;

use std::sync::Arc;

use deploy_cluster_kinds::field::Finding;
use deploy_cluster_storage::Entry;
use serde_json::Value;

use crate::api::Inner;
use crate::authorization::{Attributes, Authorizer as _, Decision, forbidden};
use crate::custom;
use crate::encode::ListMeta;
use crate::identity::UserInfo;
use crate::options::WriteOptions;
use crate::scope::Scope;
use crate::status::StatusError;

/// One request that has been authorized.
pub(crate) struct Call<'a> {
    pub api: &'a Inner,
    pub scope: Scope,
    pub user: &'a UserInfo,
    /// The options of a write.
    pub options: WriteOptions,
    /// Who the written fields belong to: the option, or what User-Agent says.
    pub manager: String,
    /// What the client is told beside the answer.
    pub warnings: Vec<String>,
}

impl Call<'_> {
    /// What is wrong with a new object.
    pub fn check_create(&self, new: &Value) -> Vec<Finding> {
        match &self.scope.resource.custom {
            Some(custom) => custom::check_create(custom, new),
            None if self.scope.is_view() => {
                let shown = self.scope.to_served(new.clone());
                self.scope
                    .served_rules
                    .check_create(&shown, self.scope.resource.namespaced)
            }
            None => self.scope.rules.check_create(new, self.scope.resource.namespaced),
        }
    }

    /// What is wrong with a change.
    pub fn check_change(&self, strategy: Strategy, new: &Value, old: &Value) -> Vec<Finding> {
        if let Some(custom) = &self.scope.resource.custom {
            return custom::check_update(custom, self.scope.subresource_name(), new, old);
        }
        let (rules, namespaced) = (self.scope.rules, self.scope.resource.namespaced);
        if self.scope.is_view() {
            let shown = |object: &Value| self.scope.to_served(object.clone());
            return (strategy.check)(self.scope.served_rules, &shown(new), &shown(old), namespaced);
        }
        strategy
            .part
            .and_then(|part| rules.check_subresource(part.name, new, old, namespaced))
            .unwrap_or_else(|| (strategy.check)(rules, new, old, namespaced))
    }

    /// Whether he who updates may create, where there is nothing to update.
    pub fn authorize_create(&self) -> Result<(), StatusError> {
        let scope = &self.scope;
        let wanted = Attributes {
            user: Some(self.user),
            verb: "create",
            group: &scope.resource.group,
            version: &scope.resource.version,
            resource: &scope.resource.plural,
            subresource: scope.subresource_name(),
            namespace: &scope.namespace,
            name: &scope.name,
            resource_request: true,
            path: "",
        };
        match self.api.rbac.authorize(&wanted) {
            Decision::Allow(_) => Ok(()),
            Decision::NoOpinion(reason) => Err(forbidden(&wanted, &reason)),
        }
    }
}

/// An object of an answer, in the stored version.
#[derive(Clone, Debug)]
pub(crate) enum Object {
    /// As it stands in the store.
    Stored(Arc<Entry>),
    /// Nowhere: a dry run, or an answer that is made up.
    Made(Value),
}

impl Object {
    pub fn into_value(self) -> Value {
        match self {
            Self::Stored(entry) => (*parsed(&entry)).clone(),
            Self::Made(object) => object,
        }
    }
}

/// What a verb answers.
#[derive(Debug)]
pub(crate) enum Outcome {
    /// An object of the resource, in the stored version.
    Object { status: u16, object: Object },
    /// Objects of the resource.
    List {
        entries: Vec<Arc<Entry>>,
        meta: ListMeta,
    },
    /// Something that is sent as it is: a Status, a Scale, a review.
    Other { status: u16, object: Value },
}

/// The object of an entry; parsed once, kept as long as the entry.
pub(crate) fn parsed(entry: &Entry) -> Arc<Value> {
    entry.derived(|body| serde_json::from_slice(body).unwrap_or(Value::Null))
}

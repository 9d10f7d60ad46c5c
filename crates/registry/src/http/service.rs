//! From a request to its answer: the gate, the route, the part of the registry.

use std::net::SocketAddr;
use std::sync::Arc;

use hyper::header::{AUTHORIZATION, HOST, HeaderMap, HeaderName, HeaderValue};
use hyper::{Method, Request, StatusCode};
use serde_json::json;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio_util::task::TaskTracker;

use super::answer::{self, API_VERSION, Answer};
use super::body::Buffers;
use super::query::{self, Query};
use super::refusal::Refusal;
use super::route::{Part, Route};
use super::{blobs, lists, manifests, tokens, uploads};
use crate::access::{Action, Caller, Gate, Scope, Stranger, Way};
use crate::error::RegistryError;
use crate::registry::Registry;
use crate::{limits, name};

/// Where clients find the token service.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Address {
    /// Where they found the registry, over plain HTTP.
    AsAsked,
    /// At this URL, because something stands before the registry: `https://registry.example.com`.
    External(String),
}

/// Answers requests.
#[derive(Clone)]
pub struct Service {
    pub(super) registry: Arc<Registry>,
    pub(super) gate: Arc<Gate>,
    pub(super) buffers: Buffers,
    address: Address,
    /// Bounds the threads that wait for the disk.
    disk: Arc<Semaphore>,
    /// Work that goes on beside its connection: reading ahead.
    pub(super) tasks: TaskTracker,
}

/// A request without its body.
pub(super) struct Asked {
    pub method: Method,
    pub headers: HeaderMap,
    pub query: Query,
    pub caller: Caller,
}

impl Asked {
    pub fn header(&self, name: HeaderName) -> Option<&str> {
        self.headers.get(name).and_then(|value| value.to_str().ok())
    }
}

impl Service {
    /// A service for a registry behind a gate.
    pub fn new(registry: Arc<Registry>, gate: Arc<Gate>, address: Address) -> Self {
        Self {
            registry,
            gate,
            buffers: Buffers::default(),
            address,
            disk: Arc::new(Semaphore::new(limits::DISK_THREADS)),
            tasks: TaskTracker::new(),
        }
    }

    /// The registry behind it.
    pub fn registry(&self) -> &Arc<Registry> {
        &self.registry
    }

    /// Answers a request that came from there.
    pub async fn handle<B>(&self, request: Request<B>, from: SocketAddr) -> Answer
    where
        B: hyper::body::Body<Data = bytes::Bytes> + Send + Unpin + 'static,
        B::Error: std::fmt::Display,
    {
        let mut answer = match self.answer(request, from).await {
            Ok(answer) => answer,
            Err(refusal) => refusal.answer(),
        };
        answer
            .headers_mut()
            .insert(API_VERSION, HeaderValue::from_static("registry/2.0"));
        answer
    }

    async fn answer<B>(&self, request: Request<B>, from: SocketAddr) -> Result<Answer, Refusal>
    where
        B: hyper::body::Body<Data = bytes::Bytes> + Send + Unpin + 'static,
        B::Error: std::fmt::Display,
    {
        let (head, body) = request.into_parts();
        let path = query::unescape(head.uri.path(), false).ok_or(Refusal::NoRoute)?;
        let route = Route::parse(&path).ok_or(Refusal::NoRoute)?;
        let text = head.uri.query().unwrap_or_default();
        if text.len() > limits::QUERY_BYTES {
            return Err(Refusal::Query("the query is too long".to_owned()));
        }
        if route == Route::Health {
            return Ok(answer::json(StatusCode::OK, &json!({"status": "healthy"})));
        }
        let mut asked = Asked {
            query: Query::parse(text),
            method: head.method,
            headers: head.headers,
            caller: Caller {
                name: String::new(),
                rights: crate::access::Rights::none(),
                way: Way::Anonymous,
            },
        };
        let authorization = asked.header(AUTHORIZATION).map(str::to_owned);
        let admitted = self.gate.admit(authorization.as_deref(), from.ip()).await;
        if route == Route::Token {
            return tokens::answer(self, &asked, admitted, body).await;
        }
        let needed = needed(&route, &asked.method)?;
        asked.caller = self.let_in(&asked, admitted, &needed)?;
        match route {
            Route::Catalog => lists::catalog(self, &asked),
            Route::Repository { name, part } => {
                name::repository(&name)?;
                match part {
                    Part::Blob(digest) => blobs::answer(self, &asked, &name, &digest).await,
                    Part::Uploads => uploads::begin(self, &asked, &name, body).await,
                    Part::Upload(id) => uploads::go_on(self, &asked, &name, &id, body).await,
                    Part::Manifest(reference) => {
                        manifests::answer(self, &asked, &name, &reference, body).await
                    }
                    Part::Tags => lists::tags(self, &asked, &name),
                    Part::Referrers(digest) => lists::referrers(self, &asked, &name, &digest).await,
                }
            }
            Route::Base | Route::Token | Route::Health => Ok(answer::json(StatusCode::OK, &json!({}))),
        }
    }

    /// The caller, if he may do what is needed; else what he is told.
    fn let_in(
        &self,
        asked: &Asked,
        admitted: Result<Caller, Stranger>,
        needed: &Needed,
    ) -> Result<Caller, Refusal> {
        let challenged = |error: Option<&str>| {
            Refusal::Unauthorized(self.challenge(asked, needed.scope().as_deref(), error))
        };
        let caller = admitted
            .map_err(|stranger| challenged((stranger == Stranger::Token).then_some("invalid_token")))?;
        if needed.is_met_by(&caller) {
            return Ok(caller);
        }
        Err(match caller.way {
            Way::Password => Refusal::Denied(needed.scope().unwrap_or_default()),
            Way::Anonymous => challenged(None),
            Way::Token => challenged(Some("insufficient_scope")),
        })
    }

    /// What a client has to do to be let in (RFC 6750 3).
    pub(super) fn challenge(&self, asked: &Asked, scope: Option<&str>, error: Option<&str>) -> String {
        let realm = match &self.address {
            Address::External(url) => format!("{}/token", url.trim_end_matches('/')),
            Address::AsAsked => {
                let plain = |byte: u8| {
                    byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'-' | b':' | b'[' | b']')
                };
                let host = asked.header(HOST).filter(|host| host.bytes().all(plain));
                format!("http://{}/token", host.unwrap_or("localhost"))
            }
        };
        let mut text = format!("Bearer realm=\"{realm}\",service=\"deploy-registry\"");
        for (name, value) in [("scope", scope), ("error", error)] {
            if let Some(value) = value {
                text.push_str(&format!(",{name}=\"{value}\""));
            }
        }
        text
    }

    /// Waits for a place among the threads that wait for the disk.
    pub(super) async fn disk_place(&self) -> Result<Place, Refusal> {
        let place = self.disk.clone().acquire_owned().await;
        place.map_err(|_| Refusal::NoRoute)
    }

    /// Does something that waits for the disk, on a thread for it.
    pub(super) async fn on_disk<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Arc<Registry>) -> T + Send + 'static,
    ) -> Result<T, Refusal> {
        let lost = |_| {
            Refusal::Registry(RegistryError::Disk {
                reason: "the work broke off".to_owned(),
            })
        };
        let place = self.disk_place().await?;
        let registry = self.registry.clone();
        let working = tokio::task::spawn_blocking(move || {
            let _place = place;
            work(&registry)
        });
        working.await.map_err(lost)
    }
}

/// A place among the threads that wait for the disk.
pub(super) type Place = OwnedSemaphorePermit;

/// What a request takes.
enum Needed {
    /// To be somebody.
    Entry,
    /// To see the list of repositories.
    Catalog,
    /// To do something with a repository.
    Rights(String, Action),
}

impl Needed {
    fn scope(&self) -> Option<String> {
        match self {
            Self::Entry => None,
            Self::Catalog => Some("registry:catalog:*".to_owned()),
            // Who pushes also looks what is there.
            Self::Rights(name, Action::Push) => Some(Scope::text(name, &[Action::Pull, Action::Push])),
            Self::Rights(name, action) => Some(Scope::text(name, &[*action])),
        }
    }

    fn is_met_by(&self, caller: &Caller) -> bool {
        match (self, caller.way) {
            (Self::Rights(name, action), _) => caller.rights.allow(name, *action),
            (Self::Catalog, Way::Token) => caller.rights.catalog(),
            // The list shows what the caller may pull.
            (Self::Catalog, Way::Password) | (Self::Entry, Way::Password | Way::Token) => true,
            (Self::Catalog | Self::Entry, Way::Anonymous) => !caller.rights.is_nothing(),
        }
    }
}

fn needed(route: &Route, method: &Method) -> Result<Needed, Refusal> {
    let reads = matches!(*method, Method::GET | Method::HEAD);
    match route {
        Route::Repository { name, part } => {
            let action = part.action(method).ok_or(Refusal::NoMethod(part.methods()))?;
            // Before anything else, so that no challenge repeats what is no name.
            name::repository(name)?;
            Ok(Needed::Rights(name.clone(), action))
        }
        _ if !reads => Err(Refusal::NoMethod("GET, HEAD")),
        Route::Catalog => Ok(Needed::Catalog),
        _ => Ok(Needed::Entry),
    }
}

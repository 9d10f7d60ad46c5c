//! The API without sockets. A request takes one path: request info, impersonation, authorization, negotiation, then
//! its verb: decode, admit, validate, store; then encode.

use std::future::Future;
use std::net::SocketAddr;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::Poll;
use std::time::Duration;

use arc_swap::ArcSwap;
use bytes::Bytes;
use deploy_cluster_schema::registry::Registry;
use deploy_cluster_storage::Store;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::admission::{self, Chain};
use crate::allocators::Allocators;
use crate::answer::Printer;
use crate::authorization::rbac::{self, Rbac};
use crate::authorization::{Attributes, Authorizer as _, Decision, forbidden};
use crate::bootstrap::{Place, admit_parts, advertise, bootstrap};
use crate::discovery::Documents;
use crate::followers::{Follow, Followers, News};
use crate::identity::UserInfo;
use crate::identity::accounts::Tokens;
use crate::identity::authenticator::Authenticator;
use crate::identity::impersonation::{Refused, impersonate};
use crate::identity::jwt::SigningKey;
use crate::info::RequestInfo;
use crate::metrics::Metrics;
use crate::negotiate::Output;
use crate::node::{NodeStreams, Nodes};
use crate::options::{Query, check_timeout};
use crate::request::{Body, Request, Response};
use crate::scope::Scope;
use crate::status::StatusError;
use crate::usage::{self, Measurer};
use crate::verbs::parsed;
use crate::world::Stored;
use crate::{compress, custom, encode, identifiers, paths, verbs};

/// Who issues the tokens of service accounts.
pub const ISSUER: &str = "https://kubernetes.default.svc";

/// The API server without its sockets; clones share it.
#[derive(Clone)]
pub struct Api {
    pub(crate) inner: Arc<Inner>,
}

/// What all requests share.
pub(crate) struct Inner {
    pub store: Store,
    pub registry: Arc<ArcSwap<Registry>>,
    /// What is made of custom resource definitions.
    pub definitions: Arc<custom::Definitions>,
    pub rbac: Arc<Rbac>,
    pub authenticator: Authenticator,
    pub admission: Chain,
    pub allocators: Allocators,
    pub documents: Documents,
    pub followers: Followers,
    pub metrics: Metrics,
    /// Who answers for the pods of a node.
    pub nodes: Nodes,
    /// Who knows what nodes and pods use.
    pub measurer: Measurer,
    /// Ends watches.
    pub shutdown: CancellationToken,
    /// What every cluster has is there.
    pub ready: AtomicBool,
    /// What runs beside requests.
    pub tasks: TaskTracker,
}

/// What an API is made of.
pub struct Setup {
    /// Holds the objects.
    pub store: Store,
    /// Signs tokens of service accounts.
    pub signing_key: SigningKey,
    /// What the objects of the cluster say about it.
    pub place: Place,
    /// How long the first pod of a namespace waits for its service account; zero where no controllers run.
    pub default_account_patience: Duration,
}

impl Api {
    /// An API over a store: what every cluster has is there when this returns. Must be called in a Tokio runtime.
    ///
    /// # Errors
    /// What the first objects met.
    pub async fn start(setup: Setup) -> Result<Api, StatusError> {
        let Setup {
            store,
            signing_key,
            place,
            default_account_patience,
        } = setup;
        let world = Stored::new(&store);
        let rbac = Arc::new(Rbac::default());
        let tasks = TaskTracker::new();
        let mut followers = Followers::default();
        let index = rbac.clone();
        let follow: Follow = Arc::new(move |resource, news| match news {
            News::Is(entry) => index.put(resource, &parsed(entry)),
            News::Gone(entry) => index.delete(resource, &entry.key.namespace, &entry.key.name),
        });
        followers.start(&store, &tasks, &rbac::RESOURCES, &follow);
        let registry = Arc::new(ArcSwap::new(Registry::builtin()));
        let definitions = Arc::new(custom::Definitions::new(registry.clone()));
        let known = definitions.clone();
        let follow: Follow = Arc::new(move |_, news| known.follow(&news));
        followers.start(&store, &tasks, &[custom::DEFINITIONS], &follow);
        let tokens = Tokens::new(signing_key, ISSUER, world.clone());
        let options = admission::Options {
            default_account_patience,
            ..admission::Options::default()
        };
        let services = store
            .list("/services", None, None, None, None)
            .map(|listing| listing.entries);
        let services = services
            .unwrap_or_default()
            .into_iter()
            .map(|entry| (*parsed(&entry)).clone());
        let inner = Inner {
            allocators: Allocators::new(place.service_range, services),
            registry,
            definitions,
            authenticator: Authenticator::new(Arc::new(tokens)),
            admission: Chain::new(world, rbac.clone(), options),
            rbac,
            documents: Documents::default(),
            followers,
            metrics: Metrics::default(),
            nodes: Nodes::default(),
            measurer: Measurer::default(),
            shutdown: CancellationToken::new(),
            ready: AtomicBool::new(false),
            tasks,
            store,
        };
        let api = Api {
            inner: Arc::new(inner),
        };
        bootstrap(&api, &place).await?;
        // Of a server before this one that was killed.
        usage::forget(&api).await?;
        api.inner.tasks.spawn(custom::keep(api.clone()));
        api.inner.ready.store(true, Ordering::Release);
        Ok(api)
    }

    /// The store under it.
    pub fn store(&self) -> &Store {
        &self.inner.store
    }

    /// The resources that are served now.
    pub fn registry(&self) -> Arc<Registry> {
        self.inner.registry.load_full()
    }

    /// Names who answers what is asked of the node `name`, in the place of who did so before.
    pub fn connect_node(&self, name: &str, node: Arc<dyn NodeStreams>) {
        self.inner.nodes.connect(name, node);
    }

    /// From now on nobody answers for the node `name`.
    pub fn disconnect_node(&self, name: &str) {
        self.inner.nodes.disconnect(name);
    }

    /// Says in the namespace default that the server is found at `address`, too: the endpoints of the service
    /// `kubernetes`.
    ///
    /// # Errors
    /// What the writes met.
    pub async fn advertise(&self, address: SocketAddr) -> Result<(), StatusError> {
        advertise(self, address).await
    }

    /// Gives the parts that run beside a node the roles that they need: its kubelet, proxy, DNS and ingress
    /// ([`crate::authorization::bootstrap::parts`]).
    ///
    /// # Errors
    /// What the writes met.
    pub async fn admit_parts(&self, node: &str) -> Result<(), StatusError> {
        admit_parts(self, node).await
    }

    /// Is cancelled when the server ends: what lives longer than a request ends with it.
    pub fn ending(&self) -> CancellationToken {
        self.inner.shutdown.child_token()
    }

    /// Ends all watches, for good.
    pub fn end_watches(&self) {
        self.inner.shutdown.cancel();
    }

    /// Closes the store and waits for what runs beside requests.
    pub async fn close(&self) {
        self.end_watches();
        self.inner.store.close().await;
        self.inner.tasks.close();
        self.inner.tasks.wait().await;
    }

    /// Who sends a request, from the user of his certificate and the `Authorization` header.
    ///
    /// # Errors
    /// 401 for a token that does not hold.
    pub fn authenticate(
        &self,
        certificate: Option<&UserInfo>,
        authorization: &str,
    ) -> Result<UserInfo, StatusError> {
        self.inner
            .authenticator
            .authenticate(certificate, authorization, identifiers::now_seconds())
    }

    /// Answers a request whose sender is known. A handler that panics answers 500.
    pub async fn handle(&self, request: Request) -> Response {
        let mut warnings = Vec::new();
        let query = Query::parse(&request.query);
        let info = RequestInfo::parse(&request.method, &request.path, &query);
        let registry = self.registry();
        let running = info
            .as_ref()
            .ok()
            .map(|info| self.inner.metrics.begin(&registry, &request, info));
        let answered = async {
            let info = info
                .as_ref()
                .map_err(|why| StatusError::internal(&format!("failed to create RequestInfo: {why}")))?;
            self.inner.route(&request, info, &query, &mut warnings).await
        };
        let mut response = match unwound(answered).await {
            Some(Ok(response)) => response,
            Some(Err(error)) => failure(&request, &error),
            None => {
                let text = "This request caused apiserver to panic. Look in the logs for details.";
                failure(&request, &StatusError::internal(text))
            }
        };
        if let Some(running) = running {
            running.end(response.status);
        }
        response.headers.push(("audit-id", identifiers::uuid()));
        response
            .headers
            .push(("cache-control", "no-cache, private".to_owned()));
        response.headers.extend(warning_headers(&warnings));
        compress::compress(&request, response)
    }
}

impl Inner {
    async fn route(
        &self,
        request: &Request,
        info: &RequestInfo,
        query: &Query,
        warnings: &mut Vec<String>,
    ) -> Result<Response, StatusError> {
        check_timeout(query)?;
        let acting = match self.impersonated(request) {
            Ok(user) => user,
            Err(Refused::Forbidden(error)) => return Err(*error),
            Err(Refused::Senseless(why)) => return Ok(text(500, format!("{why}\n"))),
        };
        let user = acting.as_ref().unwrap_or(&request.user);
        let attributes = attributes(user, info);
        if let Decision::NoOpinion(reason) = self.rbac.authorize(&attributes) {
            return Err(forbidden(&attributes, &reason));
        }
        if !info.resource_request {
            return paths::answer(self, request, info, query);
        }
        let registry = self.registry.load_full();
        let Some(scope) = Scope::resolve(&registry, info) else {
            let mut own = registry.resources().filter(|resource| resource.custom.is_none());
            let known = own.any(|resource| *resource.group == *info.group);
            return if known {
                Err(StatusError::no_such_resource())
            } else {
                Ok(page_not_found())
            };
        };
        // Requests that do not fit the scope of a definition are nobody's (`customresource_handler.go ServeHTTP`).
        let across = info.namespace.is_empty() && !matches!(info.verb.as_str(), "list" | "watch");
        if scope.is_custom()
            && (scope.resource.namespaced && across
                || !scope.resource.namespaced && !info.namespace.is_empty())
        {
            return Ok(page_not_found());
        }
        verbs::dispatch(self, request, info, query, scope, user, warnings).await
    }

    fn impersonated(&self, request: &Request) -> Result<Option<UserInfo>, Refused> {
        let uri = if request.query.is_empty() {
            request.path.clone()
        } else {
            format!("{}?{}", request.path, request.query)
        };
        impersonate(&request.user, &request.headers, &uri, &*self.rbac)
    }
}

/// What somebody wants to do.
fn attributes<'a>(user: &'a UserInfo, info: &'a RequestInfo) -> Attributes<'a> {
    Attributes {
        user: Some(user),
        verb: &info.verb,
        group: &info.group,
        version: &info.version,
        resource: &info.resource,
        subresource: &info.subresource,
        namespace: &info.namespace,
        name: &info.name,
        resource_request: info.resource_request,
        path: &info.path,
    }
}

/// The answer for a path that nobody serves.
pub(crate) fn page_not_found() -> Response {
    text(404, "404 page not found\n")
}

/// A plain text.
pub(crate) fn text(status: u16, body: impl Into<Bytes>) -> Response {
    Response {
        status,
        headers: vec![
            ("content-type", "text/plain; charset=utf-8".to_owned()),
            ("x-content-type-options", "nosniff".to_owned()),
        ],
        body: Body::Whole(body.into()),
    }
}

/// A Status, in the form that the client accepts, JSON where it accepts nothing of ours.
pub(crate) fn failure(request: &Request, error: &StatusError) -> Response {
    let query = Query::parse(&request.query);
    let output = Output::negotiate(request, &query, true).map(|output| Output {
        shape: None,
        ..output
    });
    let printer = Printer::new(output.unwrap_or_default(), &query);
    let status = error.to_value();
    let (media_type, body) = match printer {
        Ok(printer) => (printer.media_type(), printer.value(&status)),
        Err(_) => ("application/json", encode::plain(&status)),
    };
    let mut headers = vec![("content-type", media_type.to_owned())];
    if error.retry_after_seconds > 0 {
        headers.push(("retry-after", error.retry_after_seconds.to_string()));
    }
    Response {
        status: error.code,
        headers,
        body: Body::Whole(body),
    }
}

/// One header for each warning; the same one is sent once (`apiserver/pkg/endpoints/filters/warning.go`).
fn warning_headers(warnings: &[String]) -> Vec<(&'static str, String)> {
    let mut headers = Vec::new();
    let mut size = 0;
    for (place, warning) in warnings.iter().enumerate() {
        if warnings[..place].contains(warning) {
            continue;
        }
        let mut quoted = String::with_capacity(warning.len() + 2);
        for letter in warning.chars() {
            match letter {
                '"' | '\\' => quoted.extend(['\\', letter]),
                letter if letter.is_control() => quoted.push(' '),
                letter => quoted.push(letter),
            }
        }
        size += quoted.len();
        if size > crate::limits::WARNING_BYTES {
            break;
        }
        headers.push(("warning", format!("299 - \"{quoted}\"")));
    }
    headers
}

/// Runs a future; none where it panicked. The state that it leaves behind is that of the store, whose writes are whole
/// or not at all.
async fn unwound<F: Future>(future: F) -> Option<F::Output> {
    let mut future = pin!(future);
    std::future::poll_fn(
        |context| match catch_unwind(AssertUnwindSafe(|| future.as_mut().poll(context))) {
            Ok(Poll::Ready(output)) => Poll::Ready(Some(output)),
            Ok(Poll::Pending) => Poll::Pending,
            Err(_) => Poll::Ready(None),
        },
    )
    .await
}

//! The API without sockets. A request takes one path: request info, impersonation, authorization, negotiation, then
//! its verb: decode, admit, validate, store; then encode.

use std::future::Future;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::task::Poll;

use arc_swap::ArcSwap;
use bytes::Bytes;
use deploy_cluster_schema::registry::Registry;
use deploy_cluster_storage::Store;
use tokio_util::sync::CancellationToken;

use crate::answer::Printer;
use crate::gates::Admission;
use crate::identity::UserInfo;
use crate::info::RequestInfo;
use crate::negotiate::Output;
use crate::options::Query;
use crate::request::{Body, Request, Response};
use crate::scope::Scope;
use crate::status::StatusError;
use crate::{compress, encode, identifiers, paths, verbs};

/// The API server without its sockets; clones share it.
#[derive(Clone)]
pub struct Api {
    pub(crate) inner: Arc<Inner>,
}

/// What all requests share.
pub(crate) struct Inner {
    pub store: Store,
    pub registry: ArcSwap<Registry>,
    pub admission: Admission,
    /// Ends watches.
    pub shutdown: CancellationToken,
    /// What every cluster has is there.
    pub ready: AtomicBool,
}

impl Api {
    /// An API over a store. It is ready at once.
    pub fn new(store: Store) -> Api {
        let inner = Inner {
            store,
            registry: ArcSwap::new(Registry::builtin()),
            admission: Admission,
            shutdown: CancellationToken::new(),
            ready: AtomicBool::new(true),
        };
        Api {
            inner: Arc::new(inner),
        }
    }

    /// The store under it.
    pub fn store(&self) -> &Store {
        &self.inner.store
    }

    /// The resources that are served now.
    pub fn registry(&self) -> Arc<Registry> {
        self.inner.registry.load_full()
    }

    /// Ends all watches, for good.
    pub fn end_watches(&self) {
        self.inner.shutdown.cancel();
    }

    /// Who sends a request, from the user of his certificate and the `Authorization` header.
    pub(crate) fn authenticate(
        &self,
        certificate: Option<&UserInfo>,
        _authorization: &str,
    ) -> Result<UserInfo, StatusError> {
        Ok(certificate.cloned().unwrap_or_else(UserInfo::anonymous))
    }

    /// Answers a request whose sender is known. A handler that panics answers 500.
    pub async fn handle(&self, request: Request) -> Response {
        let mut warnings = Vec::new();
        let mut response = match unwound(self.inner.route(&request, &mut warnings)).await {
            Some(Ok(response)) => response,
            Some(Err(error)) => failure(&request, &error),
            None => {
                let text = "This request caused apiserver to panic. Look in the logs for details.";
                failure(&request, &StatusError::internal(text))
            }
        };
        response.headers.push(("audit-id", identifiers::uuid()));
        response
            .headers
            .push(("cache-control", "no-cache, private".to_owned()));
        response.headers.extend(warning_headers(&warnings));
        compress::compress(&request, response)
    }
}

impl Inner {
    async fn route(&self, request: &Request, warnings: &mut Vec<String>) -> Result<Response, StatusError> {
        let query = Query::parse(&request.query);
        let info = RequestInfo::parse(&request.method, &request.path, &query)
            .map_err(|why| StatusError::internal(&format!("failed to create RequestInfo: {why}")))?;
        let user = self.impersonate(request)?;
        self.authorize(&user, &info)?;
        if !info.resource_request {
            return paths::answer(self, request, &info, &query);
        }
        let registry = self.registry.load_full();
        let Some(scope) = Scope::resolve(&registry, &info) else {
            let served = registry.of_version(&info.group, &info.version).next().is_some();
            return if served {
                Err(StatusError::no_such_resource())
            } else {
                Ok(page_not_found())
            };
        };
        verbs::dispatch(self, request, &info, &query, scope, &user, warnings).await
    }

    fn impersonate(&self, request: &Request) -> Result<UserInfo, StatusError> {
        Ok(request.user.clone())
    }

    fn authorize(&self, _user: &UserInfo, _info: &RequestInfo) -> Result<(), StatusError> {
        Ok(())
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

//! The HTTP server: Git below `/git/`, the API below `/api/v1/`.

mod answer;
mod runs;
mod tokens;

use std::net::SocketAddr;
use std::sync::Arc;

use axum::Router;
use axum::body::Body;
use axum::extract::{DefaultBodyLimit, Request, State};
use axum::http::StatusCode;
use axum::http::header::AUTHORIZATION;
use axum::middleware::{self, Next};
use axum::response::{IntoResponse, Response};
use axum::routing::{any, delete, get, post};
use tokio::net::TcpListener;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use crate::ci::Ci;
use crate::limits;
use crate::tokens::{Right, Tokens};
use answer::Refusal;

/// What requests are answered with.
#[derive(Clone)]
pub(crate) struct App {
    pub ci: Arc<Ci>,
    git: deploy_git::Server,
    tokens: Arc<Tokens>,
}

/// Who sends a request to the API.
#[derive(Clone, Debug)]
pub(crate) struct Caller {
    pub name: String,
}

/// All paths.
pub(crate) fn router(ci: Arc<Ci>, git: deploy_git::Server, tokens: Arc<Tokens>) -> Router {
    let app = App { ci, git, tokens };
    let api = Router::new()
        .route("/runs", get(runs::list))
        .route("/runs/{id}", get(runs::show))
        .route("/runs/{id}/log", get(runs::log))
        .route("/runs/{id}/cancel", post(runs::cancel))
        .route("/runs/{id}/rerun", post(runs::rerun))
        .route("/dispatches", post(runs::dispatch))
        .route("/repositories", get(runs::repositories))
        .route("/tokens", get(tokens::list).post(tokens::create))
        .route("/tokens/{name}", delete(tokens::revoke))
        .layer(middleware::from_fn_with_state(app.clone(), signed_in))
        .layer(DefaultBodyLimit::max(limits::REQUEST_BYTES));
    Router::new()
        .route("/healthz", get(|| async { "ok\n" }))
        .route("/readyz", get(|| async { "ok\n" }))
        .nest("/api/v1", api)
        .route("/git/{*path}", any(of_git))
        .fallback(|| async {
            Refusal::new(
                StatusCode::NOT_FOUND,
                "not-found",
                "there is nothing at this path",
            )
        })
        .with_state(app)
}

/// Git has its own ways to say who one is, and bodies of any size.
async fn of_git(State(app): State<App>, request: Request) -> Response {
    app.git.handle("/git", request).await.map(Body::new)
}

/// Lets nobody to the API without a token: pages in a browser of this machine can send requests, and have none.
async fn signed_in(State(app): State<App>, mut request: Request, next: Next) -> Response {
    let value = request
        .headers()
        .get(AUTHORIZATION)
        .and_then(|value| value.to_str().ok());
    let token = value
        .and_then(|value| value.strip_prefix("Bearer "))
        .map(str::trim);
    let found = token.and_then(|token| app.tokens.find(token));
    let Some(token) = found else {
        let refusal = Refusal::new(
            StatusCode::UNAUTHORIZED,
            "not-signed-in",
            "send a token: Authorization: Bearer ...",
        );
        return refusal.into_response();
    };
    let is_question = request.method().is_safe();
    if !is_question && token.right < Right::Write {
        let refusal = Refusal::new(
            StatusCode::FORBIDDEN,
            "denied",
            "this token may look, and change nothing",
        );
        return refusal.into_response();
    }
    request.extensions_mut().insert(Caller { name: token.name });
    next.run(request).await
}

/// The server on its socket.
pub(crate) struct Front {
    stop: CancellationToken,
    serving: JoinHandle<()>,
}

impl Front {
    pub fn serve(listener: TcpListener, router: Router) -> Front {
        let stop = CancellationToken::new();
        let told = stop.clone();
        let serving = tokio::spawn(async move {
            let service = router.into_make_service_with_connect_info::<SocketAddr>();
            let serving = axum::serve(listener, service).with_graceful_shutdown(told.cancelled_owned());
            // It ends when it is told to, and never by an error of a connection.
            drop(serving.await);
        });
        Front { stop, serving }
    }

    /// Waits for requests that are under way.
    pub async fn close(self) {
        self.stop.cancel();
        let stopper = self.serving.abort_handle();
        if tokio::time::timeout(limits::SHUTDOWN, self.serving)
            .await
            .is_err()
        {
            stopper.abort();
        }
    }
}

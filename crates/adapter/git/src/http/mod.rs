//! The smart HTTP server: what `git clone` and `git push` talk to (gitprotocol-http).
//!
//! It answers `GET /<name>.git/info/refs?service=...`, `POST /<name>.git/git-upload-pack` and `.../git-receive-pack`, below
//! whatever path its owner mounts it at. Bodies stream both ways; nothing of a push or a clone is held in memory.

mod answer;
mod inflate;
mod service;

use std::sync::Arc;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use http_body_util::BodyExt;
use http_body_util::combinators::UnsyncBoxBody;
use hyper::body::Body;
use hyper::header::{AUTHORIZATION, CONTENT_ENCODING, CONTENT_TYPE, HeaderMap};
use hyper::{Method, Request, Response, StatusCode};
use tokio::sync::Semaphore;
use tokio_util::task::TaskTracker;

use self::answer::{Answer, refused};
use self::service::{Call, Failure, Service};
use crate::error::GitError;
use crate::limits;
use crate::name::RepositoryName;
use crate::repositories::{Repositories, Repository};

/// A body of a request or an answer.
pub(crate) type AnyBody = UnsyncBoxBody<Bytes, std::io::Error>;

/// Who somebody is, once a token was believed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Identity {
    /// A name for the ledger and for Git's own logs.
    pub name: String,
}

/// What somebody wants to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Access {
    /// Clone and fetch.
    Read,
    /// Push.
    Write,
    /// Push to a repository that is not there yet.
    Create,
}

/// Decides who somebody is, and what he may do. It is asked for each request, so it answers from memory.
pub trait Authenticator: Send + Sync {
    /// Whose token it is. Without a token: who everybody is, or nobody.
    fn identify(&self, token: Option<&str>) -> Option<Identity>;

    /// Whether somebody may.
    fn may(&self, who: &Identity, access: Access, repository: &RepositoryName) -> bool;
}

/// How a server behaves.
#[derive(Clone, Debug)]
pub struct ServerOptions {
    /// Bytes of one push.
    pub push_bytes: u64,
    /// Whether a push may only add to a branch: neither rewrite nor delete it.
    pub deny_non_fast_forwards: bool,
}

impl Default for ServerOptions {
    fn default() -> ServerOptions {
        ServerOptions {
            push_bytes: limits::PUSH_BYTES,
            deny_non_fast_forwards: false,
        }
    }
}

/// The server; clones share it.
#[derive(Clone)]
pub struct Server {
    inner: Arc<Inner>,
}

struct Inner {
    repositories: Repositories,
    authenticator: Arc<dyn Authenticator>,
    options: ServerOptions,
    /// Processes that serve clients.
    places: Arc<Semaphore>,
    tasks: TaskTracker,
}

/// What a path asks for.
#[derive(Debug, PartialEq, Eq)]
struct Target {
    name: RepositoryName,
    service: Service,
    advertises: bool,
}

impl Server {
    /// A server for these repositories.
    pub fn new(
        repositories: Repositories,
        authenticator: Arc<dyn Authenticator>,
        options: ServerOptions,
    ) -> Server {
        Server {
            inner: Arc::new(Inner {
                repositories,
                authenticator,
                options,
                places: Arc::new(Semaphore::new(limits::SERVICES)),
                tasks: TaskTracker::new(),
            }),
        }
    }

    /// Answers a request whose path lies below `mount` (as in `/git`). Dropping the future, or the answer, ends a fetch; a
    /// push of which git has all goes on to its end.
    pub async fn handle<B>(&self, mount: &str, request: Request<B>) -> Response<AnyBody>
    where
        B: Body<Data = Bytes> + Send + 'static,
        B::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
    {
        let (head, body) = request.into_parts();
        let body = body
            .map_err(|error| std::io::Error::other(error.into()))
            .boxed_unsync();
        self.answer(mount, head, body)
            .await
            .unwrap_or_else(Answer::into_response)
    }

    /// Waits until every push that git has begun to work on is done, and told. Its owner takes no more requests by then.
    pub async fn close(&self) {
        self.inner.tasks.close();
        self.inner.tasks.wait().await;
        self.inner.repositories.teller.close().await;
    }

    async fn answer(
        &self,
        mount: &str,
        head: hyper::http::request::Parts,
        body: AnyBody,
    ) -> Result<Response<AnyBody>, Answer> {
        let target = target(mount, &head)?;
        let (who, repository) = self.admit(&head.headers, &target).await?;
        let place = self.inner.places.clone().acquire_owned();
        let place = match tokio::time::timeout(limits::SERVICE_PATIENCE, place).await {
            Ok(Ok(place)) => place,
            _ => {
                let answer = refused(
                    StatusCode::SERVICE_UNAVAILABLE,
                    "Too many clones and pushes are under way; try again.",
                );
                return Err(answer.with("retry-after", "10"));
            }
        };
        let is_zipped = match head.headers.get(CONTENT_ENCODING).map(|value| value.as_bytes()) {
            None | Some(b"identity") => false,
            Some(b"gzip" | b"x-gzip") => true,
            Some(_) => {
                return Err(refused(
                    StatusCode::UNSUPPORTED_MEDIA_TYPE,
                    "Only gzip is understood as the encoding of a request.",
                ));
            }
        };
        let call = Call {
            repository,
            service: target.service,
            advertises: target.advertises,
            protocol: protocol(&head.headers),
            by: who.name,
            body,
            is_zipped,
            options: self.inner.options.clone(),
            teller: self.inner.repositories.teller.clone(),
        };
        service::run(call, place, &self.inner.tasks)
            .await
            .map_err(|failure| told(&failure, &target.name, &self.inner.options))
    }

    /// Who it is and whether he may; the repository, which a push may make.
    async fn admit(&self, headers: &HeaderMap, target: &Target) -> Result<(Identity, Repository), Answer> {
        let token = token(headers);
        let Some(who) = self.inner.authenticator.identify(token.as_deref()) else {
            let text = match token {
                None => "Sign in with a token as the password; any user name will do.",
                Some(_) => "The token is not valid: it may have expired or been revoked.",
            };
            let answer = refused(StatusCode::UNAUTHORIZED, text);
            return Err(answer.with("www-authenticate", "Basic realm=\"Deploy\", charset=\"UTF-8\""));
        };
        let name = &target.name;
        let may = |access| self.inner.authenticator.may(&who, access, name);
        let access = match target.service {
            Service::UploadPack => Access::Read,
            Service::ReceivePack => Access::Write,
        };
        // Who may not read a repository does not learn whether it is there.
        if !may(access) {
            return Err(if may(Access::Read) {
                refused(
                    StatusCode::FORBIDDEN,
                    &format!("{} may read {name}, and not push to it.", who.name),
                )
            } else {
                no_repository(name)
            });
        }
        let found = match self.inner.repositories.find(name) {
            Err(GitError::NoRepository { .. }) if access == Access::Write && may(Access::Create) => {
                match self.inner.repositories.create(name).await {
                    Err(GitError::Exists { .. }) => self.inner.repositories.find(name),
                    made => made,
                }
            }
            found => found,
        };
        match found {
            Ok(repository) => Ok((who, repository)),
            Err(GitError::NoRepository { .. }) => Err(no_repository(name)),
            Err(_) => Err(refused(
                StatusCode::INTERNAL_SERVER_ERROR,
                &format!("The repository {name} cannot be opened; the server's log says why."),
            )),
        }
    }
}

fn no_repository(name: &RepositoryName) -> Answer {
    refused(StatusCode::NOT_FOUND, &format!("There is no repository {name}."))
}

/// The token of basic authentication (its password; or its user, where there is no password) or of a bearer.
fn token(headers: &HeaderMap) -> Option<String> {
    let value = headers.get(AUTHORIZATION)?.to_str().ok()?;
    let (scheme, rest) = value.split_once(' ')?;
    if scheme.eq_ignore_ascii_case("bearer") {
        return Some(rest.trim().to_owned());
    }
    if !scheme.eq_ignore_ascii_case("basic") {
        return None;
    }
    let pair = String::from_utf8(STANDARD.decode(rest.trim()).ok()?).ok()?;
    let (user, password) = pair.split_once(':')?;
    let token = if password.is_empty() { user } else { password };
    (!token.is_empty()).then(|| token.to_owned())
}

/// The version of the protocol, when it is one that there is: the value reaches git's environment.
fn protocol(headers: &HeaderMap) -> Option<&'static str> {
    match headers.get("git-protocol")?.as_bytes() {
        b"version=1" => Some("version=1"),
        b"version=2" => Some("version=2"),
        _ => None,
    }
}

fn target(mount: &str, head: &hyper::http::request::Parts) -> Result<Target, Answer> {
    let nothing = || {
        refused(
            StatusCode::NOT_FOUND,
            "There is nothing here. Clone from .../<name>.git",
        )
    };
    let path = head.uri.path().strip_prefix(mount).ok_or_else(nothing)?;
    let path = path.strip_prefix('/').ok_or_else(nothing)?;
    let (name, service, advertises) = if let Some(name) = path.strip_suffix("/info/refs") {
        let query = head.uri.query().unwrap_or_default();
        let service = query
            .split('&')
            .find_map(|pair| pair.strip_prefix("service="))
            .and_then(Service::named)
            .ok_or_else(|| {
                refused(
                    StatusCode::FORBIDDEN,
                    "Only the smart protocol is spoken here; this client is too old for it.",
                )
            })?;
        (name, service, true)
    } else {
        let (name, service) = path.rsplit_once('/').ok_or_else(nothing)?;
        (name, Service::named(service).ok_or_else(nothing)?, false)
    };
    let wanted = if advertises { Method::GET } else { Method::POST };
    if head.method != wanted {
        let answer = refused(StatusCode::METHOD_NOT_ALLOWED, "That is not how Git asks.");
        return Err(answer.with("allow", wanted.as_str()));
    }
    let content = head.headers.get(CONTENT_TYPE).map(|value| value.as_bytes());
    if !advertises && content != Some(service.request_type().as_bytes()) {
        return Err(refused(
            StatusCode::UNSUPPORTED_MEDIA_TYPE,
            &format!("The body must be {}.", service.request_type()),
        ));
    }
    let name: RepositoryName =
        name.strip_suffix(".git")
            .unwrap_or(name)
            .parse()
            .map_err(|error: crate::name::InvalidName| {
                refused(
                    StatusCode::NOT_FOUND,
                    &format!("{}.", capital(&error.to_string())),
                )
            })?;
    Ok(Target {
        name,
        service,
        advertises,
    })
}

fn capital(text: &str) -> String {
    let mut chars = text.chars();
    chars
        .next()
        .map_or_else(String::new, |first| first.to_uppercase().chain(chars).collect())
}

fn told(failure: &Failure, name: &RepositoryName, options: &ServerOptions) -> Answer {
    let (status, text) = match failure {
        Failure::TooLarge { limit } if *limit == options.push_bytes => (
            StatusCode::PAYLOAD_TOO_LARGE,
            format!("The push is larger than {limit} bytes, which is this server's bound."),
        ),
        Failure::TooLarge { limit } => (
            StatusCode::PAYLOAD_TOO_LARGE,
            format!("The request is larger than {limit} bytes."),
        ),
        Failure::Body(reason) => (
            StatusCode::BAD_REQUEST,
            format!("The request is broken: {reason}."),
        ),
        Failure::Slow => (
            StatusCode::REQUEST_TIMEOUT,
            format!("Nothing came for {} s.", limits::CLIENT_PATIENCE.as_secs()),
        ),
        Failure::Git(reason) => (
            StatusCode::INTERNAL_SERVER_ERROR,
            format!("Git could not serve {name}: {reason}"),
        ),
    };
    refused(status, &text)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn head(method: &str, uri: &str, content: Option<&str>) -> hyper::http::request::Parts {
        let mut request = Request::builder().method(method).uri(uri);
        if let Some(content) = content {
            request = request.header(CONTENT_TYPE, content);
        }
        request.body(()).expect("a request").into_parts().0
    }

    #[test]
    fn paths() {
        let upload = "application/x-git-upload-pack-request";
        let good = |method, uri, content| {
            target("/git", &head(method, uri, content)).map_err(|answer| answer.status)
        };
        let found = good(
            "GET",
            "/git/team/shop.git/info/refs?service=git-receive-pack",
            None,
        )
        .expect("a target");
        assert_eq!(
            (found.name.as_str(), found.service, found.advertises),
            ("team/shop", Service::ReceivePack, true)
        );
        let found = good("POST", "/git/shop/git-upload-pack", Some(upload)).expect("a target");
        assert_eq!(
            (found.name.as_str(), found.service, found.advertises),
            ("shop", Service::UploadPack, false)
        );
        for (method, uri, content, status) in [
            ("GET", "/git/shop.git/info/refs", None, 403),
            (
                "GET",
                "/git/shop.git/info/refs?service=git-upload-archive",
                None,
                403,
            ),
            ("GET", "/git/shop.git/HEAD", None, 404),
            (
                "GET",
                "/git/../x.git/info/refs?service=git-upload-pack",
                None,
                404,
            ),
            (
                "GET",
                "/git/%2e%2e/x.git/info/refs?service=git-upload-pack",
                None,
                404,
            ),
            (
                "GET",
                "/git//etc.git/info/refs?service=git-upload-pack",
                None,
                404,
            ),
            (
                "GET",
                "/other/shop.git/info/refs?service=git-upload-pack",
                None,
                404,
            ),
            ("GET", "/gitshop.git/info/refs?service=git-upload-pack", None, 404),
            (
                "POST",
                "/git/shop.git/info/refs?service=git-upload-pack",
                None,
                405,
            ),
            ("GET", "/git/shop.git/git-upload-pack", Some(upload), 405),
            ("POST", "/git/shop.git/git-upload-pack", None, 415),
            ("POST", "/git/shop.git/git-receive-pack", Some(upload), 415),
        ] {
            let refused = good(method, uri, content).expect_err(uri);
            assert_eq!(refused.as_u16(), status, "{method} {uri}");
        }
    }

    #[test]
    fn tokens() {
        let given = |value: &str| {
            let mut headers = HeaderMap::new();
            headers.insert(AUTHORIZATION, value.parse().expect("a value"));
            token(&headers)
        };
        let basic = |pair: &str| given(&format!("Basic {}", STANDARD.encode(pair)));
        assert_eq!(basic("ann:secret").as_deref(), Some("secret"));
        assert_eq!(basic("x:a:b").as_deref(), Some("a:b"));
        assert_eq!(basic("secret:").as_deref(), Some("secret"));
        assert_eq!(given("bEARER secret").as_deref(), Some("secret"));
        for none in [
            basic(":"),
            basic("no colon"),
            given("Basic %%%"),
            given("Digest x"),
            given("x"),
        ] {
            assert_eq!(none, None);
        }
    }
}

//! One request and its answer. The connection is driven by whoever waits for the answer: no task of its own.

use deploy_model::with_causes;
use std::future::Future;
use std::pin::{Pin, pin};
use std::time::Duration;

use http_body_util::BodyExt;
use hyper::body::{Bytes, Incoming};
use hyper::header::{AUTHORIZATION, HeaderMap, HeaderValue, USER_AGENT};
use hyper::{Method, Request, StatusCode};

use crate::connect::{ConnectError, Connection, Connector};
use crate::endpoint::Endpoint;
use crate::error::RegistryError;
use crate::limits;
use crate::source::{Outgoing, Part};

const AGENT: &str = concat!("deploy/", env!("CARGO_PKG_VERSION"));

/// What is asked, but where.
#[derive(Clone, Debug)]
pub struct Ask {
    pub method: Method,
    pub headers: HeaderMap,
    pub body: Bytes,
    /// Instead of `body`.
    pub part: Option<Part>,
    /// What a token has to hold beside what the registry asks for.
    pub further_scope: Option<String>,
    /// For the first host only: it does not go along a redirect to another.
    pub authorization: Option<String>,
}

impl Ask {
    pub fn get() -> Self {
        Self::of(Method::GET)
    }

    pub fn of(method: Method) -> Self {
        Self {
            method,
            headers: HeaderMap::new(),
            body: Bytes::new(),
            part: None,
            further_scope: None,
            authorization: None,
        }
    }
}

/// An answer whose body is still to come.
pub struct Answer {
    pub status: StatusCode,
    pub headers: HeaderMap,
    /// Who answered in the end, for messages.
    pub url: String,
    body: Incoming,
    connection: Option<Pin<Box<Connection>>>,
}

/// Asks, and follows redirects.
pub async fn ask(
    connector: &Connector,
    endpoint: &Endpoint,
    path: &str,
    ask: &Ask,
) -> Result<Answer, RegistryError> {
    let mut endpoint = endpoint.clone();
    let mut path = path.to_owned();
    let mut ask = ask.clone();
    for _ in 0..=limits::REDIRECTS_MAX {
        let answer = once(connector, &endpoint, &path, &ask).await?;
        let location = match answer.status.as_u16() {
            301 | 302 | 303 | 307 | 308 => answer.header("location"),
            _ => return Ok(answer),
        };
        let location = location.ok_or_else(|| RegistryError::Protocol {
            reason: "it redirects to nowhere".to_owned(),
        })?;
        let (next, next_path) = endpoint.follow(location)?;
        if next != endpoint {
            ask.authorization = None;
        }
        endpoint = next;
        path = next_path;
    }
    Err(RegistryError::Protocol {
        reason: format!("it redirects more than {} times", limits::REDIRECTS_MAX),
    })
}

async fn once(
    connector: &Connector,
    endpoint: &Endpoint,
    path: &str,
    ask: &Ask,
) -> Result<Answer, RegistryError> {
    let url = endpoint.url(path);
    let unreachable = |reason: String| RegistryError::Unreachable {
        method: shown(&ask.method),
        url: url.clone(),
        reason,
    };
    let (mut sender, connection) = connector.connect(endpoint).await.map_err(|error| match error {
        ConnectError::NoAuthorities => RegistryError::NoAuthorities {
            host: endpoint.host().to_owned(),
        },
        ConnectError::Failed(reason) => unreachable(reason),
    })?;
    let body = match &ask.part {
        Some(part) => Outgoing::from(part.clone()),
        None => Outgoing::Whole(ask.body.clone()),
    };
    let sending = ask.part.as_ref().map_or(0, |part| part.bytes) / limits::PUSH_BYTES_PER_SECOND_MIN;
    let patience = limits::HEAD_PATIENCE + Duration::from_secs(sending);
    let mut request = Request::new(body);
    *request.method_mut() = ask.method.clone();
    *request.uri_mut() = path.parse().map_err(|_| RegistryError::Protocol {
        reason: "it redirects to something that is no path".to_owned(),
    })?;
    let headers = request.headers_mut();
    headers.extend(ask.headers.clone());
    headers.insert(USER_AGENT, HeaderValue::from_static(AGENT));
    let mut put = |name, text: &str| {
        let value = HeaderValue::from_str(text)
            .map_err(|_| unreachable("a header has forbidden characters".to_owned()))?;
        headers.insert(name, value);
        Ok::<(), RegistryError>(())
    };
    put(hyper::header::HOST, &endpoint.authority)?;
    if let Some(authorization) = &ask.authorization {
        put(AUTHORIZATION, authorization)?;
    }
    let mut connection = Some(Box::pin(connection));
    let head = drive(&mut connection, sender.send_request(request));
    let response = tokio::time::timeout(patience, head)
        .await
        .map_err(|_| unreachable("i/o timeout while awaiting the answer".to_owned()))?
        .map_err(|error| unreachable(with_causes(&error)))?;
    let (head, body) = response.into_parts();
    Ok(Answer {
        status: head.status,
        headers: head.headers,
        url,
        body,
        connection,
    })
}

impl Answer {
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).and_then(|value| value.to_str().ok())
    }

    /// The next bytes of the body; none at its end.
    pub async fn chunk(&mut self) -> Result<Option<Bytes>, RegistryError> {
        loop {
            let frame = drive(&mut self.connection, self.body.frame());
            let frame = tokio::time::timeout(limits::BODY_PATIENCE, frame)
                .await
                .map_err(|_| self.broken("i/o timeout while reading the body"))?;
            match frame {
                None => return Ok(None),
                Some(Err(error)) => return Err(self.broken(&with_causes(&error))),
                Some(Ok(frame)) => {
                    if let Ok(bytes) = frame.into_data()
                        && !bytes.is_empty()
                    {
                        return Ok(Some(bytes));
                    }
                }
            }
        }
    }

    /// The whole body, if it has no more than `most` bytes.
    pub async fn bytes(&mut self, what: &'static str, most: u64) -> Result<Vec<u8>, RegistryError> {
        let mut all = Vec::new();
        while let Some(chunk) = self.chunk().await? {
            let found = (all.len() + chunk.len()) as u64;
            if found > most {
                return Err(RegistryError::Size {
                    what,
                    expected: most,
                    found,
                });
            }
            all.extend_from_slice(&chunk);
        }
        Ok(all)
    }

    fn broken(&self, reason: &str) -> RegistryError {
        RegistryError::Unreachable {
            method: "Get",
            url: self.url.clone(),
            reason: reason.to_owned(),
        }
    }
}

/// Polls the connection beside the future that needs it.
async fn drive<F: Future>(connection: &mut Option<Pin<Box<Connection>>>, future: F) -> F::Output {
    let mut future = pin!(future);
    while let Some(running) = connection {
        tokio::select! {
            biased;
            output = &mut future => return output,
            // Its error reaches the future by itself.
            _ = running => *connection = None,
        }
    }
    future.await
}

/// Go writes methods of failed requests so.
fn shown(method: &Method) -> &'static str {
    match *method {
        Method::POST => "Post",
        Method::HEAD => "Head",
        Method::PUT => "Put",
        Method::PATCH => "Patch",
        _ => "Get",
    }
}

//! A connection: requests in, JSON or a reason out.

use deploy_model::with_causes;
use std::path::Path;
use std::sync::Arc;

use bytes::Bytes;
use http_body_util::{BodyExt as _, Limited};
use hyper::{Method, Request, Response};
use kube_client::client::Body;
use kube_client::config::{KubeConfigOptions, Kubeconfig};
use kube_client::{Client, Config};
use serde_json::Value;
use tokio::sync::RwLock;

use crate::error::{ConnectError, RequestError};
use crate::kinds::Kinds;
use crate::limits::{CONNECT, MAX_ANSWER_BYTES, PATIENCE};

/// Both forms of aggregated discovery that clusters of the last years speak (KEP-3352).
const DISCOVERY: &str = "application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList,\
                         application/json;g=apidiscovery.k8s.io;v=v2beta1;as=APIGroupDiscoveryList";

/// A cluster that can be reached. Cheap to clone.
#[derive(Clone)]
pub struct Cluster {
    client: Client,
    server: Arc<str>,
    kinds: Arc<RwLock<Arc<Kinds>>>,
}

impl Cluster {
    /// Connects by a kubeconfig: its current context, or the one of this name.
    ///
    /// # Errors
    /// [`ConnectError`]; also where what answers is no Kubernetes with aggregated discovery (1.26 and later).
    pub async fn connect(kubeconfig: &Path, context: Option<&str>) -> Result<Cluster, ConnectError> {
        let unusable = |error: &dyn std::fmt::Display| ConnectError::Kubeconfig(error.to_string());
        let file = Kubeconfig::read_from(kubeconfig).map_err(|error| unusable(&error))?;
        let options = KubeConfigOptions {
            context: context.map(str::to_owned),
            ..KubeConfigOptions::default()
        };
        let mut config = Config::from_custom_kubeconfig(file, &options)
            .await
            .map_err(|error| unusable(&error))?;
        config.connect_timeout = Some(CONNECT);
        // Watches live for minutes; plain requests have a bound of their own.
        config.read_timeout = None;
        let server: Arc<str> = config.cluster_url.to_string().into();
        let client = Client::try_from(config).map_err(|error| unusable(&error))?;
        let cluster = Cluster {
            client,
            server: server.clone(),
            kinds: Arc::default(),
        };
        match cluster.discover().await {
            Ok(_) => Ok(cluster),
            Err(RequestError::Unreachable(cause)) => Err(ConnectError::Unreachable {
                server: server.to_string(),
                cause,
            }),
            Err(error) => Err(ConnectError::Refused {
                server: server.to_string(),
                message: error.to_string(),
            }),
        }
    }

    /// Its address.
    pub fn server(&self) -> &str {
        &self.server
    }

    /// The kinds that were served when they were last asked for.
    pub async fn kinds(&self) -> Arc<Kinds> {
        self.kinds.read().await.clone()
    }

    /// Asks which kinds are served: after definitions have come or gone, and when one is missing.
    ///
    /// # Errors
    /// [`RequestError`].
    pub async fn discover(&self) -> Result<Arc<Kinds>, RequestError> {
        let mut lists = Vec::with_capacity(2);
        for path in ["/api", "/apis"] {
            let request = request(Method::GET, path).header("accept", DISCOVERY);
            let list = self.json(request.body(Body::empty())).await?;
            if list["kind"] != "APIGroupDiscoveryList" {
                let found = list["kind"].as_str().unwrap_or_default();
                return Err(RequestError::Answer(format!(
                    "{path} has no aggregated discovery, but {found:?}"
                )));
            }
            lists.push(list);
        }
        let kinds = Arc::new(Kinds::of(&lists));
        *self.kinds.write().await = kinds.clone();
        Ok(kinds)
    }

    /// Sends a request and reads its answer as JSON.
    pub(crate) async fn json(
        &self,
        request: Result<Request<Body>, hyper::http::Error>,
    ) -> Result<Value, RequestError> {
        let bytes = self.bytes(request).await?;
        serde_json::from_slice(&bytes).map_err(|error| RequestError::Answer(error.to_string()))
    }

    /// Sends a request and reads its whole answer.
    pub(crate) async fn bytes(
        &self,
        request: Result<Request<Body>, hyper::http::Error>,
    ) -> Result<Bytes, RequestError> {
        let asking = async {
            let answer = self.send(request).await?;
            read(answer).await
        };
        match tokio::time::timeout(PATIENCE, asking).await {
            Ok(answer) => answer,
            Err(_) => Err(RequestError::Unreachable(format!(
                "no answer within {} s",
                PATIENCE.as_secs()
            ))),
        }
    }

    /// Sends a request; an answer that is no success is an error with its Status.
    pub(crate) async fn send(
        &self,
        request: Result<Request<Body>, hyper::http::Error>,
    ) -> Result<Response<Body>, RequestError> {
        let request = request.map_err(|error| RequestError::Answer(error.to_string()))?;
        let answer = self.client.send(request).await;
        let answer = answer.map_err(|error| RequestError::Unreachable(with_causes(&error)))?;
        let code = answer.status();
        if code.is_success() {
            return Ok(answer);
        }
        let bytes = read(answer).await?;
        let status: Value = serde_json::from_slice(&bytes).unwrap_or_default();
        let text = |field: &str| status[field].as_str().unwrap_or_default().to_owned();
        let message = match status["message"].as_str() {
            Some(message) => message.to_owned(),
            None => format!("HTTP {code}"),
        };
        Err(RequestError::Status {
            code: code.as_u16(),
            reason: text("reason"),
            message,
            status,
        })
    }
}

/// A request of a path; kube puts the server before it.
pub(crate) fn request(method: Method, path: &str) -> hyper::http::request::Builder {
    Request::builder().method(method).uri(path)
}

async fn read(answer: Response<Body>) -> Result<Bytes, RequestError> {
    let limited = Limited::new(answer.into_body(), MAX_ANSWER_BYTES);
    let collected = limited.collect().await;
    let bytes = collected.map_err(|error| RequestError::Unreachable(error.to_string()))?;
    Ok(bytes.to_bytes())
}

/// Percent-encodes what has a meaning in a path or a query (RFC 3986, 2.3: all but unreserved characters).
pub(crate) fn escaped(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
            escaped.push(char::from(byte));
        } else {
            escaped.push_str(&format!("%{byte:02X}"));
        }
    }
    escaped
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_selector_is_one_value_of_a_query() {
        assert_eq!(escaped("app in (a, b)&x"), "app%20in%20%28a%2C%20b%29%26x");
    }
}

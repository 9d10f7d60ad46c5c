//! Talking to the server of this data folder.

use std::path::PathBuf;

use deploy_model::{Code, Diagnostic, Exit};
use http_body_util::{BodyExt, Full};
use hyper::body::Bytes;
use hyper::client::conn::http1;
use hyper::header::{AUTHORIZATION, CONTENT_TYPE, HOST};
use hyper::{Method, Request, StatusCode};
use hyper_util::rt::TokioIo;
use serde_json::Value;
use tokio::net::TcpStream;

use crate::{Context, Failure};

/// Bytes of an answer that are taken: a whole log is the longest.
const ANSWER_BYTES: usize = 128 << 20;

/// A server that runs.
pub struct Connection {
    /// Where it listens.
    pub url: String,
    /// Who we are there.
    pub token: String,
    runtime: tokio::runtime::Runtime,
}

impl Connection {
    /// The server of the data folder: it has written down where it is.
    pub fn open(context: &Context) -> Result<Connection, Failure> {
        let data = PathBuf::from(context.absolute(context.settings.data_dir()));
        let file = data.join("config/client.json");
        let unreachable = |cause: String| {
            let diagnostic = Diagnostic::new(Code::ServerUnreachable)
                .with("path", data.display().to_string())
                .because(cause);
            Failure::Explained(Box::new(diagnostic), Exit::Unreachable)
        };
        let text =
            std::fs::read(&file).map_err(|error| unreachable(format!("{}: {error}", file.display())))?;
        let client: Value = serde_json::from_slice(&text)
            .map_err(|error| unreachable(format!("{}: {error}", file.display())))?;
        let word = |name: &str| client[name].as_str().unwrap_or_default().to_owned();
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()?;
        Ok(Connection {
            url: word("url"),
            token: word("token"),
            runtime,
        })
    }

    /// Asks, and gives the answer's body.
    pub fn ask(&self, method: Method, path: &str, body: Option<&Value>) -> Result<Bytes, Failure> {
        let answer = self.runtime.block_on(self.send(method, path, body));
        let (status, bytes) = answer.map_err(|cause| {
            let diagnostic = Diagnostic::new(Code::ServerUnreachable)
                .with("path", self.url.clone())
                .because(cause);
            Failure::Explained(Box::new(diagnostic), Exit::Unreachable)
        })?;
        if status.is_success() {
            return Ok(bytes);
        }
        let told: Value = serde_json::from_slice(&bytes).unwrap_or_default();
        let message = told["error"]["message"].as_str().unwrap_or_default();
        let exit = match status {
            StatusCode::NOT_FOUND => Exit::NotFound,
            StatusCode::UNAUTHORIZED => Exit::NotAuthenticated,
            StatusCode::FORBIDDEN => Exit::Denied,
            StatusCode::CONFLICT => Exit::Conflict,
            _ => Exit::Failed,
        };
        let diagnostic = Diagnostic::new(Code::ServerRefused).because(format!("{message} ({status})"));
        Err(Failure::Explained(Box::new(diagnostic), exit))
    }

    /// The same, for answers in JSON.
    pub fn json(&self, method: Method, path: &str, body: Option<&Value>) -> Result<Value, Failure> {
        let bytes = self.ask(method, path, body)?;
        Ok(serde_json::from_slice(&bytes).unwrap_or_default())
    }

    async fn send(
        &self,
        method: Method,
        path: &str,
        body: Option<&Value>,
    ) -> Result<(StatusCode, Bytes), String> {
        let told = |error: &dyn std::error::Error| deploy_model::with_causes(error);
        let authority = self.url.strip_prefix("http://").unwrap_or(&self.url);
        let stream = TcpStream::connect(authority)
            .await
            .map_err(|error| format!("{authority}: {error}"))?;
        let (mut sender, connection) = http1::handshake(TokioIo::new(stream))
            .await
            .map_err(|error| told(&error))?;
        // It ends with the request that it carries, which has its error.
        tokio::spawn(async move { drop(connection.await) });
        let body = body.map(|body| body.to_string()).unwrap_or_default();
        let request = Request::builder()
            .method(method)
            .uri(path)
            .header(HOST, authority)
            .header(CONTENT_TYPE, "application/json")
            .header(AUTHORIZATION, format!("Bearer {}", self.token))
            .body(Full::new(Bytes::from(body)))
            .map_err(|error| told(&error))?;
        let response = sender.send_request(request).await.map_err(|error| told(&error))?;
        let status = response.status();
        let limited = http_body_util::Limited::new(response.into_body(), ANSWER_BYTES);
        let body = limited.collect().await.map_err(|error| error.to_string())?;
        Ok((status, body.to_bytes()))
    }
}

/// A name as a part of a path or query (RFC 3986 2.1).
pub fn escaped(name: &str) -> String {
    let mut text = String::with_capacity(name.len());
    for byte in name.bytes() {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'.' | b'_' => text.push(char::from(byte)),
            _ => text.push_str(&format!("%{byte:02X}")),
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::escaped;

    #[test]
    fn names_are_no_syntax() {
        assert_eq!(escaped("team/shop-1"), "team%2Fshop-1");
        assert_eq!(escaped("a&b?c=d e%"), "a%26b%3Fc%3Dd%20e%25");
    }
}

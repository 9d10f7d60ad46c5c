//! How a registry wants to be asked: `WWW-Authenticate`, tokens (distribution, docs/content/spec/auth/token.md).

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use hyper::Method;
use hyper::body::Bytes;
use hyper::header::{CONTENT_TYPE, HeaderValue};
use serde_json::Value;

use crate::connect::Connector;
use crate::credentials::Credentials;
use crate::endpoint::Endpoint;
use crate::error::RegistryError;
use crate::exchange::{self, Ask};
use crate::limits;

/// What a registry asks for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Challenge {
    /// A name and a password.
    Basic,
    /// A token of a service.
    Bearer {
        realm: String,
        service: String,
        scope: String,
    },
}

impl Challenge {
    /// The challenge of a header that we can answer, tokens first.
    pub fn parse(headers: &[&str]) -> Option<Self> {
        let all: Vec<(String, HashMap<String, String>)> =
            headers.iter().flat_map(|header| challenges(header)).collect();
        let find = |name: &str| all.iter().find(|(scheme, _)| scheme.eq_ignore_ascii_case(name));
        if let Some((_, parameters)) = find("bearer")
            && let Some(realm) = parameters.get("realm")
        {
            let get = |name: &str| parameters.get(name).cloned().unwrap_or_default();
            return Some(Self::Bearer {
                realm: realm.clone(),
                service: get("service"),
                scope: get("scope"),
            });
        }
        find("basic").map(|_| Self::Basic)
    }
}

/// `Scheme a="b", c=d` as often as it comes (RFC 9110 11.6.1).
fn challenges(header: &str) -> Vec<(String, HashMap<String, String>)> {
    let mut all: Vec<(String, HashMap<String, String>)> = Vec::new();
    for part in split_outside_quotes(header) {
        let part = part.trim();
        let (before, value) = match part.split_once('=') {
            Some((before, value)) => (before.trim(), Some(value.trim())),
            None => (part, None),
        };
        let (scheme, name) = match before.rsplit_once(' ') {
            Some((scheme, name)) => (Some(scheme.trim()), name),
            None if value.is_none() => (Some(before), ""),
            None => (None, before),
        };
        if let Some(scheme) = scheme.filter(|scheme| !scheme.is_empty()) {
            all.push((scheme.to_owned(), HashMap::new()));
        }
        if let (Some(value), Some((_, parameters))) = (value, all.last_mut()) {
            let value = value.trim_matches('"').replace("\\\"", "\"");
            parameters.insert(name.to_ascii_lowercase(), value);
        }
    }
    all
}

fn split_outside_quotes(text: &str) -> Vec<&str> {
    let mut parts = Vec::new();
    let mut start = 0;
    let mut quoted = false;
    let mut escaped = false;
    for (at, byte) in text.bytes().enumerate() {
        match byte {
            _ if escaped => escaped = false,
            b'\\' if quoted => escaped = true,
            b'"' => quoted = !quoted,
            b',' if !quoted => {
                parts.push(&text[start..at]);
                start = at + 1;
            }
            _ => {}
        }
    }
    parts.push(&text[start..]);
    parts
}

/// Whose token, for what.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct Key {
    pub endpoint: Endpoint,
    pub repository: String,
    pub credentials: Option<Credentials>,
}

/// Headers that worked, as long as they are good.
#[derive(Default)]
pub struct Tokens(Mutex<HashMap<Key, (String, Instant)>>);

impl Tokens {
    pub fn get(&self, key: &Key) -> Option<String> {
        let tokens = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let (header, until) = tokens.get(key)?;
        (Instant::now() < *until).then(|| header.clone())
    }

    pub fn put(&self, key: Key, header: String, life: Duration) {
        let now = Instant::now();
        let mut tokens = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        tokens.retain(|_, (_, until)| now < *until);
        if tokens.len() >= limits::TOKENS_MAX {
            tokens.clear();
        }
        tokens.insert(key, (header, now + life.saturating_sub(limits::TOKEN_MARGIN)));
    }

    pub fn forget(&self, key: &Key) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).remove(key);
    }
}

/// The header that answers a challenge, and how long it is good.
pub async fn answer(
    connector: &Connector,
    key: &Key,
    challenge: Challenge,
    further_scope: Option<&str>,
) -> Result<(String, Duration), RegistryError> {
    let denied = |reason: &str| RegistryError::Denied {
        reason: reason.to_owned(),
    };
    let (realm, service, scope) = match challenge {
        Challenge::Basic => {
            let header = key.credentials.as_ref().and_then(Credentials::header);
            return header
                .map(|header| (header, limits::TOKEN_LIFE))
                .ok_or_else(|| denied("authorization failed: no basic auth credentials"));
        }
        Challenge::Bearer {
            realm,
            service,
            scope,
        } => (realm, service, scope),
    };
    let scope = if scope.is_empty() {
        format!("repository:{}:pull", key.repository)
    } else {
        scope
    };
    let (endpoint, path) = Endpoint::parse(&realm)?;
    if key.endpoint.secure && !endpoint.secure {
        return Err(RegistryError::Protocol {
            reason: "its token service speaks plain http".to_owned(),
        });
    }
    let mut ask = Ask::get();
    let path = match key.credentials.as_ref().and_then(Credentials::identity_token) {
        Some(identity) => {
            ask.method = Method::POST;
            let form = [
                ("grant_type", "refresh_token"),
                ("service", &service),
                ("scope", &scope),
                ("client_id", "deploy"),
                ("refresh_token", identity),
            ];
            ask.body = Bytes::from(encode(&form));
            let form_type = HeaderValue::from_static("application/x-www-form-urlencoded");
            ask.headers.insert(CONTENT_TYPE, form_type);
            path
        }
        None => {
            ask.authorization = key.credentials.as_ref().and_then(Credentials::header);
            let separator = if path.contains('?') { '&' } else { '?' };
            let mut query = vec![("scope", &*scope)];
            query.extend(further_scope.map(|scope| ("scope", scope)));
            if !service.is_empty() {
                query.insert(0, ("service", &*service));
            }
            format!("{path}{separator}{}", encode(&query))
        }
    };
    let mut reply = exchange::ask(connector, &endpoint, &path, &ask).await?;
    let status = reply.status;
    let bytes = reply.bytes("token", limits::TOKEN_BYTES_MAX).await?;
    if matches!(status.as_u16(), 400 | 401 | 403 | 404) {
        return Err(denied(&format!(
            "authorization failed: failed to fetch anonymous or user token: unexpected status from {} request to {}: {status}",
            ask.method, reply.url
        )));
    }
    if !status.is_success() {
        return Err(RegistryError::Status {
            method: if ask.method == Method::POST { "POST" } else { "GET" },
            url: reply.url.clone(),
            status: status.to_string(),
        });
    }
    token(&bytes)
}

fn token(bytes: &[u8]) -> Result<(String, Duration), RegistryError> {
    let wrong = || RegistryError::Protocol {
        reason: "its token service sends no token".to_owned(),
    };
    let reply: Value = serde_json::from_slice(bytes).map_err(|_| wrong())?;
    let text = |name: &str| reply[name].as_str().filter(|text| !text.is_empty());
    let token = text("token").or_else(|| text("access_token")).ok_or_else(wrong)?;
    let life = reply["expires_in"]
        .as_u64()
        .map_or(limits::TOKEN_LIFE, Duration::from_secs)
        .clamp(limits::TOKEN_LIFE, Duration::from_secs(3600));
    Ok((format!("Bearer {token}"), life))
}

/// As forms and queries are written.
fn encode(pairs: &[(&str, &str)]) -> String {
    let escape = |text: &str| -> String {
        text.bytes()
            .map(|byte| match byte {
                b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'_' | b'.' | b'~' => {
                    char::from(byte).to_string()
                }
                byte => format!("%{byte:02X}"),
            })
            .collect()
    };
    let pairs: Vec<String> = pairs
        .iter()
        .map(|(name, value)| format!("{name}={}", escape(value)))
        .collect();
    pairs.join("&")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn challenges_of_real_registries() {
        let bearer = |realm: &str, service: &str, scope: &str| {
            Some(Challenge::Bearer {
                realm: realm.to_owned(),
                service: service.to_owned(),
                scope: scope.to_owned(),
            })
        };
        for (headers, expected) in [
            (
                &[r#"Bearer realm="https://a/token",service="b",scope="repository:c/d:pull,push""#][..],
                bearer("https://a/token", "b", "repository:c/d:pull,push"),
            ),
            (&["Basic realm=\"Registry, the\""], Some(Challenge::Basic)),
            (&["Basic"], Some(Challenge::Basic)),
            (
                &["Basic realm=x, bearer REALM=\"https://a\" , service = b"],
                bearer("https://a", "b", ""),
            ),
            (
                &["Negotiate", "Bearer realm=\"https://a\""],
                bearer("https://a", "", ""),
            ),
            (&["Bearer service=\"b\""], None),
            (&["Negotiate abc="], None),
            (&["", ",,=,\"", "="], None),
            (&[], None),
        ] {
            assert_eq!(Challenge::parse(headers), expected, "{headers:?}");
        }
    }

    #[test]
    fn tokens_of_both_names() {
        assert_eq!(
            token(br#"{"token":"a","expires_in":300}"#),
            Ok(("Bearer a".to_owned(), Duration::from_secs(300)))
        );
        assert_eq!(
            token(br#"{"access_token":"b"}"#),
            Ok(("Bearer b".to_owned(), Duration::from_secs(60)))
        );
        assert!(token(b"{}").is_err());
        assert!(token(b"<html>").is_err());
    }

    #[test]
    fn queries_are_escaped() {
        assert_eq!(encode(&[("a", "b c"), ("d", "e:f/g")]), "a=b%20c&d=e%3Af%2Fg");
    }
}

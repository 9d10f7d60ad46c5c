//! What a proxy changes in the heads of requests and answers.

use hyper::header::{
    CONNECTION, CONTENT_LENGTH, COOKIE, EXPECT, HOST, HeaderMap, HeaderName, HeaderValue, TE, TRAILER,
    TRANSFER_ENCODING, UPGRADE,
};

use super::routes::Hints;

/// The client's address.
pub static X_FORWARDED_FOR: HeaderName = HeaderName::from_static("x-forwarded-for");
/// The host that was asked for.
pub static X_FORWARDED_HOST: HeaderName = HeaderName::from_static("x-forwarded-host");
/// The port that was asked.
pub static X_FORWARDED_PORT: HeaderName = HeaderName::from_static("x-forwarded-port");
/// `http` or `https`
pub static X_FORWARDED_PROTO: HeaderName = HeaderName::from_static("x-forwarded-proto");
/// The client's address, as nginx' ingress says it.
pub static X_REAL_IP: HeaderName = HeaderName::from_static("x-real-ip");
/// The request's own name; a client may choose it.
pub static X_REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");
/// The trace that the request is part of (W3C Trace Context).
pub static TRACEPARENT: HeaderName = HeaderName::from_static("traceparent");

static KEEP_ALIVE: HeaderName = HeaderName::from_static("keep-alive");
static PROXY_CONNECTION: HeaderName = HeaderName::from_static("proxy-connection");

/// What is about one connection only does not pass (RFC 9110 7.6.1).
pub fn remove_hop_by_hop(headers: &mut HeaderMap) {
    if headers.contains_key(CONNECTION) {
        let mut named = Vec::new();
        for value in headers.get_all(CONNECTION) {
            let names = value.to_str().unwrap_or_default().split(',');
            named.extend(names.filter_map(|name| HeaderName::from_bytes(name.trim().as_bytes()).ok()));
        }
        for name in named {
            // A client may not take away what others go by.
            if name != HOST && name != CONTENT_LENGTH && !name.as_str().starts_with("x-forwarded-") {
                headers.remove(name);
            }
        }
        headers.remove(CONNECTION);
    }
    headers.remove(&KEEP_ALIVE);
    headers.remove(&PROXY_CONNECTION);
    headers.remove(TE);
    headers.remove(TRAILER);
    headers.remove(TRANSFER_ENCODING);
    headers.remove(UPGRADE);
}

/// A request's own framing: the body says anew how long it is, and answers to `Expect` come from here.
pub fn remove_framing(headers: &mut HeaderMap) {
    headers.remove(CONTENT_LENGTH);
    headers.remove(EXPECT);
}

/// The protocol that a request asks to go on with: `websocket`.
pub fn upgrade(headers: &HeaderMap) -> Option<HeaderValue> {
    let wants = headers.get_all(CONNECTION).iter().any(|value| {
        let mut words = value.to_str().unwrap_or_default().split(',');
        words.any(|word| word.trim().eq_ignore_ascii_case("upgrade"))
    });
    headers.get(UPGRADE).filter(|_| wants).cloned()
}

/// Whether a body is framed in two ways: what is one request here could be two there (RFC 9112 6.3).
pub fn is_ambiguous(headers: &HeaderMap) -> bool {
    headers.contains_key(TRANSFER_ENCODING) && headers.contains_key(CONTENT_LENGTH)
        || headers.get_all(CONTENT_LENGTH).iter().nth(1).is_some()
        || headers.get_all(TRANSFER_ENCODING).iter().nth(1).is_some()
}

/// The trace id of a `traceparent`, if it is one.
pub fn trace_id(value: &str) -> Option<&str> {
    let mut parts = value.split('-');
    let (_version, id) = (parts.next()?, parts.next()?);
    let hex = |byte: u8| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte);
    (id.len() == 32 && id.bytes().all(hex) && parts.next().is_some()).then_some(id)
}

/// A host as routes name it: lower case, without port and the dot at the end.
pub fn plain_host(host: &str) -> std::borrow::Cow<'_, str> {
    let bare = if host.starts_with('[') {
        host.find(']').map_or(host, |end| &host[..=end])
    } else {
        host.rsplit_once(':').map_or(host, |(name, _)| name)
    };
    let bare = bare.strip_suffix('.').unwrap_or(bare);
    if bare.bytes().any(|byte| byte.is_ascii_uppercase()) {
        bare.to_ascii_lowercase().into()
    } else {
        bare.into()
    }
}

/// What canaries look at.
pub struct RequestHints<'a>(pub &'a HeaderMap);

impl Hints for RequestHints<'_> {
    fn header(&self, name: &str) -> Option<&str> {
        self.0.get(name)?.to_str().ok()
    }

    fn cookie(&self, name: &str) -> Option<&str> {
        let cookies = self
            .0
            .get_all(COOKIE)
            .iter()
            .filter_map(|value| value.to_str().ok());
        let mut pairs = cookies.flat_map(|value| value.split(';'));
        pairs.find_map(|pair| {
            let (key, value) = pair.trim().split_once('=')?;
            (key == name).then_some(value)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(pairs: &[(&'static str, &'static str)]) -> HeaderMap {
        let mut headers = HeaderMap::new();
        for (name, value) in pairs {
            headers.append(HeaderName::from_static(name), HeaderValue::from_static(value));
        }
        headers
    }

    #[test]
    fn what_is_about_the_connection_stays_here() {
        let mut all = headers(&[
            ("connection", "close, X-Private"),
            ("connection", "host, content-length"),
            ("x-private", "1"),
            ("keep-alive", "timeout=5"),
            ("transfer-encoding", "chunked"),
            ("te", "trailers"),
            ("host", "a"),
            ("content-length", "3"),
            ("accept", "*/*"),
        ]);
        remove_hop_by_hop(&mut all);
        let mut left: Vec<&str> = all.keys().map(HeaderName::as_str).collect();
        left.sort_unstable();
        assert_eq!(left, ["accept", "content-length", "host"]);
    }

    #[test]
    fn bodies_are_framed_in_one_way() {
        for (pairs, ambiguous) in [
            (&[("content-length", "3")][..], false),
            (&[("transfer-encoding", "chunked")], false),
            (&[("transfer-encoding", "chunked"), ("content-length", "3")], true),
            (&[("content-length", "3"), ("content-length", "3")], true),
            (&[], false),
        ] {
            assert_eq!(is_ambiguous(&headers(pairs)), ambiguous, "{pairs:?}");
        }
    }

    #[test]
    fn protocols_are_switched_on_request() {
        let both = headers(&[("connection", "keep-alive, Upgrade"), ("upgrade", "websocket")]);
        assert_eq!(upgrade(&both), Some(HeaderValue::from_static("websocket")));
        assert_eq!(upgrade(&headers(&[("upgrade", "websocket")])), None);
    }

    #[test]
    fn hosts_are_compared_without_port_and_case() {
        for (given, plain) in [
            ("Shop.Example:8080", "shop.example"),
            ("shop.example.", "shop.example"),
            ("shop.example.:80", "shop.example"),
            ("[::1]:8080", "[::1]"),
            ("[::1]", "[::1]"),
            ("localhost", "localhost"),
            ("", ""),
        ] {
            assert_eq!(plain_host(given), plain);
        }
    }

    #[test]
    fn traces_are_named() {
        let id = "4bf92f3577b34da6a3ce929d0e0e4736";
        assert_eq!(trace_id(&format!("00-{id}-00f067aa0ba902b7-01")), Some(id));
        assert_eq!(trace_id(id), None);
        assert_eq!(trace_id("00-short-x-01"), None);
    }

    #[test]
    fn cookies_are_found_by_name() {
        let all = headers(&[("cookie", "a=1; canary=always"), ("cookie", "b=2")]);
        let hints = RequestHints(&all);
        assert_eq!(hints.cookie("canary"), Some("always"));
        assert_eq!(hints.cookie("b"), Some("2"));
        assert_eq!(hints.cookie("c"), None);
    }
}

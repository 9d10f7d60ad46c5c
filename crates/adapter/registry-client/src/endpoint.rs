//! Where a registry listens, and where a redirect leads.

use std::net::IpAddr;

use hyper::Uri;
use hyper::http::uri::Authority;

use crate::error::RegistryError;

/// The name of docker's registry in references, and its real one.
const DOCKER: &str = "docker.io";
const DOCKER_HOST: &str = "registry-1.docker.io";

/// A place to ask, with a scheme that was decided on.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Endpoint {
    pub secure: bool,
    /// `host` or `host:port`.
    pub authority: String,
}

impl Endpoint {
    /// The registry of a reference. Loopback hosts speak plain http, and those that were named.
    pub fn of(domain: &str, plain: &[String], secure: &[String]) -> Self {
        let authority = if domain == DOCKER { DOCKER_HOST } else { domain };
        let named = |hosts: &[String]| hosts.iter().any(|host| host == domain);
        let plain = named(plain) || (is_loopback(host_of(domain)) && !named(secure));
        Self {
            secure: !plain,
            authority: authority.to_owned(),
        }
    }

    /// An absolute URL, split into where to connect and what to ask. Nothing but http and https, no user in it.
    pub fn parse(url: &str) -> Result<(Self, String), RegistryError> {
        let wrong = || RegistryError::Protocol {
            reason: "it sends to something that is no URL".to_owned(),
        };
        let uri: Uri = url.parse().map_err(|_| wrong())?;
        let secure = match uri.scheme_str() {
            Some("https") => true,
            Some("http") => false,
            _ => return Err(wrong()),
        };
        let authority = uri.authority().map(Authority::as_str).ok_or_else(wrong)?;
        if authority.contains('@') {
            return Err(wrong());
        }
        let path = uri.path_and_query().map_or("/", |path| path.as_str());
        Ok((
            Self {
                secure,
                authority: authority.to_owned(),
            },
            path.to_owned(),
        ))
    }

    /// Where `location` leads from here: a URL, or a path on the same host.
    pub fn follow(&self, location: &str) -> Result<(Self, String), RegistryError> {
        if location.starts_with('/') && !location.starts_with("//") {
            return Ok((self.clone(), location.to_owned()));
        }
        let (next, path) = Self::parse(location)?;
        if self.secure && !next.secure {
            return Err(RegistryError::Protocol {
                reason: format!("it sends from https to plain http on {}", next.authority),
            });
        }
        Ok((next, path))
    }

    pub fn host(&self) -> &str {
        host_of(&self.authority).trim_matches(['[', ']'])
    }

    pub fn port(&self) -> Option<u16> {
        let after = &self.authority[host_of(&self.authority).len()..];
        match after.strip_prefix(':') {
            Some(port) => port.parse().ok(),
            None => Some(if self.secure { 443 } else { 80 }),
        }
    }

    /// For messages: without a query, which may carry a signature.
    pub fn url(&self, path: &str) -> String {
        let scheme = if self.secure { "https" } else { "http" };
        let path = path.split('?').next().unwrap_or_default();
        format!("{scheme}://{}{path}", self.authority)
    }
}

/// The host of `host:port`, with the brackets of an IPv6 address.
fn host_of(authority: &str) -> &str {
    match authority.rfind(':') {
        Some(at) if !authority[at..].contains(']') => &authority[..at],
        _ => authority,
    }
}

fn is_loopback(host: &str) -> bool {
    let address: Result<IpAddr, _> = host.trim_matches(['[', ']']).parse();
    match address {
        Ok(address) => address.is_loopback(),
        // RFC 6761 6.3: localhost and what is below it never leave the machine.
        Err(_) => host == "localhost" || host.ends_with(".localhost"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn schemes_of_registries() {
        let plain = ["registry.lan:5000".to_owned()];
        let secure = ["127.0.0.1:5001".to_owned()];
        for (domain, url) in [
            ("docker.io", "https://registry-1.docker.io/"),
            ("ghcr.io", "https://ghcr.io/"),
            ("localhost:5000", "http://localhost:5000/"),
            ("registry.localhost:7050", "http://registry.localhost:7050/"),
            ("127.0.0.1:5000", "http://127.0.0.1:5000/"),
            ("127.0.0.1:5001", "https://127.0.0.1:5001/"),
            ("[::1]:5000", "http://[::1]:5000/"),
            ("registry.lan:5000", "http://registry.lan:5000/"),
            ("10.0.0.1:5000", "https://10.0.0.1:5000/"),
        ] {
            assert_eq!(Endpoint::of(domain, &plain, &secure).url("/"), url, "{domain}");
        }
    }

    #[test]
    fn hosts_and_ports() {
        let endpoint = |authority: &str, secure| Endpoint {
            secure,
            authority: authority.to_owned(),
        };
        assert_eq!(endpoint("[::1]:5000", false).host(), "::1");
        assert_eq!(endpoint("[::1]", false).port(), Some(80));
        assert_eq!(endpoint("a:1", true).port(), Some(1));
        assert_eq!(endpoint("a", true).port(), Some(443));
        assert_eq!(endpoint("a:99999", true).port(), None);
    }

    #[test]
    fn redirects() {
        let from = Endpoint {
            secure: true,
            authority: "a".to_owned(),
        };
        assert_eq!(
            from.follow("/x?y").map(|(e, p)| e.url(&p) + &p),
            Ok("https://a/x/x?y".to_owned())
        );
        assert!(from.follow("http://a/x").is_err());
        assert!(from.follow("https://b/x").is_ok());
        for location in [
            "",
            "x",
            "ftp://a/x",
            "//b/x",
            "https://user:word@b/x",
            "file:///etc",
        ] {
            assert!(from.follow(location).is_err(), "{location}");
        }
    }
}

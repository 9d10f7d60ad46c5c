//! Where a proxied request goes (`pkg/registry/core/{pod,service,node}`, `apimachinery/pkg/util/proxy`).

use std::net::IpAddr;

use serde_json::Value;

/// A server inside the cluster.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Target {
    /// `http` or `https`; certificates of pods are not verified, as upstream's are not.
    pub scheme: String,
    /// An address of the pod network.
    pub host: IpAddr,
    /// None for the scheme's own.
    pub port: Option<u16>,
    /// Begins with a slash, still percent-encoded, without the query.
    pub path: String,
}

/// `name`, `name:port`, `scheme:name:port`
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Place<'a> {
    pub scheme: &'a str,
    pub name: &'a str,
    pub port: &'a str,
}

impl<'a> Place<'a> {
    /// `apimachinery/pkg/util/net/port_split.go`
    pub fn parse(text: &'a str) -> Option<Place<'a>> {
        let parts: Vec<&str> = text.split(':').collect();
        let (scheme, name, port) = match parts[..] {
            [name] => ("", name, ""),
            [name, port] => ("", name, port),
            [scheme, name, port] => (scheme, name, port),
            _ => return None,
        };
        let known = matches!(scheme, "" | "http" | "https");
        (known && !name.is_empty()).then_some(Place { scheme, name, port })
    }

    /// `normalizeLocation`: without a scheme it is http.
    pub fn scheme(&self) -> &'a str {
        if self.scheme.is_empty() {
            "http"
        } else {
            self.scheme
        }
    }
}

/// What follows `/proxy` in a path, slash included, still percent-encoded; empty where nothing does.
pub(crate) fn rest_of(path: &str, namespaced: bool) -> &str {
    // "", api, v1, [namespaces, NAMESPACE,] RESOURCE, NAME, proxy
    let segments = if namespaced { 8 } else { 6 };
    match path.match_indices('/').nth(segments - 1) {
        Some((start, _)) => &path[start..],
        None => "",
    }
}

/// The address of a pod.
pub(crate) fn address_of(pod: &Value) -> Option<IpAddr> {
    pod["status"]["podIPs"][0]["ip"].as_str()?.parse().ok()
}

/// `net.IP.IsGlobalUnicast`: neither this machine's loopback nor a link's.
pub(crate) fn is_pod_address(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(v4) => {
            !(v4.is_loopback()
                || v4.is_unspecified()
                || v4.is_multicast()
                || v4.is_link_local()
                || v4.is_broadcast())
        }
        IpAddr::V6(v6) => {
            !(v6.is_loopback() || v6.is_unspecified() || v6.is_multicast() || v6.is_unicast_link_local())
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_and_rests_are_found() {
        let place = |text| Place::parse(text).map(|place| (place.scheme(), place.name, place.port));
        assert_eq!(place("web"), Some(("http", "web", "")));
        assert_eq!(place("web:80"), Some(("http", "web", "80")));
        assert_eq!(place("https:web:main"), Some(("https", "web", "main")));
        assert_eq!(place("ftp:web:21"), None);
        assert_eq!(place("a:b:c:d"), None);
        assert_eq!(place(":80"), None);
        assert_eq!(rest_of("/api/v1/namespaces/n/pods/p/proxy", true), "");
        assert_eq!(rest_of("/api/v1/namespaces/n/pods/p/proxy/", true), "/");
        assert_eq!(
            rest_of("/api/v1/namespaces/n/services/s:80/proxy/a%20b/c/", true),
            "/a%20b/c/"
        );
        assert_eq!(rest_of("/api/v1/nodes/n/proxy/metrics", false), "/metrics");
        for (address, good) in [
            ("10.244.0.7", true),
            ("127.0.0.1", false),
            ("169.254.1.1", false),
            ("fe80::1", false),
            ("fd00::1", true),
        ] {
            assert_eq!(
                is_pod_address(address.parse().expect("it is one")),
                good,
                "{address}"
            );
        }
    }
}

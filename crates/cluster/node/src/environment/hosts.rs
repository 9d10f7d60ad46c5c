//! A pod's own name and its `/etc/hosts` (`kubelet_pods.go`).

use std::net::IpAddr;

use serde_json::Value;

use super::ConfigError;

const HEADER: &str = "# Kubernetes-managed hosts file.\n";
const HEADER_OF_HOST: &str = "# Kubernetes-managed hosts file (host network).\n";
const LOCAL: &str = "127.0.0.1\tlocalhost\n\
                     ::1\tlocalhost ip6-localhost ip6-loopback\n\
                     fe00::0\tip6-localnet\n\
                     fe00::0\tip6-mcastprefix\n\
                     fe00::1\tip6-allnodes\n\
                     fe00::2\tip6-allrouters\n";

/// What is before the first dot is cut to this (`hostnameMaxLen`).
const HOSTNAME_BYTES_MAX: usize = 63;

/// What the kernel holds (`fqdnMaxLen`, `__NEW_UTS_LEN`).
const FQDN_BYTES_MAX: usize = 64;

/// The names of a pod.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Names {
    /// `web-0`
    pub hostname: String,
    /// `web.shop.svc.cluster.local`, empty without a subdomain.
    pub domain: String,
    /// What the kernel of its sandbox says: the hostname, or with setHostnameAsFQDN all of it.
    pub nodename: String,
}

/// The names of a pod in a cluster of this domain. A pod on the host's network bears the host's name instead: ask the
/// kernel.
///
/// # Errors
/// `setHostnameAsFQDN` with a name that is too long for the kernel.
pub fn names(pod: &Value, cluster_domain: &str) -> Result<Names, ConfigError> {
    let (spec, metadata) = (&pod["spec"], &pod["metadata"]);
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    if let Some(name) = spec["hostnameOverride"].as_str() {
        let hostname = truncated(name);
        return Ok(Names {
            nodename: hostname.clone(),
            hostname,
            domain: String::new(),
        });
    }
    let own = text(&spec["hostname"]);
    let hostname = truncated(&if own.is_empty() {
        text(&metadata["name"])
    } else {
        own
    });
    let subdomain = text(&spec["subdomain"]);
    let domain = if subdomain.is_empty() {
        String::new()
    } else {
        format!(
            "{subdomain}.{}.svc.{cluster_domain}",
            text(&metadata["namespace"])
        )
    };
    let nodename = if domain.is_empty() || spec["setHostnameAsFQDN"] != true {
        hostname.clone()
    } else {
        let whole = format!("{hostname}.{domain}");
        if whole.len() > FQDN_BYTES_MAX {
            return Err(ConfigError(format!(
                "failed to construct FQDN from pod hostname and cluster domain, FQDN {whole} is too long \
                 ({FQDN_BYTES_MAX} characters is the max, {} characters requested)",
                whole.len()
            )));
        }
        whole
    };
    Ok(Names {
        hostname,
        domain,
        nodename,
    })
}

fn truncated(name: &str) -> String {
    let end = (0..=HOSTNAME_BYTES_MAX.min(name.len()))
        .rev()
        .find(|end| name.is_char_boundary(*end))
        .unwrap_or_default();
    let cut = &name[..end];
    if cut.len() < name.len() {
        cut.trim_end_matches(['-', '.']).to_owned()
    } else {
        cut.to_owned()
    }
}

/// The `/etc/hosts` of a pod with addresses of its own.
pub fn of_pod(pod: &Value, addresses: &[IpAddr], names: &Names) -> String {
    let mut text = format!("{HEADER}{LOCAL}");
    for address in addresses {
        if names.domain.is_empty() {
            text.push_str(&format!("{address}\t{}\n", names.hostname));
        } else {
            text.push_str(&format!(
                "{address}\t{}.{}\t{}\n",
                names.hostname, names.domain, names.hostname
            ));
        }
    }
    text + &aliases(pod)
}

/// The `/etc/hosts` of a pod on the host's network, from that of the host.
pub fn of_host(pod: &Value, host: &str) -> String {
    format!("{HEADER_OF_HOST}{host}{}", aliases(pod))
}

fn aliases(pod: &Value) -> String {
    let aliases = pod["spec"]["hostAliases"]
        .as_array()
        .map(Vec::as_slice)
        .unwrap_or_default();
    if aliases.is_empty() {
        return String::new();
    }
    let mut text = "\n# Entries added by HostAliases.\n".to_owned();
    for alias in aliases {
        let names = alias["hostnames"]
            .as_array()
            .into_iter()
            .flatten()
            .filter_map(Value::as_str);
        let names: Vec<&str> = names.collect();
        let address = alias["ip"].as_str().unwrap_or_default();
        text.push_str(&format!("{address}\t{}\n", names.join("\t")));
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn pod(spec: Value) -> Value {
        json!({"metadata": {"name": "web-0", "namespace": "shop"}, "spec": spec})
    }

    #[test]
    fn a_pod_has_names() {
        let cases = [
            (json!({}), ("web-0", "", "web-0")),
            (json!({"hostname": "db"}), ("db", "", "db")),
            (
                json!({"subdomain": "web"}),
                ("web-0", "web.shop.svc.cluster.local", "web-0"),
            ),
            (
                json!({"subdomain": "web", "hostname": "a", "setHostnameAsFQDN": true}),
                ("a", "web.shop.svc.cluster.local", "a.web.shop.svc.cluster.local"),
            ),
            (json!({"setHostnameAsFQDN": true}), ("web-0", "", "web-0")),
            (
                json!({"hostnameOverride": "x.y", "subdomain": "web"}),
                ("x.y", "", "x.y"),
            ),
        ];
        for (spec, (hostname, domain, nodename)) in cases {
            let expected = Names {
                hostname: hostname.to_owned(),
                domain: domain.to_owned(),
                nodename: nodename.to_owned(),
            };
            assert_eq!(names(&pod(spec.clone()), "cluster.local"), Ok(expected), "{spec}");
        }
        let long = format!("{}-.tail", "a".repeat(62));
        let cut = names(&json!({"metadata": {"name": long}}), "cluster.local").expect("it is cut");
        assert_eq!(cut.hostname, "a".repeat(62));
        let spec = json!({"subdomain": "s".repeat(40), "setHostnameAsFQDN": true});
        let error = names(&pod(spec), "cluster.local").expect_err("70 is too many");
        assert!(
            error
                .to_string()
                .ends_with("is too long (64 characters is the max, 69 characters requested)"),
            "{error}"
        );
    }

    #[test]
    fn hosts_of_a_pod() {
        let pod = pod(json!({"subdomain": "web", "hostAliases": [
            {"ip": "1.2.3.4", "hostnames": ["foo.local", "bar.local"]}, {"ip": "5.6.7.8", "hostnames": ["baz"]}]}));
        let names = names(&pod, "cluster.local").expect("they fit");
        let expected = "# Kubernetes-managed hosts file.\n127.0.0.1\tlocalhost\n\
             ::1\tlocalhost ip6-localhost ip6-loopback\nfe00::0\tip6-localnet\nfe00::0\tip6-mcastprefix\n\
             fe00::1\tip6-allnodes\nfe00::2\tip6-allrouters\n\
             10.1.0.5\tweb-0.web.shop.svc.cluster.local\tweb-0\n\n\
             # Entries added by HostAliases.\n1.2.3.4\tfoo.local\tbar.local\n5.6.7.8\tbaz\n";
        assert_eq!(of_pod(&pod, &[[10, 1, 0, 5].into()], &names), expected);
        let host = of_host(&json!({"spec": {}}), "127.0.0.1 localhost\n");
        assert_eq!(
            host,
            "# Kubernetes-managed hosts file (host network).\n127.0.0.1 localhost\n"
        );
    }
}

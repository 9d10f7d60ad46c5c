//! How a pod finds names: `/etc/resolv.conf` by `dnsPolicy` and `dnsConfig` (`pkg/kubelet/network/dns`).

use std::net::IpAddr;

use serde_json::Value;

/// Of the C library (`MaxDNSNameservers`).
const SERVERS_MAX: usize = 3;
/// `MaxDNSSearchPaths`
const SEARCHES_MAX: usize = 32;
/// `MaxDNSSearchListChars`
const SEARCH_LINE_BYTES_MAX: usize = 2048;
/// Some resolvers abort at a longer one (`DNS1123SubdomainMaxLength`).
const SEARCH_BYTES_MAX: usize = 253;

/// How names are found.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Resolver {
    /// Addresses of servers, asked in turn.
    pub servers: Vec<String>,
    /// Domains that are tried behind short names.
    pub searches: Vec<String>,
    /// `ndots:5`
    pub options: Vec<String>,
}

/// What the cluster offers.
#[derive(Clone, Debug)]
pub struct ClusterDns {
    /// Where it answers; empty where there is none.
    pub servers: Vec<IpAddr>,
    /// `cluster.local`
    pub domain: String,
}

impl Resolver {
    /// Reads the host's resolv.conf: servers add up, the last `search` line wins.
    pub fn parse(text: &str) -> Resolver {
        let mut resolver = Resolver::default();
        for line in text.lines().map(str::trim).filter(|line| !line.starts_with('#')) {
            let mut words = line.split_whitespace();
            match words.next() {
                Some("nameserver") => resolver.servers.extend(words.next().map(str::to_owned)),
                Some("search") => {
                    let domains = words.filter(|domain| *domain != ".");
                    resolver.searches = domains
                        .map(|domain| domain.strip_suffix('.').unwrap_or(domain).to_owned())
                        .collect();
                }
                Some("options") => words.for_each(|option| set_option(&mut resolver.options, option)),
                _ => {}
            }
        }
        resolver
    }

    /// As the file says it, in containerd's order.
    pub fn text(&self) -> String {
        let mut text = String::new();
        if !self.searches.is_empty() {
            text.push_str(&format!("search {}\n", self.searches.join(" ")));
        }
        for server in &self.servers {
            text.push_str(&format!("nameserver {server}\n"));
        }
        if !self.options.is_empty() {
            text.push_str(&format!("options {}\n", self.options.join(" ")));
        }
        text
    }
}

/// The resolver of a pod, and what people should be told of it: messages of Warning events `DNSConfigForming`.
pub fn of_pod(pod: &Value, cluster: &ClusterDns, host: &Resolver) -> (Resolver, Vec<String>) {
    let spec = &pod["spec"];
    let on_host = spec["hostNetwork"] == true;
    let mut resolver = match spec["dnsPolicy"].as_str() {
        Some("None") => Resolver::default(),
        Some("Default") => host.clone(),
        Some("ClusterFirst") | None if on_host => host.clone(),
        _ if cluster.servers.is_empty() => host.clone(),
        _ => of_cluster(pod, cluster, host),
    };
    let config = &spec["dnsConfig"];
    let texts = |list: &str| -> Vec<String> {
        let items = config[list].as_array().into_iter().flatten();
        items.filter_map(Value::as_str).map(str::to_owned).collect()
    };
    resolver.servers.extend(texts("nameservers"));
    resolver.searches.extend(texts("searches"));
    resolver.servers = without_repeats(resolver.servers);
    resolver.searches = without_repeats(resolver.searches);
    for option in config["options"].as_array().into_iter().flatten() {
        let name = option["name"].as_str().unwrap_or_default();
        match option["value"].as_str().filter(|value| !value.is_empty()) {
            Some(value) => set_option(&mut resolver.options, &format!("{name}:{value}")),
            None => set_option(&mut resolver.options, name),
        }
    }
    fit(resolver)
}

fn of_cluster(pod: &Value, cluster: &ClusterDns, host: &Resolver) -> Resolver {
    let namespace = pod["metadata"]["namespace"].as_str().unwrap_or_default();
    let domain = &cluster.domain;
    let mut searches = vec![
        format!("{namespace}.svc.{domain}"),
        format!("svc.{domain}"),
        domain.clone(),
    ];
    searches.extend(host.searches.iter().cloned());
    Resolver {
        servers: cluster.servers.iter().map(IpAddr::to_string).collect(),
        searches,
        options: vec!["ndots:5".to_owned()],
    }
}

/// An option replaces one of its name.
fn set_option(options: &mut Vec<String>, option: &str) {
    let name = |option: &str| option.split(':').next().unwrap_or_default().to_owned();
    match options.iter_mut().find(|known| name(known) == name(option)) {
        Some(known) => option.clone_into(known),
        None => options.push(option.to_owned()),
    }
}

fn without_repeats(texts: Vec<String>) -> Vec<String> {
    let mut kept: Vec<String> = Vec::new();
    for text in texts {
        if !kept.contains(&text) {
            kept.push(text);
        }
    }
    kept
}

/// Leaves out what resolvers do not take.
fn fit(mut resolver: Resolver) -> (Resolver, Vec<String>) {
    let mut told = Vec::new();
    if resolver.servers.len() > SERVERS_MAX {
        resolver.servers.truncate(SERVERS_MAX);
        told.push(format!(
            "Nameserver limits were exceeded, some nameservers have been omitted, the applied nameserver line is: {}",
            resolver.servers.join(" ")
        ));
    }
    let wanted = resolver.searches.len();
    resolver.searches.truncate(SEARCHES_MAX);
    resolver
        .searches
        .retain(|search| search.len() <= SEARCH_BYTES_MAX);
    while resolver.searches.join(" ").len() > SEARCH_LINE_BYTES_MAX {
        resolver.searches.pop();
    }
    if resolver.searches.len() < wanted {
        told.push(format!(
            "Search Line limits were exceeded, some search paths have been omitted, the applied search line is: {}",
            resolver.searches.join(" ")
        ));
    }
    (resolver, told)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    const HOST: &str = "# the host\nnameserver 9.9.9.9\nsearch old.example\n search corp.example. .\n\
                        options ndots:1 edns0\noptions ndots:2\n";

    fn file(spec: Value) -> String {
        let pod = json!({"metadata": {"namespace": "shop"}, "spec": spec});
        let cluster = ClusterDns {
            servers: vec![[10, 96, 0, 10].into()],
            domain: "cluster.local".to_owned(),
        };
        let (resolver, told) = of_pod(&pod, &cluster, &Resolver::parse(HOST));
        assert_eq!(told, Vec::<String>::new());
        resolver.text()
    }

    #[test]
    fn policies() {
        let cluster = "search shop.svc.cluster.local svc.cluster.local cluster.local corp.example\n\
                       nameserver 10.96.0.10\noptions ndots:5\n";
        let host = "search corp.example\nnameserver 9.9.9.9\noptions ndots:2 edns0\n";
        assert_eq!(file(json!({"dnsPolicy": "ClusterFirst"})), cluster);
        assert_eq!(
            file(json!({"dnsPolicy": "ClusterFirst", "hostNetwork": true})),
            host
        );
        assert_eq!(
            file(json!({"dnsPolicy": "ClusterFirstWithHostNet", "hostNetwork": true})),
            cluster
        );
        assert_eq!(file(json!({"dnsPolicy": "Default"})), host);
        assert_eq!(
            file(
                json!({"dnsPolicy": "None", "dnsConfig": {"nameservers": ["1.1.1.1"], "searches": ["a.b"],
                        "options": [{"name": "ndots", "value": "3"}, {"name": "rotate"}]}})
            ),
            "search a.b\nnameserver 1.1.1.1\noptions ndots:3 rotate\n"
        );
        assert_eq!(
            file(
                json!({"dnsPolicy": "ClusterFirst", "dnsConfig": {"nameservers": ["10.96.0.10", "1.1.1.1"],
                        "searches": ["corp.example", "more"], "options": [{"name": "ndots", "value": "1"}]}})
            ),
            "search shop.svc.cluster.local svc.cluster.local cluster.local corp.example more\n\
             nameserver 10.96.0.10\nnameserver 1.1.1.1\noptions ndots:1\n"
        );
    }

    #[test]
    fn what_is_too_much_is_left_out_and_told() {
        let many: Vec<String> = (0..40).map(|n| format!("d{n}.example")).collect();
        let long = "x".repeat(254);
        let pod = json!({"spec": {"dnsPolicy": "None", "dnsConfig": {
            "nameservers": ["1.1.1.1", "2.2.2.2", "3.3.3.3", "4.4.4.4"], "searches": many}}});
        let nothing = ClusterDns {
            servers: Vec::new(),
            domain: String::new(),
        };
        let (resolver, told) = of_pod(&pod, &nothing, &Resolver::default());
        assert_eq!(
            (resolver.servers.len(), resolver.searches.len(), told.len()),
            (3, 32, 2)
        );
        assert_eq!(
            told[0],
            "Nameserver limits were exceeded, some nameservers have been omitted, the applied nameserver line is: \
             1.1.1.1 2.2.2.2 3.3.3.3"
        );
        let pod = json!({"spec": {"dnsPolicy": "None", "dnsConfig": {"searches": [long, "short"]}}});
        let (resolver, told) = of_pod(&pod, &nothing, &Resolver::default());
        assert_eq!(resolver.searches, ["short"]);
        assert!(told[0].ends_with("the applied search line is: short"));
    }
}

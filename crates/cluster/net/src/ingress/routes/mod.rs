//! Which request goes where: a table made of Ingresses and what they name. Pure; swapped as a whole when anything
//! changes.

mod build;
mod canary;
mod options;
mod services;

use std::collections::{HashMap, HashSet};
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use regex::Regex;

pub use self::build::{Built, CONTROLLER, Objects, Refusal};
pub use self::canary::{Canary, Hints};
pub use self::options::{Redirect, RouteOptions, rewritten};
use super::counts::Series;

/// All routes.
#[derive(Debug, Default)]
pub struct Routes {
    hosts: HashMap<Box<str>, Host>,
    /// By what follows the star: `.example.com`.
    wildcards: HashMap<Box<str>, Host>,
    /// Rules without a host.
    any: Host,
    default: Option<Arc<Route>>,
}

/// The routes of one host.
#[derive(Debug, Default)]
struct Host {
    exact: HashMap<Box<str>, Arc<Route>>,
    /// The longest first.
    others: Vec<(Pattern, Arc<Route>)>,
}

#[derive(Debug)]
enum Pattern {
    /// Whole elements of the path, without the slash at the end; empty matches all.
    Prefix(Box<str>),
    /// As nginx has it, from the path's start.
    Regex(Box<Regex>),
}

/// Where the requests of one host and path go.
#[derive(Debug)]
pub struct Route {
    /// The namespace of its Ingress.
    pub namespace: Arc<str>,
    /// The name of its Ingress.
    pub ingress: Arc<str>,
    /// The host of the rule, `*` for any.
    pub host: Arc<str>,
    /// The path of the rule.
    pub path: Arc<str>,
    /// What the Ingress' annotations say.
    pub options: RouteOptions,
    /// Where most requests go.
    pub backend: Backend,
    /// Where some go instead.
    pub canaries: Vec<Canary>,
}

/// The endpoints of one port of one service.
#[derive(Debug)]
pub struct Backend {
    /// The service's name.
    pub service: Arc<str>,
    /// Those that take requests.
    pub targets: Vec<Target>,
    /// Counts requests that no endpoint has seen.
    pub series: Arc<Series>,
}

/// One endpoint as one route sees it.
#[derive(Clone, Debug)]
pub struct Target {
    /// The endpoint; routes share it.
    pub endpoint: Arc<Endpoint>,
    /// Counts the requests of this route and version.
    pub series: Arc<Series>,
}

/// A pod's port.
#[derive(Debug)]
pub struct Endpoint {
    /// Where it is.
    pub address: SocketAddr,
    /// The same as text, for the log.
    pub shown: Box<str>,
    /// Requests that are under way there.
    outstanding: AtomicU32,
}

/// What was found for a request.
#[derive(Clone, Debug)]
pub struct Found<'a> {
    /// The route.
    pub route: &'a Arc<Route>,
    /// What the groups of a regular expression have matched.
    pub groups: Vec<String>,
}

impl Routes {
    /// The route of a request. `host` is lower case and without a port.
    ///
    /// The most specific host that has a fitting path wins, then `exact` over the longest prefix (Ingress: "Multiple
    /// Matches"), then the default backend.
    pub fn find(&self, host: &str, path: &str) -> Option<Found<'_>> {
        let wildcard = || {
            // A star stands for one label (Ingress: "Hostname wildcards").
            let dot = host.find('.')?;
            self.wildcards.get(&host[dot..])
        };
        let default = || {
            let route = self.default.as_ref()?;
            let groups = Vec::new();
            Some(Found { route, groups })
        };
        let exact = self.hosts.get(host).and_then(|host| host.find(path));
        exact
            .or_else(|| wildcard()?.find(path))
            .or_else(|| self.any.find(path))
            .or_else(default)
    }

    /// Every route once.
    pub fn all(&self) -> impl Iterator<Item = &Arc<Route>> {
        let hosts = self
            .hosts
            .values()
            .chain(self.wildcards.values())
            .chain([&self.any]);
        let routes = hosts.flat_map(|host| {
            host.exact
                .values()
                .chain(host.others.iter().map(|(_, route)| route))
        });
        routes.chain(&self.default)
    }

    /// The addresses of all endpoints.
    pub fn addresses(&self) -> HashSet<SocketAddr> {
        let targets = self.all().flat_map(|route| {
            let canaries = route.canaries.iter().flat_map(|canary| &canary.backend.targets);
            route.backend.targets.iter().chain(canaries)
        });
        targets.map(|target| target.endpoint.address).collect()
    }
}

impl Host {
    fn find(&self, path: &str) -> Option<Found<'_>> {
        if let Some(route) = self.exact.get(path) {
            return Some(Found {
                route,
                groups: Vec::new(),
            });
        }
        self.others.iter().find_map(|(pattern, route)| {
            let groups = pattern.matches(path)?;
            Some(Found { route, groups })
        })
    }
}

impl Pattern {
    /// What groups have matched, if it fits.
    fn matches(&self, path: &str) -> Option<Vec<String>> {
        match self {
            Pattern::Prefix(prefix) => {
                let rest = path.strip_prefix(&**prefix)?;
                (rest.is_empty() || rest.starts_with('/')).then(Vec::new)
            }
            Pattern::Regex(regex) => {
                let captures = regex.captures(path)?;
                let groups = captures
                    .iter()
                    .map(|group| group.map_or("", |group| group.as_str()).to_owned());
                Some(groups.collect())
            }
        }
    }

    fn length(&self) -> usize {
        match self {
            Pattern::Prefix(prefix) => prefix.len(),
            // The caret is ours.
            Pattern::Regex(regex) => regex.as_str().len() - 1,
        }
    }
}

impl Backend {
    /// An endpoint for a request: of two at random, the one with less to do; `tried` have failed. `random` is any
    /// number.
    pub fn choose(&self, random: u64, tried: &[SocketAddr]) -> Option<&Target> {
        let untried = |target: &&Target| !tried.contains(&target.endpoint.address);
        let count = if tried.is_empty() {
            self.targets.len()
        } else {
            self.targets.iter().filter(untried).count()
        };
        let nth = |n: usize| {
            if tried.is_empty() {
                self.targets.get(n)
            } else {
                self.targets.iter().filter(untried).nth(n)
            }
        };
        match count {
            0 => None,
            1 => nth(0),
            _ => {
                let (low, high) = (random as u32 as usize, (random >> 32) as usize);
                let first = low % count;
                // Any but the first, each as likely.
                let second = (first + 1 + high % (count - 1)) % count;
                let (first, second) = (nth(first)?, nth(second)?);
                if second.endpoint.outstanding() < first.endpoint.outstanding() {
                    Some(second)
                } else {
                    Some(first)
                }
            }
        }
    }
}

impl Endpoint {
    /// An endpoint that has nothing to do.
    pub fn new(address: SocketAddr) -> Endpoint {
        Endpoint {
            address,
            shown: address.to_string().into(),
            outstanding: AtomicU32::new(0),
        }
    }

    /// How many requests are under way there.
    pub fn outstanding(&self) -> u32 {
        self.outstanding.load(Ordering::Relaxed)
    }

    /// A request begins.
    pub fn begin(&self) {
        self.outstanding.fetch_add(1, Ordering::Relaxed);
    }

    /// A request has ended.
    pub fn end(&self) {
        self.outstanding.fetch_sub(1, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests;

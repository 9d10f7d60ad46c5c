//! From objects to routes.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::Arc;

use deploy_cluster_api::object;
use regex::RegexBuilder;
use serde_json::Value;

use super::canary::{Canary, Rule};
use super::options::RouteOptions;
use super::services::{NoPlaces, Services};
use super::{Backend, Endpoint, Pattern, Route, Routes, Target};
use crate::ingress::counts::{Counts, Labels};
use crate::ingress::limits;

/// What an IngressClass names that is ours.
pub const CONTROLLER: &str = "deploy.platform/ingress";

/// What routes are made of.
pub struct Objects<'a> {
    /// All IngressClasses.
    pub classes: &'a [Arc<Value>],
    /// All Ingresses.
    pub ingresses: &'a [Arc<Value>],
    /// All Services.
    pub services: &'a [Arc<Value>],
    /// All EndpointSlices.
    pub slices: &'a [Arc<Value>],
    /// The `pod-template-hash` of a pod, by namespace and name.
    pub version: &'a dyn Fn(&str, &str) -> Option<String>,
}

/// Something that an Ingress asks for and does not get.
#[derive(Clone, Debug)]
pub struct Refusal {
    /// The Ingress.
    pub ingress: Arc<Value>,
    /// What, and why.
    pub message: String,
}

/// What was made.
#[derive(Debug, Default)]
pub struct Built {
    /// The routes.
    pub routes: Routes,
    /// The Ingresses that they are made of.
    pub ours: Vec<Arc<Value>>,
    /// What could not be made.
    pub refused: Vec<Refusal>,
}

/// Makes routes. Endpoints that there were before are kept, so that what they have to do stays known.
struct Builder<'a> {
    services: Services<'a>,
    objects: &'a Objects<'a>,
    counts: &'a Counts,
    endpoints: HashMap<SocketAddr, Arc<Endpoint>>,
    refused: Vec<Refusal>,
}

/// A route without what it shares with others.
struct Draft<'a> {
    host: String,
    path: String,
    kind: PathKind,
    backend: &'a Value,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum PathKind {
    Exact,
    Prefix,
    Free,
    Default,
}

impl Routes {
    /// The routes that these objects ask for. `before` are those that they replace.
    pub fn of(objects: &Objects<'_>, before: &Routes, counts: &Counts) -> Built {
        let mut known = HashMap::new();
        for route in before.all() {
            let canaries = route.canaries.iter().flat_map(|canary| &canary.backend.targets);
            for target in route.backend.targets.iter().chain(canaries) {
                known.insert(target.endpoint.address, target.endpoint.clone());
            }
        }
        let mut builder = Builder {
            services: Services::new(objects.services, objects.slices),
            objects,
            counts,
            endpoints: known,
            refused: Vec::new(),
        };
        let mut ours: Vec<Arc<Value>> = objects
            .ingresses
            .iter()
            .filter(|ingress| is_ours(ingress, objects.classes) && !object::is_deleting(ingress))
            .cloned()
            .collect();
        // Who was first keeps a host and path that a later one asks for, too.
        ours.sort_by(|a, b| age(a).cmp(&age(b)));
        let routes = builder.routes(&ours);
        Built {
            routes,
            ours,
            refused: builder.refused,
        }
    }
}

fn age(ingress: &Value) -> (&str, &str, &str) {
    let created = object::text(ingress, "creationTimestamp");
    (created, object::namespace(ingress), object::name(ingress))
}

/// Whether an Ingress is of one of our classes; one of no class is ours where one of ours is the default.
fn is_ours(ingress: &Value, classes: &[Arc<Value>]) -> bool {
    let annotation = &ingress["metadata"]["annotations"]["kubernetes.io/ingress.class"];
    let named = ingress["spec"]["ingressClassName"]
        .as_str()
        .or(annotation.as_str());
    classes
        .iter()
        .filter(|class| class["spec"]["controller"] == CONTROLLER)
        .any(|class| match named {
            Some(name) => object::name(class) == name,
            None => class["metadata"]["annotations"]["ingressclass.kubernetes.io/is-default-class"] == "true",
        })
}

impl Builder<'_> {
    fn routes<'b>(&mut self, ours: &'b [Arc<Value>]) -> Routes {
        let mut routes = Routes::default();
        let mut finished: Vec<(Draft<'b>, Route)> = Vec::new();
        let mut places: HashMap<(String, String, PathKey), usize> = HashMap::new();
        let (canaries, mains): (Vec<_>, Vec<_>) =
            ours.iter().partition(|ingress| Rule::of(ingress).is_some());
        for ingress in mains {
            for draft in self.drafts(ingress) {
                let key = draft.key();
                if let Some(first) = places.get(&key) {
                    let first = &finished[*first].1;
                    let message = format!(
                        "host {:?} and path {:?} belong to Ingress {}/{}, which is older",
                        shown_host(&draft.host),
                        draft.path,
                        first.namespace,
                        first.ingress
                    );
                    self.refuse(ingress, message);
                    continue;
                }
                let route = self.route(ingress, &draft);
                places.insert(key, finished.len());
                finished.push((draft, route));
            }
        }
        for ingress in canaries {
            self.attach(ingress, &places, &mut finished);
        }
        for (draft, route) in finished {
            self.place(&mut routes, &draft, route);
        }
        let hosts = routes.hosts.values_mut().chain(routes.wildcards.values_mut());
        for host in hosts.chain([&mut routes.any]) {
            host.others
                .sort_by_key(|(pattern, _)| std::cmp::Reverse(pattern.length()));
        }
        routes
    }

    fn attach<'b>(
        &mut self,
        ingress: &'b Arc<Value>,
        places: &HashMap<(String, String, PathKey), usize>,
        finished: &mut [(Draft<'b>, Route)],
    ) {
        for draft in self.drafts(ingress) {
            let Some(rule) = Rule::of(ingress) else {
                return;
            };
            let Some(place) = places.get(&draft.key()) else {
                let message = format!(
                    "a canary needs an Ingress without the canary annotation for host {:?} and path {:?}",
                    shown_host(&draft.host),
                    draft.path
                );
                self.refuse(ingress, message);
                continue;
            };
            let labels = labels(ingress, &draft);
            let backend = self.backend(ingress, draft.backend, &labels);
            finished[*place].1.canaries.push(Canary { backend, rule });
        }
    }

    fn drafts<'b>(&mut self, ingress: &'b Arc<Value>) -> Vec<Draft<'b>> {
        let mut drafts = Vec::new();
        let spec = &ingress["spec"];
        for rule in spec["rules"].as_array().into_iter().flatten() {
            let host = rule["host"].as_str().unwrap_or_default().to_ascii_lowercase();
            for path in rule["http"]["paths"].as_array().into_iter().flatten() {
                let text = path["path"]
                    .as_str()
                    .filter(|path| !path.is_empty())
                    .unwrap_or("/");
                if self.refuses(ingress, &path["backend"]) {
                    continue;
                }
                drafts.push(Draft {
                    host: host.clone(),
                    path: text.to_owned(),
                    kind: match path["pathType"].as_str() {
                        Some("Exact") => PathKind::Exact,
                        Some("Prefix") => PathKind::Prefix,
                        _ => PathKind::Free,
                    },
                    backend: &path["backend"]["service"],
                });
            }
        }
        if spec["defaultBackend"].is_object() && !self.refuses(ingress, &spec["defaultBackend"]) {
            // It serves the hosts of its own rules first, and what nobody else serves.
            let hosts = spec["rules"].as_array().into_iter().flatten();
            let mut hosts: Vec<String> = hosts
                .filter_map(|rule| rule["host"].as_str().filter(|host| !host.is_empty()))
                .map(str::to_ascii_lowercase)
                .collect();
            hosts.push(String::new());
            hosts.sort_unstable();
            hosts.dedup();
            drafts.extend(hosts.into_iter().map(|host| Draft {
                host,
                path: "/".to_owned(),
                kind: PathKind::Default,
                backend: &spec["defaultBackend"]["service"],
            }));
        }
        // A default for a host where a rule says `/` is never asked.
        let roots: Vec<String> = drafts
            .iter()
            .filter(|draft| draft.kind != PathKind::Default && draft.is_root())
            .map(|draft| draft.host.clone())
            .collect();
        drafts.retain(|draft| {
            draft.kind != PathKind::Default || draft.host.is_empty() || !roots.contains(&draft.host)
        });
        drafts
    }

    /// A resource as a backend is possible in the API, and nothing here knows one.
    fn refuses(&mut self, ingress: &Arc<Value>, backend: &Value) -> bool {
        let resource = &backend["resource"];
        if !resource.is_object() {
            return false;
        }
        let text = |field: &str| resource[field].as_str().unwrap_or_default().to_owned();
        let message = format!(
            "resource backends are not supported: {} {:?}; name a service instead",
            text("kind"),
            text("name")
        );
        self.refuse(ingress, message);
        true
    }

    fn refuse(&mut self, ingress: &Arc<Value>, message: String) {
        self.refused.push(Refusal {
            ingress: ingress.clone(),
            message,
        });
    }

    fn route(&mut self, ingress: &Arc<Value>, draft: &Draft<'_>) -> Route {
        let labels = labels(ingress, draft);
        Route {
            namespace: labels.namespace.clone(),
            ingress: labels.ingress.clone(),
            host: labels.host.clone(),
            path: labels.path.clone(),
            options: RouteOptions::of(ingress),
            backend: self.backend(ingress, draft.backend, &labels),
            canaries: Vec::new(),
        }
    }

    fn backend(&mut self, ingress: &Arc<Value>, backend: &Value, labels: &Labels) -> Backend {
        let name = backend["name"].as_str().unwrap_or_default();
        let namespace = object::namespace(ingress);
        let mut labels = labels.clone();
        labels.service = name.into();
        let places = self.services.places(namespace, backend).unwrap_or_else(|why| {
            match why {
                // It may come; events of the service's absence would only be noise.
                NoPlaces::NoService => {}
                NoPlaces::NoPort => {
                    let port = &backend["port"];
                    let port = port["number"].as_u64().map_or_else(
                        || port["name"].as_str().unwrap_or_default().to_owned(),
                        |number| number.to_string(),
                    );
                    self.refuse(ingress, format!("service {name:?} has no TCP port {port:?}"));
                }
                NoPlaces::External => {
                    self.refuse(
                        ingress,
                        format!("service {name:?} is of type ExternalName, which has no endpoints"),
                    );
                }
            }
            Vec::new()
        });
        let mut targets = Vec::with_capacity(places.len());
        for place in places {
            let version = Some(&*place.pod)
                .filter(|pod| !pod.is_empty())
                .and_then(|pod| (self.objects.version)(namespace, pod));
            let mut labels = labels.clone();
            labels.version = version.unwrap_or_default().into();
            let endpoint = self.endpoints.entry(place.address);
            targets.push(Target {
                endpoint: endpoint
                    .or_insert_with(|| Arc::new(Endpoint::new(place.address)))
                    .clone(),
                series: self.counts.series(labels),
            });
        }
        Backend {
            service: labels.service.clone(),
            targets,
            series: self.counts.series(labels),
        }
    }

    fn place(&mut self, routes: &mut Routes, draft: &Draft<'_>, route: Route) {
        let route = Arc::new(route);
        if draft.kind == PathKind::Default && draft.host.is_empty() {
            routes.default = Some(route);
            return;
        }
        let pattern = match draft.kind {
            PathKind::Exact if !route.options.regex => None,
            PathKind::Default => Some(Pattern::Prefix("".into())),
            _ if route.options.regex => {
                let end = if draft.kind == PathKind::Exact { "$" } else { "" };
                // nginx' ingress compares without regard to case (`location ~*`).
                let regex = RegexBuilder::new(&format!("^{}{end}", draft.path))
                    .case_insensitive(true)
                    .size_limit(limits::REGEX_BYTES_MAX)
                    .build();
                match regex {
                    Ok(regex) => Some(Pattern::Regex(Box::new(regex))),
                    Err(_) => {
                        let message = format!("path {:?} is no regular expression", draft.path);
                        let ingress = self.objects.ingresses.iter().find(|ingress| {
                            object::namespace(ingress) == &*route.namespace
                                && object::name(ingress) == &*route.ingress
                        });
                        if let Some(ingress) = ingress {
                            self.refuse(ingress, message);
                        }
                        return;
                    }
                }
            }
            _ => Some(Pattern::Prefix(draft.path.trim_end_matches('/').into())),
        };
        let host = if draft.host.is_empty() {
            &mut routes.any
        } else if let Some(suffix) = draft.host.strip_prefix('*') {
            routes.wildcards.entry(suffix.into()).or_default()
        } else {
            routes.hosts.entry(draft.host.as_str().into()).or_default()
        };
        match pattern {
            None => {
                host.exact.insert(draft.path.as_str().into(), route);
            }
            Some(pattern) => host.others.push((pattern, route)),
        }
    }
}

type PathKey = (bool, bool);

impl Draft<'_> {
    /// What nobody else may have: host, path, and whether it is exact or the default.
    fn key(&self) -> (String, String, PathKey) {
        let path = if self.kind == PathKind::Exact {
            self.path.clone()
        } else {
            self.path.trim_end_matches('/').to_owned()
        };
        let key = (self.kind == PathKind::Exact, self.kind == PathKind::Default);
        (self.host.clone(), path, key)
    }

    fn is_root(&self) -> bool {
        self.kind != PathKind::Exact && self.path.trim_end_matches('/').is_empty()
    }
}

fn labels(ingress: &Value, draft: &Draft<'_>) -> Labels {
    Labels {
        namespace: object::namespace(ingress).into(),
        ingress: object::name(ingress).into(),
        host: shown_host(&draft.host).into(),
        path: draft.path.as_str().into(),
        service: "".into(),
        version: "".into(),
    }
}

fn shown_host(host: &str) -> &str {
    if host.is_empty() { "*" } else { host }
}

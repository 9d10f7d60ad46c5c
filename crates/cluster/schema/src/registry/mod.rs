//! Which resources there are, and the types of their objects: those of Kubernetes from the blob, and custom ones.

pub(crate) mod blob;
mod custom;

use std::collections::HashMap;
use std::fmt;
use std::sync::{Arc, OnceLock};

use crate::types::{Schema, TypeId};

pub use custom::{CustomResource, ScalePaths, version_order};

/// What an object says it is.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct GroupVersionKind {
    /// The group; empty for the core group.
    pub group: Arc<str>,
    /// The version (`v1`).
    pub version: Arc<str>,
    /// The kind (`Deployment`).
    pub kind: Arc<str>,
}

/// Where objects are found: a resource of one version.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct GroupVersionResource {
    /// The group; empty for the core group.
    pub group: Arc<str>,
    /// The version (`v1`).
    pub version: Arc<str>,
    /// The plural name (`deployments`).
    pub resource: Arc<str>,
}

/// One resource of one version.
#[derive(Clone, Debug)]
pub struct Resource {
    /// The group; empty for the core group.
    pub group: Arc<str>,
    /// The version.
    pub version: Arc<str>,
    /// The name in paths.
    pub plural: Arc<str>,
    /// The name of one.
    pub singular: Arc<str>,
    /// The kind of its objects, which is of the same group and version.
    pub kind: Arc<str>,
    /// The kind of its lists.
    pub list_kind: Arc<str>,
    /// Whether objects live in namespaces.
    pub namespaced: bool,
    /// What can be done: `create`, `delete`, `deletecollection`, `get`, `list`, `patch`, `update`, `watch`.
    pub verbs: Vec<Arc<str>>,
    /// Other names for people.
    pub short_names: Vec<Arc<str>>,
    /// Groups of resources for people (`all`).
    pub categories: Vec<Arc<str>>,
    /// What else is below an object.
    pub subresources: Vec<Subresource>,
    /// The hash in discovery that says which version is stored; empty if nothing is.
    pub storage_version_hash: Arc<str>,
    /// The group and version in which its objects are stored. It differs from the resource's own where two versions
    /// are views of one object, as `events.k8s.io/v1` of the core events.
    pub stored_as: GroupVersionKind,
    /// What a custom resource definition says besides.
    pub custom: Option<Arc<CustomResource>>,
}

/// Something below an object: `status`, `scale`, `log`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Subresource {
    /// Its name.
    pub name: Arc<str>,
    /// The kind that it reads and writes.
    pub kind: GroupVersionKind,
    /// What can be done with it.
    pub verbs: Vec<Arc<str>>,
}

/// A group and its versions, the preferred one first.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Group {
    /// Its name; empty for the core group.
    pub name: Arc<str>,
    /// Its versions.
    pub versions: Vec<Arc<str>>,
}

/// All resources that are served, and the types of all kinds.
#[derive(Clone, Debug)]
pub struct Registry {
    kinds: Arc<Kinds>,
    groups: Vec<Group>,
    resources: Vec<Arc<Resource>>,
    /// The places of all resources of a name.
    by_plural: HashMap<Arc<str>, Vec<usize>>,
    by_kind: HashMap<GroupVersionKind, usize>,
    custom_kinds: HashMap<GroupVersionKind, (Arc<CustomResource>, bool)>,
}

/// The types of the kinds of Kubernetes itself.
#[derive(Debug)]
struct Kinds {
    schema: Schema,
    by_kind: HashMap<GroupVersionKind, TypeId>,
}

/// Kinds that belong to every group and version (`apimachinery/pkg/apis/meta/v1/register.go AddToGroupVersion`).
const KINDS_OF_ALL_GROUPS: &[&str] = &[
    "CreateOptions",
    "DeleteOptions",
    "GetOptions",
    "ListOptions",
    "PatchOptions",
    "UpdateOptions",
    "WatchEvent",
];

impl Registry {
    /// What Kubernetes serves by default. It is read once for the whole process, in milliseconds.
    pub fn builtin() -> Arc<Registry> {
        static BUILTIN: OnceLock<Arc<Registry>> = OnceLock::new();
        Arc::clone(BUILTIN.get_or_init(|| Arc::new(Registry::read())))
    }

    fn read() -> Registry {
        let (groups, resources) = blob::resources();
        let kinds = Arc::new(blob::kinds());
        Registry::index(
            kinds,
            groups,
            resources.into_iter().map(Arc::new).collect(),
            HashMap::new(),
        )
    }

    fn index(
        kinds: Arc<Kinds>,
        groups: Vec<Group>,
        resources: Vec<Arc<Resource>>,
        custom_kinds: HashMap<GroupVersionKind, (Arc<CustomResource>, bool)>,
    ) -> Registry {
        let mut by_plural: HashMap<Arc<str>, Vec<usize>> = HashMap::with_capacity(resources.len());
        let mut by_kind = HashMap::with_capacity(resources.len());
        for (place, resource) in resources.iter().enumerate() {
            by_plural.entry(resource.plural.clone()).or_default().push(place);
            by_kind.entry(resource.gvk()).or_insert(place);
        }
        Registry {
            kinds,
            groups,
            resources,
            by_plural,
            by_kind,
            custom_kinds,
        }
    }

    /// The same with these custom resources and no others: one item for each served version. A resource that Kubernetes has itself wins.
    pub fn with_custom(&self, custom: Vec<Arc<CustomResource>>) -> Registry {
        let mut groups: Vec<Group> = self.groups.clone();
        let mut resources: Vec<Arc<Resource>> = self
            .resources
            .iter()
            .filter(|r| r.custom.is_none())
            .map(Arc::clone)
            .collect();
        let mut custom_kinds = HashMap::new();
        custom::remove_groups(&mut groups, &resources);
        let builtin = groups.len();
        let mut custom = custom;
        custom.sort_by(|a, b| a.plural.cmp(&b.plural));
        for item in custom {
            let resource = Arc::new(item.resource());
            let taken = resources.iter().any(|r| {
                r.group == resource.group && r.version == resource.version && r.plural == resource.plural
            });
            if taken {
                continue;
            }
            custom::add_group(&mut groups, builtin, &resource);
            let list = GroupVersionKind::new(&resource.group, &resource.version, &resource.list_kind);
            custom_kinds.insert(resource.gvk(), (Arc::clone(&item), false));
            custom_kinds.insert(list, (item, true));
            resources.push(resource);
        }
        Registry::index(Arc::clone(&self.kinds), groups, resources, custom_kinds)
    }

    /// The same with further resources that no definition makes. Their groups come last in discovery, as those of API
    /// servers behind the aggregator do; a resource that is there already wins.
    #[must_use]
    pub fn with_added(mut self, added: &[Arc<Resource>]) -> Registry {
        if added.is_empty() {
            return self;
        }
        for resource in added {
            if self
                .resource(&resource.group, &resource.version, &resource.plural)
                .is_some()
            {
                continue;
            }
            let last = self.groups.len();
            custom::add_group(&mut self.groups, last, resource);
            self.resources.push(Arc::clone(resource));
        }
        Registry::index(self.kinds, self.groups, self.resources, self.custom_kinds)
    }

    /// A resource by its place in a path.
    pub fn resource(&self, group: &str, version: &str, plural: &str) -> Option<&Arc<Resource>> {
        let mut found = self
            .by_plural
            .get(plural)?
            .iter()
            .map(|place| &self.resources[*place]);
        found.find(|resource| &*resource.group == group && &*resource.version == version)
    }

    /// The resource whose objects are of a kind.
    pub fn kind(&self, kind: &GroupVersionKind) -> Option<&Arc<Resource>> {
        self.by_kind.get(kind).map(|place| &self.resources[*place])
    }

    /// The type of a kind, also of kinds without a resource (`Status`, `DeploymentList`) and of versions that are not
    /// served.
    pub fn types(&self, kind: &GroupVersionKind) -> Option<(&Schema, TypeId)> {
        if let Some(id) = self.kinds.by_kind.get(kind) {
            return Some((&self.kinds.schema, *id));
        }
        if let Some((custom, is_list)) = self.custom_kinds.get(kind) {
            let (schema, object, list) = custom.types();
            return Some((schema, if *is_list { list } else { object }));
        }
        if KINDS_OF_ALL_GROUPS.contains(&&*kind.kind) {
            let meta = GroupVersionKind::new("meta.k8s.io", "v1", &kind.kind);
            return Some((&self.kinds.schema, *self.kinds.by_kind.get(&meta)?));
        }
        None
    }

    /// The types of Kubernetes itself; a structure is found by its name in OpenAPI (`io.k8s.api.core.v1.Pod`).
    pub fn schema(&self) -> &Schema {
        &self.kinds.schema
    }

    /// All kinds that have a type, in no order.
    pub fn kinds(&self) -> impl Iterator<Item = &GroupVersionKind> {
        self.kinds.by_kind.keys().chain(self.custom_kinds.keys())
    }

    /// All resources in the order of discovery.
    pub fn resources(&self) -> impl Iterator<Item = &Arc<Resource>> {
        self.resources.iter()
    }

    /// The resources of one version in the order of discovery.
    pub fn of_version(&self, group: &str, version: &str) -> impl Iterator<Item = &Arc<Resource>> {
        self.resources
            .iter()
            .filter(move |r| &*r.group == group && &*r.version == version)
    }

    /// All groups in the order of discovery, the core group first.
    pub fn groups(&self) -> &[Group] {
        &self.groups
    }

    /// The resource under which the objects of `resource` are stored: itself, or the one that it is a view of.
    pub fn stored<'r>(&'r self, resource: &'r Arc<Resource>) -> &'r Arc<Resource> {
        self.kind(&resource.stored_as).unwrap_or(resource)
    }
}

impl Resource {
    /// The kind of its objects.
    pub fn gvk(&self) -> GroupVersionKind {
        GroupVersionKind {
            group: self.group.clone(),
            version: self.version.clone(),
            kind: self.kind.clone(),
        }
    }

    /// Where it is.
    pub fn gvr(&self) -> GroupVersionResource {
        GroupVersionResource {
            group: self.group.clone(),
            version: self.version.clone(),
            resource: self.plural.clone(),
        }
    }

    /// Whether it can be asked for this.
    pub fn has_verb(&self, verb: &str) -> bool {
        self.verbs.iter().any(|v| &**v == verb)
    }

    /// What is below its objects under that name.
    pub fn subresource(&self, name: &str) -> Option<&Subresource> {
        self.subresources.iter().find(|s| &*s.name == name)
    }

    /// `apps/v1`, or `v1` in the core group.
    pub fn api_version(&self) -> String {
        api_version(&self.group, &self.version)
    }
}

impl Subresource {
    /// Whether it can be asked for this.
    pub fn has_verb(&self, verb: &str) -> bool {
        self.verbs.iter().any(|v| &**v == verb)
    }
}

impl GroupVersionKind {
    /// From its parts.
    pub fn new(group: &str, version: &str, kind: &str) -> GroupVersionKind {
        GroupVersionKind {
            group: group.into(),
            version: version.into(),
            kind: kind.into(),
        }
    }

    /// From the `apiVersion` and `kind` of an object; none where the version has more than one slash
    /// (`apimachinery/pkg/runtime/schema/group_version.go ParseGroupVersion`).
    pub fn parse(api_version: &str, kind: &str) -> Option<GroupVersionKind> {
        let (group, version) = api_version.split_once('/').unwrap_or(("", api_version));
        (!version.contains('/')).then(|| GroupVersionKind::new(group, version, kind))
    }

    /// `apps/v1`, or `v1` in the core group.
    pub fn api_version(&self) -> String {
        api_version(&self.group, &self.version)
    }
}

impl GroupVersionResource {
    /// From its parts.
    pub fn new(group: &str, version: &str, resource: &str) -> GroupVersionResource {
        GroupVersionResource {
            group: group.into(),
            version: version.into(),
            resource: resource.into(),
        }
    }
}

impl fmt::Display for GroupVersionKind {
    /// As Go prints it: `apps/v1, Kind=Deployment`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}, Kind={}", self.group, self.version, self.kind)
    }
}

impl fmt::Display for GroupVersionResource {
    /// As Go prints it: `apps/v1, Resource=deployments`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}, Resource={}", self.group, self.version, self.resource)
    }
}

fn api_version(group: &str, version: &str) -> String {
    if group.is_empty() {
        version.to_owned()
    } else {
        format!("{group}/{version}")
    }
}

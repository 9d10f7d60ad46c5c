//! One resource of a build: its node, and what the build remembers about it.
//!
//! kustomize keeps its memory in annotations (`internal.config.kubernetes.io/...`). Here it is in fields; such
//! annotations of the input are taken over when a resource is read, and none is ever printed.

use deploy_yaml::node::{Content, Node};
use serde_json::Value;

use super::origin::Origin;
use super::resid::{Gvk, NO_NAMESPACE, ResId, split_api_version};
use super::tree;
use super::world::World;

const DOMAIN: &str = "internal.config.kubernetes.io/";
const ORIGIN: &str = "config.kubernetes.io/origin";
const TRANSFORMATIONS: &str = "alpha.config.kubernetes.io/transformations";

/// The names behind [`DOMAIN`] that are kustomize's own.
const OWN: [&str; 15] = [
    "previousKinds",
    "previousNames",
    "previousNamespaces",
    "prefixes",
    "suffixes",
    "allowNameChange",
    "allowKindChange",
    "refBy",
    "generatorBehavior",
    "needsHashSuffix",
    "path",
    "index",
    "seqindent",
    "id",
    "annotations-migration-resource-id",
];

/// Older names of the same.
const LEGACY: [&str; 3] = [
    "config.kubernetes.io/path",
    "config.kubernetes.io/index",
    "config.k8s.io/id",
];

/// What a generated resource does to one that exists.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Behavior {
    #[default]
    Unspecified,
    Create,
    Replace,
    Merge,
}

impl Behavior {
    pub(super) fn parse(text: &str) -> Behavior {
        match text {
            "replace" => Behavior::Replace,
            "merge" => Behavior::Merge,
            "create" => Behavior::Create,
            _ => Behavior::Unspecified,
        }
    }

    pub(super) fn name(self) -> &'static str {
        match self {
            Behavior::Unspecified => "unspecified",
            Behavior::Create => "create",
            Behavior::Replace => "replace",
            Behavior::Merge => "merge",
        }
    }
}

/// Name, namespace and kind that a resource had before a transformation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Previous {
    pub(super) name: String,
    /// The effective one.
    pub(super) namespace: String,
    pub(super) kind: String,
}

/// One resource.
#[derive(Clone, Debug)]
pub(super) struct Resource {
    pub(super) node: Node,
    id: ResId,
    /// Oldest first.
    pub(super) previous: Vec<Previous>,
    pub(super) prefixes: Vec<String>,
    pub(super) suffixes: Vec<String>,
    pub(super) behavior: Behavior,
    pub(super) needs_hash: bool,
    pub(super) allow_name_change: bool,
    pub(super) allow_kind_change: bool,
    /// Names of the variables that read from it.
    pub(super) variables: Vec<String>,
    pub(super) origin: Option<Origin>,
    pub(super) transformations: Vec<Origin>,
    /// Deleted by a patch: it keeps its place until the resources are next compacted.
    pub(super) deleted: bool,
}

impl Resource {
    /// Takes a node that was read or made, with the memory in its annotations.
    pub(super) fn read(node: Node, world: &World<'_>) -> Resource {
        let mut resource = Resource {
            node,
            id: ResId::default(),
            previous: Vec::new(),
            prefixes: Vec::new(),
            suffixes: Vec::new(),
            behavior: Behavior::default(),
            needs_hash: false,
            allow_name_change: false,
            allow_kind_change: false,
            variables: Vec::new(),
            origin: None,
            transformations: Vec::new(),
            deleted: false,
        };
        resource.adopt_annotations();
        resource.refresh(world);
        resource
    }

    /// The id of now.
    pub(super) fn id(&self) -> &ResId {
        &self.id
    }

    /// Reads the id again after the node has changed.
    pub(super) fn refresh(&mut self, world: &World<'_>) {
        let (group, version) = split_api_version(tree::field_text(&self.node, "apiVersion"));
        let kind = tree::field_text(&self.node, "kind");
        let metadata = tree::field(&self.node, "metadata");
        let meta_text = |name: &str| {
            metadata
                .and_then(|metadata| tree::field(metadata, name))
                .filter(|value| !tree::is_null(value))
                .and_then(tree::text)
                .unwrap_or_default()
        };
        let (name, namespace) = (meta_text("name"), meta_text("namespace"));
        let id = &mut self.id;
        if id.name != name {
            name.clone_into(&mut id.name);
        }
        if id.namespace != namespace {
            namespace.clone_into(&mut id.namespace);
        }
        if id.gvk.kind != kind || id.gvk.version != version || id.gvk.group != group {
            id.gvk = Gvk {
                group: group.to_owned(),
                version: version.to_owned(),
                kind: kind.to_owned(),
            };
            id.cluster_scoped = world.is_cluster_scoped(&id.gvk);
        }
    }

    /// Remembers the id of now as a previous one.
    pub(super) fn store_previous_id(&mut self) {
        self.previous.push(Previous {
            name: self.id.name.clone(),
            namespace: self.id.effective_namespace().to_owned(),
            kind: self.id.gvk.kind.clone(),
        });
    }

    /// A previous id; its group and version are those of now.
    fn previous_id(&self, previous: &Previous) -> ResId {
        ResId {
            gvk: Gvk {
                group: self.id.gvk.group.clone(),
                version: self.id.gvk.version.clone(),
                kind: previous.kind.clone(),
            },
            name: previous.name.clone(),
            namespace: previous.namespace.clone(),
            // What is stored is the effective namespace, which says by itself that there is none.
            cluster_scoped: previous.namespace == NO_NAMESPACE,
        }
    }

    /// The previous ids, oldest first.
    pub(super) fn previous_ids(&self) -> impl Iterator<Item = ResId> + '_ {
        self.previous.iter().map(|previous| self.previous_id(previous))
    }

    /// The first id that it had.
    pub(super) fn original_id(&self) -> ResId {
        match self.previous.first() {
            Some(previous) => self.previous_id(previous),
            None => self.id.clone(),
        }
    }

    /// The kind that it had first; the group and version of the original id are those of now.
    pub(super) fn original_kind(&self) -> &str {
        self.previous
            .first()
            .map_or(&self.id.gvk.kind, |previous| &previous.kind)
    }

    pub(super) fn original_name(&self) -> &str {
        self.previous
            .first()
            .map_or(&self.id.name, |previous| &previous.name)
    }

    /// The effective one.
    pub(super) fn original_namespace(&self) -> &str {
        self.previous
            .first()
            .map_or(self.id.effective_namespace(), |previous| &previous.namespace)
    }

    /// Whether the selector selects the type that it has now, with the kind that it had at some time.
    pub(super) fn is_selected_as(&self, kind: &str, selector: &Gvk) -> bool {
        selector.selects(&self.id.gvk.group, &self.id.gvk.version, kind)
    }

    /// Whether any id, previous or of now, satisfies the question.
    pub(super) fn any_id(&self, mut question: impl FnMut(&ResId) -> bool) -> bool {
        self.previous_ids().any(|id| question(&id)) || question(&self.id)
    }

    pub(super) fn set_name(&mut self, name: &str) {
        tree::set_text(tree::mapping_mut(&mut self.node, "metadata"), "name", name);
        name.clone_into(&mut self.id.name);
    }

    /// Sets the namespace; the empty one is taken away.
    pub(super) fn set_namespace(&mut self, namespace: &str) {
        if namespace.is_empty() {
            if let Some(metadata) = tree::field_mut(&mut self.node, "metadata") {
                tree::remove(metadata, "namespace");
            }
        } else {
            tree::set_text(
                tree::mapping_mut(&mut self.node, "metadata"),
                "namespace",
                namespace,
            );
        }
        namespace.clone_into(&mut self.id.namespace);
    }

    pub(super) fn metadata_map(&self, name: &str) -> &[(Node, Node)] {
        tree::field(&self.node, "metadata")
            .and_then(|metadata| tree::field(metadata, name))
            .map(tree::entries)
            .unwrap_or_default()
    }

    /// Whether the build's memory would have made annotations; a JSON patch may add to them then.
    pub(super) fn has_memory(&self) -> bool {
        !self.previous.is_empty()
            || !self.prefixes.is_empty()
            || !self.suffixes.is_empty()
            || self.needs_hash
            || self.behavior != Behavior::Unspecified
            || self.origin.is_some()
    }

    /// The resource as a value without the build's memory; `origins` and `transformations` say what of it is shown.
    pub(super) fn to_output(
        &self,
        origins: bool,
        transformations: bool,
    ) -> Result<Value, deploy_yaml::Error> {
        let mut value = self.to_json()?;
        let origin = self.origin.as_ref().filter(|_| origins).map(Origin::to_text);
        let list = Some(&self.transformations)
            .filter(|list| transformations && !list.is_empty())
            .map(|list| Origin::list_to_text(list));
        let untouched = origins && transformations && origin.is_none() && list.is_none();
        let Some(metadata) = value.get_mut("metadata").and_then(Value::as_object_mut) else {
            return Ok(value);
        };
        if untouched {
            return Ok(value);
        }
        // Taking kustomize's own annotations away writes all others anew, as text, and drops the empty map.
        let mut annotations = serde_json::Map::new();
        for (key, value) in self.metadata_map("annotations") {
            if let Some(key) = tree::text(key).filter(|key| !is_own(key)) {
                annotations.insert(key.to_owned(), tree::text(value).unwrap_or_default().into());
            }
        }
        for (key, text) in [(ORIGIN, origin), (TRANSFORMATIONS, list)] {
            annotations.remove(key);
            if let Some(text) = text {
                annotations.insert(key.to_owned(), text.into());
            }
        }
        metadata.remove("annotations");
        if !annotations.is_empty() {
            metadata.insert("annotations".to_owned(), annotations.into());
        }
        Ok(value)
    }

    /// The node as a value.
    pub(super) fn to_json(&self) -> Result<Value, deploy_yaml::Error> {
        deploy_yaml::node_to_json(&self.node, deploy_yaml::Dialect::GoYaml3)
    }

    fn adopt_annotations(&mut self) {
        let has_own = self
            .metadata_map("annotations")
            .iter()
            .any(|(key, _)| tree::text(key).is_some_and(|key| key.starts_with(DOMAIN)));
        if !has_own {
            return;
        }
        let list = |resource: &Resource, name: &str| -> Vec<String> {
            resource
                .own_annotation(name)
                .map(|text| text.split(',').map(str::to_owned).collect())
                .unwrap_or_default()
        };
        let enabled = |resource: &Resource, name: &str| resource.own_annotation(name) == Some("enabled");
        let names = list(self, "previousNames");
        let namespaces = list(self, "previousNamespaces");
        let kinds = list(self, "previousKinds");
        self.previous = names
            .into_iter()
            .zip(namespaces)
            .zip(kinds)
            .map(|((name, namespace), kind)| Previous {
                name,
                namespace,
                kind,
            })
            .collect();
        self.prefixes = list(self, "prefixes");
        self.suffixes = list(self, "suffixes");
        self.needs_hash = enabled(self, "needsHashSuffix");
        self.allow_name_change = enabled(self, "allowNameChange");
        self.allow_kind_change = enabled(self, "allowKindChange");
        self.behavior = Behavior::parse(self.own_annotation("generatorBehavior").unwrap_or_default());
        let Some(metadata) = tree::field_mut(&mut self.node, "metadata") else {
            return;
        };
        if let Some(Content::Mapping(entries)) =
            tree::field_mut(metadata, "annotations").map(|node| &mut node.content)
        {
            entries.retain(|(key, _)| !tree::text(key).is_some_and(is_own));
        }
    }

    fn own_annotation(&self, name: &str) -> Option<&str> {
        self.metadata_map("annotations")
            .iter()
            .find(|(key, _)| tree::text(key).and_then(|key| key.strip_prefix(DOMAIN)) == Some(name))
            .and_then(|(_, value)| tree::text(value))
    }
}

/// Whether an annotation is kustomize's own, which is never printed.
fn is_own(key: &str) -> bool {
    key.strip_prefix(DOMAIN)
        .is_some_and(|name| OWN.contains(&name) || name == "helm-generated")
        || LEGACY.contains(&key)
}

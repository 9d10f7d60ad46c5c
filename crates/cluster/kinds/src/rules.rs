//! The table of kinds: what the API server asks about each.

use serde_json::Value;

use crate::cursor::Field;
use crate::field::Finding;
use crate::names::{self, NameRule};
use crate::{
    admission_registration, apiextensions, apps, autoscaling, batch, certificates, coordination, core,
    discovery, flow_control, metadata, networking, node, policy, rbac, registration, resource, scheduling,
    storage, table,
};

/// Every kind that has rules of its own, one line each.
static RULES: &[&Rules] = &[
    &apiextensions::custom_resource_definition::RULES,
    &coordination::lease::RULES,
    &core::config_map::RULES,
    &core::endpoints::RULES,
    &core::event::RULES,
    &core::limit_range::RULES,
    &core::namespace::RULES,
    &core::node::RULES,
    &core::resource_quota::RULES,
    &core::secret::RULES,
    &core::service::RULES,
    &core::service_account::RULES,
    &core::event::EVENTS_RULES,
    &core::persistent_volume::RULES,
    &core::persistent_volume_claim::RULES,
    &core::pod::RULES,
    &core::pod_template::RULES,
    &core::replication_controller::RULES,
    &admission_registration::policy::BINDING,
    &admission_registration::policy::POLICY,
    &admission_registration::webhooks::MUTATING,
    &admission_registration::webhooks::VALIDATING,
    &apps::controller_revision::RULES,
    &apps::daemon_set::RULES,
    &apps::deployment::RULES,
    &apps::replica_set::RULES,
    &apps::stateful_set::RULES,
    &autoscaling::horizontal_pod_autoscaler::RULES,
    &autoscaling::horizontal_pod_autoscaler::V1_RULES,
    &batch::cron_job::RULES,
    &batch::job::RULES,
    &certificates::signing_request::RULES,
    &discovery::endpoint_slice::RULES,
    &flow_control::flow_schema::RULES,
    &flow_control::priority_level::RULES,
    &networking::ingress::RULES,
    &networking::ingress_class::RULES,
    &networking::ip_address::RULES,
    &networking::network_policy::RULES,
    &networking::service_cidr::RULES,
    &node::runtime_class::RULES,
    &policy::pod_disruption_budget::RULES,
    &rbac::binding::CLUSTER_ROLE_BINDING,
    &rbac::binding::ROLE_BINDING,
    &rbac::role::CLUSTER_ROLE,
    &rbac::role::ROLE,
    &registration::api_service::RULES,
    &resource::claim::CLAIM,
    &resource::claim::TEMPLATE,
    &resource::device_class::RULES,
    &resource::slice::RULES,
    &scheduling::priority_class::RULES,
    &storage::csi_driver::RULES,
    &storage::csi_node::RULES,
    &storage::csi_storage_capacity::RULES,
    &storage::storage_class::RULES,
    &storage::volume_attachment::RULES,
    &storage::volume_attributes_class::RULES,
];

/// The rules of a kind; [`GENERIC`] where it has none of its own.
pub fn find(group: &str, version: &str, kind: &str) -> &'static Rules {
    RULES
        .iter()
        .find(|rules| rules.kind == kind && rules.group == group && rules.version == version)
        .unwrap_or(&&GENERIC)
}

/// What holds for a kind without rules of its own. A kind writes `Rules { what differs, ..GENERIC }`.
pub static GENERIC: Rules = GENERIC_RULES;

/// [`GENERIC`] for the rows of kinds, which are constants.
pub const GENERIC_RULES: Rules = Rules {
    group: "",
    version: "",
    kind: "",
    name: names::path_segment_name,
    default: |_| {},
    prepare_create: |_| {},
    prepare_update: |_, _| {},
    prepare_status: metadata::prepare_status,
    validate_create: |_| Vec::new(),
    validate_update: |_, _| Vec::new(),
    validate_status: |_, _| Vec::new(),
    warnings: |_| Vec::new(),
    update_warnings: |_, _| Vec::new(),
    columns: table::NAME_AND_AGE,
    cells: table::name_and_created,
    row_conditions: |_| Vec::new(),
    selectable: &[],
    create_on_update: false,
    unconditional_update: true,
    graceful_deletion: None,
    subresources: &[],
};

/// What one kind of one version does beyond its schema. Every function sees whole objects of the served version.
#[derive(Clone, Copy)]
pub struct Rules {
    /// API group, empty for core.
    pub group: &'static str,
    /// Version, `v1`.
    pub version: &'static str,
    /// Kind, `Pod`.
    pub kind: &'static str,
    /// What `metadata.name` must look like.
    pub name: NameRule,
    /// Fills in what upstream's defaulting fills in.
    pub default: fn(&mut Value),
    /// Before a create is validated: drops what the client may not set (status ...), sets what the server sets.
    pub prepare_create: fn(&mut Value),
    /// Before an update of the main resource is validated: `(new, old)`. Keeps status, decides on generation.
    pub prepare_update: fn(&mut Value, &Value),
    /// Before an update of the status subresource is validated: `(new, old)`. Keeps all but status.
    pub prepare_status: fn(&mut Value, &Value),
    /// What is wrong with a new object, its metadata aside.
    pub validate_create: fn(&Value) -> Vec<Finding>,
    /// What is wrong with an update, its metadata aside: `(new, old)`.
    pub validate_update: fn(&Value, &Value) -> Vec<Finding>,
    /// What is wrong with a status update: `(new, old)`.
    pub validate_status: fn(&Value, &Value) -> Vec<Finding>,
    /// Warnings for the `Warning` header of a create.
    pub warnings: fn(&Value) -> Vec<String>,
    /// Warnings for the `Warning` header of an update: `(new, old)`.
    pub update_warnings: fn(&Value, &Value) -> Vec<String>,
    /// Columns of its table.
    pub columns: &'static [Column],
    /// The cells of one object, one for each column; the time is in seconds since 1970.
    pub cells: fn(&Value, i64) -> Vec<Value>,
    /// The `conditions` of its row: whether a client may grey it out.
    pub row_conditions: fn(&Value) -> Vec<Value>,
    /// Fields that a field selector may name besides metadata.name and metadata.namespace.
    pub selectable: &'static [Selectable],
    /// A PUT to a name that does not exist creates it.
    pub create_on_update: bool,
    /// A PUT without resourceVersion overwrites.
    pub unconditional_update: bool,
    /// Whether deletion waits for a grace period, and how many seconds where the client says none.
    pub graceful_deletion: Option<fn(&Value) -> u64>,
    /// Subresources that are the object itself with rules of their own, `status` aside.
    pub subresources: &'static [SubresourceRules],
}

/// What an update of a subresource such as `pods/resize` does.
#[derive(Clone, Copy)]
pub struct SubresourceRules {
    /// `resize`
    pub name: &'static str,
    /// Before the update is validated: `(new, old)`.
    pub prepare: fn(&mut Value, &Value),
    /// What is wrong with it, its metadata aside: `(new, old)`.
    pub validate: fn(&Value, &Value) -> Vec<Finding>,
}

impl Rules {
    /// All that is wrong with a new object, in upstream's order: metadata by the kind's name rule, the kind's own
    /// checks, then, if nothing was found, that the name can be a segment of a path
    /// (`apiserver/pkg/registry/rest/create.go BeforeCreate`).
    pub fn check_create(&self, object: &Value, namespaced: bool) -> Vec<Finding> {
        let meta = Field::root(object).get("metadata");
        let mut found = metadata::create(&meta, namespaced, self.name);
        self.check_finalizers(&meta, &mut found);
        found.extend((self.validate_create)(object));
        if found.is_empty() {
            found = metadata::create(&meta, namespaced, names::path_segment_name);
        }
        found
    }

    /// All that is wrong with an update of the main resource, in upstream's order
    /// (`apiserver/pkg/registry/rest/update.go BeforeUpdate`). Metadata is checked twice, by the frame and by the
    /// kind, and its findings are there twice, as upstream's causes are.
    pub fn check_update(&self, new: &Value, old: &Value, namespaced: bool) -> Vec<Finding> {
        self.checked(new, old, namespaced, self.validate_update)
    }

    /// As [`Rules::check_update`], for the status subresource.
    pub fn check_status(&self, new: &Value, old: &Value, namespaced: bool) -> Vec<Finding> {
        self.checked(new, old, namespaced, self.validate_status)
    }

    /// As [`Rules::check_update`], for another subresource; `None` where there is none of this name.
    pub fn check_subresource(
        &self,
        subresource: &str,
        new: &Value,
        old: &Value,
        namespaced: bool,
    ) -> Option<Vec<Finding>> {
        let rules = self.subresources.iter().find(|rules| rules.name == subresource)?;
        Some(self.checked(new, old, namespaced, rules.validate))
    }

    fn checked(
        &self,
        new: &Value,
        old: &Value,
        namespaced: bool,
        kind: fn(&Value, &Value) -> Vec<Finding>,
    ) -> Vec<Finding> {
        let (meta, old_meta) = (Field::root(new).get("metadata"), Field::root(old).get("metadata"));
        let mut found = metadata::create(&meta, namespaced, names::path_segment_name);
        let changes = metadata::update(&meta, &old_meta);
        found.extend(changes.iter().cloned());
        found.extend(changes);
        self.check_finalizers(&meta, &mut found);
        found.extend(kind(new, old));
        found
    }

    /// Kinds of the groups that extend the API, and those without rules of their own, are not held to Kubernetes' own
    /// finalizers.
    fn check_finalizers(&self, meta: &Field<'_>, out: &mut Vec<Finding>) {
        let extends = [
            "apiextensions.k8s.io",
            "apiregistration.k8s.io",
            "admissionregistration.k8s.io",
        ];
        if !self.kind.is_empty() && !extends.contains(&self.group) {
            metadata::kube_finalizers(meta, out);
        }
    }
}

/// A column of a table.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Column {
    /// Its head.
    pub name: &'static str,
    /// OpenAPI type: `string`, `integer`, `boolean`, `date` ...
    pub r#type: &'static str,
    /// `name` for the first.
    pub format: &'static str,
    /// What it shows.
    pub description: &'static str,
    /// 0 is shown always, above that only in wide output.
    pub priority: u8,
}

/// A field that a selector may name.
#[derive(Clone, Copy)]
pub struct Selectable {
    /// `spec.nodeName`
    pub name: &'static str,
    /// Its value in an object, empty where it has none.
    pub value: fn(&Value) -> String,
}

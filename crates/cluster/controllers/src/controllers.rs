//! The table of controllers.

use crate::controller::Controller;
use crate::{
    cluster_role, cron_job, daemon_set, deployment, disruption, endpoints, ephemeral_volume, job, local_path,
    namespace, node, pod_gc, quota, replica_set, scheduler, service_account, stateful_set, taint_eviction,
    volume_binding, volume_protection,
};

/// Every controller that a cluster runs.
pub static ALL: &[Controller] = &[
    cluster_role::CONTROLLER,
    cron_job::CONTROLLER,
    daemon_set::CONTROLLER,
    deployment::CONTROLLER,
    disruption::CONTROLLER,
    endpoints::legacy::CONTROLLER,
    endpoints::mirror::CONTROLLER,
    endpoints::slices::CONTROLLER,
    ephemeral_volume::CONTROLLER,
    job::CONTROLLER,
    local_path::CONTROLLER,
    namespace::CONTROLLER,
    node::CONTROLLER,
    pod_gc::CONTROLLER,
    quota::CONTROLLER,
    replica_set::CONTROLLER,
    replica_set::ELDER,
    scheduler::CONTROLLER,
    service_account::ACCOUNTS,
    service_account::ROOT_CA,
    stateful_set::CONTROLLER,
    taint_eviction::CONTROLLER,
    volume_binding::CONTROLLER,
    volume_protection::CLAIMS,
    volume_protection::VOLUMES,
];

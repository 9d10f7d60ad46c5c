//! The table of controllers.

use crate::controller::Controller;
use crate::{
    cluster_role, deployment, endpoints, job, namespace, pod_gc, replica_set, scheduler, service_account,
};

/// Every controller that a cluster runs.
pub static ALL: &[Controller] = &[
    cluster_role::CONTROLLER,
    deployment::CONTROLLER,
    endpoints::legacy::CONTROLLER,
    endpoints::slices::CONTROLLER,
    job::CONTROLLER,
    namespace::CONTROLLER,
    pod_gc::CONTROLLER,
    replica_set::CONTROLLER,
    scheduler::CONTROLLER,
    service_account::ACCOUNTS,
    service_account::ROOT_CA,
];

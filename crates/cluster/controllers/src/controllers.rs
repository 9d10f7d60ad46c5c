//! The table of controllers.

use crate::controller::Controller;
use crate::{deployment, endpoints, replica_set, scheduler};

/// Every controller that a cluster runs.
pub static ALL: &[Controller] = &[
    deployment::CONTROLLER,
    endpoints::legacy::CONTROLLER,
    endpoints::slices::CONTROLLER,
    replica_set::CONTROLLER,
    scheduler::CONTROLLER,
];

//! The group `autoscaling`.

pub mod conversion;
pub mod horizontal_pod_autoscaler;
mod metrics;
mod table;

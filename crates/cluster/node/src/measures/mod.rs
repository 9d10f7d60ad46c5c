//! What the machine, its pods and their containers use: read from cgroups and /proc when somebody asks, and every
//! [`limits::MEASURE_EVERY`](crate::limits::MEASURE_EVERY) for the rates of `kubectl top`.
//!
//! - [`sample`]: what was read at one time, as data. [`collect`] reads it, [`machine`] and [`disk`] the parts that are no
//!   cgroup's.
//! - [`cadvisor`], [`resource`], [`summary`]: pure, from a sample to `/metrics/cadvisor`, `/metrics/resource` and
//!   `/stats/summary`; [`exposition`] writes the text form of the first two.
//! - [`rates`]: pure, the last two samples and what follows from them, as metrics-server keeps them.
//! - [`meter`]: takes the samples, and answers for `metrics.k8s.io`.

pub mod cadvisor;
mod collect;
mod disk;
pub mod exposition;
mod machine;
mod meter;
pub mod rates;
pub mod resource;
pub mod sample;
pub mod summary;
#[cfg(test)]
mod tests;

pub use collect::collect;
pub use meter::Meter;

/// How a Prometheus exposition names itself.
pub const EXPOSITION: &str = "text/plain; version=0.0.4; charset=utf-8; escaping=underscores";

//! The controllers and the scheduler of the embedded cluster.
//!
//! - **What it is:** one pure function per controller, from what the cluster holds to what is to be done
//!   ([`controller::Controller::reconcile`]), and one shell of work queues that wakes them and carries their effects out.
//! - **What it refuses to know:** HTTP, storage, how an object is validated. A controller reads through [`view::View`] and
//!   acts through [`effect::Effect`]; the shell is the only one that knows the API server.
//! - **Entry point:** [`controllers::ALL`]: a row per controller; to add one, a module and a row.
//! - **How to test it:** each module's tests give a `reconcile` objects in memory; `tests/it` runs whole scenarios against the
//!   API server in this process and compares with what the real controller manager did.

pub mod cluster_role;
pub mod condition;
pub mod controller;
pub mod controllers;
pub mod cron_job;
pub mod daemon_set;
pub mod deployment;
pub mod disruption;
pub mod effect;
pub mod endpoints;
pub mod ephemeral_volume;
pub mod garbage;
pub mod hash;
pub mod history;
pub mod job;
pub mod kind;
pub mod local_path;
pub mod namespace;
pub mod node;
pub mod node_health;
pub mod object;
pub mod pod_gc;
pub mod pods;
pub mod quota;
pub mod replica_set;
pub mod scheduler;
pub mod selector;
pub mod service_account;
pub mod shell;
pub mod stateful_set;
pub mod taint_eviction;
pub mod view;
pub mod volume_binding;
pub mod volume_protection;

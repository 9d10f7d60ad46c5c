//! Kinds of `admissionregistration.k8s.io`. They are stored and served; nothing calls webhooks or policies yet.

mod match_resources;
pub mod policy;
pub mod webhooks;

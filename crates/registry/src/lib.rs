//! The registry: OCI distribution over content-addressed files.

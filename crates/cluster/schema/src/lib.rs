//! The Kubernetes API as data: which resources exist, what their objects look like, and everything that follows from
//! that alone. It knows no kind by name, no HTTP, no storage, no clock.
//!
//! - [`types`]: the shape of values (fields, list types, merge keys), for built-in types and custom resources alike.
//! - [`registry`]: groups, versions, resources, and their types, read from one compact blob (`cargo xtask schema`).
//! - [`discovery`], [`openapi`]: the documents in which a server says what it serves, and of what types that is.
//! - [`decode`]: the text of a request to an object as Go would hold it; pruning and strict field validation.
//! - `fields`, `merge`, `apply`: field sets, structured merge and server-side apply with managedFields.
//! - `patch`: JSON patch, merge patch, strategic merge patch.
//! - [`structural`]: schemas of custom resources.

pub mod apply;
pub mod decode;
pub mod discovery;
pub mod fields;
pub mod limits;
pub mod merge;
pub mod openapi;
pub mod patch;
pub mod registry;
pub mod structural;
pub mod types;

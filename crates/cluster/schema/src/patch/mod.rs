//! The patches that the API server takes besides server-side apply.
//!
//! - [`json_patch`]: RFC 6902, as evanphx/json-patch v4 reads it.
//! - [`merge_patch`]: RFC 7386, as the same library reads it.
//! - [`strategic`]: merges lists by key as the types say; [`create_two_way`] and [`create_three_way`] make such patches,
//!   as `kubectl apply` does.

mod create;
mod error;
mod json_patch;
mod merge_patch;
mod meta;
mod order;
mod pointer;
mod strategic;

pub use create::{create_three_way, create_two_way};
pub use error::PatchError;
pub use json_patch::{json_patch, json_patch_unknown_fields};
pub use merge_patch::merge_patch;
pub use strategic::strategic;

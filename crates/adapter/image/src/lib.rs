//! The store of container images.
//!
//! - **What it is:** layers that are unpacked once, under their content's digest, ready as lower folders of an overlay
//!   ([`Store`]); OCI and docker archives in ([`Store::load_archive`]) and OCI archives out ([`write_archive`]).
//! - **What it refuses to know:** Kubernetes, registries (deploy-registry-client hands it streams), mounts
//!   (deploy-sandbox mounts what [`Image::layers`] names).
//! - **Entry point:** [`Store::open`], [`Store::ingest`], [`Store::commit`], [`Store::find`].
//! - **How to test it:** `cargo test -p deploy-image`, as root, because layers have owners, devices and trusted
//!   attributes; without root the tests that need it say `skipped`. `skopeo` and `umoci` are compared where installed.
//!
//! Nothing that a layer says is believed: names are resolved below the layer's folder by the kernel (openat2), both
//! digests are checked before the layer gets its name, sizes and counts are bounded (`limits.rs`), and whatever a crash
//! or a full disk leaves is a temporary folder, swept at the next [`Store::open`].

mod archive;
mod config;
mod decode;
mod hash;
pub mod limits;
mod pack;
mod store;
mod tar;
mod unpack;

pub use self::tar::TarError;
pub use archive::write::{ArchiveError, Contents, write_archive};
pub use config::{Config, ConfigError};
pub use pack::{OPAQUE_ATTRIBUTE, Pack, PackError, Packed, pack, pack_upper};
pub use store::{
    DiskUsage, Hold, Image, Layer, Loaded, Pruned, Store, StoreError, User, UserError, Workspace, user_in,
};
pub use unpack::{UnpackError, Unpacked, unpack_archive};

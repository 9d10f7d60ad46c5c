//! Volumes of pods: configMap, secret, downwardAPI, projected, emptyDir, hostPath, persistent volume claims.
//!
//! - [`payload`], [`plan`]: pure, from a pod and the objects that it names to what its volumes are to be.
//! - [`shell`]: makes them below the pod's folder, `pods/<uid>/volumes/<type>/<name>`, changes them when objects change, and
//!   removes them. [`mounts`]: what one container mounts of them, at the time of its start.
//! - [`atomic`], [`ownership`], [`beneath`], [`remove`], [`host_path`]: what is done to folders, safe against whoever else
//!   writes to them.
//! - [`local`]: persistent volumes that are folders of this node.

pub mod atomic;
pub mod beneath;
pub mod host_path;
pub mod local;
pub mod memory;
pub mod mounts;
pub mod ownership;
pub mod payload;
pub mod plan;
pub mod remove;
#[cfg(test)]
pub(crate) mod scratch;
pub mod shell;
pub mod tokens;
mod usage;

pub use self::mounts::{Mount, Prepared, Tmpfs};
pub use self::plan::refers_to;
pub use self::shell::Volumes;

/// The reason of the Warning event about a volume that cannot be mounted.
pub const FAILED_MOUNT: &str = "FailedMount";

/// Why a volume cannot be mounted: the text of an event with the reason [`FAILED_MOUNT`].
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct VolumeError {
    /// In upstream's words.
    pub message: String,
}

impl VolumeError {
    /// A volume could not be set up.
    pub(crate) fn set_up(volume: &str, why: &str) -> VolumeError {
        VolumeError::of("MountVolume.SetUp failed", volume, why)
    }

    /// One step of mounting failed (`operation_executor.go generateVolumeMsg`).
    pub(crate) fn of(step: &str, volume: &str, why: &str) -> VolumeError {
        VolumeError {
            message: format!("{step} for volume {volume:?} : {why}"),
        }
    }

    /// It is not known yet what to mount (`volume_manager.go WaitForAttachAndMount`).
    pub(crate) fn unprocessed(volume: &str, why: &str) -> VolumeError {
        VolumeError {
            message: format!(
                "Unable to attach or mount volumes: unmounted volumes=[{volume}], unattached volumes=[], \
                 failed to process volumes=[{volume}]: {why}"
            ),
        }
    }
}

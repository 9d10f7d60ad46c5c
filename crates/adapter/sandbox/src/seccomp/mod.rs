//! Filters of system calls: the default allow list and profiles in files, compiled to what the kernel runs.

mod builtin;
mod profile;
mod table;

use std::fs;
use std::io::Read;
use std::path::Path;

use caps::Capability;
use seccompiler::BpfProgram;

use crate::error::SandboxError;
use crate::limits::MAX_PROFILE_BYTES;
use crate::spec::Seccomp;

pub(crate) use profile::Profile;

/// What is to be installed, in this order; nothing for `Unconfined`.
pub(crate) fn filters(
    seccomp: &Seccomp,
    capabilities: &[Capability],
) -> Result<Vec<BpfProgram>, SandboxError> {
    match profile(seccomp, capabilities)? {
        None => Ok(Vec::new()),
        Some(profile) => profile.compile(),
    }
}

/// The profile itself, for another runtime.
pub(crate) fn profile(
    seccomp: &Seccomp,
    capabilities: &[Capability],
) -> Result<Option<Profile>, SandboxError> {
    match seccomp {
        Seccomp::Unconfined => Ok(None),
        Seccomp::RuntimeDefault => Ok(Some(builtin::profile(capabilities))),
        Seccomp::File(path) => Ok(Some(read(path)?)),
    }
}

fn read(path: &Path) -> Result<Profile, SandboxError> {
    let failed = |error: &dyn std::fmt::Display| {
        SandboxError::Invalid(format!(
            "cannot load seccomp profile {:?}: {error}",
            path.display()
        ))
    };
    let mut text = Vec::new();
    fs::File::open(path)
        .and_then(|file| file.take(MAX_PROFILE_BYTES + 1).read_to_end(&mut text))
        .map_err(|error| failed(&error))?;
    if text.len() as u64 > MAX_PROFILE_BYTES {
        return Err(failed(&format!("more than {MAX_PROFILE_BYTES} bytes")));
    }
    serde_json::from_slice(&text).map_err(|error| failed(&error))
}

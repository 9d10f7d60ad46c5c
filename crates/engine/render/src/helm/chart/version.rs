//! Versions of charts and the ranges that dependencies ask for.

use deploy_template::sprig::semver::{Constraint, Version};

/// Whether a text is a version as helm takes it: `1`, `v1.2` and `1.2.3-rc.1+x` are.
pub fn is_version(text: &str) -> bool {
    Version::parse(text).is_ok()
}

/// Whether a version is in a range. What cannot be read is not.
pub fn is_compatible(constraint: &str, version: &str) -> bool {
    match (Version::parse(version), Constraint::parse(constraint)) {
        (Ok(version), Ok(constraint)) => constraint.check(&version),
        _ => false,
    }
}
